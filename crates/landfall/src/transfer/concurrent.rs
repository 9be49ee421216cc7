//! A session that takes pieces in any order: for large files, several requests at once.
//!
//! The last block goes last, because it closes the session; the finish carries no bytes. What is
//! stored is written down, so that another run sends only the rest.

use super::action::{AfterPiece, after_piece};
use super::blocking::{blocking, joined};
use super::engine::Engine;
use super::events::Event;
use super::finish::{Sent, ToSave};
use super::journal::{Journal, JournalError, Left};
use super::outcome::{Outcome, UploadFailure};
use super::progress::FileProgress;
use super::source::{Opened, SourceError};
use super::stored::{StoredBlocks, length};
use super::upload::name_of;
use crate::Payload;
use bytes::Bytes;
use landfall_protocol::limits::HASH_BLOCK;
use landfall_protocol::types::files::CommitInfo;
use landfall_protocol::types::sessions::{
    UploadSessionAppendArg, UploadSessionCursor, UploadSessionStartArg, UploadSessionType,
};
use landfall_protocol::{BlockDigests, BlockHasher, SessionId};
use std::ops::Range;
use std::sync::Arc;
use tokio::task::JoinSet;

/// How often an upload begins anew because its session is gone, before that is an answer.
const LIVES: u32 = 2;

/// A file that is sent in pieces.
pub(super) struct InPieces {
    engine: Engine,
    file: Arc<Opened>,
    commit: CommitInfo,
    name: Arc<str>,
    stored: StoredBlocks,
    session: Option<SessionId>,
    closed: bool,
    /// An earlier run may have sent more than is known to be stored.
    resumed: bool,
    /// An earlier run may have finished the session.
    finishing: bool,
    journal: Option<Journal>,
}

/// Why the bytes are not in the session.
enum Ended {
    /// The session doesn't take them any more; another one would.
    SessionGone,
    Failed(UploadFailure),
}

impl<E: Into<UploadFailure>> From<E> for Ended {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

impl InPieces {
    pub(super) fn new(engine: &Engine, file: Arc<Opened>, commit: CommitInfo) -> Self {
        Self {
            engine: engine.clone(),
            name: name_of(&commit),
            stored: StoredBlocks::none(file.size()),
            file,
            commit,
            session: None,
            closed: false,
            resumed: false,
            finishing: false,
            journal: None,
        }
    }

    /// Sends what is not there yet, and finishes.
    pub(super) async fn run(mut self) -> Outcome {
        if let Err(error) = self.open_journal().await {
            return Outcome::Refused(error.into());
        }
        let mut lives = LIVES;
        loop {
            let sent = match self.send().await {
                Ok(sent) => sent,
                Err(Ended::SessionGone) if lives > 0 => {
                    lives -= 1;
                    self.start_anew("its upload session is gone");
                    continue;
                }
                Err(Ended::SessionGone) => return Outcome::Refused(UploadFailure::SessionGone),
                Err(Ended::Failed(failure)) => return Outcome::Refused(failure),
            };
            let uncertain = self.finishing;
            let commit = self.commit.clone();
            self.note(|journal| journal.finishing(&commit));
            let to_save = ToSave {
                sent,
                commit: self.commit.clone(),
                uncertain,
            };
            let outcome = self.engine.commit(to_save).await;
            match &outcome {
                Outcome::Refused(failure) if lives > 0 && failure.is_session_gone() => {
                    lives -= 1;
                    self.start_anew("its upload session is gone");
                }
                Outcome::Done(_) => {
                    self.forget();
                    return outcome;
                }
                // Another session would do better than this one.
                Outcome::Refused(
                    UploadFailure::Offset { .. } | UploadFailure::Integrity { .. },
                ) => {
                    self.forget();
                    return outcome;
                }
                Outcome::Refused(_) => {
                    self.note(Journal::refused);
                    return outcome;
                }
                Outcome::Unknown(_) => return outcome,
            }
        }
    }

    /// Finds out what an earlier run left.
    async fn open_journal(&mut self) -> Result<(), JournalError> {
        let Some(journals) = self.engine.settings().journals.clone() else {
            return Ok(());
        };
        let (file, commit) = (Arc::clone(&self.file), self.commit.clone());
        let opened = blocking(move || journals.open(&file, &commit));
        let (journal, found) = match opened.await {
            Ok(opened) => opened,
            Err(error @ JournalError::Held { .. }) => return Err(error),
            Err(error) => {
                self.without_journal(&error);
                return Ok(());
            }
        };
        match found {
            Left::Nothing => {}
            Left::Changed => self.tell_anew("the file changed since"),
            Left::Expired => self.tell_anew("its upload session is too old"),
            Left::Stored => {
                self.stored = journal.stored().clone();
                self.session = journal.session().cloned();
                self.closed = journal.is_closed();
                self.finishing = journal.is_finishing(&self.commit);
                self.resumed = true;
                self.engine.tell(Event::Resumed {
                    file: Arc::clone(&self.name),
                    stored: self.stored.bytes(),
                    total: self.stored.size(),
                });
            }
        }
        self.journal = Some(journal);
        Ok(())
    }

    /// Nothing that was sent is of use.
    fn start_anew(&mut self, why: &'static str) {
        self.stored.clear();
        self.session = None;
        self.closed = false;
        self.resumed = false;
        self.finishing = false;
        self.tell_anew(why);
    }

    fn tell_anew(&self, why: &'static str) {
        self.engine.tell(Event::StartedAnew {
            file: Arc::clone(&self.name),
            why,
        });
    }

    /// Writes a step down. Where that fails the upload goes on, and a stop costs more.
    fn note(&mut self, step: impl FnOnce(&mut Journal) -> Result<(), JournalError>) {
        if let Some(Err(error)) = self.journal.as_mut().map(step) {
            self.without_journal(&error);
        }
    }

    fn without_journal(&mut self, error: &JournalError) {
        self.journal = None;
        self.engine.tell(Event::NoJournal {
            file: Arc::clone(&self.name),
            why: error.to_string(),
        });
    }

    /// The upload is over.
    fn forget(&mut self) {
        if let Some(Err(error)) = self.journal.take().map(Journal::remove) {
            self.without_journal(&error);
        }
    }

    /// Sends all that is missing, and closes the session.
    async fn send(&mut self) -> Result<Sent, Ended> {
        let session = match &self.session {
            Some(session) => session.clone(),
            None => self.start().await?,
        };
        let last = self.stored.count() - 1;
        let sending = Sending {
            engine: self.engine.clone(),
            file: Arc::clone(&self.file),
            progress: FileProgress::new(
                Arc::clone(&self.name),
                Some(self.stored.size()),
                self.stored.bytes(),
                Arc::clone(self.engine.events()),
            ),
            session: session.clone(),
            resumed: self.resumed,
        };
        // A drop of this future ends them.
        let mut pieces = JoinSet::new();
        let mut next = 0;
        loop {
            while pieces.len() < self.engine.width() {
                let most = usize::try_from(self.engine.request_size() / HASH_BLOCK);
                let most = most.expect("a request fits in memory");
                let Some(blocks) = self.stored.missing(next, last, most) else {
                    break;
                };
                next = blocks.end;
                pieces.spawn(sending.clone().piece(blocks, false));
            }
            let Some(piece) = pieces.join_next().await else {
                break;
            };
            match joined(piece) {
                Ok((first, digests)) => self.has(first, &digests),
                Err(ended) => {
                    // What others have sent meanwhile is not lost with this one.
                    while let Some(piece) = pieces.try_join_next() {
                        if let Ok((first, digests)) = joined(piece) {
                            self.has(first, &digests);
                        }
                    }
                    return Err(ended);
                }
            }
        }
        if !self.closed {
            self.file.check_unchanged()?;
            let (first, digests) = sending.piece(last..last + 1, true).await?;
            self.has(first, &digests);
            self.closed = true;
            self.note(Journal::closed);
        }
        let hash = self.stored.content_hash();
        Ok(Sent {
            session,
            size: self.stored.size(),
            hash: hash.expect("all of it is stored"),
        })
    }

    /// The session holds these blocks.
    fn has(&mut self, first: usize, digests: &BlockDigests) {
        self.stored.insert(first, digests);
        self.note(|journal| journal.add(first, digests));
    }

    /// Begins a session. Repeating it is harmless: one that nobody knows of expires.
    async fn start(&mut self) -> Result<SessionId, UploadFailure> {
        let arg = UploadSessionStartArg {
            close: false,
            session_type: Some(UploadSessionType::Concurrent),
            content_hash: None,
        };
        let (engine, what) = (&self.engine, "starting the upload");
        let started = engine.repeat(what, || {
            engine.client().upload_session_start(&arg, Payload::empty())
        });
        let session = started
            .await
            .map_err(UploadFailure::Start)?
            .value
            .session_id;
        self.session = Some(session.clone());
        self.note(|journal| journal.began(&session));
        Ok(session)
    }
}

/// What sending a piece needs to know.
#[derive(Clone)]
struct Sending {
    engine: Engine,
    file: Arc<Opened>,
    progress: FileProgress,
    session: SessionId,
    resumed: bool,
}

impl Sending {
    /// Reads these blocks and sends them; the first of them, and their digests.
    async fn piece(
        self,
        blocks: Range<usize>,
        close: bool,
    ) -> Result<(usize, BlockDigests), Ended> {
        let (parts, digests) = self.read(blocks.clone()).await?;
        let bytes = parts.iter().map(|part| part.len() as u64).sum();
        let arg = UploadSessionAppendArg {
            cursor: UploadSessionCursor {
                session_id: self.session.clone(),
                offset: blocks.start as u64 * HASH_BLOCK,
            },
            close,
            content_hash: Some(digests.content_hash().into()),
        };
        let mut attempts = self.engine.attempts();
        let mut uncertain = self.resumed;
        loop {
            let payload = Payload::of_parts(parts.iter().cloned());
            let (payload, counted) = self.progress.count(payload);
            let payload = self.engine.payload(payload);
            let append = self.engine.client().upload_session_append(&arg, payload);
            let Err(error) = self.engine.call(bytes, append).await else {
                counted.keep();
                break;
            };
            uncertain |= error.may_have_happened();
            let refusal = error.route_error();
            match refusal.map_or(AfterPiece::ByClass, |refusal| {
                after_piece(refusal, uncertain, close)
            }) {
                AfterPiece::Done => {
                    counted.keep();
                    break;
                }
                AfterPiece::SessionGone => return Err(Ended::SessionGone),
                AfterPiece::ByClass => {
                    drop(counted);
                    let again = self.engine.again(&mut attempts, "sending a piece", error);
                    again.await.map_err(UploadFailure::Append)?;
                }
            }
        }
        Ok((blocks.start, digests))
    }

    /// The bytes of these blocks, once there is memory for them.
    async fn read(&self, blocks: Range<usize>) -> Result<(Vec<Bytes>, BlockDigests), SourceError> {
        let mut memory = self.engine.blocks().borrow(blocks.len()).await;
        let file = Arc::clone(&self.file);
        let reading = blocking(move || {
            let mut hasher = BlockHasher::new();
            for (nth, block) in blocks.zip(&mut memory) {
                let bytes = length(file.size(), &(nth..nth + 1));
                let bytes = usize::try_from(bytes).expect("a block fits in memory");
                file.read(block.extend(bytes), nth as u64 * HASH_BLOCK)?;
                hasher.update(block.as_ref());
            }
            // Whoever changes the file while it is read learns it soon, not after hours.
            file.check_unchanged()?;
            let parts = memory.into_iter().map(super::blocks::Block::freeze);
            Ok((parts.collect(), hasher.finish()))
        });
        reading.await
    }
}
