//! Copies of data directories: backups, made while servers use the directory, and restoring
//! them.
//!
//! A backup is laid out like a data directory, and has the digest of its metadata too. The
//! metadata knows each blob and its checksums, so the digest vouches for all of it.
//!
//! * First the files are *held* (see `upkeep/hold.rs`), then the metadata is copied as of one
//!   moment, then each blob that the copy knows. What was acknowledged before the backup began
//!   is in that moment; what it refers to stays until the backup has ended.
//! * Blobs are copied and never linked: a link would share the damage of the disk.
//! * A directory that is being filled is marked first and unmarked last, with syncs between.
//!   Whatever interrupts it, nobody takes it for a whole one.

mod blobs;
mod metadata;
mod target;

use crate::blobs::{BlobError, LocalBlobs, Problem};
use crate::directory::{BLOBS, DIGEST, INCOMPLETE, METADATA};
use crate::meta::{MetaError, OpenError};
use crate::storage::Storage;
use crate::sys::Sys;
use std::io;
use std::path::{Path, PathBuf};
use target::Target;

/// What was copied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Copied {
    /// Blobs, those in the metadata too.
    pub blobs: u64,
    /// Bytes in them.
    pub bytes: u64,
}

/// Why there is no whole copy. What was begun stays marked as incomplete.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The data directory.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// Nothing is overwritten.
    #[error("{dir} is not empty: name a directory that is empty or not there", dir = .0.display())]
    NotEmpty(PathBuf),
    /// There is nothing to restore.
    #[error("{dir} is no backup: it lacks {METADATA} or {DIGEST}", dir = .0.display())]
    NoBackup(PathBuf),
    /// A backup that never ended.
    #[error("the backup {dir} is not whole: it was interrupted; restore another one", dir = .0.display())]
    Interrupted(PathBuf),
    /// The metadata isn't what was backed up.
    #[error(
        "{METADATA} in {dir} is damaged: it is not what {DIGEST} says; restore another backup",
        dir = .0.display()
    )]
    Digest(PathBuf),
    /// Blobs are missing or damaged where they were copied from; all others were copied.
    #[error("{count} blobs are missing or damaged; the others were copied", count = .0.len())]
    NotWhole(Vec<Problem>),
    /// The collection may have removed files that belong to the backup.
    #[error(
        "this process stood still for so long that the collection went on without it: begin anew"
    )]
    LetGo,
    /// A file or directory.
    #[error("can't {doing}: {source}")]
    Io {
        /// What was being done.
        doing: String,
        /// The system's reason.
        source: io::Error,
    },
    /// Writing a blob.
    #[error(transparent)]
    Blob(#[from] BlobError),
    /// The metadata.
    #[error(transparent)]
    Meta(#[from] MetaError),
}

impl BackupError {
    fn io(doing: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let doing = doing.into();
        move |source| Self::Io { doing, source }
    }

    /// Whether the disk that was written to is full.
    pub fn is_no_space(&self) -> bool {
        match self {
            Self::Blob(error) => matches!(error, BlobError::NoSpace),
            Self::Meta(error) => matches!(error, MetaError::NoSpace),
            Self::Open(OpenError::Sqlite { source, .. }) => {
                source.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull)
            }
            Self::Io { source, .. } => matches!(
                source.kind(),
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
            ),
            _ => false,
        }
    }
}

/// Copies a data directory, which servers may be using, into a directory that is empty or not
/// there.
///
/// # Errors
/// See [`BackupError`].
pub async fn back_up(data: &Path, to: &Path, sys: Sys) -> Result<Copied, BackupError> {
    let storage = Storage::open_existing_with(data, sys.clone())?;
    let target = Target::begin(to, &sys)?;
    let copying = async {
        metadata::copy_live(&data.join(METADATA), &target).await?;
        let from = LocalBlobs::new(sys.clone(), data.join(BLOBS));
        blobs::copy_all(from, &target).await
    };
    let held = storage.upkeep().hold_files().await?;
    let copied = held.during(copying).await?.ok_or(BackupError::LetGo)??;
    target.end()?;
    Ok(copied)
}

/// Copies a backup into a directory that is empty or not there, and reads every byte of it
/// against its checksum.
///
/// # Errors
/// See [`BackupError`].
pub async fn restore(backup: &Path, data: &Path, sys: Sys) -> Result<Copied, BackupError> {
    let names = match sys.fs.list(backup) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        listed => listed.map_err(BackupError::io(format!("list {}", backup.display())))?,
    };
    let has = |name| names.iter().any(|one| one == name);
    if has(INCOMPLETE) {
        return Err(BackupError::Interrupted(backup.to_owned()));
    }
    if !has(METADATA) || !has(DIGEST) {
        return Err(BackupError::NoBackup(backup.to_owned()));
    }
    let target = Target::begin(data, &sys)?;
    metadata::copy_checked(backup, &target).await?;
    // Refuses what this program doesn't understand, and brings up to date what is older.
    let storage = Storage::open_unmarked(data, sys.clone())?;
    let from = LocalBlobs::new(sys, backup.join(BLOBS));
    let copied = blobs::copy_all(from, &target).await?;
    drop(storage);
    target.end()?;
    Ok(copied)
}
