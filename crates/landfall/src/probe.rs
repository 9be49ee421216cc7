//! Whether a service is there, found out without showing it a token.

use crate::transport::{Payload, Request};
use crate::{Client, Fault};
use landfall_protocol::Timestamp;
use landfall_protocol::routes::{Host, RouteId};
use reqwest::header::{DATE, HeaderMap};
use std::time::Duration;

/// What a host said to a stranger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// Host and port.
    pub host: String,
    /// The HTTP status; the API refuses strangers by 400 or 401.
    pub status: u16,
    /// What its clock shows, if it says.
    pub date: Option<Timestamp>,
}

impl Probe {
    /// Whether this is how the API answers, and not a proxy, a login page or something else.
    pub fn is_the_apis(&self) -> bool {
        matches!(self.status, 400 | 401)
    }
}

impl Client {
    /// Calls a route of this host with no token and no argument, which every service refuses, so
    /// that nothing happens there.
    ///
    /// # Errors
    /// There was no answer.
    pub async fn probe(&self, host: Host) -> Result<Probe, Fault> {
        let route = match host {
            Host::Api => RouteId::CheckUser,
            Host::Content => RouteId::Download,
            Host::Notify => RouteId::ListFolderLongpoll,
        };
        let host = self.endpoint().host(host);
        let sent = self.transport().send(Request {
            url: self.endpoint().url(route.route()),
            host: host.clone(),
            token: None,
            headers: HeaderMap::new(),
            payload: Payload::empty(),
            wait: Duration::ZERO,
        });
        let incoming = sent.await?;
        let date = incoming.headers().get(DATE);
        Ok(Probe {
            status: incoming.status(),
            date: date
                .and_then(|date| date.to_str().ok())
                .and_then(Timestamp::from_http_date),
            host,
        })
    }
}
