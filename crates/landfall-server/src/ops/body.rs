//! Taking in the body of a request.

use super::{Service, Trouble};
use crate::blobs::Checksums;
use crate::meta::rows::{Blob, BlobId, BlobPlace, Writer};
use crate::meta::{Effect, MetaError, Operation, Unconditional};
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
    /// The blob that was written for it, if it isn't one of the metadata's own.
    pub(super) fn stored(&self) -> Option<BlobId> {
        let blob = self.blob.as_ref()?;
        (blob.place == BlobPlace::Stored).then(|| blob.id.clone())
    }

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
                    self.register_writer().await?;
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

    /// Makes this process known as a writer, before its first blob.
    async fn register_writer(&self) -> Result<(), Trouble> {
        let mut registered = self.registered.lock().await;
        let id = self.blobs.writer();
        if registered.as_ref() != Some(&id) {
            let heartbeat = self.sys.clock.now();
            let writer = Writer {
                id: id.clone(),
                heartbeat,
                fenced: false,
            };
            let register = Unconditional(vec![Effect::PutWriter(writer)]);
            self.meta.transact(register).await?;
            *registered = Some(id);
        }
        Ok(())
    }

    /// Runs the operation that decides about a body. If nothing refers to the body afterwards,
    /// it goes.
    pub(super) async fn settle<O: Operation>(
        &self,
        body: Option<BlobId>,
        operation: O,
    ) -> Result<O::Answer, MetaError> {
        let outcome = self.meta.transact(operation).await;
        match &outcome {
            // It may be there, or come to be there.
            Err(MetaError::Unknown(_)) => return outcome,
            Err(MetaError::Fenced) => self.blobs.rename_writer(),
            _ => {}
        }
        self.discard(body).await;
        outcome
    }

    /// Removes a body that nothing refers to. If that fails, it is garbage for the collection.
    pub(super) async fn discard(&self, body: Option<BlobId>) {
        let Some(id) = body else {
            return;
        };
        let wanted = id.clone();
        if let Ok(false) = self.meta.read(move |loads| loads.knows_blob(&wanted)).await {
            let _ = self.blobs.remove(&id).await;
        }
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
