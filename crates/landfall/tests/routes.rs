//! The routes beyond a single upload, typed, against the server: batches, jobs, and waiting for
//! changes.

use landfall::protocol::errors::Class;
use landfall::protocol::path::{PathROrId, WritePathOrId};
use landfall::protocol::types::batches::{
    PollArg, PollError, UploadSessionAppendBatchArg, UploadSessionAppendBatchArgEntry,
    UploadSessionAppendBatchEntryError, UploadSessionAppendBatchError,
    UploadSessionAppendBatchResultEntry, UploadSessionFinishBatchArg,
    UploadSessionFinishBatchJobStatus, UploadSessionFinishBatchLaunch,
    UploadSessionFinishBatchResultEntry, UploadSessionStartBatchArg,
};
use landfall::protocol::types::bounds::{Batch, Within};
use landfall::protocol::types::files::{
    CommitInfo, FileMetadata, Metadata, UploadArg, WriteConflictError, WriteError,
};
use landfall::protocol::types::folders::{
    ListFolderArg, ListFolderContinueArg, ListFolderCursor, ListFolderLongpollArg, LongpollTimeout,
};
use landfall::protocol::types::sessions::{
    UploadSessionAppendArg, UploadSessionAppendError, UploadSessionCursor, UploadSessionFinishArg,
    UploadSessionFinishError, UploadSessionLookupError, UploadSessionOffsetError,
    UploadSessionType,
};
use landfall::protocol::{AsyncJobId, ContentHash, SessionId};
use landfall::{Client, Endpoint, Secret, Timeouts};
use landfall_testkit::faults::{Plan, Proxy};
use landfall_testkit::{Stores, TestServer};
use std::time::Duration;

fn with_server<F: Future<Output = ()>>(test: impl FnOnce(TestServer) -> F) {
    TestServer::run(Stores::Memory, test);
}

fn at(url: &str, server: &TestServer) -> Client {
    let token = Secret::new(server.token().to_owned());
    Client::new(Endpoint::at(url).unwrap(), token).unwrap()
}

async fn sessions(client: &Client, count: u64) -> Vec<SessionId> {
    let arg = UploadSessionStartBatchArg {
        session_type: None,
        num_sessions: Within::new(count),
    };
    let started = client.upload_session_start_batch(&arg).await.unwrap();
    started.value.session_ids
}

fn cursor(session: &SessionId, offset: u64) -> UploadSessionCursor {
    UploadSessionCursor {
        session_id: session.clone(),
        offset,
    }
}

fn part(session: &SessionId, offset: u64, length: u64) -> UploadSessionAppendBatchArgEntry {
    UploadSessionAppendBatchArgEntry {
        cursor: cursor(session, offset),
        length,
        close: true,
    }
}

fn parts(entries: Vec<UploadSessionAppendBatchArgEntry>) -> UploadSessionAppendBatchArg {
    UploadSessionAppendBatchArg {
        entries: Batch::new(entries).unwrap(),
        content_hash: None,
    }
}

fn finish(session: &SessionId, offset: u64, path: &str) -> UploadSessionFinishArg {
    UploadSessionFinishArg {
        cursor: cursor(session, offset),
        commit: CommitInfo::new(WritePathOrId::parse(path).unwrap()),
        content_hash: None,
    }
}

fn finishes(entries: Vec<UploadSessionFinishArg>) -> UploadSessionFinishBatchArg {
    UploadSessionFinishBatchArg {
        entries: Batch::new(entries).unwrap(),
    }
}

fn saved(entry: &UploadSessionFinishBatchResultEntry) -> &FileMetadata {
    match entry {
        UploadSessionFinishBatchResultEntry::Success(file) => file,
        UploadSessionFinishBatchResultEntry::Failure(error) => panic!("{error:?}"),
    }
}

#[test]
fn many_files_go_up_in_three_requests_and_each_has_its_verdict() {
    with_server(async |server| {
        let proxy = Proxy::start(server.address(), Plan::new()).await;
        let client = at(&proxy.url(), &server);
        server.calls().put("/taken", "somebody's").await;
        let ids = sessions(&client, 4).await;
        assert_eq!(ids.len(), 4);

        let batch = parts(vec![
            part(&ids[0], 0, 3),
            part(&ids[1], 1, 2),
            part(&ids[2], 0, 0),
            part(&SessionId::from_stored("unknown"), 0, 1),
            part(&ids[3], 0, 4),
        ]);
        let appended = client
            .upload_session_append_batch(&batch, "onexx?four")
            .await
            .unwrap();
        use UploadSessionAppendBatchResultEntry::{Failure, Success};
        let wrong = UploadSessionOffsetError { correct_offset: 0 };
        assert_eq!(
            appended.value.entries,
            [
                Success,
                Failure(UploadSessionAppendBatchEntryError::IncorrectOffset(wrong)),
                Success,
                Failure(UploadSessionAppendBatchEntryError::NotFound),
                Success,
            ]
        );

        let batch = finishes(vec![
            finish(&ids[0], 3, "/one"),
            finish(&ids[1], 0, "/open"),
            finish(&ids[2], 0, "/empty"),
            finish(&ids[3], 4, "/taken"),
        ]);
        let finished = client
            .upload_session_finish_batch(&batch)
            .await
            .unwrap()
            .value
            .entries;
        assert_eq!((saved(&finished[0]).size, saved(&finished[2]).size), (3, 0));
        let failure = |entry: &UploadSessionFinishBatchResultEntry| match entry {
            UploadSessionFinishBatchResultEntry::Failure(error) => error.clone(),
            UploadSessionFinishBatchResultEntry::Success(file) => panic!("{file:?}"),
        };
        let open = UploadSessionLookupError::NotClosed;
        assert_eq!(
            failure(&finished[1]),
            UploadSessionFinishError::LookupFailed(open)
        );
        let conflict = WriteError::Conflict(WriteConflictError::File);
        assert_eq!(
            failure(&finished[3]),
            UploadSessionFinishError::Path(conflict)
        );
        assert_eq!(finished.len(), 4);

        assert_eq!(server.calls().tree().await, ["/empty", "/one", "/taken"]);
        assert_eq!(server.calls().read("/one").await, "one");
        assert_eq!(proxy.finish().values().sum::<u32>(), 3);
    });
}

#[test]
fn a_batch_whose_parts_do_not_add_up_is_refused_whole() {
    with_server(async |server| {
        let client = at(&server.url(), &server);
        let ids = sessions(&client, 1).await;
        let batch = parts(vec![part(&ids[0], 0, 3)]);
        let error = client
            .upload_session_append_batch(&batch, "four")
            .await
            .unwrap_err();
        let mismatch = UploadSessionAppendBatchError::LengthMismatch;
        assert_eq!(
            (error.route_error(), error.class()),
            (Some(&mismatch), Class::Permanent)
        );

        let mut batch = parts(vec![part(&ids[0], 0, 4)]);
        batch.content_hash = Some(ContentHash::of(b"five").into());
        let error = client
            .upload_session_append_batch(&batch, "four")
            .await
            .unwrap_err();
        let damaged = UploadSessionAppendBatchError::ContentHashMismatch;
        assert_eq!(
            (error.route_error(), error.class()),
            (Some(&damaged), Class::Temporary)
        );

        batch.content_hash = Some(ContentHash::of(b"four").into());
        let appended = client
            .upload_session_append_batch(&batch, "four")
            .await
            .unwrap();
        assert_eq!(
            appended.value.entries,
            [UploadSessionAppendBatchResultEntry::Success]
        );
    });
}

#[test]
fn a_job_is_asked_until_it_is_done() {
    with_server(async |server| {
        let client = at(&server.url(), &server);
        let ids = sessions(&client, 2).await;
        let batch = parts(vec![part(&ids[0], 0, 1), part(&ids[1], 0, 1)]);
        client
            .upload_session_append_batch(&batch, "ab")
            .await
            .unwrap();
        let batch = finishes(vec![finish(&ids[0], 1, "/a"), finish(&ids[1], 1, "/b")]);
        let launched = client
            .upload_session_finish_batch_v1(&batch)
            .await
            .unwrap()
            .value;
        let entries = match launched {
            UploadSessionFinishBatchLaunch::Complete(result) => result.entries,
            UploadSessionFinishBatchLaunch::AsyncJobId(job) => {
                let arg = PollArg { async_job_id: job };
                loop {
                    let status = client
                        .upload_session_finish_batch_check(&arg)
                        .await
                        .unwrap();
                    match status.value {
                        UploadSessionFinishBatchJobStatus::Complete(result) => {
                            break result.entries;
                        }
                        UploadSessionFinishBatchJobStatus::InProgress => {
                            tokio::time::sleep(Duration::from_millis(1)).await;
                        }
                    }
                }
            }
            UploadSessionFinishBatchLaunch::Other => panic!("newer than this code"),
        };
        let names: Vec<_> = entries
            .iter()
            .map(|entry| saved(entry).name.as_str())
            .collect();
        assert_eq!(names, ["a", "b"]);

        let unknown = PollArg {
            async_job_id: AsyncJobId::from_stored("unknown"),
        };
        let error = client
            .upload_session_finish_batch_check(&unknown)
            .await
            .unwrap_err();
        assert_eq!(error.route_error(), Some(&PollError::InvalidAsyncJobId));
    });
}

#[test]
fn the_older_routes_do_the_same() {
    with_server(async |server| {
        let client = at(&server.url(), &server);
        let arg = UploadArg {
            commit: CommitInfo::new(WritePathOrId::parse("/old").unwrap()),
            content_hash: None,
        };
        assert_eq!(
            client.alpha_upload(&arg, "old").await.unwrap().value.name,
            "old"
        );

        let session = SessionId::from_stored(server.calls().start("{}", "one ").await);
        let there = cursor(&session, 4);
        client
            .upload_session_append_v1(&there, "two")
            .await
            .unwrap();
        let error = client
            .upload_session_append_v1(&there, "two")
            .await
            .unwrap_err();
        let right = UploadSessionOffsetError { correct_offset: 7 };
        let wanted = UploadSessionAppendError::IncorrectOffset(right);
        assert_eq!(
            (error.route_error(), error.class()),
            (Some(&wanted), Class::AskTheOffset)
        );
        client
            .upload_session_finish(&finish(&session, 7, "/one"), "")
            .await
            .unwrap();
        assert_eq!(server.calls().read("/one").await, "one two");
    });
}

#[test]
fn a_concurrent_session_takes_its_pieces_in_any_order() {
    with_server(async |server| {
        let client = at(&server.url(), &server);
        let arg = UploadSessionStartBatchArg {
            session_type: Some(UploadSessionType::Concurrent),
            num_sessions: Within::new(1),
        };
        let started = client.upload_session_start_batch(&arg).await.unwrap();
        let session = &started.value.session_ids[0];
        let block = vec![7; 4 * 1024 * 1024];
        let size = block.len() as u64;
        let mut piece = UploadSessionAppendArg {
            cursor: cursor(session, size),
            close: true,
            content_hash: None,
        };
        client.upload_session_append(&piece, "tail").await.unwrap();
        piece.cursor.offset = 0;
        piece.close = false;
        client.upload_session_append(&piece, block).await.unwrap();
        let saved = client
            .upload_session_finish(&finish(session, size + 4, "/big"), "")
            .await;
        assert_eq!(saved.unwrap().value.size, size + 4);
    });
}

fn folder(path: &str) -> ListFolderArg {
    ListFolderArg {
        path: PathROrId::parse(path).unwrap(),
        recursive: true,
        include_media_info: false,
        include_deleted: false,
        include_has_explicit_shared_members: false,
        include_mounted_folders: true,
        limit: None,
        shared_link: None,
        include_property_groups: None,
        include_non_downloadable_files: true,
        include_restorable_info: false,
    }
}

async fn latest(client: &Client) -> ListFolderCursor {
    let latest = client.list_folder_get_latest_cursor(&folder("")).await;
    latest.unwrap().value.cursor
}

fn longpoll(cursor: &ListFolderCursor) -> ListFolderLongpollArg {
    ListFolderLongpollArg {
        cursor: cursor.clone(),
        timeout: LongpollTimeout::LEAST,
    }
}

#[test]
fn a_change_after_the_latest_cursor_ends_a_longpoll_and_is_listed() {
    with_server(async |server| {
        let client = at(&server.url(), &server);
        server.calls().put("/before", "x").await;
        let cursor = latest(&client).await;
        let waiting = {
            let (client, arg) = (client.clone(), longpoll(&cursor));
            tokio::spawn(async move { client.list_folder_longpoll(&arg).await })
        };
        server.calls().put("/after", "x").await;
        let woken = waiting.await.unwrap().unwrap().value;
        assert!(woken.changes);
        let listed = client
            .list_folder_continue(&ListFolderContinueArg { cursor })
            .await;
        let listed = listed.unwrap().value.entries;
        let names: Vec<_> = listed.iter().map(Metadata::name).collect();
        assert_eq!(names, ["after"]);
    });
}

/// The service takes its time because it was asked to.
#[test]
fn a_longpoll_is_waited_for_longer_than_other_answers() {
    with_server(async |server| {
        let (plan, mut gate) = Plan::new().hold("files/list_folder/longpoll", 1);
        let proxy = Proxy::start(server.address(), plan).await;
        let cursor = latest(&at(&server.url(), &server)).await;
        server.calls().put("/after", "x").await;
        let short = Duration::from_millis(100);
        let token = Secret::new(server.token().to_owned());
        let client = Client::builder(Endpoint::at(&proxy.url()).unwrap(), token)
            .timeouts(Timeouts {
                answer: short,
                ..Timeouts::default()
            })
            .build()
            .unwrap();
        let waiting =
            tokio::spawn(async move { client.list_folder_longpoll(&longpoll(&cursor)).await });
        let head = gate.reached().await.to_lowercase();
        assert!(!head.contains("authorization"), "{head}");
        tokio::time::sleep(5 * short).await;
        gate.open();
        assert!(waiting.await.unwrap().unwrap().value.changes);
        proxy.finish();
    });
}
