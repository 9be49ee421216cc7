//! The parts of a body on their way to their sessions: cut and hashed while they come.

use super::body::Look;
use super::sessions::hasher;
use crate::meta::MetaError;
use crate::meta::rows::{FileOffset, Session, SessionBytes, SessionState};
use crate::rules::pieces::{At, may_place};
use crate::rules::session::{Accepted, Refusal, may_append};
use crate::sys::Micros;
use bytes::Bytes;
use landfall_protocol::types::batches::UploadSessionAppendBatchArgEntry;
use landfall_protocol::types::sessions::UploadSessionCursor;
use landfall_protocol::{
    BlockDigests, BlockHasher, BodyHasher, ContentHash, ContentHasher, SessionId,
};
use std::collections::{HashMap, HashSet};
use std::ops::Range;

/// What a part is to its session, by all that is known before its bytes are there.
pub(super) enum Expected<'s> {
    /// It follows these.
    After(&'s Session),
    /// It brings nothing, and nothing is left to do.
    Nothing,
    /// It is a piece of a session whose bytes come in any order.
    Piece,
}

pub(super) fn expect<'s>(
    session: Option<&'s Session>,
    now: Micros,
    cursor: &UploadSessionCursor,
    length: Option<u64>,
    close: bool,
) -> Result<Expected<'s>, Refusal> {
    let concurrent = session.is_some_and(Session::is_concurrent);
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

/// Hashes a part as its session needs it, and by itself if the request gave a hash.
pub(super) enum PartHasher {
    InOrder(Box<BodyHasher>),
    Blocks(BlockHasher),
}

impl PartHasher {
    pub(super) fn new(expected: Expected<'_>, given: bool) -> Result<Self, MetaError> {
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
    pub(super) fn hash(&self) -> Option<ContentHash> {
        match self {
            Self::InOrder(hasher) => hasher.body_hash(),
            Self::Blocks(hasher) => Some(hasher.clone().finish().content_hash()),
        }
    }

    pub(super) fn finish(self) -> Hashed {
        match self {
            Self::InOrder(hasher) => Hashed::InOrder((*hasher).into_session()),
            Self::Blocks(hasher) => Hashed::Blocks(hasher.finish()),
        }
    }
}

impl Look for PartHasher {
    fn look(&mut self, bytes: Bytes, kept: &mut Vec<Bytes>) {
        match self {
            Self::InOrder(hasher) => hasher.update(&bytes),
            Self::Blocks(hasher) => hasher.update(&bytes),
        }
        kept.push(bytes);
    }
}

/// A part of a body that is there.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub(super) cursor: UploadSessionCursor,
    pub(super) close: bool,
    /// Where in what is kept of the body.
    pub(super) begin: u64,
    pub(super) length: u64,
    pub(super) hashed: Hashed,
}

#[derive(Clone, Debug)]
pub(super) enum Hashed {
    /// The session's hasher after it.
    InOrder(ContentHasher),
    /// Its blocks.
    Blocks(BlockDigests),
}

/// Cuts a body into its parts and hashes each for its session. What is refused before it comes
/// isn't kept: it would fill the disk, and no session would tell.
pub(super) struct PartsHasher {
    entries: std::vec::IntoIter<UploadSessionAppendBatchArgEntry>,
    /// The sessions as they are, and those whose bytes come in order as they become by the parts
    /// before.
    sessions: HashMap<SessionId, Session>,
    /// Concurrent sessions that a part before may have changed: whether it did, shows only when
    /// its bytes are compared with those that are stored.
    open_to_change: HashSet<SessionId>,
    now: Micros,
    /// The part that comes, with its hasher, or why it won't be kept.
    current: Option<(Coming, Result<PartHasher, Refusal>)>,
    /// Bytes taken so far, and those of them that are kept.
    taken: u64,
    kept: u64,
    parts: Vec<Result<Part, Refusal>>,
    /// Bytes came after the last part.
    too_many: bool,
    whole: Option<BlockHasher>,
    damaged: Option<MetaError>,
}

/// A part that is on its way.
struct Coming {
    entry: UploadSessionAppendBatchArgEntry,
    /// Where it begins in what is kept.
    begin: u64,
    /// Bytes of it that are still to come.
    left: u64,
}

/// A body in its parts.
pub(super) struct Cut {
    pub(super) parts: Vec<Result<Part, Refusal>>,
    /// The hash of the whole; `None`: nobody asked.
    pub(super) hash: Option<ContentHash>,
}

pub(super) enum PartsProblem {
    Lengths,
    Meta(MetaError),
}

impl PartsHasher {
    pub(super) fn new(
        entries: Vec<UploadSessionAppendBatchArgEntry>,
        sessions: HashMap<SessionId, Session>,
        now: Micros,
        given: bool,
    ) -> Self {
        let mut hasher = Self {
            parts: Vec::with_capacity(entries.len()),
            entries: entries.into_iter(),
            sessions,
            open_to_change: HashSet::new(),
            now,
            current: None,
            taken: 0,
            kept: 0,
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
            let expected = match self.open_to_change.contains(&entry.cursor.session_id) {
                true => Ok(Expected::Piece),
                false => expect(session, self.now, &entry.cursor, length, entry.close),
            };
            let hasher = match expected.map(|expected| PartHasher::new(expected, false)) {
                Ok(Ok(hasher)) => Ok(hasher),
                Ok(Err(error)) => {
                    self.damaged = Some(error);
                    Err(Refusal::NotFound)
                }
                Err(refusal) => Err(refusal),
            };
            let coming = Coming {
                begin: self.kept,
                left: entry.length,
                entry,
            };
            let empty = coming.left == 0;
            self.current = Some((coming, hasher));
            if !empty {
                return;
            }
            self.end();
        }
    }

    /// Ends the part that came. Parts after it find the session as it becomes.
    fn end(&mut self) {
        let Some((Coming { entry, begin, .. }, hasher)) = self.current.take() else {
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
            match &part.hashed {
                Hashed::InOrder(after) => part.foretell(session, after),
                Hashed::Blocks(_) => {
                    self.open_to_change.insert(part.cursor.session_id.clone());
                }
            }
        }
        self.parts.push(part);
    }

    pub(super) fn finish(mut self, length: u64) -> Result<Cut, PartsProblem> {
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
    fn look(&mut self, mut bytes: Bytes, kept: &mut Vec<Bytes>) {
        if let Some(whole) = &mut self.whole {
            whole.update(&bytes);
        }
        while !bytes.is_empty() {
            let Some((coming, hasher)) = &mut self.current else {
                self.too_many = true;
                return;
            };
            let room = usize::try_from(coming.left).unwrap_or(usize::MAX);
            let now = bytes.split_to(room.min(bytes.len()));
            let length = now.len() as u64;
            self.taken += length;
            coming.left -= length;
            let ended = coming.left == 0;
            if let Ok(hasher) = hasher {
                hasher.look(now, kept);
                self.kept += length;
            }
            if ended {
                self.end();
                self.begin();
            }
        }
    }
}

impl Part {
    pub(super) fn at(&self) -> At {
        At {
            offset: self.cursor.offset,
            length: self.length,
            close: self.close,
        }
    }

    /// Which bytes of which session it is.
    pub(super) fn range(&self) -> (SessionId, Range<FileOffset>) {
        let begin = FileOffset(self.cursor.offset);
        let range = begin..FileOffset(begin.0 + self.length);
        (self.cursor.session_id.clone(), range)
    }

    /// What a session whose bytes come in order becomes by this part.
    fn foretell(&self, session: &mut Session, after: &ContentHasher) {
        if session.state == SessionState::Open
            && let SessionBytes::Sequential { hasher, .. } = &mut session.bytes
        {
            *hasher = after.state();
        }
        foretell(session, self.length, self.close);
    }
}

/// What a session whose bytes come in order becomes by so many more; its hasher stays behind.
pub(super) fn foretell(session: &mut Session, bytes: u64, close: bool) {
    if session.state == SessionState::Open
        && let SessionBytes::Sequential { length, .. } = &mut session.bytes
    {
        *length += bytes;
    }
    if close {
        session.state = SessionState::Closed;
    }
}
