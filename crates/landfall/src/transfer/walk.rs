//! What there is to upload below a local folder.

mod obstacle;
mod patterns;
// Other systems' disks have no place for most of these trees.
#[cfg(all(test, target_os = "linux"))]
mod tests;
mod walker;

use landfall_protocol::{DisplayPath, Timestamp};
use patterns::Patterns;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use walker::Walker;

pub use obstacle::{Obstacle, Problem};
pub use patterns::PatternError;

/// A folder of this machine, and what of it is to be uploaded.
///
/// Patterns are those of a `.gitignore` file in the folder: `*.log` fits in any depth, `/a` and
/// `a/b` from the top, a final `/` means folders alone, `!` takes back what a pattern before fits.
#[derive(Clone, Debug)]
pub struct Walk {
    root: PathBuf,
    there: DisplayPath,
    exclude: Patterns,
    include: Patterns,
    follow_symlinks: bool,
}

/// What a walk found.
#[derive(Debug, Default)]
pub struct Tree {
    /// What there is to upload, sorted by path.
    pub entries: Vec<Entry>,
    /// What can't be uploaded though nothing excludes it, sorted by path.
    pub problems: Vec<Problem>,
}

/// A file to upload, or a folder to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Where it is below the root, with `/` between names. The letters are this machine's: of
    /// folders whose names the service doesn't tell apart, it keeps the spelling that comes first.
    pub relative: Box<str>,
    /// What it is.
    pub kind: EntryKind,
}

/// What is to be uploaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryKind {
    /// A file.
    File {
        /// Bytes in it.
        size: u64,
        /// When it was last changed, if this machine knows.
        modified: Option<Timestamp>,
    },
    /// A folder in which nothing goes; the others are made by what is in them.
    Folder,
}

/// There is nothing to walk.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WalkError {
    /// The root is not there, or can't be listed.
    #[error("can't read {}: {why}; check that it is there and that you may read it", path.display())]
    Unreadable {
        /// The root.
        path: PathBuf,
        /// In the system's words.
        #[source]
        why: io::Error,
    },
    /// The root is something else than a folder.
    #[error("{} is no folder; name one", path.display())]
    NotAFolder {
        /// The root.
        path: PathBuf,
    },
}

impl Walk {
    /// All that is below this folder, with symlinks as problems. If the folder itself is named by
    /// a symlink, that is followed.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self {
            root: root.into(),
            there: DisplayPath::root(),
            exclude: Patterns::none(),
            include: Patterns::none(),
            follow_symlinks: false,
        }
    }

    /// Where the folder's content goes at the service: how long a path gets depends on it.
    #[must_use]
    pub fn destined_for(mut self, there: DisplayPath) -> Self {
        self.there = there;
        self
    }

    /// Leaves out what fits the pattern. A folder that is left out is not looked into.
    ///
    /// # Errors
    /// It is no pattern.
    pub fn exclude(mut self, pattern: &str) -> Result<Self, PatternError> {
        self.exclude.add(pattern)?;
        Ok(self)
    }

    /// Lets in what fits the pattern, folders with all below them, and nothing that fits no
    /// pattern of this kind. Empty folders go if they fit, too.
    ///
    /// # Errors
    /// It is no pattern.
    pub fn include(mut self, pattern: &str) -> Result<Self, PatternError> {
        self.include.add(pattern)?;
        Ok(self)
    }

    /// Whether symlinks stand for what they lead to. By default they don't.
    #[must_use]
    pub fn follow_symlinks(mut self, follow: bool) -> Self {
        self.follow_symlinks = follow;
        self
    }

    /// The folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Whether the patterns let in what is at this place below the root. A folder is let in unless
    /// it is excluded: something in it may be.
    pub fn lets_in(&self, relative: &str, folder: bool) -> bool {
        let mut let_in = self.include.is_empty();
        let ends = relative.match_indices('/').map(|(end, _)| (end, true));
        for (end, folder) in ends.chain([(relative.len(), folder)]) {
            let part = Path::new(&relative[..end]);
            if self.exclude.fit(part, folder) {
                return false;
            }
            let_in |= self.include.fit(part, folder);
        }
        folder || let_in
    }

    /// Whether something excludes what is at this place, in whatever case the service spells it.
    pub(super) fn may_exclude(&self, relative: &str, folder: bool) -> bool {
        let ends = relative.match_indices('/').map(|(end, _)| (end, true));
        ends.chain([(relative.len(), folder)]).any(|(end, folder)| {
            let part = Path::new(&relative[..end]);
            self.exclude.fit_in_any_case(part, folder)
        })
    }

    /// Looks at everything. Blocks for as long as that takes.
    ///
    /// The root itself is no entry, even if nothing is in it. Of files that the service takes for
    /// one, the first by path goes and the others are problems, and so for a file and a folder.
    ///
    /// # Errors
    /// The root is no folder or can't be listed; anything below it that can't be read is a
    /// [`Problem`].
    pub fn run(&self) -> Result<Tree, WalkError> {
        let unreadable = |why| WalkError::Unreadable {
            path: self.root.clone(),
            why,
        };
        if !fs::metadata(&self.root).map_err(unreadable)?.is_dir() {
            return Err(WalkError::NotAFolder {
                path: self.root.clone(),
            });
        }
        fs::read_dir(&self.root).map_err(unreadable)?;
        let real = match self.follow_symlinks {
            true => Some(fs::canonicalize(&self.root).map_err(unreadable)?),
            false => None,
        };
        let mut tree = Walker::new(self).go(real);
        let by_path = |one: &Entry, other: &Entry| one.relative.cmp(&other.relative);
        tree.entries.sort_unstable_by(by_path);
        tree.entries.shrink_to_fit();
        tree.problems
            .sort_by(|one, other| one.local.as_os_str().cmp(other.local.as_os_str()));
        Ok(tree)
    }
}
