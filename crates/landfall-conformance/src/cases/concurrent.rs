//! Sessions whose pieces come in any order.

use crate::case::Case;
use crate::case::Mark::{C, I, S};
use crate::finding::Stop;
use crate::hash::{BLOCK, content_hash};
use crate::place::Place;
use serde_json::{Value, json};

const START: &str = "files/upload_session/start";

pub(super) const CASES: &[Case] = &[
    Case::new(
        "concurrent/pieces-in-any-order",
        S,
        "Pieces of whole blocks may come in any order, the last one closes, and the file is whole.",
        |at| {
            Box::pin(async move {
                let session = start(at).await?;
                let (first, second) = (vec![1; BLOCK], vec![2; BLOCK]);
                at.append(&session, BLOCK, second.clone())
                    .await?
                    .ok()?
                    .is_text("null")?;
                at.append(&session, 0, first.clone()).await?.ok()?;
                at.append_last(&session, 2 * BLOCK, "tail").await?.ok()?;
                let whole = [&first[..], &second, b"tail"].concat();
                let finished = at.finish(&session, whole.len(), &commit(at), "").await?;
                finished.ok()?.has("/size", whole.len())?;
                finished.has("/content_hash", content_hash(&whole))?;
                at.holds(&at.path("file"), &whole).await
            })
        },
    ),
    Case::new(
        "concurrent/one-piece",
        S,
        "A file of less than a block is one piece that closes.",
        |at| {
            Box::pin(async move {
                let session = start(at).await?;
                at.append_last(&session, 0, "small").await?.ok()?;
                at.finish(&session, 5, &commit(at), "")
                    .await?
                    .ok()?
                    .has("/size", 5)?;
                at.holds(&at.path("file"), b"small").await
            })
        },
    ),
    Case::new(
        "concurrent/empty-piece-at-the-end",
        C,
        "A file of whole blocks may be closed by an empty piece at its end.",
        |at| {
            Box::pin(async move {
                let session = start(at).await?;
                at.append(&session, 0, vec![1; BLOCK]).await?.ok()?;
                at.append_last(&session, BLOCK, "").await?.ok()?;
                let finished = at.finish(&session, BLOCK, &commit(at), "").await?;
                finished.ok()?.has("/size", BLOCK)?;
                Ok(())
            })
        },
    ),
    Case::new(
        "concurrent/start-takes-no-bytes",
        S,
        "A start with bytes is `concurrent_session_data_not_allowed`.",
        |at| {
            Box::pin(async move {
                let refused = at.bytes(START, kind(), "x").await?;
                refused.refused("concurrent_session_data_not_allowed")?;
                Ok(())
            })
        },
    ),
    Case::new(
        "concurrent/start-does-not-close",
        S,
        "A start that closes is `concurrent_session_close_not_allowed`.",
        |at| {
            Box::pin(async move {
                let arg = json!({"session_type": "concurrent", "close": true});
                let refused = at.bytes(START, arg, "").await?;
                refused.refused("concurrent_session_close_not_allowed")?;
                Ok(())
            })
        },
    ),
    Case::new(
        "concurrent/offset-between-blocks",
        S,
        "A piece that doesn't begin with a block is `concurrent_session_invalid_offset`.",
        |at| {
            Box::pin(async move {
                let session = start(at).await?;
                let refused = at.append_last(&session, BLOCK / 4, "x").await?;
                refused.refused("concurrent_session_invalid_offset")?;
                Ok(())
            })
        },
    ),
    Case::new(
        "concurrent/size-between-blocks",
        S,
        "A piece that doesn't close and isn't of whole blocks is `concurrent_session_invalid_data_size`.",
        |at| {
            Box::pin(async move {
                let session = start(at).await?;
                let refused = at.append(&session, 0, "x").await?;
                refused.refused("concurrent_session_invalid_data_size")?;
                Ok(())
            })
        },
    ),
    Case::new(
        "concurrent/refused-pieces-are-not-stored",
        S,
        "A piece that was refused leaves the session as it was.",
        |at| {
            Box::pin(async move {
                let session = start(at).await?;
                at.append(&session, 0, "x").await?.status(409)?;
                at.append_last(&session, 1, "y").await?.status(409)?;
                at.append_last(&session, 0, "small").await?.ok()?;
                at.finish(&session, 5, &commit(at), "").await?.ok()?;
                at.holds(&at.path("file"), b"small").await
            })
        },
    ),
    Case::new(
        "concurrent/finish-takes-no-bytes",
        S,
        "A finish with bytes is `concurrent_session_data_not_allowed`.",
        |at| {
            Box::pin(async move {
                let session = start(at).await?;
                at.append_last(&session, 0, "small").await?.ok()?;
                let refused = at.finish(&session, 5, &commit(at), "x").await?;
                refused.refused("concurrent_session_data_not_allowed")?;
                at.is_free(&at.path("file")).await
            })
        },
    ),
    Case::new(
        "concurrent/finish-before-the-close",
        S,
        "A finish of a session that isn't closed is `concurrent_session_not_closed`.",
        |at| {
            Box::pin(async move {
                let session = start(at).await?;
                at.append(&session, 0, vec![1; BLOCK]).await?.ok()?;
                let refused = at.finish(&session, BLOCK, &commit(at), "").await?;
                refused.refused("concurrent_session_not_closed")?;
                Ok(())
            })
        },
    ),
    Case::new(
        "concurrent/finish-with-a-hole",
        S,
        "A finish of a session that lacks a piece is `concurrent_session_missing_data`.",
        |at| {
            Box::pin(async move {
                let session = start(at).await?;
                at.append_last(&session, BLOCK, "tail").await?.ok()?;
                let refused = at.finish(&session, BLOCK + 4, &commit(at), "").await?;
                refused.refused("concurrent_session_missing_data")?;
                at.is_free(&at.path("file")).await
            })
        },
    ),
    Case::new(
        "concurrent/late-piece",
        I,
        "A piece that the closing one overtook still counts.",
        |at| {
            Box::pin(async move {
                let session = start(at).await?;
                at.append_last(&session, BLOCK, "tail").await?.ok()?;
                at.append(&session, 0, vec![1; BLOCK]).await?.ok()?;
                let finished = at.finish(&session, BLOCK + 4, &commit(at), "").await?;
                finished.ok()?.has("/size", BLOCK + 4)?;
                Ok(())
            })
        },
    ),
    Case::new(
        "concurrent/repeated-piece",
        I,
        "A piece that is sent again succeeds and counts once.",
        |at| {
            Box::pin(async move {
                let session = start(at).await?;
                at.append(&session, 0, vec![1; BLOCK]).await?.ok()?;
                at.append(&session, 0, vec![1; BLOCK]).await?.ok()?;
                at.append_last(&session, BLOCK, "tail").await?.ok()?;
                at.append_last(&session, BLOCK, "tail").await?.ok()?;
                let finished = at.finish(&session, BLOCK + 4, &commit(at), "").await?;
                finished.ok()?.has("/size", BLOCK + 4)?;
                Ok(())
            })
        },
    ),
    Case::new(
        "concurrent/other-bytes-for-a-piece",
        I,
        "Other bytes for a piece that is stored are `concurrent_session_invalid_offset` and change nothing.",
        |at| {
            Box::pin(async move {
                let session = start(at).await?;
                at.append(&session, 0, vec![1; BLOCK]).await?.ok()?;
                let refused = at.append(&session, 0, vec![2; BLOCK]).await?;
                refused.refused("concurrent_session_invalid_offset")?;
                at.append_last(&session, BLOCK, "").await?.ok()?;
                let finished = at.finish(&session, BLOCK, &commit(at), "").await?;
                finished
                    .ok()?
                    .has("/content_hash", content_hash(&vec![1; BLOCK]))?;
                Ok(())
            })
        },
    ),
    Case::new(
        "concurrent/second-end",
        I,
        "A second closing piece at another place is `closed`.",
        |at| {
            Box::pin(async move {
                let session = start(at).await?;
                at.append_last(&session, BLOCK, "tail").await?.ok()?;
                at.append_last(&session, 2 * BLOCK, "tail")
                    .await?
                    .refused("closed")?;
                Ok(())
            })
        },
    ),
    Case::new(
        "concurrent/repeated-finish",
        I,
        "A finish that is made again gives the same metadata.",
        |at| {
            Box::pin(async move {
                let session = start(at).await?;
                at.append_last(&session, 0, "small").await?.ok()?;
                let first = at.finish(&session, 5, &commit(at), "").await?;
                let again = at.finish(&session, 5, &commit(at), "").await?;
                again.ok()?.claim(
                    again.json()? == first.ok()?.json()?,
                    first.text(),
                    again.text(),
                )?;
                Ok(())
            })
        },
    ),
    Case::new(
        "concurrent/wrong-hash",
        S,
        "A piece with another `content_hash` is `content_hash_mismatch`.",
        |at| {
            Box::pin(async move {
                let session = start(at).await?;
                let arg = json!({
                    "cursor": {"session_id": session, "offset": 0},
                    "close": true,
                    "content_hash": content_hash(b"other"),
                });
                let refused = at
                    .bytes("files/upload_session/append_v2", arg, "small")
                    .await?;
                refused.refused("content_hash_mismatch")?;
                Ok(())
            })
        },
    ),
    Case::new(
        "concurrent/refused-finish-can-be-made-elsewhere",
        S,
        "A finish that is refused for its path leaves the session to another one.",
        |at| {
            Box::pin(async move {
                at.put("file", "x").await?;
                let session = start(at).await?;
                at.append_last(&session, 0, "small").await?.ok()?;
                at.finish(&session, 5, &commit(at), "")
                    .await?
                    .refused("path/conflict/file")?;
                let other = json!({"path": at.path("other")});
                at.finish(&session, 5, &other, "").await?.ok()?;
                at.holds(&at.path("other"), b"small").await
            })
        },
    ),
];

fn kind() -> Value {
    json!({"session_type": {".tag": "concurrent"}})
}

async fn start(at: &Place<'_>) -> Result<String, Stop> {
    at.start(kind(), "").await
}

fn commit(at: &Place<'_>) -> Value {
    json!({"path": at.path("file")})
}
