//! Sessions: the offsets rule, pieces in any order, finishes and their repetition.

use super::quota::Freed;
use super::{Body, Call, Commit, Cursor, Oracle, Refused, Symbol, tag, under};
use bytes::{Bytes, BytesMut};
use serde_json::{Value, json};
use std::collections::BTreeMap;

const DAY: i64 = 24 * 60 * 60;
const LIFE: i64 = 7 * DAY;

/// Pieces of a concurrent session are whole blocks of 4 MiB.
pub(super) const BLOCK: u64 = 4 * 1024 * 1024;

/// A file ends here.
pub(super) const MOST: u64 = (1 << 41) - (1 << 22);

#[derive(Clone, Debug)]
pub(super) struct Session {
    created: i64,
    pub(super) closed: bool,
    pub(super) data: Data,
    finished: Option<Finished>,
    /// Too old, and removed.
    pub(super) removed: bool,
}

#[derive(Clone, Debug)]
pub(super) enum Data {
    /// In order.
    Sequential(Bytes),
    /// In any order: blocks by their numbers, and the size that the closing piece told.
    Concurrent(BTreeMap<u64, Bytes>, Option<u64>),
}

/// A finish that took place.
#[derive(Clone, Debug)]
struct Finished {
    at: i64,
    commit: Commit,
    content: Bytes,
    answer: Result<Value, Refused>,
}

impl Session {
    /// What a finish must say.
    pub(super) fn offset(&self) -> u64 {
        match &self.data {
            Data::Sequential(bytes) => bytes.len() as u64,
            Data::Concurrent(blocks, _) => blocks.values().map(|block| block.len() as u64).sum(),
        }
    }

    /// Where the last byte is.
    pub(super) fn reach(&self) -> u64 {
        match &self.data {
            Data::Sequential(bytes) => bytes.len() as u64,
            Data::Concurrent(blocks, size) => {
                let last = blocks.last_key_value();
                let end = last.map_or(0, |(nth, block)| nth * BLOCK + block.len() as u64);
                size.unwrap_or(end)
            }
        }
    }

    pub(super) fn is_concurrent(&self) -> bool {
        matches!(self.data, Data::Concurrent(..))
    }

    pub(super) fn is_finished(&self) -> bool {
        self.finished.is_some()
    }

    /// Whether it is too old.
    pub(super) fn is_over(&self, now: i64) -> bool {
        now >= self.created + LIFE
    }

    /// Whether it still takes bytes or a finish.
    fn is_usable(&self, now: i64) -> bool {
        !self.is_finished() && !self.is_over(now)
    }

    /// Whether so many bytes may come, whatever they are.
    pub(super) fn may_append(&self, offset: u64, length: u64, close: bool) -> Result<(), Refused> {
        let (stored, reach) = (self.offset(), self.reach());
        let end = offset.saturating_add(length);
        match &self.data {
            Data::Sequential(_) => {
                if offset != stored {
                    return Err(json!({".tag": "incorrect_offset", "correct_offset": stored}));
                }
                if self.closed && length > 0 {
                    return Err(tag("closed"));
                }
            }
            Data::Concurrent(_, size) => {
                if !offset.is_multiple_of(BLOCK) {
                    return Err(tag("concurrent_session_invalid_offset"));
                }
                if !close && !length.is_multiple_of(BLOCK) {
                    return Err(tag("concurrent_session_invalid_data_size"));
                }
                if end > MOST {
                    return Err(tag("too_large"));
                }
                if size.is_some() && (end > reach || close && end != reach) {
                    return Err(tag("closed"));
                }
                if close && end < reach {
                    return Err(tag("concurrent_session_invalid_offset"));
                }
            }
        }
        Ok(())
    }

    /// Adds bytes that may come.
    pub(super) fn append(
        &mut self,
        offset: u64,
        close: bool,
        bytes: &Bytes,
    ) -> Result<(), Refused> {
        match &mut self.data {
            Data::Sequential(stored) => {
                *stored = joined([&*stored, bytes]);
                self.closed |= close;
            }
            Data::Concurrent(blocks, size) => {
                let length = bytes.len() as u64;
                let mut after = blocks.clone();
                for begin in (0..length).step_by(BLOCK as usize) {
                    let until = (begin + BLOCK).min(length);
                    let block = bytes.slice(begin as usize..until as usize);
                    let nth = (offset + begin) / BLOCK;
                    if *after.entry(nth).or_insert_with(|| block.clone()) != block {
                        return Err(match close && size.is_some() {
                            true => tag("closed"),
                            false => tag("concurrent_session_invalid_offset"),
                        });
                    }
                }
                *blocks = after;
                if close {
                    (*size, self.closed) = (Some(offset + length), true);
                }
            }
        }
        Ok(())
    }

    /// Whether it may be finished by a call with so many bytes, whatever they are.
    fn may_finish(&self, offset: u64, length: u64, batch: bool) -> Result<(), Refused> {
        let stored = self.offset();
        if self.is_concurrent() {
            if length > 0 {
                return Err(tag("concurrent_session_data_not_allowed"));
            }
            if !self.closed {
                return Err(tag("concurrent_session_not_closed"));
            }
            if stored < self.reach() {
                return Err(tag("concurrent_session_missing_data"));
            }
        }
        if offset != stored {
            let offset = json!({".tag": "incorrect_offset", "correct_offset": stored});
            return Err(under("lookup_failed", offset));
        }
        if batch && !self.closed {
            return Err(under("lookup_failed", tag("not_closed")));
        }
        if self.closed && length > 0 {
            return Err(under("lookup_failed", tag("closed")));
        }
        Ok(())
    }

    /// All its bytes, with those of a body.
    fn content(&self, body: &Body) -> Bytes {
        match &self.data {
            Data::Sequential(bytes) => joined([bytes, &body.bytes]),
            Data::Concurrent(blocks, _) => joined(blocks.values()),
        }
    }
}

impl Finished {
    /// The same finish once more: the session, the end offset and the commit are the same, and
    /// so is the body, if there is one.
    fn repeat(
        &self,
        created: i64,
        now: i64,
        offset: u64,
        commit: &Commit,
        body: &Body,
    ) -> Result<Value, Refused> {
        let until = (created + LIFE).max(self.at + DAY);
        let unknown = || Err(under("lookup_failed", tag("not_found")));
        if now >= until || *commit != self.commit {
            return unknown();
        }
        let end = offset.saturating_add(body.length());
        if end != self.content.len() as u64 {
            return unknown();
        }
        body.check()?;
        if self.content[offset as usize..] != body.bytes {
            return unknown();
        }
        self.answer.clone()
    }
}

impl Oracle {
    pub(super) fn start(
        &mut self,
        concurrent: bool,
        close: bool,
        body: &Body,
    ) -> Result<Value, Refused> {
        if concurrent && close {
            return Err(tag("concurrent_session_close_not_allowed"));
        }
        if concurrent && body.length() > 0 {
            return Err(tag("concurrent_session_data_not_allowed"));
        }
        self.room(body.length(), &Freed::default())?;
        body.check()?;
        Ok(json!({"session_id": self.new_session(concurrent, close, &body.bytes)}))
    }

    pub(super) fn new_session(&mut self, concurrent: bool, closed: bool, bytes: &Bytes) -> Symbol {
        self.sessions.push(Session {
            created: self.now,
            closed,
            data: match concurrent {
                true => Data::Concurrent(BTreeMap::new(), None),
                false => Data::Sequential(bytes.clone()),
            },
            finished: None,
            removed: false,
        });
        format!("<session {}>", self.sessions.len())
    }

    pub(super) fn find(&self, symbol: &Symbol) -> Option<&Session> {
        self.sessions.get(number(symbol)?)
    }

    fn session(&mut self, symbol: &Symbol) -> Option<&mut Session> {
        self.sessions.get_mut(number(symbol)?)
    }

    /// Whether the session of this number still takes bytes or a finish.
    pub(super) fn is_usable(&self, nth: usize) -> bool {
        self.sessions[nth].is_usable(self.now)
    }

    /// The session, if it still takes bytes or a finish.
    pub(super) fn usable(&self, symbol: &Symbol) -> Option<&Session> {
        self.find(symbol)
            .filter(|session| session.is_usable(self.now))
    }

    /// Whether the call is a finish of a session that is finished.
    pub fn is_finished(&self, call: &Call) -> bool {
        let finished =
            |cursor: &Cursor| self.find(&cursor.session).is_some_and(Session::is_finished);
        matches!(call, Call::Finish { cursor, .. } if finished(cursor))
    }

    pub(super) fn append(
        &mut self,
        cursor: &Cursor,
        close: bool,
        body: &Body,
    ) -> Result<(), Refused> {
        let (offset, length) = (cursor.offset, body.length());
        let session = self.usable(&cursor.session);
        let session = session.ok_or_else(|| tag("not_found"))?;
        session.may_append(offset, length, close)?;
        self.room(length, &session.there_already(offset, length))?;
        body.check()?;
        self.add(cursor, close, &body.bytes)
    }

    /// The same without a look at the quota.
    pub(super) fn add(
        &mut self,
        cursor: &Cursor,
        close: bool,
        bytes: &Bytes,
    ) -> Result<(), Refused> {
        let now = self.now;
        let session = self.session(&cursor.session);
        let session = session.filter(|session| session.is_usable(now));
        let session = session.ok_or_else(|| tag("not_found"))?;
        session.may_append(cursor.offset, bytes.len() as u64, close)?;
        session.append(cursor.offset, close, bytes)
    }

    pub(super) fn append_batch(
        &mut self,
        parts: &[(Cursor, u64, bool)],
        body: &Body,
    ) -> Result<Value, Refused> {
        let whole: u64 = parts.iter().map(|(_, length, _)| length).sum();
        if !body.huge && whole != body.length() {
            return Err(tag("length_mismatch"));
        }
        self.room(whole.max(body.length()), &self.spared(parts))?;
        body.check()?;
        let mut rest = body.bytes.clone();
        let entries = parts.iter().map(|(cursor, length, close)| {
            let part = rest.split_to(*length as usize);
            let appended = self.add(cursor, *close, &part);
            self.entry("append_batch", appended.map(|()| Value::Null))
        });
        let entries: Vec<Value> = entries.collect();
        Ok(json!({ "entries": entries }))
    }

    pub(super) fn finish(
        &mut self,
        cursor: &Cursor,
        commit: &Commit,
        body: &Body,
        batch: bool,
    ) -> Result<Value, Refused> {
        let now = self.now;
        let unknown = || Err(under("lookup_failed", tag("not_found")));
        let Some(session) = self.session(&cursor.session) else {
            return unknown();
        };
        if let Some(finished) = &session.finished {
            return finished.repeat(session.created, now, cursor.offset, commit, body);
        }
        if !session.is_usable(now) {
            return unknown();
        }
        session.may_finish(cursor.offset, body.length(), batch)?;
        let content = session.content(body);
        let freed = Freed {
            bytes: self.tree.replaced(commit),
            before: cursor.offset,
        };
        if self.room(body.length(), &freed).is_err() {
            return Err(under("path", tag("insufficient_space")));
        }
        body.check()?;
        let session = self.session(&cursor.session).expect("it was there");
        // Whatever becomes of the commit, the body is a part of the session now.
        if let Data::Sequential(bytes) = &mut session.data {
            *bytes = content.clone();
        }
        let saved = self.tree.commit(commit, &content, now);
        let answer = told(saved.map_err(|error| under("path", error))?, commit);
        let finished = Finished {
            at: now,
            commit: commit.clone(),
            content,
            answer: answer.clone(),
        };
        let session = self.session(&cursor.session).expect("it was there");
        session.finished = Some(finished);
        answer
    }

    pub(super) fn upload(&mut self, commit: &Commit, body: &Body) -> Result<Value, Refused> {
        let freed = Freed {
            bytes: self.tree.replaced(commit),
            before: 0,
        };
        let (saved, kept) = match self.room(body.length(), &freed) {
            Ok(()) => {
                body.check()?;
                (
                    self.tree.commit(commit, &body.bytes, self.now),
                    body.bytes.clone(),
                )
            }
            Err(_) => (Err(tag("insufficient_space")), Bytes::new()),
        };
        match saved {
            Ok(saved) => told(saved, commit),
            Err(reason) => {
                let kept = self.new_session(false, false, &kept);
                Err(json!({".tag": "path", "reason": reason, "upload_session_id": kept}))
            }
        }
    }
}

/// What is told of a file that was saved: there are no templates of properties, so it has none.
fn told(saved: Value, commit: &Commit) -> Result<Value, Refused> {
    match commit.properties {
        false => Ok(saved),
        true => {
            let unknown = json!({".tag": "template_not_found", "template_not_found": "ptid:none"});
            Err(under("properties_error", unknown))
        }
    }
}

/// The place of a session in the list.
fn number(symbol: &Symbol) -> Option<usize> {
    let number = symbol.strip_prefix("<session ")?.strip_suffix('>')?;
    number.parse::<usize>().ok()?.checked_sub(1)
}

fn joined<'b>(parts: impl IntoIterator<Item = &'b Bytes>) -> Bytes {
    let mut parts: Vec<&Bytes> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    match parts.len() {
        0 => Bytes::new(),
        1 => parts.remove(0).clone(),
        _ => {
            let mut whole = BytesMut::new();
            parts.iter().for_each(|part| whole.extend_from_slice(part));
            whole.freeze()
        }
    }
}
