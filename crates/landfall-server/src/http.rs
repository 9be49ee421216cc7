//! HTTP: connections, limits, who calls, arguments in, answers out.

mod accept;
mod argument;
mod body;
mod caller;
mod cors;
mod exchange;
mod metrics;
mod notifications;
mod range;
mod reply;
mod stall;

pub(crate) use accept::{Accept, serve, serve_one};
pub(crate) use caller::ProcessCaller;
pub(crate) use exchange::{Exchange, State};
pub(crate) use range::{Slice, requested};
pub(crate) use reply::Reply;
