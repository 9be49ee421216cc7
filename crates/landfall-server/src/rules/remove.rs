//! What a deletion may do.

use crate::meta::Subtree;
use crate::meta::rows::{Entry, Node};
use landfall_protocol::types::files::{DeleteError, LookupError, WriteConflictError, WriteError};
use landfall_protocol::{Rev, limits};

/// Decides a deletion: the node that goes, with all that is below it.
///
/// # Errors
/// The API's reason why nothing is deleted.
pub fn decide<'a>(subtree: &'a Subtree, parent_rev: Option<&Rev>) -> Result<&'a Node, DeleteError> {
    let Some(top) = &subtree.top else {
        return Err(DeleteError::PathLookup(LookupError::NotFound));
    };
    let conflict = |conflict| Err(DeleteError::PathWrite(WriteError::Conflict(conflict)));
    match (&top.entry, parent_rev) {
        (Entry::File(file), Some(rev)) if file.rev != *rev => conflict(WriteConflictError::File),
        (Entry::Folder(_), Some(_)) => conflict(WriteConflictError::Folder),
        _ if subtree.below.len() as u64 >= limits::SUBTREE => Err(DeleteError::TooManyFiles),
        _ => Ok(top),
    }
}
