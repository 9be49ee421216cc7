//! The API's calls, typed by the table of routes.
//!
//! [`Client`](crate::Client) has a method per route and, under them, one per style that takes
//! any [`Call`](landfall_protocol::Call). A success is a [`Reply`], a failure a [`CallError`];
//! both keep the HTTP status and the body as it came.

mod call;
mod content;
mod error;
mod named;

pub use call::Reply;
pub use content::{ByteRange, Content};
pub use error::{CallError, Failure, Refusal};
