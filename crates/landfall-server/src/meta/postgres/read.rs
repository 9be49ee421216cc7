//! Rows as values.

use crate::meta::MetaError;
use crate::meta::columns::{
    block_digests, checksums, damaged, session_bytes, session_state, stored_path, unsigned,
};
use crate::meta::loads::Taken;
use crate::meta::rows::{
    Blob, BlobId, BlobPlace, ContentId, Entry, FileEntry, FileOffset, JournalId, Namespace, Node,
    Ns, Piece, Replay, Session,
};
use crate::sys::Micros;
use bytes::Bytes;
use landfall_protocol::{AccountId, ContentHash, FileId, Rev, SessionId, Timestamp};
use tokio_postgres::Row;
use tokio_postgres::types::FromSqlOwned;

pub(super) fn get<T: FromSqlOwned>(row: &Row, column: usize) -> Result<T, MetaError> {
    row.try_get(column)
        .map_err(|error| MetaError::Damaged(error.to_string()))
}

pub(super) fn number(row: &Row, column: usize) -> Result<u64, MetaError> {
    unsigned(get(row, column)?)
}

pub(super) fn ns_of(row: &Row, column: usize) -> Result<Ns, MetaError> {
    let ns = get::<i64>(row, column)?;
    u32::try_from(ns)
        .map(Ns)
        .or_else(|_| damaged("namespace", ns))
}

pub(super) fn namespace(row: &Row) -> Result<Namespace, MetaError> {
    Ok(Namespace {
        ns: ns_of(row, 0)?,
        journal: JournalId(number(row, 1)?),
        used: number(row, 2)?,
        quota: get::<Option<i64>>(row, 3)?.map(unsigned).transpose()?,
    })
}

pub(super) fn session(row: &Row) -> Result<Session, MetaError> {
    Ok(Session {
        id: SessionId::from_stored(get::<String>(row, 0)?),
        account: AccountId::from_stored(get::<String>(row, 1)?),
        created: Micros(get(row, 2)?),
        state: session_state(get(row, 3)?)?,
        content: ContentId(get(row, 4)?),
        bytes: session_bytes(get(row, 5)?, get(row, 6)?, get(row, 7)?)?,
    })
}

pub(super) fn replay(row: &Row) -> Result<Replay, MetaError> {
    Ok(Replay {
        file: file(row, 0)?,
        session: SessionId::from_stored(get::<String>(row, 7)?),
        account: AccountId::from_stored(get::<String>(row, 8)?),
        end: number(row, 9)?,
        commit: get(row, 10)?,
        ns: ns_of(row, 11)?,
        path: stored_path(&get::<String>(row, 12)?)?,
        committed: Micros(get(row, 13)?),
    })
}

pub(super) fn node(row: &Row) -> Result<Node, MetaError> {
    Ok(Node {
        ns: ns_of(row, 0)?,
        path: stored_path(&get::<String>(row, 1)?)?,
        journal: JournalId(number(row, 2)?),
        entry: match get(row, 3)? {
            0 => {
                let id = FileId::from_stored(get::<String>(row, 4)?);
                let rev = Rev::from_stored(get::<String>(row, 5)?);
                Entry::File(version(row, 6, id, rev)?)
            }
            1 => Entry::Folder(FileId::from_stored(get::<String>(row, 4)?)),
            2 => Entry::DeletedFile,
            3 => Entry::DeletedFolder,
            other => return damaged("node kind", other),
        },
    })
}

pub(super) fn taken(row: &Row) -> Result<Taken, MetaError> {
    Ok(Taken {
        name: get(row, 0)?,
        journal: JournalId(number(row, 1)?),
        live: get::<i64>(row, 2)? <= 1,
    })
}

/// A piece from the columns start, length, digests.
pub(super) fn piece(row: &Row, first: usize) -> Result<Piece, MetaError> {
    Ok(Piece {
        offset: FileOffset(number(row, first)?),
        length: number(row, first + 1)?,
        digests: block_digests(get(row, first + 2)?)?,
    })
}

/// A blob from the columns id, length, checksums, bytes.
pub(super) fn blob(row: &Row, first: usize) -> Result<Blob, MetaError> {
    Ok(Blob {
        id: BlobId(get(row, first)?),
        length: number(row, first + 1)?,
        checksums: checksums(&get::<Vec<u8>>(row, first + 2)?),
        place: match get::<Option<Vec<u8>>>(row, first + 3)? {
            Some(bytes) => BlobPlace::Inline(Bytes::from(bytes)),
            None => BlobPlace::Stored,
        },
    })
}

/// A file from the columns id, rev and those of [`version`].
pub(super) fn file(row: &Row, first: usize) -> Result<FileEntry, MetaError> {
    let id = FileId::from_stored(get::<String>(row, first)?);
    let rev = Rev::from_stored(get::<String>(row, first + 1)?);
    version(row, first + 2, id, rev)
}

/// A file from the columns content, size, hash, client_modified, server_modified.
pub(super) fn version(
    row: &Row,
    first: usize,
    id: FileId,
    rev: Rev,
) -> Result<FileEntry, MetaError> {
    let hash: Vec<u8> = get(row, first + 2)?;
    let hash = hash
        .try_into()
        .map_err(|_| MetaError::Damaged(format!("the hash of {rev}")))?;
    Ok(FileEntry {
        id,
        rev,
        content: ContentId(get(row, first)?),
        size: number(row, first + 1)?,
        hash: ContentHash::from_bytes(hash),
        client_modified: Timestamp::from_unix_seconds(get(row, first + 3)?),
        server_modified: Timestamp::from_unix_seconds(get(row, first + 4)?),
    })
}
