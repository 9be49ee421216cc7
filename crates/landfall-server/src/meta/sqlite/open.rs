//! Opening the file: settings that must hold, schema, versions.

use super::values::reason;
use crate::sys::weakened::{Safeguard, without};
use crate::sys::{Failpoints, Point};
use landfall_protocol::FOLDING_VERSION;
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The version of `schema.sql`. A file of a newer version is refused, an older one is brought up
/// to date.
const SCHEMA_VERSION: u32 = 1 + UPGRADES.len() as u32;

/// What makes a version the next one, from version 1 on.
const UPGRADES: [&str; 1] = [include_str!("upgrade-1.sql")];

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
    // Two processes may come here at once: the schema is made under the write lock.
    let transaction = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(sqlite)?;
    prepare(&transaction, file)?;
    reached(Point::OpenSchemaMade)?;
    transaction.commit().map_err(sqlite)?;
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

fn prepare(transaction: &Transaction<'_>, file: &Path) -> Result<(), OpenError> {
    let sqlite = |source| OpenError::Sqlite {
        file: file.to_owned(),
        source,
    };
    let found: u32 = transaction
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .map_err(sqlite)?;
    if found > SCHEMA_VERSION {
        return Err(OpenError::Newer {
            file: file.to_owned(),
            found,
            known: SCHEMA_VERSION,
        });
    }
    if found == 0 {
        transaction
            .execute_batch(include_str!("schema.sql"))
            .map_err(sqlite)?;
        transaction
            .execute(
                "INSERT INTO setting (name, value) VALUES ('folding', ?1)",
                [FOLDING_VERSION.to_string()],
            )
            .map_err(sqlite)?;
    } else {
        for upgrade in UPGRADES.iter().skip(found as usize - 1) {
            transaction.execute_batch(upgrade).map_err(sqlite)?;
        }
    }
    if found < SCHEMA_VERSION {
        transaction
            .pragma_update(None, "user_version", SCHEMA_VERSION)
            .map_err(sqlite)?;
    }
    let folding: String = transaction
        .query_row(
            "SELECT value FROM setting WHERE name = 'folding'",
            [],
            |row| row.get(0),
        )
        .map_err(sqlite)?;
    if folding != FOLDING_VERSION.to_string() {
        return Err(OpenError::Folding {
            file: file.to_owned(),
            found: folding,
            known: FOLDING_VERSION,
        });
    }
    Ok(())
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

#[cfg(test)]
mod tests {
    use super::{OpenError, for_writing};
    use crate::sys::Failpoints;
    use rusqlite::Connection;

    /// Everything that a file's schema consists of; comments and white space don't count.
    fn schema(connection: &Connection) -> Vec<String> {
        let mut statement = connection
            .prepare("SELECT type, name, coalesce(sql, '') FROM sqlite_schema ORDER BY name")
            .unwrap();
        let rows = statement.query_map([], |row| {
            let (kind, name, sql): (String, String, String) =
                (row.get(0)?, row.get(1)?, row.get(2)?);
            let lines = sql.lines().filter_map(|line| line.split("--").next());
            let words: Vec<&str> = lines.flat_map(str::split_whitespace).collect();
            Ok(format!("{kind} {name}: {}", words.concat()))
        });
        rows.unwrap().map(Result::unwrap).collect()
    }

    #[test]
    fn a_file_of_the_first_version_is_brought_up_to_date_with_all_its_rows() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("metadata.sqlite");
        let old = Connection::open(&file).unwrap();
        old.execute_batch(include_str!("schema-1.sql")).unwrap();
        let folding = landfall_protocol::FOLDING_VERSION.to_string();
        old.execute("INSERT INTO setting VALUES ('folding', ?1)", [folding])
            .unwrap();
        old.execute("INSERT INTO namespace VALUES (7, 1, 2, NULL)", [])
            .unwrap();
        old.pragma_update(None, "user_version", 1).unwrap();
        drop(old);

        let new = for_writing(&dir.path().join("new.sqlite"), &Failpoints::default()).unwrap();
        for _ in 0..2 {
            let upgraded = for_writing(&file, &Failpoints::default()).unwrap();
            assert_eq!(schema(&upgraded), schema(&new));
            let used: i64 = upgraded
                .query_row("SELECT used FROM namespace WHERE ns = 7", [], |row| {
                    row.get(0)
                })
                .unwrap();
            assert_eq!(used, 2);
        }
    }

    #[test]
    fn a_file_of_a_newer_version_is_refused_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("metadata.sqlite");
        let connection = for_writing(&file, &Failpoints::default()).unwrap();
        connection.pragma_update(None, "user_version", 999).unwrap();
        drop(connection);
        let error = for_writing(&file, &Failpoints::default()).unwrap_err();
        assert!(
            matches!(error, OpenError::Newer { found: 999, .. }),
            "{error}"
        );
    }

    #[test]
    fn a_file_with_other_folding_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("metadata.sqlite");
        let connection = for_writing(&file, &Failpoints::default()).unwrap();
        connection
            .execute("UPDATE setting SET value = '99'", [])
            .unwrap();
        drop(connection);
        let error = for_writing(&file, &Failpoints::default()).unwrap_err();
        assert!(matches!(error, OpenError::Folding { .. }), "{error}");
    }
}
