use dropbox_sdk::client_trait::{HttpClient, HttpRequest, HttpRequestResultRaw, UserAuthClient};
use dropbox_sdk::sync_routes::files;
use dropbox_sdk::types::files::{
    CommitInfo, UploadSessionCursor, UploadSessionFinishArg, UploadSessionStartArg,
};
use std::sync::Arc;
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::typestate::WithBody;

/// Calls a server of one's own where the SDK names Dropbox.
struct Client {
    agent: ureq::Agent,
    server: String,
    token: Arc<String>,
}

struct Request(ureq::RequestBuilder<WithBody>);

impl HttpRequest for Request {
    fn set_header(self, name: &str, value: &str) -> Self {
        Self(self.0.header(name, value))
    }
}

impl HttpClient for Client {
    type Request = Request;

    fn new_request(&self, url: &str) -> Request {
        // https:, nothing, the host, and the rest.
        let route = url.splitn(4, '/').last().unwrap_or_default();
        Request(self.agent.post(format!("{}/{route}", self.server)))
    }

    fn execute(
        &self,
        request: Request,
        body: &[u8],
    ) -> Result<HttpRequestResultRaw, dropbox_sdk::Error> {
        let answer = request.0.send(body);
        let answer = answer.map_err(|error| dropbox_sdk::Error::HttpClient(Box::new(error)))?;
        let header = |name| Some(answer.headers().get(name)?.to_str().ok()?.to_owned());
        Ok(HttpRequestResultRaw {
            status: answer.status().as_u16(),
            result_header: header("Dropbox-API-Result"),
            content_length: header("Content-Length").and_then(|length| length.parse().ok()),
            body: Box::new(answer.into_body().into_reader()),
        })
    }

    fn token(&self) -> Option<Arc<String>> {
        Some(self.token.clone())
    }
}

impl UserAuthClient for Client {}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let authority = std::fs::read(std::env::var("LANDFALL_CA_CERT")?)?;
    let authority = RootCerts::new_with_certs(&[Certificate::from_pem(&authority)?]);
    let tls = TlsConfig::builder().root_certs(authority).build();
    let config = ureq::Agent::config_builder().tls_config(tls);
    let client = Client {
        // What isn't a success is for the SDK to read.
        agent: config.http_status_as_error(false).build().into(),
        server: std::env::var("LANDFALL_URL")?,
        token: Arc::new(std::env::var("LANDFALL_TOKEN")?),
    };
    let arg = UploadSessionStartArg::default();
    let start = files::upload_session_start(&client, &arg, b"that was ")?;
    let cursor = UploadSessionCursor::new(start.session_id, 9);
    let arg = UploadSessionFinishArg::new(cursor, CommitInfo::new("/rust.txt".into()));
    let saved = files::upload_session_finish(&client, &arg, b"all")?;
    println!("{} {}", saved.path_display.unwrap_or_default(), saved.size);
    Ok(())
}
