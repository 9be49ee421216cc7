//! The accept loop: how many connections, how slow, how long.

use super::exchange::{State, handle};
use super::reply::ReplyBody;
use super::stall::StallGuard;
use crate::ops::Trouble;
use crate::sys::open_files::open_files;
use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use landfall_protocol::limits;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// Connections at the same time, if the process may have as many files open; more wait to be
/// accepted. Idle ones are cheap.
const CONNECTIONS: u64 = 20_000;

/// Of the files that the process may have open, connections leave a quarter for what they are
/// about, and in any case this many.
const OTHER_FILES: u64 = 64;

/// How long the head of a request may take, and so how long a connection may be idle between
/// two requests.
const HEAD: Duration = Duration::from_secs(30);

/// How long a peer may take none of the bytes that are ready for it.
const WRITE_STALL: Duration = Duration::from_secs(60);

/// How often an HTTP/2 peer is asked whether it is still there, and how long it may take to
/// say so.
const PING: Duration = Duration::from_secs(30);
const PONG: Duration = Duration::from_secs(20);

/// How long a connection is kept on which no request is under way and no byte moves.
const IDLE: Duration = Duration::from_secs(60);

/// How often that is looked at; and how long such a connection is kept while others have to wait
/// for a place.
const LOOK: Duration = Duration::from_secs(10);

/// How long a client may take to agree on TLS.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// HTTP/2 windows: throughput is at most window per round trip, and hyper's defaults halve it
/// even on loopback. Frames keep the default size: the library allows a head only so many
/// frames as the largest ones would need, and clients send heads in frames of 16 KiB.
const STREAM_WINDOW: u32 = 4 * 1024 * 1024;
const CONNECTION_WINDOW: u32 = 16 * 1024 * 1024;

/// HTTP/2 requests at the same time on one connection.
const STREAMS: u32 = 64;

/// HTTP/2 streams that a peer may open and reset before the connection is dropped.
const RESETS: usize = 64;

/// How long requests may go on after the server was told to stop.
const LAST_ORDERS: Duration = Duration::from_secs(10);

/// What the loop works with.
pub(crate) struct Accept {
    pub(crate) listener: TcpListener,
    /// `None`: without TLS.
    pub(crate) tls: Option<TlsAcceptor>,
    pub(crate) state: Arc<State>,
}

/// Accepts and serves connections until `stop`, then lets the requests under way finish.
pub(crate) async fn serve(accept: Accept, stop: impl Future<Output = ()>) {
    let Accept {
        listener,
        tls,
        state,
    } = accept;
    let graceful = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(places(open_files())));
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
        // Answers are small and whole: waiting for more to send helps nobody.
        let _ = stream.set_nodelay(true);
        let (builder, state, watcher) = (builder.clone(), Arc::clone(&state), graceful.watcher());
        let (tls, places) = (tls.clone(), Arc::clone(&places));
        tokio::spawn(async move {
            let crowded = move || places.available_permits() == 0;
            match tls {
                None => connection(&builder, stream, state, watcher, crowded).await,
                Some(tls) => {
                    if let Some(stream) = agreed(tls, stream, state.stopping()).await {
                        connection(&builder, stream, state, watcher, crowded).await;
                    }
                }
            }
            drop(place);
        });
    }
    drop(listener);
    state.stop();
    if timeout(LAST_ORDERS, graceful.shutdown()).await.is_err() {
        tracing::warn!("requests were still under way after {LAST_ORDERS:?}; they are cut off");
    }
}

/// How many connections there may be where so many files may be open.
fn places(open_files: u64) -> usize {
    let other = (open_files / 4).max(OTHER_FILES);
    open_files.saturating_sub(other).clamp(1, CONNECTIONS) as usize
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
        .max_concurrent_streams(STREAMS)
        .max_pending_accept_reset_streams(RESETS)
        .max_header_list_size(limits::HEADERS as u32);
    builder
}

/// The connection, once TLS stands. It isn't waited for when the server stops.
async fn agreed<T: AsyncRead + AsyncWrite + Unpin>(
    tls: TlsAcceptor,
    stream: T,
    stopping: impl Future<Output = ()>,
) -> Option<TlsStream<T>> {
    let agreed = tokio::select! {
        agreed = timeout(HANDSHAKE, tls.accept(stream)) => agreed,
        () = stopping => return None,
    };
    match agreed {
        Ok(Ok(stream)) => Some(stream),
        // A client that doesn't trust the certificate says so here, and only here.
        Ok(Err(error)) => {
            tracing::info!(%error, "a client and this server did not agree on TLS");
            None
        }
        Err(_) => None,
    }
}

/// Serves one connection until it ends; it isn't told when the server stops.
pub(crate) async fn serve_one<T: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    stream: T,
    state: Arc<State>,
) {
    // Dropped, it would tell the connection to end.
    let graceful = GracefulShutdown::new();
    connection(&builder(), stream, state, graceful.watcher(), || false).await;
}

fn connection<T: AsyncRead + AsyncWrite + Unpin + Send + 'static, C: Fn() -> bool>(
    builder: &auto::Builder<TokioExecutor>,
    stream: T,
    state: Arc<State>,
    watcher: Watcher,
    crowded: C,
) -> impl Future<Output = ()> + use<T, C> {
    let io = StallGuard::new(stream, WRITE_STALL);
    let requests = Arc::new(Requests {
        moved: io.moved(),
        under_way: AtomicUsize::new(0),
    });
    let counted = Arc::clone(&requests);
    let service = hyper::service::service_fn(move |request| {
        let state = Arc::clone(&state);
        let under_way = counted.begin();
        async move {
            let answer = handle(state, request).await;
            // The request is under way until its answer has gone, not until it is known.
            Ok::<_, std::convert::Infallible>(answer.map(|body| Going {
                body,
                _under_way: under_way,
            }))
        }
    });
    let served = builder
        .serve_connection(TokioIo::new(io), service)
        .into_owned();
    let served = watcher.watch(served);
    async move {
        tokio::select! {
            // Broken connections are the peers' everyday life; nobody wants a line for each.
            _ = served => {}
            () = requests.idle(crowded) => {}
        }
    }
}

/// What goes on on a connection, to find out that nothing does.
#[derive(Debug)]
struct Requests {
    moved: Arc<AtomicU64>,
    under_way: AtomicUsize,
}

#[derive(Debug)]
struct UnderWay(Arc<Requests>);

impl Requests {
    fn begin(self: &Arc<Self>) -> UnderWay {
        self.under_way.fetch_add(1, Ordering::SeqCst);
        UnderWay(Arc::clone(self))
    }

    /// Ends when nothing went on for [`IDLE`] or a little longer; for [`LOOK`] if there is no place
    /// for others.
    async fn idle(&self, crowded: impl Fn() -> bool) {
        let mut before = u64::MAX;
        let mut idle = Duration::ZERO;
        loop {
            let moved = self.moved.load(Ordering::SeqCst);
            if moved == before && self.under_way.load(Ordering::SeqCst) == 0 {
                idle += LOOK;
                if idle >= IDLE || crowded() {
                    return;
                }
            } else {
                idle = Duration::ZERO;
            }
            before = moved;
            tokio::time::sleep(LOOK).await;
        }
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::SeqCst);
    }
}

/// The body of an answer on its way; the request is over when this is dropped.
#[derive(Debug)]
struct Going {
    body: ReplyBody,
    _under_way: UnderWay,
}

impl Body for Going {
    type Data = Bytes;
    type Error = Trouble;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Trouble>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::{
        GracefulShutdown, HANDSHAKE, HEAD, IDLE, LOOK, agreed, builder, connection, places,
    };
    use crate::http::State;
    use crate::ops::{Service, TokenGrant};
    use crate::sys::Sys;
    use crate::tls::Certificate;
    use crate::{Numbering, Storage};
    use std::future::pending;
    use std::sync::Arc;
    use std::time::Duration;
    use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
    use tokio::time::{Instant, sleep};

    const TOKEN: &str = "test-token";

    /// A connection to a server in memory. Time is paused: waiting for it costs none.
    async fn connected() -> (DuplexStream, GracefulShutdown) {
        connected_in_a(false).await
    }

    /// The same, where others have to wait for a place or not.
    async fn connected_in_a(crowd: bool) -> (DuplexStream, GracefulShutdown) {
        let storage = Storage::memory();
        storage.admin().add_account("panda", None).await.unwrap();
        let grant = TokenGrant {
            token: Some(TOKEN.into()),
            ..TokenGrant::default()
        };
        storage.admin().create_token("panda", grant).await.unwrap();
        let Storage { meta, blobs, sys } = storage;
        let service = Service::new(meta, blobs, sys, Numbering::Documented, None)
            .await
            .unwrap();
        let (near, far) = duplex(16 * 1024);
        let state = Arc::new(State::new(service, None, Arc::default()));
        let graceful = GracefulShutdown::new();
        let watcher = graceful.watcher();
        tokio::spawn(connection(&builder(), far, state, watcher, move || crowd));
        // Dropped, it would tell the connection to end.
        (near, graceful)
    }

    fn head(route: &str, length: usize) -> String {
        format!(
            "POST /2/files/{route} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n\
             Content-Type: application/octet-stream\r\nContent-Length: {length}\r\n\
             Dropbox-API-Arg: {{\"path\":\"/x\"}}\r\n\r\n"
        )
    }

    #[tokio::test(flavor = "current_thread", start_paused = true)]
    async fn a_slow_reader_gets_all_of_its_download() {
        const SIZE: usize = 2 * 1024 * 1024;
        let (mut connection, _graceful) = connected().await;
        connection
            .write_all(head("upload", SIZE).as_bytes())
            .await
            .unwrap();
        connection.write_all(&[7; SIZE]).await.unwrap();
        let mut answer = [0; 12];
        connection.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 200");

        connection
            .write_all(head("download", 0).as_bytes())
            .await
            .unwrap();
        let begun = Instant::now();
        let mut got = Vec::new();
        let mut piece = [0; 16 * 1024];
        while got.iter().rev().take_while(|byte| **byte == 7).count() < SIZE {
            sleep(Duration::from_secs(5)).await;
            let length = connection.read(&mut piece).await.unwrap();
            assert_ne!(
                length,
                0,
                "cut off after {} bytes and {:?}",
                got.len(),
                begun.elapsed()
            );
            got.extend_from_slice(&piece[..length]);
        }
        assert!(begun.elapsed() > 3 * IDLE);
    }

    #[tokio::test(flavor = "current_thread", start_paused = true)]
    async fn who_does_not_begin_with_tls_is_not_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let certificate = Certificate::for_development(dir.path(), &[], &Sys::real()).unwrap();
        let (_silent, far) = duplex(1024);
        let begun = Instant::now();
        let agreed = agreed(certificate.acceptor(), far, pending()).await;
        assert!(agreed.is_none() && begun.elapsed() == HANDSHAKE);

        let (_silent, far) = duplex(1024);
        let stopping = std::future::ready(());
        let begun = Instant::now();
        let agreed = super::agreed(certificate.acceptor(), far, stopping).await;
        assert!(agreed.is_none() && begun.elapsed().is_zero());
    }

    /// Reads until the server closes; how long that took, and what it said.
    async fn closed(connection: &mut (impl AsyncRead + Unpin)) -> (Duration, String) {
        let begun = Instant::now();
        let mut rest = Vec::new();
        let _ = connection.read_to_end(&mut rest).await;
        (begun.elapsed(), String::from_utf8_lossy(&rest).into_owned())
    }

    #[tokio::test(flavor = "current_thread", start_paused = true)]
    async fn a_connection_without_a_request_is_closed() {
        let (mut connection, _graceful) = connected().await;
        // Whichever rule is the first.
        assert!(closed(&mut connection).await.0 <= IDLE + LOOK);

        let (mut connection, _graceful) = connected().await;
        connection
            .write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            .await
            .unwrap();
        let (kept, answer) = closed(&mut connection).await;
        assert!(
            answer.ends_with("ok\n") && kept <= IDLE + 2 * LOOK,
            "{kept:?}"
        );
    }

    #[tokio::test(flavor = "current_thread", start_paused = true)]
    async fn where_others_wait_for_a_place_idle_connections_go_first() {
        let (mut idle, _graceful) = connected_in_a(true).await;
        assert!(closed(&mut idle).await.0 <= 2 * LOOK);

        // What is under way goes on.
        let (mut busy, _graceful) = connected_in_a(true).await;
        busy.write_all(head("upload", 8).as_bytes()).await.unwrap();
        sleep(4 * LOOK).await;
        busy.write_all(b"8 bytes!").await.unwrap();
        let mut answer = [0; 12];
        busy.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 200");
    }

    #[tokio::test(flavor = "current_thread", start_paused = true)]
    async fn a_head_that_comes_bit_by_bit_is_not_waited_for() {
        let (connection, _graceful) = connected().await;
        let (mut answer, mut request) = tokio::io::split(connection);
        let trickle = tokio::spawn(async move {
            let head = b"GET / HTTP/1.1\r\n"
                .iter()
                .chain(b"X: y\r\n".iter().cycle());
            for byte in head {
                if request.write_all(&[*byte]).await.is_err() {
                    break;
                }
                sleep(Duration::from_secs(1)).await;
            }
        });
        assert!(closed(&mut answer).await.0 <= HEAD + LOOK);
        trickle.await.unwrap();
    }

    #[tokio::test(flavor = "current_thread", start_paused = true)]
    async fn a_body_that_comes_bit_by_bit_is_given_up() {
        let (connection, _graceful) = connected().await;
        let (mut answer, mut request) = tokio::io::split(connection);
        request
            .write_all(head("upload", 1024 * 1024).as_bytes())
            .await
            .unwrap();
        tokio::spawn(async move {
            // A byte each second is less than the kibibyte that it must be.
            while request.write_all(b"x").await.is_ok() {
                sleep(Duration::from_secs(1)).await;
            }
        });
        let (waited, answer) = closed(&mut answer).await;
        assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
        assert!(waited < Duration::from_secs(90), "{waited:?}");
    }

    #[tokio::test(flavor = "current_thread", start_paused = true)]
    async fn a_body_over_a_thin_line_gets_through() {
        let (connection, _graceful) = connected().await;
        let (mut answer, mut request) = tokio::io::split(connection);
        request
            .write_all(head("upload", 256 * 1024).as_bytes())
            .await
            .unwrap();
        tokio::spawn(async move {
            for _ in 0..256 {
                request.write_all(&[7; 1024]).await.unwrap();
                sleep(Duration::from_millis(900)).await;
            }
        });
        let mut begin = [0; 12];
        answer.read_exact(&mut begin).await.unwrap();
        assert_eq!(&begin, b"HTTP/1.1 200");
    }

    #[test]
    fn connections_leave_files_for_what_they_are_about() {
        assert_eq!(places(u64::MAX), 20_000);
        assert_eq!(places(20_000), 15_000);
        assert_eq!(places(1024), 768);
        assert_eq!(places(100), 36);
        assert_eq!(places(10), 1);
    }
}
