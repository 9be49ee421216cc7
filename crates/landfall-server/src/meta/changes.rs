//! Waking those who wait for a tree to change.

use super::rows::Ns;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// Who waits for which tree, in this process. Changes by other processes wake nobody, so whoever
/// waits also looks from time to time.
#[derive(Debug, Default)]
pub(super) struct Changes {
    waiting: Mutex<HashMap<Ns, watch::Sender<()>>>,
}

/// Wakes up when a tree changes.
#[derive(Debug)]
pub struct TreeChanged(watch::Receiver<()>);

impl TreeChanged {
    /// Waits for a change since the last one that was waited for.
    pub async fn wait(&mut self) {
        if self.0.changed().await.is_err() {
            // Nobody will tell any more: the one who waits looks by itself.
            std::future::pending::<()>().await;
        }
    }
}

impl Changes {
    /// From now on, changes of this tree are told.
    pub(super) fn of(&self, ns: Ns) -> TreeChanged {
        TreeChanged(self.lock().entry(ns).or_default().subscribe())
    }

    /// These trees have changed.
    pub(super) fn happened(&self, trees: &[Ns]) {
        if trees.is_empty() {
            return;
        }
        let mut waiting = self.lock();
        for ns in trees {
            // An error: nobody waits any more.
            if waiting
                .get(ns)
                .is_some_and(|sender| sender.send(()).is_err())
            {
                waiting.remove(ns);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Ns, watch::Sender<()>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
