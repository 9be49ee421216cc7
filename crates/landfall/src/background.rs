//! What carries calls out for callers without a runtime: threads of our own, and the table of
//! the requests whose callers went on.

#[cfg(any(feature = "commands", feature = "callback"))]
mod request;
#[cfg(any(feature = "commands", feature = "callback"))]
mod requests;
mod threads;

#[cfg(any(feature = "commands", feature = "callback"))]
pub(crate) use request::Request;
#[cfg(any(feature = "commands", feature = "callback"))]
pub use requests::{RequestId, RequestStatus};
pub(crate) use threads::Threads;

/// A client, the threads that carry its calls out, and the requests that they are at.
#[cfg(any(feature = "commands", feature = "callback"))]
#[derive(Debug)]
pub(crate) struct Background {
    // Dropped first: what is in flight is cancelled while there are threads to do it.
    pub(crate) requests: requests::Requests,
    pub(crate) client: crate::Client,
    pub(crate) threads: Threads,
}

#[cfg(any(feature = "commands", feature = "callback"))]
impl Background {
    pub(crate) fn start(client: crate::Client) -> Result<Self, crate::BuildError> {
        let failed = |error| crate::BuildError::threads(client.endpoint(), &error);
        let threads = Threads::start().map_err(failed)?;
        let requests = requests::Requests::start(client.endpoint().clone()).map_err(failed)?;
        Ok(Self {
            requests,
            client,
            threads,
        })
    }

    /// Begins a request; see [`requests::Requests::begin`].
    pub(crate) fn begin(
        &self,
        request: Request,
        callback: impl FnOnce(RequestId, u16, bytes::Bytes) + Send + 'static,
    ) -> RequestId {
        self.requests
            .begin(&self.threads, request, Box::new(callback))
    }
}
