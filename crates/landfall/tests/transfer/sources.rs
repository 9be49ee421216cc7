//! Sources that change or break while they are uploaded: nothing is saved.

use super::{
    APPEND, CHUNK, FINISH, client, commit, file, large, reached, refused, through, upload,
    with_server,
};
use landfall::transfer::{Source, SourceError, UploadFailure};
use landfall_testkit::TestServer;
use landfall_testkit::faults::{Plan, Proxy};
use std::fs::File;
use std::io::{self, Cursor};
use std::time::{Duration, UNIX_EPOCH};
use tokio::io::AsyncReadExt;

/// Something happens to the file while its first chunk is on its way; the third is not read yet.
async fn changed_meanwhile(server: &TestServer, change: impl FnOnce(&File)) {
    let (plan, mut gate) = Plan::new().hold(APPEND, 1);
    let proxy = Proxy::start(server.address(), plan).await;
    let client = client(server, &proxy);
    let (source, there) = file(&large());
    let mut running = tokio::spawn(upload(&client, source, commit("/file.bin")).run());
    reached(&mut gate, &mut running).await;
    change(&File::options().write(true).open(there.path()).unwrap());
    gate.open();
    let failure = refused(running.await.unwrap());
    let changed = matches!(failure, UploadFailure::Source(SourceError::Changed { .. }));
    assert!(changed, "{failure}");
    let name = there.path().to_string_lossy();
    assert!(failure.to_string().contains(&*name), "{failure}");
    assert_eq!(proxy.finish().get(FINISH), None);
    assert!(server.calls().tree().await.is_empty());
}

#[test]
fn a_file_that_shrinks() {
    with_server(async |server| {
        changed_meanwhile(&server, |file| file.set_len(5).unwrap()).await;
        changed_meanwhile(&server, |file| {
            file.set_len(large().len() as u64 - 1).unwrap();
        })
        .await;
    });
}

#[test]
fn a_file_that_grows() {
    with_server(async |server| {
        changed_meanwhile(&server, |file| {
            file.set_len(large().len() as u64 + 1).unwrap();
        })
        .await;
    });
}

#[test]
fn a_file_that_is_written_in_place() {
    with_server(async |server| {
        changed_meanwhile(&server, |file| {
            let later = UNIX_EPOCH + Duration::from_secs(2_000_000_000);
            file.set_modified(later).unwrap();
        })
        .await;
    });
}

#[test]
fn a_stream_that_breaks_off_with_an_error() {
    with_server(async |server| {
        for size in [0, 10, CHUNK, CHUNK + 10] {
            let good = Cursor::new(vec![7; size]);
            let source = Source::stream("the pipe", good.chain(Breaks));
            let (outcome, requests) = through(&server, Plan::new(), source, commit("/x")).await;
            let text = refused(outcome).to_string();
            assert!(
                text.contains("the pipe") && text.contains("burst"),
                "{text}"
            );
            assert!(requests.iter().all(|(route, _)| route != FINISH));
        }
        assert!(server.calls().tree().await.is_empty());
    });
}

struct Breaks;

impl tokio::io::AsyncRead for Breaks {
    fn poll_read(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
        _: &mut tokio::io::ReadBuf<'_>,
    ) -> std::task::Poll<io::Result<()>> {
        std::task::Poll::Ready(Err(io::Error::other("it burst")))
    }
}
