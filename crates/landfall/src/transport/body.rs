//! The body of a request, handed over in slices so that progress shows.

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

/// Bytes handed over at a time: small enough that a slow line shows progress well within the
/// time-out.
const SLICE: usize = 64 * 1024;

/// The bytes that an upload-style request carries. Cloning shares them.
#[derive(Clone, Default)]
pub struct Payload {
    data: Bytes,
    sent: Option<Arc<dyn Fn(u64) + Send + Sync>>,
}

impl Payload {
    /// No bytes.
    pub fn empty() -> Self {
        Self::default()
    }

    /// Calls `sent` as the bytes are handed to the connection, with how many of this payload
    /// went so far. What was handed over may still be lost.
    #[must_use]
    pub fn on_sent(mut self, sent: impl Fn(u64) + Send + Sync + 'static) -> Self {
        self.sent = Some(Arc::new(sent));
        self
    }

    /// Keeps `count` at the number of bytes that were handed to the connection so far.
    #[cfg(any(feature = "commands", feature = "callback"))]
    pub(crate) fn counted(mut self, count: Arc<AtomicU64>) -> Self {
        let also = self.sent.take();
        self.on_sent(move |sent| {
            count.store(sent, Ordering::Relaxed);
            if let Some(also) = &also {
                also(sent);
            }
        })
    }

    /// How many bytes.
    pub fn len(&self) -> u64 {
        self.data.len() as u64
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.data.is_empty()
    }

    pub(super) fn into_body(self, progress: Arc<Progress>) -> WatchedBody {
        WatchedBody {
            rest: self.data,
            sent: self.sent,
            progress,
        }
    }
}

impl<T: Into<Bytes>> From<T> for Payload {
    fn from(data: T) -> Self {
        Self {
            data: data.into(),
            sent: None,
        }
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Payload({} bytes)", self.data.len())
    }
}

/// How much of a body the connection took.
pub(super) struct Progress {
    taken: AtomicU64,
    total: u64,
}

impl Progress {
    pub(super) fn new(total: u64) -> Self {
        Self {
            taken: AtomicU64::new(0),
            total,
        }
    }

    pub(super) fn taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }

    pub(super) fn total(&self) -> u64 {
        self.total
    }
}

pub(super) struct WatchedBody {
    rest: Bytes,
    sent: Option<Arc<dyn Fn(u64) + Send + Sync>>,
    progress: Arc<Progress>,
}

impl http_body::Body for WatchedBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.rest.is_empty() {
            return Poll::Ready(None);
        }
        let take = SLICE.min(self.rest.len());
        let slice = self.rest.split_to(take);
        let before = self
            .progress
            .taken
            .fetch_add(take as u64, Ordering::Relaxed);
        if let Some(sent) = &self.sent {
            sent(before + take as u64);
        }
        Poll::Ready(Some(Ok(Frame::data(slice))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.rest.len() as u64)
    }
}
