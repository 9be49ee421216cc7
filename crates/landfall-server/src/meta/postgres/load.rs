//! Loads as flights.

use super::failure::Failed;
use super::link::{Link, Param, Statement};
use super::not_yet;
use super::place::{around, names, node_columns, node_query, place, query, taken_at};
use super::read::{blob, file, get, namespace, node, ns_of, number, piece, replay, session, taken};
use crate::meta::MetaError;
use crate::meta::columns::{block_digests, signed, stored_path};
use crate::meta::loads::{
    Aged, CommitView, ContentUse, Credential, End, Growing, History, Listing, Loads, Past, Rename,
    Taken, Target, ToFinish,
};
use crate::meta::rows::{
    Account, AsyncJob, Blob, BlobId, BlobOffset, ContentId, Deletion, Extent, FileOffset, Hold,
    JournalId, Lease, Namespace, Node, Notification, Ns, Piece, Replay, Revision, Session, Token,
    Writer,
};
use crate::sys::Micros;
use landfall_protocol::{AccountId, AsyncJobId, FileId, PathKey, Rev, SessionId};
use std::collections::HashMap;
use std::ops::Range;
use tokio_postgres::Row;

/// What rows are loaded for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To be changed: what a decision depends on is locked.
    Change,
    /// To be looked at.
    Question,
}

/// The rows as a transaction sees them, which begins with the first load.
pub(super) struct Rows<'l> {
    link: &'l mut Link,
    purpose: Purpose,
}

macro_rules! session_query {
    ($rest:literal) => {
        concat!(
            "SELECT id, account, created, state, content, length, hasher, reach FROM session ",
            $rest
        )
    };
}

macro_rules! replay_query {
    ($rest:literal) => {
        concat!(
            "SELECT revision.file_id, revision.rev, revision.content, revision.size, revision.hash,
                 revision.client_modified, revision.server_modified,
                 replay.session, replay.account, replay.\"end\", replay.commit_info, replay.ns,
                 replay.path, replay.committed
             FROM replay JOIN revision ON revision.ns = replay.ns AND revision.rev = replay.rev ",
            $rest
        )
    };
}

impl<'l> Rows<'l> {
    pub(super) fn new(link: &'l mut Link, purpose: Purpose) -> Self {
        Self { link, purpose }
    }

    fn fly<const N: usize>(
        &mut self,
        flight: [Statement<'_>; N],
    ) -> Result<[Vec<Row>; N], MetaError> {
        let rows = self.link.fly(&flight).map_err(Failed::certain)?;
        Ok(rows.try_into().expect("rows for each statement"))
    }

    fn one<T>(
        &mut self,
        statement: Statement<'_>,
        read: impl FnOnce(&Row) -> Result<T, MetaError>,
    ) -> Result<Option<T>, MetaError> {
        let [rows] = self.fly([statement])?;
        rows.first().map(read).transpose()
    }

    fn all<T>(
        &mut self,
        statement: Statement<'_>,
        read: impl Fn(&Row) -> Result<T, MetaError>,
    ) -> Result<Vec<T>, MetaError> {
        let [rows] = self.fly([statement])?;
        rows.iter().map(read).collect()
    }

    fn namespace_of(&self, ns: Ns) -> Statement<'static> {
        match self.purpose {
            // Doesn't stop what only refers to the row.
            Purpose::Change => query(
                "SELECT ns, journal, used, quota FROM namespace WHERE ns = $1 FOR NO KEY UPDATE",
                [Box::new(i64::from(ns.0))],
            ),
            Purpose::Question => query(
                "SELECT ns, journal, used, quota FROM namespace WHERE ns = $1",
                [Box::new(i64::from(ns.0))],
            ),
        }
    }

    /// In the order of the ids: whoever locks several can't meet somebody on the way back.
    fn sessions_of(&self, account: &AccountId, ids: Vec<String>) -> Statement<'static> {
        let params: [Param<'static>; 2] = [Box::new(account.as_str().to_owned()), Box::new(ids)];
        match self.purpose {
            Purpose::Change => query(
                session_query!(
                    "WHERE account = $1 AND id = ANY ($2) ORDER BY id FOR NO KEY UPDATE"
                ),
                params,
            ),
            Purpose::Question => query(
                session_query!("WHERE account = $1 AND id = ANY ($2)"),
                params,
            ),
        }
    }
}

fn replays_of<'a>(account: &'a AccountId, ids: Vec<String>) -> Statement<'a> {
    query(
        replay_query!("WHERE replay.account = $1 AND replay.session = ANY ($2)"),
        [Box::new(account.as_str()), Box::new(ids)],
    )
}

/// Loads that append and finish don't ask for.
macro_rules! none_yet {
    ($(fn $name:ident($($asked:ty),*) -> $answer:ty;)*) => {
        $(
            fn $name(&mut self, $(_: $asked),*) -> Result<$answer, MetaError> {
                Err(not_yet(stringify!($name)))
            }
        )*
    };
}

impl Loads for Rows<'_> {
    fn setting(&mut self, name: &str) -> Result<Option<String>, MetaError> {
        let value = query(
            "SELECT value FROM setting WHERE name = $1",
            [Box::new(name)],
        );
        self.one(value, |row| get(row, 0))
    }

    fn namespace(&mut self, ns: Ns) -> Result<Namespace, MetaError> {
        let found = self.one(self.namespace_of(ns), namespace)?;
        found.ok_or(MetaError::Gone(ns))
    }

    fn session(
        &mut self,
        account: &AccountId,
        id: &SessionId,
    ) -> Result<Option<Session>, MetaError> {
        let ids = vec![id.as_str().to_owned()];
        self.one(self.sessions_of(account, ids), session)
    }

    fn replay(&mut self, account: &AccountId, id: &SessionId) -> Result<Option<Replay>, MetaError> {
        self.one(replays_of(account, vec![id.as_str().to_owned()]), replay)
    }

    fn node(&mut self, ns: Ns, key: &PathKey) -> Result<Option<Node>, MetaError> {
        let at = query(
            node_query!("WHERE node.ns = $1 AND node.path_key = $2"),
            [Box::new(i64::from(ns.0)), Box::new(key.as_str())],
        );
        self.one(at, node)
    }

    fn node_by_id(&mut self, ns: Ns, id: &FileId) -> Result<Option<Node>, MetaError> {
        let by_id = query(
            node_query!("WHERE node.ns = $1 AND node.id = $2"),
            [Box::new(i64::from(ns.0)), Box::new(id.as_str())],
        );
        self.one(by_id, node)
    }

    fn taken(
        &mut self,
        ns: Ns,
        folder: &PathKey,
        family: &str,
        most: usize,
    ) -> Result<Vec<Taken>, MetaError> {
        self.all(names(ns, folder, family, most), taken)
    }

    fn revision(&mut self, ns: Ns, rev: &Rev) -> Result<Option<Revision>, MetaError> {
        let by_rev = query(
            "SELECT file_id, rev, content, size, hash, client_modified, server_modified, ns, path
             FROM revision WHERE ns = $1 AND rev = $2",
            [Box::new(i64::from(ns.0)), Box::new(rev.as_str())],
        );
        self.one(by_rev, |row| {
            Ok(Revision {
                ns: ns_of(row, 7)?,
                path: stored_path(&get::<String>(row, 8)?)?,
                file: file(row, 0)?,
            })
        })
    }

    fn extents(
        &mut self,
        content: &ContentId,
        from: FileOffset,
        most: usize,
    ) -> Result<Vec<(Extent, Blob)>, MetaError> {
        let after = query(
            "SELECT extent.content, extent.start, extent.length, extent.blob_start, extent.digests,
                 blob.id, blob.length, blob.checksums, blob_bytes.bytes
             FROM extent JOIN blob ON blob.id = extent.blob
                 LEFT JOIN blob_bytes ON blob_bytes.id = extent.blob
             WHERE extent.content = $1 AND extent.start + extent.length > $2
                 AND extent.start >= coalesce(
                     (SELECT max(start) FROM extent WHERE content = $1 AND start <= $2), 0)
             ORDER BY extent.start LIMIT $3",
            [
                Box::new(&*content.0),
                Box::new(signed(from.0)),
                Box::new(most as i64),
            ],
        );
        self.all(after, |row| {
            let blob = blob(row, 5)?;
            let extent = Extent {
                content: ContentId(get(row, 0)?),
                offset: FileOffset(number(row, 1)?),
                length: number(row, 2)?,
                blob: blob.id.clone(),
                blob_offset: BlobOffset(number(row, 3)?),
                digests: block_digests(get(row, 4)?)?,
            };
            Ok((extent, blob))
        })
    }

    fn pieces(
        &mut self,
        content: &ContentId,
        range: Range<FileOffset>,
    ) -> Result<Vec<Piece>, MetaError> {
        let within = query(
            "SELECT start, length, digests FROM extent
             WHERE content = $1 AND start < $3 AND start + length > $2
                 AND start >= coalesce(
                     (SELECT max(start) FROM extent WHERE content = $1 AND start <= $2), 0)
             ORDER BY start",
            [
                Box::new(&*content.0),
                Box::new(signed(range.start.0)),
                Box::new(signed(range.end.0)),
            ],
        );
        self.all(within, |row| piece(row, 0))
    }

    fn knows_blob(&mut self, blob: &BlobId) -> Result<bool, MetaError> {
        let known = query("SELECT 1 FROM blob WHERE id = $1", [Box::new(&*blob.0)]);
        Ok(self.one(known, |_| Ok(()))?.is_some())
    }

    fn commit(
        &mut self,
        session_of: Option<(&AccountId, &SessionId)>,
        ns: Ns,
        target: Option<&Target>,
        rename: Rename,
    ) -> Result<CommitView, MetaError> {
        // The namespace row first: every writer locks in this order.
        let mut flight = vec![self.namespace_of(ns)];
        if let Some((account, id)) = session_of {
            let ids = vec![id.as_str().to_owned()];
            flight.push(self.sessions_of(account, ids.clone()));
            flight.push(replays_of(account, ids));
        }
        if let Some(target) = target {
            flight.push(around(ns, target));
            flight.extend(taken_at(ns, target, rename)?);
        }
        let mut answers = self.link.fly(&flight).map_err(Failed::certain)?.into_iter();
        let mut next = || answers.next().unwrap_or_default();
        let namespace = next().first().map(namespace).transpose()?;
        let namespace = namespace.ok_or(MetaError::Gone(ns))?;
        let (session, replay) = match session_of {
            Some(_) => (
                next().first().map(session).transpose()?,
                next().first().map(replay).transpose()?,
            ),
            None => (None, None),
        };
        let place = match target {
            Some(target) => {
                let around = next().iter().map(node).collect::<Result<_, _>>()?;
                let taken = next().iter().map(taken).collect::<Result<_, _>>()?;
                place(target, around, taken)
            }
            None => None,
        };
        Ok(CommitView {
            namespace,
            place,
            session,
            replay,
        })
    }

    fn append(
        &mut self,
        account: &AccountId,
        parts: &[(SessionId, Range<FileOffset>)],
    ) -> Result<HashMap<SessionId, Growing>, MetaError> {
        let ids = || parts.iter().map(|(id, _)| id.as_str().to_owned());
        let offsets = |which: fn(&Range<FileOffset>) -> FileOffset| -> Vec<i64> {
            parts
                .iter()
                .map(|(_, range)| signed(which(range).0))
                .collect()
        };
        let sessions = self.sessions_of(account, ids().collect());
        let pieces = query(
            "SELECT session.id, extent.start, extent.length, extent.digests
             FROM unnest($2::text[], $3::bigint[], $4::bigint[]) AS part (session, first, last)
                 JOIN session ON session.id = part.session
                     AND session.account = $1 AND session.reach IS NOT NULL
                 JOIN extent ON extent.content = session.content
                     AND extent.start < part.last AND extent.start + extent.length > part.first
                     AND extent.start >= coalesce((SELECT max(start) FROM extent AS before
                         WHERE before.content = session.content AND before.start <= part.first), 0)
             WHERE part.first < part.last",
            [
                Box::new(account.as_str()),
                Box::new(ids().collect::<Vec<String>>()),
                Box::new(offsets(|range| range.start)),
                Box::new(offsets(|range| range.end)),
            ],
        );
        let [sessions, pieces] = self.fly([sessions, pieces])?;
        let mut view = HashMap::new();
        for row in &sessions {
            let session = session(row)?;
            let pieces = Vec::new();
            view.insert(session.id.clone(), Growing { session, pieces });
        }
        for row in &pieces {
            if let Some(growing) = view.get_mut(&SessionId::from_stored(get::<String>(row, 0)?)) {
                growing.pieces.push(piece(row, 1)?);
            }
        }
        Ok(view)
    }

    fn to_finish(
        &mut self,
        account: &AccountId,
        ids: &[SessionId],
    ) -> Result<Vec<ToFinish>, MetaError> {
        let wanted = || ids.iter().map(|id| id.as_str().to_owned()).collect();
        let sessions = self.sessions_of(account, wanted());
        let pieces = query(
            "SELECT session.id, extent.start, extent.length, extent.digests
             FROM session JOIN extent ON extent.content = session.content
             WHERE session.account = $1 AND session.id = ANY ($2)
                 AND session.state = 1 AND session.reach = session.length
             ORDER BY session.id, extent.start",
            [Box::new(account.as_str()), Box::new(wanted()) as Param<'_>],
        );
        let [sessions, replays, pieces] =
            self.fly([sessions, replays_of(account, wanted()), pieces])?;
        let mut known: HashMap<SessionId, ToFinish> = HashMap::new();
        for row in &sessions {
            let session = session(row)?;
            let to_finish = ToFinish {
                session: Some(session.clone()),
                ..ToFinish::default()
            };
            known.insert(session.id, to_finish);
        }
        for row in &replays {
            let replay = replay(row)?;
            let id = replay.session.clone();
            known.entry(id).or_default().replay = Some(replay);
        }
        for row in &pieces {
            let id = SessionId::from_stored(get::<String>(row, 0)?);
            known.entry(id).or_default().pieces.push(piece(row, 1)?);
        }
        let found = |id: &SessionId| known.get(id).cloned().unwrap_or_default();
        Ok(ids.iter().map(found).collect())
    }

    none_yet! {
        fn credential(&[u8; 32]) -> Option<Credential>;
        fn account_by_name(&str) -> Option<Account>;
        fn accounts() -> Vec<Account>;
        fn tokens(&AccountId) -> Vec<Token>;
        fn token(&str) -> Option<Token>;
        fn sessions(&AccountId) -> Vec<Session>;
        fn unfinished(&AccountId) -> u64;
        fn any_sessions(&AccountId, usize) -> Vec<Session>;
        fn deletions(usize) -> Vec<Deletion>;
        fn revisions(Ns, usize) -> Vec<Revision>;
        fn history(Ns, &History, Option<&Rev>, usize) -> Vec<Past>;
        fn list(&Listing, Option<&PathKey>, JournalId, usize) -> Vec<Node>;
        fn changes(&Listing, JournalId, usize) -> Vec<Node>;
        fn job(&AccountId, &AsyncJobId) -> Option<AsyncJob>;
        fn jobs(&AccountId, usize) -> Vec<AsyncJobId>;
        fn aged_jobs(Micros, usize) -> Vec<AsyncJobId>;
        fn notifications(Ns, JournalId, usize) -> Vec<Notification>;
        fn aged_notifications(Micros, usize) -> Vec<(Ns, JournalId)>;
        fn aged_sessions(Micros, Micros, usize) -> Vec<Session>;
        fn aged_revisions(Micros, Option<&End>, usize) -> Vec<Aged>;
        fn content_use(&ContentId) -> ContentUse;
        fn orphans(usize) -> Vec<ContentId>;
        fn blob_use(&BlobId) -> u64;
        fn doomed(Micros, usize) -> Vec<BlobId>;
        fn blobs(&BlobId, usize) -> Vec<Blob>;
        fn holds() -> Vec<Hold>;
        fn writers() -> Vec<Writer>;
        fn lease(&str) -> Option<Lease>;
    }
}
