//! Arguments, results and errors of the routes, with every field of the specification.
//!
//! Field and variant names are the specification's own, so its documentation applies; what is
//! said here is what it means for Landfall.

pub mod auth;
pub mod batches;
pub mod bounds;
pub mod files;
pub mod folders;
pub mod relocation;
pub mod revisions;
pub mod sessions;
pub mod users;
