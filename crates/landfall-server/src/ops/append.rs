//! Adding bytes to sessions: one body to one session, or its parts to many.

use super::body::{IncomingBody, Received, is_as_given};
use super::parts::{
    Cut, Expected, Hashed, Part, PartHasher, PartsHasher, PartsProblem, expect, foretell,
};
use super::quota::Spared;
use super::{Caller, Failure, Service, Trouble};
use crate::meta::rows::{
    Blob, BlobOffset, Extent, FileOffset, Piece, Session, SessionBytes, SessionState,
};
use crate::meta::{Decision, Effect, Growing, Loads, MetaError, Operation};
use crate::rules::pieces::{Placed, place};
use crate::rules::session::{Accepted, Refusal, may_append};
use crate::sys::{Micros, Point};
use landfall_protocol::types::batches::{
    UploadSessionAppendBatchArg, UploadSessionAppendBatchArgEntry, UploadSessionAppendBatchError,
    UploadSessionAppendBatchResult, UploadSessionAppendBatchResultEntry,
};
use landfall_protocol::types::sessions::{UploadSessionAppendArg, UploadSessionAppendError};
use landfall_protocol::{AccountId, BlockDigests, SessionId, limits};
use std::collections::HashMap;
use std::ops::Range;

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
        let session = self.session(caller, id).await?;
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
        let mut spared = Spared::default();
        if let (Expected::Piece, Some(session)) = (&expected, &session) {
            let length = body.declared().unwrap_or(limits::REQUEST_BODY);
            spared.again(&session.content, arg.cursor.offset, length);
        }
        let mut hasher = PartHasher::new(expected, given.is_some())?;
        let allowance = self.allowance(caller, spared).await?;
        let received = self.receive(body, &mut hasher, allowance).await?;
        self.sys.failpoints.hit(Point::AppendReceived)?;
        let hash = hasher.hash();
        if !is_as_given(given, hash) {
            self.discard(received.stored()).await;
            // The hash is the last of the checks.
            let session = self.session(caller, id).await?;
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
        let spared = match caller.limited {
            true => spared(&entries, sessions.clone(), now),
            // Nobody asks.
            false => Spared::default(),
        };
        let allowance = self.allowance(caller, spared).await?;
        allowance.allows(whole).map_err(Trouble::from)?;
        let mut parts = PartsHasher::new(entries, sessions, now, given.is_some());
        let received = self.receive(body, &mut parts, allowance).await?;
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
            let found = loads.append(&account, &nothing_for(ids))?;
            let session = |(id, growing): (SessionId, Growing)| (id, growing.session);
            Ok(found.into_iter().map(session).collect())
        };
        self.meta.read(question).await
    }
}

/// Parts without a byte, to look at their sessions.
fn nothing_for(ids: Vec<SessionId>) -> Vec<(SessionId, Range<FileOffset>)> {
    let nothing = FileOffset(0)..FileOffset(0);
    ids.into_iter().map(|id| (id, nothing.clone())).collect()
}

/// What of the parts is there already, or is refused whatever its bytes are: a batch whose answer
/// was lost is sent again, and needs no room.
fn spared(
    entries: &[UploadSessionAppendBatchArgEntry],
    mut sessions: HashMap<SessionId, Session>,
    now: Micros,
) -> Spared {
    let mut spared = Spared::default();
    for entry in entries {
        let UploadSessionAppendBatchArgEntry { cursor, length, .. } = entry;
        let session = sessions.get_mut(&cursor.session_id);
        let expected = expect(session.as_deref(), now, cursor, Some(*length), entry.close);
        match (
            expected.map(|expected| matches!(expected, Expected::Piece)),
            session,
        ) {
            (Ok(true), Some(session)) => spared.again(&session.content, cursor.offset, *length),
            (Ok(false), Some(session)) => foretell(session, *length, entry.close),
            (Err(_), _) | (_, None) => spared.refused(*length),
        }
    }
    spared
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

impl From<Growing> for Held {
    fn from(Growing { session, pieces }: Growing) -> Self {
        Self {
            session,
            pieces,
            changed: false,
        }
    }
}

impl Operation for Append {
    type View = HashMap<SessionId, Held>;
    type Answer = Vec<Result<(), Refusal>>;

    fn load(&self, loads: &mut dyn Loads) -> Result<Self::View, MetaError> {
        let parts: Vec<_> = self.parts.iter().flatten().map(Part::range).collect();
        let view = loads.append(&self.account, &parts)?;
        Ok(view
            .into_iter()
            .map(|(id, growing)| (id, growing.into()))
            .collect())
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
        range: Range<u64>,
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
