//! Folders, deletions, and what is at a path.

use crate::case::Case;
use crate::case::Mark::{D, R, S};
use serde_json::json;

const CREATE: &str = "files/create_folder_v2";
const DELETE: &str = "files/delete_v2";
const METADATA: &str = "files/get_metadata";

pub(super) const CASES: &[Case] = &[
    Case::new(
        "folder/made",
        S,
        "`create_folder_v2` answers with the folder's metadata under `metadata`, without a tag.",
        |at| {
            Box::pin(async move {
                let made = at.create_folder(&at.path("Folder")).await?;
                made.ok()?.has("/metadata/name", "Folder")?;
                made.has("/metadata/path_display", at.path("Folder"))?;
                made.has("/metadata/path_lower", at.path("folder").to_lowercase())?;
                made.lacks("/metadata/.tag")?.text_at("/metadata/id")?;
                Ok(())
            })
        },
    ),
    Case::new(
        "folder/there-already",
        R,
        "A folder that is there already is `path/conflict/folder`.",
        |at| {
            Box::pin(async move {
                at.make_folder("folder").await?;
                let refused = at.create_folder(&at.path("FOLDER")).await?;
                refused.refused("path/conflict/folder")?;
                Ok(())
            })
        },
    ),
    Case::new(
        "folder/file-there",
        S,
        "Where a file is, making a folder is `path/conflict/file`.",
        |at| {
            Box::pin(async move {
                at.put("file", "x").await?;
                at.create_folder(&at.path("file"))
                    .await?
                    .refused("path/conflict/file")?;
                Ok(())
            })
        },
    ),
    Case::new(
        "folder/autorename-numbers",
        R,
        "`autorename` appends a number to a folder's name.",
        |at| {
            Box::pin(async move {
                at.make_folder("Folder").await?;
                let arg = json!({"path": at.path("Folder"), "autorename": true});
                let made = at.rpc(CREATE, arg).await?;
                made.ok()?
                    .has("/metadata/name", at.numbered("Folder", 0, ""))?;
                Ok(())
            })
        },
    ),
    Case::new(
        "folder/parents-are-made",
        S,
        "Folders above a new folder that don't exist are made.",
        |at| {
            Box::pin(async move {
                at.make_folder("a/b/c").await?;
                at.metadata(&at.path("a/b"))
                    .await?
                    .ok()?
                    .has("/.tag", "folder")?;
                Ok(())
            })
        },
    ),
    Case::new(
        "folder/below-a-file",
        S,
        "Below a file, making a folder is `path/conflict/file_ancestor`.",
        |at| {
            Box::pin(async move {
                at.put("file", "x").await?;
                let refused = at.create_folder(&at.path("file/below")).await?;
                refused.refused("path/conflict/file_ancestor")?;
                Ok(())
            })
        },
    ),
    Case::new(
        "folder/malformed-path",
        R,
        "A path that can't be one is `path/malformed_path`.",
        |at| {
            Box::pin(async move {
                let refused = at.create_folder(&at.path("a\\b")).await?;
                refused.refused("path/malformed_path")?;
                Ok(())
            })
        },
    ),
    Case::new(
        "folder/delete-a-file",
        S,
        "`delete_v2` answers with the file's metadata as it was, and it is gone.",
        |at| {
            Box::pin(async move {
                let put = at.put("file", "x").await?;
                let deleted = at.delete(&at.path("file")).await?;
                deleted.ok()?.has("/metadata/.tag", "file")?;
                deleted.has("/metadata/id", put.at("/id")?)?;
                deleted.has("/metadata/rev", put.at("/rev")?)?;
                at.is_free(&at.path("file")).await
            })
        },
    ),
    Case::new(
        "folder/delete-with-all-in-it",
        S,
        "A folder is deleted with all that is in it.",
        |at| {
            Box::pin(async move {
                at.put("folder/file", "x").await?;
                let deleted = at.delete(&at.path("folder")).await?;
                deleted
                    .ok()?
                    .has("/metadata/.tag", "folder")?
                    .has("/metadata/name", "folder")?;
                at.is_free(&at.path("folder/file")).await?;
                at.is_free(&at.path("folder")).await
            })
        },
    ),
    Case::new(
        "folder/delete-nothing",
        S,
        "Where nothing is, a deletion is `path_lookup/not_found`.",
        |at| {
            Box::pin(async move {
                let refused = at.delete(&at.path("nothing")).await?;
                refused.refused("path_lookup/not_found")?;
                Ok(())
            })
        },
    ),
    Case::new(
        "folder/delete-an-old-rev",
        R,
        "A deletion whose `parent_rev` was replaced is `path_write/conflict/file` and deletes nothing.",
        |at| {
            Box::pin(async move {
                let put = at.put("file", "x").await?;
                let commit = json!({"path": at.path("file"), "mode": "overwrite"});
                at.upload(commit, "y").await?.ok()?;
                let arg = json!({"path": at.path("file"), "parent_rev": put.at("/rev")?});
                at.rpc(DELETE, arg)
                    .await?
                    .refused("path_write/conflict/file")?;
                at.holds(&at.path("file"), b"y").await
            })
        },
    ),
    Case::new(
        "folder/delete-the-current-rev",
        S,
        "A deletion whose `parent_rev` is the file's deletes it.",
        |at| {
            Box::pin(async move {
                let put = at.put("file", "x").await?;
                let arg = json!({"path": at.path("file"), "parent_rev": put.at("/rev")?});
                at.rpc(DELETE, arg).await?.ok()?;
                at.is_free(&at.path("file")).await
            })
        },
    ),
    Case::new(
        "folder/delete-by-id",
        D,
        "A file can be deleted by its id.",
        |at| {
            Box::pin(async move {
                let put = at.put("file", "x").await?;
                at.delete(&put.text_at("/id")?)
                    .await?
                    .ok()?
                    .has("/metadata/name", "file")?;
                at.is_free(&at.path("file")).await
            })
        },
    ),
    Case::new(
        "folder/metadata-of-a-file",
        S,
        "`get_metadata` of a file is what the upload answered, with the tag `file`.",
        |at| {
            Box::pin(async move {
                let put = at.put("file", "x").await?;
                let found = at.metadata(&at.path("file")).await?;
                found.ok()?.has("/.tag", "file")?;
                for field in [
                    "/name",
                    "/id",
                    "/rev",
                    "/size",
                    "/client_modified",
                    "/server_modified",
                ] {
                    found.has(field, put.at(field)?)?;
                }
                Ok(())
            })
        },
    ),
    Case::new(
        "folder/metadata-of-a-folder",
        S,
        "`get_metadata` of a folder has the tag `folder`, and nothing that only files have.",
        |at| {
            Box::pin(async move {
                let made = at.make_folder("folder").await?;
                let found = at.metadata(&at.path("folder")).await?;
                found
                    .ok()?
                    .has("/.tag", "folder")?
                    .has("/id", made.at("/metadata/id")?)?;
                found.lacks("/rev")?.lacks("/size")?;
                Ok(())
            })
        },
    ),
    Case::new(
        "folder/metadata-of-nothing",
        R,
        "`get_metadata` where nothing is is `path/not_found`.",
        |at| Box::pin(async move { at.is_free(&at.path("nothing")).await }),
    ),
    Case::new(
        "folder/metadata-of-the-root",
        R,
        "`get_metadata` of the root is a bad request that says so.",
        |at| {
            Box::pin(async move {
                let refused = at.rpc(METADATA, json!({"path": ""})).await?;
                refused.bad_request(METADATA, "path: The root folder is unsupported.")?;
                Ok(())
            })
        },
    ),
    Case::new(
        "folder/metadata-of-what-was-deleted",
        S,
        "With `include_deleted`, `get_metadata` of a deleted file has the tag `deleted`.",
        |at| {
            Box::pin(async move {
                at.put("file", "x").await?;
                at.delete(&at.path("file")).await?.ok()?;
                at.is_free(&at.path("file")).await?;
                let arg = json!({"path": at.path("file"), "include_deleted": true});
                let found = at.rpc(METADATA, arg).await?;
                found.ok()?.has("/.tag", "deleted")?.has("/name", "file")?;
                Ok(())
            })
        },
    ),
    Case::new(
        "folder/metadata-by-id-and-rev",
        S,
        "A path may be a file's id, an id with more path, or a rev.",
        |at| {
            Box::pin(async move {
                let put = at.put("dir/file", "x").await?;
                let dir = at.metadata(&at.path("dir")).await?.text_at("/id")?;
                let rev = put.text_at("/rev")?;
                for path in [
                    put.text_at("/id")?,
                    format!("{dir}/file"),
                    format!("rev:{rev}"),
                ] {
                    at.metadata(&path).await?.ok()?.has("/name", "file")?;
                }
                Ok(())
            })
        },
    ),
    Case::new(
        "folder/metadata-by-namespace",
        D,
        "A path may begin with the id of a namespace.",
        |at| {
            Box::pin(async move {
                at.put("file", "x").await?;
                let account = at.rpc("users/get_current_account", json!(null)).await?;
                let home = account.ok()?.text_at("/root_info/home_namespace_id")?;
                let path = format!("ns:{home}{}", at.path("file"));
                at.metadata(&path).await?.ok()?.has("/name", "file")?;
                Ok(())
            })
        },
    ),
];
