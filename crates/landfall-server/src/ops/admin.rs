//! What an operator does: accounts, tokens, sessions, quotas.

use super::accounts::{SHORTEST_TOKEN, hash_of_token, is_token};
use crate::meta::rows::{
    Account, AccountState, JournalId, Namespace, Ns, Session, SessionState, Token,
};
use crate::meta::{Decision, Effect, Loads, Meta, MetaError, Operation, Unconditional, Uses};
use crate::sys::{Micros, Sys};
use landfall_protocol::{AccountId, Scope, SessionId};
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

/// Characters in the name of an account.
const NAME: usize = 255;

impl Admin {
    /// An operator of this metadata.
    pub fn new(meta: Meta, sys: Sys) -> Self {
        Self { meta, sys }
    }

    /// Adds an account with an empty tree.
    ///
    /// # Errors
    /// The name is taken or can't be one, or the engine's.
    pub async fn add_account(
        &self,
        name: &str,
        display_name: Option<&str>,
    ) -> Result<AccountId, AdminError> {
        match self.put_account(name, display_name).await? {
            Added { new: true, account } => Ok(account.id),
            Added { new: false, .. } => Err(AdminError::AccountExists(name.to_owned())),
        }
    }

    /// Adds an account, unless there is one of this name.
    ///
    /// # Errors
    /// The name can't be one, or the engine's.
    pub async fn ensure_account(
        &self,
        name: &str,
        display_name: Option<&str>,
    ) -> Result<AccountId, AdminError> {
        Ok(self.put_account(name, display_name).await?.account.id)
    }

    async fn put_account(
        &self,
        name: &str,
        display_name: Option<&str>,
    ) -> Result<Added, AdminError> {
        check_name(name)?;
        let mut number = [0; 4];
        self.sys.random.fill(&mut number);
        let mut tail = String::from("dbid:");
        tail.push_str(&self.sys.random.secret()[..35]);
        let account = Account {
            id: AccountId::from_stored(tail),
            name: name.to_owned(),
            display_name: display_name.map(str::to_owned),
            // 31 bits, and never 0, which programs take for "none".
            ns: Ns(u32::from_le_bytes(number) >> 1 | 1),
            created: self.sys.clock.now(),
            state: AccountState::Active,
        };
        Ok(self.meta.transact(AddAccount(account)).await?)
    }

    /// The account of this name.
    ///
    /// # Errors
    /// There is none, or the engine's.
    pub async fn account(&self, name: &str) -> Result<Account, AdminError> {
        let wanted = name.to_owned();
        let found = self
            .meta
            .read(move |loads| loads.account_by_name(&wanted))
            .await?;
        found.ok_or_else(|| AdminError::NoSuchAccount(name.to_owned()))
    }

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
        let account = self.account(account).await?;
        let scopes = if grant.scopes.is_empty() {
            Scope::ALL.to_vec()
        } else {
            grant.scopes
        };
        let created = self.sys.clock.now();
        let row = Token {
            id: self.sys.random.name()[..ID].to_owned(),
            hash: hash_of_token(&token),
            account: account.id,
            scopes,
            expires: grant.expires.map(|life| created.after(life)),
            created,
        };
        self.meta
            .transact(Unconditional(vec![Effect::AddToken(row)]))
            .await?;
        Ok(token)
    }

    /// All accounts, by name, with what they use.
    ///
    /// # Errors
    /// The engine's.
    pub async fn accounts(&self) -> Result<Vec<AccountInfo>, AdminError> {
        let question = |loads: &mut dyn Loads| {
            let accounts = loads.accounts()?;
            let info = |account: Account| {
                let namespace = loads.namespace(account.ns)?;
                Ok(AccountInfo {
                    account,
                    used: namespace.used,
                    quota: namespace.quota,
                })
            };
            accounts.into_iter().map(info).collect()
        };
        Ok(self.meta.read(question).await?)
    }

    /// Gives an account another name.
    ///
    /// # Errors
    /// There is no such account, the new name is taken or can't be one, or the engine's.
    pub async fn rename_account(&self, name: &str, new: &str) -> Result<(), AdminError> {
        check_name(new)?;
        let new = new.to_owned();
        let taken = AdminError::AccountExists(new.clone());
        let change = ChangeAccount {
            name: name.to_owned(),
            change: Box::new(move |account| account.name.clone_from(&new)),
        };
        match self.meta.transact(change).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(AdminError::NoSuchAccount(name.to_owned())),
            Err(MetaError::Changed) => Err(taken),
            Err(error) => Err(error.into()),
        }
    }

    /// Suspends an account, or lets it in again. Everything is kept meanwhile.
    ///
    /// # Errors
    /// There is no such account, or the engine's.
    pub async fn set_state(&self, name: &str, state: AccountState) -> Result<(), AdminError> {
        let change = ChangeAccount {
            name: name.to_owned(),
            change: Box::new(move |account| account.state = state),
        };
        match self.meta.transact(change).await? {
            true => Ok(()),
            false => Err(AdminError::NoSuchAccount(name.to_owned())),
        }
    }

    /// Limits the bytes of an account's current files, or lifts the limit.
    ///
    /// # Errors
    /// There is no such account, or the engine's.
    pub async fn set_quota(&self, name: &str, quota: Option<u64>) -> Result<(), AdminError> {
        let ns = self.account(name).await?.ns;
        Ok(self.meta.transact(SetQuota { ns, quota }).await?)
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

    /// The unfinished sessions of an account, oldest first.
    ///
    /// # Errors
    /// There is no such account, or the engine's.
    pub async fn sessions(&self, account: &str) -> Result<Vec<Session>, AdminError> {
        let id = self.account(account).await?.id;
        Ok(self.meta.read(move |loads| loads.sessions(&id)).await?)
    }

    /// Ends an unfinished session; its client finds it gone.
    ///
    /// # Errors
    /// There is no such account or session, or the engine's.
    pub async fn abort_session(&self, account: &str, session: &str) -> Result<(), AdminError> {
        let abort = AbortSession {
            account: self.account(account).await?.id,
            session: SessionId::from_stored(session),
        };
        match self.meta.transact(abort).await? {
            true => Ok(()),
            false => Err(AdminError::NoSuchSession {
                account: account.to_owned(),
                session: session.to_owned(),
            }),
        }
    }
}

fn check_name(name: &str) -> Result<(), AdminError> {
    let legal = !name.trim().is_empty()
        && name.chars().count() <= NAME
        && !name.chars().any(char::is_control);
    if legal {
        Ok(())
    } else {
        Err(AdminError::BadName(name.to_owned()))
    }
}

/// An account and what it uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountInfo {
    /// The account.
    pub account: Account,
    /// Bytes of its current files.
    pub used: u64,
    /// Bytes that it may use; `None`: as many as the disk holds.
    pub quota: Option<u64>,
}

/// Characters in the id of a token.
const ID: usize = 10;

impl Micros {
    fn after(self, life: Duration) -> Self {
        let micros = i64::try_from(life.as_micros()).unwrap_or(i64::MAX);
        Self(self.0.saturating_add(micros))
    }
}

struct Added {
    new: bool,
    account: Account,
}

struct AddAccount(Account);

impl Operation for AddAccount {
    type View = Option<Account>;
    type Answer = Added;

    fn load(&self, loads: &mut dyn Loads) -> Result<Self::View, MetaError> {
        loads.account_by_name(&self.0.name)
    }

    fn decide(&self, found: Self::View) -> Decision<Added> {
        if let Some(account) = found {
            return Decision::unchanged(Added {
                new: false,
                account,
            });
        }
        let account = self.0.clone();
        let namespace = Namespace {
            ns: account.ns,
            journal: JournalId::default(),
            used: 0,
            quota: None,
        };
        Decision {
            effects: vec![
                Effect::AddNamespace(namespace),
                Effect::AddAccount(account.clone()),
            ],
            answer: Added { new: true, account },
        }
    }
}

struct ChangeAccount {
    name: String,
    change: Box<dyn Fn(&mut Account) + Send + Sync>,
}

impl Operation for ChangeAccount {
    type View = Option<Account>;
    /// Whether there is such an account.
    type Answer = bool;

    fn load(&self, loads: &mut dyn Loads) -> Result<Self::View, MetaError> {
        loads.account_by_name(&self.name)
    }

    fn decide(&self, account: Self::View) -> Decision<bool> {
        let Some(mut account) = account else {
            return Decision::unchanged(false);
        };
        (self.change)(&mut account);
        Decision {
            effects: vec![Effect::PutAccount(account)],
            answer: true,
        }
    }
}

struct SetQuota {
    ns: Ns,
    quota: Option<u64>,
}

impl Operation for SetQuota {
    type View = Namespace;
    type Answer = ();

    fn load(&self, loads: &mut dyn Loads) -> Result<Namespace, MetaError> {
        loads.namespace(self.ns)
    }

    fn decide(&self, namespace: Namespace) -> Decision<()> {
        let changed = Namespace {
            quota: self.quota,
            ..namespace
        };
        Decision {
            effects: vec![Effect::SetNamespace(changed)],
            answer: (),
        }
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

struct AbortSession {
    account: AccountId,
    session: SessionId,
}

impl Operation for AbortSession {
    type View = Option<(Session, Uses)>;
    /// Whether there was such a session.
    type Answer = bool;

    fn load(&self, loads: &mut dyn Loads) -> Result<Self::View, MetaError> {
        let session = loads
            .session(&self.account, &self.session)?
            .filter(|session| session.state != SessionState::Committed);
        let Some(session) = session else {
            return Ok(None);
        };
        let uses = Uses::load(loads, [&session.content].into_iter())?;
        Ok(Some((session, uses)))
    }

    fn decide(&self, session: Self::View) -> Decision<bool> {
        let Some((session, mut uses)) = session else {
            return Decision::unchanged(false);
        };
        let mut effects = vec![Effect::RemoveSession(session.id)];
        effects.extend(uses.less_session(&session.content));
        Decision {
            effects,
            answer: true,
        }
    }
}
