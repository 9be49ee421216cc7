//! The proxy does what it says, and says when it didn't.

use landfall_testkit::faults::{Canned, Fault, Plan, Proxy};
use landfall_testkit::{Calls, Stores, TestServer};

const ECHO: &str = "check/user";
const UPLOAD: &str = "files/upload";
const SLOW: &str = r#"{"path": "/a"}"#;

fn with_server<F: Future<Output = ()>>(test: impl FnOnce(TestServer) -> F) {
    TestServer::run(Stores::Memory, test);
}

async fn proxy(server: &TestServer, plan: Plan) -> (Proxy, Calls) {
    let proxy = Proxy::start(server.address(), plan).await;
    let calls = Calls::new(proxy.url(), server.token());
    (proxy, calls)
}

/// Makes an upload of 10,000 bytes that must break.
async fn breaks(calls: &Calls) {
    let request = calls
        .request(landfall_testkit::Method::POST, "/2/files/upload")
        .header("dropbox-api-arg", SLOW)
        .header("content-type", "application/octet-stream")
        .body(vec![7; 10_000]);
    let broke = match request.send().await {
        Ok(response) => response.bytes().await.is_err(),
        Err(_) => true,
    };
    assert!(broke, "an answer came");
}

#[test]
fn without_faults_everything_passes_and_is_counted() {
    with_server(async |server| {
        let (proxy, calls) = proxy(&server, Plan::new()).await;
        for _ in 0..3 {
            calls.rpc(ECHO, r#"{"query": "hello"}"#).await.ok();
        }
        calls.put("/a", vec![7; 1_000_000]).await;
        assert_eq!(calls.read("/a").await, vec![7; 1_000_000]);
        let counts: Vec<_> = proxy.finish().into_iter().collect();
        let wanted = [(ECHO, 3), ("files/download", 1), (UPLOAD, 1)];
        assert_eq!(counts, wanted.map(|(route, n)| (route.to_owned(), n)));
    });
}

#[test]
fn the_server_sees_a_request_or_not_as_the_fault_says() {
    with_server(async |server| {
        for (fault, saved) in [
            (Fault::DropRequest, false),
            (Fault::CutRequest, false),
            (Fault::CutHead, false),
            (Fault::DropReply, true),
            (Fault::CutReply(0), true),
            (Fault::CutReply(50), true),
            (Fault::HalveReply, true),
        ] {
            let (proxy, calls) = proxy(&server, Plan::new().on(UPLOAD, 1, fault.clone())).await;
            breaks(&calls).await;
            let there = server.calls().metadata("/a").await.status == 200;
            assert_eq!(there, saved, "{fault:?}");
            // The next one passes.
            calls.put("/a", "").await;
            server.calls().delete("/a").await.ok();
            proxy.finish();
        }
        for (fault, saved) in [
            (Fault::Answer(Canned::unavailable()), false),
            (Fault::AnswerInstead(Canned::unavailable()), true),
        ] {
            let (proxy, calls) = proxy(&server, Plan::new().on(UPLOAD, 1, fault.clone())).await;
            assert_eq!(calls.upload(UPLOAD, SLOW, "x").await.status, 503);
            let there = server.calls().metadata("/a").await.status == 200;
            assert_eq!(there, saved, "{fault:?}");
            proxy.finish();
        }
    });
}

#[test]
fn a_changed_head_is_what_the_server_sees() {
    with_server(async |server| {
        let elsewhere = Fault::ChangeHead(|head| head.replace("\"/a\"", "\"/b\""));
        let (proxy, calls) = proxy(&server, Plan::new().on(UPLOAD, 1, elsewhere)).await;
        assert_eq!(calls.put("/a", "x").await["name"], "b");
        proxy.finish();
    });
}

#[test]
fn a_held_request_is_unseen_until_its_gate_opens() {
    with_server(async |server| {
        let (plan, mut gate) = Plan::new().hold(UPLOAD, 1);
        let (proxy, calls) = proxy(&server, plan).await;
        let put = tokio::spawn(async move { calls.put("/a", "x").await });
        let head = gate.reached().await;
        assert!(
            head.starts_with("POST /2/files/upload HTTP/1.1\r\n"),
            "{head}"
        );
        assert_eq!(server.calls().metadata("/a").await.status, 409);
        gate.open();
        put.await.unwrap();
        assert_eq!(server.calls().metadata("/a").await.status, 200);
        proxy.finish();
    });
}

#[test]
fn what_came_to_pass_is_reported_with_each_request() {
    with_server(async |server| {
        let plan = Plan::new()
            .on(UPLOAD, 1, Fault::DropReply)
            .on(UPLOAD, 3, Fault::DropReply);
        let (proxy, calls) = proxy(&server, plan).await;
        breaks(&calls).await;
        calls.put("/b", vec![7; 5]).await;
        let report = proxy.report();
        assert_eq!(report.fired, [1, 0]);
        assert_eq!(report.requests[UPLOAD], 2);
        let seen = report.exchanges.iter().map(|exchange| {
            let path = exchange.argument["path"].as_str();
            (path.unwrap(), exchange.length, exchange.answer)
        });
        let wanted = [("/a", 10_000, None), ("/b", 5, Some(200))];
        assert!(seen.eq(wanted), "{:?}", report.exchanges);
    });
}

/// A client that gives up leaves a request behind, which goes its way when it is let go.
#[test]
fn a_proxy_is_idle_when_the_last_request_is_through() {
    with_server(async |server| {
        let (plan, mut gate) = Plan::new().hold(UPLOAD, 1);
        let (proxy, calls) = proxy(&server, plan).await;
        let put = tokio::spawn(async move { calls.put("/a", "").await });
        gate.reached().await;
        put.abort();
        gate.open();
        proxy.idle().await;
        assert_eq!(server.calls().metadata("/a").await.status, 200);
        proxy.finish();
    });
}

#[test]
#[should_panic(expected = "it never came to pass")]
fn a_fault_that_did_not_come_to_pass_fails_the_test() {
    with_server(async |server| {
        let plan = Plan::new().on(ECHO, 2, Fault::DropReply);
        let (proxy, calls) = proxy(&server, plan).await;
        calls.rpc(ECHO, r#"{"query": "hello"}"#).await.ok();
        proxy.finish();
    });
}

#[test]
#[should_panic(expected = "can't be cut")]
fn a_cut_behind_the_end_fails_the_test() {
    with_server(async |server| {
        let plan = Plan::new().on(UPLOAD, 1, Fault::CutReply(1 << 20));
        let (proxy, calls) = proxy(&server, plan).await;
        breaks(&calls).await;
        proxy.finish();
    });
}

#[test]
#[should_panic(expected = "came to pass")]
fn a_proxy_that_nobody_ends_fails_the_test() {
    with_server(async |server| drop(proxy(&server, Plan::new()).await));
}
