//! One call, as a case wants it: also what no client would send.

use crate::answer::Answer;
use crate::finding::{Asked, Stop};
use crate::service::Service;
use futures_util::stream;
use reqwest::header::{AUTHORIZATION, HeaderValue, RETRY_AFTER};
use reqwest::{Body, Method, RequestBuilder, Response};
use serde_json::Value;
use std::fmt::Write;
use std::time::Duration;

/// How often a call is made again that the service has no time for.
const AGAIN: usize = 6;

/// The longest that a service may ask to wait.
const LONGEST_WAIT: u64 = 300;

/// What is shown of texts from outside.
const SHOWN: usize = 2000;

/// A call that is not made yet.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    service: &'a Service,
    method: Method,
    url: String,
    headers: Vec<(&'static str, Vec<u8>)>,
    anonymous: bool,
    body: Payload,
}

#[derive(Debug)]
enum Payload {
    None,
    Text(String),
    Bytes(Vec<u8>),
    /// In pieces, without a length.
    Chunked(Vec<Vec<u8>>),
}

impl<'a> Call<'a> {
    pub(crate) fn new(service: &'a Service, method: Method, url: String) -> Self {
        Self {
            service,
            method,
            url,
            headers: Vec::new(),
            anonymous: false,
            body: Payload::None,
        }
    }

    /// Sets a header to these bytes.
    pub(crate) fn header(mut self, name: &'static str, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name, value.as_ref().to_vec()));
        self
    }

    /// The argument in its header, escaped as documented.
    pub(crate) fn arg(self, arg: &Value) -> Self {
        self.header("dropbox-api-arg", escaped(&arg.to_string()))
    }

    /// Leaves the token out.
    pub(crate) fn anonymous(mut self) -> Self {
        self.anonymous = true;
        self
    }

    /// Bytes as the body.
    pub(crate) fn bytes(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.body = Payload::Bytes(bytes.into());
        self
    }

    /// Text as the body.
    pub(crate) fn text(mut self, text: impl Into<String>) -> Self {
        self.body = Payload::Text(text.into());
        self
    }

    /// A body in pieces whose length is not declared.
    pub(crate) fn chunked(mut self, pieces: Vec<Vec<u8>>) -> Self {
        self.body = Payload::Chunked(pieces);
        self
    }

    /// Makes the call. One that the service has no time for (status 429) is made again when it
    /// says.
    pub(crate) async fn send(self) -> Result<Answer, Stop> {
        let asked = self.asked();
        let mut left = AGAIN;
        loop {
            let response = match self.request(&asked)?.send().await {
                Ok(response) => response,
                Err(error) => return Err(no_answer(error, asked)),
            };
            if response.status().as_u16() == 429 && left > 0 {
                left -= 1;
                tokio::time::sleep(wait(&response)).await;
                continue;
            }
            let (status, headers) = (response.status().as_u16(), response.headers().clone());
            return match response.bytes().await {
                Ok(body) => Ok(Answer::new(asked, status, headers, body.to_vec())),
                Err(error) => Err(no_answer(error, asked)),
            };
        }
    }

    fn request(&self, asked: &Asked) -> Result<RequestBuilder, Stop> {
        let mut request = self
            .service
            .http()
            .request(self.method.clone(), self.url.as_str());
        for (name, value) in &self.headers {
            let value = HeaderValue::from_bytes(value)
                .map_err(|_| Stop::found("a header that can be sent", name, asked.clone(), None))?;
            request = request.header(*name, value);
        }
        if !self.anonymous {
            let bearer = format!("Bearer {}", self.service.token().expose());
            request = request.header(AUTHORIZATION, bearer);
        }
        Ok(match &self.body {
            Payload::None => request,
            Payload::Text(text) => request.body(text.clone()),
            Payload::Bytes(bytes) => request.body(bytes.clone()),
            Payload::Chunked(pieces) => {
                let pieces = pieces.clone().into_iter().map(Ok::<_, std::io::Error>);
                request.body(Body::wrap_stream(stream::iter(pieces)))
            }
        })
    }

    fn asked(&self) -> Asked {
        let shown = |value: &[u8]| shorten(&String::from_utf8_lossy(value));
        let body = match &self.body {
            Payload::Text(text) => Some(shorten(text)),
            _ => None,
        };
        let body_bytes = match &self.body {
            Payload::None => 0,
            Payload::Text(text) => text.len(),
            Payload::Bytes(bytes) => bytes.len(),
            Payload::Chunked(pieces) => pieces.iter().map(Vec::len).sum(),
        };
        Asked {
            method: self.method.to_string(),
            url: self.url.clone(),
            headers: self
                .headers
                .iter()
                .map(|(name, value)| ((*name).to_owned(), shown(value)))
                .collect(),
            body,
            body_bytes,
        }
    }
}

fn no_answer(error: reqwest::Error, asked: Asked) -> Stop {
    // The URL is shown anyway.
    let error = error.without_url();
    let mut why = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(error) = source {
        let _ = write!(why, ": {error}");
        source = error.source();
    }
    Stop::found("an answer", format!("none: {why}"), asked, None)
}

/// How long the service wants to be left alone.
fn wait(response: &Response) -> Duration {
    let header = response.headers().get(RETRY_AFTER);
    let seconds = header.and_then(|value| value.to_str().ok()?.trim().parse::<u64>().ok());
    Duration::from_secs(seconds.unwrap_or(1).min(LONGEST_WAIT))
}

/// The begin of a text that may be long.
pub(crate) fn shorten(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}… ({} bytes)", &text[..end], text.len()),
        None => text.to_owned(),
    }
}

/// JSON text as headers can carry it: what isn't printable ASCII as `\uXXXX`.
fn escaped(json: &str) -> String {
    let mut text = String::new();
    for unit in json.encode_utf16() {
        match u8::try_from(unit) {
            Ok(byte @ 0x20..0x7f) => text.push(char::from(byte)),
            _ => {
                let _ = write!(text, "\\u{unit:04x}");
            }
        }
    }
    text
}

/// A text as a value in a URL's query.
pub(crate) fn percent(text: &str) -> String {
    let mut url = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                url.push(char::from(byte));
            }
            _ => {
                let _ = write!(url, "%{byte:02X}");
            }
        }
    }
    url
}

#[cfg(test)]
mod tests {
    use super::{escaped, percent};

    #[test]
    fn arguments_are_escaped_by_utf16_units() {
        let text = "{\"path\":\"/Stra\u{df}e \u{1f40b} \u{7f}\"}";
        let wanted = r#"{"path":"/Stra\u00dfe \ud83d\udc0b \u007f"}"#;
        assert_eq!(escaped(text), wanted);
        assert_eq!(percent("/a b\u{df}"), "%2Fa%20b%C3%9F");
    }
}
