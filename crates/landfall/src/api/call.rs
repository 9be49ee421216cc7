//! One call of each style.

use super::error::{CallError, Failure, excerpt, judge};
use super::{ByteRange, Content};
use crate::transport::{Answer, Payload, Request, ascii};
use crate::{Client, Secret};
use bytes::Bytes;
use landfall_protocol::routes::{Auth, Style};
use landfall_protocol::types::folders::ListFolderLongpollArg;
use landfall_protocol::{Call, Strictness, Wire, json, limits};
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RANGE};
use std::any::Any;
use std::time::Duration;

const ARGUMENT: HeaderName = HeaderName::from_static("dropbox-api-arg");
const RESULT: HeaderName = HeaderName::from_static("dropbox-api-result");
const PATH_ROOT: HeaderName = HeaderName::from_static("dropbox-api-path-root");

/// A call succeeded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply<T> {
    /// What came back.
    pub value: T,
    /// The HTTP status.
    pub status: u16,
    /// The JSON as it came.
    pub raw: Bytes,
}

/// A failure of any call, before its route gives it a type.
type Failed<C> = CallError<<C as Call>::Error>;

impl Client {
    /// Calls a route whose argument and result are JSON bodies. A route of another style does
    /// not compile.
    ///
    /// # Errors
    /// [`CallError`]; the call is made once, never repeated.
    pub async fn call_rpc<C: Call>(&self, arg: &C::Arg) -> Result<Reply<C::Result>, Failed<C>> {
        const { assert!(matches!(C::ID.route().style, Style::Rpc)) }
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let body = json::to_header(&arg.encode());
        let wait = meant_to_wait(arg);
        self.for_json::<C>(headers, body.into(), wait).await
    }

    /// Calls a route that takes a payload. A route of another style does not compile.
    ///
    /// A payload over [`limits::REQUEST_BODY`] is refused before a byte is sent.
    ///
    /// # Errors
    /// [`CallError`]; the call is made once, never repeated.
    pub async fn call_upload<C: Call>(
        &self,
        arg: &C::Arg,
        payload: impl Into<Payload>,
    ) -> Result<Reply<C::Result>, Failed<C>> {
        const { assert!(matches!(C::ID.route().style, Style::Upload)) }
        let payload = payload.into();
        let size = payload.len();
        if size > limits::REQUEST_BODY {
            return Err(self.failed::<C>(Failure::TooLarge { size }, None));
        }
        let mut headers = HeaderMap::new();
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/octet-stream"),
        );
        ascii(&mut headers, ARGUMENT, &json::to_header(&arg.encode()));
        self.for_json::<C>(headers, payload, Duration::ZERO).await
    }

    /// Calls a route that answers with content, for all of it or a range. A route of another
    /// style does not compile.
    ///
    /// # Errors
    /// [`CallError`]; the call is made once, never repeated.
    pub async fn call_download<C: Call>(
        &self,
        arg: &C::Arg,
        range: Option<ByteRange>,
    ) -> Result<Content<C::Result>, Failed<C>> {
        const { assert!(matches!(C::ID.route().style, Style::Download)) }
        let mut headers = HeaderMap::new();
        ascii(&mut headers, ARGUMENT, &json::to_header(&arg.encode()));
        if let Some(range) = range {
            ascii(&mut headers, RANGE, &range.to_string());
        }
        let incoming = self.send::<C>(headers, Payload::empty(), Duration::ZERO);
        let incoming = incoming.await?;
        if !matches!(incoming.status(), 200 | 206) {
            let answer = incoming.whole().await;
            let answer = answer.map_err(|fault| self.failed::<C>(fault, None))?;
            return Err(self.refused::<C>(answer));
        }
        let raw = incoming.header(&RESULT).unwrap_or_default();
        match json::read::<C::Result>(&raw, Strictness::Lenient) {
            Ok(value) => {
                let reply = Reply {
                    value,
                    status: incoming.status(),
                    raw,
                };
                Ok(Content::new(reply, incoming))
            }
            Err(problem) => {
                let failure = Failure::Unreadable {
                    status: incoming.status(),
                    excerpt: format!("{problem} in its Dropbox-API-Result"),
                };
                Err(self.failed::<C>(failure, Some((incoming.status(), raw))))
            }
        }
    }

    async fn for_json<C: Call>(
        &self,
        headers: HeaderMap,
        payload: Payload,
        wait: Duration,
    ) -> Result<Reply<C::Result>, Failed<C>> {
        let incoming = self.send::<C>(headers, payload, wait).await?;
        let answer = incoming.whole().await;
        let answer = answer.map_err(|fault| self.failed::<C>(fault, None))?;
        if answer.status != 200 {
            return Err(self.refused::<C>(answer));
        }
        match json::read::<C::Result>(&answer.body, Strictness::Lenient) {
            Ok(value) if !answer.cut => Ok(Reply {
                value,
                status: answer.status,
                raw: answer.body,
            }),
            _ => {
                let failure = Failure::Unreadable {
                    status: answer.status,
                    excerpt: excerpt(&answer.body),
                };
                Err(self.failed::<C>(failure, Some((answer.status, answer.body))))
            }
        }
    }

    async fn send<C: Call>(
        &self,
        mut headers: HeaderMap,
        payload: Payload,
        wait: Duration,
    ) -> Result<crate::transport::Incoming, Failed<C>> {
        let route = C::ID.route();
        let token: Option<Secret<String>> = match route.auth {
            Auth::User => {
                let token = self.tokens().token().await;
                Some(token.map_err(|error| self.failed::<C>(error, None))?)
            }
            Auth::None => None,
        };
        // Without a user there is nothing that a path could be relative to.
        if let (Auth::User, Some(root)) = (route.auth, self.path_root()) {
            ascii(&mut headers, PATH_ROOT, &json::to_header(&root.encode()));
        }
        tracing::debug!(route = route.tail, bytes = payload.len(), "call");
        let sent = self.transport().send(Request {
            url: self.endpoint().url(route),
            host: self.endpoint().host(route.host),
            token: token.as_ref(),
            headers,
            payload,
            wait,
        });
        let incoming = sent.await.map_err(|fault| self.failed::<C>(fault, None))?;
        tracing::debug!(route = route.tail, status = incoming.status(), "answer");
        Ok(incoming)
    }

    fn refused<C: Call>(&self, answer: Answer) -> Failed<C> {
        let failure: Failure<C::Error> = judge(C::ID, &answer);
        self.failed::<C>(failure, Some((answer.status, answer.body)))
    }

    fn failed<C: Call>(
        &self,
        failure: impl Into<Failure<C::Error>>,
        answer: Option<(u16, Bytes)>,
    ) -> Failed<C> {
        CallError::new(self.endpoint(), C::ID, failure, answer)
    }

    /// The failure of a content that was being read, as the route's.
    #[cfg(feature = "transfer")]
    pub(crate) fn broke_off<C: Call>(&self, fault: crate::transport::Fault) -> Failed<C> {
        self.failed::<C>(fault, None)
    }
}

/// How long the service may take for its answer because the caller asked it to.
fn meant_to_wait(arg: &dyn Any) -> Duration {
    /// What the service adds at the most, so that not all clients return at once (Spec:
    /// `ListFolderLongpollArg.timeout`).
    const ADDED: Duration = Duration::from_secs(90);
    match arg.downcast_ref() {
        Some(ListFolderLongpollArg { timeout, .. }) => Duration::from_secs(timeout.get()) + ADDED,
        None => Duration::ZERO,
    }
}

#[cfg(test)]
mod tests {
    use super::meant_to_wait;
    use landfall_protocol::types::folders::{
        ListFolderCursor, ListFolderLongpollArg, LongpollTimeout,
    };
    use std::time::Duration;

    #[test]
    fn a_longpoll_may_take_as_long_as_it_was_told_and_what_is_added() {
        let arg = ListFolderLongpollArg {
            cursor: ListFolderCursor::from_stored("c"),
            timeout: LongpollTimeout::new(480),
        };
        assert_eq!(meant_to_wait(&arg), Duration::from_secs(570));
        assert_eq!(meant_to_wait(&()), Duration::ZERO);
    }
}
