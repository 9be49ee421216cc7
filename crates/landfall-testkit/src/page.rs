//! The commands' page as tests, for whatever can carry the commands out: a face of the library,
//! or the tool.

use crate::calls::Calls;
use crate::faults::{Fault, Plan, Proxy};
use crate::server::TestServer;
use bytes::Bytes;
use serde_json::{Value, json};
use std::future::Future;

const START: &str = "files/upload_session/start";
const APPEND: &str = "files/upload_session/append_v2";
const FINISH: &str = "files/upload_session/finish";
const APPEND_BATCH: &str = "files/upload_session/append_batch";
const FINISH_BATCH: &str = "files/upload_session/finish_batch_v2";

/// How a command ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// The HTTP status; 0 if no answer came.
    pub status: u16,
    /// What came back.
    pub data: Bytes,
}

/// Where and how a finish saves.
#[derive(Clone, Debug)]
pub struct Commit {
    /// Where.
    pub path: &'static str,
    /// `add`, `overwrite` or `update:REV`.
    pub mode: String,
    /// On a conflict, try another name.
    pub autorename: bool,
    /// Raise no notification.
    pub mute: bool,
}

/// Something that carries the commands out, at one server and with one token.
pub trait Face {
    /// Begins a session.
    fn start(&self, data: &[u8]) -> impl Future<Output = Ended>;
    /// Adds bytes to a session.
    fn append(&self, session: &str, offset: u64, data: &[u8]) -> impl Future<Output = Ended>;
    /// Finishes a session.
    fn finish(
        &self,
        session: &str,
        offset: u64,
        commit: &Commit,
        data: &[u8],
    ) -> impl Future<Output = Ended>;
}

/// A part of a batch's body.
#[derive(Clone, Debug)]
pub struct Part {
    /// Where it goes.
    pub session: String,
    /// Bytes in the session before it.
    pub offset: u64,
    /// What it is.
    pub data: &'static str,
}

/// A session to finish in a batch.
#[derive(Clone, Debug)]
pub struct Finish {
    /// Which one.
    pub session: String,
    /// Bytes in it.
    pub offset: u64,
    /// Where it is added, or under another name if need be.
    pub path: &'static str,
}

/// Something that carries the commands for many sessions out.
pub trait BatchFace {
    /// Begins sessions.
    fn start_batch(&self, count: u64) -> impl Future<Output = Vec<String>>;
    /// Adds a part to each of several sessions, and closes them if `close`.
    fn append_batch(&self, parts: &[Part], close: bool) -> impl Future<Output = Ended>;
    /// Finishes several sessions.
    fn finish_batch(&self, finishes: &[Finish]) -> impl Future<Output = Ended>;
}

impl Commit {
    /// At this path in this mode, and nothing else.
    pub fn at(path: &'static str, mode: impl Into<String>) -> Self {
        Self {
            path,
            mode: mode.into(),
            autorename: false,
            mute: false,
        }
    }

    /// The same, under another name if need be.
    #[must_use]
    pub fn renaming(mut self) -> Self {
        self.autorename = true;
        self
    }
}

impl Ended {
    /// The JSON of the data.
    pub fn json(&self) -> Value {
        let text = || String::from_utf8_lossy(&self.data);
        serde_json::from_slice(&self.data).unwrap_or_else(|error| panic!("{error}: {}", text()))
    }

    /// The JSON of a success.
    #[track_caller]
    pub fn ok(&self) -> Value {
        assert_eq!(self.status, 200, "{self:?}");
        self.json()
    }

    /// The session that was begun.
    #[track_caller]
    pub fn session(&self) -> String {
        let json = self.ok();
        json["session_id"].as_str().expect("a session").to_owned()
    }

    /// The error in a refusal with status 409, whose tags are these.
    #[track_caller]
    pub fn refused(&self, tags: &str) -> Value {
        assert_eq!(self.status, 409, "{self:?}");
        let json = self.json();
        let summary = json["error_summary"].as_str().expect("a summary");
        assert!(summary.starts_with(&format!("{tags}/")), "{summary}");
        json["error"].clone()
    }

    /// No answer came.
    #[track_caller]
    pub fn lost(&self) {
        assert_eq!(self.status, 0, "{self:?}");
    }
}

/// Saves these bytes through a session of three pieces, the last of which comes with the finish.
async fn save(face: &impl Face, commit: &Commit, data: &[u8]) -> Ended {
    let (first, rest) = data.split_at(data.len() / 3);
    let (second, last) = rest.split_at(rest.len() / 2);
    assert!(!last.is_empty());
    let session = face.start(first).await.session();
    let at = first.len() as u64;
    assert_eq!(face.append(&session, at, second).await.ok(), Value::Null);
    let at = at + second.len() as u64;
    face.finish(&session, at, commit, last).await
}

/// `document.txt` is there, and more comes: each mode, with autorename and without.
pub async fn example<F: Face>(server: &TestServer, at: impl Fn(&str, &str) -> F) {
    let (panda, nobody) = ("panda", "nobody");
    server
        .admin()
        .add_account(nobody, None)
        .await
        .expect("a new account");
    for (account, copies) in [
        (
            panda,
            [
                "document (Panda's conflicted copy).txt",
                "document (Panda's conflicted copy 2).txt",
            ],
        ),
        (
            nobody,
            [
                "document (conflicted copy).txt",
                "document (conflicted copy 2).txt",
            ],
        ),
    ] {
        let token = server.token_of(account).await;
        let face = at(&server.url(), &token);
        in_each_mode(&face, &server.calls_with(&token), copies).await;
    }
}

async fn in_each_mode(face: &impl Face, calls: &Calls, copies: [&str; 2]) {
    let path = "/document.txt";
    let first = save(face, &Commit::at(path, "add"), b"the first")
        .await
        .ok();
    assert_eq!(
        (&first["name"], &first["size"]),
        (&json!("document.txt"), &json!(9))
    );

    // Add never overwrites.
    for name in ["document (2).txt", "document (3).txt"] {
        let commit = Commit::at(path, "add").renaming();
        let saved = save(face, &commit, name.as_bytes()).await.ok();
        assert_eq!(saved["name"], name);
        assert_ne!(saved["id"], first["id"]);
        assert_eq!(calls.read(&format!("/{name}")).await, name);
    }
    let conflict =
        json!({".tag": "path", "path": {".tag": "conflict", "conflict": {".tag": "file"}}});
    let refused = save(face, &Commit::at(path, "add"), b"an addition").await;
    assert_eq!(refused.refused("path/conflict/file"), conflict);
    assert_eq!(calls.read(path).await, "the first", "nothing of it changed");

    // Overwrite always does: the same file, another rev.
    let mut commit = Commit::at(path, "overwrite");
    commit.mute = true;
    let second = save(face, &commit, b"the second").await.ok();
    assert_eq!(
        (&second["name"], &second["id"]),
        (&first["name"], &first["id"])
    );
    assert_ne!(second["rev"], first["rev"]);

    // Update does where the rev is the file's.
    let rev = |file: &Value| file["rev"].as_str().expect("a rev").to_owned();
    let stale = format!("update:{}", rev(&first));
    for name in copies {
        let commit = Commit::at(path, stale.as_str()).renaming();
        let saved = save(face, &commit, name.as_bytes()).await.ok();
        assert_eq!(saved["name"], name);
        assert_eq!(calls.read(&format!("/{name}")).await, name);
    }
    let refused = save(face, &Commit::at(path, stale.as_str()), b"stale").await;
    assert_eq!(refused.refused("path/conflict/file"), conflict);
    assert_eq!(
        calls.read(path).await,
        "the second",
        "nothing of it changed"
    );
    let current = format!("update:{}", rev(&second));
    let third = save(face, &Commit::at(path, current), b"the third")
        .await
        .ok();
    assert_eq!(
        (&third["name"], &third["id"]),
        (&first["name"], &first["id"])
    );
    assert_eq!(calls.read(path).await, "the third");

    let names = ["document.txt", "document (2).txt", "document (3).txt"];
    let mut there: Vec<_> = names
        .iter()
        .chain(&copies)
        .map(|name| format!("/{name}"))
        .collect();
    there.sort();
    let mut tree = calls.tree().await;
    tree.sort();
    assert_eq!(tree, there, "and nothing else");
}

/// The reply to a finish with data is lost, and the same command is given again: one file, as
/// long as the offset and the data, with the rev that it got at first.
pub async fn a_finish_whose_reply_was_lost<F: Face>(
    server: &TestServer,
    at: impl Fn(&str, &str) -> F,
) {
    let calls = server.calls();
    calls.put("/taken.txt", "somebody's").await;
    for (commit, saved_as) in [
        (Commit::at("/plain.txt", "add"), "/plain.txt"),
        (Commit::at("/plain.txt", "overwrite"), "/plain.txt"),
        (Commit::at("/taken.txt", "add").renaming(), "/taken (2).txt"),
    ] {
        let plan = Plan::new().on(FINISH, 1, Fault::DropReply);
        let proxy = Proxy::start(server.address(), plan).await;
        let face = at(&proxy.url(), server.token());
        let (begin, data) = (format!("{} ", commit.mode), format!("as {saved_as}"));
        let session = face.start(begin.as_bytes()).await.session();
        let offset = begin.len() as u64;
        face.finish(&session, offset, &commit, data.as_bytes())
            .await
            .lost();
        let before = calls.metadata(saved_as).await.ok();

        let again = face
            .finish(&session, offset, &commit, data.as_bytes())
            .await
            .ok();
        assert_eq!(again["rev"], before["rev"], "the same file");
        assert_eq!(again["size"], begin.len() + data.len());
        assert_eq!(again["path_display"], saved_as);
        assert_eq!(calls.read(saved_as).await, format!("{begin}{data}"));
        assert_eq!(calls.metadata(saved_as).await.ok()["rev"], before["rev"]);
        proxy.finish();
    }
    let tree = calls.tree().await;
    assert_eq!(
        tree,
        ["/plain.txt", "/taken (2).txt", "/taken.txt"],
        "one file each"
    );
}

/// The reply to a start with data is lost, and the same command is given again: a session that
/// holds the data once.
pub async fn a_start_whose_reply_was_lost<F: Face>(
    server: &TestServer,
    at: impl Fn(&str, &str) -> F,
) {
    let plan = Plan::new().on(START, 1, Fault::DropReply);
    let proxy = Proxy::start(server.address(), plan).await;
    let face = at(&proxy.url(), server.token());
    face.start(b"once").await.lost();
    let session = face.start(b"once").await.session();
    let saved = face
        .finish(&session, 4, &Commit::at("/started.txt", "add"), b"!")
        .await;
    assert_eq!(saved.ok()["size"], 5);
    assert_eq!(server.calls().read("/started.txt").await, "once!");
    proxy.finish();
}

/// The reply to an append is lost, and the same command is given again: the refusal says that
/// the data is there, and it is, once.
pub async fn an_append_whose_reply_was_lost<F: Face>(
    server: &TestServer,
    at: impl Fn(&str, &str) -> F,
) {
    let plan = Plan::new().on(APPEND, 1, Fault::DropReply);
    let proxy = Proxy::start(server.address(), plan).await;
    let face = at(&proxy.url(), server.token());
    let session = face.start(b"to be ").await.session();
    face.append(&session, 6, b"appended").await.lost();
    let error = face
        .append(&session, 6, b"appended")
        .await
        .refused("incorrect_offset");
    assert_eq!(error["correct_offset"], 14);
    let saved = face
        .finish(&session, 14, &Commit::at("/appended.txt", "add"), b"!")
        .await;
    assert_eq!(saved.ok()["size"], 15);
    assert_eq!(
        server.calls().read("/appended.txt").await,
        "to be appended!"
    );
    proxy.finish();
}

fn entries(ended: &Ended) -> Vec<Value> {
    let json = ended.ok();
    json["entries"].as_array().expect("entries").clone()
}

/// The reply to an append_batch is lost, and the same command is given again: each entry says
/// that its part is there, and it is, once.
pub async fn an_append_batch_whose_reply_was_lost<F: BatchFace>(
    server: &TestServer,
    at: impl Fn(&str, &str) -> F,
) {
    for (close, paths) in [
        (false, ["/open-0", "/open-1"]),
        (true, ["/closed-0", "/closed-1"]),
    ] {
        let plan = Plan::new().on(APPEND_BATCH, 1, Fault::DropReply);
        let proxy = Proxy::start(server.address(), plan).await;
        let face = at(&proxy.url(), server.token());
        let sessions = face.start_batch(2).await;
        let part = |nth: usize, data| Part {
            session: sessions[nth].clone(),
            offset: 0,
            data,
        };
        let parts = [part(0, "the first"), part(1, "another")];
        face.append_batch(&parts, close).await.lost();
        let again = entries(&face.append_batch(&parts, close).await);
        for (entry, part) in again.iter().zip(&parts) {
            assert_eq!(
                entry["failure"]["correct_offset"],
                part.data.len(),
                "{entry}"
            );
        }
        assert_eq!(again.len(), 2);
        if !close {
            let close: Vec<_> = parts
                .iter()
                .map(|part| Part {
                    offset: part.data.len() as u64,
                    data: "",
                    ..part.clone()
                })
                .collect();
            let closed = entries(&face.append_batch(&close, true).await);
            assert!(
                closed.iter().all(|entry| entry[".tag"] == "success"),
                "{closed:?}"
            );
        }
        let finishes: Vec<_> = parts
            .iter()
            .zip(paths)
            .map(|(part, path)| finish(part, path))
            .collect();
        let saved = entries(&face.finish_batch(&finishes).await);
        for ((entry, part), path) in saved.iter().zip(&parts).zip(paths) {
            assert_eq!(entry[".tag"], "success", "{entry}");
            assert_eq!(server.calls().read(path).await, part.data);
        }
        proxy.finish();
    }
}

fn finish(part: &Part, path: &'static str) -> Finish {
    Finish {
        session: part.session.clone(),
        offset: part.data.len() as u64,
        path,
    }
}

/// The reply to a finish_batch is lost, and the same command is given again: the same files,
/// once, with the revs that they got at first.
pub async fn a_finish_batch_whose_reply_was_lost<F: BatchFace>(
    server: &TestServer,
    at: impl Fn(&str, &str) -> F,
) {
    let calls = server.calls();
    calls.put("/taken.txt", "somebody's").await;
    let plan = Plan::new().on(FINISH_BATCH, 1, Fault::DropReply);
    let proxy = Proxy::start(server.address(), plan).await;
    let face = at(&proxy.url(), server.token());
    let sessions = face.start_batch(3).await;
    let data = ["plain", "renamed", "refused"];
    let parts: Vec<_> = sessions
        .into_iter()
        .zip(data)
        .map(|(session, data)| Part {
            session,
            offset: 0,
            data,
        })
        .collect();
    let appended = entries(&face.append_batch(&parts, true).await);
    assert!(
        appended.iter().all(|entry| entry[".tag"] == "success"),
        "{appended:?}"
    );
    let mut finishes = vec![
        finish(&parts[0], "/plain.txt"),
        finish(&parts[1], "/taken.txt"),
        finish(&parts[2], "/refused.txt"),
    ];
    finishes[2].offset += 1;
    face.finish_batch(&finishes).await.lost();
    let saved_as = ["/plain.txt", "/taken (2).txt"];
    let mut revs = Vec::new();
    for path in saved_as {
        revs.push(calls.metadata(path).await.ok()["rev"].clone());
    }

    let again = entries(&face.finish_batch(&finishes).await);
    for (nth, path) in saved_as.into_iter().enumerate() {
        let entry = &again[nth];
        assert_eq!(
            (&entry[".tag"], &entry["path_display"]),
            (&json!("success"), &json!(path))
        );
        assert_eq!(
            (&entry["rev"], &entry["size"]),
            (&revs[nth], &json!(data[nth].len()))
        );
        assert_eq!(calls.metadata(path).await.ok()["rev"], revs[nth]);
    }
    let wrong = json!({".tag": "incorrect_offset", "correct_offset": 7});
    let wrong = json!({".tag": "lookup_failed", "lookup_failed": wrong});
    assert_eq!(again[2]["failure"], wrong);
    assert_eq!(
        calls.tree().await,
        ["/plain.txt", "/taken (2).txt", "/taken.txt"]
    );
    proxy.finish();
}
