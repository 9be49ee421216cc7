//! A request ends once, whoever ends it: the service, a cancel, or the drop of the client.

use super::log::{
    Called, Log, arg, begin, client, gated, ids, is_cancelled, no_answer, with_server,
};
use super::script::{Act, Script};
use landfall::{Endpoint, NoAnswerReason, RequestStatus, Secret, blocking, callback};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

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
