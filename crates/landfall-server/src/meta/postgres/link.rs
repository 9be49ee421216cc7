//! One connection, over which statements go in flights.

use super::failure::{Failed, lost};
use super::wire::Wire;
use crate::meta::MetaError;
use futures_util::future::{LocalBoxFuture, maybe_done};
use std::collections::HashMap;
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::task::Poll;
use std::time::Duration;
use tokio::net::UnixStream;
use tokio::runtime::{Builder, Runtime};
use tokio_postgres::config::Host;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Config, Error, NoTls, Row};

/// A parameter of a statement.
pub(super) type Param<'a> = Box<dyn ToSql + Sync + 'a>;

/// One of the statements of a flight.
pub(super) struct Statement<'a> {
    pub(super) sql: &'static str,
    pub(super) params: Vec<Param<'a>>,
    /// What it means if it divides by zero: how a statement says that it found what must not be.
    /// A refusal that only the client notices would come too late, for the commit is on its way.
    pub(super) otherwise: MetaError,
}

/// The connection of one thread, made when it is needed.
pub(super) struct Link {
    /// `None` once it is dropped.
    runtime: Option<Runtime>,
    config: Config,
    patience: Duration,
    /// How transactions begin.
    begin: &'static str,
    flights: Arc<AtomicU64>,
    connected: Option<Connected>,
}

struct Connected {
    client: Client,
    prepared: HashMap<&'static str, tokio_postgres::Statement>,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Between two transactions.
    Idle,
    /// In a transaction, which ends with the connection: what was loaded and locked here must not
    /// be followed by effects on another one.
    InTransaction,
    /// The connection was lost, and with it the transaction.
    Lost,
}

impl Link {
    /// A connection whose transactions begin like this, and wait for a lock for as long as
    /// `patience` says.
    pub(super) fn new(
        config: Config,
        begin: &'static str,
        patience: Duration,
    ) -> Result<Self, MetaError> {
        let runtime = Builder::new_current_thread().enable_io().build();
        let runtime = runtime.map_err(|error| MetaError::Failed(error.to_string()))?;
        Ok(Self {
            runtime: Some(runtime),
            config,
            patience,
            begin,
            flights: Arc::default(),
            connected: None,
        })
    }

    /// The number of its flights, which goes on.
    pub(super) fn flights(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.flights)
    }

    /// Runs several statements that nobody may roll back, without parameters.
    pub(super) fn set_up(&mut self, statements: &str) -> Result<(), MetaError> {
        let (runtime, connected) = self.connect().map_err(Failed::certain)?;
        let done = runtime.block_on(connected.client.batch_execute(statements));
        done.map_err(|error| lost(&error))
    }

    /// Sends the statements together, in a transaction that begins with them unless it has begun
    /// before, and waits for all of their rows.
    pub(super) fn fly(&mut self, flight: &[Statement<'_>]) -> Result<Vec<Vec<Row>>, Failed> {
        self.send(flight, None)
    }

    /// The same, and commits.
    pub(super) fn commit(&mut self, flight: &[Statement<'_>]) -> Result<(), Failed> {
        self.send(flight, Some("COMMIT")).map(drop)
    }

    /// Leaves the transaction, if there is one.
    pub(super) fn roll_back(&mut self) {
        let left = match self.connected.as_ref().map(|connected| connected.state) {
            None | Some(State::Idle) => true,
            Some(State::InTransaction) => self.send(&[], Some("ROLLBACK")).is_ok(),
            Some(State::Lost) => false,
        };
        if !left {
            self.connected = None;
        }
    }

    fn send(
        &mut self,
        flight: &[Statement<'_>],
        end: Option<&'static str>,
    ) -> Result<Vec<Vec<Row>>, Failed> {
        let begin = self.begin;
        let (runtime, connected) = self.connect()?;
        runtime.block_on(connected.prepare(flight))?;
        let begin = (connected.state == State::Idle).then_some(begin);
        connected.state = State::InTransaction;
        let answers = runtime.block_on(connected.send(begin, flight, end))?;
        let outcome = judge(flight, answers);
        connected.state = match (&outcome, end) {
            (Err(Failed::Broken(_)), _) => State::Lost,
            (_, Some(_)) => State::Idle,
            (_, None) => State::InTransaction,
        };
        outcome
    }

    /// The connection; made anew if it was lost between two transactions.
    fn connect(&mut self) -> Result<(&Runtime, &mut Connected), Failed> {
        let runtime = self.runtime.as_ref().expect("there until it is dropped");
        let closed = |connected: &Connected| connected.client.is_closed();
        if self.connected.as_ref().is_none_or(closed) {
            if self
                .connected
                .as_ref()
                .is_some_and(|lost| lost.state != State::Idle)
            {
                return Err(Failed::lost());
            }
            let connecting = connect(&self.config, self.patience, Arc::clone(&self.flights));
            self.connected = Some(runtime.block_on(connecting)?);
        }
        let connected = self.connected.as_mut().expect("just connected");
        if connected.state == State::Lost {
            return Err(Failed::lost());
        }
        Ok((runtime, connected))
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Waits for nobody, so it may be dropped anywhere.
            runtime.shutdown_background();
        }
    }
}

impl Connected {
    /// Prepares what was never asked on this connection, all of it in one flight.
    async fn prepare(&mut self, flight: &[Statement<'_>]) -> Result<(), Failed> {
        let mut missing: Vec<&'static str> = flight
            .iter()
            .map(|statement| statement.sql)
            .filter(|sql| !self.prepared.contains_key(sql))
            .collect();
        missing.sort_unstable();
        missing.dedup();
        let before = |error| Failed::before(&error);
        let answers = together(missing.iter().map(|sql| self.client.prepare(sql))).await;
        let answers = answers.map_err(before)?;
        for (sql, answer) in missing.into_iter().zip(answers) {
            let prepared = answer.map_err(before)?;
            self.prepared.insert(sql, prepared);
        }
        Ok(())
    }

    async fn send(
        &self,
        begin: Option<&'static str>,
        flight: &[Statement<'_>],
        end: Option<&'static str>,
    ) -> Result<Answers, Failed> {
        let word = async |word: Option<&'static str>| match word {
            Some(word) => self.client.batch_execute(word).await.map(|()| Vec::new()),
            None => Ok(Vec::new()),
        };
        let ask = async |statement: &Statement<'_>| {
            let params: Vec<&(dyn ToSql + Sync)> =
                statement.params.iter().map(|param| &**param as _).collect();
            self.client
                .query(&self.prepared[statement.sql], &params)
                .await
        };
        let mut all: Vec<LocalBoxFuture<'_, Answer>> = vec![Box::pin(word(begin))];
        for statement in flight {
            all.push(Box::pin(ask(statement)));
        }
        all.push(Box::pin(word(end)));
        let answers = together(all.into_iter()).await;
        let mut answers = answers.map_err(|error| Failed::before(&error))?;
        let ended = answers.pop().map_or(Ok(()), |answer| answer.map(drop));
        let begun = answers.remove(0).map(drop);
        Ok(Answers {
            begun,
            rows: answers,
            ended,
        })
    }
}

type Answer = Result<Vec<Row>, Error>;

/// What came back of a flight.
struct Answers {
    begun: Result<(), Error>,
    rows: Vec<Answer>,
    ended: Result<(), Error>,
}

/// The rows of a flight, or the first error: those after it only say that there was one.
fn judge(flight: &[Statement<'_>], answers: Answers) -> Result<Vec<Vec<Row>>, Failed> {
    answers.begun.map_err(|error| Failed::of(&error, None))?;
    let rows = flight
        .iter()
        .zip(answers.rows)
        .map(|(statement, answer)| answer.map_err(|error| Failed::of(&error, Some(statement))));
    let rows = rows.collect::<Result<_, _>>()?;
    answers.ended.map_err(|error| Failed::at_the_end(&error))?;
    Ok(rows)
}

/// Lets all of them send before any waits. A future of the client sends when it is first polled,
/// and the answers come in the order of the questions.
///
/// If one can't be sent, those after it are not either: a commit must not overtake what it is to
/// commit.
async fn together<T>(
    futures: impl Iterator<Item = impl Future<Output = Result<T, Error>>>,
) -> Result<Vec<Result<T, Error>>, Error> {
    let mut all: Vec<_> = futures.map(|future| Box::pin(maybe_done(future))).collect();
    let unsent = poll_fn(|context| {
        let unsent = all.iter_mut().find_map(|one| {
            let _ = one.as_mut().poll(context);
            match one.as_mut().output_mut() {
                Some(Err(_)) => one.as_mut().take_output()?.err(),
                _ => None,
            }
        });
        Poll::Ready(unsent)
    });
    if let Some(error) = unsent.await {
        return Err(error);
    }
    let mut answers = Vec::with_capacity(all.len());
    for mut one in all {
        one.as_mut().await;
        answers.extend(one.as_mut().take_output());
    }
    Ok(answers)
}

async fn connect(
    config: &Config,
    patience: Duration,
    flights: Arc<AtomicU64>,
) -> Result<Connected, Failed> {
    let Some(Host::Unix(directory)) = config.get_hosts().first() else {
        let reason = "the address names no directory of a socket (host=/…)";
        return Err(Failed::Refused(MetaError::Failed(reason.into())));
    };
    let port = config.get_ports().first().copied().unwrap_or(5432);
    let stream = UnixStream::connect(directory.join(format!(".s.PGSQL.{port}"))).await;
    let stream = stream.map_err(|error| {
        let reason = format!(
            "no connection to PostgreSQL in {}: {error}",
            directory.display()
        );
        Failed::Refused(MetaError::Failed(reason))
    })?;
    let before = |error| Failed::before(&error);
    let (client, connection) = config
        .connect_raw(Wire::new(stream, flights), NoTls)
        .await
        .map_err(before)?;
    // Ends with the client. What goes wrong, the client's futures tell.
    tokio::spawn(connection);
    let patience = format!("SET lock_timeout = {}", patience.as_millis());
    client.batch_execute(&patience).await.map_err(before)?;
    Ok(Connected {
        client,
        prepared: HashMap::new(),
        state: State::Idle,
    })
}
