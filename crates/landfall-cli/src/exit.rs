//! How a run ends: the exit codes that scripts rely on, and the one line that says why.

use crate::output;
use landfall::transfer::{
    BatchFailure, DownloadFailure, JournalError, LookFailure, OutcomeUnknown, PatternError,
    PlanError, PutFailure, SourceError, UploadFailure, WalkError,
};
use landfall::{CallError, Failure, Fault};
use std::fmt::{self, Display};
use std::io;

/// The exit codes. Their numbers never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// Done.
    Ok = 0,
    /// Some files failed, or an error that no other code covers.
    Other = 1,
    /// The command line makes no sense.
    Usage = 2,
    /// The token is missing, not good, or not good for this.
    Auth = 3,
    /// What was named is not there, can't be read, or is not a file.
    Source = 4,
    /// Something is in the way, or changed meanwhile.
    Conflict = 5,
    /// Too many requests, trouble of the service, no connection: try again later.
    Temporary = 6,
    /// No space, at the service or on this disk.
    Space = 7,
    /// The bytes that arrived are not the bytes that left.
    Integrity = 8,
    /// Stopped by SIGINT.
    Interrupted = 130,
    /// Stopped by SIGTERM.
    Terminated = 143,
}

/// A run that failed.
#[derive(Debug)]
pub(crate) struct Fail {
    exit: Exit,
    line: String,
}

/// What commands return.
pub(crate) type Result<T> = std::result::Result<T, Fail>;

impl Fail {
    /// `what` was tried and where; `why` it failed and what to do about it.
    pub(crate) fn new(exit: Exit, what: impl Display, why: impl Display) -> Self {
        Self {
            exit,
            line: format!("{what}: {why}"),
        }
    }

    /// The same, with something more to know.
    pub(crate) fn and(mut self, more: impl Display) -> Self {
        self.line = format!("{}; {more}", self.line);
        self
    }

    /// An error that says by itself what failed and where.
    pub(crate) fn plain(error: &impl ToExit) -> Self {
        Self {
            exit: error.exit(),
            line: error.why(),
        }
    }

    /// Nothing more to say: a signal, or a reader that went away.
    pub(crate) fn silent(exit: Exit) -> Self {
        Self {
            exit,
            line: String::new(),
        }
    }

    /// A signal came.
    pub(crate) fn stopped(exit: Exit) -> Self {
        Self {
            exit,
            line: output::interrupted().unwrap_or_default().to_owned(),
        }
    }

    pub(crate) fn exit(&self) -> Exit {
        self.exit
    }

    /// The message, one line without line breaks or control characters; empty if there is
    /// nothing to say.
    pub(crate) fn line(&self) -> String {
        let words: Vec<&str> = self.line.split_whitespace().collect();
        words.join(" ").replace(char::is_control, "?")
    }
}

impl Display for Fail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.line())
    }
}

/// Errors that know their exit code.
pub(crate) trait ToExit: Display {
    /// The code for this error.
    fn exit(&self) -> Exit;

    /// Why it failed, without what the command's own words say already.
    fn why(&self) -> String {
        self.to_string()
    }
}

/// Says what was tried where, once something failed.
pub(crate) trait Context<T> {
    /// `what` as in `can't put a.txt at /a.txt`.
    fn when<W: Display>(self, what: impl FnOnce() -> W) -> Result<T>;
}

impl<T, E: ToExit> Context<T> for std::result::Result<T, E> {
    fn when<W: Display>(self, what: impl FnOnce() -> W) -> Result<T> {
        self.map_err(|error| Fail::new(error.exit(), what(), error.why()))
    }
}

impl<E: fmt::Debug> ToExit for CallError<E> {
    fn exit(&self) -> Exit {
        match self.failure() {
            Failure::Route { refusal, .. } | Failure::Unfamiliar(refusal) => {
                of_tags(&refusal.summary)
            }
            Failure::Auth { .. } | Failure::Access(_) | Failure::Token(_) => Exit::Auth,
            Failure::BadRequest { text } if is_about_the_token(text) => Exit::Auth,
            Failure::RateLimited { .. } | Failure::Server { .. } => Exit::Temporary,
            Failure::NoSpace { .. } => Exit::Space,
            Failure::Transport(fault) => fault.exit(),
            _ => Exit::Other,
        }
    }

    fn why(&self) -> String {
        let failure = self.failure();
        match failure {
            Failure::Route { refusal, .. } | Failure::Unfamiliar(refusal) => {
                format!("{failure}{}", advice(&refusal.summary))
            }
            // The others say themselves what to do.
            _ => failure.to_string(),
        }
    }
}

impl ToExit for Fault {
    fn exit(&self) -> Exit {
        match self {
            Self::BadToken { .. } => Exit::Auth,
            fault if fault.is_temporary() => Exit::Temporary,
            _ => Exit::Other,
        }
    }
}

/// What to do about an error of a route, by its chain of tags.
fn advice(summary: &str) -> &'static str {
    match of_tags(summary) {
        Exit::Source if summary.starts_with("invalid_revision") => {
            "; `landfall revs` shows the revisions of a path"
        }
        Exit::Source => "; `landfall ls` shows what is there",
        Exit::Conflict => "; look what is there, or choose another path",
        Exit::Temporary => "; try again later",
        Exit::Space => "; make room or get more space",
        Exit::Auth => "; ask for the right to write there",
        Exit::Integrity => "; try again",
        Exit::Usage => "; choose another name",
        _ => "",
    }
}

/// The code for an error of a route by its chain of tags.
fn of_tags(summary: &str) -> Exit {
    let tags: Vec<&str> = summary.split('/').collect();
    let has = |tag: &str| tags.contains(&tag);
    let lookup = matches!(
        tags.first(),
        Some(&("path" | "path_lookup" | "from_lookup"))
    );
    let into_itself = has("cant_move_folder_into_itself") || has("duplicated_or_nested_paths");
    if has("conflict") || has("incorrect_offset") {
        Exit::Conflict
    } else if has("malformed_path") || has("disallowed_name") || into_itself {
        Exit::Usage
    } else if has("insufficient_space") || has("insufficient_quota") {
        Exit::Space
    } else if has("too_many_write_operations") {
        Exit::Temporary
    } else if has("content_hash_mismatch") {
        Exit::Integrity
    } else if has("no_write_permission") || has("access_restricted") {
        Exit::Auth
    } else if has("invalid_revision")
        || lookup && (has("not_found") || has("not_file") || has("not_folder"))
    {
        Exit::Source
    } else {
        Exit::Other
    }
}

/// Some things about tokens come as a plain 400.
fn is_about_the_token(text: &str) -> bool {
    let signs = ["access token", "required scope", "\"Authorization\""];
    signs.iter().any(|sign| text.contains(sign))
}

impl ToExit for SourceError {
    fn exit(&self) -> Exit {
        Exit::Source
    }
}

impl ToExit for UploadFailure {
    fn exit(&self) -> Exit {
        match self {
            Self::Source(error) => error.exit(),
            Self::Start(error) => error.exit(),
            Self::Append(error) => error.exit(),
            Self::Finish(error) => error.exit(),
            Self::Entry(error) => error.exit(),
            Self::Folder(error) => error.exit(),
            Self::Delete(error) => error.exit(),
            Self::Batch(failure) => failure.exit(),
            Self::Exists { .. } => Exit::Conflict,
            Self::TooLarge { .. } => Exit::Source,
            Self::Journal(error) => error.exit(),
            Self::SessionGone => Exit::Temporary,
            Self::Offset { .. } | Self::Integrity { .. } => Exit::Integrity,
            _ => Exit::Other,
        }
    }

    fn why(&self) -> String {
        match self {
            Self::Start(error) => error.why(),
            Self::Append(error) => error.why(),
            Self::Finish(error) => error.why(),
            Self::Entry(error) => error.why(),
            Self::Folder(error) => error.why(),
            Self::Delete(error) => error.why(),
            Self::Batch(failure) => failure.why(),
            _ => self.to_string(),
        }
    }
}

impl ToExit for BatchFailure {
    fn exit(&self) -> Exit {
        match self {
            Self::Start(error) => error.exit(),
            Self::Append(error) => error.exit(),
            Self::Finish(error) => error.exit(),
            _ => Exit::Other,
        }
    }

    fn why(&self) -> String {
        match self {
            Self::Start(error) => error.why(),
            Self::Append(error) => error.why(),
            Self::Finish(error) => error.why(),
            _ => self.to_string(),
        }
    }
}

impl ToExit for JournalError {
    fn exit(&self) -> Exit {
        match self {
            Self::Held { .. } => Exit::Conflict,
            Self::Unknown { .. } => Exit::Source,
            _ => Exit::Other,
        }
    }
}

impl ToExit for LookFailure {
    fn exit(&self) -> Exit {
        match self {
            Self::List(error) => error.exit(),
            Self::Continue(error) => error.exit(),
            Self::Metadata(error) => error.exit(),
            _ => Exit::Other,
        }
    }

    fn why(&self) -> String {
        match self {
            Self::List(error) => error.why(),
            Self::Continue(error) => error.why(),
            Self::Metadata(error) => error.why(),
            _ => self.to_string(),
        }
    }
}

impl ToExit for PutFailure {
    fn exit(&self) -> Exit {
        match self {
            Self::Look(failure) => failure.exit(),
            Self::TooManyDeletions { .. } => Exit::Conflict,
            Self::NoRoom { .. } => Exit::Space,
            Self::BadPath { .. } | Self::Plan(_) => Exit::Usage,
            Self::Walk(error) => error.exit(),
            _ => Exit::Other,
        }
    }

    fn why(&self) -> String {
        match self {
            Self::Look(failure) => failure.why(),
            _ => self.to_string(),
        }
    }
}

impl ToExit for WalkError {
    fn exit(&self) -> Exit {
        Exit::Source
    }
}

impl ToExit for PlanError {
    fn exit(&self) -> Exit {
        Exit::Usage
    }
}

impl ToExit for PatternError {
    fn exit(&self) -> Exit {
        Exit::Usage
    }
}

/// Trying again settles it: the upload is found, or made.
impl ToExit for OutcomeUnknown {
    fn exit(&self) -> Exit {
        Exit::Temporary
    }
}

impl ToExit for DownloadFailure {
    fn exit(&self) -> Exit {
        match self {
            Self::Call(error) => error.exit(),
            // What is damaged can't be told from outside; it is the service's trouble.
            Self::Stuck { .. } => Exit::Temporary,
            Self::Sink(error) | Self::Part(error) => error.exit(),
            Self::Changed { .. } => Exit::Conflict,
            Self::Integrity { .. } => Exit::Integrity,
            _ => Exit::Other,
        }
    }

    fn why(&self) -> String {
        match self {
            Self::Call(error) => error.why(),
            _ => self.to_string(),
        }
    }
}

impl ToExit for io::Error {
    fn exit(&self) -> Exit {
        match self.kind() {
            io::ErrorKind::StorageFull
            | io::ErrorKind::QuotaExceeded
            | io::ErrorKind::FileTooLarge => Exit::Space,
            _ => Exit::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Exit, Fail, ToExit, is_about_the_token, of_tags};
    use std::io;

    #[test]
    fn the_numbers_are_those_that_are_documented() {
        let codes = [
            (Exit::Ok, 0),
            (Exit::Other, 1),
            (Exit::Usage, 2),
            (Exit::Auth, 3),
            (Exit::Source, 4),
            (Exit::Conflict, 5),
            (Exit::Temporary, 6),
            (Exit::Space, 7),
            (Exit::Integrity, 8),
            (Exit::Interrupted, 130),
            (Exit::Terminated, 143),
        ];
        for (exit, number) in codes {
            assert_eq!(exit as u8, number);
        }
    }

    #[test]
    fn each_error_of_the_api_has_its_code() {
        let cases = [
            ("path/conflict/file", Exit::Conflict),
            ("path_write/conflict/file", Exit::Conflict),
            ("lookup_failed/incorrect_offset", Exit::Conflict),
            ("path/insufficient_space", Exit::Space),
            ("path/too_many_write_operations", Exit::Temporary),
            ("content_hash_mismatch", Exit::Integrity),
            ("path/no_write_permission", Exit::Auth),
            ("path/not_found", Exit::Source),
            ("path_lookup/not_found", Exit::Source),
            ("path/not_file", Exit::Source),
            ("from_lookup/not_found", Exit::Source),
            ("to/conflict/folder", Exit::Conflict),
            ("cant_move_folder_into_itself", Exit::Usage),
            ("duplicated_or_nested_paths", Exit::Usage),
            ("insufficient_quota", Exit::Space),
            ("too_many_files", Exit::Other),
            ("invalid_revision", Exit::Source),
            ("lookup_failed/not_found", Exit::Other),
            ("path/malformed_path", Exit::Usage),
            ("news", Exit::Other),
        ];
        for (tags, exit) in cases {
            assert_eq!(of_tags(tags), exit, "{tags}");
        }
        assert!(is_about_the_token(
            "The given OAuth 2 access token is malformed."
        ));
        assert!(!is_about_the_token("path: 'x' did not match pattern"));
    }

    #[test]
    fn a_full_disk_is_no_space() {
        assert_eq!(
            io::Error::from(io::ErrorKind::StorageFull).exit(),
            Exit::Space
        );
        assert_eq!(io::Error::from(io::ErrorKind::NotFound).exit(), Exit::Other);
    }

    #[test]
    fn a_message_is_one_line_whatever_is_in_it() {
        let fail = Fail::new(Exit::Other, "can't\nput", "a\u{1b}[31m b\r\n c");
        assert_eq!(fail.line(), "can't put: a?[31m b c");
    }
}
