//! `put` of one file, or of standard input.

use super::super::{is_not_found, metadata};
use super::{engine, journals, name_of};
use crate::cli::{IfExists, Put};
use crate::exit::{Context, Exit, Fail, Result, ToExit};
use crate::output::{self, Output, event, fields, file_fields, metadata_fields, path_of};
use crate::paths::{RemotePath, means_into};
use crate::progress::Progress;
use crate::remote::Remote;
use landfall::Client;
use landfall::transfer::{Before, Found, Outcome, Source, Upload, UploadFailure, hash_file};
use landfall_protocol::types::files::{CommitInfo, FileMetadata, Metadata};
use landfall_protocol::{ContentHash, Rev};
use serde_json::{Map, Value, json};
use std::path::Path;

/// What became of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    Uploaded,
    AlreadyThere,
    Skipped,
    WouldUpload,
}

impl Status {
    fn name(self) -> &'static str {
        match self {
            Self::Uploaded => "uploaded",
            Self::AlreadyThere => "already_there",
            Self::Skipped => "skipped",
            Self::WouldUpload => "would_upload",
        }
    }
}

pub(super) async fn run(args: &Put, src: &Path, remote: &Remote, out: Output) -> Result<()> {
    let client = remote.client();
    let from_stdin = src.as_os_str() == "-";
    let what = || format!("can't put {} at {}", shown(src), args.dest);
    if args.delete {
        let why = "--delete is about folders; put one with -r";
        return Err(Fail::new(Exit::Usage, what(), why));
    }
    let source = if from_stdin {
        Source::stream("standard input", tokio::io::stdin())
    } else {
        Source::open(src).map_err(|error| Fail::plain(&error))?
    };
    let (path, found) = target(client, args, src).await?;

    if let Some(found) = &found
        && let Some(status) = answer_without_sending(args, src, &source, found).await?
    {
        // An earlier run may have saved it without hearing of it.
        if let (Status::AlreadyThere, Ok(journals)) = (status, journals(remote)) {
            drop(journals.settle(src, &CommitInfo::new(path.to_write()?)));
        }
        return tell(out, status, path_of(found), metadata_fields(found));
    }

    let mut commit = CommitInfo::new(path.to_write()?);
    (commit.mode, commit.autorename) = args.policy().mode();
    commit.client_modified = match args.mtime {
        Some(time) => Some(time),
        None => source.modified().filter(|_| !args.no_mtime),
    };
    commit.mute = args.mute;
    if args.dry_run {
        let text = format!("{} (would be uploaded)", path.shown());
        let fields = fields(json!({
            "status": Status::WouldUpload.name(),
            "kind": "file",
            "path": path.shown(),
            "name": path.name(),
            "size": source.size(),
        }));
        return out.result(text, || event("put", fields));
    }

    output::if_interrupted(match from_stdin {
        true => "stopped; nothing was saved",
        false => "stopped; the same command goes on where it was",
    });
    let progress = Progress::of_transfer(path.shown(), args.transfer.pace.progress, out);
    let engine = engine(remote, &args.transfer, progress.for_tasks());
    let outcome = Upload::new(&engine, source, commit).run().await;
    progress.clear();
    match outcome {
        Outcome::Done(done) => {
            let file = done.metadata;
            let status = if found.as_ref().and_then(rev_of) == Some(&file.rev) {
                Status::AlreadyThere
            } else {
                Status::Uploaded
            };
            tell_file(out, status, &file)
        }
        // Somebody else was quicker, which is what `skip` is for.
        Outcome::Refused(failure)
            if args.if_exists == IfExists::Skip
                && args.if_rev.is_none()
                && failure.exit() == Exit::Conflict =>
        {
            match metadata(client, &path).await?.when(what)? {
                Metadata::File(file) => tell_file(out, Status::Skipped, &file),
                other => tell(
                    out,
                    Status::Skipped,
                    path_of(&other),
                    metadata_fields(&other),
                ),
            }
        }
        Outcome::Refused(UploadFailure::Source(error)) => Err(Fail::plain(&error)),
        Outcome::Refused(failure) if is_file_in_the_way(&failure) => {
            let why = format!("another file is there{}", way_out(args));
            Err(Fail::new(Exit::Conflict, what(), why))
        }
        Outcome::Refused(failure) => Err(failure).when(what),
        Outcome::Unknown(unknown) => Err(Fail::plain(&unknown)),
    }
}

/// The path to save at, and what is there now.
async fn target(client: &Client, args: &Put, src: &Path) -> Result<(RemotePath, Option<Metadata>)> {
    let what = || format!("can't put {} at {}", shown(src), args.dest);
    let dest = RemotePath::new(&args.dest);
    if !means_into(&args.dest) && !dest.is_root() {
        let found = look(client, &dest, what).await?;
        if !matches!(found, Some(Metadata::Folder(_))) {
            return Ok((dest, found));
        }
    }
    if src.as_os_str() == "-" {
        let why = "standard input has no name; give DEST one, such as /docs/a.txt";
        return Err(Fail::new(Exit::Usage, what(), why));
    }
    let path = dest.child(&name_of(src)?);
    let found = look(client, &path, what).await?;
    Ok((path, found))
}

async fn look(
    client: &Client,
    path: &RemotePath,
    what: impl FnOnce() -> String,
) -> Result<Option<Metadata>> {
    match metadata(client, path).await? {
        Ok(Metadata::Deleted(_)) => Ok(None),
        Ok(found) => Ok(Some(found)),
        Err(error) if is_not_found(&error) => Ok(None),
        Err(error) => Err(error).when(what),
    }
}

/// What there is to say before a byte is sent, given what is at the target.
async fn answer_without_sending(
    args: &Put,
    src: &Path,
    source: &Source,
    found: &Metadata,
) -> Result<Option<Status>> {
    let policy = args.policy();
    let decision = match policy.before(source.size(), Found::of(found)) {
        Before::Compare(hash) if hash_of(src).await? == hash => {
            return Ok(Some(Status::AlreadyThere));
        }
        Before::Compare(_) => policy.if_different(),
        decision => decision,
    };
    match decision {
        Before::Send | Before::Compare(_) => Ok(None),
        Before::Skip => Ok(Some(Status::Skipped)),
        Before::InTheWay(what) => {
            let way_out = match found {
                Metadata::Folder(_) => "; choose another name",
                _ => way_out(args),
            };
            Err(Fail::new(
                Exit::Conflict,
                format_args!("can't put {} at {}", shown(src), path_of(found)),
                format_args!("{what} is there{way_out}"),
            ))
        }
    }
}

async fn hash_of(src: &Path) -> Result<ContentHash> {
    let path = src.to_owned();
    let hashed = tokio::task::spawn_blocking(move || hash_file(&path)).await;
    let hashed = hashed.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
    let (_, hash) = hashed.map_err(|error| Fail::plain(&error))?;
    Ok(hash)
}

fn rev_of(found: &Metadata) -> Option<&Rev> {
    match found {
        Metadata::File(file) => Some(&file.rev),
        Metadata::Folder(_) | Metadata::Deleted(_) => None,
    }
}

/// What to do about a file in the way.
fn way_out(args: &Put) -> &'static str {
    if args.if_rev.is_some() {
        "; look at it, then give the rev that it has now"
    } else {
        "; use --if-exists overwrite, rename or skip, or another path"
    }
}

fn is_file_in_the_way(failure: &UploadFailure) -> bool {
    let UploadFailure::Finish(error) = failure else {
        return false;
    };
    error.summary() == Some("path/conflict/file")
}

/// SRC as messages name it.
fn shown(src: &Path) -> String {
    if src.as_os_str() == "-" {
        "standard input".to_owned()
    } else {
        src.display().to_string()
    }
}

fn tell_file(out: Output, status: Status, file: &FileMetadata) -> Result<()> {
    let path = file.path_display.as_deref().unwrap_or(&file.name);
    tell(out, status, path, file_fields(file))
}

fn tell(out: Output, status: Status, path: &str, described: Map<String, Value>) -> Result<()> {
    let text = match status {
        Status::Uploaded => path.to_owned(),
        Status::AlreadyThere => format!("{path} (already there)"),
        Status::Skipped => format!("{path} (skipped: it exists)"),
        Status::WouldUpload => format!("{path} (would be uploaded)"),
    };
    out.result(text, || put_event(status, described))
}

fn put_event(status: Status, described: Map<String, Value>) -> Value {
    let mut fields = Map::new();
    fields.insert("status".to_owned(), status.name().into());
    fields.extend(described);
    event("put", fields)
}

#[cfg(test)]
mod tests {
    use super::{Status, put_event};
    use crate::output::tests::{check, file, folder};
    use crate::output::{file_fields, folder_fields};
    #[test]
    fn events_are_as_the_schema_says() {
        for status in [Status::Uploaded, Status::AlreadyThere, Status::Skipped] {
            check(&put_event(status, file_fields(&file())));
        }
        check(&put_event(Status::Skipped, folder_fields(&folder())));
    }
}
