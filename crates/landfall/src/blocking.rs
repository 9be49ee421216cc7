//! The calls for programs without a runtime: each method makes its call and waits for its end.
//!
//! ```no_run
//! use landfall::protocol::types::sessions::UploadSessionStartArg;
//! use landfall::{Endpoint, Secret, blocking};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let token = Secret::new(std::env::var("LANDFALL_TOKEN")?);
//! let client = blocking::Client::new(Endpoint::at("http://127.0.0.1:8765")?, token)?;
//! let start = UploadSessionStartArg { close: false, session_type: None, content_hash: None };
//! let session = client.upload_session_start(&start, "hello\n")?.value.session_id;
//! # Ok(())
//! # }
//! ```
//!
//! # Threads and connections
//! A client has one pool of connections and two threads of its own that carry the calls out.
//! Its clones share them, and any number of threads may use them at the same time: make one
//! client per endpoint and user, and clone it.
//!
//! # Inside of asynchronous code
//! The methods may be called there: they don't panic, and neither does dropping the client. But
//! the thread waits, and so does whatever else its runtime has for it to do. A runtime with a
//! single thread stands still for the length of the call; what the call needs must then not
//! depend on that runtime (a [`TokenSource`](crate::TokenSource) that asks it for something
//! would wait for ever). [`crate::Client`] has the same methods for asynchronous code. A source
//! of tokens must not call the client that asks it.

use crate::api::each_route;
use crate::background::Threads;
use crate::{
    BuildError, ByteRange, CallError, ClientBuilder, Endpoint, Fault, Payload, Reply, Secret,
};
use bytes::Bytes;
use landfall_protocol::routes::NoError;
use landfall_protocol::types::{batches, files, folders, relocation, revisions, sessions, users};
use landfall_protocol::{Call, calls};
use std::fmt;
use std::sync::Arc;

/// Calls one service as one user and waits for each answer. Cloning is cheap and shares the
/// connections and the threads.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

struct Inner {
    client: crate::Client,
    threads: Threads,
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
        let client = builder.build()?;
        let threads = Threads::start();
        let threads = threads.map_err(|error| BuildError::threads(client.endpoint(), &error))?;
        Ok(Self {
            inner: Arc::new(Inner { client, threads }),
        })
    }

    /// Where the calls go.
    pub fn endpoint(&self) -> &Endpoint {
        self.inner.client.endpoint()
    }

    /// As [`crate::Client::call_rpc`].
    ///
    /// # Errors
    /// [`CallError`]; the call is made once, never repeated.
    pub fn call_rpc<C: Call>(&self, arg: &C::Arg) -> Result<Reply<C::Result>, CallError<C::Error>> {
        let (client, arg) = (self.inner.client.clone(), arg.clone());
        let call = async move { client.call_rpc::<C>(&arg).await };
        self.inner.threads.block(call)
    }

    /// As [`crate::Client::call_upload`].
    ///
    /// # Errors
    /// [`CallError`]; the call is made once, never repeated.
    pub fn call_upload<C: Call>(
        &self,
        arg: &C::Arg,
        payload: impl Into<Payload>,
    ) -> Result<Reply<C::Result>, CallError<C::Error>> {
        let (client, arg, payload) = (self.inner.client.clone(), arg.clone(), payload.into());
        let call = async move { client.call_upload::<C>(&arg, payload).await };
        self.inner.threads.block(call)
    }

    /// As [`crate::Client::call_download`].
    ///
    /// # Errors
    /// [`CallError`]; the call is made once, never repeated.
    pub fn call_download<C: Call>(
        &self,
        arg: &C::Arg,
        range: Option<ByteRange>,
    ) -> Result<Content<C::Result>, CallError<C::Error>> {
        let (client, arg) = (self.inner.client.clone(), arg.clone());
        let call = async move { client.call_download::<C>(&arg, range).await };
        let content = self.inner.threads.block(call)?;
        Ok(Content {
            content: Some(content),
            inner: Arc::clone(&self.inner),
        })
    }
}

macro_rules! method {
    (upload $(#[$words:meta])* $name:ident: $id:ident($arg:ty) -> $result:ty, $error:ty) => {
        $(#[$words])*
        ///
        /// # Errors
        /// [`CallError`]
        pub fn $name(
            &self,
            arg: &$arg,
            payload: impl Into<Payload>,
        ) -> Result<Reply<$result>, CallError<$error>> {
            self.call_upload::<calls::$id>(arg, payload)
        }
    };
    (rpc $(#[$words:meta])* $name:ident: $id:ident($arg:ty) -> $result:ty, $error:ty) => {
        $(#[$words])*
        ///
        /// # Errors
        /// [`CallError`]
        pub fn $name(&self, arg: &$arg) -> Result<Reply<$result>, CallError<$error>> {
            self.call_rpc::<calls::$id>(arg)
        }
    };
    (void $(#[$words:meta])* $name:ident: $id:ident() -> $result:ty, $error:ty) => {
        $(#[$words])*
        ///
        /// # Errors
        /// [`CallError`]
        pub fn $name(&self) -> Result<Reply<$result>, CallError<$error>> {
            self.call_rpc::<calls::$id>(&())
        }
    };
    (download $(#[$words:meta])* $name:ident: $id:ident($arg:ty) -> $result:ty, $error:ty) => {
        $(#[$words])*
        ///
        /// # Errors
        /// [`CallError`]
        pub fn $name(
            &self,
            arg: &$arg,
            range: Option<ByteRange>,
        ) -> Result<Content<$result>, CallError<$error>> {
            self.call_download::<calls::$id>(arg, range)
        }
    };
}

/// Each method makes its call once, never repeats it, and returns when it is over.
impl Client {
    each_route!(method);
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("blocking::Client")
            .field("endpoint", self.endpoint())
            .finish_non_exhaustive()
    }
}

/// An open download: the result is here, the bytes are read piece by piece. It keeps the
/// client's threads; dropping it closes the connection.
pub struct Content<T> {
    /// `None` while a thread of the client's has it.
    content: Option<crate::Content<T>>,
    inner: Arc<Inner>,
}

impl<T: Send + 'static> Content<T> {
    fn content(&self) -> &crate::Content<T> {
        self.content.as_ref().expect("every read gives it back")
    }

    /// As [`crate::Content::reply`].
    pub fn reply(&self) -> &Reply<T> {
        self.content().reply()
    }

    /// As [`crate::Content::length`].
    pub fn length(&self) -> Option<u64> {
        self.content().length()
    }

    /// As [`crate::Content::begins_at`].
    pub fn begins_at(&self) -> Option<u64> {
        self.content().begins_at()
    }

    /// Waits for the next bytes; `None` at the end.
    ///
    /// # Errors
    /// See [`crate::Content::chunk`].
    pub fn chunk(&mut self) -> Result<Option<Bytes>, Fault> {
        let mut content = self.content.take().expect("every read gives it back");
        let read = async move {
            let chunk = content.chunk().await;
            (content, chunk)
        };
        let (content, chunk) = self.inner.threads.block(read);
        self.content = Some(content);
        chunk
    }
}

impl<T: fmt::Debug> fmt::Debug for Content<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.content, f)
    }
}
