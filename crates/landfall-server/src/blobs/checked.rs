//! Reading a blob piece by piece, each compared with its checksum.

use super::{BlobError, BlobStore, CHECKED};
use crate::meta::rows::{Blob, BlobId, BlobPlace};
use bytes::Bytes;

/// What is wrong with a blob.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// A row without bytes.
    #[error("the bytes of blob {} are missing", .0.0)]
    Missing(BlobId),
    /// Bytes that are not those that were stored.
    #[error("blob {} is damaged in its {nth}. MiB", .blob.0)]
    Damaged {
        /// Where.
        blob: BlobId,
        /// Which MiB, counted from 1.
        nth: u64,
    },
    /// Bytes that can't be read.
    #[error("blob {} can't be read: {why}", .blob.0)]
    Unreadable {
        /// Which.
        blob: BlobId,
        /// Why.
        why: String,
    },
}

impl Problem {
    /// The blob that it is about.
    pub fn blob(&self) -> &BlobId {
        match self {
            Self::Missing(blob) | Self::Damaged { blob, .. } | Self::Unreadable { blob, .. } => {
                blob
            }
        }
    }
}

impl From<Problem> for BlobError {
    fn from(problem: Problem) -> Self {
        match problem {
            Problem::Missing(blob) => Self::Missing(blob),
            Problem::Damaged { .. } | Problem::Unreadable { .. } => Self::Failed {
                doing: format!("read {}", problem.blob().0),
                why: problem.to_string(),
            },
        }
    }
}

/// The piece of a blob under its checksum `nth`, counted from 0: a MiB, or the rest.
///
/// # Errors
/// What is wrong with it.
pub async fn checked_piece(
    store: &dyn BlobStore,
    blob: &Blob,
    nth: usize,
) -> Result<Bytes, Problem> {
    let damaged = || Problem::Damaged {
        blob: blob.id.clone(),
        nth: nth as u64 + 1,
    };
    let first = nth as u64 * CHECKED as u64;
    let left = blob.length.checked_sub(first).ok_or_else(damaged)?;
    let length = left.min(CHECKED as u64) as usize;
    let bytes = match &blob.place {
        BlobPlace::Inline(bytes) if bytes.len() as u64 != blob.length => return Err(damaged()),
        BlobPlace::Inline(bytes) => bytes.slice(first as usize..first as usize + length),
        BlobPlace::Stored => {
            let read = store.read(&blob.id, first, length).await;
            read.map_err(|error| match error {
                BlobError::Missing(blob) => Problem::Missing(blob),
                other => Problem::Unreadable {
                    blob: blob.id.clone(),
                    why: other.to_string(),
                },
            })?
        }
    };
    match blob.checksums.get(nth) {
        Some(wanted) if *wanted == crc32c::crc32c(&bytes) => Ok(bytes),
        _ => Err(damaged()),
    }
}

/// All pieces of a blob, one after the other.
#[derive(Debug)]
pub struct CheckedPieces<'b> {
    store: &'b dyn BlobStore,
    blob: &'b Blob,
    next: usize,
}

impl<'b> CheckedPieces<'b> {
    /// The pieces of this blob.
    pub fn of(store: &'b dyn BlobStore, blob: &'b Blob) -> Self {
        Self {
            store,
            blob,
            next: 0,
        }
    }

    /// Bytes in the next piece; `None`: that was all.
    pub fn coming(&self) -> Option<usize> {
        let begin = self.next as u64 * CHECKED as u64;
        let left = self.blob.length.saturating_sub(begin);
        // A checksum without bytes is looked at too, for it is wrong.
        let more = left > 0 || self.next < self.blob.checksums.len();
        more.then_some(left.min(CHECKED as u64) as usize)
    }

    /// The next piece; `None`: that was all.
    ///
    /// # Errors
    /// What is wrong with it.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Problem> {
        if self.coming().is_none() {
            return Ok(None);
        }
        let piece = checked_piece(self.store, self.blob, self.next).await?;
        self.next += 1;
        Ok(Some(piece))
    }
}
