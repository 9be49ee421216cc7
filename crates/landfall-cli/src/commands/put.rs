//! `put`: uploads files and folders.

mod many;
mod one;

use crate::cli::{Put, Transfer};
use crate::exit::{Exit, Fail, Result};
use crate::output::Output;
use crate::remote::{LOCAL, Remote};
use crate::state;
use landfall::transfer::{Engine, Events, Journals, Settings};
use landfall_protocol::limits::HASH_BLOCK;
use std::path::{Path, PathBuf};

pub(crate) async fn run(args: &Put, remote: &Remote, out: Output) -> Result<()> {
    match &args.srcs[..] {
        [src] if !src.is_dir() => one::run(args, src, remote, out).await,
        srcs => {
            refuse_mistakes(args, srcs)?;
            many::run(args, srcs, remote, out).await
        }
    }
}

/// What can't be meant where there are folders or several files.
fn refuse_mistakes(args: &Put, srcs: &[PathBuf]) -> Result<()> {
    let what = |src: &Path| format!("can't put {}", src.display());
    for src in srcs {
        if src.as_os_str() == "-" {
            let why = "standard input is put alone; give it a command of its own";
            return Err(Fail::new(Exit::Usage, "can't put standard input", why));
        }
        if src.is_dir() && !args.recursive {
            let why = "it is a folder; use -r to put all that is in it";
            return Err(Fail::new(Exit::Source, what(src), why));
        }
    }
    if args.if_rev.is_some() {
        let why = "--if-rev is about one file";
        return Err(Fail::new(Exit::Usage, what(&srcs[0]), why));
    }
    if args.delete && !srcs.iter().any(|src| src.is_dir()) {
        let why = "--delete is about folders; put one with -r";
        return Err(Fail::new(Exit::Usage, what(&srcs[0]), why));
    }
    Ok(())
}

/// Bytes of content in memory where the server is in the same process, and needs some, too. Ours.
const WITH_A_SERVER: u64 = 16 * HASH_BLOCK;

/// Where unfinished uploads to this remote are written down.
pub(super) fn journals(remote: &Remote) -> Result<Journals> {
    Ok(Journals::new(
        state::directory()?.join("uploads"),
        remote.service(),
    ))
}

/// What carries transfers out.
pub(super) fn engine(
    remote: &Remote,
    transfer: &Transfer,
    events: impl Events + 'static,
) -> Engine {
    // Without a place for journals uploads work as well.
    let journals = journals(remote).ok();
    let memory = match remote.service() {
        LOCAL => WITH_A_SERVER,
        _ => Settings::default().memory,
    };
    let settings = transfer.settings(memory, journals);
    Engine::with_events(remote.client().clone(), settings, events)
}

/// A file's or folder's name, for the folder that it goes into.
fn name_of(src: &Path) -> Result<String> {
    let what = || format!("can't put {}", src.display());
    // `.` and `a/..` have names, too.
    let real = match src.file_name() {
        Some(_) => src.to_owned(),
        None => src.canonicalize().unwrap_or_else(|_| src.to_owned()),
    };
    let Some(name) = real.file_name() else {
        return Err(Fail::new(
            Exit::Source,
            what(),
            "it has no name; name what is in it",
        ));
    };
    match name.to_str() {
        Some(name) => Ok(name.to_owned()),
        None => {
            let why = "its name is not UTF-8, which the service needs; rename it";
            Err(Fail::new(Exit::Source, what(), why))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::name_of;
    use std::path::Path;

    #[test]
    fn a_source_goes_by_its_last_name() {
        assert_eq!(name_of(Path::new("a/b.txt")).unwrap(), "b.txt");
        assert_eq!(name_of(Path::new("a/b/")).unwrap(), "b");
        assert!(name_of(Path::new("/")).is_err());
        let here = std::env::current_dir().unwrap();
        assert_eq!(
            name_of(Path::new(".")).unwrap(),
            here.file_name().unwrap().to_str().unwrap()
        );
    }
}
