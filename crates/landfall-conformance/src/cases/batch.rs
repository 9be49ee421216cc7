//! Many sessions in one call.

use super::session::NO_SESSION;
use crate::answer::Answer;
use crate::case::Case;
use crate::case::Mark::{C, I, R, S};
use crate::finding::Stop;
use crate::hash::content_hash;
use crate::place::{Place, cursor};
use serde_json::{Value, json};
use std::collections::HashSet;
use std::time::Duration;

const START: &str = "files/upload_session/start_batch";
const APPEND: &str = "files/upload_session/append_batch";
const FINISH: &str = "files/upload_session/finish_batch_v2";
const FINISH_JOB: &str = "files/upload_session/finish_batch";
const CHECK: &str = "files/upload_session/finish_batch/check";

/// How often a job is looked at, once a second.
const LOOKS: usize = 60;

pub(super) const CASES: &[Case] = &[
    Case::new(
        "batch/start",
        S,
        "`start_batch` begins as many different sessions as were asked for, empty and open.",
        |at| {
            Box::pin(async move {
                let started = at.rpc(START, json!({"num_sessions": 3})).await?;
                let ids = started.ok()?.list_at("/session_ids")?;
                let different: HashSet<_> = ids.iter().filter_map(Value::as_str).collect();
                started.claim(different.len() == 3, "3 different ids", json!(ids))?;
                for id in different {
                    at.append(id, 0, "x").await?.ok()?;
                }
                Ok(())
            })
        },
    ),
    Case::new(
        "batch/start-concurrent",
        S,
        "`start_batch` begins concurrent sessions too.",
        |at| {
            Box::pin(async move {
                let sessions = at.start_batch("concurrent", 1).await?;
                let refused = at.append_last(&sessions[0], 1, "x").await?;
                refused.refused("concurrent_session_invalid_offset")?;
                Ok(())
            })
        },
    ),
    Case::new(
        "batch/start-of-none-or-too-many",
        S,
        "Less than one session, or more than 1,000, are a bad request.",
        |at| {
            Box::pin(async move {
                for count in [0, 1001] {
                    let refused = at.rpc(START, json!({"num_sessions": count})).await?;
                    refused.bad_request(START, "num_sessions")?;
                }
                Ok(())
            })
        },
    ),
    Case::new(
        "batch/append-judges-each-entry",
        S,
        "`append_batch` has a verdict for each entry, in their order, and one that fails doesn't hinder the others.",
        |at| {
            Box::pin(async move {
                let sessions = at.start_batch("sequential", 2).await?;
                let entries = json!([
                    part(&sessions[0], 0, 3, false),
                    part(&sessions[1], 7, 2, false),
                    part(NO_SESSION, 0, 1, false),
                    part(&sessions[1], 0, 4, true),
                ]);
                let appended = at
                    .bytes(APPEND, json!({ "entries": entries }), "abcdexwxyz")
                    .await?;
                let wrong = json!({".tag": "incorrect_offset", "correct_offset": 0});
                appended.ok()?.has(
                    "/entries",
                    json!([
                        {".tag": "success"},
                        {".tag": "failure", "failure": wrong},
                        {".tag": "failure", "failure": {".tag": "not_found"}},
                        {".tag": "success"},
                    ]),
                )?;
                at.session_holds(&sessions[0], 3).await?;
                at.append(&sessions[1], 4, "x").await?.refused("closed")?;
                let commit = json!({"path": at.path("file")});
                at.finish(&sessions[1], 4, &commit, "").await?.ok()?;
                at.holds(&at.path("file"), b"wxyz").await
            })
        },
    ),
    Case::new(
        "batch/append-of-lengths-that-do-not-add-up",
        S,
        "Lengths that are not those of the body are `length_mismatch`, and nothing is stored.",
        |at| {
            Box::pin(async move {
                let sessions = at.start_batch("sequential", 1).await?;
                for length in [4, 6] {
                    let arg = json!({"entries": [part(&sessions[0], 0, length, false)]});
                    at.bytes(APPEND, arg, "12345")
                        .await?
                        .refused("length_mismatch")?;
                }
                at.session_holds(&sessions[0], 0).await
            })
        },
    ),
    Case::new(
        "batch/append-with-the-right-hash",
        S,
        "The `content_hash` of an `append_batch` is that of the whole body.",
        |at| {
            Box::pin(async move {
                let sessions = at.start_batch("sequential", 2).await?;
                let entries = [
                    part(&sessions[0], 0, 3, false),
                    part(&sessions[1], 0, 2, false),
                ];
                let arg = json!({"entries": entries, "content_hash": content_hash(b"abcde")});
                let appended = at.bytes(APPEND, arg, "abcde").await?;
                appended
                    .ok()?
                    .has("/entries/0/.tag", "success")?
                    .has("/entries/1/.tag", "success")?;
                Ok(())
            })
        },
    ),
    Case::new(
        "batch/append-with-a-wrong-hash",
        S,
        "`append_batch` with another `content_hash` is `content_hash_mismatch` as a whole, and nothing is stored.",
        |at| {
            Box::pin(async move {
                let sessions = at.start_batch("sequential", 2).await?;
                let entries = [
                    part(&sessions[0], 0, 3, false),
                    part(&sessions[1], 0, 2, false),
                ];
                let arg = json!({"entries": entries, "content_hash": content_hash(b"abc")});
                at.bytes(APPEND, arg, "abcde")
                    .await?
                    .refused("content_hash_mismatch")?;
                at.session_holds(&sessions[0], 0).await
            })
        },
    ),
    Case::new(
        "batch/append-twice-to-a-session",
        I,
        "A session may have several entries, which count in their order.",
        |at| {
            Box::pin(async move {
                let sessions = at.start_batch("sequential", 1).await?;
                let entries = [
                    part(&sessions[0], 0, 3, false),
                    part(&sessions[0], 3, 2, true),
                ];
                let appended = at
                    .bytes(APPEND, json!({ "entries": entries }), "abcde")
                    .await?;
                appended
                    .ok()?
                    .has("/entries/0/.tag", "success")?
                    .has("/entries/1/.tag", "success")?;
                let commit = json!({"path": at.path("file")});
                at.finish(&sessions[0], 5, &commit, "").await?.ok()?;
                at.holds(&at.path("file"), b"abcde").await
            })
        },
    ),
    Case::new(
        "batch/finish-judges-each-entry",
        S,
        "`finish_batch_v2` has a verdict for each entry, in their order: metadata beside the tag, errors below it.",
        |at| {
            Box::pin(async move {
                at.put("there", "x").await?;
                let good = closed(at, "good").await?;
                let clash = closed(at, "clash").await?;
                let open = at.start(json!({}), "open").await?;
                let finished = at
                    .rpc(
                        FINISH,
                        json!({"entries": [
                            entry(at, &good, 4, "good"),
                            entry(at, &clash, 5, "there"),
                            entry(at, &open, 4, "open"),
                            entry(at, NO_SESSION, 0, "none"),
                            entry(at, &clash, 4, "short"),
                        ]}),
                    )
                    .await?;
                let entries = finished.ok()?.list_at("/entries")?;
                finished.claim(entries.len() == 5, "5 entries", entries.len())?;
                finished.has("/entries/0/.tag", "success")?;
                finished
                    .has("/entries/0/name", "good")?
                    .has("/entries/0/size", 4)?;
                let conflict = json!({".tag": "conflict", "conflict": {".tag": "file"}});
                finished.has(
                    "/entries/1",
                    failure(&json!({".tag": "path", "path": conflict})),
                )?;
                finished.has("/entries/2", lookup_failed(&json!({".tag": "not_closed"})))?;
                finished.has("/entries/3", lookup_failed(&json!({".tag": "not_found"})))?;
                let wrong = json!({".tag": "incorrect_offset", "correct_offset": 5});
                finished.has("/entries/4", lookup_failed(&wrong))?;
                at.holds(&at.path("good"), b"good").await?;
                at.holds(&at.path("there"), b"x").await
            })
        },
    ),
    Case::new(
        "batch/finish-of-an-open-session",
        S,
        "A session that isn't closed is `lookup_failed/not_closed`, and can be closed and finished then.",
        |at| {
            Box::pin(async move {
                let session = at.start(json!({}), "open").await?;
                let arg = json!({"entries": [entry(at, &session, 4, "file")]});
                let finished = at.rpc(FINISH, arg.clone()).await?;
                finished
                    .ok()?
                    .has("/entries/0", lookup_failed(&json!({".tag": "not_closed"})))?;
                at.append_last(&session, 4, "").await?.ok()?;
                at.rpc(FINISH, arg)
                    .await?
                    .ok()?
                    .has("/entries/0/.tag", "success")?;
                at.holds(&at.path("file"), b"open").await
            })
        },
    ),
    Case::new(
        "batch/finish-of-concurrent-sessions",
        S,
        "Concurrent sessions are finished in a batch as others are.",
        |at| {
            Box::pin(async move {
                let sessions = at.start_batch("concurrent", 2).await?;
                at.append_last(&sessions[0], 0, "small").await?.ok()?;
                let entries = [
                    entry(at, &sessions[0], 5, "file"),
                    entry(at, &sessions[1], 0, "open"),
                ];
                let finished = at.rpc(FINISH, json!({ "entries": entries })).await?;
                finished.ok()?.has("/entries/0/.tag", "success")?;
                finished.has("/entries/1/failure/.tag", "concurrent_session_not_closed")?;
                at.holds(&at.path("file"), b"small").await
            })
        },
    ),
    Case::new(
        "batch/finish-repeated",
        I,
        "A `finish_batch_v2` that is made again gives the same verdicts.",
        |at| {
            Box::pin(async move {
                at.put("there", "x").await?;
                let good = closed(at, "good").await?;
                let clash = closed(at, "clash").await?;
                let entries = [entry(at, &good, 4, "good"), entry(at, &clash, 5, "there")];
                let first = at.rpc(FINISH, json!({ "entries": entries })).await?;
                let again = at.rpc(FINISH, json!({ "entries": entries })).await?;
                first.ok()?.has("/entries/0/.tag", "success")?;
                again
                    .ok()?
                    .claim(again.json()? == first.json()?, first.text(), again.text())?;
                Ok(())
            })
        },
    ),
    Case::new(
        "batch/finish-of-none",
        I,
        "A batch of no entries has no verdicts.",
        |at| {
            Box::pin(async move {
                let finished = at.rpc(FINISH, json!({"entries": []})).await?;
                finished.ok()?.has("/entries", json!([]))?;
                Ok(())
            })
        },
    ),
    Case::new(
        "batch/finish-of-too-many",
        S,
        "More than 1,000 entries are a bad request.",
        |at| {
            Box::pin(async move {
                let entries = vec![entry(at, NO_SESSION, 0, "file"); 1001];
                let refused = at.rpc(FINISH, json!({ "entries": entries })).await?;
                refused.bad_request("files/upload_session/finish_batch:2", "entries")?;
                Ok(())
            })
        },
    ),
    Case::new(
        "batch/finish-with-autorename",
        C,
        "Entries have the same commit as a finish, with `autorename` and all.",
        |at| {
            Box::pin(async move {
                at.put("document.txt", "x").await?;
                let session = closed(at, "y").await?;
                let commit = json!({"path": at.path("document.txt"), "autorename": true, "mute": false,
                    "mode": {".tag": "add"}, "strict_conflict": false, "client_modified": "2015-05-12T15:50:38Z"});
                let arg = json!({"entries": [{"cursor": cursor(&session, 1), "commit": commit}]});
                let finished = at.rpc(FINISH, arg).await?;
                finished
                    .ok()?
                    .has("/entries/0/name", at.numbered("document", 0, ".txt"))?;
                finished.has("/entries/0/client_modified", "2015-05-12T15:50:38Z")?;
                Ok(())
            })
        },
    ),
    Case::new(
        "batch/job",
        S,
        "`finish_batch` gives the id of a job (or is complete at once); `check` tells its verdicts when it is done.",
        |at| {
            Box::pin(async move {
                let good = closed(at, "good").await?;
                let entries = [
                    entry(at, &good, 4, "good"),
                    entry(at, NO_SESSION, 0, "none"),
                ];
                let launched = at.rpc(FINISH_JOB, json!({ "entries": entries })).await?;
                let done = done(at, launched).await?;
                done.has("/entries/0/.tag", "success")?
                    .has("/entries/0/name", "good")?;
                done.has("/entries/1", lookup_failed(&json!({".tag": "not_found"})))?;
                at.holds(&at.path("good"), b"good").await
            })
        },
    ),
    Case::new(
        "batch/job-can-be-checked-again",
        I,
        "A job that is done can be asked for its verdicts again.",
        |at| {
            Box::pin(async move {
                let good = closed(at, "good").await?;
                let arg = json!({"entries": [entry(at, &good, 4, "good")]});
                let launched = at.rpc(FINISH_JOB, arg).await?;
                if launched.ok()?.text_at("/.tag")? == "complete" {
                    return Err(Stop::Skipped("the job was complete at once".into()));
                }
                let id = launched.text_at("/async_job_id")?;
                let first = done(at, launched).await?;
                let again = at.rpc(CHECK, json!({ "async_job_id": id })).await?;
                again
                    .ok()?
                    .claim(again.json()? == first.json()?, first.text(), again.text())?;
                Ok(())
            })
        },
    ),
    Case::new(
        "batch/job-that-does-not-exist",
        S,
        "`check` of a job that doesn't exist is `invalid_async_job_id`.",
        |at| {
            Box::pin(async move {
                let id = "dbjid:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
                let refused = at.rpc(CHECK, json!({ "async_job_id": id })).await?;
                refused.refused("invalid_async_job_id")?;
                Ok(())
            })
        },
    ),
    Case::new(
        "batch/job-without-an-id",
        R,
        "`check` without an id is a bad request that names the field.",
        |at| {
            Box::pin(async move {
                let refused = at.rpc(CHECK, json!({})).await?;
                refused.bad_request(CHECK, "missing required field 'async_job_id'")?;
                Ok(())
            })
        },
    ),
];

/// An entry of an append.
fn part(session: &str, offset: usize, length: usize, close: bool) -> Value {
    json!({"cursor": cursor(session, offset), "length": length, "close": close})
}

/// An entry of a finish.
fn entry(at: &Place<'_>, session: &str, offset: usize, name: &str) -> Value {
    json!({"cursor": cursor(session, offset), "commit": {"path": at.path(name)}})
}

fn failure(error: &Value) -> Value {
    json!({".tag": "failure", "failure": error})
}

fn lookup_failed(error: &Value) -> Value {
    failure(&json!({".tag": "lookup_failed", "lookup_failed": error}))
}

/// A closed session with these bytes.
async fn closed(at: &Place<'_>, bytes: &str) -> Result<String, Stop> {
    at.start(json!({"close": true}), bytes).await
}

/// The verdicts of a job, once it is done.
async fn done(at: &Place<'_>, launched: Answer) -> Result<Answer, Stop> {
    if launched.ok()?.text_at("/.tag")? == "complete" {
        return Ok(launched);
    }
    let id = launched
        .has("/.tag", "async_job_id")?
        .text_at("/async_job_id")?;
    for _ in 0..LOOKS {
        let status = at.rpc(CHECK, json!({ "async_job_id": id })).await?;
        if status.ok()?.text_at("/.tag")? != "in_progress" {
            status.has("/.tag", "complete")?;
            return Ok(status);
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    Err(launched.finding("an end of the job", "none"))
}
