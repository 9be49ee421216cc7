//! What to do after a call failed: by call, by what the answer says, and by whether an attempt
//! before it may have been carried out.
//!
//! The first table is [`CallError::class`](crate::CallError::class): what is temporary, and what
//! nobody can read, is sent again, to the letter. What is left are answers that say something of
//! the session, and the tables here, one for each kind of call. They are pure decisions; others
//! carry them out.

use landfall_protocol::types::batches::UploadSessionAppendBatchEntryError;
use landfall_protocol::types::sessions::UploadSessionAppendError;

/// What to do after the service said which offset is right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AfterOffset {
    /// The bytes are all there: an earlier attempt arrived, only its answer was lost.
    Done,
    /// Send the bytes from this offset on.
    SendFrom(u64),
    /// The session holds something that this upload didn't put there.
    Lost,
}

/// An append of `begin..end` was refused because the session holds `correct` bytes.
pub(super) fn after_offset(begin: u64, end: u64, correct: u64) -> AfterOffset {
    if correct == end {
        AfterOffset::Done
    } else if (begin..end).contains(&correct) {
        AfterOffset::SendFrom(correct)
    } else {
        AfterOffset::Lost
    }
}

/// What to do after a piece of a concurrent session was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AfterPiece {
    /// The bytes are there: an earlier attempt arrived, in this run or in one before it.
    Done,
    /// The session is gone: begin another one.
    SessionGone,
    /// See the table of classes.
    ByClass,
}

/// A piece was refused with this error. `uncertain`: an earlier attempt may have arrived;
/// `closing`: it is the one that closes the session.
///
/// What a service says to bytes that it has already is not in the specification. Landfall's
/// answers 200 if they are the same. Whatever else is said, the finish holds the hash of all
/// bytes against ours.
pub(super) fn after_piece(
    error: &UploadSessionAppendError,
    uncertain: bool,
    closing: bool,
) -> AfterPiece {
    match error {
        UploadSessionAppendError::NotFound => AfterPiece::SessionGone,
        UploadSessionAppendError::Closed if uncertain && closing => AfterPiece::Done,
        // Closed before all was there, by nobody that we know of.
        UploadSessionAppendError::Closed => AfterPiece::SessionGone,
        UploadSessionAppendError::IncorrectOffset(_)
        | UploadSessionAppendError::ConcurrentSessionInvalidOffset
            if uncertain =>
        {
            AfterPiece::Done
        }
        _ => AfterPiece::ByClass,
    }
}

/// What to do about a file of a batch whose bytes were not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AfterEntry {
    /// They are there.
    Done,
    /// Send the file again, in a session of its own.
    Again,
    /// It will not be taken.
    Refused,
}

/// The whole content of a file, `size` bytes, was refused with this error.
pub(super) fn after_entry(
    error: &UploadSessionAppendBatchEntryError,
    size: u64,
    uncertain: bool,
) -> AfterEntry {
    match error {
        UploadSessionAppendBatchEntryError::IncorrectOffset(at) if at.correct_offset == size => {
            AfterEntry::Done
        }
        UploadSessionAppendBatchEntryError::Closed if uncertain => AfterEntry::Done,
        UploadSessionAppendBatchEntryError::TooLarge => AfterEntry::Refused,
        // The session is gone, or not what it was thought to be; so are errors that are newer
        // than this code.
        _ => AfterEntry::Again,
    }
}

/// What to do after a finish was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AfterFinish {
    /// The refusal is the answer.
    Refused,
    /// An earlier finish may have saved the file: look what is at the target.
    LookAtTarget,
    /// An earlier finish may have saved the file under a name that can't be known.
    Unknown,
}

/// A finish failed for good. `refusal` are the tags of an answer that settles it, if that is
/// what came; `uncertain`: this attempt or one before it may have been carried out.
pub(super) fn after_finish(
    refusal: Option<&str>,
    uncertain: bool,
    autorename: bool,
) -> AfterFinish {
    let open = match refusal {
        // The file in the way (with strict_conflict) may be the one that the session became.
        Some("path/conflict/file") => true,
        // What refuses the path or counts the bytes has the session before it, unfinished.
        Some("lookup_failed/incorrect_offset" | "lookup_failed/not_closed") => false,
        Some(tags) if tags.starts_with("path/") => false,
        // The session is gone, maybe because it was finished; or the refusal, or what came
        // instead of one, says nothing of the session.
        Some(_) | None => true,
    };
    match (uncertain && open, autorename) {
        (false, _) => AfterFinish::Refused,
        (true, false) => AfterFinish::LookAtTarget,
        (true, true) => AfterFinish::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::{
        AfterEntry, AfterFinish, AfterOffset, AfterPiece, after_entry, after_finish, after_offset,
        after_piece,
    };
    use landfall_protocol::types::batches::UploadSessionAppendBatchEntryError as EntryError;
    use landfall_protocol::types::sessions::{
        UploadSessionAppendError as PieceError, UploadSessionOffsetError,
    };

    #[test]
    fn the_right_offset_tells_what_became_of_an_append() {
        let cases = [
            (8, AfterOffset::Done),
            (4, AfterOffset::SendFrom(4)),
            (6, AfterOffset::SendFrom(6)),
            (3, AfterOffset::Lost),
            (9, AfterOffset::Lost),
            (0, AfterOffset::Lost),
        ];
        for (correct, wanted) in cases {
            assert_eq!(after_offset(4, 8, correct), wanted, "{correct}");
        }
        assert_eq!(after_offset(8, 8, 8), AfterOffset::Done);
    }

    #[test]
    fn a_piece_is_there_if_it_may_have_arrived_and_the_session_says_so() {
        use AfterPiece::{ByClass, Done, SessionGone};
        let offset = PieceError::IncorrectOffset(UploadSessionOffsetError { correct_offset: 1 });
        // For a piece that: may be there; may be there and closes; was never sent.
        let cases = [
            (
                PieceError::NotFound,
                [SessionGone, SessionGone, SessionGone],
            ),
            (PieceError::Closed, [SessionGone, Done, SessionGone]),
            (offset, [Done, Done, ByClass]),
            (
                PieceError::ConcurrentSessionInvalidOffset,
                [Done, Done, ByClass],
            ),
            (PieceError::ContentHashMismatch, [ByClass, ByClass, ByClass]),
            (PieceError::TooLarge, [ByClass, ByClass, ByClass]),
        ];
        for (error, [sent, closing, new]) in cases {
            assert_eq!(after_piece(&error, true, false), sent, "{error:?}");
            assert_eq!(after_piece(&error, true, true), closing, "{error:?}");
            assert_eq!(after_piece(&error, false, true), new, "{error:?}");
        }
    }

    #[test]
    fn only_a_file_that_fails_is_sent_again() {
        let held = |bytes| {
            EntryError::IncorrectOffset(UploadSessionOffsetError {
                correct_offset: bytes,
            })
        };
        let cases = [
            (held(7), AfterEntry::Done, AfterEntry::Done),
            (held(3), AfterEntry::Again, AfterEntry::Again),
            (EntryError::Closed, AfterEntry::Done, AfterEntry::Again),
            (EntryError::NotFound, AfterEntry::Again, AfterEntry::Again),
            (
                EntryError::TooLarge,
                AfterEntry::Refused,
                AfterEntry::Refused,
            ),
        ];
        for (error, sent, new) in cases {
            assert_eq!(after_entry(&error, 7, true), sent, "{error:?}");
            assert_eq!(after_entry(&error, 7, false), new, "{error:?}");
        }
    }

    #[test]
    fn a_finish_is_only_doubted_if_one_before_it_may_have_worked() {
        use AfterFinish::{LookAtTarget, Refused, Unknown};
        let cases = [
            (Some("lookup_failed/not_found"), LookAtTarget, Unknown),
            (Some("lookup_failed/closed"), LookAtTarget, Unknown),
            (Some("path/conflict/file"), LookAtTarget, Unknown),
            (Some("path/insufficient_space"), Refused, Refused),
            (Some("path/conflict/folder"), Refused, Refused),
            (Some("lookup_failed/incorrect_offset"), Refused, Refused),
            (Some("lookup_failed/other"), LookAtTarget, Unknown),
            (Some("other"), LookAtTarget, Unknown),
            (Some("news"), LookAtTarget, Unknown),
            (None, LookAtTarget, Unknown),
        ];
        for (refusal, plain, renaming) in cases {
            assert_eq!(after_finish(refusal, true, false), plain, "{refusal:?}");
            assert_eq!(after_finish(refusal, true, true), renaming, "{refusal:?}");
            for autorename in [false, true] {
                assert_eq!(after_finish(refusal, false, autorename), Refused);
            }
        }
    }
}
