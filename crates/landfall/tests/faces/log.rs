//! Callbacks that write down how they are called, and requests that wait where the test wants.

use super::script::PATIENCE;
use bytes::Bytes;
use landfall::protocol::ErrorEnvelope;
use landfall::protocol::path::WritePathOrId;
use landfall::protocol::types::files::{CommitInfo, UploadArg};
use landfall::{
    Endpoint, LocalError, NoAnswer, NoAnswerReason, RawReply, RequestId, Secret, callback,
};
use landfall_testkit::faults::{Gate, Plan, Proxy};
use landfall_testkit::{Stores, TestServer};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, ThreadId};

const UPLOAD: &str = "files/upload";

pub(super) fn with_server<F: Future<Output = ()>>(test: impl FnOnce(TestServer) -> F) {
    TestServer::run(Stores::Memory, test);
}

pub(super) fn client(url: &str, token: &str) -> callback::Client {
    callback::Client::new(Endpoint::at(url).unwrap(), Secret::new(token.to_owned())).unwrap()
}

pub(super) fn arg(path: &str) -> UploadArg {
    UploadArg {
        commit: CommitInfo::new(WritePathOrId::parse(path).unwrap()),
        content_hash: None,
    }
}

/// What a callback was called with, and on which thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Called {
    pub(super) id: RequestId,
    pub(super) reply: RawReply,
    pub(super) by: ThreadId,
}

/// Callbacks that write down how they are called.
pub(super) struct Log {
    pub(super) sender: Sender<Called>,
    called: Receiver<Called>,
}

impl Log {
    pub(super) fn new() -> Self {
        let (sender, called) = mpsc::channel();
        Self { sender, called }
    }

    pub(super) fn callback(&self) -> impl FnOnce(RequestId, u16, Bytes) + Send + 'static {
        let sender = self.sender.clone();
        move |id, status, data| {
            let reply = RawReply { status, data };
            let by = thread::current().id();
            sender.send(Called { id, reply, by }).unwrap();
        }
    }

    /// The next call.
    pub(super) fn next(&self) -> Called {
        self.called
            .recv_timeout(PATIENCE)
            .expect("a callback is called")
    }

    /// All calls: of the callbacks that there are, none is left that could be called.
    pub(super) fn all(self) -> Vec<Called> {
        drop(self.sender);
        self.called.iter().collect()
    }
}

pub(super) fn ids(all: &[Called]) -> Vec<RequestId> {
    all.iter().map(|called| called.id).collect()
}

pub(super) fn no_answer(reply: &RawReply) -> NoAnswer {
    assert_eq!(reply.status, 0, "{reply:?}");
    let envelope = ErrorEnvelope::parse(&reply.data).expect("an envelope");
    assert!(envelope.user_message.is_some());
    match envelope.decode() {
        Some(LocalError::NoAnswer(answer)) => answer,
        other => panic!("{other:?} in {reply:?}"),
    }
}

pub(super) fn is_cancelled(reply: &RawReply) -> bool {
    reply.status == 0 && no_answer(reply).reason == NoAnswerReason::Cancelled
}

/// A proxy at whose gates the first `count` uploads wait.
pub(super) async fn gated(server: &TestServer, count: u32) -> (Proxy, Vec<Gate>) {
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
pub(super) async fn begin(
    client: &callback::Client,
    path: &str,
    log: &Log,
    gate: &mut Gate,
) -> RequestId {
    let id = client.upload(&arg(path), "hello", log.callback());
    gate.reached().await;
    id
}
