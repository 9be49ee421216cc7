//! The API's calls, typed by the table of routes.
//!
//! [`Client`](crate::Client) has a method per route and, under them, one per style that takes
//! any [`Call`](landfall_protocol::Call). A success is a [`Reply`], a failure a [`CallError`];
//! both keep the HTTP status and the body as it came.

mod call;
mod content;
mod error;
mod named;
mod no_answer;
mod raw;

pub use call::Reply;
pub use content::{ByteRange, Content};
pub use error::{CallError, Failure, Refusal};
#[cfg(any(feature = "blocking", feature = "callback"))]
pub(crate) use named::each_route;
pub use no_answer::{LocalError, NoAnswer, NoAnswerReason};
pub use raw::RawReply;
