//! Accounts and their quotas.

use super::{Admin, AdminError};
use crate::meta::rows::{Account, AccountState, JournalId, Namespace, Ns};
use crate::meta::{Decision, Effect, Loads, MetaError, Operation};
use landfall_protocol::AccountId;

/// Characters in the name of an account.
const NAME: usize = 255;

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

impl Admin {
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
        let name_of = new.to_owned();
        let change = move |account| {
            let name = name_of.clone();
            vec![Effect::PutAccount(Account { name, ..account })]
        };
        match self.change(name, change).await {
            Err(AdminError::Meta(MetaError::Changed)) => {
                Err(AdminError::AccountExists(new.to_owned()))
            }
            outcome => outcome,
        }
    }

    /// Suspends an account, or lets it in again. Everything is kept meanwhile.
    ///
    /// # Errors
    /// There is no such account, or the engine's.
    pub async fn set_state(&self, name: &str, state: AccountState) -> Result<(), AdminError> {
        let change = move |account| vec![Effect::PutAccount(Account { state, ..account })];
        self.change(name, change).await
    }

    /// Deletes an account. At once nobody gets in any more, and its name is free; what belongs
    /// to it goes bit by bit, by [`Upkeep::end_deletions`](crate::upkeep::Upkeep::end_deletions)
    /// or with the next upkeep.
    ///
    /// # Errors
    /// There is no such account, or the engine's.
    pub async fn delete_account(&self, name: &str) -> Result<(), AdminError> {
        let change = |Account { id, .. }| vec![Effect::BeginDeletion { account: id }];
        self.change(name, change).await
    }

    /// Limits the bytes of an account's current files, or lifts the limit.
    ///
    /// # Errors
    /// There is no such account, or the engine's.
    pub async fn set_quota(&self, name: &str, quota: Option<u64>) -> Result<(), AdminError> {
        let set = SetQuota {
            name: name.to_owned(),
            quota,
        };
        match self.meta.transact(set).await? {
            true => Ok(()),
            false => Err(AdminError::NoSuchAccount(name.to_owned())),
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

struct SetQuota {
    name: String,
    quota: Option<u64>,
}

impl Operation for SetQuota {
    type View = Option<Namespace>;
    /// Whether there is such an account.
    type Answer = bool;

    fn load(&self, loads: &mut dyn Loads) -> Result<Self::View, MetaError> {
        match loads.account_by_name(&self.name)? {
            Some(account) => Ok(Some(loads.namespace(account.ns)?)),
            None => Ok(None),
        }
    }

    fn decide(&self, namespace: Self::View) -> Decision<bool> {
        let Some(namespace) = namespace else {
            return Decision::unchanged(false);
        };
        let changed = Namespace {
            quota: self.quota,
            ..namespace
        };
        Decision {
            effects: vec![Effect::SetNamespace(changed)],
            answer: true,
        }
    }
}
