//! The commands' page in every face of the library: asynchronous, blocking, with a callback, and
//! as texts. (The tool has the same tests in its own package.)

mod blocking;
mod callbacks;
mod cancelling;
mod commands;
mod face;
mod log;
mod parameters;
mod program;
mod script;
