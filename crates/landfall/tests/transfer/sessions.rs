//! Faults while the bytes go into the session.

use super::{
    APPEND, CHUNK, FINISH, MIB, QUICK, START, client, commit, count, done, file, is_saved, large,
    passing_faults, reached, refusal, refused, renaming, settings, small, stream, through, upload,
    with_server,
};
use landfall::transfer::{Engine, Event, Upload, UploadFailure};
use landfall_testkit::faults::{Canned, Fault, Plan, Proxy};
use landfall_testkit::{TestServer, pattern};
use serde_json::Value;
use std::sync::{Arc, Mutex};
use std::time::Instant;

/// Meets each passing fault at each of these requests.
async fn each_fault_at(server: &TestServer, places: &[(&'static str, u32)], data: &[u8]) {
    let calls = server.calls();
    for (nth, fault) in passing_faults().into_iter().enumerate() {
        for &(route, request) in places {
            let tail = route.rsplit('/').next().unwrap();
            let path = format!("/{nth}-{tail}-{request}");
            let plan = Plan::new().on(route, request, fault.clone());
            let (source, _file) = file(data);
            // With autorename a second copy would not go unseen.
            let (outcome, requests) = through(server, plan, source, renaming(&path)).await;
            is_saved(server, &path, data, &done(outcome)).await;
            let pieces = if route == APPEND { 3 } else { 1 };
            assert_eq!(count(&requests, route), pieces + 1, "{fault:?} at {path}");
            let tree = calls.tree().await;
            assert_eq!(tree, [path.as_str()], "{fault:?}");
            calls.delete(&path).await.ok();
        }
    }
}

#[test]
fn a_small_file_gets_over_each_fault_once_and_whole() {
    with_server(async |server| {
        each_fault_at(&server, &[(START, 1), (FINISH, 1)], &small()).await;
    });
}

#[test]
fn an_empty_file_gets_over_each_fault_once() {
    with_server(async |server| {
        each_fault_at(&server, &[(START, 1), (FINISH, 1)], b"").await;
    });
}

#[test]
fn a_large_file_gets_over_each_fault_at_each_piece() {
    with_server(async |server| {
        let places = [(APPEND, 1), (APPEND, 2), (APPEND, 3)];
        each_fault_at(&server, &places, &large()).await;
    });
}

/// The closing piece of such a stream is empty.
#[test]
fn a_stream_of_whole_chunks_gets_over_each_fault_at_its_end() {
    with_server(async |server| {
        let data = pattern(4, CHUNK);
        for (nth, fault) in passing_faults().into_iter().enumerate() {
            let path = format!("/{nth}");
            let plan = Plan::new().on(APPEND, 2, fault);
            let (outcome, _) = through(&server, plan, stream(&data), commit(&path)).await;
            is_saved(&server, &path, &data, &done(outcome)).await;
        }
    });
}

#[test]
fn one_fault_after_another_is_got_over_as_well() {
    with_server(async |server| {
        let mut plan = Plan::new().on(START, 1, Fault::DropReply);
        for request in 1..=10 {
            let fault = match request % 3 {
                0 => Fault::DropReply,
                1 => Fault::CutRequest,
                _ => continue,
            };
            plan = plan.on(APPEND, request, fault);
        }
        let data = pattern(5, 5 * CHUNK);
        let (source, _file) = file(&data);
        let (outcome, _) = through(&server, plan, source, commit("/file.bin")).await;
        is_saved(&server, "/file.bin", &data, &done(outcome)).await;
        assert!(server.calls().read("/file.bin").await == data);
    });
}

#[test]
fn what_never_passes_is_given_up_with_nothing_saved() {
    with_server(async |server| {
        for fault in [
            Fault::DropRequest,
            Fault::CutRequest,
            Fault::Answer(Canned::unavailable()),
            Fault::Answer(Canned::portal()),
            Fault::Answer(Canned::slow_down(0)),
        ] {
            for (route, first) in [(START, 1), (APPEND, 1), (APPEND, 3)] {
                let plan = Plan::new().from(route, first, fault.clone());
                let (source, _file) = file(&large());
                let (outcome, requests) = through(&server, plan, source, commit("/x")).await;
                match (route, refused(outcome)) {
                    (START, UploadFailure::Start(_)) | (APPEND, UploadFailure::Append(_)) => {}
                    (_, failure) => panic!("{fault:?} at {route}: {failure}"),
                }
                // Two pieces are under way at once; each is tried as often as the policy says.
                let made = count(&requests, route) + 1 - first;
                let most = QUICK.failures * if route == APPEND { 2 } else { 1 };
                assert!(
                    (QUICK.failures..=most).contains(&made),
                    "{fault:?} at {route}: {made}"
                );
                assert_eq!(count(&requests, FINISH), 0);
            }
        }
        assert!(server.calls().tree().await.is_empty());
    });
}

#[test]
fn a_refusal_is_not_asked_for_twice() {
    with_server(async |server| {
        for (route, tags) in [
            (START, &["other"][..]),
            (START, &["concurrent_session_close_not_allowed"]),
            (APPEND, &["other"]),
            (APPEND, &["not_found"]),
            (APPEND, &["closed"]),
            (APPEND, &["too_large"]),
        ] {
            let plan = Plan::new().on(route, 1, Fault::Answer(refusal(tags)));
            // A stream can't be read again from its beginning.
            let source = stream(&large());
            let (outcome, requests) = through(&server, plan, source, commit("/x")).await;
            let text = refused(outcome).to_string();
            assert!(text.contains(tags[0]), "{text}");
            assert_eq!(count(&requests, route), 1, "{tags:?}");
            assert_eq!(count(&requests, FINISH), 0, "{tags:?}");
        }
        assert!(server.calls().tree().await.is_empty());
    });
}

#[test]
fn a_file_whose_session_is_gone_begins_another_one_but_not_for_ever() {
    with_server(async |server| {
        let data = large();
        for tags in ["not_found", "closed"] {
            let gone = || Fault::Answer(refusal(&[tags]));
            let path = format!("/{tags}");
            let (source, _file) = file(&data);
            let plan = Plan::new().on(APPEND, 3, gone());
            let (outcome, requests) = through(&server, plan, source, commit(&path)).await;
            is_saved(&server, &path, &data, &done(outcome)).await;
            assert_eq!(count(&requests, START), 2, "{tags}");

            let (source, _file) = file(&data);
            let plan = Plan::new().from(APPEND, 1, gone());
            let (outcome, requests) = through(&server, plan, source, commit("/x")).await;
            let failure = refused(outcome);
            assert!(matches!(failure, UploadFailure::SessionGone), "{failure}");
            assert_eq!(count(&requests, START), 3, "{tags}");
        }
        let mut tree = server.calls().tree().await;
        tree.sort();
        assert_eq!(tree, ["/closed", "/not_found"]);
    });
}

#[test]
fn bytes_damaged_on_their_way_are_sent_again() {
    with_server(async |server| {
        for (route, data) in [(START, small()), (APPEND, large())] {
            let damaged = refusal(&["content_hash_mismatch"]);
            let plan = Plan::new().on(route, 1, Fault::Answer(damaged));
            let (source, _file) = file(&data);
            let (outcome, _) = through(&server, plan, source, renaming("/file.bin")).await;
            is_saved(&server, "/file.bin", &data, &done(outcome)).await;
            server.calls().delete("/file.bin").await.ok();
        }
    });
}

/// Some services say of a repeated closing piece only that the session is closed.
#[test]
fn closed_means_done_for_a_closing_piece_whose_answer_was_lost() {
    with_server(async |server| {
        let closed = || Fault::Answer(refusal(&["closed"]));
        let lost = |nth| Plan::new().on(APPEND, nth, Fault::DropReply);
        let data = large();
        let (source, _file) = file(&data);
        let plan = lost(3).on(APPEND, 4, closed());
        let (outcome, _) = through(&server, plan, source, commit("/file.bin")).await;
        is_saved(&server, "/file.bin", &data, &done(outcome)).await;

        // Of any other piece it means that somebody else closed it.
        let source = stream(&data);
        let plan = lost(2).on(APPEND, 3, closed());
        let (outcome, _) = through(&server, plan, source, commit("/x")).await;
        assert!(matches!(refused(outcome), UploadFailure::Append(_)));
        assert_eq!(server.calls().tree().await, ["/file.bin"]);
    });
}

/// An upload that waits with its second chunk, and the session's id.
async fn with_second_chunk_held(
    server: &TestServer,
    data: &[u8],
    meanwhile: impl AsyncFnOnce(&str),
) -> (landfall::transfer::Outcome, Vec<(String, u32)>) {
    let (plan, mut gate) = Plan::new().hold(APPEND, 2);
    let proxy = Proxy::start(server.address(), plan).await;
    let client = client(server, &proxy);
    let source = stream(data);
    let mut running = tokio::spawn(upload(&client, source, commit("/file.bin")).run());
    let head = reached(&mut gate, &mut running).await;
    let arg = head
        .lines()
        .find_map(|line| line.strip_prefix("dropbox-api-arg: "));
    let arg: Value = serde_json::from_str(arg.expect("an argument")).unwrap();
    assert_eq!(arg["cursor"]["offset"], CHUNK);
    meanwhile(arg["cursor"]["session_id"].as_str().unwrap()).await;
    gate.open();
    let outcome = running.await.unwrap();
    (outcome, proxy.finish().into_iter().collect())
}

#[test]
fn a_session_that_holds_a_part_of_a_chunk_gets_the_rest() {
    with_server(async |server| {
        for kept in [1, MIB, CHUNK - 1, CHUNK] {
            let data = large();
            let part = data[CHUNK..CHUNK + kept].to_vec();
            let (outcome, requests) = with_second_chunk_held(&server, &data, async |session| {
                server.calls().append(session, CHUNK, part).await.ok();
            })
            .await;
            is_saved(&server, "/file.bin", &data, &done(outcome)).await;
            assert!(server.calls().read("/file.bin").await == data, "{kept}");
            let again = u32::from(kept < CHUNK);
            assert_eq!(count(&requests, APPEND), 3 + again, "{kept}");
            server.calls().delete("/file.bin").await.ok();
        }
    });
}

#[test]
fn bytes_of_somebody_else_in_the_session_end_the_upload() {
    with_server(async |server| {
        // As many bytes as are missing, but others: the count is right, the hash is not.
        let others = pattern(6, CHUNK);
        let (outcome, _) = with_second_chunk_held(&server, &large(), async |session| {
            server.calls().append(session, CHUNK, others).await.ok();
        })
        .await;
        let failure = refused(outcome);
        assert!(
            matches!(failure, UploadFailure::Integrity { .. }),
            "{failure}"
        );
        server.calls().delete("/file.bin").await.ok();

        // More bytes than were sent.
        let others = pattern(6, CHUNK + 1);
        let (outcome, _) = with_second_chunk_held(&server, &large(), async |session| {
            server.calls().append(session, CHUNK, others).await.ok();
        })
        .await;
        let failure = refused(outcome);
        assert!(matches!(failure, UploadFailure::Offset { .. }), "{failure}");
        assert!(server.calls().tree().await.is_empty());
    });
}

#[test]
fn the_wait_that_the_service_asks_for_is_waited() {
    with_server(async |server| {
        let slow = Fault::Answer(Canned::slow_down(1));
        let proxy = Proxy::start(server.address(), Plan::new().on(START, 1, slow)).await;
        let client = client(&server, &proxy);
        let waits = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&waits);
        let (source, _file) = file(&small());
        let engine = Engine::with_events(client, settings(), move |event| {
            if let Event::Paused { wait, .. } = event {
                seen.lock().unwrap().push(wait);
            }
        });
        let begun = Instant::now();
        let upload = Upload::new(&engine, source, commit("/file.bin"));
        is_saved(&server, "/file.bin", &small(), &done(upload.run().await)).await;
        let waits = waits.lock().unwrap();
        assert!(
            matches!(waits[..], [wait] if wait.as_millis() > 900),
            "{waits:?}"
        );
        assert!(begun.elapsed() >= waits[0]);
        proxy.finish();
    });
}
