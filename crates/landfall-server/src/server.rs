//! A server: stores, and an address.

use crate::http::{Accept, ProcessCaller, State, serve, serve_one};
use crate::meta::MetaError;
use crate::ops::{AdminError, Service, hash_of_token};
use crate::rules::naming::Numbering;
use crate::storage::Storage;
use crate::sys::Point;
use crate::tls::Certificate;
use crate::upkeep::{Policy, Upkeep, keep_up};
use std::fmt;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;

/// How a server is run.
#[derive(Clone, Debug)]
pub struct ServeOptions {
    /// Where it listens; port 0: any that is free.
    pub listen: SocketAddr,
    /// The certificate that it shows; `None`: no TLS.
    pub certificate: Option<Certificate>,
    /// Whether it may listen without TLS where others can listen in.
    pub insecure_listen: bool,
    /// A token that is valid in this process alone.
    pub process_token: Option<ProcessToken>,
    /// Where autorename's numbers begin.
    pub numbering: Numbering,
    /// Bytes of the disk that uploads leave free; `None`: by its size.
    pub reserve: Option<u64>,
    /// What is removed without being asked; `None`: nothing, somebody else sees to it.
    pub upkeep: Option<Policy>,
    /// Bytes per second at which everything stored is read again and compared with its
    /// checksums; `None`: it isn't.
    pub scrub: Option<u64>,
}

impl ServeOptions {
    /// Bytes per second of the scrub, as usual: 4 MiB, which is a third of a tebibyte a day.
    pub const SCRUB: u64 = 4 * 1024 * 1024;

    /// Listening here, and everything else as usual.
    pub fn new(listen: SocketAddr) -> Self {
        Self {
            listen,
            certificate: None,
            insecure_listen: false,
            process_token: None,
            numbering: Numbering::default(),
            reserve: None,
            upkeep: Some(Policy::default()),
            scrub: Some(Self::SCRUB),
        }
    }
}

/// A token that is valid in one process alone and never stored, with all scopes: whoever embeds
/// a server gives it one.
#[derive(Clone)]
pub struct ProcessToken {
    /// The token.
    pub token: String,
    /// The name of its account, which must be there.
    pub account: String,
}

impl fmt::Debug for ProcessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ProcessToken({})", self.account)
    }
}

/// Why a server can't begin.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Tokens and files would travel in the clear.
    #[error(
        "{0} can be reached from other machines, and this server has no TLS: give it a certificate with --tls-cert and --tls-key, listen on a loopback address such as 127.0.0.1, or say --insecure-listen if a proxy in front adds TLS"
    )]
    Exposed(SocketAddr),
    /// The address can't be had.
    #[error("can't listen on {address}: {source}")]
    Listen {
        /// Which.
        address: SocketAddr,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The account of the process token.
    #[error(transparent)]
    Account(#[from] AdminError),
    /// The metadata.
    #[error(transparent)]
    Meta(#[from] MetaError),
}

/// A server that listens.
#[derive(Debug)]
pub struct Server {
    accept: Accept,
    address: SocketAddr,
    upkeep: Upkeep,
    policy: Option<Policy>,
    scrub: Option<u64>,
}

impl fmt::Debug for Accept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Accept")
    }
}

impl Server {
    /// Begins to listen; connections wait until [`Self::run`].
    ///
    /// # Errors
    /// The address can't be had or is exposed, or the stores can't be used.
    pub async fn bind(storage: Storage, options: ServeOptions) -> Result<Self, ServeError> {
        let address = options.listen;
        let exposed = options.certificate.is_none() && !address.ip().is_loopback();
        if exposed && !options.insecure_listen {
            return Err(ServeError::Exposed(address));
        }
        let process = match options.process_token {
            None => None,
            Some(ProcessToken { token, account }) => Some(ProcessCaller {
                hash: hash_of_token(&token),
                account: storage.admin().account(&account).await?,
            }),
        };
        let upkeep = storage.upkeep();
        let Storage { meta, blobs, sys } = storage;
        let service = Service::new(meta, blobs, sys, options.numbering, options.reserve).await?;
        let listen = |source| ServeError::Listen { address, source };
        let failpoints = service.sys.failpoints.clone();
        let reached = |point| {
            failpoints
                .hit(point)
                .map_err(|planned| listen(planned.into()))
        };
        reached(Point::ServeListen)?;
        let listener = TcpListener::bind(address).await.map_err(listen)?;
        reached(Point::ServeListening)?;
        let address = listener.local_addr().map_err(listen)?;
        let state = Arc::new(State::new(service, process, upkeep.scrubbed()));
        Ok(Self {
            accept: Accept {
                listener,
                tls: options.certificate.as_ref().map(Certificate::acceptor),
                state,
            },
            address,
            upkeep,
            policy: options.upkeep,
            scrub: options.scrub,
        })
    }

    /// Where it listens, with the real port.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Serves a connection that somebody else accepted, until it ends: a Unix socket, a stream
    /// in memory. It is read as it comes, without TLS, beside [`Self::run`] or without it, and
    /// isn't told when the server stops.
    pub fn serve_connection<T>(&self, stream: T) -> impl Future<Output = ()> + Send + use<T>
    where
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        serve_one(stream, Arc::clone(&self.accept.state))
    }

    /// Serves until `shutdown`, then lets the requests under way finish, for ten seconds at the
    /// most.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        let room = Arc::clone(&self.accept.state.service.room);
        let keeping = tokio::spawn(async move {
            tokio::join!(keep_up(self.upkeep, self.policy, self.scrub), room.watch())
        });
        serve(self.accept, shutdown).await;
        keeping.abort();
    }
}
