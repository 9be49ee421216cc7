//! What questions and changes cost, in steps of SQLite's machine: the same in a large store as in
//! a small one. A query that walks through what it doesn't return shows here, whatever its plan
//! looks like; so does a check of a foreign key without an index.

use super::apply::apply;
use super::load::Rows;
use super::open;
use crate::meta::rows::{
    Account, AccountState, AsyncJob, Blob, BlobId, BlobOffset, BlobPlace, ContentId, Deletion,
    Entry, Extent, FileEntry, FileOffset, JournalId, Namespace, Node, Notification,
    NotificationEvent, Ns, Replay, Revision, Session, SessionBytes, SessionState, Token, Writer,
    rev,
};
use crate::meta::{Effect, End, History, Listing, Loads, MetaError, Rename, Target};
use crate::sys::{Failpoints, Micros};
use bytes::Bytes;
use landfall_protocol::{
    AccountId, AsyncJobId, BlockDigests, ContentHash, DisplayPath, FileId, PathKey, Rev, SessionId,
    Timestamp,
};
use rusqlite::{Connection, TransactionBehavior};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tempfile::TempDir;

const NS: Ns = Ns(1);
/// The tree of an account that has nothing.
const OTHER: Ns = Ns(2);
/// The first change below `/big`. All revs have the same number of digits, so they come in order.
const FIRST: u64 = 1 << 20;
/// As many as a step of the upkeep asks for, and less than the small store has of anything.
const SLICE: usize = 200;
const SMALL: u64 = 300;
const LARGE: u64 = 3000;
/// When sessions began and old revisions ended; when revisions with an answer ended; before that.
const THEN: Micros = Micros(1_000_000);
const EARLIER: Micros = Micros(500_000);
const BEFORE: Micros = Micros(0);

/// A store with so many of everything.
struct Store {
    connection: Connection,
    size: u64,
    steps: Arc<AtomicU64>,
    _dir: TempDir,
}

impl Store {
    fn new(size: u64) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut connection =
            open::for_writing(&dir.path().join("metadata.sqlite"), &Failpoints::default()).unwrap();
        let transaction = connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .unwrap();
        for effect in content(size) {
            apply(&transaction, &effect).unwrap();
        }
        transaction.commit().unwrap();
        let steps = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&steps);
        let count = move || {
            counted.fetch_add(1, Ordering::Relaxed);
            false
        };
        connection.progress_handler(1, Some(count)).unwrap();
        Self {
            connection,
            size,
            steps,
            _dir: dir,
        }
    }

    /// What it costs to do this; nothing of it stays.
    fn cost(&mut self, what: &dyn Fn(&Connection, u64)) -> u64 {
        let size = self.size;
        let transaction = self.connection.transaction().unwrap();
        let before = self.steps.load(Ordering::Relaxed);
        what(&transaction, size);
        self.steps.load(Ordering::Relaxed) - before
    }
}

fn account() -> AccountId {
    AccountId::from_stored("dbid:one")
}

fn other() -> AccountId {
    AccountId::from_stored("dbid:other")
}

fn session_id(nth: u64) -> SessionId {
    SessionId::from_stored(format!("session {nth:06}"))
}

fn path(text: &str) -> DisplayPath {
    DisplayPath::parse(text).unwrap()
}

fn big(nth: u64) -> DisplayPath {
    path(&format!("/big/{nth:06}.bin"))
}

/// The file of which there are that many revisions.
fn often() -> DisplayPath {
    path("/often")
}

fn content_id(kind: &str, nth: u64) -> ContentId {
    ContentId(format!("{kind} {nth:06}"))
}

fn blob_id(kind: &str, nth: u64) -> BlobId {
    BlobId(format!("writer/{kind} {nth:06}"))
}

/// The revs of the `nth` file in `/big`: two old ones, the second with an answer that may be
/// repeated, and the current one.
fn revs(nth: u64) -> [Rev; 3] {
    [0, 1, 2].map(|which| rev(NS, JournalId(FIRST + 3 * nth + which)))
}

fn file(rev: Rev, id: &str, content: ContentId) -> FileEntry {
    FileEntry {
        id: FileId::from_tail(id),
        rev,
        content,
        size: 4,
        hash: ContentHash::of(b"some"),
        client_modified: Timestamp::from_unix_seconds(1),
        server_modified: Timestamp::from_unix_seconds(1),
    }
}

fn revision(path: &DisplayPath, file: FileEntry) -> Effect {
    Effect::AddRevision(Revision {
        ns: NS,
        path: path.clone(),
        file,
    })
}

fn end(rev: Rev, at: Micros) -> Effect {
    Effect::EndRevision { ns: NS, rev, at }
}

fn put(path: DisplayPath, journal: u64, seen: Option<u64>, entry: Entry) -> Effect {
    Effect::PutNode {
        node: Node {
            ns: NS,
            path,
            journal: JournalId(journal),
            entry,
        },
        seen: seen.map(JournalId),
    }
}

fn folder(text: &str, journal: u64) -> Effect {
    let entry = Entry::Folder(FileId::from_tail(text));
    put(path(text), journal, None, entry)
}

/// A blob of some content.
fn piece(kind: &str, nth: u64, place: BlobPlace) -> [Effect; 2] {
    let blob = Blob {
        id: blob_id(kind, nth),
        length: 4,
        checksums: vec![1],
        place,
    };
    let extent = Extent {
        content: content_id(kind, nth),
        offset: FileOffset(0),
        length: 4,
        blob: blob.id.clone(),
        blob_offset: BlobOffset(0),
        digests: BlockDigests::default(),
    };
    [Effect::AddBlob(blob), Effect::AddExtent(extent)]
}

fn inline() -> BlobPlace {
    BlobPlace::Inline(Bytes::from_static(b"some"))
}

fn session(nth: u64, state: SessionState, content: ContentId) -> Session {
    Session {
        id: session_id(nth),
        account: account(),
        created: THEN,
        state,
        content,
        bytes: SessionBytes::Sequential {
            length: 4,
            hasher: vec![1],
        },
    }
}

fn job(nth: u64) -> AsyncJob {
    AsyncJob {
        id: AsyncJobId::from_stored(format!("job {nth:06}")),
        account: account(),
        created: THEN,
        argument: "{}".into(),
        outcome: None,
        until: THEN,
    }
}

fn content(size: u64) -> Vec<Effect> {
    let namespace = Namespace {
        ns: NS,
        journal: JournalId(FIRST - 1 + 3 * size),
        used: 0,
        quota: None,
    };
    let one = Account {
        id: account(),
        name: "one".into(),
        display_name: None,
        ns: NS,
        created: THEN,
        state: AccountState::Active,
    };
    let other = Account {
        id: other(),
        name: "other".into(),
        ns: OTHER,
        ..one.clone()
    };
    let tree_of_other = Namespace {
        ns: OTHER,
        ..namespace
    };
    let writer = Writer {
        id: "writer".into(),
        heartbeat: THEN,
        fenced: false,
    };
    let mut effects = vec![
        Effect::AddNamespace(namespace),
        Effect::AddAccount(one),
        Effect::AddNamespace(tree_of_other),
        Effect::AddAccount(other),
        Effect::PutWriter(writer),
        folder("/big", 1),
        folder("/few", 2),
        folder("/few/a", 3),
        folder("/few/b", 4),
        folder("/zoo", 5),
    ];
    for nth in 0..size {
        let path = big(nth);
        let id = format!("{nth:06}");
        let [old, answered, current] = revs(nth);
        let contents = ["old", "answered", "current"].map(|kind| content_id(kind, nth));
        for (rev, content, at) in [
            (&old, &contents[0], THEN),
            (&answered, &contents[1], EARLIER),
        ] {
            effects.push(revision(&path, file(rev.clone(), &id, content.clone())));
            effects.push(end(rev.clone(), at));
        }
        let file_now = file(current, &id, contents[2].clone());
        effects.push(revision(&path, file_now.clone()));
        effects.push(put(
            path.clone(),
            FIRST + 2 + 3 * nth,
            None,
            Entry::File(file_now),
        ));
        effects.push(Effect::AddToken(Token {
            id: format!("token {nth:06}"),
            hash: Sha256::digest(nth.to_le_bytes()).into(),
            account: account(),
            scopes: Vec::new(),
            expires: None,
            created: THEN,
        }));
        for kind in ["old", "answered", "current", "open", "orphan"] {
            effects.extend(piece(kind, nth, inline()));
        }
        effects.push(Effect::AddOrphan(content_id("orphan", nth)));
        effects.push(Effect::PutJob(job(nth)));
        effects.push(Effect::AddNotification(Notification {
            ns: NS,
            journal: JournalId(FIRST + 2 + 3 * nth),
            at: THEN,
            event: NotificationEvent::FileAdded,
            path: path.clone(),
            rev: None,
        }));

        effects.extend([
            Effect::PutSession(session(nth, SessionState::Open, content_id("open", nth))),
            Effect::PutSession(session(
                size + nth,
                SessionState::Committed,
                contents[1].clone(),
            )),
            Effect::PutReplay(Replay {
                session: session_id(size + nth),
                account: account(),
                end: 4,
                commit: "{}".into(),
                ns: NS,
                path,
                file: file(answered, &id, contents[1].clone()),
                committed: THEN,
            }),
        ]);
        // One that is written again and again.
        let rev = rev(NS, JournalId((FIRST << 1) + nth));
        let of_often = file(rev, "often", content_id("current", 0));
        effects.push(revision(&often(), of_often));
        let [doomed, _] = piece("doomed", nth, BlobPlace::Stored);
        effects.push(doomed);
        effects.push(Effect::DoomBlob {
            id: blob_id("doomed", nth),
            since: THEN,
        });
    }
    effects
}

/// Something that is done in a store with so many of everything.
type Act = Box<dyn Fn(&Connection, u64)>;

fn question<T>(ask: impl Fn(&mut Rows<'_>, u64) -> Result<T, MetaError> + 'static) -> Act {
    Box::new(move |connection, size| {
        ask(&mut Rows { connection }, size).unwrap();
    })
}

fn change(make: impl Fn(u64) -> Vec<Effect> + 'static) -> Act {
    Box::new(move |connection, size| {
        for effect in make(size) {
            apply(connection, &effect).unwrap();
        }
    })
}

fn listing(folder: &str, recursive: bool) -> Listing {
    Listing {
        ns: NS,
        folder: match folder {
            "" => PathKey::root(),
            folder => path(folder).key(),
        },
        recursive,
        deleted: false,
    }
}

/// A whole tree, with what was deleted in it.
fn everything(ns: Ns) -> Listing {
    Listing {
        ns,
        folder: PathKey::root(),
        recursive: true,
        deleted: true,
    }
}

/// What requests ask, and change.
fn requests() -> Vec<(&'static str, Act)> {
    let list = |folder, recursive| {
        question(move |rows, _| rows.list(&listing(folder, recursive), None, JournalId::LAST, 20))
    };
    let list_late = |folder, recursive| {
        question(move |rows, size| {
            let after = big(size - 10).key();
            let listing = listing(folder, recursive);
            rows.list(&listing, Some(&after), JournalId::LAST, 20)
        })
    };
    let changes = |folder, recursive, last: u64| {
        question(move |rows, size| {
            let after = JournalId(FIRST - 1 + 3 * size - last);
            rows.changes(&listing(folder, recursive), after, 20)
        })
    };
    let place = |text: &'static str, rename| {
        question(move |rows, _| rows.place(NS, &Target::Path(path(text)), rename))
    };
    vec![
        ("the first page of everything", list("", true)),
        ("the first page of a large folder", list("/big", false)),
        ("a folder after a large one", list("/few", true)),
        ("the last page of everything", list_late("", true)),
        ("the last page of a large folder", list_late("/big", false)),
        ("no changes", changes("", true, 0)),
        ("no changes in a small folder", changes("/few", false, 0)),
        ("one change", changes("", true, 1)),
        (
            "a new name in a large folder",
            place("/big/new.bin", Rename::No),
        ),
        (
            "a taken name in a large folder",
            place("/big/000001.bin", Rename::File),
        ),
        (
            "a place in a new folder",
            place("/new/file.bin", Rename::File),
        ),
        (
            "a folder to delete",
            question(|rows, _| rows.subtree(NS, &Target::Path(path("/few")), 10_000)),
        ),
        (
            "a file by its id",
            question(|rows, size| {
                rows.node_by_id(NS, &FileId::from_tail(&format!("{:06}", size / 2)))
            }),
        ),
        (
            "a revision",
            question(|rows, size| rows.revision(NS, &revs(size / 2)[0])),
        ),
        (
            "the newest revisions at a path",
            question(|rows, _| {
                let history = History::Path(often().key());
                rows.history(NS, &history, None, 11)
            }),
        ),
        (
            "older revisions at a path",
            question(|rows, size| {
                let history = History::Path(often().key());
                let before = rev(NS, JournalId((FIRST << 1) + size / 2));
                rows.history(NS, &history, Some(&before), 11)
            }),
        ),
        (
            "the newest revisions of a file",
            question(|rows, _| {
                let history = History::File(FileId::from_tail("often"));
                rows.history(NS, &history, None, 11)
            }),
        ),
        (
            "a session",
            question(|rows, size| rows.session(&account(), &session_id(size / 2))),
        ),
        (
            "a kept answer",
            question(|rows, size| rows.replay(&account(), &session_id(size + size / 2))),
        ),
        (
            "pieces",
            question(|rows, size| {
                rows.extents(&content_id("current", size / 2), FileOffset(1), 20)
            }),
        ),
        (
            "pieces that came in any order",
            question(|rows, size| {
                let content = content_id("current", size / 2);
                rows.pieces(&content, FileOffset(0)..FileOffset(4))
            }),
        ),
        (
            "a job",
            question(|rows, size| rows.job(&account(), &job(size / 2).id)),
        ),
        (
            "no notifications",
            question(|rows, size| rows.notifications(NS, JournalId(FIRST - 1 + 3 * size), 20)),
        ),
        (
            "notifications",
            question(|rows, size| rows.notifications(NS, JournalId(FIRST + 3 * size - 100), 20)),
        ),
        (
            "a new file",
            change(|size| {
                let file = file(
                    rev(NS, JournalId(1 << 30)),
                    "new",
                    content_id("open", size / 2),
                );
                vec![
                    revision(&path("/big/new.bin"), file.clone()),
                    put(path("/big/new.bin"), 1 << 30, None, Entry::File(file)),
                ]
            }),
        ),
        (
            "another revision",
            change(|size| {
                let nth = size / 2;
                let id = format!("{nth:06}");
                let file = file(rev(NS, JournalId(1 << 30)), &id, content_id("open", nth));
                vec![
                    end(revs(nth)[2].clone(), THEN),
                    revision(&big(nth), file.clone()),
                    put(
                        big(nth),
                        1 << 30,
                        Some(FIRST + 2 + 3 * nth),
                        Entry::File(file),
                    ),
                ]
            }),
        ),
        (
            "a deletion",
            change(|size| {
                let nth = size / 2;
                vec![
                    end(revs(nth)[2].clone(), THEN),
                    put(
                        big(nth),
                        1 << 30,
                        Some(FIRST + 2 + 3 * nth),
                        Entry::DeletedFile,
                    ),
                ]
            }),
        ),
        (
            "a move into a new folder",
            change(|size| {
                let nth = size / 2;
                let id = format!("{nth:06}");
                let current = content_id("current", nth);
                let file = file(rev(NS, JournalId((1 << 30) + 2)), &id, current);
                let place = path("/new/moved.bin");
                vec![
                    end(revs(nth)[2].clone(), THEN),
                    put(
                        big(nth),
                        1 << 30,
                        Some(FIRST + 2 + 3 * nth),
                        Entry::DeletedFile,
                    ),
                    folder("/new", (1 << 30) + 1),
                    revision(&place, file.clone()),
                    put(place, (1 << 30) + 2, None, Entry::File(file)),
                ]
            }),
        ),
        (
            "an append",
            change(|size| {
                let nth = size / 2;
                let mut effects = piece("appended", nth, inline()).to_vec();
                let session = session(nth, SessionState::Closed, content_id("open", nth));
                effects.push(Effect::PutSession(session));
                effects
            }),
        ),
    ]
}

/// What the upkeep asks and changes, in its slices.
fn upkeep() -> Vec<(&'static str, Act)> {
    let aged_sessions = |at| question(move |rows, _| rows.aged_sessions(at, at, SLICE));
    let aged_revisions = |at| question(move |rows, _| rows.aged_revisions(at, None, SLICE));
    let doomed = |at| question(move |rows, _| rows.doomed(at, SLICE));
    vec![
        ("no aged sessions", aged_sessions(BEFORE)),
        ("aged sessions", aged_sessions(THEN)),
        ("no aged revisions", aged_revisions(BEFORE)),
        ("aged revisions", aged_revisions(THEN)),
        (
            "aged revisions after others",
            question(|rows, size| {
                let [rev, ..] = revs(size - 250);
                let after = End {
                    at: THEN,
                    ns: NS,
                    rev,
                };
                rows.aged_revisions(THEN, Some(&after), SLICE)
            }),
        ),
        ("aged jobs", question(|rows, _| rows.aged_jobs(THEN, SLICE))),
        (
            "no aged jobs",
            question(|rows, _| rows.aged_jobs(BEFORE, SLICE)),
        ),
        (
            "aged notifications",
            question(|rows, _| rows.aged_notifications(THEN, SLICE)),
        ),
        (
            "no aged notifications",
            question(|rows, _| rows.aged_notifications(BEFORE, SLICE)),
        ),
        (
            "a notification goes",
            change(|size| {
                let journal = JournalId(FIRST + 2 + 3 * (size / 2));
                vec![
                    Effect::RemoveNotification { ns: NS, journal },
                    Effect::RemoveJob(job(size / 2).id),
                ]
            }),
        ),
        ("deleted accounts", question(|rows, _| rows.deletions(1))),
        (
            "a slice of an account",
            question(|rows, _| {
                rows.any_sessions(&account(), SLICE)?;
                rows.jobs(&account(), SLICE)?;
                rows.notifications(NS, JournalId(0), SLICE)?;
                rows.list(&everything(NS), None, JournalId::LAST, SLICE)?;
                rows.revisions(NS, SLICE)
            }),
        ),
        (
            "nothing of an account",
            question(|rows, _| {
                rows.tokens(&other())?;
                rows.any_sessions(&other(), SLICE)?;
                rows.jobs(&other(), SLICE)?;
                rows.notifications(OTHER, JournalId(0), SLICE)?;
                rows.list(&everything(OTHER), None, JournalId::LAST, SLICE)?;
                rows.revisions(OTHER, SLICE)
            }),
        ),
        (
            "a place is forgotten, and its file",
            change(|size| {
                let [.., current] = revs(size / 2);
                vec![
                    Effect::RemoveNode {
                        ns: NS,
                        key: big(size / 2).key(),
                    },
                    Effect::RemoveRevision {
                        ns: NS,
                        rev: current,
                    },
                ]
            }),
        ),
        (
            "an account goes",
            change(|_| {
                let account = other();
                let deletion = Deletion {
                    account: account.clone(),
                    ns: OTHER,
                };
                vec![
                    Effect::BeginDeletion { account },
                    Effect::EndDeletion(deletion),
                ]
            }),
        ),
        ("no doomed blobs", doomed(BEFORE)),
        ("doomed blobs", doomed(THEN)),
        ("orphans", question(|rows, _| rows.orphans(1))),
        (
            "a page of blobs",
            question(|rows, size| rows.blobs(&blob_id("current", size / 2), SLICE)),
        ),
        (
            "who uses a content",
            question(|rows, size| rows.content_use(&content_id("answered", size / 2))),
        ),
        (
            "who uses a blob",
            question(|rows, size| rows.blob_use(&blob_id("current", size / 2))),
        ),
        (
            "whether a blob is known",
            question(|rows, size| rows.knows_blob(&blob_id("doomed", size / 2))),
        ),
        (
            "a session goes",
            change(|size| {
                let content = content_id("answered", size / 2);
                vec![
                    Effect::RemoveSession(session_id(size + size / 2)),
                    Effect::AddOrphan(content),
                ]
            }),
        ),
        (
            "a revision goes",
            change(|size| {
                let [old, ..] = revs(size / 2);
                vec![
                    Effect::RemoveRevision { ns: NS, rev: old },
                    Effect::AddOrphan(content_id("old", size / 2)),
                ]
            }),
        ),
        (
            "an orphan goes",
            change(|size| {
                let (content, offset) = (content_id("orphan", size / 2), FileOffset(0));
                vec![
                    Effect::RemoveExtent {
                        content: content.clone(),
                        offset,
                    },
                    Effect::DoomBlob {
                        id: blob_id("orphan", size / 2),
                        since: THEN,
                    },
                    Effect::RemoveOrphan(content),
                ]
            }),
        ),
        (
            "a doomed blob is forgotten",
            change(|size| vec![Effect::ForgetBlob(blob_id("doomed", size / 2))]),
        ),
    ]
}

/// Those that cost more in a large store.
fn dearer(acts: Vec<(&'static str, Act)>) -> Vec<String> {
    let (mut small, mut large) = (Store::new(SMALL), Store::new(LARGE));
    acts.into_iter()
        .filter_map(|(name, act)| {
            let (one, other) = (small.cost(&act), large.cost(&act));
            (other > one + one / 10).then(|| format!("{name}: {one} steps, then {other}"))
        })
        .collect()
}

#[test]
fn a_request_costs_the_same_in_a_large_store() {
    assert_eq!(dearer(requests()), Vec::<String>::new());
}

#[test]
fn a_slice_of_the_upkeep_costs_the_same_in_a_large_store() {
    assert_eq!(dearer(upkeep()), Vec::<String>::new());
}

#[test]
fn what_walks_through_everything_is_told() {
    let scan: Act = Box::new(|connection, _| {
        let sql = "SELECT count(*) FROM node WHERE path = '/Big'";
        let _: i64 = connection.query_row(sql, [], |row| row.get(0)).unwrap();
    });
    assert_eq!(dearer(vec![("a scan", scan)]).len(), 1);
}
