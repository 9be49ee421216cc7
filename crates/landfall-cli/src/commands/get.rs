//! `get`: downloads a file, or a folder with all in it.

mod folder;
mod listing;
mod one;
mod part;
mod place;

use super::metadata;
use crate::cli::Get;
use crate::exit::{Context, Exit, Fail, Result, ToExit};
use crate::output::{Output, event, file_fields};
use crate::paths::RemotePath;
use crate::progress::Progress;
use landfall::Client;
use landfall::transfer::{Download, DownloadFailure, Engine};
use landfall_protocol::limits::HASH_BLOCK;
use landfall_protocol::types::files::{FileMetadata, Metadata};
use one::{One, blocking};
use part::Leftovers;
use serde_json::{Map, Value};
use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

pub(crate) async fn run(args: &Get, client: &Client, out: Output) -> Result<()> {
    let path = RemotePath::new(&args.path);
    let what = || format!("can't get {}", path.shown());
    if args.dest.as_os_str() == "-" {
        let why = match (args.recursive, out.is_json()) {
            (true, _) => "a folder can't go to standard output; give DEST a name",
            (_, true) => "--json and the file can't both go to standard output; give DEST a name",
            _ => return to_stdout(args, client, &path, out).await,
        };
        return Err(Fail::new(Exit::Usage, what(), why));
    }
    if args.recursive && path.is_root() {
        return Box::pin(folder::run(args, client, &path, None, out)).await;
    }
    match metadata(client, &path).await?.when(what)? {
        Metadata::File(file) => Box::pin(to_file(args, client, &path, file, out)).await,
        Metadata::Folder(folder) if args.recursive => {
            Box::pin(folder::run(args, client, &path, Some(&folder), out)).await
        }
        Metadata::Folder(_) => {
            let why = "it is a folder; say -r to get all in it";
            Err(Fail::new(Exit::Source, what(), why))
        }
        Metadata::Deleted(_) => {
            let why = "it is deleted; `landfall revs` shows what it was";
            Err(Fail::new(Exit::Source, what(), why))
        }
    }
}

/// Bytes in memory that wait to be written. Ours: a dozen requests of one block each, which is
/// enough to keep a line full, and leaves room for the server that the remote `local` has in here.
const MEMORY: u64 = 12 * HASH_BLOCK;

/// What a run downloads by.
fn engine(args: &Get, client: &Client, progress: Progress) -> Engine {
    Engine::with_events(client.clone(), args.pace.settings(MEMORY), progress)
}

async fn to_stdout(args: &Get, client: &Client, path: &RemotePath, out: Output) -> Result<()> {
    let progress = Progress::of_transfer(path.shown(), args.pace.progress, out);
    let download = Download::new(&engine(args, client, progress.for_tasks()), path.to_read()?);
    let result = download.run(&mut tokio::io::stdout()).await;
    progress.clear();
    match result {
        Err(DownloadFailure::Sink(error)) if error.kind() == ErrorKind::BrokenPipe => {
            Err(Fail::silent(Exit::Ok))
        }
        result => result
            .map(drop)
            .when(|| format!("can't get {}", path.shown())),
    }
}

async fn to_file(
    args: &Get,
    client: &Client,
    path: &RemotePath,
    file: FileMetadata,
    out: Output,
) -> Result<()> {
    let dest = destination(args, &file)?;
    let progress = Progress::of_transfer(path.shown(), args.pace.progress, out);
    let one = One {
        engine: engine(args, client, progress.for_tasks()),
        file,
        path: path.to_read()?,
        dest,
        force: args.force,
    };
    place::There::at(&one.dest)?.check(&one.what(), args.force)?;
    Leftovers::of(folder_of(&one.dest)).remove_others(&one.dest, &one.file.rev);
    let got = one.run().await;
    progress.clear();
    got?;
    let folder = folder_of(&one.dest).to_owned();
    let synced = blocking(move || sync_folder(&folder)).await;
    synced.when(|| format!("can't write {}", one.dest.display()))?;
    let shown = one.dest.display().to_string();
    out.result(&shown, || get_event(&shown, "downloaded", &one.file))
}

/// Where to write: DEST, or the file's name in it if it is a folder.
fn destination(args: &Get, file: &FileMetadata) -> Result<PathBuf> {
    let ends_as_folder = args.dest.as_os_str().to_string_lossy().ends_with('/');
    if !args.dest.is_dir() {
        if ends_as_folder {
            let what = format!("can't get {} into {}", args.path, args.dest.display());
            let why = "there is no such folder; make it first";
            return Err(Fail::new(Exit::Source, what, why));
        }
        if !folder_of(&args.dest).is_dir() {
            let what = format!("can't get {} as {}", args.path, args.dest.display());
            let why = "its folder is not there; make it first";
            return Err(Fail::new(Exit::Source, what, why));
        }
        return Ok(args.dest.clone());
    }
    match place::unfit(&file.name) {
        None => Ok(args.dest.join(&file.name)),
        Some(why) => {
            let what = format!("can't get {} into {}", args.path, args.dest.display());
            Err(Fail::new(Exit::Source, what, why).and("give DEST a name"))
        }
    }
}

fn folder_of(dest: &Path) -> &Path {
    match dest.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

fn full_or(what: String, error: &io::Error) -> Fail {
    match error.exit() {
        Exit::Space => {
            let why = "no space is left on this disk; make room and get it again";
            Fail::new(Exit::Space, what, why)
        }
        exit => Fail::new(exit, what, error),
    }
}

/// A rename survives power loss once its folder is on disk.
fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) {
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}

/// A file's path as the service shows it.
fn shown(file: &FileMetadata) -> &str {
    file.path_display.as_deref().unwrap_or(&file.name)
}

fn get_event(dest: &str, status: &str, file: &FileMetadata) -> Value {
    let mut fields = Map::new();
    fields.insert("dest".to_owned(), dest.into());
    fields.insert("status".to_owned(), status.into());
    fields.extend(file_fields(file));
    event("get", fields)
}

#[cfg(test)]
mod tests {
    use super::{destination, get_event};
    use crate::cli::{Cli, Command};
    use crate::output::tests::{check, file};
    use clap::Parser;

    #[test]
    fn events_are_as_the_schema_says() {
        for status in ["downloaded", "already_there"] {
            check(&get_event("a.txt", status, &file()));
        }
    }

    #[test]
    fn a_file_gets_its_name_in_a_folder_unless_that_can_not_be_one() {
        let folder = tempfile::tempdir().unwrap();
        let line = ["landfall", "get", "/x", folder.path().to_str().unwrap()];
        let Command::Get(args) = Cli::try_parse_from(line).unwrap().command else {
            panic!("it is a get");
        };
        let mut there = file();
        assert_eq!(
            destination(&args, &there).unwrap(),
            folder.path().join("a.txt")
        );
        there.name = "../a".to_owned();
        assert!(destination(&args, &there).is_err());
    }
}
