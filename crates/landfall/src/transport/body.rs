//! The body of a request, handed over in slices so that progress shows.

#[cfg(feature = "transfer")]
use super::bandwidth::{Bandwidth, Turn};
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use std::collections::VecDeque;
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
    /// In the order of the body; none is empty.
    parts: VecDeque<Bytes>,
    sent: Option<Arc<dyn Fn(u64) + Send + Sync>>,
    #[cfg(feature = "transfer")]
    bandwidth: Option<Arc<Bandwidth>>,
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

    /// The body of these parts, one behind the other.
    pub fn of_parts(parts: impl IntoIterator<Item = Bytes>) -> Self {
        let parts = parts.into_iter().filter(|part| !part.is_empty()).collect();
        Self {
            parts,
            ..Self::default()
        }
    }

    /// Shares this bandwidth with all bodies that are sent under it.
    #[cfg(feature = "transfer")]
    pub(crate) fn under(mut self, bandwidth: Option<&Arc<Bandwidth>>) -> Self {
        self.bandwidth = bandwidth.cloned();
        self
    }

    /// How many bytes.
    pub fn len(&self) -> u64 {
        self.parts.iter().map(|part| part.len() as u64).sum()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    pub(super) fn into_body(self, progress: Arc<Progress>) -> WatchedBody {
        WatchedBody {
            rest: self.len(),
            parts: self.parts,
            sent: self.sent,
            progress,
            #[cfg(feature = "transfer")]
            turn: self.bandwidth.map(Turn::new),
        }
    }
}

impl<T: Into<Bytes>> From<T> for Payload {
    fn from(data: T) -> Self {
        Self::of_parts([data.into()])
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Payload({} bytes)", self.len())
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
    parts: VecDeque<Bytes>,
    /// Bytes in them.
    rest: u64,
    sent: Option<Arc<dyn Fn(u64) + Send + Sync>>,
    progress: Arc<Progress>,
    #[cfg(feature = "transfer")]
    turn: Option<Turn>,
}

impl WatchedBody {
    /// The next bytes to hand over.
    fn slice(&mut self) -> Option<Bytes> {
        let part = self.parts.front_mut()?;
        let slice = part.split_to(SLICE.min(part.len()));
        if part.is_empty() {
            self.parts.pop_front();
        }
        self.rest -= slice.len() as u64;
        Some(slice)
    }
}

impl http_body::Body for WatchedBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        #[cfg(feature = "transfer")]
        {
            let next = self.parts.front().map_or(0, |part| SLICE.min(part.len()));
            if let Some(turn) = &mut self.turn
                && turn.poll(next as u64, _context).is_pending()
            {
                return Poll::Pending;
            }
        }
        let Some(slice) = self.slice() else {
            return Poll::Ready(None);
        };
        let take = slice.len() as u64;
        let before = self.progress.taken.fetch_add(take, Ordering::Relaxed);
        if let Some(sent) = &self.sent {
            sent(before + take);
        }
        Poll::Ready(Some(Ok(Frame::data(slice))))
    }

    fn is_end_stream(&self) -> bool {
        self.parts.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.rest)
    }
}
