//! What is in a folder, and what changed since.

use crate::answer::Answer;
use crate::case::Case;
use crate::case::Mark::{C, D, I, R, S};
use crate::finding::Stop;
use crate::place::Place;
use crate::service::Host;
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::BTreeSet;

const LIST: &str = "files/list_folder";
const CONTINUE: &str = "files/list_folder/continue";
const LATEST: &str = "files/list_folder/get_latest_cursor";

pub(super) const CASES: &[Case] = &[
    Case::new(
        "listing/entries-are-files-and-folders",
        S,
        "A listing has the folder's files and folders, each with its tag and metadata.",
        |at| {
            Box::pin(async move {
                let put = at.put("a", "x").await?;
                let made = at.make_folder("b").await?;
                let listed = list(at, json!({ "path": at.folder })).await?;
                listed.has("/has_more", false)?.text_at("/cursor")?;
                let entries = listed.list_at("/entries")?;
                listed.claim(entries.len() == 2, "2 entries", json!(entries))?;
                let file = by_name(&listed, "a")?;
                let folder = by_name(&listed, "b")?;
                for (what, entry, wanted) in [
                    ("the tag of the file", &file[".tag"], json!("file")),
                    ("the file's id", &file["id"], put.at("/id")?),
                    ("the file's rev", &file["rev"], put.at("/rev")?),
                    (
                        "the file's hash",
                        &file["content_hash"],
                        put.at("/content_hash")?,
                    ),
                    (
                        "that it can be downloaded",
                        &file["is_downloadable"],
                        json!(true),
                    ),
                    ("the tag of the folder", &folder[".tag"], json!("folder")),
                    ("the folder's id", &folder["id"], made.at("/metadata/id")?),
                    (
                        "the folder's path",
                        &folder["path_display"],
                        json!(at.path("b")),
                    ),
                ] {
                    listed.claim(*entry == wanted, format!("{what}: {wanted}"), entry)?;
                }
                Ok(())
            })
        },
    ),
    Case::new(
        "listing/not-what-is-below",
        S,
        "Unless it is recursive, a listing leaves out what lies deeper.",
        |at| {
            Box::pin(async move {
                at.put("dir/file", "x").await?;
                let listed = list(at, json!({ "path": at.folder })).await?;
                names_are(&listed, &["dir"])
            })
        },
    ),
    Case::new(
        "listing/a-second-slash-at-the-beginning",
        C,
        "A listed folder may have one slash more at the beginning: rclone puts it there.",
        |at| {
            Box::pin(async move {
                at.put("file", "x").await?;
                let listed = list(at, json!({ "path": format!("/{}", at.folder) })).await?;
                names_are(&listed, &["file"])
            })
        },
    ),
    Case::new(
        "listing/recursive",
        S,
        "A recursive listing has what lies deeper, too.",
        |at| {
            Box::pin(async move {
                at.put("a/b/file", "x").await?;
                let listed = list(at, json!({"path": at.folder, "recursive": true})).await?;
                for name in ["a", "b", "file"] {
                    by_name(&listed, name)?;
                }
                Ok(())
            })
        },
    ),
    Case::new(
        "listing/pages",
        S,
        "With a limit, the pages together have each entry once.",
        |at| {
            Box::pin(async move {
                let names = ["a", "b", "c", "d", "e"];
                for name in names {
                    at.put(name, "x").await?;
                }
                let mut page = list(at, json!({"path": at.folder, "limit": 2})).await?;
                let mut seen = Vec::new();
                // A service may give fewer than it was asked for, not nothing for ever.
                for _ in 0..20 {
                    for entry in page.list_at("/entries")? {
                        seen.push(entry["name"].as_str().unwrap_or_default().to_owned());
                    }
                    if page.at("/has_more")? == json!(false) {
                        break;
                    }
                    page = go_on(at, &page).await?;
                }
                seen.sort();
                page.claim(seen == names, json!(names), json!(seen))?;
                Ok(())
            })
        },
    ),
    Case::new(
        "listing/root-is-an-empty-string",
        D,
        "The root is listed as the empty string.",
        |at| {
            Box::pin(async move {
                list(at, json!({"path": "", "limit": 1}))
                    .await?
                    .list_at("/entries")?;
                Ok(())
            })
        },
    ),
    Case::new(
        "listing/root-is-no-slash",
        R,
        "The root as `/` is a bad request that says so.",
        |at| {
            Box::pin(async move {
                let refused = at.rpc(LIST, json!({"path": "/"})).await?;
                let words =
                    "path: Specify the root folder as an empty string rather than as \"/\".";
                refused.bad_request(LIST, words)?;
                Ok(())
            })
        },
    ),
    Case::new(
        "listing/of-nothing",
        R,
        "A folder that doesn't exist is `path/not_found`.",
        |at| {
            Box::pin(async move {
                let refused = at.rpc(LIST, json!({"path": at.path("nothing")})).await?;
                refused.refused("path/not_found")?;
                Ok(())
            })
        },
    ),
    Case::new(
        "listing/of-a-file",
        S,
        "A file can't be listed: `path/not_folder`.",
        |at| {
            Box::pin(async move {
                at.put("file", "x").await?;
                let refused = at.rpc(LIST, json!({"path": at.path("file")})).await?;
                refused.refused("path/not_folder")?;
                Ok(())
            })
        },
    ),
    Case::new(
        "listing/of-a-malformed-path",
        R,
        "A path that can't be one is `path/malformed_path`.",
        |at| {
            Box::pin(async move {
                let refused = at.rpc(LIST, json!({"path": at.path("a//b")})).await?;
                refused.refused("path/malformed_path")?;
                Ok(())
            })
        },
    ),
    Case::new(
        "listing/by-id",
        D,
        "A folder can be listed by its id.",
        |at| {
            Box::pin(async move {
                let made = at.make_folder("dir").await?;
                at.put("dir/file", "x").await?;
                let listed = list(at, json!({"path": made.at("/metadata/id")?})).await?;
                names_are(&listed, &["file"])
            })
        },
    ),
    Case::new(
        "listing/limit-has-bounds",
        S,
        "A limit below 1 or above 2,000 is a bad request.",
        |at| {
            Box::pin(async move {
                for limit in [0, 2001] {
                    let refused = at
                        .rpc(LIST, json!({"path": at.folder, "limit": limit}))
                        .await?;
                    refused.bad_request(LIST, "limit")?;
                }
                Ok(())
            })
        },
    ),
    Case::new(
        "listing/all-options-of-clients",
        C,
        "A listing takes the options that clients send with it.",
        |at| {
            Box::pin(async move {
                at.put("file", "x").await?;
                let listed = list(
                    at,
                    json!({
                        "path": at.folder, "recursive": false, "include_media_info": false,
                        "include_deleted": false, "include_has_explicit_shared_members": false,
                        "include_mounted_folders": false, "limit": 1000,
                        "include_non_downloadable_files": false,
                    }),
                )
                .await?;
                names_are(&listed, &["file"])
            })
        },
    ),
    Case::new(
        "listing/nothing-new",
        R,
        "Without changes, `continue` has no entries and `has_more` is false, again and again.",
        |at| {
            Box::pin(async move {
                at.put("file", "x").await?;
                let mut page = list(at, json!({ "path": at.folder })).await?;
                for _ in 0..2 {
                    page = go_on(at, &page).await?;
                    page.has("/entries", json!([]))?.has("/has_more", false)?;
                }
                Ok(())
            })
        },
    ),
    Case::new(
        "listing/changes-are-told",
        S,
        "`continue` tells new files, changed files and deletions.",
        |at| {
            Box::pin(async move {
                at.put("changed", "x").await?;
                at.put("deleted", "x").await?;
                at.put("kept", "x").await?;
                let page = list(at, json!({ "path": at.folder })).await?;
                let commit = json!({"path": at.path("changed"), "mode": "overwrite"});
                let over = at.upload(commit, "y").await?;
                at.delete(&at.path("deleted")).await?.ok()?;
                at.put("new", "x").await?;
                let page = go_on(at, &page).await?;
                names_are(&page, &["changed", "deleted", "new"])?;
                let (changed, deleted) = (by_name(&page, "changed")?, by_name(&page, "deleted")?);
                page.claim(changed["rev"] == over.at("/rev")?, "the new rev", &changed)?;
                page.claim(deleted[".tag"] == "deleted", "a deletion", &deleted)?;
                let tag = &by_name(&page, "new")?[".tag"];
                page.claim(tag == "file", "a file", tag)?;
                Ok(())
            })
        },
    ),
    Case::new(
        "listing/finished-sessions-are-told",
        S,
        "A session that became a file is a change too.",
        |at| {
            Box::pin(async move {
                at.put("before", "x").await?;
                let page = list(at, json!({ "path": at.folder })).await?;
                let session = at.start(json!({}), "x").await?;
                at.finish(&session, 1, &json!({"path": at.path("after")}), "")
                    .await?
                    .ok()?;
                names_are(&go_on(at, &page).await?, &["after"])
            })
        },
    ),
    Case::new(
        "listing/folders-come-before-what-is-in-them",
        S,
        "Among changes, a folder comes before what is in it.",
        |at| {
            Box::pin(async move {
                at.make_folder("here").await?;
                let arg = json!({"path": at.folder, "recursive": true});
                let page = list(at, arg).await?;
                at.put("a/b/file", "x").await?;
                let page = go_on(at, &page).await?;
                let entries = page.list_at("/entries")?;
                let place = |name| entries.iter().position(|entry| entry["name"] == name);
                let (a, b, file) = (place("a"), place("b"), place("file"));
                let good = a.is_some() && a < b && b < file;
                page.claim(good, "a, b, file", json!(entries))?;
                Ok(())
            })
        },
    ),
    Case::new(
        "listing/latest-cursor",
        S,
        "`get_latest_cursor` is a cursor after all that is there.",
        |at| {
            Box::pin(async move {
                at.put("before", "x").await?;
                let latest = at.rpc(LATEST, json!({ "path": at.folder })).await?;
                let page = go_on(at, latest.ok()?).await?;
                page.has("/entries", json!([]))?;
                at.put("after", "x").await?;
                names_are(&go_on(at, &page).await?, &["after"])
            })
        },
    ),
    Case::new(
        "listing/deleted-on-request",
        S,
        "With `include_deleted`, a listing has what was deleted, as such.",
        |at| {
            Box::pin(async move {
                at.put("kept", "x").await?;
                at.put("deleted", "x").await?;
                at.delete(&at.path("deleted")).await?.ok()?;
                names_are(&list(at, json!({ "path": at.folder })).await?, &["kept"])?;
                let listed = list(at, json!({"path": at.folder, "include_deleted": true})).await?;
                let deleted = by_name(&listed, "deleted")?;
                listed.claim(deleted[".tag"] == "deleted", "a deletion", deleted)?;
                Ok(())
            })
        },
    ),
    Case::new(
        "listing/unknown-cursor",
        I,
        "`continue` with a cursor that isn't one is `reset`.",
        |at| {
            Box::pin(async move {
                let refused = at.rpc(CONTINUE, json!({"cursor": "AAAA"})).await?;
                refused.refused("reset")?;
                Ok(())
            })
        },
    ),
    Case::new(
        "listing/cursor-of-nothing",
        S,
        "An empty cursor is a bad request.",
        |at| {
            Box::pin(async move {
                let refused = at.rpc(CONTINUE, json!({"cursor": ""})).await?;
                refused.bad_request(CONTINUE, "cursor")?;
                Ok(())
            })
        },
    ),
    Case::new(
        "listing/longpoll-tells-what-is-there",
        S,
        "A longpoll after a change answers `changes: true`.",
        |at| {
            Box::pin(async move {
                at.put("before", "x").await?;
                let latest = at.rpc(LATEST, json!({ "path": at.folder })).await?;
                let cursor = latest.ok()?.at("/cursor")?;
                at.put("after", "x").await?;
                let polled = at
                    .longpoll(json!({"cursor": cursor, "timeout": 30}))
                    .await?;
                polled.ok()?.has("/changes", true)?;
                Ok(())
            })
        },
    ),
    Case::new(
        "listing/longpoll-under-its-older-prefix",
        C,
        "A longpoll is answered at `/2-beta-2/files/list_folder/longpoll` too.",
        |at| {
            Box::pin(async move {
                at.put("before", "x").await?;
                let latest = at.rpc(LATEST, json!({ "path": at.folder })).await?;
                let arg = json!({"cursor": latest.ok()?.at("/cursor")?});
                at.put("after", "x").await?;
                let path = "/2-beta-2/files/list_folder/longpoll?";
                let call = at.service.call(Host::Notify, Method::POST, path);
                let call = call
                    .anonymous()
                    .header("content-type", "application/json; charset=UTF-8");
                call.text(arg.to_string())
                    .send()
                    .await?
                    .ok()?
                    .has("/changes", true)?;
                Ok(())
            })
        },
    ),
    Case::new(
        "listing/longpoll-of-an-unknown-cursor",
        R,
        "A longpoll with a cursor that isn't one is a bad request.",
        |at| {
            Box::pin(async move {
                let refused = at.longpoll(json!({"cursor": "AAAA"})).await?;
                let words = "request body: cursor: unsupported cursor type";
                refused.bad_request("files/list_folder/longpoll", words)?;
                Ok(())
            })
        },
    ),
    Case::new(
        "listing/longpoll-timeout-has-bounds",
        S,
        "A timeout below 30 or above 480 seconds is a bad request.",
        |at| {
            Box::pin(async move {
                at.put("file", "x").await?;
                let latest = at.rpc(LATEST, json!({ "path": at.folder })).await?;
                let cursor = latest.ok()?.at("/cursor")?;
                for timeout in [29, 481] {
                    let refused = at
                        .longpoll(json!({"cursor": cursor, "timeout": timeout}))
                        .await?;
                    refused.bad_request("files/list_folder/longpoll", "timeout")?;
                }
                Ok(())
            })
        },
    ),
];

async fn list(at: &Place<'_>, arg: Value) -> Result<Answer, Stop> {
    let listed = at.rpc(LIST, arg).await?;
    listed.ok()?;
    Ok(listed)
}

async fn go_on(at: &Place<'_>, page: &Answer) -> Result<Answer, Stop> {
    let page = at
        .rpc(CONTINUE, json!({"cursor": page.at("/cursor")?}))
        .await?;
    page.ok()?;
    Ok(page)
}

fn by_name(page: &Answer, name: &str) -> Result<Value, Stop> {
    let found = page
        .list_at("/entries")?
        .into_iter()
        .find(|entry| entry["name"] == name);
    found.ok_or_else(|| page.finding(format!("an entry named {name}"), "none"))
}

/// Claims that the page has entries of these names, and no others.
fn names_are(page: &Answer, names: &[&str]) -> Result<(), Stop> {
    let entries = page.list_at("/entries")?;
    let got: BTreeSet<&str> = entries
        .iter()
        .filter_map(|entry| entry["name"].as_str())
        .collect();
    let wanted: BTreeSet<&str> = names.iter().copied().collect();
    page.claim(got == wanted, json!(wanted), json!(got))?;
    Ok(())
}
