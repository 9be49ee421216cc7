//! The answer as it arrives.

use super::Fault;
use bytes::{Bytes, BytesMut};
use reqwest::header::{HeaderMap, HeaderName, RETRY_AFTER};
use std::time::Duration;
use tokio::time::timeout;

/// Bytes of an answer that are read into memory: a full page of `list_folder` with long paths
/// stays far below. A longer answer is not the API's. Ours.
const MOST: usize = 64 * 1024 * 1024;

/// An answer whose body is still to be read.
pub(crate) struct Incoming {
    response: reqwest::Response,
    host: String,
    idle: Duration,
}

/// An answer, whole.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// What the header says; rate limits may say it in the body too.
    pub(crate) retry_after: Option<Duration>,
    pub(crate) body: Bytes,
    /// The body was too long and is not all here.
    pub(crate) cut: bool,
}

impl Incoming {
    pub(super) fn new(response: reqwest::Response, host: String, idle: Duration) -> Self {
        Self {
            response,
            host,
            idle,
        }
    }

    pub(crate) fn status(&self) -> u16 {
        self.response.status().as_u16()
    }

    /// Host and port.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    pub(crate) fn headers(&self) -> &HeaderMap {
        self.response.headers()
    }

    /// A header's value as bytes.
    pub(crate) fn header(&self, name: &HeaderName) -> Option<Bytes> {
        let value = self.response.headers().get(name)?;
        Some(Bytes::copy_from_slice(value.as_bytes()))
    }

    /// The next bytes of the body; `None` at its end.
    pub(crate) async fn chunk(&mut self) -> Result<Option<Bytes>, Fault> {
        match timeout(self.idle, self.response.chunk()).await {
            Ok(Ok(chunk)) => Ok(chunk),
            Ok(Err(error)) => Err(Fault::of(&error, &self.host)),
            Err(_) => Err(Fault::Stalled {
                host: self.host.clone(),
                what: "no byte",
                waited: self.idle,
            }),
        }
    }

    /// Reads the body to its end.
    pub(crate) async fn whole(mut self) -> Result<Answer, Fault> {
        let status = self.status();
        let retry_after = retry_after(self.headers());
        let mut body = BytesMut::new();
        let mut cut = false;
        while let Some(chunk) = self.chunk().await? {
            if body.len() + chunk.len() > MOST {
                cut = true;
                break;
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer {
            status,
            retry_after,
            body: body.freeze(),
            cut,
        })
    }
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?;
    text.trim().parse().ok().map(Duration::from_secs)
}
