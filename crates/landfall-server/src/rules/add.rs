//! What it takes to add something that replaces nothing: a new folder, or what is moved or
//! copied.

use super::commit::Landing;
use super::naming::{Numbering, Strategy, free_name};
use super::place::{above, malformed};
use crate::meta::rows::Entry;
use crate::meta::{Place, Rename};
use landfall_protocol::types::files::{WriteConflictError, WriteError};

/// Decides where it is added.
///
/// # Errors
/// The API's reason why it isn't.
pub fn decide(place: &Place, rename: Rename, numbering: Numbering) -> Result<Landing, WriteError> {
    if place.path.has_disallowed_name() {
        return Err(WriteError::DisallowedName);
    }
    let above = above(place)?;
    let conflict = match place.target.as_ref().map(|node| &node.entry) {
        Some(Entry::File(_)) => WriteConflictError::File,
        Some(Entry::Folder(_)) => WriteConflictError::Folder,
        Some(Entry::DeletedFile | Entry::DeletedFolder) | None => {
            return Ok(Landing {
                path: above.folder.child(place.path.name()).map_err(malformed)?,
                seen: place.target.as_ref().map(|node| node.journal),
                replaces: None,
                parents: above.missing,
            });
        }
    };
    let numbered = |is_folder| {
        let strategy = Strategy::Number(numbering);
        free_name(place.path.name(), is_folder, strategy, &place.taken)
    };
    let free = match rename {
        Rename::No => None,
        Rename::File => numbered(false),
        Rename::Folder => numbered(true),
    };
    let free = free.ok_or(WriteError::Conflict(conflict.clone()))?;
    // No room for a longer name: the conflict stays.
    let path = above.folder.child(&free.name);
    Ok(Landing {
        path: path.map_err(|_| WriteError::Conflict(conflict))?,
        seen: free.seen,
        replaces: None,
        parents: above.missing,
    })
}
