//! What is stored, as plain data. Every engine stores exactly this.

use crate::sys::Micros;
use bytes::Bytes;
use landfall_protocol::{
    AccountId, AsyncJobId, BlockDigests, ContentHash, DisplayPath, FileId, NamespaceId, PathKey,
    Rev, Scope, SessionId, Timestamp,
};
use std::fmt;

/// A namespace: the root of one tree. Always of 31 bits or less, so that a rev is readable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ns(pub u32);

impl Ns {
    /// The id on the wire: decimal digits.
    pub fn wire(self) -> NamespaceId {
        NamespaceId::from_stored(self.0.to_string())
    }
}

/// A change of a tree: counts up within a namespace, one per changed entry, inside the commit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JournalId(pub u64);

impl JournalId {
    /// After every change.
    pub const LAST: Self = Self(i64::MAX as u64);

    /// The next change.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// The rev of the file written by this change: the change in hex, then the namespace in eight
/// hex digits. Both are unique together, so nothing needs to be drawn or looked up.
pub fn rev(ns: Ns, journal: JournalId) -> Rev {
    Rev::from_stored(format!("{:x}{:08x}", journal.0, ns.0))
}

/// What orders the revs of one tree: those of later changes have more digits, or larger ones.
pub fn rev_order(rev: &Rev) -> (usize, &str) {
    (rev.as_str().len(), rev.as_str())
}

/// A sequence of bytes that was uploaded; sessions, revisions and copies share it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContentId(pub String);

/// The bytes of one request, stored once and never changed: `<writer>/<random>`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlobId(pub String);

/// An offset in a content, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct FileOffset(pub u64);

/// An offset in a blob, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct BlobOffset(pub u64);

/// Someone with a tree of their own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The id on the wire.
    pub id: AccountId,
    /// What the operator calls it; unique.
    pub name: String,
    /// What people see, and conflicted copies are named after.
    pub display_name: Option<String>,
    /// The account's tree.
    pub ns: Ns,
    /// Since when.
    pub created: Micros,
    /// Whether it may be used.
    pub state: AccountState,
}

/// Whether an account may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountState {
    /// It may.
    Active,
    /// Not until the operator says so; everything is kept.
    Suspended,
}

/// An account that was deleted: nobody gets in, its name is free, and what belongs to it goes bit
/// by bit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deletion {
    /// Which account.
    pub account: AccountId,
    /// Its tree.
    pub ns: Ns,
}

/// A namespace's counters: the row that every change of its tree locks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Namespace {
    /// Which.
    pub ns: Ns,
    /// The last change.
    pub journal: JournalId,
    /// Bytes of the current files.
    pub used: u64,
    /// Bytes that may be used; `None`: as many as the disk holds.
    pub quota: Option<u64>,
}

/// What a token may do; the token itself is never stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// What the operator calls it; says nothing about the token.
    pub id: String,
    /// SHA-256 of the token. Tokens are long and random, so a slow hash would add nothing.
    pub hash: [u8; 32],
    /// Whose.
    pub account: AccountId,
    /// What for.
    pub scopes: Vec<Scope>,
    /// Until when; `None`: for ever.
    pub expires: Option<Micros>,
    /// Since when.
    pub created: Micros,
}

/// Whether a session still takes bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionState {
    /// It does.
    Open,
    /// It doesn't, and waits for its finish.
    Closed,
    /// It was finished; only a replay of that finish is left.
    Committed,
}

/// An upload session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Which.
    pub id: SessionId,
    /// Whose: no other account can see it.
    pub account: AccountId,
    /// Since when; it lives for 7 days.
    pub created: Micros,
    /// Whether it takes bytes.
    pub state: SessionState,
    /// Where its bytes are.
    pub content: ContentId,
    /// Which bytes it holds.
    pub bytes: SessionBytes,
}

/// Which bytes a session holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionBytes {
    /// They come in order.
    Sequential {
        /// How many.
        length: u64,
        /// The content hasher after them, so that nothing is read back.
        hasher: Vec<u8>,
    },
    /// They come in any order, in pieces of whole blocks; each piece keeps its blocks' digests.
    Concurrent {
        /// How many.
        stored: u64,
        /// Where the last piece ends; the size of the file, once the session is closed.
        end: u64,
    },
}

impl Session {
    /// Bytes that it holds.
    pub fn stored(&self) -> u64 {
        match self.bytes {
            SessionBytes::Sequential { length, .. } => length,
            SessionBytes::Concurrent { stored, .. } => stored,
        }
    }

    /// Whether its bytes come in any order.
    pub fn is_concurrent(&self) -> bool {
        matches!(self.bytes, SessionBytes::Concurrent { .. })
    }

    /// Whether its bytes came in any order, and all are there: that can't change any more.
    pub fn is_whole(&self) -> bool {
        match self.bytes {
            SessionBytes::Sequential { .. } => false,
            SessionBytes::Concurrent { stored, end } => {
                self.state == SessionState::Closed && stored == end
            }
        }
    }
}

impl BlobId {
    /// The writer that made it.
    pub fn writer(&self) -> &str {
        self.0.split('/').next().unwrap_or_default()
    }
}

/// A process that makes blobs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Writer {
    /// The first part of its blobs' names.
    pub id: String,
    /// When it last said that it lives.
    pub heartbeat: Micros,
    /// Whether it was taken for dead. No transaction can refer to a new blob of it any more, so
    /// what is not referred to is garbage for certain.
    pub fenced: bool,
}

/// Something that one process at a time does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// What.
    pub name: String,
    /// Which process.
    pub holder: String,
    /// Until when, unless it prolongs it.
    pub until: Micros,
}

/// Somebody needs the files that nothing refers to any more to stay: a backup, which copies what
/// was referred to when it began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// Which.
    pub id: String,
    /// Until when, unless it is prolonged: whoever was killed doesn't hold on for ever.
    pub until: Micros,
}

/// Where bytes of a blob are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BlobPlace {
    /// In the metadata itself: small bodies.
    Inline(Bytes),
    /// In the blob store.
    Stored,
}

/// The bytes of one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blob {
    /// Which.
    pub id: BlobId,
    /// Bytes.
    pub length: u64,
    /// CRC-32C of each MiB, checked at every read.
    pub checksums: Vec<u32>,
    /// Where.
    pub place: BlobPlace,
}

/// A piece of a content: `length` bytes at `offset` are those at `blob_offset` of a blob.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Of which content.
    pub content: ContentId,
    /// Where in it.
    pub offset: FileOffset,
    /// Bytes.
    pub length: u64,
    /// In which blob.
    pub blob: BlobId,
    /// Where in that.
    pub blob_offset: BlobOffset,
    /// The digests of its blocks, if the bytes came in any order.
    pub digests: BlockDigests,
}

/// A piece of a content whose bytes came in any order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Where in the content; a whole number of blocks.
    pub offset: FileOffset,
    /// Bytes.
    pub length: u64,
    /// The digests of its blocks.
    pub digests: BlockDigests,
}

/// A file as of one revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileEntry {
    /// The file.
    pub id: FileId,
    /// The revision.
    pub rev: Rev,
    /// Its bytes.
    pub content: ContentId,
    /// How many.
    pub size: u64,
    /// Their hash.
    pub hash: ContentHash,
    /// What the client said.
    pub client_modified: Timestamp,
    /// When it was committed.
    pub server_modified: Timestamp,
}

/// What is at a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A file.
    File(FileEntry),
    /// A folder.
    Folder(FileId),
    /// Nothing, but there was a file.
    DeletedFile,
    /// Nothing, but there was a folder.
    DeletedFolder,
}

impl Entry {
    /// Whether there is something.
    pub fn is_live(&self) -> bool {
        matches!(self, Self::File(_) | Self::Folder(_))
    }
}

/// A place in a tree. There is one row for each place that was ever used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// In which tree.
    pub ns: Ns,
    /// The path as shown; its key is unique in the tree.
    pub path: DisplayPath,
    /// The last change here.
    pub journal: JournalId,
    /// What is there.
    pub entry: Entry,
}

impl Node {
    /// Whether a folder is there.
    pub fn is_folder(&self) -> bool {
        matches!(self.entry, Entry::Folder(_))
    }

    /// The key by which the place is found.
    pub fn key(&self) -> PathKey {
        self.path.key()
    }
}

/// A revision in a file's history; the current one is there too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revision {
    /// In which tree.
    pub ns: Ns,
    /// Where it was written.
    pub path: DisplayPath,
    /// The file then.
    pub file: FileEntry,
}

/// The answer of a finish, kept to be repeated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replay {
    /// Of which session.
    pub session: SessionId,
    /// Whose.
    pub account: AccountId,
    /// Bytes in it at the end: offset and body of the finish together.
    pub end: u64,
    /// The commit as it was parsed, in canonical JSON.
    pub commit: String,
    /// The tree it was saved in.
    pub ns: Ns,
    /// Where it was saved.
    pub path: DisplayPath,
    /// What was saved.
    pub file: FileEntry,
    /// When.
    pub committed: Micros,
}

impl fmt::Display for Ns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// A batch that is worked off in the background.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AsyncJob {
    /// Which.
    pub id: AsyncJobId,
    /// Whose.
    pub account: AccountId,
    /// Since when; it is known for 7 days.
    pub created: Micros,
    /// What is to be done: the argument, as JSON.
    pub argument: String,
    /// What came of it: the answer, as JSON; `None`: it goes on.
    pub outcome: Option<String>,
    /// Until when the process that works on it has said to do so. After that, another one may
    /// begin again: each step can be repeated.
    pub until: Micros,
}

/// Something that a user's clients are told of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification {
    /// In which tree.
    pub ns: Ns,
    /// The change that it is about.
    pub journal: JournalId,
    /// When it was.
    pub at: Micros,
    /// What kind of change.
    pub event: NotificationEvent,
    /// Where, as shown.
    pub path: DisplayPath,
    /// The rev that was written, for a file.
    pub rev: Option<Rev>,
}

/// What kind of change a notification is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotificationEvent {
    /// A file that wasn't there.
    FileAdded,
    /// A new revision of a file.
    FileChanged,
    /// A folder that wasn't there.
    FolderAdded,
    /// A file is gone.
    FileDeleted,
    /// A folder is gone, with all in it.
    FolderDeleted,
}

#[cfg(test)]
mod tests {
    use super::{JournalId, Ns, rev, rev_order};

    #[test]
    fn revs_are_long_enough_and_never_alike() {
        assert_eq!(rev(Ns(1), JournalId(1)).as_str(), "100000001");
        assert_eq!(
            rev(Ns(0x7fff_ffff), JournalId(0xabc)).as_str(),
            "abc7fffffff"
        );
        assert_ne!(rev(Ns(0x10), JournalId(1)), rev(Ns(0), JournalId(0x10)));
    }

    #[test]
    fn revs_of_a_tree_are_in_the_order_of_its_changes() {
        let revs = [1, 2, 9, 10, 15, 16, 17, 0xff, 0x100].map(|at| rev(Ns(7), JournalId(at)));
        assert!(revs.is_sorted_by(|one, other| rev_order(one) < rev_order(other)));
    }
}
