//! A finish whose answer was lost, and a session that is gone when it is repeated.

use super::{
    FINISH, METADATA, client, commit, done, file, is_saved, reached, refused, renaming, small,
    unknown, upload, with_server,
};
use landfall::protocol::types::files::CommitInfo;
use landfall::transfer::Outcome;
use landfall_testkit::TestServer;
use landfall_testkit::faults::{Canned, Fault, Plan, Proxy};

/// Longer than a session lives and a finish is remembered.
const LONG: i64 = 9 * 24 * 60 * 60;

/// Uploads; between the first finish and the second time passes and something happens. Returns
/// how often the target was looked at, too.
async fn with_second_finish_late(
    server: &TestServer,
    first: Fault,
    commit: CommitInfo,
    meanwhile: impl AsyncFnOnce(),
) -> (Outcome, u32) {
    let (plan, mut gate) = Plan::new().on(FINISH, 1, first).hold(FINISH, 2);
    let proxy = Proxy::start(server.address(), plan).await;
    let client = client(server, &proxy);
    let (source, _file) = file(&small());
    let mut running = tokio::spawn(upload(&client, source, commit).run());
    reached(&mut gate, &mut running).await;
    server.clock().advance_seconds(LONG);
    meanwhile().await;
    gate.open();
    let outcome = running.await.unwrap();
    let looks = proxy.finish().get(METADATA).copied().unwrap_or(0);
    (outcome, looks)
}

#[test]
fn the_file_is_found_at_its_path() {
    with_server(async |server| {
        let (outcome, looks) =
            with_second_finish_late(&server, Fault::DropReply, commit("/file.bin"), async || {})
                .await;
        let uploaded = done(outcome);
        is_saved(&server, "/file.bin", &small(), &uploaded).await;
        assert_eq!((uploaded.raw, looks), (None, 1));
        assert_eq!(server.calls().tree().await, ["/file.bin"]);
    });
}

#[test]
fn with_autorename_nobody_can_tell_and_no_second_copy_is_made() {
    with_server(async |server| {
        let (outcome, _) = with_second_finish_late(
            &server,
            Fault::DropReply,
            renaming("/file.bin"),
            async || {},
        )
        .await;
        let text = unknown(outcome);
        assert!(
            text.contains("unknown whether /file.bin was saved"),
            "{text}"
        );
        assert!(text.contains("another name"), "{text}");
        assert_eq!(server.calls().tree().await, ["/file.bin"]);
    });
}

#[test]
fn another_file_at_the_path_is_not_taken_for_the_upload() {
    with_server(async |server| {
        let (outcome, looks) =
            with_second_finish_late(&server, Fault::DropReply, commit("/file.bin"), async || {
                server.calls().put("/file.bin", "somebody's").await;
            })
            .await;
        let text = unknown(outcome);
        assert!(text.contains("not this upload"), "{text}");
        assert_eq!(looks, 1);
        assert_eq!(server.calls().read("/file.bin").await, "somebody's");

        let (outcome, _) = with_second_finish_late(
            &server,
            Fault::DropReply,
            commit("/other.bin"),
            async || {
                server.calls().delete("/other.bin").await.ok();
            },
        )
        .await;
        unknown(outcome);
        assert_eq!(server.calls().tree().await, ["/file.bin"]);
    });
}

#[test]
fn a_session_that_expired_unserved_saved_nothing() {
    with_server(async |server| {
        for commit in [commit("/x"), renaming("/x")] {
            let slow = Fault::Answer(Canned::slow_down(0));
            let (outcome, looks) =
                with_second_finish_late(&server, slow, commit, async || {}).await;
            let text = refused(outcome).to_string();
            assert!(text.contains("lookup_failed/not_found"), "{text}");
            assert_eq!(looks, 0, "the first finish was not served for sure");
        }
        assert!(server.calls().tree().await.is_empty());
    });
}
