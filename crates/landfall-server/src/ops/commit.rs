//! Saving uploaded bytes at a path: the end of `upload` and of `finish`.

use super::landing::{FreshIds, TreeChange};
use super::target::NoPlace;
use super::{Caller, Service};
use crate::meta::rows::{ContentId, FileEntry, Namespace, NotificationEvent};
use crate::meta::{Effect, Place, Rename, Target};
use crate::rules::commit::{Incoming, Names, Verdict, decide};
use crate::rules::naming::Numbering;
use crate::sys::Micros;
use landfall_protocol::DisplayPath;
use landfall_protocol::types::files::{CommitInfo, InvalidPropertyGroupError, WriteError};

/// A commit that waits for its bytes: all that doesn't depend on what is stored.
#[derive(Clone, Debug)]
pub(super) struct Commit {
    pub(super) info: CommitInfo,
    pub(super) target: Result<Target, NoPlace>,
    display_name: Option<String>,
    numbering: Numbering,
    ids: FreshIds,
    pub(super) now: Micros,
}

/// What a commit came to.
#[derive(Debug)]
pub(super) struct Saved {
    /// Where the file is.
    pub(super) path: DisplayPath,
    /// The file.
    pub(super) file: FileEntry,
    /// What changes; nothing if the same bytes were there already.
    pub(super) effects: Vec<Effect>,
    /// Whether the file's bytes are those of this upload (and not the same ones, stored before).
    pub(super) written: bool,
}

impl Service {
    pub(super) fn commit(&self, caller: &Caller, info: CommitInfo) -> Commit {
        Commit {
            target: caller.writable(info.path.form()),
            info,
            display_name: caller.account.display_name.clone(),
            numbering: self.numbering,
            ids: FreshIds::new(&*self.sys.random),
            now: self.sys.clock.now(),
        }
    }
}

impl Commit {
    /// The target, if the path is one.
    pub(super) fn target(&self) -> Option<&Target> {
        self.target.as_ref().ok()
    }

    /// Whether the file may get another name.
    pub(super) fn rename(&self) -> Rename {
        if self.info.autorename {
            Rename::File
        } else {
            Rename::No
        }
    }

    /// Saves a content.
    pub(super) fn save(
        &self,
        namespace: Namespace,
        place: Option<&Place>,
        incoming: Incoming,
        content: &ContentId,
    ) -> Result<Saved, WriteError> {
        if let Err(problem) = self.target {
            return Err(problem.into());
        }
        // An id that is nowhere: nothing to write to.
        let place = place.ok_or(WriteError::MalformedPath(None))?;
        let names = Names {
            numbering: self.numbering,
            display_name: self.display_name.as_deref(),
        };
        let landing = match decide(place, &self.info, incoming, &namespace, names)? {
            Verdict::AlreadyThere(node) => {
                let crate::meta::rows::Entry::File(file) = node.entry else {
                    unreachable!("only a file has bytes that can be there already");
                };
                return Ok(Saved {
                    path: node.path,
                    file,
                    effects: Vec::new(),
                    written: false,
                });
            }
            Verdict::Write(landing) => landing,
        };
        let server_modified = self.now.timestamp();
        let mut change = TreeChange::new(namespace, self.now);
        let file = change.land_file(&landing, &self.ids, |id, rev| FileEntry {
            id,
            rev,
            content: content.clone(),
            size: incoming.size,
            hash: incoming.hash,
            client_modified: self.info.client_modified.unwrap_or(server_modified),
            server_modified,
        });
        if !self.info.mute {
            let event = match landing.replaces {
                Some(_) => NotificationEvent::FileChanged,
                None => NotificationEvent::FileAdded,
            };
            change.tell(event, landing.path.clone(), Some(file.rev.clone()));
        }
        Ok(Saved {
            path: landing.path,
            file,
            effects: change.into_effects(),
            written: true,
        })
    }
}

/// What the API says after a commit with property groups: there are no templates here, so the
/// file was saved without.
pub(super) fn properties_error(info: &CommitInfo) -> Option<InvalidPropertyGroupError> {
    let first = info.property_groups.as_ref()?.first()?;
    Some(InvalidPropertyGroupError::TemplateNotFound(
        first.template_id.clone(),
    ))
}
