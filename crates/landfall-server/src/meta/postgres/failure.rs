//! What an error of PostgreSQL means.

use super::link::Statement;
use crate::meta::MetaError;
use tokio_postgres::Error;
use tokio_postgres::error::{DbError, SqlState};

/// Why a flight failed.
#[derive(Debug)]
pub(super) enum Failed {
    /// The transaction did not and will not take place.
    Refused(MetaError),
    /// The answer didn't come. If the flight had a commit in it, that may have taken place.
    Broken(String),
}

impl Failed {
    /// Before anything of the flight was sent.
    pub(super) fn before(error: &Error) -> Self {
        Self::Refused(lost(error))
    }

    /// Instead of going on with a transaction whose connection is gone.
    pub(super) fn lost() -> Self {
        let reason = "the connection was lost in the middle of a transaction";
        Self::Refused(MetaError::Failed(reason.into()))
    }

    /// Instead of the rows of a statement; `None`: of the beginning of the transaction. An error
    /// ends the transaction, so a commit that was sent after it rolls back.
    pub(super) fn of(error: &Error, statement: Option<&Statement<'_>>) -> Self {
        match error.as_db_error() {
            None => Self::Broken(told(error)),
            Some(refusal) => Self::Refused(match statement {
                Some(statement) if *refusal.code() == SqlState::DIVISION_BY_ZERO => {
                    statement.otherwise.clone()
                }
                _ => meaning(refusal),
            }),
        }
    }

    /// Instead of the end of the transaction. What the server checks at a commit it refuses for
    /// certain; anything else (it shuts down, for example) says nothing about the commit.
    pub(super) fn at_the_end(error: &Error) -> Self {
        match error.as_db_error().map(meaning) {
            Some(MetaError::Changed) => Self::Refused(MetaError::Changed),
            _ => Self::Broken(told(error)),
        }
    }

    /// What it means where nothing was committed.
    pub(super) fn certain(self) -> MetaError {
        match self {
            Self::Refused(error) => error,
            Self::Broken(reason) => MetaError::Failed(reason),
        }
    }

    /// What it means where a commit was sent.
    pub(super) fn at_commit(self) -> MetaError {
        match self {
            Self::Refused(error) => error,
            Self::Broken(reason) => MetaError::Unknown(reason),
        }
    }
}

/// What an error means that comes before any change.
pub(super) fn lost(error: &Error) -> MetaError {
    match error.as_db_error() {
        Some(refusal) => meaning(refusal),
        None => MetaError::Failed(told(error)),
    }
}

fn meaning(refusal: &DbError) -> MetaError {
    let code = refusal.code();
    match *code {
        // Two transactions stood in each other's way, and this one gave way.
        SqlState::T_R_SERIALIZATION_FAILURE | SqlState::T_R_DEADLOCK_DETECTED => MetaError::Changed,
        // Names and ids that must be unique and are taken, or what they refer to is gone.
        _ if code.code().starts_with("23") => MetaError::Changed,
        SqlState::LOCK_NOT_AVAILABLE => MetaError::Busy,
        SqlState::DISK_FULL => MetaError::NoSpace,
        SqlState::DATA_CORRUPTED | SqlState::INDEX_CORRUPTED => {
            MetaError::Damaged(refusal.to_string())
        }
        _ => MetaError::Failed(format!("{refusal} ({})", code.code())),
    }
}

/// The error with its cause: its own words are the same for all.
fn told(error: &Error) -> String {
    match std::error::Error::source(error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}
