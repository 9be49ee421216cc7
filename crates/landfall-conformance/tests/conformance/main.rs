//! The suite is tried on a good server.

mod runs;
mod suite;
