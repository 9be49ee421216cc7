//! Reading stored bytes back, checked.

use super::{Service, Trouble};
use crate::blobs::{BlobError, BlobStore, CHECKED, checked_piece};
use crate::meta::Meta;
use crate::meta::rows::{Blob, ContentId, Extent, FileOffset};
use bytes::Bytes;
use std::collections::VecDeque;
use std::sync::Arc;

/// Pieces of a content that are looked up at once: a file of many small appends is read in
/// pages, and memory stays bounded.
const PAGE: usize = 64;

/// Reads a part of a content in order. Every byte is checked against the checksum that was
/// taken when it came.
#[derive(Debug)]
pub struct ContentReader {
    meta: Meta,
    blobs: Arc<dyn BlobStore>,
    content: ContentId,
    at: u64,
    end: u64,
    page: VecDeque<(Extent, Blob)>,
}

impl Service {
    /// Reads the bytes from `begin` to before `end`.
    pub(super) fn reader(&self, content: &ContentId, begin: u64, end: u64) -> ContentReader {
        ContentReader {
            meta: self.meta.clone(),
            blobs: Arc::clone(&self.blobs),
            content: content.clone(),
            at: begin,
            end,
            page: VecDeque::new(),
        }
    }
}

impl ContentReader {
    /// The next bytes, 1 MiB at the most; `None`: that was all.
    ///
    /// # Errors
    /// The stores', and damage: bytes that are missing or not what they were.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Trouble> {
        if self.at >= self.end {
            return Ok(None);
        }
        let (extent, blob) = self.piece().await?;
        let ends = extent.offset.0 + extent.length;
        let in_blob = extent.blob_offset.0 + (self.at - extent.offset.0);

        // Whole checked pieces are read, and what is wanted of them is cut out.
        let nth = (in_blob / CHECKED as u64) as usize;
        let bytes = checked_piece(&*self.blobs, &blob, nth)
            .await
            .map_err(BlobError::from)?;
        let skip = in_blob % CHECKED as u64;
        let take = (bytes.len() as u64 - skip).min(ends.min(self.end) - self.at);
        self.at += take;
        if self.at >= ends {
            self.page.pop_front();
        }
        Ok(Some(bytes.slice(skip as usize..(skip + take) as usize)))
    }

    /// The piece that the next byte is in.
    async fn piece(&mut self) -> Result<(Extent, Blob), Trouble> {
        if self.page.is_empty() {
            let (content, from) = (self.content.clone(), FileOffset(self.at));
            let page = self
                .meta
                .read(move |loads| loads.extents(&content, from, PAGE))
                .await?;
            self.page = page.into();
        }
        match self.page.front() {
            Some((extent, blob))
                if extent.offset.0 <= self.at
                    && extent.blob_offset.0 + extent.length <= blob.length =>
            {
                Ok((extent.clone(), blob.clone()))
            }
            _ => Err(crate::meta::MetaError::Damaged(format!(
                "content {} has no byte {}",
                self.content.0, self.at
            ))
            .into()),
        }
    }
}
