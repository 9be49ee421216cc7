//! A callback is called once, on its own thread, after its call has returned, whatever happens.

use super::log::{Called, Log, arg, begin, client, gated, ids, no_answer, with_server};
use super::script::{Act, Script};
use landfall::protocol::types::files::UploadError;
use landfall::protocol::types::sessions::{UploadSessionAppendArg, UploadSessionCursor};
use landfall::protocol::{ErrorEnvelope, SessionId, limits};
use landfall::{
    Client, Endpoint, NoAnswer, NoAnswerReason, RawReply, RequestId, RequestStatus, Secret,
    Timeouts, TokenFuture, TokenSource, blocking, callback,
};
use std::net::TcpListener;
use std::panic::resume_unwind;
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

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
        let builder = || {
            let token = Secret::new("a-token".to_owned());
            let builder = Client::builder(Endpoint::at(&server.url).unwrap(), token);
            match act {
                Act::Silence => builder.timeouts(Timeouts {
                    answer: Duration::from_millis(200),
                    ..Timeouts::default()
                }),
                _ => builder,
            }
        };
        let client = callback::Client::from_builder(builder()).unwrap();
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

        let blocking = blocking::Client::from_builder(builder()).unwrap();
        let waited = RawReply::from(blocking.upload(&arg("/a"), "hello"));
        assert_eq!(waited, *reply, "byte for byte the same");
    }
}

#[test]
fn nobody_listening_means_that_nothing_happened() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let client = client(&url, "a-token");
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
    let client =
        callback::Client::from_builder(Client::builder(Endpoint::at(&server.url).unwrap(), Panics))
            .unwrap();
    let log = Log::new();
    let id = client.upload(&arg("/a"), "hello", log.callback());
    let called = log.all();
    assert_eq!(ids(&called), [id]);
    assert_eq!(no_answer(&called[0].reply).reason, NoAnswerReason::Panicked);
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
