//! From the path in a request to a place in a tree.

use super::Caller;
use crate::meta::Target;
use crate::meta::rows::Ns;
use landfall_protocol::path::Malformed;
use landfall_protocol::types::files::{LookupError, WriteError};
use landfall_protocol::{DisplayPath, NamespaceId, PathForm, Rev};

/// What a path means to a caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// A place in the caller's tree.
    Target(Target),
    /// A revision of a file in it.
    Revision(Rev),
}

/// Why a path means nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoPlace {
    /// It can't be a path.
    Malformed,
    /// A namespace that the caller can't reach, whether it exists or not.
    Unreachable,
}

impl From<NoPlace> for LookupError {
    fn from(problem: NoPlace) -> Self {
        match problem {
            NoPlace::Malformed => Self::MalformedPath(None),
            NoPlace::Unreachable => Self::NotFound,
        }
    }
}

impl From<NoPlace> for WriteError {
    fn from(problem: NoPlace) -> Self {
        match problem {
            NoPlace::Malformed => Self::MalformedPath(None),
            NoPlace::Unreachable => Self::NoWritePermission,
        }
    }
}

impl From<Malformed> for NoPlace {
    fn from(_: Malformed) -> Self {
        Self::Malformed
    }
}

impl Caller {
    /// The place that a path means.
    pub(super) fn place(&self, form: &PathForm) -> Result<Place, NoPlace> {
        Ok(match form {
            PathForm::Rev(rev) => Place::Revision(rev.clone()),
            PathForm::Absolute(path) => Place::Target(Target::Path(DisplayPath::parse(path)?)),
            PathForm::Id { id, below } => Place::Target(Target::Id {
                id: id.clone(),
                below: DisplayPath::parse(below)?,
            }),
            PathForm::Namespace { namespace, below } => {
                if !self.reaches(namespace) {
                    return Err(NoPlace::Unreachable);
                }
                Place::Target(Target::Path(DisplayPath::parse(below)?))
            }
        })
    }

    /// The place that a path means, for what is written: revisions and the root are none.
    pub(super) fn writable(&self, form: &PathForm) -> Result<Target, NoPlace> {
        match self.place(form)? {
            Place::Target(Target::Path(path)) if path.is_root() => Err(NoPlace::Malformed),
            Place::Target(target) => Ok(target),
            Place::Revision(_) => Err(NoPlace::Malformed),
        }
    }

    /// Whether a namespace is the caller's own.
    pub fn reaches(&self, namespace: &NamespaceId) -> bool {
        *namespace == self.ns().wire()
    }

    /// The caller's tree, by its number.
    pub(super) fn tree(&self) -> Ns {
        self.account.ns
    }
}
