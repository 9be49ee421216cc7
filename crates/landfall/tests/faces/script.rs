//! A server that does the same to every connection, whatever it is asked.

use serde_json::Value;
use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// After so long a test that waits for something has failed.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// What it does once it has read a request.
#[derive(Clone, Copy, Debug)]
pub(super) enum Act {
    /// Nothing, and it keeps the connection.
    Silence,
    /// It closes the connection.
    Close,
    /// It answers these bytes; the connection stays.
    Answer(&'static str),
}

/// The running server; it ends with the process.
pub(super) struct Script {
    pub(super) url: String,
    connections: Arc<AtomicU32>,
    /// Of the last request, each name in lower case.
    headers: Arc<Mutex<HashMap<String, String>>>,
    closed: Receiver<()>,
}

impl Script {
    pub(super) fn start(act: Act) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let connections = Arc::new(AtomicU32::new(0));
        let headers = Arc::default();
        let (close, closed) = mpsc::channel();
        let (count, seen) = (Arc::clone(&connections), Arc::clone(&headers));
        thread::spawn(move || {
            for stream in listener.incoming() {
                count.fetch_add(1, Ordering::SeqCst);
                let (seen, close) = (Arc::clone(&seen), close.clone());
                thread::spawn(move || {
                    serve(stream.unwrap(), act, &seen);
                    let _ = close.send(());
                });
            }
        });
        Self {
            url,
            connections,
            headers,
            closed,
        }
    }

    /// Waits until a client has closed a connection.
    pub(super) fn closed(&self) {
        self.closed
            .recv_timeout(PATIENCE)
            .expect("the connection is closed");
    }

    fn header(&self, name: &str) -> String {
        self.headers.lock().unwrap()[name].clone()
    }

    /// The argument of the last request.
    pub(super) fn argument(&self) -> Value {
        serde_json::from_str(&self.header("dropbox-api-arg")).unwrap()
    }

    /// Who the last request came from.
    pub(super) fn authorization(&self) -> String {
        self.header("authorization")
    }

    /// How many connections were made.
    pub(super) fn connections(&self) -> u32 {
        self.connections.load(Ordering::SeqCst)
    }
}

fn serve(stream: TcpStream, act: Act, seen: &Mutex<HashMap<String, String>>) {
    let mut stream = BufReader::new(stream);
    while let Some(headers) = read_request(&mut stream) {
        *seen.lock().unwrap() = headers;
        match act {
            Act::Silence => {}
            Act::Close => return,
            Act::Answer(text) => stream.get_mut().write_all(text.as_bytes()).unwrap(),
        }
    }
}

/// The headers of a request that was read to its end, if there was one.
fn read_request(stream: &mut BufReader<TcpStream>) -> Option<HashMap<String, String>> {
    let mut headers = HashMap::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).unwrap_or(0) == 0 {
            return None;
        }
        if line.trim_end().is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':') {
            headers.insert(name.to_lowercase(), value.trim().to_owned());
        }
    }
    let length: u64 = headers["content-length"].parse().unwrap();
    let read = io::copy(&mut stream.take(length), &mut io::sink());
    read.is_ok_and(|read| read == length).then_some(headers)
}
