//! What is too old: sessions and revisions.

use super::{SLICE, Upkeep};
use crate::meta::rows::Session;
use crate::meta::{Aged, Decision, Effect, End, Loads, MetaError, Operation, Uses};
use crate::ops::Trouble;
use crate::sys::{Micros, Point};
use landfall_protocol::limits;
use std::time::Duration;

impl Upkeep {
    /// Removes sessions whose life is over, and with them the answers that are no longer
    /// repeated. Says how many.
    pub(super) async fn expire_sessions(&self) -> Result<u64, Trouble> {
        let now = self.sys.clock.now();
        let ago = |seconds: u64| Micros(now.0 - Micros(0).plus_seconds(seconds).0);
        let (begun, finished) = (ago(limits::SESSION_LIFE), ago(limits::REPLAY_LIFE));
        let mut all = 0;
        loop {
            self.sys.failpoints.hit(Point::ExpireRemoveSessions)?;
            let expired = self.step(ExpireSessions { begun, finished }).await?;
            self.sys.failpoints.hit(Point::ExpireSessionsRemoved)?;
            all += expired;
            if expired < SLICE as u64 {
                return Ok(all);
            }
        }
    }

    /// Removes revisions from the history that were replaced or deleted so long ago. Says how
    /// many.
    pub(super) async fn expire_revisions(&self, keep: Duration) -> Result<u64, Trouble> {
        let keep = i64::try_from(keep.as_micros()).unwrap_or(i64::MAX);
        let until = Micros(self.sys.clock.now().0.saturating_sub(keep));
        let (mut all, mut after) = (0, None);
        loop {
            self.sys.failpoints.hit(Point::ExpireRemoveRevisions)?;
            let slice = ExpireRevisions { until, after };
            let expired = self.step(slice).await?;
            self.sys.failpoints.hit(Point::ExpireRevisionsRemoved)?;
            all += expired.removed;
            after = expired.last;
            if after.is_none() {
                return Ok(all);
            }
        }
    }
}

struct ExpireSessions {
    begun: Micros,
    finished: Micros,
}

impl Operation for ExpireSessions {
    type View = (Vec<Session>, Uses);
    type Answer = u64;

    fn load(&self, loads: &mut dyn Loads) -> Result<Self::View, MetaError> {
        let sessions = loads.aged_sessions(self.begun, self.finished, SLICE)?;
        let uses = Uses::load(loads, sessions.iter().map(|session| &session.content))?;
        Ok((sessions, uses))
    }

    fn decide(&self, (sessions, mut uses): Self::View) -> Decision<u64> {
        let mut effects = Vec::new();
        for session in &sessions {
            effects.push(Effect::RemoveSession(session.id.clone()));
            effects.extend(uses.less_session(&session.content));
        }
        Decision {
            effects,
            answer: sessions.len() as u64,
        }
    }
}

/// Looks at a slice, whether it can go or not: those that can't must not be looked through again
/// and again while everybody waits for the lock.
struct ExpireRevisions {
    until: Micros,
    after: Option<End>,
}

struct Expired {
    removed: u64,
    /// The last of the slice; `None`: it was the last slice.
    last: Option<End>,
}

impl Operation for ExpireRevisions {
    type View = (Vec<Aged>, Uses);
    type Answer = Expired;

    fn load(&self, loads: &mut dyn Loads) -> Result<Self::View, MetaError> {
        let slice = loads.aged_revisions(self.until, self.after.as_ref(), SLICE)?;
        let going = slice.iter().filter(|aged| !aged.repeatable);
        let uses = Uses::load(loads, going.map(|aged| &aged.content))?;
        Ok((slice, uses))
    }

    fn decide(&self, (slice, mut uses): Self::View) -> Decision<Expired> {
        let mut removed = 0;
        let mut effects = Vec::new();
        for aged in slice.iter().filter(|aged| !aged.repeatable) {
            let (ns, rev) = (aged.end.ns, aged.end.rev.clone());
            effects.push(Effect::RemoveRevision { ns, rev });
            effects.extend(uses.less_revision(&aged.content));
            removed += 1;
        }
        let last = slice.last().filter(|_| slice.len() == SLICE);
        Decision {
            effects,
            answer: Expired {
                removed,
                last: last.map(|aged| aged.end.clone()),
            },
        }
    }
}
