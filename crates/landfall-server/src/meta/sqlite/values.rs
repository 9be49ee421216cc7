//! Rust values as SQLite values and back.

use crate::meta::MetaError;
use landfall_protocol::Scope;
use rusqlite::ErrorCode;

/// What an error of SQLite means for the operation. Nothing was changed.
pub(super) fn failure(error: rusqlite::Error) -> MetaError {
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => MetaError::Busy,
        Some(ErrorCode::DiskFull) => MetaError::NoSpace,
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            MetaError::Damaged(error.to_string())
        }
        _ => MetaError::Failed(error.to_string()),
    }
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
