//! What an error of SQLite means.

use crate::meta::MetaError;
use crate::sys::Planned;
use rusqlite::{Error, ErrorCode, ffi};

/// What an error of SQLite means for the operation. Nothing was changed.
pub(super) fn failure(error: Error) -> MetaError {
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => MetaError::Busy,
        Some(ErrorCode::DiskFull) => MetaError::NoSpace,
        // SQLite takes a disk that returns an error for a damaged file.
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            MetaError::Damaged(format!("{error}, or the disk can't be read"))
        }
        _ => MetaError::Failed(reason(&error)),
    }
}

impl From<Planned> for Error {
    /// As if the disk failed underneath SQLite.
    fn from(planned: Planned) -> Self {
        let code = ffi::Error::new(ffi::SQLITE_IOERR);
        Self::SqliteFailure(code, Some(planned.to_string()))
    }
}

/// SQLite's reason, with the step that failed: its own words are the same for all of them.
pub(super) fn reason(error: &Error) -> String {
    let step = match error.sqlite_extended_error_code() {
        Some(
            ffi::SQLITE_IOERR_READ | ffi::SQLITE_IOERR_SHORT_READ | ffi::SQLITE_IOERR_CORRUPTFS,
        ) => "reading",
        Some(ffi::SQLITE_IOERR_WRITE) => "writing",
        Some(ffi::SQLITE_IOERR_FSYNC | ffi::SQLITE_IOERR_DIR_FSYNC) => "syncing",
        Some(ffi::SQLITE_IOERR_TRUNCATE) => "truncating",
        Some(ffi::SQLITE_IOERR_SHMSIZE) => "making room for the log's index",
        Some(ffi::SQLITE_IOERR_SHMOPEN | ffi::SQLITE_IOERR_SHMMAP) => "opening the log's index",
        Some(ffi::SQLITE_IOERR_LOCK | ffi::SQLITE_IOERR_SHMLOCK) => "locking",
        Some(code) if code & 0xff == ffi::SQLITE_IOERR => return format!("{error} ({code})"),
        _ => return error.to_string(),
    };
    format!("{error} while {step}")
}

/// Whether a sync failed. That is final: what the kernel still holds is not known any more, and
/// a second sync that succeeds would prove nothing.
pub(super) fn failed_sync(error: &Error) -> bool {
    matches!(
        error.sqlite_extended_error_code(),
        Some(ffi::SQLITE_IOERR_FSYNC | ffi::SQLITE_IOERR_DIR_FSYNC)
    )
}
