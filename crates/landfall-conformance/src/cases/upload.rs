//! One call that saves a file: its answer, its paths, its hash.

use crate::answer::Answer;
use crate::case::Case;
use crate::case::Mark::{C, D, I, R, S, U};
use crate::finding::Stop;
use crate::hash::{BLOCK, content_hash};
use serde_json::json;

pub(super) const CASES: &[Case] = &[
    Case::new(
        "upload/metadata-is-complete",
        C,
        "A new file's metadata has name, paths, id, both times, rev, size, content_hash and `is_downloadable: true`.",
        |at| {
            Box::pin(async move {
                let put = at.put("Report.TXT", "hello\n").await?;
                put.has("/name", "Report.TXT")?;
                put.has("/path_display", at.path("Report.TXT"))?;
                put.has("/path_lower", at.path("report.txt").to_lowercase())?;
                put.has("/size", 6)?;
                put.has("/is_downloadable", true)?;
                for field in ["/id", "/rev", "/content_hash"] {
                    put.text_at(field)?;
                }
                time(&put, "/client_modified")?;
                time(&put, "/server_modified")
            })
        },
    ),
    Case::new(
        "upload/id-has-its-form",
        R,
        "A file's id is `id:` and 22 letters, digits, hyphens or underscores.",
        |at| {
            Box::pin(async move {
                let put = at.put("file", "x").await?;
                let id = put.text_at("/id")?;
                let bare = id.strip_prefix("id:").unwrap_or_default();
                let good = bare.len() == 22
                    && bare
                        .bytes()
                        .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
                put.claim(good, "id: and 22 characters", id)?;
                Ok(())
            })
        },
    ),
    Case::new(
        "upload/rev-has-its-form",
        S,
        "A rev is at least nine lower-case hexadecimal digits.",
        |at| {
            Box::pin(async move {
                let put = at.put("file", "x").await?;
                let rev = put.text_at("/rev")?;
                let good = rev.len() >= 9
                    && rev
                        .bytes()
                        .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
                put.claim(good, "nine hexadecimal digits or more", rev)?;
                Ok(())
            })
        },
    ),
    Case::new(
        "upload/bytes-come-back",
        S,
        "What was uploaded is what is downloaded.",
        |at| {
            Box::pin(async move {
                let bytes: Vec<u8> = (0..=255).cycle().take(100_000).collect();
                at.put("file", bytes.clone())
                    .await?
                    .has("/size", bytes.len())?;
                at.holds(&at.path("file"), &bytes).await
            })
        },
    ),
    Case::new(
        "upload/empty-file",
        R,
        "A file of no bytes has size 0 and the hash of nothing.",
        |at| {
            Box::pin(async move {
                let put = at.put("empty", "").await?;
                put.has("/size", 0)?;
                put.has("/content_hash", content_hash(b""))?;
                at.holds(&at.path("empty"), b"").await
            })
        },
    ),
    Case::new(
        "upload/hash-of-the-stored-bytes",
        D,
        "`content_hash` is the hash of the hashes of blocks of 4 MiB.",
        |at| {
            Box::pin(async move {
                let bytes = vec![0x5a; BLOCK + 1];
                let put = at.put("two blocks", bytes.clone()).await?;
                put.has("/content_hash", content_hash(&bytes))?;
                let put = at.put("one byte", "a").await?;
                put.has("/content_hash", content_hash(b"a"))?;
                Ok(())
            })
        },
    ),
    Case::new(
        "upload/metadata-has-the-hash",
        C,
        "`get_metadata` tells the hash, too.",
        |at| {
            Box::pin(async move {
                at.put("file", "x").await?;
                let found = at.metadata(&at.path("file")).await?;
                found.ok()?.has("/content_hash", content_hash(b"x"))?;
                Ok(())
            })
        },
    ),
    Case::new(
        "upload/right-hash",
        S,
        "An upload with the right `content_hash` is taken.",
        |at| {
            Box::pin(async move {
                let commit = json!({"path": at.path("file"), "content_hash": content_hash(b"x")});
                at.upload(commit, "x").await?.ok()?;
                Ok(())
            })
        },
    ),
    Case::new(
        "upload/wrong-hash",
        S,
        "An upload with another `content_hash` is `content_hash_mismatch` and saves nothing.",
        |at| {
            Box::pin(async move {
                let commit = json!({"path": at.path("file"), "content_hash": content_hash(b"y")});
                at.upload(commit, "x")
                    .await?
                    .refused("content_hash_mismatch")?;
                at.is_free(&at.path("file")).await
            })
        },
    ),
    Case::new(
        "upload/hash-of-another-length",
        S,
        "A `content_hash` of other than 64 characters is a bad request.",
        |at| {
            Box::pin(async move {
                let short = &content_hash(b"x")[1..];
                let commit = json!({"path": at.path("file"), "content_hash": short});
                at.upload(commit, "x")
                    .await?
                    .bad_request("files/upload", "content_hash: ")?;
                Ok(())
            })
        },
    ),
    Case::new(
        "upload/client-modified",
        R,
        "`client_modified` is kept as it was given.",
        |at| {
            Box::pin(async move {
                let time = "2015-05-12T15:50:38Z";
                let commit = json!({"path": at.path("file"), "client_modified": time});
                at.upload(commit, "x")
                    .await?
                    .ok()?
                    .has("/client_modified", time)?;
                at.metadata(&at.path("file"))
                    .await?
                    .has("/client_modified", time)?;
                Ok(())
            })
        },
    ),
    Case::new(
        "upload/client-modified-of-another-form",
        I,
        "A `client_modified` with a fraction or an offset is a bad request.",
        |at| {
            Box::pin(async move {
                for time in [
                    "2015-05-12T15:50:38.5Z",
                    "2015-05-12T15:50:38+02:00",
                    "yesterday",
                ] {
                    let commit = json!({"path": at.path("file"), "client_modified": time});
                    let refused = at.upload(commit, "x").await?;
                    refused.bad_request("files/upload", "client_modified: ")?;
                }
                Ok(())
            })
        },
    ),
    Case::new(
        "upload/mute-changes-no-answer",
        S,
        "`mute` is taken, and nothing of it shows in the answer.",
        |at| {
            Box::pin(async move {
                let commit = json!({"path": at.path("file"), "mute": true});
                let put = at.upload(commit, "x").await?;
                put.ok()?.has("/name", "file")?.lacks("/mute")?;
                Ok(())
            })
        },
    ),
    Case::new(
        "upload/alpha",
        S,
        "`files/alpha/upload` does what `files/upload` does.",
        |at| {
            Box::pin(async move {
                let commit = json!({"path": at.path("file")});
                let put = at.bytes("files/alpha/upload", commit, "x").await?;
                put.ok()?.has("/size", 1)?;
                at.holds(&at.path("file"), b"x").await
            })
        },
    ),
    Case::new(
        "upload/parents-are-made",
        R,
        "Folders above the file that don't exist are made.",
        |at| {
            Box::pin(async move {
                at.put("a/b/file", "x").await?;
                let found = at.metadata(&at.path("a/b")).await?;
                found.ok()?.has("/.tag", "folder")?;
                Ok(())
            })
        },
    ),
    Case::new(
        "upload/parents-keep-their-letters",
        D,
        "A folder that is there in another case is used, and keeps its name.",
        |at| {
            Box::pin(async move {
                at.put("Folder/one", "x").await?;
                let put = at.put("FOLDER/two", "x").await?;
                put.has("/path_lower", at.path("folder/two").to_lowercase())?;
                let listed = at
                    .rpc("files/list_folder", json!({ "path": at.folder }))
                    .await?;
                let entries = listed.ok()?.list_at("/entries")?;
                listed.claim(entries.len() == 1, "one folder", json!(entries))?;
                listed.has("/entries/0/name", "Folder")?;
                Ok(())
            })
        },
    ),
    Case::new(
        "upload/names-in-any-case-are-one",
        D,
        "A file is found, and is in the way, in any case of its name.",
        |at| {
            Box::pin(async move {
                let put = at.put("Doc.txt", "x").await?;
                let found = at.metadata(&at.path("DOC.TXT")).await?;
                found.ok()?.has("/id", put.at("/id")?)?;
                let refused = at.upload(json!({"path": at.path("doc.TXT")}), "y").await?;
                refused.refused("path/conflict/file")?;
                Ok(())
            })
        },
    ),
    Case::new(
        "upload/overwrites-in-any-case",
        D,
        "An overwrite by another case of the name writes to the same file.",
        |at| {
            Box::pin(async move {
                let put = at.put("Doc.txt", "x").await?;
                let commit = json!({"path": at.path("DOC.TXT"), "mode": "overwrite"});
                let over = at.upload(commit, "y").await?;
                over.ok()?.has("/id", put.at("/id")?)?;
                Ok(())
            })
        },
    ),
    Case::new(
        "upload/letters-beyond-ascii-have-cases-too",
        D,
        "`\u{dc}` and `\u{fc}` are one letter in two cases.",
        |at| {
            Box::pin(async move {
                let put = at.put("\u{dc}ber", "x").await?;
                put.has("/path_lower", at.path("\u{fc}ber").to_lowercase())?;
                let found = at.metadata(&at.path("\u{fc}BER")).await?;
                found.ok()?.has("/name", "\u{dc}ber")?;
                Ok(())
            })
        },
    ),
    Case::new(
        "upload/onto-an-id",
        I,
        "A commit whose path is a file's id writes to that file.",
        |at| {
            Box::pin(async move {
                let put = at.put("file", "x").await?;
                let commit = json!({"path": put.at("/id")?, "mode": "overwrite"});
                let over = at.upload(commit, "y").await?;
                over.ok()?.has("/path_display", at.path("file"))?;
                at.holds(&at.path("file"), b"y").await
            })
        },
    ),
    Case::new(
        "upload/paths-need-a-slash",
        S,
        "A path without a slash at its begin, or a rev, is a bad request.",
        |at| {
            Box::pin(async move {
                for path in ["file", "rev:0123456789", ""] {
                    let refused = at.upload(json!({ "path": path }), "x").await?;
                    refused.bad_request("files/upload", "path: ")?;
                }
                Ok(())
            })
        },
    ),
    Case::new(
        "upload/malformed-paths",
        R,
        "Empty names, `..`, and backslashes are `path/malformed_path`.",
        |at| {
            Box::pin(async move {
                for name in ["/file", "../file", "a\\b"] {
                    let refused = at.upload(json!({"path": at.path(name)}), "x").await?;
                    refused.refused("path/malformed_path")?;
                }
                Ok(())
            })
        },
    ),
    Case::new(
        "upload/paths-that-end-with-a-slash",
        D,
        "A path can't end with a slash.",
        |at| {
            Box::pin(async move {
                let refused = at.upload(json!({"path": at.path("file/")}), "x").await?;
                refused.refused("path/malformed_path")?;
                Ok(())
            })
        },
    ),
    Case::new(
        "upload/disallowed-names",
        U,
        "Names that Dropbox never stores are `path/disallowed_name`, in any case.",
        |at| {
            Box::pin(async move {
                for name in [
                    "desktop.ini",
                    "Thumbs.db",
                    ".DS_Store",
                    ".dropbox",
                    ".dropbox.attr",
                ] {
                    let refused = at.upload(json!({"path": at.path(name)}), "x").await?;
                    refused.refused("path/disallowed_name")?;
                }
                Ok(())
            })
        },
    ),
    Case::new(
        "upload/names-have-255-characters",
        C,
        "A name of 255 characters is taken, one of 256 refused.",
        |at| {
            Box::pin(async move {
                at.put(&"n".repeat(255), "x").await?;
                let refused = at
                    .upload(json!({"path": at.path(&"n".repeat(256))}), "x")
                    .await?;
                refused.status(409)?;
                Ok(())
            })
        },
    ),
];

/// Claims a time as the API writes it.
fn time(answer: &Answer, pointer: &str) -> Result<(), Stop> {
    let text = answer.text_at(pointer)?;
    let digits = text.replace(|letter: char| letter.is_ascii_digit(), "0");
    answer.claim(
        digits == "0000-00-00T00:00:00Z",
        "a time such as 2015-05-12T15:50:38Z",
        text,
    )?;
    Ok(())
}
