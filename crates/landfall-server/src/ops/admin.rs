//! What an operator does: accounts, tokens, sessions, quotas.

mod accounts;
mod sessions;
mod tokens;

pub use accounts::AccountInfo;

use super::accounts::SHORTEST_TOKEN;
use crate::meta::rows::Account;
use crate::meta::{Decision, Effect, Loads, Meta, MetaError, Operation};
use crate::sys::Sys;
use landfall_protocol::Scope;
use std::time::Duration;

/// What an operator does. It works beside a running server: both see the same metadata.
#[derive(Clone, Debug)]
pub struct Admin {
    meta: Meta,
    sys: Sys,
}

/// Why an operator's command failed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum AdminError {
    /// The name is taken.
    #[error("there is an account named {0:?} already")]
    AccountExists(String),
    /// There is no such account.
    #[error("there is no account named {0:?}: add it first")]
    NoSuchAccount(String),
    /// The name can't be one.
    #[error("{0:?} can't be an account's name: it is empty, too long, or has control characters")]
    BadName(String),
    /// A given token can't be one.
    #[error(
        "the token must have {SHORTEST_TOKEN} or more characters, of A-Z a-z 0-9 - . _ ~ + / = :"
    )]
    BadToken,
    /// There is no such token.
    #[error("there is no token with the id {0:?}: `token list` shows those there are")]
    NoSuchToken(String),
    /// There is no such session.
    #[error("the account {account:?} has no unfinished session {session:?}")]
    NoSuchSession {
        /// Whose it would be.
        account: String,
        /// Which.
        session: String,
    },
    /// The metadata.
    #[error(transparent)]
    Meta(#[from] MetaError),
}

/// What a new token may do.
#[derive(Clone, Default)]
pub struct TokenGrant {
    /// What for; empty: everything.
    pub scopes: Vec<Scope>,
    /// For how long; `None`: for ever.
    pub expires: Option<Duration>,
    /// This text instead of a random one: for tests that need to know it beforehand.
    pub token: Option<String>,
}

impl Admin {
    /// An operator of this metadata.
    pub fn new(meta: Meta, sys: Sys) -> Self {
        Self { meta, sys }
    }

    /// Changes something of the account of this name.
    async fn change(
        &self,
        name: &str,
        effects: impl Fn(Account) -> Vec<Effect> + Send + 'static,
    ) -> Result<(), AdminError> {
        let name = name.to_owned();
        let change = ChangeAccount {
            name: name.clone(),
            effects,
        };
        match self.meta.transact(change).await? {
            true => Ok(()),
            false => Err(AdminError::NoSuchAccount(name)),
        }
    }
}

struct ChangeAccount<F> {
    name: String,
    effects: F,
}

impl<F: Fn(Account) -> Vec<Effect> + Send + 'static> Operation for ChangeAccount<F> {
    type View = Option<Account>;
    /// Whether there is such an account.
    type Answer = bool;

    fn load(&self, loads: &mut dyn Loads) -> Result<Self::View, MetaError> {
        loads.account_by_name(&self.name)
    }

    fn decide(&self, account: Self::View) -> Decision<bool> {
        match account {
            None => Decision::unchanged(false),
            Some(account) => Decision {
                effects: (self.effects)(account),
                answer: true,
            },
        }
    }
}
