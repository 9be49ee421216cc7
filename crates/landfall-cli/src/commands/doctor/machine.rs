//! What an upload needs of this machine.

use super::Report;
use crate::exit::{Exit, Result};
use crate::human::size;
use landfall_server::sys::open_files::open_files;
use landfall_server::sys::{Fs, RealFs};
use std::path::Path;

/// Files and sockets below which transfers side by side can fail.
const FEW_FILES: u64 = 256;

/// Free bytes below which a disk is soon full.
const LITTLE_SPACE: u64 = 512 * 1024 * 1024;

/// How many files may be open.
pub(super) fn files(report: &mut Report) -> Result<()> {
    let most = open_files();
    if most < FEW_FILES {
        let advice = "`ulimit -n 1024` before the command allows more";
        return report.warning("files", format_args!("only {most} may be open; {advice}"));
    }
    report.ok("files", format_args!("{most} may be open"))
}

/// How much room there is for a directory, which need not be there yet.
pub(super) fn disk(report: &mut Report, directory: &Path) -> Result<()> {
    let there = directory.ancestors().find(|above| above.exists());
    let shown = directory.display();
    let space = match RealFs.space(there.unwrap_or(directory)) {
        Ok(space) => space,
        Err(error) => {
            let text = format!("can't tell how much is free for {shown} ({error})");
            return report.warning("disk", text);
        }
    };
    let text = format!("{} free for {shown}", size(space.free));
    match space.free {
        0 => report.problem("disk", Exit::Space, format_args!("{text}; make room")),
        free if free < LITTLE_SPACE => report.warning("disk", format_args!("{text}; make room")),
        _ => report.ok("disk", text),
    }
}
