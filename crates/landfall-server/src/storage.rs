//! Where a server keeps things: in memory, or in a directory.
//!
//! A data directory holds `metadata.sqlite` (with its log beside it) and `blobs/`.

use crate::blobs::{BlobStore, LocalBlobs, MemoryBlobs};
use crate::directory::{BLOBS, DIGEST, INCOMPLETE, METADATA, create_all};
use crate::meta::{MemoryEngine, Meta, OpenError, SqliteEngine};
use crate::ops::Admin;
use crate::sys::{Point, Sys};
use crate::upkeep::Upkeep;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

/// The stores of a server. Clones share them; several processes may open one directory.
#[derive(Clone, Debug)]
pub struct Storage {
    pub(crate) meta: Meta,
    pub(crate) blobs: Arc<dyn BlobStore>,
    pub(crate) sys: Sys,
}

impl Storage {
    /// The world that it was opened in.
    pub fn sys(&self) -> &Sys {
        &self.sys
    }

    /// In memory: gone with the process, and no larger than the memory.
    pub fn memory() -> Self {
        Self::memory_with(Sys::real())
    }

    /// In memory, in a world that the caller controls.
    pub fn memory_with(sys: Sys) -> Self {
        Self {
            meta: Meta::new(MemoryEngine::new()),
            blobs: Arc::new(MemoryBlobs::new(Arc::clone(&sys.random))),
            sys,
        }
    }

    /// In a directory, which is made (0700) if it isn't there, with the folders above it.
    ///
    /// # Errors
    /// The directory or the metadata in it can't be used.
    pub fn open(dir: &Path) -> Result<Self, OpenError> {
        Self::open_with(dir, Sys::real())
    }

    /// In a directory, in a world that the caller controls.
    ///
    /// # Errors
    /// The directory or the metadata in it can't be used.
    pub fn open_with(dir: &Path, sys: Sys) -> Result<Self, OpenError> {
        let directory = |error| not_usable(dir, error);
        create_all(&*sys.fs, dir).map_err(directory)?;
        let reached = sys.failpoints.hit(Point::OpenDirMade);
        reached.map_err(|planned| directory(planned.into()))?;
        refuse_copies(dir, &sys)?;
        Self::open_unmarked(dir, sys)
    }

    /// In a directory that is a data directory already.
    ///
    /// # Errors
    /// There is none, or it or the metadata in it can't be used.
    pub fn open_existing_with(dir: &Path, sys: Sys) -> Result<Self, OpenError> {
        if !dir.is_dir() || !names(dir, &sys)?.iter().any(|name| name == METADATA) {
            return Err(OpenError::Missing(dir.to_owned()));
        }
        Self::open_with(dir, sys)
    }

    /// In a directory that exists, marked as incomplete or not.
    pub(crate) fn open_unmarked(dir: &Path, sys: Sys) -> Result<Self, OpenError> {
        let directory = |error| not_usable(dir, error);
        let reached = |point| {
            let planned = sys.failpoints.hit(point);
            planned.map_err(|planned| directory(planned.into()))
        };
        if let Some(kind) = sys.fs.network(dir).map_err(directory)? {
            return Err(OpenError::Network {
                dir: dir.to_owned(),
                kind,
            });
        }
        let blobs = dir.join(BLOBS);
        sys.fs.create_dir(&blobs).map_err(directory)?;
        reached(Point::OpenBlobsMade)?;
        // Made before SQLite does, for its owner alone: the log files take the same mode.
        let metadata = dir.join(METADATA);
        match sys.fs.create_file(&metadata) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(directory(error)),
            _ => {}
        }
        reached(Point::OpenFileMade)?;
        let engine = SqliteEngine::open(&metadata, &sys)?;
        reached(Point::OpenCommitted)?;
        // The name of a file that was just made is as perishable as any.
        sys.fs.sync_dir(dir).map_err(directory)?;
        reached(Point::OpenSynced)?;
        Ok(Self {
            meta: Meta::new(engine),
            blobs: Arc::new(LocalBlobs::new(sys.clone(), blobs)),
            sys,
        })
    }

    /// The upkeep of these stores: expiry, collection, check.
    pub fn upkeep(&self) -> Upkeep {
        Upkeep::new(self.meta.clone(), Arc::clone(&self.blobs), self.sys.clone())
    }

    /// What an operator does with these stores, beside a running server or without one.
    pub fn admin(&self) -> Admin {
        Admin::new(self.meta.clone(), self.sys.clone())
    }
}

/// Refuses what a backup or a restore has not finished, and backups, which would change.
fn refuse_copies(dir: &Path, sys: &Sys) -> Result<(), OpenError> {
    let names = names(dir, sys)?;
    let has = |name| names.iter().any(|one| one == name);
    if has(INCOMPLETE) {
        return Err(OpenError::Incomplete(dir.to_owned()));
    }
    if has(DIGEST) {
        return Err(OpenError::Backup(dir.to_owned()));
    }
    Ok(())
}

fn names(dir: &Path, sys: &Sys) -> Result<Vec<String>, OpenError> {
    let names = sys.fs.list(dir);
    names.map_err(|error| not_usable(dir, error))
}

fn not_usable(dir: &Path, source: std::io::Error) -> OpenError {
    OpenError::Directory {
        dir: dir.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::Storage;
    use std::os::unix::fs::PermissionsExt;

    #[tokio::test]
    async fn nobody_else_can_read_what_is_in_a_directory_that_was_open_to_all() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o755)).unwrap();
        let storage = Storage::open(dir.path()).unwrap();
        storage.admin().add_account("panda", None).await.unwrap();
        let mut entries = 0;
        for entry in std::fs::read_dir(dir.path()).unwrap() {
            let entry = entry.unwrap();
            let mode = entry.metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o077, 0, "{entry:?}");
            entries += 1;
        }
        assert!(entries >= 3, "metadata, its log, blobs");
    }
}
