//! Answers that don't come from the server behind the proxy.

/// An answer made beforehand.
#[derive(Clone, Debug)]
pub struct Canned {
    /// HTTP status.
    pub status: u16,
    /// `Content-Type`.
    pub content_type: &'static str,
    /// `Retry-After` in seconds.
    pub retry_after: Option<u32>,
    /// The body.
    pub body: String,
}

impl Canned {
    fn new(status: u16, content_type: &'static str, body: impl Into<String>) -> Self {
        Self {
            status,
            content_type,
            retry_after: None,
            body: body.into(),
        }
    }

    /// 503 as plain text.
    pub fn unavailable() -> Self {
        Self::new(503, "text/plain", "upstream is not ready")
    }

    /// 500 as a web page.
    pub fn broken() -> Self {
        let page = "<!DOCTYPE html><title>Error</title>Something went wrong.";
        Self::new(500, "text/html", page)
    }

    /// 200 with a page that is none of the API's, as captive portals send.
    pub fn portal() -> Self {
        let page = "<!DOCTYPE html><title>Welcome</title>Please log in to use this network.";
        Self::new(200, "text/html", page)
    }

    /// 429 as the API says it; the wait also stands in the header.
    pub fn slow_down(seconds: u32) -> Self {
        let body = format!(
            r#"{{"error_summary": "too_many_requests/", "error": {{"reason": {{".tag": "too_many_requests"}}, "retry_after": {seconds}}}}}"#
        );
        Self {
            retry_after: Some(seconds),
            ..Self::new(429, "application/json", body)
        }
    }

    /// 429 as plain text, as a proxy says it.
    pub fn slow_down_plainly() -> Self {
        Self {
            retry_after: Some(0),
            ..Self::new(429, "text/plain", "too many requests")
        }
    }

    /// 409 with this summary and, as JSON, this error.
    pub fn refusal(summary: &str, error: &str) -> Self {
        let body = format!(r#"{{"error_summary": "{summary}/..", "error": {error}}}"#);
        Self::new(409, "application/json", body)
    }

    /// 200 with this JSON.
    pub fn success(json: &str) -> Self {
        Self::new(200, "application/json", json)
    }

    /// 431 as a machine in between says it that finds the headers too long.
    pub fn too_long() -> Self {
        Self::new(431, "text/html", "<h1>Request Header Fields Too Large</h1>")
    }

    /// The answer as it goes over the wire.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let retry_after = match self.retry_after {
            Some(seconds) => format!("retry-after: {seconds}\r\n"),
            None => String::new(),
        };
        let Self {
            status,
            content_type,
            body,
            ..
        } = self;
        let length = body.len();
        format!(
            "HTTP/1.1 {status} Canned\r\ncontent-type: {content_type}\r\n{retry_after}content-length: {length}\r\n\r\n{body}"
        )
        .into_bytes()
    }
}
