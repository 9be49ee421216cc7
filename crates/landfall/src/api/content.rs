//! Content that a download-style call answers with.

use super::Reply;
use crate::transport::{Fault, Incoming};
use bytes::Bytes;
use reqwest::header::{CONTENT_LENGTH, CONTENT_RANGE};
use std::fmt;

/// Which bytes to ask for: from an offset, up to and with another or to the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ByteRange {
    /// First byte, counted from 0.
    pub from: u64,
    /// Last byte; `None`: to the end.
    pub to: Option<u64>,
}

impl fmt::Display for ByteRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "bytes={}-", self.from)?;
        self.to.map_or(Ok(()), |to| write!(f, "{to}"))
    }
}

/// An open download: the result is here, the bytes are read piece by piece. Dropping it closes
/// the connection.
pub struct Content<T> {
    reply: Reply<T>,
    incoming: Incoming,
}

impl<T> Content<T> {
    pub(super) fn new(reply: Reply<T>, incoming: Incoming) -> Self {
        Self { reply, incoming }
    }

    /// The result, the status (206 for a range), and the result's JSON as it came.
    pub fn reply(&self) -> &Reply<T> {
        &self.reply
    }

    /// Bytes in this answer, if the service says it.
    pub fn length(&self) -> Option<u64> {
        let value = self.incoming.headers().get(CONTENT_LENGTH)?;
        value.to_str().ok()?.parse().ok()
    }

    /// Where in the file this answer's bytes begin; `None` if that can't be told.
    pub fn begins_at(&self) -> Option<u64> {
        if self.reply.status == 200 {
            return Some(0);
        }
        let value = self.incoming.headers().get(CONTENT_RANGE)?.to_str().ok()?;
        first_byte(value)
    }

    /// The next bytes; `None` at the end.
    ///
    /// # Errors
    /// The connection broke or stalled. What came before is good, and a call for the rest can
    /// go on from there.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Fault> {
        self.incoming.chunk().await
    }
}

/// The first offset in a `Content-Range`, such as 5 in `bytes 5-9/10`.
fn first_byte(value: &str) -> Option<u64> {
    let (first, _) = value.strip_prefix("bytes ")?.split_once('-')?;
    first.parse().ok()
}

impl<T: fmt::Debug> fmt::Debug for Content<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Content")
            .field("reply", &self.reply)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::{ByteRange, first_byte};

    #[test]
    fn ranges_are_written_and_read_as_http_says() {
        let open = ByteRange { from: 5, to: None };
        let closed = ByteRange {
            from: 0,
            to: Some(9),
        };
        assert_eq!(open.to_string(), "bytes=5-");
        assert_eq!(closed.to_string(), "bytes=0-9");
        assert_eq!(first_byte("bytes 5-9/10"), Some(5));
        assert_eq!(first_byte("bytes */10"), None);
    }
}
