//! Where the service is.

use landfall_protocol::routes::{Host, Route};
use reqwest::Url;
use std::fmt;
use std::net::IpAddr;

/// The addresses of one service: Dropbox has a host for each kind of route, other servers
/// answer everything at one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    api: Url,
    content: Url,
    notify: Url,
}

/// An address that can't be an endpoint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{url}: {why}; give an address such as https://files.example.org or http://127.0.0.1:8765")]
pub struct BadEndpoint {
    url: String,
    why: String,
}

impl Endpoint {
    /// Dropbox itself.
    pub fn dropbox() -> Self {
        let host = |name: &str| {
            Url::parse(&format!("https://{name}.dropboxapi.com/")).expect("the text is a URL")
        };
        Self {
            api: host("api"),
            content: host("content"),
            notify: host("notify"),
        }
    }

    /// A server that answers all routes at one address, such as `http://127.0.0.1:8765`. A path
    /// in the address stays in front of the routes.
    ///
    /// # Errors
    /// [`BadEndpoint`] unless the text is an http or https URL without user, query or fragment.
    pub fn at(text: &str) -> Result<Self, BadEndpoint> {
        // A password in the address must not come back in the message.
        let shown = match text.rsplit_once('@') {
            Some((_, rest)) => format!("…@{rest}"),
            None => text.to_owned(),
        };
        let bad = |why: &str| BadEndpoint {
            url: shown.clone(),
            why: why.to_owned(),
        };
        let mut url = Url::parse(text).map_err(|error| bad(&format!("no URL ({error})")))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(bad("neither http nor https"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(bad("holds a user or password"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(bad("holds a query or fragment"));
        }
        if !url.path().ends_with('/') {
            let path = format!("{}/", url.path());
            url.set_path(&path);
        }
        Ok(Self {
            api: url.clone(),
            content: url.clone(),
            notify: url,
        })
    }

    /// Whether requests travel without encryption.
    pub fn is_plain_http(&self) -> bool {
        self.api.scheme() == "http"
    }

    /// Whether the server is on this machine by its address alone (`localhost` or a loopback
    /// IP address; names are not resolved).
    pub fn is_loopback(&self) -> bool {
        let host = self.api.host_str().unwrap_or_default();
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        host == "localhost" || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
    }

    /// The URL of a route.
    pub(crate) fn url(&self, route: &Route) -> Url {
        let base = self.base(route.host);
        base.join("2/")
            .and_then(|url| url.join(route.tail))
            .expect("a route's tail is a relative URL")
    }

    /// Whether one address answers all routes, as it is with every service but Dropbox.
    pub fn is_one_address(&self) -> bool {
        self.api == self.content && self.api == self.notify
    }

    /// The URL of something that a Landfall server offers beside the API; `None`: this is
    /// Dropbox.
    pub(crate) fn beside_the_api(&self, tail: &str) -> Option<Url> {
        let url = self.api.join(tail).expect("the tail is a relative URL");
        self.is_one_address().then_some(url)
    }

    /// Host and port as error texts name them.
    pub(crate) fn host(&self, host: Host) -> String {
        let url = self.base(host);
        match (url.host_str(), url.port()) {
            (Some(name), Some(port)) => format!("{name}:{port}"),
            (Some(name), None) => name.to_owned(),
            (None, _) => url.to_string(),
        }
    }

    fn base(&self, host: Host) -> &Url {
        match host {
            Host::Api => &self.api,
            Host::Content => &self.content,
            Host::Notify => &self.notify,
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.api.as_str().trim_end_matches('/'))
    }
}

#[cfg(test)]
mod tests {
    use super::Endpoint;
    use landfall_protocol::RouteId;

    fn url(endpoint: &Endpoint, route: RouteId) -> String {
        endpoint.url(route.route()).to_string()
    }

    #[test]
    fn each_dropbox_route_goes_to_its_host() {
        let dropbox = Endpoint::dropbox();
        assert_eq!(
            url(&dropbox, RouteId::UploadSessionFinish),
            "https://content.dropboxapi.com/2/files/upload_session/finish"
        );
        assert_eq!(
            url(&dropbox, RouteId::GetMetadata),
            "https://api.dropboxapi.com/2/files/get_metadata"
        );
        assert!(!dropbox.is_plain_http() && !dropbox.is_loopback());
        assert!(!dropbox.is_one_address());
        assert_eq!(dropbox.beside_the_api("landfall/notifications"), None);
    }

    #[test]
    fn another_server_answers_everything_at_one_address() {
        for (base, wanted) in [
            (
                "http://127.0.0.1:1234",
                "http://127.0.0.1:1234/2/check/user",
            ),
            (
                "https://h.example/box",
                "https://h.example/box/2/check/user",
            ),
            (
                "https://h.example/box/",
                "https://h.example/box/2/check/user",
            ),
        ] {
            let endpoint = Endpoint::at(base).unwrap();
            assert_eq!(url(&endpoint, RouteId::CheckUser), wanted);
            assert!(endpoint.is_one_address());
        }
    }

    #[test]
    fn loopback_is_told_from_the_rest() {
        for (base, loopback) in [
            ("http://127.0.0.1:1", true),
            ("http://[::1]:1", true),
            ("http://localhost", true),
            ("http://10.0.0.1", false),
            ("http://localhost.example", false),
        ] {
            assert_eq!(
                Endpoint::at(base).unwrap().is_loopback(),
                loopback,
                "{base}"
            );
        }
    }

    #[test]
    fn other_texts_are_refused_without_their_secrets() {
        for text in ["", "files", "ftp://h/", "https://h/?a=b", "https://h/#x"] {
            assert!(Endpoint::at(text).is_err(), "{text}");
        }
        let error = Endpoint::at("https://me:hunter2@h/").unwrap_err();
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
}
