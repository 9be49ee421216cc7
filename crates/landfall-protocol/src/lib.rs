//! The Dropbox upload API as data: what travels on the wire, and what it means.
//!
//! Two tables carry it, and a newcomer opens them first: [`routes`] says which URLs there are
//! and which types they speak, [`errors`] what can go wrong and what to do about it. Server and
//! client are both driven by them. There is no I/O here, no clock and no randomness.
//!
//! The facts come from the published Stone specification, the developer documentation and
//! recorded traffic; where a fact rests on less than the specification, its place says so.

pub mod blocks;
pub mod envelope;
pub mod errors;
mod fold;
pub mod hash;
pub mod ids;
pub mod json;
pub mod limits;
pub mod path;
pub mod routes;
pub mod time;
pub mod types;
pub mod wire;

pub use blocks::{BlockDigests, BlockHasher};
pub use envelope::ErrorEnvelope;
pub use fold::FOLDING_VERSION;
pub use hash::{BodyHasher, ContentHash, ContentHasher, GivenHash};
pub use ids::{AccountId, AsyncJobId, FileId, NamespaceId, Rev, SessionId};
pub use path::{DisplayPath, PathForm, PathKey};
pub use routes::{Call, Route, RouteId, Scope, calls};
pub use time::Timestamp;
pub use wire::{Strictness, Wire};
