//! The room on the disk that bodies leave to the metadata.
//!
//! On a disk that is full to its last byte nothing can be deleted: a deletion is a row, and a row
//! needs room. So bodies are refused (507) before they take the *reserve*; what makes room, and
//! what only tells what is there already, goes on.

use crate::blobs::{BlobError, UNWRITTEN};
use crate::sys::Space;
use crate::sys::weakened::{Safeguard, without};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The reserve where none is chosen: this much, or one part in [`SMALL_DISK`] of a small disk.
/// The metadata's log is a few MiB and grows by one transaction; the largest, the deletion of a
/// folder of 10,000 entries, is tens of MiB.
const RESERVE: u64 = 256 * 1024 * 1024;
const SMALL_DISK: u64 = 16;

/// Bytes of a body after which the disk is looked at again.
const STEP: u64 = 4 * 1024 * 1024;

/// The most that one body takes between two looks at the disk: what comes meanwhile, and what
/// was on its way at the first look.
const HOLD: u64 = STEP + UNWRITTEN;

/// How often the disk is looked at while nobody asks.
const EVERY: Duration = Duration::from_secs(60);

/// By how much more must be free than when the disk was full, for it to count as emptier.
const EMPTIER: u64 = 1024 * 1024;

/// The room for bodies on a disk.
pub(crate) struct Room {
    disk: Box<dyn Fn() -> Option<Space> + Send + Sync>,
    reserve: u64,
    /// What the bodies under way may still take, although the disk doesn't show it yet.
    claimed: AtomicU64,
    /// How many bytes must be free for what was refused; 0: nothing is.
    wanted: AtomicU64,
}

/// A body's part of the room, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Claim<'r> {
    room: &'r Room,
    held: u64,
    received: u64,
    next_look: u64,
}

impl Room {
    /// Room on a disk of which this much, or a part by its size, stays free. Without a disk
    /// there is no limit.
    pub(super) fn new(
        disk: impl Fn() -> Option<Space> + Send + Sync + 'static,
        reserve: Option<u64>,
    ) -> Self {
        let usual = || {
            let size = disk().map_or(0, |space| space.size);
            RESERVE.min(size / SMALL_DISK)
        };
        Self {
            reserve: reserve.unwrap_or_else(usual),
            disk: Box::new(disk),
            claimed: AtomicU64::new(0),
            wanted: AtomicU64::new(0),
        }
    }

    /// Lets something in that takes no bytes of a body, but begins what will.
    pub(super) fn admit(&self) -> Result<(), BlobError> {
        self.claim(Some(0)).map(drop)
    }

    /// Lets a body of so many bytes in. Where their number isn't known it is said bit by bit.
    pub(super) fn claim(&self, bytes: Option<u64>) -> Result<Claim<'_>, BlobError> {
        let bytes = bytes.unwrap_or(HOLD);
        let held = bytes.min(HOLD);
        self.claimed.fetch_add(held, Ordering::SeqCst);
        let claim = Claim {
            room: self,
            held,
            received: 0,
            next_look: STEP,
        };
        self.check(bytes - held)?;
        Ok(claim)
    }

    /// Bytes that bodies may still take; `None`: not known.
    pub(super) fn left(&self) -> Option<u64> {
        let space = (self.disk)()?;
        Some(space.free.saturating_sub(self.reserve))
    }

    /// Looks from time to time, so that the log tells what changes also while nobody uploads.
    /// Never ends.
    pub(crate) async fn watch(&self) {
        loop {
            self.look();
            tokio::time::sleep(EVERY).await;
        }
    }

    fn look(&self) {
        match (self.disk)() {
            Some(space) if space.free < self.reserve => self.full(space.free, self.reserve),
            Some(space) => self.enough(space.free),
            None => {}
        }
    }

    /// Something was refused for want of room: here, or by the system, which may be out of
    /// something else than bytes.
    pub(crate) fn ran_out(&self) {
        let free = (self.disk)().map_or(0, |space| space.free);
        self.full(free, self.reserve.max(free) + EMPTIER);
    }

    /// Whether all that was claimed fits, and so much more.
    fn check(&self, more: u64) -> Result<(), BlobError> {
        let Some(space) = (self.disk)() else {
            return Ok(());
        };
        let claimed = self.claimed.load(Ordering::SeqCst);
        let wanted = self.reserve.saturating_add(claimed).saturating_add(more);
        if space.free < wanted && !without(Safeguard::Reserve) {
            self.full(space.free, wanted);
            return Err(BlobError::NoSpace);
        }
        self.enough(space.free);
        Ok(())
    }

    /// Told once, not for each request that is refused.
    fn full(&self, free: u64, wanted: u64) {
        if self.wanted.fetch_max(wanted, Ordering::SeqCst) == 0 {
            tracing::error!(
                free,
                reserve = self.reserve,
                "the disk has no room: what doesn't fit is refused (507) until there is; see \"A full disk\" in docs/operations.md"
            );
        }
    }

    fn enough(&self, free: u64) {
        let wanted = self.wanted.load(Ordering::SeqCst);
        if wanted > 0
            && free >= wanted
            && self
                .wanted
                .compare_exchange(wanted, 0, Ordering::SeqCst, Ordering::SeqCst)
                .is_ok()
        {
            tracing::info!(free, "the disk has room again");
        }
    }
}

impl fmt::Debug for Room {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Room(reserve {})", self.reserve)
    }
}

impl Claim<'_> {
    /// More of the body came.
    pub(super) fn receive(&mut self, bytes: usize) -> Result<(), BlobError> {
        self.received += bytes as u64;
        if self.received >= self.next_look {
            self.next_look = self.received + STEP;
            self.room.check(0)?;
        }
        Ok(())
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        self.room.claimed.fetch_sub(self.held, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::{HOLD, RESERVE, Room, STEP};
    use crate::sys::Space;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    const MIB: u64 = 1024 * 1024;

    /// A disk, how much is free on it, and the room that keeps so much of it in reserve.
    fn room(free: u64, reserve: Option<u64>) -> (Arc<AtomicU64>, Room) {
        let free = Arc::new(AtomicU64::new(free));
        let disk = Arc::clone(&free);
        let space = move || {
            Some(Space {
                free: disk.load(Ordering::SeqCst),
                size: 400 * MIB,
            })
        };
        (free, Room::new(space, reserve))
    }

    #[test]
    fn the_reserve_is_a_part_of_a_small_disk_and_the_same_on_all_others() {
        assert_eq!(room(0, None).1.reserve, 25 * MIB);
        assert_eq!(room(0, Some(7)).1.reserve, 7);
        let large = || {
            Some(Space {
                free: 0,
                size: u64::MAX,
            })
        };
        assert_eq!(Room::new(large, None).reserve, RESERVE);
        let none = Room::new(|| None, None);
        assert!(none.claim(Some(u64::MAX)).is_ok(), "no disk, no limit");
    }

    #[test]
    fn a_body_that_would_take_of_the_reserve_is_refused_before_it_comes() {
        let (free, room) = room(100 * MIB, Some(40 * MIB));
        assert!(room.claim(Some(60 * MIB)).is_ok());
        assert!(room.claim(Some(60 * MIB + 1)).is_err());
        free.store(40 * MIB, Ordering::SeqCst);
        assert!(room.admit().is_ok());
        assert!(room.claim(Some(1)).is_err());
        free.store(40 * MIB - 1, Ordering::SeqCst);
        assert!(room.admit().is_err());
    }

    #[test]
    fn bodies_under_way_together_leave_the_reserve() {
        let reserve = 40 * MIB;
        let (free, room) = room(reserve + 3 * HOLD, Some(reserve));
        let mut bodies: Vec<_> = (0..5).map(|_| room.claim(None)).collect();
        let refused = bodies.split_off(3);
        assert!(refused.iter().all(Result::is_err), "{refused:?}");
        // None looks at the disk before it has taken what was held for it, so all of them may,
        // whatever the disk shows meanwhile.
        let mut bodies: Vec<_> = bodies.into_iter().map(Result::unwrap).collect();
        for body in &mut bodies {
            assert!(body.receive(STEP as usize - 1).is_ok());
        }
        free.store(reserve + 3 * HOLD - 3 * STEP, Ordering::SeqCst);
        for body in &mut bodies {
            assert!(body.receive(1).is_err());
        }
        free.store(reserve + 3 * HOLD, Ordering::SeqCst);
        for body in &mut bodies {
            assert!(body.receive(STEP as usize).is_ok());
        }
        drop(bodies);
        assert!(room.claim(Some(MIB)).is_ok(), "their claims went with them");
    }

    #[test]
    fn a_full_disk_is_told_until_what_was_refused_would_fit() {
        let (free, room) = room(50 * MIB, Some(40 * MIB));
        let told = || room.wanted.load(Ordering::SeqCst) > 0;
        assert!(room.claim(Some(20 * MIB)).is_err() && told());
        assert!(room.claim(Some(MIB)).is_ok() && told());
        free.store(60 * MIB, Ordering::SeqCst);
        room.look();
        assert!(!told());
        free.store(39 * MIB, Ordering::SeqCst);
        room.look();
        assert!(told(), "also if nobody was refused");
    }

    #[test]
    fn where_the_system_has_no_room_more_must_become_free_than_it_says_is() {
        // Out of inodes, for example.
        let (free, room) = room(100 * MIB, Some(40 * MIB));
        room.ran_out();
        assert!(room.admit().is_ok());
        assert!(room.wanted.load(Ordering::SeqCst) > 0);
        free.store(102 * MIB, Ordering::SeqCst);
        room.look();
        assert_eq!(room.wanted.load(Ordering::SeqCst), 0);
    }
}
