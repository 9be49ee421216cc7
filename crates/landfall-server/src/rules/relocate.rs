//! What a move or a copy does.

use super::add;
use super::commit::Landing;
use super::naming::Numbering;
use super::quota::overfills;
use crate::meta::rows::{Entry, Node};
use crate::meta::{Place, Rename, Subtree};
use landfall_protocol::limits;
use landfall_protocol::types::files::WriteError;
use landfall_protocol::types::relocation::RelocationError;

/// Whether what is relocated stays where it was, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relocation {
    /// It doesn't.
    Move,
    /// It does.
    Copy,
}

/// How something may be renamed on its way; a file's extension stays at the end.
pub fn rename(top: &Node, autorename: bool) -> Rename {
    match top.entry {
        _ if !autorename => Rename::No,
        Entry::Folder(_) => Rename::Folder,
        _ => Rename::File,
    }
}

/// Decides where `top`, the top of `from`, goes.
///
/// # Errors
/// The API's reason why nothing is moved or copied.
pub fn decide(
    relocation: Relocation,
    from: &Subtree,
    top: &Node,
    to: Option<&Place>,
    rename: Rename,
    numbering: Numbering,
) -> Result<Landing, RelocationError> {
    if from.below.len() as u64 >= limits::SUBTREE {
        return Err(RelocationError::TooManyFiles);
    }
    // An id that is nowhere: nothing to write to.
    let to = to.ok_or(RelocationError::To(WriteError::MalformedPath(None)))?;
    if matches!(top.entry, Entry::Folder(_)) && to.path.key().is_below(&top.key()) {
        return Err(match relocation {
            Relocation::Move => RelocationError::CantMoveFolderIntoItself,
            Relocation::Copy => RelocationError::DuplicatedOrNestedPaths,
        });
    }
    let landing = add::decide(to, rename, numbering).map_err(RelocationError::To)?;
    // What is moved fills the account as before.
    if relocation == Relocation::Copy && overfills(&from.namespace, 0, bytes(from, top)) {
        return Err(RelocationError::InsufficientQuota);
    }
    Ok(landing)
}

/// Bytes of all files.
fn bytes(from: &Subtree, top: &Node) -> u64 {
    let size = |node: &Node| match &node.entry {
        Entry::File(file) => file.size,
        _ => 0,
    };
    size(top) + from.below.iter().map(size).sum::<u64>()
}
