//! How many flights the use cases take, counted where the bytes go out. A statement that is asked
//! for the first time on a connection is prepared in a flight of its own, so each is done twice,
//! and the second time counts.

use super::PostgresEngine;
use super::throwaway::Schema;
use crate::blobs::{BlobStore, MemoryBlobs};
use crate::meta::rows::{Account, AccountState, Entry, JournalId, Namespace, Ns, SessionState};
use crate::meta::{Effect, Loads, Meta, Unconditional};
use crate::ops::{BodyError, Caller, IncomingBody, Service};
use crate::rules::naming::Numbering;
use crate::sys::{ManualClock, Micros, Sys};
use bytes::Bytes;
use futures_util::future::{BoxFuture, join};
use landfall_protocol::path::WritePathOrId;
use landfall_protocol::types::batches::{
    UploadSessionAppendBatchArg, UploadSessionAppendBatchArgEntry, UploadSessionFinishBatchArg,
};
use landfall_protocol::types::bounds::Batch;
use landfall_protocol::types::files::{CommitInfo, FileMetadata, WriteMode};
use landfall_protocol::types::sessions::{
    UploadSessionAppendArg, UploadSessionCursor, UploadSessionFinishArg, UploadSessionStartArg,
    UploadSessionType,
};
use landfall_protocol::{AccountId, DisplayPath, Rev, SessionId};
use std::sync::Arc;
use tokio::sync::Barrier;

const NS: Ns = Ns(1);

/// What a use case took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Flights {
    /// For the changes.
    changes: u64,
    /// For the look before the body. The last of them ends its transaction; nobody waits for it.
    questions: u64,
}

/// A look, and a change in two flights.
const TWO_AND_A_LOOK: Flights = Flights {
    changes: 2,
    questions: 2,
};

struct Store {
    service: Service,
    engine: PostgresEngine,
    caller: Caller,
}

struct Body {
    bytes: Option<Bytes>,
    /// Whom it waits for before it comes.
    meets: Option<Arc<Barrier>>,
}

impl Body {
    fn of(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        Self {
            bytes: Some(bytes).filter(|bytes| !bytes.is_empty()),
            meets: None,
        }
    }
}

impl IncomingBody for Body {
    fn declared(&self) -> Option<u64> {
        Some(self.bytes.as_ref().map_or(0, Bytes::len) as u64)
    }

    fn next(&mut self) -> BoxFuture<'_, Result<Option<Bytes>, BodyError>> {
        Box::pin(async {
            if let Some(meets) = self.meets.take() {
                meets.wait().await;
            }
            Ok(self.bytes.take())
        })
    }
}

fn cursor(session: &SessionId, offset: u64) -> UploadSessionCursor {
    UploadSessionCursor {
        session_id: session.clone(),
        offset,
    }
}

fn commit(path: &str) -> CommitInfo {
    CommitInfo::new(WritePathOrId::parse(path).unwrap())
}

impl Store {
    async fn new() -> Self {
        let engine = Schema::new().engine();
        let meta = Meta::new(engine.clone());
        let account = Account {
            id: AccountId::from_stored("dbid:one"),
            name: "one".into(),
            display_name: Some("One".into()),
            ns: NS,
            created: Micros(0),
            state: AccountState::Active,
        };
        let effects = vec![
            Effect::AddNamespace(Namespace {
                ns: NS,
                journal: JournalId(0),
                used: 0,
                quota: None,
            }),
            Effect::AddAccount(account.clone()),
        ];
        meta.transact(Unconditional(effects)).await.unwrap();
        let sys = Sys {
            clock: Arc::new(ManualClock::at(Micros(1_000_000_000))),
            ..Sys::real()
        };
        let blobs: Arc<dyn BlobStore> = Arc::new(MemoryBlobs::new(Arc::clone(&sys.random)));
        let service = Service::new(meta, blobs, sys, Numbering::default(), None).await;
        Self {
            service: service.unwrap(),
            engine,
            caller: Caller {
                account,
                scopes: Vec::new(),
                limited: false,
            },
        }
    }

    /// What this takes.
    async fn flights<T>(&self, what: impl Future<Output = T>) -> (T, Flights) {
        let before = self.engine.flights().await.unwrap();
        let done = what.await;
        let after = self.engine.flights().await.unwrap();
        let flights = Flights {
            changes: after.0 - before.0,
            questions: after.1 - before.1,
        };
        (done, flights)
    }

    async fn start(&self, concurrent: bool, bytes: &'static str) -> SessionId {
        let arg = UploadSessionStartArg {
            close: false,
            session_type: concurrent.then_some(UploadSessionType::Concurrent),
            content_hash: None,
        };
        let mut body = Body::of(bytes);
        let started = self.service.start(&self.caller, &arg, &mut body);
        started.await.unwrap().session_id
    }

    async fn append(&self, session: &SessionId, offset: u64, bytes: Bytes, close: bool) {
        let arg = UploadSessionAppendArg {
            cursor: cursor(session, offset),
            close,
            content_hash: None,
        };
        let mut body = Body::of(bytes);
        let appended = self.service.append(&self.caller, arg, &mut body);
        appended.await.unwrap();
    }

    async fn finish(
        &self,
        session: &SessionId,
        offset: u64,
        commit: CommitInfo,
        mut body: Body,
    ) -> Result<FileMetadata, String> {
        let arg = UploadSessionFinishArg {
            cursor: cursor(session, offset),
            commit,
            content_hash: None,
        };
        let finished = self.service.finish(&self.caller, arg, &mut body).await;
        finished.map_err(|error| format!("{error:?}"))
    }

    /// Saves `bytes` in a session of their own.
    async fn save(
        &self,
        commit: CommitInfo,
        bytes: &'static str,
    ) -> (Result<FileMetadata, String>, Flights) {
        let session = self.start(false, "begun ").await;
        let finish = self.finish(&session, 6, commit, Body::of(bytes));
        self.flights(finish).await
    }
}

/// Does something for the first time, and for the second, and tells what that took.
async fn second<T>(mut what: impl AsyncFnMut(u32) -> T) -> T {
    what(1).await;
    what(2).await
}

#[tokio::test]
async fn an_append_takes_two_flights() {
    let store = Store::new().await;
    // In the metadata, and in a file whose writer must be alive.
    for length in [10, 100_000] {
        let (session, bytes) = (store.start(false, "").await, Bytes::from(vec![7; length]));
        let took = second(async |nth| {
            let offset = (nth - 1) as u64 * length as u64;
            let append = store.append(&session, offset, bytes.clone(), false);
            store.flights(append).await.1
        });
        assert_eq!(took.await, TWO_AND_A_LOOK, "{length}");
    }
}

#[tokio::test]
async fn an_append_of_a_piece_in_any_order_takes_two_flights() {
    let store = Store::new().await;
    let session = store.start(true, "").await;
    let block = Bytes::from(vec![7; 4 * 1024 * 1024]);
    let took = second(async |nth| {
        let offset = u64::from(3 - nth) * block.len() as u64;
        let append = store.append(&session, offset, block.clone(), false);
        store.flights(append).await.1
    });
    assert_eq!(took.await, TWO_AND_A_LOOK);
}

#[tokio::test]
async fn an_append_to_many_sessions_takes_two_flights() {
    let store = Store::new().await;
    let took = second(async |_| {
        let mut entries = Vec::new();
        for nth in 0..20 {
            let concurrent = nth % 2 == 0;
            entries.push(UploadSessionAppendBatchArgEntry {
                cursor: cursor(&store.start(concurrent, "").await, 0),
                length: 3,
                // A piece that is no whole block must be the last one.
                close: concurrent,
            });
        }
        let arg = UploadSessionAppendBatchArg {
            entries: Batch::new(entries).unwrap(),
            content_hash: None,
        };
        let mut body = Body::of(vec![7; 60]);
        let append = store.service.append_batch(&store.caller, arg, &mut body);
        let (answer, flights) = store.flights(append).await;
        let answer = format!("{:?}", answer.unwrap());
        assert_eq!(answer.matches("Success").count(), 20, "{answer}");
        flights
    });
    assert_eq!(took.await, TWO_AND_A_LOOK);
}

#[tokio::test]
async fn a_finish_takes_two_flights_however_it_ends() {
    let store = Store::new().await;
    let took = second(async |nth| {
        let path = format!("/dir/file {nth}.txt");
        // Into a folder that isn't there at first.
        let (first, added) = store.save(commit(&path), "one").await;
        let first = first.unwrap();

        let deep = commit(&format!("/new {nth}/newer/newest/file"));
        let (deep, made_folders) = store.save(deep, "one").await;
        deep.unwrap();

        let renamed = CommitInfo {
            autorename: true,
            ..commit(&path)
        };
        let (other, renamed) = store.save(renamed, "other").await;
        assert_eq!(other.unwrap().name, format!("file {nth} (2).txt"));

        let by_id = |mode, autorename| CommitInfo {
            mode,
            autorename,
            ..commit(first.id.as_str())
        };
        let mode = WriteMode::Update(first.rev.clone());
        let (second, updated) = store.save(by_id(mode.clone(), false), "two").await;
        let second = second.unwrap();
        assert_eq!((&second.id, second.rev == first.rev), (&first.id, false));

        // The rev is an old one now.
        let (copy, copied) = store.save(by_id(mode, true), "three").await;
        assert_eq!(
            copy.unwrap().name,
            format!("file {nth} (One's conflicted copy).txt")
        );

        let current = CommitInfo {
            mode: WriteMode::Update(second.rev),
            ..commit(&path)
        };
        let (third, updated_by_path) = store.save(current, "four").await;
        assert_eq!(third.unwrap().id, first.id);
        [
            added,
            made_folders,
            renamed,
            updated,
            copied,
            updated_by_path,
        ]
    });
    assert_eq!(took.await, [TWO_AND_A_LOOK; 6]);
}

#[tokio::test]
async fn a_finish_below_an_id_takes_two_flights() {
    let store = Store::new().await;
    let took = second(async |nth| {
        let (file, _) = store.save(commit(&format!("/dir {nth}/file")), "one").await;
        file.unwrap();
        let dir = store
            .service
            .meta
            .read(move |loads: &mut dyn Loads| {
                let key = DisplayPath::parse(&format!("/dir {nth}")).unwrap();
                loads.node(NS, &key.key())
            })
            .await;
        let Entry::Folder(id) = dir.unwrap().unwrap().entry else {
            panic!("no folder");
        };
        let below = CommitInfo {
            autorename: true,
            ..commit(&format!("{}/FILE", id.as_str()))
        };
        let (beside, conflict) = store.save(below.clone(), "two").await;
        let path = beside.unwrap().path_display.unwrap();
        assert_eq!(path, format!("/dir {nth}/FILE (2)"));
        let deeper = commit(&format!("{}/sub/file", id.as_str()));
        let (deeper, made_folder) = store.save(deeper, "three").await;
        let path = deeper.unwrap().path_display.unwrap();
        assert_eq!(path, format!("/dir {nth}/sub/file"));
        let nowhere = commit(&format!("{}/sub/file", "id:AAAAAAAAAAAAAAAAAAAAAA"));
        let (refused, nowhere) = store.save(nowhere, "four").await;
        assert!(refused.unwrap_err().contains("MalformedPath"));
        [conflict, made_folder, nowhere]
    });
    assert_eq!(took.await, [TWO_AND_A_LOOK; 3]);
}

#[tokio::test]
async fn a_finish_that_is_refused_for_its_path_keeps_the_body_in_two_flights() {
    let store = Store::new().await;
    let took = second(async |nth| {
        let path = format!("/file {nth}");
        let (file, _) = store.save(commit(&path), "one").await;
        file.unwrap();
        let session = store.start(false, "begun ").await;
        let finish = store.finish(&session, 6, commit(&path), Body::of("other"));
        let (refused, flights) = store.flights(finish).await;
        let refused = refused.unwrap_err();
        assert!(refused.contains("Conflict"), "{refused}");
        let account = store.caller.account.id.clone();
        let kept = store
            .service
            .meta
            .read(move |loads: &mut dyn Loads| loads.session(&account, &session))
            .await;
        let kept = kept.unwrap().unwrap();
        assert_eq!((kept.stored(), kept.state), (11, SessionState::Open));
        flights
    });
    assert_eq!(took.await, TWO_AND_A_LOOK);
}

#[tokio::test]
async fn a_repeated_finish_is_answered_by_the_look() {
    let store = Store::new().await;
    let took = second(async |nth| {
        let session = store.start(false, "all").await;
        let path = format!("/file {nth}");
        let finish = || store.finish(&session, 3, commit(&path), Body::of(""));
        let first = finish().await.unwrap();
        let (again, flights) = store.flights(finish()).await;
        assert_eq!(again.unwrap(), first);
        flights
    });
    let expected = Flights {
        changes: 0,
        questions: 2,
    };
    assert_eq!(took.await, expected);
}

#[tokio::test]
async fn a_finish_that_finds_itself_done_takes_one_flight_and_leaves() {
    let store = Store::new().await;
    let took = second(async |nth| {
        let session = store.start(false, "all").await;
        // Both look before either is decided.
        let both_looked = Arc::new(Barrier::new(2));
        let path = format!("/file {nth}");
        let finish = || {
            let body = Body {
                bytes: None,
                meets: Some(Arc::clone(&both_looked)),
            };
            store.finish(&session, 3, commit(&path), body)
        };
        let both = join(finish(), finish());
        let ((one, other), flights) = store.flights(both).await;
        assert_eq!(one.unwrap(), other.unwrap());
        flights
    });
    // Two flights of the first; a load of the second, and the end of its transaction.
    let expected = Flights {
        changes: 4,
        questions: 4,
    };
    assert_eq!(took.await, expected);
}

#[tokio::test]
async fn a_finish_of_pieces_in_any_order_takes_two_flights() {
    let store = Store::new().await;
    let took = second(async |nth| {
        let session = store.start(true, "").await;
        store
            .append(&session, 0, Bytes::from_static(b"all"), true)
            .await;
        let finish = store.finish(&session, 3, commit(&format!("/file {nth}")), Body::of(""));
        let (file, flights) = store.flights(finish).await;
        assert_eq!(file.unwrap().size, 3);
        flights
    });
    assert_eq!(took.await, TWO_AND_A_LOOK);
}

/// What is still to be done: each entry is a transaction of its own.
#[tokio::test]
async fn a_finish_of_many_takes_two_flights_for_each() {
    let store = Store::new().await;
    let took = second(async |nth| {
        let mut entries = Vec::new();
        for which in 0..5 {
            let session = store.start(false, "").await;
            store
                .append(&session, 0, Bytes::from_static(b"all"), true)
                .await;
            entries.push(UploadSessionFinishArg {
                cursor: cursor(&session, 3),
                commit: commit(&format!("/{nth}/{which}")),
                content_hash: None,
            });
        }
        let arg = UploadSessionFinishBatchArg {
            entries: Batch::new(entries).unwrap(),
        };
        let finish = store.service.finish_batch(&store.caller, arg);
        let (answer, flights) = store.flights(finish).await;
        let answer = format!("{:?}", answer.unwrap());
        assert_eq!(answer.matches("Success").count(), 5, "{answer}");
        flights
    });
    let expected = Flights {
        changes: 10,
        questions: 2,
    };
    assert_eq!(took.await, expected);
}

/// Who asks one thing after the other is told.
#[tokio::test]
async fn loads_one_by_one_take_a_flight_each() {
    let store = Store::new().await;
    let took = second(async |_| {
        let question = |loads: &mut dyn Loads| {
            loads.namespace(NS)?;
            loads.revision(NS, &Rev::from_stored("123456789"))?;
            loads.namespace(NS)
        };
        let (counters, flights) = store.flights(store.service.meta.read(question)).await;
        counters.unwrap();
        flights
    });
    // And the end of the transaction.
    assert_eq!(took.await.questions, 4);
}
