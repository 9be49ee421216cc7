//! Copying the log into the database.
//!
//! SQLite would do it inside a commit, and keep quiet about failures. A copy that fails loses
//! nothing, because the log stays; but if its *sync* fails, nobody knows which of the pages that
//! were copied, by this checkpoint or by an earlier one that went half-way, are on the disk. A
//! second sync that succeeds would let SQLite begin the log anew and lose them. So that is told
//! apart, and the caller stops writing: after a restart the whole log is copied again.
//!
//! Nobody waits for the bulk of it: a connection of its own copies that beside the writer. What
//! came meanwhile the writer copies itself, so that there is a moment at which everything is
//! copied and the log can begin anew.

use super::failure::{failed_sync, reason};
use super::open::for_reading;
use rusqlite::{Connection, ErrorCode};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, JoinHandle};

/// Bytes of the log from which it is copied. That takes two syncs, so it should be rare; but a
/// restart after a crash reads the whole log, and the log takes this much of the disk.
const LONG: u64 = 32 * 1024 * 1024;

/// On a disk that is nearly full the log is copied earlier, from this part of what is free: the
/// copy needs room too.
const PART: u64 = 4;

/// As long as somebody reads, a log that is copied doesn't begin anew: it is copied again only
/// when this part of its length has come to it.
const MORE: u64 = 8;

/// A page with its header in the log.
const PAGE: u64 = 4096 + 24;

/// The checkpoints of a connection, in place of SQLite's own.
pub(super) struct Checkpoints {
    file: PathBuf,
    pending: Arc<AtomicU64>,
    /// Bytes of the log when it was copied last.
    copied: u64,
    /// The copy of the bulk, while it goes on.
    bulk: Option<JoinHandle<rusqlite::Result<Option<Pages>>>>,
    /// Bytes that are free on the disk.
    free: Box<dyn Fn() -> u64 + Send>,
    /// Whether the last copy failed, so that it is told once.
    behind: bool,
}

/// What came of a checkpoint.
#[derive(Debug)]
pub(super) enum Copied {
    /// The log is short, or was copied as far as readers allow, or is tried again later.
    Well,
    /// The copy may be lost.
    SyncFailed(rusqlite::Error),
}

impl Checkpoints {
    /// Takes the checkpoints of this connection over.
    pub(super) fn of(connection: &mut Connection, free: impl Fn() -> u64 + Send + 'static) -> Self {
        let pending = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&pending);
        connection
            .wal_hook(Some(move |_: &mut _, pages| {
                counted.store(
                    u64::from(u32::try_from(pages).unwrap_or(0)) * PAGE,
                    Ordering::SeqCst,
                );
                Ok(())
            }))
            .expect("a connection that was just opened takes a hook");
        Self {
            file: connection.path().unwrap_or_default().into(),
            pending,
            copied: 0,
            bulk: None,
            free: Box::new(free),
            behind: false,
        }
    }

    /// Bytes of the log that are not copied, at the most: the database will still grow by them.
    pub(super) fn pending(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.pending)
    }

    /// Goes on with the copy of the log, if it is long.
    pub(super) fn copy(&mut self, connection: &Connection) -> Copied {
        match self.bulk.take() {
            None if self.is_due() => {
                let file = self.file.clone();
                let bulk = thread::Builder::new()
                    .name("landfall-log".into())
                    .spawn(move || copy_bulk(&file));
                match bulk {
                    Ok(bulk) => {
                        self.bulk = Some(bulk);
                        Copied::Well
                    }
                    Err(_) => self.copy_rest(connection),
                }
            }
            None => Copied::Well,
            Some(bulk) if bulk.is_finished() => {
                let copied = outcome(bulk);
                let failed = copied.is_err();
                match self.judge(copied) {
                    Copied::Well if !failed => self.copy_rest(connection),
                    told => told,
                }
            }
            bulk @ Some(_) => {
                self.bulk = bulk;
                Copied::Well
            }
        }
    }

    /// Waits for the copy that goes on, if there is one.
    pub(super) fn end(&mut self) -> Copied {
        match self.bulk.take() {
            Some(bulk) => self.judge(outcome(bulk)),
            None => Copied::Well,
        }
    }

    fn is_due(&self) -> bool {
        let pending = self.pending.load(Ordering::SeqCst);
        let long = LONG.min((self.free)() / PART);
        let more = pending.checked_sub(self.copied);
        pending >= long && more.is_none_or(|more| more >= long / MORE)
    }

    fn copy_rest(&mut self, connection: &Connection) -> Copied {
        self.judge(checkpoint(connection))
    }

    fn judge(&mut self, copied: rusqlite::Result<Option<Pages>>) -> Copied {
        match copied {
            Ok(None) => {}
            Ok(Some(Pages { all, left })) => {
                self.copied = all * PAGE;
                self.pending.store(left * PAGE, Ordering::SeqCst);
                if std::mem::take(&mut self.behind) {
                    tracing::info!("the metadata's log can be copied again");
                }
            }
            Err(error) if failed_sync(&error) => return Copied::SyncFailed(error),
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => {}
            Err(error) => {
                if !std::mem::replace(&mut self.behind, true) {
                    let error = reason(&error);
                    tracing::error!(
                        %error,
                        "the metadata's log can't be copied into the database; it grows until it can"
                    );
                }
            }
        }
        Copied::Well
    }
}

/// Copies what is in the log now.
fn copy_bulk(file: &Path) -> rusqlite::Result<Option<Pages>> {
    match for_reading(file) {
        Ok(connection) => checkpoint(&connection),
        // Nothing is copied; the writer, which is connected, does it.
        Err(_) => Ok(None),
    }
}

fn outcome(bulk: JoinHandle<rusqlite::Result<Option<Pages>>>) -> rusqlite::Result<Option<Pages>> {
    bulk.join().unwrap_or(Ok(None))
}

/// Pages of the log.
struct Pages {
    all: u64,
    /// Those that are not copied.
    left: u64,
}

/// `None`: another connection is copying just now.
fn checkpoint(connection: &Connection) -> rusqlite::Result<Option<Pages>> {
    connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| {
        let (all, copied): (i64, i64) = (row.get(1)?, row.get(2)?);
        // Both are -1 then.
        let all = u64::try_from(all).ok();
        let copied = u64::try_from(copied).unwrap_or(0);
        Ok(all.map(|all| Pages {
            all,
            left: all.saturating_sub(copied),
        }))
    })
}

impl fmt::Debug for Checkpoints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Checkpoints")
    }
}

#[cfg(test)]
mod tests {
    use super::{Checkpoints, Copied};
    use crate::meta::sqlite::open::{for_reading, for_writing};
    use crate::sys::Failpoints;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    #[test]
    fn the_log_is_copied_once_it_is_long_for_what_is_free() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("metadata.sqlite");
        let mut connection = for_writing(&file, &Failpoints::default()).unwrap();
        let free = Arc::new(AtomicU64::new(u64::MAX));
        let disk = Arc::clone(&free);
        let mut checkpoints = Checkpoints::of(&mut connection, move || disk.load(Ordering::SeqCst));
        let pending = checkpoints.pending();
        let add = |name: &str| {
            let sql = "INSERT INTO setting (name, value) VALUES (?1, ?2)";
            let value = "x".repeat(100_000);
            connection.execute(sql, [name, value.as_str()]).unwrap();
        };
        let length = || std::fs::metadata(&file).unwrap().len();
        let copy = |checkpoints: &mut Checkpoints| {
            loop {
                assert!(matches!(checkpoints.copy(&connection), Copied::Well));
                match &checkpoints.bulk {
                    Some(_) => std::thread::yield_now(),
                    None => break,
                }
            }
        };

        add("one");
        let before = length();
        copy(&mut checkpoints);
        assert!(pending.load(Ordering::SeqCst) > 100_000, "it is short");
        assert_eq!(length(), before);

        free.store(300_000, Ordering::SeqCst);
        copy(&mut checkpoints);
        assert_eq!(pending.load(Ordering::SeqCst), 0);
        assert!(length() > before + 100_000);

        // A reader keeps what it doesn't see yet from being copied.
        let mut reader = for_reading(&file).unwrap();
        let reading = reader.transaction().unwrap();
        let count = "SELECT count(*) FROM setting";
        reading.query_row(count, [], |_| Ok(())).unwrap();
        add("two");
        copy(&mut checkpoints);
        assert!(pending.load(Ordering::SeqCst) > 100_000);
        reading.finish().unwrap();
        add("three");
        copy(&mut checkpoints);
        assert_eq!(pending.load(Ordering::SeqCst), 0);
    }
}
