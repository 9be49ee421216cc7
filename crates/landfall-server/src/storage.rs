//! Where a server keeps things: in memory, or in a directory.
//!
//! A data directory holds `metadata.sqlite` (with its log beside it) and `blobs/`.

use crate::blobs::{BlobStore, LocalBlobs, MemoryBlobs};
use crate::meta::{MemoryEngine, Meta, OpenError, SqliteEngine};
use crate::ops::Admin;
use crate::sys::{Fs, Point, Sys};
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
        let reached = |point| {
            let planned = sys.failpoints.hit(point);
            planned.map_err(|planned| directory(planned.into()))
        };
        create_all(&*sys.fs, dir).map_err(directory)?;
        reached(Point::OpenDirMade)?;
        if let Some(kind) = sys.fs.network(dir).map_err(directory)? {
            return Err(OpenError::Network {
                dir: dir.to_owned(),
                kind,
            });
        }
        sys.fs.create_dir(&blobs).map_err(directory)?;
        reached(Point::OpenBlobsMade)?;
        // Made before SQLite does, for its owner alone: the log files take the same mode.
        let metadata = dir.join("metadata.sqlite");
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

/// Makes a directory and those above it.
fn create_all(fs: &dyn Fs, dir: &Path) -> std::io::Result<()> {
    match dir.parent() {
        Some(parent) if !dir.is_dir() && !parent.as_os_str().is_empty() => create_all(fs, parent)?,
        _ => {}
    }
    fs.create_dir(dir)
}

#[cfg(test)]
mod tests {
    use super::{Storage, create_all};
    use crate::sys::{Fs, RealFs, Space};
    use bytes::Bytes;
    use std::fs::File;
    use std::io;
    use std::os::unix::fs::PermissionsExt;
    use std::path::{Path, PathBuf};
    use std::sync::Mutex;

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

    #[test]
    fn a_directory_that_a_crash_left_without_its_sync_gets_it_at_the_next_start() {
        for most in 0.. {
            let dir = tempfile::tempdir().unwrap();
            let srv = dir.path().join("srv");
            let data = srv.join("data");
            let first = Mortal::after(most);
            let died = create_all(&first, &data).is_err();
            let next = Mortal::after(usize::MAX);
            create_all(&next, &data).unwrap();
            let synced = [first, next].map(|fs| fs.syncs.into_inner().unwrap());
            for above in [dir.path(), &srv] {
                assert!(synced.concat().iter().any(|dir| dir == above), "{synced:?}");
            }
            if !died {
                assert!(most >= 2);
                break;
            }
        }
    }

    /// Notes the syncs of directories, until the process dies at one of them.
    #[derive(Debug)]
    struct Mortal {
        most: usize,
        syncs: Mutex<Vec<PathBuf>>,
    }

    impl Mortal {
        fn after(most: usize) -> Self {
            let syncs = Mutex::default();
            Self { most, syncs }
        }
    }

    impl Fs for Mortal {
        fn sync_dir(&self, dir: &Path) -> io::Result<()> {
            let mut syncs = self.syncs.lock().unwrap();
            if syncs.len() == self.most {
                return Err(io::Error::other("killed"));
            }
            syncs.push(dir.to_owned());
            Ok(())
        }

        fn make_dir(&self, dir: &Path) -> io::Result<()> {
            RealFs.make_dir(dir)
        }

        fn create_file(&self, path: &Path) -> io::Result<File> {
            RealFs.create_file(path)
        }

        fn append(&self, file: &File, pieces: &[Bytes]) -> io::Result<()> {
            RealFs.append(file, pieces)
        }

        fn begin_write_back(&self, file: &File, offset: u64, length: u64) {
            RealFs.begin_write_back(file, offset, length);
        }

        fn sync_file(&self, file: &File) -> io::Result<()> {
            RealFs.sync_file(file)
        }

        fn rewrite(&self, path: &Path) -> io::Result<()> {
            RealFs.rewrite(path)
        }

        fn open(&self, path: &Path) -> io::Result<File> {
            RealFs.open(path)
        }

        fn read_at(&self, file: &File, buffer: &mut [u8], offset: u64) -> io::Result<()> {
            RealFs.read_at(file, buffer, offset)
        }

        fn remove(&self, path: &Path) -> io::Result<()> {
            RealFs.remove(path)
        }

        fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
            RealFs.list(dir)
        }

        fn network(&self, dir: &Path) -> io::Result<Option<&'static str>> {
            RealFs.network(dir)
        }

        fn space(&self, dir: &Path) -> io::Result<Space> {
            RealFs.space(dir)
        }
    }
}
