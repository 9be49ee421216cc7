use super::{Strictness, Wire, shorten};
use crate::Timestamp;
use crate::json::{read, to_line};
use crate::types::auth::PathRoot;
use crate::types::files::{CommitInfo, GetMetadataArg, Metadata, UploadArg, WriteError, WriteMode};
use crate::types::folders::ListFolderArg;
use crate::types::sessions::{
    UploadSessionAppendArg, UploadSessionFinishArg, UploadSessionStartArg, UploadSessionType,
};
use serde_json::json;

fn refusal<T: Wire>(text: &str) -> String {
    match read::<T>(text.as_bytes(), Strictness::Strict) {
        Ok(_) => panic!("{text} was taken"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_bad_argument_is_told_where_and_what_in_the_words_of_the_api() {
    assert_eq!(refusal::<UploadArg>("{"), "could not decode input as JSON");
    assert_eq!(
        refusal::<UploadArg>("\u{feff}{}"),
        "could not decode input as JSON"
    );
    assert_eq!(refusal::<UploadArg>("{}"), "missing required field 'path'");
    assert_eq!(
        refusal::<UploadSessionFinishArg>(r#"{"cursor": {"offset": 1}}"#),
        "cursor: missing required field 'session_id'"
    );
    assert_eq!(
        refusal::<GetMetadataArg>(r#"{"path": null}"#),
        "path: 'None' expected to be a string, got null"
    );
    assert_eq!(
        refusal::<UploadSessionFinishArg>(
            r#"{"cursor": {"session_id": "s", "offset": 1}, "commit": {"path": {}}}"#
        ),
        "commit.path: '{}' expected to be a string, got object"
    );
    assert_eq!(
        refusal::<UploadArg>(r#"{"path": "/a", "x": 1}"#),
        "unknown field 'x'"
    );
    assert_eq!(
        refusal::<UploadArg>(r#"{"path": "/a", "mode": {".tag": "add", "x": 1}}"#),
        "mode: unknown field 'x'"
    );
    assert_eq!(
        refusal::<UploadArg>(r#"{"path": "/a", "mode": "append"}"#),
        "mode: unknown tag 'append'"
    );
    assert_eq!(
        refusal::<UploadArg>(r#"{"path": "/a", "mode": "update"}"#),
        "mode: missing required field 'update'"
    );
    assert_eq!(
        refusal::<UploadArg>(r#"{"path": "/a", "autorename": null}"#),
        "autorename: 'None' expected to be a boolean, got null"
    );
    assert_eq!(
        refusal::<UploadSessionAppendArg>(r#"{"cursor": {"session_id": "s", "offset": -1}}"#),
        "cursor.offset: -1 is not greater than or equal to 0"
    );
    assert_eq!(
        refusal::<UploadSessionAppendArg>(r#"{"cursor": {"session_id": "s", "offset": 1.5}}"#),
        "cursor.offset: '1.5' expected to be an integer, got float"
    );
    assert_eq!(
        refusal::<ListFolderArg>(r#"{"path": "", "limit": 2001}"#),
        "limit: 2001 is not within range [1, 2000]"
    );
    assert_eq!(
        refusal::<UploadArg>(r#"{"path": "/a", "property_groups": [{"template_id": "t"}]}"#),
        "property_groups[0]: missing required field 'fields'"
    );
    assert_eq!(
        refusal::<UploadArg>("[]"),
        "'[]' expected to be an object, got list"
    );
}

#[test]
fn a_hostile_argument_does_not_make_the_answer_large() {
    let long = "x".repeat(100_000);
    assert!(refusal::<UploadArg>(&format!(r#"{{"path": "{long}"}}"#)).len() < 1000);
    assert!(refusal::<UploadArg>(&format!(r#"{{"{long}": 1, "path": "/a"}}"#)).len() < 1000);
    assert!(refusal::<UploadArg>(&format!(r#"{{"path": [{long:?}]}}"#)).len() < 1000);
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(
        refusal::<UploadArg>(&deep),
        "could not decode input as JSON"
    );
}

#[test]
fn a_void_member_is_taken_as_string_and_as_object() {
    for text in [
        r#""concurrent""#,
        r#"{".tag": "concurrent"}"#,
        r#"{".tag": "concurrent", "concurrent": null}"#,
    ] {
        let arg = format!(r#"{{"session_type": {text}}}"#);
        let arg: UploadSessionStartArg = read(arg.as_bytes(), Strictness::Strict).unwrap();
        assert_eq!(arg.session_type, Some(UploadSessionType::Concurrent));
        assert!(!arg.close);
    }
}

#[test]
fn tag_comes_first_and_unset_fields_are_left_out() {
    let root: PathRoot = read(br#"{"root": "7", ".tag": "root"}"#, Strictness::Strict).unwrap();
    assert_eq!(to_line(&root.encode()), r#"{".tag": "root", "root": "7"}"#);
    assert_eq!(
        to_line(&WriteError::MalformedPath(None).encode()),
        r#"{".tag": "malformed_path"}"#
    );
    let arg: UploadArg = read(
        br#"{"path": "/a", "mode": {".tag": "update", "update": "0123456789"}}"#,
        Strictness::Strict,
    )
    .unwrap();
    assert!(matches!(arg.commit.mode, WriteMode::Update(_)));
    assert_eq!(
        to_line(&arg.encode()),
        r#"{"path": "/a", "mode": {".tag": "update", "update": "0123456789"}, "autorename": false, "mute": false, "strict_conflict": false}"#
    );
}

#[test]
fn a_client_ignores_what_is_newer_than_itself() {
    let text = br#"{".tag": "file", "name": "a", "id": "id:x", "client_modified": "2026-01-02T03:04:05Z",
        "server_modified": "2026-01-02T03:04:05Z", "rev": "0123456789", "size": 5, "new": {"x": 1}}"#;
    let Metadata::File(file) = read(text, Strictness::Lenient).unwrap() else {
        panic!("a file");
    };
    assert!(file.is_downloadable, "the specification's default");
    assert!(read::<Metadata>(text, Strictness::Strict).is_err());
}

#[test]
fn what_is_of_another_type_is_named() {
    for (value, shown, name) in [
        ("null", "None", "null"),
        ("true", "True", "boolean"),
        ("false", "False", "boolean"),
        ("1", "1", "integer"),
        ("1.5", "1.5", "float"),
        ("[]", "[]", "list"),
        ("{}", "{}", "object"),
    ] {
        let told = format!("'{shown}' expected to be a string, got {name}");
        assert_eq!(refusal::<String>(value), told);
    }
    assert_eq!(
        refusal::<u64>("\"1\""),
        "'1' expected to be an integer, got string"
    );
    assert_eq!(
        refusal::<u64>("1.5"),
        "'1.5' expected to be an integer, got float"
    );
    assert_eq!(refusal::<u64>("-1"), "-1 is not greater than or equal to 0");
    assert_eq!(
        refusal::<f64>("[]"),
        "'[]' expected to be a float, got list"
    );
    assert_eq!(
        refusal::<bool>("1"),
        "'1' expected to be a boolean, got integer"
    );
}

#[test]
fn numbers_texts_and_booleans_are_written_as_they_are_read() {
    fn same<T: Wire>(text: &str) {
        let value = read::<T>(text.as_bytes(), Strictness::Strict);
        assert_eq!(to_line(&value.expect(text).encode()), text);
    }
    same::<bool>("true");
    same::<bool>("false");
    same::<u64>("18446744073709551615");
    same::<f64>("1.5");
    same::<String>("\"text\"");
    same::<serde_json::Value>(r#"{"a": [1, null]}"#);
    same::<Vec<u64>>("[1, 2]");
    same::<Option<u64>>("7");
    same::<Option<u64>>("null");
}

#[test]
fn long_values_are_shown_in_part() {
    let long = "x".repeat(201);
    let told = refusal::<bool>(&format!("\"{long}\""));
    let shown = "x".repeat(200);
    assert_eq!(
        told,
        format!("'{shown}...' expected to be a boolean, got string")
    );
    let told = refusal::<bool>(&format!("\"{shown}\""));
    assert_eq!(
        told,
        format!("'{shown}' expected to be a boolean, got string")
    );
}

#[test]
fn a_void_argument_is_null_to_a_server_and_anything_to_a_client() {
    assert_eq!(refusal::<()>("1"), "'1' expected to be null, got integer");
    for (text, strictness) in [("null", Strictness::Strict), ("1", Strictness::Lenient)] {
        assert!(read::<()>(text.as_bytes(), strictness).is_ok(), "{text}");
    }
    assert_eq!(to_line(&().encode()), "null");
    assert_eq!(<()>::absent(), Some(()));
}

#[test]
fn what_is_not_set_is_left_out() {
    let path = read(br#""/a""#, Strictness::Strict).expect("a path");
    let mut commit = CommitInfo::new(path);
    assert!(!to_line(&commit.encode()).contains("client_modified"));
    commit.client_modified = Some(Timestamp::from_unix_seconds(0));
    let written = to_line(&commit.encode());
    assert!(
        written.contains(r#""client_modified": "1970-01-01T00:00:00Z""#),
        "{written}"
    );
}

#[test]
fn what_may_be_missing_has_the_tags_of_what_it_is() {
    let mut tags = Vec::new();
    Some(WriteMode::Add).tags(&mut tags);
    None::<WriteMode>.tags(&mut tags);
    assert_eq!(tags, ["add"]);
    assert!(!WriteError::tag_paths().is_empty());
    assert_eq!(Option::<WriteError>::tag_paths(), WriteError::tag_paths());
}

#[test]
fn what_is_shown_of_an_argument_has_no_control_characters() {
    let sent = "a\n\u{1b}[2J\u{7f}\u{85}\u{e9}";
    assert_eq!(shorten(sent, 9), "a\\u000a\\u001b[2J\\u007f\\u0085\u{e9}");
    assert_eq!(shorten(sent, 2), "a\\u000a...");
    let argument = json!({"path": sent}).to_string();
    for told in [
        refusal::<UploadArg>(&argument),
        refusal::<u64>(&argument),
        refusal::<bool>(&json!(sent).to_string()),
    ] {
        assert!(!told.contains(char::is_control), "{told:?}");
    }
}
