//! What a user's clients are told of: the feed of a Landfall server.
//!
//! Dropbox has no such feed; its own client software shows what is told here. The feed is a
//! stream of server-sent events; each has the number of its change, and a reader that was cut
//! off goes on after the last number that it saw.

use crate::transport::{Fault, Incoming};
use crate::{Client, TokenError};
use landfall_protocol::routes::Host;
use landfall_protocol::wire::Json;
use std::fmt;

/// The longest event, in bytes: a path has at most 4096. A longer one is not the feed's.
const LONGEST: usize = 64 * 1024;

/// The events of the user's feed, one after the other.
pub struct Notifications {
    incoming: Incoming,
    /// What came and is no whole event yet.
    buffer: Vec<u8>,
    last: Option<u64>,
}

/// Something that happened, and was not muted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification {
    /// The number of the change: give it to [`Client::notifications`] to go on after it.
    pub id: u64,
    /// `file_added`, `file_changed`, `folder_added`, `file_deleted` or `folder_deleted`; later
    /// servers may know more.
    pub event: String,
    /// Where, as shown.
    pub path_display: String,
    /// The rev that was written; `None`: not a file, or gone.
    pub rev: Option<String>,
    /// When, as the API writes times.
    pub at: String,
}

/// Why there are no notifications.
#[derive(Clone, Debug, thiserror::Error)]
pub enum NotificationsError {
    /// The service has no feed.
    #[error("{host} has no feed of notifications: only Landfall servers have one")]
    NotOffered {
        /// Host and port.
        host: String,
    },
    /// The service said no.
    #[error("{host} refused the feed of notifications with status {status}: {text}")]
    Refused {
        /// Host and port.
        host: String,
        /// The HTTP status.
        status: u16,
        /// What it said.
        text: String,
    },
    /// There is no token.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The connection can't be had or broke; go on after the last event.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// What came is no event.
    #[error("{host} sent what is no notification: {excerpt}")]
    Unreadable {
        /// Host and port.
        host: String,
        /// Its beginning.
        excerpt: String,
    },
}

impl NotificationsError {
    /// Whether it may be better later.
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Fault(fault) => fault.is_temporary(),
            Self::Refused { status, .. } => *status == 429 || *status >= 500,
            Self::NotOffered { .. } | Self::Token(_) | Self::Unreadable { .. } => false,
        }
    }
}

impl Client {
    /// Opens the user's feed after the change with this number; `Some(0)`: from the oldest that
    /// is kept (30 days), `None`: from now on.
    ///
    /// # Errors
    /// [`NotificationsError`]
    pub async fn notifications(
        &self,
        after: Option<u64>,
    ) -> Result<Notifications, NotificationsError> {
        let host = self.endpoint().host(Host::Notify);
        let url = self.endpoint().beside_the_api("landfall/notifications");
        let Some(url) = url else {
            return Err(NotificationsError::NotOffered { host });
        };
        let token = self.tokens().token().await?;
        let incoming = self.transport().follow(url, &host, &token, after).await?;
        match incoming.status() {
            200 => Ok(Notifications {
                incoming,
                buffer: Vec::new(),
                last: after,
            }),
            404 => Err(NotificationsError::NotOffered { host }),
            status => {
                let body = incoming.whole().await?.body;
                Err(NotificationsError::Refused {
                    host,
                    status,
                    text: excerpt(&body),
                })
            }
        }
    }
}

impl Notifications {
    /// The number to go on after, if this stream breaks.
    pub fn last(&self) -> Option<u64> {
        self.last
    }

    /// Waits for the next event; `None`: the server ended the stream, and another one goes on.
    ///
    /// # Errors
    /// The connection broke, or nothing came for longer than the server may be silent.
    pub async fn next(&mut self) -> Result<Option<Notification>, NotificationsError> {
        loop {
            while let Some(block) = self.block() {
                if let Some(notification) = self.read(&block)? {
                    self.last = Some(notification.id);
                    return Ok(Some(notification));
                }
            }
            if self.buffer.len() > LONGEST {
                return Err(self.unreadable(&self.buffer));
            }
            match self.incoming.chunk().await? {
                Some(chunk) => self.buffer.extend_from_slice(&chunk),
                None => return Ok(None),
            }
        }
    }

    /// The next lines up to an empty one.
    fn block(&mut self) -> Option<Vec<u8>> {
        let end = self.buffer.windows(2).position(|two| two == b"\n\n")?;
        let rest = self.buffer.split_off(end + 2);
        Some(std::mem::replace(&mut self.buffer, rest))
    }

    /// The event in a block; `None`: a sign of life, or how to come back.
    fn read(&self, block: &[u8]) -> Result<Option<Notification>, NotificationsError> {
        let text = String::from_utf8_lossy(block);
        let field = |name: &str| {
            let mut lines = text.lines();
            lines.find_map(|line| Some(line.strip_prefix(name)?.strip_prefix(':')?.trim_start()))
        };
        let Some(data) = field("data") else {
            return Ok(None);
        };
        let event = || {
            let id = field("id")?.parse().ok()?;
            let data: Json = serde_json::from_str(data).ok()?;
            let text = |name: &str| Some(data.get(name)?.as_str()?.to_owned());
            Some(Notification {
                id,
                event: text("event")?,
                path_display: text("path_display")?,
                rev: text("rev"),
                at: text("at")?,
            })
        };
        match event() {
            Some(event) => Ok(Some(event)),
            None => Err(self.unreadable(block)),
        }
    }

    fn unreadable(&self, bytes: &[u8]) -> NotificationsError {
        NotificationsError::Unreadable {
            host: self.incoming.host().to_owned(),
            excerpt: excerpt(bytes),
        }
    }
}

impl fmt::Debug for Notifications {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Notifications(after {:?})", self.last)
    }
}

fn excerpt(bytes: &[u8]) -> String {
    landfall_protocol::wire::shorten(String::from_utf8_lossy(bytes).trim(), 200)
}
