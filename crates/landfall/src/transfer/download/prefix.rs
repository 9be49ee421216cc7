//! What is in the sink: always the first bytes of the file and nothing else, with their hash.

use super::DownloadFailure;
use landfall_protocol::ContentHasher;
use std::fs::File;
use std::io::{self, Read, Seek};
use tokio::io::{AsyncWrite, AsyncWriteExt};

/// Bytes that are hashed and written together: others get their turn after them.
const STEP: usize = 256 * 1024;

/// The first bytes of a file, in a sink.
pub(super) struct Prefix<'a, W> {
    sink: &'a mut W,
    hasher: ContentHasher,
}

impl<'a, W: AsyncWrite + Unpin> Prefix<'a, W> {
    /// The sink holds what the hasher has seen.
    pub(super) fn new(sink: &'a mut W, hasher: ContentHasher) -> Self {
        Self { sink, hasher }
    }

    /// Bytes in it.
    pub(super) fn length(&self) -> u64 {
        self.hasher.length()
    }

    pub(super) fn hasher(&self) -> &ContentHasher {
        &self.hasher
    }

    /// Adds the next bytes.
    pub(super) async fn add(&mut self, bytes: &[u8]) -> Result<(), DownloadFailure> {
        for step in bytes.chunks(STEP) {
            self.hasher.update(step);
            let written = self.sink.write_all(step).await;
            written.map_err(DownloadFailure::Sink)?;
        }
        Ok(())
    }

    pub(super) async fn flush(&mut self) -> Result<(), DownloadFailure> {
        self.sink.flush().await.map_err(DownloadFailure::Sink)
    }
}

/// Reads all that is in a file; afterwards it is written at its end.
pub(super) fn hash_of(file: &mut File) -> io::Result<ContentHasher> {
    let mut hasher = ContentHasher::new();
    let mut buffer = vec![0; 4 * STEP];
    file.rewind()?;
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(hasher),
            Ok(read) => hasher.update(&buffer[..read]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
