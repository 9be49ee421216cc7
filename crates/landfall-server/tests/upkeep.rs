//! What is removed without being asked, and above all what isn't.

use landfall_protocol::limits;
use landfall_server::Storage;
use landfall_server::blobs::Problem;
use landfall_server::sys::{ManualClock, Micros, Sys};
use landfall_server::upkeep::{Collected, Policy, Turn};
use landfall_testkit::{Stores, TestServer, on_each_store, pattern};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Larger than what is stored in the metadata, so that it is a blob of its own.
const LARGE: usize = 300_000;

const DAY: i64 = 24 * 60 * 60;

/// Everything that can go goes.
const AT_ONCE: Policy = Policy {
    keep_revisions: Some(Duration::ZERO),
    grace: Duration::ZERO,
};

async fn collect(server: &TestServer, policy: Policy) -> Collected {
    server.upkeep().run(policy).await.expect("the upkeep works")
}

/// How many blobs there are, after a check that found nothing wrong.
async fn blobs(server: &TestServer) -> u64 {
    let checked = server.upkeep().check(None).await.expect("the check works");
    assert_eq!((checked.problems, checked.strays), (vec![], 0));
    checked.blobs
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let list = |dir: &Path| -> Vec<PathBuf> {
        std::fs::read_dir(dir)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect()
    };
    list(&dir.join("blobs"))
        .iter()
        .flat_map(|writer| list(writer))
        .collect()
}

on_each_store! {
    async fn a_session_goes_after_its_seven_days_and_its_bytes_with_it(server: TestServer) {
        let calls = server.calls();
        let kept = calls.start("{}", pattern(1, LARGE)).await;
        server.clock().advance_seconds(DAY);
        let young = calls.start("{}", "young").await;
        server.clock().advance_seconds(limits::SESSION_LIFE as i64 - DAY - 1);
        assert_eq!(collect(&server, AT_ONCE).await, Collected::default());
        assert_eq!(blobs(&server).await, 2);
        calls.append(&kept, LARGE, "!").await.ok();

        server.clock().advance_seconds(1);
        let collected = collect(&server, AT_ONCE).await;
        assert_eq!((collected.sessions, collected.blobs), (1, 1));
        assert_eq!(blobs(&server).await, 1, "that of the young session");
        calls.finish(&young, 5, r#"{"path": "/young"}"#, "").await.ok();
        assert_eq!(calls.read("/young").await, "young");
    }

    async fn an_aborted_session_goes_with_all_its_bytes(server: TestServer) {
        let calls = server.calls();
        let session = calls.start("{}", pattern(1, LARGE)).await;
        calls.append(&session, LARGE, "a small piece").await.ok();
        let other = calls.start("{}", pattern(2, LARGE)).await;
        assert_eq!(blobs(&server).await, 3);
        server.admin().abort_session("panda", &session).await.expect("it is there");
        assert_eq!(collect(&server, AT_ONCE).await.blobs, 1, "the small one is no file");
        assert_eq!(blobs(&server).await, 1, "that of the other session");
        if let Some(dir) = server.directory() {
            assert_eq!(files(dir).len(), 1);
        }
        calls.finish(&other, LARGE, r#"{"path": "/other"}"#, "").await.ok();
    }

    async fn what_was_saved_outlives_its_session(server: TestServer) {
        let calls = server.calls();
        let session = calls.start("{}", pattern(1, LARGE)).await;
        calls.finish(&session, LARGE, r#"{"path": "/kept"}"#, "").await.ok();
        server.clock().advance_seconds(30 * DAY);
        assert_eq!(collect(&server, AT_ONCE).await.sessions, 1);
        assert_eq!(collect(&server, AT_ONCE).await, Collected::default());
        assert!(calls.read("/kept").await == pattern(1, LARGE));
        assert_eq!(blobs(&server).await, 1);
    }

    async fn an_answer_is_kept_as_long_as_it_may_be_asked_for(server: TestServer) {
        let calls = server.calls();
        let session = calls.start("{}", "hello").await;
        server.clock().advance_seconds(limits::SESSION_LIFE as i64 - 1);
        let first = calls.finish(&session, 5, r#"{"path": "/x"}"#, "").await.ok();
        calls.upload("files/upload", r#"{"path": "/x", "mode": "overwrite"}"#, "newer").await.ok();
        server.clock().advance_seconds(limits::REPLAY_LIFE as i64 - 1);
        assert_eq!(collect(&server, AT_ONCE).await, Collected::default());
        assert_eq!(calls.finish(&session, 5, r#"{"path": "/x"}"#, "").await.ok(), first);
        server.clock().advance_seconds(1);
        let collected = collect(&server, AT_ONCE).await;
        assert_eq!((collected.sessions, collected.revisions), (1, 1));
    }

    async fn old_revisions_go_and_the_current_one_never_does(server: TestServer) {
        let calls = server.calls();
        let overwrite = r#"{"path": "/x", "mode": "overwrite"}"#;
        let old = calls.upload("files/upload", overwrite, pattern(1, LARGE)).await.ok();
        server.clock().advance_seconds(100 * DAY);
        calls.upload("files/upload", overwrite, pattern(2, LARGE)).await.ok();
        calls.upload("files/upload", r#"{"path": "/gone"}"#, pattern(3, LARGE)).await.ok();
        calls.delete("/gone").await.ok();
        let keep = Policy { keep_revisions: Some(Duration::from_secs(DAY as u64)), grace: Duration::ZERO };
        server.clock().advance_seconds(DAY - 1);
        assert_eq!(collect(&server, keep).await, Collected::default(), "by when they ended");
        let rev = format!("rev:{}", old["rev"].as_str().unwrap());
        assert!(calls.read(&rev).await == pattern(1, LARGE));

        server.clock().advance_seconds(1);
        let collected = collect(&server, keep).await;
        assert_eq!((collected.revisions, collected.blobs), (2, 2));
        assert!(calls.read("/x").await == pattern(2, LARGE));
        assert_eq!(calls.metadata(&rev).await.error(), "path/not_found");
        assert_eq!(blobs(&server).await, 1);
        assert_eq!(collect(&server, Policy::default()).await, Collected::default());
    }

    async fn an_old_revision_goes_however_many_before_it_must_stay(server: TestServer) {
        let calls = server.calls();
        let finish = r#"{"path": "/x", "mode": "overwrite"}"#;
        for nth in 0..251 {
            let session = calls.start("{}", format!("{nth:03}")).await;
            calls.finish(&session, 3, finish, "").await.ok();
        }
        calls.put("/y", "old").await;
        calls.put("/y", "new").await;
        server.clock().advance_seconds(1);
        assert_eq!(collect(&server, AT_ONCE).await.revisions, 1, "the others have answers");
        server.clock().advance_seconds(8 * DAY);
        let collected = collect(&server, AT_ONCE).await;
        assert_eq!((collected.sessions, collected.revisions), (251, 250));
        assert_eq!(blobs(&server).await, 2, "those of the two files");
    }

    async fn without_a_policy_every_revision_is_kept(server: TestServer) {
        let calls = server.calls();
        let first = calls.upload("files/upload", r#"{"path": "/x"}"#, "one").await.ok();
        calls.delete("/x").await.ok();
        server.clock().advance_seconds(10_000 * DAY);
        assert_eq!(collect(&server, Policy::default()).await, Collected::default());
        assert_eq!(calls.read(&format!("rev:{}", first["rev"].as_str().unwrap())).await, "one");
    }

    async fn a_file_waits_for_those_who_may_be_reading_it(server: TestServer) {
        let calls = server.calls();
        calls.upload("files/upload", r#"{"path": "/x"}"#, pattern(1, LARGE)).await.ok();
        calls.delete("/x").await.ok();
        let policy = Policy { keep_revisions: Some(Duration::ZERO), ..Policy::default() };
        let collected = collect(&server, policy).await;
        assert_eq!((collected.revisions, collected.blobs), (1, 0));
        server.clock().advance_seconds(DAY);
        assert_eq!(collect(&server, policy).await.blobs, 1);
    }

    async fn while_files_are_held_none_goes(server: TestServer) {
        let calls = server.calls();
        calls.put("/x", pattern(1, LARGE)).await;
        let rev = calls.metadata("/x").await.ok()["rev"].clone();
        let held = server.upkeep().hold_files().await.expect("a hold");
        calls.put("/x", pattern(2, LARGE)).await;
        for _ in 0..100 {
            let collected = collect(&server, AT_ONCE).await;
            assert_eq!((collected.blobs, collected.strays), (0, 0));
            assert!(collected.held);
            if let Some(dir) = server.directory() {
                assert_eq!(files(dir).len(), 2);
            }
            // Longer than any grace, if only it is prolonged in time.
            server.clock().advance_seconds(14 * 60);
            assert!(held.prolong().await.expect("the engine works"));
        }
        assert_eq!(calls.metadata(&format!("rev:{}", rev.as_str().unwrap())).await.error(), "path/not_found");

        held.release().await.expect("the engine works");
        let collected = collect(&server, AT_ONCE).await;
        assert_eq!((collected.blobs, collected.held), (1, false));
        assert!(calls.read("/x").await == pattern(2, LARGE));
        if let Some(dir) = server.directory() {
            assert_eq!(files(dir).len(), 1);
        }
    }

    async fn a_hold_that_nobody_prolongs_ends_and_its_holder_is_told(server: TestServer) {
        let calls = server.calls();
        calls.put("/x", pattern(1, LARGE)).await;
        let held = server.upkeep().hold_files().await.expect("a hold");
        let killed = server.upkeep().hold_files().await.expect("another one");
        calls.delete("/x").await.ok();
        server.clock().advance_seconds(15 * 60 - 1);
        assert_eq!(collect(&server, AT_ONCE).await.blobs, 0);
        assert!(held.prolong().await.expect("the engine works"));
        server.clock().advance_seconds(15 * 60 - 1);
        assert!(!killed.prolong().await.expect("the engine works"), "it is over");
        assert_eq!(collect(&server, AT_ONCE).await.blobs, 0, "there are others");
        server.clock().advance_seconds(1);
        assert_eq!(collect(&server, AT_ONCE).await.blobs, 1);
        assert!(!held.prolong().await.expect("the engine works"));
    }

    async fn a_content_of_many_pieces_goes_in_slices(server: TestServer) {
        let calls = server.calls();
        let session = calls.start("{}", "").await;
        for nth in 0..450 {
            calls.append(&session, nth, "x").await.ok();
        }
        assert_eq!(blobs(&server).await, 450);
        server.clock().advance_seconds(7 * DAY);
        assert_eq!(collect(&server, AT_ONCE).await.sessions, 1);
        assert_eq!(blobs(&server).await, 0);
    }

    async fn a_refused_body_leaves_nothing_behind(server: TestServer) {
        let calls = server.calls();
        let session = calls.start("{}", "").await;
        let (one, other) = tokio::join!(
            calls.append(&session, 0, pattern(1, LARGE)),
            calls.append(&session, 0, pattern(2, LARGE)),
        );
        assert_ne!(one.status, other.status);
        calls.upload("files/upload", r#"{"path": "/x"}"#, pattern(3, LARGE)).await.ok();
        calls.upload("files/upload", r#"{"path": "/x"}"#, pattern(3, LARGE)).await.ok();
        let wrong = format!(r#"{{"path": "/y", "content_hash": "{}"}}"#, "0".repeat(64));
        let refused = calls.upload("files/upload", &wrong, pattern(4, LARGE)).await;
        assert_eq!(refused.error(), "content_hash_mismatch");
        assert_eq!(blobs(&server).await, 2);
        if let Some(dir) = server.directory() {
            assert_eq!(files(dir).len(), 2);
        }
    }
}

#[test]
fn strays_of_a_dead_writer_go_and_those_of_a_living_one_stay() {
    TestServer::run(Stores::Directory, async |server| {
        let dir = server.directory().expect("a directory").to_owned();
        let calls = server.calls();
        calls
            .upload("files/upload", r#"{"path": "/x"}"#, pattern(1, LARGE))
            .await
            .ok();
        let stray = files(&dir)[0].with_file_name("stray");
        std::fs::write(&stray, "half a body").unwrap();
        server.clock().advance_seconds(DAY);
        let other = Storage::open(&dir).unwrap();
        assert_eq!(other.upkeep().check(None).await.unwrap().strays, 1);
        let collected = collect(&server, AT_ONCE).await;
        assert_eq!(collected.strays, 0, "nobody takes itself for dead");
        assert!(stray.exists());
        let clock = Arc::new(ManualClock::at(Micros(i64::MAX / 2)));
        let much_later = Sys {
            clock,
            ..Sys::real()
        };
        let later = Storage::open_with(&dir, much_later).unwrap();
        let keep_all = Policy {
            keep_revisions: None,
            grace: Policy::GRACE,
        };
        assert_eq!(later.upkeep().run(keep_all).await.unwrap().strays, 1);
        assert!(!stray.exists());
        assert!(
            calls.read("/x").await == pattern(1, LARGE),
            "what is referred to stays"
        );

        // The one that was taken for dead goes on under another name.
        let again = calls
            .upload("files/upload", r#"{"path": "/y"}"#, pattern(2, LARGE))
            .await;
        assert_eq!(again.status, 503);
        calls
            .upload("files/upload", r#"{"path": "/y"}"#, pattern(2, LARGE))
            .await
            .ok();
        assert!(calls.read("/y").await == pattern(2, LARGE));
    });
}

#[test]
fn a_check_names_what_is_missing_and_what_is_damaged() {
    TestServer::run(Stores::Directory, async |server| {
        let dir = server.directory().expect("a directory").to_owned();
        let calls = server.calls();
        calls
            .upload("files/upload", r#"{"path": "/x"}"#, pattern(1, 2_500_000))
            .await
            .ok();
        let damaged = files(&dir)[0].clone();
        calls
            .upload("files/upload", r#"{"path": "/y"}"#, pattern(2, LARGE))
            .await
            .ok();
        let missing = files(&dir)
            .into_iter()
            .find(|file| *file != damaged)
            .unwrap();
        let mut bytes = std::fs::read(&damaged).unwrap();
        bytes[1_500_000] ^= 1;
        std::fs::write(&damaged, bytes).unwrap();
        std::fs::remove_file(&missing).unwrap();
        let checked = server.upkeep().check(None).await.unwrap();
        assert_eq!(checked.problems.len(), 2, "{checked:?}");
        for problem in &checked.problems {
            match problem {
                Problem::Missing(blob) => assert!(missing.ends_with(&blob.0)),
                Problem::Damaged { blob, nth } => {
                    assert!(damaged.ends_with(&blob.0));
                    assert_eq!(*nth, 2);
                }
                other => panic!("{other}"),
            }
        }

        // The scrub finds the same, and counts it where monitoring looks.
        let upkeep = server.upkeep();
        assert_eq!(upkeep.scrub(u64::MAX).await.unwrap(), Turn::Done);
        assert_eq!(upkeep.scrubbed().problems(), 2);
    });
}
