//! What a crash left in the log is made certain before anybody builds on it.
//!
//! A process whose sync failed has stopped writing, but the system goes on showing the pages that
//! it was to write: they count as written, and whether they are on the disk nobody knows. A
//! process that starts now would read them, take the last transactions for done, answer by them
//! and add to the log behind them; after a power loss the log would end where the hole is, and
//! all of that would be gone. So whoever finds the log and is alone with it writes it over itself:
//! that makes the pages new to the system, and the sync that follows speaks for all of them.

use super::open::OpenError;
use crate::sys::Fs;
use crate::sys::weakened::{Safeguard, without};
use rusqlite::{Connection, ErrorCode, OpenFlags};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long to wait for the others. A process that works keeps its lock for as long as it lives;
/// one that starts at the same moment as this one soon gives way.
const ANOTHER: Duration = Duration::from_millis(50);

/// Puts the log of this file on the disk as it is seen, and then into the database. Where
/// another process is at work there is nothing to do: it knows how far the log is good.
pub(super) fn settle(file: &Path, fs: &dyn Fs) -> Result<(), OpenError> {
    let log = log_of(file);
    let failed = |source| OpenError::Log {
        file: log.clone(),
        source,
    };
    let empty = match fs.open(&log).and_then(|log| log.metadata()) {
        Ok(found) => found.len() == 0,
        Err(error) if error.kind() == ErrorKind::NotFound => true,
        Err(error) => return Err(failed(error)),
    };
    if empty || without(Safeguard::Settle) {
        return Ok(());
    }
    match alone(file) {
        Ok(connection) => {
            fs.rewrite(&log).map_err(failed)?;
            // The last to close copies the log into the database and removes it. If it can't,
            // the log stays, and nothing is lost.
            drop(connection);
            Ok(())
        }
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => Ok(()),
        Err(source) => Err(OpenError::Sqlite {
            file: file.to_owned(),
            source,
        }),
    }
}

/// A connection that keeps all others out, or the error that says that there are some.
fn alone(file: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(file, flags)?;
    connection.busy_timeout(ANOTHER)?;
    connection.pragma_update(None, "locking_mode", "exclusive")?;
    // The first look at the file takes the lock, which then stays.
    connection.pragma_query_value(None, "schema_version", |row| row.get::<_, i64>(0))?;
    Ok(connection)
}

fn log_of(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push("-wal");
    name.into()
}

#[cfg(test)]
mod tests {
    use super::{log_of, settle};
    use crate::meta::sqlite::open::{for_reading, for_writing};
    use crate::sys::{Failpoints, RealFs};
    use rusqlite::Connection;
    use std::path::Path;

    fn add(connection: &Connection) {
        let sql = "INSERT INTO setting (name, value) VALUES ('left', 'in the log')";
        connection.execute(sql, []).unwrap();
    }

    fn is_there(connection: &Connection) -> bool {
        let sql = "SELECT count(*) FROM setting WHERE name = 'left'";
        connection
            .query_row(sql, [], |row| row.get::<_, i64>(0))
            .unwrap()
            == 1
    }

    /// What a process that is killed now would leave behind.
    fn crash(file: &Path, left: &Path) {
        std::fs::copy(file, left).unwrap();
        std::fs::copy(log_of(file), log_of(left)).unwrap();
    }

    #[test]
    fn what_a_crash_left_in_the_log_comes_into_the_database() {
        let dir = tempfile::tempdir().unwrap();
        let (file, left) = (dir.path().join("file"), dir.path().join("left"));
        let connection = for_writing(&file, &Failpoints::default()).unwrap();
        add(&connection);
        crash(&file, &left);
        settle(&left, &RealFs).unwrap();
        assert!(!log_of(&left).exists());
        assert!(is_there(&for_reading(&left).unwrap()));
    }

    #[test]
    fn the_log_of_a_process_that_lives_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        settle(&file, &RealFs).unwrap();
        let connection = for_writing(&file, &Failpoints::default()).unwrap();
        add(&connection);
        let before = std::fs::read(log_of(&file)).unwrap();
        settle(&file, &RealFs).unwrap();
        assert_eq!(std::fs::read(log_of(&file)).unwrap(), before);
        assert!(is_there(&connection));
    }
}
