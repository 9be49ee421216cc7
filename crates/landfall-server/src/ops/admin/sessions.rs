//! Unfinished upload sessions.

use super::{Admin, AdminError};
use crate::meta::rows::{Session, SessionState};
use crate::meta::{Decision, Effect, Loads, MetaError, Operation, Uses};
use landfall_protocol::{AccountId, SessionId};

impl Admin {
    /// The unfinished sessions of an account, oldest first.
    ///
    /// # Errors
    /// There is no such account, or the engine's.
    pub async fn sessions(&self, account: &str) -> Result<Vec<Session>, AdminError> {
        let id = self.account(account).await?.id;
        Ok(self.meta.read(move |loads| loads.sessions(&id)).await?)
    }

    /// Ends an unfinished session; its client finds it gone.
    ///
    /// # Errors
    /// There is no such account or session, or the engine's.
    pub async fn abort_session(&self, account: &str, session: &str) -> Result<(), AdminError> {
        let abort = AbortSession {
            account: self.account(account).await?.id,
            session: SessionId::from_stored(session),
        };
        match self.meta.transact(abort).await? {
            true => Ok(()),
            false => Err(AdminError::NoSuchSession {
                account: account.to_owned(),
                session: session.to_owned(),
            }),
        }
    }
}

struct AbortSession {
    account: AccountId,
    session: SessionId,
}

impl Operation for AbortSession {
    type View = Option<(Session, Uses)>;
    /// Whether there was such a session.
    type Answer = bool;

    fn load(&self, loads: &mut dyn Loads) -> Result<Self::View, MetaError> {
        let session = loads
            .session(&self.account, &self.session)?
            .filter(|session| session.state != SessionState::Committed);
        let Some(session) = session else {
            return Ok(None);
        };
        let uses = Uses::load(loads, [&session.content].into_iter())?;
        Ok(Some((session, uses)))
    }

    fn decide(&self, session: Self::View) -> Decision<bool> {
        let Some((session, mut uses)) = session else {
            return Decision::unchanged(false);
        };
        let mut effects = vec![Effect::RemoveSession(session.id)];
        effects.extend(uses.less_session(&session.content));
        Decision {
            effects,
            answer: true,
        }
    }
}
