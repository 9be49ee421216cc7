//! Quotas: an account is filled by its files, and by what is in sessions that aren't finished.

use super::sessions::{BLOCK, Data, Session};
use super::{Cursor, Oracle, Refused};
use serde_json::Value;

/// Where no error of a route says it: the account is full.
pub(super) const NO_ROOM: Refused = Value::Null;

/// What makes room for the bytes that come.
#[derive(Debug, Default)]
pub(super) struct Freed {
    /// Bytes that are replaced, or that need no room.
    pub(super) bytes: u64,
    /// Bytes of what replaces them that came before.
    pub(super) before: u64,
}

impl Session {
    /// What is stored of these bytes already, because they were sent before.
    pub(super) fn there_already(&self, offset: u64, length: u64) -> Freed {
        let Data::Concurrent(blocks, _) = &self.data else {
            return Freed::default();
        };
        let end = offset.saturating_add(length);
        let overlaps = blocks.iter().map(|(nth, block)| {
            let (begin, until) = (nth * BLOCK, nth * BLOCK + block.len() as u64);
            until.min(end).saturating_sub(begin.max(offset))
        });
        Freed {
            bytes: overlaps.sum(),
            before: 0,
        }
    }
}

impl Oracle {
    /// Whether so many bytes may come. Whoever has too much may still replace a file by one that
    /// isn't longer.
    pub(super) fn room(&self, bytes: u64, freed: &Freed) -> Result<(), Refused> {
        let Some(quota) = self.tree.quota() else {
            return Ok(());
        };
        let fits = self.tree.used() + self.unfinished() + bytes <= quota + freed.bytes;
        match bytes == 0 || fits || freed.before + bytes <= freed.bytes {
            true => Ok(()),
            false => Err(NO_ROOM),
        }
    }

    fn unfinished(&self) -> u64 {
        let sessions = self.sessions.iter();
        let unfinished = sessions.filter(|session| !session.is_finished() && !session.removed);
        unfinished.map(Session::offset).sum()
    }

    /// What of a batch is there already, or is refused whatever its bytes are.
    pub(super) fn spared(&self, parts: &[(Cursor, u64, bool)]) -> Freed {
        let mut ahead = self.clone();
        let spared = parts.iter().map(|(cursor, length, close)| {
            let Some(session) = ahead.usable(&cursor.session) else {
                return *length;
            };
            if session.may_append(cursor.offset, *length, *close).is_err() {
                return *length;
            }
            if session.is_concurrent() {
                return session.there_already(cursor.offset, *length).bytes;
            }
            let any = vec![0; *length as usize].into();
            ahead.add(cursor, *close, &any).expect("it may come");
            0
        });
        Freed {
            bytes: spared.sum(),
            before: 0,
        }
    }
}
