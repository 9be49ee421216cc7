//! A large file by several requests at once.
//!
//! Each fetches a range into memory that was lent for it, and the ranges are written in their
//! order. Memory is asked for in that order too, so the range that is written next has some, and
//! nobody waits for a range that waits for memory.

use super::DownloadFailure;
use super::origin::{Answer, Ended, Origin};
use super::patience::Patience;
use super::prefix::Prefix;
use crate::transfer::blocking::joined;
use crate::transfer::blocks::Block;
use crate::transfer::progress::FileProgress;
use crate::{ByteRange, Fault};
use landfall_protocol::Rev;
use landfall_protocol::limits::HASH_BLOCK;
use landfall_protocol::types::files::FileMetadata;
use std::collections::BTreeMap;
use std::ops::Range;
use tokio::io::AsyncWrite;
use tokio::task::JoinSet;

/// A file that comes in ranges.
pub(super) struct Ranges<'a> {
    pub(super) origin: &'a Origin,
    pub(super) file: &'a FileMetadata,
    pub(super) progress: FileProgress,
}

/// A range that was fetched, or what came of it.
struct Fetched {
    from: u64,
    blocks: Vec<Block>,
    ended: Ended,
}

impl Ranges<'_> {
    /// Adds all that is missing to the prefix; `false`: the service sends no ranges, or none of
    /// these, and what came before is added.
    pub(super) async fn run<W: AsyncWrite + Unpin>(
        self,
        prefix: &mut Prefix<'_, W>,
    ) -> Result<bool, DownloadFailure> {
        let engine = &self.origin.engine;
        let size = self.file.size;
        let mut next = prefix.length();
        // A drop of this future ends them.
        let mut fetching = JoinSet::new();
        let mut fetched: BTreeMap<u64, Fetched> = BTreeMap::new();
        loop {
            while let Some(range) = fetched.remove(&prefix.length()) {
                for block in range.blocks {
                    prefix.add(block.as_ref()).await?;
                }
                match range.ended {
                    Ended::Complete => {}
                    Ended::NoRange => return Ok(false),
                    Ended::Failed(failure) => return Err(failure),
                }
            }
            if prefix.length() == size {
                return Ok(true);
            }
            let range = next..end_of(next, size, engine.request_size());
            let more = !range.is_empty() && fetching.len() < engine.width();
            tokio::select! {
                biased;
                Some(ended) = fetching.join_next() => {
                    let ended: Fetched = joined(ended);
                    fetched.insert(ended.from, ended);
                }
                blocks = engine.blocks().borrow(blocks_of(&range)), if more => {
                    next = range.end;
                    let part = Part {
                        origin: self.origin.clone(),
                        rev: self.file.rev.clone(),
                        progress: self.progress.clone(),
                        range,
                        blocks,
                        filled: 0,
                    };
                    fetching.spawn(part.fetch());
                }
            }
        }
    }
}

/// Where a range ends that begins here: at the end of a block, or of the file.
fn end_of(from: u64, size: u64, length: u64) -> u64 {
    size.min(from - from % HASH_BLOCK + length)
}

fn blocks_of(range: &Range<u64>) -> usize {
    usize::try_from((range.end - range.start).div_ceil(HASH_BLOCK)).expect("it fits in memory")
}

/// A range under way.
struct Part {
    origin: Origin,
    rev: Rev,
    progress: FileProgress,
    range: Range<u64>,
    blocks: Vec<Block>,
    /// Bytes in the blocks.
    filled: u64,
}

impl Part {
    /// Asks until all is here, or until that makes no sense.
    async fn fetch(mut self) -> Fetched {
        let engine = self.origin.engine.clone();
        let mut patience = Patience::new(&engine);
        let ended = loop {
            let before = self.filled;
            let at = self.range.start + before;
            let range = ByteRange {
                from: at,
                to: Some(self.range.end - 1),
            };
            let bytes = self.range.end - at;
            let origin = self.origin.clone();
            let read = async |answer| self.fill(answer).await;
            match origin.request(at, Some(range), bytes, read).await {
                Ok(ended) => break ended,
                Err(broken) => {
                    let progressed = self.filled > before;
                    let again = patience.again(&engine, broken, progressed, at);
                    if let Err(failure) = again.await {
                        break Ended::Failed(failure);
                    }
                }
            }
        };
        Fetched {
            from: self.range.start,
            blocks: self.blocks,
            ended,
        }
    }

    async fn fill(&mut self, mut answer: Answer) -> Result<Ended, Fault> {
        if let Some(changed) = DownloadFailure::if_changed(&self.rev, &answer.metadata().rev) {
            return Ok(Ended::Failed(changed));
        }
        // Each range would bring the whole file.
        if !answer.is_part() {
            return Ok(Ended::NoRange);
        }
        let length = self.range.end - self.range.start;
        while self.filled < length {
            let Some(chunk) = answer.chunk().await? else {
                return Err(answer.ended_early());
            };
            let rest = usize::try_from(length - self.filled).unwrap_or(usize::MAX);
            let taken = &chunk[..chunk.len().min(rest)];
            self.take(taken);
            self.progress.arrived(taken.len() as u64);
        }
        Ok(Ended::Complete)
    }

    /// Puts bytes behind those that are there.
    fn take(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let block = usize::try_from(self.filled / HASH_BLOCK).expect("it fits in memory");
            let block = &mut self.blocks[block];
            let (now, later) = bytes.split_at(bytes.len().min(block.room()));
            block.extend(now.len()).copy_from_slice(now);
            self.filled += now.len() as u64;
            bytes = later;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{blocks_of, end_of};
    use landfall_protocol::limits::HASH_BLOCK;

    #[test]
    fn ranges_end_where_blocks_end() {
        let block = HASH_BLOCK;
        assert_eq!(end_of(0, 10 * block, 2 * block), 2 * block);
        assert_eq!(end_of(block + 1, 10 * block, block), 2 * block);
        assert_eq!(end_of(9 * block, 9 * block + 5, block), 9 * block + 5);
        assert_eq!(blocks_of(&(0..2 * block)), 2);
        assert_eq!(blocks_of(&(block + 1..2 * block)), 1);
        assert_eq!(blocks_of(&(7..7)), 0);
    }
}
