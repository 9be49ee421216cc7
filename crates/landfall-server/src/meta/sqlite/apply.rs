//! Effects as SQL.

use super::failure::failure;
use crate::meta::columns::{
    checksum_bytes, digest_bytes, hasher_and_end, kind_id_and_rev, notification_number,
    scopes_text, session_number, signed,
};
use crate::meta::rows::{AccountState, BlobPlace, JournalId, Node};
use crate::meta::{Effect, MetaError};
use landfall_protocol::Rev;
use rusqlite::{Connection, ErrorCode, Params};

/// Applies one effect in the open transaction.
pub(super) fn apply(connection: &Connection, effect: &Effect) -> Result<(), MetaError> {
    match effect {
        Effect::AddSetting { name, value } => execute(
            connection,
            "INSERT INTO setting (name, value) VALUES (?1, ?2)",
            (name, value),
        ),
        Effect::PutSetting { name, value } => execute(
            connection,
            "INSERT INTO setting (name, value) VALUES (?1, ?2)
             ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            (name, value),
        ),
        Effect::AddAccount(account) => execute(
            connection,
            "INSERT INTO account (id, name, display_name, ns, created, suspended)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            (
                account.id.as_str(),
                &account.name,
                &account.display_name,
                account.ns.0,
                account.created.0,
                account.state == AccountState::Suspended,
            ),
        ),
        Effect::PutAccount(account) => execute(
            connection,
            "UPDATE account SET name = ?2, display_name = ?3, suspended = ?4 WHERE id = ?1",
            (
                account.id.as_str(),
                &account.name,
                &account.display_name,
                account.state == AccountState::Suspended,
            ),
        ),
        Effect::BeginDeletion { account } => execute(
            connection,
            "UPDATE account SET name = NULL WHERE id = ?1",
            [account.as_str()],
        ),
        Effect::EndDeletion(deletion) => {
            execute(
                connection,
                "DELETE FROM account WHERE id = ?1",
                [deletion.account.as_str()],
            )?;
            execute(
                connection,
                "DELETE FROM namespace WHERE ns = ?1",
                [deletion.ns.0],
            )
        }
        Effect::AddNamespace(namespace) => execute(
            connection,
            "INSERT INTO namespace (ns, journal, used, quota) VALUES (?1, ?2, ?3, ?4)",
            (
                namespace.ns.0,
                signed(namespace.journal.0),
                signed(namespace.used),
                namespace.quota.map(signed),
            ),
        ),
        Effect::SetNamespace(namespace) => execute(
            connection,
            "UPDATE namespace SET journal = ?2, used = ?3, quota = ?4 WHERE ns = ?1",
            (
                namespace.ns.0,
                signed(namespace.journal.0),
                signed(namespace.used),
                namespace.quota.map(signed),
            ),
        ),
        Effect::AddToken(token) => execute(
            connection,
            "INSERT INTO token (hash, account, scopes, expires, created, id)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT (hash) DO UPDATE SET
                 account = excluded.account, scopes = excluded.scopes, expires = excluded.expires",
            (
                &token.hash[..],
                token.account.as_str(),
                scopes_text(&token.scopes),
                token.expires.map(|expires| expires.0),
                token.created.0,
                &token.id,
            ),
        ),
        Effect::RemoveToken { id } => {
            execute(connection, "DELETE FROM token WHERE id = ?1", [id])
        }
        Effect::RemoveSession(id) => {
            run(connection, "DELETE FROM replay WHERE session = ?1", [id.as_str()])?;
            execute(connection, "DELETE FROM session WHERE id = ?1", [id.as_str()])
        }
        Effect::PutSession(session) => execute(
            connection,
            "INSERT INTO session (id, account, created, state, content, length, hasher, reach)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
             ON CONFLICT (id) DO UPDATE SET
                 state = excluded.state, length = excluded.length, hasher = excluded.hasher,
                 reach = excluded.reach",
            (
                session.id.as_str(),
                session.account.as_str(),
                session.created.0,
                session_number(session.state),
                &session.content.0,
                signed(session.stored()),
                hasher_and_end(&session.bytes).0,
                hasher_and_end(&session.bytes).1,
            ),
        ),
        Effect::AddBlob(blob) => {
            let bytes = match &blob.place {
                BlobPlace::Inline(bytes) => Some(bytes),
                BlobPlace::Stored => None,
            };
            if bytes.is_none() {
                check_writer(connection, blob.id.writer())?;
            }
            execute(
                connection,
                "INSERT INTO blob (id, length, checksums, inline) VALUES (?1, ?2, ?3, ?4)",
                (
                    &blob.id.0,
                    signed(blob.length),
                    checksum_bytes(&blob.checksums),
                    bytes.is_some(),
                ),
            )?;
            match bytes {
                None => Ok(()),
                Some(bytes) => execute(
                    connection,
                    "INSERT INTO blob_bytes (id, bytes) VALUES (?1, ?2)",
                    (&blob.id.0, &bytes[..]),
                ),
            }
        }
        Effect::PutWriter(writer) => execute(
            connection,
            "INSERT INTO writer (id, heartbeat, fenced) VALUES (?1, ?2, ?3)
             ON CONFLICT (id) DO UPDATE SET
                 heartbeat = excluded.heartbeat, fenced = excluded.fenced",
            (&writer.id, writer.heartbeat.0, writer.fenced),
        ),
        Effect::PutLease(lease) => execute(
            connection,
            "INSERT INTO lease (name, holder, until) VALUES (?1, ?2, ?3)
             ON CONFLICT (name) DO UPDATE SET
                 holder = excluded.holder, until = excluded.until",
            (&lease.name, &lease.holder, lease.until.0),
        ),
        Effect::PutHold(hold) => execute(
            connection,
            "INSERT INTO hold (id, until) VALUES (?1, ?2)
             ON CONFLICT (id) DO UPDATE SET until = excluded.until",
            (&hold.id, hold.until.0),
        ),
        // Here and for the next two: another process may have been there first, which is as well.
        Effect::RemoveHold { id } => {
            run(connection, "DELETE FROM hold WHERE id = ?1", [id]).map(|_| ())
        }
        Effect::RemoveWriter { id } => {
            run(connection, "DELETE FROM writer WHERE id = ?1", [id]).map(|_| ())
        }
        Effect::AddOrphan(content) => execute(
            connection,
            "INSERT INTO orphan (content) VALUES (?1)",
            [&content.0],
        ),
        Effect::RemoveOrphan(content) => execute(
            connection,
            "DELETE FROM orphan WHERE content = ?1",
            [&content.0],
        ),
        Effect::RemoveExtent { content, offset } => execute(
            connection,
            "DELETE FROM extent WHERE content = ?1 AND start = ?2",
            (&content.0, signed(offset.0)),
        ),
        Effect::DoomBlob { id, since } => {
            run(
                connection,
                "INSERT INTO doomed (blob, since)
                 SELECT id, ?2 FROM blob WHERE id = ?1 AND NOT inline",
                (&id.0, since.0),
            )?;
            run(connection, "DELETE FROM blob_bytes WHERE id = ?1", [&id.0])?;
            execute(connection, "DELETE FROM blob WHERE id = ?1", [&id.0])
        }
        Effect::ForgetBlob(id) => {
            run(connection, "DELETE FROM doomed WHERE blob = ?1", [&id.0]).map(|_| ())
        }
        Effect::EndRevision { ns, rev, at } => execute(
            connection,
            "UPDATE revision SET ended = ?3 WHERE ns = ?1 AND rev = ?2",
            (ns.0, rev.as_str(), at.0),
        ),
        Effect::RemoveRevision { ns, rev } => execute(
            connection,
            "DELETE FROM revision WHERE ns = ?1 AND rev = ?2",
            (ns.0, rev.as_str()),
        ),
        Effect::PutJob(job) => execute(
            connection,
            "INSERT INTO job (id, account, created, argument, outcome, until)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT (id) DO UPDATE SET outcome = excluded.outcome, until = excluded.until",
            (
                job.id.as_str(),
                job.account.as_str(),
                job.created.0,
                &job.argument,
                &job.outcome,
                job.until.0,
            ),
        ),
        // Here and below: another process may have been there first, which is as well.
        Effect::RemoveJob(id) => {
            run(connection, "DELETE FROM job WHERE id = ?1", [id.as_str()]).map(|_| ())
        }
        Effect::AddNotification(one) => execute(
            connection,
            "INSERT INTO notification (ns, journal, at, event, path, rev)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            (
                one.ns.0,
                signed(one.journal.0),
                one.at.0,
                notification_number(one.event),
                one.path.as_str(),
                one.rev.as_ref().map(Rev::as_str),
            ),
        ),
        Effect::RemoveNotification { ns, journal } => run(
            connection,
            "DELETE FROM notification WHERE ns = ?1 AND journal = ?2",
            (ns.0, signed(journal.0)),
        )
        .map(|_| ()),
        Effect::AddExtent(extent) => execute(
            connection,
            "INSERT INTO extent (content, start, length, blob, blob_start, digests)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            (
                &extent.content.0,
                signed(extent.offset.0),
                signed(extent.length),
                &extent.blob.0,
                signed(extent.blob_offset.0),
                digest_bytes(&extent.digests),
            ),
        ),
        Effect::AddRevision(revision) => execute(
            connection,
            "INSERT INTO revision
                 (ns, rev, path, path_key, file_id, content, size, hash, client_modified, server_modified)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
            (
                revision.ns.0,
                revision.file.rev.as_str(),
                revision.path.as_str(),
                revision.path.key().as_str(),
                revision.file.id.as_str(),
                &revision.file.content.0,
                signed(revision.file.size),
                &revision.file.hash.as_bytes()[..],
                revision.file.client_modified.unix_seconds(),
                revision.file.server_modified.unix_seconds(),
            ),
        ),
        Effect::PutNode { node, seen } => put_node(connection, node, *seen),
        Effect::RemoveNode { ns, key } => execute(
            connection,
            "DELETE FROM node WHERE ns = ?1 AND path_key = ?2",
            (ns.0, key.as_str()),
        ),
        Effect::PutReplay(replay) => execute(
            connection,
            "INSERT INTO replay (session, account, end, commit_info, ns, path, rev, committed)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            (
                replay.session.as_str(),
                replay.account.as_str(),
                signed(replay.end),
                &replay.commit,
                replay.ns.0,
                replay.path.as_str(),
                replay.file.rev.as_str(),
                replay.committed.0,
            ),
        ),
    }
}

fn put_node(
    connection: &Connection,
    node: &Node,
    seen: Option<JournalId>,
) -> Result<(), MetaError> {
    let key = node.key();
    let (kind, id, rev) = kind_id_and_rev(&node.entry);
    let changed = match seen {
        None => connection
            .prepare_cached(
                "INSERT INTO node (ns, path_key, parent_key, name_key, path, journal, kind, id, rev)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
                 ON CONFLICT (ns, path_key) DO NOTHING",
            )
            .and_then(|mut statement| {
                statement.execute((
                    node.ns.0,
                    key.as_str(),
                    key.parent().as_str(),
                    key.name(),
                    node.path.as_str(),
                    signed(node.journal.0),
                    kind,
                    id,
                    rev,
                ))
            }),
        Some(seen) => connection
            .prepare_cached(
                "UPDATE node SET path = ?3, journal = ?4, kind = ?5, id = ?6, rev = ?7
                 WHERE ns = ?1 AND path_key = ?2 AND journal = ?8",
            )
            .and_then(|mut statement| {
                statement.execute((
                    node.ns.0,
                    key.as_str(),
                    node.path.as_str(),
                    signed(node.journal.0),
                    kind,
                    id,
                    rev,
                    signed(seen.0),
                ))
            }),
    };
    match changed {
        Ok(1) => Ok(()),
        Ok(_) => Err(MetaError::Changed),
        Err(error) => Err(failure(error)),
    }
}

/// Whether a blob of this writer may be referred to.
fn check_writer(connection: &Connection, writer: &str) -> Result<(), MetaError> {
    let lives = connection
        .prepare_cached("SELECT 1 FROM writer WHERE id = ?1 AND NOT fenced")
        .and_then(|mut statement| statement.exists([writer]))
        .map_err(failure)?;
    if lives {
        Ok(())
    } else {
        Err(MetaError::Fenced)
    }
}

/// Runs a statement that changes exactly one row.
fn execute(connection: &Connection, sql: &str, params: impl Params) -> Result<(), MetaError> {
    match run(connection, sql, params)? {
        1 => Ok(()),
        rows => Err(MetaError::Damaged(format!(
            "a statement changed {rows} rows: {sql}"
        ))),
    }
}

/// Runs a statement and says how many rows it changed.
fn run(connection: &Connection, sql: &str, params: impl Params) -> Result<usize, MetaError> {
    connection
        .prepare_cached(sql)
        .and_then(|mut statement| statement.execute(params))
        .map_err(|error| match error.sqlite_error_code() {
            // Names and ids that must be unique and are taken: somebody was faster.
            Some(ErrorCode::ConstraintViolation) => MetaError::Changed,
            _ => failure(error),
        })
}
