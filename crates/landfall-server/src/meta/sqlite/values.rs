//! Rust values as SQLite values and back.

use crate::meta::MetaError;
use crate::meta::rows::NotificationEvent;
use crate::sys::Planned;
use landfall_protocol::{BlockDigests, Scope};
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

/// An unsigned number of the API (at most 2^41, and counters) as SQLite's signed one.
pub(super) fn signed(value: u64) -> i64 {
    i64::try_from(value).expect("offsets, lengths and counters stay far below 2^63")
}

/// The number back.
pub(super) fn unsigned(value: i64) -> Result<u64, MetaError> {
    u64::try_from(value).map_err(|_| MetaError::Damaged(format!("a negative number: {value}")))
}

/// Scopes as one text.
pub(super) fn scopes_text(scopes: &[Scope]) -> String {
    let names: Vec<&str> = scopes.iter().map(|scope| scope.name()).collect();
    names.join(" ")
}

/// The scopes back; names that are not known allow nothing.
pub(super) fn scopes(text: &str) -> Vec<Scope> {
    text.split(' ').filter_map(Scope::by_name).collect()
}

/// Checksums as bytes, little end first.
pub(super) fn checksum_bytes(checksums: &[u32]) -> Vec<u8> {
    checksums
        .iter()
        .flat_map(|checksum| checksum.to_le_bytes())
        .collect()
}

/// The checksums back.
pub(super) fn checksums(bytes: &[u8]) -> Vec<u32> {
    let words = bytes.as_chunks::<4>().0;
    words.iter().map(|word| u32::from_le_bytes(*word)).collect()
}

/// The digests of blocks; bytes that came in order have none.
pub(super) fn block_digests(bytes: Option<Vec<u8>>) -> Result<BlockDigests, MetaError> {
    BlockDigests::from_bytes(bytes.unwrap_or_default())
        .map_err(|error| MetaError::Damaged(error.to_string()))
}

/// The digests as bytes.
pub(super) fn digest_bytes(digests: &BlockDigests) -> Option<&[u8]> {
    Some(digests.as_bytes()).filter(|bytes| !bytes.is_empty())
}

/// A kind of notification by its number.
pub(super) fn notification_event(number: i64) -> Result<NotificationEvent, MetaError> {
    Ok(match number {
        0 => NotificationEvent::FileAdded,
        1 => NotificationEvent::FileChanged,
        2 => NotificationEvent::FolderAdded,
        3 => NotificationEvent::FileDeleted,
        4 => NotificationEvent::FolderDeleted,
        other => return Err(MetaError::Damaged(format!("notification event {other}"))),
    })
}

/// The number back.
pub(super) fn notification_number(event: NotificationEvent) -> i64 {
    match event {
        NotificationEvent::FileAdded => 0,
        NotificationEvent::FileChanged => 1,
        NotificationEvent::FolderAdded => 2,
        NotificationEvent::FileDeleted => 3,
        NotificationEvent::FolderDeleted => 4,
    }
}
