//! The directory that is being filled.

use super::BackupError;
use crate::directory::{INCOMPLETE, create_all};
use crate::sys::{Point, Sys};
use bytes::Bytes;
use std::io;
use std::path::{Path, PathBuf};

/// What the mark says to whoever finds it.
const MARK: &str = "A backup or a restore into this directory has not ended. If none is under way, it was\n\
    interrupted, or something was missing: then this is not a whole copy.\n";

/// A directory that is marked as incomplete until its end.
pub(super) struct Target {
    pub(super) sys: Sys,
    dir: PathBuf,
}

impl Target {
    /// Makes the directory, if it isn't there, and marks it.
    pub(super) fn begin(dir: &Path, sys: &Sys) -> Result<Self, BackupError> {
        let target = Self {
            sys: sys.clone(),
            dir: dir.to_owned(),
        };
        let fs = &*sys.fs;
        target.step("make", create_all(fs, dir))?;
        if !target.step("list", fs.list(dir))?.is_empty() {
            return Err(BackupError::NotEmpty(dir.to_owned()));
        }
        target.write(INCOMPLETE, MARK.into())?;
        target.step("sync", fs.sync_dir(dir))?;
        target.point(Point::CopyBegun)?;
        Ok(target)
    }

    /// The place of this name in it.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// A step that concerns the directory.
    pub(super) fn step<T>(&self, doing: &str, outcome: io::Result<T>) -> Result<T, BackupError> {
        outcome.map_err(BackupError::io(format!("{doing} {}", self.dir.display())))
    }

    /// Writes a small file. Its bytes are durable, its name not yet.
    pub(super) fn write(&self, name: &str, text: String) -> Result<(), BackupError> {
        let fs = &*self.sys.fs;
        let written = fs.create_file(&self.path(name)).and_then(|file| {
            fs.append(&file, &[Bytes::from(text)])?;
            fs.sync_file(&file)
        });
        self.step("write into", written)
    }

    /// Where tests make things go wrong.
    pub(super) fn point(&self, point: Point) -> Result<(), BackupError> {
        self.step(
            "fill",
            self.sys.failpoints.hit(point).map_err(io::Error::from),
        )
    }

    /// All is there: once that is durable, the mark goes.
    pub(super) fn end(self) -> Result<(), BackupError> {
        let fs = &*self.sys.fs;
        self.step("sync", fs.sync_dir(&self.dir))?;
        self.point(Point::CopyUnmark)?;
        self.step("unmark", fs.remove(&self.path(INCOMPLETE)))?;
        self.step("sync", fs.sync_dir(&self.dir))
    }
}
