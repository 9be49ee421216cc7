//! Files that stay although nothing refers to them any more: a backup copies what was referred to
//! when it began, however long it takes.
//!
//! Whoever finds out that a file is of no use and whether it is held does both in one look. So
//! a hold comes either before that look, and is seen, or after it, and whoever took it never
//! knew the file.

use super::{HEARTBEAT, Upkeep};
use crate::meta::rows::Hold;
use crate::meta::{Decision, Effect, Loads, Meta, MetaError, Operation, Unconditional};
use crate::sys::{Micros, Sys};
use std::pin::pin;

/// Seconds for which a hold stands unless it is prolonged, which is tried every minute. Whoever
/// was killed doesn't hold on for longer.
const STANDS: u64 = 15 * 60;

/// From now on no file is removed that is referred to now.
#[derive(Debug)]
pub struct HeldFiles {
    meta: Meta,
    sys: Sys,
    id: String,
}

impl Upkeep {
    /// Holds the files, until the hold is released, or for a quarter of an hour after it was
    /// last prolonged.
    ///
    /// # Errors
    /// The engine's.
    pub async fn hold_files(&self) -> Result<HeldFiles, MetaError> {
        let held = HeldFiles {
            meta: self.meta.clone(),
            sys: self.sys.clone(),
            id: self.sys.random.name(),
        };
        let hold = Effect::PutHold(held.prolonged());
        self.meta.transact(Unconditional(vec![hold])).await?;
        Ok(held)
    }

    /// Forgets the holds that nobody prolonged.
    pub(super) async fn end_holds(&self) -> Result<(), MetaError> {
        let now = self.sys.clock.now();
        self.meta.transact(EndHolds { now }).await
    }
}

/// Whether the files are held.
pub(super) fn are_held(loads: &mut dyn Loads, now: Micros) -> Result<bool, MetaError> {
    Ok(loads.holds()?.iter().any(|hold| stands(hold, now)))
}

fn stands(hold: &Hold, now: Micros) -> bool {
    hold.until > now
}

impl HeldFiles {
    fn prolonged(&self) -> Hold {
        Hold {
            id: self.id.clone(),
            until: self.sys.clock.now().plus_seconds(STANDS),
        }
    }

    /// Prolongs the hold. `false`: it had ended, and files may be gone.
    ///
    /// # Errors
    /// The engine's.
    pub async fn prolong(&self) -> Result<bool, MetaError> {
        let prolong = Prolong {
            now: self.sys.clock.now(),
            hold: self.prolonged(),
        };
        self.meta.transact(prolong).await
    }

    /// Lets the files go.
    ///
    /// # Errors
    /// The engine's; then the hold ends by itself.
    pub async fn release(self) -> Result<(), MetaError> {
        let release = Effect::RemoveHold { id: self.id };
        self.meta.transact(Unconditional(vec![release])).await
    }

    /// Works while the files are held, and lets them go. `None`: they were not held all the
    /// time, because this process stood still for too long.
    pub(crate) async fn during<T>(
        self,
        work: impl Future<Output = T>,
    ) -> Result<Option<T>, MetaError> {
        let mut work = pin!(work);
        let mut beats = tokio::time::interval(HEARTBEAT);
        let done = loop {
            tokio::select! {
                done = &mut work => break done,
                _ = beats.tick() => match self.prolong().await {
                    Ok(true) => {}
                    Ok(false) => return Ok(None),
                    // There are some minutes left to try again.
                    Err(error) => tracing::warn!(%error, "can't prolong the hold on the files"),
                },
            }
        };
        let stood = self.prolong().await?;
        self.release().await?;
        Ok(stood.then_some(done))
    }
}

struct Prolong {
    now: Micros,
    hold: Hold,
}

impl Operation for Prolong {
    type View = Vec<Hold>;
    /// Whether the hold still stood.
    type Answer = bool;

    fn load(&self, loads: &mut dyn Loads) -> Result<Self::View, MetaError> {
        loads.holds()
    }

    fn decide(&self, holds: Self::View) -> Decision<bool> {
        let own = holds.iter().find(|hold| hold.id == self.hold.id);
        if own.is_some_and(|hold| stands(hold, self.now)) {
            Decision {
                effects: vec![Effect::PutHold(self.hold.clone())],
                answer: true,
            }
        } else {
            Decision::unchanged(false)
        }
    }
}

struct EndHolds {
    now: Micros,
}

impl Operation for EndHolds {
    type View = Vec<Hold>;
    type Answer = ();

    fn load(&self, loads: &mut dyn Loads) -> Result<Self::View, MetaError> {
        loads.holds()
    }

    fn decide(&self, holds: Self::View) -> Decision<()> {
        let ended = holds.into_iter().filter(|hold| !stands(hold, self.now));
        Decision {
            effects: ended
                .map(|Hold { id, .. }| Effect::RemoveHold { id })
                .collect(),
            answer: (),
        }
    }
}
