//! `completions`: what makes a shell complete commands and options.

use crate::cli::{Completions, help};
use crate::exit::Result;
use crate::output;

pub(crate) fn run(args: &Completions) -> Result<()> {
    // Made in memory first: the generator panics where it can't write.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut help::command(), "landfall", &mut script);
    output::bytes(&script)
}
