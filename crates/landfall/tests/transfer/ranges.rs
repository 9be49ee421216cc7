//! Large files that come in several ranges at once.

use super::{CHUNK, DOWNLOAD, MIB, client, large, passing_faults, reached, settings, with_server};
use landfall::Client;
use landfall::protocol::path::ReadPath;
use landfall::protocol::types::files::{FileMetadata, GetMetadataArg, Metadata};
use landfall::transfer::{Download, DownloadFailure, Downloaded, Engine, Event, Events, Settings};
use landfall_testkit::faults::{Canned, Fault, Plan, Proxy};
use landfall_testkit::{TestServer, pattern};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::task::JoinSet;

const PATH: &str = "/file.bin";

pub(super) fn read_path(path: &str) -> ReadPath {
    ReadPath::parse(path).unwrap()
}

/// The file as the service describes it.
pub(super) async fn known(client: &Client, path: &str) -> FileMetadata {
    let arg = GetMetadataArg {
        path: read_path(path),
        include_media_info: false,
        include_deleted: false,
        include_has_explicit_shared_members: false,
        include_property_groups: None,
    };
    match client.get_metadata(&arg).await.unwrap().value {
        Metadata::File(file) => file,
        other => panic!("no file: {other:?}"),
    }
}

/// So many blocks of memory.
fn memory(blocks: u64) -> Settings {
    Settings {
        memory: blocks * CHUNK as u64,
        ..settings()
    }
}

async fn run(client: Client, file: FileMetadata) -> (Result<Downloaded, DownloadFailure>, Vec<u8>) {
    run_in(settings(), client, file).await
}

async fn run_in(
    settings: Settings,
    client: Client,
    file: FileMetadata,
) -> (Result<Downloaded, DownloadFailure>, Vec<u8>) {
    let mut got = Vec::new();
    let engine = Engine::new(client, settings);
    let download = Download::new(&engine, read_path(PATH)).known(file);
    let result = download.run(&mut got).await;
    (result, got)
}

/// Downloads through a proxy with this plan; returns the number of requests too.
async fn through(
    server: &TestServer,
    plan: Plan,
) -> (Result<Downloaded, DownloadFailure>, Vec<u8>, u32) {
    let proxy = Proxy::start(server.address(), plan).await;
    let client = client(server, &proxy);
    let file = known(&client, PATH).await;
    let (result, got) = run(client, file).await;
    (result, got, proxy.finish()[DOWNLOAD])
}

#[test]
fn a_file_that_is_known_takes_a_request_for_each_range() {
    with_server(async |server| {
        for (size, requests) in [
            (1, 1),
            (CHUNK, 1),
            (CHUNK + 1, 2),
            (2 * CHUNK, 2),
            (9 * MIB, 3),
            (33 * MIB + 7, 9),
        ] {
            let data = pattern(size as u64, size);
            server.calls().put(PATH, data.clone()).await;
            let (result, got, made) = through(&server, Plan::new()).await;
            assert!(result.is_ok() && got == data, "{size}: {result:?}");
            assert_eq!(made, requests, "{size} bytes");
        }
    });
}

#[test]
fn each_passing_fault_is_got_over_at_each_range() {
    with_server(async |server| {
        let data = large();
        server.calls().put(PATH, data.clone()).await;
        for fault in passing_faults() {
            for range in 1..=3 {
                let plan = Plan::new().on(DOWNLOAD, range, fault.clone());
                let (result, got, requests) = through(&server, plan).await;
                assert!(result.is_ok() && got == data, "{fault:?}: {result:?}");
                assert_eq!(requests, 4, "{fault:?}");
            }
        }
    });
}

/// The head with another range: where it begins and ends, by what was asked for.
fn other_range(head: &str, change: impl Fn(u64, u64) -> String) -> String {
    let changed: Vec<String> = head
        .split("\r\n")
        .map(|line| match line.split_once("bytes=") {
            Some((name, range)) => {
                let (from, to) = range.split_once('-').unwrap();
                let range = change(from.parse().unwrap(), to.parse().unwrap());
                format!("{name}bytes={range}")
            }
            None => line.to_owned(),
        })
        .collect();
    changed.join("\r\n")
}

fn shorter(head: &str) -> String {
    other_range(head, |from, _| format!("{from}-{}", from + 999))
}

fn longer(head: &str) -> String {
    other_range(head, |from, _| format!("{from}-"))
}

fn from_elsewhere(head: &str) -> String {
    other_range(head, |from, to| format!("{}-{to}", from + 1))
}

fn without_range(head: &str) -> String {
    let lines = head.split("\r\n");
    let kept: Vec<&str> = lines
        .filter(|line| !line.to_lowercase().starts_with("range:"))
        .collect();
    kept.join("\r\n")
}

#[test]
fn ranges_that_come_wrong_or_short_are_asked_for_again() {
    with_server(async |server| {
        let data = large();
        server.calls().put(PATH, data.clone()).await;
        for range in 1..=3 {
            for (change, requests) in [
                (shorter as fn(&str) -> String, 4),
                (from_elsewhere, 4),
                (longer, 3),
            ] {
                let plan = Plan::new().on(DOWNLOAD, range, Fault::ChangeHead(change));
                let (result, got, made) = through(&server, plan).await;
                assert!(result.is_ok() && got == data, "{result:?}");
                assert_eq!(made, requests);
            }
        }
    });
}

#[test]
fn a_service_without_ranges_sends_the_whole() {
    with_server(async |server| {
        let data = pattern(6, 33 * MIB);
        server.calls().put(PATH, data.clone()).await;
        let refusal = Canned {
            status: 416,
            ..Canned::broken()
        };
        let ignored = Plan::new().from(DOWNLOAD, 1, Fault::ChangeHead(without_range));
        // One of the ranges is refused, whichever it is.
        let refused = Plan::new().on(DOWNLOAD, 2, Fault::Answer(refusal));
        for plan in [ignored, refused] {
            let proxy = Proxy::start(server.address(), plan).await;
            let client = client(&server, &proxy);
            let file = known(&client, PATH).await;
            let (result, got) = run_in(memory(2), client, file).await;
            assert!(result.is_ok() && got == data, "{result:?}");
            // No more of the ranges than there is memory for, and the whole.
            let requests = proxy.finish()[DOWNLOAD];
            assert!(requests <= 3, "{requests} requests");
        }
    });
}

#[test]
fn ranges_of_two_revisions_are_not_put_together() {
    with_server(async |server| {
        // The new one is as long, longer, and so short that the range is beyond its end.
        for size in [9 * MIB, 10 * MIB, 1] {
            for range in 1..=3 {
                let old = large();
                server.calls().put(PATH, old.clone()).await;
                let (plan, mut gate) = Plan::new().hold(DOWNLOAD, range);
                let proxy = Proxy::start(server.address(), plan).await;
                let client = client(&server, &proxy);
                let file = known(&client, PATH).await;
                let mut running = tokio::spawn(run(client, file));
                reached(&mut gate, &mut running).await;
                server.calls().put(PATH, vec![7; size]).await;
                gate.open();
                let (result, got) = running.await.unwrap();
                let changed = matches!(result, Err(DownloadFailure::Changed { .. }));
                assert!(changed, "{size} bytes: {result:?}");
                assert!(got == old[..got.len()], "{size} bytes");
                proxy.finish();
            }
        }
    });
}

#[test]
fn what_is_not_the_revision_that_was_seen_is_not_downloaded() {
    with_server(async |server| {
        for size in [10, 9 * MIB] {
            server.calls().put(PATH, vec![1; size]).await;
            let proxy = Proxy::start(server.address(), Plan::new()).await;
            let client = client(&server, &proxy);
            let file = known(&client, PATH).await;
            server.calls().put(PATH, vec![2; size]).await;
            let (result, got) = run(client, file).await;
            let changed = matches!(result, Err(DownloadFailure::Changed { .. }));
            assert!(changed && got.is_empty(), "{result:?}");
            proxy.finish();
        }
    });
}

#[test]
fn all_before_a_damaged_place_is_written_and_the_place_is_told() {
    with_server(async |server| {
        let data = large();
        server.calls().put(PATH, data.clone()).await;
        for fault in [Fault::CutReply(0), Fault::Answer(Canned::broken())] {
            for nth in 1..=2 {
                let cut = Plan::new().on(DOWNLOAD, nth, Fault::CutReply(1000));
                let plan = cut.from(DOWNLOAD, nth + 1, fault.clone());
                let (result, got, _) = through(&server, plan).await;
                let failure = result.unwrap_err();
                let DownloadFailure::Stuck { at, .. } = failure else {
                    panic!("{failure}");
                };
                assert_eq!(at, got.len() as u64, "{fault:?}");
                assert!(got == data[..got.len()], "{fault:?}");
            }
        }
    });
}

fn damage(body: &mut [u8]) {
    let middle = body.len() / 2;
    body[middle] ^= 1;
}

#[test]
fn a_damaged_range_is_no_success() {
    with_server(async |server| {
        server.calls().put(PATH, large()).await;
        let plan = Plan::new().on(DOWNLOAD, 2, Fault::Change(damage));
        let (result, _, requests) = through(&server, plan).await;
        let integrity = matches!(result, Err(DownloadFailure::Integrity { .. }));
        assert!(integrity, "{result:?}");
        assert_eq!(requests, 3);
    });
}

/// Takes a little at a time, and counts.
struct Slow(Arc<AtomicU64>);

impl AsyncWrite for Slow {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let taken = buf.len().min(10_000);
        self.0.fetch_add(taken as u64, Ordering::SeqCst);
        Poll::Ready(Ok(taken))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// The most bytes that had come and were not written, at any time.
#[derive(Clone, Default)]
struct Ahead {
    written: Arc<AtomicU64>,
    most: Arc<AtomicU64>,
}

impl Events for Ahead {
    fn event(&self, event: Event) {
        if let Event::Progress { done, .. } = event {
            let written = self.written.load(Ordering::SeqCst);
            let ahead = done.saturating_sub(written);
            self.most.fetch_max(ahead, Ordering::SeqCst);
        }
    }
}

#[test]
fn no_more_waits_to_be_written_than_the_engine_has_memory() {
    with_server(async |server| {
        let data = pattern(5, 41 * MIB);
        server.calls().put(PATH, data).await;
        for blocks in [2, 4] {
            let proxy = Proxy::start(server.address(), Plan::new()).await;
            let client = client(&server, &proxy);
            let file = known(&client, PATH).await;
            let ahead = Ahead::default();
            let engine = Engine::with_events(client, memory(blocks), ahead.clone());
            let mut sink = Slow(Arc::clone(&ahead.written));
            let download = Download::new(&engine, read_path(PATH)).known(file);
            download.run(&mut sink).await.unwrap();
            let most = ahead.most.load(Ordering::SeqCst);
            assert!(most > 0 && most <= blocks * CHUNK as u64, "{most} bytes");
            proxy.finish();
        }
    });
}

#[test]
fn files_that_share_little_memory_do_not_wait_for_each_other_for_ever() {
    with_server(async |server| {
        let data = large();
        server.calls().put(PATH, data.clone()).await;
        let proxy = Proxy::start(server.address(), Plan::new()).await;
        let client = client(&server, &proxy);
        let file = known(&client, PATH).await;
        let engine = Engine::new(client, memory(2));
        let mut downloads = JoinSet::new();
        for _ in 0..6 {
            let download = Download::new(&engine, read_path(PATH)).known(file.clone());
            downloads.spawn(async move {
                let mut got = Vec::new();
                download.run(&mut got).await.map(|_| got)
            });
        }
        while let Some(got) = downloads.join_next().await {
            assert!(got.unwrap().unwrap() == data);
        }
        proxy.finish();
    });
}

#[test]
fn a_sink_that_takes_no_more_ends_it() {
    with_server(async |server| {
        server.calls().put(PATH, large()).await;
        let proxy = Proxy::start(server.address(), Plan::new()).await;
        let client = client(&server, &proxy);
        let file = known(&client, PATH).await;
        let engine = Engine::new(client, settings());
        let (mut sink, other_end) = tokio::io::duplex(1000);
        sink.write_all(&[0; 1000]).await.unwrap();
        drop(other_end);
        let download = Download::new(&engine, read_path(PATH)).known(file);
        let failure = download.run(&mut sink).await.unwrap_err();
        assert!(matches!(failure, DownloadFailure::Sink(_)), "{failure}");
        proxy.finish();
    });
}
