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
}
