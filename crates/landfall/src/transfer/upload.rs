//! Sends a source through a sequential upload session.

use super::events::{Event, Events, nobody};
use super::outcome::{Outcome, OutcomeUnknown, UploadFailure, Uploaded};
use super::recovery::{AfterFinish, AfterOffset, after_finish, after_offset};
use super::retry::{Attempts, Repeatable, RetryPolicy, repeat};
use super::source::{Piece, Pieces, Source};
use crate::{CallError, Client, Failure, Payload};
use bytes::Bytes;
use landfall_protocol::errors::Class;
use landfall_protocol::path::ReadPath;
use landfall_protocol::types::files::{CommitInfo, FileMetadata, GetMetadataArg, Metadata};
use landfall_protocol::types::sessions::{
    UploadSessionAppendArg, UploadSessionAppendError, UploadSessionCursor, UploadSessionFinishArg,
    UploadSessionFinishError, UploadSessionLookupError, UploadSessionStartArg,
};
use landfall_protocol::{ContentHash, SessionId, limits};
use std::sync::Arc;

/// Bytes in a request unless the caller says otherwise: four hash blocks. Ours: small enough
/// to be sent again without regret and to keep twice in memory, large enough that a round trip
/// doesn't show.
pub const DEFAULT_CHUNK: u64 = 4 * limits::HASH_BLOCK;

/// An upload to be run.
///
/// It begins a session, appends the content chunk by chunk with the hash of each, closes the
/// session with the last and finishes it with an empty body; content of one chunk goes with
/// the start. At most two chunks are in memory.
pub struct Upload {
    client: Client,
    source: Source,
    commit: CommitInfo,
    chunk: u64,
    retry: RetryPolicy,
    events: Arc<dyn Events>,
}

impl Upload {
    /// An upload of this content by this commit.
    pub fn new(client: Client, source: Source, commit: CommitInfo) -> Self {
        Self {
            client,
            source,
            commit,
            chunk: DEFAULT_CHUNK,
            retry: RetryPolicy::default(),
            events: nobody(),
        }
    }

    /// Bytes in a request: cut to whole hash blocks, one at least and
    /// [`limits::CLIENT_BODY`] at most.
    #[must_use]
    pub fn chunk_size(mut self, bytes: u64) -> Self {
        let bytes = bytes.clamp(limits::HASH_BLOCK, limits::CLIENT_BODY);
        self.chunk = bytes - bytes % limits::HASH_BLOCK;
        self
    }

    /// How often a failing request is repeated.
    #[must_use]
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = policy;
        self
    }

    /// Who is told what happens.
    #[must_use]
    pub fn events(mut self, events: impl Events + 'static) -> Self {
        self.events = Arc::new(events);
        self
    }

    /// Runs the upload to its end.
    ///
    /// Dropping the future stops it; a session that is left behind expires by itself, and
    /// nothing is saved unless the finish was already on its way.
    pub async fn run(self) -> Outcome {
        let chunk = usize::try_from(self.chunk).expect("a chunk fits in memory");
        let total = self.source.size();
        let mut pieces = self.source.pieces(chunk);
        let run = Run {
            client: self.client,
            retry: self.retry,
            events: self.events,
            total,
        };
        let sent = match run.send(&mut pieces).await {
            Ok(sent) => sent,
            Err(failure) => return Outcome::Refused(failure),
        };
        run.finish(&sent, self.commit).await
    }
}

/// The parts of an upload that outlive its source.
struct Run {
    client: Client,
    retry: RetryPolicy,
    events: Arc<dyn Events>,
    total: Option<u64>,
}

/// A session that holds the whole content.
struct Sent {
    session: SessionId,
    size: u64,
    hash: ContentHash,
}

impl Run {
    async fn send(&self, pieces: &mut Pieces) -> Result<Sent, UploadFailure> {
        let mut piece = pieces.next().await?;
        if let Some(hash) = piece.whole {
            let session = self.start(Some(&piece)).await?;
            let size = piece.end();
            return Ok(Sent {
                session,
                size,
                hash,
            });
        }
        let session = self.start(None).await?;
        loop {
            self.append(&session, &piece).await?;
            if let Some(hash) = piece.whole {
                let size = piece.end();
                return Ok(Sent {
                    session,
                    size,
                    hash,
                });
            }
            piece = pieces.next().await?;
        }
    }

    /// Begins a session, with the whole content if it is given. Repeating it is harmless: a
    /// session that nobody knows of expires.
    async fn start(&self, whole: Option<&Piece>) -> Result<SessionId, UploadFailure> {
        let arg = UploadSessionStartArg {
            close: whole.is_some(),
            session_type: None,
            content_hash: whole.map(|piece| piece.hash.into()),
        };
        let what = "starting the upload";
        let started = repeat(self.retry, Repeatable::Always, what, &*self.events, || {
            let payload = match whole {
                Some(piece) => self.payload(0, piece.data.clone()),
                None => Payload::empty(),
            };
            self.client.upload_session_start(&arg, payload)
        });
        let reply = started.await.map_err(UploadFailure::Start)?;
        Ok(reply.value.session_id)
    }

    async fn append(&self, session: &SessionId, piece: &Piece) -> Result<(), UploadFailure> {
        let close = piece.whole.is_some();
        let mut attempts = Attempts::new(self.retry);
        let mut uncertain = false;
        let mut from = piece.offset;
        loop {
            let (data, hash) = piece.rest(from);
            let arg = UploadSessionAppendArg {
                cursor: UploadSessionCursor {
                    session_id: session.clone(),
                    offset: from,
                },
                close,
                content_hash: Some(hash.into()),
            };
            let payload = self.payload(from, data);
            let Err(error) = self.client.upload_session_append(&arg, payload).await else {
                return Ok(());
            };
            uncertain |= error.may_have_happened();
            match error.route_error() {
                Some(UploadSessionAppendError::IncorrectOffset(at)) => {
                    match after_offset(piece.offset, piece.end(), at.correct_offset) {
                        AfterOffset::Done => return Ok(()),
                        AfterOffset::Lost => {
                            return Err(UploadFailure::Offset {
                                held: at.correct_offset,
                                sent: from,
                            });
                        }
                        AfterOffset::SendFrom(offset) => {
                            if offset > from {
                                attempts.reset();
                            }
                            from = offset;
                        }
                    }
                    let Some(wait) = attempts.failed(None) else {
                        return Err(UploadFailure::Append(error));
                    };
                    tokio::time::sleep(wait).await;
                }
                // An attempt whose answer was lost closed the session: its bytes are in, and
                // the finish will hold the length and the hash against ours.
                Some(UploadSessionAppendError::Closed) if uncertain && close => return Ok(()),
                _ => attempts
                    .again("sending a piece", error, &*self.events)
                    .await
                    .map_err(UploadFailure::Append)?,
            }
        }
    }

    async fn finish(&self, sent: &Sent, commit: CommitInfo) -> Outcome {
        let arg = UploadSessionFinishArg {
            cursor: UploadSessionCursor {
                session_id: sent.session.clone(),
                offset: sent.size,
            },
            commit,
            content_hash: None,
        };
        let mut attempts = Attempts::new(self.retry);
        let mut uncertain = false;
        let error = loop {
            // The same finish as before, to the letter: a service that carried it out already
            // answers as it did then.
            match self
                .client
                .upload_session_finish(&arg, Payload::empty())
                .await
            {
                Ok(reply) => return verified(sent, &arg.commit, reply.value, Some(reply.raw)),
                Err(error) => {
                    uncertain |= error.may_have_happened();
                    let again = attempts.again("finishing the upload", error, &*self.events);
                    if let Err(error) = again.await {
                        break error;
                    }
                }
            }
        };
        match after_finish(final_word(&error), uncertain, arg.commit.autorename) {
            AfterFinish::Refused => match error.route_error() {
                Some(UploadSessionFinishError::LookupFailed(
                    UploadSessionLookupError::IncorrectOffset(at),
                )) => Outcome::Refused(UploadFailure::Offset {
                    held: at.correct_offset,
                    sent: sent.size,
                }),
                _ => Outcome::Refused(UploadFailure::Finish(error)),
            },
            AfterFinish::LookAtTarget => self.look(sent, &arg.commit, &error).await,
            AfterFinish::Unknown => Outcome::Unknown(unknown(
                sent,
                &arg.commit,
                format!("{}; the file may have got another name", error.failure()),
            )),
        }
    }

    /// After a finish whose fate is open: whether the file at the target is the upload.
    async fn look(
        &self,
        sent: &Sent,
        commit: &CommitInfo,
        error: &CallError<UploadSessionFinishError>,
    ) -> Outcome {
        match self.at_target(commit).await {
            // In the way of a strict commit is what was there before, however alike; or the
            // upload itself, where a finish is not answered again.
            Ok(Some(file))
                if is_upload(&file, sent)
                    && commit.strict_conflict
                    && final_word(error) == Some("path/conflict/file") =>
            {
                let why = "an identical file is there, which may be this upload or an older one";
                Outcome::Unknown(unknown(sent, commit, why.to_owned()))
            }
            Ok(Some(file)) if is_upload(&file, sent) => verified(sent, commit, file, None),
            Ok(_) => Outcome::Unknown(unknown(
                sent,
                commit,
                format!(
                    "{}; what is at the path now is not this upload",
                    error.failure()
                ),
            )),
            Err(why) => Outcome::Unknown(unknown(sent, commit, why)),
        }
    }

    /// The file at the commit's path, if there is one.
    async fn at_target(&self, commit: &CommitInfo) -> Result<Option<FileMetadata>, String> {
        let path = ReadPath::parse(commit.path.as_str()).map_err(|error| error.to_string())?;
        let arg = GetMetadataArg {
            path,
            include_media_info: false,
            include_deleted: false,
            include_has_explicit_shared_members: false,
            include_property_groups: None,
        };
        // The finish has used up the patience already.
        let policy = RetryPolicy {
            failures: self.retry.failures.min(3),
            ..self.retry
        };
        let what = "looking at the target";
        let found = repeat(policy, Repeatable::Always, what, &*self.events, || {
            self.client.get_metadata(&arg)
        });
        match found.await {
            Ok(reply) => Ok(match reply.value {
                Metadata::File(file) => Some(file),
                Metadata::Folder(_) | Metadata::Deleted(_) => None,
            }),
            Err(error) if error.route_error().is_some() => Ok(None),
            Err(error) => Err(error.to_string()),
        }
    }

    fn payload(&self, from: u64, data: Bytes) -> Payload {
        let events = Arc::clone(&self.events);
        let total = self.total;
        Payload::from(data).on_sent(move |sent| {
            events.event(Event::Progress {
                done: from + sent,
                total,
            });
        })
    }
}

impl Piece {
    /// The bytes from this offset on, and their hash.
    fn rest(&self, from: u64) -> (Bytes, ContentHash) {
        if from == self.offset {
            return (self.data.clone(), self.hash);
        }
        let skip = usize::try_from(from - self.offset).expect("within the piece");
        let rest = self.data.slice(skip..);
        let hash = ContentHash::of(&rest);
        (rest, hash)
    }
}

/// The tags of a refusal that settles the finish it answers; `None` for errors that say
/// nothing of what an earlier attempt did.
fn final_word(error: &CallError<UploadSessionFinishError>) -> Option<&str> {
    match error.failure() {
        Failure::Route { refusal, .. } | Failure::Unfamiliar(refusal)
            if error.class() != Class::Temporary =>
        {
            Some(&refusal.summary)
        }
        _ => None,
    }
}

fn is_upload(file: &FileMetadata, sent: &Sent) -> bool {
    file.size == sent.size && file.content_hash == Some(sent.hash)
}

fn verified(
    sent: &Sent,
    commit: &CommitInfo,
    metadata: FileMetadata,
    raw: Option<Bytes>,
) -> Outcome {
    // A service may leave the hash out; then the size has to do.
    if metadata.size == sent.size && metadata.content_hash.is_none_or(|hash| hash == sent.hash) {
        return Outcome::Done(Box::new(Uploaded {
            metadata,
            size: sent.size,
            content_hash: sent.hash,
            raw,
        }));
    }
    let hash = metadata.content_hash;
    let path = metadata.path_display;
    Outcome::Refused(UploadFailure::Integrity {
        path: path.unwrap_or_else(|| commit.path.as_str().to_owned()),
        size: sent.size,
        hash: sent.hash,
        got: (
            metadata.size,
            hash.map_or_else(|| "(none)".to_owned(), |hash| hash.to_string()),
        ),
    })
}

fn unknown(sent: &Sent, commit: &CommitInfo, why: String) -> OutcomeUnknown {
    OutcomeUnknown {
        path: commit.path.as_str().to_owned(),
        why,
        size: sent.size,
        content_hash: sent.hash,
    }
}
