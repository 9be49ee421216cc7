//! The one thread that writes.

use super::apply::apply;
use super::load::Rows;
use super::values::failure;
use crate::meta::{Job, MetaError};
use rusqlite::{Connection, ErrorCode, TransactionBehavior};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;
use std::thread;
use tokio::sync::oneshot;

/// Operations that may wait for the thread; more have to wait for a place.
const QUEUE: usize = 1024;

/// How often an operation starts over when rows changed underneath it. Under the write lock
/// that can't happen by chance: it means that a load overlooked a row.
const ATTEMPTS: u32 = 3;

struct Waiting {
    job: Box<dyn Job>,
    done: oneshot::Sender<Result<(), MetaError>>,
}

/// Hands operations to the thread.
#[derive(Debug)]
pub(super) struct Writer {
    queue: mpsc::SyncSender<Waiting>,
}

impl Writer {
    /// Starts the thread; it ends when the writer is dropped.
    pub(super) fn start(connection: Connection) -> Self {
        let (queue, waiting) = mpsc::sync_channel(QUEUE);
        thread::Builder::new()
            .name("landfall-meta".into())
            .spawn(move || serve(connection, &waiting))
            .expect("the system gives a thread at start-up");
        Self { queue }
    }

    /// Runs the operation.
    pub(super) async fn run(&self, job: Box<dyn Job>) -> Result<(), MetaError> {
        let (done, outcome) = oneshot::channel();
        self.queue
            .try_send(Waiting { job, done })
            .map_err(|error| match error {
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

fn serve(mut connection: Connection, waiting: &mpsc::Receiver<Waiting>) {
    // Set after a failed write to the disk: what the kernel holds is not known any more, and a
    // second attempt that succeeds would prove nothing. Only a restart, which reads the log
    // from the disk, tells.
    let mut stopped: Option<MetaError> = None;
    for Waiting { mut job, done } in waiting {
        let outcome = match &stopped {
            Some(error) => Err(error.clone()),
            None => transact(&mut connection, &mut *job),
        };
        if let Err(error @ MetaError::Unknown(_)) = &outcome {
            tracing::error!(%error, "the metadata stops writing");
            stopped = Some(MetaError::Failed(format!(
                "writing stopped after: {error}; restart the server"
            )));
        }
        // The caller may have gone; the outcome stands all the same.
        let _ = done.send(outcome);
    }
}

fn transact(connection: &mut Connection, job: &mut dyn Job) -> Result<(), MetaError> {
    for _ in 1..ATTEMPTS {
        match attempt(connection, job) {
            Err(MetaError::Changed) => {}
            outcome => return outcome,
        }
    }
    attempt(connection, job)
}

fn attempt(connection: &mut Connection, job: &mut dyn Job) -> Result<(), MetaError> {
    // Dropped without commit, the transaction rolls back.
    let transaction = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(failure)?;
    let effects = catch_unwind(AssertUnwindSafe(|| {
        job.run(&mut Rows {
            connection: &transaction,
        })
    }))
    .map_err(|_| MetaError::Failed("an operation panicked; nothing was changed".into()))??;
    if effects.is_empty() {
        return Ok(());
    }
    for effect in &effects {
        apply(&transaction, effect)?;
    }
    transaction
        .commit()
        .map_err(|error| match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy) => MetaError::Busy,
            Some(ErrorCode::DiskFull) => MetaError::NoSpace,
            _ => MetaError::Unknown(error.to_string()),
        })
}
