//! Counters for `/metrics`, in the text format of Prometheus.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Mutex, PoisonError};

/// How many requests had which outcome.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    requests: Mutex<BTreeMap<(&'static str, u16), u64>>,
}

impl Metrics {
    /// A request to this route (the URL after `/2/`) was answered with this status.
    pub(super) fn count(&self, route: &'static str, status: u16) {
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        *requests.entry((route, status)).or_default() += 1;
    }

    /// All counters.
    pub(super) fn text(&self) -> String {
        let requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        let mut text = String::from(
            "# HELP landfall_http_requests_total Requests answered, by route and status.\n\
             # TYPE landfall_http_requests_total counter\n",
        );
        for ((route, status), count) in &*requests {
            let _ = writeln!(
                text,
                "landfall_http_requests_total{{route=\"{route}\",status=\"{status}\"}} {count}"
            );
        }
        text
    }
}
