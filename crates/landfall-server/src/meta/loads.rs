//! What an operation can see.

use super::MetaError;
use super::rows::{
    Account, AsyncJob, Blob, BlobId, ContentId, Deletion, Extent, FileOffset, Hold, JournalId,
    Lease, Namespace, Node, Notification, Ns, Piece, Replay, Revision, Session, Token, Writer,
};
use crate::sys::Micros;
use landfall_protocol::path::{cut_name, fold_name};
use landfall_protocol::{AccountId, AsyncJobId, DisplayPath, FileId, PathKey, Rev, SessionId};
use std::collections::HashMap;
use std::ops::Range;

/// An engine's open transaction, or one consistent state of it.
///
/// The first methods are what an engine must answer; those with a body build views out of them,
/// and an engine that pays for each round trip may answer them in one go.
pub trait Loads {
    /// The token with this hash, and its account.
    ///
    /// # Errors
    /// The engine's, here and below.
    fn credential(&mut self, hash: &[u8; 32]) -> Result<Option<Credential>, MetaError>;

    /// A setting of the whole store.
    fn setting(&mut self, name: &str) -> Result<Option<String>, MetaError>;

    /// The account of this name.
    fn account_by_name(&mut self, name: &str) -> Result<Option<Account>, MetaError>;

    /// All accounts, by name.
    fn accounts(&mut self) -> Result<Vec<Account>, MetaError>;

    /// The tokens of an account, oldest first.
    fn tokens(&mut self, account: &AccountId) -> Result<Vec<Token>, MetaError>;

    /// The token of this id.
    fn token(&mut self, id: &str) -> Result<Option<Token>, MetaError>;

    /// The sessions of an account that are not finished, oldest first.
    fn sessions(&mut self, account: &AccountId) -> Result<Vec<Session>, MetaError>;

    /// Bytes in the sessions of an account that are not finished.
    fn unfinished(&mut self, account: &AccountId) -> Result<u64, MetaError>;

    /// All sessions of an account, finished ones too.
    fn any_sessions(&mut self, account: &AccountId, most: usize)
    -> Result<Vec<Session>, MetaError>;

    /// Accounts that were deleted and are not gone yet.
    fn deletions(&mut self, most: usize) -> Result<Vec<Deletion>, MetaError>;

    /// A tree's counters, locked until the end of the transaction. A tree that isn't there is
    /// [`MetaError::Gone`].
    fn namespace(&mut self, ns: Ns) -> Result<Namespace, MetaError>;

    /// The account's session of this id, locked; one of another account isn't there.
    fn session(
        &mut self,
        account: &AccountId,
        id: &SessionId,
    ) -> Result<Option<Session>, MetaError>;

    /// The kept answer of the account's session.
    fn replay(&mut self, account: &AccountId, id: &SessionId) -> Result<Option<Replay>, MetaError>;

    /// What is, or was, at a place.
    fn node(&mut self, ns: Ns, key: &PathKey) -> Result<Option<Node>, MetaError>;

    /// Where the file or folder of this id is now; deleted ones are nowhere.
    fn node_by_id(&mut self, ns: Ns, id: &FileId) -> Result<Option<Node>, MetaError>;

    /// The places in a folder whose folded names begin with `family`, `most` at the most.
    fn taken(
        &mut self,
        ns: Ns,
        folder: &PathKey,
        family: &str,
        most: usize,
    ) -> Result<Vec<Taken>, MetaError>;

    /// A revision, current or not.
    fn revision(&mut self, ns: Ns, rev: &Rev) -> Result<Option<Revision>, MetaError>;

    /// Revisions in a tree, current or not.
    fn revisions(&mut self, ns: Ns, most: usize) -> Result<Vec<Revision>, MetaError>;

    /// Revisions of a history, current or not, newest first; those before a revision if there is
    /// one.
    fn history(
        &mut self,
        ns: Ns,
        history: &History,
        before: Option<&Rev>,
        most: usize,
    ) -> Result<Vec<Past>, MetaError>;

    /// A page of a tree in the order of the keys, without what changed after `until`.
    fn list(
        &mut self,
        listing: &Listing,
        after: Option<&PathKey>,
        until: JournalId,
        most: usize,
    ) -> Result<Vec<Node>, MetaError>;

    /// The places that changed after a change, in the order of their last changes.
    fn changes(
        &mut self,
        listing: &Listing,
        after: JournalId,
        most: usize,
    ) -> Result<Vec<Node>, MetaError>;

    /// The pieces of a content that end after an offset, in order, each with its blob.
    fn extents(
        &mut self,
        content: &ContentId,
        from: FileOffset,
        most: usize,
    ) -> Result<Vec<(Extent, Blob)>, MetaError>;

    /// The pieces of a content that came in any order and have a byte in the range, in order.
    fn pieces(
        &mut self,
        content: &ContentId,
        range: Range<FileOffset>,
    ) -> Result<Vec<Piece>, MetaError>;

    /// The account's job of this id; one of another account isn't there.
    fn job(&mut self, account: &AccountId, id: &AsyncJobId) -> Result<Option<AsyncJob>, MetaError>;

    /// Jobs of an account.
    fn jobs(&mut self, account: &AccountId, most: usize) -> Result<Vec<AsyncJobId>, MetaError>;

    /// Jobs that were begun before this.
    fn aged_jobs(&mut self, begun: Micros, most: usize) -> Result<Vec<AsyncJobId>, MetaError>;

    /// The notifications of a tree after a change, in order.
    fn notifications(
        &mut self,
        ns: Ns,
        after: JournalId,
        most: usize,
    ) -> Result<Vec<Notification>, MetaError>;

    /// Notifications older than this, oldest first: of which tree, and about which change.
    fn aged_notifications(
        &mut self,
        at: Micros,
        most: usize,
    ) -> Result<Vec<(Ns, JournalId)>, MetaError>;

    /// Sessions that were begun before `begun`, and if they were finished, before `finished`.
    fn aged_sessions(
        &mut self,
        begun: Micros,
        finished: Micros,
        most: usize,
    ) -> Result<Vec<Session>, MetaError>;

    /// Revisions that ended at `until` or before, in the order of their ends, from the one after
    /// `after` on.
    fn aged_revisions(
        &mut self,
        until: Micros,
        after: Option<&End>,
        most: usize,
    ) -> Result<Vec<Aged>, MetaError>;

    /// Who refers to a content.
    fn content_use(&mut self, content: &ContentId) -> Result<ContentUse, MetaError>;

    /// Contents that nothing refers to.
    fn orphans(&mut self, most: usize) -> Result<Vec<ContentId>, MetaError>;

    /// How many pieces refer to a blob.
    fn blob_use(&mut self, blob: &BlobId) -> Result<u64, MetaError>;

    /// Whether anything knows of this blob: a row, or a list of what is to be removed.
    fn knows_blob(&mut self, blob: &BlobId) -> Result<bool, MetaError>;

    /// Blobs that nothing refers to since before this.
    fn doomed(&mut self, since: Micros, most: usize) -> Result<Vec<BlobId>, MetaError>;

    /// A page of all blobs, in the order of their names.
    fn blobs(&mut self, after: &BlobId, most: usize) -> Result<Vec<Blob>, MetaError>;

    /// All holds, those whose time is over too.
    fn holds(&mut self) -> Result<Vec<Hold>, MetaError>;

    /// All writers.
    fn writers(&mut self) -> Result<Vec<Writer>, MetaError>;

    /// The lease of this name, be it over or not.
    fn lease(&mut self, name: &str) -> Result<Option<Lease>, MetaError>;

    /// Where a target is: the path that it names now.
    fn resolve(&mut self, ns: Ns, target: &Target) -> Result<Option<DisplayPath>, MetaError> {
        match target {
            Target::Path(path) => Ok(Some(path.clone())),
            Target::Id { id, below } => {
                let Some(node) = self.node_by_id(ns, id)? else {
                    return Ok(None);
                };
                Ok(DisplayPath::parse(&format!("{}{below}", node.path)).ok())
            }
        }
    }

    /// What is, or was, at a target.
    fn lookup(&mut self, ns: Ns, target: &Target) -> Result<Option<Node>, MetaError> {
        match self.resolve(ns, target)? {
            Some(path) => self.node(ns, &path.key()),
            None => Ok(None),
        }
    }

    /// All that a write to a target depends on; with the taken names if it may be renamed.
    fn place(&mut self, ns: Ns, target: &Target, rename: Rename) -> Result<PlaceView, MetaError> {
        let namespace = self.namespace(ns)?;
        let Some(path) = self.resolve(ns, target)? else {
            return Ok(PlaceView {
                namespace,
                place: None,
            });
        };
        let mut ancestors = Vec::new();
        for ancestor in path.ancestors() {
            let node = self.node(ns, &ancestor.key())?;
            ancestors.push((ancestor, node));
        }
        let key = path.key();
        let taken = if rename != Rename::No {
            self.taken(
                ns,
                &key.parent(),
                &family(path.name(), rename),
                Place::MOST_TAKEN + 1,
            )?
        } else {
            Vec::new()
        };
        let target = self.node(ns, &key)?;
        Ok(PlaceView {
            namespace,
            place: Some(Place {
                path,
                target,
                ancestors,
                taken,
            }),
        })
    }

    /// All that a finish depends on.
    fn commit(
        &mut self,
        session: Option<(&AccountId, &SessionId)>,
        ns: Ns,
        target: Option<&Target>,
        rename: Rename,
    ) -> Result<CommitView, MetaError> {
        // The namespace row first: every writer locks in this order.
        let (namespace, place) = match target {
            Some(target) => {
                let view = self.place(ns, target, rename)?;
                (view.namespace, view.place)
            }
            None => (self.namespace(ns)?, None),
        };
        let (session, replay) = match session {
            Some((account, id)) => (self.session(account, id)?, self.replay(account, id)?),
            None => (None, None),
        };
        Ok(CommitView {
            namespace,
            place,
            session,
            replay,
        })
    }

    /// All that an append depends on: the sessions that get a part, locked, each with the pieces
    /// of it that a part may overlap, if its bytes come in any order.
    fn append(
        &mut self,
        account: &AccountId,
        parts: &[(SessionId, Range<FileOffset>)],
    ) -> Result<HashMap<SessionId, Growing>, MetaError> {
        let mut view: HashMap<SessionId, Growing> = HashMap::new();
        for (id, range) in parts {
            if !view.contains_key(id)
                && let Some(session) = self.session(account, id)?
            {
                let pieces = Vec::new();
                view.insert(id.clone(), Growing { session, pieces });
            }
            if let Some(growing) = view.get_mut(id)
                && growing.session.is_concurrent()
                && !range.is_empty()
            {
                let content = &growing.session.content;
                growing.pieces.extend(self.pieces(content, range.clone())?);
            }
        }
        Ok(view)
    }

    /// All that is to be known of sessions before they are finished, in their order.
    fn to_finish(
        &mut self,
        account: &AccountId,
        ids: &[SessionId],
    ) -> Result<Vec<ToFinish>, MetaError> {
        let mut view = Vec::with_capacity(ids.len());
        for id in ids {
            let session = self.session(account, id)?;
            let pieces = match &session {
                Some(session) if session.is_whole() => {
                    let all = FileOffset(0)..FileOffset(session.stored());
                    self.pieces(&session.content, all)?
                }
                _ => Vec::new(),
            };
            view.push(ToFinish {
                session,
                replay: self.replay(account, id)?,
                pieces,
            });
        }
        Ok(view)
    }

    /// What is at a target, and everything live below it, up to `most` entries.
    fn subtree(&mut self, ns: Ns, target: &Target, most: usize) -> Result<Subtree, MetaError> {
        let namespace = self.namespace(ns)?;
        let Some(node) = self.lookup(ns, target)?.filter(|node| node.entry.is_live()) else {
            return Ok(Subtree {
                namespace,
                top: None,
                below: Vec::new(),
            });
        };
        let listing = Listing {
            ns,
            folder: node.key(),
            recursive: true,
            deleted: false,
        };
        let below = self.list(&listing, None, JournalId::LAST, most)?;
        Ok(Subtree {
            namespace,
            top: Some(node),
            below,
        })
    }
}

/// When a revision ended, and which: what orders them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct End {
    /// When.
    pub at: Micros,
    /// In which tree.
    pub ns: Ns,
    /// Which.
    pub rev: Rev,
}

/// A revision that ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Aged {
    /// When, and which.
    pub end: End,
    /// Its bytes.
    pub content: ContentId,
    /// Whether the finish that made it may still be repeated.
    pub repeatable: bool,
}

/// Whose revisions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum History {
    /// Those that were written at a place, of whatever file.
    Path(PathKey),
    /// Those of a file, wherever it was then.
    File(FileId),
}

impl History {
    /// Whether the revision is part of it.
    pub fn has(&self, revision: &Revision) -> bool {
        match self {
            Self::Path(key) => revision.path.key() == *key,
            Self::File(id) => revision.file.id == *id,
        }
    }
}

/// A revision in a history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Past {
    /// The revision.
    pub revision: Revision,
    /// Since when it is no longer the current one.
    pub ended: Option<Micros>,
}

/// Who refers to a content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContentUse {
    /// Sessions that are not finished or whose finish may be repeated.
    pub sessions: u64,
    /// Revisions, current or not.
    pub revisions: u64,
}

/// A token that was found, and whose it is.
#[derive(Clone, Debug)]
pub struct Credential {
    /// The token.
    pub token: Token,
    /// Its account.
    pub account: Account,
    /// Whether the account has a quota.
    pub limited: bool,
}

/// What a request points at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A path in the tree.
    Path(DisplayPath),
    /// A file or folder by its id, or a path below it.
    Id {
        /// The file or folder.
        id: FileId,
        /// Empty, or the rest of the path.
        below: DisplayPath,
    },
}

/// A name that a file in the same folder has or had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// The folded name.
    pub name: String,
    /// The last change there.
    pub journal: JournalId,
    /// Whether something is there now.
    pub live: bool,
}

/// A place to write to.
#[derive(Clone, Debug)]
pub struct Place {
    /// The path as the request has it.
    pub path: DisplayPath,
    /// What is, or was, there.
    pub target: Option<Node>,
    /// The folders above, outermost first, with what is, or was, at each.
    pub ancestors: Vec<(DisplayPath, Option<Node>)>,
    /// The names of the target's family, if the target may be renamed; one more than
    /// [`Self::MOST_TAKEN`] if there are too many.
    pub taken: Vec<Taken>,
}

impl Place {
    /// How many copies of one name there can be before autorename gives up. Memory is bounded,
    /// and nobody looks for the ten-thousandth copy.
    pub const MOST_TAKEN: usize = 10_000;
}

/// What a write depends on.
#[derive(Clone, Debug)]
pub struct PlaceView {
    /// The tree's counters.
    pub namespace: Namespace,
    /// The place; `None`: the target's id is nowhere.
    pub place: Option<Place>,
}

/// What a finish depends on.
#[derive(Clone, Debug)]
pub struct CommitView {
    /// The tree's counters.
    pub namespace: Namespace,
    /// The place; `None`: the path is no path, or the target's id is nowhere.
    pub place: Option<Place>,
    /// The session.
    pub session: Option<Session>,
    /// The answer of an earlier finish.
    pub replay: Option<Replay>,
}

/// A session that gets more bytes.
#[derive(Clone, Debug)]
pub struct Growing {
    /// The session.
    pub session: Session,
    /// Pieces of it that what comes may overlap; in no order, and one may be there twice.
    pub pieces: Vec<Piece>,
}

/// A session that is to be finished.
#[derive(Clone, Debug, Default)]
pub struct ToFinish {
    /// The session.
    pub session: Option<Session>,
    /// The answer of an earlier finish.
    pub replay: Option<Replay>,
    /// All pieces in order, if the session [is whole](Session::is_whole).
    pub pieces: Vec<Piece>,
}

/// A part of a tree that is walked through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// In which tree.
    pub ns: Ns,
    /// Below which folder (the folder itself is not part of it).
    pub folder: PathKey,
    /// With everything below, or its direct entries alone.
    pub recursive: bool,
    /// With deleted places. Changes always have them.
    pub deleted: bool,
}

impl Listing {
    /// The keys below the folder lie from the first text (included) to the second (excluded):
    /// `0` is the character after `/`.
    pub fn bounds(&self) -> (String, String) {
        (format!("{}/", self.folder), format!("{}0", self.folder))
    }

    /// Whether the place is part of it.
    pub fn has(&self, key: &PathKey) -> bool {
        if self.recursive {
            key.is_below(&self.folder)
        } else {
            !key.is_root() && key.parent() == self.folder
        }
    }
}

/// A place with all below it.
#[derive(Clone, Debug)]
pub struct Subtree {
    /// The tree's counters.
    pub namespace: Namespace,
    /// What is at the target; `None`: nothing.
    pub top: Option<Node>,
    /// What is below it.
    pub below: Vec<Node>,
}

/// Whether a write may get another name, and what kind of thing it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rename {
    /// It may not.
    No,
    /// A file: its extension stays at the end.
    File,
    /// A folder: it has no extension.
    Folder,
}

/// How many UTF-16 units of a name's stem all its autorename candidates keep.
pub const FAMILY: usize = 95;

/// UTF-16 units of an extension beyond which it counts as a part of the stem.
pub const EXTENSION: usize = 64;

/// Stem and extension of a file's name; the extension begins with the last dot. A dot-file is
/// all stem.
pub fn split(name: &str) -> (&str, &str) {
    match name.rfind('.') {
        Some(dot) if dot > 0 && name[dot..].encode_utf16().count() <= EXTENSION => {
            name.split_at(dot)
        }
        _ => (name, ""),
    }
}

/// The folded beginning that all names share which autorename may give in place of this one:
/// the stem and the parenthesis after it.
///
/// A long stem may be cut, so of that it is the beginning which stays the same wherever it is
/// cut: characters at the cut may compose with what follows, so they don't count.
pub fn family(name: &str, rename: Rename) -> String {
    let stem = match rename {
        Rename::Folder => name,
        Rename::No | Rename::File => split(name).0,
    };
    let (short, whole) = (cut_name(stem, FAMILY), fold_name(stem));
    if short == stem {
        return format!("{whole} (");
    }
    let short = fold_name(short);
    let common = short
        .chars()
        .zip(whole.chars())
        .take_while(|(one, other)| one == other);
    common.map(|(one, _)| one).collect()
}
