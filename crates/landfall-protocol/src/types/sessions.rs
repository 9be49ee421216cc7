//! Upload sessions.

use super::files::{CommitInfo, InvalidPropertyGroupError, WriteError};
use crate::hash::GivenHash;
use crate::ids::SessionId;
use crate::{wire_struct, wire_union};

wire_struct! {
    /// Argument of `upload_session/start` (Spec: `files.UploadSessionStartArg`).
    pub struct UploadSessionStartArg {
        /// No more bytes will come: finish is all that is left.
        close: bool = false,
        /// How the bytes will come; `None`: in order.
        session_type: Option<UploadSessionType>,
        /// Hash of the body.
        content_hash: Option<GivenHash>,
    }
}

wire_union! {
    /// How the bytes of a session come (Spec: `files.UploadSessionType`).
    pub open union UploadSessionType {
        /// In order, one request at a time.
        Sequential = "sequential",
        /// In any order, in parallel.
        Concurrent = "concurrent",
    }
}

wire_struct! {
    /// Answer of `upload_session/start` (Spec: `files.UploadSessionStartResult`).
    pub struct UploadSessionStartResult {
        /// The session.
        session_id: SessionId,
    }
}

wire_union! {
    /// Spec: `files.UploadSessionStartError`.
    pub open union UploadSessionStartError {
        /// A concurrent session starts empty.
        ConcurrentSessionDataNotAllowed = "concurrent_session_data_not_allowed",
        /// A concurrent session starts open.
        ConcurrentSessionCloseNotAllowed = "concurrent_session_close_not_allowed",
        /// The body is over [`limits::REQUEST_BODY`](crate::limits::REQUEST_BODY).
        PayloadTooLarge = "payload_too_large",
        /// The body has another hash than the argument says; nothing was kept.
        ContentHashMismatch = "content_hash_mismatch",
    }
}

wire_struct! {
    /// A session and how much of it the client believes to be stored
    /// (Spec: `files.UploadSessionCursor`).
    pub struct UploadSessionCursor {
        /// The session.
        session_id: SessionId,
        /// Bytes stored so far, by the client's count: guards against lost and doubled data.
        offset: u64,
    }
}

wire_struct! {
    /// Argument of `upload_session/append_v2` (Spec: `files.UploadSessionAppendArg`).
    pub struct UploadSessionAppendArg {
        /// Where the body goes.
        cursor: UploadSessionCursor,
        /// No more bytes will come after this body.
        close: bool = false,
        /// Hash of the body.
        content_hash: Option<GivenHash>,
    }
}

wire_union! {
    /// Spec: `files.UploadSessionAppendError`.
    pub open union UploadSessionAppendError {
        /// Unknown, somebody else's, or older than 7 days.
        NotFound = "not_found",
        /// The session holds another number of bytes.
        IncorrectOffset(UploadSessionOffsetError) flat = "incorrect_offset",
        /// The session takes no more bytes.
        Closed = "closed",
        /// The file would be over [`limits::FILE_SIZE`](crate::limits::FILE_SIZE).
        TooLarge = "too_large",
        /// Offsets of a concurrent session are whole blocks.
        ConcurrentSessionInvalidOffset = "concurrent_session_invalid_offset",
        /// Bodies of a concurrent session are whole blocks, but for the closing one.
        ConcurrentSessionInvalidDataSize = "concurrent_session_invalid_data_size",
        /// The body is over [`limits::REQUEST_BODY`](crate::limits::REQUEST_BODY).
        PayloadTooLarge = "payload_too_large",
        /// The body has another hash than the argument says; nothing was kept.
        ContentHashMismatch = "content_hash_mismatch",
    }
}

wire_union! {
    /// Why a session could not be used (Spec: `files.UploadSessionLookupError`).
    pub open union UploadSessionLookupError {
        /// Unknown, somebody else's, or older than 7 days.
        NotFound = "not_found",
        /// The session holds another number of bytes.
        IncorrectOffset(UploadSessionOffsetError) flat = "incorrect_offset",
        /// The session takes no more bytes.
        Closed = "closed",
        /// Only in batches: the session still takes bytes.
        NotClosed = "not_closed",
        /// The file would be over [`limits::FILE_SIZE`](crate::limits::FILE_SIZE).
        TooLarge = "too_large",
        /// Offsets of a concurrent session are whole blocks.
        ConcurrentSessionInvalidOffset = "concurrent_session_invalid_offset",
        /// Bodies of a concurrent session are whole blocks, but for the closing one.
        ConcurrentSessionInvalidDataSize = "concurrent_session_invalid_data_size",
        /// The body is over [`limits::REQUEST_BODY`](crate::limits::REQUEST_BODY).
        PayloadTooLarge = "payload_too_large",
    }
}

wire_struct! {
    /// What a session really holds (Spec: `files.UploadSessionOffsetError`).
    pub struct UploadSessionOffsetError {
        /// Bytes stored: go on from here.
        correct_offset: u64,
    }
}

wire_struct! {
    /// Argument of `upload_session/finish` (Spec: `files.UploadSessionFinishArg`).
    pub struct UploadSessionFinishArg {
        /// The session, and the bytes in it before this body.
        cursor: UploadSessionCursor,
        /// Where and how to save.
        commit: CommitInfo,
        /// Hash of the body.
        content_hash: Option<GivenHash>,
    }
}

wire_union! {
    /// Spec: `files.UploadSessionFinishError`.
    pub open union UploadSessionFinishError {
        /// The session.
        LookupFailed(UploadSessionLookupError) under = "lookup_failed",
        /// The commit was refused; this call's body is now part of the session, so the retry
        /// has an empty body and the new offset.
        Path(WriteError) under = "path",
        /// A property group is bad; the file was saved without.
        PropertiesError(InvalidPropertyGroupError) under = "properties_error",
        /// Deprecated by the specification.
        TooManySharedFolderTargets = "too_many_shared_folder_targets",
        /// Others write at the same time: try again.
        TooManyWriteOperations = "too_many_write_operations",
        /// A concurrent session is finished with an empty body.
        ConcurrentSessionDataNotAllowed = "concurrent_session_data_not_allowed",
        /// A concurrent session must be closed first.
        ConcurrentSessionNotClosed = "concurrent_session_not_closed",
        /// A concurrent session has holes.
        ConcurrentSessionMissingData = "concurrent_session_missing_data",
        /// The body is over [`limits::REQUEST_BODY`](crate::limits::REQUEST_BODY).
        PayloadTooLarge = "payload_too_large",
        /// The body has another hash than the argument says; nothing was kept.
        ContentHashMismatch = "content_hash_mismatch",
        /// The target must be encrypted.
        EncryptionNotSupported = "encryption_not_supported",
    }
}
