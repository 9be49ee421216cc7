//! What restoring a revision does.

use super::commit::Landing;
use super::place::{above, malformed};
use super::quota::overfills;
use crate::meta::rows::{Entry, FileEntry, Node, Revision};
use crate::meta::{Place, PlaceView};
use landfall_protocol::DisplayPath;
use landfall_protocol::types::files::{LookupError, WriteConflictError, WriteError};
use landfall_protocol::types::revisions::RestoreError;

/// What a restore does.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// The file is as it was then: nothing.
    AlreadyThere {
        /// Where it is.
        path: DisplayPath,
        /// The file.
        file: FileEntry,
    },
    /// It writes.
    Write {
        /// Where.
        landing: Landing,
        /// The file then.
        then: FileEntry,
        /// Whether the revision's file, which is nowhere now, comes back.
        revives: bool,
    },
}

/// Decides a restore of this revision to this place; `lives` says whether the revision's file is
/// somewhere now.
///
/// # Errors
/// The API's reason why nothing is written.
pub fn decide(
    view: PlaceView,
    revision: Option<Revision>,
    lives: bool,
) -> Result<Verdict, RestoreError> {
    let not_found = RestoreError::PathLookup(LookupError::NotFound);
    let place = view.place.ok_or(not_found.clone())?;
    let target = place.target.as_ref().ok_or(not_found)?;
    let key = target.key();
    let then = revision
        .filter(|revision| revision.path.key() == key)
        .ok_or(RestoreError::InvalidRevision)?
        .file;
    let landing = match &target.entry {
        Entry::File(file) if is_as(file, &then) => {
            return Ok(Verdict::AlreadyThere {
                path: target.path.clone(),
                file: file.clone(),
            });
        }
        Entry::File(file) => Landing {
            path: target.path.clone(),
            seen: Some(target.journal),
            replaces: Some(file.clone()),
            parents: Vec::new(),
        },
        Entry::Folder(_) => {
            let conflict = WriteError::Conflict(WriteConflictError::Folder);
            return Err(RestoreError::PathWrite(conflict));
        }
        Entry::DeletedFile | Entry::DeletedFolder => {
            again(&place, target).map_err(RestoreError::PathWrite)?
        }
    };
    let freed = landing.replaces.as_ref().map_or(0, |file| file.size);
    if overfills(&view.namespace, freed, then.size) {
        return Err(RestoreError::PathWrite(WriteError::InsufficientSpace));
    }
    Ok(Verdict::Write {
        landing,
        then,
        revives: !lives,
    })
}

/// Whether a file is as it was then, so that a restore that is repeated writes once.
fn is_as(file: &FileEntry, then: &FileEntry) -> bool {
    let said = |file: &FileEntry| (file.size, file.hash, file.client_modified);
    said(file) == said(then)
}

/// A place where something was.
fn again(place: &Place, target: &Node) -> Result<Landing, WriteError> {
    let above = above(place)?;
    Ok(Landing {
        path: above.folder.child(place.path.name()).map_err(malformed)?,
        seen: Some(target.journal),
        replaces: None,
        parents: above.missing,
    })
}
