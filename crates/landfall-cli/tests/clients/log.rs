//! The server's log of requests, as evidence of who called what.

use std::collections::BTreeMap;
use std::path::Path;

/// The requests that a server answered.
#[derive(Debug)]
pub(crate) struct Requests(Vec<Request>);

#[derive(Debug)]
struct Request {
    route: String,
    status: u16,
    http: String,
    agent: String,
}

impl Requests {
    /// All that are in a log.
    pub(crate) fn read(log: &Path) -> Self {
        let log = std::fs::read_to_string(log).expect("a log");
        let requests: Vec<Request> = log
            .lines()
            .filter(|line| line.contains("landfall_server::request:"))
            .map(|line| {
                let field = |name: &str| {
                    let begin = line.split_once(&format!(" {name}="));
                    let (_, rest) = begin.unwrap_or_else(|| panic!("no {name} in {line}"));
                    match rest.strip_prefix('"') {
                        Some(quoted) => quoted.split('"').next().unwrap_or_default(),
                        None => rest.split(' ').next().unwrap_or_default(),
                    }
                    .to_owned()
                };
                Request {
                    route: field("route"),
                    status: field("status").parse().expect("a status"),
                    http: field("http"),
                    agent: field("agent"),
                }
            })
            .collect();
        assert!(!requests.is_empty(), "nobody called");
        Self(requests)
    }

    /// All came from a client that calls itself so, over this version of HTTP.
    pub(crate) fn are_of(&self, agent: &str, http: &str) {
        for request in &self.0 {
            assert!(request.agent.starts_with(agent), "{request:?}");
            assert_eq!(request.http, http, "{request:?}");
        }
    }

    /// Each of these routes was called, and answered with success.
    pub(crate) fn have_succeeded(&self, routes: &[&str]) {
        let mut called: BTreeMap<&str, usize> = BTreeMap::new();
        for request in &self.0 {
            if matches!(request.status, 200 | 206) {
                *called.entry(&request.route).or_default() += 1;
            }
        }
        for route in routes {
            assert!(
                called.contains_key(route),
                "{route} was not called: {called:?}"
            );
        }
    }
}
