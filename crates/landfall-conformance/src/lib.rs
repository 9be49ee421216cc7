//! Whether a service speaks the Dropbox upload API: a suite of cases for a URL and a token.
//!
//! Each [`Case`] makes some calls, as a client would, and claims something about the answers. It
//! says what the claim rests on ([`Mark`]), because the service is not documented in full. The
//! suite knows no server: what it expects is written in the cases, with an argument writer, a
//! content hash and a reader of answers of its own, so that a mistake shared with the server it is
//! tried on can't hide.
//!
//! [`run`] works inside of one folder, which it makes and removes again.

mod answer;
mod call;
mod case;
mod cases;
mod describe;
mod finding;
mod hash;
mod place;
mod report;
mod run;
mod service;

pub use case::{Case, Mark};
pub use cases::all as cases;
pub use describe::describe;
pub use finding::{Answered, Asked, Finding};
pub use report::{Json, Report, Text};
pub use run::{Options, Outcome, Summary, Trouble, Verdict, run};
pub use service::{BadTarget, Hosts, Numbering, Service, Token};
