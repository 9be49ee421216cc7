//! Many sessions in one request, and jobs.

use super::bounds::{Batch, Within};
use super::files::FileMetadata;
use super::sessions::{
    UploadSessionCursor, UploadSessionFinishArg, UploadSessionFinishError,
    UploadSessionOffsetError, UploadSessionType,
};
use crate::hash::GivenHash;
use crate::ids::{AsyncJobId, SessionId};
use crate::limits;
use crate::{wire_struct, wire_union};

wire_struct! {
    /// Argument of `upload_session/start_batch` (Spec: `files.UploadSessionStartBatchArg`).
    pub struct UploadSessionStartBatchArg {
        /// How the bytes will come; `None`: in order.
        session_type: Option<UploadSessionType>,
        /// How many sessions.
        num_sessions: Within<1, { limits::BATCH }>,
    }
}

wire_struct! {
    /// Answer of `upload_session/start_batch` (Spec: `files.UploadSessionStartBatchResult`).
    pub struct UploadSessionStartBatchResult {
        /// The sessions.
        session_ids: Vec<SessionId>,
    }
}

wire_struct! {
    /// Argument of `upload_session/append_batch` (Spec: `files.UploadSessionAppendBatchArg`).
    pub struct UploadSessionAppendBatchArg {
        /// Where the parts of the body go, in the order of the body.
        entries: Batch<UploadSessionAppendBatchArgEntry>,
        /// Hash of the whole body.
        content_hash: Option<GivenHash>,
    }
}

wire_struct! {
    /// Where a part of the body goes (Spec: `files.UploadSessionAppendBatchArgEntry`).
    pub struct UploadSessionAppendBatchArgEntry {
        /// The session, and the bytes in it before this part.
        cursor: UploadSessionCursor,
        /// Bytes of the body that are this part.
        length: u64,
        /// No more bytes will come after this part.
        close: bool = false,
    }
}

wire_struct! {
    /// Answer of `upload_session/append_batch` (Spec: `files.UploadSessionAppendBatchResult`).
    pub struct UploadSessionAppendBatchResult {
        /// What became of each part, in the order of the argument.
        entries: Vec<UploadSessionAppendBatchResultEntry>,
    }
}

wire_union! {
    /// What became of a part (Spec: `files.UploadSessionAppendBatchResultEntry`).
    pub closed union UploadSessionAppendBatchResultEntry {
        /// It is stored.
        Success = "success",
        /// It isn't; the others may be.
        Failure(UploadSessionAppendBatchEntryError) under = "failure",
    }
}

wire_union! {
    /// Why a part was not stored (Spec: `files.UploadSessionAppendBatchEntryError`).
    pub open union UploadSessionAppendBatchEntryError {
        /// Unknown, somebody else's, or older than 7 days.
        NotFound = "not_found",
        /// The session holds another number of bytes.
        IncorrectOffset(UploadSessionOffsetError) flat = "incorrect_offset",
        /// The session takes no more bytes.
        Closed = "closed",
        /// The file would be over [`limits::FILE_SIZE`].
        TooLarge = "too_large",
        /// Offsets of a concurrent session are whole blocks.
        ConcurrentSessionInvalidOffset = "concurrent_session_invalid_offset",
        /// Parts of a concurrent session are whole blocks, but for the closing one.
        ConcurrentSessionInvalidDataSize = "concurrent_session_invalid_data_size",
    }
}

wire_union! {
    /// Why nothing was stored of a batch (Spec: `files.UploadSessionAppendBatchError`).
    pub open union UploadSessionAppendBatchError {
        /// The body is over [`limits::REQUEST_BODY`].
        PayloadTooLarge = "payload_too_large",
        /// The body has another hash than the argument says.
        ContentHashMismatch = "content_hash_mismatch",
        /// The body has another length than its parts together.
        LengthMismatch = "length_mismatch",
    }
}

wire_struct! {
    /// Argument of `upload_session/finish_batch` and `finish_batch_v2`
    /// (Spec: `files.UploadSessionFinishBatchArg`).
    pub struct UploadSessionFinishBatchArg {
        /// The sessions to finish; each must be closed.
        entries: Batch<UploadSessionFinishArg>,
    }
}

wire_struct! {
    /// Answer of `upload_session/finish_batch_v2` (Spec: `files.UploadSessionFinishBatchResult`).
    pub struct UploadSessionFinishBatchResult {
        /// What became of each session, in the order of the argument.
        entries: Vec<UploadSessionFinishBatchResultEntry>,
    }
}

wire_union! {
    /// What became of a session (Spec: `files.UploadSessionFinishBatchResultEntry`).
    pub closed union UploadSessionFinishBatchResultEntry {
        /// It was saved as this file.
        Success(FileMetadata) flat = "success",
        /// It wasn't; the others may be.
        Failure(UploadSessionFinishError) under = "failure",
    }
}

wire_union! {
    /// Answer of `upload_session/finish_batch` (Spec: `files.UploadSessionFinishBatchLaunch`).
    pub open union UploadSessionFinishBatchLaunch {
        /// It goes on in the background: ask `finish_batch/check`.
        AsyncJobId(AsyncJobId) under = "async_job_id",
        /// It is done.
        Complete(UploadSessionFinishBatchResult) flat = "complete",
    }
}

wire_struct! {
    /// Argument of `upload_session/finish_batch/check` (Spec: `async.PollArg`).
    pub struct PollArg {
        /// The job.
        async_job_id: AsyncJobId,
    }
}

wire_union! {
    /// Answer of `upload_session/finish_batch/check`
    /// (Spec: `files.UploadSessionFinishBatchJobStatus`).
    pub closed union UploadSessionFinishBatchJobStatus {
        /// It goes on.
        InProgress = "in_progress",
        /// It is done.
        Complete(UploadSessionFinishBatchResult) flat = "complete",
    }
}

wire_union! {
    /// Why nothing is known of a job (Spec: `async.PollError`).
    pub open union PollError {
        /// Unknown or somebody else's.
        InvalidAsyncJobId = "invalid_async_job_id",
        /// It failed; whether it did something is to be looked up.
        InternalError = "internal_error",
    }
}
