//! Bytes of requests, stored once and never changed.
//!
//! A blob is made, read and, when nothing refers to it any more, removed; it is never renamed
//! or written again, and no two writers share a name. Only the metadata knows what a blob is
//! for: a blob that no transaction refers to is garbage, whatever is in it.

mod checked;
mod checksums;
mod local;
mod memory;
#[cfg(test)]
mod suite;

pub use checked::{CheckedPieces, Problem, checked_piece};
pub use checksums::{CHECKED, Checksums};
pub use local::LocalBlobs;
pub use memory::MemoryBlobs;

use crate::meta::rows::{Blob, BlobId};
use crate::sys::Space;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use std::fmt::Debug;
use std::io;

/// Why bytes could not be stored or read.
#[derive(Clone, Debug, thiserror::Error)]
pub enum BlobError {
    /// No room.
    #[error("no space left for the bytes")]
    NoSpace,
    /// It is not there.
    #[error("the blob {0:?} is missing")]
    Missing(BlobId),
    /// The store failed.
    #[error("can't {doing}: {why}")]
    Failed {
        /// What was being done.
        doing: String,
        /// The reason.
        why: String,
    },
}

impl BlobError {
    /// A failure of the system while `doing` something.
    pub fn io(doing: impl Into<String>, error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::NoSpace,
            _ => Self::Failed {
                doing: doing.into(),
                why: error.to_string(),
            },
        }
    }
}

/// Bytes of one blob, at the most, that a store has taken and not yet written where
/// [`BlobStore::space`] sees them.
pub(crate) const UNWRITTEN: u64 = 4 * 1024 * 1024;

/// Where bytes are kept.
pub trait BlobStore: Debug + Send + Sync {
    /// Begins a blob.
    fn create(&self) -> BoxFuture<'_, Result<Box<dyn BlobWriter>, BlobError>>;

    /// A name for a blob that is kept in the metadata instead.
    fn name(&self) -> BlobId;

    /// Reads `length` bytes at `offset`, all of them. What was stored is not checked here.
    fn read(
        &self,
        id: &BlobId,
        offset: u64,
        length: usize,
    ) -> BoxFuture<'_, Result<Bytes, BlobError>>;

    /// The first part of the names that this store gives, under which it is known as a writer.
    fn writer(&self) -> String;

    /// Goes on under another name: the old one was fenced.
    fn rename_writer(&self);

    /// Removes a blob; one that isn't there is no error.
    fn remove(&self, id: &BlobId) -> BoxFuture<'_, Result<(), BlobError>>;

    /// All writers that ever made a blob here.
    fn writers(&self) -> BoxFuture<'_, Result<Vec<String>, BlobError>>;

    /// The blobs of a writer.
    fn list(&self, writer: &str) -> BoxFuture<'_, Result<Vec<BlobId>, BlobError>>;

    /// The room on the disk; `None`: there is no disk, or it doesn't say.
    fn space(&self) -> Option<Space>;
}

/// A blob that is being written. Dropped before [`Self::finish`], it leaves nothing behind;
/// a crash may leave garbage.
pub trait BlobWriter: Send {
    /// Takes the next bytes; waits while too many are on their way.
    fn write(&mut self, bytes: Bytes) -> BoxFuture<'_, Result<(), BlobError>>;

    /// Makes bytes and name survive power loss.
    fn finish(self: Box<Self>) -> BoxFuture<'static, Result<Blob, BlobError>>;
}
