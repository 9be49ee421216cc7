//! Everything that is written to stdout and stderr, for people or as JSON lines.

use crate::cli::Global;
use crate::exit::{Context, Exit, Fail, Result};
use landfall::Notification;
use landfall_protocol::Timestamp;
use landfall_protocol::types::files::{FileMetadata, FolderMetadata, Metadata};
use serde_json::{Map, Value, json};
use std::fmt::Display;
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::sync::{Mutex, OnceLock, PoisonError};

/// The version of the JSON lines; `schema/events.json` describes it.
const SCHEMA: u64 = 1;

/// Where results go.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    json: bool,
}

impl Output {
    pub(crate) fn new(json: bool) -> Self {
        Self { json }
    }

    pub(crate) fn is_json(self) -> bool {
        self.json
    }

    /// One result: a line of text, or an event.
    pub(crate) fn result(self, text: impl Display, event: impl FnOnce() -> Value) -> Result<()> {
        if self.json {
            line(&event().to_string())
        } else {
            line(&shown(&text.to_string()))
        }
    }
}

impl Output {
    /// An event in between, for scripts alone.
    pub(crate) fn event(self, event: &Value) -> Result<()> {
        if self.json {
            line(&event.to_string())?;
        }
        Ok(())
    }
}

/// A text as a terminal may see it: names in a Dropbox can hold anything, escape sequences
/// included. Pipes get the names as they are.
fn shown(text: &str) -> String {
    if io::stdout().is_terminal() {
        text.replace(|c: char| c.is_control() && c != '\n', "?")
    } else {
        text.to_owned()
    }
}

/// Writes a line to stdout at once.
pub(crate) fn line(text: &str) -> Result<()> {
    bytes(format!("{text}\n").as_bytes())
}

/// Writes bytes to stdout at once. A reader that went away ends the run quietly: `| head` is
/// no error.
pub(crate) fn bytes(bytes: &[u8]) -> Result<()> {
    let mut out = io::stdout().lock();
    let written = out.write_all(bytes).and_then(|()| out.flush());
    match written {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Err(Fail::silent(Exit::Ok)),
        written => written.when(|| "can't write to standard output"),
    }
}

/// Writes JSON from the API to stdout as it came. Only on a terminal a line break follows.
pub(crate) fn raw(json: &[u8]) -> Result<()> {
    bytes(json)?;
    if io::stdout().is_terminal() {
        bytes(b"\n")?;
    }
    Ok(())
}

/// What people want to see on stderr besides why a run failed.
#[derive(Clone, Copy, Debug)]
struct Manner {
    notes: bool,
    bars: bool,
}

/// Set once, at the start: it is about the process's one stderr.
static MANNER: OnceLock<Manner> = OnceLock::new();

/// Takes from the command line what people want to see on stderr.
pub(crate) fn set_manner(global: &Global) {
    let lines_between = global.verbose > 0 && global.log_file.is_none();
    let manner = Manner {
        notes: !global.quiet,
        bars: !global.quiet && !lines_between && can_draw(),
    };
    // Nobody sets it twice, and the first would count.
    let _ = MANNER.set(manner);
}

/// Whether stderr is a terminal whose cursor can be moved.
fn can_draw() -> bool {
    io::stderr().is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// Whether progress is shown by bars.
pub(crate) fn has_bars() -> bool {
    MANNER.get().is_some_and(|manner| manner.bars)
}

/// Whether people want to see lines on stderr.
pub(crate) fn has_notes() -> bool {
    MANNER.get().is_none_or(|manner| manner.notes)
}

/// What to say if the run is interrupted from now on.
static IF_INTERRUPTED: Mutex<Option<&'static str>> = Mutex::new(None);

/// Sets what to say if the run is interrupted from now on.
pub(crate) fn if_interrupted(text: &'static str) {
    *IF_INTERRUPTED
        .lock()
        .unwrap_or_else(PoisonError::into_inner) = Some(text);
}

/// What to say of a run that was interrupted.
pub(crate) fn interrupted() -> Option<&'static str> {
    *IF_INTERRUPTED
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
}

/// Writes a line to stderr, for people, unless they asked for quiet. If nobody reads it,
/// nothing is lost.
pub(crate) fn note(text: impl Display) {
    if MANNER.get().is_none_or(|manner| manner.notes) {
        failure(text);
    }
}

/// Writes to stderr why the run failed.
pub(crate) fn failure(text: impl Display) {
    drop(writeln!(io::stderr(), "landfall: {text}"));
}

/// Asks a question that is answered by yes or no on the terminal; no terminal, no answer.
pub(crate) async fn confirm(question: &str) -> Result<bool> {
    if !io::stdin().is_terminal() {
        let why = "there is no terminal to ask; say --yes if you mean it";
        return Err(Fail::new(Exit::Usage, question, why));
    }
    let mut err = io::stderr();
    drop(write!(err, "landfall: {question} [y/N] ").and_then(|()| err.flush()));
    // Waits on another thread, so that signals are heard.
    let answer = tokio::task::spawn_blocking(|| {
        let mut answer = String::new();
        io::stdin().read_line(&mut answer).map(|_| answer)
    });
    let answer = answer
        .await
        .map_err(|_| Fail::new(Exit::Other, question, "the reader stopped"))?;
    let answer = answer.when(|| question.to_owned())?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// An event of this type, with its fields.
pub(crate) fn event(kind: &str, fields: Map<String, Value>) -> Value {
    let mut object = Map::new();
    object.insert("type".to_owned(), kind.into());
    object.insert("schema".to_owned(), SCHEMA.into());
    object.extend(fields);
    Value::Object(object)
}

/// The fields by which events describe a file.
pub(crate) fn file_fields(file: &FileMetadata) -> Map<String, Value> {
    let mut fields = fields(json!({
        "kind": "file",
        "path": file.path_display,
        "name": file.name,
        "id": file.id.as_str(),
        "size": file.size,
        "rev": file.rev.as_str(),
        "client_modified": file.client_modified.to_string(),
        "server_modified": file.server_modified.to_string(),
    }));
    if let Some(hash) = file.content_hash {
        fields.insert("content_hash".to_owned(), hash.to_string().into());
    }
    fields
}

/// The fields by which events describe a folder.
pub(crate) fn folder_fields(folder: &FolderMetadata) -> Map<String, Value> {
    fields(json!({
        "kind": "folder",
        "path": folder.path_display,
        "name": folder.name,
        "id": folder.id.as_str(),
    }))
}

/// The fields by which events describe whatever is at a path.
pub(crate) fn metadata_fields(metadata: &Metadata) -> Map<String, Value> {
    match metadata {
        Metadata::File(file) => file_fields(file),
        Metadata::Folder(folder) => folder_fields(folder),
        Metadata::Deleted(deleted) => fields(json!({
            "kind": "deleted",
            "path": deleted.path_display,
            "name": deleted.name,
        })),
    }
}

/// The fields by which events describe a notification.
pub(crate) fn notification_fields(notification: &Notification) -> Map<String, Value> {
    let mut fields = fields(json!({
        "id": notification.id,
        "event": notification.event,
        "path": notification.path_display,
        "at": notification.at,
    }));
    if let Some(rev) = &notification.rev {
        fields.insert("rev".to_owned(), rev.as_str().into());
    }
    fields
}

/// The fields in a JSON object.
pub(crate) fn fields(object: Value) -> Map<String, Value> {
    match object {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

/// The path of a metadata as shown, or its name where the service gives no path.
pub(crate) fn path_of(metadata: &Metadata) -> &str {
    metadata.path_display().unwrap_or(metadata.name())
}

/// A time as listings show it.
pub(crate) fn time(time: Timestamp) -> String {
    time.to_string()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::{event, file_fields, folder_fields, notification_fields};
    use landfall::Notification;
    use landfall_protocol::types::files::{FileMetadata, FolderMetadata};
    use landfall_protocol::{Strictness, json};
    use serde_json::Value;

    /// A file as a service describes it.
    pub(crate) fn file() -> FileMetadata {
        let text = br#"{"name": "a.txt", "path_lower": "/a.txt", "path_display": "/a.txt",
            "id": "id:x", "client_modified": "2026-01-02T03:04:05Z",
            "server_modified": "2026-01-02T03:04:06Z", "rev": "123456789", "size": 6,
            "content_hash": "ecb65bb98f9d905b70458986c39fcbad7715e5f2fcc3b1f07767d7c83e2438cc"}"#;
        json::read(text, Strictness::Lenient).unwrap()
    }

    /// A folder as a service describes it.
    pub(crate) fn folder() -> FolderMetadata {
        let text = br#"{"name": "f", "path_lower": "/f", "path_display": "/f", "id": "id:y"}"#;
        json::read(text, Strictness::Lenient).unwrap()
    }

    /// Holds an event against the schema file.
    #[track_caller]
    pub(crate) fn check(event: &Value) {
        landfall_testkit::check_event(include_str!("../schema/events.json"), event);
    }

    #[test]
    fn what_is_at_a_path_is_described_by_the_schema() {
        for kind in ["entry", "stat", "rm", "mv", "cp"] {
            check(&event(kind, file_fields(&file())));
            check(&event(kind, folder_fields(&folder())));
        }
        check(&event("mkdir", folder_fields(&folder())));
        for kind in ["revision", "restore"] {
            check(&event(kind, file_fields(&file())));
        }
    }

    #[test]
    fn a_notification_is_described_by_the_schema() {
        for rev in [None, Some("123456789".to_owned())] {
            let notification = Notification {
                id: 7,
                event: "file_added".into(),
                path_display: "/a.txt".into(),
                rev,
                at: "2026-01-02T03:04:05Z".into(),
            };
            check(&event("notification", notification_fields(&notification)));
        }
    }

    #[test]
    fn type_and_schema_come_first() {
        let text = event("stat", file_fields(&file())).to_string();
        assert!(text.starts_with(r#"{"type":"stat","schema":1,"#), "{text}");
    }
}
