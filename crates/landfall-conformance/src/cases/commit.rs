//! What a commit does, by its mode and by what is at its path.

use crate::case::Case;
use crate::case::Mark::{D, I, M, R, S};
use crate::finding::Stop;
use crate::place::Place;
use serde_json::{Value, json};

/// A rev that no file has.
const NO_REV: &str = "0123456789abcdef";

pub(super) const CASES: &[Case] = &[
    Case::new(
        "commit/nothing-there",
        S,
        "Where nothing is, every mode writes.",
        |at| {
            Box::pin(async move {
                for (name, mode) in modes(NO_REV) {
                    let put = save(at, name, &mode, "x").await?;
                    put.ok()?.has("/name", name)?;
                }
                Ok(())
            })
        },
    ),
    Case::new(
        "commit/add-conflicts-with-other-bytes",
        S,
        "`add` onto a file with other bytes is `path/conflict/file` and changes nothing.",
        |at| {
            Box::pin(async move {
                at.put("file", "x").await?;
                save(at, "file", &json!("add"), "y")
                    .await?
                    .refused("path/conflict/file")?;
                at.holds(&at.path("file"), b"x").await
            })
        },
    ),
    Case::new(
        "commit/add-is-the-default",
        S,
        "A commit without a mode is an `add`, without `autorename` it conflicts.",
        |at| {
            Box::pin(async move {
                at.put("file", "x").await?;
                let refused = at.upload(json!({"path": at.path("file")}), "y").await?;
                refused.refused("path/conflict/file")?;
                at.holds(&at.path("file"), b"x").await
            })
        },
    ),
    Case::new(
        "commit/refused-upload-has-its-form",
        R,
        "A refused upload has its reason under `reason` and the id of a session beside it.",
        |at| {
            Box::pin(async move {
                at.put("file", "x").await?;
                let refused = save(at, "file", &json!("add"), "y").await?;
                refused.refused("path/conflict/file")?;
                refused.has("/error/.tag", "path")?;
                refused.has(
                    "/error/reason",
                    json!({".tag": "conflict", "conflict": {".tag": "file"}}),
                )?;
                refused.text_at("/error/upload_session_id")?;
                Ok(())
            })
        },
    ),
    Case::new(
        "commit/refused-upload-keeps-its-bytes",
        S,
        "The session of a refused upload holds its bytes and can be finished elsewhere.",
        |at| {
            Box::pin(async move {
                at.put("file", "x").await?;
                let refused = save(at, "file", &json!("add"), "other").await?;
                let session = refused
                    .refused("path/conflict/file")?
                    .text_at("/error/upload_session_id")?;
                let commit = json!({"path": at.path("elsewhere")});
                at.finish(&session, 5, &commit, "")
                    .await?
                    .ok()?
                    .has("/size", 5)?;
                at.holds(&at.path("elsewhere"), b"other").await
            })
        },
    ),
    Case::new(
        "commit/overwrite-replaces",
        R,
        "`overwrite` replaces other bytes: the id stays, the rev changes.",
        |at| {
            Box::pin(async move {
                let put = at.put("file", "x").await?;
                let over = save(at, "file", &json!("overwrite"), "y").await?;
                over.ok()?
                    .has("/id", put.at("/id")?)?
                    .has_other("/rev", put.at("/rev")?)?;
                at.holds(&at.path("file"), b"y").await
            })
        },
    ),
    Case::new(
        "commit/update-of-the-current-rev-replaces",
        R,
        "`update` with the file's rev replaces it: the id stays, the rev changes.",
        |at| {
            Box::pin(async move {
                let put = at.put("file", "x").await?;
                let over = save(at, "file", &update(&put.text_at("/rev")?), "y").await?;
                over.ok()?
                    .has("/id", put.at("/id")?)?
                    .has_other("/rev", put.at("/rev")?)?;
                at.holds(&at.path("file"), b"y").await
            })
        },
    ),
    Case::new(
        "commit/update-of-an-old-rev-conflicts",
        S,
        "`update` with a rev that was replaced is `path/conflict/file` and changes nothing.",
        |at| {
            Box::pin(async move {
                let put = at.put("file", "x").await?;
                save(at, "file", &json!("overwrite"), "y").await?.ok()?;
                let refused = save(at, "file", &update(&put.text_at("/rev")?), "z").await?;
                refused.refused("path/conflict/file")?;
                at.holds(&at.path("file"), b"y").await
            })
        },
    ),
    Case::new(
        "commit/update-of-an-unknown-rev-conflicts",
        S,
        "`update` with a rev that never was is `path/conflict/file`.",
        |at| {
            Box::pin(async move {
                at.put("file", "x").await?;
                let refused = save(at, "file", &update(NO_REV), "z").await?;
                refused.refused("path/conflict/file")?;
                Ok(())
            })
        },
    ),
    Case::new(
        "commit/autorename-of-add-numbers",
        S,
        "`autorename` of an `add` appends a number to the name; the file is a new one.",
        |at| {
            Box::pin(async move {
                let put = at.put("document.txt", "x").await?;
                let renamed = rename(at, "document.txt", &json!("add"), "y").await?;
                renamed
                    .ok()?
                    .has("/name", at.numbered("document", 0, ".txt"))?;
                renamed.has_other("/id", put.at("/id")?)?;
                at.holds(&at.path("document.txt"), b"x").await?;
                at.holds(&at.path(&at.numbered("document", 0, ".txt")), b"y")
                    .await
            })
        },
    ),
    Case::new(
        "commit/autorename-goes-on-numbering",
        I,
        "The next conflict gets the next number that is free.",
        |at| {
            Box::pin(async move {
                at.put("document.txt", "0").await?;
                for nth in 0..2 {
                    let renamed =
                        rename(at, "document.txt", &json!("add"), &format!("{nth} again")).await?;
                    renamed
                        .ok()?
                        .has("/name", at.numbered("document", nth, ".txt"))?;
                }
                at.delete(&at.path(&at.numbered("document", 0, ".txt")))
                    .await?
                    .ok()?;
                let renamed = rename(at, "document.txt", &json!("add"), "again").await?;
                renamed
                    .ok()?
                    .has("/name", at.numbered("document", 0, ".txt"))?;
                Ok(())
            })
        },
    ),
    Case::new(
        "commit/autorename-numbers-before-the-last-extension",
        I,
        "The number stands before the last extension, and at the end where there is none.",
        |at| {
            Box::pin(async move {
                for (name, stem, extension) in [
                    ("archive.tar.gz", "archive.tar", ".gz"),
                    ("README", "README", ""),
                ] {
                    at.put(name, "x").await?;
                    let renamed = rename(at, name, &json!("add"), "y").await?;
                    renamed
                        .ok()?
                        .has("/name", at.numbered(stem, 0, extension))?;
                }
                Ok(())
            })
        },
    ),
    Case::new(
        "commit/autorename-of-update-makes-a-conflicted-copy",
        S,
        "`autorename` of an `update` whose rev was replaced makes a conflicted copy.",
        |at| {
            Box::pin(async move {
                let put = at.put("document.txt", "x").await?;
                save(at, "document.txt", &json!("overwrite"), "y")
                    .await?
                    .ok()?;
                let mode = update(&put.text_at("/rev")?);
                let copy = rename(at, "document.txt", &mode, "z").await?;
                let name = copy.ok()?.text_at("/name")?;
                let good = name == "document (conflicted copy).txt"
                    || (name.starts_with("document (")
                        && name.ends_with("'s conflicted copy).txt"));
                copy.claim(
                    good,
                    "document (Somebody's conflicted copy).txt, or without a name",
                    name,
                )?;
                at.holds(&at.path("document.txt"), b"y").await
            })
        },
    ),
    Case::new(
        "commit/autorename-renames-only-in-conflicts",
        S,
        "With `autorename`, what is no conflict is saved at its path.",
        |at| {
            Box::pin(async move {
                rename(at, "file", &json!("add"), "x")
                    .await?
                    .ok()?
                    .has("/name", "file")?;
                rename(at, "file", &json!("overwrite"), "y")
                    .await?
                    .ok()?
                    .has("/name", "file")?;
                Ok(())
            })
        },
    ),
    Case::new(
        "commit/identical-bytes-change-nothing",
        R,
        "An `add` of the bytes that are there succeeds with the metadata that is there, times and all.",
        |at| {
            Box::pin(async move {
                let first =
                    json!({"path": at.path("file"), "client_modified": "2015-05-12T15:50:38Z"});
                let put = at.upload(first, "x").await?;
                let again =
                    json!({"path": at.path("file"), "client_modified": "2016-05-12T15:50:38Z"});
                let again = at.upload(again, "x").await?;
                again
                    .ok()?
                    .claim(again.json()? == put.ok()?.json()?, put.text(), again.text())?;
                Ok(())
            })
        },
    ),
    Case::new(
        "commit/identical-bytes-of-nothing-change-nothing",
        R,
        "An `add` of no bytes onto an empty file succeeds with the metadata that is there.",
        |at| {
            Box::pin(async move {
                let put = at.put("file", "").await?;
                save(at, "file", &json!("add"), "")
                    .await?
                    .ok()?
                    .has("/rev", put.at("/rev")?)?;
                Ok(())
            })
        },
    ),
    Case::new(
        "commit/identical-bytes-in-every-mode",
        S,
        "`overwrite` and `update`, whatever its rev, of the bytes that are there change nothing.",
        |at| {
            Box::pin(async move {
                let put = at.put("file", "x").await?;
                let rev = put.text_at("/rev")?;
                for mode in [json!("overwrite"), update(&rev), update(NO_REV)] {
                    save(at, "file", &mode, "x")
                        .await?
                        .ok()?
                        .has("/rev", rev.as_str())?;
                }
                Ok(())
            })
        },
    ),
    Case::new(
        "commit/identical-bytes-are-not-renamed",
        M,
        "With `autorename`, too, identical bytes are no conflict.",
        |at| {
            Box::pin(async move {
                let put = at.put("file", "x").await?;
                let again = rename(at, "file", &json!("add"), "x").await?;
                again
                    .ok()?
                    .has("/name", "file")?
                    .has("/rev", put.at("/rev")?)?;
                Ok(())
            })
        },
    ),
    Case::new(
        "commit/strict-add-conflicts",
        S,
        "With `strict_conflict`, an `add` of the bytes that are there is a conflict.",
        |at| {
            Box::pin(async move {
                at.put("file", "x").await?;
                strict(at, "file", &json!("add"))
                    .await?
                    .refused("path/conflict/file")?;
                Ok(())
            })
        },
    ),
    Case::new(
        "commit/strict-add-is-renamed",
        S,
        "With `strict_conflict` and `autorename`, an `add` of the bytes that are there becomes a second copy.",
        |at| {
            Box::pin(async move {
                at.put("file.txt", "x").await?;
                let commit = json!({
                    "path": at.path("file.txt"), "autorename": true, "strict_conflict": true,
                });
                let copy = at.upload(commit, "x").await?;
                copy.ok()?.has("/name", at.numbered("file", 0, ".txt"))?;
                Ok(())
            })
        },
    ),
    Case::new(
        "commit/strict-update-of-an-old-rev-conflicts",
        S,
        "With `strict_conflict`, an `update` of another rev to the bytes that are there is a conflict.",
        |at| {
            Box::pin(async move {
                at.put("file", "x").await?;
                strict(at, "file", &update(NO_REV))
                    .await?
                    .refused("path/conflict/file")?;
                Ok(())
            })
        },
    ),
    Case::new(
        "commit/strict-overwrite-makes-a-revision",
        I,
        "With `strict_conflict`, an `overwrite`, or an `update` of the current rev, makes a new revision of the same bytes.",
        |at| {
            Box::pin(async move {
                let put = at.put("file", "x").await?;
                let over = strict(at, "file", &json!("overwrite")).await?;
                over.ok()?
                    .has("/id", put.at("/id")?)?
                    .has_other("/rev", put.at("/rev")?)?;
                let again = strict(at, "file", &update(&over.text_at("/rev")?)).await?;
                again.ok()?.has_other("/rev", over.at("/rev")?)?;
                Ok(())
            })
        },
    ),
    Case::new(
        "commit/update-of-a-deleted-file-writes",
        S,
        "An `update` where the file was deleted writes at the path.",
        |at| {
            Box::pin(async move {
                let put = at.put("file", "x").await?;
                at.delete(&at.path("file")).await?.ok()?;
                let put = save(at, "file", &update(&put.text_at("/rev")?), "y").await?;
                put.ok()?.has("/name", "file")?;
                Ok(())
            })
        },
    ),
    Case::new(
        "commit/strict-update-of-a-deleted-file-conflicts",
        S,
        "With `strict_conflict`, an `update` where the file was deleted is a conflict.",
        |at| {
            Box::pin(async move {
                let put = at.put("file", "x").await?;
                at.delete(&at.path("file")).await?.ok()?;
                let mode = update(&put.text_at("/rev")?);
                strict(at, "file", &mode)
                    .await?
                    .refused("path/conflict/file")?;
                at.is_free(&at.path("file")).await
            })
        },
    ),
    Case::new(
        "commit/folder-in-the-way",
        S,
        "Where a folder is, every mode is `path/conflict/folder`.",
        |at| {
            Box::pin(async move {
                at.make_folder("folder").await?;
                for (_, mode) in modes(NO_REV) {
                    save(at, "folder", &mode, "x")
                        .await?
                        .refused("path/conflict/folder")?;
                }
                Ok(())
            })
        },
    ),
    Case::new(
        "commit/folder-in-the-way-of-autorename",
        I,
        "Where a folder is, `autorename` of an `add` or `overwrite` numbers.",
        |at| {
            Box::pin(async move {
                at.make_folder("folder").await?;
                for (nth, mode) in [json!("add"), json!("overwrite")].iter().enumerate() {
                    let renamed = rename(at, "folder", mode, &format!("{nth}")).await?;
                    let nth = u32::try_from(nth).unwrap_or_default();
                    renamed.ok()?.has("/name", at.numbered("folder", nth, ""))?;
                }
                Ok(())
            })
        },
    ),
    Case::new(
        "commit/file-above",
        S,
        "Where the path needs a folder and a file is, every mode is `path/conflict/file_ancestor`.",
        |at| {
            Box::pin(async move {
                at.put("file", "x").await?;
                for (_, mode) in modes(NO_REV) {
                    let refused = save(at, "file/below", &mode, "y").await?;
                    refused.refused("path/conflict/file_ancestor")?;
                }
                Ok(())
            })
        },
    ),
    Case::new(
        "commit/file-above-is-not-renamed",
        I,
        "`autorename` doesn't help where the path needs a folder and a file is.",
        |at| {
            Box::pin(async move {
                at.put("file", "x").await?;
                let refused = rename(at, "file/below", &json!("add"), "y").await?;
                refused.refused("path/conflict/file_ancestor")?;
                Ok(())
            })
        },
    ),
    Case::new(
        "commit/deleted-files-are-not-in-the-way",
        D,
        "After a deletion the path is free for an `add`.",
        |at| {
            Box::pin(async move {
                at.put("file", "x").await?;
                at.delete(&at.path("file")).await?.ok()?;
                at.put("file", "y").await?.has("/name", "file")?;
                at.holds(&at.path("file"), b"y").await
            })
        },
    ),
];

type Answered = Result<crate::answer::Answer, Stop>;

/// The mode that updates this rev.
pub(super) fn update(rev: &str) -> Value {
    json!({".tag": "update", "update": rev})
}

/// Each mode, with a name for its file.
fn modes(rev: &str) -> [(&'static str, Value); 3] {
    [
        ("add", json!("add")),
        ("overwrite", json!("overwrite")),
        ("update", update(rev)),
    ]
}

async fn save(at: &Place<'_>, name: &str, mode: &Value, body: &str) -> Answered {
    at.upload(json!({"path": at.path(name), "mode": mode}), body)
        .await
}

async fn rename(at: &Place<'_>, name: &str, mode: &Value, body: &str) -> Answered {
    let commit = json!({"path": at.path(name), "mode": mode, "autorename": true});
    at.upload(commit, body).await
}

/// Saves what is there already, and wants that to count.
async fn strict(at: &Place<'_>, name: &str, mode: &Value) -> Answered {
    let commit = json!({"path": at.path(name), "mode": mode, "strict_conflict": true});
    at.upload(commit, "x").await
}
