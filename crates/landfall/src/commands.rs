//! The upload commands as a script has them: texts in, status and data out.
//!
//! ```no_run
//! use landfall::commands::{NoCallback, upload_session_finish, upload_session_start};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let token = std::env::var("LANDFALL_TOKEN")?;
//! let started = upload_session_start(&token, "uploads that ", NoCallback)?;
//! # let session = "";
//! // … the session's id is in the JSON of `started.data` …
//! let path = "/motto.txt";
//! let saved = upload_session_finish(&token, session, 13, path, "", true, "", "finish", NoCallback)?;
//! println!("{} {}", saved.status, String::from_utf8_lossy(&saved.data));
//! # Ok(())
//! # }
//! ```
//!
//! # Parameters
//! They are texts, or whatever has a text (`13`, `true`):
//!
//! | Parameter | Texts | Empty |
//! |---|---|---|
//! | access token | the OAuth 2 access token of the user | an error |
//! | session | the session id that the start returned | an error |
//! | offset | how many bytes were uploaded so far, in decimal digits | an error |
//! | path | where in the user's Dropbox the file goes, such as `/a/b.txt` | an error |
//! | mode | `add`, `overwrite`, `update:REV`, or one of these as the API's JSON | `add` |
//! | autorename, mute | `true`, `True`, `false`, `False` | `false` |
//! | data | bytes, at most 150 MiB (157,286,400) in one request | no bytes |
//! | callback | [`NoCallback`], or a closure that takes request id, status and data | – |
//!
//! A text that makes no sense is a [`BadParameter`] that says what would: nothing was sent, there
//! is no request id and nobody is called back.
//!
//! # What comes back
//! Without a callback a command waits for its end and returns a [`RawReply`], status and data.
//! It may be called inside of asynchronous code, where the thread waits like any other. With a
//! callback it returns a [`RequestId`] at once. More data than fits in a request is refused
//! before a byte is sent, with the status and the JSON that the service has for it.
//!
//! # Where to
//! The functions go to the address in the environment variable `LANDFALL_ENDPOINT`, and to
//! Dropbox if it isn't set; [`Api`] has the same commands for any address. There is **one pool
//! of connections and one set of threads per endpoint** in a process (two that carry calls out,
//! one that calls back), begun at first use. Those of the environment's endpoint stay until the
//! process ends; an [`Api`]'s end with its last handle.
#![doc = include_str!("callback.md")]

mod api;
mod parameters;

pub use api::Api;
pub use parameters::BadParameter;

use crate::background::{Background, Request};
use crate::{BadEndpoint, BuildError, Endpoint, Payload, RawReply, RequestId, RequestStatus};
use bytes::Bytes;
use std::env;
use std::fmt::{self, Display};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The environment variable with the address that the functions go to.
pub const ENDPOINT: &str = "LANDFALL_ENDPOINT";

/// The last parameter of a command: [`NoCallback`], or what to call with the request's id, the
/// status and the data.
pub trait Callback {
    /// What the command returns.
    type Returned;

    /// Carries a command out.
    #[doc(hidden)]
    fn carry_out(self, command: Command<'_>) -> Self::Returned;
}

/// A command that is ready to be carried out.
#[doc(hidden)]
pub struct Command<'a> {
    background: &'a Background,
    request: Request,
}

impl fmt::Debug for Command<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Command").finish_non_exhaustive()
    }
}

/// No callback is given: the command waits for its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NoCallback;

impl Callback for NoCallback {
    type Returned = RawReply;

    fn carry_out(self, command: Command<'_>) -> RawReply {
        command.background.threads.block(command.request.call)
    }
}

impl<F: FnOnce(RequestId, u16, Bytes) + Send + 'static> Callback for F {
    type Returned = RequestId;

    fn carry_out(self, command: Command<'_>) -> RequestId {
        command.background.begin(command.request, self)
    }
}

/// A command was not carried out; nothing was sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CommandError {
    /// A parameter makes no sense.
    #[error(transparent)]
    Parameter(#[from] BadParameter),
    /// The environment's endpoint is no address.
    #[error("{ENDPOINT}: {0}")]
    Endpoint(BadEndpoint),
    /// No client could be made for the endpoint.
    #[error(transparent)]
    Build(#[from] BuildError),
}

/// Begins an upload session with this data, and returns its id in JSON; see [`Api`].
///
/// # Errors
/// [`CommandError`]; nothing was sent.
pub fn upload_session_start<C: Callback>(
    access_token: &str,
    data: impl Into<Payload>,
    callback: C,
) -> Result<C::Returned, CommandError> {
    let api = of_the_environment()?;
    Ok(api.upload_session_start(access_token, data, callback)?)
}

/// Appends this data to an upload session; see [`Api`].
///
/// # Errors
/// [`CommandError`]; nothing was sent.
pub fn upload_session_append<C: Callback>(
    access_token: &str,
    session: &str,
    offset: impl Display,
    data: impl Into<Payload>,
    callback: C,
) -> Result<C::Returned, CommandError> {
    let api = of_the_environment()?;
    Ok(api.upload_session_append(access_token, session, offset, data, callback)?)
}

/// Finishes an upload session and saves the uploaded data to the given path; see [`Api`].
///
/// # Errors
/// [`CommandError`]; nothing was sent.
#[expect(
    clippy::too_many_arguments,
    reason = "the command has them, in this order"
)]
pub fn upload_session_finish<C: Callback>(
    access_token: &str,
    session: &str,
    offset: impl Display,
    path: &str,
    mode: &str,
    autorename: impl Display,
    mute: impl Display,
    data: impl Into<Payload>,
    callback: C,
) -> Result<C::Returned, CommandError> {
    let api = of_the_environment()?;
    Ok(api.upload_session_finish(
        access_token,
        session,
        offset,
        path,
        mode,
        autorename,
        mute,
        data,
        callback,
    )?)
}

/// Saves this data to the given path in one request; see [`Api`].
///
/// # Errors
/// [`CommandError`]; nothing was sent.
pub fn upload<C: Callback>(
    access_token: &str,
    path: &str,
    mode: &str,
    autorename: impl Display,
    mute: impl Display,
    data: impl Into<Payload>,
    callback: C,
) -> Result<C::Returned, CommandError> {
    let api = of_the_environment()?;
    Ok(api.upload(access_token, path, mode, autorename, mute, data, callback)?)
}

/// How far a request of the functions is; see [`Api::request_status`].
pub fn request_status(id: RequestId) -> Option<RequestStatus> {
    kept().iter().find_map(|api| api.request_status(id))
}

/// Ends a request of the functions; see [`Api::cancel`].
pub fn cancel(id: RequestId) -> bool {
    kept().iter().any(|api| api.cancel(id))
}

/// The APIs that the environment named; usually one. They stay.
fn kept() -> MutexGuard<'static, Vec<Api>> {
    static KEPT: Mutex<Vec<Api>> = Mutex::new(Vec::new());
    KEPT.lock().unwrap_or_else(PoisonError::into_inner)
}

fn of_the_environment() -> Result<Api, CommandError> {
    let address = env::var_os(ENDPOINT).unwrap_or_default();
    let endpoint = if address.is_empty() {
        Endpoint::dropbox()
    } else {
        Endpoint::at(&address.to_string_lossy()).map_err(CommandError::Endpoint)?
    };
    let mut kept = kept();
    if let Some(api) = kept.iter().find(|api| *api.endpoint() == endpoint) {
        return Ok(api.clone());
    }
    let api = Api::at(endpoint)?;
    kept.push(api.clone());
    Ok(api)
}
