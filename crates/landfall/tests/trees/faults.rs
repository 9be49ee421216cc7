//! Faults while a folder goes up: the rest goes on, and what failed is sent again.

use super::{
    APPEND_BATCH, FINISH_BATCH, LIST, START_BATCH, folder, if_exists, is_complete, put, with_server,
};
use landfall::transfer::{IfExists, PutOptions, UploadFailure, Verdict};
use landfall_testkit::faults::{Canned, Fault, Plan};

const FILES: [(&str, usize); 5] = [
    ("a", 10),
    ("b", 0),
    ("c/d", 70_000),
    ("e", 300_000),
    ("f", 1),
];

/// What may be got over by trying again, whatever request it meets.
fn passing_faults() -> Vec<Fault> {
    let mut faults = vec![
        Fault::DropRequest,
        Fault::CutRequest,
        Fault::DropReply,
        Fault::CutReply(0),
        Fault::CutReply(30),
    ];
    for canned in [Canned::unavailable(), Canned::broken(), Canned::portal()] {
        faults.push(Fault::Answer(canned.clone()));
        faults.push(Fault::AnswerInstead(canned));
    }
    faults.push(Fault::Answer(Canned::slow_down(0)));
    faults.push(Fault::Answer(Canned::slow_down_plainly()));
    faults
}

#[test]
fn each_call_for_many_gets_over_each_fault_with_each_file_once() {
    with_server(async |server| {
        let folder = folder(&FILES);
        // A second copy would get another name.
        for policy in [IfExists::Rename, IfExists::Fail] {
            for route in [LIST, START_BATCH, APPEND_BATCH, FINISH_BATCH] {
                if route == LIST && policy == IfExists::Rename {
                    continue;
                }
                for fault in passing_faults() {
                    server.calls().delete("/dest").await;
                    let faults = Plan::new().on(route, 1, fault.clone());
                    let ran = put(&server, folder.path(), if_exists(policy.clone()), faults).await;
                    assert_eq!(ran.summary.uploaded, 5, "{fault:?} at {route}: {ran:?}");
                    is_complete(&server, &FILES).await;
                }
            }
        }
    });
}

/// The answer's text is changed in place: whoever reads it sees failures where there were none.
fn fail_some(body: &mut [u8]) {
    let (from, to) = (br#"{".tag": "success"}"#, br#"{".tag": "failure"}"#);
    let at = body.windows(from.len()).position(|window| window == from);
    body[at.expect("a success")..][..to.len()].copy_from_slice(to);
}

#[test]
fn an_answer_that_nobody_can_read_is_asked_for_again() {
    with_server(async |server| {
        let folder = folder(&FILES);
        let faults = Plan::new().on(APPEND_BATCH, 1, Fault::Change(fail_some));
        let ran = put(&server, folder.path(), if_exists(IfExists::Rename), faults).await;
        assert_eq!(ran.summary.uploaded, 5, "{ran:?}");
        is_complete(&server, &FILES).await;
    });
}

#[test]
fn only_the_entries_that_failed_are_sent_again() {
    with_server(async |server| {
        let folder = folder(&FILES);
        let busy = r#"{".tag": "failure", "failure": {".tag": "too_many_write_operations"}}"#;
        let entries = |entry: &str| {
            let all = vec![entry; FILES.len()].join(", ");
            Canned::success(&format!(r#"{{"entries": [{all}]}}"#))
        };
        // Nobody was served: all come again, and only the commits.
        let faults = Plan::new().on(FINISH_BATCH, 1, Fault::Answer(entries(busy)));
        let ran = put(&server, folder.path(), if_exists(IfExists::Rename), faults).await;
        assert_eq!((ran.summary.uploaded, ran.count(FINISH_BATCH)), (5, 2));
        assert_eq!((ran.count(START_BATCH), ran.count(APPEND_BATCH)), (1, 1));
        is_complete(&server, &FILES).await;

        // All sessions are gone: the files get new ones.
        server.calls().delete("/dest").await.ok();
        let gone = r#"{".tag": "failure", "failure": {".tag": "not_found"}}"#;
        let faults = Plan::new().on(APPEND_BATCH, 1, Fault::Answer(entries(gone)));
        let ran = put(&server, folder.path(), if_exists(IfExists::Rename), faults).await;
        assert_eq!((ran.summary.uploaded, ran.count(START_BATCH)), (5, 2));
        is_complete(&server, &FILES).await;

        let lost = r#"{".tag": "failure", "failure": {".tag": "lookup_failed", "lookup_failed": {".tag": "not_found"}}}"#;
        server.calls().delete("/dest").await.ok();
        let faults = Plan::new().on(FINISH_BATCH, 1, Fault::Answer(entries(lost)));
        let ran = put(&server, folder.path(), if_exists(IfExists::Rename), faults).await;
        assert_eq!((ran.summary.uploaded, ran.count(START_BATCH)), (5, 2));
        is_complete(&server, &FILES).await;
    });
}

#[test]
fn an_argument_that_is_too_long_for_somebody_is_halved() {
    with_server(async |server| {
        let files: Vec<_> = (0..40).map(|n| format!("{n:02}")).collect();
        let files: Vec<_> = files.iter().map(|name| (name.as_str(), 100)).collect();
        let folder = folder(&files);
        let too_long = Canned::too_long();
        let faults = Plan::new()
            .on(APPEND_BATCH, 1, Fault::Answer(too_long.clone()))
            .on(APPEND_BATCH, 2, Fault::Answer(too_long));
        let ran = put(&server, folder.path(), PutOptions::default(), faults).await;
        assert_eq!(ran.summary.uploaded, 40, "{ran:?}");
        // 40 at once, then at most 20, and 10 from then on.
        assert!(
            (5..=6).contains(&ran.count(APPEND_BATCH)),
            "{:?}",
            ran.requests
        );
        is_complete(&server, &files).await;
    });
}

#[test]
fn what_never_passes_is_told_for_every_file_and_nothing_is_saved() {
    with_server(async |server| {
        let folder = folder(&FILES);
        for route in [START_BATCH, APPEND_BATCH, FINISH_BATCH] {
            let faults = Plan::new().from(route, 1, Fault::Answer(Canned::slow_down(0)));
            let ran = put(&server, folder.path(), if_exists(IfExists::Rename), faults).await;
            assert_eq!((ran.summary.refused, ran.verdicts.len()), (5, 5), "{ran:?}");
            let batch =
                |verdict: &Verdict| matches!(verdict, Verdict::Refused(UploadFailure::Batch(_)));
            assert!(
                ran.verdicts.values().all(|verdict| batch(verdict)),
                "{ran:?}"
            );
            assert!(server.calls().tree().await.is_empty());
        }
        // A finish that may have been carried out, and with another name: nobody can tell.
        let faults = Plan::new().from(FINISH_BATCH, 1, Fault::DropRequest);
        let ran = put(&server, folder.path(), if_exists(IfExists::Rename), faults).await;
        assert_eq!(ran.summary.unknown, 5, "{ran:?}");
        // Without, the places tell.
        let faults = Plan::new().from(FINISH_BATCH, 1, Fault::DropReply);
        let ran = put(
            &server,
            folder.path(),
            if_exists(IfExists::Overwrite),
            faults,
        )
        .await;
        assert_eq!(ran.summary.uploaded, 5, "{ran:?}");
        is_complete(&server, &FILES).await;
    });
}

#[test]
fn after_a_finish_that_nobody_answers_every_place_is_looked_at() {
    with_server(async |server| {
        let folder = folder(&FILES);
        let (first, _) = FILES[0];
        // A folder is where the first file is to go: that one can't be told.
        server
            .calls()
            .put(&format!("/dest/{first}/below"), "x")
            .await;
        let faults = Plan::new().from(FINISH_BATCH, 1, Fault::DropReply);
        let options = if_exists(IfExists::Overwrite);
        let ran = put(&server, folder.path(), options, faults).await;
        assert_eq!(
            (ran.summary.uploaded, ran.summary.unknown),
            (4, 1),
            "{ran:?}"
        );
        let verdict = &*ran.verdicts[&format!("/dest/{first}")];
        assert!(matches!(verdict, Verdict::Unknown(_)), "{ran:?}");
    });
}
