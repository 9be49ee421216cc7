//! What an operation changes.

use super::rows::{
    Account, AsyncJob, Blob, BlobId, ContentId, Deletion, Extent, FileOffset, Hold, JournalId,
    Lease, Namespace, Node, Notification, Ns, Replay, Revision, Session, Token, Writer,
};
use crate::sys::Micros;
use landfall_protocol::{AccountId, AsyncJobId, PathKey, Rev, SessionId};

/// One change. The effects of an operation take place together or not at all.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// A new setting of the whole store.
    AddSetting {
        /// Its name; unique.
        name: &'static str,
        /// Its value.
        value: String,
    },
    /// A setting that is new or has another value.
    PutSetting {
        /// Its name.
        name: &'static str,
        /// Its value.
        value: String,
    },
    /// A new account; its name and id are unique.
    AddAccount(Account),
    /// Another name, display name or state of an account; the name is unique.
    PutAccount(Account),
    /// An account is deleted: it loses its name, and its tokens are no longer good.
    BeginDeletion {
        /// Which.
        account: AccountId,
    },
    /// Nothing is left of an account that was deleted but itself and its tree's counters, and
    /// these go.
    EndDeletion(Deletion),
    /// A new tree.
    AddNamespace(Namespace),
    /// A new token; its id is unique.
    AddToken(Token),
    /// A token is no longer good.
    RemoveToken {
        /// Which.
        id: String,
    },
    /// The counters of a tree.
    SetNamespace(Namespace),
    /// A new session, or a new state of one.
    PutSession(Session),
    /// A session and its kept answer are gone.
    RemoveSession(SessionId),
    /// A new blob.
    AddBlob(Blob),
    /// A writer that is new, lives, or is fenced.
    PutWriter(Writer),
    /// A lease that is new, prolonged or has another holder.
    PutLease(Lease),
    /// A writer all of whose blobs are accounted for.
    RemoveWriter {
        /// Which.
        id: String,
    },
    /// A hold that is new or prolonged.
    PutHold(Hold),
    /// A hold that has ended.
    RemoveHold {
        /// Which.
        id: String,
    },
    /// A content that nothing refers to any more.
    AddOrphan(ContentId),
    /// Such a content has no piece left.
    RemoveOrphan(ContentId),
    /// A piece of such a content goes.
    RemoveExtent {
        /// Of which content.
        content: ContentId,
        /// Where in it.
        offset: FileOffset,
    },
    /// A blob that no piece refers to any more goes; its file, if it has one, at some time
    /// after this one.
    DoomBlob {
        /// Which.
        id: BlobId,
        /// Since when nothing refers to it.
        since: Micros,
    },
    /// The file of such a blob is gone.
    ForgetBlob(BlobId),
    /// A job that is new, prolonged or done.
    PutJob(AsyncJob),
    /// A job is forgotten.
    RemoveJob(AsyncJobId),
    /// Something to tell a user's clients.
    AddNotification(Notification),
    /// A notification is forgotten.
    RemoveNotification {
        /// Of which tree.
        ns: Ns,
        /// About which change.
        journal: JournalId,
    },
    /// A new piece of a content.
    AddExtent(Extent),
    /// A new revision in a file's history.
    AddRevision(Revision),
    /// A revision is no longer the current one.
    EndRevision {
        /// In which tree.
        ns: Ns,
        /// Which.
        rev: Rev,
        /// Since when.
        at: Micros,
    },
    /// A revision leaves the history.
    RemoveRevision {
        /// In which tree.
        ns: Ns,
        /// Which.
        rev: Rev,
    },
    /// A place in a tree, new or changed. `seen` is the last change there as the decision saw
    /// it (`None`: no row); if it is another one now, the operation starts over. So a decision
    /// that overlooked something can't overwrite it.
    PutNode {
        /// The place.
        node: Node,
        /// The last change there that the decision knew of.
        seen: Option<JournalId>,
    },
    /// A place is forgotten, with all that was ever there: only where the whole tree goes.
    RemoveNode {
        /// In which tree.
        ns: Ns,
        /// Which.
        key: PathKey,
    },
    /// An answer to be repeated.
    PutReplay(Replay),
}
