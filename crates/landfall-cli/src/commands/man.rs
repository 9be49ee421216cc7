//! `man`: manual pages.

use crate::cli::{Man, help};
use crate::exit::{Context, Result};
use crate::output;

pub(crate) fn run(args: &Man) -> Result<()> {
    let Some(dir) = &args.dir else {
        let mut page = Vec::new();
        let made = clap_mangen::Man::new(help::for_manual()).render(&mut page);
        made.when(|| "can't make the manual page")?;
        return output::bytes(&page);
    };
    let made = std::fs::create_dir_all(dir)
        .and_then(|()| clap_mangen::generate_to(help::for_manual(), dir));
    made.when(|| format!("can't write manual pages into {}", dir.display()))
}
