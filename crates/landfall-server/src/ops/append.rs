//! Adding bytes to sessions: one body to one session, or its parts to many.

use super::body::{IncomingBody, Look, Received, is_as_given};
use super::sessions::hasher;
use super::{Caller, Failure, Service};
use crate::meta::rows::{
    Blob, BlobOffset, Extent, FileOffset, Piece, Session, SessionBytes, SessionState,
};
use crate::meta::{Decision, Effect, Loads, MetaError, Operation};
use crate::rules::pieces::{At, Placed, may_place, place};
use crate::rules::session::{Accepted, Refusal, may_append};
use crate::sys::{Micros, Point};
use landfall_protocol::types::batches::{
    UploadSessionAppendBatchArg, UploadSessionAppendBatchArgEntry, UploadSessionAppendBatchError,
    UploadSessionAppendBatchResult, UploadSessionAppendBatchResultEntry,
};
use landfall_protocol::types::sessions::{
    UploadSessionAppendArg, UploadSessionAppendError, UploadSessionCursor,
};
use landfall_protocol::{
    AccountId, BlockDigests, BlockHasher, BodyHasher, ContentHash, ContentHasher, SessionId, limits,
};
use std::collections::HashMap;

impl Service {
    /// Adds the body to a session.
    ///
    /// # Errors
    /// The route's.
    pub async fn append(
        &self,
        caller: &Caller,
        arg: UploadSessionAppendArg,
        body: &mut dyn IncomingBody,
    ) -> Result<(), Failure<UploadSessionAppendError>> {
        let refused = |refusal: Refusal| Failure::Route(UploadSessionAppendError::from(refusal));
        let id = &arg.cursor.session_id;
        let (session, _) = self.session(caller, id).await?;
        let now = self.sys.clock.now();
        let given = arg.content_hash.as_ref();
        let expected = expect(
            session.as_ref(),
            now,
            &arg.cursor,
            body.declared(),
            arg.close,
        );
        let expected = expected.map_err(refused)?;
        let mut hasher = PartHasher::new(expected, given.is_some())?;
        let received = self.receive(body, &mut hasher).await?;
        self.sys.failpoints.hit(Point::AppendReceived)?;
        let hash = hasher.hash();
        if !is_as_given(given, hash) {
            self.discard(received.stored()).await;
            // The hash is the last of the checks.
            let (session, _) = self.session(caller, id).await?;
            let length = Some(received.length);
            expect(session.as_ref(), now, &arg.cursor, length, arg.close).map_err(refused)?;
            return Err(Failure::Route(
                UploadSessionAppendError::ContentHashMismatch,
            ));
        }
        let part = Part {
            cursor: arg.cursor,
            close: arg.close,
            begin: 0,
            length: received.length,
            hashed: hasher.finish(),
        };
        let mut outcomes = self.append_parts(caller, vec![Ok(part)], received).await?;
        outcomes.remove(0).map_err(refused)
    }

    /// Adds the parts of the body to sessions, each with an outcome of its own.
    ///
    /// # Errors
    /// The route's; then nothing was added to any session.
    pub async fn append_batch(
        &self,
        caller: &Caller,
        arg: UploadSessionAppendBatchArg,
        body: &mut dyn IncomingBody,
    ) -> Result<UploadSessionAppendBatchResult, Failure<UploadSessionAppendBatchError>> {
        let mismatch = || Failure::Route(UploadSessionAppendBatchError::LengthMismatch);
        let lengths = arg.entries.iter().map(|entry| entry.length);
        let whole = lengths.fold(0, u64::saturating_add);
        // A body that is too large is told so by reading it.
        if body
            .declared()
            .is_some_and(|declared| declared != whole && declared <= limits::REQUEST_BODY)
        {
            return Err(mismatch());
        }
        let given = arg.content_hash;
        let entries = arg.entries.into_entries();
        let sessions = self.sessions_of(caller, &entries).await?;
        let now = self.sys.clock.now();
        let mut parts = PartsHasher::new(entries, sessions, now, given.is_some());
        let received = self.receive(body, &mut parts).await?;
        self.sys.failpoints.hit(Point::AppendReceived)?;
        let stored = received.stored();
        let Cut { parts, hash } = match parts.finish(received.length) {
            Ok(cut) => cut,
            Err(problem) => {
                self.discard(stored).await;
                return Err(match problem {
                    PartsProblem::Lengths => mismatch(),
                    PartsProblem::Meta(error) => error.into(),
                });
            }
        };
        if !is_as_given(given.as_ref(), hash) {
            self.discard(stored).await;
            return Err(Failure::Route(
                UploadSessionAppendBatchError::ContentHashMismatch,
            ));
        }
        let outcomes = self.append_parts(caller, parts, received).await?;
        let entry = |outcome: Result<(), Refusal>| match outcome {
            Ok(()) => UploadSessionAppendBatchResultEntry::Success,
            Err(refusal) => UploadSessionAppendBatchResultEntry::Failure(refusal.into()),
        };
        Ok(UploadSessionAppendBatchResult {
            entries: outcomes.into_iter().map(entry).collect(),
        })
    }

    async fn append_parts(
        &self,
        caller: &Caller,
        parts: Vec<Result<Part, Refusal>>,
        received: Received,
    ) -> Result<Vec<Result<(), Refusal>>, MetaError> {
        let stored = received.stored();
        let operation = Append {
            account: caller.account.id.clone(),
            parts,
            blob: received.blob,
            now: self.sys.clock.now(),
        };
        let outcomes = self.settle(stored, operation).await?;
        self.sys.failpoints.hit(Point::AppendCommitted)?;
        Ok(outcomes)
    }

    /// The sessions that the entries name, as far as they are there.
    async fn sessions_of(
        &self,
        caller: &Caller,
        entries: &[UploadSessionAppendBatchArgEntry],
    ) -> Result<HashMap<SessionId, Session>, MetaError> {
        let account = caller.account.id.clone();
        let ids: Vec<SessionId> = entries
            .iter()
            .map(|entry| entry.cursor.session_id.clone())
            .collect();
        let question = move |loads: &mut dyn Loads| {
            let mut sessions = HashMap::new();
            for id in ids {
                if !sessions.contains_key(&id)
                    && let Some(session) = loads.session(&account, &id)?
                {
                    sessions.insert(id, session);
                }
            }
            Ok(sessions)
        };
        self.meta.read(question).await
    }
}

/// What a part is to its session, by all that is known before its bytes are there.
enum Expected<'s> {
    /// It follows these.
    After(&'s Session),
    /// It brings nothing, and nothing is left to do.
    Nothing,
    /// It is a piece of a session whose bytes come in any order.
    Piece,
}

fn expect<'s>(
    session: Option<&'s Session>,
    now: Micros,
    cursor: &UploadSessionCursor,
    length: Option<u64>,
    close: bool,
) -> Result<Expected<'s>, Refusal> {
    let concurrent = session.is_some_and(is_concurrent);
    if concurrent {
        // Where the length isn't known, neither is the end.
        let at = At {
            offset: cursor.offset,
            length: length.unwrap_or(0),
            close: close && length.is_some(),
        };
        may_place(session, now, at)?;
        return Ok(Expected::Piece);
    }
    Ok(
        match may_append(session, now, cursor.offset, length.unwrap_or(0))? {
            Accepted::AtEnd(session) => Expected::After(session),
            Accepted::Nothing => Expected::Nothing,
        },
    )
}

fn is_concurrent(session: &Session) -> bool {
    matches!(session.bytes, SessionBytes::Concurrent { .. })
}

/// Hashes a part as its session needs it, and by itself if the request gave a hash.
enum PartHasher {
    InOrder(Box<BodyHasher>),
    Blocks(BlockHasher),
}

impl PartHasher {
    fn new(expected: Expected<'_>, given: bool) -> Result<Self, MetaError> {
        Ok(match expected {
            Expected::After(session) => {
                Self::InOrder(Box::new(BodyHasher::new(hasher(session)?, given)))
            }
            Expected::Nothing => {
                Self::InOrder(Box::new(BodyHasher::new(ContentHasher::new(), given)))
            }
            Expected::Piece => Self::Blocks(BlockHasher::new()),
        })
    }

    /// The hash of the part alone; `None`: nobody asked.
    fn hash(&self) -> Option<ContentHash> {
        match self {
            Self::InOrder(hasher) => hasher.body_hash(),
            Self::Blocks(hasher) => Some(hasher.clone().finish().content_hash()),
        }
    }

    fn finish(self) -> Hashed {
        match self {
            Self::InOrder(hasher) => Hashed::InOrder((*hasher).into_session()),
            Self::Blocks(hasher) => Hashed::Blocks(hasher.finish()),
        }
    }
}

impl Look for PartHasher {
    fn look(&mut self, bytes: &[u8]) {
        match self {
            Self::InOrder(hasher) => hasher.update(bytes),
            Self::Blocks(hasher) => hasher.update(bytes),
        }
    }
}

/// A part of a body that is there.
#[derive(Clone, Debug)]
struct Part {
    cursor: UploadSessionCursor,
    close: bool,
    /// Where in the body.
    begin: u64,
    length: u64,
    hashed: Hashed,
}

#[derive(Clone, Debug)]
enum Hashed {
    /// The session's hasher after it.
    InOrder(ContentHasher),
    /// Its blocks.
    Blocks(BlockDigests),
}

/// Cuts a body into its parts and hashes each for its session.
struct PartsHasher {
    entries: std::vec::IntoIter<UploadSessionAppendBatchArgEntry>,
    /// The sessions as they are, and become by the parts before.
    sessions: HashMap<SessionId, Session>,
    now: Micros,
    /// The part that comes, with its hasher, or why it won't be kept.
    current: Option<(Coming, Result<PartHasher, Refusal>)>,
    /// Bytes taken so far.
    taken: u64,
    parts: Vec<Result<Part, Refusal>>,
    /// Bytes came after the last part.
    too_many: bool,
    whole: Option<BlockHasher>,
    damaged: Option<MetaError>,
}

/// A part that is on its way.
struct Coming {
    entry: UploadSessionAppendBatchArgEntry,
    begin: u64,
}

/// A body in its parts.
struct Cut {
    parts: Vec<Result<Part, Refusal>>,
    /// The hash of the whole; `None`: nobody asked.
    hash: Option<ContentHash>,
}

enum PartsProblem {
    Lengths,
    Meta(MetaError),
}

impl PartsHasher {
    fn new(
        entries: Vec<UploadSessionAppendBatchArgEntry>,
        sessions: HashMap<SessionId, Session>,
        now: Micros,
        given: bool,
    ) -> Self {
        let mut hasher = Self {
            parts: Vec::with_capacity(entries.len()),
            entries: entries.into_iter(),
            sessions,
            now,
            current: None,
            taken: 0,
            too_many: false,
            whole: given.then(BlockHasher::new),
            damaged: None,
        };
        hasher.begin();
        hasher
    }

    /// Begins the next part, and ends it if it is empty.
    fn begin(&mut self) {
        while let Some(entry) = self.entries.next() {
            let session = self.sessions.get(&entry.cursor.session_id);
            let length = Some(entry.length);
            let expected = expect(session, self.now, &entry.cursor, length, entry.close);
            let hasher = match expected.map(|expected| PartHasher::new(expected, false)) {
                Ok(Ok(hasher)) => Ok(hasher),
                Ok(Err(error)) => {
                    self.damaged = Some(error);
                    Err(Refusal::NotFound)
                }
                Err(refusal) => Err(refusal),
            };
            let begin = self.taken;
            let empty = entry.length == 0;
            self.current = Some((Coming { entry, begin }, hasher));
            if !empty {
                return;
            }
            self.end();
        }
    }

    /// Ends the part that came. The parts after it find its session as it becomes.
    fn end(&mut self) {
        let Some((Coming { entry, begin }, hasher)) = self.current.take() else {
            return;
        };
        let part = hasher.map(|hasher| Part {
            cursor: entry.cursor,
            close: entry.close,
            begin,
            length: entry.length,
            hashed: hasher.finish(),
        });
        if let Ok(part) = &part
            && let Some(session) = self.sessions.get_mut(&part.cursor.session_id)
        {
            part.foretell(session);
        }
        self.parts.push(part);
    }

    fn finish(mut self, length: u64) -> Result<Cut, PartsProblem> {
        if let Some(error) = self.damaged {
            return Err(PartsProblem::Meta(error));
        }
        if self.too_many || self.current.is_some() || length != self.taken {
            return Err(PartsProblem::Lengths);
        }
        let whole = self.whole.take().map(BlockHasher::finish);
        Ok(Cut {
            parts: self.parts,
            hash: whole.map(|blocks| blocks.content_hash()),
        })
    }
}

impl Look for PartsHasher {
    fn look(&mut self, mut bytes: &[u8]) {
        if let Some(whole) = &mut self.whole {
            whole.update(bytes);
        }
        while !bytes.is_empty() {
            let Some((Coming { entry, begin }, hasher)) = &mut self.current else {
                self.too_many = true;
                return;
            };
            let end = begin.saturating_add(entry.length);
            let room = usize::try_from(end - self.taken).unwrap_or(usize::MAX);
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            if let Ok(hasher) = hasher {
                hasher.look(now);
            }
            self.taken += now.len() as u64;
            if self.taken == end {
                self.end();
                self.begin();
            }
            bytes = later;
        }
    }
}

impl Part {
    fn at(&self) -> At {
        At {
            offset: self.cursor.offset,
            length: self.length,
            close: self.close,
        }
    }

    /// What the session becomes by this part, as far as that can be told without its pieces.
    fn foretell(&self, session: &mut Session) {
        match (&mut session.bytes, &self.hashed) {
            (SessionBytes::Sequential { length, hasher }, Hashed::InOrder(after))
                if session.state == SessionState::Open =>
            {
                *length += self.length;
                *hasher = after.state();
            }
            (SessionBytes::Concurrent { end, .. }, _) => {
                *end = (*end).max(self.cursor.offset + self.length);
            }
            _ => {}
        }
        if self.close {
            session.state = SessionState::Closed;
        }
    }
}

/// Adds the parts of one body to their sessions; one after the other, each by itself.
struct Append {
    account: AccountId,
    /// What was refused before the bytes came stays refused.
    parts: Vec<Result<Part, Refusal>>,
    blob: Option<Blob>,
    now: Micros,
}

/// A session, the pieces that the parts may overlap, and whether it changes.
struct Held {
    session: Session,
    pieces: Vec<Piece>,
    changed: bool,
}

impl Operation for Append {
    type View = HashMap<SessionId, Held>;
    type Answer = Vec<Result<(), Refusal>>;

    fn load(&self, loads: &mut dyn Loads) -> Result<Self::View, MetaError> {
        let mut view: Self::View = HashMap::new();
        for part in self.parts.iter().flatten() {
            let id = &part.cursor.session_id;
            if !view.contains_key(id)
                && let Some(session) = loads.session(&self.account, id)?
            {
                let held = Held {
                    session,
                    pieces: Vec::new(),
                    changed: false,
                };
                view.insert(id.clone(), held);
            }
            if let Some(held) = view.get_mut(id)
                && is_concurrent(&held.session)
            {
                let from = FileOffset(part.cursor.offset);
                let range = from..FileOffset(from.0 + part.length);
                held.pieces
                    .extend(loads.pieces(&held.session.content, range)?);
            }
        }
        Ok(view)
    }

    fn decide(&self, mut view: Self::View) -> Decision<Self::Answer> {
        let mut extents = Vec::new();
        let mut answer = Vec::with_capacity(self.parts.len());
        for part in &self.parts {
            let outcome = part.as_ref().map_err(|refusal| *refusal);
            answer.push(outcome.and_then(|part| {
                let held = view.get_mut(&part.cursor.session_id);
                extents.extend(self.add(part, held.ok_or(Refusal::NotFound)?)?);
                Ok(())
            }));
        }
        let mut effects = Vec::new();
        if !extents.is_empty() {
            effects.extend(self.blob.clone().map(Effect::AddBlob));
            effects.extend(extents.into_iter().map(Effect::AddExtent));
        }
        let changed = view.into_values().filter(|held| held.changed);
        effects.extend(changed.map(|held| Effect::PutSession(held.session)));
        Decision { effects, answer }
    }
}

impl Append {
    /// Adds a part to its session; the new pieces of the content.
    fn add(&self, part: &Part, held: &mut Held) -> Result<Vec<Extent>, Refusal> {
        match (&part.hashed, &mut held.session.bytes) {
            (Hashed::InOrder(after), SessionBytes::Sequential { .. }) => {
                let offset = part.cursor.offset;
                match may_append(Some(&held.session), self.now, offset, part.length)? {
                    Accepted::Nothing => return Ok(Vec::new()),
                    Accepted::AtEnd(_) => {}
                }
                held.session.bytes = SessionBytes::Sequential {
                    length: offset + part.length,
                    hasher: after.state(),
                };
                if part.close {
                    held.session.state = SessionState::Closed;
                }
                held.changed = true;
                let all = offset..offset + part.length;
                let extent = self.extent(part, held, all, BlockDigests::default());
                Ok(extent.into_iter().collect())
            }
            (Hashed::Blocks(digests), SessionBytes::Concurrent { .. }) => {
                let session = Some(&held.session);
                let Placed { session, missing } =
                    place(session, self.now, part.at(), digests, &held.pieces)?;
                held.changed |= session != held.session;
                held.session = session;
                let mut extents = Vec::new();
                for range in missing {
                    let block = |offset: u64| {
                        (offset - part.cursor.offset).div_ceil(limits::HASH_BLOCK) as usize
                    };
                    let digests = digests.of(block(range.start)..block(range.end));
                    held.pieces.push(Piece {
                        offset: FileOffset(range.start),
                        length: range.end - range.start,
                        digests: digests.clone(),
                    });
                    extents.extend(self.extent(part, held, range, digests));
                }
                Ok(extents)
            }
            // How the bytes of a session come never changes.
            _ => Err(Refusal::NotFound),
        }
    }

    /// The piece of the content that a range of the part becomes, if there is a byte in it.
    fn extent(
        &self,
        part: &Part,
        held: &Held,
        range: std::ops::Range<u64>,
        digests: BlockDigests,
    ) -> Option<Extent> {
        let blob = self.blob.as_ref().filter(|_| !range.is_empty())?;
        Some(Extent {
            content: held.session.content.clone(),
            offset: FileOffset(range.start),
            length: range.end - range.start,
            blob: blob.id.clone(),
            blob_offset: BlobOffset(part.begin + (range.start - part.cursor.offset)),
            digests,
        })
    }
}
