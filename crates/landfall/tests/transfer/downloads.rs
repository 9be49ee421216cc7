//! Faults while bytes come down.

use super::{DOWNLOAD, MIB, QUICK, client, large, passing_faults, reached, settings, with_server};
use landfall::Client;
use landfall::protocol::ContentHash;
use landfall::protocol::path::ReadPath;
use landfall::transfer::{Download, DownloadFailure, Downloaded, Engine};
use landfall_testkit::TestServer;
use landfall_testkit::faults::{Canned, Fault, Plan, Proxy};

const PATH: &str = "/file.bin";

async fn run(client: Client) -> (Result<Downloaded, DownloadFailure>, Vec<u8>) {
    let mut got = Vec::new();
    let path = ReadPath::parse(PATH).unwrap();
    let engine = Engine::new(client, settings());
    let result = Download::new(&engine, path).run(&mut got).await;
    (result, got)
}

/// Downloads through a proxy with this plan; returns the number of requests too.
async fn through(
    server: &TestServer,
    plan: Plan,
) -> (Result<Downloaded, DownloadFailure>, Vec<u8>, u32) {
    let proxy = Proxy::start(server.address(), plan).await;
    let (result, got) = run(client(server, &proxy)).await;
    (result, got, proxy.finish()[DOWNLOAD])
}

/// Cuts the first download after this many bytes; something happens before the second, whose
/// head is returned as well.
async fn cut_then(
    server: &TestServer,
    keep: u64,
    meanwhile: impl AsyncFnOnce(),
) -> (Result<Downloaded, DownloadFailure>, Vec<u8>, String) {
    let plan = Plan::new().on(DOWNLOAD, 1, Fault::CutReply(keep));
    let (plan, mut gate) = plan.hold(DOWNLOAD, 2);
    let proxy = Proxy::start(server.address(), plan).await;
    let mut running = tokio::spawn(run(client(server, &proxy)));
    let head = reached(&mut gate, &mut running).await;
    meanwhile().await;
    gate.open();
    let (result, got) = running.await.unwrap();
    proxy.finish();
    (result, got, head)
}

#[test]
fn each_passing_fault_is_got_over() {
    with_server(async |server| {
        let data = large();
        server.calls().put(PATH, data.clone()).await;
        for fault in passing_faults() {
            let plan = Plan::new().on(DOWNLOAD, 1, fault.clone());
            let (result, got, requests) = through(&server, plan).await;
            let hash = result.unwrap().content_hash;
            assert_eq!(hash, ContentHash::of(&data));
            assert!(got == data, "{fault:?}");
            assert_eq!(requests, 2, "{fault:?}");
        }
    });
}

#[test]
fn after_a_cut_only_the_rest_is_asked_for() {
    with_server(async |server| {
        let data = large();
        server.calls().put(PATH, data.clone()).await;
        for keep in [1, MIB, 5 * MIB + 7, data.len() - 1] {
            let (result, got, head) = cut_then(&server, keep as u64, async || {}).await;
            assert!(result.is_ok() && got == data, "{keep}: {result:?}");
            let range = format!("\r\nrange: bytes={keep}-\r\n");
            assert!(head.to_lowercase().contains(&range), "{head}");
        }
        let (result, got, head) = cut_then(&server, 0, async || {}).await;
        assert!(result.is_ok() && got == data, "{result:?}");
        assert!(!head.to_lowercase().contains("\r\nrange:"), "{head}");
    });
}

#[test]
fn as_long_as_bytes_come_it_goes_on() {
    with_server(async |server| {
        let data = large();
        server.calls().put(PATH, data.clone()).await;
        let mut plan = Plan::new();
        for request in 1..=4 * QUICK.failures {
            plan = plan.on(DOWNLOAD, request, Fault::CutReply(100_000));
        }
        let (result, got, requests) = through(&server, plan).await;
        assert!(result.is_ok() && got == data, "{result:?}");
        assert_eq!(requests, 4 * QUICK.failures + 1);
    });
}

#[test]
fn a_file_that_is_replaced_meanwhile_is_not_pieced_together() {
    with_server(async |server| {
        // The new one is as long, longer, shorter than what came, and empty.
        for size in [9 * MIB, 10 * MIB, MIB, 0] {
            server.calls().put(PATH, large()).await;
            let (result, ..) = cut_then(&server, 5 * MIB as u64, async || {
                server.calls().put(PATH, vec![7; size]).await;
            })
            .await;
            let failure = result.unwrap_err();
            let changed = matches!(failure, DownloadFailure::Changed { .. });
            assert!(changed, "{size} bytes: {failure}");
        }
    });
}

#[test]
fn a_service_that_refuses_ranges_sends_the_whole_again() {
    with_server(async |server| {
        server.calls().put(PATH, large()).await;
        let refusal = Canned {
            status: 416,
            ..Canned::broken()
        };
        let plan = Plan::new()
            .on(DOWNLOAD, 1, Fault::CutReply(5 * MIB as u64))
            .on(DOWNLOAD, 2, Fault::Answer(refusal))
            .on(DOWNLOAD, 3, Fault::CutReply(6 * MIB as u64));
        let (result, got, requests) = through(&server, plan).await;
        assert!(result.is_ok() && got == large(), "{result:?}");
        assert_eq!(requests, 4);
    });
}

#[test]
fn a_file_that_is_deleted_meanwhile_is_not_found() {
    with_server(async |server| {
        server.calls().put(PATH, large()).await;
        let (result, ..) = cut_then(&server, 100, async || {
            server.calls().delete(PATH).await.ok();
        })
        .await;
        let text = result.unwrap_err().to_string();
        assert!(text.contains("path/not_found"), "{text}");
    });
}

fn damage(body: &mut [u8]) {
    let middle = body.len() / 2;
    body[middle] ^= 1;
}

#[test]
fn damaged_bytes_are_no_success() {
    with_server(async |server| {
        server.calls().put(PATH, large()).await;
        let plan = Plan::new().on(DOWNLOAD, 1, Fault::Change(damage));
        let (result, _, requests) = through(&server, plan).await;
        let failure = result.unwrap_err();
        let integrity = matches!(failure, DownloadFailure::Integrity { .. });
        assert!(integrity, "{failure}");
        assert_eq!(requests, 1);
    });
}

#[test]
fn what_is_not_there_is_not_asked_for_twice() {
    with_server(async |server| {
        let (result, got, requests) = through(&server, Plan::new()).await;
        let text = result.unwrap_err().to_string();
        assert!(text.contains("path/not_found"), "{text}");
        assert_eq!((got.len(), requests), (0, 1));
    });
}

#[test]
fn trouble_on_the_way_is_met_with_all_patience() {
    with_server(async |server| {
        server.calls().put(PATH, large()).await;
        for fault in [
            Fault::DropRequest,
            Fault::DropReply,
            Fault::Answer(Canned::unavailable()),
            Fault::Answer(Canned::slow_down(0)),
        ] {
            let plan =
                Plan::new()
                    .on(DOWNLOAD, 1, Fault::CutReply(1000))
                    .from(DOWNLOAD, 2, fault.clone());
            let (result, got, requests) = through(&server, plan).await;
            let failure = result.unwrap_err();
            assert!(matches!(failure, DownloadFailure::Call(_)), "{failure}");
            assert!(got == large()[..1000]);
            assert_eq!(requests, QUICK.failures, "{fault:?}");
        }
    });
}

/// A service that can't read a part of the file fails there every time.
#[test]
fn a_service_that_fails_at_the_same_byte_is_given_up_soon() {
    with_server(async |server| {
        server.calls().put(PATH, large()).await;
        for fault in [Fault::CutReply(0), Fault::Answer(Canned::broken())] {
            let plan =
                Plan::new()
                    .on(DOWNLOAD, 1, Fault::CutReply(1000))
                    .from(DOWNLOAD, 2, fault.clone());
            let (result, got, requests) = through(&server, plan).await;
            let failure = result.unwrap_err();
            assert!(got == large()[..1000]);
            assert_eq!(requests, 1 + 3, "{fault:?}");
            let text = failure.to_string();
            assert!(text.contains("byte 1000"), "{text}");
        }
    });
}

#[test]
fn failures_without_progress_count_only_in_a_row() {
    with_server(async |server| {
        server.calls().put(PATH, large()).await;
        let mut plan = Plan::new();
        for request in 0..9 {
            let fault = match request % 3 {
                0 => Fault::CutReply(1000),
                1 => Fault::CutReply(0),
                _ => Fault::Answer(Canned::broken()),
            };
            plan = plan.on(DOWNLOAD, request + 1, fault);
        }
        let (result, got, requests) = through(&server, plan).await;
        assert!(result.is_ok() && got == large(), "{result:?}");
        assert_eq!(requests, 10);
    });
}
