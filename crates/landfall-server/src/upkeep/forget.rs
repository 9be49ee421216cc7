//! What is kept for a while only because somebody may ask: jobs and notifications.

use super::{SLICE, Upkeep};
use crate::meta::{Effect, MetaError, Unconditional};
use crate::sys::{Micros, Point};
use landfall_protocol::limits;

impl Upkeep {
    pub(super) async fn forget_jobs(&self) -> Result<(), MetaError> {
        let begun = self.ago(limits::SESSION_LIFE);
        loop {
            let aged = self
                .meta
                .read(move |loads| loads.aged_jobs(begun, SLICE))
                .await?;
            let last = aged.len() < SLICE;
            self.forget(aged.into_iter().map(Effect::RemoveJob)).await?;
            if last {
                return Ok(());
            }
        }
    }

    pub(super) async fn forget_notifications(&self) -> Result<(), MetaError> {
        let at = self.ago(limits::NOTIFICATION_LIFE);
        loop {
            let aged = self
                .meta
                .read(move |loads| loads.aged_notifications(at, SLICE))
                .await?;
            let last = aged.len() < SLICE;
            let remove = |(ns, journal)| Effect::RemoveNotification { ns, journal };
            self.forget(aged.into_iter().map(remove)).await?;
            if last {
                return Ok(());
            }
        }
    }

    fn ago(&self, seconds: u64) -> Micros {
        Micros(self.sys.clock.now().0 - Micros(0).plus_seconds(seconds).0)
    }

    async fn forget(&self, effects: impl Iterator<Item = Effect>) -> Result<(), MetaError> {
        let effects: Vec<Effect> = effects.collect();
        if effects.is_empty() {
            return Ok(());
        }
        self.sys.failpoints.hit(Point::ExpireForget)?;
        self.step(Unconditional(effects)).await?;
        self.sys.failpoints.hit(Point::ExpireForgotten)?;
        Ok(())
    }
}
