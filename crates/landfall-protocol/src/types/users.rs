//! `users/*` and `check/*`.

use super::auth::RootInfo;
use crate::ids::AccountId;
use crate::wire::Json;
use crate::{wire_struct, wire_union};

wire_struct! {
    /// The account behind a token (Spec: `users.FullAccount`).
    pub struct FullAccount {
        /// The account.
        account_id: AccountId,
        /// The person's name.
        name: Name,
        /// The address; a self-hosted server knows none and makes one up.
        email: String,
        /// Whether the address was verified.
        email_verified: bool,
        /// A picture.
        profile_photo_url: Option<String>,
        /// Whether the account is disabled.
        disabled: bool,
        /// Two-letter country code.
        country: Option<String>,
        /// IETF language tag.
        locale: String,
        /// Where to invite others.
        referral_link: String,
        /// The team, if there is one; carried as it came.
        team: Option<Json>,
        /// The member's id in the team.
        team_member_id: Option<String>,
        /// Whether a personal and a work account are linked.
        is_paired: bool,
        /// The kind of account.
        account_type: AccountType,
        /// The namespaces: rclone and dbxcli build their path root from it.
        root_info: RootInfo,
    }
}

wire_struct! {
    /// Argument of `get_account` (Spec: `users.GetAccountArg`).
    pub struct GetAccountArg {
        /// Whose.
        account_id: AccountId,
    }
}

wire_struct! {
    /// What anybody may be told of an account (Spec: `users.BasicAccount`).
    pub struct BasicAccount {
        /// The account.
        account_id: AccountId,
        /// The person's name.
        name: Name,
        /// The address; a self-hosted server knows none and makes one up.
        email: String,
        /// Whether the address was verified.
        email_verified: bool,
        /// A picture.
        profile_photo_url: Option<String>,
        /// Whether the account is disabled.
        disabled: bool,
        /// Whether it is in the caller's team, or the caller's own.
        is_teammate: bool,
        /// The member's id in the team.
        team_member_id: Option<String>,
    }
}

wire_union! {
    /// Spec: `users.GetAccountError`.
    pub open union GetAccountError {
        /// There is no such account, or it is out of reach.
        NoAccount = "no_account",
    }
}

wire_struct! {
    /// A person's name (Spec: `users.Name`).
    pub struct Name {
        /// First name.
        given_name: String,
        /// Last name.
        surname: String,
        /// What friends say.
        familiar_name: String,
        /// The name that stands for the account; conflicted copies carry it.
        display_name: String,
        /// Initials.
        abbreviated_name: String,
    }
}

wire_union! {
    /// The kind of account (Spec: `users_common.AccountType`).
    pub closed union AccountType {
        /// Free.
        Basic = "basic",
        /// Paid.
        Pro = "pro",
        /// Of a team.
        Business = "business",
    }
}

wire_struct! {
    /// Bytes used and allowed (Spec: `users.SpaceUsage`).
    pub struct SpaceUsage {
        /// Bytes in use.
        used: u64,
        /// What may be used.
        allocation: SpaceAllocation,
    }
}

wire_union! {
    /// Who the space belongs to (Spec: `users.SpaceAllocation`).
    pub open union SpaceAllocation {
        /// To the user alone.
        Individual(IndividualSpaceAllocation) flat = "individual",
        /// To the team.
        Team(TeamSpaceAllocation) flat = "team",
    }
}

wire_struct! {
    /// A user's own space (Spec: `users.IndividualSpaceAllocation`).
    pub struct IndividualSpaceAllocation {
        /// Bytes allowed.
        allocated: u64,
    }
}

wire_struct! {
    /// A team's space (Spec: `users.TeamSpaceAllocation`).
    pub struct TeamSpaceAllocation {
        /// Bytes used by the team.
        used: u64,
        /// Bytes allowed to the team.
        allocated: u64,
        /// Bytes of it allowed to the user; 0 means no limit of their own.
        user_within_team_space_allocated: u64,
        /// What happens at the user's limit; carried as it came.
        user_within_team_space_limit_type: Json,
        /// Bytes used by the user.
        user_within_team_space_used_cached: u64,
    }
}

wire_struct! {
    /// Argument of `check/user` (Spec: `check.EchoArg`).
    pub struct EchoArg {
        /// Comes back; 500 characters at most.
        query: Echo = Echo(String::new()),
    }
}

wire_struct! {
    /// Answer of `check/user` (Spec: `check.EchoResult`).
    pub struct EchoResult {
        /// What came.
        result: String = String::new(),
    }
}

wire_union! {
    /// Spec: `check.EchoError`; never given by Landfall.
    pub open union EchoError {
        /// The caller asked for an error.
        UserRequested = "user_requested",
    }
}

/// Text of at most 500 characters (Spec: `check.EchoArg.query`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Echo(pub String);

impl crate::wire::Wire for Echo {
    fn decode(value: &Json, _: crate::wire::Strictness) -> Result<Self, crate::wire::DecodeError> {
        const MOST: usize = 500;
        let text = crate::wire::text(value)?;
        let count = text.chars().count();
        if count > MOST {
            return Err(crate::wire::DecodeError::new(format!(
                "'{}' must be at most {MOST} characters, got {count}",
                crate::wire::shorten(text, 100)
            )));
        }
        Ok(Self(text.to_owned()))
    }
    fn encode(&self) -> Json {
        Json::String(self.0.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::Echo;
    use crate::wire::{Strictness, Wire};
    use serde_json::json;

    #[test]
    fn an_echo_has_up_to_500_characters() {
        let text = json!("\u{e9}".repeat(500));
        let echo = Echo::decode(&text, Strictness::Strict).unwrap();
        assert_eq!(echo.encode(), text);
        let error = Echo::decode(&json!("a".repeat(501)), Strictness::Strict).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("must be at most 500 characters, got 501")
        );
    }
}
