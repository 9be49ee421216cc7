//! A server with a fault: it stands in front of a good one and changes what is asked or answered.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use landfall_testkit::{Calls, TestServer};
use serde_json::Value;
use std::collections::HashSet;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// A request.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) method: Method,
    /// With the query.
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// An answer.
#[derive(Clone, Debug)]
pub(crate) struct Answered {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// What is wrong with a server.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fault {
    /// Changes what is asked.
    pub(crate) ask: fn(&mut Asked),
    /// Changes the answer, knowing whether the very same was asked before; with a request, that
    /// one is asked instead.
    pub(crate) answer: fn(&Asked, &mut Answered, bool) -> Option<Asked>,
}

/// Nothing is wrong.
pub(crate) const SOUND: Fault = Fault {
    ask: |_| {},
    answer: |_, _, _| None,
};

/// A front that runs until it is dropped.
pub(crate) struct Front {
    pub(crate) url: String,
    running: JoinHandle<()>,
}

impl Front {
    pub(crate) async fn before(server: &TestServer, fault: Fault) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0))
            .await
            .expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let state = Arc::new(State {
            calls: server.calls(),
            fault,
            seen: Mutex::default(),
        });
        let running = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // Heads and bodies are written one by one; nothing should wait between.
                stream.set_nodelay(true).expect("a connection");
                let state = Arc::clone(&state);
                let service = service_fn(move |request| {
                    let state = Arc::clone(&state);
                    async move { Ok::<_, Infallible>(state.relay(request).await) }
                });
                let connection = hyper::server::conn::http1::Builder::new();
                tokio::spawn(connection.serve_connection(TokioIo::new(stream), service));
            }
        });
        Self { url, running }
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.running.abort();
    }
}

struct State {
    calls: Calls,
    fault: Fault,
    /// Path, argument and body of each request.
    seen: Mutex<HashSet<(String, Option<HeaderValue>, Bytes)>>,
}

impl State {
    async fn relay(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let (parts, body) = request.into_parts();
        let mut asked = Asked {
            method: parts.method,
            path: parts.uri.to_string(),
            headers: parts.headers,
            body: body.collect().await.expect("a whole request").to_bytes(),
        };
        // What the front says itself.
        for name in ["host", "content-length", "transfer-encoding"] {
            asked.headers.remove(name);
        }
        let arg = asked.headers.get("dropbox-api-arg").cloned();
        let key = (asked.path.clone(), arg, asked.body.clone());
        let again = !self.seen.lock().expect("a lock").insert(key);
        (self.fault.ask)(&mut asked);
        let mut answered = self.ask(&asked).await;
        if let Some(other) = (self.fault.answer)(&asked, &mut answered, again) {
            answered = self.ask(&other).await;
        }
        let mut response = Response::new(Full::new(answered.body));
        *response.status_mut() = StatusCode::from_u16(answered.status).expect("a status");
        *response.headers_mut() = answered.headers;
        response
    }

    async fn ask(&self, asked: &Asked) -> Answered {
        let request = self.calls.anonymous(asked.method.clone(), &asked.path);
        let request = request
            .headers(asked.headers.clone())
            .body(asked.body.clone());
        let answer = self.calls.send(request).await;
        let mut headers = answer.headers;
        for name in ["content-length", "transfer-encoding", "date"] {
            headers.remove(name);
        }
        Answered {
            status: answer.status,
            headers,
            body: answer.body,
        }
    }
}

impl Asked {
    /// The argument in its header, if it is there and makes sense.
    pub(crate) fn arg(&self) -> Option<Value> {
        serde_json::from_slice(self.headers.get("dropbox-api-arg")?.as_bytes()).ok()
    }

    /// Changes it.
    pub(crate) fn change_arg(&mut self, change: impl FnOnce(&mut Value)) {
        if let Some(mut arg) = self.arg() {
            change(&mut arg);
            let text = in_ascii(&arg);
            self.headers
                .insert("dropbox-api-arg", text.parse().expect("ASCII"));
        }
    }
}

/// JSON in ASCII.
fn in_ascii(arg: &Value) -> String {
    let mut text = String::new();
    for unit in arg.to_string().encode_utf16() {
        match char::from_u32(unit.into()) {
            Some(letter @ ' '..='~') => text.push(letter),
            _ => text.push_str(&format!("\\u{unit:04x}")),
        }
    }
    text
}

impl Answered {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn is_json(&self) -> bool {
        self.headers
            .get("content-type")
            .is_some_and(|kind| kind == "application/json")
    }

    /// Puts this in its place.
    pub(crate) fn replace(&mut self, status: u16, kind: &str, text: &str) {
        self.status = status;
        self.headers
            .insert("content-type", kind.parse().expect("a type"));
        self.body = Bytes::from(text.to_owned());
    }
}
