//! A finish moves no data (P3): counted, it costs the same for 16 MiB and for 8 GiB. The content is
//! made by writing the rows of its pieces; what their blob would hold doesn't matter, because the
//! store of the blobs lets nobody touch it.

use super::apply::apply;
use super::load::Rows;
use super::open;
use crate::blobs::{BlobError, BlobStore, BlobWriter};
use crate::meta::rows::{
    Account, AccountState, Blob, BlobId, BlobOffset, BlobPlace, ContentId, Extent, FileOffset,
    JournalId, Namespace, Ns, Session, SessionBytes, SessionState, Writer,
};
use crate::meta::{Effect, Engine, Job, Loads, Meta, MetaError, Question, Unconditional};
use crate::ops::{BodyError, Caller, IncomingBody, Service};
use crate::rules::naming::Numbering;
use crate::sys::{Failpoints, ManualClock, Micros, Random, Space, Sys};
use bytes::Bytes;
use futures_util::future::{BoxFuture, ready};
use landfall_protocol::path::WritePathOrId;
use landfall_protocol::types::batches::UploadSessionFinishBatchArg;
use landfall_protocol::types::bounds::Batch;
use landfall_protocol::types::files::CommitInfo;
use landfall_protocol::types::sessions::{UploadSessionCursor, UploadSessionFinishArg};
use landfall_protocol::{AccountId, BlockDigests, ContentHasher, SessionId, limits};
use rusqlite::trace::{TraceEvent, TraceEventCodes};
use rusqlite::{Connection, TransactionBehavior};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};
use tempfile::TempDir;

const NS: Ns = Ns(1);
const BLOCK: u64 = limits::HASH_BLOCK;
const SMALL: u64 = 16 * 1024 * 1024;
const LARGE: u64 = 8 * 1024 * 1024 * 1024;

/// What was asked of SQLite.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Cost {
    statements: u64,
    /// Rows that came back.
    read: u64,
    /// Rows that were changed.
    written: u64,
    /// Steps of SQLite's machine.
    steps: u64,
    /// Bytes of the statements with their parameters; a number counts as one.
    bytes: u64,
    /// Bytes by which the log grew.
    log: u64,
}

/// SQLite on the thread of the test, with everything counted, for questions and for changes.
#[derive(Clone, Debug)]
struct Counted {
    connection: Arc<Mutex<Connection>>,
    seen: Arc<Mutex<Cost>>,
    asked: Arc<Mutex<Cost>>,
    changed: Arc<Mutex<Cost>>,
    log: PathBuf,
}

impl Counted {
    fn open(file: PathBuf) -> Self {
        let mut connection = open::for_writing(&file, &Failpoints::default()).unwrap();
        let seen: Arc<Mutex<Cost>> = Arc::default();
        let steps = Arc::clone(&seen);
        let count = move || {
            steps.lock().unwrap().steps += 1;
            false
        };
        connection.progress_handler(1, Some(count)).unwrap();
        let events = Arc::clone(&seen);
        let trace = move |event: TraceEvent<'_>| match event {
            TraceEvent::Stmt(statement, _) => {
                let mut seen = events.lock().unwrap();
                seen.statements += 1;
                seen.bytes += length(&statement.expanded_sql().unwrap_or_default());
            }
            TraceEvent::Row(_) => events.lock().unwrap().read += 1,
            _ => {}
        };
        let what = TraceEventCodes::SQLITE_TRACE_STMT | TraceEventCodes::SQLITE_TRACE_ROW;
        connection.trace_v2(what, Some(trace)).unwrap();
        let mut log = file.into_os_string();
        log.push("-wal");
        Self {
            connection: Arc::new(Mutex::new(connection)),
            seen,
            asked: Arc::default(),
            changed: Arc::default(),
            log: log.into(),
        }
    }

    /// Does something in a transaction and adds its cost to the account.
    fn count(
        &self,
        account: &Mutex<Cost>,
        what: impl FnOnce(&Connection) -> Result<(), MetaError>,
    ) -> Result<(), MetaError> {
        let mut connection = self.connection.lock().unwrap();
        *self.seen.lock().unwrap() = Cost::default();
        let log = || std::fs::metadata(&self.log).unwrap().len();
        let (changes, grown) = (connection.total_changes(), log());
        let behavior = TransactionBehavior::Immediate;
        let transaction = connection.transaction_with_behavior(behavior).unwrap();
        what(&transaction)?;
        transaction.commit().unwrap();
        let seen = *self.seen.lock().unwrap();
        let mut sum = account.lock().unwrap();
        *sum = Cost {
            statements: sum.statements + seen.statements,
            read: sum.read + seen.read,
            written: sum.written + connection.total_changes() - changes,
            steps: sum.steps + seen.steps,
            bytes: sum.bytes + seen.bytes,
            log: sum.log + log() - grown,
        };
        Ok(())
    }

    /// What was counted since the last time, for questions and for changes.
    fn take(&self) -> (Cost, Cost) {
        let take = |account: &Mutex<Cost>| std::mem::take(&mut *account.lock().unwrap());
        (take(&self.asked), take(&self.changed))
    }
}

/// The length of a statement, in which each number has one digit.
fn length(sql: &str) -> u64 {
    let (mut before, mut in_number) = (' ', false);
    let mut length = 0;
    for character in sql.chars() {
        in_number = character.is_ascii_digit() && (in_number || matches!(before, ' ' | '(' | ','));
        length += u64::from(!in_number || !before.is_ascii_digit());
        before = character;
    }
    length
}

impl Engine for Counted {
    fn transact(&self, mut job: Box<dyn Job>) -> BoxFuture<'_, Result<(), MetaError>> {
        let done = self.count(&self.changed, |connection| {
            let effects = job.run(&mut Rows { connection })?;
            effects
                .iter()
                .try_for_each(|effect| apply(connection, effect))
        });
        Box::pin(ready(done))
    }

    fn read(&self, question: Question) -> BoxFuture<'_, Result<(), MetaError>> {
        let done = self.count(&self.asked, |connection| question(&mut Rows { connection }));
        Box::pin(ready(done))
    }
}

/// A store of blobs that nobody may touch.
#[derive(Debug)]
struct Untouched;

impl BlobStore for Untouched {
    fn create(&self) -> BoxFuture<'_, Result<Box<dyn BlobWriter>, BlobError>> {
        unreachable!("a finish writes no blob");
    }

    fn name(&self) -> BlobId {
        BlobId("w/inline".into())
    }

    fn read(&self, id: &BlobId, _: u64, _: usize) -> BoxFuture<'_, Result<Bytes, BlobError>> {
        unreachable!("a finish reads no blob: {id:?}");
    }

    fn writer(&self) -> String {
        "w".into()
    }

    fn rename_writer(&self) {
        unreachable!("nobody is fenced");
    }

    fn remove(&self, id: &BlobId) -> BoxFuture<'_, Result<(), BlobError>> {
        unreachable!("a finish removes no blob: {id:?}");
    }

    fn writers(&self) -> BoxFuture<'_, Result<Vec<String>, BlobError>> {
        unreachable!("a finish asks for no writers");
    }

    fn list(&self, _: &str) -> BoxFuture<'_, Result<Vec<BlobId>, BlobError>> {
        unreachable!("a finish lists no blobs");
    }

    fn space(&self) -> Option<Space> {
        None
    }
}

/// The same names every time, so that they have the same number of digits.
#[derive(Debug, Default)]
struct Counter(AtomicU8);

impl Random for Counter {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(self.0.fetch_add(1, Ordering::Relaxed));
    }
}

struct Body(Option<Bytes>);

impl IncomingBody for Body {
    fn declared(&self) -> Option<u64> {
        Some(self.0.as_ref().map_or(0, Bytes::len) as u64)
    }

    fn next(&mut self) -> BoxFuture<'_, Result<Option<Bytes>, BodyError>> {
        Box::pin(ready(Ok(self.0.take())))
    }
}

/// How the bytes of the session came.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Came {
    InOrder,
    InAnyOrder,
}

/// A store with a session that holds so many bytes.
struct Store {
    service: Service,
    counted: Counted,
    caller: Caller,
    size: u64,
    _dir: TempDir,
}

impl Store {
    async fn new(came: Came, size: u64) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let counted = Counted::open(dir.path().join("metadata.sqlite"));
        let meta = Meta::new(counted.clone());
        let sys = Sys {
            clock: Arc::new(ManualClock::at(Micros(1_000_000_000))),
            random: Arc::new(Counter::default()),
            ..Sys::real()
        };
        let account = Account {
            id: AccountId::from_stored("dbid:one"),
            name: "one".into(),
            display_name: None,
            ns: NS,
            created: Micros(0),
            state: AccountState::Active,
        };
        let effects = content(&account, came, size);
        meta.transact(Unconditional(effects)).await.unwrap();
        let service =
            Service::new(meta, Arc::new(Untouched), sys, Numbering::default(), None).await;
        counted.take();
        Self {
            service: service.unwrap(),
            counted,
            caller: Caller {
                account,
                scopes: Vec::new(),
                limited: false,
            },
            size,
            _dir: dir,
        }
    }

    fn argument(&self) -> UploadSessionFinishArg {
        UploadSessionFinishArg {
            cursor: UploadSessionCursor {
                session_id: SessionId::from_stored("session"),
                offset: self.size,
            },
            commit: CommitInfo::new(WritePathOrId::parse("/folder/file.bin").unwrap()),
            content_hash: None,
        }
    }

    /// What the questions and the change of a finish cost.
    async fn finish(&self, body: &'static str) -> (Cost, Cost) {
        let mut body = Body((!body.is_empty()).then(|| body.into()));
        let finished = self
            .service
            .finish(&self.caller, self.argument(), &mut body);
        finished.await.unwrap();
        self.counted.take()
    }

    async fn finish_in_batch(&self) -> (Cost, Cost) {
        let arg = UploadSessionFinishBatchArg {
            entries: Batch::new(vec![self.argument()]).unwrap(),
        };
        let finished = self.service.finish_batch(&self.caller, arg).await.unwrap();
        let told = format!("{finished:?}");
        assert!(told.contains("Success"), "{told}");
        self.counted.take()
    }
}

/// An account with a closed session of so many bytes, in pieces of one block.
fn content(account: &Account, came: Came, size: u64) -> Vec<Effect> {
    let content = ContentId("content".into());
    let in_order = came == Came::InOrder;
    let blob = Blob {
        id: BlobId("w/blob".into()),
        length: BLOCK,
        checksums: vec![0; 4],
        place: BlobPlace::Stored,
    };
    let mut effects = vec![
        Effect::AddNamespace(Namespace {
            ns: NS,
            journal: JournalId(1000),
            used: 0,
            quota: None,
        }),
        Effect::AddAccount(account.clone()),
        Effect::PutWriter(Writer {
            id: "w".into(),
            heartbeat: Micros(0),
            fenced: false,
        }),
        Effect::PutSession(Session {
            id: SessionId::from_stored("session"),
            account: account.id.clone(),
            created: Micros(1_000_000_000),
            // The last bytes of one that is in order may come with the finish.
            state: match in_order {
                true => SessionState::Open,
                false => SessionState::Closed,
            },
            content: content.clone(),
            bytes: match in_order {
                true => SessionBytes::Sequential {
                    length: size,
                    hasher: ContentHasher::new().state(),
                },
                false => SessionBytes::Concurrent {
                    stored: size,
                    end: size,
                },
            },
        }),
        Effect::AddBlob(blob.clone()),
    ];
    effects.extend((0..size / BLOCK).map(|nth| {
        Effect::AddExtent(Extent {
            content: content.clone(),
            offset: FileOffset(nth * BLOCK),
            length: BLOCK,
            blob: blob.id.clone(),
            blob_offset: BlobOffset(0),
            digests: match in_order {
                true => BlockDigests::default(),
                false => BlockDigests::from_bytes(vec![7; 32]).unwrap(),
            },
        })
    }));
    effects
}

#[tokio::test]
async fn a_finish_costs_the_same_for_a_small_and_for_a_large_file() {
    let small = Store::new(Came::InOrder, SMALL).await.finish("").await;
    let large = Store::new(Came::InOrder, LARGE).await.finish("").await;
    assert_eq!(small, large);
    let (_, changed) = small;
    // Two folders' worth of places, a revision, a session, an answer, a notification, counters.
    assert!(
        changed.written < 10 && changed.statements < 30,
        "{changed:?}"
    );
}

#[tokio::test]
async fn the_last_bytes_cost_the_same_after_few_and_after_many() {
    let mut costs = Vec::new();
    for size in [SMALL, LARGE] {
        let mut cost = Store::new(Came::InOrder, size)
            .await
            .finish("the last")
            .await;
        // One more piece among many may split a page of their tree.
        (cost.0.log, cost.1.log) = (0, 0);
        costs.push(cost);
    }
    assert_eq!(costs[0], costs[1]);
}

#[tokio::test]
async fn a_finish_of_pieces_in_any_order_reads_their_digests_and_no_more() {
    let (small_asked, small) = Store::new(Came::InAnyOrder, SMALL).await.finish("").await;
    let (large_asked, large) = Store::new(Came::InAnyOrder, LARGE).await.finish("").await;
    assert_eq!(small, large, "the transaction");
    assert_eq!(small_asked.statements, large_asked.statements);
    // One row of 32 bytes for each block, beside those of the session.
    assert_eq!(large_asked.read - small_asked.read, (LARGE - SMALL) / BLOCK);
}

#[tokio::test]
async fn a_finish_in_a_batch_costs_the_same_for_a_small_and_for_a_large_file() {
    let (small_asked, small) = Store::new(Came::InAnyOrder, SMALL)
        .await
        .finish_in_batch()
        .await;
    let (large_asked, large) = Store::new(Came::InAnyOrder, LARGE)
        .await
        .finish_in_batch()
        .await;
    assert_eq!(small, large, "the transaction");
    assert_eq!(large_asked.read - small_asked.read, (LARGE - SMALL) / BLOCK);
}

#[tokio::test]
async fn a_repeated_finish_changes_nothing_and_costs_the_same() {
    let mut costs = Vec::new();
    for size in [SMALL, LARGE] {
        let store = Store::new(Came::InOrder, size).await;
        store.finish("").await;
        let (asked, changed) = store.finish("").await;
        assert_eq!(changed, Cost::default(), "no transaction");
        costs.push(asked);
    }
    assert_eq!(costs[0], costs[1]);
}

#[tokio::test]
async fn who_walks_through_the_pieces_is_told() {
    let mut costs = Vec::new();
    for size in [SMALL, LARGE] {
        let store = Store::new(Came::InOrder, size).await;
        let walk = |loads: &mut dyn Loads| {
            loads.extents(&ContentId("content".into()), FileOffset(0), usize::MAX >> 1)
        };
        store.service.meta.read(walk).await.unwrap();
        costs.push(store.counted.take().0);
    }
    assert!(
        costs[0].read < costs[1].read && costs[0].steps < costs[1].steps,
        "{costs:?}"
    );
}
