//! A disk without room: bodies are refused (507), what is there stays, what makes room goes on.

use bytes::Bytes;
use futures_util::stream;
use landfall_server::upkeep::Policy;
use landfall_testkit::{Answer, Body, SmallDisk, TestServer, pattern};
use serde_json::json;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

const MIB: u64 = 1024 * 1024;

/// What is kept free on a large disk.
const RESERVE: u64 = 256 * MIB;

/// A server on a disk on which bodies have so much room, to begin with.
fn with_room<F: Future<Output = ()>>(
    bytes: u64,
    test: impl FnOnce(TestServer, Arc<SmallDisk>) -> F,
) {
    let disk = Arc::new(SmallDisk::new(RESERVE + bytes));
    let fs = Arc::clone(&disk);
    TestServer::run_on(fs, |server| test(server, disk));
}

fn no_space(answer: &Answer) {
    assert_eq!(answer.status, 507, "{}", answer.text());
    assert!(answer.text().contains("no space left"), "{}", answer.text());
    assert!(answer.text().contains("operator"), "{}", answer.text());
}

/// A body that doesn't say how long it is.
fn endless(pieces: u64) -> Body {
    let piece = Bytes::from(pattern(1, MIB as usize));
    let pieces = (0..pieces).map(move |_| Ok::<_, std::io::Error>(piece.clone()));
    Body::wrap_stream(stream::iter(pieces))
}

/// How many blobs there are, once what was given up has gone: that is not waited for.
async fn blobs(server: &TestServer) -> u64 {
    for _ in 0..1000 {
        let checked = server.upkeep().check(None).await.expect("the check works");
        assert_eq!(checked.problems, []);
        if checked.strays == 0 {
            return checked.blobs;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("a file that was given up is still there");
}

#[test]
fn a_body_that_does_not_fit_is_refused_and_its_session_stays_as_it_was() {
    with_room(20 * MIB, async |server, disk| {
        let calls = server.calls();
        let session = calls.start("{}", "kept").await;
        let long = pattern(2, 21 * MIB as usize);
        let before = disk.free();
        no_space(&calls.append(&session, 4, long.clone()).await);
        assert_eq!(
            disk.free(),
            before,
            "its length was known, so none of it was written"
        );
        let commit = json!({"path": "/file"}).to_string();
        no_space(&calls.finish(&session, 4, &commit, long).await);
        calls.append(&session, 4, "!").await.ok();
        calls.finish(&session, 5, &commit, "").await.ok();
        assert_eq!(calls.read("/file").await, "kept!");
    });
}

#[test]
fn a_body_of_unknown_length_is_broken_off_before_it_takes_the_reserve() {
    with_room(40 * MIB, async |server, disk| {
        let calls = server.calls();
        let session = calls.start("{}", "").await;
        no_space(&calls.append(&session, 0, endless(60)).await);
        assert!(disk.free() >= RESERVE, "{}", disk.free());
        assert_eq!(blobs(&server).await, 0, "what had come was removed");
        disk.set_free(RESERVE + 80 * MIB);
        calls.append(&session, 0, endless(20)).await.ok();
    });
}

#[test]
fn bodies_at_the_same_time_do_not_take_the_reserve_together() {
    with_room(64 * MIB, async |server, disk| {
        let calls = server.calls();
        let uploads = (0..6).map(|nth| {
            let arg = json!({"path": format!("/{nth}")}).to_string();
            let calls = calls.clone();
            tokio::spawn(
                async move { calls.upload("files/upload", &arg, endless(16)).await.status },
            )
        });
        let uploads: Vec<_> = uploads.collect();
        let mut statuses = Vec::new();
        for upload in uploads {
            statuses.push(upload.await.expect("the upload ends"));
        }
        assert!(disk.free() >= RESERVE, "{}", disk.free());
        assert!(statuses.contains(&507), "{statuses:?}");
        let saved = statuses.iter().filter(|status| **status == 200).count();
        assert_eq!(blobs(&server).await, saved as u64);
    });
}

#[test]
fn on_a_full_disk_everything_that_makes_room_or_finishes_what_is_there_goes_on() {
    with_room(20 * MIB, async |server, disk| {
        let calls = server.calls();
        let large = calls.put("/large", pattern(3, MIB as usize)).await;
        let session = calls.start("{}", "whole").await;
        let other = calls.start("{}", "open").await;
        disk.set_free(RESERVE - 1);

        no_space(&calls.upload("files/upload", r#"{"path": "/x"}"#, "x").await);
        no_space(&calls.upload("files/upload", r#"{"path": "/x"}"#, "").await);
        no_space(&calls.upload("files/upload_session/start", "{}", "").await);
        let many = r#"{"num_sessions": 9}"#;
        no_space(&calls.rpc("files/upload_session/start_batch", many).await);
        no_space(&calls.create_folder("/folder").await);
        no_space(&calls.append(&other, 4, "more").await);
        // Rows for each file, and nothing of it makes room.
        no_space(&calls.move_to("/large", "/there").await);
        no_space(&calls.copy_to("/large", "/there").await);
        let restore = json!({"path": "/large", "rev": large["rev"]}).to_string();
        no_space(&calls.rpc("files/restore", &restore).await);

        let commit = json!({"path": "/whole"}).to_string();
        calls.finish(&session, 5, &commit, "").await.ok();
        calls.finish(&session, 5, &commit, "").await.ok();
        assert_eq!(calls.read("/whole").await, "whole");
        let close =
            format!(r#"{{"cursor": {{"session_id": "{other}", "offset": 4}}, "close": true}}"#);
        calls
            .upload("files/upload_session/append_v2", &close, "")
            .await
            .ok();
        calls.delete("/large").await.ok();
        assert_eq!(calls.tree().await, ["/whole"]);
        server
            .admin()
            .abort_session("panda", &other)
            .await
            .expect("a session is aborted");
        let policy = Policy {
            keep_revisions: Some(Duration::ZERO),
            grace: Duration::ZERO,
        };
        let collected = server.upkeep().run(policy).await.expect("the upkeep works");
        assert_eq!(collected.revisions, 1, "{collected:?}");

        disk.set_free(RESERVE + MIB);
        calls.put("/again", "again").await;
    });
}

#[test]
fn what_a_client_may_use_leaves_the_reserve() {
    with_room(20 * MIB, async |server, _| {
        let usage = server
            .calls()
            .rpc("users/get_space_usage", "null")
            .await
            .ok();
        let allocated = usage["allocation"]["allocated"].as_u64().expect("bytes");
        // The log of the metadata, which is to be copied, takes a little too.
        assert!((19 * MIB..=20 * MIB).contains(&allocated), "{usage}");
    });
}
