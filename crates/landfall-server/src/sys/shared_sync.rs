//! One sync for all who wait for it.
//!
//! A sync of a directory makes every name in it safe that was there when it began, whoever made
//! it. So while one runs, those who come wait for the next, and one of them runs that for all.

use std::io;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Syncs of one directory, shared by those who ask at the same time.
#[derive(Debug, Default)]
pub struct SharedSync {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Syncs that began, and those of them that ended well.
    begun: u64,
    ended: u64,
    running: bool,
    /// A failed sync is final: a later one that succeeds says nothing about what this one was
    /// for.
    failed: Option<(io::ErrorKind, String)>,
}

impl SharedSync {
    /// Returns once a run of `sync` that began after this call has ended well; runs it, unless
    /// another caller does. Blocks.
    ///
    /// # Errors
    /// The sync's; after that every call fails, and the directory takes no more names.
    pub fn run(&self, sync: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        self.run_for(self.next(), sync)
    }

    /// The sync that has not begun yet, by its number.
    fn next(&self) -> u64 {
        self.lock().begun + 1
    }

    fn run_for(&self, wanted: u64, sync: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        let mut state = self.lock();
        loop {
            if state.ended >= wanted {
                return Ok(());
            }
            if let Some((kind, why)) = &state.failed {
                return Err(io::Error::new(*kind, why.clone()));
            }
            if !state.running {
                break;
            }
            let waited = self.changed.wait(state);
            state = waited.unwrap_or_else(PoisonError::into_inner);
        }
        state.running = true;
        state.begun += 1;
        drop(state);

        let run = Run(
            self,
            Err((io::ErrorKind::Other, "the sync panicked".into())),
        );
        run.end(sync())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A sync that runs, with what is told of it when it is over, however it ends.
struct Run<'s>(&'s SharedSync, Result<(), (io::ErrorKind, String)>);

impl Run<'_> {
    fn end(mut self, outcome: io::Result<()>) -> io::Result<()> {
        self.1 = match &outcome {
            Ok(()) => Ok(()),
            Err(error) => Err((error.kind(), error.to_string())),
        };
        outcome
    }
}

impl Drop for Run<'_> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.running = false;
        match std::mem::replace(&mut self.1, Ok(())) {
            Ok(()) => state.ended = state.begun,
            Err(failure) => state.failed = Some(failure),
        }
        drop(state);
        self.0.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::SharedSync;
    use std::io;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::thread;

    #[test]
    fn those_who_come_during_a_sync_share_the_next_one() {
        let shared = SharedSync::default();
        let mut others = Vec::new();
        shared
            .run(|| {
                // What these want is not in the sync that runs: it began before they came.
                others = (0..20).map(|_| shared.next()).collect();
                Ok(())
            })
            .unwrap();
        let mut runs = 0;
        for wanted in others {
            let sync = || {
                runs += 1;
                Ok(())
            };
            shared.run_for(wanted, sync).unwrap();
        }
        assert_eq!(runs, 1);
        // Alone, everybody syncs.
        shared.run(|| Ok(())).unwrap();
        assert_eq!(shared.lock().begun, 3);
    }

    #[test]
    fn nobody_returns_before_a_sync_that_began_after_the_call() {
        let shared = Arc::new(SharedSync::default());
        let (begun, synced) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let threads: Vec<_> = (0..8)
            .map(|_| {
                let (shared, begun, synced) = (shared.clone(), begun.clone(), synced.clone());
                thread::spawn(move || {
                    for _ in 0..200 {
                        let mine = begun.fetch_add(1, Ordering::SeqCst) + 1;
                        let sync = || {
                            // What was there when the sync began is safe when it ends.
                            let there = begun.load(Ordering::SeqCst);
                            thread::yield_now();
                            synced.fetch_max(there, Ordering::SeqCst);
                            Ok(())
                        };
                        shared.run(sync).unwrap();
                        assert!(synced.load(Ordering::SeqCst) >= mine);
                    }
                })
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
    }

    #[test]
    fn a_failed_sync_fails_all_who_waited_for_it_and_all_who_come_later() {
        let shared = SharedSync::default();
        shared.run(|| Ok(())).unwrap();
        let full = shared.run(|| Err(io::ErrorKind::StorageFull.into()));
        assert_eq!(full.unwrap_err().kind(), io::ErrorKind::StorageFull);
        let later = shared.run(|| unreachable!("it is not tried again"));
        assert_eq!(later.unwrap_err().kind(), io::ErrorKind::StorageFull);
    }

    #[test]
    fn a_sync_that_panics_leaves_nobody_waiting() {
        let shared = SharedSync::default();
        let panics = || shared.run(|| panic!("planned"));
        assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(panics)).is_err());
        assert!(shared.run(|| Ok(())).is_err());
    }
}
