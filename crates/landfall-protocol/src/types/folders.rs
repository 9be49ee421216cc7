//! Making and listing folders.

use super::bounds::Within;
use super::files::{FolderMetadata, LookupError, Metadata, TemplateFilterBase, WriteError};
use crate::limits;
use crate::path::{PathROrId, WritePath};
use crate::wire::{DecodeError, Json, Strictness, Wire, shorten, text};
use crate::{wire_struct, wire_union};

wire_struct! {
    /// Argument of `create_folder_v2` (Spec: `files.CreateFolderArg`).
    pub struct CreateFolderArg {
        /// Where.
        path: WritePath,
        /// On a conflict, try another name.
        autorename: bool = false,
    }
}

wire_struct! {
    /// Answer of `create_folder_v2` (Spec: `files.CreateFolderResult`).
    pub struct CreateFolderResult {
        /// The new folder.
        metadata: FolderMetadata,
    }
}

wire_union! {
    /// Spec: `files.CreateFolderError`.
    pub closed union CreateFolderError {
        /// The path.
        Path(WriteError) under = "path",
    }
}

wire_struct! {
    /// Argument of `list_folder` (Spec: `files.ListFolderArg`).
    pub struct ListFolderArg {
        /// The folder; empty for the root.
        path: PathROrId,
        /// With everything below.
        recursive: bool = false,
        /// Without effect (Spec: deprecated).
        include_media_info: bool = false,
        /// With what was deleted.
        include_deleted: bool = false,
        /// Ask whether files are shared by themselves.
        include_has_explicit_shared_members: bool = false,
        /// With mounted folders.
        include_mounted_folders: bool = true,
        /// About how many entries in a page.
        limit: Option<PageLimit>,
        /// List a shared link instead.
        shared_link: Option<SharedLink>,
        /// Ask for custom properties.
        include_property_groups: Option<TemplateFilterBase>,
        /// With files that can only be exported.
        include_non_downloadable_files: bool = true,
        /// Say of deleted entries whether they can be restored.
        include_restorable_info: bool = false,
    }
}

impl ListFolderArg {
    /// A listing of this folder with the specification's defaults.
    pub fn new(path: PathROrId) -> Self {
        Self {
            path,
            recursive: false,
            include_media_info: false,
            include_deleted: false,
            include_has_explicit_shared_members: false,
            include_mounted_folders: true,
            limit: None,
            shared_link: None,
            include_property_groups: None,
            include_non_downloadable_files: true,
            include_restorable_info: false,
        }
    }
}

wire_struct! {
    /// A shared link (Spec: `files.SharedLink`).
    pub struct SharedLink {
        /// Its address.
        url: String,
        /// Its password.
        password: Option<String>,
    }
}

wire_struct! {
    /// Argument of `list_folder/continue` (Spec: `files.ListFolderContinueArg`).
    pub struct ListFolderContinueArg {
        /// From the page before.
        cursor: ListFolderCursor,
    }
}

wire_struct! {
    /// A page (Spec: `files.ListFolderResult`).
    pub struct ListFolderResult {
        /// The entries.
        entries: Vec<Metadata>,
        /// For the next page, or later for what changed meanwhile.
        cursor: ListFolderCursor,
        /// Whether to ask on at once.
        has_more: bool,
    }
}

wire_union! {
    /// Spec: `files.ListFolderError`.
    pub open union ListFolderError {
        /// The path.
        Path(LookupError) under = "path",
        /// A property template.
        TemplateError(TemplateError) under = "template_error",
    }
}

wire_union! {
    /// Spec: `file_properties.TemplateError`.
    pub open union TemplateError {
        /// No such template.
        TemplateNotFound(String) under = "template_not_found",
        /// No right to the template.
        RestrictedContent = "restricted_content",
    }
}

wire_union! {
    /// Spec: `files.ListFolderContinueError`.
    pub open union ListFolderContinueError {
        /// The path.
        Path(LookupError) under = "path",
        /// The cursor is no longer good: list anew.
        Reset = "reset",
    }
}

/// Entries wanted in a page: 1…2000 (Spec: `ListFolderArg.limit`).
pub type PageLimit = Within<1, { limits::LIST_PAGE }>;

/// Seconds to wait: 30…480 (Spec: `ListFolderLongpollArg.timeout`).
pub type LongpollTimeout = Within<{ limits::LONGPOLL_LEAST }, { limits::LONGPOLL_MOST }>;

wire_struct! {
    /// Answer of `list_folder/get_latest_cursor` (Spec: `files.ListFolderGetLatestCursorResult`).
    pub struct ListFolderGetLatestCursorResult {
        /// For what changes from now on.
        cursor: ListFolderCursor,
    }
}

wire_struct! {
    /// Argument of `list_folder/longpoll` (Spec: `files.ListFolderLongpollArg`).
    pub struct ListFolderLongpollArg {
        /// From a listing.
        cursor: ListFolderCursor,
        /// Seconds to wait for a change.
        timeout: LongpollTimeout = LongpollTimeout::LEAST,
    }
}

wire_struct! {
    /// Answer of `list_folder/longpoll` (Spec: `files.ListFolderLongpollResult`).
    pub struct ListFolderLongpollResult {
        /// Whether there is something for `list_folder/continue`.
        changes: bool,
        /// Seconds to wait before the next call.
        backoff: Option<u64>,
    }
}

wire_union! {
    /// Spec: `files.ListFolderLongpollError`.
    pub open union ListFolderLongpollError {
        /// The cursor is no longer good: list anew.
        Reset = "reset",
    }
}

/// A place in a listing (Spec: `ListFolderCursor`, at least one character); opaque to clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListFolderCursor(String);

impl ListFolderCursor {
    /// A cursor that the server made.
    pub fn from_stored(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The cursor as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Wire for ListFolderCursor {
    fn decode(value: &Json, _: Strictness) -> Result<Self, DecodeError> {
        match text(value)? {
            "" => Err(DecodeError::new(format!(
                "'{}' must be at least 1 characters, got 0",
                shorten("", 0)
            ))),
            text => Ok(Self(text.to_owned())),
        }
    }
    fn encode(&self) -> Json {
        Json::String(self.0.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::ListFolderCursor;
    use crate::wire::{Strictness, Wire};
    use serde_json::json;

    #[test]
    fn a_cursor_is_any_text_but_none() {
        let cursor = ListFolderCursor::decode(&json!("AAA"), Strictness::Strict).unwrap();
        assert_eq!(cursor, ListFolderCursor::from_stored("AAA"));
        assert_eq!((cursor.as_str(), cursor.encode()), ("AAA", json!("AAA")));
        let error = ListFolderCursor::decode(&json!(""), Strictness::Strict).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("must be at least 1 characters, got 0")
        );
    }
}
