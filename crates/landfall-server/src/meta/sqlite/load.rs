//! Loads as SQL.

use super::failure::failure;
use crate::meta::MetaError;
use crate::meta::columns::{
    block_digests, checksums, damaged, notification_event, scopes, session_bytes, session_state,
    signed, stored_path, unsigned,
};
use crate::meta::loads::{Aged, ContentUse, Credential, End, History, Listing, Loads, Past, Taken};
use crate::meta::rows::{
    Account, AccountState, AsyncJob, Blob, BlobId, BlobOffset, BlobPlace, ContentId, Deletion,
    Entry, Extent, FileEntry, FileOffset, Hold, JournalId, Lease, Namespace, Node, Notification,
    Ns, Piece, Replay, Revision, Session, Token, Writer,
};
use crate::sys::Micros;
use bytes::Bytes;
use landfall_protocol::{
    AccountId, AsyncJobId, ContentHash, FileId, PathKey, Rev, SessionId, Timestamp,
};
use rusqlite::{Connection, OptionalExtension, Params, Row};
use std::ops::Range;

/// The rows as an open transaction sees them.
pub(super) struct Rows<'c> {
    pub(super) connection: &'c Connection,
}

type Read<T> = fn(&Row<'_>) -> rusqlite::Result<Result<T, MetaError>>;

impl Rows<'_> {
    fn one<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: Read<T>,
    ) -> Result<Option<T>, MetaError> {
        self.connection
            .prepare_cached(sql)
            .and_then(|mut statement| statement.query_row(params, read).optional())
            .map_err(failure)?
            .transpose()
    }

    fn all<T>(&self, sql: &str, params: impl Params, read: Read<T>) -> Result<Vec<T>, MetaError> {
        let mut statement = self.connection.prepare_cached(sql).map_err(failure)?;
        let mut out = Vec::new();
        for row in statement.query_map(params, read).map_err(failure)? {
            out.push(row.map_err(failure)??);
        }
        Ok(out)
    }
}

/// Columns of `node` joined with its current `revision`, in the order that [`node`] reads.
macro_rules! node_query {
    ($rest:literal) => {
        concat!(
            "SELECT node.ns, node.path, node.journal, node.kind, node.id, node.rev,
                 revision.content, revision.size, revision.hash,
                 revision.client_modified, revision.server_modified
             FROM node LEFT JOIN revision ON revision.ns = node.ns AND revision.rev = node.rev ",
            $rest
        )
    };
}

/// Revisions by a column that has an index in the order of the revs (`rev_order`).
macro_rules! history_query {
    ($whose:literal) => {
        concat!(
            "SELECT file_id, rev, content, size, hash, client_modified, server_modified, ns, path,
                 ended
             FROM revision
             WHERE ns = ?1 AND ",
            $whose,
            " = ?2
                 -- A blob comes after every text.
                 AND char(length(rev)) || rev < ifnull(char(length(?3)) || ?3, x'')
             ORDER BY char(length(rev)) || rev DESC LIMIT ?4"
        )
    };
}

impl Loads for Rows<'_> {
    fn credential(&mut self, hash: &[u8; 32]) -> Result<Option<Credential>, MetaError> {
        self.one(
            "SELECT account.id, account.name, account.display_name, account.ns,
                     account.created, account.suspended, token.hash, token.id, token.account,
                     token.scopes, token.expires, token.created, namespace.quota IS NOT NULL
                 FROM token JOIN account ON account.id = token.account
                     JOIN namespace ON namespace.ns = account.ns
                 WHERE token.hash = ?1 AND account.name IS NOT NULL",
            [&hash[..]],
            |row| {
                Ok(Ok(Credential {
                    account: account(row)?,
                    token: token(row, 6)?,
                    limited: row.get(12)?,
                }))
            },
        )
    }

    fn setting(&mut self, name: &str) -> Result<Option<String>, MetaError> {
        self.one("SELECT value FROM setting WHERE name = ?1", [name], |row| {
            row.get(0).map(Ok)
        })
    }

    fn account_by_name(&mut self, name: &str) -> Result<Option<Account>, MetaError> {
        self.one(
            "SELECT id, name, display_name, ns, created, suspended FROM account WHERE name = ?1",
            [name],
            |row| account(row).map(Ok),
        )
    }

    fn accounts(&mut self) -> Result<Vec<Account>, MetaError> {
        self.all(
            "SELECT id, name, display_name, ns, created, suspended FROM account
             WHERE name IS NOT NULL ORDER BY name",
            [],
            |row| account(row).map(Ok),
        )
    }

    fn tokens(&mut self, account: &AccountId) -> Result<Vec<Token>, MetaError> {
        self.all(
            "SELECT hash, id, account, scopes, expires, created FROM token
             WHERE account = ?1 ORDER BY created, id",
            [account.as_str()],
            |row| token(row, 0).map(Ok),
        )
    }

    fn token(&mut self, id: &str) -> Result<Option<Token>, MetaError> {
        self.one(
            "SELECT hash, id, account, scopes, expires, created FROM token WHERE id = ?1",
            [id],
            |row| token(row, 0).map(Ok),
        )
    }

    fn sessions(&mut self, account: &AccountId) -> Result<Vec<Session>, MetaError> {
        self.all(
            "SELECT id, account, created, state, content, length, hasher, reach FROM session
             WHERE account = ?1 AND state < 2 ORDER BY created, id",
            [account.as_str()],
            session,
        )
    }

    fn namespace(&mut self, ns: Ns) -> Result<Namespace, MetaError> {
        let found = self.one(
            "SELECT ns, journal, used, quota FROM namespace WHERE ns = ?1",
            [ns.0],
            |row| {
                let (journal, used) = (row.get(1)?, row.get(2)?);
                let quota: Option<i64> = row.get(3)?;
                let ns = Ns(row.get(0)?);
                Ok((|| {
                    Ok(Namespace {
                        ns,
                        journal: JournalId(unsigned(journal)?),
                        used: unsigned(used)?,
                        quota: quota.map(unsigned).transpose()?,
                    })
                })())
            },
        )?;
        found.ok_or(MetaError::Gone(ns))
    }

    fn unfinished(&mut self, account: &AccountId) -> Result<u64, MetaError> {
        let found = self.one(
            "SELECT coalesce(sum(length), 0) FROM session WHERE account = ?1 AND state < 2",
            [account.as_str()],
            |row| row.get(0).map(unsigned),
        )?;
        Ok(found.unwrap_or(0))
    }

    fn any_sessions(
        &mut self,
        account: &AccountId,
        most: usize,
    ) -> Result<Vec<Session>, MetaError> {
        self.all(
            "SELECT id, account, created, state, content, length, hasher, reach FROM session
             WHERE account = ?1 LIMIT ?2",
            (account.as_str(), most as i64),
            session,
        )
    }

    fn deletions(&mut self, most: usize) -> Result<Vec<Deletion>, MetaError> {
        self.all(
            "SELECT id, ns FROM account WHERE name IS NULL LIMIT ?1",
            [most as i64],
            |row| {
                Ok(Ok(Deletion {
                    account: AccountId::from_stored(row.get::<_, String>(0)?),
                    ns: Ns(row.get(1)?),
                }))
            },
        )
    }

    fn session(
        &mut self,
        account: &AccountId,
        id: &SessionId,
    ) -> Result<Option<Session>, MetaError> {
        self.one(
            "SELECT id, account, created, state, content, length, hasher, reach
             FROM session WHERE id = ?1 AND account = ?2",
            [id.as_str(), account.as_str()],
            session,
        )
    }

    fn replay(&mut self, account: &AccountId, id: &SessionId) -> Result<Option<Replay>, MetaError> {
        self.one(
            "SELECT revision.file_id, revision.rev, revision.content, revision.size, revision.hash,
                 revision.client_modified, revision.server_modified,
                 replay.session, replay.account, replay.end, replay.commit_info, replay.ns,
                 replay.path, replay.committed
             FROM replay JOIN revision ON revision.ns = replay.ns AND revision.rev = replay.rev
             WHERE replay.session = ?1 AND replay.account = ?2",
            [id.as_str(), account.as_str()],
            |row| {
                let file = file(row, 0)?;
                let session = SessionId::from_stored(row.get::<_, String>(7)?);
                let account = AccountId::from_stored(row.get::<_, String>(8)?);
                let (end, commit, ns) = (row.get(9)?, row.get(10)?, Ns(row.get(11)?));
                let (path, committed): (String, _) = (row.get(12)?, Micros(row.get(13)?));
                Ok((|| {
                    Ok(Replay {
                        session,
                        account,
                        end: unsigned(end)?,
                        commit,
                        ns,
                        path: stored_path(&path)?,
                        file: file?,
                        committed,
                    })
                })())
            },
        )
    }

    fn node(&mut self, ns: Ns, key: &PathKey) -> Result<Option<Node>, MetaError> {
        self.one(
            node_query!("WHERE node.ns = ?1 AND node.path_key = ?2"),
            (ns.0, key.as_str()),
            node,
        )
    }

    fn node_by_id(&mut self, ns: Ns, id: &FileId) -> Result<Option<Node>, MetaError> {
        self.one(
            node_query!("WHERE node.ns = ?1 AND node.id = ?2"),
            (ns.0, id.as_str()),
            node,
        )
    }

    fn taken(
        &mut self,
        ns: Ns,
        folder: &PathKey,
        family: &str,
        most: usize,
    ) -> Result<Vec<Taken>, MetaError> {
        self.all(
            "SELECT name_key, journal, kind FROM node
             WHERE ns = ?1 AND parent_key = ?2 AND name_key >= ?3
                 -- A blob comes after every text.
                 AND name_key < ifnull(?4, x'')
             ORDER BY name_key LIMIT ?5",
            (
                ns.0,
                folder.as_str(),
                family,
                after_all(family),
                most as i64,
            ),
            |row| {
                let (name, kind): (String, i64) = (row.get(0)?, row.get(2)?);
                let journal = row.get(1)?;
                Ok(unsigned(journal).map(|journal| Taken {
                    name,
                    journal: JournalId(journal),
                    live: kind <= 1,
                }))
            },
        )
    }

    fn revision(&mut self, ns: Ns, rev: &Rev) -> Result<Option<Revision>, MetaError> {
        self.one(
            "SELECT file_id, rev, content, size, hash, client_modified, server_modified, ns, path
             FROM revision WHERE ns = ?1 AND rev = ?2",
            (ns.0, rev.as_str()),
            revision,
        )
    }

    fn revisions(&mut self, ns: Ns, most: usize) -> Result<Vec<Revision>, MetaError> {
        self.all(
            "SELECT file_id, rev, content, size, hash, client_modified, server_modified, ns, path
             FROM revision WHERE ns = ?1 LIMIT ?2",
            (ns.0, most as i64),
            revision,
        )
    }

    fn history(
        &mut self,
        ns: Ns,
        history: &History,
        before: Option<&Rev>,
        most: usize,
    ) -> Result<Vec<Past>, MetaError> {
        let before = before.map(Rev::as_str);
        let (sql, whose) = match history {
            History::Path(key) => (history_query!("path_key"), key.as_str()),
            History::File(id) => (history_query!("file_id"), id.as_str()),
        };
        self.all(sql, (ns.0, whose, before, most as i64), |row| {
            let (revision, ended) = (revision(row)?, row.get(9)?);
            Ok(revision.map(|revision| Past {
                revision,
                ended: Option::map(ended, Micros),
            }))
        })
    }

    fn list(
        &mut self,
        listing: &Listing,
        after: Option<&PathKey>,
        until: JournalId,
        most: usize,
    ) -> Result<Vec<Node>, MetaError> {
        let newest_kind = if listing.deleted { 3 } else { 1 };
        let after = after.map_or("", PathKey::as_str);
        if listing.recursive {
            let (first, end) = listing.bounds();
            self.all(
                node_query!(
                    "WHERE node.ns = ?1 AND node.path_key > ?2 AND node.path_key < ?3
                         AND node.kind <= ?4 AND node.journal <= ?5
                     ORDER BY node.path_key LIMIT ?6"
                ),
                (
                    listing.ns.0,
                    // No key ends with a slash. Of two lower bounds SQLite would look up one and
                    // walk to the other.
                    first.as_str().max(after),
                    end,
                    newest_kind,
                    signed(until.0),
                    most as i64,
                ),
                node,
            )
        } else {
            let after = PathKey::from_stored(after.to_owned());
            self.all(
                node_query!(
                    "WHERE node.ns = ?1 AND node.parent_key = ?2 AND node.name_key > ?3
                         AND node.kind <= ?4 AND node.journal <= ?5
                     ORDER BY node.name_key LIMIT ?6"
                ),
                (
                    listing.ns.0,
                    listing.folder.as_str(),
                    after.name(),
                    newest_kind,
                    signed(until.0),
                    most as i64,
                ),
                node,
            )
        }
    }

    fn changes(
        &mut self,
        listing: &Listing,
        after: JournalId,
        most: usize,
    ) -> Result<Vec<Node>, MetaError> {
        let (first, end) = listing.bounds();
        let recursive = listing.recursive;
        self.all(
            node_query!(
                "WHERE node.ns = ?1 AND node.journal > ?2
                     AND node.path_key >= ?3 AND node.path_key < ?4
                     AND (?5 OR node.parent_key = ?6)
                 ORDER BY node.journal LIMIT ?7"
            ),
            (
                listing.ns.0,
                signed(after.0),
                first,
                end,
                recursive,
                listing.folder.as_str(),
                most as i64,
            ),
            node,
        )
    }

    fn extents(
        &mut self,
        content: &ContentId,
        from: FileOffset,
        most: usize,
    ) -> Result<Vec<(Extent, Blob)>, MetaError> {
        // Pieces don't overlap, so the last that begins at or before `from` is the first that
        // can end after it; the index leads straight there.
        self.all(
            "SELECT extent.content, extent.start, extent.length, extent.blob_start, extent.digests,
                 blob.id, blob.length, blob.checksums, blob_bytes.bytes
             FROM extent JOIN blob ON blob.id = extent.blob
                 LEFT JOIN blob_bytes ON blob_bytes.id = extent.blob
             WHERE extent.content = ?1 AND extent.start + extent.length > ?2
                 AND extent.start >= ifnull(
                     (SELECT max(start) FROM extent WHERE content = ?1 AND start <= ?2), 0)
             ORDER BY extent.start LIMIT ?3",
            (&content.0, signed(from.0), most as i64),
            |row| {
                let content = ContentId(row.get(0)?);
                let (start, length, blob_start) = (row.get(1)?, row.get(2)?, row.get(3)?);
                let digests = row.get(4)?;
                let blob = blob(row, 5)?;
                Ok((|| {
                    let blob = blob?;
                    let extent = Extent {
                        content,
                        offset: FileOffset(unsigned(start)?),
                        length: unsigned(length)?,
                        blob: blob.id.clone(),
                        blob_offset: BlobOffset(unsigned(blob_start)?),
                        digests: block_digests(digests)?,
                    };
                    Ok((extent, blob))
                })())
            },
        )
    }

    fn pieces(
        &mut self,
        content: &ContentId,
        range: Range<FileOffset>,
    ) -> Result<Vec<Piece>, MetaError> {
        self.all(
            "SELECT start, length, digests FROM extent
             WHERE content = ?1 AND start < ?3 AND start + length > ?2
                 AND start >= ifnull(
                     (SELECT max(start) FROM extent WHERE content = ?1 AND start <= ?2), 0)
             ORDER BY start",
            (&content.0, signed(range.start.0), signed(range.end.0)),
            |row| {
                let (start, length, digests) = (row.get(0)?, row.get(1)?, row.get(2)?);
                Ok((|| {
                    Ok(Piece {
                        offset: FileOffset(unsigned(start)?),
                        length: unsigned(length)?,
                        digests: block_digests(digests)?,
                    })
                })())
            },
        )
    }

    fn job(&mut self, account: &AccountId, id: &AsyncJobId) -> Result<Option<AsyncJob>, MetaError> {
        self.one(
            "SELECT id, account, created, argument, outcome, until FROM job
             WHERE id = ?1 AND account = ?2",
            (id.as_str(), account.as_str()),
            |row| {
                Ok(Ok(AsyncJob {
                    id: AsyncJobId::from_stored(row.get::<_, String>(0)?),
                    account: AccountId::from_stored(row.get::<_, String>(1)?),
                    created: Micros(row.get(2)?),
                    argument: row.get(3)?,
                    outcome: row.get(4)?,
                    until: Micros(row.get(5)?),
                }))
            },
        )
    }

    fn jobs(&mut self, account: &AccountId, most: usize) -> Result<Vec<AsyncJobId>, MetaError> {
        self.all(
            "SELECT id FROM job WHERE account = ?1 LIMIT ?2",
            (account.as_str(), most as i64),
            |row| Ok(Ok(AsyncJobId::from_stored(row.get::<_, String>(0)?))),
        )
    }

    fn aged_jobs(&mut self, begun: Micros, most: usize) -> Result<Vec<AsyncJobId>, MetaError> {
        self.all(
            "SELECT id FROM job WHERE created <= ?1 ORDER BY created LIMIT ?2",
            (begun.0, most as i64),
            |row| Ok(Ok(AsyncJobId::from_stored(row.get::<_, String>(0)?))),
        )
    }

    fn notifications(
        &mut self,
        ns: Ns,
        after: JournalId,
        most: usize,
    ) -> Result<Vec<Notification>, MetaError> {
        self.all(
            "SELECT ns, journal, at, event, path, rev FROM notification
             WHERE ns = ?1 AND journal > ?2 ORDER BY journal LIMIT ?3",
            (ns.0, signed(after.0), most as i64),
            |row| {
                let (journal, event) = (row.get(1)?, row.get(3)?);
                let (at, path, rev) = (
                    row.get(2)?,
                    row.get::<_, String>(4)?,
                    row.get::<_, Option<String>>(5)?,
                );
                let ns = Ns(row.get(0)?);
                Ok((|| {
                    Ok(Notification {
                        ns,
                        journal: JournalId(unsigned(journal)?),
                        at: Micros(at),
                        event: notification_event(event)?,
                        path: stored_path(&path)?,
                        rev: rev.map(Rev::from_stored),
                    })
                })())
            },
        )
    }

    fn aged_notifications(
        &mut self,
        at: Micros,
        most: usize,
    ) -> Result<Vec<(Ns, JournalId)>, MetaError> {
        self.all(
            "SELECT ns, journal FROM notification WHERE at <= ?1 ORDER BY at LIMIT ?2",
            (at.0, most as i64),
            |row| {
                let (ns, journal) = (Ns(row.get(0)?), row.get(1)?);
                Ok(unsigned(journal).map(|journal| (ns, JournalId(journal))))
            },
        )
    }

    fn aged_sessions(
        &mut self,
        begun: Micros,
        finished: Micros,
        most: usize,
    ) -> Result<Vec<Session>, MetaError> {
        self.all(
            "SELECT session.id, session.account, session.created, session.state, session.content,
                 session.length, session.hasher, session.reach
             FROM session LEFT JOIN replay ON replay.session = session.id
             WHERE session.created <= ?1 AND (replay.session IS NULL OR replay.committed <= ?2)
             ORDER BY session.created LIMIT ?3",
            (begun.0, finished.0, most as i64),
            session,
        )
    }

    fn aged_revisions(
        &mut self,
        until: Micros,
        after: Option<&End>,
        most: usize,
    ) -> Result<Vec<Aged>, MetaError> {
        let (at, ns, rev) = match after {
            Some(end) => (end.at.0, end.ns.0, end.rev.as_str()),
            None => (i64::MIN, 0, ""),
        };
        self.all(
            "SELECT ended, ns, rev, content, EXISTS
                 (SELECT 1 FROM replay WHERE replay.ns = revision.ns AND replay.rev = revision.rev)
             FROM revision
             WHERE ended <= ?1 AND (ended, ns, rev) > (?2, ?3, ?4)
             ORDER BY ended, ns, rev LIMIT ?5",
            (until.0, at, ns, rev, most as i64),
            |row| {
                Ok(Ok(Aged {
                    end: End {
                        at: Micros(row.get(0)?),
                        ns: Ns(row.get(1)?),
                        rev: Rev::from_stored(row.get::<_, String>(2)?),
                    },
                    content: ContentId(row.get(3)?),
                    repeatable: row.get(4)?,
                }))
            },
        )
    }

    fn content_use(&mut self, content: &ContentId) -> Result<ContentUse, MetaError> {
        let found = self.one(
            "SELECT (SELECT count(*) FROM session WHERE content = ?1),
                 (SELECT count(*) FROM revision WHERE content = ?1)",
            [&content.0],
            |row| {
                let (sessions, revisions) = (row.get(0)?, row.get(1)?);
                Ok((|| {
                    Ok(ContentUse {
                        sessions: unsigned(sessions)?,
                        revisions: unsigned(revisions)?,
                    })
                })())
            },
        )?;
        found.ok_or_else(|| MetaError::Damaged("a count without a row".into()))
    }

    fn orphans(&mut self, most: usize) -> Result<Vec<ContentId>, MetaError> {
        self.all(
            "SELECT content FROM orphan LIMIT ?1",
            [most as i64],
            |row| row.get(0).map(ContentId).map(Ok),
        )
    }

    fn blob_use(&mut self, blob: &BlobId) -> Result<u64, MetaError> {
        let found = self.one(
            "SELECT count(*) FROM extent WHERE blob = ?1",
            [&blob.0],
            |row| row.get(0).map(unsigned),
        )?;
        Ok(found.unwrap_or(0))
    }

    fn knows_blob(&mut self, blob: &BlobId) -> Result<bool, MetaError> {
        let found = self.one(
            "SELECT 1 FROM blob WHERE id = ?1 UNION ALL SELECT 1 FROM doomed WHERE blob = ?1",
            [&blob.0],
            |_| Ok(Ok(())),
        )?;
        Ok(found.is_some())
    }

    fn doomed(&mut self, since: Micros, most: usize) -> Result<Vec<BlobId>, MetaError> {
        self.all(
            "SELECT blob FROM doomed WHERE since <= ?1 LIMIT ?2",
            (since.0, most as i64),
            |row| row.get(0).map(BlobId).map(Ok),
        )
    }

    fn blobs(&mut self, after: &BlobId, most: usize) -> Result<Vec<Blob>, MetaError> {
        self.all(
            "SELECT blob.id, blob.length, blob.checksums, blob_bytes.bytes
             FROM blob LEFT JOIN blob_bytes ON blob_bytes.id = blob.id
             WHERE blob.id > ?1 ORDER BY blob.id LIMIT ?2",
            (&after.0, most as i64),
            |row| blob(row, 0),
        )
    }

    fn holds(&mut self) -> Result<Vec<Hold>, MetaError> {
        self.all("SELECT id, until FROM hold", [], |row| {
            Ok(Ok(Hold {
                id: row.get(0)?,
                until: Micros(row.get(1)?),
            }))
        })
    }

    fn writers(&mut self) -> Result<Vec<Writer>, MetaError> {
        self.all("SELECT id, heartbeat, fenced FROM writer", [], |row| {
            Ok(Ok(Writer {
                id: row.get(0)?,
                heartbeat: Micros(row.get(1)?),
                fenced: row.get(2)?,
            }))
        })
    }

    fn lease(&mut self, name: &str) -> Result<Option<Lease>, MetaError> {
        self.one(
            "SELECT name, holder, until FROM lease WHERE name = ?1",
            [name],
            |row| {
                Ok(Ok(Lease {
                    name: row.get(0)?,
                    holder: row.get(1)?,
                    until: Micros(row.get(2)?),
                }))
            },
        )
    }
}

/// The first text after all that begin with this; `None`: there is none.
fn after_all(prefix: &str) -> Option<String> {
    let mut text = prefix.to_owned();
    while let Some(last) = text.pop() {
        let next = (u32::from(last) + 1..=u32::from(char::MAX)).find_map(char::from_u32);
        if let Some(next) = next {
            text.push(next);
            return Some(text);
        }
    }
    None
}

/// A blob from the columns id, length, checksums, bytes.
fn blob(row: &Row<'_>, first: usize) -> rusqlite::Result<Result<Blob, MetaError>> {
    let (id, length) = (BlobId(row.get(first)?), row.get(first + 1)?);
    let sums: Vec<u8> = row.get(first + 2)?;
    let bytes: Option<Vec<u8>> = row.get(first + 3)?;
    Ok(unsigned(length).map(|length| Blob {
        id,
        length,
        checksums: checksums(&sums),
        place: match bytes {
            Some(bytes) => BlobPlace::Inline(Bytes::from(bytes)),
            None => BlobPlace::Stored,
        },
    }))
}

fn session(row: &Row<'_>) -> rusqlite::Result<Result<Session, MetaError>> {
    let state = session_state(row.get(3)?);
    let bytes = session_bytes(row.get(5)?, row.get(6)?, row.get(7)?);
    let (state, bytes) = match (state, bytes) {
        (Ok(state), Ok(bytes)) => (state, bytes),
        (Err(error), _) | (_, Err(error)) => return Ok(Err(error)),
    };
    Ok(Ok(Session {
        id: SessionId::from_stored(row.get::<_, String>(0)?),
        account: AccountId::from_stored(row.get::<_, String>(1)?),
        created: Micros(row.get(2)?),
        state,
        content: ContentId(row.get(4)?),
        bytes,
    }))
}

/// A token from the columns hash, id, account, scopes, expires, created.
fn token(row: &Row<'_>, first: usize) -> rusqlite::Result<Token> {
    Ok(Token {
        hash: row.get(first)?,
        id: row.get(first + 1)?,
        account: AccountId::from_stored(row.get::<_, String>(first + 2)?),
        scopes: scopes(&row.get::<_, String>(first + 3)?),
        expires: row.get::<_, Option<i64>>(first + 4)?.map(Micros),
        created: Micros(row.get(first + 5)?),
    })
}

fn account(row: &Row<'_>) -> rusqlite::Result<Account> {
    Ok(Account {
        id: AccountId::from_stored(row.get::<_, String>(0)?),
        name: row.get(1)?,
        display_name: row.get(2)?,
        ns: Ns(row.get(3)?),
        created: Micros(row.get(4)?),
        state: if row.get(5)? {
            AccountState::Suspended
        } else {
            AccountState::Active
        },
    })
}

fn node(row: &Row<'_>) -> rusqlite::Result<Result<Node, MetaError>> {
    let ns = Ns(row.get(0)?);
    let path: String = row.get(1)?;
    let journal = row.get(2)?;
    let entry = match row.get(3)? {
        0 => {
            let id = FileId::from_stored(row.get::<_, String>(4)?);
            let rev = Rev::from_stored(row.get::<_, String>(5)?);
            version(row, 6, id, rev)?.map(Entry::File)
        }
        1 => Ok(Entry::Folder(FileId::from_stored(row.get::<_, String>(4)?))),
        2 => Ok(Entry::DeletedFile),
        3 => Ok(Entry::DeletedFolder),
        other => damaged("node kind", other),
    };
    Ok((|| {
        Ok(Node {
            ns,
            path: stored_path(&path)?,
            journal: JournalId(unsigned(journal)?),
            entry: entry?,
        })
    })())
}

/// A file from the columns id, rev and those of [`version`].
fn file(row: &Row<'_>, first: usize) -> rusqlite::Result<Result<FileEntry, MetaError>> {
    let id = FileId::from_stored(row.get::<_, String>(first)?);
    let rev = Rev::from_stored(row.get::<_, String>(first + 1)?);
    version(row, first + 2, id, rev)
}

/// A file from the columns content, size, hash, client_modified, server_modified.
fn version(
    row: &Row<'_>,
    first: usize,
    id: FileId,
    rev: Rev,
) -> rusqlite::Result<Result<FileEntry, MetaError>> {
    let content = ContentId(row.get(first)?);
    let size = row.get(first + 1)?;
    let hash = ContentHash::from_bytes(row.get(first + 2)?);
    let client_modified = Timestamp::from_unix_seconds(row.get(first + 3)?);
    let server_modified = Timestamp::from_unix_seconds(row.get(first + 4)?);
    Ok(unsigned(size).map(|size| FileEntry {
        id,
        rev,
        content,
        size,
        hash,
        client_modified,
        server_modified,
    }))
}

fn revision(row: &Row<'_>) -> rusqlite::Result<Result<Revision, MetaError>> {
    let file = file(row, 0)?;
    let (ns, path): (u32, String) = (row.get(7)?, row.get(8)?);
    Ok((|| {
        Ok(Revision {
            ns: Ns(ns),
            path: stored_path(&path)?,
            file: file?,
        })
    })())
}

#[cfg(test)]
mod tests {
    use super::after_all;

    #[test]
    fn texts_with_a_prefix_lie_before_the_first_text_after_all_of_them() {
        assert_eq!(after_all("ab").as_deref(), Some("ac"));
        assert_eq!(after_all("a\u{d7ff}").as_deref(), Some("a\u{e000}"));
        assert_eq!(after_all("a\u{10ffff}").as_deref(), Some("b"));
        assert_eq!(after_all("\u{10ffff}"), None);
        assert_eq!(after_all(""), None);
    }
}
