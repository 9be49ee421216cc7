//! One request and its answer.

use super::argument::{beside_the_body, check_content_type, in_the_body};
use super::body::RequestBody;
use super::caller::{ProcessCaller, caller};
use super::cors;
use super::metrics::Metrics;
use super::notifications;
use super::reply::{BadRequest, Refused, Reply, ReplyBody};
use crate::api;
use crate::ops::{BodyError, Caller, Failure, Service, Trouble};
use crate::upkeep::Scrubbed;
use data_encoding::HEXLOWER;
use futures_util::future::BoxFuture;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version, header};
use hyper::body::Incoming;
use landfall_protocol::routes::{Auth, Call, Route, Style};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

/// How long a request may take in all. Uploads over thin lines are slow, not endless; this is
/// also how long garbage collection has to wait for a request that went silent.
const DEADLINE: Duration = Duration::from_secs(6 * 60 * 60);

/// Characters of a client's name for itself that the log keeps.
const AGENT: usize = 80;

/// What all requests share.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) service: Service,
    pub(crate) process: Option<ProcessCaller>,
    pub(crate) metrics: Metrics,
    stopping: watch::Sender<bool>,
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
            stopping: watch::Sender::new(false),
        }
    }

    /// From now on, who only waits for something is sent home.
    pub(super) fn stop(&self) {
        self.stopping.send_replace(true);
    }

    /// Ends when the server is told to stop.
    pub(super) fn stopping(&self) -> BoxFuture<'static, ()> {
        let mut stopping = self.stopping.subscribe();
        Box::pin(async move {
            // An error: the server is gone.
            let _ = stopping.wait_for(|stopping| *stopping).await;
        })
    }
}

/// A request that has found its route.
#[derive(Debug)]
pub(crate) struct Exchange<'s> {
    pub(crate) service: &'s Service,
    pub(crate) route: &'static Route,
    pub(crate) parts: Parts,
    state: &'s State,
    body: RequestBody,
}

/// Answers a request, counts it and writes its line in the log.
pub(super) async fn handle(state: Arc<State>, request: Request<Incoming>) -> Response<ReplyBody> {
    let begun = Instant::now();
    let mut id = [0; 16];
    state.service.sys.random.fill(&mut id);
    let id = HEXLOWER.encode(&id);

    let version = request.version();
    let agent = agent(request.headers());
    let scripted = cors::is_scripted(request.headers());
    let path = request.uri().path().to_owned();
    // One old client asks for changes under an address of its own.
    let tail = path
        .strip_prefix("/2/")
        .or_else(|| path.strip_prefix("/2-beta-2/"));
    let route = tail.and_then(Route::by_tail);
    let mut reply = reply(&state, &path, tail, route, request).await;
    if scripted && tail.is_some() {
        cors::open(&mut reply);
    }
    let name = match (route, path.as_str()) {
        (Some(route), _) => route.tail,
        (None, "/healthz") => "healthz",
        (None, "/metrics") => "metrics",
        (None, notifications::PATH) => "landfall/notifications",
        (None, _) => "unknown",
    };
    if reply.is_disk_full() {
        state.service.room.ran_out();
    }
    state.metrics.count(name, reply.status());
    tracing::info!(
        target: "landfall_server::request",
        route = name,
        status = reply.status(),
        ms = begun.elapsed().as_millis() as u64,
        id = %id,
        http = ?version,
        agent,
    );
    reply.into_response(&id)
}

/// What a client calls itself, for the log: the beginning, and of that only what is plain.
fn agent(headers: &HeaderMap) -> String {
    let agent = headers.get(header::USER_AGENT);
    let agent = agent.map(HeaderValue::as_bytes).unwrap_or_default();
    let plain = |byte: &u8| byte.is_ascii_graphic() || *byte == b' ';
    let plain = agent.iter().copied().filter(plain).take(AGENT);
    plain.map(char::from).collect()
}

/// The answer to a request, be it to a route or not.
async fn reply(
    state: &Arc<State>,
    path: &str,
    tail: Option<&str>,
    route: Option<&'static Route>,
    request: Request<Incoming>,
) -> Reply {
    if tail.is_some()
        && let Some(reply) = cors::preflight(request.method(), request.headers())
    {
        return reply;
    }
    if let Some(route) = route {
        return match timeout(DEADLINE, run(state, route, request)).await {
            Ok(reply) => reply,
            Err(_) => Reply::text(
                StatusCode::SERVICE_UNAVAILABLE,
                "The request took too long.",
            ),
        };
    }
    let (parts, body) = request_body(request);
    body.discard();
    match path {
        notifications::PATH => notifications::answer(state, &parts).await,
        _ => elsewhere(state, path, tail),
    }
}

/// What isn't a route.
fn elsewhere(state: &State, path: &str, tail: Option<&str>) -> Reply {
    match (path, tail) {
        ("/healthz", _) if state.service.meta.has_stopped() => Reply::text(
            StatusCode::SERVICE_UNAVAILABLE,
            "The server has stopped writing: see to the disk, then restart it.\n",
        ),
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
        state,
        body,
    };
    let reply = match exchange.caller().await {
        // Boxed: the futures of the routes are large, and each is needed once.
        Ok(Some(caller)) => Box::pin(api::answer(&mut exchange, &caller)).await,
        Ok(None) => api::longpoll(&mut exchange).await,
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
    /// `None`: the route is for anybody.
    async fn caller(&self) -> Result<Option<Caller>, Refused> {
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
        if self.route.auth == Auth::None {
            return match headers.contains_key(header::AUTHORIZATION) {
                false => Ok(None),
                true => Err(BadRequest::new(
                    "Your request includes an Authorization header, but this function does not use it.",
                )
                .into()),
            };
        }
        let process = self.state.process.as_ref();
        let caller = caller(self.service, process, self.route, headers, uri).await?;
        if self.route.style == Style::Upload {
            check_content_type(Style::Upload, headers)?;
        }
        Ok(Some(caller))
    }

    /// Ends when the server is told to stop.
    pub(crate) fn stopping(&self) -> BoxFuture<'static, ()> {
        self.state.stopping()
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
