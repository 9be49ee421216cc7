//! What may be done to a sequential session: offsets rule.

use crate::meta::rows::{Session, SessionState};
use crate::sys::Micros;
use landfall_protocol::limits;
use landfall_protocol::types::sessions::{
    UploadSessionAppendError, UploadSessionLookupError, UploadSessionOffsetError,
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
        .filter(|session| now < session.created.plus_seconds(limits::SESSION_LIFE))
        .ok_or(Refusal::NotFound)
}

/// Whether a body of `length` bytes may be appended at `offset`. Before the body came, `length`
/// is what is known of it: a lower bound.
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
    if offset != session.length {
        return Err(Refusal::IncorrectOffset(session.length));
    }
    if session.state == SessionState::Closed {
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
) -> Result<&Session, Refusal> {
    let session = usable(session, now)?;
    if offset != session.length {
        return Err(Refusal::IncorrectOffset(session.length));
    }
    if session.state == SessionState::Closed && length > 0 {
        return Err(Refusal::Closed);
    }
    fits(session, length)?;
    Ok(session)
}

fn fits(session: &Session, length: u64) -> Result<(), Refusal> {
    match session.length.checked_add(length) {
        Some(total) if total <= limits::FILE_SIZE => Ok(()),
        _ => Err(Refusal::TooLarge),
    }
}

impl From<Refusal> for UploadSessionAppendError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NotFound => Self::NotFound,
            Refusal::IncorrectOffset(correct_offset) => {
                Self::IncorrectOffset(UploadSessionOffsetError { correct_offset })
            }
            Refusal::Closed => Self::Closed,
            Refusal::TooLarge => Self::TooLarge,
        }
    }
}

impl From<Refusal> for UploadSessionLookupError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NotFound => Self::NotFound,
            Refusal::IncorrectOffset(correct_offset) => {
                Self::IncorrectOffset(UploadSessionOffsetError { correct_offset })
            }
            Refusal::Closed => Self::Closed,
            Refusal::TooLarge => Self::TooLarge,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Accepted, Refusal, may_append, may_finish};
    use crate::meta::rows::{ContentId, Session, SessionState};
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
            length,
            hasher: Vec::new(),
        }
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
                Err(Refusal::IncorrectOffset(10))
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
        assert_eq!(may_finish(Some(&closed), NOW, 10, 1), Err(Refusal::Closed));
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
        assert_eq!(may_finish(Some(&open), end, 10, 0), Err(Refusal::NotFound));
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
            Err(Refusal::TooLarge)
        );
    }
}
