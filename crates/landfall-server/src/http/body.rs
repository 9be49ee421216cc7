//! The body of a request: counted, timed, and thrown away where nobody wants it.

use crate::ops::{BodyError, IncomingBody};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use landfall_protocol::limits;
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// A body must bring [`PROGRESS_BYTES`] in each [`PROGRESS_TIME`] of waiting for it, or it is
/// given up: a long upload over a thin line passes, a peer that fell silent doesn't.
const PROGRESS_TIME: Duration = Duration::from_secs(60);
const PROGRESS_BYTES: u64 = 60 * 1024;

/// How much of an unwanted body is read, and for how long, so that a client that writes before
/// it reads finds the answer and not a reset. More than one whole body, so that one which is
/// itself too large gets its answer too.
const DISCARD_BYTES: u64 = limits::REQUEST_BODY + 64 * 1024 * 1024;
const DISCARD_TIME: Duration = Duration::from_secs(10);

/// A body on its way in over HTTP.
#[derive(Debug)]
pub(crate) struct RequestBody {
    incoming: Incoming,
    most: u64,
    taken: u64,
    /// Whether it was looked at: only then is `100 Continue` sent.
    touched: bool,
    expects_continue: bool,
    ended: bool,
    /// Waited for the bytes of the current window of progress, and how many they are.
    waited: Duration,
    came: u64,
}

impl RequestBody {
    pub(super) fn new(incoming: Incoming, expects_continue: bool) -> Self {
        Self {
            ended: incoming.is_end_stream(),
            incoming,
            most: limits::REQUEST_BODY,
            taken: 0,
            touched: false,
            expects_continue,
            waited: Duration::ZERO,
            came: 0,
        }
    }

    async fn frame(&mut self) -> Result<Option<Bytes>, BodyError> {
        if self.ended {
            return Ok(None);
        }
        if self.declared().is_some_and(|declared| declared > self.most) {
            return Err(BodyError::TooLarge);
        }
        self.touched = true;
        loop {
            let left = PROGRESS_TIME.saturating_sub(self.waited);
            let begun = Instant::now();
            let frame = timeout(left, self.incoming.frame()).await;
            self.waited += begun.elapsed();
            let bytes = match frame {
                Err(_) => return Err(BodyError::TooSlow),
                Ok(None) => {
                    self.ended = true;
                    return Ok(None);
                }
                Ok(Some(Err(error))) => {
                    self.ended = true;
                    return Err(BodyError::Broken(error.to_string()));
                }
                Ok(Some(Ok(frame))) => match frame.into_data() {
                    Ok(bytes) => bytes,
                    Err(_trailers) => continue,
                },
            };
            self.came += bytes.len() as u64;
            if self.came >= PROGRESS_BYTES {
                (self.waited, self.came) = (Duration::ZERO, 0);
            }
            self.taken += bytes.len() as u64;
            if self.taken > self.most {
                return Err(BodyError::TooLarge);
            }
            if !bytes.is_empty() {
                return Ok(Some(bytes));
            }
        }
    }

    /// The whole body, up to `most` bytes.
    pub(super) async fn whole(&mut self, most: u64) -> Result<Vec<u8>, BodyError> {
        self.most = most;
        let mut whole = Vec::new();
        while let Some(bytes) = self.frame().await? {
            whole.extend_from_slice(&bytes);
        }
        Ok(whole)
    }

    /// Whether there is no byte in it.
    pub(super) async fn is_empty(&mut self) -> Result<bool, BodyError> {
        Ok(self.frame().await?.is_none())
    }

    /// Reads on in the background while the answer is on its way.
    pub(super) fn discard(mut self) {
        // Who waits for `100 Continue` hasn't sent anything, and reads the answer first.
        let waits = self.expects_continue && !self.touched;
        if self.ended || waits {
            return;
        }
        tokio::spawn(timeout(DISCARD_TIME, async move {
            let mut left = DISCARD_BYTES;
            while let Some(Ok(frame)) = self.incoming.frame().await {
                let length = frame.data_ref().map_or(0, Bytes::len) as u64;
                match left.checked_sub(length) {
                    Some(rest) => left = rest,
                    None => break,
                }
            }
        }));
    }
}

impl IncomingBody for RequestBody {
    fn declared(&self) -> Option<u64> {
        // What is left by the declared length, and what was taken.
        self.incoming
            .size_hint()
            .exact()
            .map(|left| left + self.taken)
    }

    fn next(&mut self) -> BoxFuture<'_, Result<Option<Bytes>, BodyError>> {
        Box::pin(self.frame())
    }
}
