//! How a plan is to be carried out, and what came of it.

use super::existing::LookFailure;
use super::if_exists::IfExists;
use super::outcome::{Outcome, OutcomeUnknown, UploadFailure, Uploaded};
use super::plan::PlanError;
use super::walk::WalkError;
use landfall_protocol::path::{Malformed, WritePathOrId};
use landfall_protocol::types::files::{CommitInfo, WriteError};
use landfall_protocol::types::sessions::UploadSessionFinishError;
use landfall_protocol::{DisplayPath, Timestamp};

/// How files are saved.
#[derive(Clone, Debug)]
pub struct PutOptions {
    /// What to do about a file that is there.
    pub if_exists: IfExists,
    /// Whether files keep the time of their last change. Default: yes.
    pub mtime: bool,
    /// Raise no notification in the user's clients. Default: no.
    pub mute: bool,
    /// Delete what is below the places of folders and not in the folders, if these are no more
    /// files than so many. What the patterns of a walk leave out is left alone, and nothing is
    /// deleted unless all files of the plan are at their places. Default: nothing is deleted.
    pub delete: Option<u64>,
}

impl Default for PutOptions {
    fn default() -> Self {
        Self {
            if_exists: IfExists::default(),
            mtime: true,
            mute: false,
            delete: None,
        }
    }
}

impl PutOptions {
    /// The commit of a file that was last changed then.
    pub(super) fn commit(&self, there: &DisplayPath, modified: Option<Timestamp>) -> CommitInfo {
        let path = WritePathOrId::parse(there.as_str()).expect("it is a path");
        let (mode, autorename) = self.if_exists.mode();
        CommitInfo {
            mode,
            autorename,
            client_modified: modified.filter(|_| self.mtime),
            mute: self.mute,
            ..CommitInfo::new(path)
        }
    }

    /// The verdict on a file whose upload ended so.
    pub(super) fn verdict(&self, outcome: Outcome) -> Verdict {
        match outcome {
            Outcome::Done(uploaded) => Verdict::Uploaded(uploaded),
            // Somebody else was quicker, which is what `Skip` is for.
            Outcome::Refused(failure)
                if self.if_exists == IfExists::Skip && is_in_the_way(&failure) =>
            {
                Verdict::Skipped
            }
            Outcome::Refused(failure) => Verdict::Refused(failure),
            Outcome::Unknown(unknown) => Verdict::Unknown(unknown),
        }
    }
}

/// A plan is not carried out; nothing was sent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PutFailure {
    /// It can't be told what is there.
    #[error(transparent)]
    Look(#[from] LookFailure),
    /// The account has less space than what is new takes.
    #[error(
        "{needed} bytes are to be sent, and the account has room for {free}; make room, or leave \
         something out"
    )]
    NoRoom {
        /// Bytes that are not there yet.
        needed: u64,
        /// Bytes that the account still takes.
        free: u64,
    },
    /// The place can't be one.
    #[error("can't save at {path}: {why}; choose another path")]
    BadPath {
        /// The place.
        path: String,
        /// The rule.
        why: Malformed,
    },
    /// The folder can't be walked.
    #[error(transparent)]
    Walk(#[from] WalkError),
    /// Its paths get too long there.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// More would be deleted than is allowed.
    #[error(
        "{files} files are there that are not here, and no more than {most} may be deleted; look at \
         what they are, and allow more"
    )]
    TooManyDeletions {
        /// Files that would be deleted.
        files: u64,
        /// Files that may be.
        most: u64,
    },
}

/// What became of a file.
#[derive(Debug)]
#[non_exhaustive]
pub enum Verdict {
    /// It is at its path, whole and verified, once.
    Uploaded(Box<Uploaded>),
    /// Its bytes were there before, and nothing was sent.
    AlreadyThere,
    /// Something is there, and is left alone.
    Skipped,
    /// It would be sent; nothing is, in a rehearsal.
    Would,
    /// It was not saved; see [`Outcome::Refused`](super::Outcome::Refused).
    Refused(UploadFailure),
    /// It can't be told whether it was saved.
    Unknown(OutcomeUnknown),
}

/// How many files ended how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Files that were saved, or would be.
    pub uploaded: u64,
    /// Bytes in them.
    pub bytes: u64,
    /// Files whose bytes were there before.
    pub already_there: u64,
    /// Files that were left out because something is there.
    pub skipped: u64,
    /// Files that were not saved.
    pub refused: u64,
    /// Files of which it can't be told.
    pub unknown: u64,
    /// Empty folders that were made.
    pub folders: u64,
    /// Files that were deleted, or would be.
    pub deleted: u64,
}

impl Summary {
    /// Whether all is at its place, or was to be left out.
    pub fn is_complete(&self) -> bool {
        self.refused == 0 && self.unknown == 0
    }

    pub(super) fn count(&mut self, size: u64, verdict: &Verdict) {
        match verdict {
            Verdict::Uploaded(_) | Verdict::Would => {
                self.uploaded += 1;
                self.bytes += size;
            }
            Verdict::AlreadyThere => self.already_there += 1,
            Verdict::Skipped => self.skipped += 1,
            Verdict::Refused(_) => self.refused += 1,
            Verdict::Unknown(_) => self.unknown += 1,
        }
    }
}

/// Whether something else is at the path.
fn is_in_the_way(failure: &UploadFailure) -> bool {
    match failure {
        UploadFailure::Exists { .. } => true,
        UploadFailure::Finish(error) => matches!(
            error.route_error(),
            Some(UploadSessionFinishError::Path(WriteError::Conflict(_)))
        ),
        _ => false,
    }
}
