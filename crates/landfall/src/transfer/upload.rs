//! One file of any size, from its first byte to its commit.

use super::concurrent::InPieces;
use super::engine::Engine;
use super::finish::ToSave;
use super::outcome::{Outcome, UploadFailure};
use super::progress::FileProgress;
use super::sequential::InOrder;
use super::source::{Kind, Source};
use landfall_protocol::limits;
use landfall_protocol::types::files::CommitInfo;
use std::sync::Arc;

/// Bytes in a request of a stream unless somebody says otherwise: four hash blocks. Ours: small
/// enough to be sent again without regret and to keep twice in memory, large enough that a
/// round trip doesn't show.
const STREAM_CHUNK: u64 = 4 * limits::HASH_BLOCK;

/// An upload to be run.
///
/// A file of one request is started, closed and finished, in two requests. A larger one goes in
/// pieces of a concurrent session, several at once, and with a journal it goes on after a stop
/// of any kind. A stream goes in order, chunk by chunk, with two of them in memory, and the
/// session is closed with the last. Each request carries the hash of its bytes, and the hash of
/// the whole is held against the answer.
pub struct Upload {
    engine: Engine,
    source: Source,
    commit: CommitInfo,
}

impl Upload {
    /// An upload of this content by this commit.
    pub fn new(engine: &Engine, source: Source, commit: CommitInfo) -> Self {
        Self {
            engine: engine.clone(),
            source,
            commit,
        }
    }

    /// Runs the upload to its end.
    ///
    /// Dropping the future stops it. A session that is left behind expires by itself, unless a
    /// journal knows of it and the same upload is run again; nothing is saved unless the finish
    /// was already on its way.
    pub async fn run(self) -> Outcome {
        let Kind::File(file) = self.source.0 else {
            return in_order(&self.engine, self.source, &self.commit).await;
        };
        let size = file.size();
        if size > limits::FILE_SIZE {
            return Outcome::Refused(UploadFailure::TooLarge { size });
        }
        if size > limits::HASH_BLOCK {
            let pieces = InPieces::new(&self.engine, Arc::new(file), self.commit);
            return Box::pin(pieces.run()).await;
        }
        let path = file.path().to_owned();
        let outcome = in_order(&self.engine, Source(Kind::File(file)), &self.commit).await;
        // It may have been larger when an earlier run began it.
        if let (Outcome::Done(_), Some(journals)) = (&outcome, &self.engine.settings().journals) {
            drop(journals.settle(&path, &self.commit));
        }
        outcome
    }
}

async fn in_order(engine: &Engine, source: Source, commit: &CommitInfo) -> Outcome {
    let memory = engine.settings().memory;
    let chunk = engine
        .settings()
        .chunk
        .unwrap_or_else(|| STREAM_CHUNK.min(memory / 4));
    let chunk = chunk.min(memory / 2);
    let chunk = chunk.clamp(limits::HASH_BLOCK, limits::CLIENT_BODY);
    let chunk =
        usize::try_from(chunk - chunk % limits::HASH_BLOCK).expect("a chunk fits in memory");
    let file = Arc::from(commit.path.as_str());
    let events = Arc::clone(engine.events());
    let in_order = InOrder {
        engine,
        progress: FileProgress::new(file, source.size(), 0, events),
    };
    let mut pieces = source.pieces(chunk);
    let sent = match in_order.send(&mut pieces).await {
        Ok(sent) => sent,
        Err(failure) => return Outcome::Refused(failure),
    };
    let to_save = ToSave {
        sent,
        commit: commit.clone(),
        uncertain: false,
    };
    engine.commit(to_save).await
}

/// The name that events give a file.
pub(super) fn name_of(commit: &CommitInfo) -> Arc<str> {
    Arc::from(commit.path.as_str())
}
