//! Whether everything is as it should be: rows without bytes, bytes without rows, checksums.

use super::{SLICE, Upkeep};
use crate::blobs::{BlobError, CHECKED};
use crate::meta::rows::{Blob, BlobId, BlobPlace};
use crate::ops::Trouble;
use bytes::Bytes;

/// What a check found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// Blobs that were read and compared with their checksums.
    pub blobs: u64,
    /// Bytes in them.
    pub bytes: u64,
    /// Files that no row knows: garbage, which the collection removes once their writers are
    /// dead.
    pub strays: u64,
    /// What is wrong.
    pub problems: Vec<Problem>,
}

/// Something that should not be.
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

impl Upkeep {
    /// Reads every byte and compares it with what is known of it.
    ///
    /// # Errors
    /// The metadata's: then nothing can be said.
    pub async fn check(&self) -> Result<Checked, Trouble> {
        let mut checked = Checked::default();
        let mut after = BlobId(String::new());
        loop {
            let from = after.clone();
            let page = self
                .meta
                .read(move |loads| loads.blobs(&from, SLICE))
                .await?;
            let Some(last) = page.last() else {
                break;
            };
            after = last.id.clone();
            for blob in &page {
                checked.blobs += 1;
                checked.bytes += blob.length;
                // What was removed since the page was read is no problem.
                if let Err(problem) = self.check_blob(blob).await
                    && self.knows(&blob.id).await?
                {
                    checked.problems.push(problem);
                }
            }
        }
        for writer in self.blobs.writers().await? {
            for blob in self.blobs.list(&writer).await? {
                if !self.knows(&blob).await? {
                    checked.strays += 1;
                }
            }
        }
        Ok(checked)
    }

    async fn knows(&self, blob: &BlobId) -> Result<bool, Trouble> {
        let wanted = blob.clone();
        Ok(self
            .meta
            .read(move |loads| loads.knows_blob(&wanted))
            .await?)
    }

    async fn check_blob(&self, blob: &Blob) -> Result<(), Problem> {
        let pieces = blob.length.div_ceil(CHECKED as u64);
        if pieces != blob.checksums.len() as u64 {
            return Err(Problem::Damaged {
                blob: blob.id.clone(),
                nth: pieces,
            });
        }
        for (nth, wanted) in (0..).zip(&blob.checksums) {
            let first = nth * CHECKED as u64;
            let length = (blob.length - first).min(CHECKED as u64) as usize;
            let bytes = self.piece(blob, first, length).await?;
            if crc32c::crc32c(&bytes) != *wanted {
                return Err(Problem::Damaged {
                    blob: blob.id.clone(),
                    nth: nth + 1,
                });
            }
        }
        Ok(())
    }

    async fn piece(&self, blob: &Blob, first: u64, length: usize) -> Result<Bytes, Problem> {
        let id = &blob.id;
        let read = match &blob.place {
            BlobPlace::Inline(bytes) if bytes.len() as u64 != blob.length => {
                return Err(Problem::Damaged {
                    blob: id.clone(),
                    nth: 1,
                });
            }
            BlobPlace::Inline(bytes) => {
                let first = first as usize;
                return Ok(bytes.slice(first..first + length));
            }
            BlobPlace::Stored => self.blobs.read(id, first, length).await,
        };
        read.map_err(|error| match error {
            BlobError::Missing(blob) => Problem::Missing(blob),
            other => Problem::Unreadable {
                blob: id.clone(),
                why: other.to_string(),
            },
        })
    }
}
