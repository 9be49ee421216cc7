//! Who calls, and what they are told of themselves.

use super::{Caller, Service};
use crate::meta::rows::{Account, AccountState};
use crate::meta::{Credential, MetaError};
use landfall_protocol::types::auth::{RootInfo, UserRootInfo};
use landfall_protocol::types::users::{
    AccountType, BasicAccount, FullAccount, GetAccountArg, GetAccountError,
    IndividualSpaceAllocation, Name, SpaceAllocation, SpaceUsage,
};
use sha2::{Digest, Sha256};

/// Why a token doesn't let its bearer in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotLetIn {
    /// Nobody has it.
    Unknown,
    /// It was good once.
    Expired,
    /// It is good, but its account is suspended.
    Suspended,
}

/// The form in which a token is stored and looked up. The look-up is by hash, so its time says
/// nothing about how much of a token is right.
pub fn hash_of_token(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

/// Whether a text can be a token: long enough, and of characters that a header, a URL and a
/// shell take as they are.
pub fn is_token(text: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=:".contains(&byte);
    text.len() >= SHORTEST_TOKEN && text.bytes().all(legal)
}

/// Characters that a token has at least.
pub const SHORTEST_TOKEN: usize = 8;

impl Service {
    /// The caller with this token.
    ///
    /// # Errors
    /// The engine's.
    pub async fn caller(&self, token: &str) -> Result<Result<Caller, NotLetIn>, MetaError> {
        let hash = hash_of_token(token);
        let found = self.meta.read(move |loads| loads.credential(&hash)).await?;
        let Some(Credential {
            token,
            account,
            limited,
        }) = found
        else {
            return Ok(Err(NotLetIn::Unknown));
        };
        if token
            .expires
            .is_some_and(|expires| self.sys.clock.now() >= expires)
        {
            return Ok(Err(NotLetIn::Expired));
        }
        if account.state == AccountState::Suspended {
            return Ok(Err(NotLetIn::Suspended));
        }
        Ok(Ok(Caller {
            account,
            scopes: token.scopes,
            limited,
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

    /// Who somebody is. An account reaches only itself, so others are as unknown as nobody.
    ///
    /// # Errors
    /// The route's.
    pub fn account(
        &self,
        caller: &Caller,
        arg: &GetAccountArg,
    ) -> Result<BasicAccount, GetAccountError> {
        if arg.account_id != caller.account.id {
            return Err(GetAccountError::NoAccount);
        }
        let own = self.current_account(caller);
        Ok(BasicAccount {
            account_id: own.account_id,
            name: own.name,
            email: own.email,
            email_verified: own.email_verified,
            profile_photo_url: own.profile_photo_url,
            disabled: own.disabled,
            is_teammate: true,
            team_member_id: own.team_member_id,
        })
    }

    /// How full the caller's account is. Without a quota it may use what the disk still has.
    ///
    /// # Errors
    /// The engine's.
    pub async fn space_usage(&self, caller: &Caller) -> Result<SpaceUsage, MetaError> {
        let ns = caller.ns();
        let namespace = self.meta.read(move |loads| loads.namespace(ns)).await?;
        let free = || {
            self.room
                .left()
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
