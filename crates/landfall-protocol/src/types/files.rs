//! Metadata, and the routes that commit, read and look up single files.

use crate::hash::{ContentHash, GivenHash};
use crate::ids::{AccountId, FileId, NamespaceId, Rev, SessionId};
use crate::json;
use crate::path::{ReadPath, WritePathOrId};
use crate::time::Timestamp;
use crate::wire::Strictness;
use crate::{wire_struct, wire_union};
use std::str::FromStr;

wire_union! {
    /// What is at a path (Spec: `files.Metadata`).
    pub closed union Metadata {
        /// A file.
        File(FileMetadata) flat = "file",
        /// A folder.
        Folder(FolderMetadata) flat = "folder",
        /// Something that was there.
        Deleted(DeletedMetadata) flat = "deleted",
    }
}

impl Metadata {
    /// The last component of the path.
    pub fn name(&self) -> &str {
        match self {
            Self::File(file) => &file.name,
            Self::Folder(folder) => &folder.name,
            Self::Deleted(deleted) => &deleted.name,
        }
    }

    /// The folded path, where the service gives one.
    pub fn path_lower(&self) -> Option<&str> {
        match self {
            Self::File(file) => file.path_lower.as_deref(),
            Self::Folder(folder) => folder.path_lower.as_deref(),
            Self::Deleted(deleted) => deleted.path_lower.as_deref(),
        }
    }

    /// The path as shown, where the service gives one.
    pub fn path_display(&self) -> Option<&str> {
        match self {
            Self::File(file) => file.path_display.as_deref(),
            Self::Folder(folder) => folder.path_display.as_deref(),
            Self::Deleted(deleted) => deleted.path_display.as_deref(),
        }
    }
}

wire_struct! {
    /// A file (Spec: `files.FileMetadata`).
    pub struct FileMetadata {
        /// Last component of the path.
        name: String,
        /// Folded path: compare by this one.
        path_lower: Option<String>,
        /// Path as shown; only the last component surely has the stored letters.
        path_display: Option<String>,
        /// Stays through moves and overwrites.
        id: FileId,
        /// What the client said, or the time of the commit.
        client_modified: Timestamp,
        /// The time of the commit.
        server_modified: Timestamp,
        /// This version of the file.
        rev: Rev,
        /// Bytes.
        size: u64,
        /// Deprecated by the specification.
        parent_shared_folder_id: Option<NamespaceId>,
        /// A preview page.
        preview_url: Option<String>,
        /// Photo and video data.
        media_info: Option<MediaInfo>,
        /// Set for symlinks.
        symlink_info: Option<SymlinkInfo>,
        /// Set in shared folders.
        sharing_info: Option<FileSharingInfo>,
        /// Whether `download` works. Always written: Go programs take a missing one for false.
        is_downloadable: bool = true,
        /// How the file can be exported instead.
        export_info: Option<ExportInfo>,
        /// Custom properties.
        property_groups: Option<Vec<PropertyGroup>>,
        /// Whether the file is shared by itself.
        has_explicit_shared_members: Option<bool>,
        /// Hash of the content.
        content_hash: Option<ContentHash>,
        /// Who holds the file's lock.
        file_lock_info: Option<FileLockMetadata>,
        /// Whether this revision can be restored.
        is_restorable: Option<bool>,
    }
}

wire_struct! {
    /// A folder (Spec: `files.FolderMetadata`).
    pub struct FolderMetadata {
        /// Last component of the path.
        name: String,
        /// Folded path.
        path_lower: Option<String>,
        /// Path as shown.
        path_display: Option<String>,
        /// Stays through moves.
        id: FileId,
        /// Deprecated by the specification.
        parent_shared_folder_id: Option<NamespaceId>,
        /// A preview page.
        preview_url: Option<String>,
        /// Deprecated by the specification.
        shared_folder_id: Option<NamespaceId>,
        /// Set in shared folders.
        sharing_info: Option<FolderSharingInfo>,
        /// Custom properties.
        property_groups: Option<Vec<PropertyGroup>>,
    }
}

wire_struct! {
    /// Something that was deleted (Spec: `files.DeletedMetadata`).
    pub struct DeletedMetadata {
        /// Last component of the path.
        name: String,
        /// Folded path.
        path_lower: Option<String>,
        /// Path as shown.
        path_display: Option<String>,
        /// Deprecated by the specification.
        parent_shared_folder_id: Option<NamespaceId>,
        /// A preview page.
        preview_url: Option<String>,
        /// Whether it can be restored.
        is_restorable: Option<bool>,
    }
}

wire_union! {
    /// Photo and video data (Spec: `files.MediaInfo`).
    pub closed union MediaInfo {
        /// Not known yet.
        Pending = "pending",
        /// Known.
        Metadata(MediaMetadata) under = "metadata",
    }
}

wire_union! {
    /// A photo or a video (Spec: `files.MediaMetadata`).
    pub closed union MediaMetadata {
        /// A photo.
        Photo(PhotoMetadata) flat = "photo",
        /// A video.
        Video(VideoMetadata) flat = "video",
    }
}

wire_struct! {
    /// A photo (Spec: `files.PhotoMetadata`).
    pub struct PhotoMetadata {
        /// Size in pixels.
        dimensions: Option<Dimensions>,
        /// Where it was taken.
        location: Option<GpsCoordinates>,
        /// When it was taken.
        time_taken: Option<Timestamp>,
    }
}

wire_struct! {
    /// A video (Spec: `files.VideoMetadata`).
    pub struct VideoMetadata {
        /// Size in pixels.
        dimensions: Option<Dimensions>,
        /// Where it was taken.
        location: Option<GpsCoordinates>,
        /// When it was taken.
        time_taken: Option<Timestamp>,
        /// Milliseconds.
        duration: Option<u64>,
    }
}

wire_struct! {
    /// Size of a picture (Spec: `files.Dimensions`).
    pub struct Dimensions {
        /// Pixels.
        height: u64,
        /// Pixels.
        width: u64,
    }
}

wire_struct! {
    /// A place on earth (Spec: `files.GpsCoordinates`).
    pub struct GpsCoordinates {
        /// Degrees.
        latitude: f64,
        /// Degrees.
        longitude: f64,
    }
}

wire_struct! {
    /// Where a symlink points (Spec: `files.SymlinkInfo`).
    pub struct SymlinkInfo {
        /// The target.
        target: String,
    }
}

wire_struct! {
    /// Sharing of a file (Spec: `files.FileSharingInfo`).
    pub struct FileSharingInfo {
        /// Whether the shared folder can't be written.
        read_only: bool,
        /// The shared folder.
        parent_shared_folder_id: NamespaceId,
        /// Who changed it last.
        modified_by: Option<AccountId>,
    }
}

wire_struct! {
    /// Sharing of a folder (Spec: `files.FolderSharingInfo`).
    pub struct FolderSharingInfo {
        /// Whether the shared folder can't be written.
        read_only: bool,
        /// The shared folder around it.
        parent_shared_folder_id: Option<NamespaceId>,
        /// The shared folder that it is.
        shared_folder_id: Option<NamespaceId>,
        /// Whether only some of its content can be read.
        traverse_only: bool = false,
        /// Whether it can't be read.
        no_access: bool = false,
    }
}

wire_struct! {
    /// How a file is exported (Spec: `files.ExportInfo`).
    pub struct ExportInfo {
        /// The format.
        export_as: Option<String>,
        /// Further formats.
        export_options: Option<Vec<String>>,
    }
}

wire_struct! {
    /// Who holds a lock (Spec: `files.FileLockMetadata`).
    pub struct FileLockMetadata {
        /// Whether the caller does.
        is_lockholder: Option<bool>,
        /// The holder's name.
        lockholder_name: Option<String>,
        /// The holder.
        lockholder_account_id: Option<AccountId>,
        /// Since when.
        created: Option<Timestamp>,
    }
}

wire_struct! {
    /// Custom properties by one template (Spec: `file_properties.PropertyGroup`).
    pub struct PropertyGroup {
        /// The template.
        template_id: String,
        /// The properties.
        fields: Vec<PropertyField>,
    }
}

wire_struct! {
    /// One custom property (Spec: `file_properties.PropertyField`).
    pub struct PropertyField {
        /// Its name.
        name: String,
        /// Its value.
        value: String,
    }
}

wire_union! {
    /// Which property groups to return (Spec: `file_properties.TemplateFilterBase`).
    pub open union TemplateFilterBase {
        /// Those of these templates.
        FilterSome(Vec<String>) under = "filter_some",
    }
}

wire_union! {
    /// What a commit does about a file in its way (Spec: `files.WriteMode`).
    pub closed union WriteMode {
        /// Never overwrite; autorename appends a number.
        Add = "add",
        /// Always overwrite.
        Overwrite = "overwrite",
        /// Overwrite only this rev; autorename appends "conflicted copy".
        Update(Rev) under = "update",
    }
}

/// The text is no mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be add, overwrite or update:REV, a rev having 9 or more lowercase hex digits, or one of them as JSON"
)]
pub struct NotAMode;

/// Reads a mode as people type it, `update:REV` for a certain rev, or as the API's JSON.
impl FromStr for WriteMode {
    type Err = NotAMode;

    fn from_str(text: &str) -> Result<Self, NotAMode> {
        match text {
            "add" => return Ok(Self::Add),
            "overwrite" => return Ok(Self::Overwrite),
            _ => {}
        }
        if let Some(rev) = text.strip_prefix("update:") {
            return rev.parse().map(Self::Update).map_err(|_| NotAMode);
        }
        json::read(text.as_bytes(), Strictness::Strict).map_err(|_| NotAMode)
    }
}

wire_struct! {
    /// Where and how uploaded bytes are saved (Spec: `files.CommitInfo`).
    pub struct CommitInfo {
        /// Where.
        path: WritePathOrId,
        /// What to do about a file in the way.
        mode: WriteMode = WriteMode::Add,
        /// On a conflict, try another name.
        autorename: bool = false,
        /// The file's own time of change; `None`: the time of the commit.
        client_modified: Option<Timestamp>,
        /// Raise no notification in the user's clients.
        mute: bool = false,
        /// Custom properties.
        property_groups: Option<Vec<PropertyGroup>>,
        /// Identical content and deleted targets count as conflicts too.
        strict_conflict: bool = false,
    }
}

impl CommitInfo {
    /// A commit to this path with the specification's defaults.
    pub fn new(path: WritePathOrId) -> Self {
        Self {
            path,
            mode: WriteMode::Add,
            autorename: false,
            client_modified: None,
            mute: false,
            property_groups: None,
            strict_conflict: false,
        }
    }
}

wire_struct! {
    /// Argument of `upload` (Spec: `files.UploadArg`).
    pub struct UploadArg extends commit: CommitInfo {
        /// Hash of the body.
        content_hash: Option<GivenHash>,
    }
}

wire_union! {
    /// Spec: `files.UploadError`.
    pub open union UploadError {
        /// The commit was refused; the body is kept in a session.
        Path(UploadWriteFailed) flat = "path",
        /// A property group is bad; the file was saved without.
        PropertiesError(InvalidPropertyGroupError) under = "properties_error",
        /// The body is over [`limits::REQUEST_BODY`](crate::limits::REQUEST_BODY).
        PayloadTooLarge = "payload_too_large",
        /// The body has another hash than the argument says; nothing was kept.
        ContentHashMismatch = "content_hash_mismatch",
        /// The target must be encrypted.
        EncryptionNotSupported = "encryption_not_supported",
    }
}

wire_struct! {
    /// A refused commit of `upload` (Spec: `files.UploadWriteFailed`).
    pub struct UploadWriteFailed {
        /// Why.
        reason: WriteError,
        /// A session that holds the body: finish it with another commit.
        upload_session_id: SessionId,
    }
}

wire_union! {
    /// Why nothing was written (Spec: `files.WriteError`).
    pub open union WriteError {
        /// The path can't be one.
        MalformedPath(Option<String>) under = "malformed_path",
        /// Something is in the way.
        Conflict(WriteConflictError) under = "conflict",
        /// No right to write there.
        NoWritePermission = "no_write_permission",
        /// The account is full.
        InsufficientSpace = "insufficient_space",
        /// A name that is never stored.
        DisallowedName = "disallowed_name",
        /// Team folders can't be changed so.
        TeamFolder = "team_folder",
        /// Suppressed by a team's policy.
        OperationSuppressed = "operation_suppressed",
        /// Others write at the same time: try again.
        TooManyWriteOperations = "too_many_write_operations",
        /// Restricted by a team's policy.
        AccessRestricted = "access_restricted",
    }
}

wire_union! {
    /// What is in the way (Spec: `files.WriteConflictError`).
    pub open union WriteConflictError {
        /// A file.
        File = "file",
        /// A folder.
        Folder = "folder",
        /// A file where the path needs a folder.
        FileAncestor = "file_ancestor",
    }
}

wire_union! {
    /// Why a path could not be read (Spec: `files.LookupError`).
    pub open union LookupError {
        /// The path can't be one.
        MalformedPath(Option<String>) under = "malformed_path",
        /// Nothing is there.
        NotFound = "not_found",
        /// It is no file.
        NotFile = "not_file",
        /// It is no folder.
        NotFolder = "not_folder",
        /// Restricted, for example after a takedown.
        RestrictedContent = "restricted_content",
        /// The type can't be served.
        UnsupportedContentType = "unsupported_content_type",
        /// Locked.
        Locked = "locked",
    }
}

wire_union! {
    /// Why a path for properties leads nowhere (Spec: `file_properties.LookupError`).
    pub open union PropertiesLookupError {
        /// The path can't be one.
        MalformedPath(String) under = "malformed_path",
        /// There is nothing.
        NotFound = "not_found",
        /// It is no file.
        NotFile = "not_file",
        /// It is no folder.
        NotFolder = "not_folder",
        /// It may not be shown.
        RestrictedContent = "restricted_content",
    }
}

wire_union! {
    /// Spec: `file_properties.InvalidPropertyGroupError`.
    pub open union InvalidPropertyGroupError {
        /// No such template.
        TemplateNotFound(String) under = "template_not_found",
        /// No right to the template.
        RestrictedContent = "restricted_content",
        /// The path is wrong.
        Path(PropertiesLookupError) under = "path",
        /// Folders can't carry it.
        UnsupportedFolder = "unsupported_folder",
        /// A value is too long.
        PropertyFieldTooLarge = "property_field_too_large",
        /// Fields that the template hasn't.
        DoesNotFitTemplate = "does_not_fit_template",
        /// Two groups of one template.
        DuplicatePropertyGroups = "duplicate_property_groups",
    }
}

wire_struct! {
    /// Argument of `get_metadata` (Spec: `files.GetMetadataArg`).
    pub struct GetMetadataArg {
        /// What.
        path: ReadPath,
        /// Ask for photo and video data.
        include_media_info: bool = false,
        /// Answer for deleted files too.
        include_deleted: bool = false,
        /// Ask whether the file is shared by itself.
        include_has_explicit_shared_members: bool = false,
        /// Ask for custom properties.
        include_property_groups: Option<TemplateFilterBase>,
    }
}

impl GetMetadataArg {
    /// A question with the specification's defaults.
    pub fn new(path: ReadPath) -> Self {
        Self {
            path,
            include_media_info: false,
            include_deleted: false,
            include_has_explicit_shared_members: false,
            include_property_groups: None,
        }
    }
}

wire_union! {
    /// Spec: `files.GetMetadataError`.
    pub closed union GetMetadataError {
        /// The path.
        Path(LookupError) under = "path",
    }
}

wire_struct! {
    /// Argument of `download` (Spec: `files.DownloadArg`).
    pub struct DownloadArg {
        /// What.
        path: ReadPath,
        /// Deprecated by the specification: the revision.
        rev: Option<Rev>,
    }
}

wire_union! {
    /// Spec: `files.DownloadError`, and the range error that clients expect beside it.
    pub open union DownloadError {
        /// The path.
        Path(LookupError) under = "path",
        /// Must be exported instead.
        UnsupportedFile = "unsupported_file",
        /// The `Range` header asks for bytes beyond the end. Not in the specification; the
        /// official helpers look for `range/not_satisfiable`.
        Range(RangeError) under = "range",
    }
}

wire_union! {
    /// What is wrong with a `Range`. Observed in the official helpers.
    pub open union RangeError {
        /// No byte of the file is in it.
        NotSatisfiable = "not_satisfiable",
    }
}

wire_struct! {
    /// Argument of `delete_v2` (Spec: `files.DeleteArg`).
    pub struct DeleteArg {
        /// What.
        path: WritePathOrId,
        /// Delete only this rev of a file.
        parent_rev: Option<Rev>,
    }
}

wire_struct! {
    /// Answer of `delete_v2` (Spec: `files.DeleteResult`): what was there.
    pub struct DeleteResult {
        /// The metadata from before the deletion.
        metadata: Metadata,
    }
}

wire_union! {
    /// Spec: `files.DeleteError`.
    pub open union DeleteError {
        /// The path could not be read.
        PathLookup(LookupError) under = "path_lookup",
        /// The path could not be written.
        PathWrite(WriteError) under = "path_write",
        /// Others write at the same time: try again.
        TooManyWriteOperations = "too_many_write_operations",
        /// More than [`limits::SUBTREE`](crate::limits::SUBTREE) entries at once.
        TooManyFiles = "too_many_files",
    }
}

#[cfg(test)]
mod tests {
    use super::{Metadata, WriteMode};
    use crate::wire::{Strictness, Wire};
    use serde_json::json;

    #[test]
    fn files_folders_and_what_is_gone_have_a_name_and_a_path() {
        let file = json!({
            ".tag": "file", "name": "A", "path_lower": "/a", "path_display": "/A", "id": "id:1",
            "client_modified": "2026-01-02T03:04:05Z", "server_modified": "2026-01-02T03:04:05Z",
            "rev": "0123456789", "size": 1,
        });
        let folder = json!({
            ".tag": "folder", "name": "A", "path_lower": "/a", "path_display": "/A", "id": "id:1",
        });
        let deleted =
            json!({".tag": "deleted", "name": "A", "path_lower": "/a", "path_display": "/A"});
        for entry in [file, folder, deleted] {
            let metadata = Metadata::decode(&entry, Strictness::Lenient).unwrap();
            assert_eq!(metadata.name(), "A", "{entry}");
            assert_eq!(metadata.path_lower(), Some("/a"), "{entry}");
            assert_eq!(metadata.path_display(), Some("/A"), "{entry}");
        }
    }

    #[test]
    fn a_mode_is_read_as_it_is_typed_and_as_json() {
        let update = WriteMode::Update("0123456789".parse().unwrap());
        for (text, mode) in [
            ("add", WriteMode::Add),
            ("overwrite", WriteMode::Overwrite),
            ("update:0123456789", update.clone()),
            ("\"add\"", WriteMode::Add),
            ("{\".tag\": \"overwrite\"}", WriteMode::Overwrite),
            ("{\".tag\": \"update\", \"update\": \"0123456789\"}", update),
        ] {
            assert_eq!(text.parse(), Ok(mode), "{text}");
        }
        for text in [
            "",
            "Add",
            "update",
            "update:",
            "update:XYZ",
            "overwrite:123456789",
            "\"update\"",
            "{\".tag\": \"update\"}",
            "{\".tag\": \"add\", \"more\": 1}",
            "{\".tag\": \"other\"}",
        ] {
            assert!(text.parse::<WriteMode>().is_err(), "{text}");
        }
    }
}
