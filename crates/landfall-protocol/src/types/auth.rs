//! Errors that any route can give before it runs: authentication, access, path root, rate.

use crate::ids::NamespaceId;
use crate::{wire_struct, wire_union};

wire_union! {
    /// Status 401 (Spec: `auth.AuthError`).
    pub open union AuthError {
        /// The token is unknown or revoked.
        InvalidAccessToken = "invalid_access_token",
        /// `Dropbox-API-Select-User` names nobody on the team.
        InvalidSelectUser = "invalid_select_user",
        /// `Dropbox-API-Select-Admin` names no admin of the team.
        InvalidSelectAdmin = "invalid_select_admin",
        /// The account is suspended.
        UserSuspended = "user_suspended",
        /// The token was valid once: refresh it.
        ExpiredAccessToken = "expired_access_token",
        /// The token lacks the route's scope.
        MissingScope(TokenScopeError) flat = "missing_scope",
        /// The route is not for the public.
        RouteAccessDenied = "route_access_denied",
    }
}

wire_struct! {
    /// What a token lacks (Spec: `auth.TokenScopeError`).
    pub struct TokenScopeError {
        /// The scope that the route needs.
        required_scope: String,
    }
}

wire_struct! {
    /// Status 429 (Spec: `auth.RateLimitError`).
    pub struct RateLimitError {
        /// Which limit was met.
        reason: RateLimitReason,
        /// Seconds to wait before the next request.
        retry_after: u64 = 1,
    }
}

wire_union! {
    /// Which limit was met (Spec: `auth.RateLimitReason`).
    pub open union RateLimitReason {
        /// Requests of this app and user.
        TooManyRequests = "too_many_requests",
        /// Writes into one namespace at once.
        TooManyWriteOperations = "too_many_write_operations",
    }
}

wire_union! {
    /// The `Dropbox-API-Path-Root` header (Spec: `common.PathRoot`).
    pub open union PathRoot {
        /// Paths are relative to the user's home namespace.
        Home = "home",
        /// Paths are relative to the user's root namespace, which must still be this one.
        Root(NamespaceId) under = "root",
        /// Paths are relative to this namespace.
        NamespaceId(NamespaceId) under = "namespace_id",
    }
}

wire_union! {
    /// Status 422 (Spec: `common.PathRootError`).
    pub open union PathRootError {
        /// The root is another one now.
        InvalidRoot(RootInfo) under = "invalid_root",
        /// The namespace can't be reached with this token.
        NoPermission = "no_permission",
    }
}

wire_union! {
    /// A user's namespaces (Spec: `common.RootInfo`).
    pub open union RootInfo {
        /// A team with a root of its own.
        Team(TeamRootInfo) flat = "team",
        /// A user alone.
        User(UserRootInfo) flat = "user",
    }
}

wire_struct! {
    /// Namespaces of a member of a team with a root of its own (Spec: `common.TeamRootInfo`).
    pub struct TeamRootInfo {
        /// The team's root.
        root_namespace_id: NamespaceId,
        /// The user's home.
        home_namespace_id: NamespaceId,
        /// Where the home is, seen from the root.
        home_path: String,
    }
}

wire_struct! {
    /// Namespaces of a user alone (Spec: `common.UserRootInfo`): both are the same.
    pub struct UserRootInfo {
        /// The user's root.
        root_namespace_id: NamespaceId,
        /// The user's home.
        home_namespace_id: NamespaceId,
        /// Where the home is, seen from the root.
        home_path: Option<String>,
    }
}
