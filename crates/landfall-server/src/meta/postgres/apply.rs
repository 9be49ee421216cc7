//! Effects as statements. They are all sent before any is answered, with the commit behind them,
//! so each refuses by an error what must not be committed.

use super::link::{Param, Statement};
use crate::meta::columns::{
    checksum_bytes, digest_bytes, hasher_and_end, kind_id_and_rev, notification_number,
    session_number, signed,
};
use crate::meta::rows::{AccountState, Blob, BlobPlace, JournalId, Node};
use crate::meta::{Effect, MetaError, Rename, family};
use landfall_protocol::Rev;

/// A statement with its parameters.
macro_rules! statement {
    ($sql:expr, $otherwise:expr $(, $param:expr)* $(,)?) => {
        Statement {
            sql: $sql,
            params: vec![$(Box::new($param) as Param<'_>),*],
            otherwise: $otherwise,
        }
    };
}

/// A change that divides by zero unless it changes a row.
macro_rules! a_row {
    ($sql:literal) => {
        concat!(
            "WITH changed AS (",
            $sql,
            " RETURNING 1) SELECT 1 / count(*) FROM changed"
        )
    };
}

/// What an operation changes, in its order.
pub(super) fn statements(effects: &[Effect]) -> Result<Vec<Statement<'_>>, MetaError> {
    let mut all = Vec::with_capacity(effects.len());
    for effect in effects {
        add(effect, &mut all)?;
    }
    Ok(all)
}

fn add<'e>(effect: &'e Effect, all: &mut Vec<Statement<'e>>) -> Result<(), MetaError> {
    all.push(match effect {
        Effect::AddSetting { name, value } => statement!(
            "INSERT INTO setting (name, value) VALUES ($1, $2)",
            unmet("setting"),
            *name,
            &**value,
        ),
        Effect::AddNamespace(namespace) => statement!(
            "INSERT INTO namespace (ns, journal, used, quota) VALUES ($1, $2, $3, $4)",
            unmet("namespace"),
            i64::from(namespace.ns.0),
            signed(namespace.journal.0),
            signed(namespace.used),
            namespace.quota.map(signed),
        ),
        Effect::SetNamespace(namespace) => statement!(
            a_row!("UPDATE namespace SET journal = $2, used = $3, quota = $4 WHERE ns = $1"),
            unmet("namespace"),
            i64::from(namespace.ns.0),
            signed(namespace.journal.0),
            signed(namespace.used),
            namespace.quota.map(signed),
        ),
        Effect::AddAccount(account) => statement!(
            "INSERT INTO account (id, name, display_name, ns, created, suspended)
             VALUES ($1, $2, $3, $4, $5, $6)",
            unmet("account"),
            account.id.as_str(),
            &*account.name,
            account.display_name.as_deref(),
            i64::from(account.ns.0),
            account.created.0,
            account.state == AccountState::Suspended,
        ),
        Effect::PutWriter(writer) => statement!(
            "INSERT INTO writer (id, heartbeat, fenced) VALUES ($1, $2, $3)
             ON CONFLICT (id) DO UPDATE SET
                 heartbeat = excluded.heartbeat, fenced = excluded.fenced",
            unmet("writer"),
            &*writer.id,
            writer.heartbeat.0,
            writer.fenced,
        ),
        Effect::PutSession(session) => {
            let (hasher, end) = hasher_and_end(&session.bytes);
            statement!(
                "INSERT INTO session (id, account, created, state, content, length, hasher, reach)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
                 ON CONFLICT (id) DO UPDATE SET
                     state = excluded.state, length = excluded.length, hasher = excluded.hasher,
                     reach = excluded.reach",
                unmet("session"),
                session.id.as_str(),
                session.account.as_str(),
                session.created.0,
                session_number(session.state),
                &*session.content.0,
                signed(session.stored()),
                hasher,
                end,
            )
        }
        Effect::AddBlob(blob) => return add_blob(blob, all),
        Effect::AddExtent(extent) => statement!(
            "INSERT INTO extent (content, start, length, blob, blob_start, digests)
             VALUES ($1, $2, $3, $4, $5, $6)",
            unmet("extent"),
            &*extent.content.0,
            signed(extent.offset.0),
            signed(extent.length),
            &*extent.blob.0,
            signed(extent.blob_offset.0),
            digest_bytes(&extent.digests),
        ),
        Effect::AddRevision(revision) => statement!(
            "INSERT INTO revision
                 (ns, rev, path, path_key, file_id, content, size, hash, client_modified, server_modified)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
            unmet("revision"),
            i64::from(revision.ns.0),
            revision.file.rev.as_str(),
            revision.path.as_str(),
            revision.path.key().as_str().to_owned(),
            revision.file.id.as_str(),
            &*revision.file.content.0,
            signed(revision.file.size),
            &revision.file.hash.as_bytes()[..],
            revision.file.client_modified.unix_seconds(),
            revision.file.server_modified.unix_seconds(),
        ),
        Effect::EndRevision { ns, rev, at } => statement!(
            a_row!("UPDATE revision SET ended = $3 WHERE ns = $1 AND rev = $2"),
            unmet("revision"),
            i64::from(ns.0),
            rev.as_str(),
            at.0,
        ),
        Effect::PutNode { node, seen } => put_node(node, *seen),
        Effect::PutReplay(replay) => statement!(
            "INSERT INTO replay (session, account, \"end\", commit_info, ns, path, rev, committed)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
            unmet("replay"),
            replay.session.as_str(),
            replay.account.as_str(),
            signed(replay.end),
            &*replay.commit,
            i64::from(replay.ns.0),
            replay.path.as_str(),
            replay.file.rev.as_str(),
            replay.committed.0,
        ),
        Effect::AddNotification(one) => statement!(
            "INSERT INTO notification (ns, journal, at, event, path, rev)
             VALUES ($1, $2, $3, $4, $5, $6)",
            unmet("notification"),
            i64::from(one.ns.0),
            signed(one.journal.0),
            one.at.0,
            notification_number(one.event),
            one.path.as_str(),
            one.rev.as_ref().map(Rev::as_str),
        ),
        _ => return Err(super::not_yet("this change")),
    });
    Ok(())
}

fn add_blob<'e>(blob: &'e Blob, all: &mut Vec<Statement<'e>>) -> Result<(), MetaError> {
    if blob.place == BlobPlace::Stored {
        // Shared, so that a process' own transactions don't wait for each other; whoever fences
        // the writer waits for all of them.
        all.push(statement!(
            "SELECT 1 / count(*) FROM
                 (SELECT 1 FROM writer WHERE id = $1 AND NOT fenced FOR SHARE) AS lives",
            MetaError::Fenced,
            blob.id.writer(),
        ));
    }
    all.push(statement!(
        "INSERT INTO blob (id, length, checksums, inline) VALUES ($1, $2, $3, $4)",
        unmet("blob"),
        &*blob.id.0,
        signed(blob.length),
        checksum_bytes(&blob.checksums),
        blob.place != BlobPlace::Stored,
    ));
    if let BlobPlace::Inline(bytes) = &blob.place {
        all.push(statement!(
            "INSERT INTO blob_bytes (id, bytes) VALUES ($1, $2)",
            unmet("blob_bytes"),
            &*blob.id.0,
            &bytes[..],
        ));
    }
    Ok(())
}

fn put_node(node: &Node, seen: Option<JournalId>) -> Statement<'_> {
    let key = node.key();
    let (kind, id, rev) = kind_id_and_rev(&node.entry);
    let family = family(node.path.name(), Rename::File);
    match seen {
        // One that is there is a conflict, which means the same as a row that isn't.
        None => statement!(
            "INSERT INTO node
                 (ns, path_key, parent_key, name_key, family, path, journal, kind, id, rev)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
            MetaError::Changed,
            i64::from(node.ns.0),
            key.as_str().to_owned(),
            key.parent().as_str().to_owned(),
            key.name().to_owned(),
            family,
            node.path.as_str(),
            signed(node.journal.0),
            kind,
            id,
            rev,
        ),
        Some(seen) => statement!(
            a_row!(
                "UPDATE node SET path = $3, family = $4, journal = $5, kind = $6, id = $7, rev = $8
                 WHERE ns = $1 AND path_key = $2 AND journal = $9"
            ),
            MetaError::Changed,
            i64::from(node.ns.0),
            key.as_str().to_owned(),
            node.path.as_str(),
            family,
            signed(node.journal.0),
            kind,
            id,
            rev,
            signed(seen.0),
        ),
    }
}

/// What it means that there is no row to be changed.
fn unmet(table: &str) -> MetaError {
    MetaError::Damaged(format!("a row of {table} that should be there is not"))
}
