//! `session`: the raw commands of an upload session. Each is one request, and what the API
//! says is passed on.

use crate::cli::{Cursor, Data, Finish, Session};
use crate::exit::{Exit, Fail, Result, ToExit};
use crate::output;
use crate::paths::RemotePath;
use bytes::Bytes;
use landfall::{CallError, Client};
use landfall_protocol::types::files::CommitInfo;
use landfall_protocol::types::sessions::{
    UploadSessionAppendArg, UploadSessionCursor, UploadSessionFinishArg, UploadSessionStartArg,
};
use landfall_protocol::{ContentHash, SessionId, limits};
use std::fmt::Debug;
use std::fs;
use std::io::{self, Read};
use std::path::Path;

pub(crate) async fn run(command: &Session, client: &Client) -> Result<()> {
    match command {
        Session::Start { data, close } => {
            let (payload, hash) = bytes_of(data).await?;
            let arg = UploadSessionStartArg {
                close: *close,
                session_type: None,
                content_hash: hash.map(Into::into),
            };
            let started = client.upload_session_start(&arg, payload).await;
            let started = started.map_err(|error| refused("can't start a session", &error))?;
            output::line(started.value.session_id.as_str())
        }
        Session::Append {
            cursor,
            data,
            close,
        } => {
            let (payload, hash) = bytes_of(data).await?;
            let arg = UploadSessionAppendArg {
                cursor: cursor.into(),
                close: *close,
                content_hash: hash.map(Into::into),
            };
            let what = format!("can't append to session {}", cursor.session);
            let appended = client.upload_session_append(&arg, payload).await;
            appended.map(drop).map_err(|error| refused(&what, &error))
        }
        Session::Finish(finish) => run_finish(finish, client).await,
    }
}

async fn run_finish(args: &Finish, client: &Client) -> Result<()> {
    let (payload, hash) = bytes_of(&args.data).await?;
    let mut commit = CommitInfo::new(RemotePath::new(&args.path).to_write()?);
    commit.mode = args.mode.clone();
    commit.autorename = args.autorename;
    commit.mute = args.mute;
    let arg = UploadSessionFinishArg {
        cursor: (&args.cursor).into(),
        commit,
        content_hash: hash.map(Into::into),
    };
    let what = format!(
        "can't finish session {} at {}",
        args.cursor.session, args.path
    );
    let finished = client.upload_session_finish(&arg, payload).await;
    let finished = finished.map_err(|error| refused(&what, &error))?;
    output::raw(&finished.raw)
}

impl From<&Cursor> for UploadSessionCursor {
    fn from(cursor: &Cursor) -> Self {
        Self {
            session_id: SessionId::from_stored(&cursor.session),
            offset: cursor.offset,
        }
    }
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

/// The bytes for a request and their hash; none of either without `--data`.
async fn bytes_of(data: &Data) -> Result<(Bytes, Option<ContentHash>)> {
    let Some(path) = data.data.clone() else {
        return Ok((Bytes::new(), None));
    };
    let what = format!("can't read {}", path.display());
    let reading = tokio::task::spawn_blocking(move || {
        let bytes = read(&path)?;
        let hash = ContentHash::of(&bytes);
        io::Result::Ok((Bytes::from(bytes), Some(hash)))
    });
    let read = reading
        .await
        .map_err(|_| Fail::new(Exit::Other, &what, "the reader stopped; try again"))?;
    read.map_err(|error| Fail::new(Exit::Source, &what, error))
}

/// Reads a request's bytes, and one more than is allowed at most: the library then refuses
/// them by their number.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let most = limits::REQUEST_BODY + 1;
    let mut bytes = Vec::new();
    if path.as_os_str() == "-" {
        io::stdin().take(most).read_to_end(&mut bytes)?;
        return Ok(bytes);
    }
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("not a regular file; name a file"));
    }
    fs::File::open(path)?.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}
