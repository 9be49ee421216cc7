//! A server that writes nothing any more says so, and goes on reading.

use landfall_server::sys::{Fault, Point};
use landfall_testkit::{Answer, Calls, Stores, TestServer};
use std::time::Duration;
use tokio::time::timeout;

async fn health(calls: &Calls) -> Answer {
    let request = calls.anonymous("GET".parse().expect("a method"), "/healthz");
    calls.send(request).await
}

fn after(fault: Fault, test: impl AsyncFn(Calls)) {
    TestServer::run(Stores::Directory, async |server| {
        let calls = server.calls();
        calls.put("/before", "kept").await;
        assert_eq!(health(&calls).await.status, 200);
        server.failpoints().plan(Point::GroupCommit, fault);
        let failed = calls.upload("files/upload", r#"{"path": "/x"}"#, "x").await;
        assert_eq!(failed.status, 500, "{}", failed.text());
        test(calls).await;
    });
}

#[test]
fn after_a_failed_commit_it_is_not_healthy_and_can_be_read() {
    after(Fault::Error, async |calls| {
        let health = health(&calls).await;
        assert_eq!(health.status, 503);
        assert!(
            health.text().contains("stopped writing"),
            "{}",
            health.text()
        );
        let again = calls.upload("files/upload", r#"{"path": "/y"}"#, "y").await;
        assert_eq!(again.status, 500, "{}", again.text());
        assert_eq!(calls.read("/before").await, "kept");
    });
}

#[test]
fn after_a_bug_that_ended_its_writing_thread_it_is_not_healthy() {
    after(Fault::Panic, async |calls| {
        // The thread tells those who wait before it is gone.
        let unhealthy = async {
            while health(&calls).await.status != 503 {
                tokio::task::yield_now().await;
            }
        };
        timeout(Duration::from_secs(10), unhealthy)
            .await
            .expect("it says so");
        assert_eq!(calls.read("/before").await, "kept");
    });
}
