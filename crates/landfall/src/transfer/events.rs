//! What a transfer tells while it works.

use std::sync::Arc;
use std::time::Duration;

/// Something happened in a transfer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// Bytes moved. `done` counts from the beginning of the file and goes back when bytes have
    /// to be sent again.
    Progress {
        /// Bytes so far.
        done: u64,
        /// Bytes in the file, if that is known.
        total: Option<u64>,
    },
    /// A request failed and will be repeated.
    Retry {
        /// Which request, for people.
        what: &'static str,
        /// Why it failed, one line.
        why: String,
        /// How many times in a row it has failed by now.
        failures: u32,
        /// How long the wait before the repetition is.
        wait: Duration,
    },
}

/// Takes events. It is called from the transfer's own tasks and must return quickly.
pub trait Events: Send + Sync {
    /// Takes one event.
    fn event(&self, event: Event);
}

impl<F: Fn(Event) + Send + Sync> Events for F {
    fn event(&self, event: Event) {
        self(event);
    }
}

pub(super) fn nobody() -> Arc<dyn Events> {
    Arc::new(|_: Event| {})
}
