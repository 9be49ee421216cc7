//! A session becomes a file.

use super::commit::update;
use super::session::NO_SESSION;
use crate::case::Case;
use crate::case::Mark::{C, I, R, S, U};
use crate::hash::content_hash;
use crate::place::cursor;
use serde_json::json;

const FINISH: &str = "files/upload_session/finish";

pub(super) const CASES: &[Case] = &[
    Case::new(
        "finish/metadata-is-that-of-an-upload",
        S,
        "A finish answers with the file's metadata, as an upload does.",
        |at| {
            Box::pin(async move {
                let session = at.start(json!({}), "hello").await?;
                let commit =
                    json!({"path": at.path("file"), "client_modified": "2015-05-12T15:50:38Z"});
                let finished = at.finish(&session, 5, &commit, "\n").await?;
                finished.ok()?.has("/name", "file")?.has("/size", 6)?;
                finished.has("/path_display", at.path("file"))?;
                finished.has("/client_modified", "2015-05-12T15:50:38Z")?;
                finished.has("/content_hash", content_hash(b"hello\n"))?;
                finished.has("/is_downloadable", true)?;
                let found = at.metadata(&at.path("file")).await?;
                found
                    .ok()?
                    .has("/id", finished.at("/id")?)?
                    .has("/rev", finished.at("/rev")?)?;
                Ok(())
            })
        },
    ),
    Case::new(
        "finish/open-with-the-last-piece",
        S,
        "An open session may be finished with its last piece.",
        |at| {
            Box::pin(async move {
                let session = at.start(json!({}), "12345").await?;
                let commit = json!({"path": at.path("file")});
                at.finish(&session, 5, &commit, "67").await?.ok()?;
                at.holds(&at.path("file"), b"1234567").await
            })
        },
    ),
    Case::new(
        "finish/closed-with-nothing",
        C,
        "A closed session may be finished with an empty body.",
        |at| {
            Box::pin(async move {
                let session = at.start(json!({}), "").await?;
                at.append_last(&session, 0, "12345").await?.ok()?;
                let commit = json!({"path": at.path("file"), "mode": "overwrite"});
                at.finish(&session, 5, &commit, "").await?.ok()?;
                at.holds(&at.path("file"), b"12345").await
            })
        },
    ),
    Case::new(
        "finish/empty-session",
        C,
        "A session of no bytes becomes an empty file.",
        |at| {
            Box::pin(async move {
                let session = at.start(json!({}), "").await?;
                let commit = json!({"path": at.path("file")});
                at.finish(&session, 0, &commit, "")
                    .await?
                    .ok()?
                    .has("/size", 0)?;
                Ok(())
            })
        },
    ),
    Case::new(
        "finish/offset-before-the-end",
        R,
        "A finish before the end is `lookup_failed/incorrect_offset`, with the right one.",
        |at| {
            Box::pin(async move {
                let session = at.start(json!({}), "12345").await?;
                let commit = json!({"path": at.path("file")});
                let refused = at.finish(&session, 4, &commit, "x").await?;
                refused.refused("lookup_failed/incorrect_offset")?;
                refused.has("/error/lookup_failed/correct_offset", 5)?;
                at.is_free(&at.path("file")).await
            })
        },
    ),
    Case::new(
        "finish/offset-behind-the-end",
        R,
        "A finish behind the end is `lookup_failed/incorrect_offset`, and what came with it is not stored.",
        |at| {
            Box::pin(async move {
                let session = at.start(json!({}), "12345").await?;
                let commit = json!({"path": at.path("file")});
                let refused = at.finish(&session, 6, &commit, "x").await?;
                refused.refused("lookup_failed/incorrect_offset")?;
                refused.has("/error/lookup_failed/correct_offset", 5)?;
                at.finish(&session, 5, &commit, "")
                    .await?
                    .ok()?
                    .has("/size", 5)?;
                Ok(())
            })
        },
    ),
    Case::new(
        "finish/error-has-its-form",
        R,
        "The reason stands under `lookup_failed`, with `correct_offset` beside its tag.",
        |at| {
            Box::pin(async move {
                let session = at.start(json!({}), "12345").await?;
                let refused = at
                    .finish(&session, 4, &json!({"path": at.path("file")}), "")
                    .await?;
                refused.refused("lookup_failed/incorrect_offset")?;
                let error = json!({
                    ".tag": "lookup_failed",
                    "lookup_failed": {".tag": "incorrect_offset", "correct_offset": 5},
                });
                refused.has("/error", error)?;
                Ok(())
            })
        },
    ),
    Case::new(
        "finish/unknown-session",
        S,
        "A finish of a session that doesn't exist is `lookup_failed/not_found`.",
        |at| {
            Box::pin(async move {
                let commit = json!({"path": at.path("file")});
                let refused = at.finish(NO_SESSION, 0, &commit, "").await?;
                refused.refused("lookup_failed/not_found")?;
                Ok(())
            })
        },
    ),
    Case::new(
        "finish/conflict-has-its-form",
        R,
        "A conflict stands under `path`, one level for each tag.",
        |at| {
            Box::pin(async move {
                at.put("file", "x").await?;
                let session = at.start(json!({}), "y").await?;
                let refused = at
                    .finish(&session, 1, &json!({"path": at.path("file")}), "")
                    .await?;
                refused.refused("path/conflict/file")?;
                let path = json!({".tag": "conflict", "conflict": {".tag": "file"}});
                refused.has("/error", json!({".tag": "path", "path": path}))?;
                Ok(())
            })
        },
    ),
    Case::new(
        "finish/refused-keeps-its-bytes",
        U,
        "What came with a finish that is refused for its path stays in the session.",
        |at| {
            Box::pin(async move {
                at.put("file", "x").await?;
                let session = at.start(json!({}), "12345").await?;
                let commit = json!({"path": at.path("file")});
                at.finish(&session, 5, &commit, "67")
                    .await?
                    .refused("path/conflict/file")?;
                let other = json!({"path": at.path("other")});
                let refused = at.finish(&session, 5, &other, "67").await?;
                refused.refused("lookup_failed/incorrect_offset")?;
                refused.has("/error/lookup_failed/correct_offset", 7)?;
                at.finish(&session, 7, &other, "")
                    .await?
                    .ok()?
                    .has("/size", 7)?;
                at.holds(&at.path("other"), b"1234567").await
            })
        },
    ),
    Case::new(
        "finish/repeated-gives-the-same-answer",
        I,
        "A finish that is made again gives the same metadata, and no second file.",
        |at| {
            Box::pin(async move {
                let session = at.start(json!({}), "12345").await?;
                let commit = json!({"path": at.path("file"), "autorename": true});
                let first = at.finish(&session, 5, &commit, "67").await?;
                let again = at.finish(&session, 5, &commit, "67").await?;
                first.ok()?;
                again
                    .ok()?
                    .claim(again.json()? == first.json()?, first.text(), again.text())?;
                let listed = at
                    .rpc("files/list_folder", json!({ "path": at.folder }))
                    .await?;
                let entries = listed.ok()?.list_at("/entries")?;
                listed.claim(entries.len() == 1, "one file", json!(entries))?;
                Ok(())
            })
        },
    ),
    Case::new(
        "finish/repeated-after-a-rename",
        I,
        "A finish that got another name by `autorename` gives that name again.",
        |at| {
            Box::pin(async move {
                at.put("file", "x").await?;
                let session = at.start(json!({}), "y").await?;
                let commit = json!({"path": at.path("file"), "autorename": true});
                for _ in 0..2 {
                    let finished = at.finish(&session, 1, &commit, "").await?;
                    finished.ok()?.has("/name", at.numbered("file", 0, ""))?;
                }
                at.is_free(&at.path(&at.numbered("file", 1, ""))).await
            })
        },
    ),
    Case::new(
        "finish/another-of-the-same-session",
        I,
        "Another finish of a finished session is `lookup_failed/not_found`.",
        |at| {
            Box::pin(async move {
                let session = at.start(json!({}), "x").await?;
                at.finish(&session, 1, &json!({"path": at.path("file")}), "")
                    .await?
                    .ok()?;
                let refused = at
                    .finish(&session, 1, &json!({"path": at.path("other")}), "")
                    .await?;
                refused.refused("lookup_failed/not_found")?;
                at.is_free(&at.path("other")).await
            })
        },
    ),
    Case::new(
        "finish/finished-takes-no-more",
        I,
        "An append to a finished session is `not_found`.",
        |at| {
            Box::pin(async move {
                let session = at.start(json!({}), "x").await?;
                at.finish(&session, 1, &json!({"path": at.path("file")}), "")
                    .await?
                    .ok()?;
                at.append(&session, 1, "y").await?.refused("not_found")?;
                Ok(())
            })
        },
    ),
    Case::new(
        "finish/autorename-numbers",
        S,
        "`autorename` of an `add` appends a number to the name.",
        |at| {
            Box::pin(async move {
                at.put("document.txt", "x").await?;
                let session = at.start(json!({}), "y").await?;
                let commit =
                    json!({"path": at.path("document.txt"), "mode": "add", "autorename": true});
                let finished = at.finish(&session, 1, &commit, "").await?;
                finished
                    .ok()?
                    .has("/name", at.numbered("document", 0, ".txt"))?;
                Ok(())
            })
        },
    ),
    Case::new(
        "finish/autorename-of-update-makes-a-conflicted-copy",
        S,
        "`autorename` of an `update` of an old rev makes a conflicted copy.",
        |at| {
            Box::pin(async move {
                let put = at.put("document.txt", "x").await?;
                let over = json!({"path": at.path("document.txt"), "mode": "overwrite"});
                at.upload(over, "y").await?.ok()?;
                let session = at.start(json!({}), "z").await?;
                let mode = update(&put.text_at("/rev")?);
                let commit =
                    json!({"path": at.path("document.txt"), "mode": mode, "autorename": true});
                let finished = at.finish(&session, 1, &commit, "").await?;
                let name = finished.ok()?.text_at("/name")?;
                let good = name.starts_with("document (") && name.ends_with("conflicted copy).txt");
                finished.claim(good, "document (… conflicted copy).txt", name)?;
                Ok(())
            })
        },
    ),
    Case::new(
        "finish/overwrite-replaces",
        S,
        "`overwrite` replaces: the id stays, the rev changes.",
        |at| {
            Box::pin(async move {
                let put = at.put("file", "x").await?;
                let session = at.start(json!({}), "y").await?;
                let commit = json!({"path": at.path("file"), "mode": "overwrite"});
                let finished = at.finish(&session, 1, &commit, "").await?;
                finished
                    .ok()?
                    .has("/id", put.at("/id")?)?
                    .has_other("/rev", put.at("/rev")?)?;
                at.holds(&at.path("file"), b"y").await
            })
        },
    ),
    Case::new(
        "finish/update-replaces-the-rev-it-names",
        S,
        "`update` replaces the rev that it names, and conflicts with any other.",
        |at| {
            Box::pin(async move {
                let put = at.put("file", "x").await?;
                let mode = update(&put.text_at("/rev")?);
                let commit = json!({"path": at.path("file"), "mode": mode});
                let session = at.start(json!({}), "y").await?;
                at.finish(&session, 1, &commit, "").await?.ok()?;
                let session = at.start(json!({}), "z").await?;
                at.finish(&session, 1, &commit, "")
                    .await?
                    .refused("path/conflict/file")?;
                at.holds(&at.path("file"), b"y").await
            })
        },
    ),
    Case::new(
        "finish/identical-bytes-change-nothing",
        R,
        "A finish with the bytes that are there succeeds with the metadata that is there.",
        |at| {
            Box::pin(async move {
                let put = at.put("file", "x").await?;
                let session = at.start(json!({}), "x").await?;
                let commit = json!({"path": at.path("file")});
                let finished = at.finish(&session, 1, &commit, "").await?;
                finished
                    .ok()?
                    .has("/id", put.at("/id")?)?
                    .has("/rev", put.at("/rev")?)?;
                Ok(())
            })
        },
    ),
    Case::new(
        "finish/strict-conflict",
        S,
        "With `strict_conflict`, a finish with the bytes that are there is a conflict.",
        |at| {
            Box::pin(async move {
                at.put("file", "x").await?;
                let session = at.start(json!({}), "x").await?;
                let commit = json!({"path": at.path("file"), "strict_conflict": true});
                at.finish(&session, 1, &commit, "")
                    .await?
                    .refused("path/conflict/file")?;
                Ok(())
            })
        },
    ),
    Case::new(
        "finish/right-hash",
        S,
        "The `content_hash` of a finish is that of its own bytes.",
        |at| {
            Box::pin(async move {
                let session = at.start(json!({}), "one").await?;
                let arg = json!({
                    "cursor": cursor(&session, 3),
                    "commit": {"path": at.path("file")},
                    "content_hash": content_hash(b"two"),
                });
                at.bytes(FINISH, arg, "two").await?.ok()?.has("/size", 6)?;
                Ok(())
            })
        },
    ),
    Case::new(
        "finish/wrong-hash",
        S,
        "A finish with another `content_hash` is `content_hash_mismatch` and saves nothing.",
        |at| {
            Box::pin(async move {
                let session = at.start(json!({}), "one").await?;
                let arg = json!({
                    "cursor": cursor(&session, 3),
                    "commit": {"path": at.path("file")},
                    "content_hash": content_hash(b"onetwo"),
                });
                at.bytes(FINISH, arg, "two")
                    .await?
                    .refused("content_hash_mismatch")?;
                at.is_free(&at.path("file")).await
            })
        },
    ),
    Case::new(
        "finish/malformed-path",
        S,
        "A path that can't be one is `path/malformed_path`.",
        |at| {
            Box::pin(async move {
                let session = at.start(json!({}), "x").await?;
                let commit = json!({"path": at.path("a//b")});
                at.finish(&session, 1, &commit, "")
                    .await?
                    .refused("path/malformed_path")?;
                Ok(())
            })
        },
    ),
    Case::new(
        "finish/missing-commit",
        R,
        "A finish without a commit is a bad request that names the field.",
        |at| {
            Box::pin(async move {
                let session = at.start(json!({}), "x").await?;
                let refused = at
                    .bytes(FINISH, json!({"cursor": cursor(&session, 1)}), "")
                    .await?;
                refused.bad_request(FINISH, "missing required field 'commit'")?;
                Ok(())
            })
        },
    ),
];
