//! The engine that keeps everything in memory: for tests and `serve --ephemeral`.

use super::loads::{Aged, ContentUse, Credential, End, History, Listing, Loads, Past, Taken};
use super::rows::{
    Account, AsyncJob, Blob, BlobId, BlobPlace, ContentId, Deletion, Entry, Extent, FileOffset,
    Hold, JournalId, Lease, Namespace, Node, Notification, Ns, Piece, Replay, Revision, Session,
    SessionState, Token, Writer, rev_order,
};
use super::{Effect, Engine, Job, MetaError, Question};
use crate::sys::Micros;
use futures_util::future::{BoxFuture, ready};
use landfall_protocol::{AccountId, AsyncJobId, FileId, PathKey, Rev, SessionId};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::{Bound, Range};
use std::sync::{Mutex, PoisonError};

/// Metadata in memory; gone with the process.
#[derive(Debug, Default)]
pub struct MemoryEngine {
    state: Mutex<State>,
}

impl MemoryEngine {
    /// No account, no file.
    pub fn new() -> Self {
        Self::default()
    }
}

impl Engine for MemoryEngine {
    fn transact(&self, mut job: Box<dyn Job>) -> BoxFuture<'_, Result<(), MetaError>> {
        let mut run = || {
            // Poisoned: a decision panicked before anything was applied, so the state is whole.
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            let effects = job.run(&mut *state)?;
            state.check(&effects)?;
            state.apply(effects);
            Ok(())
        };
        Box::pin(ready(run()))
    }

    fn read(&self, question: Question) -> BoxFuture<'_, Result<(), MetaError>> {
        Box::pin(async move {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            question(&mut *state)
        })
    }
}

type Place = (Ns, PathKey);

#[derive(Debug, Default)]
struct State {
    settings: HashMap<String, String>,
    accounts: Vec<Account>,
    deletions: Vec<Deletion>,
    namespaces: HashMap<Ns, Namespace>,
    tokens: HashMap<[u8; 32], Token>,
    sessions: HashMap<SessionId, Session>,
    replays: HashMap<SessionId, Replay>,
    blobs: HashMap<BlobId, Blob>,
    extents: BTreeMap<(ContentId, FileOffset), Extent>,
    nodes: BTreeMap<Place, Node>,
    ids: HashMap<(Ns, FileId), PathKey>,
    journal: BTreeMap<(Ns, JournalId), PathKey>,
    revisions: HashMap<(Ns, Rev), Revision>,
    ended: HashMap<(Ns, Rev), Micros>,
    writers: HashMap<String, Writer>,
    holds: HashMap<String, Hold>,
    orphans: BTreeSet<ContentId>,
    doomed: BTreeMap<BlobId, Micros>,
    leases: HashMap<String, Lease>,
    jobs: HashMap<AsyncJobId, AsyncJob>,
    notifications: BTreeMap<(Ns, JournalId), Notification>,
}

impl State {
    /// Whether the effects can be applied: all or nothing, so this comes first.
    fn check(&self, effects: &[Effect]) -> Result<(), MetaError> {
        for effect in effects {
            if let Effect::AddBlob(blob) = effect
                && blob.place == BlobPlace::Stored
                && self
                    .writers
                    .get(blob.id.writer())
                    .is_none_or(|writer| writer.fenced)
            {
                return Err(MetaError::Fenced);
            }
            let unchanged = match effect {
                Effect::AddSetting { name, .. } => !self.settings.contains_key(*name),
                Effect::AddAccount(account) => {
                    !self.accounts.iter().any(|one| one.name == account.name)
                }
                Effect::PutAccount(account) => {
                    let same_name = |one: &&Account| one.name == account.name;
                    self.accounts
                        .iter()
                        .find(same_name)
                        .is_none_or(|one| one.id == account.id)
                }
                Effect::AddNamespace(namespace) => !self.namespaces.contains_key(&namespace.ns),
                Effect::AddToken(token) => self.refers_to(&token.account),
                Effect::PutSession(session) => self.refers_to(&session.account),
                Effect::PutJob(job) => self.refers_to(&job.account),
                Effect::PutNode { node, seen } => {
                    let found = self.nodes.get(&(node.ns, node.key()));
                    found.map(|node| node.journal) == *seen
                }
                _ => true,
            };
            if !unchanged {
                return Err(MetaError::Changed);
            }
        }
        Ok(())
    }

    /// Whether rows may refer to this account.
    fn refers_to(&self, account: &AccountId) -> bool {
        self.accounts.iter().any(|one| one.id == *account)
            || self.deletions.iter().any(|one| one.account == *account)
    }

    fn apply(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::AddSetting { name, value } | Effect::PutSetting { name, value } => {
                    self.settings.insert(name.to_owned(), value);
                }
                Effect::AddAccount(account) => self.accounts.push(account),
                Effect::PutAccount(account) => {
                    self.accounts.retain(|one| one.id != account.id);
                    self.accounts.push(account);
                }
                Effect::BeginDeletion { account } => {
                    let (gone, kept) = std::mem::take(&mut self.accounts)
                        .into_iter()
                        .partition::<Vec<_>, _>(|one| one.id == account);
                    self.accounts = kept;
                    self.deletions.extend(gone.into_iter().map(|one| Deletion {
                        account: one.id,
                        ns: one.ns,
                    }));
                }
                Effect::EndDeletion(deletion) => {
                    self.deletions.retain(|one| *one != deletion);
                    self.namespaces.remove(&deletion.ns);
                }
                Effect::AddNamespace(namespace) | Effect::SetNamespace(namespace) => {
                    self.namespaces.insert(namespace.ns, namespace);
                }
                Effect::AddToken(token) => {
                    self.tokens.insert(token.hash, token);
                }
                Effect::RemoveToken { id } => self.tokens.retain(|_, token| token.id != id),
                Effect::RemoveSession(id) => {
                    self.sessions.remove(&id);
                    self.replays.remove(&id);
                }
                Effect::PutSession(session) => {
                    self.sessions.insert(session.id.clone(), session);
                }
                Effect::AddBlob(blob) => {
                    self.blobs.insert(blob.id.clone(), blob);
                }
                Effect::PutWriter(writer) => {
                    self.writers.insert(writer.id.clone(), writer);
                }
                Effect::PutLease(lease) => {
                    self.leases.insert(lease.name.clone(), lease);
                }
                Effect::RemoveWriter { id } => {
                    self.writers.remove(&id);
                }
                Effect::PutHold(hold) => {
                    self.holds.insert(hold.id.clone(), hold);
                }
                Effect::RemoveHold { id } => {
                    self.holds.remove(&id);
                }
                Effect::AddOrphan(content) => {
                    self.orphans.insert(content);
                }
                Effect::RemoveOrphan(content) => {
                    self.orphans.remove(&content);
                }
                Effect::RemoveExtent { content, offset } => {
                    self.extents.remove(&(content, offset));
                }
                Effect::DoomBlob { id, since } => {
                    let blob = self.blobs.remove(&id);
                    if blob.is_some_and(|blob| blob.place == BlobPlace::Stored) {
                        self.doomed.insert(id, since);
                    }
                }
                Effect::ForgetBlob(id) => {
                    self.doomed.remove(&id);
                }
                Effect::EndRevision { ns, rev, at } => {
                    self.ended.insert((ns, rev), at);
                }
                Effect::RemoveRevision { ns, rev } => {
                    let key = (ns, rev);
                    self.revisions.remove(&key);
                    self.ended.remove(&key);
                }
                Effect::PutJob(job) => {
                    self.jobs.insert(job.id.clone(), job);
                }
                Effect::RemoveJob(id) => {
                    self.jobs.remove(&id);
                }
                Effect::AddNotification(notification) => {
                    let key = (notification.ns, notification.journal);
                    self.notifications.insert(key, notification);
                }
                Effect::RemoveNotification { ns, journal } => {
                    self.notifications.remove(&(ns, journal));
                }
                Effect::AddExtent(extent) => {
                    self.extents
                        .insert((extent.content.clone(), extent.offset), extent);
                }
                Effect::AddRevision(revision) => {
                    let key = (revision.ns, revision.file.rev.clone());
                    self.revisions.insert(key, revision);
                }
                Effect::PutNode { node, .. } => self.put_node(node),
                Effect::RemoveNode { ns, key } => self.remove_node(ns, &key),
                Effect::PutReplay(replay) => {
                    self.replays.insert(replay.session.clone(), replay);
                }
            }
        }
    }

    fn put_node(&mut self, node: Node) {
        let key = node.key();
        self.remove_node(node.ns, &key);
        if let Some(id) = id_of(&node.entry) {
            self.ids.insert((node.ns, id.clone()), key.clone());
        }
        self.journal.insert((node.ns, node.journal), key.clone());
        self.nodes.insert((node.ns, key), node);
    }

    fn remove_node(&mut self, ns: Ns, key: &PathKey) {
        if let Some(old) = self.nodes.remove(&(ns, key.clone())) {
            self.journal.remove(&(old.ns, old.journal));
            if let Some(id) = id_of(&old.entry) {
                self.ids.remove(&(old.ns, id.clone()));
            }
        }
    }

    fn places(&self, listing: &Listing, after: Option<&PathKey>) -> impl Iterator<Item = &Node> {
        let ns = listing.ns;
        let (first, end) = listing.bounds();
        let from = match after {
            Some(after) if after.as_str() >= first.as_str() => Bound::Excluded((ns, after.clone())),
            _ => Bound::Included((ns, PathKey::from_stored(first))),
        };
        let to = Bound::Excluded((ns, PathKey::from_stored(end)));
        self.nodes.range((from, to)).map(|(_, node)| node)
    }
}

fn id_of(entry: &Entry) -> Option<&FileId> {
    match entry {
        Entry::File(file) => Some(&file.id),
        Entry::Folder(id) => Some(id),
        Entry::DeletedFile | Entry::DeletedFolder => None,
    }
}

impl Loads for State {
    fn credential(&mut self, hash: &[u8; 32]) -> Result<Option<Credential>, MetaError> {
        let Some(token) = self.tokens.get(hash) else {
            return Ok(None);
        };
        let account = self
            .accounts
            .iter()
            .find(|account| account.id == token.account);
        Ok(account.map(|account| Credential {
            token: token.clone(),
            account: account.clone(),
            limited: self
                .namespaces
                .get(&account.ns)
                .is_some_and(|namespace| namespace.quota.is_some()),
        }))
    }

    fn setting(&mut self, name: &str) -> Result<Option<String>, MetaError> {
        Ok(self.settings.get(name).cloned())
    }

    fn account_by_name(&mut self, name: &str) -> Result<Option<Account>, MetaError> {
        Ok(self
            .accounts
            .iter()
            .find(|account| account.name == name)
            .cloned())
    }

    fn accounts(&mut self) -> Result<Vec<Account>, MetaError> {
        let mut accounts = self.accounts.clone();
        accounts.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(accounts)
    }

    fn tokens(&mut self, account: &AccountId) -> Result<Vec<Token>, MetaError> {
        let of_account = self
            .tokens
            .values()
            .filter(|token| token.account == *account);
        let mut tokens: Vec<Token> = of_account.cloned().collect();
        tokens.sort_by(|one, other| (one.created, &one.id).cmp(&(other.created, &other.id)));
        Ok(tokens)
    }

    fn token(&mut self, id: &str) -> Result<Option<Token>, MetaError> {
        Ok(self.tokens.values().find(|token| token.id == id).cloned())
    }

    fn sessions(&mut self, account: &AccountId) -> Result<Vec<Session>, MetaError> {
        let of_account = self.sessions.values().filter(|session| {
            session.account == *account && session.state != SessionState::Committed
        });
        let mut sessions: Vec<Session> = of_account.cloned().collect();
        sessions.sort_by(|one, other| (one.created, &one.id).cmp(&(other.created, &other.id)));
        Ok(sessions)
    }

    fn namespace(&mut self, ns: Ns) -> Result<Namespace, MetaError> {
        let found = self.namespaces.get(&ns).copied();
        found.ok_or(MetaError::Gone(ns))
    }

    fn unfinished(&mut self, account: &AccountId) -> Result<u64, MetaError> {
        let sessions = self.sessions(account)?;
        Ok(sessions.iter().map(Session::stored).sum())
    }

    fn any_sessions(
        &mut self,
        account: &AccountId,
        most: usize,
    ) -> Result<Vec<Session>, MetaError> {
        let of_account = self.sessions.values();
        let of_account = of_account.filter(|session| session.account == *account);
        Ok(of_account.take(most).cloned().collect())
    }

    fn deletions(&mut self, most: usize) -> Result<Vec<Deletion>, MetaError> {
        Ok(self.deletions.iter().take(most).cloned().collect())
    }

    fn session(
        &mut self,
        account: &AccountId,
        id: &SessionId,
    ) -> Result<Option<Session>, MetaError> {
        let found = self.sessions.get(id);
        Ok(found.filter(|session| session.account == *account).cloned())
    }

    fn replay(&mut self, account: &AccountId, id: &SessionId) -> Result<Option<Replay>, MetaError> {
        let found = self.replays.get(id);
        Ok(found.filter(|replay| replay.account == *account).cloned())
    }

    fn node(&mut self, ns: Ns, key: &PathKey) -> Result<Option<Node>, MetaError> {
        Ok(self.nodes.get(&(ns, key.clone())).cloned())
    }

    fn node_by_id(&mut self, ns: Ns, id: &FileId) -> Result<Option<Node>, MetaError> {
        let Some(key) = self.ids.get(&(ns, id.clone())) else {
            return Ok(None);
        };
        Ok(self.nodes.get(&(ns, key.clone())).cloned())
    }

    fn taken(
        &mut self,
        ns: Ns,
        folder: &PathKey,
        family: &str,
        most: usize,
    ) -> Result<Vec<Taken>, MetaError> {
        let first = PathKey::from_stored(format!("{folder}/{family}"));
        let found = self
            .nodes
            .range((ns, first.clone())..)
            .take_while(|((other, key), _)| {
                *other == ns && key.as_str().starts_with(first.as_str())
            })
            .filter(|((_, key), _)| key.parent() == *folder)
            .map(|((_, key), node)| Taken {
                name: key.name().to_owned(),
                journal: node.journal,
                live: node.entry.is_live(),
            });
        Ok(found.take(most).collect())
    }

    fn revision(&mut self, ns: Ns, rev: &Rev) -> Result<Option<Revision>, MetaError> {
        Ok(self.revisions.get(&(ns, rev.clone())).cloned())
    }

    fn revisions(&mut self, ns: Ns, most: usize) -> Result<Vec<Revision>, MetaError> {
        let in_tree = self.revisions.values().filter(|row| row.ns == ns);
        Ok(in_tree.take(most).cloned().collect())
    }

    fn history(
        &mut self,
        ns: Ns,
        history: &History,
        before: Option<&Rev>,
        most: usize,
    ) -> Result<Vec<Past>, MetaError> {
        let older = |rev| before.is_none_or(|before| rev_order(rev) < rev_order(before));
        let mut found: Vec<Past> = self
            .revisions
            .values()
            .filter(|row| row.ns == ns && history.has(row) && older(&row.file.rev))
            .map(|row| Past {
                revision: row.clone(),
                ended: self.ended.get(&(ns, row.file.rev.clone())).copied(),
            })
            .collect();
        found.sort_by(|one, other| {
            let (one, other) = (&one.revision.file.rev, &other.revision.file.rev);
            rev_order(other).cmp(&rev_order(one))
        });
        found.truncate(most);
        Ok(found)
    }

    fn list(
        &mut self,
        listing: &Listing,
        after: Option<&PathKey>,
        until: JournalId,
        most: usize,
    ) -> Result<Vec<Node>, MetaError> {
        let found = self
            .places(listing, after)
            .filter(|node| listing.has(&node.key()))
            .filter(|node| node.journal <= until)
            .filter(|node| listing.deleted || node.entry.is_live());
        Ok(found.take(most).cloned().collect())
    }

    fn changes(
        &mut self,
        listing: &Listing,
        after: JournalId,
        most: usize,
    ) -> Result<Vec<Node>, MetaError> {
        let ns = listing.ns;
        let found = self
            .journal
            .range((Bound::Excluded((ns, after)), Bound::Unbounded))
            .take_while(|((other, _), _)| *other == ns)
            .filter(|(_, key)| listing.has(key))
            .filter_map(|(_, key)| self.nodes.get(&(ns, key.clone())));
        Ok(found.take(most).cloned().collect())
    }

    fn extents(
        &mut self,
        content: &ContentId,
        from: FileOffset,
        most: usize,
    ) -> Result<Vec<(Extent, Blob)>, MetaError> {
        let first = (content.clone(), FileOffset(0));
        let last = (content.clone(), FileOffset(u64::MAX));
        self.extents
            .range(first..=last)
            .map(|(_, extent)| extent)
            .filter(|extent| extent.offset.0 + extent.length > from.0)
            .take(most)
            .map(|extent| match self.blobs.get(&extent.blob) {
                Some(blob) => Ok((extent.clone(), blob.clone())),
                None => Err(MetaError::Damaged(format!("no blob {:?}", extent.blob))),
            })
            .collect()
    }

    fn pieces(
        &mut self,
        content: &ContentId,
        range: Range<FileOffset>,
    ) -> Result<Vec<Piece>, MetaError> {
        let first = (content.clone(), FileOffset(0));
        let pieces = self
            .extents
            .range(first..(content.clone(), range.end))
            .map(|(_, extent)| extent)
            .filter(|extent| extent.offset.0 + extent.length > range.start.0)
            .map(|extent| Piece {
                offset: extent.offset,
                length: extent.length,
                digests: extent.digests.clone(),
            });
        Ok(pieces.collect())
    }

    fn job(&mut self, account: &AccountId, id: &AsyncJobId) -> Result<Option<AsyncJob>, MetaError> {
        let found = self.jobs.get(id).filter(|job| job.account == *account);
        Ok(found.cloned())
    }

    fn jobs(&mut self, account: &AccountId, most: usize) -> Result<Vec<AsyncJobId>, MetaError> {
        let of_account = self.jobs.values().filter(|job| job.account == *account);
        Ok(of_account.take(most).map(|job| job.id.clone()).collect())
    }

    fn aged_jobs(&mut self, begun: Micros, most: usize) -> Result<Vec<AsyncJobId>, MetaError> {
        let aged = self.jobs.values().filter(|job| job.created <= begun);
        Ok(aged.take(most).map(|job| job.id.clone()).collect())
    }

    fn notifications(
        &mut self,
        ns: Ns,
        after: JournalId,
        most: usize,
    ) -> Result<Vec<Notification>, MetaError> {
        let found = self
            .notifications
            .range((
                Bound::Excluded((ns, after)),
                Bound::Included((ns, JournalId::LAST)),
            ))
            .map(|(_, notification)| notification.clone());
        Ok(found.take(most).collect())
    }

    fn aged_notifications(
        &mut self,
        at: Micros,
        most: usize,
    ) -> Result<Vec<(Ns, JournalId)>, MetaError> {
        let aged = self.notifications.values().filter(|one| one.at <= at);
        Ok(aged.take(most).map(|one| (one.ns, one.journal)).collect())
    }

    fn aged_sessions(
        &mut self,
        begun: Micros,
        finished: Micros,
        most: usize,
    ) -> Result<Vec<Session>, MetaError> {
        let aged = self.sessions.values().filter(|session| {
            let replay = self.replays.get(&session.id);
            session.created <= begun && replay.is_none_or(|replay| replay.committed <= finished)
        });
        Ok(aged.take(most).cloned().collect())
    }

    fn aged_revisions(
        &mut self,
        until: Micros,
        after: Option<&End>,
        most: usize,
    ) -> Result<Vec<Aged>, MetaError> {
        let ends = self.ended.iter().map(|((ns, rev), at)| End {
            at: *at,
            ns: *ns,
            rev: rev.clone(),
        });
        let mut ends: Vec<End> = ends
            .filter(|end| end.at <= until && after.is_none_or(|after| end > after))
            .collect();
        ends.sort();
        let aged = ends.into_iter().filter_map(|end| {
            let row = self.revisions.get(&(end.ns, end.rev.clone()))?;
            let mut replays = self.replays.values();
            Some(Aged {
                content: row.file.content.clone(),
                repeatable: replays.any(|kept| kept.ns == end.ns && kept.file.rev == end.rev),
                end,
            })
        });
        Ok(aged.take(most).collect())
    }

    fn content_use(&mut self, content: &ContentId) -> Result<ContentUse, MetaError> {
        let sessions = self
            .sessions
            .values()
            .filter(|session| session.content == *content);
        let revisions = self
            .revisions
            .values()
            .filter(|row| row.file.content == *content);
        Ok(ContentUse {
            sessions: sessions.count() as u64,
            revisions: revisions.count() as u64,
        })
    }

    fn orphans(&mut self, most: usize) -> Result<Vec<ContentId>, MetaError> {
        Ok(self.orphans.iter().take(most).cloned().collect())
    }

    fn blob_use(&mut self, blob: &BlobId) -> Result<u64, MetaError> {
        let uses = self.extents.values().filter(|extent| extent.blob == *blob);
        Ok(uses.count() as u64)
    }

    fn knows_blob(&mut self, blob: &BlobId) -> Result<bool, MetaError> {
        Ok(self.blobs.contains_key(blob) || self.doomed.contains_key(blob))
    }

    fn doomed(&mut self, since: Micros, most: usize) -> Result<Vec<BlobId>, MetaError> {
        let doomed = self.doomed.iter().filter(|(_, at)| **at <= since);
        Ok(doomed.take(most).map(|(id, _)| id.clone()).collect())
    }

    fn blobs(&mut self, after: &BlobId, most: usize) -> Result<Vec<Blob>, MetaError> {
        let mut blobs: Vec<Blob> = self
            .blobs
            .values()
            .filter(|blob| blob.id > *after)
            .cloned()
            .collect();
        blobs.sort_by(|one, other| one.id.cmp(&other.id));
        blobs.truncate(most);
        Ok(blobs)
    }

    fn holds(&mut self) -> Result<Vec<Hold>, MetaError> {
        Ok(self.holds.values().cloned().collect())
    }

    fn writers(&mut self) -> Result<Vec<Writer>, MetaError> {
        Ok(self.writers.values().cloned().collect())
    }

    fn lease(&mut self, name: &str) -> Result<Option<Lease>, MetaError> {
        Ok(self.leases.get(name).cloned())
    }
}
