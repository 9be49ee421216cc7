//! A server under siege: those who hold connections, trickle, send without end or take everything
//! back don't keep others from being served.

use futures_util::stream;
use landfall_testkit::{Answer, Body, Calls, Method, Serving, Tool, allow_open_files, pattern};
use std::future::pending;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;
use tokio::sync::mpsc;

const TOKEN: &str = "test-token";

fn tool() -> Tool {
    Tool::new(env!("CARGO_BIN_EXE_landfall"))
}

fn serving(tool: &Tool, args: &[&str]) -> Serving {
    let mut command = tool.command(["serve", "--ephemeral", "--listen", "127.0.0.1:0"]);
    command.args(args).env("LANDFALL_TOKEN", TOKEN);
    Serving::start(command)
}

fn connect(server: &Serving) -> TcpStream {
    let address = server.url.split("://").nth(1).expect("an address");
    TcpStream::connect(address).expect("the server accepts")
}

fn head(route: &str, arg: &str, rest: &str) -> String {
    format!(
        "POST /2/{route} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n\
         Content-Type: application/octet-stream\r\nDropbox-API-Arg: {arg}\r\n{rest}\r\n"
    )
}

/// What everybody else does meanwhile.
async fn others_are_served(calls: &Calls) {
    let data = pattern(3, 1024 * 1024);
    calls.put("/file", data.clone()).await;
    let download = calls.download(r#"{"path": "/file"}"#, &[]).await;
    assert_eq!(download.body, data);
    let session = calls.start("{}", "up").await;
    calls.append(&session, 2, "load").await.ok();
    calls
        .finish(&session, 6, r#"{"path": "/session"}"#, "")
        .await
        .ok();
    assert_eq!(calls.tree().await, ["/file", "/session"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_idle_connections_leave_others_served() {
    const IDLE: usize = 10_000;
    allow_open_files(IDLE as u64 + 500);
    let tool = tool();
    let server = serving(&tool, &[]);
    let held: Vec<TcpStream> = (0..IDLE)
        .map(|nth| {
            let mut held = connect(&server);
            // A third says nothing, a third half a head, a third half a body.
            let said = match nth % 3 {
                0 => String::new(),
                1 => "POST /2/files/upload HTTP/1.1\r\nHost: x\r\nX-Slow: ".to_owned(),
                _ => {
                    head(
                        "files/upload",
                        r#"{"path": "/x"}"#,
                        "Content-Length: 99\r\n",
                    ) + "half"
                }
            };
            held.write_all(said.as_bytes()).expect("it is taken");
            held
        })
        .collect();
    let calls = Calls::new(server.url.clone(), TOKEN);
    others_are_served(&calls).await;
    others_are_served(&calls.clone().over_http2()).await;
    assert_eq!(held.len(), IDLE);
    let peak = server.peak_memory() / (1024 * 1024);
    assert!(peak < 700, "{peak} MiB for {IDLE} connections");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_without_end_is_refused_at_the_limit_and_leaves_others_served() {
    let tool = tool();
    let server = serving(&tool, &[]);
    let calls = Calls::new(server.url.clone(), TOKEN);
    let endless = |path: &str| {
        let mut stream = connect(&server);
        let arg = format!("{{\"path\": \"{path}\"}}");
        let head = head("files/upload", &arg, "Transfer-Encoding: chunked\r\n");
        std::thread::spawn(move || {
            let mut chunk = b"100000;an=extension\r\n".to_vec();
            chunk.extend(pattern(1, 1024 * 1024));
            chunk.extend(b"\r\n");
            stream.write_all(head.as_bytes()).expect("it is taken");
            let mut sent = 0u64;
            while stream.write_all(&chunk).is_ok() {
                sent += 1024 * 1024;
            }
            let mut answer = Vec::new();
            // After its answer the server reads on for a while, and then no more.
            let _ = stream.read_to_end(&mut answer);
            (sent, String::from_utf8_lossy(&answer).into_owned())
        })
    };
    let besiegers = ["/one", "/two"].map(endless);
    others_are_served(&calls).await;
    for besieger in besiegers {
        let (sent, answer) = besieger.join().expect("it ends");
        assert!(sent >= 150 * 1024 * 1024, "cut off after {sent} bytes");
        // What is read off so that the answer arrives, and what the system holds.
        assert!(sent <= 400 * 1024 * 1024, "{sent} bytes were read");
        assert!(
            answer.is_empty() || answer.contains("payload_too_large"),
            "{answer}"
        );
    }
    others_are_served(&calls).await;
    let peak = server.peak_memory() / (1024 * 1024);
    // It stores in memory, and has both bodies until it knows that they are too long.
    assert!(peak < 450, "{peak} MiB");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_that_are_opened_and_reset_leave_others_served() {
    const RESETS: usize = 10_000;
    let tool = tool();
    let server = serving(&tool, &[]);
    let besieger = Calls::new(server.url.clone(), TOKEN).over_http2();
    let siege = tokio::spawn(async move {
        let mut reset = 0;
        for _ in 0..RESETS {
            let (begun, mut on_its_way) = mpsc::channel::<()>(1);
            let body = stream::once(async move {
                let _ = begun.send(()).await;
                pending::<std::io::Result<Vec<u8>>>().await
            });
            let request = besieger
                .request(Method::POST, "/2/files/upload")
                .header("content-type", "application/octet-stream")
                .header("dropbox-api-arg", r#"{"path": "/x"}"#)
                .body(Body::wrap_stream(body));
            tokio::select! {
                // The server may well close a connection on which so much is taken back.
                _ = request.send() => {}
                // Dropped with its body under way, it is reset.
                _ = on_its_way.recv() => reset += 1,
            }
        }
        reset
    });
    let calls = Calls::new(server.url.clone(), TOKEN);
    others_are_served(&calls).await;
    let reset = siege.await.expect("it ends");
    assert!(reset > RESETS / 2, "{reset} of {RESETS} were begun");
    others_are_served(&calls.over_http2()).await;
    let peak = server.peak_memory() / (1024 * 1024);
    assert!(peak < 300, "{peak} MiB");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_never_agree_on_tls_leave_others_served() {
    const SILENT: usize = 2_000;
    allow_open_files(SILENT as u64 + 500);
    let tool = tool();
    let server = serving(&tool, &["--tls-dev"]);
    let held: Vec<TcpStream> = (0..SILENT)
        .map(|nth| {
            let mut held = connect(&server);
            let said: &[u8] = match nth % 3 {
                0 => b"",
                1 => b"GET / HTTP/1.1\r\n\r\n",
                // The beginning of a greeting.
                _ => b"\x16\x03\x01\x02\x00\x01\x00",
            };
            held.write_all(said).expect("it is taken");
            held
        })
        .collect();
    let authority = std::fs::read(tool.local().join("tls/authority.pem")).expect("a file");
    let calls = Calls::trusting(server.url.clone(), TOKEN, &authority);
    others_are_served(&calls).await;
    assert_eq!(held.len(), SILENT);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_that_trickle_leave_others_served() {
    let tool = tool();
    let server = serving(&tool, &[]);
    let calls = Calls::new(server.url.clone(), TOKEN);
    // More than there may be requests on one HTTP/2 connection, and each holds a session.
    let mut trickles = Vec::new();
    for nth in 0..500 {
        let session = calls.start("{}", "").await;
        let cursor = format!(r#"{{"cursor": {{"session_id": "{session}", "offset": 0}}}}"#);
        let trickle = calls.slowly("files/upload_session/append_v2", &cursor);
        trickle.send(format!("{nth}")).await;
        trickles.push((session, trickle));
    }
    others_are_served(&calls).await;
    // They were slow, and nothing else.
    for (nth, (session, trickle)) in trickles.into_iter().enumerate() {
        trickle.send("!").await;
        let answer: Answer = trickle.end().await;
        answer.ok();
        let length = nth.to_string().len() + 1;
        calls.append(&session, length, "").await.ok();
    }
}

/// Each has begun to be stored on the disk, which takes a thread of the server from time to time,
/// and must not keep one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_bodies_that_trickle_leave_others_served() {
    const LARGE: usize = 700;
    allow_open_files(LARGE as u64 + 500);
    let tool = tool();
    tool.run(["admin", "--data", "srv", "account", "add", "panda"])
        .ok();
    let token = tool.run([
        "admin",
        "--data",
        "srv",
        "token",
        "create",
        "--account",
        "panda",
    ]);
    let server = tool.serve(["--data", "srv"]);
    let head = head(
        "files/upload",
        r#"{"path": "/x"}"#,
        "Content-Length: 9000000\r\n",
    );
    let head = head.replace(TOKEN, token.ok());
    let held: Vec<TcpStream> = (0..LARGE)
        .map(|_| {
            let mut held = connect(&server);
            held.write_all(head.as_bytes()).expect("it is taken");
            held.write_all(&pattern(1, 1024 * 1024))
                .expect("it is taken");
            held
        })
        .collect();
    let calls = Calls::new(server.url.clone(), token.ok());
    let trickling = async {
        loop {
            for mut held in &held {
                held.write_all(&[0; 100]).expect("it is taken");
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    };
    // Without a bound this would wait for as long as bodies may take, which is hours.
    let bound = tokio::time::sleep(Duration::from_secs(60));
    tokio::select! {
        () = others_are_served(&calls) => {}
        () = trickling => {}
        () = bound => panic!("nobody is served"),
    }
    assert_eq!(held.len(), LARGE);
}
