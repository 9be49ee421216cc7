//! Finishing sessions: one, with the last bytes perhaps, or many.

use super::body::{IncomingBody, Received, is_as_given};
use super::commit::{Commit, Saved, properties_error};
use super::quota::Spared;
use super::sessions::{hasher, keep};
use super::{Caller, Failure, Service, Trouble, metadata};
use crate::meta::rows::{Ns, Replay, Session, SessionBytes, SessionState};
use crate::meta::{CommitView, Decision, Effect, Loads, MetaError, Operation, ToFinish};
use crate::rules::commit::Incoming;
use crate::rules::session::{FinishRefusal, Finishing, Refusal, may_finish};
use crate::sys::weakened::{Safeguard, without};
use crate::sys::{Micros, Point};
use bytes::Bytes;
use futures_util::future::{BoxFuture, join_all, ready};
use landfall_protocol::json::to_line;
use landfall_protocol::types::batches::{
    UploadSessionFinishBatchArg, UploadSessionFinishBatchResult,
    UploadSessionFinishBatchResultEntry,
};
use landfall_protocol::types::files::{CommitInfo, FileMetadata, WriteError};
use landfall_protocol::types::sessions::{UploadSessionFinishArg, UploadSessionFinishError};
use landfall_protocol::{
    AccountId, BlockDigests, BodyHasher, ContentHash, ContentHasher, SessionId, Wire, limits,
};
use std::collections::HashSet;

/// Entries of a batch that are handed to the metadata at the same time: they share a sync, and
/// leave room in its queue for others.
const AT_ONCE: usize = 128;

type Finished = Result<FileMetadata, UploadSessionFinishError>;

/// What is known of a session that is to be finished.
struct Found {
    session: Option<Session>,
    replay: Option<Replay>,
    /// The hash of all its bytes, if it is concurrent and whole: that can't change any more.
    whole: Option<ContentHash>,
}

impl Service {
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
        let ids = vec![arg.cursor.session_id.clone()];
        let found = self.to_finish(caller, ids).await?.remove(0);
        if let Some(replay) = &found.replay {
            return self
                .replay(found.session.as_ref(), replay, &arg, body)
                .await;
        }
        let declared = body.declared().unwrap_or(0);
        let begun = self.begin(&found, &arg, declared, Finishing::Alone)?;
        let mut hashing = begun.map_err(Failure::Route)?;
        let received = match &mut hashing {
            Hashing::InOrder(hasher) => {
                let spared = Spared::by_commit(caller, &arg.commit, arg.cursor.offset);
                let allowance = self.allowance(caller, spared).await?;
                match self.receive(body, &mut **hasher, allowance).await {
                    Err(Trouble::OverQuota(_)) => {
                        let full = WriteError::InsufficientSpace;
                        return Err(Failure::Route(UploadSessionFinishError::Path(full)));
                    }
                    received => received?,
                }
            }
            Hashing::Whole(_) if body.next().await?.is_some() => {
                return Err(Failure::Route(FinishRefusal::DataNotAllowed.into()));
            }
            Hashing::Whole(_) => Received::default(),
        };
        self.sys.failpoints.hit(Point::FinishReceived)?;
        let stored = received.stored();
        let operation = self.operation(caller, arg, received, hashing, Finishing::Alone);
        let outcome = self.settle(stored, operation).await?;
        self.sys.failpoints.hit(Point::FinishCommitted)?;
        outcome.map_err(Failure::Route)
    }

    /// Finishes many sessions, each with an outcome of its own, in the order of the entries.
    ///
    /// # Errors
    /// The metadata's; then some may be finished, and the same call again tells which.
    pub async fn finish_batch(
        &self,
        caller: &Caller,
        arg: UploadSessionFinishBatchArg,
    ) -> Result<UploadSessionFinishBatchResult, MetaError> {
        let mut entries = Vec::with_capacity(arg.entries.len());
        let mut left = arg.entries.into_entries().into_iter().peekable();
        loop {
            let (mut some, mut sessions) = (Vec::new(), HashSet::new());
            // A session that is named again finds what became of it before.
            while some.len() < AT_ONCE
                && let Some(arg) =
                    left.next_if(|arg| sessions.insert(arg.cursor.session_id.clone()))
            {
                some.push(arg);
            }
            if some.is_empty() {
                return Ok(UploadSessionFinishBatchResult { entries });
            }
            for finished in self.finish_some(caller, some).await? {
                entries.push(match finished {
                    Ok(file) => UploadSessionFinishBatchResultEntry::Success(file),
                    Err(error) => UploadSessionFinishBatchResultEntry::Failure(error),
                });
            }
        }
    }

    async fn finish_some(
        &self,
        caller: &Caller,
        args: Vec<UploadSessionFinishArg>,
    ) -> Result<Vec<Finished>, MetaError> {
        let ids = args.iter().map(|arg| arg.cursor.session_id.clone());
        let found = self.to_finish(caller, ids.collect()).await?;
        let now = self.sys.clock.now();
        let mut outcomes: Vec<BoxFuture<'_, Result<Finished, MetaError>>> = Vec::new();
        for (arg, found) in args.into_iter().zip(found) {
            if let Some(replay) = &found.replay {
                let repeated = match replayable(found.session.as_ref(), replay, &arg.commit, now) {
                    true => Sent::nothing(arg.cursor.offset).repeated(replay, &arg),
                    false => Err(unknown()),
                };
                outcomes.push(Box::pin(ready(Ok(repeated))));
                continue;
            }
            let finishing = Finishing::InBatch;
            outcomes.push(match self.begin(&found, &arg, 0, finishing)? {
                Err(error) => Box::pin(ready(Ok(Err(error)))),
                // Handed over in the order of the entries, and so decided in it.
                Ok(hashing) => Box::pin(self.meta.transact(self.operation(
                    caller,
                    arg,
                    Received::default(),
                    hashing,
                    finishing,
                ))),
            });
        }
        let outcomes = join_all(outcomes).await.into_iter().collect();
        self.sys.failpoints.hit(Point::FinishCommitted)?;
        outcomes
    }

    /// What is known of the sessions that are to be finished.
    async fn to_finish(
        &self,
        caller: &Caller,
        ids: Vec<SessionId>,
    ) -> Result<Vec<Found>, MetaError> {
        let account = caller.account.id.clone();
        let question = move |loads: &mut dyn Loads| {
            let found = loads.to_finish(&account, &ids)?;
            Ok(found.into_iter().map(Found::from).collect())
        };
        self.meta.read(question).await
    }

    /// All that can be said before the body comes, of which `declared` bytes are sure to; and
    /// how the whole is hashed.
    fn begin(
        &self,
        found: &Found,
        arg: &UploadSessionFinishArg,
        declared: u64,
        finishing: Finishing,
    ) -> Result<Result<Hashing, UploadSessionFinishError>, MetaError> {
        let now = self.sys.clock.now();
        let offset = arg.cursor.offset;
        let session = match may_finish(found.session.as_ref(), now, offset, declared, finishing) {
            Ok(session) => session,
            Err(refusal) => return Ok(Err(refusal.into())),
        };
        Ok(Ok(match found.whole {
            Some(hash) => Hashing::Whole(hash),
            None => {
                let given = arg.content_hash.is_some();
                Hashing::InOrder(Box::new(BodyHasher::new(hasher(session)?, given)))
            }
        }))
    }

    fn operation(
        &self,
        caller: &Caller,
        arg: UploadSessionFinishArg,
        received: Received,
        hashing: Hashing,
        finishing: Finishing,
    ) -> Finish {
        let end = arg.cursor.offset + received.length;
        let (body_hash, hash, bytes) = match hashing {
            Hashing::Whole(hash) => (Some(ContentHash::of(&[])), hash, None),
            Hashing::InOrder(hasher) => {
                let body_hash = hasher.body_hash();
                let hasher = (*hasher).into_session();
                let bytes = SessionBytes::Sequential {
                    length: end,
                    hasher: hasher.state(),
                };
                (body_hash, hasher.finish(), Some(bytes))
            }
        };
        Finish {
            account: caller.account.id.clone(),
            ns: caller.tree(),
            damaged: !is_as_given(arg.content_hash.as_ref(), body_hash),
            commit: self.commit(caller, arg.commit),
            session: arg.cursor.session_id,
            offset: arg.cursor.offset,
            finishing,
            received,
            incoming: Incoming { size: end, hash },
            bytes,
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
        let now = self.sys.clock.now();
        let offset = arg.cursor.offset;
        let other_end = |declared| offset.saturating_add(declared) != replay.end;
        if !replayable(session, replay, &arg.commit, now) || body.declared().is_some_and(other_end)
        {
            return Err(Failure::Route(unknown()));
        }
        let mut stored = self.reader(&replay.file.content, offset, replay.end);
        let mut here = Bytes::new();
        let mut sent = Sent::nothing(offset);
        let mut hasher = ContentHasher::new();
        while let Some(mut bytes) = body.next().await? {
            sent.end = sent.end.saturating_add(bytes.len() as u64);
            if arg.content_hash.is_some() {
                hasher.update(&bytes);
            }
            while sent.is_stored && !bytes.is_empty() {
                if here.is_empty() {
                    here = match stored.next().await? {
                        Some(bytes) => bytes,
                        None => {
                            sent.is_stored = false;
                            break;
                        }
                    };
                }
                let length = here.len().min(bytes.len());
                sent.is_stored = here.split_to(length) == bytes.split_to(length);
            }
        }
        sent.hash = hasher.finish();
        sent.repeated(replay, arg).map_err(Failure::Route)
    }
}

impl From<ToFinish> for Found {
    fn from(known: ToFinish) -> Self {
        let ToFinish {
            session,
            replay,
            pieces,
        } = known;
        let whole = session.as_ref().filter(|session| session.is_whole());
        let whole = whole.map(|_| {
            let mut digests = BlockDigests::default();
            for piece in &pieces {
                digests.extend(&piece.digests);
            }
            digests.content_hash()
        });
        Self {
            session,
            replay,
            whole,
        }
    }
}

/// How the bytes of a finished session are hashed.
enum Hashing {
    /// Those of the body follow those that are there.
    InOrder(Box<BodyHasher>),
    /// All are there.
    Whole(ContentHash),
}

/// What a finish brings to a session that was finished before.
struct Sent {
    /// Offset and body together.
    end: u64,
    /// Of the body.
    hash: ContentHash,
    /// Whether the body is what is stored there.
    is_stored: bool,
}

impl Sent {
    fn nothing(offset: u64) -> Self {
        Self {
            end: offset,
            hash: ContentHash::of(&[]),
            is_stored: true,
        }
    }

    /// The answer of the finish by the same commit, if this is the same one. As everywhere, the
    /// hash is judged after the offset.
    fn repeated(&self, replay: &Replay, arg: &UploadSessionFinishArg) -> Finished {
        if self.end != replay.end {
            return Err(unknown());
        }
        if !is_as_given(arg.content_hash.as_ref(), Some(self.hash)) {
            return Err(UploadSessionFinishError::ContentHashMismatch);
        }
        match self.is_stored {
            true => repeated(replay, &arg.commit),
            false => Err(unknown()),
        }
    }
}

/// A session that was finished otherwise is as good as none.
fn unknown() -> UploadSessionFinishError {
    FinishRefusal::from(Refusal::NotFound).into()
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

struct Finish {
    account: AccountId,
    ns: Ns,
    session: SessionId,
    offset: u64,
    finishing: Finishing,
    /// Whether the body is not the one that the request says it is.
    damaged: bool,
    commit: Commit,
    received: Received,
    /// All bytes of the session, with the body.
    incoming: Incoming,
    /// What the session holds after the body; `None`: no body can come.
    bytes: Option<SessionBytes>,
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
        if let Some(replay) = &view.replay {
            // The same call got here first. Both continued the same bytes, so the whole hash
            // tells whether both brought the same ones.
            let answer = if !replayable(view.session.as_ref(), replay, &commit.info, commit.now)
                || replay.end != self.incoming.size
            {
                Err(unknown())
            } else if self.damaged {
                Err(UploadSessionFinishError::ContentHashMismatch)
            } else if replay.file.hash != self.incoming.hash {
                Err(unknown())
            } else {
                repeated(replay, &commit.info)
            };
            return Decision::unchanged(answer);
        }
        let session = match may_finish(
            view.session.as_ref(),
            commit.now,
            self.offset,
            received.length,
            self.finishing,
        ) {
            Ok(session) => session,
            Err(refusal) => return Decision::unchanged(Err(refusal.into())),
        };
        if self.damaged {
            return Decision::unchanged(Err(UploadSessionFinishError::ContentHashMismatch));
        }
        let saved = commit.save(
            view.namespace,
            view.place.as_ref(),
            self.incoming,
            &session.content,
        );
        let mut session = session.clone();
        if let Some(bytes) = &self.bytes {
            session.bytes = bytes.clone();
        }
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
                end: self.incoming.size,
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
