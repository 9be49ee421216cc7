//! Sessions whose bytes come one after the other: start and append.

use crate::case::Case;
use crate::case::Mark::{C, I, R, S};
use crate::hash::content_hash;
use crate::place::cursor;
use serde_json::json;

const START: &str = "files/upload_session/start";
const APPEND: &str = "files/upload_session/append_v2";

/// A session that nobody began.
pub(super) const NO_SESSION: &str = "pid_upload_session:AAAAAAAAAAAAAAAAAAAAAA";

pub(super) const CASES: &[Case] = &[
    Case::new(
        "session/pieces-become-a-file",
        R,
        "The bytes of start, appends and finish are the file, in their order, with the hash of the whole.",
        |at| {
            Box::pin(async move {
                let session = at.start(json!({}), "one ").await?;
                at.append(&session, 4, "two ").await?.ok()?;
                at.append(&session, 8, "three ").await?.ok()?;
                let commit = json!({"path": at.path("file")});
                let finished = at.finish(&session, 14, &commit, "four").await?;
                finished.ok()?.has("/size", 18)?;
                finished.has("/content_hash", content_hash(b"one two three four"))?;
                at.holds(&at.path("file"), b"one two three four").await
            })
        },
    ),
    Case::new(
        "session/each-start-begins-another",
        S,
        "Each start begins a session of its own.",
        |at| {
            Box::pin(async move {
                let one = at.start(json!({}), "x").await?;
                let started = at.bytes(START, json!({}), "x").await?;
                started.ok()?.has_other("/session_id", one.as_str())?;
                Ok(())
            })
        },
    ),
    Case::new(
        "session/append-v1-takes-a-bare-cursor",
        S,
        "The first version of append takes the cursor itself as its argument.",
        |at| {
            Box::pin(async move {
                let session = at.start(json!({}), "").await?;
                let route = "files/upload_session/append";
                let appended = at.bytes(route, cursor(&session, 0), "x").await?;
                appended.ok()?.is_text("null")?;
                at.session_holds(&session, 1).await
            })
        },
    ),
    Case::new(
        "session/offset-behind-the-end",
        R,
        "An append behind the end is `incorrect_offset`, with the right one.",
        |at| {
            Box::pin(async move {
                let session = at.start(json!({}), "12345").await?;
                let refused = at.append(&session, 7, "x").await?;
                refused
                    .refused("incorrect_offset")?
                    .has("/error/correct_offset", 5)?;
                Ok(())
            })
        },
    ),
    Case::new(
        "session/offset-before-the-end",
        R,
        "An append before the end is `incorrect_offset`, with the right one.",
        |at| {
            Box::pin(async move {
                let session = at.start(json!({}), "12345").await?;
                let refused = at.append(&session, 3, "x").await?;
                refused
                    .refused("incorrect_offset")?
                    .has("/error/correct_offset", 5)?;
                Ok(())
            })
        },
    ),
    Case::new(
        "session/wrong-offset-changes-nothing",
        S,
        "What was appended at a wrong offset isn't in the file.",
        |at| {
            Box::pin(async move {
                let session = at.start(json!({}), "12345").await?;
                for offset in [0, 3, 6, 1_000_000] {
                    at.append(&session, offset, "xyz")
                        .await?
                        .refused("incorrect_offset")?;
                }
                let commit = json!({"path": at.path("file")});
                at.finish(&session, 5, &commit, "67")
                    .await?
                    .ok()?
                    .has("/size", 7)?;
                at.holds(&at.path("file"), b"1234567").await
            })
        },
    ),
    Case::new(
        "session/repeated-append-is-not-stored-twice",
        S,
        "An append that is made again is `incorrect_offset` with its own end, and nothing is doubled.",
        |at| {
            Box::pin(async move {
                let session = at.start(json!({}), "").await?;
                at.append(&session, 0, "12345").await?.ok()?;
                let again = at.append(&session, 0, "12345").await?;
                again
                    .refused("incorrect_offset")?
                    .has("/error/correct_offset", 5)?;
                let commit = json!({"path": at.path("file")});
                at.finish(&session, 5, &commit, "")
                    .await?
                    .ok()?
                    .has("/size", 5)?;
                Ok(())
            })
        },
    ),
    Case::new(
        "session/error-has-its-form",
        R,
        "`incorrect_offset` has `correct_offset` beside its tag, as a number, and nothing else.",
        |at| {
            Box::pin(async move {
                let session = at.start(json!({}), "").await?;
                let refused = at.append(&session, 9, "x").await?;
                refused.refused("incorrect_offset")?;
                refused.has(
                    "/error",
                    json!({".tag": "incorrect_offset", "correct_offset": 0}),
                )?;
                Ok(())
            })
        },
    ),
    Case::new(
        "session/empty-appends-are-fine",
        C,
        "An append of nothing at the end succeeds.",
        |at| {
            Box::pin(async move {
                let session = at.start(json!({}), "").await?;
                at.append(&session, 0, "").await?.ok()?;
                at.append(&session, 0, "x").await?.ok()?;
                at.append_last(&session, 1, "").await?.ok()?;
                let commit = json!({"path": at.path("file")});
                at.finish(&session, 1, &commit, "")
                    .await?
                    .ok()?
                    .has("/size", 1)?;
                Ok(())
            })
        },
    ),
    Case::new(
        "session/closed-takes-no-more",
        R,
        "An append to a closed session is `closed`.",
        |at| {
            Box::pin(async move {
                let session = at.start(json!({}), "").await?;
                at.append_last(&session, 0, "12345").await?.ok()?;
                at.append(&session, 5, "x").await?.refused("closed")?;
                let commit = json!({"path": at.path("file")});
                at.finish(&session, 5, &commit, "")
                    .await?
                    .ok()?
                    .has("/size", 5)?;
                Ok(())
            })
        },
    ),
    Case::new(
        "session/started-closed",
        S,
        "A start that closes leaves a session that takes no more and can be finished.",
        |at| {
            Box::pin(async move {
                let session = at.start(json!({"close": true}), "12345").await?;
                at.append(&session, 5, "x").await?.refused("closed")?;
                let commit = json!({"path": at.path("file")});
                at.finish(&session, 5, &commit, "")
                    .await?
                    .ok()?
                    .has("/size", 5)?;
                at.holds(&at.path("file"), b"12345").await
            })
        },
    ),
    Case::new(
        "session/repeated-closing-append",
        I,
        "A closing append that is made again is `incorrect_offset` with its own end, as any other.",
        |at| {
            Box::pin(async move {
                let session = at.start(json!({}), "").await?;
                at.append_last(&session, 0, "12345").await?.ok()?;
                let again = at.append_last(&session, 0, "12345").await?;
                again
                    .refused("incorrect_offset")?
                    .has("/error/correct_offset", 5)?;
                Ok(())
            })
        },
    ),
    Case::new(
        "session/closed-may-be-closed-again",
        I,
        "A closing append of nothing at the end of a closed session succeeds.",
        |at| {
            Box::pin(async move {
                let session = at.start(json!({}), "").await?;
                at.append_last(&session, 0, "12345").await?.ok()?;
                at.append_last(&session, 5, "").await?.ok()?;
                Ok(())
            })
        },
    ),
    Case::new(
        "session/unknown",
        R,
        "An append to a session that doesn't exist is `not_found`.",
        |at| {
            Box::pin(async move {
                at.append(NO_SESSION, 0, "x").await?.refused("not_found")?;
                Ok(())
            })
        },
    ),
    Case::new(
        "session/right-hash-of-an-append",
        S,
        "The `content_hash` of an append is that of its own bytes, not of the session.",
        |at| {
            Box::pin(async move {
                let arg = json!({"content_hash": content_hash(b"one")});
                let session = at.start(arg, "one").await?;
                let arg =
                    json!({"cursor": cursor(&session, 3), "content_hash": content_hash(b"two")});
                at.bytes(APPEND, arg, "two").await?.ok()?;
                at.session_holds(&session, 6).await
            })
        },
    ),
    Case::new(
        "session/wrong-hash-of-a-start",
        S,
        "A start with another `content_hash` is `content_hash_mismatch`.",
        |at| {
            Box::pin(async move {
                let arg = json!({"content_hash": content_hash(b"two")});
                at.bytes(START, arg, "one")
                    .await?
                    .refused("content_hash_mismatch")?;
                Ok(())
            })
        },
    ),
    Case::new(
        "session/wrong-hash-of-an-append",
        S,
        "An append with another `content_hash` is `content_hash_mismatch`.",
        |at| {
            Box::pin(async move {
                let session = at.start(json!({}), "one").await?;
                let arg =
                    json!({"cursor": cursor(&session, 3), "content_hash": content_hash(b"one")});
                at.bytes(APPEND, arg, "two")
                    .await?
                    .refused("content_hash_mismatch")?;
                Ok(())
            })
        },
    ),
    Case::new(
        "session/wrong-hash-changes-nothing",
        I,
        "After an append with another `content_hash` the session holds what it held.",
        |at| {
            Box::pin(async move {
                let session = at.start(json!({}), "one").await?;
                let arg =
                    json!({"cursor": cursor(&session, 3), "content_hash": content_hash(b"one")});
                at.bytes(APPEND, arg, "two")
                    .await?
                    .refused("content_hash_mismatch")?;
                at.session_holds(&session, 3).await
            })
        },
    ),
    Case::new(
        "session/type-may-be-named",
        S,
        "`sequential` may be named as the type, as a string or an object.",
        |at| {
            Box::pin(async move {
                for kind in [json!("sequential"), json!({".tag": "sequential"})] {
                    let session = at
                        .start(json!({"session_type": kind, "close": false}), "x")
                        .await?;
                    at.append(&session, 1, "y").await?.ok()?;
                }
                Ok(())
            })
        },
    ),
    Case::new(
        "session/negative-offset",
        S,
        "An offset below zero is a bad request.",
        |at| {
            Box::pin(async move {
                let session = at.start(json!({}), "").await?;
                let arg = json!({"cursor": {"session_id": session, "offset": -1}});
                let refused = at.bytes(APPEND, arg, "x").await?;
                refused.bad_request("files/upload_session/append:2", "cursor.offset")?;
                Ok(())
            })
        },
    ),
];
