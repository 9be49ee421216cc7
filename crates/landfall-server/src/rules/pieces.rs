//! What may be done to a concurrent session: pieces of whole blocks, in any order.

use super::planted::{Fault, planted};
use super::session::{Refusal, usable};
use crate::meta::rows::{Piece, Session, SessionBytes, SessionState};
use crate::sys::Micros;
use landfall_protocol::{BlockDigests, limits};
use std::ops::Range;

/// A block, in bytes.
const BLOCK: u64 = limits::HASH_BLOCK;

/// Where a piece goes, and whether it is the one that closes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct At {
    /// Its first byte.
    pub offset: u64,
    /// Bytes.
    pub length: u64,
    /// Whether no byte comes after its end.
    pub close: bool,
}

impl At {
    fn end(self) -> u64 {
        self.offset.saturating_add(self.length)
    }

    /// How far its session reaches by it. A piece that is empty and doesn't close is nowhere.
    pub fn reach(self) -> u64 {
        if self.close || self.length > 0 {
            self.end()
        } else {
            0
        }
    }
}

/// What a session becomes by a piece.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    /// The session.
    pub session: Session,
    /// The parts of the piece that were missing, as offsets in the file; the others are stored.
    pub missing: Vec<Range<u64>>,
}

/// Whether a piece may come, by all that is known before its bytes are.
///
/// After the close a piece is still taken that lies before the end: a client which sends its
/// pieces in parallel can't know which of them arrives first.
///
/// # Errors
/// The first check that fails.
pub fn may_place(session: Option<&Session>, now: Micros, at: At) -> Result<&Session, Refusal> {
    let session = usable(session, now)?;
    if !at.offset.is_multiple_of(BLOCK) {
        return Err(Refusal::InvalidOffset);
    }
    if !at.close && !at.length.is_multiple_of(BLOCK) {
        return Err(Refusal::InvalidDataSize);
    }
    if at.end() > limits::FILE_SIZE {
        return Err(Refusal::TooLarge);
    }
    let end = end(session);
    match session.state {
        // A second end is a contradiction.
        SessionState::Closed if at.end() > end || (at.close && at.end() < end) => {
            Err(Refusal::Closed)
        }
        // Pieces lie beyond what would be the end.
        SessionState::Open if at.close && at.end() < end => Err(Refusal::InvalidOffset),
        _ => Ok(session),
    }
}

/// Places a piece among those that are stored (`stored`: all that it may overlap).
///
/// The same bytes again are no error: their sender may not have got the answer.
///
/// # Errors
/// The first check that fails; then nothing changes.
pub fn place(
    session: Option<&Session>,
    now: Micros,
    at: At,
    digests: &BlockDigests,
    stored: &[Piece],
) -> Result<Placed, Refusal> {
    let session = may_place(session, now, at)?;
    let mut missing: Vec<Range<u64>> = Vec::new();
    for nth in 0..at.length.div_ceil(BLOCK) {
        let offset = at.offset + nth * BLOCK;
        let until = (offset + BLOCK).min(at.end());
        match stored_block(stored, offset) {
            Some(digest)
                if digests.block(nth as usize) == Some(digest) || planted(Fault::OtherBlock) => {}
            Some(_) if at.close && session.state == SessionState::Closed => {
                return Err(Refusal::Closed);
            }
            Some(_) => return Err(Refusal::InvalidOffset),
            None => match missing.last_mut() {
                Some(last) if last.end == offset => last.end = until,
                _ => missing.push(offset..until),
            },
        }
    }
    let added: u64 = missing.iter().map(|range| range.end - range.start).sum();
    let mut session = session.clone();
    session.bytes = SessionBytes::Concurrent {
        stored: session.stored() + added,
        end: end(&session).max(at.reach()),
    };
    if at.close {
        session.state = SessionState::Closed;
    }
    Ok(Placed { session, missing })
}

/// The digest of the stored block that begins here.
fn stored_block(stored: &[Piece], offset: u64) -> Option<&[u8]> {
    let piece = stored
        .iter()
        .find(|piece| (piece.offset.0..piece.offset.0 + piece.length).contains(&offset))?;
    piece
        .digests
        .block(((offset - piece.offset.0) / BLOCK) as usize)
}

/// Where the last piece ends.
fn end(session: &Session) -> u64 {
    match session.bytes {
        SessionBytes::Concurrent { end, .. } => end,
        SessionBytes::Sequential { length, .. } => length,
    }
}

#[cfg(test)]
mod tests {
    use super::{At, BLOCK, Placed, may_place, place};
    use crate::meta::rows::{ContentId, FileOffset, Piece, Session, SessionBytes, SessionState};
    use crate::rules::session::Refusal;
    use crate::sys::Micros;
    use landfall_protocol::{AccountId, BlockDigests, SessionId, limits};

    const NOW: Micros = Micros(1_000_000);

    /// A session and its pieces, as a store would hold them.
    struct Held {
        session: Session,
        pieces: Vec<Piece>,
    }

    impl Held {
        fn new() -> Self {
            let session = Session {
                id: SessionId::from_stored("s"),
                account: AccountId::from_stored("a"),
                created: Micros(0),
                state: SessionState::Open,
                content: ContentId("c".into()),
                bytes: SessionBytes::Concurrent { stored: 0, end: 0 },
            };
            Self {
                session,
                pieces: Vec::new(),
            }
        }

        /// Sends a piece whose blocks all consist of this letter; says how many bytes were new.
        fn send(
            &mut self,
            offset: u64,
            length: u64,
            close: bool,
            letter: u8,
        ) -> Result<u64, Refusal> {
            let blocks = length.div_ceil(BLOCK) as usize;
            let digests = BlockDigests::from_bytes(vec![letter; 32 * blocks]).unwrap();
            let at = At {
                offset,
                length,
                close,
            };
            let Placed { session, missing } =
                place(Some(&self.session), NOW, at, &digests, &self.pieces)?;
            let before = self.session.stored();
            self.session = session;
            for range in missing {
                let first = ((range.start - offset) / BLOCK) as usize;
                let last = (range.end - offset).div_ceil(BLOCK) as usize;
                self.pieces.push(Piece {
                    offset: FileOffset(range.start),
                    length: range.end - range.start,
                    digests: digests.of(first..last),
                });
            }
            Ok(self.session.stored() - before)
        }

        fn end(&self) -> u64 {
            super::end(&self.session)
        }
    }

    #[test]
    fn pieces_come_in_any_order_and_are_counted_once() {
        let mut held = Held::new();
        assert_eq!(held.send(2 * BLOCK, BLOCK, false, 3), Ok(BLOCK));
        assert_eq!(held.send(0, BLOCK, false, 1), Ok(BLOCK));
        assert_eq!(held.send(0, BLOCK, false, 1), Ok(0), "again");
        assert_eq!(held.send(3 * BLOCK, 10, true, 4), Ok(10));
        assert_eq!(
            (held.session.stored(), held.end()),
            (2 * BLOCK + 10, 3 * BLOCK + 10)
        );
        assert_eq!(held.session.state, SessionState::Closed);
        assert_eq!(
            held.send(BLOCK, BLOCK, false, 2),
            Ok(BLOCK),
            "a hole, after the close"
        );
        assert_eq!(held.session.stored(), held.end());
    }

    #[test]
    fn other_bytes_for_a_stored_block_change_nothing() {
        let mut held = Held::new();
        held.send(BLOCK, 2 * BLOCK, false, 1).unwrap();
        for (offset, length) in [(BLOCK, BLOCK), (0, 2 * BLOCK), (2 * BLOCK, 2 * BLOCK)] {
            assert_eq!(
                held.send(offset, length, false, 2),
                Err(Refusal::InvalidOffset)
            );
        }
        assert_eq!(held.session.stored(), 2 * BLOCK);
    }

    #[test]
    fn a_piece_that_overlaps_with_the_same_bytes_brings_what_is_missing() {
        let mut held = Held::new();
        held.send(BLOCK, BLOCK, false, 1).unwrap();
        assert_eq!(held.send(0, 3 * BLOCK, false, 1), Ok(2 * BLOCK));
        assert_eq!(held.pieces.len(), 3);
        assert_eq!(held.session.stored(), 3 * BLOCK);
    }

    #[test]
    fn blocks_side_by_side_are_one_piece() {
        let mut held = Held::new();
        held.send(0, 3 * BLOCK, false, 1).unwrap();
        assert_eq!(held.pieces.len(), 1);
        held.send(3 * BLOCK, BLOCK + 1, true, 1).unwrap();
        assert_eq!(held.pieces.len(), 2);
    }

    #[test]
    fn offsets_and_lengths_are_whole_blocks() {
        let mut held = Held::new();
        assert_eq!(held.send(1, BLOCK, false, 1), Err(Refusal::InvalidOffset));
        assert_eq!(held.send(1, 0, true, 1), Err(Refusal::InvalidOffset));
        assert_eq!(held.send(0, 1, false, 1), Err(Refusal::InvalidDataSize));
        assert_eq!(
            held.send(BLOCK, BLOCK - 1, false, 1),
            Err(Refusal::InvalidDataSize)
        );
        assert_eq!(
            held.send(0, 0, false, 1),
            Ok(0),
            "nothing is a whole number"
        );
    }

    #[test]
    fn there_is_one_end() {
        let mut held = Held::new();
        held.send(BLOCK, 7, true, 1).unwrap();
        assert_eq!(held.send(BLOCK, 7, true, 1), Ok(0), "the same again");
        assert_eq!(held.send(BLOCK, 7, true, 2), Err(Refusal::Closed));
        assert_eq!(held.send(BLOCK, 8, true, 1), Err(Refusal::Closed));
        assert_eq!(held.send(BLOCK, 6, true, 1), Err(Refusal::Closed));
        assert_eq!(held.send(BLOCK, BLOCK, false, 1), Err(Refusal::Closed));
        assert_eq!(held.send(2 * BLOCK, 0, true, 1), Err(Refusal::Closed));
        assert_eq!(held.send(0, BLOCK, false, 1), Ok(BLOCK));
        assert_eq!(held.end(), BLOCK + 7);
    }

    #[test]
    fn the_end_lies_behind_all_pieces() {
        let mut held = Held::new();
        held.send(BLOCK, BLOCK, false, 1).unwrap();
        assert_eq!(held.send(0, 5, true, 1), Err(Refusal::InvalidOffset));
        assert_eq!(
            held.send(BLOCK, BLOCK - 1, true, 1),
            Err(Refusal::InvalidOffset)
        );
        assert_eq!(held.session.state, SessionState::Open);
        assert_eq!(held.send(2 * BLOCK, 0, true, 1), Ok(0), "an empty end");
        assert_eq!(
            (held.session.state, held.end()),
            (SessionState::Closed, 2 * BLOCK)
        );
    }

    #[test]
    fn an_empty_piece_that_does_not_close_moves_no_end() {
        let mut held = Held::new();
        assert_eq!(held.send(2 * BLOCK, 0, false, 1), Ok(0));
        assert_eq!(held.end(), 0);
        assert_eq!(held.send(0, 5, true, 1), Ok(5));
        assert_eq!((held.session.stored(), held.end()), (5, 5));
    }

    #[test]
    fn a_file_ends_at_the_size_limit() {
        let mut held = Held::new();
        let last = limits::FILE_SIZE - BLOCK;
        assert_eq!(held.send(last, BLOCK, false, 1), Ok(BLOCK));
        assert_eq!(
            held.send(last + BLOCK, BLOCK, false, 1),
            Err(Refusal::TooLarge)
        );
        let beyond = At {
            offset: u64::MAX / BLOCK * BLOCK,
            length: BLOCK,
            close: true,
        };
        assert_eq!(
            may_place(Some(&held.session), NOW, beyond),
            Err(Refusal::TooLarge)
        );
    }

    #[test]
    fn finished_and_aged_sessions_are_not_found() {
        let mut held = Held::new();
        let at = At {
            offset: 0,
            length: BLOCK,
            close: false,
        };
        let aged = Micros(0).plus_seconds(limits::SESSION_LIFE);
        assert_eq!(
            may_place(Some(&held.session), aged, at),
            Err(Refusal::NotFound)
        );
        assert_eq!(may_place(None, NOW, at), Err(Refusal::NotFound));
        held.session.state = SessionState::Committed;
        assert_eq!(
            may_place(Some(&held.session), NOW, at),
            Err(Refusal::NotFound)
        );
    }
}
