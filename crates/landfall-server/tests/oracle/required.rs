//! What a full run must have met.

use landfall_protocol::Wire;
use landfall_protocol::types::batches::{
    UploadSessionAppendBatchEntryError, UploadSessionAppendBatchError,
};
use landfall_protocol::types::files::{DeleteError, UploadError};
use landfall_protocol::types::folders::CreateFolderError;
use landfall_protocol::types::sessions::{
    UploadSessionAppendError, UploadSessionFinishError, UploadSessionStartError,
};

/// Errors of the specification that this server never gives to a client that is alone: where
/// (`*`: anywhere), which, why.
const NEVER: &[(&str, &str, &str)] = &[
    ("*", "path/team_folder", "there are no teams"),
    ("*", "path/operation_suppressed", "there are no teams"),
    ("*", "path/access_restricted", "there are no teams"),
    ("*", "path/too_many_write_operations", "nobody else writes"),
    ("*", "too_many_write_operations", "nobody else writes"),
    ("*", "too_many_shared_folder_targets", "nothing is shared"),
    ("*", "encryption_not_supported", "nothing is encrypted"),
    (
        "*",
        "lookup_failed/concurrent_session_invalid_offset",
        "a finish brings no piece",
    ),
    (
        "*",
        "lookup_failed/concurrent_session_invalid_data_size",
        "a finish brings no piece",
    ),
    (
        "*",
        "lookup_failed/payload_too_large",
        "it is told without lookup_failed",
    ),
    (
        "*",
        "lookup_failed/too_large",
        "2 TiB would have to come first",
    ),
    ("append", "not_closed", "of a finish alone"),
    ("finish", "lookup_failed/not_closed", "of a batch alone"),
    (
        "finish_batch entry",
        "lookup_failed/closed",
        "no body comes",
    ),
    ("finish_batch entry", "payload_too_large", "no body comes"),
    (
        "finish_batch entry",
        "concurrent_session_data_not_allowed",
        "no body comes",
    ),
    ("create_folder", "path/insufficient_space", "it takes none"),
    (
        "create_folder",
        "path/no_write_permission",
        "its oracle knows no namespaces",
    ),
    ("delete", "path_lookup/not_file", "folders are deleted too"),
    ("delete", "path_lookup/not_folder", "files are deleted too"),
    (
        "delete",
        "path_lookup/restricted_content",
        "there are no takedowns",
    ),
    (
        "delete",
        "path_lookup/unsupported_content_type",
        "all bytes are alike",
    ),
    ("delete", "path_lookup/locked", "there are no locks"),
    ("delete", "path_write/malformed_path", "told as path_lookup"),
    (
        "delete",
        "path_write/conflict/file_ancestor",
        "nothing is there then",
    ),
    (
        "delete",
        "path_write/no_write_permission",
        "told as path_lookup",
    ),
    ("delete", "path_write/insufficient_space", "it takes none"),
    (
        "delete",
        "path_write/disallowed_name",
        "nothing is there then",
    ),
    ("delete", "path_write/team_folder", "there are no teams"),
    (
        "delete",
        "path_write/operation_suppressed",
        "there are no teams",
    ),
    (
        "delete",
        "path_write/access_restricted",
        "there are no teams",
    ),
    (
        "delete",
        "path_write/too_many_write_operations",
        "nobody else writes",
    ),
    (
        "delete",
        "too_many_files",
        "10,000 would have to come first",
    ),
];

/// Each error, as the oracle counts it.
pub(crate) fn errors() -> Vec<String> {
    let routes = [
        ("start", UploadSessionStartError::tag_paths()),
        ("append", UploadSessionAppendError::tag_paths()),
        ("append_batch", UploadSessionAppendBatchError::tag_paths()),
        (
            "append_batch entry",
            UploadSessionAppendBatchEntryError::tag_paths(),
        ),
        ("finish", UploadSessionFinishError::tag_paths()),
        ("finish_batch entry", UploadSessionFinishError::tag_paths()),
        ("upload", UploadError::tag_paths()),
        ("create_folder", CreateFolderError::tag_paths()),
        ("delete", DeleteError::tag_paths()),
    ];
    // No error of these routes says that the account is full.
    let full = ["start", "append", "append_batch"];
    let mut errors: Vec<String> = full
        .iter()
        .map(|route| format!("{route}: no room"))
        .collect();
    for (route, paths) in routes {
        for path in paths {
            let never = |(routes, error, _): &(&str, &str, &str)| {
                (*routes == "*" || *routes == route) && *error == path
            };
            // Of property groups the server knows no template, and looks no further.
            let group =
                path.starts_with("properties_error/") && !path.ends_with("template_not_found");
            if !group && !NEVER.iter().any(never) {
                errors.push(format!("{route}: {path}"));
            }
        }
    }
    errors
}

/// Each cell of the decision table: what is at the target, mode, strict_conflict.
pub(crate) fn cells() -> Vec<String> {
    let mut cells = Vec::new();
    for target in [
        "nothing",
        "deleted file",
        "deleted folder",
        "folder",
        "identical file",
        "other file",
        "file above",
    ] {
        for mode in ["add", "overwrite", "update current", "update stale"] {
            // Only a file has a rev.
            if mode == "update current" && !matches!(target, "identical file" | "other file") {
                continue;
            }
            for strict in ["lenient", "strict"] {
                cells.push(format!("table: {target}, {mode}, {strict}"));
            }
        }
    }
    cells
}
