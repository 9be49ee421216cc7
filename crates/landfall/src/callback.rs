//! Calls that return at once and call back when they are over.
//!
//! ```no_run
//! use landfall::protocol::types::sessions::UploadSessionStartArg;
//! use landfall::{Endpoint, Secret, callback};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let token = Secret::new(std::env::var("LANDFALL_TOKEN")?);
//! let client = callback::Client::new(Endpoint::at("http://127.0.0.1:8765")?, token)?;
//! let start = UploadSessionStartArg { close: false, session_type: None, content_hash: None };
//! let id = client.upload_session_start(&start, "hello\n", |id, status, data| {
//!     println!("request {id}: {status} {}", String::from_utf8_lossy(&data));
//! });
//! println!("request {id} is on its way");
//! # Ok(())
//! # }
//! ```
//!
//! # Threads and connections
//! A client has one pool of connections and three threads of its own: two carry the calls out,
//! one calls back. Its clones share them, and the requests too: make one client per endpoint and
//! user, and clone it. It may be used inside and outside of asynchronous code.
#![doc = include_str!("callback.md")]

use crate::api::each_route;
use crate::background::{Background, Request};
use crate::{BuildError, ClientBuilder, Endpoint, Payload, RequestId, RequestStatus, Secret};
use bytes::Bytes;
use landfall_protocol::types::{batches, files, folders, relocation, revisions, sessions, users};
use landfall_protocol::{Call, calls};
use std::fmt;
use std::sync::Arc;

/// Calls one service as one user, and calls back. Cloning is cheap and shares the connections,
/// the threads and the requests.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Background>,
}

impl Client {
    /// A client with the defaults.
    ///
    /// # Errors
    /// See [`Self::from_builder`].
    pub fn new(endpoint: Endpoint, token: Secret<String>) -> Result<Self, BuildError> {
        Self::from_builder(crate::Client::builder(endpoint, token))
    }

    /// A client as it was fitted out by [`crate::Client::builder`].
    ///
    /// # Errors
    /// See [`ClientBuilder::build`]; or there are no threads to be had.
    pub fn from_builder(builder: ClientBuilder) -> Result<Self, BuildError> {
        let inner = Background::start(builder.build()?)?;
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// Where the calls go.
    pub fn endpoint(&self) -> &Endpoint {
        self.inner.client.endpoint()
    }

    /// How far a request is; `None` once its callback has returned, and for the ids of other
    /// clients.
    pub fn request_status(&self, id: RequestId) -> Option<RequestStatus> {
        self.inner.requests.status(id)
    }

    /// Ends a request that is in flight: its callback gets the reason `cancelled`. Returns
    /// whether it was in flight; if not, its callback has got its own reply, or will.
    pub fn cancel(&self, id: RequestId) -> bool {
        self.inner.requests.cancel(id)
    }

    /// Calls an rpc route, as [`crate::Client::call_rpc`].
    pub fn call_rpc<C: Call>(
        &self,
        arg: &C::Arg,
        callback: impl FnOnce(RequestId, u16, Bytes) + Send + 'static,
    ) -> RequestId {
        let request = Request::rpc::<C>(self.inner.client.clone(), arg.clone());
        self.inner.begin(request, callback)
    }

    /// Calls an upload route, as [`crate::Client::call_upload`].
    pub fn call_upload<C: Call>(
        &self,
        arg: &C::Arg,
        payload: impl Into<Payload>,
        callback: impl FnOnce(RequestId, u16, Bytes) + Send + 'static,
    ) -> RequestId {
        let client = self.inner.client.clone();
        let request = Request::upload::<C>(client, arg.clone(), payload.into());
        self.inner.begin(request, callback)
    }
}

macro_rules! method {
    (upload $(#[$words:meta])* $name:ident: $id:ident($arg:ty) -> $result:ty, $error:ty) => {
        $(#[$words])*
        pub fn $name(
            &self,
            arg: &$arg,
            payload: impl Into<Payload>,
            callback: impl FnOnce(RequestId, u16, Bytes) + Send + 'static,
        ) -> RequestId {
            self.call_upload::<calls::$id>(arg, payload, callback)
        }
    };
    (rpc $(#[$words:meta])* $name:ident: $id:ident($arg:ty) -> $result:ty, $error:ty) => {
        $(#[$words])*
        pub fn $name(
            &self,
            arg: &$arg,
            callback: impl FnOnce(RequestId, u16, Bytes) + Send + 'static,
        ) -> RequestId {
            self.call_rpc::<calls::$id>(arg, callback)
        }
    };
    (void $(#[$words:meta])* $name:ident: $id:ident() -> $result:ty, $error:ty) => {
        $(#[$words])*
        pub fn $name(
            &self,
            callback: impl FnOnce(RequestId, u16, Bytes) + Send + 'static,
        ) -> RequestId {
            self.call_rpc::<calls::$id>(&(), callback)
        }
    };
    // Content is a stream, so it has no place in a callback's data.
    (download $($rest:tt)*) => {};
}

/// Each method begins its call, made once and never repeated, and returns the request's id.
/// There is none for `files/download`, whose content is a stream.
impl Client {
    each_route!(method);
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("callback::Client")
            .field("endpoint", self.endpoint())
            .finish_non_exhaustive()
    }
}
