//! The history of files.

use super::bounds::Within;
use super::files::{FileMetadata, LookupError, WriteError};
use crate::ids::Rev;
use crate::limits;
use crate::path::{PathOrId, WritePath};
use crate::time::Timestamp;
use crate::{wire_struct, wire_union};

/// Revisions wanted: 1…100 (Spec: `ListRevisionsArg.limit`).
pub type RevisionLimit = Within<1, { limits::REVISIONS_PAGE }>;

wire_struct! {
    /// Argument of `list_revisions` (Spec: `files.ListRevisionsArg`).
    pub struct ListRevisionsArg {
        /// A file, as it is or was.
        path: PathOrId,
        /// Whose revisions: the path's or the file's.
        mode: ListRevisionsMode = ListRevisionsMode::Path,
        /// How many at the most.
        limit: RevisionLimit = RevisionLimit::new(limits::REVISIONS_PAGE_DEFAULT),
        /// Only those before this one; for paths alone.
        before_rev: Option<Rev>,
        /// Say of each revision whether it can be restored.
        include_restorable_info: bool = false,
    }
}

impl ListRevisionsArg {
    /// The newest revisions at a path, with the specification's defaults.
    pub fn new(path: PathOrId) -> Self {
        Self {
            path,
            mode: ListRevisionsMode::Path,
            limit: RevisionLimit::new(limits::REVISIONS_PAGE_DEFAULT),
            before_rev: None,
            include_restorable_info: false,
        }
    }
}

wire_union! {
    /// Whose revisions are listed (Spec: `files.ListRevisionsMode`).
    pub open union ListRevisionsMode {
        /// Those that were written at the path, of whatever file.
        Path = "path",
        /// Those of the file, wherever it was then.
        Id = "id",
    }
}

wire_struct! {
    /// Answer of `list_revisions` (Spec: `files.ListRevisionsResult`).
    pub struct ListRevisionsResult {
        /// Whether the file of the first revision was deleted or moved away.
        is_deleted: bool,
        /// When.
        server_deleted: Option<Timestamp>,
        /// The revisions, newest first.
        entries: Vec<FileMetadata>,
        /// Whether there are older ones: ask on with the last rev as `before_rev`.
        has_more: bool = false,
    }
}

wire_union! {
    /// Spec: `files.ListRevisionsError`.
    pub open union ListRevisionsError {
        /// The path.
        Path(LookupError) under = "path",
        /// `before_rev` is no revision at the path.
        InvalidBeforeRev = "invalid_before_rev",
        /// `before_rev` is for paths alone.
        BeforeRevNotSupported = "before_rev_not_supported",
    }
}

wire_struct! {
    /// Argument of `restore` (Spec: `files.RestoreArg`).
    pub struct RestoreArg {
        /// Where.
        path: WritePath,
        /// The revision.
        rev: Rev,
    }
}

wire_union! {
    /// Spec: `files.RestoreError`.
    pub open union RestoreError {
        /// The path could not be read.
        PathLookup(LookupError) under = "path_lookup",
        /// The path could not be written.
        PathWrite(WriteError) under = "path_write",
        /// The revision is unknown, or another path's.
        InvalidRevision = "invalid_revision",
        /// An earlier restore goes on.
        InProgress = "in_progress",
    }
}
