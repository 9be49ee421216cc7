//! The file beside DEST into which bytes come until it is whole. It outlives a run that fails or
//! is stopped, and the next run goes on with it.

use crate::exit::{Context, Exit, Fail, Result};
use landfall_protocol::{Rev, Timestamp};
use std::ffi::{OsStr, OsString};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tempfile::TempPath;

const SUFFIX: &str = ".landfall-part";

/// The most bytes in a name, on every file system in use.
const LONGEST_NAME: usize = 255;

/// How often another run may remove the file between our opening and locking it.
const TRIES: u32 = 8;

/// A part, held by this run alone. Dropped, it stays, unless nothing is in it.
pub(super) struct Part {
    file: File,
    path: PathBuf,
    dest: PathBuf,
}

impl Part {
    /// What an earlier run left of this revision for DEST, or a new one.
    pub(super) fn open(dest: &Path, rev: &Rev) -> Result<Self> {
        let path = dest.with_file_name(name_of(dest, rev));
        let here = || format!("can't write {}", dest.display());
        for _ in 0..TRIES {
            if fs::symlink_metadata(&path).is_ok_and(|there| !there.is_file()) {
                let why = format!("what is at {} is no file; remove it", path.display());
                return Err(Fail::new(Exit::Conflict, here(), why));
            }
            let mut options = OpenOptions::new();
            options.read(true).write(true).create(true).truncate(false);
            let file = options.open(&path);
            let file = file.map_err(|error| super::full_or(here(), &error))?;
            if !lock(&file).when(here)? {
                let why = "another run is downloading it; wait for it, or stop it and start again";
                return Err(Fail::new(Exit::Temporary, here(), why));
            }
            // Whoever had it before may have put it in its place, or removed it; and what was
            // looked at may have been another one.
            if fs::symlink_metadata(&path).is_ok_and(|there| is_same(&file, &there)) {
                let dest = dest.to_owned();
                return Ok(Self { file, path, dest });
            }
        }
        let why = "other runs make and remove what is beside it all the time; stop them";
        Err(Fail::new(Exit::Temporary, here(), why))
    }

    /// The file, to be read and written.
    pub(super) fn file(&self) -> io::Result<File> {
        self.file.try_clone()
    }

    /// Bytes in it.
    pub(super) fn length(&self) -> u64 {
        self.file.metadata().map_or(0, |file| file.len())
    }

    /// It is of no use any more.
    pub(super) fn discard(self) {
        drop(fs::remove_file(&self.path));
    }

    /// Gives the whole file its time and its name; afterwards it survives power loss, once its
    /// folder is synced. What is at DEST is replaced or, if that is not wanted, an error.
    pub(super) fn put_in_place(self, modified: Timestamp, replace: bool) -> io::Result<()> {
        set_modified(&self.file, modified)?;
        self.file.sync_all()?;
        let path = TempPath::try_from_path(&self.path)?;
        let moved = if replace {
            path.persist(&self.dest)
        } else {
            path.persist_noclobber(&self.dest)
        };
        moved.map_err(|failed| {
            // It can be put in place by the next run.
            drop(failed.path.keep());
            failed.error
        })
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        let is_there =
            fs::symlink_metadata(&self.path).is_ok_and(|there| is_same(&self.file, &there));
        if is_there && self.length() == 0 {
            drop(fs::remove_file(&self.path));
        }
    }
}

/// The parts in a folder when it was looked at.
#[derive(Debug, Default)]
pub(super) struct Leftovers {
    names: Vec<OsString>,
}

impl Leftovers {
    /// Those in this folder. One that can't be read has none.
    pub(super) fn of(folder: &Path) -> Self {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        let files = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file()));
        let names = files.map(|entry| entry.file_name());
        Self {
            names: names
                .filter(|name| name.to_str().is_some_and(is_part))
                .collect(),
        }
    }

    /// Removes those of other revisions of a file, unless another run is at them. What can't be
    /// removed stays: it is in nobody's way.
    pub(super) fn remove_others(&self, dest: &Path, rev: &Rev) {
        let this = name_of(dest, rev);
        for name in &self.names {
            if !is_of(name, dest) || *name == *this {
                continue;
            }
            let other = dest.with_file_name(name);
            if let Ok(file) = File::open(&other)
                && lock(&file).is_ok_and(|locked| locked)
            {
                drop(fs::remove_file(&other));
            }
        }
    }
}

/// Whether a name could be one of a part.
pub(super) fn is_part(name: &str) -> bool {
    name.starts_with('.') && name.ends_with(SUFFIX)
}

/// `.NAME.REV.landfall-part`; a long name is cut.
fn name_of(dest: &Path, rev: &Rev) -> String {
    format!("{}{rev}{SUFFIX}", beginning(dest, rev.as_str().len()))
}

/// What the names of all parts for DEST begin with.
fn beginning(dest: &Path, rev: usize) -> String {
    let name = dest.file_name().unwrap_or_default().to_string_lossy();
    let most = LONGEST_NAME.saturating_sub(rev + SUFFIX.len() + 2);
    let name = &name[..name.floor_char_boundary(most)];
    format!(".{name}.")
}

/// Whether this is the name of a part for DEST.
fn is_of(name: &OsStr, dest: &Path) -> bool {
    let Some(rest) = name.to_str().and_then(|name| name.strip_suffix(SUFFIX)) else {
        return false;
    };
    // A rev has no dot in it.
    let Some(dot) = rest.rfind('.') else {
        return false;
    };
    let (name, rev) = rest.split_at(dot + 1);
    rev.parse::<Rev>().is_ok() && name == beginning(dest, rev.len())
}

/// Locks a file; `false`: somebody else has. Where files can't be locked, nobody has.
fn lock(file: &File) -> io::Result<bool> {
    match file.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) if error.kind() == ErrorKind::Unsupported => Ok(true),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Whether an open file is the one that was looked at. A symlink is none that could be opened.
#[cfg(unix)]
fn is_same(open: &File, there: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    open.metadata()
        .is_ok_and(|open| (open.dev(), open.ino()) == (there.dev(), there.ino()))
}

/// Here an open file keeps its name.
#[cfg(not(unix))]
fn is_same(_: &File, _: &fs::Metadata) -> bool {
    true
}

fn set_modified(file: &File, modified: Timestamp) -> io::Result<()> {
    let seconds = modified.unix_seconds();
    let distance = Duration::from_secs(seconds.unsigned_abs());
    let time: Option<SystemTime> = if seconds < 0 {
        UNIX_EPOCH.checked_sub(distance)
    } else {
        UNIX_EPOCH.checked_add(distance)
    };
    time.map_or(Ok(()), |time| file.set_modified(time))
}

#[cfg(test)]
mod tests {
    use super::{Leftovers, Part, is_of, is_part, name_of};
    use crate::exit::Exit;
    use landfall_protocol::Rev;
    use std::ffi::OsStr;
    use std::fs;
    use std::io::Write;
    use std::path::Path;

    fn rev(text: &str) -> Rev {
        text.parse().unwrap()
    }

    #[test]
    fn a_name_tells_of_which_file_and_revision_it_is() {
        let dest = Path::new("d/a.txt");
        let name = name_of(dest, &rev("012345678"));
        assert_eq!(name, ".a.txt.012345678.landfall-part");
        assert!(is_part(&name) && !is_part("a.txt"));
        let is_of = |name: &str, dest: &str| is_of(OsStr::new(name), Path::new(dest));
        assert!(is_of(&name, "e/a.txt"));
        for other in ["e/a", "a.tx", "a.txt.012345678", "012345678", ".a.txt"] {
            assert!(!is_of(&name, other), "{other}");
        }
        assert!(!is_of(".a.txt.no-rev.landfall-part", "a.txt"));
        assert!(!is_of(".a.txt.012345678.part", "a.txt"));
    }

    #[test]
    fn a_long_name_is_cut_between_characters() {
        for name in ["ä".repeat(127), "x".repeat(255)] {
            let part = name_of(Path::new(&name), &rev("012345678"));
            assert!((250..=255).contains(&part.len()), "{}", part.len());
            assert!(is_of(OsStr::new(&part), Path::new(&name)));
        }
    }

    #[test]
    fn a_part_is_held_by_one_and_stays_if_something_is_in_it() {
        let folder = tempfile::tempdir().unwrap();
        let (dest, rev) = (folder.path().join("a"), rev("012345678"));
        let there = || fs::exists(dest.with_file_name(name_of(&dest, &rev))).unwrap();
        let part = Part::open(&dest, &rev).unwrap();
        let failed = Part::open(&dest, &rev).err().unwrap();
        assert_eq!(failed.exit(), Exit::Temporary);
        assert!(there());
        drop(part);
        assert!(!there());
        let part = Part::open(&dest, &rev).unwrap();
        part.file().unwrap().write_all(b"x").unwrap();
        drop(part);
        assert!(there());
        Part::open(&dest, &rev).unwrap().discard();
        assert!(!there());
    }

    #[test]
    fn those_of_other_revisions_go_unless_they_are_held() {
        let folder = tempfile::tempdir().unwrap();
        let dest = folder.path().join("a");
        let revs = ["012345678", "0123456789", "abcdef0123"].map(rev);
        for rev in &revs {
            fs::write(dest.with_file_name(name_of(&dest, rev)), "x").unwrap();
        }
        let of_another = folder.path().join(".ab.012345678.landfall-part");
        fs::write(&of_another, "x").unwrap();
        let [this, held, other] = &revs;
        let part = Part::open(&dest, held).unwrap();
        Leftovers::of(folder.path()).remove_others(&dest, this);
        let there = |rev| fs::exists(dest.with_file_name(name_of(&dest, rev))).unwrap();
        assert!(there(this) && there(held) && !there(other));
        assert!(of_another.exists());
        drop(part);
    }

    #[cfg(unix)]
    #[test]
    fn nothing_is_written_through_a_symlink() {
        let folder = tempfile::tempdir().unwrap();
        let (dest, rev) = (folder.path().join("a"), rev("012345678"));
        let elsewhere = folder.path().join("elsewhere");
        let link = dest.with_file_name(name_of(&dest, &rev));
        std::os::unix::fs::symlink(&elsewhere, link).unwrap();
        assert_eq!(
            Part::open(&dest, &rev).err().unwrap().exit(),
            Exit::Conflict
        );
        assert!(!elsewhere.exists());
    }
}
