//! Taking in the body of a request.

use super::quota::Allowance;
use super::{Service, Trouble};
use crate::blobs::Checksums;
use crate::meta::rows::{Blob, BlobId, BlobPlace, Writer};
use crate::meta::{Decision, Effect, Loads, MetaError, Operation, Unconditional};
use bytes::{Bytes, BytesMut};
use futures_util::future::BoxFuture;
use landfall_protocol::{BodyHasher, ContentHash, GivenHash};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::task::JoinError;

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

/// Looks at the bytes of a body while they come.
pub(super) trait Look: Send {
    /// The next bytes; hands on what is to be kept of them.
    fn look(&mut self, bytes: Bytes, kept: &mut Vec<Bytes>);
}

impl Look for BodyHasher {
    fn look(&mut self, bytes: Bytes, kept: &mut Vec<Bytes>) {
        self.update(&bytes);
        kept.push(bytes);
    }
}

/// A body that was taken in and is durable, but that nothing refers to yet.
#[derive(Clone, Debug, Default)]
pub(super) struct Received {
    /// What is kept of it; `None`: nothing.
    pub(super) blob: Option<Blob>,
    /// How many bytes came.
    pub(super) length: u64,
}

impl Received {
    /// The blob that was written for it, if it isn't one of the metadata's own.
    pub(super) fn stored(&self) -> Option<BlobId> {
        let blob = self.blob.as_ref()?;
        (blob.place == BlobPlace::Stored).then(|| blob.id.clone())
    }
}

/// Whether a body with this hash is the one that the request says it is. Where the request says
/// nothing, no hash is needed.
pub(super) fn is_as_given(given: Option<&GivenHash>, hash: Option<ContentHash>) -> bool {
    match (given, hash) {
        (Some(given), Some(hash)) => given.matches(&hash),
        _ => true,
    }
}

impl Service {
    /// Takes in a body for which there is room, or as much of it as `look` wants to keep. Where
    /// the request doesn't say how many bytes will come, it is given up when there are too many.
    pub(super) async fn receive(
        &self,
        body: &mut dyn IncomingBody,
        look: &mut dyn Look,
        allowance: Allowance,
    ) -> Result<Received, Trouble> {
        allowance.allows(body.declared().unwrap_or(0))?;
        let mut length = 0;
        let mut kept = Vec::new();
        let mut small = BytesMut::new();
        let mut large = None;
        // An empty body takes no room, and must not need any: a full disk is emptied by calls.
        let declared = body.declared().filter(|&bytes| bytes > 0);
        let mut claim = declared.map(|_| self.room.claim(declared)).transpose()?;
        while let Some(bytes) = body.next().await? {
            let claim = match &mut claim {
                Some(claim) => claim,
                None => claim.insert(self.room.claim(None)?),
            };
            claim.receive(bytes.len())?;
            length += bytes.len() as u64;
            allowance.allows(length)?;
            look.look(bytes, &mut kept);
            for bytes in kept.drain(..) {
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
        }
        let blob = match large {
            Some(writer) => Some(writer.finish().await?),
            None if small.is_empty() => None,
            None => Some(self.inline(small.freeze())),
        };
        Ok(Received { blob, length })
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
        // On a task of its own: a client that hangs up ends its request, but not this.
        let service = self.clone();
        let settled = tokio::spawn(async move { service.decide(body, operation).await });
        let failed = |error: JoinError| Err(MetaError::Unknown(error.to_string()));
        settled.await.unwrap_or_else(failed)
    }

    async fn decide<O: Operation>(
        &self,
        body: Option<BlobId>,
        operation: O,
    ) -> Result<O::Answer, MetaError> {
        let kept = Arc::new(AtomicBool::new(false));
        let settles = Settles {
            operation,
            kept: Arc::clone(&kept),
        };
        let outcome = self.meta.transact(settles).await;
        match &outcome {
            // Known without another look at the metadata.
            Ok(_) if kept.load(Ordering::Relaxed) => return outcome,
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
        let known = self.meta.read(move |loads| loads.knows_blob(&wanted)).await;
        let gone = match known {
            Ok(true) => Ok(()),
            Ok(false) => self.blobs.remove(&id).await.map_err(Trouble::from),
            Err(error) => Err(error.into()),
        };
        if let Err(trouble) = gone {
            tracing::warn!(blob = id.0, %trouble, "if nothing refers to it, the collection removes it");
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

/// An operation that decides about a body, and whether it keeps one.
struct Settles<O> {
    operation: O,
    /// As of the last time that it ran.
    kept: Arc<AtomicBool>,
}

impl<O: Operation> Operation for Settles<O> {
    type View = O::View;
    type Answer = O::Answer;

    fn load(&self, loads: &mut dyn Loads) -> Result<O::View, MetaError> {
        self.operation.load(loads)
    }

    fn decide(&self, view: O::View) -> Decision<O::Answer> {
        let decision = self.operation.decide(view);
        let keeps = |effect: &Effect| matches!(effect, Effect::AddBlob(_));
        let kept = decision.effects.iter().any(keeps);
        self.kept.store(kept, Ordering::Relaxed);
        decision
    }
}

#[cfg(test)]
mod tests {
    use super::Service;
    use crate::meta::Unconditional;
    use crate::{Numbering, Storage};
    use bytes::Bytes;
    use futures_util::FutureExt;
    use std::time::Duration;
    use tokio::time::{sleep, timeout};

    #[tokio::test]
    async fn a_refused_body_goes_even_if_its_client_has_hung_up() {
        let dir = tempfile::tempdir().unwrap();
        let Storage { meta, blobs, sys } = Storage::open(dir.path()).unwrap();
        let service = Service::new(meta, blobs, sys, Numbering::Documented, None);
        let service = service.await.unwrap();
        let hung_up = async || {
            let mut writer = service.blobs.create().await.unwrap();
            writer.write(Bytes::from_static(b"refused")).await.unwrap();
            let blob = writer.finish().await.unwrap();
            // Nothing refers to the body after this, and nobody waits for it.
            let settled = service.settle(Some(blob.id), Unconditional(Vec::new()));
            settled.now_or_never().is_none()
        };
        while !hung_up().await {}
        let gone = async {
            let writer = service.blobs.writer();
            while !service.blobs.list(&writer).await.unwrap().is_empty() {
                sleep(Duration::from_millis(1)).await;
            }
        };
        timeout(Duration::from_secs(10), gone).await.unwrap();
    }
}
