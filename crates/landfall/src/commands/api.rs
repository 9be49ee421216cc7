//! The commands at one address.

use super::parameters::{BadParameter, flag, mode, offset, path, text};
use super::{Callback, Command};
use crate::background::{Background, Request};
use crate::{BuildError, Client, Endpoint, Payload, RequestId, RequestStatus, Secret};
use landfall_protocol::types::files::{CommitInfo, UploadArg};
use landfall_protocol::types::sessions::{
    UploadSessionAppendArg, UploadSessionCursor, UploadSessionFinishArg, UploadSessionStartArg,
};
use landfall_protocol::{Call, SessionId, calls};
use std::fmt::Display;
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// The commands at one endpoint. Cloning is cheap.
///
/// Two of them for the same endpoint are the same: they share connections, threads and requests.
/// When the last is dropped, what is in flight is cancelled.
///
/// The parameters, and what comes back, are described [here](super).
#[derive(Clone, Debug)]
pub struct Api {
    background: Arc<Background>,
}

impl Api {
    /// The commands at this endpoint. No request is made.
    ///
    /// # Errors
    /// The system has no threads or, for https, no certificates.
    pub fn at(endpoint: Endpoint) -> Result<Self, BuildError> {
        static APIS: Mutex<Vec<Weak<Background>>> = Mutex::new(Vec::new());
        let mut apis = APIS.lock().unwrap_or_else(PoisonError::into_inner);
        apis.retain(|api| api.strong_count() > 0);
        let mut there = apis.iter().filter_map(Weak::upgrade);
        if let Some(background) = there.find(|api| *api.client.endpoint() == endpoint) {
            return Ok(Self { background });
        }
        // Each command brings its own token.
        let client = Client::new(endpoint, Secret::new(String::new()))?;
        let background = Arc::new(Background::start(client)?);
        apis.push(Arc::downgrade(&background));
        Ok(Self { background })
    }

    /// Where the commands go.
    pub fn endpoint(&self) -> &Endpoint {
        self.background.client.endpoint()
    }

    /// Begins an upload session with this data.
    ///
    /// The data of a success is `{"session_id": "…"}`. Repeated, it begins another session; one
    /// that nobody finishes expires.
    ///
    /// # Errors
    /// [`BadParameter`]; nothing was sent.
    pub fn upload_session_start<C: Callback>(
        &self,
        access_token: &str,
        data: impl Into<Payload>,
        callback: C,
    ) -> Result<C::Returned, BadParameter> {
        let client = self.client(access_token)?;
        let arg = UploadSessionStartArg {
            close: false,
            session_type: None,
            content_hash: None,
        };
        Ok(self.carry_out::<calls::UploadSessionStart, C>(client, arg, data, callback))
    }

    /// Appends this data to an upload session.
    ///
    /// The data of a success is `null`. Repeated because its answer was lost, it is refused with
    /// `incorrect_offset`, and `correct_offset` is the offset behind the data: it is there, once.
    ///
    /// # Errors
    /// [`BadParameter`]; nothing was sent.
    pub fn upload_session_append<C: Callback>(
        &self,
        access_token: &str,
        session: &str,
        offset: impl Display,
        data: impl Into<Payload>,
        callback: C,
    ) -> Result<C::Returned, BadParameter> {
        let client = self.client(access_token)?;
        let arg = UploadSessionAppendArg {
            cursor: cursor(session, &offset)?,
            close: false,
            content_hash: None,
        };
        Ok(self.carry_out::<calls::UploadSessionAppend, C>(client, arg, data, callback))
    }

    /// Finishes an upload session, with this data as its last piece, and saves the uploaded data
    /// to the given path.
    ///
    /// The data of a success is the file's metadata; with autorename its name may be another
    /// one. Repeated because its answer was lost, a Landfall server answers it as it did before
    /// and saves nothing more.
    ///
    /// # Errors
    /// [`BadParameter`]; nothing was sent.
    #[expect(
        clippy::too_many_arguments,
        reason = "the command has them, in this order"
    )]
    pub fn upload_session_finish<C: Callback>(
        &self,
        access_token: &str,
        session: &str,
        offset: impl Display,
        path: &str,
        mode: &str,
        autorename: impl Display,
        mute: impl Display,
        data: impl Into<Payload>,
        callback: C,
    ) -> Result<C::Returned, BadParameter> {
        let client = self.client(access_token)?;
        let arg = UploadSessionFinishArg {
            cursor: cursor(session, &offset)?,
            commit: commit(path, mode, &autorename, &mute)?,
            content_hash: None,
        };
        Ok(self.carry_out::<calls::UploadSessionFinish, C>(client, arg, data, callback))
    }

    /// Saves this data to the given path in one request.
    ///
    /// The data of a success is the file's metadata; with autorename its name may be another
    /// one. Nothing guards it against being carried out twice: repeated because its answer was
    /// lost, with autorename, it may save a second copy.
    ///
    /// # Errors
    /// [`BadParameter`]; nothing was sent.
    #[expect(
        clippy::too_many_arguments,
        reason = "the command has them, in this order"
    )]
    pub fn upload<C: Callback>(
        &self,
        access_token: &str,
        path: &str,
        mode: &str,
        autorename: impl Display,
        mute: impl Display,
        data: impl Into<Payload>,
        callback: C,
    ) -> Result<C::Returned, BadParameter> {
        let client = self.client(access_token)?;
        let arg = UploadArg {
            commit: commit(path, mode, &autorename, &mute)?,
            content_hash: None,
        };
        Ok(self.carry_out::<calls::Upload, C>(client, arg, data, callback))
    }

    /// How far a request is; `None` once its callback has returned, and for the ids of other
    /// endpoints.
    pub fn request_status(&self, id: RequestId) -> Option<RequestStatus> {
        self.background.requests.status(id)
    }

    /// Ends a request that is in flight: its callback gets the reason `cancelled`. Returns
    /// whether it was in flight; if not, its callback has got its own reply, or will.
    pub fn cancel(&self, id: RequestId) -> bool {
        self.background.requests.cancel(id)
    }

    /// The client of whose token it is.
    fn client(&self, access_token: &str) -> Result<Client, BadParameter> {
        let token = text("access token", access_token)?;
        let client = &self.background.client;
        Ok(client.with_tokens(Secret::new(token.to_owned())))
    }

    fn carry_out<R: Call, C: Callback>(
        &self,
        client: Client,
        arg: R::Arg,
        data: impl Into<Payload>,
        callback: C,
    ) -> C::Returned {
        callback.carry_out(Command {
            background: &self.background,
            request: Request::upload::<R>(client, arg, data.into()),
        })
    }
}

fn cursor(session: &str, given: &dyn Display) -> Result<UploadSessionCursor, BadParameter> {
    Ok(UploadSessionCursor {
        session_id: SessionId::from_stored(text("session", session)?),
        offset: offset(given)?,
    })
}

fn commit(
    to: &str,
    how: &str,
    autorename: &dyn Display,
    mute: &dyn Display,
) -> Result<CommitInfo, BadParameter> {
    Ok(CommitInfo {
        mode: mode(how)?,
        autorename: flag("autorename", autorename)?,
        mute: flag("mute", mute)?,
        ..CommitInfo::new(path(to)?)
    })
}
