//! One request and its answer: HTTP, time-outs, and what is known when it breaks.
//!
//! Nothing here repeats a request or knows what an error means; see [`crate::api`] for that.

mod answer;
#[cfg(feature = "transfer")]
mod bandwidth;
mod body;
mod fault;

pub use body::Payload;
pub use fault::Fault;

pub(crate) use answer::{Answer, Incoming};
#[cfg(feature = "transfer")]
pub(crate) use bandwidth::Bandwidth;

use crate::Secret;
use body::Progress;
use fault::innermost;
use reqwest::header::{AUTHORIZATION, CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Body, Url};
use std::pin::pin;
use std::sync::{Arc, Once};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How long to wait for what. There is never a limit on a whole transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// Until a connection stands, name lookup and TLS included. Default: 10 seconds.
    pub connect: Duration,
    /// Without any progress of a request's or an answer's body. Default: 60 seconds.
    pub idle: Duration,
    /// From the last byte of the request to the first of the answer: the service may have a
    /// lot to do. A longpoll has the time that it asks for besides. Default: 2 minutes.
    pub answer: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            idle: Duration::from_secs(60),
            answer: Duration::from_secs(120),
        }
    }
}

/// What the transport is made of.
pub(crate) struct Settings {
    pub(crate) user_agent: String,
    pub(crate) timeouts: Timeouts,
    /// Further certificate authorities, PEM.
    pub(crate) authorities: Vec<Vec<u8>>,
    pub(crate) plain_http: bool,
    pub(crate) loopback: bool,
}

/// One request.
pub(crate) struct Request<'a> {
    pub(crate) url: Url,
    pub(crate) host: String,
    pub(crate) token: Option<&'a Secret<String>>,
    pub(crate) headers: HeaderMap,
    pub(crate) payload: Payload,
    /// How long the service may take for its answer beyond [`Timeouts::answer`].
    pub(crate) wait: Duration,
}

/// Cloning shares the connections.
#[derive(Clone)]
pub(crate) struct Transport {
    http: reqwest::Client,
    /// For uploads: HTTP/1.1, because all bodies of one HTTP/2 connection would share its
    /// window, and one lost packet would stop them all.
    bodies: reqwest::Client,
    timeouts: Timeouts,
}

impl Transport {
    pub(crate) fn new(settings: Settings) -> Result<Self, String> {
        install_cryptography();
        let built = |builder: reqwest::ClientBuilder| {
            let built = builder.build();
            built.map_err(|error| innermost(&error))
        };
        Ok(Self {
            http: built(Self::builder(&settings)?)?,
            bodies: built(Self::builder(&settings)?.http1_only())?,
            timeouts: settings.timeouts,
        })
    }

    fn builder(settings: &Settings) -> Result<reqwest::ClientBuilder, String> {
        let mut builder = reqwest::Client::builder()
            .user_agent(&settings.user_agent)
            .connect_timeout(settings.timeouts.connect)
            .tcp_keepalive(Duration::from_secs(15))
            // The API never redirects; following one would carry bodies to strangers.
            .redirect(Policy::none());
        if settings.loopback {
            // A proxy's "this machine" is not ours.
            builder = builder.no_proxy();
        }
        if settings.plain_http {
            // Without TLS there is no need for the system's certificates, nor to fail
            // where there are none.
            builder = builder.tls_certs_only([]);
        } else {
            for pem in &settings.authorities {
                let certificates = reqwest::Certificate::from_pem_bundle(pem)
                    .map_err(|error| innermost(&error))?;
                if certificates.is_empty() {
                    return Err("a given file holds no certificate in PEM form".to_owned());
                }
                builder = builder.tls_certs_merge(certificates);
            }
        }
        Ok(builder)
    }

    /// Sends the request and waits for the head of the answer.
    pub(crate) async fn send(&self, request: Request<'_>) -> Result<Incoming, Fault> {
        let Request {
            url,
            host,
            token,
            mut headers,
            payload,
            wait,
        } = request;
        if let Some(token) = token {
            headers.insert(AUTHORIZATION, bearer(token, &host)?);
        }
        headers.insert(CONTENT_LENGTH, HeaderValue::from(payload.len()));
        let progress = Arc::new(Progress::new(payload.len()));
        let http = if payload.is_empty() {
            &self.http
        } else {
            &self.bodies
        };
        let body = Body::wrap(payload.into_body(Arc::clone(&progress)));
        let sending = http.post(url).headers(headers).body(body).send();
        let response = self.watch(sending, &progress, wait, &host).await?;
        Ok(Incoming::new(response, host, self.timeouts.idle))
    }

    /// Asks for a stream of events after the one with this number.
    pub(crate) async fn follow(
        &self,
        url: Url,
        host: &str,
        token: &Secret<String>,
        after: Option<u64>,
    ) -> Result<Incoming, Fault> {
        let mut request = self
            .http
            .get(url)
            .header(AUTHORIZATION, bearer(token, host)?);
        if let Some(after) = after {
            request = request.header("last-event-id", after);
        }
        let nothing = Progress::new(0);
        let response = self
            .watch(request.send(), &nothing, Duration::ZERO, host)
            .await?;
        Ok(Incoming::new(response, host.to_owned(), self.timeouts.idle))
    }

    /// Waits for the answer's head for as long as the request's body makes progress.
    async fn watch<F>(
        &self,
        sending: F,
        progress: &Progress,
        wait: Duration,
        host: &str,
    ) -> Result<reqwest::Response, Fault>
    where
        F: Future<Output = Result<reqwest::Response, reqwest::Error>>,
    {
        let mut sending = pin!(sending);
        let mut seen = progress.taken();
        let mut since = Instant::now();
        loop {
            let complete = seen == progress.total();
            let patience = if complete {
                self.timeouts.answer + wait
            } else {
                // Until the connection stands no byte can move.
                self.timeouts.idle.max(self.timeouts.connect)
            };
            tokio::select! {
                sent = &mut sending => return sent.map_err(|error| Fault::of(&error, host)),
                () = sleep(LOOK.min(patience)) => {}
            }
            let taken = progress.taken();
            if taken != seen {
                seen = taken;
                since = Instant::now();
            } else if since.elapsed() >= patience {
                return Err(Fault::Stalled {
                    host: host.to_owned(),
                    what: if complete {
                        "no answer"
                    } else {
                        "no byte could be sent"
                    },
                    waited: patience,
                });
            }
        }
    }
}

/// How often progress is looked at; time-outs are late by at most this.
const LOOK: Duration = Duration::from_secs(1);

fn bearer(token: &Secret<String>, host: &str) -> Result<HeaderValue, Fault> {
    let text = format!("Bearer {}", token.expose());
    let mut value = HeaderValue::from_str(&text).map_err(|_| Fault::BadToken {
        host: host.to_owned(),
    })?;
    value.set_sensitive(true);
    Ok(value)
}

/// A header whose value is known to be ASCII without line breaks.
pub(crate) fn ascii(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    let value = HeaderValue::from_str(value).expect("the JSON writer writes printable ASCII");
    headers.insert(name, value);
}

/// Chooses ring for TLS unless the program chose something else before.
fn install_cryptography() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        if rustls::crypto::CryptoProvider::get_default().is_none() {
            // Losing a race here means that another one was chosen meanwhile.
            drop(rustls::crypto::ring::default_provider().install_default());
        }
    });
}
