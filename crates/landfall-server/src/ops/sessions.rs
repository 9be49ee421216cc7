//! Uploads: sessions and the single request.

use super::body::{IncomingBody, Received};
use super::commit::{Commit, Saved, properties_error};
use super::{Caller, Failure, Service, Trouble, metadata};
use crate::meta::rows::{
    BlobOffset, ContentId, Extent, FileOffset, Ns, Replay, Session, SessionState,
};
use crate::meta::{
    CommitView, Decision, Effect, Loads, MetaError, Operation, PlaceView, Unconditional,
};
use crate::rules::commit::Incoming;
use crate::rules::session::{Accepted, Refusal, may_append, may_finish};
use crate::sys::Micros;
use crate::sys::weakened::{Safeguard, without};
use landfall_protocol::json::to_line;
use landfall_protocol::types::files::{
    CommitInfo, FileMetadata, UploadArg, UploadError, UploadWriteFailed,
};
use landfall_protocol::types::sessions::{
    UploadSessionAppendArg, UploadSessionAppendError, UploadSessionFinishArg,
    UploadSessionFinishError, UploadSessionLookupError, UploadSessionStartArg,
    UploadSessionStartError, UploadSessionStartResult, UploadSessionType,
};
use landfall_protocol::{AccountId, ContentHasher, GivenHash, SessionId, Wire, limits};

type Finished = Result<FileMetadata, UploadSessionFinishError>;

impl Service {
    /// Begins a session, with the body as its first bytes.
    ///
    /// # Errors
    /// The route's; a concurrent session is not supported yet.
    pub async fn start(
        &self,
        caller: &Caller,
        arg: &UploadSessionStartArg,
        body: &mut dyn IncomingBody,
    ) -> Result<UploadSessionStartResult, Failure<UploadSessionStartError>> {
        match arg.session_type {
            None | Some(UploadSessionType::Sequential | UploadSessionType::Other) => {}
            Some(UploadSessionType::Concurrent) => {
                return Err(Trouble::Unsupported(
                    "concurrent upload sessions are not supported yet",
                )
                .into());
            }
        }
        let given = arg.content_hash.as_ref();
        let received = self.receive(body, ContentHasher::new(), given).await?;
        if !received.matches(given) {
            self.discard(received.stored()).await;
            return Err(Failure::Route(UploadSessionStartError::ContentHashMismatch));
        }
        let mut session = self.new_session(caller, &received);
        if arg.close {
            session.state = SessionState::Closed;
        }
        let session_id = session.id.clone();
        let mut effects = keep(&session.content, 0, &received);
        effects.push(Effect::PutSession(session));
        self.settle(received.stored(), Unconditional(effects))
            .await?;
        Ok(UploadSessionStartResult { session_id })
    }

    /// Adds the body to a session.
    ///
    /// # Errors
    /// The route's.
    pub async fn append(
        &self,
        caller: &Caller,
        arg: UploadSessionAppendArg,
        body: &mut dyn IncomingBody,
    ) -> Result<(), Failure<UploadSessionAppendError>> {
        let (session, _) = self.session(caller, &arg.cursor.session_id).await?;
        let now = self.sys.clock.now();
        let declared = body.declared().unwrap_or(0);
        let hasher = match may_append(session.as_ref(), now, arg.cursor.offset, declared) {
            Err(refusal) => return Err(Failure::Route(refusal.into())),
            Ok(Accepted::AtEnd(session)) => hasher(session)?,
            // Nothing will be kept of what comes, unless it is empty.
            Ok(Accepted::Nothing) => ContentHasher::new(),
        };
        let received = self
            .receive(body, hasher, arg.content_hash.as_ref())
            .await?;
        self.sys.failpoints.hit("append.received").map_err(point)?;
        let body = received.stored();
        let operation = Append {
            account: caller.account.id.clone(),
            arg,
            received,
            now: self.sys.clock.now(),
        };
        self.settle(body, operation).await?.map_err(Failure::Route)
    }

    /// Finishes a session and saves its bytes at a path; repeats the answer if it was finished
    /// by the same call before.
    ///
    /// # Errors
    /// The route's.
    pub async fn finish(
        &self,
        caller: &Caller,
        arg: UploadSessionFinishArg,
        body: &mut dyn IncomingBody,
    ) -> Result<FileMetadata, Failure<UploadSessionFinishError>> {
        let (session, replay) = self.session(caller, &arg.cursor.session_id).await?;
        if let Some(replay) = replay {
            return self.replay(session.as_ref(), &replay, &arg, body).await;
        }
        let now = self.sys.clock.now();
        let declared = body.declared().unwrap_or(0);
        let session = may_finish(session.as_ref(), now, arg.cursor.offset, declared)
            .map_err(lookup_failed)
            .map_err(Failure::Route)?;
        let given = arg.content_hash.as_ref();
        let received = self.receive(body, hasher(session)?, given).await?;
        self.sys.failpoints.hit("finish.received").map_err(point)?;
        let body = received.stored();
        let operation = Finish {
            account: caller.account.id.clone(),
            ns: caller.tree(),
            commit: self.commit(caller, arg.commit),
            session: arg.cursor.session_id,
            offset: arg.cursor.offset,
            given: arg.content_hash,
            received,
        };
        self.settle(body, operation).await?.map_err(Failure::Route)
    }

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
        let given = arg.content_hash.as_ref();
        let received = self.receive(body, ContentHasher::new(), given).await?;
        if !received.matches(given) {
            self.discard(received.stored()).await;
            return Err(Failure::Route(UploadError::ContentHashMismatch));
        }
        self.sys.failpoints.hit("upload.received").map_err(point)?;
        let body = received.stored();
        let operation = Upload {
            ns: caller.tree(),
            commit: self.commit(caller, arg.commit),
            session: self.new_session(caller, &received),
            received,
        };
        self.settle(body, operation).await?.map_err(Failure::Route)
    }

    async fn session(
        &self,
        caller: &Caller,
        id: &SessionId,
    ) -> Result<(Option<Session>, Option<Replay>), MetaError> {
        let (account, id) = (caller.account.id.clone(), id.clone());
        self.meta
            .read(move |loads| Ok((loads.session(&account, &id)?, loads.replay(&account, &id)?)))
            .await
    }

    /// A session that holds what was received.
    fn new_session(&self, caller: &Caller, received: &Received) -> Session {
        Session {
            id: SessionId::from_stored(self.sys.random.name()),
            account: caller.account.id.clone(),
            created: self.sys.clock.now(),
            state: SessionState::Open,
            content: ContentId(self.sys.random.name()),
            length: received.length,
            hasher: received.hasher.state(),
        }
    }

    /// The answer of a finish that took place before: if this is the same one.
    async fn replay(
        &self,
        session: Option<&Session>,
        replay: &Replay,
        arg: &UploadSessionFinishArg,
        body: &mut dyn IncomingBody,
    ) -> Result<FileMetadata, Failure<UploadSessionFinishError>> {
        let mut stored = self.reader(&replay.file.content, arg.cursor.offset, replay.end);
        let mut here = bytes::Bytes::new();
        let mut same = replayable(session, replay, &arg.commit, self.sys.clock.now());
        let mut end = arg.cursor.offset;
        let mut hasher = ContentHasher::new();
        while let Some(mut sent) = body.next().await? {
            end = end.saturating_add(sent.len() as u64);
            if arg.content_hash.is_some() {
                hasher.update(&sent);
            }
            while same && !sent.is_empty() {
                if here.is_empty() {
                    here = match stored.next().await? {
                        Some(bytes) => bytes,
                        None => {
                            same = false;
                            break;
                        }
                    };
                }
                let length = here.len().min(sent.len());
                same = here.split_to(length) == sent.split_to(length);
            }
        }
        let given = arg.content_hash.as_ref();
        if given.is_some_and(|given| !given.matches(&hasher.finish())) {
            return Err(Failure::Route(
                UploadSessionFinishError::ContentHashMismatch,
            ));
        }
        if same && end == replay.end {
            repeated(replay, &arg.commit).map_err(Failure::Route)
        } else {
            Err(Failure::Route(lookup_failed(Refusal::NotFound)))
        }
    }
}

/// Whether a kept answer may still be repeated for this commit.
fn replayable(
    session: Option<&Session>,
    replay: &Replay,
    commit: &CommitInfo,
    now: Micros,
) -> bool {
    let by_session = session.map(|session| session.created.plus_seconds(limits::SESSION_LIFE));
    let by_commit = replay.committed.plus_seconds(limits::REPLAY_LIFE);
    let until = by_session.map_or(by_commit, |by_session| by_session.max(by_commit));
    now < until && replay.commit == canonical(commit)
}

/// The answer of a finish that saved this file.
fn finished(metadata: FileMetadata, commit: &CommitInfo) -> Finished {
    match properties_error(commit) {
        None => Ok(metadata),
        Some(error) => Err(UploadSessionFinishError::PropertiesError(error)),
    }
}

/// The answer of an earlier finish by the same commit.
fn repeated(replay: &Replay, commit: &CommitInfo) -> Finished {
    finished(metadata::file(&replay.path, &replay.file), commit)
}

/// A commit as text: equal for equal commits, however they were written.
fn canonical(commit: &CommitInfo) -> String {
    to_line(&commit.encode())
}

fn hasher(session: &Session) -> Result<ContentHasher, MetaError> {
    ContentHasher::resume(&session.hasher)
        .map_err(|error| MetaError::Damaged(format!("session {}: {error}", session.id)))
}

fn lookup_failed(refusal: Refusal) -> UploadSessionFinishError {
    UploadSessionFinishError::LookupFailed(UploadSessionLookupError::from(refusal))
}

fn point(error: std::io::Error) -> MetaError {
    MetaError::Failed(error.to_string())
}

/// The effects that make a body a part of a content.
fn keep(content: &ContentId, offset: u64, received: &Received) -> Vec<Effect> {
    let Some(blob) = &received.blob else {
        return Vec::new();
    };
    let extent = Extent {
        content: content.clone(),
        offset: FileOffset(offset),
        length: received.length,
        blob: blob.id.clone(),
        blob_offset: BlobOffset(0),
    };
    vec![Effect::AddBlob(blob.clone()), Effect::AddExtent(extent)]
}

/// The session with the body at its end.
fn extended(session: &Session, received: &Received) -> Session {
    Session {
        length: session.length + received.length,
        hasher: received.hasher.state(),
        ..session.clone()
    }
}

struct Append {
    account: AccountId,
    arg: UploadSessionAppendArg,
    received: Received,
    now: Micros,
}

impl Operation for Append {
    type View = Option<Session>;
    type Answer = Result<(), UploadSessionAppendError>;

    fn load(&self, loads: &mut dyn Loads) -> Result<Self::View, MetaError> {
        loads.session(&self.account, &self.arg.cursor.session_id)
    }

    fn decide(&self, session: Self::View) -> Decision<Self::Answer> {
        let Self { arg, received, .. } = self;
        let accepted = may_append(
            session.as_ref(),
            self.now,
            arg.cursor.offset,
            received.length,
        );
        let session = match accepted {
            Err(refusal) => return Decision::unchanged(Err(refusal.into())),
            Ok(_) if !received.matches(arg.content_hash.as_ref()) => {
                return Decision::unchanged(Err(UploadSessionAppendError::ContentHashMismatch));
            }
            Ok(Accepted::Nothing) => return Decision::unchanged(Ok(())),
            Ok(Accepted::AtEnd(session)) => session,
        };
        let mut effects = keep(&session.content, session.length, received);
        let mut session = extended(session, received);
        if arg.close {
            session.state = SessionState::Closed;
        }
        effects.push(Effect::PutSession(session));
        Decision {
            effects,
            answer: Ok(()),
        }
    }
}

struct Finish {
    account: AccountId,
    ns: Ns,
    session: SessionId,
    offset: u64,
    given: Option<GivenHash>,
    commit: Commit,
    received: Received,
}

impl Operation for Finish {
    type View = CommitView;
    type Answer = Finished;

    fn load(&self, loads: &mut dyn Loads) -> Result<CommitView, MetaError> {
        let session = Some((&self.account, &self.session));
        loads.commit(session, self.ns, self.commit.target(), self.commit.rename())
    }

    fn decide(&self, view: CommitView) -> Decision<Finished> {
        let Self {
            commit, received, ..
        } = self;
        let end = self.offset + received.length;
        let incoming = Incoming {
            size: end,
            hash: received.hasher.finish(),
        };
        if !received.matches(self.given.as_ref()) && view.replay.is_some() {
            return Decision::unchanged(Err(UploadSessionFinishError::ContentHashMismatch));
        }
        if let Some(replay) = &view.replay {
            // The same call got here first. Both continued the same bytes, so the whole hash
            // tells whether both brought the same ones.
            let same = replayable(view.session.as_ref(), replay, &commit.info, commit.now)
                && replay.end == end
                && replay.file.hash == incoming.hash;
            return Decision::unchanged(if same {
                repeated(replay, &commit.info)
            } else {
                Err(lookup_failed(Refusal::NotFound))
            });
        }
        let session = match may_finish(
            view.session.as_ref(),
            commit.now,
            self.offset,
            received.length,
        ) {
            Ok(session) => session,
            Err(refusal) => return Decision::unchanged(Err(lookup_failed(refusal))),
        };
        if !received.matches(self.given.as_ref()) {
            return Decision::unchanged(Err(UploadSessionFinishError::ContentHashMismatch));
        }
        let saved = commit.save(
            view.namespace,
            view.place.as_ref(),
            incoming,
            &session.content,
        );
        let mut session = extended(session, received);
        let Saved {
            path,
            file,
            effects: landed,
            written,
        } = match saved {
            Ok(saved) => saved,
            // The body is part of the session now; the retry has an empty one.
            Err(error) => {
                let mut effects = keep(&session.content, self.offset, received);
                if received.length > 0 {
                    effects.push(Effect::PutSession(session));
                }
                return Decision {
                    effects,
                    answer: Err(UploadSessionFinishError::Path(error)),
                };
            }
        };
        // Bytes that were there already are not stored twice.
        let mut effects = if written {
            keep(&session.content, self.offset, received)
        } else {
            Vec::new()
        };
        effects.extend(landed);
        session.state = SessionState::Committed;
        effects.push(Effect::PutSession(session));
        let answer = metadata::file(&path, &file);
        if !without(Safeguard::Replay) {
            effects.push(Effect::PutReplay(Replay {
                session: self.session.clone(),
                account: self.account.clone(),
                end,
                commit: canonical(&commit.info),
                ns: self.ns,
                path,
                file,
                committed: commit.now,
            }));
        }
        Decision {
            effects,
            answer: finished(answer, &commit.info),
        }
    }
}

struct Upload {
    ns: Ns,
    commit: Commit,
    /// Made only if the commit is refused: it then keeps the body.
    session: Session,
    received: Received,
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
            hash: received.hasher.finish(),
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
