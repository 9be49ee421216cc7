//! Faults at the finish, where a file is saved or not.

use super::{
    FINISH, METADATA, QUICK, client, commit, count, done, file, is_saved, large, refusal, refused,
    renaming, small, through, unknown, upload, with_server,
};
use landfall::protocol::types::files::{CommitInfo, PropertyGroup};
use landfall::transfer::UploadFailure;
use landfall_testkit::faults::{Canned, Fault, Plan, Proxy};
use serde_json::Value;

#[test]
fn a_finish_whose_answer_was_lost_is_answered_again_and_saves_once() {
    with_server(async |server| {
        for (commit, path) in [
            (commit("/plain"), "/plain"),
            (renaming("/renamed"), "/renamed"),
            (renaming("/taken"), "/taken (2)"),
        ] {
            server.calls().put("/taken", "somebody's").await;
            let (source, _file) = file(&large());
            let plan = Plan::new().on(FINISH, 1, Fault::DropReply);
            let (outcome, requests) = through(&server, plan, source, commit).await;
            let uploaded = done(outcome);
            is_saved(&server, path, &large(), &uploaded).await;
            let raw: Value = serde_json::from_slice(&uploaded.raw.expect("an answer")).unwrap();
            assert_eq!(raw["path_display"], path);
            assert_eq!(count(&requests, FINISH), 2);
            assert_eq!(count(&requests, METADATA), 0, "no need to look");
        }
        let tree = server.calls().tree().await;
        assert_eq!(tree, ["/plain", "/renamed", "/taken", "/taken (2)"]);
        assert_eq!(server.calls().read("/taken").await, "somebody's");
    });
}

#[test]
fn a_refusal_is_the_end_and_saves_nothing() {
    with_server(async |server| {
        server.calls().put("/there", "somebody's").await;
        let (source, _file) = file(&small());
        let (outcome, requests) = through(&server, Plan::new(), source, commit("/there")).await;
        let text = refused(outcome).to_string();
        assert!(text.contains("path/conflict/file"), "{text}");
        assert_eq!(count(&requests, FINISH), 1);

        for tags in [
            &["path", "insufficient_space"][..],
            &["path", "disallowed_name"],
            &["path", "no_write_permission"],
            &["path", "conflict", "folder"],
            &["lookup_failed", "not_found"],
            &["lookup_failed", "closed"],
            &["other"],
            &["news"],
        ] {
            let plan = Plan::new().on(FINISH, 1, Fault::Answer(refusal(tags)));
            let (source, _file) = file(&small());
            let (outcome, requests) = through(&server, plan, source, renaming("/x")).await;
            let text = refused(outcome).to_string();
            assert!(text.contains(&tags.join("/")), "{text}");
            assert_eq!(count(&requests, FINISH), 1, "{tags:?}");
            assert_eq!(count(&requests, METADATA), 0, "{tags:?}");
        }
        assert_eq!(server.calls().tree().await, ["/there"]);
        assert_eq!(server.calls().read("/there").await, "somebody's");
    });
}

#[test]
fn a_finish_that_is_never_answered_is_looked_for() {
    with_server(async |server| {
        let (source, _file) = file(&small());
        let plan = Plan::new().from(FINISH, 1, Fault::DropReply);
        let (outcome, requests) = through(&server, plan, source, commit("/found")).await;
        let uploaded = done(outcome);
        is_saved(&server, "/found", &small(), &uploaded).await;
        assert_eq!(uploaded.raw, None, "no finish was answered");
        assert_eq!(count(&requests, FINISH), QUICK.failures);
        assert_eq!(count(&requests, METADATA), 1);

        // With autorename it may have got any name.
        let (source, _file) = file(&small());
        let plan = Plan::new().from(FINISH, 1, Fault::DropReply);
        let (outcome, _) = through(&server, plan, source, renaming("/maybe")).await;
        let text = unknown(outcome);
        assert!(
            text.contains("/maybe") && text.contains("unknown"),
            "{text}"
        );

        // What isn't there may still come: the last finish may be on its way.
        let (source, _file) = file(&small());
        let plan = Plan::new().from(FINISH, 1, Fault::DropRequest);
        let (outcome, _) = through(&server, plan, source, commit("/nowhere")).await;
        let text = unknown(outcome);
        assert!(text.contains("/nowhere"), "{text}");
        assert_eq!(server.calls().tree().await, ["/found", "/maybe"]);
    });
}

#[test]
fn a_finish_that_was_never_served_saves_nothing() {
    with_server(async |server| {
        for commit in [commit("/x"), renaming("/x")] {
            let slow = Fault::Answer(Canned::slow_down(0));
            let plan = Plan::new().from(FINISH, 1, slow);
            let (source, _file) = file(&small());
            let (outcome, requests) = through(&server, plan, source, commit).await;
            let failure = refused(outcome);
            assert!(matches!(failure, UploadFailure::Finish(_)), "{failure}");
            assert_eq!(count(&requests, FINISH), QUICK.failures);
        }
        assert!(server.calls().tree().await.is_empty());
    });
}

#[test]
fn when_the_look_fails_too_the_outcome_is_unknown() {
    with_server(async |server| {
        let plan =
            Plan::new()
                .from(FINISH, 1, Fault::DropReply)
                .from(METADATA, 1, Fault::DropRequest);
        let (source, _file) = file(&small());
        let (outcome, _) = through(&server, plan, source, commit("/file.bin")).await;
        let text = unknown(outcome);
        assert!(text.contains("/file.bin"), "{text}");
    });
}

/// A refusal that doesn't speak of the session says nothing of the finish before it.
#[test]
fn a_refusal_of_another_kind_does_not_unsay_a_finish_before_it() {
    with_server(async |server| {
        for tags in [&["other"][..], &["news"], &["lookup_failed", "other"]] {
            let after_loss = || {
                Plan::new().on(FINISH, 1, Fault::DropReply).on(
                    FINISH,
                    2,
                    Fault::Answer(refusal(tags)),
                )
            };
            let (source, _file) = file(&small());
            let (outcome, _) = through(&server, after_loss(), source, commit("/plain")).await;
            is_saved(&server, "/plain", &small(), &done(outcome)).await;

            let (source, _file) = file(&small());
            let (outcome, _) = through(&server, after_loss(), source, renaming("/named")).await;
            unknown(outcome);
            assert_eq!(server.calls().tree().await, ["/named", "/plain"]);
            server.calls().delete("/named").await.ok();
            server.calls().delete("/plain").await.ok();
        }
    });
}

#[test]
fn a_session_that_is_there_and_refused_saved_nothing() {
    with_server(async |server| {
        for tags in [
            &["path", "insufficient_space"][..],
            &["path", "conflict", "folder"],
        ] {
            let unavailable = Fault::Answer(Canned::unavailable());
            let plan =
                Plan::new()
                    .on(FINISH, 1, unavailable)
                    .on(FINISH, 2, Fault::Answer(refusal(tags)));
            let (source, _file) = file(&small());
            let (outcome, _) = through(&server, plan, source, commit("/x")).await;
            let text = refused(outcome).to_string();
            assert!(text.contains(&tags.join("/")), "{text}");
        }
        assert!(server.calls().tree().await.is_empty());
    });
}

/// With `strict_conflict` an identical file is in the way, and must not be taken for the upload.
#[test]
fn a_strict_upload_does_not_take_an_older_file_for_its_own() {
    with_server(async |server| {
        server.calls().put("/file.bin", small()).await;
        let commit = CommitInfo {
            strict_conflict: true,
            ..commit("/file.bin")
        };
        let unavailable = Fault::Answer(Canned::unavailable());
        let plan = Plan::new().on(FINISH, 1, unavailable);
        let (source, _file) = file(&small());
        let (outcome, _) = through(&server, plan, source, commit).await;
        let text = unknown(outcome);
        assert!(
            text.contains("may be this upload or an older one"),
            "{text}"
        );
    });
}

/// The one refusal of a commit that saves the file all the same says so.
#[test]
fn a_bad_property_group_is_told_with_what_became_of_the_file() {
    with_server(async |server| {
        let group = PropertyGroup {
            template_id: "ptid:1a5n2i6d3OYEAAAAAAAAAYa".to_owned(),
            fields: Vec::new(),
        };
        let commit = CommitInfo {
            property_groups: Some(vec![group]),
            ..commit("/file.bin")
        };
        let (source, _file) = file(&small());
        let (outcome, requests) = through(&server, Plan::new(), source, commit).await;
        let text = refused(outcome).to_string();
        assert!(text.contains("the file was saved without"), "{text}");
        assert_eq!(count(&requests, FINISH), 1);
        assert_eq!(server.calls().read("/file.bin").await, small());
    });
}

/// Puts another digit where the content hash begins.
fn another_hash(body: &mut [u8]) {
    let name = b"\"content_hash\":";
    let at = body.windows(name.len()).position(|part| part == name);
    let mut rest = &mut body[at.expect("a hash") + name.len()..];
    while rest[0] == b' ' || rest[0] == b'"' {
        rest = &mut rest[1..];
    }
    rest[0] = if rest[0] == b'0' { b'1' } else { b'0' };
}

#[test]
fn another_hash_than_that_of_the_bytes_is_no_success() {
    with_server(async |server| {
        let plan = Plan::new().on(FINISH, 1, Fault::Change(another_hash));
        let proxy = Proxy::start(server.address(), plan).await;
        let client = client(&server, &proxy);
        let (source, _file) = file(&small());
        let failure = refused(upload(&client, source, commit("/file.bin")).run().await);
        assert!(
            matches!(failure, UploadFailure::Integrity { .. }),
            "{failure}"
        );
        assert!(failure.to_string().contains("/file.bin"), "{failure}");
        assert_eq!(proxy.finish()[FINISH], 1);
    });
}
