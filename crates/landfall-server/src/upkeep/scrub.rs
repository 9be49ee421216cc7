//! Reading everything again, slowly and for ever: damage is found while there is still a backup
//! without it.
//!
//! A pass goes through all blobs in the order of their names. Where it is, is written down about
//! once a minute, so a restart goes on there.

use super::check::Pace;
use super::{SLICE, Upkeep};
use crate::meta::rows::BlobId;
use crate::meta::{Effect, MetaError, Unconditional};
use crate::ops::Trouble;
use crate::sys::Micros;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::Instant;

/// How often everything is read at the most. A small store would otherwise be read all the time.
const PASS: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// How often the place is written down, and the lease prolonged.
const NOTE: Duration = Duration::from_secs(60);

/// How long another process waits before it takes the scrub over.
pub(super) const LEASE: Duration = Duration::from_secs(10 * 60);

/// The name of the lease, and of the setting with the place.
const SCRUB: &str = "scrub";

/// What the scrubs of this process came to.
#[derive(Debug, Default)]
pub struct Scrubbed {
    bytes: AtomicU64,
    problems: AtomicU64,
}

impl Scrubbed {
    /// Bytes that were read.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Blobs that are missing, damaged or unreadable.
    pub fn problems(&self) -> u64 {
        self.problems.load(Ordering::Relaxed)
    }
}

/// How a turn of the scrub ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Everything was read; the next pass begins a week after this one did.
    Done,
    /// It isn't time yet.
    Rests,
    /// Another process is at it.
    Elsewhere,
}

/// Where a pass is.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    begun: Micros,
    /// The last blob that was read; `None`: the pass is over.
    after: Option<BlobId>,
}

impl Upkeep {
    /// Goes on with the pass, or begins the next one if it is time, and reads up to its end at
    /// `rate` bytes per second. Tells the log of what is wrong.
    ///
    /// # Errors
    /// The metadata's. The next turn goes on where this one was.
    pub async fn scrub(&self, rate: u64) -> Result<Turn, Trouble> {
        if !self.lease(SCRUB, LEASE).await? {
            return Ok(Turn::Elsewhere);
        }
        let now = self.sys.clock.now();
        let mut place = match self.place().await? {
            Some(place) if place.after.is_some() => place,
            Some(place) if now < place.begun.plus_seconds(PASS.as_secs()) => {
                return Ok(Turn::Rests);
            }
            _ => Place {
                begun: now,
                after: Some(BlobId(String::new())),
            },
        };
        let mut pace = Pace::of(Some(rate));
        let mut noted = Instant::now();
        while let Some(from) = place.after.take() {
            let wanted = from.clone();
            let page = self
                .meta
                .read(move |loads| loads.blobs(&wanted, SLICE))
                .await?;
            for blob in page {
                if let Some(problem) = self.problem(&blob, &mut pace).await? {
                    self.scrubbed.problems.fetch_add(1, Ordering::Relaxed);
                    tracing::error!(%problem, "the scrub found damage: restore the file from a backup");
                }
                self.scrubbed
                    .bytes
                    .fetch_add(blob.length, Ordering::Relaxed);
                place.after = Some(blob.id);
                if noted.elapsed() >= NOTE {
                    noted = Instant::now();
                    self.note(&place).await?;
                    if !self.lease(SCRUB, LEASE).await? {
                        return Ok(Turn::Elsewhere);
                    }
                }
            }
        }
        self.note(&place).await?;
        Ok(Turn::Done)
    }

    async fn place(&self) -> Result<Option<Place>, MetaError> {
        let text = self.meta.read(|loads| loads.setting(SCRUB)).await?;
        Ok(text.and_then(|text| Place::parse(&text)))
    }

    async fn note(&self, place: &Place) -> Result<(), MetaError> {
        let note = Effect::PutSetting {
            name: SCRUB,
            value: place.text(),
        };
        self.meta.transact(Unconditional(vec![note])).await
    }
}

impl Place {
    fn text(&self) -> String {
        match &self.after {
            None => self.begun.0.to_string(),
            Some(after) => format!("{} {}", self.begun.0, after.0),
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let (begun, after) = match text.split_once(' ') {
            None => (text, None),
            Some((begun, after)) => (begun, Some(BlobId(after.to_owned()))),
        };
        let begun = Micros(begun.parse().ok()?);
        Some(Self { begun, after })
    }
}

#[cfg(test)]
mod tests {
    use super::{Place, Turn};
    use crate::Storage;
    use crate::blobs::Checksums;
    use crate::meta::rows::{Blob, BlobId, BlobPlace};
    use crate::meta::{Effect, Unconditional};
    use crate::sys::{ManualClock, Micros, Sys};
    use bytes::Bytes;
    use std::sync::Arc;
    use std::time::Duration;
    use tokio::time::timeout;

    const MIB: usize = 1024 * 1024;
    const BLOBS: u64 = 10;

    /// Stores with some blobs of a MiB each.
    async fn stores() -> (Storage, Arc<ManualClock>) {
        let clock = Arc::new(ManualClock::at(Micros(1_000_000)));
        let mut sys = Sys::real();
        sys.clock = Arc::clone(&clock) as _;
        let storage = Storage::memory_with(sys);
        let bytes = Bytes::from(vec![7; MIB]);
        let mut sums = Checksums::default();
        sums.update(&bytes);
        let add = |nth| {
            Effect::AddBlob(Blob {
                id: BlobId(format!("writer/{nth}")),
                length: MIB as u64,
                checksums: sums.clone().finish(),
                place: BlobPlace::Inline(bytes.clone()),
            })
        };
        let blobs = Unconditional((0..BLOBS).map(add).collect());
        storage.meta.transact(blobs).await.unwrap();
        (storage, clock)
    }

    #[tokio::test(start_paused = true)]
    async fn a_scrub_that_was_interrupted_goes_on_where_it_was() {
        let (storage, clock) = stores().await;
        // Half a minute for each blob, so the place is noted after every second one.
        let rate = MIB as u64 / 30;
        let first = storage.upkeep();
        let cut = timeout(Duration::from_secs(200), first.scrub(rate)).await;
        assert!(cut.is_err(), "{cut:?}");
        let before = first.scrubbed().bytes() / MIB as u64;
        assert!((3..BLOBS).contains(&before), "{before}");

        let second = storage.upkeep();
        assert_eq!(second.scrub(rate).await.unwrap(), Turn::Elsewhere);
        clock.advance_seconds(11 * 60);
        assert_eq!(second.scrub(rate).await.unwrap(), Turn::Done);
        let after = second.scrubbed().bytes() / MIB as u64;
        assert!(
            (BLOBS..=BLOBS + 2).contains(&(before + after)),
            "{before} and {after}: what was read since the last note is read again"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn everything_is_read_once_a_week() {
        let (storage, clock) = stores().await;
        let upkeep = storage.upkeep();
        let all = BLOBS * MIB as u64;
        assert_eq!(upkeep.scrub(all).await.unwrap(), Turn::Done);
        clock.advance_seconds(7 * 24 * 60 * 60 - 1);
        assert_eq!(upkeep.scrub(all).await.unwrap(), Turn::Rests);
        clock.advance_seconds(1);
        assert_eq!(upkeep.scrub(all).await.unwrap(), Turn::Done);
        assert_eq!(upkeep.scrubbed().bytes(), 2 * all);
        assert_eq!(upkeep.scrubbed().problems(), 0);
    }

    #[test]
    fn a_place_is_read_as_it_was_written() {
        for after in [None, Some(""), Some("writer/blob")] {
            let place = Place {
                begun: Micros(12),
                after: after.map(|after| BlobId(after.into())),
            };
            assert_eq!(Place::parse(&place.text()), Some(place));
        }
        assert_eq!(Place::parse("nonsense"), None);
    }
}
