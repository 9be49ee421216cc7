//! A walk under way.
//!
//! It goes by the service's folders and not by this machine's: `Docs` and `docs` are one folder
//! there, so they are listed together, and what can't be side by side in it is found where it
//! meets. The way back up is kept in a list, so depth takes no stack.

use super::{Entry, EntryKind, Obstacle, Problem, Tree, Walk};
use crate::transfer::source::whole_seconds;
use landfall_protocol::path::fold_name;
use landfall_protocol::{DisplayPath, limits};
use std::fs::{self, DirEntry, Metadata};
use std::io;
use std::path::{Path, PathBuf};

/// A folder of this machine.
#[derive(Debug)]
struct Folder {
    /// Where it goes.
    path: DisplayPath,
    /// Which of the folders of the place above it is in.
    above: usize,
    /// Whether all in it is let in.
    let_in: bool,
    /// Its true path; known where symlinks are followed, to find those that lead back.
    real: Option<Box<Path>>,
}

/// A folder of the service, and the local folders that end up in it.
#[derive(Debug)]
struct Place {
    folders: Vec<Folder>,
    /// Places in it that are still to be looked at.
    below: Vec<Vec<Folder>>,
    /// Whether something goes in it.
    filled: bool,
    /// The folder to be made if nothing does.
    empty: Option<Box<str>>,
}

/// Something in a place, before it is known what else is there. Kept small: there is one for each
/// file of a folder at once.
struct Child {
    name: Box<str>,
    /// What the service goes by, if that is not the name itself.
    folded: Option<Box<str>>,
    /// Which of the place's folders it is in.
    at: usize,
    what: What,
}

enum What {
    File(EntryKind),
    Folder {
        let_in: bool,
        real: Option<Box<Path>>,
    },
}

impl Child {
    fn key(&self) -> &str {
        self.folded.as_deref().unwrap_or(&self.name)
    }
}

/// What has a name at the service, and keeps it.
struct Taken {
    key: Box<str>,
    path: DisplayPath,
    by_folder: bool,
}

/// A walk under way.
pub(super) struct Walker<'walk> {
    walk: &'walk Walk,
    /// From the root to where the walk is.
    places: Vec<Place>,
    tree: Tree,
}

impl<'walk> Walker<'walk> {
    pub(super) fn new(walk: &'walk Walk) -> Self {
        Self {
            walk,
            places: Vec::new(),
            tree: Tree::default(),
        }
    }

    /// All that is in the root, whose true path is given if symlinks are followed. In no order.
    pub(super) fn go(mut self, real: Option<PathBuf>) -> Tree {
        let root = Folder {
            path: self.walk.there.clone(),
            above: 0,
            let_in: self.walk.include.is_empty(),
            real: real.map(Into::into),
        };
        let place = self.list(vec![root]);
        self.places.push(place);
        while let Some(place) = self.places.last_mut() {
            if let Some(folders) = place.below.pop() {
                let below = self.list(folders);
                self.places.push(below);
                continue;
            }
            let done = self.places.pop();
            let (Some(mut done), Some(above)) = (done, self.places.last_mut()) else {
                // That was the root.
                break;
            };
            if !done.filled
                && let Some(relative) = done.empty.take()
            {
                let kind = EntryKind::Folder;
                self.tree.entries.push(Entry { relative, kind });
                done.filled = true;
            }
            above.filled |= done.filled;
        }
        self.tree
    }

    /// Lists the folders of a place that is below the last of `places`.
    fn list(&mut self, folders: Vec<Folder>) -> Place {
        let mut children = Vec::new();
        let mut empty = None;
        for (at, folder) in folders.iter().enumerate() {
            match self.read(folder, at, &mut children) {
                Ok(()) if folder.let_in && empty.is_none() => {
                    empty = Some(self.relative(&folder.path).into());
                }
                Ok(()) => {}
                Err(why) => self.refuse(self.local(&folder.path), Obstacle::Unreadable(why)),
            }
        }
        children.sort_unstable_by(|one, other| {
            (one.key(), one.at, &one.name).cmp(&(other.key(), other.at, &other.name))
        });
        let mut place = Place {
            folders,
            below: Vec::new(),
            filled: false,
            empty,
        };
        self.settle(children, &mut place);
        place
    }

    /// Decides which children go, now that all are known, and those of one key stand together.
    fn settle(&mut self, children: Vec<Child>, place: &mut Place) {
        let mut taken: Option<Taken> = None;
        for child in children {
            let parent = &place.folders[child.at].path;
            let path = match legal(parent, &child.name) {
                Ok(path) => path,
                Err(why) => {
                    let local = self.local(parent).join(&*child.name);
                    self.refuse(local, why);
                    continue;
                }
            };
            let first = taken.as_ref().filter(|taken| *taken.key == *child.key());
            let by_folder = matches!(child.what, What::Folder { .. });
            if let Some(first) = first
                && !(first.by_folder && by_folder)
            {
                let with = self.relative(&first.path).into();
                self.refuse(self.local(&path), Obstacle::CaseCollision { with });
                continue;
            }
            let beside_another = first.is_some();
            match child.what {
                What::File(kind) => {
                    let relative = self.relative(&path).into();
                    self.tree.entries.push(Entry { relative, kind });
                    place.filled = true;
                }
                What::Folder { let_in, real } => {
                    let folder = Folder {
                        path: path.clone(),
                        above: child.at,
                        let_in,
                        real,
                    };
                    match place.below.last_mut() {
                        Some(same) if beside_another => same.push(folder),
                        _ => place.below.push(vec![folder]),
                    }
                }
            }
            if !beside_another {
                taken = Some(Taken {
                    key: child.folded.unwrap_or(child.name),
                    path,
                    by_folder,
                });
            }
        }
    }

    /// Adds what is in a folder, which is the place's `at`th. What was read before an error counts.
    fn read(&mut self, folder: &Folder, at: usize, children: &mut Vec<Child>) -> io::Result<()> {
        for found in fs::read_dir(self.local(&folder.path))? {
            let found = found?;
            match self.look(folder, at, &found) {
                Ok(Some(child)) => children.push(child),
                Ok(None) => {}
                Err(why) => self.refuse(found.path(), why),
            }
        }
        Ok(())
    }

    /// What an entry of a folder is; nothing if it is left out.
    fn look(
        &self,
        folder: &Folder,
        at: usize,
        found: &DirEntry,
    ) -> Result<Option<Child>, Obstacle> {
        let walk = self.walk;
        let seen = self.follow(found);
        let is_folder = seen.as_ref().is_ok_and(|seen| seen.metadata.is_dir());
        let name = found.file_name();
        let mut let_in = folder.let_in;
        if !walk.exclude.is_empty() || !let_in {
            let relative = Path::new(self.relative(&folder.path)).join(&name);
            if walk.exclude.fit(&relative, is_folder) {
                return Ok(None);
            }
            let_in |= walk.include.fit(&relative, is_folder);
        }
        if !is_folder && !let_in {
            return Ok(None);
        }
        let seen = seen?;
        let name = name.to_str().ok_or(Obstacle::NotUtf8)?;
        let what = if is_folder {
            let real = self.real(folder, found, seen.by_link)?;
            What::Folder { let_in, real }
        } else {
            What::File(file(&seen.metadata)?)
        };
        let folded = fold_name(name);
        Ok(Some(Child {
            name: name.into(),
            folded: (folded != name).then(|| folded.into()),
            at,
            what,
        }))
    }

    /// What is there, through a symlink if these are followed.
    fn follow(&self, found: &DirEntry) -> Result<Seen, Obstacle> {
        let metadata = found.metadata().map_err(Obstacle::Unreadable)?;
        if !metadata.is_symlink() {
            return Ok(Seen {
                metadata,
                by_link: false,
            });
        }
        if !self.walk.follow_symlinks {
            return Err(Obstacle::Symlink);
        }
        let metadata = fs::metadata(found.path()).map_err(Obstacle::BrokenLink)?;
        Ok(Seen {
            metadata,
            by_link: true,
        })
    }

    /// The true path of a folder in `folder`, where that matters; an error if the walk is in it
    /// already.
    fn real(
        &self,
        folder: &Folder,
        found: &DirEntry,
        by_link: bool,
    ) -> Result<Option<Box<Path>>, Obstacle> {
        let Some(above) = &folder.real else {
            return Ok(None);
        };
        if !by_link {
            return Ok(Some(above.join(found.file_name()).into()));
        }
        let real: Box<Path> = fs::canonicalize(found.path())
            .map_err(Obstacle::BrokenLink)?
            .into();
        let mut on_the_way = folder;
        let mut places = self.places.iter().rev();
        loop {
            if on_the_way.real.as_ref() == Some(&real) {
                return Err(Obstacle::SymlinkLoop);
            }
            match places.next() {
                Some(place) => on_the_way = &place.folders[on_the_way.above],
                None => return Ok(Some(real)),
            }
        }
    }

    fn refuse(&mut self, local: PathBuf, why: Obstacle) {
        self.tree.problems.push(Problem { local, why });
    }

    /// The part of a path at the service that is below the root.
    fn relative<'path>(&self, path: &'path DisplayPath) -> &'path str {
        let below = &path.as_str()[self.walk.there.as_str().len()..];
        below.strip_prefix('/').unwrap_or(below)
    }

    fn local(&self, path: &DisplayPath) -> PathBuf {
        match self.relative(path) {
            "" => self.walk.root.clone(),
            relative => self.walk.root.join(relative),
        }
    }
}

/// What an entry of a folder stands for.
struct Seen {
    metadata: Metadata,
    by_link: bool,
}

/// Where something of this name in a folder goes.
fn legal(parent: &DisplayPath, name: &str) -> Result<DisplayPath, Obstacle> {
    let path = parent.child(name).map_err(Obstacle::BadName)?;
    match path.has_disallowed_name() {
        true => Err(Obstacle::Disallowed),
        false => Ok(path),
    }
}

fn file(metadata: &Metadata) -> Result<EntryKind, Obstacle> {
    if !metadata.is_file() {
        return Err(Obstacle::Special);
    }
    let size = metadata.len();
    if size > limits::FILE_SIZE {
        return Err(Obstacle::TooLarge { size });
    }
    Ok(EntryKind::File {
        size,
        modified: metadata.modified().ok().map(whole_seconds),
    })
}
