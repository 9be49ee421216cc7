//! What happens without being asked: sessions expire, old revisions leave the history, what
//! nothing refers to any more is removed, and what is there is read again.
//!
//! Everything here may be stopped at any moment and be done by several processes at once: each
//! step is an operation that looks again under the lock, and what it leaves half done is found
//! by the next run. Steps are small, so that requests don't wait for them.

mod check;
mod collection;
mod deletion;
mod expiry;
mod forget;
mod hold;
mod lease;
mod routine;
mod scrub;

pub use check::Checked;
use collection::HEARTBEAT;
pub use hold::HeldFiles;
pub(crate) use routine::keep_up;
pub use scrub::{Scrubbed, Turn};

use crate::blobs::BlobStore;
use crate::meta::{Meta, MetaError, Operation};
use crate::ops::Trouble;
use crate::sys::Sys;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Rows that one step touches: about as many as a request waits for without noticing.
const SLICE: usize = 8;

/// The longest rest after a step. A step that took longer didn't work, it waited.
const LONGEST_REST: Duration = Duration::from_secs(1);

/// What is kept, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// How long a revision stays in the history after it was replaced or deleted; `None`: for
    /// ever.
    pub keep_revisions: Option<Duration>,
    /// How long a file that nothing refers to is kept for those who may still be reading it.
    pub grace: Duration,
}

impl Policy {
    /// A reader may be at a file for as long as a request may take.
    pub const GRACE: Duration = Duration::from_secs(6 * 60 * 60 + 60);
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            keep_revisions: None,
            grace: Self::GRACE,
        }
    }
}

/// What a run of the upkeep did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Collected {
    /// Deleted accounts of which nothing is left.
    pub accounts: u64,
    /// Sessions that expired.
    pub sessions: u64,
    /// Revisions that left the history.
    pub revisions: u64,
    /// Blobs whose files were removed because nothing refers to them any more.
    pub blobs: u64,
    /// Files of dead writers that nothing ever referred to.
    pub strays: u64,
    /// Whether files had to stay because a backup is being made.
    pub held: bool,
}

/// The upkeep of a store.
#[derive(Clone, Debug)]
pub struct Upkeep {
    meta: Meta,
    blobs: Arc<dyn BlobStore>,
    sys: Sys,
    /// Under which leases are taken.
    holder: String,
    scrubbed: Arc<Scrubbed>,
}

impl Upkeep {
    pub(crate) fn new(meta: Meta, blobs: Arc<dyn BlobStore>, sys: Sys) -> Self {
        Self {
            holder: sys.random.name(),
            scrubbed: Arc::default(),
            meta,
            blobs,
            sys,
        }
    }

    /// What the scrubs come to while they go on.
    pub fn scrubbed(&self) -> Arc<Scrubbed> {
        Arc::clone(&self.scrubbed)
    }

    /// Runs an operation, then rests.
    async fn step<O: Operation>(&self, operation: O) -> Result<O::Answer, MetaError> {
        let begun = Instant::now();
        let outcome = self.meta.transact(operation).await;
        rest(begun).await;
        outcome
    }

    /// Does all there is to do now.
    ///
    /// # Errors
    /// The stores'. What was done stays done.
    pub async fn run(&self, policy: Policy) -> Result<Collected, Trouble> {
        let mut collected = Collected {
            accounts: self.end_deletions().await?,
            sessions: self.expire_sessions().await?,
            ..Collected::default()
        };
        if let Some(keep) = policy.keep_revisions {
            collected.revisions = self.expire_revisions(keep).await?;
        }
        self.forget_jobs().await?;
        self.forget_notifications().await?;
        self.remove_orphans().await?;
        self.end_holds().await?;
        (collected.blobs, collected.held) = self.remove_doomed(policy.grace).await?;
        collected.strays = self.collect_dead_writers().await?;
        Ok(collected)
    }
}

/// Waits for three times as long as the step that has begun then took: most of the time, lock and
/// disk belong to requests alone, those of other processes too. As steps come one after the
/// other, the writer's queue never holds more than one of them.
async fn rest(begun: Instant) {
    sleep((begun.elapsed() * 3).min(LONGEST_REST)).await;
}
