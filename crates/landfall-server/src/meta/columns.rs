//! Rust values as the columns of a database, and back: the same for all that speak SQL.

use super::MetaError;
use super::rows::{Entry, NotificationEvent, SessionBytes, SessionState};
use landfall_protocol::{BlockDigests, DisplayPath, Scope};

/// An unsigned number of the API (at most 2^41, and counters) as a database's signed one.
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

/// A path that was stored.
pub(super) fn stored_path(text: &str) -> Result<DisplayPath, MetaError> {
    DisplayPath::parse(text).map_err(|error| MetaError::Damaged(format!("path {text:?}: {error}")))
}

/// The state of a session by its number.
pub(super) fn session_state(number: i64) -> Result<SessionState, MetaError> {
    match number {
        0 => Ok(SessionState::Open),
        1 => Ok(SessionState::Closed),
        2 => Ok(SessionState::Committed),
        other => damaged("session state", other),
    }
}

/// The number back.
pub(super) fn session_number(state: SessionState) -> i64 {
    match state {
        SessionState::Open => 0,
        SessionState::Closed => 1,
        SessionState::Committed => 2,
    }
}

/// The bytes of a session; they come in any order if it has an end.
pub(super) fn session_bytes(
    length: i64,
    hasher: Vec<u8>,
    end: Option<i64>,
) -> Result<SessionBytes, MetaError> {
    let length = unsigned(length)?;
    Ok(match end {
        None => SessionBytes::Sequential { length, hasher },
        Some(end) => SessionBytes::Concurrent {
            stored: length,
            end: unsigned(end)?,
        },
    })
}

/// Hasher and end back.
pub(super) fn hasher_and_end(bytes: &SessionBytes) -> (&[u8], Option<i64>) {
    match bytes {
        SessionBytes::Sequential { hasher, .. } => (hasher, None),
        SessionBytes::Concurrent { end, .. } => (&[], Some(signed(*end))),
    }
}

/// What is at a place: its kind as a number, the id of what is there, and the rev of a file.
pub(super) fn kind_id_and_rev(entry: &Entry) -> (i64, Option<&str>, Option<&str>) {
    match entry {
        Entry::File(file) => (0, Some(file.id.as_str()), Some(file.rev.as_str())),
        Entry::Folder(id) => (1, Some(id.as_str()), None),
        Entry::DeletedFile => (2, None, None),
        Entry::DeletedFolder => (3, None, None),
    }
}

/// A number that means nothing.
pub(super) fn damaged<T>(what: &str, found: i64) -> Result<T, MetaError> {
    Err(MetaError::Damaged(format!("{what} {found}")))
}
