//! A disk as small as a test wants it.

use bytes::Bytes;
use landfall_server::sys::{Fs, RealFs, Space};
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

/// The system's files, on a disk that says that it has so many bytes free. What is appended to
/// files takes of them; what is removed gives nothing back: a test says how much is free.
#[derive(Debug)]
pub struct SmallDisk {
    free: AtomicU64,
}

impl SmallDisk {
    /// A disk with so many bytes free.
    pub fn new(free: u64) -> Self {
        Self { free: free.into() }
    }

    /// From now on so many are free.
    pub fn set_free(&self, bytes: u64) {
        self.free.store(bytes, Ordering::SeqCst);
    }

    /// How many are.
    pub fn free(&self) -> u64 {
        self.free.load(Ordering::SeqCst)
    }
}

impl Fs for SmallDisk {
    fn append(&self, file: &File, pieces: &[Bytes]) -> io::Result<()> {
        let bytes = pieces.iter().map(|piece| piece.len() as u64).sum();
        let taken = self
            .free
            .try_update(Ordering::SeqCst, Ordering::SeqCst, |free| {
                free.checked_sub(bytes)
            });
        taken.map_err(|_| io::Error::from(io::ErrorKind::StorageFull))?;
        RealFs.append(file, pieces)
    }

    fn space(&self, _: &Path) -> io::Result<Space> {
        Ok(Space {
            free: self.free(),
            size: u64::MAX,
        })
    }

    fn make_dir(&self, dir: &Path) -> io::Result<()> {
        RealFs.make_dir(dir)
    }

    fn create_file(&self, path: &Path) -> io::Result<File> {
        RealFs.create_file(path)
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

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        RealFs.sync_dir(dir)
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
}
