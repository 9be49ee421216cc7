//! Accounts and tokens: who calls, what they may do, and what an operator changes.

use super::{Caller, Service};
use crate::meta::rows::{Account, JournalId, Namespace, Ns, Token};
use crate::meta::{Credential, Decision, Effect, Loads, Meta, MetaError, Operation};
use crate::sys::{Micros, Sys};
use landfall_protocol::types::auth::{RootInfo, UserRootInfo};
use landfall_protocol::types::users::{
    AccountType, FullAccount, IndividualSpaceAllocation, Name, SpaceAllocation, SpaceUsage,
};
use landfall_protocol::{AccountId, Scope};
use sha2::{Digest, Sha256};
use std::time::Duration;

/// Why a token doesn't let its bearer in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotLetIn {
    /// Nobody has it.
    Unknown,
    /// It was good once.
    Expired,
}

/// The form in which a token is stored and looked up. The look-up is by hash, so its time says
/// nothing about how much of a token is right.
pub fn hash_of_token(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

impl Service {
    /// The caller with this token.
    ///
    /// # Errors
    /// The engine's.
    pub async fn caller(&self, token: &str) -> Result<Result<Caller, NotLetIn>, MetaError> {
        let hash = hash_of_token(token);
        let found = self.meta.read(move |loads| loads.credential(&hash)).await?;
        let Some(Credential { token, account }) = found else {
            return Ok(Err(NotLetIn::Unknown));
        };
        if token
            .expires
            .is_some_and(|expires| self.sys.clock.now() >= expires)
        {
            return Ok(Err(NotLetIn::Expired));
        }
        Ok(Ok(Caller {
            account,
            scopes: token.scopes,
        }))
    }

    /// Who the caller is.
    pub fn current_account(&self, caller: &Caller) -> FullAccount {
        let Account {
            id,
            name,
            display_name,
            ns,
            ..
        } = &caller.account;
        let display_name = display_name.as_ref().unwrap_or(name).clone();
        let (given, surname) = display_name.split_once(' ').unwrap_or((&display_name, ""));
        let initials = display_name
            .split(' ')
            .filter_map(|word| word.chars().next());
        FullAccount {
            account_id: id.clone(),
            name: Name {
                given_name: given.to_owned(),
                surname: surname.to_owned(),
                familiar_name: given.to_owned(),
                abbreviated_name: initials.take(2).collect(),
                display_name: display_name.clone(),
            },
            // Names of accounts needn't be addresses; this form can't be anybody's.
            email: format!("{name}@landfall.invalid"),
            email_verified: false,
            profile_photo_url: None,
            disabled: false,
            country: None,
            locale: "en".into(),
            referral_link: String::new(),
            team: None,
            team_member_id: None,
            is_paired: false,
            account_type: AccountType::Basic,
            root_info: RootInfo::User(UserRootInfo {
                root_namespace_id: ns.wire(),
                home_namespace_id: ns.wire(),
                home_path: None,
            }),
        }
    }

    /// How full the caller's account is. Without a quota it may use what the disk still has.
    ///
    /// # Errors
    /// The engine's.
    pub async fn space_usage(&self, caller: &Caller) -> Result<SpaceUsage, MetaError> {
        let ns = caller.ns();
        let namespace = self.meta.read(move |loads| loads.namespace(ns)).await?;
        let free = || {
            self.blobs
                .free_bytes()
                .unwrap_or(landfall_protocol::limits::FILE_SIZE)
        };
        let allocated = namespace
            .quota
            .unwrap_or_else(|| namespace.used.saturating_add(free()));
        Ok(SpaceUsage {
            used: namespace.used,
            allocation: SpaceAllocation::Individual(IndividualSpaceAllocation { allocated }),
        })
    }
}

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
    /// A given token is too short to be a secret.
    #[error("the token has {length} characters, and must have {least} or more without spaces", least = AdminError::TOKEN)]
    BadToken {
        /// Its length.
        length: usize,
    },
    /// The metadata.
    #[error(transparent)]
    Meta(#[from] MetaError),
}

impl AdminError {
    /// Characters that a given token has at least.
    pub const TOKEN: usize = 8;
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
        let legal = !name.trim().is_empty()
            && name.chars().count() <= NAME
            && !name.chars().any(char::is_control);
        if !legal {
            return Err(AdminError::BadName(name.to_owned()));
        }
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
                let length = token.chars().count();
                let legal = token.bytes().all(|byte| byte.is_ascii_graphic());
                if length < AdminError::TOKEN || !legal {
                    return Err(AdminError::BadToken { length });
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
            hash: hash_of_token(&token),
            account: account.id,
            scopes,
            expires: grant.expires.map(|life| created.after(life)),
            created,
        };
        self.meta.transact(AddToken(row)).await?;
        Ok(token)
    }
}

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

struct AddToken(Token);

impl Operation for AddToken {
    type View = ();
    type Answer = ();

    fn load(&self, _: &mut dyn Loads) -> Result<(), MetaError> {
        Ok(())
    }

    fn decide(&self, (): ()) -> Decision<()> {
        Decision {
            effects: vec![Effect::AddToken(self.0.clone())],
            answer: (),
        }
    }
}
