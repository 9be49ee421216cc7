//! Many small files at once: a call that begins a session for each, bodies that carry the bytes
//! of hundreds, and a call that finishes all of them.
//!
//! Each file has a verdict of its own, and only those that failed are sent again. So a thousand
//! files go up in a handful of requests, where one by one they would take two thousand.

use super::action::{AfterEntry, after_entry};
use super::blocking::{blocking, joined};
use super::blocks::{BLOCK, Block};
use super::engine::Engine;
use super::finish::{Sent, ToSave};
use super::outcome::{BatchFailure, Outcome, UploadFailure};
use super::source::{Opened, Source, SourceError};
use super::upload::Upload;
use crate::{CallError, Failure, Payload};
use bytes::Bytes;
use landfall_protocol::limits;
use landfall_protocol::types::batches::{
    UploadSessionAppendBatchArg, UploadSessionAppendBatchArgEntry, UploadSessionAppendBatchError,
    UploadSessionAppendBatchResultEntry, UploadSessionStartBatchArg,
};
use landfall_protocol::types::bounds::{Batch, Within};
use landfall_protocol::types::files::CommitInfo;
use landfall_protocol::types::sessions::UploadSessionCursor;
use landfall_protocol::{BlockHasher, ContentHash, RouteId, SessionId};
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::task::JoinSet;

/// Bytes up to which a file goes together with others: one block. Ours.
pub(super) const SMALL: u64 = limits::HASH_BLOCK;

/// Files in a group: as many as one call begins and finishes.
pub(super) const FILES: usize = limits::BATCH as usize;

/// Bytes in a group, after which it is finished with fewer files: what is not finished when the
/// power goes is sent again. Ours.
pub(super) const BYTES: u64 = 128 * 1024 * 1024;

/// Bytes of argument in a request. The real limit of Dropbox is not known; proxies in between
/// take less than servers. Ours; what is too much is halved.
const ARGUMENT: usize = 48 * 1024;

/// Bytes that an entry takes in the argument beside its session's id, at most:
/// `{"cursor": {"session_id": "", "offset": 0}, "length": 4194304, "close": true}, `
const ENTRY: usize = 80;

/// Rounds of failed files, after which each is sent by itself.
const ROUNDS: u32 = 2;

/// What is learnt about batches, for all groups.
#[derive(Debug)]
pub(super) struct Learnt {
    /// See [`ARGUMENT`].
    argument: AtomicUsize,
}

impl Default for Learnt {
    fn default() -> Self {
        Self {
            argument: AtomicUsize::new(ARGUMENT),
        }
    }
}

/// A small file to be sent.
#[derive(Clone, Debug)]
pub(super) struct Small {
    /// Its number in the plan.
    pub(super) index: usize,
    pub(super) local: PathBuf,
    /// Bytes, when the plan was made.
    pub(super) size: u64,
    pub(super) commit: CommitInfo,
}

/// Files that go together.
pub(super) struct Group {
    pub(super) engine: Engine,
    pub(super) learnt: Arc<Learnt>,
}

type Settled = Vec<(usize, Outcome)>;

impl Group {
    /// Sends these files, at most [`FILES`], and says what became of each.
    pub(super) async fn run(self, files: Vec<Small>) -> Settled {
        let mut settled = Vec::with_capacity(files.len());
        let mut waiting = files;
        for _ in 0..ROUNDS {
            if waiting.len() < 2 {
                break;
            }
            waiting = self.round(waiting, &mut settled).await;
        }
        for file in waiting {
            settled.push((file.index, self.alone(file).await));
        }
        settled
    }

    /// Sends a file by itself, as whatever it is by now.
    async fn alone(&self, file: Small) -> Outcome {
        let local = file.local.clone();
        match blocking(move || Source::open(local)).await {
            Ok(source) => Box::pin(Upload::new(&self.engine, source, file.commit).run()).await,
            Err(error) => Outcome::Refused(error.into()),
        }
    }

    /// Sends these files once; those that are to be sent again come back.
    async fn round(&self, files: Vec<Small>, settled: &mut Settled) -> Vec<Small> {
        let sessions = match self.start(files.len()).await {
            Ok(sessions) => sessions,
            Err(failure) => {
                let refused = || Outcome::Refused(UploadFailure::Batch(failure.clone()));
                settled.extend(files.iter().map(|file| (file.index, refused())));
                return Vec::new();
            }
        };
        let mut files = files;
        // An answer that is too short has no session for these.
        let mut again = files.split_off(sessions.len().min(files.len()));
        let mut waiting: VecDeque<_> = files.into_iter().zip(sessions).collect();
        let (mut sent, mut files) = (Vec::new(), Vec::new());
        let mut packs = JoinSet::new();
        loop {
            while packs.len() < self.engine.width() && !waiting.is_empty() {
                let pack = Pack {
                    engine: self.engine.clone(),
                    learnt: Arc::clone(&self.learnt),
                    files: self.next_pack(&mut waiting),
                };
                packs.spawn(pack.send());
            }
            let Some(pack) = packs.join_next().await else {
                break;
            };
            let pack = joined(pack);
            waiting.extend(pack.too_many);
            again.extend(pack.again);
            settled.extend(
                pack.refused
                    .into_iter()
                    .map(|(index, failure)| (index, Outcome::Refused(failure))),
            );
            for (file, session) in pack.sent {
                sent.push(ToSave {
                    sent: session,
                    commit: file.commit.clone(),
                    uncertain: false,
                });
                files.push(file);
            }
        }
        let outcomes = self.engine.commit_all(sent).await;
        let (files, outcomes) = self.forget_larger(files, outcomes).await;
        for (file, outcome) in files.into_iter().zip(outcomes) {
            match outcome {
                Outcome::Refused(failure) if failure.is_session_gone() => again.push(file),
                outcome => settled.push((file.index, outcome)),
            }
        }
        again
    }

    /// A file may have been larger when an earlier run began it, and left a journal.
    async fn forget_larger(
        &self,
        files: Vec<Small>,
        outcomes: Vec<Outcome>,
    ) -> (Vec<Small>, Vec<Outcome>) {
        let Some(journals) = self.engine.settings().journals.clone() else {
            return (files, outcomes);
        };
        blocking(move || {
            let both = files.iter().zip(&outcomes);
            let saved = both.filter(|(_, outcome)| matches!(outcome, Outcome::Done(_)));
            journals.settle_all(saved.map(|(file, _)| (&*file.local, &file.commit)));
            (files, outcomes)
        })
        .await
    }

    /// Begins sessions. Those that come to nothing expire.
    async fn start(&self, count: usize) -> Result<Vec<SessionId>, BatchFailure> {
        let arg = UploadSessionStartBatchArg {
            session_type: None,
            num_sessions: Within::new(count as u64),
        };
        let engine = &self.engine;
        let started = engine.repeat("starting the uploads", || {
            engine.client().upload_session_start_batch(&arg)
        });
        let started = started
            .await
            .map_err(|error| BatchFailure::Start(Arc::new(error)))?;
        Ok(started.value.session_ids)
    }

    /// As many of the files as one request takes, one at least.
    fn next_pack(&self, waiting: &mut VecDeque<(Small, SessionId)>) -> Vec<(Small, SessionId)> {
        let most_bytes = self.engine.request_size();
        let most_argument = self.learnt.argument.load(Ordering::Relaxed);
        let (mut bytes, mut argument, mut count) = (0, 0, 0);
        for (file, session) in waiting.iter() {
            bytes += file.size;
            argument += ENTRY + session.as_str().len();
            if count > 0 && (bytes > most_bytes || argument > most_argument) {
                break;
            }
            count += 1;
        }
        waiting.drain(..count).collect()
    }
}

/// Files whose bytes go in one body.
struct Pack {
    engine: Engine,
    learnt: Arc<Learnt>,
    files: Vec<(Small, SessionId)>,
}

/// What became of the files of a pack.
#[derive(Default)]
struct Packed {
    /// Their sessions hold them, and are closed.
    sent: Vec<(Small, Sent)>,
    /// To be sent again, in sessions of their own.
    again: Vec<Small>,
    /// To be sent in a smaller pack.
    too_many: Vec<(Small, SessionId)>,
    refused: Vec<(usize, UploadFailure)>,
}

/// A file whose bytes are in memory.
struct Read {
    file: Small,
    session: SessionId,
    size: u64,
    hash: ContentHash,
}

/// What was read of a pack.
struct Content {
    files: Vec<Read>,
    body: Vec<Bytes>,
    hash: ContentHash,
    packed: Packed,
}

impl Pack {
    async fn send(self) -> Packed {
        let bytes: u64 = self.files.iter().map(|(file, _)| file.size).sum();
        let blocks = usize::try_from(bytes)
            .expect("a pack fits in memory")
            .div_ceil(BLOCK);
        let memory = self.engine.blocks().borrow(blocks.max(1)).await;
        let files = self.files;
        let Content {
            files,
            body,
            hash,
            mut packed,
        } = blocking(move || read(files, memory)).await;
        if files.is_empty() {
            return packed;
        }
        let bytes = files.iter().map(|read| read.size).sum();
        let arg = UploadSessionAppendBatchArg {
            entries: Batch::new(files.iter().map(entry).collect()).expect("no more than a group"),
            content_hash: Some(hash.into()),
        };
        let mut attempts = self.engine.attempts();
        let mut uncertain = false;
        let verdicts = loop {
            let payload = self.engine.payload(Payload::of_parts(body.iter().cloned()));
            let append = self
                .engine
                .client()
                .upload_session_append_batch(&arg, payload);
            let error = match self.engine.call(bytes, append).await {
                Ok(reply) => break reply.value.entries,
                Err(error) => error,
            };
            if files.len() > 1 && is_too_much(&error) {
                let half = argument_of(&arg) / 2;
                self.learnt
                    .argument
                    .fetch_min(half.max(1), Ordering::Relaxed);
                packed
                    .too_many
                    .extend(files.into_iter().map(|read| (read.file, read.session)));
                return packed;
            }
            uncertain |= error.may_have_happened();
            let again = self.engine.again(&mut attempts, "sending files", error);
            if let Err(error) = again.await {
                let failure = BatchFailure::Append(Arc::new(error));
                let refused = |read: Read| (read.file.index, UploadFailure::Batch(failure.clone()));
                packed.refused.extend(files.into_iter().map(refused));
                return packed;
            }
        };
        let mut verdicts = verdicts.into_iter();
        for read in files {
            let Read {
                file,
                session,
                size,
                hash,
            } = read;
            let action = match verdicts.next() {
                Some(UploadSessionAppendBatchResultEntry::Success) => AfterEntry::Done,
                Some(UploadSessionAppendBatchResultEntry::Failure(error)) => {
                    let action = after_entry(&error, size, uncertain);
                    if action == AfterEntry::Refused {
                        let route = RouteId::UploadSessionAppendBatch;
                        let error =
                            CallError::of_entry(self.engine.client().endpoint(), route, error);
                        packed
                            .refused
                            .push((file.index, UploadFailure::Entry(error)));
                    }
                    action
                }
                // An answer that is too short says nothing of this one.
                None => AfterEntry::Again,
            };
            match action {
                AfterEntry::Done => packed.sent.push((
                    file,
                    Sent {
                        session,
                        size,
                        hash,
                    },
                )),
                AfterEntry::Again => packed.again.push(file),
                AfterEntry::Refused => {}
            }
        }
        packed
    }
}

fn entry(read: &Read) -> UploadSessionAppendBatchArgEntry {
    UploadSessionAppendBatchArgEntry {
        cursor: UploadSessionCursor {
            session_id: read.session.clone(),
            offset: 0,
        },
        length: read.size,
        close: true,
    }
}

/// Bytes of argument, by the measure of [`Group::next_pack`].
fn argument_of(arg: &UploadSessionAppendBatchArg) -> usize {
    let entries = arg.entries.iter();
    entries
        .map(|entry| ENTRY + entry.cursor.session_id.as_str().len())
        .sum()
}

/// Whether something between us and the service, or the service, finds the headers too long.
fn is_too_much(error: &CallError<UploadSessionAppendBatchError>) -> bool {
    match error.failure() {
        Failure::BadRequest { .. } => true,
        Failure::Unreadable { status, .. } => matches!(status, 400 | 413 | 414 | 431),
        _ => false,
    }
}

/// Reads the files, one behind the other. Blocks.
fn read(files: Vec<(Small, SessionId)>, memory: Vec<Block>) -> Content {
    let mut packed = Packed::default();
    let mut body = Body::new(memory);
    let mut read = Vec::with_capacity(files.len());
    for (file, session) in files {
        match body.read(&file) {
            Ok(Some(hash)) => read.push(Read {
                size: file.size,
                hash,
                file,
                session,
            }),
            // It is another file than when the plan was made.
            Ok(None) => packed.again.push(file),
            Err(error) => packed.refused.push((file.index, error.into())),
        }
    }
    let mut hasher = BlockHasher::new();
    for block in &body.blocks {
        hasher.update(block.as_ref());
    }
    Content {
        files: read,
        body: body.blocks.into_iter().map(Block::freeze).collect(),
        hash: hasher.finish().content_hash(),
        packed,
    }
}

/// A body that is being put together, in blocks that are full but for the last.
struct Body {
    blocks: Vec<Block>,
    at: usize,
}

impl Body {
    fn new(blocks: Vec<Block>) -> Self {
        Self { blocks, at: 0 }
    }

    /// Adds a file's bytes; their hash. `None`: it has another size than it had, and nothing was
    /// added.
    fn read(&mut self, file: &Small) -> Result<Option<ContentHash>, SourceError> {
        let opened = Opened::new(file.local.clone())?;
        if opened.size() != file.size {
            return Ok(None);
        }
        let before: Vec<usize> = self.blocks.iter().map(Block::filled).collect();
        let at = self.at;
        match self.fill(&opened) {
            Ok(hash) => Ok(Some(hash)),
            Err(error) => {
                self.at = at;
                self.blocks
                    .iter_mut()
                    .zip(before)
                    .for_each(|(block, filled)| block.truncate(filled));
                Err(error)
            }
        }
    }

    fn fill(&mut self, opened: &Opened) -> Result<ContentHash, SourceError> {
        let mut hasher = BlockHasher::new();
        let mut offset = 0;
        while offset < opened.size() {
            if self.blocks[self.at].room() == 0 {
                self.at += 1;
            }
            let block = &mut self.blocks[self.at];
            let rest = usize::try_from(opened.size() - offset).expect("a small file");
            let place = block.extend(rest.min(block.room()));
            opened.read(place, offset)?;
            hasher.update(place);
            offset += place.len() as u64;
        }
        opened.check_unchanged()?;
        Ok(hasher.finish().content_hash())
    }
}
