//! What a call that failed says.

use crate::transport::{Answer, Fault};
use crate::{Endpoint, TokenError};
use bytes::Bytes;
use landfall_protocol::errors::{self, Class};
use landfall_protocol::types::auth::{AuthError, RateLimitError};
use landfall_protocol::wire::shorten;
use landfall_protocol::{ErrorEnvelope, RouteId, Wire, limits};
use std::fmt;
use std::time::Duration;

/// A call failed: which one, where, why, and what there is to do. Its text is one line.
#[derive(Debug)]
pub struct CallError<E>(Box<Inner<E>>);

#[derive(Debug)]
struct Inner<E> {
    route: RouteId,
    host: String,
    failure: Failure<E>,
    answer: Option<(u16, Bytes)>,
}

/// Why a call failed.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Failure<E> {
    /// The route's own error (409).
    #[error("{refusal}")]
    Route {
        /// The error, typed.
        error: E,
        /// What it says.
        refusal: Refusal,
    },
    /// An error of the route that is newer than this code.
    #[error("{0}")]
    Unfamiliar(Refusal),
    /// The token is not good, or not good for this (401).
    #[error("{refusal}; log in again or use a token that may do this")]
    Auth {
        /// The error, typed, if this code knows it.
        error: Option<AuthError>,
        /// What it says.
        refusal: Refusal,
    },
    /// The account may not call this (403).
    #[error("{0}; ask whoever administers the account")]
    Access(Refusal),
    /// The service can't make sense of the request (400).
    #[error("the service does not accept the request: {text}")]
    BadRequest {
        /// In the service's words.
        text: String,
    },
    /// The path root is not the account's (422).
    #[error("{0}; use the path root that the account has now")]
    PathRoot(Refusal),
    /// Too many requests, or too many writes at once (429).
    #[error("{refusal}; wait {} seconds and try again", retry_after.as_secs())]
    RateLimited {
        /// When to try again, from the header or else the body.
        retry_after: Duration,
        /// What it says.
        refusal: Refusal,
    },
    /// There is no room, in the account or on the machine that serves (507); nothing was kept of
    /// the call.
    #[error("there is no space left: {text}")]
    NoSpace {
        /// Where, and what to do about it, in the service's words.
        text: String,
    },
    /// The service has trouble of its own (5xx).
    #[error("the service has trouble (status {status}): {excerpt}; try again later")]
    Server {
        /// HTTP status.
        status: u16,
        /// The beginning of the body.
        excerpt: String,
        /// When to try again, if the service says it.
        retry_after: Option<Duration>,
    },
    /// The answer is none of the API's: a login page, a proxy's error.
    #[error(
        "the answer is not the API's (status {status}): {excerpt}; check the address and any proxy between"
    )]
    Unreadable {
        /// HTTP status.
        status: u16,
        /// The beginning of the body, or what is wrong with it.
        excerpt: String,
    },
    /// The body is over [`limits::REQUEST_BODY`]; nothing was sent.
    #[error(
        "a request carries at most {} bytes, this one has {size}; use an upload session",
        limits::REQUEST_BODY
    )]
    TooLarge {
        /// Bytes in the body.
        size: u64,
    },
    /// There is no token; nothing was sent.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// No whole answer came.
    #[error(transparent)]
    Transport(#[from] Fault),
}

/// The words of an error answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The chain of tags, joined by `/`; empty if the answer had none.
    pub summary: String,
    /// What the service wants a person to read.
    pub user_message: Option<String>,
    /// What the tags leave out: the scope that a token lacks.
    detail: Option<String>,
    /// What the protocol's table says of it.
    meaning: Option<&'static str>,
    /// What the table says there is to do.
    class: Option<Class>,
}

impl Refusal {
    fn new(route: RouteId, envelope: &ErrorEnvelope) -> Self {
        let row = errors::lookup(route, &envelope.summary);
        let detail = match envelope.decode() {
            Some(AuthError::MissingScope(scope)) => Some(scope.required_scope),
            _ => None,
        };
        Self {
            detail,
            summary: envelope.summary.clone(),
            user_message: envelope.user_message.clone(),
            meaning: row.map(|row| row.when),
            class: row.map(|row| row.class),
        }
    }

    fn plain(text: String) -> Self {
        Self {
            summary: String::new(),
            user_message: Some(text),
            detail: None,
            meaning: None,
            class: None,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = self.user_message.as_deref().or(self.meaning);
        let detail = self.detail.as_deref().map(|detail| format!(": {detail}"));
        let detail = detail.unwrap_or_default();
        match (words, self.summary.as_str()) {
            (Some(words), "") => f.write_str(words),
            (Some(words), tags) => write!(f, "{words} ({tags}{detail})"),
            (None, tags) => write!(f, "{tags}{detail}"),
        }
    }
}

impl<E> CallError<E> {
    pub(crate) fn new(
        endpoint: &Endpoint,
        route: RouteId,
        failure: impl Into<Failure<E>>,
        answer: Option<(u16, Bytes)>,
    ) -> Self {
        Self(Box::new(Inner {
            route,
            host: endpoint.host(route.route().host),
            failure: failure.into(),
            answer,
        }))
    }

    /// The failure of one entry of a batch, whose call succeeded.
    #[cfg(feature = "transfer")]
    pub(crate) fn of_entry(endpoint: &Endpoint, route: RouteId, error: E) -> Self
    where
        E: Wire,
    {
        let refusal = Refusal::new(route, &ErrorEnvelope::of(&error));
        Self::new(endpoint, route, Failure::Route { error, refusal }, None)
    }

    /// The route that was called.
    pub fn route(&self) -> RouteId {
        self.0.route
    }

    /// Why it failed. Its text leaves out which call and where.
    pub fn failure(&self) -> &Failure<E> {
        &self.0.failure
    }

    /// Why it failed, by value.
    pub fn into_failure(self) -> Failure<E> {
        self.0.failure
    }

    /// The route's own error, if that is what it is.
    pub fn route_error(&self) -> Option<&E> {
        match &self.0.failure {
            Failure::Route { error, .. } => Some(error),
            _ => None,
        }
    }

    /// The HTTP status, if there was an answer.
    pub fn status(&self) -> Option<u16> {
        self.0.answer.as_ref().map(|(status, _)| *status)
    }

    /// The answer's body as it came, if there was an answer.
    pub fn raw(&self) -> Option<&Bytes> {
        self.0.answer.as_ref().map(|(_, body)| body)
    }

    /// The chain of tags of an error answer, such as `path/conflict/file`.
    pub fn summary(&self) -> Option<&str> {
        match &self.0.failure {
            Failure::Route { refusal, .. }
            | Failure::Unfamiliar(refusal)
            | Failure::Auth { refusal, .. }
            | Failure::Access(refusal)
            | Failure::PathRoot(refusal)
            | Failure::RateLimited { refusal, .. } => Some(&refusal.summary),
            _ => None,
        }
    }

    /// What there is to do about it.
    pub fn class(&self) -> Class {
        match &self.0.failure {
            Failure::Route { refusal, .. }
            | Failure::Unfamiliar(refusal)
            | Failure::Auth { refusal, .. }
            | Failure::Access(refusal)
            | Failure::PathRoot(refusal) => refusal.class.unwrap_or(Class::Permanent),
            Failure::RateLimited { .. } | Failure::Server { .. } => Class::Temporary,
            Failure::Transport(fault) if fault.is_temporary() => Class::Temporary,
            Failure::Transport(_)
            | Failure::BadRequest { .. }
            | Failure::Unreadable { .. }
            | Failure::TooLarge { .. }
            | Failure::NoSpace { .. }
            | Failure::Token(_) => Class::Permanent,
        }
    }

    /// How long the service asks to wait.
    pub fn retry_after(&self) -> Option<Duration> {
        match &self.0.failure {
            Failure::RateLimited { retry_after, .. } => Some(*retry_after),
            Failure::Server { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// Whether the service may have done what the call asked for although the call failed:
    /// the answer was lost, unreadable, or tells of trouble half-way.
    pub fn may_have_happened(&self) -> bool {
        match &self.0.failure {
            Failure::Transport(fault) => fault.may_have_arrived(),
            Failure::Server { .. } | Failure::Unreadable { .. } => true,
            _ => false,
        }
    }
}

impl<E: fmt::Debug> fmt::Display for CallError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tail = self.0.route.route().tail;
        match &self.0.failure {
            // It names the host itself.
            Failure::Transport(fault) => write!(f, "{tail}: {fault}"),
            failure => write!(f, "{tail} at {}: {failure}", self.0.host),
        }
    }
}

impl<E: fmt::Debug> std::error::Error for CallError<E> {}

/// What the answer with this status and body is, if it is no success.
pub(crate) fn judge<E: Wire>(route: RouteId, answer: &Answer) -> Failure<E> {
    let status = answer.status;
    let envelope = ErrorEnvelope::parse(&answer.body);
    let refusal = envelope
        .as_ref()
        .map(|envelope| Refusal::new(route, envelope));
    match (status, envelope, refusal) {
        (400, None, _) => Failure::BadRequest {
            text: excerpt(&answer.body),
        },
        (400, _, Some(refusal)) => Failure::BadRequest {
            text: refusal.to_string(),
        },
        (401, Some(envelope), Some(refusal)) => Failure::Auth {
            error: envelope.decode(),
            refusal,
        },
        (403, _, Some(refusal)) => Failure::Access(refusal),
        (422, _, Some(refusal)) => Failure::PathRoot(refusal),
        (429, envelope, refusal) => {
            let said = envelope.and_then(|envelope| envelope.decode::<RateLimitError>());
            let from_body = Duration::from_secs(said.map_or(1, |error| error.retry_after));
            Failure::RateLimited {
                retry_after: answer.retry_after.unwrap_or(from_body),
                refusal: refusal.unwrap_or_else(|| Refusal::plain("too many requests".into())),
            }
        }
        // 404 where a service knows the route but says so by status.
        (404 | 409, Some(envelope), Some(refusal)) => match envelope.decode() {
            Some(error) => Failure::Route { error, refusal },
            None => Failure::Unfamiliar(refusal),
        },
        (507, ..) => Failure::NoSpace {
            text: excerpt(&answer.body),
        },
        (408 | 500.., ..) => Failure::Server {
            status,
            excerpt: excerpt(&answer.body),
            retry_after: answer.retry_after,
        },
        _ => Failure::Unreadable {
            status,
            excerpt: excerpt(&answer.body),
        },
    }
}

/// The beginning of a body, fit for one line of an error text.
pub(crate) fn excerpt(body: &[u8]) -> String {
    const MOST: usize = 300;
    // No need to look at megabytes for a few hundred characters.
    let head = &body[..body.len().min(8 * MOST)];
    let text = String::from_utf8_lossy(head);
    let line: Vec<&str> = text.split_whitespace().collect();
    let line: String = line.join(" ").replace(char::is_control, "");
    if line.is_empty() {
        "(empty)".to_owned()
    } else {
        shorten(&line, MOST)
    }
}

#[cfg(test)]
mod tests {
    use super::{CallError, Failure, excerpt, judge};
    use crate::Endpoint;
    use crate::transport::{Answer, Fault};
    use bytes::Bytes;
    use landfall_protocol::RouteId;
    use landfall_protocol::errors::Class;
    use landfall_protocol::types::sessions::UploadSessionAppendError;
    use std::time::Duration;

    type Append = UploadSessionAppendError;

    fn error(status: u16, retry_after: Option<u64>, body: &str) -> CallError<Append> {
        let answer = Answer {
            status,
            retry_after: retry_after.map(Duration::from_secs),
            body: Bytes::copy_from_slice(body.as_bytes()),
            cut: false,
        };
        let route = RouteId::UploadSessionAppend;
        let failure = judge::<Append>(route, &answer);
        CallError::new(
            &Endpoint::dropbox(),
            route,
            failure,
            Some((answer.status, answer.body)),
        )
    }

    #[test]
    fn the_answers_of_the_api_are_told_apart() {
        let offset = error(
            409,
            None,
            r#"{"error_summary": "incorrect_offset/..", "error": {".tag": "incorrect_offset", "correct_offset": 9}}"#,
        );
        assert_eq!(offset.class(), Class::AskTheOffset);
        assert!(
            matches!(offset.route_error(), Some(Append::IncorrectOffset(at)) if at.correct_offset == 9)
        );
        assert_eq!(offset.status(), Some(409));

        let expired = error(
            401,
            None,
            r#"{"error_summary": "expired_access_token/", "error": {".tag": "expired_access_token"}}"#,
        );
        assert_eq!(expired.class(), Class::Refresh);
        assert!(matches!(
            expired.failure(),
            Failure::Auth { error: Some(_), .. }
        ));

        let scope = error(
            401,
            None,
            r#"{"error_summary": "missing_scope/", "error": {".tag": "missing_scope", "required_scope": "files.metadata.read"}}"#,
        );
        assert!(
            scope
                .to_string()
                .contains("(missing_scope: files.metadata.read)"),
            "{scope}"
        );

        let bad = error(400, None, "Error in call to API function \"x\": bad\n");
        assert_eq!(bad.class(), Class::Permanent);
        assert!(bad.to_string().contains("Error in call"), "{bad}");

        let root = error(
            422,
            None,
            r#"{"error_summary": "no_permission/..", "error": {".tag": "no_permission"}}"#,
        );
        assert!(matches!(root.failure(), Failure::PathRoot(_)));
    }

    #[test]
    fn the_wait_comes_from_the_header_then_from_the_body() {
        let body = r#"{"error_summary": "too_many_requests/", "error": {"reason": {".tag": "too_many_requests"}, "retry_after": 15}}"#;
        assert_eq!(
            error(429, None, body).retry_after(),
            Some(Duration::from_secs(15))
        );
        assert_eq!(
            error(429, Some(3), body).retry_after(),
            Some(Duration::from_secs(3))
        );
        assert_eq!(
            error(429, None, "slow down").retry_after(),
            Some(Duration::from_secs(1))
        );
        assert_eq!(error(429, None, "slow down").class(), Class::Temporary);
    }

    #[test]
    fn trouble_on_the_way_is_told_from_the_services_own() {
        let trouble = error(503, Some(7), "<html>upstream</html>");
        assert_eq!(trouble.class(), Class::Temporary);
        assert!(trouble.may_have_happened());
        assert_eq!(trouble.retry_after(), Some(Duration::from_secs(7)));

        let portal = error(200, None, "<html>please log in</html>");
        assert!(matches!(portal.failure(), Failure::Unreadable { .. }));
        assert_eq!(portal.class(), Class::Permanent);
        let odd = error(409, None, "conflict");
        assert!(matches!(
            odd.failure(),
            Failure::Unreadable { status: 409, .. }
        ));
    }

    #[test]
    fn no_space_is_final_and_told_in_the_services_words() {
        for (body, told) in [
            (
                "The account is full: its quota is 8 bytes.",
                "there is no space left: The account is full: its quota is 8 bytes.",
            ),
            ("", "there is no space left: (empty)"),
        ] {
            let full = error(507, Some(9), body);
            assert!(full.to_string().contains(told), "{full}");
            assert_eq!(full.class(), Class::Permanent);
            assert!(!full.may_have_happened());
        }
    }

    #[test]
    fn a_broken_connection_leaves_the_outcome_open_and_a_refused_one_does_not() {
        let fault = |fault: Fault| {
            CallError::<Append>::new(
                &Endpoint::dropbox(),
                RouteId::UploadSessionAppend,
                fault,
                None,
            )
        };
        let why = || "x".to_owned();
        let broken = fault(Fault::Broken {
            host: why(),
            why: why(),
        });
        assert!(broken.may_have_happened() && broken.class() == Class::Temporary);
        let refused = fault(Fault::Connect {
            host: why(),
            why: why(),
        });
        assert!(!refused.may_have_happened() && refused.class() == Class::Temporary);
    }

    #[test]
    fn errors_newer_than_this_code_are_carried_by_their_tags() {
        let news = error(
            409,
            None,
            r#"{"error_summary": "news/.", "error": {".tag": "news"}}"#,
        );
        assert_eq!(news.summary(), Some("news"));
        assert_eq!(news.class(), Class::Permanent);
    }

    #[test]
    fn an_excerpt_is_one_short_line() {
        assert_eq!(excerpt(b" a\n\tb\x1b[0m\xff "), "a b[0m\u{fffd}");
        assert_eq!(excerpt(b"  "), "(empty)");
        assert!(excerpt(&vec![b'x'; 1 << 20]).len() < 400);
    }
}
