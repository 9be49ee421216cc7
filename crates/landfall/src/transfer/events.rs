//! What a transfer tells while it works.

use super::verdict::Verdict;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Something happened in a transfer. Files go by the name that they have, or will have, at the
/// service.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// Something in a folder can't go, and is left out.
    Problem {
        /// Where it is on this machine.
        local: PathBuf,
        /// What is the matter, and what to do about it.
        why: String,
    },
    /// So much is to be sent.
    Planned {
        /// Files.
        files: u64,
        /// Bytes in them, as far as that is known.
        bytes: u64,
    },
    /// An earlier run moved a part of the file, which isn't moved again.
    Resumed {
        /// The file.
        file: Arc<str>,
        /// Bytes that are there.
        stored: u64,
        /// Bytes in the file.
        total: u64,
    },
    /// What an earlier run moved of the file is of no use any more.
    StartedAnew {
        /// The file.
        file: Arc<str>,
        /// Why.
        why: &'static str,
    },
    /// What is sent can't be written down: a stop will cost all of it.
    NoJournal {
        /// The file.
        file: Arc<str>,
        /// Why, one line.
        why: String,
    },
    /// Bytes moved. `done` goes back when bytes have to be sent again.
    Progress {
        /// The file.
        file: Arc<str>,
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
    /// The service asked for a pause, and nothing is sent until it is over.
    Paused {
        /// In the service's words.
        why: String,
        /// How long it is.
        wait: Duration,
    },
    /// A file of a plan is through.
    Settled {
        /// The file.
        file: Arc<str>,
        /// Bytes in it, when the plan was made.
        size: u64,
        /// What became of it.
        verdict: Arc<Verdict>,
    },
    /// Something that is not in the local folder was deleted, or would be.
    Deleted {
        /// The file, or the folder with all in it.
        path: Arc<str>,
        /// Files in it.
        files: u64,
    },
    /// What is too much is left where it is, because not all files of the plan are at their
    /// places.
    NothingDeleted,
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
