//! How far a file is on the wire.

use super::events::{Event, Events};
use crate::Payload;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Counts the bytes of one file that were handed to connections, or came by them, by however
/// many requests.
/// Cloning shares the count.
#[derive(Clone)]
pub(super) struct FileProgress {
    file: Arc<str>,
    total: Option<u64>,
    done: Arc<AtomicU64>,
    events: Arc<dyn Events>,
}

impl FileProgress {
    /// Of so many bytes, if that is known, so many are done.
    pub(super) fn new(
        file: Arc<str>,
        total: Option<u64>,
        done: u64,
        events: Arc<dyn Events>,
    ) -> Self {
        Self {
            file,
            total,
            done: Arc::new(AtomicU64::new(done)),
            events,
        }
    }

    /// A payload whose bytes are counted. They are counted out again if the request fails,
    /// unless [`Counted::keep`] says that it didn't.
    pub(super) fn count(&self, payload: Payload) -> (Payload, Counted) {
        let counted = Counted {
            bytes: Arc::new(Mutex::new(Some(0))),
            progress: self.clone(),
            kept: false,
        };
        let (bytes, progress) = (Arc::clone(&counted.bytes), self.clone());
        let payload = payload.on_sent(move |sent| {
            let mut counted = lock(&bytes);
            // What is still handed over of a request that is settled counts no more.
            if let Some(before) = *counted {
                *counted = Some(sent);
                let more = sent.saturating_sub(before);
                let done = progress.done.fetch_add(more, Ordering::Relaxed) + more;
                progress.tell(done);
            }
        });
        (payload, counted)
    }

    /// So many more bytes came, and are not going to come again.
    pub(super) fn arrived(&self, bytes: u64) {
        let done = self.done.fetch_add(bytes, Ordering::Relaxed) + bytes;
        self.tell(done);
    }

    fn tell(&self, done: u64) {
        self.events.event(Event::Progress {
            file: Arc::clone(&self.file),
            done,
            total: self.total,
        });
    }
}

/// The bytes of one request.
pub(super) struct Counted {
    /// `None`: the request is settled.
    bytes: Arc<Mutex<Option<u64>>>,
    progress: FileProgress,
    kept: bool,
}

impl Counted {
    /// The request succeeded.
    pub(super) fn keep(mut self) {
        self.kept = true;
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let bytes = lock(&self.bytes).take().unwrap_or(0);
        if !self.kept && bytes > 0 {
            let before = self.progress.done.fetch_sub(bytes, Ordering::Relaxed);
            self.progress.tell(before.saturating_sub(bytes));
        }
    }
}

fn lock(bytes: &Mutex<Option<u64>>) -> MutexGuard<'_, Option<u64>> {
    bytes.lock().unwrap_or_else(PoisonError::into_inner)
}
