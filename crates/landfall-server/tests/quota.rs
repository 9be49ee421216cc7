//! Quotas: nobody fills the disk beyond theirs, not by uploads that are never finished either.

use bytes::Bytes;
use futures_util::stream;
use landfall_testkit::{Answer, Body, Calls, TestServer, on_each_store, pattern};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpStream;

/// Larger than what is stored in the metadata, so that it is a blob of its own.
const LARGE: usize = 100_000;

async fn quota(server: &TestServer, bytes: usize) {
    let admin = server.admin();
    let set = admin.set_quota("panda", Some(bytes as u64)).await;
    set.expect("the account");
}

/// That the account is full is said by status and in plain words.
#[track_caller]
fn assert_full(answer: &Answer, quota: usize, used: usize, unfinished: usize) {
    assert_eq!(answer.status, 507, "{}", answer.text());
    assert_eq!(
        answer.text(),
        format!(
            "The account is full: its quota is {quota} bytes, \
             {used} are in files and {unfinished} in unfinished uploads. \
             Delete what isn't needed, or ask the operator of the server for more."
        )
    );
    assert_eq!(answer.header("content-type"), "text/plain; charset=utf-8");
}

/// How many blobs there are, after a check that found nothing wrong.
async fn blobs(server: &TestServer) -> u64 {
    let checked = server.upkeep().check(None).await.expect("the check works");
    assert_eq!((checked.problems, checked.strays), (vec![], 0));
    checked.blobs
}

/// A body that doesn't say how long it is.
fn undeclared(bytes: Vec<u8>) -> Body {
    let pieces: Vec<std::io::Result<Bytes>> = bytes
        .chunks(10_000)
        .map(|piece| Ok(Bytes::copy_from_slice(piece)))
        .collect();
    Body::wrap_stream(stream::iter(pieces))
}

async fn start_concurrent(calls: &Calls) -> String {
    calls.start(r#"{"session_type": "concurrent"}"#, "").await
}

on_each_store! {
    async fn unfinished_sessions_count_until_they_end(server: TestServer) {
        let calls = server.calls();
        quota(&server, 100).await;
        calls.put("/file", pattern(1, 30)).await;
        let first = calls.start("{}", pattern(1, 40)).await;
        let refused = calls.upload("files/upload_session/start", "{}", pattern(2, 31)).await;
        assert_full(&refused, 100, 30, 40);
        let second = calls.start("{}", pattern(2, 30)).await;
        assert_full(&calls.append(&first, 40, "x").await, 100, 30, 70);
        assert_eq!(calls.append(&first, 41, "x").await.error(), "incorrect_offset", "it comes first");

        // What needs no room is always possible.
        calls.start("{}", "").await;
        calls.append(&first, 40, "").await.ok();
        server.admin().abort_session("panda", &second).await.expect("it is there");
        calls.append(&first, 40, pattern(3, 10)).await.ok();
        let saved = calls.finish(&first, 50, r#"{"path": "/saved"}"#, "").await.ok();
        assert_eq!(saved["size"], 50);
        calls.delete("/file").await.ok();
        calls.put("/more", pattern(4, 50)).await;
        let refused = calls.upload("files/upload_session/start", "{}", "x").await;
        assert_full(&refused, 100, 100, 0);
    }

    async fn however_many_sessions_are_begun_they_stay_below_the_quota(server: TestServer) {
        let calls = server.calls();
        quota(&server, 10 * LARGE + 7).await;
        let mut begun = 0;
        for nth in 0..15 {
            let body = pattern(nth, LARGE);
            match calls.upload("files/upload_session/start", "{}", body).await.status {
                200 => begun += 1,
                507 => {}
                other => panic!("{other}"),
            }
        }
        assert_eq!(begun, 10);
        assert_eq!(blobs(&server).await, 10);
    }

    async fn without_a_quota_there_is_no_limit_and_others_have_their_own(server: TestServer) {
        let (calls, other) = (server.calls(), server.calls_as("other").await);
        quota(&server, 0).await;
        let refused = calls.upload("files/upload_session/start", "{}", "x").await;
        assert_full(&refused, 0, 0, 0);
        let session = other.start("{}", pattern(1, LARGE)).await;
        other.finish(&session, LARGE, r#"{"path": "/x"}"#, "").await.ok();
        server.admin().set_quota("panda", None).await.unwrap();
        calls.start("{}", "x").await;
    }

    async fn a_commit_says_it_in_the_apis_words_and_keeps_nothing(server: TestServer) {
        let calls = server.calls();
        quota(&server, LARGE).await;
        let refused = calls.upload("files/upload", r#"{"path": "/x"}"#, pattern(1, LARGE + 1)).await;
        assert_eq!(refused.error(), "path/insufficient_space");
        let named = refused.json()["error"]["upload_session_id"].as_str().unwrap().to_owned();
        assert_eq!(blobs(&server).await, 0);
        calls.append(&named, 0, "hello").await.ok();

        let session = calls.start("{}", pattern(1, LARGE - 10)).await;
        let commit = r#"{"path": "/y"}"#;
        let refused = calls.finish(&session, LARGE - 10, commit, pattern(2, 6)).await;
        assert_eq!(refused.error(), "path/insufficient_space");
        assert_eq!(calls.finish(&session, LARGE - 10, commit, "12345").await.ok()["size"], LARGE - 5);
        let last = calls.upload("files/upload", r#"{"path": "/z"}"#, "x").await;
        assert_eq!(last.error(), "path/insufficient_space", "/y, and what hello says, fill it");
    }

    async fn a_file_makes_room_for_what_replaces_it(server: TestServer) {
        let calls = server.calls();
        let old = calls.put("/x", pattern(1, LARGE)).await;
        quota(&server, LARGE).await;
        calls.put("/x", pattern(2, LARGE)).await;
        let overwrite = json!({"path": "/x", "mode": "overwrite"}).to_string();
        let refused = calls.upload("files/upload", &overwrite, pattern(3, LARGE + 1)).await;
        assert_eq!(refused.error(), "path/insufficient_space");
        server.admin().set_quota("panda", None).await.unwrap();
        let begun = calls.start("{}", pattern(3, 10)).await;
        // Over the quota by far, yet smaller than before.
        quota(&server, 10).await;
        let refused = calls.finish(&begun, 10, &overwrite, pattern(3, LARGE - 5)).await;
        assert_eq!(refused.error(), "path/insufficient_space");
        calls.append(&begun, 10, "").await.ok();
        server.admin().abort_session("panda", &begun).await.unwrap();
        let now = calls.put("/x", pattern(4, LARGE - 1)).await;
        let session = calls.start("{}", "").await;
        let update = |rev: &Value| {
            json!({"path": "/x", "mode": {".tag": "update", "update": rev}}).to_string()
        };
        let stale = calls.finish(&session, 0, &update(&old["rev"]), pattern(5, LARGE - 2)).await;
        assert_eq!(stale.error(), "path/insufficient_space", "nothing would be replaced");
        calls.finish(&session, 0, &update(&now["rev"]), pattern(5, LARGE - 2)).await.ok();
        assert!(calls.read("/x").await == pattern(5, LARGE - 2));
        let refused = calls.upload("files/upload", r#"{"path": "/y"}"#, "x").await;
        assert_eq!(refused.error(), "path/insufficient_space");
    }

    async fn a_body_of_unknown_length_is_given_up_once_it_is_too_long(server: TestServer) {
        let calls = server.calls();
        quota(&server, LARGE).await;
        let start = "files/upload_session/start";
        let refused = calls.upload(start, "{}", undeclared(pattern(1, LARGE + 1))).await;
        assert_full(&refused, LARGE, 0, 0);
        let refused = calls.upload("files/upload", r#"{"path": "/x"}"#, undeclared(pattern(1, LARGE + 1))).await;
        assert_eq!(refused.error(), "path/insufficient_space");
        assert_eq!(blobs(&server).await, 0);
        if let Some(dir) = server.directory() {
            for writer in std::fs::read_dir(dir.join("blobs")).unwrap() {
                let files = std::fs::read_dir(writer.unwrap().path()).unwrap();
                assert_eq!(files.count(), 0, "what came of it is gone");
            }
        }
        calls.start("{}", undeclared(pattern(1, LARGE))).await;
        assert_full(&calls.upload(start, "{}", undeclared(vec![1])).await, LARGE, 0, LARGE);
    }

    async fn an_account_without_room_is_told_before_it_sends_the_body(server: TestServer) {
        quota(&server, 10).await;
        for (route, arg, status) in [
            ("files/upload_session/start", "{}", "507"),
            ("files/upload", r#"{"path": "/x"}"#, "409"),
        ] {
            let mut stream = TcpStream::connect(server.address()).unwrap();
            let head = format!(
                "POST /2/{route} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\
                 Content-Type: application/octet-stream\r\nDropbox-API-Arg: {arg}\r\n\
                 Content-Length: 11\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n",
                server.token()
            );
            stream.write_all(head.as_bytes()).unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{answer}");
        }
    }

    async fn what_of_a_batch_is_refused_takes_no_space(server: TestServer) {
        let calls = server.calls();
        quota(&server, 100).await;
        let one = calls.start("{}", "first").await;
        let entry = |session: &str, offset, length| {
            json!({"cursor": {"session_id": session, "offset": offset}, "length": length})
        };
        let batch = json!({"entries": [
            entry("nobody's", 0, LARGE),
            entry(&one, 5, 7),
            entry(&one, 0, LARGE),
            entry(&one, 12, 3),
        ]});
        let body = [&pattern(1, LARGE)[..], b" second", &pattern(2, LARGE), b"end"].concat();
        let route = "files/upload_session/append_batch";
        let answer = calls.upload(route, &batch.to_string(), body).await.ok();
        let tags: Vec<&Value> = answer["entries"].as_array().unwrap().iter().map(|one| &one[".tag"]).collect();
        assert_eq!(tags, ["failure", "success", "failure", "success"]);
        calls.finish(&one, 15, r#"{"path": "/x"}"#, "").await.ok();
        assert_eq!(calls.read("/x").await, "first secondend");
        let checked = server.upkeep().check(None).await.unwrap();
        assert_eq!((checked.blobs, checked.bytes, checked.problems), (2, 15, vec![]));
    }

    async fn what_is_sent_again_into_a_full_account_needs_no_room(server: TestServer) {
        const BLOCK: usize = 4 * 1024 * 1024;
        let calls = server.calls();
        const QUOTA: usize = 3 * BLOCK + 3;
        quota(&server, QUOTA).await;
        let session = start_concurrent(&calls).await;
        let piece = pattern(1, BLOCK);
        let both = [piece.clone(), piece.clone()].concat();
        calls.append(&session, BLOCK, piece.clone()).await.ok();
        calls.append(&session, 0, piece.clone()).await.ok();
        calls.append(&session, BLOCK, both.clone()).await.ok();
        for (offset, body) in [(0, &piece), (BLOCK, &both)] {
            calls.append(&session, offset, body.clone()).await.ok();
        }
        for (offset, body) in [(3 * BLOCK, &piece), (2 * BLOCK, &both)] {
            let refused = calls.append(&session, offset, body.clone()).await;
            assert_full(&refused, QUOTA, 0, 3 * BLOCK);
        }

        let (one, two) = (calls.start("{}", "").await, calls.start("{}", "").await);
        let entries: Vec<Value> = [&one, &two]
            .iter()
            .map(|id| json!({"cursor": {"session_id": id, "offset": 0}, "length": 1}))
            .collect();
        let batch = json!({ "entries": entries }).to_string();
        let route = "files/upload_session/append_batch";
        calls.upload(route, &batch, "12").await.ok();
        let again = calls.upload(route, &batch, "12").await.ok();
        assert_eq!(again["entries"][1]["failure"]["correct_offset"], 1);
        let more: Vec<Value> = [&one, &two]
            .iter()
            .map(|id| json!({"cursor": {"session_id": id, "offset": 1}, "length": 1}))
            .collect();
        let more = json!({ "entries": more }).to_string();
        assert_full(&calls.upload(route, &more, "34").await, QUOTA, 0, QUOTA - 1);
    }
}
