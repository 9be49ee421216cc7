//! A client for the Dropbox upload commands, and for servers that speak the same API.
//!
//! [`Client`] has a typed method for each route; every answer also yields its HTTP status and
//! its body as it came, and every error says what there is to do about it
//! ([`CallError::class`]). Its other faces are features:
//!
//! | Feature | Brings |
//! |---|---|
//! | `commands` (the default) | [`commands`]: the upload commands as a script has them, with a callback or without |
//! | `blocking` | [`blocking::Client`]: the routes for programs without a runtime |
//! | `callback` | [`callback::Client`]: the routes that return at once and call back |
//! | `transfer` | [`transfer`]: whole files of any size, over connections that break, and at the end in plain words how it ended |
//!
//! ```no_run
//! use landfall::protocol::types::files::CommitInfo;
//! use landfall::protocol::types::sessions::{
//!     UploadSessionCursor, UploadSessionFinishArg, UploadSessionStartArg,
//! };
//! use landfall::protocol::path::WritePathOrId;
//! use landfall::{Client, Endpoint, Secret};
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let token = Secret::new(std::fs::read_to_string("token")?.trim().to_owned());
//! let client = Client::new(Endpoint::at("http://127.0.0.1:8765")?, token)?;
//!
//! let start = UploadSessionStartArg { close: true, session_type: None, content_hash: None };
//! let session = client.upload_session_start(&start, "hello\n").await?.value.session_id;
//!
//! let finish = UploadSessionFinishArg {
//!     cursor: UploadSessionCursor { session_id: session, offset: 6 },
//!     commit: CommitInfo::new(WritePathOrId::parse("/hello.txt")?),
//!     content_hash: None,
//! };
//! let saved = client.upload_session_finish(&finish, "").await?;
//! println!("{} is rev {}", saved.value.name, saved.value.rev);
//! # Ok(())
//! # }
//! ```
//!
//! The library never prints. What it has to tell while it works, it tells by events
//! ([`transfer::Event`]) and, for those who look for faults, by `tracing`.

pub mod api;
#[cfg(any(feature = "commands", feature = "blocking", feature = "callback"))]
mod background;
#[cfg(feature = "blocking")]
pub mod blocking;
#[cfg(feature = "callback")]
pub mod callback;
mod client;
#[cfg(feature = "commands")]
pub mod commands;
mod endpoint;
mod notifications;
mod probe;
mod secret;
mod token;
#[cfg(feature = "transfer")]
pub mod transfer;
mod transport;

pub use api::{
    ByteRange, CallError, Content, Failure, LocalError, NoAnswer, NoAnswerReason, RawReply,
    Refusal, Reply,
};
#[cfg(any(feature = "commands", feature = "callback"))]
pub use background::{RequestId, RequestStatus};
pub use client::{BuildError, Client, ClientBuilder};
pub use endpoint::{BadEndpoint, Endpoint};
pub use notifications::{Notification, Notifications, NotificationsError};
pub use probe::Probe;
pub use secret::Secret;
pub use token::{TokenError, TokenFuture, TokenSource};
pub use transport::{Fault, Payload, Timeouts};

/// The API's types, as the calls take and return them.
pub use landfall_protocol as protocol;
