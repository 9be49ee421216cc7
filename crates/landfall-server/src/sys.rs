//! The outside world: time, randomness, files and planned faults.
//!
//! Nothing else in this crate reads a clock, draws a random number or touches a file; all of it
//! is handed in as a [`Sys`], so tests decide what time it is and what breaks.

pub mod clock;
pub mod failpoints;
pub mod fs;
pub mod random;
pub mod shared_sync;
pub mod weakened;

pub use clock::{Clock, ManualClock, Micros, SystemClock};
pub use failpoints::{Failpoints, Fault, PlanError, Planned, Point};
pub use fs::{Fs, RealFs, Space};
pub use random::{Random, SystemRandom};
pub use shared_sync::SharedSync;

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
