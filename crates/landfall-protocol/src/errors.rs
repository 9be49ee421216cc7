//! The table of errors: what each one means and what there is to do about it.
//!
//! The server takes the HTTP status of an answer from here, the client what to do next, the
//! documentation its list. A row covers every error whose chain of tags begins with its `tags`
//! on its routes; the longest matching row counts.

use crate::routes::RouteId::{
    self, AlphaUpload, CheckUser, Copy, CopyV1, CreateFolder, CreateFolderV1, Delete, DeleteV1,
    Download, GetAccount, GetMetadata, ListFolder, ListFolderContinue, ListFolderGetLatestCursor,
    ListFolderLongpoll, ListRevisions, Move, MoveV1, Restore, Upload, UploadSessionAppend,
    UploadSessionAppendBatch, UploadSessionAppendV1, UploadSessionFinish,
    UploadSessionFinishBatchCheck, UploadSessionStart,
};

/// What a caller can do about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// The same request will fail again.
    Permanent,
    /// The same request may succeed later.
    Temporary,
    /// The service holds another number of bytes than the caller thought: go on from the
    /// offset in the error, or, if it is the one that the request would have led to, take the
    /// request as done.
    AskTheOffset,
    /// The access token is no longer good: get another one and repeat the request.
    Refresh,
}

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct ErrorRow {
    /// The chain of tags, joined by `/`, or its beginning.
    pub tags: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// The routes that may give it; empty: all.
    pub routes: &'static [RouteId],
    /// What to do.
    pub class: Class,
    /// When it happens.
    pub when: &'static str,
}

const fn row(
    tags: &'static str,
    routes: &'static [RouteId],
    class: Class,
    when: &'static str,
) -> ErrorRow {
    ErrorRow {
        tags,
        status: 409,
        routes,
        class,
        when,
    }
}

const fn general(tags: &'static str, status: u16, class: Class, when: &'static str) -> ErrorRow {
    ErrorRow {
        tags,
        status,
        routes: &[],
        class,
        when,
    }
}

use Class::{AskTheOffset, Permanent, Refresh, Temporary};

const BODIES: &[RouteId] = &[
    Upload,
    AlphaUpload,
    UploadSessionStart,
    UploadSessionAppendV1,
    UploadSessionAppend,
    UploadSessionAppendBatch,
    UploadSessionFinish,
];
const COMMITS: &[RouteId] = &[Upload, AlphaUpload, UploadSessionFinish];
const WRITES: &[RouteId] = &[
    Upload,
    AlphaUpload,
    UploadSessionFinish,
    CreateFolder,
    CreateFolderV1,
];
const LOOKUPS: &[RouteId] = &[
    GetMetadata,
    ListFolder,
    ListFolderContinue,
    ListFolderGetLatestCursor,
    Download,
    ListRevisions,
];
const RELOCATIONS: &[RouteId] = &[Move, MoveV1, Copy, CopyV1];
/// Those that tell a path that can't be read from one that can't be written.
const PATH_WRITES: &[RouteId] = &[Delete, DeleteV1, Restore];
const DELETES: &[RouteId] = &[Delete, DeleteV1];
const APPEND: &[RouteId] = &[UploadSessionAppend, UploadSessionAppendV1];
const FINISH: &[RouteId] = &[UploadSessionFinish];

/// The table.
pub const ERRORS: &[ErrorRow] = &[
    // Bodies.
    row(
        "payload_too_large",
        BODIES,
        Permanent,
        "the request body is over 150 MiB",
    ),
    row(
        "content_hash_mismatch",
        BODIES,
        Temporary,
        "the body was damaged on its way; nothing of it was kept",
    ),
    row(
        "length_mismatch",
        &[UploadSessionAppendBatch],
        Permanent,
        "the body has another length than its parts together; nothing of it was kept",
    ),
    // Sessions: at the top level for append, under lookup_failed for finish. The entries of a
    // batch have the errors of append and finish.
    row(
        "not_found",
        APPEND,
        Permanent,
        "the session is unknown, somebody else's, or older than 7 days",
    ),
    row(
        "incorrect_offset",
        APPEND,
        AskTheOffset,
        "the session holds another number of bytes",
    ),
    row("closed", APPEND, Permanent, "the session was closed"),
    row(
        "too_large",
        APPEND,
        Permanent,
        "the file would be over 2^41 - 2^22 bytes",
    ),
    row(
        "concurrent_session_invalid_offset",
        APPEND,
        Permanent,
        "the offset is not a multiple of 4 MiB",
    ),
    row(
        "concurrent_session_invalid_data_size",
        APPEND,
        Permanent,
        "the body is not a multiple of 4 MiB and doesn't close",
    ),
    row(
        "lookup_failed/not_found",
        FINISH,
        Permanent,
        "the session is unknown, somebody else's, older than 7 days, or finished with another commit",
    ),
    row(
        "lookup_failed/incorrect_offset",
        FINISH,
        AskTheOffset,
        "the session holds another number of bytes",
    ),
    row(
        "lookup_failed/closed",
        FINISH,
        Permanent,
        "the session was closed and this call has a body",
    ),
    row(
        "lookup_failed/not_closed",
        FINISH,
        Permanent,
        "the session was not closed (batches only)",
    ),
    row(
        "lookup_failed/too_large",
        FINISH,
        Permanent,
        "the file would be over 2^41 - 2^22 bytes",
    ),
    row(
        "lookup_failed/concurrent_session_invalid_offset",
        FINISH,
        Permanent,
        "the offset is not a multiple of 4 MiB",
    ),
    row(
        "lookup_failed/concurrent_session_invalid_data_size",
        FINISH,
        Permanent,
        "the body is not a multiple of 4 MiB and doesn't close",
    ),
    row(
        "lookup_failed/payload_too_large",
        FINISH,
        Permanent,
        "the request body is over 150 MiB",
    ),
    row(
        "concurrent_session_data_not_allowed",
        &[UploadSessionStart, UploadSessionFinish],
        Permanent,
        "start and finish of a concurrent session have no body",
    ),
    row(
        "concurrent_session_close_not_allowed",
        &[UploadSessionStart],
        Permanent,
        "a concurrent session starts open",
    ),
    row(
        "concurrent_session_not_closed",
        FINISH,
        Permanent,
        "no piece of the concurrent session closed it",
    ),
    row(
        "concurrent_session_missing_data",
        FINISH,
        Permanent,
        "the concurrent session has holes",
    ),
    row(
        "too_many_shared_folder_targets",
        FINISH,
        Permanent,
        "deprecated by the specification",
    ),
    // Commits.
    row(
        "path/malformed_path",
        WRITES,
        Permanent,
        "the path can't be one",
    ),
    row(
        "path/conflict/file",
        WRITES,
        Permanent,
        "a file is in the way",
    ),
    row(
        "path/conflict/folder",
        WRITES,
        Permanent,
        "a folder is in the way",
    ),
    row(
        "path/conflict/file_ancestor",
        WRITES,
        Permanent,
        "a file stands where the path needs a folder",
    ),
    row(
        "path/no_write_permission",
        WRITES,
        Permanent,
        "no right to write there",
    ),
    row(
        "path/insufficient_space",
        WRITES,
        Permanent,
        "the account is full",
    ),
    row(
        "path/disallowed_name",
        WRITES,
        Permanent,
        "a name that is never stored",
    ),
    row(
        "path/team_folder",
        WRITES,
        Permanent,
        "team folders can't be changed so",
    ),
    row(
        "path/operation_suppressed",
        WRITES,
        Permanent,
        "suppressed by a team's policy",
    ),
    row(
        "path/too_many_write_operations",
        WRITES,
        Temporary,
        "others write into the namespace at the same time",
    ),
    row(
        "path/access_restricted",
        WRITES,
        Permanent,
        "restricted by a team's policy",
    ),
    row(
        "properties_error",
        COMMITS,
        Permanent,
        "a property group is bad; the file was saved without",
    ),
    row(
        "encryption_not_supported",
        COMMITS,
        Permanent,
        "the target must be encrypted",
    ),
    row(
        "too_many_write_operations",
        &[UploadSessionFinish, Delete, DeleteV1],
        Temporary,
        "others write into the namespace at the same time",
    ),
    // Lookups.
    row(
        "path/malformed_path",
        LOOKUPS,
        Permanent,
        "the path can't be one",
    ),
    row("path/not_found", LOOKUPS, Permanent, "nothing is there"),
    row("path/not_file", LOOKUPS, Permanent, "it is no file"),
    row("path/not_folder", LOOKUPS, Permanent, "it is no folder"),
    row(
        "path/restricted_content",
        LOOKUPS,
        Permanent,
        "the content is restricted",
    ),
    row(
        "path/unsupported_content_type",
        LOOKUPS,
        Permanent,
        "the type can't be served",
    ),
    row("path/locked", LOOKUPS, Permanent, "locked"),
    row(
        "template_error",
        &[ListFolder, ListFolderGetLatestCursor],
        Permanent,
        "a property template is unknown or forbidden",
    ),
    row(
        "reset",
        &[ListFolderContinue, ListFolderLongpoll],
        Permanent,
        "the cursor is no longer good: list anew",
    ),
    row(
        "unsupported_file",
        &[Download],
        Permanent,
        "must be exported instead",
    ),
    row(
        "range/not_satisfiable",
        &[Download],
        Permanent,
        "the Range header asks for bytes beyond the end",
    ),
    // Deletes.
    row(
        "path_lookup",
        PATH_WRITES,
        Permanent,
        "the path can't be one, or nothing is there",
    ),
    row(
        "path_write",
        DELETES,
        Permanent,
        "parent_rev is not the file's rev, or no right to write there",
    ),
    row(
        "path_write/too_many_write_operations",
        PATH_WRITES,
        Temporary,
        "others write into the namespace at the same time",
    ),
    row(
        "too_many_files",
        DELETES,
        Permanent,
        "more than 10,000 entries at once",
    ),
    // Moves and copies.
    row(
        "from_lookup",
        RELOCATIONS,
        Permanent,
        "the source's path can't be one, or nothing is there",
    ),
    row(
        "from_write",
        RELOCATIONS,
        Permanent,
        "no right to take the source away",
    ),
    row(
        "from_write/too_many_write_operations",
        RELOCATIONS,
        Temporary,
        "others write into the namespace at the same time",
    ),
    row(
        "to",
        RELOCATIONS,
        Permanent,
        "the target's path can't be one, or something is in the way",
    ),
    row(
        "to/too_many_write_operations",
        RELOCATIONS,
        Temporary,
        "others write into the namespace at the same time",
    ),
    row(
        "cant_copy_shared_folder",
        RELOCATIONS,
        Permanent,
        "shared folders can't be copied",
    ),
    row(
        "cant_nest_shared_folder",
        RELOCATIONS,
        Permanent,
        "shared folders can't be in each other",
    ),
    row(
        "cant_move_folder_into_itself",
        RELOCATIONS,
        Permanent,
        "the target is in the folder that is moved",
    ),
    row(
        "too_many_files",
        RELOCATIONS,
        Permanent,
        "more than 10,000 entries at once",
    ),
    row(
        "duplicated_or_nested_paths",
        RELOCATIONS,
        Permanent,
        "the target is in the folder that is copied",
    ),
    row(
        "cant_transfer_ownership",
        RELOCATIONS,
        Permanent,
        "it would get another owner",
    ),
    row(
        "insufficient_quota",
        RELOCATIONS,
        Permanent,
        "the account is full",
    ),
    row(
        "internal_error",
        RELOCATIONS,
        Permanent,
        "it went wrong halfway; look up what was done",
    ),
    row(
        "cant_move_shared_folder",
        RELOCATIONS,
        Permanent,
        "a shared folder can't go there",
    ),
    row(
        "cant_move_into_vault",
        RELOCATIONS,
        Permanent,
        "the vault takes no shared folder",
    ),
    row(
        "cant_move_into_family",
        RELOCATIONS,
        Permanent,
        "the family's folder takes no shared folder",
    ),
    // The history.
    row(
        "invalid_before_rev",
        &[ListRevisions],
        Permanent,
        "before_rev is no revision at the path",
    ),
    row(
        "before_rev_not_supported",
        &[ListRevisions],
        Permanent,
        "before_rev is for paths alone",
    ),
    row(
        "path_write",
        &[Restore],
        Permanent,
        "something is in the way, or the account is full",
    ),
    row(
        "invalid_revision",
        &[Restore],
        Permanent,
        "the revision is unknown, or another path's",
    ),
    row(
        "in_progress",
        &[Restore],
        Temporary,
        "an earlier restore goes on",
    ),
    // Jobs.
    row(
        "invalid_async_job_id",
        &[UploadSessionFinishBatchCheck],
        Permanent,
        "the job is unknown, somebody else's, or older than 7 days",
    ),
    row(
        "internal_error",
        &[UploadSessionFinishBatchCheck],
        Permanent,
        "the job failed; look up what it did",
    ),
    row(
        "no_account",
        &[GetAccount],
        Permanent,
        "the account is unknown, or somebody else's",
    ),
    row(
        "user_requested",
        &[CheckUser],
        Permanent,
        "the caller asked for an error",
    ),
    // Before any route runs.
    general(
        "invalid_access_token",
        401,
        Permanent,
        "the token is unknown or revoked",
    ),
    general(
        "expired_access_token",
        401,
        Refresh,
        "the token was valid once",
    ),
    general("user_suspended", 401, Permanent, "the account is suspended"),
    general(
        "missing_scope",
        401,
        Permanent,
        "the token lacks the route's scope",
    ),
    general(
        "invalid_select_user",
        401,
        Permanent,
        "Dropbox-API-Select-User names nobody on the team",
    ),
    general(
        "invalid_select_admin",
        401,
        Permanent,
        "Dropbox-API-Select-Admin names no admin",
    ),
    general(
        "route_access_denied",
        401,
        Permanent,
        "the route is not for the public",
    ),
    general(
        "invalid_root",
        422,
        Permanent,
        "Dropbox-API-Path-Root names another root than the user's",
    ),
    general(
        "no_permission",
        422,
        Permanent,
        "Dropbox-API-Path-Root names a namespace that the token can't reach",
    ),
    general(
        "too_many_requests",
        429,
        Temporary,
        "too many requests of this app and user",
    ),
    general(
        "too_many_write_operations",
        429,
        Temporary,
        "others write into the namespace at the same time",
    ),
];

/// The row for an error of a route: the longest whose tags `chain` (joined by `/`) begins with.
/// Route errors go before general ones.
pub fn lookup(route: RouteId, chain: &str) -> Option<&'static ErrorRow> {
    let covers = |row: &&ErrorRow| {
        chain
            .strip_prefix(row.tags)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let own = ERRORS.iter().filter(|row| row.routes.contains(&route));
    let any = ERRORS.iter().filter(|row| row.routes.is_empty());
    let longest = |row: &&ErrorRow| row.tags.len();
    own.filter(covers)
        .max_by_key(longest)
        .or_else(|| any.filter(covers).max_by_key(longest))
}

#[cfg(test)]
mod tests {
    use super::{Class, ERRORS, lookup};
    use crate::routes::{ROUTES, RouteId};
    use crate::types::auth::{AuthError, PathRootError, RateLimitReason};
    use crate::wire::Wire;

    fn covers(tags: &str, path: &str) -> bool {
        path == tags || path.starts_with(&format!("{tags}/"))
    }

    #[test]
    fn every_error_of_every_route_has_a_row() {
        for route in ROUTES {
            for path in route.id.error_paths() {
                let row = lookup(route.id, &path);
                assert!(
                    row.is_some_and(|row| row.status == 409),
                    "{} can give {path}, and no row says so",
                    route.tail
                );
            }
        }
        for (paths, status) in [
            (AuthError::tag_paths(), 401),
            (PathRootError::tag_paths(), 422),
            (RateLimitReason::tag_paths(), 429),
        ] {
            for path in paths {
                let path = path.split('/').next().unwrap();
                let found = ERRORS
                    .iter()
                    .any(|row| row.routes.is_empty() && row.tags == path && row.status == status);
                assert!(found, "{path} has no row with status {status}");
            }
        }
    }

    #[test]
    fn every_row_is_an_error_that_its_routes_can_give() {
        for row in ERRORS {
            for route in row.routes {
                assert!(
                    route
                        .error_paths()
                        .iter()
                        .any(|path| covers(row.tags, path)),
                    "{route:?} can't give {}",
                    row.tags
                );
            }
        }
    }

    #[test]
    fn the_longest_row_of_the_route_counts() {
        let class = |route, chain| lookup(route, chain).map(|row| (row.status, row.class));
        assert_eq!(
            class(RouteId::Delete, "path_write/too_many_write_operations"),
            Some((409, Class::Temporary))
        );
        assert_eq!(
            class(RouteId::Delete, "path_write/conflict/file"),
            Some((409, Class::Permanent))
        );
        assert_eq!(
            class(
                RouteId::UploadSessionFinish,
                "lookup_failed/incorrect_offset"
            ),
            Some((409, Class::AskTheOffset))
        );
        assert_eq!(
            class(RouteId::Upload, "expired_access_token"),
            Some((401, Class::Refresh))
        );
        assert_eq!(class(RouteId::Upload, "pathological"), None);
    }
}
