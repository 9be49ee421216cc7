//! Where a case works: a folder of its own, and the calls that most cases make.

use crate::answer::Answer;
use crate::call::Call;
use crate::finding::Stop;
use crate::service::{Host, Numbering, Service};
use reqwest::Method;
use serde_json::{Value, json};

/// A folder for one case, below the suite's. It isn't there until the case puts something in it.
#[derive(Debug)]
pub(crate) struct Place<'a> {
    pub(crate) service: &'a Service,
    pub(crate) folder: String,
    pub(crate) numbering: Numbering,
}

type Answered = Result<Answer, Stop>;

/// The type of bodies that are files.
pub(crate) const BYTES: &str = "application/octet-stream";

impl Place<'_> {
    /// A path in the case's folder.
    pub(crate) fn path(&self, name: &str) -> String {
        format!("{}/{name}", self.folder)
    }

    /// The name that autorename gives the `nth` conflict (the first is 0).
    pub(crate) fn numbered(&self, stem: &str, nth: u32, extension: &str) -> String {
        let first = match self.numbering {
            Numbering::Documented => 2,
            Numbering::Observed => 1,
        };
        format!("{stem} ({}){extension}", first + nth)
    }

    /// A call of a route for metadata, without headers.
    pub(crate) fn api(&self, route: &str) -> Call<'_> {
        let path = format!("/2/{route}");
        self.service.call(Host::Api, Method::POST, &path)
    }

    /// A call of a route for content, without headers.
    pub(crate) fn content(&self, route: &str) -> Call<'_> {
        let path = format!("/2/{route}");
        self.service.call(Host::Content, Method::POST, &path)
    }

    /// Calls a route whose argument is its body.
    pub(crate) async fn rpc(&self, route: &str, arg: Value) -> Answered {
        self.rpc_text(route, arg.to_string()).await
    }

    /// The same with any text.
    pub(crate) async fn rpc_text(&self, route: &str, arg: impl Into<String>) -> Answered {
        let call = self.api(route).header("content-type", "application/json");
        call.text(arg).send().await
    }

    /// Calls a route whose body is bytes.
    pub(crate) async fn bytes(
        &self,
        route: &str,
        arg: Value,
        body: impl Into<Vec<u8>>,
    ) -> Answered {
        let call = self.content(route).header("content-type", BYTES).arg(&arg);
        call.bytes(body).send().await
    }

    /// Uploads in one call, as this commit says.
    pub(crate) async fn upload(&self, commit: Value, body: impl Into<Vec<u8>>) -> Answered {
        self.bytes("files/upload", commit, body).await
    }

    /// Puts a file into the case's folder, where no other may be.
    pub(crate) async fn put(&self, name: &str, body: impl Into<Vec<u8>>) -> Answered {
        let put = self.upload(json!({"path": self.path(name)}), body).await?;
        put.ok()?;
        Ok(put)
    }

    /// Makes a folder in the case's folder; its metadata is the answer's `metadata`.
    pub(crate) async fn make_folder(&self, name: &str) -> Answered {
        let made = self.create_folder(&self.path(name)).await?;
        made.ok()?;
        Ok(made)
    }

    /// Asks for a folder.
    pub(crate) async fn create_folder(&self, path: &str) -> Answered {
        self.rpc("files/create_folder_v2", json!({ "path": path }))
            .await
    }

    /// Deletes.
    pub(crate) async fn delete(&self, path: &str) -> Answered {
        self.rpc("files/delete_v2", json!({ "path": path })).await
    }

    /// What is at a path.
    pub(crate) async fn metadata(&self, path: &str) -> Answered {
        self.rpc("files/get_metadata", json!({ "path": path }))
            .await
    }

    /// Downloads with further headers.
    pub(crate) async fn download(&self, path: &str, headers: &[(&'static str, &str)]) -> Answered {
        let mut call = self.content("files/download").arg(&json!({ "path": path }));
        for (name, value) in headers {
            call = call.header(name, value);
        }
        call.send().await
    }

    /// Claims that these bytes are at a path.
    pub(crate) async fn holds(&self, path: &str, bytes: &[u8]) -> Result<(), Stop> {
        let read = self.download(path, &[]).await?;
        read.ok()?.is_bytes(bytes)?;
        Ok(())
    }

    /// Claims that nothing is at a path.
    pub(crate) async fn is_free(&self, path: &str) -> Result<(), Stop> {
        self.metadata(path).await?.refused("path/not_found")?;
        Ok(())
    }

    /// Begins a session and returns its id.
    pub(crate) async fn start(&self, arg: Value, body: impl Into<Vec<u8>>) -> Result<String, Stop> {
        let started = self.bytes("files/upload_session/start", arg, body).await?;
        started.ok()?.text_at("/session_id")
    }

    /// Begins sessions at once.
    pub(crate) async fn start_batch(&self, kind: &str, count: usize) -> Result<Vec<String>, Stop> {
        let arg = json!({"session_type": kind, "num_sessions": count});
        let started = self.rpc("files/upload_session/start_batch", arg).await?;
        let ids = started.ok()?.list_at("/session_ids")?;
        let texts: Vec<String> = ids
            .iter()
            .filter_map(|id| id.as_str().map(str::to_owned))
            .collect();
        let expected = format!("{count} session ids");
        started.claim(texts.len() == count, expected, json!(ids))?;
        Ok(texts)
    }

    /// Appends a piece.
    pub(crate) async fn append(
        &self,
        session: &str,
        offset: usize,
        body: impl Into<Vec<u8>>,
    ) -> Answered {
        let arg = json!({ "cursor": cursor(session, offset) });
        self.bytes("files/upload_session/append_v2", arg, body)
            .await
    }

    /// Appends the last piece.
    pub(crate) async fn append_last(
        &self,
        session: &str,
        offset: usize,
        body: impl Into<Vec<u8>>,
    ) -> Answered {
        let arg = json!({"cursor": cursor(session, offset), "close": true});
        self.bytes("files/upload_session/append_v2", arg, body)
            .await
    }

    /// Finishes a session as this commit says.
    pub(crate) async fn finish(
        &self,
        session: &str,
        offset: usize,
        commit: &Value,
        body: impl Into<Vec<u8>>,
    ) -> Answered {
        let arg = json!({"cursor": cursor(session, offset), "commit": commit});
        self.bytes("files/upload_session/finish", arg, body).await
    }

    /// Asks for changes after a cursor, as nobody.
    pub(crate) async fn longpoll(&self, arg: Value) -> Answered {
        let path = "/2/files/list_folder/longpoll";
        let call = self.service.call(Host::Notify, Method::POST, path);
        let call = call.anonymous().header("content-type", "application/json");
        call.text(arg.to_string()).send().await
    }

    /// Claims that a session of the sequential kind holds this many bytes.
    pub(crate) async fn session_holds(&self, session: &str, size: usize) -> Result<(), Stop> {
        let answer = self.append(session, size + 1_000_000, "").await?;
        answer.refused("incorrect_offset")?;
        answer.has("/error/correct_offset", size)?;
        Ok(())
    }
}

/// A place in a session.
pub(crate) fn cursor(session: &str, offset: usize) -> Value {
    json!({"session_id": session, "offset": offset})
}
