//! Raw calls.

use crate::Events;
use bytes::Bytes;
use landfall_protocol::json::to_header;
use reqwest::header::{HeaderMap, HeaderValue};
use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Calls to a server with one token. Arguments are JSON text, so that a test can also send what
/// no client would.
#[derive(Clone, Debug)]
pub struct Calls {
    client: Client,
    url: String,
    token: String,
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Calls {
    /// Calls to the server at this URL with this token.
    pub fn new(url: String, token: &str) -> Self {
        // The HTTP library wants a TLS provider even for plain HTTP; who installed one first
        // doesn't matter.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = Client::builder().no_proxy();
        if url.starts_with("http:") {
            // To read the system's certificates takes longer than most calls.
            builder = builder.tls_certs_only([]);
        }
        let client = builder.build().expect("an HTTP client");
        Self {
            client,
            url,
            token: token.to_owned(),
        }
    }

    /// Calls over TLS to a server that this authority (PEM) vouches for.
    pub fn trusting(url: String, token: &str, authority: &[u8]) -> Self {
        let mut calls = Self::new(url, token);
        let authority = reqwest::Certificate::from_pem(authority).expect("a certificate");
        let builder = Client::builder().no_proxy().tls_certs_only([authority]);
        calls.client = builder.build().expect("an HTTP client");
        calls
    }

    /// The same calls over HTTP/2, without TLS.
    #[must_use]
    pub fn over_http2(mut self) -> Self {
        let builder = Client::builder().no_proxy().http2_prior_knowledge();
        self.client = builder.build().expect("an HTTP/2 client");
        self
    }

    /// A request to a URL path of the server, with the token.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.anonymous(method, path).bearer_auth(&self.token)
    }

    /// A request without a token.
    pub fn anonymous(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.url))
    }

    /// Sends a request.
    pub async fn send(&self, request: RequestBuilder) -> Answer {
        let response = request.send().await.expect("an answer");
        Answer {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            body: response.bytes().await.expect("a whole answer"),
        }
    }

    /// Calls an rpc route (`files/get_metadata`) with this argument.
    pub async fn rpc(&self, route: &str, arg: &str) -> Answer {
        let request = self
            .request(Method::POST, &format!("/2/{route}"))
            .header("content-type", "application/json")
            .body(arg.to_owned());
        self.send(request).await
    }

    /// Calls an upload route with this argument and body.
    pub async fn upload(&self, route: &str, arg: &str, body: impl Into<reqwest::Body>) -> Answer {
        let request = self
            .request(Method::POST, &format!("/2/{route}"))
            .header("dropbox-api-arg", header(arg))
            .header("content-type", "application/octet-stream")
            .body(body);
        self.send(request).await
    }

    /// Calls `files/download` with this argument and further headers.
    pub async fn download(&self, arg: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = self
            .request(Method::POST, "/2/files/download")
            .header("dropbox-api-arg", header(arg));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request).await
    }

    /// Calls an upload route and declares a body of this length, of which no byte ever comes: for
    /// what is refused before the body.
    pub async fn announce(&self, route: &str, arg: &str, length: u64) -> Answer {
        let never = futures_util::stream::pending::<Result<Bytes, std::io::Error>>();
        let request = self
            .request(Method::POST, &format!("/2/{route}"))
            .header("dropbox-api-arg", header(arg))
            .header("content-type", "application/octet-stream")
            .header("content-length", length)
            .body(reqwest::Body::wrap_stream(never));
        self.send(request).await
    }

    /// Follows the notifications after the event of this id; `None`: from now on.
    pub async fn notifications(&self, last_event_id: Option<&str>) -> Events {
        let mut request = self.request(Method::GET, "/landfall/notifications");
        if let Some(id) = last_event_id {
            request = request.header("last-event-id", id);
        }
        let response = request.send().await.expect("an answer");
        Events::of(response).await
    }

    /// Begins a session with this body and returns its id.
    pub async fn start(&self, arg: &str, body: impl Into<reqwest::Body>) -> String {
        let answer = self.upload("files/upload_session/start", arg, body).await;
        answer.ok()["session_id"]
            .as_str()
            .expect("a session id")
            .to_owned()
    }

    /// Appends a body to a session.
    pub async fn append(
        &self,
        session: &str,
        offset: usize,
        body: impl Into<reqwest::Body>,
    ) -> Answer {
        let arg = format!(r#"{{"cursor": {{"session_id": "{session}", "offset": {offset}}}}}"#);
        self.upload("files/upload_session/append_v2", &arg, body)
            .await
    }

    /// Finishes a session; `commit` is the commit's JSON.
    pub async fn finish(
        &self,
        session: &str,
        offset: usize,
        commit: &str,
        body: impl Into<reqwest::Body>,
    ) -> Answer {
        let arg = format!(
            r#"{{"cursor": {{"session_id": "{session}", "offset": {offset}}}, "commit": {commit}}}"#
        );
        self.upload("files/upload_session/finish", &arg, body).await
    }

    /// Begins sessions at once, whose bytes come in this way (`sequential`, `concurrent`).
    pub async fn start_batch(&self, count: usize, session_type: &str) -> Vec<String> {
        let arg = json!({"session_type": session_type, "num_sessions": count});
        let route = "files/upload_session/start_batch";
        let started = self.rpc(route, &arg.to_string()).await.ok();
        let ids = started["session_ids"].as_array().expect("ids").iter();
        ids.map(|id| id.as_str().expect("an id").to_owned())
            .collect()
    }

    /// Appends a piece to a session, and closes it with the last one.
    pub async fn piece(
        &self,
        session: &str,
        offset: usize,
        body: impl Into<reqwest::Body>,
        close: bool,
    ) -> Answer {
        let cursor = json!({"session_id": session, "offset": offset});
        let arg = json!({"cursor": cursor, "close": close}).to_string();
        self.upload("files/upload_session/append_v2", &arg, body)
            .await
    }

    /// Appends parts to sessions in one request: session, offset, bytes, whether it closes.
    pub async fn append_batch(&self, parts: &[(&str, usize, &[u8], bool)]) -> Answer {
        let entry = |(session, offset, bytes, close): &(&str, usize, &[u8], bool)| {
            let cursor = json!({"session_id": session, "offset": offset});
            json!({"cursor": cursor, "length": bytes.len(), "close": close})
        };
        let entries: Vec<Value> = parts.iter().map(entry).collect();
        let body: Vec<&[u8]> = parts.iter().map(|(_, _, bytes, _)| *bytes).collect();
        let arg = json!({ "entries": entries }).to_string();
        self.upload("files/upload_session/append_batch", &arg, body.concat())
            .await
    }

    /// Finishes sessions in one request: session, offset, commit.
    pub async fn finish_batch(&self, entries: &[(&str, usize, Value)]) -> Answer {
        let arg = finish_entries(entries).to_string();
        self.rpc("files/upload_session/finish_batch_v2", &arg).await
    }

    /// The same in the background: the id of the job.
    pub async fn finish_job(&self, entries: &[(&str, usize, Value)]) -> String {
        let arg = finish_entries(entries).to_string();
        let route = "files/upload_session/finish_batch";
        let launched = self.rpc(route, &arg).await.ok();
        assert_eq!(launched[".tag"], "async_job_id", "{launched}");
        let id = launched["async_job_id"].as_str();
        id.expect("an id").to_owned()
    }

    /// How far a job is.
    pub async fn check_job(&self, job: &str) -> Answer {
        let arg = json!({ "async_job_id": job }).to_string();
        let route = "files/upload_session/finish_batch/check";
        self.rpc(route, &arg).await
    }

    /// The entries of a job, once it is done.
    pub async fn outcome(&self, job: &str) -> Value {
        loop {
            let status = self.check_job(job).await.ok();
            match status[".tag"].as_str() {
                Some("complete") => return status["entries"].clone(),
                Some("in_progress") => tokio::time::sleep(Duration::from_millis(2)).await,
                _ => panic!("{status}"),
            }
        }
    }

    /// Calls an upload route with a body that comes as the test sends it.
    pub fn slowly(&self, route: &str, arg: &str) -> SlowBody {
        let (sender, bytes) = mpsc::channel::<Bytes>(1);
        let stream = futures_util::stream::unfold(bytes, |mut bytes| async {
            let next = bytes.recv().await?;
            Some((Ok::<_, std::io::Error>(next), bytes))
        });
        let (calls, route, arg) = (self.clone(), route.to_owned(), arg.to_owned());
        let body = reqwest::Body::wrap_stream(stream);
        let answer = tokio::spawn(async move { calls.upload(&route, &arg, body).await });
        SlowBody { sender, answer }
    }

    /// Saves these bytes at a path through a session, as this commit says.
    pub async fn commit(&self, commit: &Value, body: impl Into<reqwest::Body>) -> Answer {
        let session = self.start("{}", "").await;
        self.finish(&session, 0, &commit.to_string(), body).await
    }

    /// Puts these bytes at a path, whatever file is there, and returns the metadata.
    pub async fn put(&self, path: &str, body: impl Into<reqwest::Body>) -> Value {
        let arg = json!({"path": path, "mode": "overwrite"}).to_string();
        self.upload("files/upload", &arg, body).await.ok()
    }

    /// Makes a folder.
    pub async fn create_folder(&self, path: &str) -> Answer {
        let arg = json!({ "path": path }).to_string();
        self.rpc("files/create_folder_v2", &arg).await
    }

    /// Deletes what is at a path.
    pub async fn delete(&self, path: &str) -> Answer {
        let arg = json!({ "path": path }).to_string();
        self.rpc("files/delete_v2", &arg).await
    }

    /// Moves what is at a path to another one.
    pub async fn move_to(&self, from: &str, to: &str) -> Answer {
        let arg = json!({"from_path": from, "to_path": to}).to_string();
        self.rpc("files/move_v2", &arg).await
    }

    /// Copies what is at a path to another one.
    pub async fn copy_to(&self, from: &str, to: &str) -> Answer {
        let arg = json!({"from_path": from, "to_path": to}).to_string();
        self.rpc("files/copy_v2", &arg).await
    }

    /// The first page of a listing.
    pub async fn list(&self, arg: &Value) -> Answer {
        self.rpc("files/list_folder", &arg.to_string()).await
    }

    /// The page after a cursor.
    pub async fn list_on(&self, cursor: &str) -> Answer {
        let arg = json!({ "cursor": cursor }).to_string();
        self.rpc("files/list_folder/continue", &arg).await
    }

    /// The paths of everything in the tree, as shown.
    pub async fn tree(&self) -> Vec<String> {
        let arg = json!({"path": "", "recursive": true, "limit": 2000});
        let listed = self.list(&arg).await.ok();
        assert_eq!(listed["has_more"], false, "a tree of one page");
        let entries = listed["entries"].as_array().expect("entries").iter();
        entries
            .map(|entry| entry["path_display"].as_str().expect("a path").to_owned())
            .collect()
    }

    /// The metadata at a path.
    pub async fn metadata(&self, path: &str) -> Answer {
        let arg = json!({ "path": path });
        self.rpc("files/get_metadata", &arg.to_string()).await
    }

    /// The bytes at a path.
    pub async fn read(&self, path: &str) -> Bytes {
        let answer = self
            .download(&json!({ "path": path }).to_string(), &[])
            .await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.body
    }
}

/// A request whose body comes bit by bit, of a length that isn't declared.
#[derive(Debug)]
pub struct SlowBody {
    sender: mpsc::Sender<Bytes>,
    answer: JoinHandle<Answer>,
}

impl SlowBody {
    /// Sends some more; nothing if the server doesn't want more.
    pub async fn send(&self, bytes: impl Into<Bytes>) {
        let _ = self.sender.send(bytes.into()).await;
    }

    /// Ends the body; the answer.
    pub async fn end(self) -> Answer {
        drop(self.sender);
        self.answer.await.expect("an answer")
    }
}

fn finish_entries(entries: &[(&str, usize, Value)]) -> Value {
    let entry = |(session, offset, commit): &(&str, usize, Value)| {
        let cursor = json!({"session_id": session, "offset": offset});
        json!({"cursor": cursor, "commit": commit})
    };
    let entries: Vec<Value> = entries.iter().map(entry).collect();
    json!({ "entries": entries })
}

/// An argument as header text; what is no JSON goes as it is.
fn header(arg: &str) -> HeaderValue {
    let text = match serde_json::from_str::<Value>(arg) {
        Ok(value) => to_header(&value),
        Err(_) => arg.to_owned(),
    };
    HeaderValue::from_bytes(text.as_bytes()).expect("text that a header can hold")
}

impl Answer {
    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error} in {}", self.text()))
    }

    /// The body as JSON; what isn't JSON as a string.
    pub fn value(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| Value::String(self.text()))
    }

    /// The JSON of a success.
    pub fn ok(&self) -> Value {
        assert_eq!(self.status, 200, "{}", self.text());
        self.json()
    }

    /// The chain of tags of an API error, `path/conflict/file`, whose status is 409.
    pub fn error(&self) -> String {
        assert_eq!(self.status, 409, "{}", self.text());
        let json = self.json();
        let summary = json["error_summary"].as_str().expect("a summary");
        summary
            .trim_end_matches('.')
            .trim_end_matches('/')
            .to_owned()
    }

    /// A header's text; empty if it isn't there.
    pub fn header(&self, name: &str) -> String {
        let value = self
            .headers
            .get(name)
            .map(|value| value.to_str().unwrap_or_default());
        value.unwrap_or_default().to_owned()
    }
}
