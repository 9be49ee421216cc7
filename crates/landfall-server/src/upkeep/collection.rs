//! What nothing refers to any more: contents, blobs, and the strays of dead writers.
//!
//! A content without a session and a revision is an *orphan*; no request can reach it. Its
//! pieces go bit by bit. A blob without a piece is *doomed*; its file goes when nobody can be
//! reading it any more. A file that no row knows is a *stray* if its writer is dead: the writer
//! is fenced first, and from then on no transaction can refer to a new blob of it, so what is
//! not referred to by now never will be.

use super::hold::are_held;
use super::{SLICE, Upkeep, rest};
use crate::meta::rows::{Blob, BlobId, ContentId, Extent, FileOffset, Writer};
use crate::meta::{Decision, Effect, Loads, MetaError, Operation, Unconditional};
use crate::ops::Trouble;
use crate::sys::weakened::{Safeguard, without};
use crate::sys::{Micros, Point};
use std::collections::HashMap;
use std::time::Duration;
use tokio::time::Instant;

/// How often a living writer says so.
pub(crate) const HEARTBEAT: Duration = Duration::from_secs(60);

/// Silence after which a writer is taken for dead. If it only slept, it goes on under another
/// name, and the requests that it was at are repeated by their clients.
const DEAD: Duration = Duration::from_secs(15 * 60);

impl Upkeep {
    /// Says that this process lives, if it is known as a writer.
    pub(crate) async fn beat(&self) -> Result<(), MetaError> {
        let beat = Beat {
            id: self.blobs.writer(),
            now: self.sys.clock.now(),
        };
        self.meta.transact(beat).await
    }

    pub(super) async fn remove_orphans(&self) -> Result<(), Trouble> {
        let failpoints = &self.sys.failpoints;
        let now = self.sys.clock.now();
        loop {
            if without(Safeguard::RowsFirst) {
                self.remove_files_of_an_orphan().await?;
            }
            failpoints.hit(Point::CollectRemovePieces)?;
            let orphans = self.step(RemovePieces { now }).await?;
            failpoints.hit(Point::CollectPiecesRemoved)?;
            if orphans == Orphans::None {
                return Ok(());
            }
        }
    }

    /// What must not be done.
    async fn remove_files_of_an_orphan(&self) -> Result<(), Trouble> {
        let pieces = self.meta.read(|loads| match loads.orphans(1)?.pop() {
            Some(content) => loads.extents(&content, FileOffset(0), SLICE),
            None => Ok(Vec::new()),
        });
        for (_, blob) in pieces.await? {
            self.blobs.remove(&blob.id).await?;
        }
        Ok(())
    }

    /// Says how many files went, and whether others had to stay because they are held.
    pub(super) async fn remove_doomed(&self, grace: Duration) -> Result<(u64, bool), Trouble> {
        let failpoints = &self.sys.failpoints;
        let grace = i64::try_from(grace.as_micros()).unwrap_or(i64::MAX);
        let mut all = 0;
        loop {
            let begun = Instant::now();
            let now = self.sys.clock.now();
            let since = Micros(now.0.saturating_sub(grace));
            // Both in one look: see the module `hold`.
            let (doomed, held) = self
                .meta
                .read(move |loads| Ok((loads.doomed(since, SLICE)?, are_held(loads, now)?)))
                .await?;
            if doomed.is_empty() || held {
                return Ok((all, held && !doomed.is_empty()));
            }
            for blob in &doomed {
                failpoints.hit(Point::CollectRemoveFile)?;
                self.blobs.remove(blob).await?;
            }
            failpoints.hit(Point::CollectFilesRemoved)?;
            all += doomed.len() as u64;
            let forget = doomed.into_iter().map(Effect::ForgetBlob).collect();
            self.meta.transact(Unconditional(forget)).await?;
            failpoints.hit(Point::CollectForgotten)?;
            rest(begun).await;
        }
    }

    pub(super) async fn collect_dead_writers(&self) -> Result<u64, Trouble> {
        let failpoints = &self.sys.failpoints;
        let silent = Micros(self.sys.clock.now().0 - DEAD.as_micros() as i64);
        let own = self.blobs.writer();
        let mut strays = 0;
        for writer in self.meta.read(|loads| loads.writers()).await? {
            if writer.id == own {
                continue;
            }
            failpoints.hit(Point::CollectFence)?;
            let fence = Fence {
                id: writer.id.clone(),
                silent,
            };
            if !self.meta.transact(fence).await? {
                continue;
            }
            failpoints.hit(Point::CollectFenced)?;
            for some in self.blobs.list(&writer.id).await?.chunks(SLICE) {
                let begun = Instant::now();
                for stray in self.strays(some.to_vec()).await? {
                    failpoints.hit(Point::CollectRemoveStray)?;
                    self.blobs.remove(&stray).await?;
                    strays += 1;
                }
                rest(begun).await;
            }
            failpoints.hit(Point::CollectStraysRemoved)?;
            if without(Safeguard::Fence) {
                continue;
            }
            let remove = Effect::RemoveWriter { id: writer.id };
            self.meta.transact(Unconditional(vec![remove])).await?;
            failpoints.hit(Point::CollectWriterRemoved)?;
        }
        Ok(strays)
    }

    /// Those of these blobs that no row knows.
    async fn strays(&self, blobs: Vec<BlobId>) -> Result<Vec<BlobId>, MetaError> {
        let unknown = |loads: &mut dyn Loads| {
            let mut strays = Vec::new();
            for blob in blobs {
                if !loads.knows_blob(&blob)? {
                    strays.push(blob);
                }
            }
            Ok(strays)
        };
        self.meta.read(unknown).await
    }
}

struct Beat {
    id: String,
    now: Micros,
}

impl Operation for Beat {
    type View = Option<Writer>;
    type Answer = ();

    fn load(&self, loads: &mut dyn Loads) -> Result<Self::View, MetaError> {
        Ok(loads
            .writers()?
            .into_iter()
            .find(|writer| writer.id == self.id))
    }

    fn decide(&self, writer: Self::View) -> Decision<()> {
        match writer {
            Some(writer) if !writer.fenced => Decision {
                effects: vec![Effect::PutWriter(Writer {
                    heartbeat: self.now,
                    ..writer
                })],
                answer: (),
            },
            _ => Decision::unchanged(()),
        }
    }
}

struct Fence {
    id: String,
    silent: Micros,
}

impl Operation for Fence {
    type View = Option<Writer>;
    /// Whether the writer is fenced.
    type Answer = bool;

    fn load(&self, loads: &mut dyn Loads) -> Result<Self::View, MetaError> {
        Ok(loads
            .writers()?
            .into_iter()
            .find(|writer| writer.id == self.id))
    }

    fn decide(&self, writer: Self::View) -> Decision<bool> {
        match writer {
            None => Decision::unchanged(false),
            Some(writer) if writer.fenced => Decision::unchanged(true),
            Some(writer) if writer.heartbeat > self.silent => Decision::unchanged(false),
            Some(_) if without(Safeguard::Fence) => Decision::unchanged(true),
            Some(writer) => Decision {
                effects: vec![Effect::PutWriter(Writer {
                    fenced: true,
                    ..writer
                })],
                answer: true,
            },
        }
    }
}

struct RemovePieces {
    now: Micros,
}

/// A content that goes.
struct Orphan {
    content: ContentId,
    pieces: Vec<(Extent, Blob)>,
    /// Whether these are all that are left.
    whole: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Orphans {
    None,
    Left,
}

impl Operation for RemovePieces {
    /// Orphans with a slice of pieces in all, and how many pieces refer to each of their blobs.
    type View = (Vec<Orphan>, HashMap<BlobId, u64>);
    type Answer = Orphans;

    fn load(&self, loads: &mut dyn Loads) -> Result<Self::View, MetaError> {
        let (mut orphans, mut uses, mut room) = (Vec::new(), HashMap::new(), SLICE);
        for content in loads.orphans(SLICE)? {
            let pieces = loads.extents(&content, FileOffset(0), room)?;
            for (_, blob) in &pieces {
                uses.insert(blob.id.clone(), loads.blob_use(&blob.id)?);
            }
            let whole = pieces.len() < room;
            room -= pieces.len();
            orphans.push(Orphan {
                content,
                pieces,
                whole,
            });
            if room == 0 {
                break;
            }
        }
        Ok((orphans, uses))
    }

    fn decide(&self, (orphans, mut uses): Self::View) -> Decision<Orphans> {
        if orphans.is_empty() {
            return Decision::unchanged(Orphans::None);
        }
        let mut effects = Vec::new();
        for orphan in orphans {
            for (extent, blob) in orphan.pieces {
                let (content, offset) = (extent.content, extent.offset);
                effects.push(Effect::RemoveExtent { content, offset });
                if let Some(left) = uses.get_mut(&blob.id) {
                    *left -= 1;
                    if *left == 0 {
                        effects.push(Effect::DoomBlob {
                            id: blob.id,
                            since: self.now,
                        });
                    }
                }
            }
            if orphan.whole {
                effects.push(Effect::RemoveOrphan(orphan.content));
            }
        }
        Decision {
            effects,
            answer: Orphans::Left,
        }
    }
}
