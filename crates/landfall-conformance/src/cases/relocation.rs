//! Files and folders go elsewhere, and the first versions of the routes around them.

use crate::answer::Answer;
use crate::case::Case;
use crate::case::Mark::{C, D, I, R, S};
use crate::finding::Stop;
use crate::place::Place;
use serde_json::{Value, json};

const MOVE: &str = "files/move_v2";
const COPY: &str = "files/copy_v2";

pub(super) const CASES: &[Case] = &[
    Case::new(
        "relocation/move-a-file",
        S,
        "`move_v2` answers with the file's metadata at its new path, with a tag, and the old path is free.",
        |at| {
            Box::pin(async move {
                at.put("from", "x").await?;
                let moved = relocate(at, MOVE, "from", "To").await?;
                moved.ok()?.has("/metadata/.tag", "file")?;
                moved.has("/metadata/name", "To")?;
                moved.has("/metadata/path_display", at.path("To"))?;
                at.is_free(&at.path("from")).await?;
                at.holds(&at.path("To"), b"x").await
            })
        },
    ),
    Case::new(
        "relocation/move-keeps-the-id",
        R,
        "A moved file has the id and the `client_modified` that it had, and another rev.",
        |at| {
            Box::pin(async move {
                let commit =
                    json!({"path": at.path("from"), "client_modified": "2015-05-12T15:50:38Z"});
                let put = at.upload(commit, "x").await?;
                let moved = relocate(at, MOVE, "from", "to").await?;
                moved.ok()?.has("/metadata/id", put.ok()?.at("/id")?)?;
                moved.has_other("/metadata/rev", put.at("/rev")?)?;
                moved.has("/metadata/client_modified", "2015-05-12T15:50:38Z")?;
                Ok(())
            })
        },
    ),
    Case::new(
        "relocation/copy-a-file",
        S,
        "`copy_v2` answers with the copy's metadata, and both are there.",
        |at| {
            Box::pin(async move {
                at.put("from", "x").await?;
                let copied = relocate(at, COPY, "from", "to").await?;
                copied.ok()?.has("/metadata/.tag", "file")?;
                copied.has("/metadata/path_display", at.path("to"))?;
                at.holds(&at.path("from"), b"x").await?;
                at.holds(&at.path("to"), b"x").await
            })
        },
    ),
    Case::new(
        "relocation/copy-has-an-id-of-its-own",
        R,
        "A copy has an id and a rev of its own, and the hash and `client_modified` of the file.",
        |at| {
            Box::pin(async move {
                let commit =
                    json!({"path": at.path("from"), "client_modified": "2015-05-12T15:50:38Z"});
                let put = at.upload(commit, "x").await?;
                let copied = relocate(at, COPY, "from", "to").await?;
                copied
                    .ok()?
                    .has_other("/metadata/id", put.ok()?.at("/id")?)?;
                copied.has_other("/metadata/rev", put.at("/rev")?)?;
                copied.has("/metadata/content_hash", put.at("/content_hash")?)?;
                copied.has("/metadata/client_modified", "2015-05-12T15:50:38Z")?;
                Ok(())
            })
        },
    ),
    Case::new(
        "relocation/copies-are-apart",
        S,
        "What is written to a copy afterwards doesn't show in the file.",
        |at| {
            Box::pin(async move {
                at.put("from", "x").await?;
                relocate(at, COPY, "from", "to").await?.ok()?;
                let commit = json!({"path": at.path("to"), "mode": "overwrite"});
                at.upload(commit, "y").await?.ok()?;
                at.holds(&at.path("from"), b"x").await
            })
        },
    ),
    Case::new(
        "relocation/move-a-folder",
        S,
        "A folder moves with all that is in it.",
        |at| {
            Box::pin(async move {
                let put = at.put("from/dir/file", "x").await?;
                let moved = relocate(at, MOVE, "from", "to").await?;
                moved
                    .ok()?
                    .has("/metadata/.tag", "folder")?
                    .has("/metadata/name", "to")?;
                let found = at.metadata(&at.path("to/dir/file")).await?;
                found.ok()?.has("/id", put.at("/id")?)?;
                at.is_free(&at.path("from")).await
            })
        },
    ),
    Case::new(
        "relocation/copy-a-folder",
        S,
        "A folder is copied with all that is in it.",
        |at| {
            Box::pin(async move {
                at.put("from/dir/file", "x").await?;
                relocate(at, COPY, "from", "to")
                    .await?
                    .ok()?
                    .has("/metadata/.tag", "folder")?;
                at.holds(&at.path("to/dir/file"), b"x").await?;
                at.holds(&at.path("from/dir/file"), b"x").await
            })
        },
    ),
    Case::new(
        "relocation/from-nothing",
        S,
        "Where nothing is, moving and copying are `from_lookup/not_found`.",
        |at| {
            Box::pin(async move {
                for route in [MOVE, COPY] {
                    let refused = relocate(at, route, "nothing", "to").await?;
                    refused.refused("from_lookup/not_found")?;
                }
                Ok(())
            })
        },
    ),
    Case::new(
        "relocation/onto-a-file",
        S,
        "Onto a file, moving and copying are `to/conflict/file`, and nothing is changed.",
        |at| {
            Box::pin(async move {
                at.put("from", "x").await?;
                at.put("to", "y").await?;
                for route in [MOVE, COPY] {
                    let refused = relocate(at, route, "from", "to").await?;
                    refused.refused("to/conflict/file")?;
                }
                at.holds(&at.path("from"), b"x").await?;
                at.holds(&at.path("to"), b"y").await
            })
        },
    ),
    Case::new(
        "relocation/onto-a-folder",
        S,
        "Onto a folder, moving and copying are `to/conflict/folder`.",
        |at| {
            Box::pin(async move {
                at.put("from", "x").await?;
                at.make_folder("to").await?;
                for route in [MOVE, COPY] {
                    let refused = relocate(at, route, "from", "to").await?;
                    refused.refused("to/conflict/folder")?;
                }
                Ok(())
            })
        },
    ),
    Case::new(
        "relocation/below-a-file",
        S,
        "Below a file, moving and copying are `to/conflict/file_ancestor`, with `autorename` too.",
        |at| {
            Box::pin(async move {
                at.put("from", "x").await?;
                at.put("file", "y").await?;
                for route in [MOVE, COPY] {
                    let mut arg = paths(at, "from", "file/to");
                    at.rpc(route, arg.clone())
                        .await?
                        .refused("to/conflict/file_ancestor")?;
                    arg["autorename"] = true.into();
                    at.rpc(route, arg)
                        .await?
                        .refused("to/conflict/file_ancestor")?;
                }
                Ok(())
            })
        },
    ),
    Case::new(
        "relocation/autorename-numbers",
        R,
        "With `autorename`, moving and copying append a number to the name.",
        |at| {
            Box::pin(async move {
                at.put("from", "x").await?;
                at.put("photo.jpg", "y").await?;
                for (nth, route) in [(0, COPY), (1, MOVE)] {
                    let mut arg = paths(at, "from", "photo.jpg");
                    arg["autorename"] = true.into();
                    let relocated = at.rpc(route, arg).await?;
                    relocated
                        .ok()?
                        .has("/metadata/name", at.numbered("photo", nth, ".jpg"))?;
                }
                at.holds(&at.path("photo.jpg"), b"y").await
            })
        },
    ),
    Case::new(
        "relocation/parents-are-made",
        I,
        "Folders above the new path that don't exist are made.",
        |at| {
            Box::pin(async move {
                at.put("from", "x").await?;
                relocate(at, COPY, "from", "a/b/to").await?.ok()?;
                relocate(at, MOVE, "from", "c/d/to").await?.ok()?;
                at.holds(&at.path("a/b/to"), b"x").await?;
                at.holds(&at.path("c/d/to"), b"x").await
            })
        },
    ),
    Case::new(
        "relocation/a-folder-into-itself",
        S,
        "A folder can't be moved into itself: `cant_move_folder_into_itself`.",
        |at| {
            Box::pin(async move {
                at.put("dir/file", "x").await?;
                let refused = relocate(at, MOVE, "dir", "dir/below").await?;
                refused.refused("cant_move_folder_into_itself")?;
                at.holds(&at.path("dir/file"), b"x").await
            })
        },
    ),
    Case::new(
        "relocation/a-copy-into-itself",
        I,
        "A folder can't be copied into itself: `duplicated_or_nested_paths`.",
        |at| {
            Box::pin(async move {
                at.put("dir/file", "x").await?;
                let refused = relocate(at, COPY, "dir", "dir/below").await?;
                refused.refused("duplicated_or_nested_paths")?;
                Ok(())
            })
        },
    ),
    Case::new(
        "relocation/to-another-case",
        I,
        "Changing nothing but the case of a name is a conflict with the file itself.",
        |at| {
            Box::pin(async move {
                at.put("name", "x").await?;
                let refused = relocate(at, MOVE, "name", "NAME").await?;
                refused.refused("to/conflict/file")?;
                at.metadata(&at.path("name"))
                    .await?
                    .ok()?
                    .has("/name", "name")?;
                Ok(())
            })
        },
    ),
    Case::new(
        "relocation/to-a-malformed-path",
        R,
        "A path that can't be one is `to/malformed_path`.",
        |at| {
            Box::pin(async move {
                at.put("from", "x").await?;
                for route in [MOVE, COPY] {
                    let refused = relocate(at, route, "from", "a//b").await?;
                    refused.refused("to/malformed_path")?;
                }
                Ok(())
            })
        },
    ),
    Case::new(
        "relocation/by-id",
        D,
        "What is moved or copied may be named by its id.",
        |at| {
            Box::pin(async move {
                let put = at.put("from", "x").await?;
                for (route, to) in [(COPY, "copied"), (MOVE, "moved")] {
                    let arg = json!({"from_path": put.at("/id")?, "to_path": at.path(to)});
                    at.rpc(route, arg).await?.ok()?.has("/metadata/name", to)?;
                }
                at.is_free(&at.path("from")).await
            })
        },
    ),
    Case::new(
        "relocation/all-options-of-clients",
        C,
        "Moving and copying take the options that clients send with them.",
        |at| {
            Box::pin(async move {
                at.put("from", "x").await?;
                for (route, to) in [(COPY, "copied"), (MOVE, "moved")] {
                    let arg = json!({
                        "from_path": at.path("from"), "to_path": at.path(to),
                        "allow_shared_folder": false, "autorename": false,
                        "allow_ownership_transfer": false,
                    });
                    at.rpc(route, arg).await?.ok()?;
                }
                Ok(())
            })
        },
    ),
    Case::new(
        "relocation/moves-are-told",
        S,
        "A move is a deletion and a new file to those who ask for changes.",
        |at| {
            Box::pin(async move {
                at.put("from", "x").await?;
                let listed = at
                    .rpc("files/list_folder", json!({ "path": at.folder }))
                    .await?;
                let cursor = listed.ok()?.at("/cursor")?;
                relocate(at, MOVE, "from", "to").await?.ok()?;
                let page = at
                    .rpc("files/list_folder/continue", json!({ "cursor": cursor }))
                    .await?;
                let entries = page.ok()?.list_at("/entries")?;
                let has = |name, tag| {
                    let found = |entry: &Value| entry["name"] == name && entry[".tag"] == tag;
                    entries.iter().any(found)
                };
                let good = entries.len() == 2 && has("from", "deleted") && has("to", "file");
                page.claim(good, "`from` deleted, `to` as a file", json!(entries))?;
                Ok(())
            })
        },
    ),
    Case::new(
        "relocation/move-and-copy-v1",
        S,
        "The first versions of move and copy answer with the metadata itself.",
        |at| {
            Box::pin(async move {
                at.put("from", "x").await?;
                for (route, to) in [("files/copy", "copied"), ("files/move", "moved")] {
                    let relocated = relocate(at, route, "from", to).await?;
                    relocated.ok()?.has("/.tag", "file")?.has("/name", to)?;
                }
                at.is_free(&at.path("from")).await
            })
        },
    ),
    Case::new(
        "relocation/delete-v1",
        S,
        "The first version of delete answers with the metadata itself.",
        |at| {
            Box::pin(async move {
                at.put("file", "x").await?;
                let arg = json!({"path": at.path("file")});
                let deleted = at.rpc("files/delete", arg.clone()).await?;
                deleted.ok()?.has("/.tag", "file")?.has("/name", "file")?;
                at.rpc("files/delete", arg)
                    .await?
                    .refused("path_lookup/not_found")?;
                Ok(())
            })
        },
    ),
    Case::new(
        "relocation/create-folder-v1",
        S,
        "The first version of create_folder answers with the folder's metadata itself, without a tag.",
        |at| {
            Box::pin(async move {
                let arg = json!({"path": at.path("folder")});
                let made = at.rpc("files/create_folder", arg.clone()).await?;
                made.ok()?
                    .has("/name", "folder")?
                    .lacks("/.tag")?
                    .text_at("/id")?;
                at.rpc("files/create_folder", arg)
                    .await?
                    .refused("path/conflict/folder")?;
                Ok(())
            })
        },
    ),
];

fn paths(at: &Place<'_>, from: &str, to: &str) -> Value {
    json!({"from_path": at.path(from), "to_path": at.path(to)})
}

async fn relocate(at: &Place<'_>, route: &str, from: &str, to: &str) -> Result<Answer, Stop> {
    at.rpc(route, paths(at, from, to)).await
}
