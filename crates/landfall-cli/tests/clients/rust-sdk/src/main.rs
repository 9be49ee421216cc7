//! The official Rust SDK, with its own asynchronous client, through all that has to do with
//! saving files. `LANDFALL_TOKEN` says who calls; it ends with a line `done`, or with the
//! assertion that failed.

use bytes::Bytes;
use dropbox_sdk::Error;
use dropbox_sdk::async_routes::{check, files, users};
use dropbox_sdk::default_async_client::{NoauthDefaultClient, UserAuthDefaultClient};
use dropbox_sdk::oauth2::Authorization;
use dropbox_sdk::types::check::EchoArg;
use dropbox_sdk::types::files::*;
use dropbox_sdk::types::users::GetAccountArg;
use futures::AsyncReadExt;
use std::fmt::Debug;

const MIB: usize = 1024 * 1024;

type Client = UserAuthDefaultClient;

/// Tokens that never end are what an operator gives out.
#[expect(deprecated)]
fn client(token: String) -> Client {
    Client::new(Authorization::from_long_lived_access_token(token))
}

fn pattern(length: usize, seed: usize) -> Bytes {
    (0..length)
        .map(|n| ((n + seed) * (n / 251 + 7) % 253) as u8)
        .collect()
}

/// The API's own error.
fn refused<T: Debug, E: Debug>(outcome: Result<T, Error<E>>) -> E {
    match outcome {
        Err(Error::Api(error)) => error,
        other => panic!("not the API's own error: {other:?}"),
    }
}

async fn content(client: &Client, path: &str, range: Option<(u64, u64)>) -> Vec<u8> {
    let (start, end) = range.unzip();
    let arg = DownloadArg::new(path.into());
    let answer = files::download(client, &arg, start, end).await.unwrap();
    let mut bytes = Vec::new();
    answer.body.unwrap().read_to_end(&mut bytes).await.unwrap();
    bytes
}

fn add(path: &str) -> CommitInfo {
    CommitInfo::new(path.into())
}

async fn account(client: &Client) {
    let me = users::get_current_account(client).await.unwrap();
    let again = users::get_account(client, &GetAccountArg::new(me.account_id.clone())).await;
    assert_eq!(again.unwrap().name, me.name);
    assert!(users::get_space_usage(client).await.unwrap().used < u64::MAX);
    let echo = EchoArg::default().with_query("is it you?".into());
    assert_eq!(
        check::user(client, &echo).await.unwrap().result,
        "is it you?"
    );

    let outcome = users::get_current_account(&self::client("no-such-token".into())).await;
    assert!(
        matches!(outcome, Err(Error::Authentication(_))),
        "{outcome:?}"
    );
    let arg = GetMetadataArg::new("no-path".into());
    let outcome = files::get_metadata(client, &arg).await;
    assert!(matches!(outcome, Err(Error::BadRequest(_))), "{outcome:?}");
}

async fn upload(client: &Client) {
    let data = pattern(100_000, 1);
    let path = "/Straße – 東京/über \"alles\".bin";
    let arg = UploadArg::new(path.into()).with_mute(true);
    let saved = files::upload(client, &arg, data.clone()).await.unwrap();
    assert_eq!(
        (saved.size, saved.name.as_str()),
        (100_000, "über \"alles\".bin")
    );
    assert_eq!(content(client, path, None).await, data);
    assert_eq!(content(client, path, Some((10, 19))).await, data[10..20]);

    let other = files::upload(client, &arg, Bytes::from_static(b"other")).await;
    let UploadError::Path(failed) = refused(other) else {
        panic!()
    };
    assert!(matches!(
        failed.reason,
        WriteError::Conflict(WriteConflictError::File)
    ));
    assert!(!failed.upload_session_id.is_empty());
    let rename = arg.clone().with_autorename(true);
    let renamed = files::upload(client, &rename, Bytes::from_static(b"other"))
        .await
        .unwrap();
    assert_eq!(renamed.name, "über \"alles\" (2).bin");
    let update = arg.with_mode(WriteMode::Update(saved.rev.clone()));
    let updated = files::upload(client, &update, Bytes::from_static(b"newer"))
        .await
        .unwrap();
    assert_eq!(updated.id, saved.id);
    let empty = UploadArg::new("/empty".into());
    assert_eq!(
        files::upload(client, &empty, Bytes::new())
            .await
            .unwrap()
            .size,
        0
    );
}

async fn sessions(client: &Client) {
    let data = pattern(9 * MIB + 5, 2);
    let start = UploadSessionStartArg::default();
    let session = files::upload_session_start(client, &start, data.slice(..MIB))
        .await
        .unwrap();
    let at = |offset: usize| UploadSessionCursor::new(session.session_id.clone(), offset as u64);
    let append = UploadSessionAppendArg::new(at(MIB));
    let piece = data.slice(MIB..9 * MIB);
    files::upload_session_append_v2(client, &append, piece.clone())
        .await
        .unwrap();
    let again = files::upload_session_append_v2(client, &append, piece).await;
    match refused(again) {
        UploadSessionAppendError::IncorrectOffset(right) => {
            assert_eq!(right.correct_offset, 9 * MIB as u64);
        }
        other => panic!("{other:?}"),
    }
    let finish = UploadSessionFinishArg::new(at(9 * MIB), add("/sequential.bin"));
    let tail = data.slice(9 * MIB..);
    let saved = files::upload_session_finish(client, &finish, tail.clone())
        .await
        .unwrap();
    assert_eq!(
        files::upload_session_finish(client, &finish, tail)
            .await
            .unwrap(),
        saved
    );
    assert_eq!(content(client, "/sequential.bin", None).await, data);

    let gone = UploadSessionCursor::new("no-such-session".into(), 0);
    let gone = UploadSessionFinishArg::new(gone, add("/gone"));
    let outcome = files::upload_session_finish(client, &gone, Bytes::new()).await;
    assert_eq!(
        refused(outcome),
        UploadSessionFinishError::LookupFailed(UploadSessionLookupError::NotFound)
    );
}

async fn concurrent(client: &Client) {
    let data = pattern(13 * MIB, 3);
    let start = UploadSessionStartArg::default().with_session_type(UploadSessionType::Concurrent);
    let session = files::upload_session_start(client, &start, Bytes::new())
        .await
        .unwrap();
    let append = async |begin: usize, close: bool| {
        let cursor = UploadSessionCursor::new(session.session_id.clone(), begin as u64);
        let piece = data.slice(begin..data.len().min(begin + 4 * MIB));
        let arg = UploadSessionAppendArg::new(cursor).with_close(close);
        files::upload_session_append_v2(client, &arg, piece)
            .await
            .unwrap();
    };
    tokio::join!(
        append(8 * MIB, false),
        append(0, false),
        append(4 * MIB, false)
    );
    append(12 * MIB, true).await;
    let cursor = UploadSessionCursor::new(session.session_id.clone(), data.len() as u64);
    let finish = UploadSessionFinishArg::new(cursor, add("/concurrent.bin"));
    files::upload_session_finish(client, &finish, Bytes::new())
        .await
        .unwrap();
    assert_eq!(content(client, "/concurrent.bin", None).await, data);
}

async fn batches(client: &Client) {
    let started = UploadSessionStartBatchArg::new(3);
    let sessions = files::upload_session_start_batch(client, &started)
        .await
        .unwrap()
        .session_ids;
    let cursor = |nth: usize, offset| UploadSessionCursor::new(sessions[nth].clone(), offset);
    let entries = (0..3)
        .map(|n| UploadSessionAppendBatchArgEntry::new(cursor(n, 0), 5).with_close(true))
        .collect();
    let append = UploadSessionAppendBatchArg::new(entries);
    let body = Bytes::from_static(b"zero.one..two..");
    let verdicts = files::upload_session_append_batch(client, &append, body)
        .await
        .unwrap();
    let success = |verdict: &_| matches!(verdict, UploadSessionAppendBatchResultEntry::Success);
    assert!(verdicts.entries.iter().all(success));
    let finishes = (0..3)
        .map(|n| UploadSessionFinishArg::new(cursor(n, 5), add(&format!("/batch/{n}"))))
        .collect();
    let finish = UploadSessionFinishBatchArg::new(finishes);
    let done = files::upload_session_finish_batch_v2(client, &finish)
        .await
        .unwrap();
    let saved = |entry: &_| matches!(entry, UploadSessionFinishBatchResultEntry::Success(_));
    assert!(done.entries.iter().all(saved) && done.entries.len() == 3);
    assert_eq!(content(client, "/batch/1", None).await, b"one..");
}

async fn tree(client: &Client) {
    let put = async |path: &str, text: &'static str| {
        let arg = UploadArg::new(path.into()).with_mode(WriteMode::Overwrite);
        files::upload(client, &arg, Bytes::from_static(text.as_bytes()))
            .await
            .unwrap()
    };
    for nth in 0..10 {
        put(&format!("/tree/{}/{nth}.txt", nth % 2), "leaf").await;
    }
    let list = ListFolderArg::new("/tree".into())
        .with_recursive(true)
        .with_limit(3);
    let mut page = files::list_folder(client, &list).await.unwrap();
    let mut entries = page.entries;
    while page.has_more {
        let more = ListFolderContinueArg::new(page.cursor.clone());
        page = files::list_folder_continue(client, &more).await.unwrap();
        entries.append(&mut page.entries);
    }
    let folders = entries
        .iter()
        .filter(|entry| matches!(entry, Metadata::Folder(_)))
        .count();
    assert_eq!((entries.len(), folders), (12, 2));

    let relocation = |from: &str, to: &str| RelocationArg::new(from.into(), to.into());
    files::move_v2(client, &relocation("/tree/0", "/moved"))
        .await
        .unwrap();
    files::copy_v2(client, &relocation("/moved/0.txt", "/copy.txt"))
        .await
        .unwrap();
    let outcome = files::move_v2(client, &relocation("/nowhere", "/there")).await;
    assert_eq!(
        refused(outcome),
        RelocationError::FromLookup(LookupError::NotFound)
    );
    let wait = ListFolderLongpollArg::new(page.cursor.clone());
    let waited = files::list_folder_longpoll(&NoauthDefaultClient::default(), &wait).await;
    assert!(waited.unwrap().changes);
    let more = ListFolderContinueArg::new(page.cursor);
    let changes = files::list_folder_continue(client, &more)
        .await
        .unwrap()
        .entries;
    assert!(
        changes
            .iter()
            .any(|entry| matches!(entry, Metadata::Deleted(_)))
    );

    let first = put("/history", "one").await;
    put("/history", "two").await;
    files::delete_v2(client, &DeleteArg::new("/history".into()))
        .await
        .unwrap();
    let history = ListRevisionsArg::new("/history".into());
    let history = files::list_revisions(client, &history).await.unwrap();
    assert!(history.is_deleted && history.entries.len() == 2);
    let restore = RestoreArg::new("/history".into(), first.rev);
    files::restore(client, &restore).await.unwrap();
    assert_eq!(content(client, "/history", None).await, b"one");
    let made = files::create_folder_v2(client, &CreateFolderArg::new("/made".into())).await;
    assert_eq!(made.unwrap().metadata.name, "made");
}

#[tokio::main]
async fn main() {
    let token = std::env::var("LANDFALL_TOKEN").expect("LANDFALL_TOKEN");
    let client = client(token);
    account(&client).await;
    upload(&client).await;
    sessions(&client).await;
    concurrent(&client).await;
    batches(&client).await;
    tree(&client).await;
    println!("done");
}
