//! What lets scripts of other sites call the API from a browser, as the service does.
//!
//! Callers show a token, never a cookie, so a site can do nothing for which it wasn't given one:
//! any site may ask. Only the API is open in this way, not what an operator asks for.

use super::reply::Reply;
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, ORIGIN,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode};

/// The headers of answers that a script may read beyond the usual ones.
const EXPOSED: &str = "Dropbox-API-Result, X-Dropbox-Request-Id, Retry-After, ETag, \
                       Accept-Ranges, Content-Range, Content-Length, Original-Content-Length";

/// The answer to a browser that asks before it calls; `None`: this is no such question.
pub(super) fn preflight(method: &Method, headers: &HeaderMap) -> Option<Reply> {
    let asks = *method == Method::OPTIONS && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD);
    if !asks {
        return None;
    }
    let mut reply = Reply::empty(StatusCode::NO_CONTENT);
    let methods = HeaderValue::from_static("GET, POST, OPTIONS");
    reply.set(ACCESS_CONTROL_ALLOW_METHODS, methods);
    // What isn't known is ignored in a request, so it may as well be sent.
    if let Some(wanted) = headers.get(ACCESS_CONTROL_REQUEST_HEADERS) {
        reply.set(ACCESS_CONTROL_ALLOW_HEADERS, wanted.clone());
    }
    reply.set(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("86400"));
    Some(reply)
}

/// Whether a browser sends the request for a script.
pub(super) fn is_scripted(headers: &HeaderMap) -> bool {
    headers.contains_key(ORIGIN)
}

/// Lets the script read the answer.
pub(super) fn open(reply: &mut Reply) {
    reply.set(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    let exposed = HeaderValue::from_static(EXPOSED);
    reply.set(ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
}
