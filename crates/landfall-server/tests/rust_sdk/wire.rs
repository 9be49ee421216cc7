//! Our wire types beside the SDK's: what one writes the other reads as the same, both ways.

use dropbox_sdk::types::{auth, check, common, dbx_async, files as sdk, users};
use landfall_protocol::json::{read, to_line};
use landfall_protocol::routes::{Call, ROUTES, RouteId, calls};
use landfall_protocol::types::auth::{AuthError, PathRoot, PathRootError, RateLimitError};
use landfall_protocol::{Strictness, Wire};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::fmt::Debug;

/// A type of the SDK.
trait Theirs: Serialize + DeserializeOwned + PartialEq + Debug {}
impl<T: Serialize + DeserializeOwned + PartialEq + Debug> Theirs for T {}

const FILE: &str = r#"{"name": "a.txt", "id": "id:AAAAAAAAAAAAAAAAAAAAAA",
    "client_modified": "2026-01-02T03:04:05Z", "server_modified": "2026-01-02T03:04:06Z",
    "rev": "0123456789ab", "size": 5, "path_lower": "/a.txt", "path_display": "/A.txt",
    "is_downloadable": true,
    "content_hash": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}"#;
const FOLDER: &str = r#"{"name": "a", "id": "id:AAAAAAAAAAAAAAAAAAAAAB", "path_lower": "/a",
    "path_display": "/A"}"#;
const DELETED: &str = r#"{"name": "b", "path_lower": "/b", "path_display": "/B"}"#;
const HASH: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const CURSOR: &str = r#"{"session_id": "S", "offset": 5}"#;
const COMMIT: &str = r#"{"path": "/a", "mode": {".tag": "update", "update": "0123456789ab"},
    "autorename": true, "client_modified": "2026-01-02T03:04:05Z", "mute": true,
    "strict_conflict": true}"#;

fn object(text: &str) -> Map<String, Value> {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// The fields behind a tag.
fn tagged(tag: &str, fields: &str) -> Value {
    let mut whole = Map::from_iter([(".tag".to_owned(), json!(tag))]);
    whole.extend(object(fields));
    Value::Object(whole)
}

fn merged(fields: &str, more: Value) -> Value {
    let mut whole = object(fields);
    whole.extend(more.as_object().expect("an object").clone());
    Value::Object(whole)
}

/// What the SDK writes is read by us, strictly as a server does; what we write is the same to it.
fn both_ways<O: Wire, T: Theirs>(what: &str, value: &Value) {
    let theirs: T = serde_json::from_str(&value.to_string())
        .unwrap_or_else(|error| panic!("{what}: the SDK can't read {value}: {error}"));
    let text = serde_json::to_string(&theirs).expect("JSON");
    let ours: O = read(text.as_bytes(), Strictness::Strict)
        .unwrap_or_else(|error| panic!("{what}: we can't read {text}: {error}"));
    let line = to_line(&ours.encode());
    let again: T = serde_json::from_str(&line)
        .unwrap_or_else(|error| panic!("{what}: the SDK can't read our {line}: {error}"));
    assert_eq!(again, theirs, "{what}: {line}");
    // Nothing of the sample was lost on the way: it is all in the SDK's own writing.
    let plain: O = read(value.to_string().as_bytes(), Strictness::Strict)
        .unwrap_or_else(|error| panic!("{what}: we can't read {value}: {error}"));
    assert_eq!(to_line(&plain.encode()), line, "{what}");
}

/// An error with this chain of tags, and every field that a struct on the way may need.
fn error_of(path: &str) -> Value {
    let fields = json!({
        "correct_offset": 7, "upload_session_id": "S", "required_scope": "x", "retry_after": 1,
    });
    let tags: Vec<&str> = path.split('/').collect();
    let mut value = Value::Null;
    for tag in tags.iter().rev() {
        let mut level = Map::from_iter([(".tag".to_owned(), json!(tag))]);
        match value {
            // Some of the last have a text.
            Value::Null => {
                level.insert((*tag).to_owned(), json!("text"));
            }
            // An upload's `path` is a struct with a reason, others' is the error itself.
            inner => {
                level.insert((*tag).to_owned(), inner.clone());
                level.insert("reason".to_owned(), inner);
            }
        }
        level.extend(fields.as_object().expect("an object").clone());
        value = Value::Object(level);
    }
    value
}

/// Each error of a route means the same to the SDK.
fn errors<C: Call, T: Theirs>() {
    for path in C::ID.error_paths() {
        let what = format!("{:?}: {path}", C::ID);
        let sample = error_of(&path);
        let ours = C::Error::decode(&sample, Strictness::Lenient)
            .unwrap_or_else(|error| panic!("{what}: we can't read {sample}: {error}"));
        let line = to_line(&ours.encode());
        let theirs: T = serde_json::from_str(&line)
            .unwrap_or_else(|error| panic!("{what}: the SDK can't read our {line}: {error}"));
        // A tag that it doesn't know is `other` to it.
        let known = path == "other" || path.ends_with("/other");
        assert!(
            known || !format!("{theirs:?}").contains("Other"),
            "{what}: {theirs:?}"
        );
        let Ok(text) = serde_json::to_string(&theirs) else {
            // It refuses to write what servers alone may say.
            assert!(known, "{what}");
            continue;
        };
        let again = read::<C::Error>(text.as_bytes(), Strictness::Lenient)
            .unwrap_or_else(|error| panic!("{what}: we can't read its {text}: {error}"));
        assert_eq!(to_line(&again.encode()), line, "{what}");
    }
}

/// A route whose own errors are none.
fn no_errors<C: Call>() {
    assert_eq!(C::ID.error_paths(), [""; 0], "{:?}", C::ID);
}

/// Rows without errors: `range` of a download is in no specification, and `check/user` has none
/// but `other`.
fn arguments_and_results(seen: &mut BTreeSet<RouteId>) {
    macro_rules! rows {
        ($( $call:ident: $arg:expr => $arg_type:ty, $result:expr => $result_type:ty, $errors:expr; )*) => {
            $(
                let what = stringify!($call);
                both_ways::<<calls::$call as Call>::Arg, $arg_type>(what, &$arg);
                both_ways::<<calls::$call as Call>::Result, $result_type>(what, &$result);
                let () = $errors;
                seen.insert(calls::$call::ID);
            )*
        };
    }
    let cursor: Value = Value::Object(object(CURSOR));
    let commit = Value::Object(object(COMMIT));
    let file = Value::Object(object(FILE));
    let finishes = json!({"entries": [{"cursor": cursor, "commit": commit}]});
    let done = json!({"entries": [tagged("success", FILE), {
        ".tag": "failure", "failure": {".tag": "lookup_failed", "lookup_failed": {".tag": "not_closed"}},
    }]});
    let list = json!({
        "path": "/a", "recursive": true, "include_deleted": true,
        "include_mounted_folders": false, "limit": 7, "include_non_downloadable_files": false,
    });
    let page = json!({
        "entries": [tagged("file", FILE), tagged("folder", FOLDER), tagged("deleted", DELETED)],
        "cursor": "C", "has_more": true,
    });
    let relocation = json!({"from_path": "/a", "to_path": "/b", "autorename": true});
    let upload = merged(COMMIT, json!({"content_hash": HASH}));
    let name = json!({
        "given_name": "Panda", "surname": "Bear", "familiar_name": "Panda",
        "display_name": "Panda Bear", "abbreviated_name": "PB",
    });
    let basic = json!({
        "account_id": format!("dbid:{}", "A".repeat(35)), "name": name, "email": "p@example.org",
        "email_verified": true, "disabled": false, "is_teammate": true,
    });
    let mut full = basic.as_object().expect("an object").clone();
    full.remove("is_teammate");
    full.extend(object(
        r#"{"locale": "en", "referral_link": "https://x", "is_paired": false,
        "account_type": {".tag": "basic"},
        "root_info": {".tag": "user", "root_namespace_id": "1", "home_namespace_id": "1"}}"#,
    ));
    rows! {
        Upload: upload => sdk::UploadArg, file => sdk::FileMetadata,
            errors::<calls::Upload, sdk::UploadError>();
        AlphaUpload: upload => sdk::UploadArg, file => sdk::FileMetadata,
            errors::<calls::AlphaUpload, sdk::UploadError>();
        UploadSessionStart:
            json!({"close": true, "session_type": {".tag": "concurrent"}, "content_hash": HASH})
                => sdk::UploadSessionStartArg,
            json!({"session_id": "S"}) => sdk::UploadSessionStartResult,
            errors::<calls::UploadSessionStart, sdk::UploadSessionStartError>();
        UploadSessionStartBatch:
            json!({"num_sessions": 3, "session_type": {".tag": "sequential"}})
                => sdk::UploadSessionStartBatchArg,
            json!({"session_ids": ["A", "B"]}) => sdk::UploadSessionStartBatchResult,
            no_errors::<calls::UploadSessionStartBatch>();
        UploadSessionAppendV1: cursor => sdk::UploadSessionCursor, Value::Null => (),
            errors::<calls::UploadSessionAppendV1, sdk::UploadSessionAppendError>();
        UploadSessionAppend:
            json!({"cursor": cursor, "close": true, "content_hash": HASH})
                => sdk::UploadSessionAppendArg,
            Value::Null => (),
            errors::<calls::UploadSessionAppend, sdk::UploadSessionAppendError>();
        UploadSessionAppendBatch:
            json!({"entries": [{"cursor": cursor, "length": 3, "close": true}], "content_hash": HASH})
                => sdk::UploadSessionAppendBatchArg,
            json!({"entries": [{".tag": "success"}, {".tag": "failure",
                "failure": {".tag": "incorrect_offset", "correct_offset": 7}}]})
                => sdk::UploadSessionAppendBatchResult,
            errors::<calls::UploadSessionAppendBatch, sdk::UploadSessionAppendBatchError>();
        UploadSessionFinish:
            json!({"cursor": cursor, "commit": commit, "content_hash": HASH})
                => sdk::UploadSessionFinishArg,
            file => sdk::FileMetadata,
            errors::<calls::UploadSessionFinish, sdk::UploadSessionFinishError>();
        UploadSessionFinishBatch: finishes => sdk::UploadSessionFinishBatchArg,
            done => sdk::UploadSessionFinishBatchResult,
            no_errors::<calls::UploadSessionFinishBatch>();
        UploadSessionFinishBatchV1: finishes => sdk::UploadSessionFinishBatchArg,
            json!({".tag": "async_job_id", "async_job_id": "dbjid:A"})
                => sdk::UploadSessionFinishBatchLaunch,
            no_errors::<calls::UploadSessionFinishBatchV1>();
        UploadSessionFinishBatchCheck: json!({"async_job_id": "dbjid:A"}) => dbx_async::PollArg,
            merged(r#"{".tag": "complete"}"#, done) => sdk::UploadSessionFinishBatchJobStatus,
            errors::<calls::UploadSessionFinishBatchCheck, dbx_async::PollError>();
        GetMetadata: json!({"path": "/a", "include_deleted": true}) => sdk::GetMetadataArg,
            tagged("file", FILE) => sdk::Metadata,
            errors::<calls::GetMetadata, sdk::GetMetadataError>();
        ListFolder: list => sdk::ListFolderArg, page => sdk::ListFolderResult,
            errors::<calls::ListFolder, sdk::ListFolderError>();
        ListFolderContinue: json!({"cursor": "C"}) => sdk::ListFolderContinueArg,
            page => sdk::ListFolderResult,
            errors::<calls::ListFolderContinue, sdk::ListFolderContinueError>();
        ListFolderGetLatestCursor: list => sdk::ListFolderArg,
            json!({"cursor": "C"}) => sdk::ListFolderGetLatestCursorResult,
            errors::<calls::ListFolderGetLatestCursor, sdk::ListFolderError>();
        ListFolderLongpoll: json!({"cursor": "C", "timeout": 60}) => sdk::ListFolderLongpollArg,
            json!({"changes": true, "backoff": 9}) => sdk::ListFolderLongpollResult,
            errors::<calls::ListFolderLongpoll, sdk::ListFolderLongpollError>();
        Download: json!({"path": "rev:0123456789ab"}) => sdk::DownloadArg,
            file => sdk::FileMetadata, ();
        Delete: json!({"path": "/a", "parent_rev": "0123456789ab"}) => sdk::DeleteArg,
            json!({"metadata": tagged("file", FILE)}) => sdk::DeleteResult,
            errors::<calls::Delete, sdk::DeleteError>();
        DeleteV1: json!({"path": "/a"}) => sdk::DeleteArg, tagged("folder", FOLDER) => sdk::Metadata,
            errors::<calls::DeleteV1, sdk::DeleteError>();
        CreateFolder: json!({"path": "/a", "autorename": true}) => sdk::CreateFolderArg,
            json!({"metadata": object(FOLDER)}) => sdk::CreateFolderResult,
            errors::<calls::CreateFolder, sdk::CreateFolderError>();
        CreateFolderV1: json!({"path": "/a"}) => sdk::CreateFolderArg,
            Value::Object(object(FOLDER)) => sdk::FolderMetadata,
            errors::<calls::CreateFolderV1, sdk::CreateFolderError>();
        Move: relocation => sdk::RelocationArg,
            json!({"metadata": tagged("file", FILE)}) => sdk::RelocationResult,
            errors::<calls::Move, sdk::RelocationError>();
        MoveV1: relocation => sdk::RelocationArg, tagged("file", FILE) => sdk::Metadata,
            errors::<calls::MoveV1, sdk::RelocationError>();
        Copy: relocation => sdk::RelocationArg,
            json!({"metadata": tagged("folder", FOLDER)}) => sdk::RelocationResult,
            errors::<calls::Copy, sdk::RelocationError>();
        CopyV1: relocation => sdk::RelocationArg, tagged("folder", FOLDER) => sdk::Metadata,
            errors::<calls::CopyV1, sdk::RelocationError>();
        ListRevisions: json!({"path": "/a", "mode": {".tag": "id"}, "limit": 5}) => sdk::ListRevisionsArg,
            json!({"is_deleted": true, "entries": [object(FILE)],
                "server_deleted": "2026-01-02T03:04:05Z", "has_more": true})
                => sdk::ListRevisionsResult,
            errors::<calls::ListRevisions, sdk::ListRevisionsError>();
        Restore: json!({"path": "/a", "rev": "0123456789ab"}) => sdk::RestoreArg,
            file => sdk::FileMetadata,
            errors::<calls::Restore, sdk::RestoreError>();
        GetCurrentAccount: Value::Null => (), Value::Object(full) => users::FullAccount,
            no_errors::<calls::GetCurrentAccount>();
        GetAccount: json!({"account_id": format!("dbid:{}", "A".repeat(35))}) => users::GetAccountArg,
            basic => users::BasicAccount,
            errors::<calls::GetAccount, users::GetAccountError>();
        GetSpaceUsage: Value::Null => (),
            json!({"used": 5, "allocation": {".tag": "individual", "allocated": 7}})
                => users::SpaceUsage,
            no_errors::<calls::GetSpaceUsage>();
        CheckUser: json!({"query": "x"}) => check::EchoArg, json!({"result": "x"}) => check::EchoResult, ();
    }
}

#[test]
fn the_sdk_and_we_mean_the_same_by_every_argument_result_and_error() {
    let mut seen = BTreeSet::new();
    arguments_and_results(&mut seen);
    let missing: Vec<_> = ROUTES
        .iter()
        .filter(|route| !seen.contains(&route.id))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn the_sdk_and_we_mean_the_same_by_the_errors_before_every_route() {
    for value in [
        json!({".tag": "invalid_access_token"}),
        json!({".tag": "expired_access_token"}),
        json!({".tag": "user_suspended"}),
        json!({".tag": "missing_scope", "required_scope": "files.content.write"}),
    ] {
        both_ways::<AuthError, auth::AuthError>("AuthError", &value);
    }
    for reason in ["too_many_requests", "too_many_write_operations"] {
        let value = json!({"reason": {".tag": reason}, "retry_after": 9});
        both_ways::<RateLimitError, auth::RateLimitError>("RateLimitError", &value);
    }
    for value in [
        json!({".tag": "home"}),
        json!({".tag": "root", "root": "1"}),
        json!({".tag": "namespace_id", "namespace_id": "1"}),
    ] {
        both_ways::<PathRoot, common::PathRoot>("PathRoot", &value);
    }
    for value in [
        json!({".tag": "no_permission"}),
        json!({".tag": "invalid_root", "invalid_root":
            {".tag": "user", "root_namespace_id": "1", "home_namespace_id": "1"}}),
    ] {
        both_ways::<PathRootError, common::PathRootError>("PathRootError", &value);
    }
}
