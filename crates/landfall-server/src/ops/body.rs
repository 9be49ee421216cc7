//! Taking in the body of a request.

use super::{Service, Trouble};
use crate::blobs::Checksums;
use crate::meta::rows::{Blob, BlobPlace};
use bytes::{Bytes, BytesMut};
use futures_util::future::BoxFuture;
use landfall_protocol::{BodyHasher, ContentHash, ContentHasher, GivenHash};

/// Bytes up to which a body is stored in the metadata: below it, two syncs cost more than a
/// larger row. The figure is SQLite's sweet spot.
pub(super) const INLINE: usize = 64 * 1024;

/// Why a body could not be taken in.
#[derive(Clone, Debug, thiserror::Error)]
pub enum BodyError {
    /// More than [`limits::REQUEST_BODY`](landfall_protocol::limits::REQUEST_BODY).
    #[error("the request body is over 150 MiB")]
    TooLarge,
    /// Hardly anything came for a long time.
    #[error("the request body came too slowly")]
    TooSlow,
    /// The connection ended in the middle.
    #[error("the request body broke off: {0}")]
    Broken(String),
}

/// A body on its way in.
pub trait IncomingBody: Send {
    /// Bytes that will come, where the request says so.
    fn declared(&self) -> Option<u64>;

    /// The next bytes; `None`: that was all. Counts against the limit.
    fn next(&mut self) -> BoxFuture<'_, Result<Option<Bytes>, BodyError>>;
}

/// A body that was taken in and is durable, but that nothing refers to yet.
#[derive(Clone, Debug)]
pub(super) struct Received {
    /// Its bytes; `None`: it is empty.
    pub(super) blob: Option<Blob>,
    /// How many.
    pub(super) length: u64,
    /// The session's hasher after them.
    pub(super) hasher: ContentHasher,
    /// The hash of the body alone, if the request gave one.
    body_hash: Option<ContentHash>,
}

impl Received {
    /// Whether the body is the one that the request says it is.
    pub(super) fn matches(&self, given: Option<&GivenHash>) -> bool {
        match (given, &self.body_hash) {
            (Some(given), Some(hash)) => given.matches(hash),
            _ => true,
        }
    }
}

impl Service {
    /// Takes in a body that continues what `session` has hashed.
    pub(super) async fn receive(
        &self,
        body: &mut dyn IncomingBody,
        session: ContentHasher,
        given: Option<&GivenHash>,
    ) -> Result<Received, Trouble> {
        let before = session.length();
        let mut hasher = BodyHasher::new(session, given.is_some());
        let mut small = BytesMut::new();
        let mut large = None;
        while let Some(bytes) = body.next().await? {
            hasher.update(&bytes);
            match &mut large {
                None if small.len() + bytes.len() <= INLINE => small.extend_from_slice(&bytes),
                None => {
                    let mut writer = self.blobs.create().await?;
                    if !small.is_empty() {
                        writer.write(small.split().freeze()).await?;
                    }
                    writer.write(bytes).await?;
                    large = Some(writer);
                }
                Some(writer) => writer.write(bytes).await?,
            }
        }
        let blob = match large {
            Some(writer) => Some(writer.finish().await?),
            None if small.is_empty() => None,
            None => Some(self.inline(small.freeze())),
        };
        let body_hash = hasher.body_hash();
        let hasher = hasher.into_session();
        Ok(Received {
            blob,
            length: hasher.length() - before,
            hasher,
            body_hash,
        })
    }

    fn inline(&self, bytes: Bytes) -> Blob {
        let mut checksums = Checksums::default();
        checksums.update(&bytes);
        Blob {
            id: self.blobs.name(),
            length: checksums.length(),
            checksums: checksums.finish(),
            place: BlobPlace::Inline(bytes),
        }
    }
}
