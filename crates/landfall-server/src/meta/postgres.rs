//! A spike: as much of an engine on PostgreSQL as append and finish need. It proves the shape of
//! this layer, nothing serves from it: what it has no load or change for answers an error that
//! says so. What it taught is in `docs/decisions.md`.
//!
//! What costs here is not a statement but a *flight*, a trip to the server and back. A change takes
//! two: the first begins the transaction, locks, and loads; the second has all effects and the
//! commit. All statements of a flight are sent before any is answered, so whatever must stop a
//! commit has to be an error of the server's.
//!
//! Transactions are READ COMMITTED, in which every statement sees what was committed before it:
//! the first locks the row of the namespace, and those behind it see what the last one who held it
//! has done. Sessions are locked after it, several in the order of their ids.

mod apply;
#[cfg(test)]
mod cost;
mod failure;
mod link;
mod load;
mod place;
#[cfg(test)]
mod races;
mod read;
#[cfg(test)]
pub(super) mod throwaway;
mod wire;

use super::{Effect, Engine, Job, MetaError, Question};
use apply::statements;
use failure::Failed;
use futures_util::future::BoxFuture;
use link::Link;
use load::{Purpose, Rows};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio_postgres::Config;

/// Operations that may wait for a connection; more are told to come back.
const QUEUE: usize = 1024;

/// How often an operation runs while others get in its way.
const ATTEMPTS: u32 = 5;

/// How long a lock is waited for.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// Metadata on a PostgreSQL server: a spike, only for append and finish.
///
/// It has one connection for changes and one for questions, each with a thread of its own: `Loads`
/// may wait where it is called.
#[derive(Clone, Debug)]
pub struct PostgresEngine {
    changes: Connection,
    questions: Connection,
}

impl PostgresEngine {
    /// Connects to a server by the directory of its socket (`host=/run/postgresql dbname=…`), and
    /// makes the tables that aren't there. Whoever waits for a lock for longer than `patience`
    /// is told to come back.
    ///
    /// # Errors
    /// The address is none, or the server can't be used.
    pub fn open(address: &str, patience: Duration) -> Result<Self, MetaError> {
        let config: Config = address
            .parse()
            .map_err(|error| MetaError::Failed(format!("an address of PostgreSQL: {error}")))?;
        let link = |begin| Link::new(config.clone(), begin, patience);
        let (changes, questions) = (
            link("BEGIN")?,
            link("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")?,
        );
        Ok(Self {
            changes: Connection::start(changes, include_str!("postgres/schema.sql"))?,
            questions: Connection::start(questions, "")?,
        })
    }

    /// How often changes, and questions, have sent something and waited for the answer so far.
    pub async fn flights(&self) -> Result<(u64, u64), MetaError> {
        Ok((
            self.changes.flights().await?,
            self.questions.flights().await?,
        ))
    }
}

impl Engine for PostgresEngine {
    fn transact(&self, job: Box<dyn Job>) -> BoxFuture<'_, Result<(), MetaError>> {
        Box::pin(self.changes.run(Work::Change(job)))
    }

    fn read(&self, question: Question) -> BoxFuture<'_, Result<(), MetaError>> {
        Box::pin(self.questions.run(Work::Question(question)))
    }
}

enum Work {
    Change(Box<dyn Job>),
    Question(Question),
}

type Outcome = Result<(), MetaError>;

struct Waiting {
    work: Work,
    done: oneshot::Sender<Outcome>,
}

/// The thread of a connection.
#[derive(Clone, Debug)]
struct Connection {
    queue: mpsc::SyncSender<Waiting>,
    flights: Arc<AtomicU64>,
}

impl Connection {
    /// Starts the thread, and runs statements before anything else.
    fn start(mut link: Link, set_up: &'static str) -> Result<Self, MetaError> {
        let flights = link.flights();
        let (queue, waiting) = mpsc::sync_channel::<Waiting>(QUEUE);
        let (report, ready) = mpsc::sync_channel(1);
        let serve = move || {
            let outcome = link.set_up(set_up);
            let begins = outcome.is_ok();
            let _ = report.send(outcome);
            while begins && let Ok(Waiting { work, done }) = waiting.recv() {
                let outcome = match work {
                    Work::Change(mut job) => change(&mut link, &mut *job),
                    Work::Question(question) => answer(&mut link, question),
                };
                // The caller may have gone; the outcome stands all the same.
                let _ = done.send(outcome);
                // Nobody waits for this.
                link.roll_back();
            }
        };
        let ended = |error: String| MetaError::Failed(format!("a connection's thread: {error}"));
        thread::Builder::new()
            .name("landfall-postgres".into())
            .spawn(serve)
            .map_err(|error| ended(error.to_string()))?;
        ready.recv().map_err(|error| ended(error.to_string()))??;
        Ok(Self { queue, flights })
    }

    fn run(&self, work: Work) -> impl Future<Output = Outcome> + Send + use<> {
        let (done, outcome) = oneshot::channel();
        let queued = self.queue.try_send(Waiting { work, done });
        async move {
            let ended = "the thread of the connection has ended";
            queued.map_err(|error| match error {
                mpsc::TrySendError::Full(_) => MetaError::Busy,
                mpsc::TrySendError::Disconnected(_) => MetaError::Failed(ended.into()),
            })?;
            outcome
                .await
                .map_err(|_| MetaError::Unknown(ended.into()))?
        }
    }

    /// The flights of all that was asked before.
    async fn flights(&self) -> Result<u64, MetaError> {
        self.run(Work::Question(Box::new(|_| Ok(())))).await?;
        Ok(self.flights.load(Ordering::SeqCst))
    }
}

/// Runs an operation, again if others got in its way.
fn change(link: &mut Link, job: &mut dyn Job) -> Outcome {
    for attempt in 1.. {
        match attempt_change(link, job) {
            Err(MetaError::Changed) if attempt < ATTEMPTS => link.roll_back(),
            outcome => return outcome,
        }
    }
    unreachable!("the last attempt returns")
}

fn attempt_change(link: &mut Link, job: &mut dyn Job) -> Outcome {
    let mut rows = Rows::new(link, Purpose::Change);
    let effects: Vec<Effect> = unwound(|| job.run(&mut rows))?;
    if effects.is_empty() {
        return Ok(());
    }
    link.commit(&statements(&effects)?)
        .map_err(Failed::at_commit)
}

fn answer(link: &mut Link, question: Question) -> Outcome {
    unwound(|| question(&mut Rows::new(link, Purpose::Question)))
}

fn unwound<T>(what: impl FnOnce() -> Result<T, MetaError>) -> Result<T, MetaError> {
    let panicked = |_| MetaError::Failed("an operation panicked; nothing was changed".into());
    catch_unwind(AssertUnwindSafe(what)).map_err(panicked)?
}

/// What has no statement here.
fn not_yet(what: &str) -> MetaError {
    MetaError::Failed(format!(
        "PostgreSQL is a spike for append and finish: it has no statement for {what}"
    ))
}
