//! What an operation changes.

use super::rows::{
    Account, Blob, Extent, JournalId, Namespace, Node, Replay, Revision, Session, Token,
};

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
    /// A new account; its name and id are unique.
    AddAccount(Account),
    /// A new tree.
    AddNamespace(Namespace),
    /// A new token.
    AddToken(Token),
    /// The counters of a tree.
    SetNamespace(Namespace),
    /// A new session, or a new state of one.
    PutSession(Session),
    /// A new blob.
    AddBlob(Blob),
    /// A new piece of a content.
    AddExtent(Extent),
    /// A new revision in a file's history.
    AddRevision(Revision),
    /// A place in a tree, new or changed. `seen` is the last change there as the decision saw
    /// it (`None`: no row); if it is another one now, the operation starts over. So a decision
    /// that overlooked something can't overwrite it.
    PutNode {
        /// The place.
        node: Node,
        /// The last change there that the decision knew of.
        seen: Option<JournalId>,
    },
    /// An answer to be repeated.
    PutReplay(Replay),
}
