//! The arguments of `session`.

use clap::builder::FalseyValueParser;
use clap::{Args, Subcommand, ValueHint, value_parser};
use landfall_protocol::types::files::WriteMode;
use landfall_protocol::{ContentHash, Timestamp, limits};
use std::path::PathBuf;
use std::str::FromStr;

#[derive(Debug, Subcommand)]
#[command(before_help = "\
Example:
  id=$(landfall session start)
  landfall session append --session $id --offset 0 --data part1
  landfall session finish --session $id --offset $(stat -c %s part1) --path /whole

Many files in three requests:
  landfall session start-batch --count 2 | { read a; read b
    landfall session append-batch --close one.txt=$a@0 two.txt=$b@0
    landfall session finish-batch /1.txt=$a@$(stat -c %s one.txt) /2.txt=$b@$(stat -c %s two.txt); }")]
pub(crate) enum Session {
    /// Begin a session and print its id
    Start(Start),
    /// Begin several empty sessions and print their ids, a line each
    StartBatch(StartBatch),
    /// Add bytes to a session
    Append(Append),
    /// Add a file to each of several sessions in one request, and print the API's answer
    AppendBatch(AppendBatch),
    /// Save a session's bytes at a path and print the API's answer
    Finish(Finish),
    /// Save several closed sessions in one request, and print the API's answer
    FinishBatch(FinishBatch),
}

#[derive(Debug, Args)]
#[command(before_help = "\
Examples:
  landfall session start
  landfall session start --data part1
  landfall session start --concurrent         for pieces in any order")]
pub(crate) struct Start {
    #[command(flatten)]
    pub(crate) data: Data,
    /// No more bytes will come
    #[arg(long, env = "LANDFALL_CLOSE", value_parser = FalseyValueParser::new())]
    pub(crate) close: bool,
    /// The bytes may come in any order: whole blocks of 4 MiB, but for the closing piece
    #[arg(long, env = "LANDFALL_CONCURRENT", value_parser = FalseyValueParser::new())]
    pub(crate) concurrent: bool,
}

#[derive(Debug, Args)]
#[command(before_help = "\
Example:
  landfall session start-batch --count 100")]
pub(crate) struct StartBatch {
    /// How many, at most 1000
    #[arg(long, env = "LANDFALL_COUNT", value_name = "N",
        value_parser = value_parser!(u64).range(1..=limits::BATCH))]
    pub(crate) count: u64,
    /// The bytes may come in any order: whole blocks of 4 MiB, but for the closing piece
    #[arg(long, env = "LANDFALL_CONCURRENT", value_parser = FalseyValueParser::new())]
    pub(crate) concurrent: bool,
}

#[derive(Debug, Args)]
#[command(before_help = "\
Examples:
  landfall session append --session $id --offset 0 --data part1
  landfall session append --session $id --offset 1024 --data part2 --close")]
pub(crate) struct Append {
    #[command(flatten)]
    pub(crate) cursor: Cursor,
    #[command(flatten)]
    pub(crate) data: Data,
    /// No more bytes will come
    #[arg(long, env = "LANDFALL_CLOSE", value_parser = FalseyValueParser::new())]
    pub(crate) close: bool,
}

#[derive(Debug, Args)]
#[command(before_help = "\
Example:
  landfall session append-batch --close one.txt=$a@0 two.txt=$b@0")]
pub(crate) struct AppendBatch {
    /// The file to add, to which session, and the bytes uploaded to it so far; at most 1000
    #[arg(required = true, value_name = "FILE=SESSION@OFFSET")]
    pub(crate) parts: Vec<Entry>,
    /// No more bytes will come
    #[arg(long, env = "LANDFALL_CLOSE", value_parser = FalseyValueParser::new())]
    pub(crate) close: bool,
    #[command(flatten)]
    pub(crate) hash: Hash,
}

#[derive(Debug, Args)]
#[command(before_help = "\
Examples:
  landfall session finish --session $id --offset 1024 --path /docs/a.txt
  landfall session finish --session $id --offset 1024 --path /docs/a.txt --data rest
  landfall session finish --session $id --offset 0 --path /docs/empty --mode overwrite")]
pub(crate) struct Finish {
    #[command(flatten)]
    pub(crate) cursor: Cursor,
    /// Where to
    #[arg(long, env = "LANDFALL_PATH")]
    pub(crate) path: String,
    #[command(flatten)]
    pub(crate) how: How,
    #[command(flatten)]
    pub(crate) data: Data,
}

#[derive(Debug, Args)]
#[command(before_help = "\
Example:
  landfall session finish-batch /docs/1.txt=$a@1024 /docs/2.txt=$b@2048")]
pub(crate) struct FinishBatch {
    /// Where to, which session, and the bytes in it; at most 1000
    #[arg(required = true, value_name = "PATH=SESSION@OFFSET")]
    pub(crate) entries: Vec<Entry>,
    #[command(flatten)]
    pub(crate) how: How,
}

/// A session and how far it is.
#[derive(Debug, Args)]
pub(crate) struct Cursor {
    /// Session id from `session start`
    // An id may begin with a hyphen.
    #[arg(
        long,
        env = "LANDFALL_SESSION",
        value_name = "ID",
        allow_hyphen_values = true
    )]
    pub(crate) session: String,
    /// Bytes uploaded so far
    #[arg(long, env = "LANDFALL_OFFSET", value_name = "N")]
    pub(crate) offset: u64,
}

/// Bytes for a request.
#[derive(Debug, Args)]
pub(crate) struct Data {
    /// File with the bytes, at most 150 MiB; `-` for standard input
    #[arg(long, env = "LANDFALL_SESSION_DATA", value_name = "FILE",
        value_hint = ValueHint::FilePath)]
    pub(crate) data: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) hash: Hash,
}

#[derive(Debug, Args)]
pub(crate) struct Hash {
    /// Content hash that the service shall compare the request's bytes with [default: that of
    /// the bytes as they were read]
    #[arg(long, env = "LANDFALL_CONTENT_HASH", value_name = "HEX")]
    pub(crate) content_hash: Option<ContentHash>,
}

/// How a file is saved.
#[derive(Debug, Args)]
pub(crate) struct How {
    /// `add`, `overwrite`, `update:REV`, or one of them as the API's JSON
    #[arg(long, env = "LANDFALL_MODE", default_value = "add")]
    pub(crate) mode: WriteMode,
    /// On a conflict, save under another name
    #[arg(long, env = "LANDFALL_AUTORENAME", value_parser = FalseyValueParser::new())]
    pub(crate) autorename: bool,
    /// Raise no notification in the user's clients
    #[arg(long, env = "LANDFALL_MUTE", value_parser = FalseyValueParser::new())]
    pub(crate) mute: bool,
    /// The file's own time of change, such as 2026-01-02T03:04:05Z [default: now]
    #[arg(long, env = "LANDFALL_CLIENT_MODIFIED", value_name = "TIME")]
    pub(crate) client_modified: Option<Timestamp>,
    /// Let identical bytes and a deleted target count as conflicts too
    #[arg(long, env = "LANDFALL_STRICT_CONFLICT", value_parser = FalseyValueParser::new())]
    pub(crate) strict_conflict: bool,
}

/// `…=SESSION@OFFSET`, as the batches have it: a session's id may begin with a hyphen, so it
/// doesn't come first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// A file, or a path.
    pub(crate) what: String,
    pub(crate) session: String,
    pub(crate) offset: u64,
}

impl FromStr for Entry {
    type Err = &'static str;

    /// Session ids hold neither `=` nor `@`; what comes first may hold both.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts = || {
            let (what, rest) = text.rsplit_once('=')?;
            let (session, offset) = rest.split_once('@')?;
            let digits = offset.bytes().all(|byte| byte.is_ascii_digit());
            let offset = offset.parse().ok().filter(|_| digits)?;
            let whole = !session.is_empty() && !what.is_empty();
            whole.then(|| Self {
                what: what.to_owned(),
                session: session.to_owned(),
                offset,
            })
        };
        parts().ok_or("must be a file or path, `=`, a session, `@`, and the bytes in it")
    }
}

#[cfg(test)]
mod tests {
    use super::Entry;

    #[test]
    fn an_entry_is_a_file_or_path_a_session_and_an_offset() {
        let entry = |what: &str, session: &str, offset| {
            Ok(Entry {
                what: what.to_owned(),
                session: session.to_owned(),
                offset,
            })
        };
        assert_eq!("b=a@0".parse(), entry("b", "a", 0));
        assert_eq!(
            "/a@b=c=pid:1_-x@12".parse(),
            entry("/a@b=c", "pid:1_-x", 12)
        );
        assert_eq!("b=-a@1".parse(), entry("b", "-a", 1));
        for text in [
            "", "a", "b=a", "=a@0", "b=@0", "b=a@", "b=a@+1", "b=a@-1", "b=a@x", "b=a@0@1", "a@0",
        ] {
            assert!(text.parse::<Entry>().is_err(), "{text}");
        }
    }
}
