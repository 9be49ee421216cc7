//! Upload sessions over HTTP: offsets rule (P2), finish is replayable (P4), hashes are true (P7).

use landfall_protocol::{ContentHash, limits};
use landfall_testkit::{EDGE_SIZES, on_each_store, pattern};
use serde_json::{Value, json};

const ADD: &str = r#"{"path": "/file.bin"}"#;

fn hash(bytes: &[u8]) -> String {
    ContentHash::of(bytes).to_string()
}

on_each_store! {
    async fn a_session_of_several_pieces_is_saved_whole(server: TestServer) {
        let calls = server.calls();
        let data = pattern(1, 9 * 1024 * 1024 + 77);
        let cuts = [0, 5, 70_000, 70_000, 5_000_000, data.len() - 3, data.len()];
        let session = calls.start("{}", data[..cuts[1]].to_vec()).await;
        for cut in cuts[1..6].windows(2) {
            let answer = calls.append(&session, cut[0], data[cut[0]..cut[1]].to_vec()).await;
            assert_eq!(answer.text(), "null");
            assert_eq!(answer.header("content-type"), "application/json");
        }
        let saved = calls.finish(&session, cuts[5], ADD, data[cuts[5]..].to_vec()).await.ok();
        assert_eq!(saved["size"], data.len());
        assert_eq!(saved["content_hash"], hash(&data));
        assert_eq!(saved.get(".tag"), None, "finish answers with the leaf type");
        assert!(calls.read("/file.bin").await == data);
    }

    async fn files_of_every_edge_size_come_back_as_they_went(server: TestServer) {
        let calls = server.calls();
        for &size in EDGE_SIZES {
            let data = pattern(size as u64, size);
            let arg = format!(r#"{{"path": "/{size}", "content_hash": "{}"}}"#, hash(&data));
            let saved = calls.upload("files/upload", &arg, data.clone()).await.ok();
            assert_eq!((&saved["size"], &saved["content_hash"]), (&json!(size), &json!(hash(&data))));
            assert!(calls.read(&format!("/{size}")).await == data, "{size}");
        }
    }

    async fn a_wrong_offset_changes_nothing_and_reports_the_right_one(server: TestServer) {
        let calls = server.calls();
        let session = calls.start("{}", "hello").await;
        for offset in [0, 4, 6, usize::MAX >> 1] {
            let refused = calls.append(&session, offset, "again").await;
            assert_eq!(refused.error(), "incorrect_offset");
            assert_eq!(refused.json()["error"]["correct_offset"], 5);
            let refused = calls.finish(&session, offset, ADD, "").await;
            assert_eq!(refused.error(), "lookup_failed/incorrect_offset");
            assert_eq!(refused.json()["error"]["lookup_failed"]["correct_offset"], 5);
        }
        calls.append(&session, 5, " world").await.ok();
        calls.finish(&session, 11, ADD, "").await.ok();
        assert_eq!(calls.read("/file.bin").await, "hello world");
    }

    async fn a_repeated_append_never_doubles_data(server: TestServer) {
        let calls = server.calls();
        let session = calls.start("{}", "").await;
        calls.append(&session, 0, "hello").await.ok();
        let repeated = calls.append(&session, 0, "hello").await;
        assert_eq!(repeated.json()["error"]["correct_offset"], 5);
        assert_eq!(calls.finish(&session, 5, ADD, "").await.ok()["size"], 5);
    }

    async fn a_closed_session_takes_no_more_but_can_be_finished(server: TestServer) {
        let calls = server.calls();
        let session = calls.start("{}", "hello").await;
        let cursor = json!({"session_id": session, "offset": 5});
        let closing = json!({"cursor": cursor, "close": true}).to_string();
        calls.upload("files/upload_session/append_v2", &closing, " world").await.ok();

        let repeated = calls.upload("files/upload_session/append_v2", &closing, " world").await;
        assert_eq!(repeated.json()["error"]["correct_offset"], 11, "how its sender learns that it arrived");
        assert_eq!(calls.append(&session, 11, "!").await.error(), "closed");
        assert_eq!(calls.append(&session, 11, "").await.text(), "null", "an empty close at the end is done");
        assert_eq!(calls.finish(&session, 11, ADD, "!").await.error(), "lookup_failed/closed");
        assert_eq!(calls.finish(&session, 11, ADD, "").await.ok()["size"], 11);
    }

    async fn a_session_can_be_started_closed(server: TestServer) {
        let calls = server.calls();
        let session = calls.start(r#"{"close": true}"#, "hello").await;
        assert_eq!(calls.append(&session, 5, "!").await.error(), "closed");
        assert_eq!(calls.finish(&session, 5, ADD, "").await.ok()["size"], 5);
    }

    async fn a_body_with_another_hash_leaves_the_session_as_it_was(server: TestServer) {
        let calls = server.calls();
        let wrong = hash(b"something else");
        let start = json!({"content_hash": wrong}).to_string();
        let refused = calls.upload("files/upload_session/start", &start, "hello").await;
        assert_eq!(refused.error(), "content_hash_mismatch");

        let session = calls.start("{}", "hello").await;
        let cursor = json!({"session_id": session, "offset": 5});
        let append = json!({"cursor": cursor, "content_hash": wrong, "close": true}).to_string();
        let refused = calls.upload("files/upload_session/append_v2", &append, " world").await;
        assert_eq!(refused.error(), "content_hash_mismatch");
        let finish = json!({"cursor": cursor, "commit": {"path": "/x"}, "content_hash": wrong});
        let refused = calls.upload("files/upload_session/finish", &finish.to_string(), " world").await;
        assert_eq!(refused.error(), "content_hash_mismatch");
        let upload = json!({"path": "/x", "content_hash": wrong}).to_string();
        assert_eq!(calls.upload("files/upload", &upload, "hello").await.error(), "content_hash_mismatch");
        assert_eq!(calls.metadata("/x").await.error(), "path/not_found");

        let right = json!({"cursor": cursor, "commit": {"path": "/x"}, "content_hash": hash(b" world")});
        calls.upload("files/upload_session/finish", &right.to_string(), " world").await.ok();
        assert_eq!(calls.read("/x").await, "hello world");
    }

    async fn the_same_finish_again_gives_the_same_metadata_and_writes_nothing(server: TestServer) {
        let calls = server.calls();
        let session = calls.start("{}", "hello").await;
        let commit = r#"{"path": "/file.bin", "mode": "add", "autorename": true}"#;
        let first = calls.finish(&session, 5, commit, " world").await.ok();
        server.clock().advance_seconds(3600);
        // With the body as before, without it at the end, and written another way.
        let spelled = r#"{"mode": {".tag": "add"}, "mute": false, "path": "/file.bin", "autorename": true}"#;
        for (offset, commit, body) in
            [(5, commit, " world"), (11, commit, ""), (5, spelled, " world"), (9, commit, "ld"), (0, commit, "hello world")]
        {
            let again = calls.finish(&session, offset, commit, body).await.ok();
            assert_eq!(again, first, "offset {offset}");
        }
        let listed = calls.rpc("files/list_folder", r#"{"path": ""}"#).await.ok();
        assert_eq!(listed["entries"].as_array().map(Vec::len), Some(1), "{listed}");
    }

    async fn another_finish_of_a_finished_session_is_not_found(server: TestServer) {
        let calls = server.calls();
        let session = calls.start("{}", "hello").await;
        calls.finish(&session, 5, ADD, " world").await.ok();
        for (offset, commit, body) in [
            (5, r#"{"path": "/other.bin"}"#, " world"),
            (5, r#"{"path": "/file.bin", "mode": "overwrite"}"#, " world"),
            (5, ADD, " WORLD"),
            (5, ADD, " worl"),
            (5, ADD, " world!"),
            (5, ADD, ""),
            (12, ADD, ""),
        ] {
            let refused = calls.finish(&session, offset, commit, body).await;
            assert_eq!(refused.error(), "lookup_failed/not_found", "{offset} {commit} {body:?}");
        }
        assert_eq!(calls.append(&session, 11, "more").await.error(), "not_found");
        assert_eq!(calls.read("/file.bin").await, "hello world");
    }

    async fn a_given_hash_is_checked_in_repeated_calls_too(server: TestServer) {
        let calls = server.calls();
        let wrong = "0".repeat(64);
        let session = calls.start("{}", "hello").await;
        let cursor = json!({"session_id": session, "offset": 5});
        let closing = |hash: &str| json!({"cursor": cursor, "close": true, "content_hash": hash}).to_string();
        calls.upload("files/upload_session/append_v2", &closing(&hash(b"")), "").await.ok();
        let refused = calls.upload("files/upload_session/append_v2", &closing(&wrong), "").await;
        assert_eq!(refused.error(), "content_hash_mismatch");

        let finish = |hash: &str| {
            json!({"cursor": cursor, "commit": {"path": "/x"}, "content_hash": hash}).to_string()
        };
        let route = "files/upload_session/finish";
        let first = calls.upload(route, &finish(&hash(b"")), "").await.ok();
        assert_eq!(calls.upload(route, &finish(&wrong), "").await.error(), "content_hash_mismatch");
        // Offset and commit come first: where they are others, the hash doesn't matter.
        for (offset, path) in [(6, "/x"), (5, "/y")] {
            let cursor = json!({"session_id": session, "offset": offset});
            let other = json!({"cursor": cursor, "commit": {"path": path}, "content_hash": wrong});
            let refused = calls.upload(route, &other.to_string(), "").await;
            assert_eq!(refused.error(), "lookup_failed/not_found");
        }
        assert_eq!(calls.upload(route, &finish(&hash(b"")), "").await.ok(), first);
    }

    async fn a_replay_returns_what_was_saved_even_if_the_file_is_another_one_now(server: TestServer) {
        let calls = server.calls();
        let session = calls.start("{}", "hello").await;
        let first = calls.finish(&session, 5, ADD, "").await.ok();
        calls.upload("files/upload", r#"{"path": "/file.bin", "mode": "overwrite"}"#, "newer").await.ok();
        assert_eq!(calls.finish(&session, 5, ADD, "").await.ok(), first);
        assert_eq!(calls.read("/file.bin").await, "newer", "a replay writes nothing");
    }

    async fn a_finish_refused_on_its_path_keeps_the_body(server: TestServer) {
        let calls = server.calls();
        calls.upload("files/upload", r#"{"path": "/taken"}"#, "other").await.ok();
        let session = calls.start("{}", "hello").await;
        for path in ["/taken", "/bad\\\\path", "/desktop.ini"] {
            let commit = format!(r#"{{"path": "{path}"}}"#);
            let offset = if path == "/taken" { 5 } else { 11 };
            let body = if path == "/taken" { " world" } else { "" };
            let refused = calls.finish(&session, offset, &commit, body).await;
            assert!(refused.error().starts_with("path/"), "{}", refused.text());
        }
        let old = calls.finish(&session, 5, ADD, " world").await;
        assert_eq!(old.json()["error"]["lookup_failed"]["correct_offset"], 11);
        calls.finish(&session, 11, ADD, "").await.ok();
        assert_eq!(calls.read("/file.bin").await, "hello world");
    }

    async fn a_refused_upload_keeps_the_body_in_a_session(server: TestServer) {
        let calls = server.calls();
        calls.upload("files/upload", r#"{"path": "/taken"}"#, "other").await.ok();
        let refused = calls.upload("files/upload", r#"{"path": "/taken"}"#, "hello").await;
        assert_eq!(refused.error(), "path/conflict/file");
        let error = &refused.json()["error"];
        assert_eq!(error["reason"], json!({".tag": "conflict", "conflict": {".tag": "file"}}));
        let session = error["upload_session_id"].as_str().expect("a session id").to_owned();
        calls.finish(&session, 5, ADD, "").await.ok();
        assert_eq!(calls.read("/file.bin").await, "hello");
    }

    async fn sessions_live_for_seven_days(server: TestServer) {
        let calls = server.calls();
        let session = calls.start("{}", "hello").await;
        server.clock().advance_seconds(limits::SESSION_LIFE as i64 - 1);
        calls.append(&session, 5, "!").await.ok();
        server.clock().advance_seconds(1);
        assert_eq!(calls.append(&session, 6, "!").await.error(), "not_found");
        assert_eq!(calls.finish(&session, 6, ADD, "").await.error(), "lookup_failed/not_found");
    }

    async fn an_answer_is_repeated_for_a_day_after_a_late_finish(server: TestServer) {
        let calls = server.calls();
        let session = calls.start("{}", "hello").await;
        server.clock().advance_seconds(limits::SESSION_LIFE as i64 - 1);
        let first = calls.finish(&session, 5, ADD, "").await.ok();
        server.clock().advance_seconds(limits::REPLAY_LIFE as i64 - 1);
        assert_eq!(calls.finish(&session, 5, ADD, "").await.ok(), first);
        server.clock().advance_seconds(1);
        assert_eq!(calls.finish(&session, 5, ADD, "").await.error(), "lookup_failed/not_found");
    }

    async fn of_two_appends_at_one_offset_one_wins(server: TestServer) {
        let calls = server.calls();
        let session = calls.start("{}", "").await;
        let (one, other) = tokio::join!(
            calls.append(&session, 0, pattern(1, 300_000)),
            calls.append(&session, 0, pattern(2, 300_000)),
        );
        let mut statuses = [one.status, other.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 409]);
        let winner = if one.status == 200 { 1 } else { 2 };
        calls.finish(&session, 300_000, ADD, "").await.ok();
        assert!(calls.read("/file.bin").await == pattern(winner, 300_000));
    }

    async fn of_two_same_finishes_at_once_both_get_the_one_file(server: TestServer) {
        let calls = server.calls();
        let session = calls.start("{}", "hello").await;
        let commit = r#"{"path": "/file.bin", "autorename": true}"#;
        let (one, other) = tokio::join!(
            calls.finish(&session, 5, commit, " world"),
            calls.finish(&session, 5, commit, " world"),
        );
        assert_eq!(one.ok(), other.ok());
        let listed: Value = calls.rpc("files/list_folder", r#"{"path": ""}"#).await.ok();
        assert_eq!(listed["entries"].as_array().map(Vec::len), Some(1), "{listed}");
    }
}
