//! `GET /landfall/notifications`: what a user's clients are told of, as server-sent events.
//!
//! Not a part of Dropbox's API. Each event has the number of its change as its id, so a reader
//! that was cut off goes on with `Last-Event-ID` where it was; `0` is the oldest that is kept.
//! Without it, the stream begins with what happens next.

use super::caller::{ProcessCaller, authenticate};
use super::exchange::State;
use super::reply::{BadRequest, Refused, Reply};
use crate::meta::rows::{JournalId, Notification, NotificationEvent};
use crate::ops::{Caller, Feed};
use bytes::Bytes;
use futures_util::stream;
use http::request::Parts;
use http::{HeaderMap, Method, StatusCode};
use landfall_protocol::Scope;
use landfall_protocol::json::to_line;
use landfall_protocol::wire::{Json, Object};
use std::sync::Arc;
use std::time::Duration;

/// Where it is.
pub(super) const PATH: &str = "/landfall/notifications";

/// How often a line without meaning is sent, so that both ends know of each other.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// How long the reader should wait before it comes back.
const BEGIN: &str = "retry: 2000\n\n";

const LAST_EVENT_ID: &str = "last-event-id";

pub(super) async fn answer(state: &Arc<State>, parts: &Parts) -> Reply {
    if parts.method != Method::GET {
        return Reply::text(StatusCode::METHOD_NOT_ALLOWED, "Use GET.\n");
    }
    match begin(state, parts).await {
        Ok(reply) => reply,
        Err(refused) => Reply::refused_elsewhere(refused),
    }
}

async fn begin(state: &Arc<State>, parts: &Parts) -> Result<Reply, Refused> {
    let caller = let_in(state, parts).await?;
    let after = last_event(&parts.headers)?;
    let feed = state.service.feed(&caller, after).await?;
    let stream = Stream {
        state: Arc::clone(state),
        parts: parts.clone(),
        feed,
        begun: false,
    };
    let frames = stream::unfold(stream, |mut stream| async move {
        let text = stream.next().await?;
        Some((Bytes::from(text), stream))
    });
    Ok(Reply::stream("text/event-stream", frames))
}

async fn let_in(state: &State, parts: &Parts) -> Result<Caller, Refused> {
    let process: Option<&ProcessCaller> = state.process.as_ref();
    let scope = Some(Scope::FilesMetadataRead);
    authenticate(&state.service, process, scope, &parts.headers, &parts.uri).await
}

fn last_event(headers: &HeaderMap) -> Result<Option<JournalId>, BadRequest> {
    let Some(value) = headers.get(LAST_EVENT_ID) else {
        return Ok(None);
    };
    let number = value.to_str().ok().and_then(|text| text.parse().ok());
    match number.filter(|&number| number <= JournalId::LAST.0) {
        Some(number) => Ok(Some(JournalId(number))),
        None => Err(BadRequest::new(
            "HTTP header \"Last-Event-ID\": must be the id of an event, a number.",
        )),
    }
}

struct Stream {
    state: Arc<State>,
    /// To look again whether the caller is let in.
    parts: Parts,
    feed: Feed,
    begun: bool,
}

impl Stream {
    /// What is sent next; `None`: that was all.
    async fn next(&mut self) -> Option<String> {
        if !self.begun {
            self.begun = true;
            return Some(BEGIN.to_owned());
        }
        let mut stopping = self.state.stopping();
        let some = tokio::select! {
            some = self.feed.next(HEARTBEAT) => some,
            () = &mut stopping => return None,
        };
        match some {
            Ok(some) => {
                // Who was shut out meanwhile is told no more.
                let_in(&self.state, &self.parts).await.ok()?;
                Some(match some.is_empty() {
                    true => ":\n\n".to_owned(),
                    false => some.iter().map(event).collect(),
                })
            }
            Err(error) => {
                tracing::error!(%error, "a stream of notifications broke off");
                None
            }
        }
    }
}

fn event(notification: &Notification) -> String {
    let name = match notification.event {
        NotificationEvent::FileAdded => "file_added",
        NotificationEvent::FileChanged => "file_changed",
        NotificationEvent::FolderAdded => "folder_added",
        NotificationEvent::FileDeleted => "file_deleted",
        NotificationEvent::FolderDeleted => "folder_deleted",
    };
    let mut data = Object::new();
    let mut put = |name: &str, value: String| data.insert(name.to_owned(), Json::String(value));
    put("event", name.to_owned());
    put("path_display", notification.path.to_string());
    if let Some(rev) = &notification.rev {
        put("rev", rev.to_string());
    }
    put("at", notification.at.timestamp().to_string());
    format!(
        "id: {}\nevent: {name}\ndata: {}\n\n",
        notification.journal.0,
        to_line(&Json::Object(data))
    )
}
