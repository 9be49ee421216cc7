//! The client: where to, as whom, by what transport.

use crate::transport::{Settings, Timeouts, Transport};
use crate::{Endpoint, Secret, TokenSource};
use landfall_protocol::types::auth::PathRoot;
use std::fmt;
use std::sync::Arc;

/// Calls one service as one user. Cloning is cheap and shares the connections.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

struct Inner {
    endpoint: Endpoint,
    tokens: Box<dyn TokenSource>,
    path_root: Option<PathRoot>,
    transport: Transport,
}

impl Client {
    /// A client with the defaults.
    ///
    /// # Errors
    /// See [`ClientBuilder::build`].
    pub fn new(endpoint: Endpoint, token: Secret<String>) -> Result<Self, BuildError> {
        Self::builder(endpoint, token).build()
    }

    /// A client to be fitted out.
    pub fn builder(endpoint: Endpoint, tokens: impl TokenSource + 'static) -> ClientBuilder {
        ClientBuilder {
            endpoint,
            tokens: Box::new(tokens),
            path_root: None,
            user_agent: concat!("landfall/", env!("CARGO_PKG_VERSION")).to_owned(),
            timeouts: Timeouts::default(),
            authorities: Vec::new(),
        }
    }

    /// The same service as another user, over the same connections.
    #[must_use]
    pub fn with_tokens(&self, tokens: impl TokenSource + 'static) -> Self {
        Self {
            inner: Arc::new(Inner {
                endpoint: self.inner.endpoint.clone(),
                tokens: Box::new(tokens),
                path_root: self.inner.path_root.clone(),
                transport: self.inner.transport.clone(),
            }),
        }
    }

    /// Where the calls go.
    pub fn endpoint(&self) -> &Endpoint {
        &self.inner.endpoint
    }

    pub(crate) fn tokens(&self) -> &dyn TokenSource {
        &*self.inner.tokens
    }

    pub(crate) fn path_root(&self) -> Option<&PathRoot> {
        self.inner.path_root.as_ref()
    }

    pub(crate) fn transport(&self) -> &Transport {
        &self.inner.transport
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("endpoint", &self.inner.endpoint)
            .finish_non_exhaustive()
    }
}

/// Fits out a [`Client`].
pub struct ClientBuilder {
    endpoint: Endpoint,
    tokens: Box<dyn TokenSource>,
    path_root: Option<PathRoot>,
    user_agent: String,
    timeouts: Timeouts,
    authorities: Vec<Vec<u8>>,
}

impl ClientBuilder {
    /// What to say in `User-Agent`; without it `landfall/` and the version.
    #[must_use]
    pub fn user_agent(mut self, text: impl Into<String>) -> Self {
        self.user_agent = text.into();
        self
    }

    /// How long to wait for what.
    #[must_use]
    pub fn timeouts(mut self, timeouts: Timeouts) -> Self {
        self.timeouts = timeouts;
        self
    }

    /// Trusts these certificate authorities too (PEM, one or several); of no effect over plain
    /// http.
    #[must_use]
    pub fn certificate_authorities(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.authorities.push(pem.into());
        self
    }

    /// What paths are relative to (`Dropbox-API-Path-Root`); without it the user's home.
    #[must_use]
    pub fn path_root(mut self, root: PathRoot) -> Self {
        self.path_root = Some(root);
        self
    }

    /// The client. No request is made.
    ///
    /// # Errors
    /// A certificate or the user agent can't be used, or the system has no certificates.
    pub fn build(self) -> Result<Client, BuildError> {
        let transport = Transport::new(Settings {
            user_agent: self.user_agent,
            timeouts: self.timeouts,
            authorities: self.authorities,
            plain_http: self.endpoint.is_plain_http(),
            loopback: self.endpoint.is_loopback(),
        })
        .map_err(|why| BuildError::Transport {
            endpoint: self.endpoint.to_string(),
            why,
        })?;
        Ok(Client {
            inner: Arc::new(Inner {
                endpoint: self.endpoint,
                tokens: self.tokens,
                path_root: self.path_root,
                transport,
            }),
        })
    }
}

/// The parts don't make a client.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// A certificate or the user agent can't be used, or the system has no certificates.
    #[error(
        "can't make a client for {endpoint} ({why}); check the given certificates and the system's own"
    )]
    Transport {
        /// Where to.
        endpoint: String,
        /// What is wrong.
        why: String,
    },
    /// The system gives no threads to a client that carries calls out by itself.
    #[error("can't start threads for {endpoint} ({why}); end other programs, or raise the limit")]
    Threads {
        /// Where to.
        endpoint: String,
        /// In the system's words.
        why: String,
    },
}

impl BuildError {
    #[cfg(any(feature = "commands", feature = "blocking", feature = "callback"))]
    pub(crate) fn threads(endpoint: &Endpoint, error: &std::io::Error) -> Self {
        Self::Threads {
            endpoint: endpoint.to_string(),
            why: error.to_string(),
        }
    }
}
