//! `get`: downloads a file.

use super::metadata;
use crate::cli::Get;
use crate::exit::{Context, Exit, Fail, Result, ToExit};
use crate::output::{Output, event, file_fields};
use crate::paths::RemotePath;
use crate::progress::Progress;
use landfall::Client;
use landfall::transfer::{Download, DownloadFailure, Downloaded, Engine, Settings};
use landfall_protocol::Timestamp;
use landfall_protocol::path::ReadPath;
use landfall_protocol::types::files::{FileMetadata, Metadata};
use serde_json::{Map, Value};
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Component, Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tempfile::NamedTempFile;
use tokio::io::AsyncWrite;

pub(crate) async fn run(args: &Get, client: &Client, out: Output) -> Result<()> {
    let path = RemotePath::new(&args.path);
    let what = || format!("can't get {}", path.shown());
    let read = path.to_read()?;
    if args.dest.as_os_str() == "-" {
        if out.is_json() {
            let why = "--json and the file can't both go to standard output; give DEST a name";
            return Err(Fail::new(Exit::Usage, what(), why));
        }
        let result = fetch(client, &path, read, &mut tokio::io::stdout()).await;
        return match result {
            Err(DownloadFailure::Sink(error)) if error.kind() == ErrorKind::BrokenPipe => {
                Err(Fail::silent(Exit::Ok))
            }
            result => result.map(drop).when(what),
        };
    }

    let file = match metadata(client, &path).await?.when(what)? {
        Metadata::File(file) => file,
        Metadata::Folder(_) | Metadata::Deleted(_) => {
            let why = "it is no file; name a file in it (`landfall ls` shows them)";
            return Err(Fail::new(Exit::Source, what(), why));
        }
    };
    let dest = destination(args, &file)?;
    let refuse = |exit, why: &str| {
        let what = format!("can't get {} as {}", path.shown(), dest.display());
        Err(Fail::new(exit, what, why))
    };
    match fs::symlink_metadata(&dest) {
        Err(_) => {}
        Ok(there) if there.is_dir() => {
            return refuse(Exit::Conflict, "a folder is there; choose another name");
        }
        Ok(there) if !there.is_file() && !there.is_symlink() => {
            return refuse(
                Exit::Conflict,
                "a device or pipe is there; use `-` and redirect",
            );
        }
        Ok(_) if args.force => {}
        Ok(_) => return refuse(Exit::Conflict, "it exists; use --force to replace it"),
    }

    let here = || format!("can't write {}", dest.display());
    let mut beside = temporary_beside(&dest).when(here)?;
    let handle = beside.as_file().try_clone().when(here)?;
    let mut sink = tokio::fs::File::from_std(handle);
    let done = fetch(client, &path, read, &mut sink)
        .await
        .map_err(|failure| match failure {
            DownloadFailure::Sink(error) => full_or(here(), &error),
            failure => Fail::new(failure.exit(), what(), failure),
        })?;
    drop(sink);
    set_modified(beside.as_file_mut(), done.metadata.client_modified).when(here)?;
    beside
        .as_file()
        .sync_all()
        .map_err(|error| full_or(here(), &error))?;
    let kept = if args.force {
        beside.persist(&dest)
    } else {
        beside.persist_noclobber(&dest)
    };
    if let Err(error) = kept {
        return match error.error.kind() {
            ErrorKind::AlreadyExists => refuse(
                Exit::Conflict,
                "it appeared meanwhile; use --force to replace it",
            ),
            _ => Err(error.error).when(here),
        };
    }
    sync_folder(&dest).when(here)?;
    let shown = dest.display().to_string();
    out.result(&shown, || get_event(&shown, &done.metadata))
}

async fn fetch<W: AsyncWrite + Unpin>(
    client: &Client,
    path: &RemotePath,
    read: ReadPath,
    sink: &mut W,
) -> std::result::Result<Downloaded, DownloadFailure> {
    let progress = Progress::new(path.shown());
    let engine = Engine::with_events(client.clone(), Settings::default(), progress.clone());
    let result = Download::new(&engine, read).run(sink).await;
    progress.clear();
    result
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
    // A service must not choose another folder than DEST.
    let mut parts = Path::new(&file.name).components();
    match (parts.next(), parts.next()) {
        (Some(Component::Normal(name)), None) => Ok(args.dest.join(name)),
        _ => {
            let what = format!("can't get {} into {}", args.path, args.dest.display());
            let why = "its name can't be one here; give DEST a name";
            Err(Fail::new(Exit::Source, what, why))
        }
    }
}

/// A file in the folder of `dest`, so that a rename can put it in place at once. It is removed
/// when it is dropped.
fn temporary_beside(dest: &Path) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".landfall-").suffix(".part");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // The umask takes away what the user doesn't want, as for any new file.
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    builder.tempfile_in(folder_of(dest))
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

fn set_modified(file: &mut File, modified: Timestamp) -> io::Result<()> {
    let seconds = modified.unix_seconds();
    let distance = Duration::from_secs(seconds.unsigned_abs());
    let time: Option<SystemTime> = if seconds < 0 {
        UNIX_EPOCH.checked_sub(distance)
    } else {
        UNIX_EPOCH.checked_add(distance)
    };
    time.map_or(Ok(()), |time| file.set_modified(time))
}

/// A rename survives power loss once its folder is on disk.
fn sync_folder(dest: &Path) -> io::Result<()> {
    if cfg!(unix) {
        File::open(folder_of(dest))?.sync_all()?;
    }
    Ok(())
}

fn get_event(dest: &str, file: &FileMetadata) -> Value {
    let mut fields = Map::new();
    fields.insert("dest".to_owned(), dest.into());
    fields.extend(file_fields(file));
    event("get", fields)
}

#[cfg(test)]
mod tests {
    use super::{destination, get_event};
    use crate::cli::Get;
    use crate::output::tests::{check, file};

    #[test]
    fn events_are_as_the_schema_says() {
        check(&get_event("a.txt", &file()));
    }

    #[test]
    fn a_service_can_not_choose_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let args = Get {
            path: "/x".to_owned(),
            dest: folder.path().to_owned(),
            force: false,
        };
        let mut there = file();
        assert_eq!(
            destination(&args, &there).unwrap(),
            folder.path().join("a.txt")
        );
        for name in ["..", "../a", "/etc/a", "a/b", ""] {
            there.name = name.to_owned();
            assert!(destination(&args, &there).is_err(), "{name}");
        }
    }
}
