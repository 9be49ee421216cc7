//! Answers: results, the API's errors, and what happens to everything else.

use crate::blobs::BlobError;
use crate::meta::MetaError;
use crate::ops::{BodyError, ContentReader, Failure, Trouble};
use bytes::Bytes;
use futures_util::stream::{self, Stream, StreamExt};
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Frame;
use landfall_protocol::json::to_line;
use landfall_protocol::routes::api_name;
use landfall_protocol::types::auth::{AuthError, PathRootError, RateLimitError, RateLimitReason};
use landfall_protocol::wire::{Json, tagged};
use landfall_protocol::{ErrorEnvelope, RouteId, Wire, errors};

/// The body of an answer.
pub(crate) type ReplyBody = UnsyncBoxBody<Bytes, Trouble>;

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply {
    response: Response<ReplyBody>,
}

/// The mark of an answer that says that the disk is full.
#[derive(Clone, Copy, Debug)]
struct DiskFull;

/// A request that can't be understood: status 400 and a sentence, without its beginning.
#[derive(Clone, Debug)]
pub(crate) struct BadRequest(String);

impl BadRequest {
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

/// Why a request doesn't get as far as its route.
#[derive(Debug)]
pub(crate) enum Refused {
    /// Status 400.
    BadRequest(BadRequest),
    /// A JSON error before any route's own: 401, 422, 429.
    General {
        /// The status.
        status: StatusCode,
        /// The error.
        envelope: ErrorEnvelope,
    },
    /// The server's own trouble.
    Trouble(Trouble),
}

impl Refused {
    pub(super) fn auth(error: &AuthError) -> Self {
        Self::general(StatusCode::UNAUTHORIZED, error)
    }

    pub(super) fn path_root(error: &PathRootError) -> Self {
        Self::general(StatusCode::UNPROCESSABLE_ENTITY, error)
    }

    fn general(status: StatusCode, error: &impl Wire) -> Self {
        Self::General {
            status,
            envelope: ErrorEnvelope::of(error),
        }
    }
}

impl From<BadRequest> for Refused {
    fn from(bad: BadRequest) -> Self {
        Self::BadRequest(bad)
    }
}

impl<T: Into<Trouble>> From<T> for Refused {
    fn from(trouble: T) -> Self {
        Self::Trouble(trouble.into())
    }
}

impl Reply {
    /// A result: status 200 and its JSON.
    pub(crate) fn result(value: &impl Wire) -> Self {
        Self::json(StatusCode::OK, &value.encode())
    }

    /// A failed use case of a route.
    pub(crate) fn failure<E: Wire>(route: RouteId, failure: Failure<E>) -> Self {
        match failure {
            Failure::Route(error) => Self::route_error(route, &ErrorEnvelope::of(&error)),
            Failure::Trouble(trouble) => Self::trouble(route, &trouble),
        }
    }

    /// A request that didn't get as far as its route.
    pub(crate) fn refused(route: RouteId, refused: Refused) -> Self {
        match refused {
            Refused::BadRequest(bad) => Self::bad_request(route.route().tail, &bad),
            Refused::Trouble(trouble) => Self::trouble(route, &trouble),
            Refused::General { status, envelope } => {
                let mut reply = Self::json(status, &envelope.encode());
                if status == StatusCode::UNAUTHORIZED {
                    let challenge = HeaderValue::from_static("Bearer realm=\"Dropbox-API\"");
                    reply.set(header::WWW_AUTHENTICATE, challenge);
                }
                reply
            }
        }
    }

    /// A request to what isn't a route that didn't get far.
    pub(super) fn refused_elsewhere(refused: Refused) -> Self {
        match refused {
            Refused::BadRequest(BadRequest(text)) => Self::text(StatusCode::BAD_REQUEST, text),
            // The route names where the trouble was, and that it may be a body's.
            other => Self::refused(RouteId::ListFolder, other),
        }
    }

    /// Status 400 for a call to the function at this URL tail, known or not.
    pub(super) fn bad_request(tail: &str, BadRequest(text): &BadRequest) -> Self {
        let name = api_name(tail);
        Self::text(
            StatusCode::BAD_REQUEST,
            format!("Error in call to API function \"{name}\": {text}"),
        )
    }

    /// An error of the route, with the status that the table of errors gives it.
    fn route_error(route: RouteId, envelope: &ErrorEnvelope) -> Self {
        let row = errors::lookup(route, &envelope.summary);
        let status = row.and_then(|row| StatusCode::from_u16(row.status).ok());
        Self::json(status.unwrap_or(StatusCode::CONFLICT), &envelope.encode())
    }

    fn trouble(route: RouteId, trouble: &Trouble) -> Self {
        match trouble {
            Trouble::Body(BodyError::TooLarge) => {
                const TAG: &str = "payload_too_large";
                if errors::lookup(route, TAG).is_none() {
                    let bad = BadRequest::new("request body: too large");
                    return Self::bad_request(route.route().tail, &bad);
                }
                let envelope = ErrorEnvelope {
                    summary: TAG.into(),
                    error: tagged(TAG).into(),
                    user_message: None,
                };
                Self::route_error(route, &envelope)
            }
            Trouble::Body(BodyError::TooSlow) => {
                Self::text(StatusCode::REQUEST_TIMEOUT, trouble.to_string())
            }
            Trouble::Body(BodyError::Broken(_)) => {
                let bad = BadRequest::new(format!("request body: {trouble}"));
                Self::bad_request(route.route().tail, &bad)
            }
            Trouble::BadArgument(what) => {
                Self::bad_request(route.route().tail, &BadRequest::new(*what))
            }
            Trouble::Meta(MetaError::Busy) => Self::too_many_writes(),
            Trouble::Meta(MetaError::Gone(_)) => {
                Self::refused(route, Refused::auth(&AuthError::InvalidAccessToken))
            }
            Trouble::Meta(MetaError::Fenced) => {
                tracing::warn!(route = route.route().tail, %trouble, "the writer has a new name");
                Self::text(StatusCode::SERVICE_UNAVAILABLE, "Try again.")
            }
            Trouble::Meta(MetaError::NoSpace) | Trouble::Blob(BlobError::NoSpace) => {
                // The log has one line about it, by `Room`.
                let mut reply = Self::text(
                    StatusCode::INSUFFICIENT_STORAGE,
                    "The server has no space left on its disk; nothing of this request was kept. Delete what isn't needed, and ask the operator of the server to make room.",
                );
                reply.response.extensions_mut().insert(DiskFull);
                reply
            }
            Trouble::OverQuota(full) => {
                Self::text(StatusCode::INSUFFICIENT_STORAGE, full.to_string())
            }
            // Its reason is in the log since it began.
            Trouble::Meta(MetaError::Stopped(_)) => Self::text(
                StatusCode::INTERNAL_SERVER_ERROR,
                "The server has stopped writing because its disk failed. Its operator finds the reason in its log, and must restart it.",
            ),
            // What exactly is wrong is for the operator's log: it may name files.
            Trouble::Meta(_) | Trouble::Blob(_) => {
                tracing::error!(route = route.route().tail, %trouble, "request failed");
                Self::text(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "Internal server error. The server's log says what failed.",
                )
            }
        }
    }

    /// Others write at the same time: status 429, with the waiting time in header and body.
    fn too_many_writes() -> Self {
        let error = RateLimitError {
            reason: RateLimitReason::TooManyWriteOperations,
            retry_after: 1,
        };
        let envelope = ErrorEnvelope::of(&error);
        let mut reply = Self::json(StatusCode::TOO_MANY_REQUESTS, &envelope.encode());
        reply.set(header::RETRY_AFTER, HeaderValue::from_static("1"));
        reply
    }

    /// JSON. The type is exactly this: the Python SDK compares it byte for byte.
    fn json(status: StatusCode, value: &Json) -> Self {
        Self::with(status, "application/json", Full::from(to_line(value)))
    }

    /// Plain text.
    pub(super) fn text(status: StatusCode, text: impl Into<Bytes>) -> Self {
        Self::with(status, "text/plain; charset=utf-8", Full::from(text.into()))
    }

    /// No body.
    pub(crate) fn empty(status: StatusCode) -> Self {
        let body = Full::<Bytes>::default()
            .map_err(|never| match never {})
            .boxed_unsync();
        let mut response = Response::new(body);
        *response.status_mut() = status;
        Self { response }
    }

    /// The bytes of a content; `length` of them.
    pub(crate) fn bytes(status: StatusCode, reader: ContentReader, length: u64) -> Self {
        let frames = stream::try_unfold(reader, |mut reader| async move {
            match reader.next().await {
                Ok(Some(bytes)) => Ok(Some((Frame::data(bytes), reader))),
                Ok(None) => Ok(None),
                Err(trouble) => {
                    // The status is gone already; the broken length tells the client.
                    tracing::error!(%trouble, "a download broke off");
                    Err(trouble)
                }
            }
        });
        let mut reply = Self {
            response: Response::new(StreamBody::new(frames).boxed_unsync()),
        };
        *reply.response.status_mut() = status;
        reply.set(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/octet-stream"),
        );
        reply.set(header::CONTENT_LENGTH, HeaderValue::from(length));
        reply
    }

    /// A stream that ends when it likes.
    pub(super) fn stream(
        kind: &'static str,
        pieces: impl Stream<Item = Bytes> + Send + 'static,
    ) -> Self {
        let frames = pieces.map(|bytes| Ok(Frame::data(bytes)));
        let mut reply = Self {
            response: Response::new(StreamBody::new(frames).boxed_unsync()),
        };
        reply.set(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        reply
    }

    fn with(status: StatusCode, kind: &'static str, body: Full<Bytes>) -> Self {
        let mut response = Response::new(body.map_err(|never| match never {}).boxed_unsync());
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        Self { response }
    }

    /// Sets a header.
    pub(crate) fn set(&mut self, name: HeaderName, value: HeaderValue) {
        self.response.headers_mut().insert(name, value);
    }

    /// Whether it says that the disk is full; a full account has the same status.
    pub(super) fn is_disk_full(&self) -> bool {
        self.response.extensions().get::<DiskFull>().is_some()
    }

    /// The status.
    pub(super) fn status(&self) -> u16 {
        self.response.status().as_u16()
    }

    /// The answer as HTTP, with the headers that each one has.
    pub(super) fn into_response(mut self, request_id: &str) -> Response<ReplyBody> {
        let plain = [
            (header::CACHE_CONTROL, "no-cache"),
            (header::PRAGMA, "no-cache"),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (
                header::CONTENT_SECURITY_POLICY,
                "sandbox allow-forms allow-scripts",
            ),
            (
                HeaderName::from_static("x-robots-tag"),
                "noindex, nofollow, noimageindex",
            ),
            (header::VARY, "Accept-Encoding"),
        ];
        for (name, value) in plain {
            self.set(name, HeaderValue::from_static(value));
        }
        if let Ok(id) = HeaderValue::from_str(request_id) {
            self.set(HeaderName::from_static("x-dropbox-request-id"), id);
        }
        self.response
    }
}

#[cfg(test)]
mod tests {
    use super::{Failure, Reply};
    use crate::blobs::BlobError;
    use crate::meta::MetaError;
    use crate::ops::{OverQuota, Trouble};
    use http_body_util::BodyExt;
    use landfall_protocol::RouteId;
    use landfall_protocol::routes::NoError;

    #[test]
    fn a_full_account_is_no_full_disk() {
        let reply = |trouble| Reply::trouble(RouteId::UploadSessionStart, &trouble);
        let disk = reply(Trouble::Blob(BlobError::NoSpace));
        let account = reply(Trouble::OverQuota(OverQuota::default()));
        assert_eq!((disk.status(), account.status()), (507, 507));
        assert!(disk.is_disk_full() && !account.is_disk_full());
    }

    #[tokio::test]
    async fn who_waited_too_long_for_others_is_told_when_to_come_back() {
        let busy: Failure<NoError> = MetaError::Busy.into();
        let response = Reply::failure(RouteId::UploadSessionFinishBatch, busy).into_response("id");
        assert_eq!(response.status(), 429);
        assert_eq!(response.headers()["retry-after"], "1");
        assert_eq!(response.headers()["content-type"], "application/json");
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(
            body,
            r#"{"error_summary": "too_many_write_operations/.", "error": {"reason": {".tag": "too_many_write_operations"}, "retry_after": 1}}"#
        );
    }
}
