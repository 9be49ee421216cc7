//! Opening the file, with the settings that must hold.

use super::failure::reason;
use super::version::prepare;
use crate::sys::weakened::{Safeguard, without};
use crate::sys::{Failpoints, Point};
use rusqlite::{Connection, OpenFlags, TransactionBehavior};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long to wait for another process's transaction. They are short; a longer wait means that
/// something is wrong.
const BUSY: Duration = Duration::from_secs(10);

/// How often to look whether it is over. SQLite's own waiting sleeps for up to 100 ms, and all
/// requests wait with it.
const LOOK: Duration = Duration::from_millis(1);

/// Why the metadata could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// SQLite says no.
    #[error("can't open the metadata {file}: {reason}", file = file.display(), reason = reason(source))]
    Sqlite {
        /// The file.
        file: PathBuf,
        /// SQLite's reason.
        source: rusqlite::Error,
    },
    /// The file was written by a newer Landfall.
    #[error(
        "the metadata {file} has version {found}, and this program knows {known} at the most: use a newer landfall",
        file = file.display()
    )]
    Newer {
        /// The file.
        file: PathBuf,
        /// Its version.
        found: u32,
        /// The newest that is known.
        known: u32,
    },
    /// A row of an older file refers to one that isn't there.
    #[error(
        "the metadata {file} is damaged: a row of {table} refers to nothing; restore a backup",
        file = file.display()
    )]
    Reference {
        /// The file.
        file: PathBuf,
        /// Where the row is.
        table: String,
    },
    /// The keys in the file were folded by other tables.
    #[error(
        "the metadata {file} was written with case folding {found}, and this program folds by {known}: use the landfall that wrote it",
        file = file.display()
    )]
    Folding {
        /// The file.
        file: PathBuf,
        /// Its folding.
        found: String,
        /// This program's.
        known: u32,
    },
    /// A setting that durability rests on didn't take.
    #[error("the metadata {file} can't be made durable: {setting} is {found}", file = file.display())]
    Setting {
        /// The file.
        file: PathBuf,
        /// Which setting.
        setting: &'static str,
        /// What it is instead.
        found: String,
    },
    /// What a crash left in the log can't be made certain.
    #[error("can't sync the metadata's log {file}: {source}", file = file.display())]
    Log {
        /// The log.
        file: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// SQLite's locks don't hold there.
    #[error(
        "the data directory {dir} is on {kind}, a network file system, where locks and syncs can't be trusted: use a local disk",
        dir = dir.display()
    )]
    Network {
        /// The directory.
        dir: PathBuf,
        /// Which file system.
        kind: &'static str,
    },
    /// There is nothing to open.
    #[error("there is no data directory {dir}", dir = .0.display())]
    Missing(PathBuf),
    /// A backup or a restore into it has not ended.
    #[error(
        "{dir} is not whole: a backup or a restore into it has not ended; if none is under way, remove the directory and begin anew",
        dir = .0.display()
    )]
    Incomplete(PathBuf),
    /// Opened, it would no longer be what was backed up.
    #[error(
        "{dir} is a backup: restore it into a directory of its own, by `landfall admin --data DIR restore {dir}`",
        dir = .0.display()
    )]
    Backup(PathBuf),
    /// SQLite takes names as text only.
    #[error("{file} is not text in UTF-8: choose another name", file = .0.display())]
    NoText(PathBuf),
    /// A directory could not be made or looked at.
    #[error("can't use the data directory {dir}: {source}", dir = dir.display())]
    Directory {
        /// The directory.
        dir: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
}

/// A connection that may write; makes file and schema where they are missing.
pub(super) fn for_writing(file: &Path, failpoints: &Failpoints) -> Result<Connection, OpenError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = connect(file, flags)?;
    let sqlite = |source| OpenError::Sqlite {
        file: file.to_owned(),
        source,
    };

    let mode: String = connection
        .pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))
        .map_err(sqlite)?;
    check(file, "journal_mode", mode == "wal", mode)?;
    let (level, name) = match without(Safeguard::CommitSync) {
        false => (2, "full"),
        true => (1, "normal"),
    };
    connection
        .pragma_update(None, "synchronous", name)
        .map_err(sqlite)?;
    let synchronous: i64 = connection
        .pragma_query_value(None, "synchronous", |row| row.get(0))
        .map_err(sqlite)?;
    check(file, "synchronous", synchronous == level, synchronous)?;

    let reached = |point| {
        failpoints
            .hit(point)
            .map_err(|planned| sqlite(planned.into()))
    };
    reached(Point::OpenMakeSchema)?;
    // Bringing a file up to date may rebuild tables that others refer to; it looks at the
    // references by itself. Inside a transaction this setting can't be changed.
    let references = |connection: &Connection, checked: bool| {
        connection
            .pragma_update(None, "foreign_keys", checked)
            .map_err(sqlite)
    };
    references(&connection, false)?;
    // Two processes may come here at once: the schema is made under the write lock.
    let transaction = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(sqlite)?;
    prepare(&transaction, file)?;
    reached(Point::OpenSchemaMade)?;
    transaction.commit().map_err(sqlite)?;
    references(&connection, true)?;
    Ok(connection)
}

/// A connection that can't write.
pub(super) fn for_reading(file: &Path) -> Result<Connection, OpenError> {
    // The log's index must be writable even for readers, so the file is opened for both and
    // the connection forbidden to write.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = connect(file, flags)?;
    connection
        .pragma_update(None, "query_only", true)
        .map_err(|source| OpenError::Sqlite {
            file: file.to_owned(),
            source,
        })?;
    Ok(connection)
}

fn connect(file: &Path, flags: OpenFlags) -> Result<Connection, OpenError> {
    let sqlite = |source| OpenError::Sqlite {
        file: file.to_owned(),
        source,
    };
    let mut connection = Connection::open_with_flags(file, flags).map_err(sqlite)?;
    connection.busy_handler(Some(wait)).map_err(sqlite)?;
    connection.set_prepared_statement_cache_capacity(64);
    connection
        .pragma_update(None, "foreign_keys", true)
        .map_err(sqlite)?;
    // What a savepoint may have to undo would else go to a file in /var/tmp: on another disk,
    // which may be full, and with users' bytes in it.
    connection
        .pragma_update(None, "temp_store", "memory")
        .map_err(sqlite)?;
    Ok(connection)
}

/// Waits a moment for another process, and says whether to try again.
fn wait(waited: i32) -> bool {
    std::thread::sleep(LOOK);
    LOOK * waited.unsigned_abs() < BUSY
}

fn check(
    file: &Path,
    setting: &'static str,
    holds: bool,
    found: impl ToString,
) -> Result<(), OpenError> {
    if holds {
        return Ok(());
    }
    Err(OpenError::Setting {
        file: file.to_owned(),
        setting,
        found: found.to_string(),
    })
}
