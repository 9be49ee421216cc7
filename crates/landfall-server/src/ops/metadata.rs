//! Rows as the API's metadata.

use crate::meta::rows::{Entry, FileEntry, Node};
use landfall_protocol::types::files::{DeletedMetadata, FileMetadata, FolderMetadata, Metadata};
use landfall_protocol::{DisplayPath, FileId};

/// A file's metadata.
pub(super) fn file(path: &DisplayPath, file: &FileEntry) -> FileMetadata {
    FileMetadata {
        name: path.name().to_owned(),
        path_lower: Some(path.key().to_string()),
        path_display: Some(path.to_string()),
        id: file.id.clone(),
        client_modified: file.client_modified,
        server_modified: file.server_modified,
        rev: file.rev.clone(),
        size: file.size,
        parent_shared_folder_id: None,
        preview_url: None,
        media_info: None,
        symlink_info: None,
        sharing_info: None,
        is_downloadable: true,
        export_info: None,
        property_groups: None,
        has_explicit_shared_members: None,
        content_hash: Some(file.hash),
        file_lock_info: None,
        is_restorable: None,
    }
}

/// A folder's metadata.
pub(super) fn folder(path: &DisplayPath, id: &FileId) -> FolderMetadata {
    FolderMetadata {
        name: path.name().to_owned(),
        path_lower: Some(path.key().to_string()),
        path_display: Some(path.to_string()),
        id: id.clone(),
        parent_shared_folder_id: None,
        preview_url: None,
        shared_folder_id: None,
        sharing_info: None,
        property_groups: None,
    }
}

/// The metadata of whatever is, or was, at a place.
pub(super) fn node(node: &Node) -> Metadata {
    match &node.entry {
        Entry::File(entry) => Metadata::File(file(&node.path, entry)),
        Entry::Folder(id) => Metadata::Folder(folder(&node.path, id)),
        Entry::DeletedFile | Entry::DeletedFolder => Metadata::Deleted(DeletedMetadata {
            name: node.path.name().to_owned(),
            path_lower: Some(node.key().to_string()),
            path_display: Some(node.path.to_string()),
            parent_shared_folder_id: None,
            preview_url: None,
            is_restorable: None,
        }),
    }
}
