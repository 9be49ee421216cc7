//! Access tokens.

use super::{Admin, AdminError, TokenGrant};
use crate::meta::rows::{Account, Token};
use crate::meta::{Decision, Effect, Loads, MetaError, Operation};
use crate::ops::accounts::{hash_of_token, is_token};
use crate::sys::Micros;
use landfall_protocol::Scope;
use std::time::Duration;

/// Characters in the id of a token.
const ID: usize = 10;

impl Admin {
    /// Makes a token and returns it; only its hash is kept.
    ///
    /// # Errors
    /// There is no such account, the given token is too short, or the engine's.
    pub async fn create_token(
        &self,
        account: &str,
        grant: TokenGrant,
    ) -> Result<String, AdminError> {
        let token = match grant.token {
            Some(token) => {
                if !is_token(&token) {
                    return Err(AdminError::BadToken);
                }
                token
            }
            None => format!("lf.{}", self.sys.random.secret()),
        };
        let scopes = if grant.scopes.is_empty() {
            Scope::ALL.to_vec()
        } else {
            grant.scopes
        };
        let created = self.sys.clock.now();
        let (id, hash) = (
            self.sys.random.name()[..ID].to_owned(),
            hash_of_token(&token),
        );
        let expires = grant.expires.map(|life| created.after(life));
        let add = move |account: Account| {
            vec![Effect::AddToken(Token {
                id: id.clone(),
                hash,
                account: account.id,
                scopes: scopes.clone(),
                expires,
                created,
            })]
        };
        self.change(account, add).await?;
        Ok(token)
    }

    /// The tokens of an account, oldest first; what they are is known to nobody.
    ///
    /// # Errors
    /// There is no such account, or the engine's.
    pub async fn tokens(&self, account: &str) -> Result<Vec<Token>, AdminError> {
        let id = self.account(account).await?.id;
        Ok(self.meta.read(move |loads| loads.tokens(&id)).await?)
    }

    /// Makes a token of no use, at once.
    ///
    /// # Errors
    /// There is no such token, or the engine's.
    pub async fn revoke_token(&self, id: &str) -> Result<(), AdminError> {
        match self.meta.transact(RevokeToken(id.to_owned())).await? {
            true => Ok(()),
            false => Err(AdminError::NoSuchToken(id.to_owned())),
        }
    }
}

impl Micros {
    fn after(self, life: Duration) -> Self {
        let micros = i64::try_from(life.as_micros()).unwrap_or(i64::MAX);
        Self(self.0.saturating_add(micros))
    }
}

struct RevokeToken(String);

impl Operation for RevokeToken {
    type View = Option<Token>;
    /// Whether there was such a token.
    type Answer = bool;

    fn load(&self, loads: &mut dyn Loads) -> Result<Self::View, MetaError> {
        loads.token(&self.0)
    }

    fn decide(&self, token: Self::View) -> Decision<bool> {
        match token {
            None => Decision::unchanged(false),
            Some(Token { id, .. }) => Decision {
                effects: vec![Effect::RemoveToken { id }],
                answer: true,
            },
        }
    }
}
