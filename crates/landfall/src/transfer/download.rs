//! Writes a file's bytes to a sink, whatever the connection does.

mod origin;
mod patience;
mod prefix;
mod ranges;
mod whole;

use super::blocking::blocking;
use super::engine::Engine;
use super::events::Event;
use super::progress::FileProgress;
use crate::CallError;
use landfall_protocol::path::ReadPath;
use landfall_protocol::types::files::{DownloadError, FileMetadata};
use landfall_protocol::{ContentHash, ContentHasher, Rev};
use origin::Origin;
use prefix::{Prefix, hash_of};
use ranges::Ranges;
use std::fs::File;
use std::io::{self, Seek};
use std::sync::Arc;
use tokio::io::AsyncWrite;
use whole::Whole;

/// Fruitless attempts in a row, answered by the service itself, after which it is taken to be
/// unable to read the file there. Ours: enough for a hiccup, and soon enough for a person who
/// waits. Trouble on the way to the service has all the patience of the [`RetryPolicy`].
const STUCK: u32 = 3;

/// A download to be run. After a broken connection it goes on where it stopped, as long as the
/// file is still the same revision; [`Self::resume_from`] does so after a stop of any kind.
pub struct Download {
    origin: Origin,
    name: Arc<str>,
    known: Option<FileMetadata>,
}

/// A file that was written to the sink, whole and verified.
#[derive(Clone, Debug, PartialEq)]
pub struct Downloaded {
    /// The file.
    pub metadata: FileMetadata,
    /// Bytes written.
    pub size: u64,
    /// Their hash, computed here.
    pub content_hash: ContentHash,
}

/// The sink does not hold the file. It may hold a part of it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DownloadFailure {
    /// The service does not give the file.
    #[error(transparent)]
    Call(#[from] CallError<DownloadError>),
    /// The service fails at the same byte every time, as it does where the file is damaged.
    #[error(
        "{why}; that was {STUCK} times in a row at byte {at} of the file, which may be damaged \
         there: if it goes on, tell who runs the service"
    )]
    Stuck {
        /// Bytes that came before.
        at: u64,
        /// How it failed the last time.
        #[source]
        why: CallError<DownloadError>,
    },
    /// The sink does not take the bytes.
    #[error("can't write what was downloaded: {0}; make room or choose another place")]
    Sink(#[source] io::Error),
    /// What an earlier download left can't be read, or not be given up.
    #[error("can't use what is there of it: {0}; remove it and download again")]
    Part(#[source] io::Error),
    /// Somebody changed the file meanwhile.
    #[error("the file changed while it was downloaded (rev {was} became {is}); download it again")]
    Changed {
        /// The revision of the first bytes.
        was: Rev,
        /// The revision now.
        is: Rev,
    },
    /// The bytes are not the file's.
    #[error(
        "{size} bytes with hash {hash} came, but the file has {} bytes with hash {}; \
         download it again",
        wanted.0, wanted.1
    )]
    Integrity {
        /// Bytes that came.
        size: u64,
        /// Their hash.
        hash: ContentHash,
        /// Size and hash by the service.
        wanted: (u64, String),
    },
}

impl Download {
    /// A download of the file at this path, in its turn among the others of the engine.
    pub fn new(engine: &Engine, path: ReadPath) -> Self {
        Self {
            name: Arc::from(path.as_str()),
            origin: Origin {
                engine: engine.clone(),
                path,
            },
            known: None,
        }
    }

    /// The file as the service described it before. What is downloaded is this revision or
    /// [`DownloadFailure::Changed`]; if it is large, several requests fetch ranges of it at once,
    /// within the engine's memory. A file that isn't known comes by one request.
    #[must_use]
    pub fn known(mut self, file: FileMetadata) -> Self {
        self.known = Some(file);
        self
    }

    /// Runs the download to its end and flushes the sink.
    ///
    /// # Errors
    /// [`DownloadFailure`]. What was written before the failure are the first bytes of the file,
    /// as they came: trust none of them.
    pub async fn run<W: AsyncWrite + Unpin>(
        self,
        sink: &mut W,
    ) -> Result<Downloaded, DownloadFailure> {
        self.fetch(Prefix::new(sink, ContentHasher::new())).await
    }

    /// Runs the download into a file that may hold the first bytes of it: those that an earlier
    /// download of the same revision wrote before it failed or was stopped. They are read again,
    /// and only the rest is fetched. If the whole is not what it should be, they are given up,
    /// once, and all is fetched.
    ///
    /// Bytes are trusted by the hash of the whole alone. Without one to come, which
    /// [`Self::known`] tells, all is fetched at once.
    ///
    /// # Errors
    /// [`DownloadFailure`]. What is in the file can be gone on with, unless it is
    /// [`DownloadFailure::Changed`] or [`DownloadFailure::Integrity`].
    pub async fn resume_from(self, part: File) -> Result<Downloaded, DownloadFailure> {
        let (mut part, hasher) = self.first_bytes(part).await?;
        let resumed = hasher.length() > 0;
        let mut sink = tokio::fs::File::from_std(part.try_clone().map_err(DownloadFailure::Part)?);
        let result = self.fetch(Prefix::new(&mut sink, hasher)).await;
        match result {
            Err(DownloadFailure::Integrity { .. }) if resumed => {
                self.tell_anew("what was there of it is damaged");
                empty(&mut part)?;
                self.fetch(Prefix::new(&mut sink, ContentHasher::new()))
                    .await
            }
            result => result,
        }
    }

    /// What a file holds of this one, if that is of use; else it is emptied.
    async fn first_bytes(&self, mut part: File) -> Result<(File, ContentHasher), DownloadFailure> {
        let read = blocking(move || hash_of(&mut part).map(|hasher| (part, hasher))).await;
        let (mut part, hasher) = read.map_err(DownloadFailure::Part)?;
        let stored = hasher.length();
        let size = self.known.as_ref().and_then(|file| {
            file.content_hash?;
            Some(file.size)
        });
        match size {
            _ if stored == 0 => {}
            Some(total) if stored <= total => {
                self.origin.engine.tell(Event::Resumed {
                    file: Arc::clone(&self.name),
                    stored,
                    total,
                });
                return Ok((part, hasher));
            }
            Some(_) => self.tell_anew("what was there is longer than the file"),
            None => self.tell_anew("nothing tells whether what was there is of it"),
        }
        empty(&mut part)?;
        Ok((part, ContentHasher::new()))
    }

    fn tell_anew(&self, why: &'static str) {
        self.origin.engine.tell(Event::StartedAnew {
            file: Arc::clone(&self.name),
            why,
        });
    }

    /// Fetches what a prefix lacks.
    async fn fetch<W: AsyncWrite + Unpin>(
        &self,
        mut prefix: Prefix<'_, W>,
    ) -> Result<Downloaded, DownloadFailure> {
        let mut file = self.known.clone();
        let fetched = self.rest(&mut prefix, &mut file).await;
        // After a failure too: what came is there.
        let flushed = prefix.flush().await;
        fetched?;
        flushed?;
        finished(file.expect("it came with the bytes"), prefix.hasher())
    }

    async fn rest<W: AsyncWrite + Unpin>(
        &self,
        prefix: &mut Prefix<'_, W>,
        file: &mut Option<FileMetadata>,
    ) -> Result<(), DownloadFailure> {
        let engine = &self.origin.engine;
        let mut ranges = true;
        if let Some(file) = &*file {
            let missing = file.size.saturating_sub(prefix.length());
            if missing == 0 {
                return Ok(());
            }
            if missing > engine.request_size() {
                let in_ranges = Ranges {
                    origin: &self.origin,
                    file,
                    progress: FileProgress::new(
                        Arc::clone(&self.name),
                        Some(file.size),
                        prefix.length(),
                        Arc::clone(engine.events()),
                    ),
                };
                if in_ranges.run(prefix).await? {
                    return Ok(());
                }
                ranges = false;
            }
        }
        let whole = Whole {
            origin: &self.origin,
            name: &self.name,
            file,
            ranges,
        };
        whole.run(prefix).await
    }
}

impl DownloadFailure {
    /// The failure, if these are two revisions.
    fn if_changed(was: &Rev, is: &Rev) -> Option<Self> {
        (was != is).then(|| Self::Changed {
            was: was.clone(),
            is: is.clone(),
        })
    }
}

/// Nothing is in the file, and it is written at its beginning.
fn empty(part: &mut File) -> Result<(), DownloadFailure> {
    let emptied = part.set_len(0).and_then(|()| part.rewind());
    emptied.map_err(DownloadFailure::Part)
}

fn finished(metadata: FileMetadata, hasher: &ContentHasher) -> Result<Downloaded, DownloadFailure> {
    let (size, content_hash) = (hasher.length(), hasher.finish());
    if size == metadata.size
        && metadata
            .content_hash
            .is_none_or(|hash| hash == content_hash)
    {
        return Ok(Downloaded {
            metadata,
            size,
            content_hash,
        });
    }
    let hash = metadata.content_hash;
    Err(DownloadFailure::Integrity {
        size,
        hash: content_hash,
        wanted: (
            metadata.size,
            hash.map_or_else(|| "(none)".to_owned(), |hash| hash.to_string()),
        ),
    })
}
