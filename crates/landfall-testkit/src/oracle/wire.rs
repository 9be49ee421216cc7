//! Calls as requests, with symbols in them.

use super::{Body, Call, Commit, Cursor, Mode, Place};
use landfall_protocol::Timestamp;
use serde_json::{Value, json};

impl Call {
    /// The URL after `/2/`.
    pub fn route(&self) -> &'static str {
        match self {
            Self::Start { .. } => "files/upload_session/start",
            Self::StartBatch { .. } => "files/upload_session/start_batch",
            Self::Append {
                first_version: true,
                ..
            } => "files/upload_session/append",
            Self::Append { .. } => "files/upload_session/append_v2",
            Self::AppendBatch { .. } => "files/upload_session/append_batch",
            Self::Finish { .. } => "files/upload_session/finish",
            Self::FinishBatch { job: true, .. } => "files/upload_session/finish_batch",
            Self::FinishBatch { .. } => "files/upload_session/finish_batch_v2",
            Self::Upload { .. } => "files/upload",
            Self::Delete { .. } => "files/delete_v2",
            Self::CreateFolder { .. } => "files/create_folder_v2",
        }
    }

    /// The argument.
    pub fn argument(&self) -> Value {
        let argument = match self {
            Self::Start {
                concurrent, close, ..
            } => {
                json!({"close": close, "session_type": session_type(*concurrent)})
            }
            Self::StartBatch { concurrent, count } => {
                json!({"session_type": session_type(*concurrent), "num_sessions": count})
            }
            Self::Append {
                first_version: true,
                cursor,
                ..
            } => return cursor.json(),
            Self::Append { cursor, close, .. } => json!({"cursor": cursor.json(), "close": close}),
            Self::AppendBatch { parts, .. } => {
                let entries = parts.iter().map(|(cursor, length, close)| {
                    json!({"cursor": cursor.json(), "length": length, "close": close})
                });
                json!({"entries": entries.collect::<Vec<_>>()})
            }
            Self::Finish { cursor, commit, .. } => finish(cursor, commit),
            Self::FinishBatch { entries, .. } => {
                let entries = entries.iter().map(|(cursor, commit, given)| {
                    let none = Body {
                        given: *given,
                        ..Body::none()
                    };
                    with_hash(finish(cursor, commit), &none)
                });
                json!({"entries": entries.collect::<Vec<_>>()})
            }
            Self::Upload { commit, .. } => commit.json(),
            Self::Delete { place, parent_rev } => match parent_rev {
                Some(rev) => json!({"path": place.text(), "parent_rev": rev}),
                None => json!({"path": place.text()}),
            },
            Self::CreateFolder { path, autorename } => {
                json!({"path": path, "autorename": autorename})
            }
        };
        match self.body() {
            Some(body) => with_hash(argument, body),
            None => argument,
        }
    }

    /// The body, if it isn't the argument that is in it.
    pub fn body(&self) -> Option<&Body> {
        match self {
            Self::Start { body, .. }
            | Self::Append { body, .. }
            | Self::AppendBatch { body, .. }
            | Self::Finish { body, .. }
            | Self::Upload { body, .. } => Some(body),
            _ => None,
        }
    }
}

fn with_hash(mut argument: Value, body: &Body) -> Value {
    if let Some(hash) = body.hash() {
        argument["content_hash"] = hash.into();
    }
    argument
}

fn session_type(concurrent: bool) -> &'static str {
    if concurrent {
        "concurrent"
    } else {
        "sequential"
    }
}

fn finish(cursor: &Cursor, commit: &Commit) -> Value {
    json!({"cursor": cursor.json(), "commit": commit.json()})
}

impl Cursor {
    fn json(&self) -> Value {
        json!({"session_id": self.session, "offset": self.offset})
    }
}

impl Commit {
    fn json(&self) -> Value {
        let mode = match &self.mode {
            Mode::Add => json!("add"),
            Mode::Overwrite => json!({".tag": "overwrite"}),
            Mode::Update(rev) => json!({".tag": "update", "update": rev}),
        };
        let mut commit = json!({"path": self.place.text(), "mode": mode});
        // What is the default need not be said.
        for (name, value) in [
            ("autorename", self.autorename),
            ("strict_conflict", self.strict),
            ("mute", self.mute),
        ] {
            if value {
                commit[name] = true.into();
            }
        }
        if let Some(at) = self.client_modified {
            commit["client_modified"] = Timestamp::from_unix_seconds(at).to_string().into();
        }
        if self.properties {
            commit["property_groups"] = json!([{"template_id": "ptid:none", "fields": []}]);
        }
        commit
    }
}

impl Place {
    fn text(&self) -> String {
        match self {
            Self::Path(path) => path.clone(),
            Self::Id(id, below) => format!("{id}{below}"),
            Self::Namespace(true, below) => format!("ns:<namespace own>{below}"),
            Self::Namespace(false, below) => format!("ns:<namespace foreign>{below}"),
        }
    }
}
