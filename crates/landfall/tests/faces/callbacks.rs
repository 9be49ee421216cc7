//! A callback is called once, on its own thread, after its call has returned, whatever happens.

use super::script::{Act, PATIENCE, Script};
use bytes::Bytes;
use landfall::protocol::path::WritePathOrId;
use landfall::protocol::types::files::{CommitInfo, UploadArg, UploadError};
use landfall::protocol::types::sessions::{UploadSessionAppendArg, UploadSessionCursor};
use landfall::protocol::{ErrorEnvelope, SessionId, limits};
use landfall::{
    Client, ClientBuilder, Endpoint, LocalError, NoAnswer, NoAnswerReason, RawReply, RequestId,
    RequestStatus, Secret, Timeouts, TokenFuture, TokenSource, blocking, callback,
};
use landfall_testkit::faults::{Gate, Plan, Proxy};
use landfall_testkit::{Stores, TestServer};
use std::net::TcpListener;
use std::panic::resume_unwind;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::thread::{self, ThreadId};
use std::time::Duration;

const UPLOAD: &str = "files/upload";

fn with_server<F: Future<Output = ()>>(test: impl FnOnce(TestServer) -> F) {
    TestServer::run(Stores::Memory, test);
}

fn builder(url: &str, tokens: impl TokenSource + 'static) -> ClientBuilder {
    let short = Duration::from_millis(200);
    Client::builder(Endpoint::at(url).unwrap(), tokens).timeouts(Timeouts {
        connect: short,
        idle: short,
        answer: short,
    })
}

fn impatient(url: &str) -> ClientBuilder {
    builder(url, Secret::new("a-token".to_owned()))
}

fn client(url: &str, token: &str) -> callback::Client {
    callback::Client::new(Endpoint::at(url).unwrap(), Secret::new(token.to_owned())).unwrap()
}

fn arg(path: &str) -> UploadArg {
    UploadArg {
        commit: CommitInfo::new(WritePathOrId::parse(path).unwrap()),
        content_hash: None,
    }
}

/// What a callback was called with, and on which thread.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Called {
    id: RequestId,
    reply: RawReply,
    by: ThreadId,
}

/// Callbacks that write down how they are called.
struct Log {
    sender: Sender<Called>,
    called: Receiver<Called>,
}

impl Log {
    fn new() -> Self {
        let (sender, called) = mpsc::channel();
        Self { sender, called }
    }

    fn callback(&self) -> impl FnOnce(RequestId, u16, Bytes) + Send + 'static {
        let sender = self.sender.clone();
        move |id, status, data| {
            let reply = RawReply { status, data };
            let by = thread::current().id();
            sender.send(Called { id, reply, by }).unwrap();
        }
    }

    /// The next call.
    fn next(&self) -> Called {
        self.called
            .recv_timeout(PATIENCE)
            .expect("a callback is called")
    }

    /// All calls: of the callbacks that there are, none is left that could be called.
    fn all(self) -> Vec<Called> {
        drop(self.sender);
        self.called.iter().collect()
    }
}

fn ids(all: &[Called]) -> Vec<RequestId> {
    all.iter().map(|called| called.id).collect()
}

fn no_answer(reply: &RawReply) -> NoAnswer {
    assert_eq!(reply.status, 0, "{reply:?}");
    let envelope = ErrorEnvelope::parse(&reply.data).expect("an envelope");
    assert!(envelope.user_message.is_some());
    match envelope.decode() {
        Some(LocalError::NoAnswer(answer)) => answer,
        other => panic!("{other:?} in {reply:?}"),
    }
}

fn is_cancelled(reply: &RawReply) -> bool {
    reply.status == 0 && no_answer(reply).reason == NoAnswerReason::Cancelled
}

#[test]
fn a_server_that_is_silent_closes_or_talks_nonsense_ends_a_request_once() {
    let page = "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\n<html>";
    let cases = [
        (Act::Silence, 0, Some(NoAnswerReason::Stalled)),
        (Act::Close, 0, Some(NoAnswerReason::Broken)),
        (
            Act::Answer("SSH-2.0-server\r\n\r\n"),
            0,
            Some(NoAnswerReason::Broken),
        ),
        (Act::Answer(page), 0, Some(NoAnswerReason::Unreadable)),
        (
            Act::Answer("HTTP/1.1 502 Bad\r\ncontent-length: 4\r\n\r\nbad!"),
            502,
            None,
        ),
        (
            Act::Answer("HTTP/1.1 409 No\r\ncontent-length: 2\r\n\r\n{}"),
            409,
            None,
        ),
    ];
    for (act, status, reason) in cases {
        let server = Script::start(act);
        let client = callback::Client::from_builder(impatient(&server.url)).unwrap();
        let log = Log::new();
        let id = client.upload(&arg("/a"), "hello", log.callback());
        let called = log.all();
        assert_eq!(ids(&called), [id], "{act:?}");
        let reply = &called[0].reply;
        assert_eq!(reply.status, status, "{act:?}");
        if let Some(reason) = reason {
            let answer = no_answer(reply);
            assert_eq!(answer.reason, reason, "{act:?}");
            assert!(answer.may_have_happened, "{act:?}");
        }

        let blocking = blocking::Client::from_builder(impatient(&server.url)).unwrap();
        let waited = RawReply::from(blocking.upload(&arg("/a"), "hello"));
        assert_eq!(waited, *reply, "byte for byte the same");
    }
}

#[test]
fn nobody_listening_means_that_nothing_happened() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let client = callback::Client::from_builder(impatient(&url)).unwrap();
    let log = Log::new();
    client.upload(&arg("/a"), "hello", log.callback());
    let called = log.all();
    let wanted = NoAnswer {
        reason: NoAnswerReason::Connect,
        may_have_happened: false,
        temporary: true,
    };
    assert_eq!(called.len(), 1);
    assert_eq!(no_answer(&called[0].reply), wanted);
}

#[test]
fn what_a_callback_gets_is_what_the_blocking_call_returns() {
    with_server(async |server| {
        let token = Secret::new(server.token().to_owned());
        let blocking = blocking::Client::new(Endpoint::at(&server.url()).unwrap(), token).unwrap();
        let client = client(&server.url(), server.token());
        // The first saves, the second finds the same bytes there.
        for _ in 0..2 {
            let waited = RawReply::from(blocking.upload(&arg("/a"), "hello"));
            let log = Log::new();
            client.upload(&arg("/a"), "hello", log.callback());
            assert_eq!(log.all()[0].reply, waited);
        }
        let session = UploadSessionCursor {
            session_id: SessionId::from_stored("unknown"),
            offset: 1,
        };
        let append = UploadSessionAppendArg {
            cursor: session,
            close: false,
            content_hash: None,
        };
        let waited = RawReply::from(blocking.upload_session_append(&append, "hello"));
        let log = Log::new();
        client.upload_session_append(&append, "hello", log.callback());
        assert_eq!((waited.status, &log.all()[0].reply), (409, &waited));
        let waited = RawReply::from(blocking.get_current_account());
        let log = Log::new();
        client.get_current_account(log.callback());
        assert_eq!((waited.status, &log.all()[0].reply), (200, &waited));
    });
}

/// A proxy at whose gates the first `count` uploads wait.
async fn gated(server: &TestServer, count: u32) -> (Proxy, Vec<Gate>) {
    let mut plan = Plan::new();
    let mut gates = Vec::new();
    for nth in 1..=count {
        let (held, gate) = plan.hold(UPLOAD, nth);
        plan = held;
        gates.push(gate);
    }
    (Proxy::start(server.address(), plan).await, gates)
}

/// Begins an upload and waits until it is at its gate.
async fn begin(client: &callback::Client, path: &str, log: &Log, gate: &mut Gate) -> RequestId {
    let id = client.upload(&arg(path), "hello", log.callback());
    gate.reached().await;
    id
}

#[test]
fn callbacks_come_on_one_thread_in_the_order_in_which_requests_end() {
    with_server(async |server| {
        let (proxy, mut gates) = gated(&server, 5).await;
        let client = client(&proxy.url(), server.token());
        let log = Log::new();
        let mut begun = Vec::new();
        for (nth, gate) in gates.iter_mut().enumerate() {
            let id = begin(&client, &format!("/{nth}"), &log, gate).await;
            let running = RequestStatus::Running { sent: 5, total: 5 };
            assert_eq!(client.request_status(id), Some(running));
            begun.push(id);
        }
        // Another request's callback keeps the thread, so that several wait for it.
        let (free, freed) = mpsc::channel::<()>();
        let sender = log.sender.clone();
        let (within, status_within) = mpsc::channel();
        let asked = client.clone();
        let keeper = client.get_space_usage(move |id, status, data| {
            within.send(asked.request_status(id)).unwrap();
            freed.recv().unwrap();
            let (reply, by) = (RawReply { status, data }, thread::current().id());
            sender.send(Called { id, reply, by }).unwrap();
        });
        assert_eq!(status_within.recv().unwrap(), Some(RequestStatus::Ended));
        let order = [3, 0, 4, 1, 2];
        let mut gates: Vec<_> = gates.into_iter().map(Some).collect();
        for nth in order {
            gates[nth].take().unwrap().open();
            while client.request_status(begun[nth]) != Some(RequestStatus::Ended) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
        free.send(()).unwrap();
        let called = log.all();
        let mut wanted = vec![keeper];
        wanted.extend(order.map(|nth| begun[nth]));
        assert_eq!(ids(&called), wanted);
        assert!(called.iter().all(|one| one.by == called[0].by));
        assert_ne!(called[0].by, thread::current().id());
        assert!(called.iter().all(|one| one.reply.status == 200));
        proxy.finish();
    });
}

/// A request that is over before it could be sent is the fastest there is.
#[test]
fn the_id_is_there_before_the_callback_can_look_for_it() {
    let server = Script::start(Act::Close);
    let client = client(&server.url, "not a\ntoken");
    let begun: Arc<Mutex<Vec<RequestId>>> = Arc::default();
    let (tell, told) = mpsc::channel();
    for _ in 0..100 {
        // Whoever writes the id down holds the lock over the call; the callback waits for it.
        let mut list = begun.lock().unwrap();
        let (begun, tell) = (Arc::clone(&begun), tell.clone());
        let id = client.upload(&arg("/a"), "hello", move |id, _, _| {
            tell.send(begun.lock().unwrap().contains(&id)).unwrap();
        });
        list.push(id);
    }
    drop(tell);
    let found: Vec<bool> = told.iter().collect();
    assert_eq!(found, [true; 100]);
    assert_eq!(server.connections(), 0, "such a token is not sent");
}

#[test]
fn a_hundred_requests_are_in_flight_at_once_and_each_has_its_own_reply() {
    with_server(async |server| {
        let (proxy, mut gates) = gated(&server, 100).await;
        let client = client(&proxy.url(), server.token());
        let log = Log::new();
        let mut begun = Vec::new();
        for nth in 0..100 {
            begun.push(client.upload(&arg(&format!("/{nth}")), "x", log.callback()));
        }
        for gate in &mut gates {
            gate.reached().await;
        }
        drop(gates);
        let mut called = log.all();
        called.sort_by_key(|called| called.id);
        assert_eq!(ids(&called), begun);
        for (nth, called) in called.iter().enumerate() {
            let json: serde_json::Value = serde_json::from_slice(&called.reply.data).unwrap();
            assert_eq!(json["name"], nth.to_string());
        }
        proxy.finish();
    });
}

/// Drops by panicking.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        if !thread::panicking() {
            // A plain panic would tell of itself on standard error.
            resume_unwind(Box::new("dropped"));
        }
    }
}

#[test]
fn a_panicking_callback_harms_nobody() {
    with_server(async |server| {
        let client = client(&server.url(), server.token());
        let log = Log::new();
        let mut by = Vec::new();
        for _ in 0..3 {
            client.get_space_usage(|_, _, _| resume_unwind(Box::new("on purpose")));
            let panicking = client.get_space_usage(|_, _, _| resume_unwind(Box::new(Bomb)));
            client.get_space_usage(log.callback());
            let called = log.next();
            assert_eq!(called.reply.status, 200);
            by.push(called.by);
            while client.request_status(panicking).is_some() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
        assert!(
            by.iter().all(|thread| *thread == by[0]),
            "the thread goes on"
        );
    });
}

/// A source of tokens that panics.
struct Panics;

impl TokenSource for Panics {
    fn token(&self) -> TokenFuture<'_> {
        resume_unwind(Box::new("on purpose"))
    }
}

#[test]
fn a_request_in_which_something_panics_ends_too() {
    let server = Script::start(Act::Close);
    let client = callback::Client::from_builder(builder(&server.url, Panics)).unwrap();
    let log = Log::new();
    let id = client.upload(&arg("/a"), "hello", log.callback());
    let called = log.all();
    assert_eq!(ids(&called), [id]);
    assert_eq!(no_answer(&called[0].reply).reason, NoAnswerReason::Panicked);
}

#[test]
fn a_request_can_be_cancelled_while_it_is_in_flight() {
    with_server(async |server| {
        let (proxy, mut gates) = gated(&server, 2).await;
        let client = client(&proxy.url(), server.token());
        let log = Log::new();
        let id = begin(&client, "/cancelled", &log, &mut gates[0]).await;
        let other = begin(&client, "/other", &log, &mut gates[1]).await;
        assert!(client.cancel(id));
        assert!(!client.cancel(id), "it is over");
        let called = log.next();
        assert_eq!(called.id, id);
        let answer = no_answer(&called.reply);
        assert_eq!(answer.reason, NoAnswerReason::Cancelled);
        assert!(answer.may_have_happened);
        let text = String::from_utf8_lossy(&called.reply.data).into_owned();
        assert!(text.contains("files/upload at 127.0.0.1:"), "{text}");

        drop(gates);
        let called = log.next();
        assert_eq!((called.id, called.reply.status), (other, 200));
        while client.request_status(other).is_some() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert!(!client.cancel(other), "it is over");
        assert_eq!(log.all(), [], "each once");
        proxy.finish();
    });
}

#[test]
fn a_cancelled_request_gives_its_connection_up() {
    let server = Script::start(Act::Silence);
    let client = client(&server.url, "a-token");
    let log = Log::new();
    let id = client.upload(&arg("/a"), "hello", log.callback());
    while client.request_status(id) != Some(RequestStatus::Running { sent: 5, total: 5 }) {
        thread::sleep(Duration::from_millis(1));
    }
    assert!(client.cancel(id));
    assert!(is_cancelled(&log.next().reply));
    server.closed();
}

#[test]
fn ids_are_known_to_their_own_client_alone() {
    with_server(async |server| {
        let (proxy, mut gates) = gated(&server, 1).await;
        let one = client(&proxy.url(), server.token());
        let another = client(&proxy.url(), server.token());
        let log = Log::new();
        let id = begin(&one, "/a", &log, &mut gates[0]).await;
        assert_eq!(another.request_status(id), None);
        assert!(!another.cancel(id));
        assert!(one.request_status(id).is_some());
        drop(gates);
        assert_eq!(log.all()[0].reply.status, 200);
        proxy.finish();
    });
}

/// Whoever comes first decides, and tells the truth: a request that `cancel` says it ended was
/// ended by it, every other has the server's reply.
#[test]
fn cancelling_and_ending_at_the_same_time_call_back_once() {
    with_server(async |server| {
        let client = client(&server.url(), server.token());
        let log = Log::new();
        let mut cancelled = Vec::new();
        let mut ended = Vec::new();
        // The delays grow until they are as long as a call, however slow the machine is.
        for nth in 0_u32.. {
            if nth >= 300 && !cancelled.is_empty() && !ended.is_empty() {
                break;
            }
            let id = client.get_space_usage(log.callback());
            thread::sleep(Duration::from_micros(10 << (nth / 300).min(16)) * (nth % 300));
            if client.cancel(id) {
                cancelled.push(id);
            } else {
                ended.push(id);
            }
        }
        let called = log.all();
        assert_eq!(called.len(), cancelled.len() + ended.len());
        for Called { id, reply, .. } in called {
            assert_eq!(is_cancelled(&reply), cancelled.contains(&id));
            assert_eq!(reply.status == 200, ended.contains(&id));
        }
    });
}

#[test]
fn a_callback_may_call_cancel_wait_and_drop_the_client() {
    with_server(async |server| {
        let (proxy, mut gates) = gated(&server, 1).await;
        let client = client(&proxy.url(), server.token());
        let token = Secret::new(server.token().to_owned());
        let blocking = blocking::Client::new(Endpoint::at(&server.url()).unwrap(), token).unwrap();
        let log = Log::new();
        let held = begin(&client, "/held", &log, &mut gates[0]).await;
        let (inner, inner_log) = (client.clone(), log.callback());
        let (tell, told) = mpsc::channel();
        client.get_space_usage(move |_, _, _| {
            let waited = blocking.get_current_account().is_ok();
            let cancelled = inner.cancel(held);
            let begun = inner.get_space_usage(inner_log);
            tell.send((waited, cancelled, begun)).unwrap();
            // With the test's handle gone, this is the last of the client.
            drop(inner);
        });
        let (waited, cancelled, begun) = told.recv().unwrap();
        assert!(waited && cancelled);
        let first = log.next();
        assert!(first.id == held && is_cancelled(&first.reply));
        let second = log.next();
        assert_eq!((second.id, second.reply.status), (begun, 200));
        drop((client, gates));
        assert_eq!(log.all(), [], "each once");
        proxy.finish();
    });
}

#[test]
fn dropping_the_last_handle_cancels_what_is_in_flight() {
    with_server(async |server| {
        let (proxy, mut gates) = gated(&server, 3).await;
        let client = client(&proxy.url(), server.token());
        let log = Log::new();
        let mut begun = Vec::new();
        for gate in &mut gates {
            begun.push(begin(&client, "/a", &log, gate).await);
        }
        let last = client.clone();
        drop(client);
        assert!(last.request_status(begun[0]).is_some(), "a handle is left");
        // Inside of a runtime, where waiting for threads would panic.
        drop(last);
        let called = log.all();
        assert_eq!(ids(&called), begun);
        assert!(called.iter().all(|called| is_cancelled(&called.reply)));
        drop(gates);
        proxy.finish();
    });
}

/// The callback that drops the last handle is the one that the drop then cancels others for.
#[test]
fn a_callback_can_drop_the_last_handle() {
    with_server(async |server| {
        let (proxy, mut gates) = gated(&server, 1).await;
        let client = client(&proxy.url(), server.token());
        let log = Log::new();
        let held = begin(&client, "/held", &log, &mut gates[0]).await;
        let (hand_over, handed) = mpsc::channel::<callback::Client>();
        client.get_space_usage(move |_, _, _| drop(handed.recv().unwrap()));
        hand_over.send(client).unwrap();
        let called = log.all();
        assert_eq!(ids(&called), [held]);
        assert!(is_cancelled(&called[0].reply));
        drop(gates);
        proxy.finish();
    });
}

#[test]
fn too_much_for_one_request_is_refused_before_anything_is_sent() {
    let server = Script::start(Act::Close);
    let client = client(&server.url, "a-token");
    let log = Log::new();
    let size = usize::try_from(limits::REQUEST_BODY).unwrap() + 1;
    client.upload(&arg("/a"), vec![0; size], log.callback());
    let called = log.all();
    assert_eq!(called[0].reply.status, 409);
    let envelope = ErrorEnvelope::parse(&called[0].reply.data).unwrap();
    assert_eq!(envelope.decode(), Some(UploadError::PayloadTooLarge));
    assert_eq!(server.connections(), 0);
}
