//! The digests of blocks, by themselves: for bytes that come in any order.
//!
//! A content hash is the hash of its blocks' digests. Where a piece of a content begins on a block
//! boundary, its digests can be taken before the rest is there, and the hash of the whole is
//! computed from them without a byte being read again.

use crate::hash::ContentHash;
use crate::limits::HASH_BLOCK;
use sha2::{Digest, Sha256};
use std::ops::Range;

/// Bytes in one digest.
const DIGEST: usize = 32;

/// The digests of consecutive blocks of [`HASH_BLOCK`] bytes; the last block may be shorter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BlockDigests(Vec<u8>);

/// Bytes that are no whole number of digests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a block's digest has {DIGEST} bytes")]
pub struct BadDigests;

impl BlockDigests {
    /// Digests that were stored.
    ///
    /// # Errors
    /// [`BadDigests`]
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, BadDigests> {
        match bytes.len().is_multiple_of(DIGEST) {
            true => Ok(Self(bytes)),
            false => Err(BadDigests),
        }
    }

    /// The digests, one after the other.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The digest of the block with this number; `None`: there is none.
    pub fn block(&self, nth: usize) -> Option<&[u8]> {
        self.0.chunks_exact(DIGEST).nth(nth)
    }

    /// The digests of some of the blocks.
    ///
    /// # Panics
    /// If there are fewer.
    #[must_use]
    pub fn of(&self, blocks: Range<usize>) -> Self {
        Self(self.0[blocks.start * DIGEST..blocks.end * DIGEST].to_vec())
    }

    /// Adds the digests of the blocks that follow.
    pub fn extend(&mut self, more: &Self) {
        self.0.extend_from_slice(&more.0);
    }

    /// The content hash of the blocks together.
    pub fn content_hash(&self) -> ContentHash {
        ContentHash::from_bytes(Sha256::digest(&self.0).into())
    }
}

/// Computes the digests of a piece that begins on a block boundary.
#[derive(Clone, Debug, Default)]
pub struct BlockHasher {
    done: BlockDigests,
    block: Sha256,
    length: u64,
}

impl BlockHasher {
    /// A hasher that has seen no byte.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next bytes.
    pub fn update(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let room = HASH_BLOCK - self.length % HASH_BLOCK;
            let take = usize::try_from(room).map_or(bytes.len(), |room| room.min(bytes.len()));
            let (now, later) = bytes.split_at(take);
            self.block.update(now);
            self.length += take as u64;
            if self.length.is_multiple_of(HASH_BLOCK) {
                self.done.0.extend_from_slice(&self.block.finalize_reset());
            }
            bytes = later;
        }
    }

    /// The digests of what was taken.
    pub fn finish(mut self) -> BlockDigests {
        if !self.length.is_multiple_of(HASH_BLOCK) {
            self.done.0.extend_from_slice(&self.block.finalize());
        }
        self.done
    }
}

#[cfg(test)]
mod tests {
    use super::{BadDigests, BlockDigests, BlockHasher};
    use crate::hash::ContentHash;

    const MIB: usize = 1024 * 1024;

    fn digests(bytes: &[u8], piece: usize) -> BlockDigests {
        let mut hasher = BlockHasher::new();
        bytes.chunks(piece).for_each(|piece| hasher.update(piece));
        hasher.finish()
    }

    #[test]
    fn the_digests_of_all_pieces_together_give_the_content_hash() {
        for length in [0, 1, 4 * MIB - 1, 4 * MIB, 4 * MIB + 1, 9 * MIB] {
            let data: Vec<u8> = (0..length).map(|nth| (nth * 31 % 251) as u8).collect();
            let hash = ContentHash::of(&data);
            for piece in [MIB, 3 * MIB + 7] {
                assert_eq!(digests(&data, piece).content_hash(), hash, "{length}");
            }
            let (first, second) = data.split_at(length.min(4 * MIB));
            let mut both = digests(first, MIB);
            both.extend(&digests(second, MIB));
            assert_eq!(both.content_hash(), hash, "{length} in two pieces");
        }
    }

    #[test]
    fn blocks_are_found_by_their_numbers() {
        let data: Vec<u8> = (0..9 * MIB).map(|nth| (nth * 31 % 251) as u8).collect();
        let all = digests(&data, MIB);
        let second = digests(&data[4 * MIB..8 * MIB], MIB);
        assert_eq!(all.of(1..2), second);
        assert_eq!(all.block(1), Some(second.as_bytes()));
        assert_eq!(all.block(3), None);
        let stored = BlockDigests::from_bytes(all.as_bytes().to_vec());
        assert_eq!(stored, Ok(all));
        assert_eq!(BlockDigests::from_bytes(vec![0; 33]), Err(BadDigests));
    }
}
