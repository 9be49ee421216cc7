//! `session`: the raw commands of an upload session. Each is one request, and what the API
//! says is passed on.

mod batch;
mod read;

use crate::cli::session::{Append, Cursor, Data, Finish, How, Session, Start};
use crate::exit::{Fail, Result, ToExit};
use crate::output::{self, Output, event, fields};
use crate::paths::RemotePath;
use bytes::Bytes;
use landfall::{CallError, Client};
use landfall_protocol::types::files::CommitInfo;
use landfall_protocol::types::sessions::{
    UploadSessionAppendArg, UploadSessionCursor, UploadSessionFinishArg, UploadSessionStartArg,
    UploadSessionType,
};
use landfall_protocol::{ContentHash, GivenHash, SessionId};
use serde_json::{Value, json};
use std::fmt::Debug;

pub(crate) async fn run(command: &Session, client: &Client, out: Output) -> Result<()> {
    match command {
        Session::Start(args) => start(args, client, out).await,
        Session::StartBatch(args) => batch::start(args, client, out).await,
        Session::Append(args) => append(args, client).await,
        Session::AppendBatch(args) => batch::append(args, client).await,
        Session::Finish(args) => finish(args, client).await,
        Session::FinishBatch(args) => batch::finish(args, client).await,
    }
}

async fn start(args: &Start, client: &Client, out: Output) -> Result<()> {
    let (payload, content_hash) = bytes_of(&args.data).await?;
    let arg = UploadSessionStartArg {
        close: args.close,
        session_type: session_type(args.concurrent),
        content_hash,
    };
    let started = client.upload_session_start(&arg, payload).await;
    let started = started.map_err(|error| refused("can't start a session", &error))?;
    tell(out, &started.value.session_id)
}

async fn append(args: &Append, client: &Client) -> Result<()> {
    let (payload, content_hash) = bytes_of(&args.data).await?;
    let arg = UploadSessionAppendArg {
        cursor: (&args.cursor).into(),
        close: args.close,
        content_hash,
    };
    let what = format!("can't append to session {}", args.cursor.session);
    let appended = client.upload_session_append(&arg, payload).await;
    appended.map(drop).map_err(|error| refused(&what, &error))
}

async fn finish(args: &Finish, client: &Client) -> Result<()> {
    let (payload, content_hash) = bytes_of(&args.data).await?;
    let arg = UploadSessionFinishArg {
        cursor: (&args.cursor).into(),
        commit: commit(&args.path, &args.how)?,
        content_hash,
    };
    let what = format!(
        "can't finish session {} at {}",
        args.cursor.session, args.path
    );
    let finished = client.upload_session_finish(&arg, payload).await;
    let finished = finished.map_err(|error| refused(&what, &error))?;
    output::raw(&finished.raw)
}

/// A session that was begun: its id, or an event.
fn tell(out: Output, session: &SessionId) -> Result<()> {
    out.result(session, || session_event(session))
}

fn session_event(session: &SessionId) -> Value {
    event("session", fields(json!({"session_id": session.as_str()})))
}

fn session_type(concurrent: bool) -> Option<UploadSessionType> {
    concurrent.then_some(UploadSessionType::Concurrent)
}

impl From<&Cursor> for UploadSessionCursor {
    fn from(cursor: &Cursor) -> Self {
        Self {
            session_id: SessionId::from_stored(&cursor.session),
            offset: cursor.offset,
        }
    }
}

fn commit(path: &str, how: &How) -> Result<CommitInfo> {
    Ok(CommitInfo {
        mode: how.mode.clone(),
        autorename: how.autorename,
        mute: how.mute,
        client_modified: how.client_modified,
        strict_conflict: how.strict_conflict,
        ..CommitInfo::new(RemotePath::new(path).to_write()?)
    })
}

/// The bytes for a request and the hash that goes with them; none of either without `--data`,
/// unless a hash was given.
async fn bytes_of(args: &Data) -> Result<(Bytes, Option<GivenHash>)> {
    let given = args.hash.content_hash;
    let (bytes, hash) = match &args.data {
        Some(path) => {
            let bytes = read::all(vec![path.clone()]).await?.bytes;
            let hash = given.unwrap_or_else(|| ContentHash::of(&bytes));
            (bytes, Some(hash))
        }
        None => (Bytes::new(), given),
    };
    Ok((bytes, hash.map(GivenHash::from)))
}

/// The line for a call that failed: the API's own JSON where there is one.
fn refused<E: Debug>(what: &str, error: &CallError<E>) -> Fail {
    match (error.summary(), error.raw()) {
        (Some(_), Some(raw)) => {
            let json = String::from_utf8_lossy(raw);
            Fail::new(
                error.exit(),
                what,
                format_args!("{}: {json}", error.failure()),
            )
        }
        _ => Fail::new(error.exit(), what, error.why()),
    }
}

#[cfg(test)]
mod tests {
    use super::session_event;
    use crate::output::tests::check;
    use landfall_protocol::SessionId;

    #[test]
    fn a_session_is_told_as_the_schema_says() {
        check(&session_event(&SessionId::from_stored("s")));
    }
}
