//! One request and its answer.

use super::argument::{beside_the_body, check_content_type, in_the_body};
use super::body::RequestBody;
use super::caller::{ProcessCaller, caller};
use super::metrics::Metrics;
use super::reply::{BadRequest, Refused, Reply, ReplyBody};
use crate::api;
use crate::ops::{BodyError, Caller, Failure, Service, Trouble};
use crate::upkeep::Scrubbed;
use data_encoding::HEXLOWER;
use http::request::Parts;
use http::{Method, Request, Response, StatusCode, Version, header};
use hyper::body::Incoming;
use landfall_protocol::routes::{Call, Route, Style};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// How long a request may take in all. Uploads over thin lines are slow, not endless; this is
/// also how long garbage collection has to wait for a request that went silent.
const DEADLINE: Duration = Duration::from_secs(6 * 60 * 60);

/// What all requests share.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) service: Service,
    pub(crate) process: Option<ProcessCaller>,
    pub(crate) metrics: Metrics,
}

impl State {
    pub(crate) fn new(
        service: Service,
        process: Option<ProcessCaller>,
        scrubbed: Arc<Scrubbed>,
    ) -> Self {
        Self {
            service,
            process,
            metrics: Metrics::new(scrubbed),
        }
    }
}

/// A request that has found its route.
#[derive(Debug)]
pub(crate) struct Exchange<'s> {
    pub(crate) service: &'s Service,
    pub(crate) route: &'static Route,
    pub(crate) parts: Parts,
    process: Option<&'s ProcessCaller>,
    body: RequestBody,
}

/// Answers a request, counts it and writes its line in the log.
pub(super) async fn handle(state: Arc<State>, request: Request<Incoming>) -> Response<ReplyBody> {
    let begun = Instant::now();
    let mut id = [0; 16];
    state.service.sys.random.fill(&mut id);
    let id = HEXLOWER.encode(&id);

    let path = request.uri().path().to_owned();
    let tail = path.strip_prefix("/2/");
    let route = tail.and_then(Route::by_tail);
    let reply = match route {
        Some(route) => match timeout(DEADLINE, run(&state, route, request)).await {
            Ok(reply) => reply,
            Err(_) => Reply::text(
                StatusCode::SERVICE_UNAVAILABLE,
                "The request took too long.",
            ),
        },
        None => {
            request_body(request).1.discard();
            elsewhere(&state, &path, tail)
        }
    };
    let name = match (route, path.as_str()) {
        (Some(route), _) => route.tail,
        (None, "/healthz") => "healthz",
        (None, "/metrics") => "metrics",
        (None, _) => "unknown",
    };
    state.metrics.count(name, reply.status());
    tracing::info!(
        target: "landfall_server::request",
        route = name,
        status = reply.status(),
        ms = begun.elapsed().as_millis() as u64,
        id = %id,
    );
    reply.into_response(&id)
}

/// What isn't a route.
fn elsewhere(state: &State, path: &str, tail: Option<&str>) -> Reply {
    match (path, tail) {
        ("/healthz", _) => Reply::text(StatusCode::OK, "ok\n"),
        ("/metrics", _) => Reply::text(StatusCode::OK, state.metrics.text()),
        (_, Some(tail)) => {
            let tail = landfall_protocol::wire::shorten(tail, 200);
            let bad = BadRequest::new(format!("Unknown API function: /2/{tail}"));
            Reply::bad_request(&tail, &bad)
        }
        _ => Reply::text(
            StatusCode::NOT_FOUND,
            "There is nothing here; the API is at /2/.\n",
        ),
    }
}

async fn run(state: &State, route: &'static Route, request: Request<Incoming>) -> Reply {
    let (parts, body) = request_body(request);
    let mut exchange = Exchange {
        service: &state.service,
        route,
        parts,
        process: state.process.as_ref(),
        body,
    };
    let reply = match exchange.caller().await {
        // Boxed: the futures of the routes are large, and each is needed once.
        Ok(caller) => Box::pin(api::answer(&mut exchange, &caller)).await,
        Err(refused) => Reply::refused(route.id, refused),
    };
    exchange.body.discard();
    reply
}

/// A request's head and body.
fn request_body(request: Request<Incoming>) -> (Parts, RequestBody) {
    let (parts, incoming) = request.into_parts();
    // Over HTTP/2 the library sends no `100 Continue`, so nobody waits for it.
    let expects = parts.version < Version::HTTP_2
        && parts
            .headers
            .get(header::EXPECT)
            .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"));
    let body = RequestBody::new(incoming, expects);
    (parts, body)
}

impl Exchange<'_> {
    /// All that can be said before the argument is read: method, caller, type of the body.
    async fn caller(&self) -> Result<Caller, Refused> {
        let Parts {
            method,
            headers,
            uri,
            ..
        } = &self.parts;
        let fits = match self.route.style {
            Style::Download => method == Method::POST || method == Method::GET,
            Style::Rpc | Style::Upload => method == Method::POST,
        };
        if !fits {
            let method = landfall_protocol::wire::shorten(method.as_str(), 20);
            return Err(BadRequest::new(format!(
                "Your request's HTTP request method is \"{method}\".  \
                 This function only accepts the HTTP request method \"POST\"."
            ))
            .into());
        }
        let caller = caller(self.service, self.process, self.route, headers, uri).await?;
        if self.route.style == Style::Upload {
            check_content_type(Style::Upload, headers)?;
        }
        Ok(caller)
    }

    /// Answers an rpc route.
    pub(crate) async fn rpc<C: Call>(
        &mut self,
        operation: impl AsyncFnOnce(C::Arg) -> Result<C::Result, Failure<C::Error>>,
    ) -> Reply {
        match in_the_body::<C::Arg>(&self.parts.headers, &mut self.body).await {
            Err(refused) => Reply::refused(C::ID, refused),
            Ok(arg) => answer::<C>(operation(arg).await),
        }
    }

    /// Answers an upload route.
    pub(crate) async fn upload<C: Call>(
        &mut self,
        operation: impl AsyncFnOnce(C::Arg, &mut RequestBody) -> Result<C::Result, Failure<C::Error>>,
    ) -> Reply {
        match beside_the_body::<C::Arg>(&self.parts.headers, &self.parts.uri) {
            Err(bad) => Reply::refused(C::ID, bad.into()),
            Ok(arg) => answer::<C>(operation(arg, &mut self.body).await),
        }
    }

    /// The argument of a download route.
    pub(crate) async fn download_argument<C: Call>(&mut self) -> Result<C::Arg, Refused> {
        match self.body.is_empty().await {
            Ok(true) => {}
            Ok(false) | Err(BodyError::TooLarge) => {
                let text = "request body is supposed to be empty, but it is not.";
                return Err(BadRequest::new(text).into());
            }
            Err(error) => return Err(Trouble::Body(error).into()),
        }
        Ok(beside_the_body::<C::Arg>(
            &self.parts.headers,
            &self.parts.uri,
        )?)
    }
}

fn answer<C: Call>(outcome: Result<C::Result, Failure<C::Error>>) -> Reply {
    match outcome {
        Ok(result) => Reply::result(&result),
        Err(failure) => Reply::failure(C::ID, failure),
    }
}
