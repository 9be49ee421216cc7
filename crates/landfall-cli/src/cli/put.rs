//! What `put` takes.

use super::transfer::Transfer;
use clap::builder::FalseyValueParser;
use clap::{Args, ValueEnum, ValueHint};
use landfall::transfer;
use landfall_protocol::{Rev, Timestamp};
use std::path::PathBuf;

#[derive(Debug, Args)]
#[command(
    before_help = "\
Examples:
  landfall put a.txt /docs/                     as /docs/a.txt
  landfall put a.txt /docs/b.txt --if-exists overwrite
  landfall put *.jpg /photos/                   each into /photos
  landfall put -r photos /backup/photos         what is in it, as what is in /backup/photos
  landfall put -r photos /backup/               the same: a final `/` means into
  landfall put -r photos /backup/photos --if-exists skip-same --delete
  pg_dump db | landfall put - /db.sql",
    after_help = "\
A large file that was interrupted goes on where it was: give the same command again. So does a
folder; what is there already is not sent again. `fail`, the default, is no error if the very same
bytes are there."
)]
pub(crate) struct Put {
    /// Files and, with -r, folders to upload; `-` for standard input
    #[arg(required = true, value_hint = ValueHint::AnyPath, value_name = "SRC")]
    pub(crate) srcs: Vec<PathBuf>,
    /// Where to. A final `/` means into; so does a folder that exists for a file, and any for
    /// several sources. What is in a folder becomes what is in DEST
    pub(crate) dest: String,
    /// Folders with everything below
    #[arg(short, long, env = "LANDFALL_PUT_RECURSIVE", value_parser = FalseyValueParser::new())]
    pub(crate) recursive: bool,
    /// Leave out what fits, as a line of .gitignore does: `*.tmp`, `/cache/`; may be given several
    /// times
    #[arg(long, env = "LANDFALL_EXCLUDE", value_name = "PATTERN")]
    pub(crate) exclude: Vec<String>,
    /// Let in only what fits; may be given several times
    #[arg(long, env = "LANDFALL_INCLUDE", value_name = "PATTERN")]
    pub(crate) include: Vec<String>,
    /// Upload what symlinks in folders lead to; else they are told and left out
    #[arg(short = 'L', long, env = "LANDFALL_FOLLOW_SYMLINKS", value_parser = FalseyValueParser::new())]
    pub(crate) follow_symlinks: bool,
    /// What to do about a file that is there
    #[arg(long, env = "LANDFALL_IF_EXISTS", value_enum, default_value_t = IfExists::Fail)]
    pub(crate) if_exists: IfExists,
    /// Overwrite only this revision, of one file; --if-exists doesn't count then
    #[arg(long, env = "LANDFALL_IF_REV", value_name = "REV")]
    pub(crate) if_rev: Option<Rev>,
    /// What to do about names that the service refuses, or takes for one
    #[arg(long, env = "LANDFALL_ON_BAD_NAME", value_enum, default_value_t = OnBadName::Fail)]
    pub(crate) on_bad_name: OnBadName,
    /// Delete what is in DEST and not in the folders, after all else went well
    #[arg(long, env = "LANDFALL_DELETE", value_parser = FalseyValueParser::new())]
    pub(crate) delete: bool,
    /// Refuse to begin if --delete would delete more files
    #[arg(
        long,
        env = "LANDFALL_MAX_DELETE",
        value_name = "FILES",
        default_value_t = 100
    )]
    pub(crate) max_delete: u64,
    /// Say what would be done, and do nothing
    #[arg(short = 'n', long, env = "LANDFALL_DRY_RUN", value_parser = FalseyValueParser::new())]
    pub(crate) dry_run: bool,
    /// Time of the last change to save with the files, such as 2026-01-02T03:04:05Z [default:
    /// that of each file]
    #[arg(long, env = "LANDFALL_MTIME", value_name = "TIME", value_parser = time, conflicts_with = "no_mtime")]
    pub(crate) mtime: Option<Timestamp>,
    /// Let the time of the upload be the time of the last change
    #[arg(long, env = "LANDFALL_NO_MTIME", value_parser = FalseyValueParser::new())]
    pub(crate) no_mtime: bool,
    /// Raise no notification in the user's clients
    #[arg(long, env = "LANDFALL_MUTE", value_parser = FalseyValueParser::new())]
    pub(crate) mute: bool,
    #[command(flatten)]
    pub(crate) transfer: Transfer,
}

/// What `put` does about a file that is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum IfExists {
    /// Fail, unless its bytes are the same
    Fail,
    /// Replace it; the service keeps the old revision
    Overwrite,
    /// Replace it unless its bytes are the same
    SkipSame,
    /// Upload under another name, and print it
    Rename,
    /// Leave it as it is
    Skip,
}

/// What `put` does about a name that the service doesn't take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum OnBadName {
    /// Begin with nothing
    Fail,
    /// Tell it and leave it out
    Skip,
}

impl Put {
    /// What to do about a file that is there.
    pub(crate) fn policy(&self) -> transfer::IfExists {
        match (&self.if_rev, self.if_exists) {
            (Some(rev), _) => transfer::IfExists::Revision(rev.clone()),
            (None, IfExists::Fail) => transfer::IfExists::Fail,
            (None, IfExists::Overwrite) => transfer::IfExists::Overwrite,
            (None, IfExists::SkipSame) => transfer::IfExists::SkipSame,
            (None, IfExists::Rename) => transfer::IfExists::Rename,
            (None, IfExists::Skip) => transfer::IfExists::Skip,
        }
    }
}

fn time(text: &str) -> Result<Timestamp, String> {
    let wrong = || "must be a time in UTC such as 2026-01-02T03:04:05Z".to_owned();
    text.parse().map_err(|_| wrong())
}
