//! The outside world: time, randomness, files and planned faults.
//!
//! Nothing else in this crate reads a clock, draws a random number or touches a file; all of it
//! is handed in as a [`Sys`], so tests decide what time it is and what breaks.

pub mod clock;
pub mod failpoints;
pub mod fs;
pub mod open_files;
pub mod random;
pub mod shared_sync;
pub mod weakened;

pub use clock::{Clock, ManualClock, Micros, SystemClock};
pub use failpoints::{Failpoints, Fault, PlanError, Planned, Point};
pub use fs::{Fs, RealFs, Space, Taken};
pub use random::{Random, SystemRandom};
pub use shared_sync::SharedSync;

use data_encoding::BASE32HEX_NOPAD;
use std::sync::Arc;

/// The outside world, as one thing to pass around.
#[derive(Clone, Debug)]
pub struct Sys {
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Where names and secrets come from.
    pub random: Arc<dyn Random>,
    /// Where bytes are kept.
    pub fs: Arc<dyn Fs>,
    /// What breaks on purpose.
    pub failpoints: Failpoints,
}

impl Sys {
    /// The real world, where nothing breaks on purpose.
    pub fn real() -> Self {
        Self {
            clock: Arc::new(SystemClock),
            random: Arc::new(SystemRandom),
            fs: Arc::new(RealFs),
            failpoints: Failpoints::default(),
        }
    }

    /// 10 unpredictable bytes behind the time, as 26 characters of `[0-9A-V]`: the names of
    /// contents and blobs. What came one after the other has names one after the other, so its
    /// rows lie side by side in each index. An index of wholly random names gets, and loses,
    /// each row on another page.
    pub fn name(&self) -> String {
        let mut bytes = [0; 16];
        let milliseconds = self.clock.now().0 / 1000;
        bytes[..6].copy_from_slice(&milliseconds.to_be_bytes()[2..]);
        self.random.fill(&mut bytes[6..]);
        BASE32HEX_NOPAD.encode(&bytes)
    }

    /// The real world, and the faults that the environment plans.
    ///
    /// # Errors
    /// The plan can't be read.
    pub fn from_environment() -> Result<Self, PlanError> {
        Ok(Self {
            failpoints: Failpoints::from_environment()?,
            ..Self::real()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{ManualClock, Micros, Sys};
    use std::sync::Arc;

    #[test]
    fn names_come_in_the_order_of_time_and_never_twice() {
        let clock = Arc::new(ManualClock::at(Micros(1_780_000_000_000_000)));
        let mut sys = Sys::real();
        sys.clock = Arc::clone(&clock) as _;
        let mut names = Vec::new();
        for _ in 0..1000 {
            names.push((sys.name(), sys.name()));
            clock.advance_seconds(1);
        }
        assert!(names.iter().all(|(one, other)| one != other));
        assert!(names.is_sorted_by(|one, next| one.0 < next.0 && one.1 < next.0));
    }
}
