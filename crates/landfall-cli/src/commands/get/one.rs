//! One file, from the service to its place here.

use super::part::Part;
use super::{full_or, place, shown};
use crate::exit::{Exit, Fail, Result, ToExit};
use crate::human::size;
use landfall::transfer::{Download, DownloadFailure, Engine};
use landfall_protocol::path::ReadPath;
use landfall_protocol::types::files::FileMetadata;
use std::path::PathBuf;
use tokio::task::spawn_blocking;

/// A file to get.
pub(super) struct One {
    pub(super) engine: Engine,
    /// The file as the service described it.
    pub(super) file: FileMetadata,
    /// What it is asked for by.
    pub(super) path: ReadPath,
    pub(super) dest: PathBuf,
    /// Whether a file at the place is replaced.
    pub(super) force: bool,
}

impl One {
    /// Gets it. Its folder is not synced yet.
    pub(super) async fn run(&self) -> Result<()> {
        let (dest, rev) = (self.dest.clone(), self.file.rev.clone());
        let part = blocking(move || Part::open(&dest, &rev)).await?;
        let here = |error: &_| full_or(format!("can't write {}", self.dest.display()), error);
        let file = part.file().map_err(|error| here(&error))?;
        let download = Download::new(&self.engine, self.path.clone()).known(self.file.clone());
        let done = match download.resume_from(file).await {
            Ok(done) => done,
            Err(failure) => return Err(self.failed(failure, part)),
        };
        let modified = done.metadata.client_modified;
        let force = self.force;
        let placed = blocking(move || part.put_in_place(modified, force)).await;
        placed.map_err(|error| match error.kind() {
            std::io::ErrorKind::AlreadyExists => {
                let why = "it appeared meanwhile; use --force to replace it";
                Fail::new(Exit::Conflict, self.what(), why)
            }
            _ => here(&error),
        })
    }

    /// As messages about its place name it.
    pub(super) fn what(&self) -> String {
        format!("can't get {} as {}", shown(&self.file), self.dest.display())
    }

    /// Whether the same bytes are at the place; if something else is, which stays, a failure.
    pub(super) async fn is_there(&self) -> Result<bool> {
        let there = place::There::at(&self.dest)?;
        if there == place::There::File {
            let (dest, file) = (self.dest.clone(), self.file.clone());
            if blocking(move || place::is_same(&dest, &file)).await {
                return Ok(true);
            }
        }
        there.check(&self.what(), self.force).map(|()| false)
    }

    /// Says why it failed, and what the next run goes on with.
    fn failed(&self, failure: DownloadFailure, part: Part) -> Fail {
        let what = format!("can't get {}", shown(&self.file));
        match failure {
            // What came is of no use: the next run starts anew.
            DownloadFailure::Changed { .. } | DownloadFailure::Integrity { .. } => {
                part.discard();
                Fail::new(failure.exit(), what, failure)
            }
            failure => {
                let fail = match &failure {
                    DownloadFailure::Sink(error) | DownloadFailure::Part(error) => {
                        full_or(format!("can't write {}", self.dest.display()), error)
                    }
                    failure => Fail::new(failure.exit(), what, failure.why()),
                };
                match part.length() {
                    0 => fail,
                    kept => {
                        let kept = size(kept);
                        fail.and(format_args!(
                            "{kept} are kept for the same command to go on with"
                        ))
                    }
                }
            }
        }
    }
}

/// Runs what waits for the disk, on a thread that may wait.
pub(super) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let done = spawn_blocking(work).await;
    done.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
}
