//! The memory of all transfers: blocks of 4 MiB that are lent out and come back.
//!
//! Whoever needs some asks before there is anything to put into them and waits until they are
//! free, so the sum is never more than the budget. They are used again and again: an allocator
//! that keeps what was freed would break the promise as well.

use bytes::Bytes;
use landfall_protocol::limits::HASH_BLOCK;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes in a block: one block of the content hash.
pub(super) const BLOCK: usize = HASH_BLOCK as usize;

/// Blocks under a budget.
#[derive(Debug)]
pub(super) struct Blocks {
    count: usize,
    lendable: Arc<Semaphore>,
    /// Those that came back.
    kept: Mutex<Vec<Box<[u8]>>>,
}

impl Blocks {
    /// As many as this many bytes hold; two at least, so that one can be filled while another
    /// is on its way.
    pub(super) fn new(budget: u64) -> Arc<Self> {
        let count = usize::try_from(budget / HASH_BLOCK).unwrap_or(usize::MAX);
        let count = count.clamp(2, Semaphore::MAX_PERMITS);
        Arc::new(Self {
            count,
            lendable: Arc::new(Semaphore::new(count)),
            kept: Mutex::default(),
        })
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// Waits for this many, or as many as there are. First come, first served: who holds some
    /// must not ask for more.
    pub(super) async fn borrow(self: &Arc<Self>, wanted: usize) -> Vec<Block> {
        let wanted = wanted.min(self.count);
        let permits = u32::try_from(wanted).expect("no more than there are");
        let permits = Arc::clone(&self.lendable).acquire_many_owned(permits);
        let mut permits = permits.await.expect("the semaphore is never closed");
        let mut kept = self.kept();
        (0..wanted)
            .map(|_| Block {
                bytes: kept.pop().unwrap_or_else(|| vec![0; BLOCK].into()),
                filled: 0,
                home: Arc::clone(self),
                _permit: permits.split(1).expect("one for each"),
            })
            .collect()
    }

    fn kept(&self) -> MutexGuard<'_, Vec<Box<[u8]>>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A block that is lent out; it comes back when it is dropped.
#[derive(Debug)]
pub(super) struct Block {
    bytes: Box<[u8]>,
    filled: usize,
    home: Arc<Blocks>,
    _permit: OwnedSemaphorePermit,
}

impl Block {
    /// The place for this many more bytes, which the caller fills; they count as there.
    ///
    /// # Panics
    /// There is less room.
    pub(super) fn extend(&mut self, bytes: usize) -> &mut [u8] {
        let place = &mut self.bytes[self.filled..][..bytes];
        self.filled += bytes;
        place
    }

    /// Takes the last bytes away again.
    pub(super) fn truncate(&mut self, filled: usize) {
        self.filled = self.filled.min(filled);
    }

    /// Bytes in it.
    pub(super) fn filled(&self) -> usize {
        self.filled
    }

    /// Bytes that it still takes.
    pub(super) fn room(&self) -> usize {
        BLOCK - self.filled
    }

    /// Its bytes, as a body has them; it comes back when the last of them is gone.
    pub(super) fn freeze(self) -> Bytes {
        Bytes::from_owner(self)
    }
}

impl AsRef<[u8]> for Block {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..self.filled]
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        let bytes = std::mem::take(&mut self.bytes);
        self.home.kept().push(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::{BLOCK, Blocks};
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Waker};

    #[tokio::test]
    async fn no_more_is_lent_than_there_is_and_what_comes_back_is_lent_again() {
        let blocks = Blocks::new(2 * BLOCK as u64 + 1);
        let mut first = blocks.borrow(1).await;
        first[0].extend(3).copy_from_slice(b"abc");
        // More than there are is as many as there are.
        let mut all = pin!(blocks.borrow(5));
        let mut context = Context::from_waker(Waker::noop());
        assert!(all.as_mut().poll(&mut context).is_pending());
        let body = first.remove(0).freeze();
        assert_eq!(body, "abc");
        assert!(all.as_mut().poll(&mut context).is_pending());
        drop(body);
        let all = all.await;
        assert_eq!(all.len(), 2);
        assert!(all.iter().all(|block| block.filled() == 0));
        drop(all);
        assert_eq!(blocks.kept().len(), 2);
    }
}
