//! Whether an account's quota allows a body, found out before the body is read.
//!
//! The commit measures exactly, but only what is committed; an account with a quota must not
//! fill the disk by sessions that it never finishes, so here they count too. It is a look at a
//! recent state, without a lock: bodies that come at the same time may find the same room, and
//! the next one finds it taken.

use super::{Caller, Service};
use crate::meta::rows::{ContentId, FileOffset};
use crate::meta::{Loads, MetaError, Target};
use crate::rules::commit::freed;
use crate::rules::quota::{Filled, left};
use landfall_protocol::types::files::{CommitInfo, WriteMode};
use std::ops::Range;

/// The account has no room for a body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, thiserror::Error)]
#[error(
    "The account is full: its quota is {quota} bytes, {used} are in files and {unfinished} in unfinished uploads. Delete what isn't needed, or ask the operator of the server for more."
)]
pub struct OverQuota {
    quota: u64,
    used: u64,
    unfinished: u64,
}

/// How many bytes of a body an account may take in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Allowance(Option<Limit>);

#[derive(Clone, Copy, Debug)]
struct Limit {
    bytes: u64,
    full: OverQuota,
}

impl Allowance {
    /// As many as come.
    pub(super) const ANY: Self = Self(None);

    /// Whether so many are allowed; nothing always is.
    pub(super) fn allows(self, bytes: u64) -> Result<(), OverQuota> {
        match self.0 {
            Some(limit) if bytes > limit.bytes && bytes > 0 => Err(limit.full),
            _ => Ok(()),
        }
    }
}

/// By how much less than its length a body fills the account.
#[derive(Clone, Debug, Default)]
pub(super) struct Spared {
    /// The place that it is committed to, how, and how many bytes come before it.
    commit: Option<(Target, WriteMode, u64)>,
    /// Pieces of it that may be stored already, because they were sent before.
    again: Vec<(ContentId, Range<FileOffset>)>,
    /// Bytes of it that nobody will keep.
    refused: u64,
}

impl Spared {
    /// A body that is committed after `before` bytes of its session.
    pub(super) fn by_commit(caller: &Caller, info: &CommitInfo, before: u64) -> Self {
        let target = caller.writable(info.path.form()).ok();
        Self {
            commit: target.map(|target| (target, info.mode.clone(), before)),
            ..Self::default()
        }
    }

    /// A piece of a session that may have come before.
    pub(super) fn again(&mut self, content: &ContentId, begin: u64, length: u64) {
        let range = FileOffset(begin)..FileOffset(begin.saturating_add(length));
        self.again.push((content.clone(), range));
    }

    /// Bytes that are refused when they are there.
    pub(super) fn refused(&mut self, bytes: u64) {
        self.refused = self.refused.saturating_add(bytes);
    }
}

impl Service {
    /// How much of a body the caller's account may take in.
    pub(super) async fn allowance(
        &self,
        caller: &Caller,
        spared: Spared,
    ) -> Result<Allowance, MetaError> {
        if !caller.limited {
            return Ok(Allowance::ANY);
        }
        let (ns, account) = (caller.ns(), caller.account.id.clone());
        let question = move |loads: &mut dyn Loads| {
            let namespace = loads.namespace(ns)?;
            let Some(quota) = namespace.quota else {
                return Ok(Allowance::ANY);
            };
            let (used, unfinished) = (namespace.used, loads.unfinished(&account)?);
            let mut filled = Filled {
                quota,
                used,
                unfinished,
                ..Filled::default()
            };
            if let Some((target, mode, before)) = &spared.commit {
                let node = loads.lookup(ns, target)?;
                filled.freed = freed(node.as_ref(), mode);
                filled.before = *before;
            }
            let mut bytes = left(filled).saturating_add(spared.refused);
            for (content, range) in spared.again {
                for piece in loads.pieces(&content, range.clone())? {
                    let begin = piece.offset.0.max(range.start.0);
                    let end = (piece.offset.0 + piece.length).min(range.end.0);
                    bytes = bytes.saturating_add(end.saturating_sub(begin));
                }
            }
            let full = OverQuota {
                quota,
                used,
                unfinished,
            };
            Ok(Allowance(Some(Limit { bytes, full })))
        };
        self.meta.read(question).await
    }
}
