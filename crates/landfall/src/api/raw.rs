//! The end of a call as status and data, for callers who read the JSON themselves.

use super::error::{CallError, Failure};
use super::{NoAnswer, NoAnswerReason, Reply};
use crate::transport::Fault;
use bytes::Bytes;
use landfall_protocol::wire::{Json, tagged};
use landfall_protocol::{ErrorEnvelope, json};
use std::fmt::Debug;

/// How a call ended, whether well or not: an HTTP status and data.
///
/// | Status | Data |
/// |---|---|
/// | 200 | the route's result, as it came |
/// | another HTTP status | what the service said instead, as it came |
/// | 409, for a payload over [`limits::REQUEST_BODY`] | the service's own `payload_too_large`; nothing was sent |
/// | 0 | there is no answer of the API: a [`NoAnswer`] as JSON |
///
/// 200 is a success and nothing else is: a page that answers 200 in the service's place has
/// status 0.
///
/// [`limits::REQUEST_BODY`]: landfall_protocol::limits::REQUEST_BODY
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawReply {
    /// The HTTP status, or 0.
    pub status: u16,
    /// JSON where the API answered; whatever came where something else did.
    pub data: Bytes,
}

impl RawReply {
    /// What a service says of a payload that is too large for one request.
    fn payload_too_large() -> Self {
        let tag = "payload_too_large";
        Self::error(
            409,
            &ErrorEnvelope {
                summary: tag.to_owned(),
                error: Json::Object(tagged(tag)),
                user_message: None,
            },
        )
    }

    /// There is no answer of the API; `text` tells a person.
    pub(crate) fn no_answer(answer: NoAnswer, text: String) -> Self {
        Self::error(0, &answer.envelope(text))
    }

    fn error(status: u16, envelope: &ErrorEnvelope) -> Self {
        Self {
            status,
            data: json::to_line(&envelope.encode()).into(),
        }
    }
}

impl<T, E: Debug> From<Result<Reply<T>, CallError<E>>> for RawReply {
    fn from(result: Result<Reply<T>, CallError<E>>) -> Self {
        let error = match result {
            Ok(Reply { status, raw, .. }) => return Self { status, data: raw },
            Err(error) => error,
        };
        let reason = match error.failure() {
            Failure::TooLarge { .. } => return Self::payload_too_large(),
            Failure::Transport(fault) => fault.into(),
            Failure::Token(_) => NoAnswerReason::NoToken,
            _ => match (error.status(), error.raw()) {
                (Some(status), Some(data)) if status != 200 => {
                    return Self {
                        status,
                        data: data.clone(),
                    };
                }
                _ => NoAnswerReason::Unreadable,
            },
        };
        let answer = NoAnswer {
            reason,
            may_have_happened: error.may_have_happened(),
            temporary: error.class() == landfall_protocol::errors::Class::Temporary,
        };
        Self::no_answer(answer, error.to_string())
    }
}

impl From<&Fault> for NoAnswerReason {
    fn from(fault: &Fault) -> Self {
        match fault {
            Fault::Connect { .. } => Self::Connect,
            Fault::Certificate { .. } => Self::Certificate,
            Fault::Broken { .. } => Self::Broken,
            Fault::Stalled { .. } => Self::Stalled,
            Fault::BadToken { .. } => Self::BadToken,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::RawReply;
    use crate::api::error::judge;
    use crate::api::{CallError, NoAnswerReason, Reply};
    use crate::transport::{Answer, Fault};
    use crate::{Endpoint, Failure, TokenError};
    use bytes::Bytes;
    use landfall_protocol::routes::{ROUTES, Style};
    use landfall_protocol::types::sessions::UploadSessionAppendError;
    use landfall_protocol::{ErrorEnvelope, RouteId, Wire};

    type Append = UploadSessionAppendError;

    fn failed(failure: Failure<Append>, answer: Option<(u16, &'static str)>) -> RawReply {
        let answer = answer.map(|(status, body)| (status, Bytes::from(body)));
        let route = RouteId::UploadSessionAppend;
        let error = CallError::new(&Endpoint::dropbox(), route, failure, answer);
        RawReply::from(Err::<Reply<()>, _>(error))
    }

    fn answered(status: u16, body: &'static str) -> RawReply {
        let answer = Answer {
            status,
            retry_after: None,
            body: Bytes::from(body),
            cut: false,
        };
        let failure = judge(RouteId::UploadSessionAppend, &answer);
        failed(failure, Some((status, body)))
    }

    #[test]
    fn what_the_service_says_is_passed_on_as_it_came() {
        let refusal = r#"{"error": {".tag":"closed"},"error_summary": "closed/.."}"#;
        for (status, body) in [
            (409, refusal),
            (409, "conflict"),
            (400, "Error in call to API function"),
            (401, "{}"),
            (429, "slow down"),
            (302, ""),
            (502, "<html>"),
            (507, "full"),
        ] {
            let reply = answered(status, body);
            assert_eq!((reply.status, &reply.data[..]), (status, body.as_bytes()));
        }
    }

    /// Everything that a caller may rely on in the form of a failure without an answer.
    #[test]
    fn without_an_answer_of_the_api_there_is_a_json_error_with_status_0() {
        let host = || "h".to_owned();
        let why = || "reset".to_owned();
        let cases = [
            (
                failed(
                    Fault::Connect {
                        host: host(),
                        why: why(),
                    }
                    .into(),
                    None,
                ),
                r#"{"error_summary": "no_answer/connect/.", "error": {".tag": "no_answer", "reason": {".tag": "connect"}, "may_have_happened": false, "temporary": true}, "user_message": {"locale": "en", "text": "files/upload_session/append_v2: could not connect to h (reset); check the address, the network and that the server runs"}}"#,
            ),
            (
                failed(
                    Fault::Broken {
                        host: host(),
                        why: why(),
                    }
                    .into(),
                    None,
                ),
                r#"{"error_summary": "no_answer/broken/.", "error": {".tag": "no_answer", "reason": {".tag": "broken"}, "may_have_happened": true, "temporary": true}, "user_message": {"locale": "en", "text": "files/upload_session/append_v2: the connection to h broke (reset); try again"}}"#,
            ),
            (
                failed(TokenError("none".to_owned()).into(), None),
                r#"{"error_summary": "no_answer/no_token/.", "error": {".tag": "no_answer", "reason": {".tag": "no_token"}, "may_have_happened": false, "temporary": false}, "user_message": {"locale": "en", "text": "files/upload_session/append_v2 at content.dropboxapi.com: none"}}"#,
            ),
            (
                answered(200, "<html>log in</html>"),
                r#"{"error_summary": "no_answer/unreadable/.", "error": {".tag": "no_answer", "reason": {".tag": "unreadable"}, "may_have_happened": true, "temporary": false}, "user_message": {"locale": "en", "text": "files/upload_session/append_v2 at content.dropboxapi.com: the answer is not the API's (status 200): <html>log in</html>; check the address and any proxy between"}}"#,
            ),
        ];
        for (reply, wanted) in cases {
            assert_eq!(reply.status, 0);
            assert_eq!(str::from_utf8(&reply.data).unwrap(), wanted);
        }
    }

    #[test]
    fn each_fault_has_its_reason() {
        let host = || "h".to_owned();
        let why = || "x".to_owned();
        for (fault, reason) in [
            (
                Fault::Certificate {
                    host: host(),
                    why: why(),
                },
                NoAnswerReason::Certificate,
            ),
            (
                Fault::Stalled {
                    host: host(),
                    what: "no answer",
                    waited: std::time::Duration::from_secs(1),
                },
                NoAnswerReason::Stalled,
            ),
            (Fault::BadToken { host: host() }, NoAnswerReason::BadToken),
        ] {
            assert_eq!(NoAnswerReason::from(&fault), reason);
        }
    }

    #[test]
    fn too_large_a_payload_is_told_as_every_upload_route_tells_it() {
        let reply = failed(Failure::TooLarge { size: 1 << 40 }, None);
        assert_eq!(reply.status, 409);
        let envelope = ErrorEnvelope::parse(&reply.data).unwrap();
        assert_eq!(envelope.decode(), Some(Append::PayloadTooLarge));
        assert_eq!(envelope.error, Append::PayloadTooLarge.encode());
        for route in ROUTES.iter().filter(|route| route.style == Style::Upload) {
            assert!(
                route.id.error_paths().contains(&envelope.summary),
                "{}",
                route.tail
            );
        }
    }
}
