//! What is too old: sessions and revisions.

use super::{SLICE, Upkeep};
use crate::meta::rows::{Revision, Session};
use crate::meta::{Decision, Effect, Loads, MetaError, Operation, Uses};
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
            let expired = self.slice(ExpireSessions { begun, finished }).await?;
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
        let ended = Micros(self.sys.clock.now().0.saturating_sub(keep));
        let mut all = 0;
        loop {
            self.sys.failpoints.hit(Point::ExpireRemoveRevisions)?;
            let expired = self.slice(ExpireRevisions { ended }).await?;
            self.sys.failpoints.hit(Point::ExpireRevisionsRemoved)?;
            all += expired;
            if expired < SLICE as u64 {
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

struct ExpireRevisions {
    ended: Micros,
}

impl Operation for ExpireRevisions {
    type View = (Vec<Revision>, Uses);
    type Answer = u64;

    fn load(&self, loads: &mut dyn Loads) -> Result<Self::View, MetaError> {
        let revisions = loads.aged_revisions(self.ended, SLICE)?;
        let uses = Uses::load(
            loads,
            revisions.iter().map(|revision| &revision.file.content),
        )?;
        Ok((revisions, uses))
    }

    fn decide(&self, (revisions, mut uses): Self::View) -> Decision<u64> {
        let mut effects = Vec::new();
        for revision in &revisions {
            let (ns, rev) = (revision.ns, revision.file.rev.clone());
            effects.push(Effect::RemoveRevision { ns, rev });
            effects.extend(uses.less_revision(&revision.file.content));
        }
        Decision {
            effects,
            answer: revisions.len() as u64,
        }
    }
}
