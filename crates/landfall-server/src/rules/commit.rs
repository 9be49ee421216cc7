//! What a commit does: the decision table of the API (`docs/architecture.md` shows it whole).

use super::naming::{Numbering, Strategy, free_name};
use super::place::{NewFolder, above, malformed};
use super::planted::{Fault, planted};
use super::quota::overfills;
use crate::meta::Place;
use crate::meta::rows::{Entry, FileEntry, JournalId, Namespace, Node};
use landfall_protocol::types::files::{CommitInfo, WriteConflictError, WriteError, WriteMode};
use landfall_protocol::{ContentHash, DisplayPath};

/// The bytes to be saved.
#[derive(Clone, Copy, Debug)]
pub struct Incoming {
    /// How many.
    pub size: u64,
    /// Their hash.
    pub hash: ContentHash,
}

/// How names are made.
#[derive(Clone, Copy, Debug)]
pub struct Names<'a> {
    /// Where numbers begin.
    pub numbering: Numbering,
    /// Whose conflicted copies.
    pub display_name: Option<&'a str>,
}

/// What a commit does.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// The same bytes are there already: nothing.
    AlreadyThere(Node),
    /// It writes.
    Write(Landing),
}

/// Where a commit writes.
#[derive(Clone, Debug, PartialEq)]
pub struct Landing {
    /// Where, in the letters that the place has or will have.
    pub path: DisplayPath,
    /// The last change there, if the place was used before.
    pub seen: Option<JournalId>,
    /// The file that this is a new revision of.
    pub replaces: Option<FileEntry>,
    /// The folders to make first.
    pub parents: Vec<NewFolder>,
}

/// Decides a commit.
///
/// # Errors
/// The API's reason why nothing is written.
pub fn decide(
    place: &Place,
    commit: &CommitInfo,
    incoming: Incoming,
    namespace: &Namespace,
    names: Names<'_>,
) -> Result<Verdict, WriteError> {
    if place.path.has_disallowed_name() {
        return Err(WriteError::DisallowedName);
    }
    // A file as an ancestor is never solved by another name in the same folder.
    let above = above(place)?;

    let seen = place.target.as_ref().map(|node| node.journal);
    let landing = match at_target(place.target.as_ref(), commit, incoming) {
        AtTarget::AlreadyThere(node) => return Ok(Verdict::AlreadyThere(node)),
        AtTarget::Free => Landing {
            path: above.folder.child(place.path.name()).map_err(malformed)?,
            seen,
            replaces: None,
            parents: above.missing,
        },
        AtTarget::Replace { node, file } => Landing {
            path: node.path.clone(),
            seen,
            replaces: Some(file.clone()),
            parents: Vec::new(),
        },
        AtTarget::Conflict(conflict) => {
            let strategy = match commit.mode {
                WriteMode::Add | WriteMode::Overwrite => Strategy::Number(names.numbering),
                WriteMode::Update(_) => Strategy::ConflictedCopy {
                    display_name: names.display_name,
                },
            };
            let free = commit
                .autorename
                .then(|| free_name(place.path.name(), false, strategy, &place.taken))
                .flatten()
                .ok_or(WriteError::Conflict(conflict.clone()))?;
            // No room for a longer name: the conflict stays.
            let path = above.folder.child(&free.name);
            let path = path.map_err(|_| WriteError::Conflict(conflict))?;
            Landing {
                path,
                seen: free.seen,
                replaces: None,
                parents: above.missing,
            }
        }
    };

    let freed = landing.replaces.as_ref().map_or(0, |file| file.size);
    if overfills(namespace, freed, incoming.size) && !planted(Fault::Endless) {
        return Err(WriteError::InsufficientSpace);
    }
    Ok(Verdict::Write(landing))
}

/// Bytes of the file that a commit replaces, whatever the bytes are that come.
pub fn freed(target: Option<&Node>, mode: &WriteMode) -> u64 {
    match target.map(|node| &node.entry) {
        Some(Entry::File(file)) => match mode {
            WriteMode::Overwrite => file.size,
            WriteMode::Update(rev) if *rev == file.rev => file.size,
            WriteMode::Add | WriteMode::Update(_) => 0,
        },
        _ => 0,
    }
}

enum AtTarget<'a> {
    AlreadyThere(Node),
    Free,
    Replace { node: &'a Node, file: &'a FileEntry },
    Conflict(WriteConflictError),
}

/// The rows and columns of the decision table.
fn at_target<'a>(
    target: Option<&'a Node>,
    commit: &CommitInfo,
    incoming: Incoming,
) -> AtTarget<'a> {
    let strict = commit.strict_conflict && !planted(Fault::NotStrict);
    let Some(node) = target else {
        return AtTarget::Free;
    };
    match &node.entry {
        Entry::DeletedFile if strict && matches!(commit.mode, WriteMode::Update(_)) => {
            AtTarget::Conflict(WriteConflictError::File)
        }
        Entry::DeletedFile | Entry::DeletedFolder => AtTarget::Free,
        Entry::Folder(_) => AtTarget::Conflict(WriteConflictError::Folder),
        Entry::File(file) => {
            if file.size == incoming.size && file.hash == incoming.hash && !strict {
                return AtTarget::AlreadyThere(node.clone());
            }
            match &commit.mode {
                WriteMode::Overwrite => AtTarget::Replace { node, file },
                WriteMode::Update(rev) if *rev == file.rev || planted(Fault::StaleReplaces) => {
                    AtTarget::Replace { node, file }
                }
                WriteMode::Add if planted(Fault::AddReplaces) => AtTarget::Replace { node, file },
                WriteMode::Add | WriteMode::Update(_) => {
                    AtTarget::Conflict(WriteConflictError::File)
                }
            }
        }
    }
}
