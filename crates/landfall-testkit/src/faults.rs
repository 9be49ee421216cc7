//! A proxy that does to chosen requests what networks and their machines do.
//!
//! The faults are planned before the first request. [`Proxy::finish`] fails the test if one of
//! them did not come to pass, so that no test passes because nothing went wrong.

mod canned;
mod gate;
mod relay;

pub use canned::Canned;
pub use gate::Gate;

use gate::Bar;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// What happens to a request.
#[derive(Clone, Debug)]
pub enum Fault {
    /// The request is read and the connection closed: the server sees nothing of it.
    DropRequest,
    /// The server gets the first half of the request's body (of its head, if it has no body) and
    /// then the end of the connection; so does the client.
    CutRequest,
    /// The server answers in full, but the client sees the connection close without a byte.
    DropReply,
    /// The client gets this many bytes of the answer's body and then the end of the connection.
    CutReply(u64),
    /// This is the answer; the server sees nothing of the request.
    Answer(Canned),
    /// The server carries the request out, but this is what the client hears.
    AnswerInstead(Canned),
    /// The answer's body is changed in place.
    Change(fn(&mut [u8])),
}

/// The faults to come.
#[derive(Debug, Default)]
pub struct Plan {
    rules: Vec<Rule>,
}

#[derive(Debug)]
struct Rule {
    route: &'static str,
    from: u32,
    to: u32,
    what: What,
    fired: bool,
}

#[derive(Clone, Debug)]
enum What {
    Fault(Fault),
    Hold(Bar),
}

impl Plan {
    /// Nothing goes wrong.
    pub fn new() -> Self {
        Self::default()
    }

    /// This happens to the `nth` request (the first is 1) to a route such as `files/download`.
    #[must_use]
    pub fn on(self, route: &'static str, nth: u32, fault: Fault) -> Self {
        self.rule(route, nth, nth, What::Fault(fault))
    }

    /// This happens to the `nth` request and to all after it.
    #[must_use]
    pub fn from(self, route: &'static str, nth: u32, fault: Fault) -> Self {
        self.rule(route, nth, u32::MAX, What::Fault(fault))
    }

    /// The `nth` request waits at the gate before anything else is done with it.
    #[must_use]
    pub fn hold(self, route: &'static str, nth: u32) -> (Self, Gate) {
        let (bar, gate) = gate::pair();
        (self.rule(route, nth, nth, What::Hold(bar)), gate)
    }

    fn rule(mut self, route: &'static str, from: u32, to: u32, what: What) -> Self {
        self.rules.push(Rule {
            route,
            from,
            to,
            what,
            fired: false,
        });
        self
    }
}

/// A proxy on a loopback port in front of a server.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
    finished: bool,
}

#[derive(Debug)]
struct Shared {
    server: SocketAddr,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    rules: Vec<Rule>,
    requests: BTreeMap<String, u32>,
    /// What the proxy itself could not do.
    trouble: Vec<String>,
}

/// What is planned for one request: the numbers of the rules tell which ones came to pass.
struct Orders {
    holds: Vec<(usize, Bar)>,
    fault: Option<(usize, Fault)>,
}

impl Proxy {
    /// Stands in front of the server at this address.
    pub async fn start(server: SocketAddr, plan: Plan) -> Self {
        assert!(server.ip().is_loopback(), "{server} is not this machine");
        let listener = TcpListener::bind(("127.0.0.1", 0)).await;
        let listener = listener.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let shared = Arc::new(Shared {
            server,
            state: Mutex::new(State {
                rules: plan.rules,
                ..State::default()
            }),
        });
        let accepting = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Self {
            address,
            shared,
            accepting,
            finished: false,
        }
    }

    /// Where it listens: `http://127.0.0.1:…`, without a slash at the end.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Ends the proxy: how many requests came to each route.
    ///
    /// # Panics
    /// A planned fault did not come to pass, or the proxy met something that it can't relay.
    pub fn finish(mut self) -> BTreeMap<String, u32> {
        self.finished = true;
        let state = self.shared.state();
        assert!(state.trouble.is_empty(), "{:?}", state.trouble);
        for rule in &state.rules {
            assert!(rule.fired, "it never came to pass: {rule:?}");
        }
        state.requests.clone()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
        assert!(
            self.finished || std::thread::panicking(),
            "end a proxy by `finish`, which looks whether the faults came to pass"
        );
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((client, _)) = listener.accept().await {
        tokio::spawn(relay::serve(client, Arc::clone(&shared)));
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a request and says what is planned for it.
    fn arrived(&self, route: &str) -> Orders {
        let mut state = self.state();
        let count = state.requests.entry(route.to_owned()).or_default();
        *count += 1;
        let nth = *count;
        let mut orders = Orders {
            holds: Vec::new(),
            fault: None,
        };
        for (number, rule) in state.rules.iter().enumerate() {
            if rule.route != route || !(rule.from..=rule.to).contains(&nth) {
                continue;
            }
            match &rule.what {
                What::Hold(bar) => orders.holds.push((number, bar.clone())),
                What::Fault(fault) if orders.fault.is_none() => {
                    orders.fault = Some((number, fault.clone()));
                }
                What::Fault(_) => {}
            }
        }
        orders
    }

    fn fired(&self, rule: usize) {
        self.state().rules[rule].fired = true;
    }

    fn trouble(&self, what: String) {
        self.state().trouble.push(what);
    }
}
