//! How an upload ends.

use super::journal::JournalError;
use super::source::SourceError;
use crate::CallError;
use bytes::Bytes;
use landfall_protocol::routes::NoError;
use landfall_protocol::types::batches::{
    UploadSessionAppendBatchEntryError, UploadSessionAppendBatchError,
};
use landfall_protocol::types::files::{DeleteError, FileMetadata};
use landfall_protocol::types::folders::CreateFolderError;
use landfall_protocol::types::sessions::{
    UploadSessionAppendError, UploadSessionFinishError, UploadSessionLookupError,
    UploadSessionStartError,
};
use landfall_protocol::{ContentHash, limits};
use std::sync::Arc;

/// How an upload ended. There is no fourth way, short of the program's own end.
#[derive(Debug)]
#[must_use]
pub enum Outcome {
    /// The file is at its path, whole and verified, once.
    Done(Box<Uploaded>),
    /// Nothing was saved, and this is why. Two exceptions say so themselves:
    /// [`UploadFailure::Integrity`], and a finish refused with `properties_error`.
    Refused(UploadFailure),
    /// It can't be told whether the file was saved.
    Unknown(OutcomeUnknown),
}

/// A file that was saved.
#[derive(Clone, Debug, PartialEq)]
pub struct Uploaded {
    /// The file as the service has it; with autorename its name may be another one.
    pub metadata: FileMetadata,
    /// Bytes sent, each counted once.
    pub size: u64,
    /// Their content hash.
    pub content_hash: ContentHash,
    /// The JSON of the finish as it came; `None` if it was answered together with others, or if
    /// its answer was lost and the file was found at its path instead.
    pub raw: Option<Bytes>,
}

/// Why nothing was saved.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UploadFailure {
    /// The content could not be read, or changed meanwhile.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// No session could be begun.
    #[error(transparent)]
    Start(CallError<UploadSessionStartError>),
    /// The session does not take the bytes.
    #[error(transparent)]
    Append(CallError<UploadSessionAppendError>),
    /// The bytes were refused, one file of a batch.
    #[error(transparent)]
    Entry(CallError<UploadSessionAppendBatchEntryError>),
    /// The session could not be finished.
    #[error(transparent)]
    Finish(CallError<UploadSessionFinishError>),
    /// A call for several files failed for good.
    #[error(transparent)]
    Batch(BatchFailure),
    /// An empty folder could not be made.
    #[error(transparent)]
    Folder(CallError<CreateFolderError>),
    /// What is too much could not be deleted.
    #[error(transparent)]
    Delete(CallError<DeleteError>),
    /// No file of the service may be so large.
    #[error(
        "{size} bytes, and a file of the service has {} at the most; split it up",
        limits::FILE_SIZE
    )]
    TooLarge {
        /// Bytes in it.
        size: u64,
    },
    /// Something else is there.
    #[error("{what} is at {path}; choose what to do about it, or another path")]
    Exists {
        /// Where.
        path: String,
        /// What, for people.
        what: &'static str,
    },
    /// Another run is at the same upload.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// Sessions are gone as soon as they are begun.
    #[error("the service forgets upload sessions before they are finished; try again later")]
    SessionGone,
    /// The session holds bytes that this upload didn't send.
    #[error("the upload session holds {held} bytes where {sent} were sent; start the upload again")]
    Offset {
        /// By the service's count.
        held: u64,
        /// By ours.
        sent: u64,
    },
    /// The service saved a file, but not these bytes.
    #[error(
        "the service saved {} bytes with hash {} at {path}, but {size} bytes with hash {hash} were sent; \
         upload again, and do not trust the saved file",
        got.0, got.1
    )]
    Integrity {
        /// Where it is.
        path: String,
        /// Bytes sent.
        size: u64,
        /// Their hash.
        hash: ContentHash,
        /// Size and hash by the service.
        got: (u64, String),
    },
}

impl UploadFailure {
    /// Whether another session would do what this one can't any more.
    pub(super) fn is_session_gone(&self) -> bool {
        let Self::Finish(error) = self else {
            return false;
        };
        matches!(
            error.route_error(),
            Some(
                UploadSessionFinishError::LookupFailed(
                    UploadSessionLookupError::NotFound | UploadSessionLookupError::Closed
                ) | UploadSessionFinishError::ConcurrentSessionMissingData
                    | UploadSessionFinishError::ConcurrentSessionNotClosed
            )
        )
    }
}

/// A call for several files failed; all of them share this.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BatchFailure {
    /// No sessions could be begun.
    #[error(transparent)]
    Start(Arc<CallError<NoError>>),
    /// The body with the bytes of all didn't get through.
    #[error(transparent)]
    Append(Arc<CallError<UploadSessionAppendBatchError>>),
    /// The sessions could not be finished.
    #[error(transparent)]
    Finish(Arc<CallError<NoError>>),
}

/// It can't be told whether the file was saved.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is unknown whether {path} was saved: {why}; look at the path before uploading again")]
pub struct OutcomeUnknown {
    /// Where it was to be saved.
    pub path: String,
    /// Why it can't be told.
    pub why: String,
    /// Bytes sent.
    pub size: u64,
    /// Their hash: a file with it is the upload.
    pub content_hash: ContentHash,
}
