//! What the service must do, told a second time.
//!
//! The oracle is written from the description of the API alone, with byte vectors and a map, one
//! call after the other; it shares no rule with the server. Random sequences of calls
//! ([`Case`]) are [played](Player) against a server, and each answer, the tree, all contents and
//! the feed of notifications are compared with what the oracle says. Where many clients call at
//! once, an order is [looked for](explain) in which the oracle would have told them the same.
//!
//! What the server draws at random (ids of sessions, files and jobs, revs) has symbols here:
//! `<session 3>`. [`Bindings`] finds out which text of the server stands for which symbol, and
//! that no text stands for two.

mod bindings;
mod case;
mod names;
mod play;
mod quota;
mod serial;
mod sessions;
mod tree;
mod wire;
mod writer;

pub use bindings::Bindings;
pub use case::{Case, Setup, Step};
pub use play::{Player, Playing};
pub use serial::{Explained, explain};

use bytes::Bytes;
use landfall_protocol::ContentHash;
use serde_json::{Value, json};
use sessions::Session;
use std::collections::BTreeMap;
use std::fmt;
use tree::Tree;

/// Something that the server draws: `<session 3>`, `<file 7>`, `<rev 9>`.
pub type Symbol = String;

/// A call, as far as it matters what it means.
#[derive(Clone, Debug)]
pub enum Call {
    /// `upload_session/start`
    Start {
        /// Whether its bytes come in any order.
        concurrent: bool,
        /// Whether no more bytes come.
        close: bool,
        /// The first bytes.
        body: Body,
    },
    /// `upload_session/start_batch`
    StartBatch {
        /// Whether their bytes come in any order.
        concurrent: bool,
        /// How many.
        count: u64,
    },
    /// `upload_session/append_v2`, or `append` without `close` and hash.
    Append {
        /// Whether it is the first version of the route.
        first_version: bool,
        /// Where the body goes.
        cursor: Cursor,
        /// Whether no more bytes come.
        close: bool,
        /// The bytes.
        body: Body,
    },
    /// `upload_session/append_batch`
    AppendBatch {
        /// Where the parts of the body go: cursor, length, whether no more bytes come.
        parts: Vec<(Cursor, u64, bool)>,
        /// The bytes.
        body: Body,
    },
    /// `upload_session/finish`
    Finish {
        /// Which session, and how much it holds.
        cursor: Cursor,
        /// Where and how it is saved.
        commit: Commit,
        /// The last bytes.
        body: Body,
    },
    /// `upload_session/finish_batch_v2`, or `finish_batch` and `check` until it is done.
    FinishBatch {
        /// Whether in the background.
        job: bool,
        /// The sessions, where they are saved, and what is said of the hash of no byte.
        entries: Vec<(Cursor, Commit, Given)>,
    },
    /// `upload`
    Upload {
        /// Where and how it is saved.
        commit: Commit,
        /// The bytes.
        body: Body,
    },
    /// `delete_v2`
    Delete {
        /// What.
        place: Place,
        /// Only if this is the file's rev.
        parent_rev: Option<Symbol>,
    },
    /// `create_folder_v2`
    CreateFolder {
        /// Where.
        path: String,
        /// Whether another name will do.
        autorename: bool,
    },
}

/// A session, and how many bytes the caller believes it to hold.
#[derive(Clone, Debug, PartialEq)]
pub struct Cursor {
    /// The session.
    pub session: Symbol,
    /// Its bytes.
    pub offset: u64,
}

/// The body of a request.
#[derive(Clone)]
pub struct Body {
    /// The bytes.
    pub bytes: Bytes,
    /// What the request says of their hash.
    pub given: Given,
    /// The length that is declared is over the limit, and the bytes never come.
    pub huge: bool,
}

/// What a request says of the hash of its body.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Given {
    /// Nothing.
    Nothing,
    /// The truth.
    Right,
    /// Something else.
    Wrong,
}

/// Where and how bytes are saved.
#[derive(Clone, Debug, PartialEq)]
pub struct Commit {
    /// Where.
    pub place: Place,
    /// What to do about a file in the way.
    pub mode: Mode,
    /// On a conflict, whether another name will do.
    pub autorename: bool,
    /// Whether identical bytes and deleted targets are conflicts too.
    pub strict: bool,
    /// Whether nobody is told.
    pub mute: bool,
    /// The file's own time of change, in seconds since 1970.
    pub client_modified: Option<i64>,
    /// Whether there is a property group, of a template that doesn't exist.
    pub properties: bool,
}

/// What a commit does about a file in the way.
#[derive(Clone, Debug, PartialEq)]
pub enum Mode {
    /// Leaves it.
    Add,
    /// Replaces it.
    Overwrite,
    /// Replaces it, if this is its rev.
    Update(Symbol),
}

/// How a request names a place.
#[derive(Clone, Debug, PartialEq)]
pub enum Place {
    /// By its path.
    Path(String),
    /// By the id of a file or folder, and the path below it.
    Id(Symbol, String),
    /// By a path below the own namespace (`true`) or one that can't be reached.
    Namespace(bool, String),
}

/// What the server answers.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The JSON, of errors the value of `error`; with symbols.
    pub body: Value,
}

/// The service, as it must be.
#[derive(Clone, Debug)]
pub struct Oracle {
    /// The time, in seconds since 1970.
    now: i64,
    sessions: Vec<Session>,
    tree: Tree,
    met: BTreeMap<String, u64>,
}

/// Errors have the shape that they have on the wire.
type Refused = Value;

/// An error without anything in it.
fn tag(tag: &str) -> Refused {
    json!({ ".tag": tag })
}

/// An error of this tag, with another one in it.
fn under(tag: &str, inner: Refused) -> Refused {
    json!({".tag": tag, tag: inner})
}

/// The tags of an error, from the outermost on: `path/conflict/file`.
pub fn chain(error: &Value) -> String {
    let Some(tag) = error[".tag"].as_str() else {
        return String::new();
    };
    let inner = error.get(tag).or(error.get("reason")).map(chain);
    match inner.filter(|inner| !inner.is_empty()) {
        Some(inner) => format!("{tag}/{inner}"),
        None => tag.to_owned(),
    }
}

impl Oracle {
    /// A service with one account that has nothing yet.
    pub fn new(setup: &Setup, now: i64) -> Self {
        Self {
            now,
            sessions: Vec::new(),
            tree: Tree::new(setup),
            met: BTreeMap::new(),
        }
    }

    /// Some time goes by.
    pub fn wait(&mut self, seconds: i64) {
        self.now += seconds;
    }

    /// The account gets another quota.
    pub fn limit(&mut self, bytes: u64) {
        self.tree.limit(bytes);
    }

    /// The server removes what nobody can ask for any more.
    pub fn upkeep(&mut self) {
        self.tree.forget(self.now);
        for session in &mut self.sessions {
            session.removed |= session.is_over(self.now);
        }
    }

    /// What the server answers to a call; it takes place.
    pub fn answer(&mut self, call: &Call) -> Answer {
        let (route, outcome) = match call {
            Call::Start {
                concurrent,
                close,
                body,
            } => ("start", self.start(*concurrent, *close, body)),
            Call::StartBatch { concurrent, count } => {
                let ids: Vec<Value> = (0..*count)
                    .map(|_| json!(self.new_session(*concurrent, false, &Bytes::new())))
                    .collect();
                ("start_batch", Ok(json!({ "session_ids": ids })))
            }
            Call::Append {
                cursor,
                close,
                body,
                ..
            } => {
                let appended = self.append(cursor, *close, body);
                ("append", appended.map(|()| Value::Null))
            }
            Call::AppendBatch { parts, body } => ("append_batch", self.append_batch(parts, body)),
            Call::Finish {
                cursor,
                commit,
                body,
            } => ("finish", self.finish(cursor, commit, body, false)),
            Call::FinishBatch { entries, .. } => {
                let entries = entries.iter().map(|(cursor, commit, given)| {
                    let none = Body {
                        given: *given,
                        ..Body::none()
                    };
                    let finished = self.finish(cursor, commit, &none, true);
                    self.entry("finish_batch", finished)
                });
                let entries: Vec<Value> = entries.collect();
                ("finish_batch", Ok(json!({ "entries": entries })))
            }
            Call::Upload { commit, body } => ("upload", self.upload(commit, body)),
            Call::Delete { place, parent_rev } => {
                let deleted = self.tree.delete(place, parent_rev.as_ref(), self.now);
                ("delete", deleted)
            }
            Call::CreateFolder { path, autorename } => {
                let made = self.tree.create_folder(path, *autorename, self.now);
                let made = made.map_err(|error| under("path", error));
                ("create_folder", made)
            }
        };
        match outcome {
            Ok(body) => Answer { status: 200, body },
            Err(quota::NO_ROOM) => {
                self.meet(route, "no room");
                Answer {
                    status: 507,
                    body: Value::Null,
                }
            }
            Err(body) => {
                self.meet(route, &chain(&body));
                Answer { status: 409, body }
            }
        }
    }

    /// The entry of a batch.
    fn entry(&mut self, route: &str, outcome: Result<Value, Refused>) -> Value {
        match outcome {
            Ok(Value::Object(result)) => {
                let mut entry = tag("success");
                entry.as_object_mut().expect("an object").extend(result);
                entry
            }
            Ok(_) => tag("success"),
            Err(error) => {
                self.meet(&format!("{route} entry"), &chain(&error));
                under("failure", error)
            }
        }
    }

    fn meet(&mut self, what: &str, how: &str) {
        *self.met.entry(format!("{what}: {how}")).or_default() += 1;
    }

    /// How often each error was met (`finish: path/conflict/file`), and each cell of the decision
    /// table (`table: identical file, add, strict`).
    pub fn met(&self) -> BTreeMap<String, u64> {
        let mut met = self.met.clone();
        met.extend(self.tree.met.clone());
        met
    }

    /// The metadata of everything in the tree, in the order of the paths.
    pub fn listing(&self) -> Vec<Value> {
        self.tree.listing()
    }

    /// The paths of the files that are there, and their bytes.
    pub fn files(&self) -> Vec<(String, Bytes)> {
        self.tree.files()
    }

    /// All that was ever written, by its rev.
    pub fn revisions(&self) -> Vec<(Symbol, Bytes)> {
        self.tree.revisions()
    }

    /// The notifications that are kept, oldest first.
    pub fn feed(&self) -> &[Value] {
        &self.tree.feed
    }
}

impl Body {
    /// No byte.
    pub fn none() -> Self {
        Self::of(Bytes::new())
    }

    /// These bytes.
    pub fn of(bytes: impl Into<Bytes>) -> Self {
        Self {
            bytes: bytes.into(),
            given: Given::Nothing,
            huge: false,
        }
    }

    /// The length that the request declares.
    pub fn length(&self) -> u64 {
        match self.huge {
            // More than 150 MiB, in whole blocks of 4 MiB.
            true => 152 * 1024 * 1024,
            false => self.bytes.len() as u64,
        }
    }

    /// Judges the body itself: the last of the checks.
    fn check(&self) -> Result<(), Refused> {
        match (self.huge, self.given) {
            (true, _) => Err(tag("payload_too_large")),
            (false, Given::Wrong) => Err(tag("content_hash_mismatch")),
            (false, Given::Nothing | Given::Right) => Ok(()),
        }
    }

    /// The hash that the request gives.
    pub fn hash(&self) -> Option<String> {
        match self.given {
            Given::Nothing => None,
            Given::Right => Some(ContentHash::of(&self.bytes).to_string()),
            Given::Wrong => Some(ContentHash::of(b"something else").to_string()),
        }
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let begin = String::from_utf8_lossy(&self.bytes[..self.bytes.len().min(8)]).into_owned();
        write!(f, "{begin:?} of {} ({:?})", self.length(), self.given)
    }
}
