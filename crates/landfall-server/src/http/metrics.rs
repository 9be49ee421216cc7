//! Counters for `/metrics`, in the text format of Prometheus.

use crate::upkeep::Scrubbed;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Arc, Mutex, PoisonError};

/// How many requests had which outcome, and what the scrub found.
#[derive(Debug)]
pub(crate) struct Metrics {
    requests: Mutex<BTreeMap<(&'static str, u16), u64>>,
    scrubbed: Arc<Scrubbed>,
}

impl Metrics {
    pub(super) fn new(scrubbed: Arc<Scrubbed>) -> Self {
        Self {
            requests: Mutex::default(),
            scrubbed,
        }
    }

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
        let _ = write!(
            text,
            "# HELP landfall_scrub_bytes_total Bytes that were read again.\n\
             # TYPE landfall_scrub_bytes_total counter\n\
             landfall_scrub_bytes_total {}\n\
             # HELP landfall_scrub_problems_total Blobs found missing, damaged or unreadable.\n\
             # TYPE landfall_scrub_problems_total counter\n\
             landfall_scrub_problems_total {}\n",
            self.scrubbed.bytes(),
            self.scrubbed.problems()
        );
        text
    }
}
