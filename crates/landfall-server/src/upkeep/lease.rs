//! Who does what only one process at a time should do.
//!
//! Nothing goes wrong if two do it: the lease saves work, it doesn't make anything safe.

use super::Upkeep;
use crate::meta::rows::Lease;
use crate::meta::{Decision, Effect, Loads, MetaError, Operation};
use crate::sys::Micros;
use std::time::Duration;

impl Upkeep {
    /// Takes or prolongs the lease of this name for so long; `false`: another process has it.
    pub(super) async fn lease(
        &self,
        name: &'static str,
        time: Duration,
    ) -> Result<bool, MetaError> {
        let now = self.sys.clock.now();
        let wanted = Lease {
            name: name.to_owned(),
            holder: self.holder.clone(),
            until: now.plus_seconds(time.as_secs()),
        };
        self.meta.transact(Take { wanted, now }).await
    }
}

struct Take {
    wanted: Lease,
    now: Micros,
}

impl Operation for Take {
    type View = Option<Lease>;
    /// Whether it was taken.
    type Answer = bool;

    fn load(&self, loads: &mut dyn Loads) -> Result<Self::View, MetaError> {
        loads.lease(&self.wanted.name)
    }

    fn decide(&self, lease: Self::View) -> Decision<bool> {
        match lease {
            Some(lease) if lease.holder != self.wanted.holder && lease.until > self.now => {
                Decision::unchanged(false)
            }
            _ => Decision {
                effects: vec![Effect::PutLease(self.wanted.clone())],
                answer: true,
            },
        }
    }
}
