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
use serde_json::Value;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// What happens to a request.
#[derive(Clone, Debug)]
pub enum Fault {
    /// The request is read and the connection closed: the server sees nothing of it.
    DropRequest,
    /// The server gets the first half of the request's body (of its head, if it has no body) and
    /// then the end of the connection; so does the client.
    CutRequest,
    /// The same in the middle of the request's head, whatever body it has.
    CutHead,
    /// The server answers in full, but the client sees the connection close without a byte.
    DropReply,
    /// The client gets this many bytes of the answer's body and then the end of the connection.
    CutReply(u64),
    /// The same after half of the answer's body.
    HalveReply,
    /// This is the answer; the server sees nothing of the request.
    Answer(Canned),
    /// The server carries the request out, but this is what the client hears.
    AnswerInstead(Canned),
    /// The answer's body is changed in place.
    Change(fn(&mut [u8])),
    /// The server gets this instead of the request's head.
    ChangeHead(fn(&str) -> String),
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
    /// How often it came to pass.
    fired: u32,
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
            fired: 0,
        });
        self
    }
}

/// What a proxy saw.
#[derive(Clone, Debug)]
pub struct Report {
    /// How many requests came to each route.
    pub requests: BTreeMap<String, u32>,
    /// How often each planned fault came to pass, in the order of the plan.
    pub fired: Vec<u32>,
    /// All requests, in the order in which their answers came.
    pub exchanges: Vec<Exchange>,
}

/// A request and what became of it.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// Such as `files/download`.
    pub route: String,
    /// The argument, if it came as a header.
    pub argument: Value,
    /// Bytes in the request's body.
    pub length: u64,
    /// The status of the server's own answer, if it was handed to the client whole; `None` also
    /// for a request that was held.
    pub answer: Option<u16>,
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
    /// Requests that came and are not through.
    under_way: watch::Sender<usize>,
}

#[derive(Debug, Default)]
struct State {
    rules: Vec<Rule>,
    requests: BTreeMap<String, u32>,
    exchanges: Vec<Exchange>,
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
            under_way: watch::Sender::new(0),
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

    /// Waits until no request is under way, as one may be whose client gave it up.
    pub async fn idle(&self) {
        let mut under_way = self.shared.under_way.subscribe();
        let idle = under_way.wait_for(|count| *count == 0).await;
        idle.expect("the proxy is there");
    }

    /// Ends the proxy: how many requests came to each route.
    ///
    /// # Panics
    /// A planned fault did not come to pass, or the proxy met something that it can't relay.
    pub fn finish(self) -> BTreeMap<String, u32> {
        let shared = Arc::clone(&self.shared);
        let report = self.report();
        for rule in &shared.state().rules {
            assert!(rule.fired > 0, "it never came to pass: {rule:?}");
        }
        report.requests
    }

    /// Ends the proxy, for a plan with faults that need not come to pass.
    ///
    /// # Panics
    /// The proxy met something that it can't relay.
    pub fn report(mut self) -> Report {
        self.finished = true;
        let state = self.shared.state();
        assert!(state.trouble.is_empty(), "{:?}", state.trouble);
        Report {
            requests: state.requests.clone(),
            fired: state.rules.iter().map(|rule| rule.fired).collect(),
            exchanges: state.exchanges.clone(),
        }
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

/// Counts a request for as long as it lives.
struct UnderWay<'a>(&'a Shared);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.under_way.send_modify(|count| *count -= 1);
    }
}

impl Shared {
    fn under_way(&self) -> UnderWay<'_> {
        self.under_way.send_modify(|count| *count += 1);
        UnderWay(self)
    }

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
        self.state().rules[rule].fired += 1;
    }

    fn exchanged(&self, exchange: Exchange) {
        self.state().exchanges.push(exchange);
    }

    fn trouble(&self, what: String) {
        self.state().trouble.push(what);
    }
}
