//! The requests in flight whose callers went on, and the thread that calls them back.

use super::{Request, Threads};
use crate::Endpoint;
use crate::api::{NoAnswer, NoAnswerReason, RawReply};
use bytes::Bytes;
use landfall_protocol::RouteId;
use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use tokio::task::AbortHandle;

/// A request that was begun with a callback; no two in one process have the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(u64);

impl RequestId {
    fn next() -> Self {
        static LAST: AtomicU64 = AtomicU64::new(0);
        Self(LAST.fetch_add(1, Ordering::Relaxed) + 1)
    }

    /// The id as a number; the first is 1.
    pub fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How far a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestStatus {
    /// In flight.
    Running {
        /// Bytes of the payload that were handed to the connection so far.
        sent: u64,
        /// Bytes in the payload.
        total: u64,
    },
    /// Over; its callback waits for its turn, or is being called.
    Ended,
}

/// What is called when a request is over.
type Callback = Box<dyn FnOnce(RequestId, u16, Bytes) + Send>;

/// The requests of one client. When this is dropped, those in flight are cancelled.
#[derive(Debug)]
pub(crate) struct Requests {
    table: Arc<Mutex<Table>>,
}

/// What is known of the requests. Whoever ends one does it under this lock, and only the first
/// to come does: that is how each callback is called once.
struct Table {
    endpoint: Endpoint,
    requests: BTreeMap<RequestId, State>,
    /// In the order in which they ended. `None` when the client is gone.
    ended: Option<Sender<Ended>>,
}

enum State {
    Running {
        route: RouteId,
        total: u64,
        sent: Arc<AtomicU64>,
        call: AbortHandle,
        callback: Callback,
    },
    Ended,
}

/// A request that is over and whose callback is to be called.
struct Ended {
    id: RequestId,
    reply: RawReply,
    callback: Callback,
}

impl Requests {
    /// No requests yet; starts the thread that calls back.
    pub(crate) fn start(endpoint: Endpoint) -> io::Result<Self> {
        let (ended, to_call) = mpsc::channel();
        let table = Arc::new(Mutex::new(Table {
            endpoint,
            requests: BTreeMap::new(),
            ended: Some(ended),
        }));
        let shared = Arc::clone(&table);
        thread::Builder::new()
            .name("landfall-callback".to_owned())
            .spawn(move || call_back(to_call, &shared))?;
        Ok(Self { table })
    }

    /// Begins a request. Its callback is called after this has returned.
    pub(crate) fn begin(
        &self,
        threads: &Threads,
        request: Request,
        callback: Callback,
    ) -> RequestId {
        let id = RequestId::next();
        // Held to the end: the request can't be over before its id is on the way to the caller.
        let mut table = lock(&self.table);
        let call = threads.spawn(request.call);
        let running = State::Running {
            route: request.route,
            total: request.total,
            sent: request.sent,
            call: call.abort_handle(),
            callback,
        };
        table.requests.insert(id, running);
        let shared = Arc::clone(&self.table);
        threads.spawn(async move {
            let ended = call.await;
            let mut table = lock(&shared);
            match ended {
                Ok(reply) => table.end(id, |_| reply),
                // What cancels a call says so in the table before it ends the call.
                Err(_) => table.end(id, |what| no_answer(NoAnswerReason::Panicked, what)),
            };
        });
        id
    }

    /// How far a request is; `None` once its callback has returned, and for ids of others.
    pub(crate) fn status(&self, id: RequestId) -> Option<RequestStatus> {
        match lock(&self.table).requests.get(&id)? {
            State::Running { total, sent, .. } => Some(RequestStatus::Running {
                sent: sent.load(Ordering::Relaxed),
                total: *total,
            }),
            State::Ended => Some(RequestStatus::Ended),
        }
    }

    /// Ends a request that is in flight; whether it was.
    pub(crate) fn cancel(&self, id: RequestId) -> bool {
        lock(&self.table).cancel(id)
    }
}

impl Drop for Requests {
    fn drop(&mut self) {
        let mut table = lock(&self.table);
        let all: Vec<RequestId> = table.requests.keys().copied().collect();
        for id in all {
            table.cancel(id);
        }
        // The thread ends after the last of them.
        table.ended = None;
    }
}

impl Table {
    /// Ends a request, unless it is over already. `reply` is told what was called where.
    fn end(&mut self, id: RequestId, reply: impl FnOnce(String) -> RawReply) -> bool {
        let Some(state) = self.requests.get_mut(&id) else {
            return false;
        };
        let State::Running {
            route,
            call,
            callback,
            ..
        } = std::mem::replace(state, State::Ended)
        else {
            return false;
        };
        call.abort();
        let route = route.route();
        let host = self.endpoint.host(route.host);
        let reply = reply(format!("{} at {host}", route.tail));
        if let Some(ended) = &self.ended {
            let sent = ended.send(Ended {
                id,
                reply,
                callback,
            });
            // Only a panic outside of any callback could end the thread before.
            drop(sent);
        }
        true
    }

    fn cancel(&mut self, id: RequestId) -> bool {
        self.end(id, |what| no_answer(NoAnswerReason::Cancelled, what))
    }
}

impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.requests.keys()).finish()
    }
}

/// The reply for a call that was ended by the program itself.
fn no_answer(reason: NoAnswerReason, what: String) -> RawReply {
    let text = match &reason {
        NoAnswerReason::Cancelled => "was cancelled",
        _ => "was ended by a panic in code that takes part in it",
    };
    let answer = NoAnswer {
        temporary: reason == NoAnswerReason::Cancelled,
        may_have_happened: true,
        reason,
    };
    RawReply::no_answer(
        answer,
        format!("{what}: the request {text}; the service may have got it"),
    )
}

/// The life of the thread that calls back.
fn call_back(to_call: Receiver<Ended>, table: &Mutex<Table>) {
    for Ended {
        id,
        reply,
        callback,
    } in to_call
    {
        let call = AssertUnwindSafe(|| callback(id, reply.status, reply.data));
        if let Err(panic) = catch_unwind(call) {
            // Dropping what somebody panicked with may panic again.
            std::mem::forget(panic);
        }
        lock(table).requests.remove(&id);
    }
}

/// No code of a caller's runs under the lock, so what a panic leaves behind is whole.
fn lock(table: &Mutex<Table>) -> MutexGuard<'_, Table> {
    table.lock().unwrap_or_else(PoisonError::into_inner)
}
