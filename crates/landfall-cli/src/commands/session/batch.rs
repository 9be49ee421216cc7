//! Many sessions in one request. What the API answers is printed, and a line says so if some of
//! it are failures.

use super::{commit, read, refused, session_type, tell};
use crate::cli::session::{AppendBatch, Entry, FinishBatch, StartBatch};
use crate::exit::{Exit, Fail, Result};
use crate::output::{self, Output};
use landfall::Client;
use landfall_protocol::types::batches::{
    UploadSessionAppendBatchArg, UploadSessionAppendBatchArgEntry,
    UploadSessionAppendBatchResultEntry, UploadSessionFinishBatchArg,
    UploadSessionFinishBatchResultEntry, UploadSessionStartBatchArg,
};
use landfall_protocol::types::bounds::{Batch, Within};
use landfall_protocol::types::sessions::{UploadSessionCursor, UploadSessionFinishArg};
use landfall_protocol::{ContentHash, ErrorEnvelope, SessionId, limits};

pub(super) async fn start(args: &StartBatch, client: &Client, out: Output) -> Result<()> {
    let arg = UploadSessionStartBatchArg {
        session_type: session_type(args.concurrent),
        num_sessions: Within::new(args.count),
    };
    let started = client.upload_session_start_batch(&arg).await;
    let started = started.map_err(|error| refused("can't start sessions", &error))?;
    for session in &started.value.session_ids {
        tell(out, session)?;
    }
    Ok(())
}

pub(super) async fn append(args: &AppendBatch, client: &Client) -> Result<()> {
    let files = args.parts.iter().map(|part| part.what.clone().into());
    let body = read::all(files.collect()).await?;
    let parts = args.parts.iter().zip(&body.lengths);
    let entries = parts.map(|(part, &length)| UploadSessionAppendBatchArgEntry {
        cursor: cursor(part),
        length,
        close: args.close,
    });
    let hash = args.hash.content_hash;
    let hash = hash.unwrap_or_else(|| ContentHash::of(&body.bytes));
    let arg = UploadSessionAppendBatchArg {
        entries: batch(entries.collect())?,
        content_hash: Some(hash.into()),
    };
    let what = "can't append to sessions";
    let appended = client.upload_session_append_batch(&arg, body.bytes).await;
    let appended = appended.map_err(|error| refused(what, &error))?;
    output::raw(&appended.raw)?;
    let failures = appended.value.entries.iter().map(|entry| match entry {
        UploadSessionAppendBatchResultEntry::Success => None,
        UploadSessionAppendBatchResultEntry::Failure(error) => Some(ErrorEnvelope::of(error)),
    });
    verdict(what, &args.parts, failures)
}

pub(super) async fn finish(args: &FinishBatch, client: &Client) -> Result<()> {
    let mut entries = Vec::new();
    for entry in &args.entries {
        entries.push(UploadSessionFinishArg {
            cursor: cursor(entry),
            commit: commit(&entry.what, &args.how)?,
            content_hash: None,
        });
    }
    let arg = UploadSessionFinishBatchArg {
        entries: batch(entries)?,
    };
    let what = "can't finish sessions";
    let finished = client.upload_session_finish_batch(&arg).await;
    let finished = finished.map_err(|error| refused(what, &error))?;
    output::raw(&finished.raw)?;
    let failures = finished.value.entries.iter().map(|entry| match entry {
        UploadSessionFinishBatchResultEntry::Success(_) => None,
        UploadSessionFinishBatchResultEntry::Failure(error) => Some(ErrorEnvelope::of(error)),
    });
    verdict(what, &args.entries, failures)
}

fn cursor(entry: &Entry) -> UploadSessionCursor {
    UploadSessionCursor {
        session_id: SessionId::from_stored(&entry.session),
        offset: entry.offset,
    }
}

fn batch<T>(entries: Vec<T>) -> Result<Batch<T>> {
    Batch::new(entries).ok_or_else(|| {
        let why = format!("a request has at most {}; make several", limits::BATCH);
        Fail::new(Exit::Usage, "too many sessions", why)
    })
}

/// What becomes of the run: a failure if one of the sessions' is.
fn verdict(
    what: &str,
    entries: &[Entry],
    failures: impl Iterator<Item = Option<ErrorEnvelope>>,
) -> Result<()> {
    let failed: Vec<_> = entries
        .iter()
        .zip(failures)
        .filter_map(|(entry, failure)| Some((entry, failure?)))
        .collect();
    let Some((entry, failure)) = failed.first() else {
        return Ok(());
    };
    let (of, session, tags) = (entries.len(), &entry.session, &failure.summary);
    let what = format!(
        "{what}: {} of {of} failed, the first is {session}",
        failed.len()
    );
    Err(Fail::new(Exit::Other, what, tags))
}
