//! The service that is asked: where it is, and who asks.

use crate::call::Call;
use reqwest::{Certificate, Client, Method, Url};
use std::net::IpAddr;
use std::time::Duration;
use thiserror::Error;

/// Where each kind of route is.
#[derive(Clone, Debug)]
pub struct Hosts {
    pub(crate) api: Url,
    pub(crate) content: Url,
    pub(crate) notify: Url,
}

/// The host of a route.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Host {
    Api,
    Content,
    Notify,
}

/// Where autorename begins to count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Numbering {
    /// `document (2).txt`, as the documentation says.
    #[default]
    Documented,
    /// `document (1).txt`, as recordings of the service show.
    Observed,
}

/// Why a target makes no sense.
#[derive(Debug, Error)]
pub enum BadTarget {
    /// The URL is none.
    #[error("`{0}` is no URL such as https://files.example.org")]
    Url(String),
    /// The token would be readable on its way.
    #[error("`{0}` is plain http to another machine: anybody between can read the token")]
    PlainHttp(String),
    /// The file holds no certificate.
    #[error("the certificate: {0}")]
    Certificate(String),
    /// A text that no token is.
    #[error("the token is empty, or has characters that a token can't have")]
    Token,
    /// The HTTP library doesn't start.
    #[error("can't speak HTTP: {0}")]
    Http(String),
}

impl Hosts {
    /// One base URL for all. Plain http is for this machine, unless `insecure`.
    pub fn at(base: &str, insecure: bool) -> Result<Self, BadTarget> {
        Self::apart(base, base, base, insecure)
    }

    /// A base URL for each of the three hosts: metadata, content, waiting for changes.
    pub fn apart(
        api: &str,
        content: &str,
        notify: &str,
        insecure: bool,
    ) -> Result<Self, BadTarget> {
        Ok(Self {
            api: base(api, insecure)?,
            content: base(content, insecure)?,
            notify: base(notify, insecure)?,
        })
    }

    /// The three hosts of the real service.
    pub fn dropbox() -> Self {
        let hosts = Self::apart(
            "https://api.dropboxapi.com",
            "https://content.dropboxapi.com",
            "https://notify.dropboxapi.com",
            false,
        );
        hosts.expect("three URLs")
    }

    /// The base of a host, without a slash at its end.
    fn base(&self, host: Host) -> &str {
        let url = match host {
            Host::Api => &self.api,
            Host::Content => &self.content,
            Host::Notify => &self.notify,
        };
        url.as_str().trim_end_matches('/')
    }
}

fn base(text: &str, insecure: bool) -> Result<Url, BadTarget> {
    let bad = || BadTarget::Url(text.to_owned());
    let url = Url::parse(text).map_err(|_| bad())?;
    let host = url.host_str().ok_or_else(bad)?;
    match url.scheme() {
        "https" => {}
        "http" if insecure || is_loopback(host) => {}
        "http" => return Err(BadTarget::PlainHttp(text.to_owned())),
        _ => return Err(bad()),
    }
    if url.query().is_some() || url.fragment().is_some() || !url.username().is_empty() {
        return Err(bad());
    }
    Ok(url)
}

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// An access token. It has no `Debug` and no `Display`.
#[derive(Clone)]
pub struct Token(String);

impl Token {
    /// A token as it stands in a file: white space around it doesn't count.
    pub fn parse(text: &str) -> Result<Self, BadTarget> {
        let text = text.trim();
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(BadTarget::Token);
        }
        Ok(Self(text.to_owned()))
    }

    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

/// A service, and a token for it.
pub struct Service {
    hosts: Hosts,
    token: Token,
    http: Client,
}

impl Service {
    /// A service that is asked with this token; `authorities` (PEM) are trusted besides the
    /// system's.
    pub fn new(hosts: Hosts, token: Token, authorities: Option<&[u8]>) -> Result<Self, BadTarget> {
        // Who installed a provider for TLS first doesn't matter.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = Client::builder()
            .user_agent(concat!("landfall-conformance/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(Duration::from_secs(10))
            // A longpoll may take its time; nothing else comes near.
            .timeout(Duration::from_secs(180))
            // What is asked is this service; following would carry the token to strangers.
            .redirect(reqwest::redirect::Policy::none());
        let all = [&hosts.api, &hosts.content, &hosts.notify];
        if all
            .iter()
            .all(|url| url.host_str().is_some_and(is_loopback))
        {
            // A proxy's "this machine" is not ours.
            builder = builder.no_proxy();
        }
        if all.iter().all(|url| url.scheme() == "http") {
            // Without TLS there is no need to fail where the system has no certificates.
            builder = builder.tls_certs_only([]);
        } else if let Some(pem) = authorities {
            let certificates = Certificate::from_pem_bundle(pem)
                .map_err(|error| BadTarget::Certificate(error.to_string()))?;
            if certificates.is_empty() {
                return Err(BadTarget::Certificate("there is none in PEM form".into()));
            }
            builder = builder.tls_certs_merge(certificates);
        }
        let http = builder
            .build()
            .map_err(|error| BadTarget::Http(error.to_string()))?;
        Ok(Self { hosts, token, http })
    }

    /// A call to a path and query of a host.
    pub(crate) fn call(&self, host: Host, method: Method, path: &str) -> Call<'_> {
        Call::new(self, method, format!("{}{path}", self.hosts.base(host)))
    }

    pub(crate) fn http(&self) -> &Client {
        &self.http
    }

    pub(crate) fn token(&self) -> &Token {
        &self.token
    }

    /// Where the routes for metadata are, for people.
    pub fn url(&self) -> &str {
        self.hosts.base(Host::Api)
    }

    /// Replaces the token wherever a text has it, as it is or as URLs write it.
    pub(crate) fn hide(&self, text: &mut String) {
        let token = self.token.expose();
        for form in [token.to_owned(), crate::call::percent(token)] {
            if text.contains(&form) {
                *text = text.replace(&form, "<token>");
            }
        }
    }
}

impl std::fmt::Debug for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Service({})", self.url())
    }
}

#[cfg(test)]
mod tests {
    use super::{BadTarget, Hosts, Service, Token};

    #[test]
    fn plain_http_is_for_this_machine() {
        for base in [
            "http://127.0.0.1:8765",
            "http://localhost/",
            "http://[::1]:1",
        ] {
            assert!(Hosts::at(base, false).is_ok(), "{base}");
        }
        let far = "http://files.example.org";
        assert!(matches!(
            Hosts::at(far, false),
            Err(BadTarget::PlainHttp(_))
        ));
        assert!(Hosts::at(far, true).is_ok());
        for base in [
            "",
            "files.example.org",
            "ftp://x",
            "https://x/?q",
            "https://u@x",
        ] {
            assert!(
                matches!(Hosts::at(base, true), Err(BadTarget::Url(_))),
                "{base}"
            );
        }
    }

    #[test]
    fn a_token_is_hidden_in_all_its_forms() {
        let hosts = Hosts::at("https://files.example.org", false).unwrap();
        let token = Token::parse(" a+b/c=\n").ok().unwrap();
        let service = Service::new(hosts, token, None).unwrap();
        let mut text = "Bearer a+b/c= and ?authorization=Bearer%20a%2Bb%2Fc%3D".to_owned();
        service.hide(&mut text);
        assert_eq!(text, "Bearer <token> and ?authorization=Bearer%20<token>");
        assert!(Token::parse(" ").is_err() && Token::parse("a b").is_err());
    }
}
