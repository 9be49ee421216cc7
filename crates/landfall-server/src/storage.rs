//! Where a server keeps things: in memory, or in a directory.
//!
//! A data directory holds `metadata.sqlite` (with its log beside it) and `blobs/`.

use crate::blobs::{BlobStore, LocalBlobs, MemoryBlobs};
use crate::meta::{MemoryEngine, Meta, OpenError, SqliteEngine};
use crate::ops::Admin;
use crate::sys::{Fs, Sys};
use crate::upkeep::Upkeep;
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
        let blobs = dir.join("blobs");
        let directory = |source| OpenError::Directory {
            dir: dir.to_owned(),
            source,
        };
        create_all(&*sys.fs, dir).map_err(directory)?;
        if let Some(kind) = sys.fs.network(dir).map_err(directory)? {
            return Err(OpenError::Network {
                dir: dir.to_owned(),
                kind,
            });
        }
        sys.fs.create_dir(&blobs).map_err(directory)?;
        let engine = SqliteEngine::open(&dir.join("metadata.sqlite"))?;
        // The name of a file that was just made is as perishable as any.
        sys.fs.sync_dir(dir).map_err(directory)?;
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

/// Makes a directory and those above it.
fn create_all(fs: &dyn Fs, dir: &Path) -> std::io::Result<()> {
    if dir.is_dir() {
        return Ok(());
    }
    match dir.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => create_all(fs, parent)?,
        _ => {}
    }
    fs.create_dir(dir)
}
