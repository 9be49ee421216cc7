//! What a write needs above its target.

use super::planted::{Fault, planted};
use crate::meta::Place;
use crate::meta::rows::{Entry, JournalId};
use landfall_protocol::DisplayPath;
use landfall_protocol::path::Malformed;
use landfall_protocol::types::files::{WriteConflictError, WriteError};

/// A folder that must be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewFolder {
    /// Where.
    pub path: DisplayPath,
    /// The last change there, if the place was used before.
    pub seen: Option<JournalId>,
}

/// The folders above a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Above {
    /// The folder that holds the target, in the letters that it has or will have.
    pub folder: DisplayPath,
    /// Those that are missing, outermost first.
    pub missing: Vec<NewFolder>,
}

/// The folders above a place. Folders that exist keep their letters.
///
/// # Errors
/// A file stands where a folder is needed, or the path gets too long: the letters of folders
/// that exist may take more bytes than those of the request.
pub fn above(place: &Place) -> Result<Above, WriteError> {
    let mut folder = DisplayPath::root();
    let mut missing = Vec::new();
    for (wanted, node) in &place.ancestors {
        let found = match node.as_ref().map(|node| &node.entry) {
            Some(Entry::File(_)) => {
                return Err(WriteError::Conflict(WriteConflictError::FileAncestor));
            }
            Some(Entry::Folder(_)) if planted(Fault::Letters) => folder.child(wanted.name()).ok(),
            Some(Entry::Folder(_)) => node.as_ref().map(|node| node.path.clone()),
            Some(Entry::DeletedFile | Entry::DeletedFolder) | None => None,
        };
        folder = match found {
            Some(path) => path,
            None => {
                let path = folder.child(wanted.name()).map_err(malformed)?;
                missing.push(NewFolder {
                    path: path.clone(),
                    seen: node.as_ref().map(|node| node.journal),
                });
                path
            }
        };
    }
    Ok(Above { folder, missing })
}

/// What the API says of a path that can't be one.
pub fn malformed(_: Malformed) -> WriteError {
    WriteError::MalformedPath(None)
}
