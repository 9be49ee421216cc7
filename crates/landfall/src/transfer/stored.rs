//! Which blocks of a content a session holds.

use landfall_protocol::limits::HASH_BLOCK;
use landfall_protocol::{BlockDigests, ContentHash};
use std::ops::Range;

/// Bytes in one digest.
const DIGEST: usize = 32;

/// The blocks of a content that are stored, by their digests, which are all that is needed to
/// know the hash of the whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct StoredBlocks {
    size: u64,
    digests: Vec<Option<[u8; DIGEST]>>,
}

impl StoredBlocks {
    /// Nothing of a content of this many bytes.
    pub(super) fn none(size: u64) -> Self {
        let count = usize::try_from(size.div_ceil(HASH_BLOCK)).expect("digests fit in memory");
        Self {
            size,
            digests: vec![None; count],
        }
    }

    /// Bytes in the content.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// Blocks in the content, stored or not.
    pub(super) fn count(&self) -> usize {
        self.digests.len()
    }

    /// Bytes that are stored.
    pub(super) fn bytes(&self) -> u64 {
        let stored = (0..self.count()).filter(|block| self.has(*block));
        stored
            .map(|block| length(self.size, &(block..block + 1)))
            .sum()
    }

    pub(super) fn has(&self, block: usize) -> bool {
        self.digests.get(block).is_some_and(Option::is_some)
    }

    /// These blocks, from this one on, are stored too. Those beyond the end are none.
    pub(super) fn insert(&mut self, first: usize, digests: &BlockDigests) {
        let digests = digests.as_bytes().chunks_exact(DIGEST);
        for (place, digest) in self.digests.iter_mut().skip(first).zip(digests) {
            *place = digest.try_into().ok();
        }
    }

    pub(super) fn clear(&mut self) {
        self.digests.fill(None);
    }

    /// The first run of blocks from this one on, before `end`, that are not stored: at most this
    /// many.
    pub(super) fn missing(&self, from: usize, end: usize, most: usize) -> Option<Range<usize>> {
        let first = (from..end).find(|block| !self.has(*block))?;
        let last = (first..end.min(first + most)).take_while(|block| !self.has(*block));
        Some(first..first + last.count())
    }

    /// The hash of the content, if all of it is stored.
    pub(super) fn content_hash(&self) -> Option<ContentHash> {
        let digests: Option<Vec<_>> = self.digests.iter().copied().collect();
        let digests = BlockDigests::from_bytes(digests?.concat());
        digests.ok().map(|digests| digests.content_hash())
    }
}

/// Bytes in these blocks of a content of this size.
pub(super) fn length(size: u64, blocks: &Range<usize>) -> u64 {
    let end = size.min(blocks.end as u64 * HASH_BLOCK);
    end.saturating_sub(blocks.start as u64 * HASH_BLOCK)
}

#[cfg(test)]
mod tests {
    use super::{StoredBlocks, length};
    use landfall_protocol::limits::HASH_BLOCK;
    use landfall_protocol::{BlockHasher, ContentHash};

    #[test]
    fn what_is_stored_is_counted_hashed_and_not_sent_again() {
        let content = vec![7; 3 * HASH_BLOCK as usize + 5];
        let size = content.len() as u64;
        let mut hasher = BlockHasher::new();
        hasher.update(&content);
        let digests = hasher.finish();

        let mut stored = StoredBlocks::none(size);
        assert_eq!((stored.count(), stored.bytes()), (4, 0));
        stored.insert(1, &digests.of(1..2));
        assert_eq!(stored.missing(0, 4, 9), Some(0..1));
        assert_eq!(stored.missing(1, 4, 9), Some(2..4));
        assert_eq!(stored.missing(1, 4, 1), Some(2..3));
        assert_eq!(stored.missing(1, 2, 1), None);
        assert_eq!(stored.content_hash(), None);
        stored.insert(2, &digests.of(2..4));
        assert_eq!(stored.bytes(), 2 * HASH_BLOCK + 5);
        stored.insert(0, &digests);
        assert_eq!(stored.content_hash(), Some(ContentHash::of(&content)));
        assert_eq!(length(size, &(2..4)), HASH_BLOCK + 5);
        stored.clear();
        assert_eq!(stored.bytes(), 0);
    }
}
