//! Servers with a fault are found out, each by the cases that are about it and by no others.

use crate::front::{Asked, Fault, Front, SOUND};
use crate::runs::ask;
use landfall_conformance::{Options, cases};
use landfall_testkit::{Stores, TestServer};
use serde_json::{Value, json};

/// The cases that a server with this fault doesn't pass.
fn finds(fault: Fault, wanted: &[&str]) {
    TestServer::run(Stores::Memory, |server| async move {
        let front = Front::before(&server, fault).await;
        let finished = ask(&front.url, server.token(), &Options::default()).await;
        assert_eq!(finished.missed(), wanted, "{}", finished.shown());
        assert_eq!(server.calls().tree().await, [""; 0], "the folder is gone");
    });
}

fn asks(ask: fn(&mut Asked)) -> Fault {
    Fault { ask, ..SOUND }
}

/// Removes a field from an argument and from the commit in it.
fn remove(arg: &mut Value, field: &str) {
    for pointer in ["", "/commit"] {
        let fields = arg.pointer_mut(pointer).and_then(Value::as_object_mut);
        fields.map(|fields| fields.remove(field));
    }
}

#[test]
fn a_front_without_a_fault_passes() {
    finds(SOUND, &[]);
}

#[test]
fn a_charset_in_the_type_of_json() {
    let fault = Fault {
        answer: |_, answered, _| {
            if answered.is_json() {
                let kind = "application/json; charset=utf-8".parse().expect("a type");
                answered.headers.insert("content-type", kind);
            }
            None
        },
        ..SOUND
    };
    finds(
        fault,
        &[
            "transport/json-type-is-exact",
            "transport/void-is-null",
            "auth/unknown-token-is-exactly-json",
        ],
    );
}

#[test]
fn a_tag_that_is_not_first() {
    let fault = Fault {
        answer: |_, answered, _| {
            let text = answered.text();
            let tag = "\".tag\": \"incorrect_offset\", ";
            if let Some((begin, rest)) = text.split_once(tag) {
                let (value, end) = rest.split_once('}').expect("an object");
                let text = format!("{begin}{value}, \".tag\": \"incorrect_offset\"}}{end}");
                answered.body = text.into();
            }
            None
        },
        ..SOUND
    };
    finds(fault, &["transport/tag-comes-first"]);
}

#[test]
fn json_without_spaces() {
    let fault = Fault {
        answer: |_, answered, _| {
            if answered.is_json() {
                answered.body = answered
                    .text()
                    .replace("\": ", "\":")
                    .replace(", \"", ",\"")
                    .into();
            }
            None
        },
        ..SOUND
    };
    finds(
        fault,
        &[
            "transport/separators-have-one-space",
            "transport/summary-comes-first",
        ],
    );
}

#[test]
fn a_repeated_finish_that_is_not_found() {
    let fault = Fault {
        answer: |asked, answered, again| {
            if again && asked.path == "/2/files/upload_session/finish" {
                let error = json!({
                    "error_summary": "lookup_failed/not_found/.",
                    "error": {".tag": "lookup_failed", "lookup_failed": {".tag": "not_found"}},
                });
                answered.replace(409, "application/json", &error.to_string());
            }
            None
        },
        ..SOUND
    };
    finds(
        fault,
        &[
            "finish/repeated-gives-the-same-answer",
            "finish/repeated-after-a-rename",
            "concurrent/repeated-finish",
        ],
    );
}

#[test]
fn a_wrong_offset_that_is_accepted() {
    let fault = Fault {
        answer: |asked, answered, _| {
            let error: Value = serde_json::from_slice(&answered.body).ok()?;
            let right = error["error"].get("correct_offset")?.clone();
            let mut other = asked.clone();
            other.change_arg(|arg| arg["cursor"]["offset"] = right);
            Some(other)
        },
        ..SOUND
    };
    finds(
        fault,
        &[
            "transport/chunked-body-of-nothing",
            "session/append-v1-takes-a-bare-cursor",
            "session/offset-behind-the-end",
            "session/offset-before-the-end",
            "session/wrong-offset-changes-nothing",
            "session/repeated-append-is-not-stored-twice",
            "session/error-has-its-form",
            "session/repeated-closing-append",
            "session/right-hash-of-an-append",
            "session/wrong-hash-changes-nothing",
            "batch/append-judges-each-entry",
            "batch/append-of-lengths-that-do-not-add-up",
            "batch/append-with-a-wrong-hash",
        ],
    );
}

#[test]
fn metadata_without_a_hash() {
    fn without(text: &str) -> String {
        match text.split_once(", \"content_hash\": \"") {
            Some((begin, rest)) => format!("{begin}{}", without(&rest[65..])),
            None => text.to_owned(),
        }
    }
    let fault = Fault {
        answer: |_, answered, _| {
            if answered.is_json() {
                answered.body = without(&answered.text()).into();
            }
            None
        },
        ..SOUND
    };
    finds(
        fault,
        &[
            "upload/metadata-is-complete",
            "upload/empty-file",
            "upload/hash-of-the-stored-bytes",
            "upload/metadata-has-the-hash",
            "session/pieces-become-a-file",
            "finish/metadata-is-that-of-an-upload",
            "concurrent/pieces-in-any-order",
            "concurrent/other-bytes-for-a-piece",
            "listing/entries-are-files-and-folders",
            "download/result-is-a-header",
            "relocation/copy-has-an-id-of-its-own",
        ],
    );
}

#[test]
fn an_add_that_overwrites() {
    let fault = asks(|asked| {
        let pointer = match asked.path.as_str() {
            "/2/files/upload" => "",
            "/2/files/upload_session/finish" => "/commit",
            _ => return,
        };
        asked.change_arg(|arg| {
            let commit = arg.pointer_mut(pointer).and_then(Value::as_object_mut);
            if let Some(commit) = commit
                && commit.get("mode").is_none_or(|mode| mode == "add")
            {
                commit.insert("mode".into(), "overwrite".into());
            }
        });
    });
    finds(
        fault,
        &[
            "upload/names-in-any-case-are-one",
            "commit/add-conflicts-with-other-bytes",
            "commit/add-is-the-default",
            "commit/refused-upload-has-its-form",
            "commit/refused-upload-keeps-its-bytes",
            "commit/autorename-of-add-numbers",
            "commit/autorename-goes-on-numbering",
            "commit/autorename-numbers-before-the-last-extension",
            "commit/strict-add-conflicts",
            "commit/strict-add-is-renamed",
            "finish/conflict-has-its-form",
            "finish/refused-keeps-its-bytes",
            "finish/repeated-after-a-rename",
            "finish/autorename-numbers",
            "finish/strict-conflict",
            "concurrent/refused-finish-can-be-made-elsewhere",
        ],
    );
}

#[test]
fn a_void_that_is_an_object() {
    let fault = Fault {
        answer: |_, answered, _| {
            if answered.body == "null" {
                answered.body = "{}".into();
            }
            None
        },
        ..SOUND
    };
    finds(
        fault,
        &[
            "transport/void-is-null",
            "session/append-v1-takes-a-bare-cursor",
            "concurrent/pieces-in-any-order",
        ],
    );
}

#[test]
fn a_missing_token_that_is_unauthorized() {
    let fault = Fault {
        answer: |_, answered, _| {
            if answered
                .text()
                .contains("Must provide HTTP header \"Authorization\"")
            {
                answered.status = 401;
            }
            None
        },
        ..SOUND
    };
    finds(
        fault,
        &[
            "auth/no-authorization",
            "auth/no-authorization-is-plain-text",
            "auth/check-user-needs-one",
        ],
    );
}

#[test]
fn a_range_that_is_ignored() {
    finds(
        asks(|asked| drop(asked.headers.remove("range"))),
        &[
            "download/range",
            "download/range-has-the-result",
            "download/range-to-the-end",
            "download/range-of-the-last-bytes",
            "download/range-beyond-the-end",
            "download/range-without-a-byte",
        ],
    );
}

#[test]
fn a_hash_that_is_not_checked() {
    let fault = asks(|asked| {
        asked.change_arg(|arg| {
            arg.as_object_mut()
                .map(|fields| fields.remove("content_hash"));
        });
    });
    finds(
        fault,
        &[
            "upload/wrong-hash",
            "upload/hash-of-another-length",
            "session/wrong-hash-of-a-start",
            "session/wrong-hash-of-an-append",
            "session/wrong-hash-changes-nothing",
            "finish/wrong-hash",
            "concurrent/wrong-hash",
            "batch/append-with-a-wrong-hash",
        ],
    );
}

#[test]
fn a_strict_conflict_that_is_ignored() {
    let fault = asks(|asked| {
        asked.change_arg(|arg| {
            for commit in [arg.pointer_mut("/commit").is_some(), false] {
                let commit = if commit {
                    &mut arg["commit"]
                } else {
                    &mut *arg
                };
                commit
                    .as_object_mut()
                    .map(|fields| fields.remove("strict_conflict"));
            }
        });
    });
    finds(
        fault,
        &[
            "commit/strict-add-conflicts",
            "commit/strict-add-is-renamed",
            "commit/strict-update-of-an-old-rev-conflicts",
            "commit/strict-overwrite-makes-a-revision",
            "commit/strict-update-of-a-deleted-file-conflicts",
            "finish/strict-conflict",
        ],
    );
}

#[test]
fn an_autorename_that_is_ignored() {
    let fault = asks(|asked| {
        asked.change_arg(|arg| {
            remove(arg, "autorename");
        });
    });
    finds(
        fault,
        &[
            "argument/null-is-for-nullable-fields",
            "commit/autorename-of-add-numbers",
            "commit/autorename-goes-on-numbering",
            "commit/autorename-numbers-before-the-last-extension",
            "commit/autorename-of-update-makes-a-conflicted-copy",
            "commit/strict-add-is-renamed",
            "commit/folder-in-the-way-of-autorename",
            "finish/repeated-after-a-rename",
            "finish/autorename-numbers",
            "finish/autorename-of-update-makes-a-conflicted-copy",
        ],
    );
}

#[test]
fn raw_utf8_that_is_refused() {
    let fault = Fault {
        answer: |asked, answered, _| {
            let arg = asked.headers.get("dropbox-api-arg")?;
            if !arg.as_bytes().is_ascii() {
                answered.replace(400, "text/plain; charset=utf-8", "not ASCII");
            }
            None
        },
        ..SOUND
    };
    finds(fault, &["argument/header-with-raw-utf8"]);
}

#[test]
fn answers_without_a_request_id() {
    let fault = Fault {
        answer: |_, answered, _| {
            answered.headers.remove("x-dropbox-request-id");
            None
        },
        ..SOUND
    };
    finds(fault, &["transport/answers-have-a-request-id"]);
}

#[test]
fn a_listing_that_ends_too_early() {
    let fault = Fault {
        answer: |_, answered, _| {
            if !answered.is_json() {
                return None;
            }
            answered.body = answered
                .text()
                .replace("\"has_more\": true", "\"has_more\": false")
                .into();
            None
        },
        ..SOUND
    };
    finds(fault, &["listing/pages", "revisions/limit"]);
}

#[test]
fn changes_without_deletions() {
    let fault = Fault {
        answer: |asked, answered, _| {
            if asked.path.ends_with("/continue") {
                let mut page: Value = serde_json::from_slice(&answered.body).ok()?;
                page["entries"]
                    .as_array_mut()?
                    .retain(|entry| entry[".tag"] != "deleted");
                answered.body = page.to_string().into();
            }
            None
        },
        ..SOUND
    };
    finds(
        fault,
        &["listing/changes-are-told", "relocation/moves-are-told"],
    );
}

#[test]
fn a_move_that_copies() {
    let fault = asks(|asked| {
        if asked.path == "/2/files/move_v2" {
            asked.path = "/2/files/copy_v2".into();
        }
    });
    finds(
        fault,
        &[
            "relocation/move-a-file",
            "relocation/move-keeps-the-id",
            "relocation/move-a-folder",
            "relocation/a-folder-into-itself",
            "relocation/by-id",
            "relocation/moves-are-told",
            "revisions/follow-the-id",
        ],
    );
}

/// Whether it is one of the calls by which the suite makes and removes its own folder.
fn is_the_suite_s_own(asked: &Asked) -> bool {
    let arg: Value = serde_json::from_slice(&asked.body).unwrap_or_default();
    let top = arg["path"]
        .as_str()
        .is_some_and(|path| path.matches('/').count() == 1);
    top && matches!(
        &*asked.path,
        "/2/files/create_folder_v2" | "/2/files/delete_v2"
    )
}

#[test]
fn each_case_fails_for_one_of_those_that_never_listen() {
    const YES: Fault = Fault {
        answer: |asked, answered, _| {
            if !is_the_suite_s_own(asked) {
                answered.replace(200, "application/json", "{}");
            }
            None
        },
        ..SOUND
    };
    const NO: Fault = Fault {
        answer: |asked, answered, _| {
            if !is_the_suite_s_own(asked) {
                let error = r#"{"error_summary": "path/not_found/", "error": {".tag": "path"}}"#;
                answered.replace(409, "application/json", error);
            }
            None
        },
        ..SOUND
    };
    const WHAT: Fault = Fault {
        answer: |asked, answered, _| {
            if !is_the_suite_s_own(asked) {
                answered.replace(400, "text/plain; charset=utf-8", "What?");
            }
            None
        },
        ..SOUND
    };
    TestServer::run(Stores::Memory, |server| async move {
        let mut held: Vec<&str> = cases().map(|case| case.name).collect();
        for fault in [YES, NO, WHAT] {
            let front = Front::before(&server, fault).await;
            let finished = ask(&front.url, server.token(), &Options::default()).await;
            let missed = finished.missed();
            held.retain(|name| !missed.contains(name));
        }
        assert_eq!(held, [""; 0], "what always holds says nothing");
    });
}
