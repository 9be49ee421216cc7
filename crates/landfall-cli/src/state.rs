//! Where the tool keeps what it must know in a later run.

use crate::exit::{Exit, Fail, Result};
use etcetera::BaseStrategy;
use std::path::PathBuf;

/// `landfall` in the user's folder for state.
pub(crate) fn directory() -> Result<PathBuf> {
    let base = etcetera::base_strategy::Xdg::new()
        .map_err(|error| Fail::new(Exit::Other, "can't find the folder for state", error))?;
    // Where there is none for state alone, it is data.
    let folder = base.state_dir().unwrap_or_else(|| base.data_dir());
    Ok(folder.join("landfall"))
}
