//! Who calls: token, scope, path root.

use super::argument::parameter;
use super::reply::{BadRequest, Refused};
use crate::meta::MetaError;
use crate::meta::rows::Account;
use crate::ops::{Caller, NotLetIn, Service, hash_of_token, is_token};
use http::{HeaderMap, Uri, header};
use landfall_protocol::json::read;
use landfall_protocol::routes::Route;
use landfall_protocol::types::auth::{
    AuthError, PathRoot, PathRootError, RootInfo, TokenScopeError, UserRootInfo,
};
use landfall_protocol::wire::shorten;
use landfall_protocol::{Scope, Strictness};

/// A token that is valid in this process alone and never stored: the embedded server's.
#[derive(Clone)]
pub(crate) struct ProcessCaller {
    /// Its hash, as for any token.
    pub(crate) hash: [u8; 32],
    /// Whose it is.
    pub(crate) account: Account,
}

impl std::fmt::Debug for ProcessCaller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ProcessCaller({})", self.account.name)
    }
}

/// The caller of a route, with all rights that the route needs.
pub(super) async fn caller(
    service: &Service,
    process: Option<&ProcessCaller>,
    route: &Route,
    headers: &HeaderMap,
    uri: &Uri,
) -> Result<Caller, Refused> {
    let caller = authenticate(service, process, route.scope, headers, uri).await?;
    check_path_root(&caller, headers)?;
    Ok(caller)
}

/// The bearer of the request's token, if it allows what the scope names.
pub(super) async fn authenticate(
    service: &Service,
    process: Option<&ProcessCaller>,
    scope: Option<Scope>,
    headers: &HeaderMap,
    uri: &Uri,
) -> Result<Caller, Refused> {
    let token = token(headers, uri)?;
    let caller = match process.filter(|process| process.hash == hash_of_token(&token)) {
        Some(process) => Caller {
            account: process.account.clone(),
            scopes: Scope::ALL.to_vec(),
            // It is as it was when the process began.
            limited: true,
        },
        None => known(service.caller(&token).await)?,
    };
    match scope {
        Some(scope) if !caller.scopes.contains(&scope) => {
            let required_scope = scope.name().to_owned();
            Err(Refused::auth(&AuthError::MissingScope(TokenScopeError {
                required_scope,
            })))
        }
        _ => Ok(caller),
    }
}

fn known(found: Result<Result<Caller, NotLetIn>, MetaError>) -> Result<Caller, Refused> {
    match found? {
        Ok(caller) => Ok(caller),
        Err(NotLetIn::Unknown) => Err(Refused::auth(&AuthError::InvalidAccessToken)),
        Err(NotLetIn::Expired) => Err(Refused::auth(&AuthError::ExpiredAccessToken)),
        Err(NotLetIn::Suspended) => Err(Refused::auth(&AuthError::UserSuspended)),
    }
}

/// The token in the request. It never appears in an answer or a log beyond its beginning.
fn token(headers: &HeaderMap, uri: &Uri) -> Result<String, BadRequest> {
    let (place, value) = match headers.get(header::AUTHORIZATION) {
        Some(value) => (
            "HTTP header \"Authorization\"",
            String::from_utf8_lossy(value.as_bytes()).into_owned(),
        ),
        None => match parameter(uri, "authorization") {
            Some(value) => ("URL parameter \"authorization\"", value),
            None => {
                return Err(BadRequest::new(
                    "Must provide HTTP header \"Authorization\" or URL parameter \"authorization\".",
                ));
            }
        },
    };
    let token = match value.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim(),
        _ => "",
    };
    if token.is_empty() {
        return Err(BadRequest::new(format!(
            "Invalid authorization value in {place}: \"{}\".  \
             Expecting \"Bearer <oauth2-access-token>\".",
            shorten(&value, 6)
        )));
    }
    if !is_token(token) {
        return Err(BadRequest::new(
            "The given OAuth 2 access token is malformed.",
        ));
    }
    Ok(token.to_owned())
}

/// Checks `Dropbox-API-Path-Root`. An account has one tree, so every legal root is that one.
fn check_path_root(caller: &Caller, headers: &HeaderMap) -> Result<(), Refused> {
    let Some(value) = headers.get("dropbox-api-path-root") else {
        return Ok(());
    };
    let root = read(value.as_bytes(), Strictness::Strict).map_err(|error| {
        BadRequest::new(format!("HTTP header \"Dropbox-API-Path-Root\": {error}"))
    })?;
    let own = caller.ns().wire();
    match root {
        PathRoot::Home => Ok(()),
        PathRoot::Root(root) | PathRoot::NamespaceId(root) if root == own => Ok(()),
        PathRoot::Root(_) => Err(Refused::path_root(&PathRootError::InvalidRoot(
            RootInfo::User(UserRootInfo {
                root_namespace_id: own.clone(),
                home_namespace_id: own,
                home_path: None,
            }),
        ))),
        PathRoot::NamespaceId(_) | PathRoot::Other => {
            Err(Refused::path_root(&PathRootError::NoPermission))
        }
    }
}
