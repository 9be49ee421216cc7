//! A copy of the metadata as of one moment, for a backup.
//!
//! Whoever goes on from the copy begins another history than the original has, and the two
//! must not be taken for one: a client may have seen what came after the copy. So the copy's
//! cursors are no longer good, which makes clients list anew, and the numbers of its changes
//! leap, so that no rev is given a second time.

use super::failure::failure;
use super::load::Rows;
use super::{OpenError, open};
use crate::meta::rows::{Blob, BlobId};
use crate::meta::{Loads, MetaError};
use rusqlite::Connection;
use std::path::Path;

/// What a copy leaves behind: the processes that use the original, files that aren't copied
/// because nothing refers to them, and the original's history from here on. The leap is more
/// than any number of changes between two backups.
const LEAVE: &str = "
    BEGIN;
    DELETE FROM writer;
    DELETE FROM hold;
    DELETE FROM lease;
    DELETE FROM doomed;
    DELETE FROM setting WHERE name IN ('cursor_key', 'scrub');
    UPDATE namespace SET journal = journal + 4294967296;
    COMMIT;
";

/// Copies the metadata in `file` into `to`, an empty file. Writers go on meanwhile. The copy is
/// not synced.
pub(crate) fn copy(file: &Path, to: &Path) -> Result<(), OpenError> {
    let target = |source| OpenError::Sqlite {
        file: to.to_owned(),
        source,
    };
    // A name that can't be taken for an option or an URI. SQLite takes names as text only.
    let name = std::path::absolute(to).map_err(|source| OpenError::Directory {
        dir: to.to_owned(),
        source,
    })?;
    let Some(name) = name.to_str() else {
        return Err(OpenError::NoText(to.to_owned()));
    };
    let original = open::for_reading(file)?;
    // Writing the copy counts as writing, though it only reads from the original.
    original
        .pragma_update(None, "query_only", false)
        .and_then(|()| original.execute("VACUUM INTO ?1", [name]))
        .map_err(target)?;
    let copy = Connection::open(name).map_err(target)?;
    copy.execute_batch(LEAVE).map_err(target)?;
    copy.close().map_err(|(_, error)| target(error))
}

/// A page of the blobs that the metadata in this file knows, in the order of their names.
pub(crate) fn blobs_in(file: &Path, after: &BlobId, most: usize) -> Result<Vec<Blob>, MetaError> {
    let connection =
        open::for_reading(file).map_err(|error| MetaError::Failed(error.to_string()))?;
    let transaction = connection.unchecked_transaction().map_err(failure)?;
    Rows {
        connection: &transaction,
    }
    .blobs(after, most)
}

#[cfg(test)]
mod tests {
    use super::{blobs_in, copy};
    use crate::meta::rows::{Blob, BlobId, BlobPlace, Hold, Lease, Writer};
    use crate::meta::sqlite::load::Rows;
    use crate::meta::sqlite::open;
    use crate::meta::{Effect, Loads, Meta, SqliteEngine, Unconditional};
    use crate::sys::{Micros, Sys};
    use bytes::Bytes;

    fn blob(id: &str, place: BlobPlace) -> Effect {
        Effect::AddBlob(Blob {
            id: BlobId(id.into()),
            length: 5,
            checksums: vec![1],
            place,
        })
    }

    #[tokio::test]
    async fn a_copy_has_the_blobs_and_knows_nobody_who_uses_the_original() {
        let dir = tempfile::tempdir().unwrap();
        // A name that SQLite must not take for an URI, and quotes that it must not end at.
        let (file, to) = (dir.path().join("original"), dir.path().join("file:x?'\";"));
        let meta = Meta::new(SqliteEngine::open(&file, &Sys::real()).unwrap());
        let writer = Writer {
            id: "w".into(),
            heartbeat: Micros(1),
            fenced: false,
        };
        let hold = Hold {
            id: "h".into(),
            until: Micros(i64::MAX),
        };
        let lease = Lease {
            name: "l".into(),
            holder: "h".into(),
            until: Micros(i64::MAX),
        };
        let gone = Effect::DoomBlob {
            id: BlobId("w/gone".into()),
            since: Micros(1),
        };
        let effects = vec![
            Effect::PutWriter(writer),
            Effect::PutHold(hold),
            Effect::PutLease(lease),
            blob("w/gone", BlobPlace::Stored),
            gone,
            blob("w/inline", BlobPlace::Inline(Bytes::from_static(b"hello"))),
            blob("w/stored", BlobPlace::Stored),
        ];
        meta.transact(Unconditional(effects)).await.unwrap();

        copy(&file, &to).unwrap();
        let names = |after: &str, most| -> Vec<String> {
            let blobs = blobs_in(&to, &BlobId(after.into()), most).unwrap();
            blobs.into_iter().map(|blob| blob.id.0).collect()
        };
        assert_eq!(names("", 9), ["w/inline", "w/stored"]);
        assert_eq!(names("", 1), ["w/inline"]);
        assert_eq!(names("w/inline", 9), ["w/stored"]);
        let connection = open::for_reading(&to).unwrap();
        let mut rows = Rows {
            connection: &connection,
        };
        assert_eq!(rows.writers().unwrap(), []);
        assert_eq!(rows.holds().unwrap(), []);
        assert_eq!(rows.lease("l").unwrap(), None);
        assert_eq!(rows.doomed(Micros(i64::MAX), 9).unwrap(), []);
        let others = meta
            .read(|loads| Ok((loads.writers()?.len(), loads.holds()?.len())))
            .await;
        assert_eq!(others.unwrap(), (1, 1), "the original keeps them");
    }
}
