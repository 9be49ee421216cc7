//! The command-line tool `landfall`. Arguments go in, results come out; what happens between
//! is the library's.

mod cli;
mod commands;
mod exit;
mod human;
mod log;
mod output;
mod paths;
mod progress;
mod remote;
mod run;
mod state;

use std::process::ExitCode;

fn main() -> ExitCode {
    run::run()
}
