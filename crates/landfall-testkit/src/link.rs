//! A way between two programs of this machine that is as slow as a network.
//!
//! A [`Link`] takes connections and carries their bytes to a server and back: late, no faster
//! than it is told, whole and in order, and each direction ends by itself. It doesn't look at
//! what it carries. What is slow in it is the clock and not the processor: without limits it
//! costs little more than two copies of the bytes.

mod pace;

use bytes::{Bytes, BytesMut};
use pace::Pace;
use std::io;
use std::net::SocketAddr;
use std::num::NonZeroU64;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep, sleep_until};

/// The most bytes that go on their way together.
const MOST: usize = 256 * 1024;
/// The least; a slower link than 1.6 MB/s is less even.
const LEAST: usize = 4 * 1024;
/// Pieces per second at full speed: bytes of one connection wait no longer than this for a piece
/// of another one.
const PIECES_PER_SECOND: u64 = 400;
/// Bytes per second that are reckoned with where no rate is given.
const FULL_SPEED: u64 = 1_000_000_000;
/// What is added to rate times round trip, for a clock that wakes late.
const SPARE: usize = 1024 * 1024;

/// What the bytes of a [`Link`] meet. The default is nothing: as fast as the machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Conditions {
    /// From one end to the other and back; each byte takes half of it. A connection takes one to
    /// come about, and its first bytes wait for that.
    pub round_trip: Duration,
    /// Bytes per second of one connection, in each direction.
    pub per_connection: Option<NonZeroU64>,
    /// Bytes per second of all connections together, in each direction. Those that have something
    /// to send take turns.
    pub total: Option<NonZeroU64>,
}

impl Conditions {
    /// The slower of the two rates.
    fn rate(self) -> Option<u64> {
        let rates = [self.per_connection, self.total];
        rates.into_iter().flatten().map(NonZeroU64::get).min()
    }

    /// Bytes that go on their way together.
    fn piece(self) -> usize {
        let by_rate = |rate| usize::try_from(rate / PIECES_PER_SECOND).unwrap_or(MOST);
        self.rate().map_or(MOST, by_rate).clamp(LEAST, MOST)
    }

    /// Bytes of one direction of a connection that may be under way: enough for the delay not to
    /// slow them.
    fn window(self) -> usize {
        let rate = self.rate().unwrap_or(FULL_SPEED);
        let under_way = self.round_trip.as_secs_f64() * rate as f64;
        under_way as usize + SPARE
    }
}

/// What a [`Link`] has carried so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Carried {
    /// Connections that clients made.
    pub connections: u64,
    /// Bytes towards the server.
    pub up: u64,
    /// Bytes towards the clients.
    pub down: u64,
}

/// A link in front of a server. When it is dropped, its connections end.
#[derive(Debug)]
pub struct Link {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    server: SocketAddr,
    conditions: Conditions,
    connections: AtomicU64,
    up: Lane,
    down: Lane,
}

/// What all connections share in one direction.
#[derive(Debug)]
struct Lane {
    total: Option<Pace>,
    carried: AtomicU64,
}

/// Bytes, and when they get to the other end; no bytes are the end of the direction.
type Piece = (Instant, Bytes);

impl Link {
    /// Listens at an address and carries what comes to the server.
    ///
    /// # Errors
    /// The address can't be listened at.
    pub async fn start(
        listen: SocketAddr,
        server: SocketAddr,
        conditions: Conditions,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind(listen).await?;
        let address = listener.local_addr()?;
        let lane = || Lane {
            total: conditions.total.map(Pace::new),
            carried: AtomicU64::new(0),
        };
        let shared = Arc::new(Shared {
            server,
            conditions,
            connections: AtomicU64::new(0),
            up: lane(),
            down: lane(),
        });
        let accepting = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Ok(Self {
            address,
            shared,
            accepting,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it has carried so far. A byte counts when its turn has come, before the delay.
    pub fn carried(&self) -> Carried {
        Carried {
            connections: self.shared.connections.load(Ordering::Relaxed),
            up: self.shared.up.carried.load(Ordering::Relaxed),
            down: self.shared.down.carried.load(Ordering::Relaxed),
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Takes connections for as long as the link lives; they are dropped with it.
async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((client, _)) = accepted {
                    shared.connections.fetch_add(1, Ordering::Relaxed);
                    let shared = Arc::clone(&shared);
                    // A connection that breaks at one end breaks at the other: both are dropped.
                    connections.spawn(async move { connect(client, &shared).await.ok() });
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connect(client: TcpStream, shared: &Shared) -> io::Result<()> {
    sleep(shared.conditions.round_trip).await;
    let server = TcpStream::connect(shared.server).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    tokio::try_join!(
        carry(from_client, to_server, shared.conditions, &shared.up),
        carry(from_server, to_client, shared.conditions, &shared.down),
    )?;
    Ok(())
}

/// One direction of a connection, to its end.
async fn carry(
    from: OwnedReadHalf,
    to: OwnedWriteHalf,
    conditions: Conditions,
    lane: &Lane,
) -> io::Result<()> {
    let window = Semaphore::new(conditions.window());
    let (sender, receiver) = unbounded_channel();
    tokio::try_join!(
        send_off(from, sender, conditions, lane, &window),
        deliver(receiver, to, &window),
    )?;
    Ok(())
}

/// Lets bytes in as the rates allow.
async fn send_off(
    mut from: OwnedReadHalf,
    sender: UnboundedSender<Piece>,
    conditions: Conditions,
    lane: &Lane,
    window: &Semaphore,
) -> io::Result<()> {
    let own = conditions.per_connection.map(Pace::new);
    let most = conditions.piece();
    let mut buffer = BytesMut::new();
    loop {
        buffer.reserve(most);
        let length = (&mut from).take(most as u64).read_buf(&mut buffer).await?;
        for pace in [&own, &lane.total].into_iter().flatten() {
            pace.pass(length).await;
        }
        // A piece is no larger than MOST.
        if let Ok(permits) = window.acquire_many(length as u32).await {
            permits.forget();
        }
        lane.carried.fetch_add(length as u64, Ordering::Relaxed);
        let due = Instant::now() + conditions.round_trip / 2;
        // Nobody receives when the other end has broken, which ends this too.
        if sender.send((due, buffer.split().freeze())).is_err() || length == 0 {
            return Ok(());
        }
    }
}

/// Hands bytes on when they are due.
async fn deliver(
    mut receiver: UnboundedReceiver<Piece>,
    mut to: OwnedWriteHalf,
    window: &Semaphore,
) -> io::Result<()> {
    while let Some((due, bytes)) = receiver.recv().await {
        if due > Instant::now() {
            sleep_until(due).await;
        }
        if bytes.is_empty() {
            return to.shutdown().await;
        }
        to.write_all(&bytes).await?;
        window.add_permits(bytes.len());
    }
    Ok(())
}
