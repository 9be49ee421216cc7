//! What files were, and going back to it.

use crate::answer::Answer;
use crate::case::Case;
use crate::case::Mark::{I, R, S};
use crate::finding::Stop;
use crate::place::Place;
use serde_json::{Value, json};

const LIST: &str = "files/list_revisions";
const RESTORE: &str = "files/restore";

pub(super) const CASES: &[Case] = &[
    Case::new(
        "revisions/newest-first",
        S,
        "`list_revisions` has a file's revisions, the newest first, each as metadata without a tag.",
        |at| {
            Box::pin(async move {
                let revs = written(at, 3).await?;
                let listed = list(at, json!({})).await?;
                listed.has("/is_deleted", false)?.lacks("/entries/0/.tag")?;
                listed.has("/entries/0/size", 3)?;
                revs_are(&listed, &[&revs[2], &revs[1], &revs[0]])
            })
        },
    ),
    Case::new(
        "revisions/limit",
        S,
        "As many as the limit are listed; `before_rev` goes on from there.",
        |at| {
            Box::pin(async move {
                let revs = written(at, 3).await?;
                let page = list(at, json!({"limit": 2})).await?;
                revs_are(&page, &[&revs[2], &revs[1]])?;
                page.has("/has_more", true)?;
                let page = list(at, json!({"limit": 2, "before_rev": revs[1]})).await?;
                revs_are(&page, &[&revs[0]])?;
                page.has("/has_more", false)?;
                Ok(())
            })
        },
    ),
    Case::new(
        "revisions/limit-has-bounds",
        S,
        "A limit below 1 or above 100 is a bad request.",
        |at| {
            Box::pin(async move {
                at.put("file", "x").await?;
                for limit in [0, 101] {
                    let arg = json!({"path": at.path("file"), "limit": limit});
                    at.rpc(LIST, arg).await?.bad_request(LIST, "limit")?;
                }
                Ok(())
            })
        },
    ),
    Case::new(
        "revisions/of-a-deleted-file",
        S,
        "A deleted file has its revisions, `is_deleted`, and the time of its deletion.",
        |at| {
            Box::pin(async move {
                let revs = written(at, 2).await?;
                at.delete(&at.path("file")).await?.ok()?;
                let listed = list(at, json!({})).await?;
                revs_are(&listed, &[&revs[1], &revs[0]])?;
                listed
                    .has("/is_deleted", true)?
                    .text_at("/server_deleted")?;
                Ok(())
            })
        },
    ),
    Case::new(
        "revisions/follow-the-id",
        S,
        "By mode `id`, the revisions of a file are those before it was moved, too.",
        |at| {
            Box::pin(async move {
                let revs = written(at, 1).await?;
                let arg = json!({"from_path": at.path("file"), "to_path": at.path("moved")});
                let moved = at.rpc("files/move_v2", arg).await?;
                let arg = json!({"path": moved.ok()?.at("/metadata/id")?, "mode": "id"});
                let listed = at.rpc(LIST, arg).await?;
                revs_are(listed.ok()?, &[&moved.text_at("/metadata/rev")?, &revs[0]])
            })
        },
    ),
    Case::new(
        "revisions/of-nothing",
        S,
        "Where no file ever was, `list_revisions` is `path/not_found`.",
        |at| {
            Box::pin(async move {
                let refused = at.rpc(LIST, json!({"path": at.path("nothing")})).await?;
                refused.refused("path/not_found")?;
                Ok(())
            })
        },
    ),
    Case::new(
        "revisions/of-a-folder",
        S,
        "A folder has no revisions: `path/not_file`.",
        |at| {
            Box::pin(async move {
                at.make_folder("folder").await?;
                let refused = at.rpc(LIST, json!({"path": at.path("folder")})).await?;
                refused.refused("path/not_file")?;
                Ok(())
            })
        },
    ),
    Case::new(
        "revisions/restore",
        R,
        "`restore` makes the bytes of an old rev a new revision of the file, with its id.",
        |at| {
            Box::pin(async move {
                let put = at.put("file", "old").await?;
                let commit = json!({"path": at.path("file"), "mode": "overwrite"});
                let over = at.upload(commit, "newer").await?;
                let restored = restore(at, &put.text_at("/rev")?).await?;
                restored
                    .ok()?
                    .lacks("/.tag")?
                    .has("/id", put.at("/id")?)?
                    .has("/size", 3)?;
                restored.has_other("/rev", put.at("/rev")?)?;
                restored.has_other("/rev", over.at("/rev")?)?;
                at.holds(&at.path("file"), b"old").await
            })
        },
    ),
    Case::new(
        "revisions/restore-a-deleted-file",
        S,
        "A deleted file comes back.",
        |at| {
            Box::pin(async move {
                let put = at.put("file", "x").await?;
                at.delete(&at.path("file")).await?.ok()?;
                restore(at, &put.text_at("/rev")?)
                    .await?
                    .ok()?
                    .has("/name", "file")?;
                at.holds(&at.path("file"), b"x").await
            })
        },
    ),
    Case::new(
        "revisions/restore-the-current-one",
        I,
        "Restoring what is current changes nothing.",
        |at| {
            Box::pin(async move {
                let put = at.put("file", "x").await?;
                let rev = put.text_at("/rev")?;
                restore(at, &rev).await?.ok()?.has("/rev", rev)?;
                Ok(())
            })
        },
    ),
    Case::new(
        "revisions/restore-an-unknown-rev",
        S,
        "A rev that never was is `invalid_revision`.",
        |at| {
            Box::pin(async move {
                at.put("file", "x").await?;
                restore(at, "0123456789abcdef")
                    .await?
                    .refused("invalid_revision")?;
                at.holds(&at.path("file"), b"x").await
            })
        },
    ),
    Case::new(
        "revisions/restore-what-has-no-form",
        S,
        "A rev of less than nine characters is a bad request.",
        |at| {
            Box::pin(async move {
                at.put("file", "x").await?;
                restore(at, "01234567").await?.bad_request(RESTORE, "rev")?;
                Ok(())
            })
        },
    ),
];

/// Writes `file` this many times, one byte more each time; the revs, oldest first.
async fn written(at: &Place<'_>, times: usize) -> Result<Vec<String>, Stop> {
    let mut revs = Vec::new();
    for nth in 1..=times {
        let commit = json!({"path": at.path("file"), "mode": "overwrite"});
        let put = at.upload(commit, vec![b'x'; nth]).await?;
        revs.push(put.ok()?.text_at("/rev")?);
    }
    Ok(revs)
}

/// The revisions of `file`, with these options.
async fn list(at: &Place<'_>, mut arg: Value) -> Result<Answer, Stop> {
    arg["path"] = at.path("file").into();
    let listed = at.rpc(LIST, arg).await?;
    listed.ok()?;
    Ok(listed)
}

async fn restore(at: &Place<'_>, rev: &str) -> Result<Answer, Stop> {
    at.rpc(RESTORE, json!({"path": at.path("file"), "rev": rev}))
        .await
}

fn revs_are(listed: &Answer, revs: &[&str]) -> Result<(), Stop> {
    let entries = listed.list_at("/entries")?;
    let got: Vec<&Value> = entries.iter().map(|entry| &entry["rev"]).collect();
    listed.claim(got == revs, json!(revs), json!(got))?;
    Ok(())
}
