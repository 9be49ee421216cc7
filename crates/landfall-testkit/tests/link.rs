//! What a link carries arrives, whatever the conditions.

use landfall_testkit::link::{Carried, Conditions, Link};
use landfall_testkit::pattern;
use std::net::SocketAddr;
use std::num::NonZeroU64;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
use tokio::net::{TcpListener, TcpStream};

const LENGTH: usize = 3_000_000;

/// None, each alone, and all together.
fn conditions() -> [Conditions; 5] {
    let none = Conditions::default();
    let round_trip = Duration::from_millis(20);
    let per_connection = NonZeroU64::new(20_000_000);
    let total = NonZeroU64::new(30_000_000);
    [
        none,
        Conditions { round_trip, ..none },
        Conditions {
            per_connection,
            ..none
        },
        Conditions { total, ..none },
        Conditions {
            round_trip,
            per_connection,
            total,
        },
    ]
}

/// A link to what is at an address, and a connection through it.
async fn through(server: SocketAddr, conditions: Conditions) -> (Link, TcpStream) {
    let link = Link::start(([127, 0, 0, 1], 0).into(), server, conditions).await;
    let link = link.expect("a free port");
    let client = TcpStream::connect(link.address()).await.expect("a link");
    (link, client)
}

/// A server that does this with each connection.
async fn server<F>(serve: impl Fn(TcpStream) -> F + Send + 'static) -> SocketAddr
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            tokio::spawn(serve(connection));
        }
    });
    address
}

#[tokio::test]
async fn bytes_come_through_whole_and_in_order_in_both_directions_at_once() {
    for conditions in conditions() {
        let echo = server(async |mut connection: TcpStream| {
            let (mut read, mut write) = connection.split();
            copy(&mut read, &mut write).await.expect("an echo");
        });
        let (link, client) = through(echo.await, conditions).await;
        let sent = pattern(1, LENGTH);
        let (mut read, mut write) = client.into_split();
        let sending = tokio::spawn({
            let sent = sent.clone();
            async move { write.write_all(&sent).await.map(|()| write) }
        });
        let mut came = vec![0; LENGTH];
        read.read_exact(&mut came).await.expect("all of it");
        assert!(came == sent, "other bytes came, {conditions:?}");
        sending.await.expect("no panic").expect("all was taken");
        let carried = Carried {
            connections: 1,
            up: LENGTH as u64,
            down: LENGTH as u64,
        };
        assert_eq!(link.carried(), carried, "{conditions:?}");
    }
}

#[tokio::test]
async fn a_direction_that_ends_leaves_the_other_open() {
    for conditions in conditions() {
        let answers_at_the_end = server(async |mut connection: TcpStream| {
            let mut asked = Vec::new();
            let end = connection.read_to_end(&mut asked).await;
            end.expect("an end and no break");
            connection.write_all(&asked).await.expect("an answer");
        });
        let (_link, mut client) = through(answers_at_the_end.await, conditions).await;
        client.write_all(b"that was all").await.expect("a question");
        client.shutdown().await.expect("an end");
        let mut answer = String::new();
        let end = client.read_to_string(&mut answer).await;
        end.expect("an end and no break");
        assert_eq!(answer, "that was all", "{conditions:?}");
    }
}

#[tokio::test]
async fn connections_share_a_link_and_are_counted() {
    let echo = server(async |mut connection: TcpStream| {
        let (mut read, mut write) = connection.split();
        copy(&mut read, &mut write).await.expect("an echo");
    });
    let [.., conditions] = conditions();
    let (link, first) = through(echo.await, conditions).await;
    let mut clients = vec![first];
    for _ in 1..5 {
        let client = TcpStream::connect(link.address()).await.expect("a link");
        clients.push(client);
    }
    let mut running = Vec::new();
    for (nth, mut client) in clients.into_iter().enumerate() {
        running.push(tokio::spawn(async move {
            let sent = pattern(nth as u64, LENGTH / 10);
            client.write_all(&sent).await.expect("all was taken");
            client.shutdown().await.expect("an end");
            let mut came = Vec::new();
            client.read_to_end(&mut came).await.expect("an echo");
            assert!(came == sent, "other bytes came");
        }));
    }
    for client in running {
        client.await.expect("what it sent came back");
    }
    let each = LENGTH as u64 / 2;
    let carried = link.carried();
    assert_eq!(
        (carried.connections, carried.up, carried.down),
        (5, each, each)
    );
}

#[tokio::test]
async fn what_breaks_at_one_end_breaks_at_the_other() {
    for conditions in conditions() {
        // Closing with bytes unread is a break.
        let breaks = server(async |mut connection: TcpStream| {
            connection.read_u8().await.expect("a byte");
        });
        let (_link, mut client) = through(breaks.await, conditions).await;
        let sent = vec![7; LENGTH * 10];
        let all_taken = client.write_all(&sent).await.is_ok();
        assert!(!all_taken, "30 MB went nowhere, {conditions:?}");
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_ends_the_connection() {
    let gone = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let nowhere = gone.local_addr().expect("an address");
    drop(gone);
    let (link, mut client) = through(nowhere, Conditions::default()).await;
    let came = client.read(&mut [0]).await;
    assert!(matches!(came, Ok(0) | Err(_)), "{came:?}");
    assert_eq!(link.carried().connections, 1);
}
