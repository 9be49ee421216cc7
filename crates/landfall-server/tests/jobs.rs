//! Batches that are finished in the background: `finish_batch` and its `check`.

use landfall_protocol::{AsyncJobId, limits};
use landfall_server::meta::rows::AsyncJob;
use landfall_server::meta::{Effect, Meta, SqliteEngine, Unconditional};
use landfall_server::sys::{Clock, Micros, Sys};
use landfall_testkit::{Answer, Stores, TestServer, on_each_store};
use serde_json::{Value, json};

fn add(path: &str) -> Value {
    json!({ "path": path })
}

/// Everything of an answer but the id of its request.
fn whole(answer: &Answer) -> (u16, String) {
    (answer.status, answer.text())
}

on_each_store! {
    async fn a_job_does_what_the_second_version_does_at_once(server: TestServer) {
        let calls = server.calls();
        calls.put("/taken", "x").await;
        let mut sessions = Vec::new();
        for body in ["one", "two", "three"] {
            sessions.push(calls.start(r#"{"close": true}"#, body).await);
        }
        let entries = [
            (&sessions[0][..], 3, add("/one")),
            (&sessions[1], 3, add("/taken")),
            (&sessions[2], 4, add("/three")),
            ("AAAAAAAAAAAAAAAAAAAAAA", 0, add("/four")),
        ];
        let job = calls.finish_job(&entries).await;
        assert!(job.starts_with("dbjid:"), "{job}");
        let outcome = calls.outcome(&job).await;
        assert_eq!(outcome[0][".tag"], "success");
        assert_eq!(outcome[0]["path_display"], "/one");
        let failures = [
            json!({".tag": "path", "path": {".tag": "conflict", "conflict": {".tag": "file"}}}),
            json!({".tag": "lookup_failed", "lookup_failed":
                {".tag": "incorrect_offset", "correct_offset": 5}}),
            json!({".tag": "lookup_failed", "lookup_failed": {".tag": "not_found"}}),
        ];
        for (nth, failure) in failures.into_iter().enumerate() {
            assert_eq!(outcome[nth + 1], json!({".tag": "failure", "failure": failure}));
        }
        assert_eq!(calls.finish_batch(&entries).await.ok()["entries"], outcome, "and again at once");
        assert_eq!(calls.read("/one").await, "one");
    }

    async fn the_answer_to_a_check_has_the_documented_shape(server: TestServer) {
        let calls = server.calls();
        let session = calls.start(r#"{"close": true}"#, "x").await;
        let job = calls.finish_job(&[(&session, 1, add("/f"))]).await;
        calls.outcome(&job).await;
        let text = calls.check_job(&job).await.text();
        assert!(text.starts_with(r#"{".tag": "complete", "entries": [{".tag": "success", "name": "f", "#), "{text}");
        assert_eq!(calls.check_job(&job).await.text(), text, "as often as it is asked");
    }

    async fn a_job_that_is_launched_again_gives_the_same_files(server: TestServer) {
        let calls = server.calls();
        let session = calls.start(r#"{"close": true}"#, "x").await;
        let entries = [(&session[..], 1, json!({"path": "/f", "autorename": true}))];
        let first = calls.finish_job(&entries).await;
        let second = calls.finish_job(&entries).await;
        assert_ne!(first, second);
        assert_eq!(calls.outcome(&first).await, calls.outcome(&second).await);
        assert_eq!(calls.tree().await, ["/f"]);
    }

    async fn a_job_with_a_thousand_entries_is_done(server: TestServer) {
        let calls = server.calls();
        let sessions = calls.start_batch(1000, "sequential").await;
        let parts: Vec<_> = sessions.iter().map(|session| (&session[..], 0, &b"x"[..], true)).collect();
        calls.append_batch(&parts).await.ok();
        let entries: Vec<_> = sessions.iter().map(|session| (&session[..], 1, add(&format!("/d/{session}")))).collect();
        let outcome = calls.outcome(&calls.finish_job(&entries).await).await;
        for (nth, session) in sessions.iter().enumerate() {
            assert_eq!(outcome[nth]["name"], **session, "in the order of the request");
        }
    }

    async fn unknown_and_foreign_jobs_are_invalid(server: TestServer) {
        let (calls, other) = (server.calls(), server.calls_as("other").await);
        let job = calls.finish_job(&[]).await;
        let unknown = calls.check_job("dbjid:AAAAAAAAAAAAAAAAAAAAAA").await;
        assert_eq!(unknown.error(), "invalid_async_job_id");
        assert_eq!(whole(&other.check_job(&job).await), whole(&unknown));
        assert_eq!(whole(&calls.check_job("nonsense").await), whole(&unknown));
        calls.outcome(&job).await;
        assert_eq!(whole(&other.check_job(&job).await), whole(&unknown), "when it is done, too");
    }

    async fn a_check_without_a_job_is_a_bad_request(server: TestServer) {
        let calls = server.calls();
        for arg in [json!({}), json!({"async_job_id": 7}), json!({"async_job_id": ""}), json!({"job": "x"})] {
            let route = "files/upload_session/finish_batch/check";
            let answer = calls.rpc(route, &arg.to_string()).await;
            assert_eq!(answer.status, 400, "{arg}: {}", answer.text());
        }
    }

    async fn jobs_are_known_for_seven_days(server: TestServer) {
        let calls = server.calls();
        let job = calls.finish_job(&[]).await;
        calls.outcome(&job).await;
        server.clock().advance_seconds(limits::SESSION_LIFE as i64 - 1);
        calls.check_job(&job).await.ok();
        server.clock().advance_seconds(1);
        assert_eq!(calls.check_job(&job).await.error(), "invalid_async_job_id");
    }
}

/// A job that another process took, and ended without doing it.
async fn abandoned(server: &TestServer, session: &str) -> String {
    let file = server
        .directory()
        .expect("a directory")
        .join("metadata.sqlite");
    let meta = Meta::new(SqliteEngine::open(&file, &Sys::real()).expect("the metadata opens"));
    let argument = json!({"entries": [{
        "cursor": {"session_id": session, "offset": 5}, "commit": {"path": "/f"},
    }]});
    let now = server.clock().now();
    let job = AsyncJob {
        id: AsyncJobId::from_stored("dbjid:abandoned"),
        account: server
            .admin()
            .account("panda")
            .await
            .expect("an account")
            .id,
        created: now,
        argument: argument.to_string(),
        outcome: None,
        until: Micros(now.0 + 60_000_000),
    };
    let put = Unconditional(vec![Effect::PutJob(job)]);
    meta.transact(put).await.expect("the job is stored");
    "dbjid:abandoned".to_owned()
}

#[test]
fn a_job_whose_process_died_is_taken_over_by_the_next_check() {
    TestServer::run(Stores::Directory, |server| async move {
        let calls = server.calls();
        let session = calls.start(r#"{"close": true}"#, "hello").await;
        let job = abandoned(&server, &session).await;
        let in_progress = r#"{".tag": "in_progress"}"#;
        assert_eq!(calls.check_job(&job).await.text(), in_progress);
        server.clock().advance_seconds(59);
        assert_eq!(calls.check_job(&job).await.text(), in_progress);
        assert_eq!(
            calls.tree().await,
            [""; 0],
            "its process may still be at it"
        );
        server.clock().advance_seconds(1);
        let (one, other) = tokio::join!(calls.outcome(&job), calls.outcome(&job));
        assert_eq!(one[0]["path_display"], "/f");
        assert_eq!(one, other);
        assert_eq!(calls.tree().await, ["/f"]);
    });
}

#[test]
fn a_job_that_was_done_by_half_is_done_once() {
    TestServer::run(Stores::Directory, |server| async move {
        let calls = server.calls();
        let session = calls.start(r#"{"close": true}"#, "hello").await;
        let job = abandoned(&server, &session).await;
        // What the process got done before it ended.
        let saved = calls.finish_batch(&[(&session, 5, add("/f"))]).await.ok();
        server.clock().advance_seconds(60);
        assert_eq!(calls.outcome(&job).await, saved["entries"]);
        assert_eq!(calls.tree().await, ["/f"]);
    });
}

#[test]
fn a_job_is_known_to_every_process() {
    TestServer::run(Stores::Directory, |server| async move {
        let calls = server.calls();
        let session = calls.start(r#"{"close": true}"#, "hello").await;
        let job = calls.finish_job(&[(&session, 5, add("/f"))]).await;
        let beside = server.beside().await;
        let outcome = beside.calls().outcome(&job).await;
        assert_eq!(outcome, calls.outcome(&job).await);
        assert_eq!(outcome[0]["path_display"], "/f");
    });
}
