//! The one thread that writes, and how it shares a sync among those who wait.
//!
//! A commit costs one sync of the log whatever is in it. While the thread syncs, operations
//! queue up; then it takes as many as are waiting into the next transaction, each in a
//! savepoint of its own, commits once, and only then tells all of them. Nobody waits for
//! company: a lone operation is committed at once.

use super::apply::apply;
use super::checkpoint::{Checkpoints, Copied};
use super::failure::{failure, reason};
use super::load::Rows;
use crate::meta::rows::BlobPlace;
use crate::meta::{Effect, Job, MetaError};
use crate::sys::weakened::{Safeguard, without};
use crate::sys::{Failpoints, Point};
use rusqlite::{Connection, ErrorCode, Savepoint, Transaction, TransactionBehavior, ffi};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};
use tokio::sync::oneshot;

/// Operations that may wait for the thread; more are told to come back.
const QUEUE: usize = 1024;

/// Operations in one transaction, and bytes of inline bodies: beyond that, those who came first
/// would wait longer for their answers than the sync is worth.
const TOGETHER: usize = 256;
const TOGETHER_BYTES: usize = 4 * 1024 * 1024;

/// How often an operation starts over when rows changed underneath it. Under the write lock
/// that can't happen by chance: it means that a load overlooked a row.
const ATTEMPTS: u32 = 3;

struct Waiting {
    job: Box<dyn Job>,
    done: oneshot::Sender<Outcome>,
}

type Outcome = Result<(), MetaError>;

/// Hands operations to the thread.
#[derive(Debug)]
pub(super) struct Writer {
    queue: mpsc::SyncSender<Waiting>,
    pending: Arc<AtomicU64>,
    stopped: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Writer {
    /// Starts the thread; it ends when the writer is dropped. `free` says how many bytes are
    /// free on the disk.
    pub(super) fn start(
        connection: Connection,
        failpoints: Failpoints,
        free: impl Fn() -> u64 + Send + 'static,
    ) -> Self {
        let (queue, waiting) = mpsc::sync_channel(QUEUE);
        let store = Store::new(connection, failpoints, free);
        let pending = store.checkpoints.pending();
        let stopped = Arc::clone(&store.told_stopped);
        let thread = thread::Builder::new()
            .name("landfall-meta".into())
            .spawn(move || serve(store, &waiting))
            .expect("the system gives a thread at start-up");
        Self {
            queue,
            pending,
            stopped,
            thread,
        }
    }

    /// Whether the thread writes nothing any more: after a failed write, or a bug that ended it.
    pub(super) fn has_stopped(&self) -> bool {
        self.stopped.load(Ordering::SeqCst) || self.thread.is_finished()
    }

    /// Bytes by which the database will still grow, whatever is written from now on.
    pub(super) fn pending(&self) -> u64 {
        self.pending.load(Ordering::SeqCst)
    }

    /// Queues the operation, at once, and waits for its outcome.
    pub(super) fn run(&self, job: Box<dyn Job>) -> impl Future<Output = Outcome> + Send + use<> {
        let (done, outcome) = oneshot::channel();
        let queued = self.queue.try_send(Waiting { job, done });
        async move {
            queued.map_err(|error| match error {
                mpsc::TrySendError::Full(_) => MetaError::Busy,
                mpsc::TrySendError::Disconnected(_) => {
                    MetaError::Failed("the writing thread has ended".into())
                }
            })?;
            outcome
                .await
                .map_err(|_| MetaError::Unknown("the writing thread has ended".into()))?
        }
    }
}

fn serve(mut store: Store, waiting: &mpsc::Receiver<Waiting>) {
    while let Ok(first) = waiting.recv() {
        let mut group = vec![first];
        let outcomes = store.commit_together(&mut group, || waiting.try_recv().ok());
        for (Waiting { done, .. }, outcome) in group.into_iter().zip(outcomes) {
            // The caller may have gone; the outcome stands all the same.
            let _ = done.send(outcome);
        }
        store.checkpoint();
    }
    store.end_checkpoint();
    if store.stopped.is_some() {
        // The last connection that is closed copies the log into the database and removes it,
        // on the word of a second sync.
        std::mem::forget(store);
    }
}

struct Store {
    connection: Connection,
    failpoints: Failpoints,
    checkpoints: Checkpoints,
    /// Set after a failed write to the disk: what the kernel holds is not known any more, and a
    /// second attempt that succeeds would prove nothing. Only a restart, which reads the log
    /// from the disk, tells.
    stopped: Option<MetaError>,
    /// The same, for those who look from outside.
    told_stopped: Arc<AtomicBool>,
}

/// The transaction of a group went away before its commit: nothing of it took place.
struct RolledBack(MetaError);

impl Store {
    fn new(
        mut connection: Connection,
        failpoints: Failpoints,
        free: impl Fn() -> u64 + Send + 'static,
    ) -> Self {
        Self {
            checkpoints: Checkpoints::of(&mut connection, free),
            connection,
            failpoints,
            stopped: None,
            told_stopped: Arc::default(),
        }
    }

    /// Runs the group in one transaction, taking in `more` as long as there is room, and
    /// returns an outcome for each. They are certain, except for [`MetaError::Unknown`].
    fn commit_together(
        &mut self,
        group: &mut Vec<Waiting>,
        more: impl FnMut() -> Option<Waiting>,
    ) -> Vec<Outcome> {
        if let Some(error) = &self.stopped {
            return vec![Err(error.clone())];
        }
        match self.transaction(group, more) {
            Ok(outcomes) => outcomes,
            Err(RolledBack(error)) if group.len() == 1 => vec![Err(error)],
            // One of them broke the transaction of all (no space, for example). Alone, each
            // gets what is its own.
            Err(RolledBack(_)) => group.iter_mut().map(|one| self.commit_alone(one)).collect(),
        }
    }

    fn commit_alone(&mut self, waiting: &mut Waiting) -> Outcome {
        if let Some(error) = &self.stopped {
            return Err(error.clone());
        }
        let begun = begin(&mut self.connection, &self.failpoints);
        let mut transaction = begun.map_err(|RolledBack(error)| error)?;
        in_savepoint(&mut transaction, &mut *waiting.job).0?;
        commit(transaction, &self.failpoints).map_err(|error| self.failed_commit(&error))
    }

    fn transaction(
        &mut self,
        group: &mut Vec<Waiting>,
        mut more: impl FnMut() -> Option<Waiting>,
    ) -> Result<Vec<Outcome>, RolledBack> {
        let mut transaction = begin(&mut self.connection, &self.failpoints)?;
        let mut outcomes = Vec::new();
        let mut bytes = 0;
        loop {
            let job = &mut *group[outcomes.len()].job;
            let (outcome, inline) = in_savepoint(&mut transaction, job);
            // After some errors SQLite has rolled back everything, not the savepoint alone.
            if transaction.is_autocommit() {
                let error = outcome.err().unwrap_or(MetaError::Busy);
                return Err(RolledBack(error));
            }
            let joined = self.failpoints.hit(Point::GroupJoined);
            joined.map_err(|planned| RolledBack(failure(planned.into())))?;
            outcomes.push(outcome);
            bytes += inline;
            if outcomes.len() == group.len() {
                let room = group.len() < TOGETHER && bytes < TOGETHER_BYTES;
                match if room { more() } else { None } {
                    Some(waiting) => group.push(waiting),
                    None => break,
                }
            }
        }
        match commit(transaction, &self.failpoints) {
            Ok(()) => Ok(outcomes),
            Err(error) => {
                let error = self.failed_commit(&error);
                // Who was refused anyway is refused; nobody else knows more than the error.
                let certain = |outcome: Outcome| outcome.and(Err(error.clone()));
                Ok(outcomes.into_iter().map(certain).collect())
            }
        }
    }

    /// What a commit that failed means for those who waited for it.
    fn failed_commit(&mut self, error: &rusqlite::Error) -> MetaError {
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy) => MetaError::Busy,
            Some(ErrorCode::DiskFull) => MetaError::NoSpace,
            _ => {
                // Without room for the log's index the log itself is well: the next commit
                // overwrites what this one wrote, or a restart finds it.
                let full = error.sqlite_extended_error_code() == Some(ffi::SQLITE_IOERR_SHMSIZE);
                if !full {
                    self.stop("commit", error);
                }
                MetaError::Unknown(reason(error))
            }
        }
    }

    /// Copies the log into the database, if it has become long.
    fn checkpoint(&mut self) {
        if self.stopped.is_none() {
            let copied = self.checkpoints.copy(&self.connection);
            self.stop_unless(copied);
        }
    }

    /// Waits for a copy that goes on.
    fn end_checkpoint(&mut self) {
        let copied = self.checkpoints.end();
        self.stop_unless(copied);
    }

    fn stop_unless(&mut self, copied: Copied) {
        if let Copied::SyncFailed(error) = copied {
            self.stop("checkpoint", &error);
        }
    }

    /// Writes nothing any more.
    fn stop(&mut self, step: &str, error: &rusqlite::Error) {
        let stopped = MetaError::Stopped(format!("a failed {step} ({})", reason(error)));
        tracing::error!("{stopped}");
        if !without(Safeguard::Stop) {
            self.stopped = Some(stopped);
            self.told_stopped.store(true, Ordering::SeqCst);
        }
    }
}

/// Takes the write lock, before anything is read.
fn begin<'c>(
    connection: &'c mut Connection,
    failpoints: &Failpoints,
) -> Result<Transaction<'c>, RolledBack> {
    let rolled_back = |error| RolledBack(failure(error));
    let transaction = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(rolled_back)?;
    let begun = failpoints.hit(Point::GroupBegun);
    begun.map_err(|planned| rolled_back(planned.into()))?;
    Ok(transaction)
}

/// Makes everything in the transaction durable. After an error it may be, or not.
fn commit(transaction: Transaction<'_>, failpoints: &Failpoints) -> rusqlite::Result<()> {
    failpoints.hit(Point::GroupCommit)?;
    transaction.commit()?;
    failpoints.hit(Point::GroupCommitted)?;
    Ok(())
}

/// Runs a job in a savepoint of its own; also says how many bytes of bodies it stores inline.
fn in_savepoint(transaction: &mut Transaction<'_>, job: &mut dyn Job) -> (Outcome, usize) {
    for attempt in 1.. {
        // Dropped without commit, a savepoint rolls back to its beginning.
        let outcome = transaction
            .savepoint()
            .map_err(failure)
            .and_then(|savepoint| run(savepoint, job));
        match outcome {
            Ok(inline) => return (Ok(()), inline),
            Err(MetaError::Changed) if attempt < ATTEMPTS => {}
            Err(error) => return (Err(error), 0),
        }
    }
    unreachable!("the last attempt returns")
}

fn run(savepoint: Savepoint<'_>, job: &mut dyn Job) -> Result<usize, MetaError> {
    let effects = catch_unwind(AssertUnwindSafe(|| {
        job.run(&mut Rows {
            connection: &savepoint,
        })
    }))
    .map_err(|_| MetaError::Failed("an operation panicked; nothing was changed".into()))??;
    for effect in &effects {
        apply(&savepoint, effect)?;
    }
    savepoint.commit().map_err(failure)?;
    Ok(effects.iter().map(inline_bytes).sum())
}

fn inline_bytes(effect: &Effect) -> usize {
    match effect {
        Effect::AddBlob(blob) => match &blob.place {
            BlobPlace::Inline(bytes) => bytes.len(),
            BlobPlace::Stored => 0,
        },
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::{Store, Waiting, mpsc, serve};
    use crate::meta::sqlite::open;
    use crate::meta::{Effect, Job, Loads, MetaError};
    use crate::sys::Failpoints;
    use rusqlite::{Connection, ffi};
    use std::path::Path;
    use tokio::sync::oneshot;

    /// Adds a setting of this name; `fate` decides what else happens.
    struct Add(&'static str, Fate);

    #[derive(PartialEq)]
    enum Fate {
        Good,
        Panics,
        Taken,
    }

    impl Job for Add {
        fn run(&mut self, loads: &mut dyn Loads) -> Result<Vec<Effect>, MetaError> {
            assert!(self.1 != Fate::Panics, "planned");
            assert_eq!(
                loads.setting(self.0)?,
                None,
                "what failed before left nothing behind"
            );
            let add = |name| Effect::AddSetting {
                name,
                value: String::new(),
            };
            let mut effects = vec![add(self.0)];
            if self.1 == Fate::Taken {
                effects.push(add("folding"));
            }
            Ok(effects)
        }
    }

    fn waiting(name: &'static str, fate: Fate) -> Waiting {
        Waiting {
            job: Box::new(Add(name, fate)),
            done: oneshot::channel().0,
        }
    }

    fn store(file: &Path) -> Store {
        let connection = open::for_writing(file, &Failpoints::default()).unwrap();
        Store::new(connection, Failpoints::default(), || u64::MAX)
    }

    fn count(connection: &Connection) -> i64 {
        let sql = "SELECT count(*) FROM setting WHERE name LIKE 'test%'";
        connection.query_row(sql, [], |row| row.get(0)).unwrap()
    }

    #[test]
    fn those_who_wait_share_a_transaction_and_fail_alone() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("metadata.sqlite");
        let mut store = store(&file);
        let other = open::for_reading(&file).unwrap();
        let mut queue = vec![
            waiting("test4", Fate::Good),
            waiting("test3", Fate::Taken),
            waiting("test2", Fate::Panics),
        ];
        let mut group = vec![waiting("test1", Fate::Good)];
        let outcomes = store.commit_together(&mut group, || {
            assert_eq!(
                count(&other),
                0,
                "nothing can be seen before the one commit"
            );
            queue.pop()
        });
        let good: Vec<bool> = outcomes.iter().map(Result::is_ok).collect();
        assert_eq!(good, [true, false, false, true], "{outcomes:?}");
        assert!(matches!(outcomes[2], Err(MetaError::Changed)));
        assert_eq!(count(&other), 2);
    }

    #[test]
    fn who_breaks_the_transaction_of_all_fails_alone() {
        let dir = tempfile::tempdir().unwrap();
        let mut store = store(&dir.path().join("metadata.sqlite"));
        // No room for a single page more: the large body alone needs some.
        store
            .connection
            .execute_batch("PRAGMA wal_checkpoint(TRUNCATE)")
            .unwrap();
        let pages: i64 = store
            .connection
            .pragma_query_value(None, "page_count", |row| row.get(0))
            .unwrap();
        store
            .connection
            .pragma_update(None, "max_page_count", pages + 1)
            .unwrap();
        struct Large;
        impl Job for Large {
            fn run(&mut self, _: &mut dyn Loads) -> Result<Vec<Effect>, MetaError> {
                let value = "x".repeat(1_000_000);
                Ok(vec![Effect::AddSetting {
                    name: "large",
                    value,
                }])
            }
        }
        let mut queue = vec![Waiting {
            job: Box::new(Large),
            done: oneshot::channel().0,
        }];
        let mut group = vec![waiting("test1", Fate::Good)];
        let outcomes = store.commit_together(&mut group, || queue.pop());
        assert!(
            matches!(outcomes[..], [Ok(()), Err(MetaError::NoSpace)]),
            "{outcomes:?}"
        );
        assert_eq!(count(&store.connection), 1);
    }

    #[test]
    fn a_writer_that_has_stopped_leaves_the_log_to_the_next_start() {
        for stops in [false, true] {
            let dir = tempfile::tempdir().unwrap();
            let file = dir.path().join("metadata.sqlite");
            let mut store = store(&file);
            let outcomes = store.commit_together(&mut vec![waiting("test1", Fate::Good)], || None);
            assert!(outcomes[0].is_ok(), "{outcomes:?}");
            if stops {
                let code = ffi::Error::new(ffi::SQLITE_IOERR_FSYNC);
                store.stop("checkpoint", &rusqlite::Error::SqliteFailure(code, None));
            }
            let (queue, waiting) = mpsc::channel();
            drop(queue);
            serve(store, &waiting);
            assert_eq!(dir.path().join("metadata.sqlite-wal").exists(), stops);
        }
    }

    #[test]
    fn only_a_full_disk_does_not_stop_the_writing() {
        let dir = tempfile::tempdir().unwrap();
        let mut store = store(&dir.path().join("metadata.sqlite"));
        let mut failed = |code| {
            store.stopped = None;
            let error = rusqlite::Error::SqliteFailure(ffi::Error::new(code), None);
            (store.failed_commit(&error), store.stopped.is_some())
        };
        for (code, stops) in [
            (ffi::SQLITE_IOERR_FSYNC, true),
            (ffi::SQLITE_IOERR_WRITE, true),
            (ffi::SQLITE_CORRUPT, true),
            // The log has room for it, its index has not.
            (ffi::SQLITE_IOERR_SHMSIZE, false),
        ] {
            let (outcome, stopped) = failed(code);
            assert!(matches!(outcome, MetaError::Unknown(_)), "{outcome}");
            assert_eq!(stopped, stops, "{outcome}");
        }
        assert!(matches!(
            failed(ffi::SQLITE_FULL),
            (MetaError::NoSpace, false)
        ));
    }

    #[test]
    fn after_a_failed_commit_nothing_is_written_any_more() {
        let dir = tempfile::tempdir().unwrap();
        let mut store = store(&dir.path().join("metadata.sqlite"));
        store.connection.commit_hook(Some(|| true)).unwrap();
        let mut group = vec![waiting("test1", Fate::Good)];
        let outcomes = store.commit_together(&mut group, || None);
        assert!(
            matches!(outcomes[..], [Err(MetaError::Unknown(_))]),
            "{outcomes:?}"
        );
        let mut group = vec![waiting("test2", Fate::Good)];
        let outcomes = store.commit_together(&mut group, || None);
        assert!(
            matches!(outcomes[..], [Err(MetaError::Stopped(_))]),
            "{outcomes:?}"
        );
        assert_eq!(count(&store.connection), 0);
    }
}
