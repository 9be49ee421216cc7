//! Blobs in memory: for tests and `serve --ephemeral`.

use super::{BlobError, BlobStore, BlobWriter, Checksums};
use crate::meta::rows::{Blob, BlobId, BlobPlace};
use crate::sys::{Random, Space};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Blobs in memory; gone with the process.
#[derive(Debug)]
pub struct MemoryBlobs {
    random: Arc<dyn Random>,
    blobs: Arc<Blobs>,
}

/// The one writer.
const WRITER: &str = "memory";

type Blobs = Mutex<HashMap<BlobId, Vec<u8>>>;

impl MemoryBlobs {
    /// No blob.
    pub fn new(random: Arc<dyn Random>) -> Self {
        Self {
            random,
            blobs: Arc::default(),
        }
    }
}

impl BlobStore for MemoryBlobs {
    fn create(&self) -> BoxFuture<'_, Result<Box<dyn BlobWriter>, BlobError>> {
        let writer = MemoryWriter {
            id: self.name(),
            bytes: Vec::new(),
            checksums: Checksums::default(),
            blobs: Arc::clone(&self.blobs),
        };
        Box::pin(async { Ok(Box::new(writer) as Box<dyn BlobWriter>) })
    }

    fn name(&self) -> BlobId {
        BlobId(format!("{WRITER}/{}", self.random.name()))
    }

    fn read(
        &self,
        id: &BlobId,
        offset: u64,
        length: usize,
    ) -> BoxFuture<'_, Result<Bytes, BlobError>> {
        let id = id.clone();
        Box::pin(async move {
            let blobs = self.blobs.lock().unwrap_or_else(PoisonError::into_inner);
            let bytes = blobs
                .get(&id)
                .ok_or_else(|| BlobError::Missing(id.clone()))?;
            let offset = usize::try_from(offset).unwrap_or(usize::MAX);
            bytes
                .get(offset..offset.saturating_add(length))
                .map(Bytes::copy_from_slice)
                .ok_or_else(|| BlobError::Failed {
                    doing: format!("read {length} bytes at {offset} of {id:?}"),
                    why: format!("it has {} bytes", bytes.len()),
                })
        })
    }

    fn writer(&self) -> String {
        WRITER.into()
    }

    // In memory there is one process, and nobody to fence it.
    fn rename_writer(&self) {}

    fn remove(&self, id: &BlobId) -> BoxFuture<'_, Result<(), BlobError>> {
        let mut blobs = self.blobs.lock().unwrap_or_else(PoisonError::into_inner);
        blobs.remove(id);
        Box::pin(async { Ok(()) })
    }

    fn writers(&self) -> BoxFuture<'_, Result<Vec<String>, BlobError>> {
        Box::pin(async { Ok(vec![WRITER.into()]) })
    }

    fn list(&self, writer: &str) -> BoxFuture<'_, Result<Vec<BlobId>, BlobError>> {
        let blobs = self.blobs.lock().unwrap_or_else(PoisonError::into_inner);
        let names = blobs
            .keys()
            .filter(|id| id.writer() == writer)
            .cloned()
            .collect();
        Box::pin(async { Ok(names) })
    }

    fn space(&self) -> Option<Space> {
        None
    }
}

struct MemoryWriter {
    id: BlobId,
    bytes: Vec<u8>,
    checksums: Checksums,
    blobs: Arc<Blobs>,
}

impl BlobWriter for MemoryWriter {
    fn write(&mut self, bytes: Bytes) -> BoxFuture<'_, Result<(), BlobError>> {
        self.checksums.update(&bytes);
        self.bytes.extend_from_slice(&bytes);
        Box::pin(async { Ok(()) })
    }

    fn finish(self: Box<Self>) -> BoxFuture<'static, Result<Blob, BlobError>> {
        Box::pin(async move {
            let mut blobs = self.blobs.lock().unwrap_or_else(PoisonError::into_inner);
            blobs.insert(self.id.clone(), self.bytes);
            Ok(Blob {
                id: self.id,
                length: self.checksums.length(),
                checksums: self.checksums.finish(),
                place: BlobPlace::Stored,
            })
        })
    }
}
