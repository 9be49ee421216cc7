//! Beginning sessions, and what all that is done to them needs.

use super::body::{IncomingBody, Received, is_as_given};
use super::quota::Spared;
use super::{Caller, Failure, Service, Trouble};
use crate::meta::rows::{
    BlobOffset, ContentId, Extent, FileOffset, Session, SessionBytes, SessionState,
};
use crate::meta::{Effect, InTree, MetaError};
use crate::sys::Point;
use landfall_protocol::types::batches::{
    UploadSessionStartBatchArg, UploadSessionStartBatchResult,
};
use landfall_protocol::types::sessions::{
    UploadSessionStartArg, UploadSessionStartError, UploadSessionStartResult, UploadSessionType,
};
use landfall_protocol::{BlockDigests, BodyHasher, ContentHasher, SessionId};

impl Service {
    /// Begins a session, with the body as its first bytes.
    ///
    /// # Errors
    /// The route's.
    pub async fn start(
        &self,
        caller: &Caller,
        arg: &UploadSessionStartArg,
        body: &mut dyn IncomingBody,
    ) -> Result<UploadSessionStartResult, Failure<UploadSessionStartError>> {
        self.room.admit()?;
        let given = arg.content_hash.as_ref();
        let mut hasher = BodyHasher::new(ContentHasher::new(), given.is_some());
        let concurrent = is_concurrent(arg.session_type.as_ref());
        if concurrent && arg.close {
            return Err(Failure::Route(
                UploadSessionStartError::ConcurrentSessionCloseNotAllowed,
            ));
        }
        let received = match concurrent {
            false => {
                let allowance = self.allowance(caller, Spared::default()).await?;
                self.receive(body, &mut hasher, allowance).await?
            }
            true if body.declared().is_some_and(|declared| declared > 0)
                || body.next().await?.is_some() =>
            {
                return Err(Failure::Route(
                    UploadSessionStartError::ConcurrentSessionDataNotAllowed,
                ));
            }
            true => Received::default(),
        };
        if !is_as_given(given, hasher.body_hash()) {
            self.discard(received.stored()).await;
            return Err(Failure::Route(UploadSessionStartError::ContentHashMismatch));
        }
        let bytes = match concurrent {
            true => SessionBytes::Concurrent { stored: 0, end: 0 },
            false => SessionBytes::Sequential {
                length: received.length,
                hasher: hasher.into_session().state(),
            },
        };
        let mut session = self.new_session(caller, bytes);
        if arg.close {
            session.state = SessionState::Closed;
        }
        let session_id = session.id.clone();
        let mut effects = keep(&session.content, 0, &received);
        effects.push(Effect::PutSession(session));
        self.sys.failpoints.hit(Point::StartReceived)?;
        let ns = caller.ns();
        self.settle(received.stored(), InTree { ns, effects })
            .await?;
        self.sys.failpoints.hit(Point::StartCommitted)?;
        Ok(UploadSessionStartResult { session_id })
    }

    /// Begins many empty sessions.
    ///
    /// # Errors
    /// The stores'.
    pub async fn start_batch(
        &self,
        caller: &Caller,
        arg: &UploadSessionStartBatchArg,
    ) -> Result<UploadSessionStartBatchResult, Trouble> {
        self.room.admit()?;
        let bytes = match is_concurrent(arg.session_type.as_ref()) {
            true => SessionBytes::Concurrent { stored: 0, end: 0 },
            false => SessionBytes::Sequential {
                length: 0,
                hasher: ContentHasher::new().state(),
            },
        };
        let sessions: Vec<Session> = (0..arg.num_sessions.get())
            .map(|_| self.new_session(caller, bytes.clone()))
            .collect();
        let session_ids = sessions.iter().map(|session| session.id.clone()).collect();
        let effects = sessions.into_iter().map(Effect::PutSession).collect();
        let ns = caller.ns();
        self.meta.transact(InTree { ns, effects }).await?;
        Ok(UploadSessionStartBatchResult { session_ids })
    }

    pub(super) async fn session(
        &self,
        caller: &Caller,
        id: &SessionId,
    ) -> Result<Option<Session>, MetaError> {
        let (account, id) = (caller.account.id.clone(), id.clone());
        self.meta
            .read(move |loads| loads.session(&account, &id))
            .await
    }

    /// A new session that holds this.
    pub(super) fn new_session(&self, caller: &Caller, bytes: SessionBytes) -> Session {
        Session {
            id: SessionId::from_stored(self.sys.random.name()),
            account: caller.account.id.clone(),
            created: self.sys.clock.now(),
            state: SessionState::Open,
            content: ContentId(self.sys.name()),
            bytes,
        }
    }
}

fn is_concurrent(session_type: Option<&UploadSessionType>) -> bool {
    match session_type {
        Some(UploadSessionType::Concurrent) => true,
        None | Some(UploadSessionType::Sequential | UploadSessionType::Other) => false,
    }
}

/// The hasher of a sequential session.
pub(super) fn hasher(session: &Session) -> Result<ContentHasher, MetaError> {
    let resumed = match &session.bytes {
        SessionBytes::Sequential { hasher, .. } => ContentHasher::resume(hasher),
        SessionBytes::Concurrent { .. } => Ok(ContentHasher::new()),
    };
    resumed.map_err(|error| MetaError::Damaged(format!("session {}: {error}", session.id)))
}

/// The effects that make a body a part of a content.
pub(super) fn keep(content: &ContentId, offset: u64, received: &Received) -> Vec<Effect> {
    let Some(blob) = &received.blob else {
        return Vec::new();
    };
    let extent = Extent {
        content: content.clone(),
        offset: FileOffset(offset),
        length: received.length,
        blob: blob.id.clone(),
        blob_offset: BlobOffset(0),
        digests: BlockDigests::default(),
    };
    vec![Effect::AddBlob(blob.clone()), Effect::AddExtent(extent)]
}
