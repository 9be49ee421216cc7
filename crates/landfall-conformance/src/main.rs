//! The program `landfall-conformance`. Arguments go in, the report comes out; what happens
//! between is the library's.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
