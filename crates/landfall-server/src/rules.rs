//! The rules: pure functions from what is there and what is asked to what happens.
//!
//! They call nobody: no clock, no store, no randomness. Each of the command's promises is kept
//! or broken here, so this is where a question about behaviour is answered.

pub mod add;
pub mod commit;
pub mod naming;
pub mod pieces;
pub mod place;
pub mod planted;
pub mod quota;
pub mod relocate;
pub mod remove;
pub mod restore;
pub mod session;
