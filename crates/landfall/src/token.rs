//! Where access tokens come from.

use crate::Secret;
use std::future::{Future, ready};
use std::pin::Pin;

/// The future that [`TokenSource::token`] returns.
pub type TokenFuture<'a> =
    Pin<Box<dyn Future<Output = Result<Secret<String>, TokenError>> + Send + 'a>>;

/// Gives the access token for a request; asked before each one, so that a source can renew its
/// token while a long transfer runs.
pub trait TokenSource: Send + Sync {
    /// The token to use now.
    ///
    /// # Errors
    /// No token can be had; the request is then not sent.
    fn token(&self) -> TokenFuture<'_>;
}

/// A token that stays the same.
impl TokenSource for Secret<String> {
    fn token(&self) -> TokenFuture<'_> {
        Box::pin(ready(Ok(self.clone())))
    }
}

/// No token can be had. The text says why and what to do; it must not hold the token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct TokenError(pub String);
