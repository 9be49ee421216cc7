//! Saving a body at a path, in one request.

use super::body::{IncomingBody, Received, is_as_given};
use super::commit::{Commit, Saved, properties_error};
use super::quota::Spared;
use super::sessions::keep;
use super::{Caller, Failure, Service, Trouble, metadata};
use crate::meta::rows::{Ns, Session, SessionBytes};
use crate::meta::{Decision, Effect, InTree, Loads, MetaError, Operation, PlaceView};
use crate::rules::commit::Incoming;
use crate::sys::Point;
use landfall_protocol::types::files::{
    FileMetadata, UploadArg, UploadError, UploadWriteFailed, WriteError,
};
use landfall_protocol::{BodyHasher, ContentHash, ContentHasher};

impl Service {
    /// Saves the body at a path.
    ///
    /// # Errors
    /// The route's; after a refused commit the body is kept in a session.
    pub async fn upload(
        &self,
        caller: &Caller,
        arg: UploadArg,
        body: &mut dyn IncomingBody,
    ) -> Result<FileMetadata, Failure<UploadError>> {
        self.room.admit()?;
        let given = arg.content_hash.as_ref();
        let mut hasher = BodyHasher::new(ContentHasher::new(), given.is_some());
        let spared = Spared::by_commit(caller, &arg.commit, 0);
        let allowance = self.allowance(caller, spared).await?;
        let received = match self.receive(body, &mut hasher, allowance).await {
            Err(Trouble::OverQuota(_)) => return Err(self.nothing_kept(caller).await?),
            received => received?,
        };
        if !is_as_given(given, hasher.body_hash()) {
            self.discard(received.stored()).await;
            return Err(Failure::Route(UploadError::ContentHashMismatch));
        }
        self.sys.failpoints.hit(Point::UploadReceived)?;
        let hasher = hasher.into_session();
        let stored = received.stored();
        let operation = Upload {
            ns: caller.tree(),
            commit: self.commit(caller, arg.commit),
            session: self.new_session(
                caller,
                SessionBytes::Sequential {
                    length: received.length,
                    hasher: hasher.state(),
                },
            ),
            received,
            hash: hasher.finish(),
        };
        let outcome = self.settle(stored, operation).await?;
        self.sys.failpoints.hit(Point::UploadCommitted)?;
        outcome.map_err(Failure::Route)
    }

    /// The answer to a body that there was no room for. It names a session, as always when a
    /// commit is refused; there is nothing in this one.
    async fn nothing_kept(&self, caller: &Caller) -> Result<Failure<UploadError>, MetaError> {
        let bytes = SessionBytes::Sequential {
            length: 0,
            hasher: ContentHasher::new().state(),
        };
        let session = self.new_session(caller, bytes);
        let upload_session_id = session.id.clone();
        let (ns, effects) = (caller.ns(), vec![Effect::PutSession(session)]);
        self.meta.transact(InTree { ns, effects }).await?;
        Ok(Failure::Route(UploadError::Path(UploadWriteFailed {
            reason: WriteError::InsufficientSpace,
            upload_session_id,
        })))
    }
}

struct Upload {
    ns: Ns,
    commit: Commit,
    /// Made only if the commit is refused: it then keeps the body.
    session: Session,
    received: Received,
    hash: ContentHash,
}

impl Operation for Upload {
    type View = PlaceView;
    type Answer = Result<FileMetadata, UploadError>;

    fn load(&self, loads: &mut dyn Loads) -> Result<PlaceView, MetaError> {
        let view = loads.commit(None, self.ns, self.commit.target(), self.commit.rename())?;
        Ok(PlaceView {
            namespace: view.namespace,
            place: view.place,
        })
    }

    fn decide(&self, view: PlaceView) -> Decision<Self::Answer> {
        let Self {
            commit,
            received,
            session,
            ..
        } = self;
        let incoming = Incoming {
            size: received.length,
            hash: self.hash,
        };
        let saved = commit.save(
            view.namespace,
            view.place.as_ref(),
            incoming,
            &session.content,
        );
        let mut effects = keep(&session.content, 0, received);
        match saved {
            Ok(Saved {
                path,
                file,
                effects: landed,
                written,
            }) => {
                if !written {
                    effects.clear();
                }
                effects.extend(landed);
                let answer = match properties_error(&commit.info) {
                    None => Ok(metadata::file(&path, &file)),
                    Some(error) => Err(UploadError::PropertiesError(error)),
                };
                Decision { effects, answer }
            }
            Err(reason) => {
                effects.push(Effect::PutSession(session.clone()));
                let error = UploadWriteFailed {
                    reason,
                    upload_session_id: session.id.clone(),
                };
                Decision {
                    effects,
                    answer: Err(UploadError::Path(error)),
                }
            }
        }
    }
}
