//! The accept loop: how many connections, how slow, how long.

use super::exchange::{State, handle};
use super::stall::StallGuard;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use landfall_protocol::limits;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

/// Connections at the same time; more wait to be accepted. Idle ones are cheap, and each open
/// file of the process counts against the system's limit long before this.
const CONNECTIONS: usize = 20_000;

/// How long the head of a request may take, and so how long a connection may be idle between
/// two requests.
const HEAD: Duration = Duration::from_secs(30);

/// How long a peer may take none of the bytes that are ready for it.
const WRITE_STALL: Duration = Duration::from_secs(60);

/// How often an HTTP/2 peer is asked whether it is still there, and how long it may take to
/// say so.
const PING: Duration = Duration::from_secs(30);
const PONG: Duration = Duration::from_secs(20);

/// How long an HTTP/2 connection without a request is kept; checked this often.
const IDLE: Duration = Duration::from_secs(60);

/// HTTP/2 windows: throughput is at most window per round trip, and hyper's defaults halve it
/// even on loopback.
const STREAM_WINDOW: u32 = 4 * 1024 * 1024;
const CONNECTION_WINDOW: u32 = 16 * 1024 * 1024;
const FRAME: u32 = 256 * 1024;

/// HTTP/2 requests at the same time on one connection.
const STREAMS: u32 = 64;

/// HTTP/2 streams that a peer may open and reset before the connection is dropped.
const RESETS: usize = 64;

/// How long requests may go on after the server was told to stop.
const LAST_ORDERS: Duration = Duration::from_secs(10);

/// What the loop works with.
pub(crate) struct Accept {
    pub(crate) listener: TcpListener,
    pub(crate) state: Arc<State>,
}

/// Accepts and serves connections until `stop`, then lets the requests under way finish.
pub(crate) async fn serve(accept: Accept, stop: impl Future<Output = ()>) {
    let Accept { listener, state } = accept;
    let graceful = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let builder = builder();
    let mut stop = std::pin::pin!(stop);
    loop {
        let accepted = async {
            let place = Arc::clone(&places).acquire_owned().await;
            (place, listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            accepted = accepted => accepted,
            () = &mut stop => break,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                refused(&error).await;
                continue;
            }
        };
        let connection = connection(&builder, stream, Arc::clone(&state), &graceful);
        tokio::spawn(async move {
            connection.await;
            drop(place);
        });
    }
    drop(listener);
    if tokio::time::timeout(LAST_ORDERS, graceful.shutdown())
        .await
        .is_err()
    {
        tracing::warn!("requests were still under way after {LAST_ORDERS:?}; they are cut off");
    }
}

/// An error of accept is about one connection, or about this process being out of something:
/// then a busy loop would make it worse.
async fn refused(error: &io::Error) {
    let of_one_connection = matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
    );
    if !of_one_connection {
        tracing::warn!(%error, "can't accept connections; trying again in a moment");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

fn builder() -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        // The buffer must hold a whole head.
        .max_buf_size(limits::HEADERS + 64 * 1024);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(PING)
        .keep_alive_timeout(PONG)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_frame_size(FRAME)
        .max_concurrent_streams(STREAMS)
        .max_pending_accept_reset_streams(RESETS)
        .max_header_list_size(limits::HEADERS as u32);
    builder
}

fn connection(
    builder: &auto::Builder<TokioExecutor>,
    stream: TcpStream,
    state: Arc<State>,
    graceful: &GracefulShutdown,
) -> impl Future<Output = ()> + use<> {
    // Answers are small and whole: waiting for more to send helps nobody.
    let _ = stream.set_nodelay(true);
    let requests = Arc::new(Requests::default());
    let counted = Arc::clone(&requests);
    let service = hyper::service::service_fn(move |request| {
        let state = Arc::clone(&state);
        let under_way = counted.begin();
        async move {
            let answer = handle(state, request).await;
            drop(under_way);
            Ok::<_, std::convert::Infallible>(answer)
        }
    });
    let io = TokioIo::new(StallGuard::new(stream, WRITE_STALL));
    let served = builder.serve_connection(io, service).into_owned();
    let served = graceful.watch(served);
    async move {
        tokio::select! {
            // Broken connections are the peers' everyday life; nobody wants a line for each.
            _ = served => {}
            () = requests.idle() => {}
        }
    }
}

/// Counts the requests of a connection, to find out that it has none.
#[derive(Debug, Default)]
struct Requests {
    under_way: AtomicUsize,
    begun: AtomicUsize,
}

struct UnderWay(Arc<Requests>);

impl Requests {
    fn begin(self: &Arc<Self>) -> UnderWay {
        self.begun.fetch_add(1, Ordering::SeqCst);
        self.under_way.fetch_add(1, Ordering::SeqCst);
        UnderWay(Arc::clone(self))
    }

    /// Ends when there was no request for [`IDLE`] or a little longer.
    async fn idle(&self) {
        let mut before = usize::MAX;
        loop {
            let begun = self.begun.load(Ordering::SeqCst);
            if begun == before && self.under_way.load(Ordering::SeqCst) == 0 {
                return;
            }
            before = begun;
            tokio::time::sleep(IDLE).await;
        }
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::SeqCst);
    }
}
