//! What is done about files that are there.

use super::{folder, if_exists, is_complete, put, with_server, write};
use landfall::transfer::{IfExists, UploadFailure, Verdict};
use landfall_testkit::faults::Plan;
use landfall_testkit::pattern;

/// Puts a folder of four files where one is there already, one is there with other bytes of the
/// same length, one with another length, and one is not there.
async fn onto(server: &landfall_testkit::TestServer, policy: IfExists) -> Vec<(String, String)> {
    let folder = folder(&[("longer", 30), ("new", 10), ("other", 20), ("same", 40)]);
    let calls = server.calls();
    calls.delete("/dest").await;
    let same = super::content("same", 40);
    calls.put("/dest/SAME", same).await;
    calls.put("/dest/other", pattern(9, 20)).await;
    calls.put("/dest/longer", pattern(9, 31)).await;
    let ran = put(server, folder.path(), if_exists(policy), Plan::new()).await;
    let told = ran.verdicts.iter().map(|(path, verdict)| {
        let verdict = match &**verdict {
            Verdict::Uploaded(uploaded) => {
                format!(
                    "uploaded {}",
                    uploaded.metadata.path_display.clone().unwrap()
                )
            }
            Verdict::AlreadyThere => "there".to_owned(),
            Verdict::Skipped => "skipped".to_owned(),
            Verdict::Refused(UploadFailure::Exists { what, .. }) => format!("{what} in the way"),
            other => panic!("{path}: {other:?}"),
        };
        (path.trim_start_matches("/dest/").to_owned(), verdict)
    });
    told.collect()
}

fn wanted(verdicts: [&str; 4]) -> Vec<(String, String)> {
    let names = ["longer", "new", "other", "same"].into_iter().zip(verdicts);
    names
        .map(|(name, verdict)| (name.to_owned(), verdict.to_owned()))
        .collect()
}

#[test]
fn fail_takes_the_same_bytes_for_done_and_leaves_all_others_alone() {
    with_server(async |server| {
        let other = "a file with other bytes in the way";
        let told = onto(&server, IfExists::Fail).await;
        assert_eq!(told, wanted([other, "uploaded /dest/new", other, "there"]));
        assert!(server.calls().read("/dest/other").await == pattern(9, 20));
    });
}

#[test]
fn skip_same_sends_only_what_differs() {
    with_server(async |server| {
        let told = onto(&server, IfExists::SkipSame).await;
        let sent = [
            "uploaded /dest/longer",
            "uploaded /dest/new",
            "uploaded /dest/other",
            "there",
        ];
        assert_eq!(told, wanted(sent));
    });
}

#[test]
fn skip_leaves_whatever_is_there() {
    with_server(async |server| {
        let told = onto(&server, IfExists::Skip).await;
        assert_eq!(
            told,
            wanted(["skipped", "uploaded /dest/new", "skipped", "skipped"])
        );
    });
}

#[test]
fn rename_saves_beside_what_is_there() {
    with_server(async |server| {
        let told = onto(&server, IfExists::Rename).await;
        let sent = [
            "uploaded /dest/longer (2)",
            "uploaded /dest/new",
            "uploaded /dest/other (2)",
        ];
        assert_eq!(told, wanted([sent[0], sent[1], sent[2], "there"]));
    });
}

#[test]
fn a_folder_in_the_way_of_a_file_is_told_and_the_rest_goes() {
    with_server(async |server| {
        let folder = folder(&[("a", 10), ("b", 10)]);
        for policy in [IfExists::Fail, IfExists::Overwrite, IfExists::SkipSame] {
            server.calls().delete("/dest").await;
            server.calls().put("/dest/a/below", "x").await;
            let ran = put(&server, folder.path(), if_exists(policy), Plan::new()).await;
            assert!(
                matches!(*ran.verdicts["/dest/a"], Verdict::Refused(_)),
                "{ran:?}"
            );
            assert!(
                matches!(*ran.verdicts["/dest/b"], Verdict::Uploaded(_)),
                "{ran:?}"
            );
        }
    });
}

#[test]
fn a_file_that_vanishes_or_grows_meanwhile_is_not_saved_as_something_else() {
    with_server(async |server| {
        let folder = folder(&[("gone", 10), ("grown", 10), ("stays", 10)]);
        // The plan is made before.
        let planned = super::plan_of(folder.path(), "/dest");
        std::fs::remove_file(folder.path().join("gone")).unwrap();
        let grown = write(folder.path(), "grown", 5_000_000);
        let endpoint = landfall::Endpoint::at(&server.url()).unwrap();
        let token = landfall::Secret::new(server.token().to_owned());
        let client = landfall::Client::new(endpoint, token).unwrap();
        let engine =
            landfall::transfer::Engine::new(client, landfall::transfer::Settings::default());
        let summary = engine
            .put(planned, if_exists(IfExists::Fail))
            .await
            .unwrap();
        assert_eq!((summary.uploaded, summary.refused), (2, 1));
        assert!(server.calls().read("/dest/grown").await == grown);
        std::fs::remove_file(folder.path().join("grown")).unwrap();
        server.calls().delete("/dest/grown").await.ok();
        is_complete(&server, &[("stays", 10)]).await;
    });
}
