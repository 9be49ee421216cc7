//! What is to be sent, from where and where to. It is the same plan that is shown and that is
//! carried out.

use super::walk::{EntryKind, Problem, Tree, Walk};
use landfall_protocol::path::{Malformed, fold_name};
use landfall_protocol::{DisplayPath, Timestamp};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// Files and folders, and what keeps others from being among them.
#[derive(Debug, Default)]
pub struct Plan {
    roots: Vec<Root>,
    files: Vec<File>,
    folders: Vec<DisplayPath>,
    problems: Vec<Problem>,
}

/// A file or folder that was named, and where its content goes.
#[derive(Debug)]
pub(super) struct Root {
    pub(super) local: PathBuf,
    pub(super) there: DisplayPath,
    /// How it was walked, if it is a folder, whose files go below `there`.
    pub(super) walk: Option<Walk>,
}

/// One file, below its root; compact, because there may be hundreds of thousands.
#[derive(Debug)]
struct File {
    root: u32,
    relative: Box<str>,
    size: u64,
    modified: Option<Timestamp>,
}

/// A file of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    /// Where it is on this machine.
    pub local: PathBuf,
    /// Where it goes.
    pub there: DisplayPath,
    /// Bytes in it when the plan was made.
    pub size: u64,
    /// When it was last changed, if this machine knows.
    pub modified: Option<Timestamp>,
}

/// The plan can't be one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// Two of the sources would end at one place.
    #[error("{} and {} would both be saved at {there}; rename one, or put them one by one", one.display(), other.display())]
    Collision {
        /// The first.
        one: PathBuf,
        /// The second.
        other: PathBuf,
        /// The place.
        there: String,
    },
    /// A path gets too long, or has a name that can't be one.
    #[error("can't save {} at {there}: {why}; choose another place", local.display())]
    BadPath {
        /// The file.
        local: PathBuf,
        /// The place.
        there: String,
        /// The rule.
        why: Malformed,
    },
}

impl Plan {
    /// A plan of nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a file that is to be saved at this path.
    pub fn add_file(
        &mut self,
        local: PathBuf,
        there: DisplayPath,
        size: u64,
        modified: Option<Timestamp>,
    ) {
        let root = self.add_root(local, there, None);
        self.files.push(File {
            root,
            relative: "".into(),
            size,
            modified,
        });
    }

    /// Adds what a walk found below a folder, to be saved below this path. The folder itself is
    /// made if nothing is in it.
    ///
    /// # Errors
    /// A path gets too long; a walk that knows where its tree goes finds these itself
    /// ([`Walk::destined_for`](super::Walk::destined_for)).
    pub fn add_tree(
        &mut self,
        walk: Walk,
        there: DisplayPath,
        tree: Tree,
    ) -> Result<(), PlanError> {
        let local = walk.root().to_owned();
        for entry in &tree.entries {
            let place = format!("{}/{}", there.as_str(), entry.relative);
            if let Err(why) = DisplayPath::parse(&place) {
                return Err(PlanError::BadPath {
                    local: local.join(Path::new(&*entry.relative)),
                    there: place,
                    why,
                });
            }
        }
        let root = self.add_root(local, there.clone(), Some(walk));
        self.problems.extend(tree.problems);
        if tree.entries.is_empty() && !there.is_root() {
            self.folders.push(there.clone());
        }
        for entry in tree.entries {
            match entry.kind {
                EntryKind::File { size, modified } => self.files.push(File {
                    root,
                    relative: entry.relative,
                    size,
                    modified,
                }),
                EntryKind::Folder => self.folders.push(below(&there, &entry.relative)),
            }
        }
        Ok(())
    }

    fn add_root(&mut self, local: PathBuf, there: DisplayPath, walk: Option<Walk>) -> u32 {
        self.roots.push(Root { local, there, walk });
        u32::try_from(self.roots.len() - 1).expect("nobody names so many")
    }

    /// Looks for two files of different sources that would be saved at one place; those of one
    /// folder were compared when it was walked.
    ///
    /// # Errors
    /// [`PlanError::Collision`]
    pub fn check(&self) -> Result<(), PlanError> {
        if self.roots.len() < 2 {
            return Ok(());
        }
        let mut places = HashMap::new();
        for index in 0..self.files.len() {
            let there = self.there(index);
            if let Some(other) = places.insert(fold_name(there.as_str()), index) {
                return Err(PlanError::Collision {
                    one: self.local(other),
                    other: self.local(index),
                    there: there.as_str().to_owned(),
                });
            }
        }
        Ok(())
    }

    /// Gives all files that are in the plan so far this time of their last change.
    pub fn set_modified(&mut self, time: Timestamp) {
        self.files
            .iter_mut()
            .for_each(|file| file.modified = Some(time));
    }

    /// How many files there are.
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// Whether there is nothing to send and no folder to make.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty() && self.folders.is_empty()
    }

    /// Bytes in all files.
    pub fn bytes(&self) -> u64 {
        let sizes = self.files.iter().map(|file| file.size);
        sizes.fold(0, u64::saturating_add)
    }

    /// The files.
    pub fn files(&self) -> impl Iterator<Item = Planned> {
        (0..self.len()).map(|index| self.file(index))
    }

    /// The empty folders.
    pub fn folders(&self) -> &[DisplayPath] {
        &self.folders
    }

    /// What can't go though nothing excludes it.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// The sources.
    pub(super) fn roots(&self) -> &[Root] {
        &self.roots
    }

    /// The file with this number, below [`Self::len`].
    pub(super) fn file(&self, index: usize) -> Planned {
        let file = &self.files[index];
        Planned {
            local: self.local(index),
            there: self.there(index),
            size: file.size,
            modified: file.modified,
        }
    }

    pub(super) fn size(&self, index: usize) -> u64 {
        self.files[index].size
    }

    fn local(&self, index: usize) -> PathBuf {
        let file = &self.files[index];
        let root = &self.roots[file.root as usize].local;
        match &*file.relative {
            "" => root.clone(),
            relative => root.join(Path::new(relative)),
        }
    }

    pub(super) fn there(&self, index: usize) -> DisplayPath {
        let file = &self.files[index];
        below(&self.roots[file.root as usize].there, &file.relative)
    }
}

fn below(there: &DisplayPath, relative: &str) -> DisplayPath {
    if relative.is_empty() {
        return there.clone();
    }
    DisplayPath::parse(&format!("{}/{relative}", there.as_str()))
        .expect("it was checked when it was added")
}
