//! The engine that keeps the metadata in one SQLite file: the embedded default.
//!
//! One thread writes, in transactions that take the write lock before they read (`BEGIN
//! IMMEDIATE`), so that several processes can use one directory: nothing is remembered from one
//! transaction to the next. A small pool of connections reads. With the write-ahead log and
//! `synchronous=FULL`, what was committed survives power loss.

mod apply;
mod checkpoint;
mod copy;
#[cfg(test)]
mod cost;
mod failure;
#[cfg(test)]
mod finish_cost;
mod load;
mod open;
mod settle;
mod version;
mod writer;

pub(crate) use copy::{blobs_in, copy};
pub use open::OpenError;

use super::{Engine, Job, MetaError, Question};
use crate::sys::Sys;
use futures_util::future::BoxFuture;
use load::Rows;
use rusqlite::Connection;
use settle::settle;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use writer::Writer;

/// Reading connections kept for the next question.
const READERS: usize = 8;

/// Metadata in a SQLite file.
#[derive(Debug)]
pub struct SqliteEngine {
    writer: Writer,
    readers: Arc<Readers>,
}

impl SqliteEngine {
    /// Opens the file, and makes it if it isn't there.
    ///
    /// # Errors
    /// The file can't be opened, or belongs to another version.
    pub fn open(file: &Path, sys: &Sys) -> Result<Self, OpenError> {
        settle(file, &*sys.fs)?;
        let (fs, disk) = (Arc::clone(&sys.fs), file.to_owned());
        let free = move || fs.space(&disk).map_or(u64::MAX, |space| space.free);
        let connection = open::for_writing(file, &sys.failpoints)?;
        let writer = Writer::start(connection, sys.failpoints.clone(), free);
        let readers = Readers {
            file: file.to_owned(),
            idle: Mutex::new(Vec::new()),
        };
        Ok(Self {
            writer,
            readers: Arc::new(readers),
        })
    }
}

impl Engine for SqliteEngine {
    fn transact(&self, job: Box<dyn Job>) -> BoxFuture<'_, Result<(), MetaError>> {
        Box::pin(self.writer.run(job))
    }

    fn read(&self, question: Question) -> BoxFuture<'_, Result<(), MetaError>> {
        let readers = Arc::clone(&self.readers);
        Box::pin(async move {
            tokio::task::spawn_blocking(move || readers.answer(question))
                .await
                .map_err(|error| MetaError::Failed(error.to_string()))?
        })
    }

    fn pending(&self) -> u64 {
        self.writer.pending()
    }

    fn has_stopped(&self) -> bool {
        self.writer.has_stopped()
    }
}

struct Readers {
    file: PathBuf,
    idle: Mutex<Vec<Connection>>,
}

impl Readers {
    fn answer(&self, question: Question) -> Result<(), MetaError> {
        let idle = self.lock().pop();
        let mut connection = match idle {
            Some(connection) => connection,
            None => open::for_reading(&self.file)
                .map_err(|error| MetaError::Failed(error.to_string()))?,
        };
        // One transaction, so that a question of several parts sees one state.
        let transaction = connection.transaction().map_err(failure::failure)?;
        question(&mut Rows {
            connection: &transaction,
        })?;
        transaction.finish().map_err(failure::failure)?;
        let mut idle = self.lock();
        if idle.len() < READERS {
            idle.push(connection);
        }
        Ok(())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Readers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Readers({})", self.file.display())
    }
}
