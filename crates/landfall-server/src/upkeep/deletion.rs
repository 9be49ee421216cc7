//! Accounts that were deleted: what belongs to them goes slice by slice.
//!
//! The moment of the deletion is one small operation (`ops/admin/accounts.rs`): the name is
//! free, and nobody gets in. Requests that were let in before may still store something, so each
//! slice looks anew at what there is, and the account itself goes only when there is nothing.

use super::{SLICE, Upkeep};
use crate::meta::rows::{Deletion, JournalId, Node, Notification, Revision, Session, Token};
use crate::meta::{Decision, Effect, Listing, Loads, MetaError, Operation, Uses};
use crate::ops::Trouble;
use crate::sys::Point;
use landfall_protocol::{AsyncJobId, PathKey};

impl Upkeep {
    /// Removes what belongs to deleted accounts, and then the accounts. Their bytes go with the
    /// next collection. Says how many accounts are gone.
    ///
    /// # Errors
    /// The metadata's. What was done stays done.
    pub async fn end_deletions(&self) -> Result<u64, Trouble> {
        let failpoints = &self.sys.failpoints;
        let mut gone = 0;
        loop {
            failpoints.hit(Point::DeleteRemoveSlice)?;
            let step = self.step(RemoveBelongings).await?;
            failpoints.hit(Point::DeleteSliceRemoved)?;
            match step {
                Step::Slice => {}
                Step::Account => gone += 1,
                Step::Nothing => return Ok(gone),
            }
        }
    }
}

/// What one operation removed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    /// Some rows.
    Slice,
    /// An account that had no rows any more.
    Account,
    /// There is no deleted account.
    Nothing,
}

/// A slice of what belongs to an account, of one kind: those first that others refer to last.
enum Slice {
    Tokens(Vec<Token>),
    Jobs(Vec<AsyncJobId>),
    Notifications(Vec<Notification>),
    Sessions(Vec<Session>, Uses),
    Nodes(Vec<Node>),
    Revisions(Vec<Revision>, Uses),
    Nothing,
}

struct RemoveBelongings;

impl Operation for RemoveBelongings {
    type View = Option<(Deletion, Slice)>;
    type Answer = Step;

    fn load(&self, loads: &mut dyn Loads) -> Result<Self::View, MetaError> {
        let Some(deletion) = loads.deletions(1)?.pop() else {
            return Ok(None);
        };
        let slice = slice(loads, &deletion)?;
        Ok(Some((deletion, slice)))
    }

    fn decide(&self, view: Self::View) -> Decision<Step> {
        let Some((deletion, slice)) = view else {
            return Decision::unchanged(Step::Nothing);
        };
        let mut effects = Vec::new();
        let ns = deletion.ns;
        match slice {
            Slice::Tokens(tokens) => {
                effects.extend(
                    tokens
                        .into_iter()
                        .map(|Token { id, .. }| Effect::RemoveToken { id }),
                );
            }
            Slice::Jobs(jobs) => effects.extend(jobs.into_iter().map(Effect::RemoveJob)),
            Slice::Notifications(notifications) => {
                let journals = notifications.into_iter().map(|one| one.journal);
                effects.extend(journals.map(|journal| Effect::RemoveNotification { ns, journal }));
            }
            Slice::Sessions(sessions, mut uses) => {
                for session in sessions {
                    effects.extend(uses.less_session(&session.content));
                    effects.push(Effect::RemoveSession(session.id));
                }
            }
            Slice::Nodes(nodes) => {
                let keys = nodes.iter().map(Node::key);
                effects.extend(keys.map(|key| Effect::RemoveNode { ns, key }));
            }
            Slice::Revisions(revisions, mut uses) => {
                for Revision { file, .. } in revisions {
                    effects.extend(uses.less_revision(&file.content));
                    effects.push(Effect::RemoveRevision { ns, rev: file.rev });
                }
            }
            Slice::Nothing => {
                return Decision {
                    effects: vec![Effect::EndDeletion(deletion)],
                    answer: Step::Account,
                };
            }
        }
        Decision {
            effects,
            answer: Step::Slice,
        }
    }
}

fn slice(loads: &mut dyn Loads, deletion: &Deletion) -> Result<Slice, MetaError> {
    let mut tokens = loads.tokens(&deletion.account)?;
    if !tokens.is_empty() {
        tokens.truncate(SLICE);
        return Ok(Slice::Tokens(tokens));
    }
    let jobs = loads.jobs(&deletion.account, SLICE)?;
    if !jobs.is_empty() {
        return Ok(Slice::Jobs(jobs));
    }
    let notifications = loads.notifications(deletion.ns, JournalId::default(), SLICE)?;
    if !notifications.is_empty() {
        return Ok(Slice::Notifications(notifications));
    }
    let sessions = loads.any_sessions(&deletion.account, SLICE)?;
    if !sessions.is_empty() {
        let uses = Uses::load(loads, sessions.iter().map(|session| &session.content))?;
        return Ok(Slice::Sessions(sessions, uses));
    }
    let everything = Listing {
        ns: deletion.ns,
        folder: PathKey::root(),
        recursive: true,
        deleted: true,
    };
    let nodes = loads.list(&everything, None, JournalId::LAST, SLICE)?;
    if !nodes.is_empty() {
        return Ok(Slice::Nodes(nodes));
    }
    let revisions = loads.revisions(deletion.ns, SLICE)?;
    if !revisions.is_empty() {
        let contents = revisions.iter().map(|revision| &revision.file.content);
        let uses = Uses::load(loads, contents)?;
        return Ok(Slice::Revisions(revisions, uses));
    }
    Ok(Slice::Nothing)
}
