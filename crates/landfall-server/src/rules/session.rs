//! What may be done to a session: the offsets rule, and what a finish needs.

use super::planted::{Fault, planted};
use crate::meta::rows::{Session, SessionBytes, SessionState};
use crate::sys::Micros;
use landfall_protocol::limits;
use landfall_protocol::types::batches::UploadSessionAppendBatchEntryError;
use landfall_protocol::types::sessions::{
    UploadSessionAppendError, UploadSessionFinishError, UploadSessionLookupError,
    UploadSessionOffsetError,
};

/// Why a session can't take a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Unknown, somebody else's, too old, or finished.
    NotFound,
    /// It holds another number of bytes: this one.
    IncorrectOffset(u64),
    /// It takes no more bytes.
    Closed,
    /// The file would be too large.
    TooLarge,
    /// Concurrent: the offset is no whole number of blocks, or other bytes are there.
    InvalidOffset,
    /// Concurrent: the length is no whole number of blocks.
    InvalidDataSize,
}

/// Why a session can't be finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FinishRefusal {
    /// As for a body.
    Session(Refusal),
    /// In a batch: it still takes bytes.
    NotClosed,
    /// Concurrent: a finish has no body.
    DataNotAllowed,
    /// Concurrent: no piece has closed it.
    ConcurrentNotClosed,
    /// Concurrent: it has holes.
    MissingData,
}

/// How a session is finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finishing {
    /// By itself; the request may have brought the last bytes.
    Alone,
    /// In a batch: it must be closed.
    InBatch,
}

/// A session that takes the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accepted<'a> {
    /// The body goes to the session's end.
    AtEnd(&'a Session),
    /// Nothing is left to do: the session is closed and the body empty. rclone closes like
    /// this after a lost answer.
    Nothing,
}

/// The session as it can still be used: not finished, not older than its life.
///
/// # Errors
/// [`Refusal::NotFound`]
pub fn usable(session: Option<&Session>, now: Micros) -> Result<&Session, Refusal> {
    session
        .filter(|session| session.state != SessionState::Committed)
        .filter(|session| {
            now < session.created.plus_seconds(limits::SESSION_LIFE) || planted(Fault::Ageless)
        })
        .ok_or(Refusal::NotFound)
}

/// Whether a body of `length` bytes may be appended to a sequential session at `offset`. Before
/// the body came, `length` is what is known of it: a lower bound.
///
/// The order of the checks is the API's as far as it is known: a repeated closing append gets
/// the offset, not `closed`, and its sender takes that for success.
///
/// # Errors
/// The first check that fails.
pub fn may_append(
    session: Option<&Session>,
    now: Micros,
    offset: u64,
    length: u64,
) -> Result<Accepted<'_>, Refusal> {
    let session = usable(session, now)?;
    at_end(session, offset)?;
    if session.state == SessionState::Closed && !planted(Fault::Reopened) {
        return if length == 0 {
            Ok(Accepted::Nothing)
        } else {
            Err(Refusal::Closed)
        };
    }
    fits(session, length)?;
    Ok(Accepted::AtEnd(session))
}

/// Whether a session may be finished by a call with a body of `length` bytes at `offset`.
///
/// # Errors
/// The first check that fails.
pub fn may_finish(
    session: Option<&Session>,
    now: Micros,
    offset: u64,
    length: u64,
    finishing: Finishing,
) -> Result<&Session, FinishRefusal> {
    let session = usable(session, now)?;
    let open = session.state == SessionState::Open;
    match session.bytes {
        SessionBytes::Concurrent { .. } if length > 0 => return Err(FinishRefusal::DataNotAllowed),
        SessionBytes::Concurrent { .. } if open => return Err(FinishRefusal::ConcurrentNotClosed),
        SessionBytes::Concurrent { stored, end } if stored < end && !planted(Fault::Holes) => {
            return Err(FinishRefusal::MissingData);
        }
        _ => {}
    }
    at_end(session, offset)?;
    if finishing == Finishing::InBatch && open && !planted(Fault::OpenInBatch) {
        return Err(FinishRefusal::NotClosed);
    }
    if !open && length > 0 {
        return Err(Refusal::Closed.into());
    }
    fits(session, length)?;
    Ok(session)
}

fn at_end(session: &Session, offset: u64) -> Result<(), Refusal> {
    match session.stored() {
        stored if stored == offset || planted(Fault::AnyOffset) => Ok(()),
        stored => Err(Refusal::IncorrectOffset(stored)),
    }
}

fn fits(session: &Session, length: u64) -> Result<(), Refusal> {
    match session.stored().checked_add(length) {
        Some(total) if total <= limits::FILE_SIZE => Ok(()),
        _ => Err(Refusal::TooLarge),
    }
}

/// The same refusals have a type of their own in each place of the API.
macro_rules! refusals {
    ($($error:ident),*) => {
        $( impl From<Refusal> for $error {
            fn from(refusal: Refusal) -> Self {
                match refusal {
                    Refusal::NotFound => Self::NotFound,
                    Refusal::IncorrectOffset(correct_offset) => {
                        Self::IncorrectOffset(UploadSessionOffsetError { correct_offset })
                    }
                    Refusal::Closed => Self::Closed,
                    Refusal::TooLarge => Self::TooLarge,
                    Refusal::InvalidOffset => Self::ConcurrentSessionInvalidOffset,
                    Refusal::InvalidDataSize => Self::ConcurrentSessionInvalidDataSize,
                }
            }
        } )*
    };
}

refusals!(
    UploadSessionAppendError,
    UploadSessionAppendBatchEntryError,
    UploadSessionLookupError
);

impl From<Refusal> for FinishRefusal {
    fn from(refusal: Refusal) -> Self {
        Self::Session(refusal)
    }
}

impl From<FinishRefusal> for UploadSessionFinishError {
    fn from(refusal: FinishRefusal) -> Self {
        match refusal {
            FinishRefusal::Session(refusal) => Self::LookupFailed(refusal.into()),
            FinishRefusal::NotClosed => Self::LookupFailed(UploadSessionLookupError::NotClosed),
            FinishRefusal::DataNotAllowed => Self::ConcurrentSessionDataNotAllowed,
            FinishRefusal::ConcurrentNotClosed => Self::ConcurrentSessionNotClosed,
            FinishRefusal::MissingData => Self::ConcurrentSessionMissingData,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Accepted, FinishRefusal, Finishing, Refusal, may_append};
    use crate::meta::rows::{ContentId, Session, SessionBytes, SessionState};
    use crate::sys::Micros;
    use landfall_protocol::{AccountId, SessionId, limits};

    const NOW: Micros = Micros(1_000_000);

    fn session(state: SessionState, length: u64) -> Session {
        Session {
            id: SessionId::from_stored("s"),
            account: AccountId::from_stored("a"),
            created: Micros(0),
            state,
            content: ContentId("c".into()),
            bytes: SessionBytes::Sequential {
                length,
                hasher: Vec::new(),
            },
        }
    }

    fn concurrent(state: SessionState, stored: u64, end: u64) -> Session {
        Session {
            bytes: SessionBytes::Concurrent { stored, end },
            ..session(state, 0)
        }
    }

    fn may_finish(
        session: Option<&Session>,
        now: Micros,
        offset: u64,
        length: u64,
    ) -> Result<&Session, FinishRefusal> {
        super::may_finish(session, now, offset, length, Finishing::Alone)
    }

    #[test]
    fn a_concurrent_session_is_finished_whole_closed_and_without_a_body() {
        let open = concurrent(SessionState::Open, 10, 10);
        let holes = concurrent(SessionState::Closed, 9, 10);
        let whole = concurrent(SessionState::Closed, 10, 10);
        let finish = |session, offset, length| may_finish(Some(session), NOW, offset, length);
        for session in [&open, &holes, &whole] {
            assert_eq!(finish(session, 10, 1), Err(FinishRefusal::DataNotAllowed));
        }
        assert_eq!(
            finish(&open, 10, 0),
            Err(FinishRefusal::ConcurrentNotClosed)
        );
        assert_eq!(finish(&holes, 10, 0), Err(FinishRefusal::MissingData));
        assert_eq!(
            finish(&whole, 9, 0),
            Err(Refusal::IncorrectOffset(10).into())
        );
        assert_eq!(finish(&whole, 10, 0), Ok(&whole));
    }

    #[test]
    fn in_a_batch_a_session_must_be_closed() {
        let open = session(SessionState::Open, 10);
        let closed = session(SessionState::Closed, 10);
        let finish =
            |session, offset| super::may_finish(Some(session), NOW, offset, 0, Finishing::InBatch);
        assert_eq!(finish(&open, 10), Err(FinishRefusal::NotClosed));
        assert_eq!(finish(&open, 9), Err(Refusal::IncorrectOffset(10).into()));
        assert_eq!(finish(&closed, 10), Ok(&closed));
    }

    #[test]
    fn a_session_takes_bytes_at_its_end_only() {
        let open = session(SessionState::Open, 10);
        assert_eq!(
            may_append(Some(&open), NOW, 10, 5),
            Ok(Accepted::AtEnd(&open))
        );
        for offset in [0, 9, 11, u64::MAX] {
            assert_eq!(
                may_append(Some(&open), NOW, offset, 5),
                Err(Refusal::IncorrectOffset(10))
            );
            assert_eq!(
                may_finish(Some(&open), NOW, offset, 0),
                Err(Refusal::IncorrectOffset(10).into())
            );
        }
    }

    #[test]
    fn a_closed_session_takes_nothing_but_its_own_end() {
        let closed = session(SessionState::Closed, 10);
        assert_eq!(
            may_append(Some(&closed), NOW, 5, 5),
            Err(Refusal::IncorrectOffset(10))
        );
        assert_eq!(may_append(Some(&closed), NOW, 10, 1), Err(Refusal::Closed));
        assert_eq!(may_append(Some(&closed), NOW, 10, 0), Ok(Accepted::Nothing));
        assert_eq!(may_finish(Some(&closed), NOW, 10, 0), Ok(&closed));
        assert_eq!(
            may_finish(Some(&closed), NOW, 10, 1),
            Err(Refusal::Closed.into())
        );
    }

    #[test]
    fn finished_and_aged_sessions_are_not_found() {
        assert_eq!(may_append(None, NOW, 0, 1), Err(Refusal::NotFound));
        let finished = session(SessionState::Committed, 10);
        assert_eq!(
            may_append(Some(&finished), NOW, 10, 1),
            Err(Refusal::NotFound)
        );
        let open = session(SessionState::Open, 10);
        let end = Micros(0).plus_seconds(limits::SESSION_LIFE);
        assert!(may_append(Some(&open), Micros(end.0 - 1), 10, 1).is_ok());
        assert_eq!(may_append(Some(&open), end, 10, 1), Err(Refusal::NotFound));
        assert_eq!(
            may_finish(Some(&open), end, 10, 0),
            Err(Refusal::NotFound.into())
        );
    }

    #[test]
    fn a_file_ends_at_the_size_limit() {
        let open = session(SessionState::Open, limits::FILE_SIZE - 5);
        assert!(may_append(Some(&open), NOW, limits::FILE_SIZE - 5, 5).is_ok());
        assert_eq!(
            may_append(Some(&open), NOW, limits::FILE_SIZE - 5, 6),
            Err(Refusal::TooLarge)
        );
        assert_eq!(
            may_finish(Some(&open), NOW, limits::FILE_SIZE - 5, 6),
            Err(Refusal::TooLarge.into())
        );
    }
}
