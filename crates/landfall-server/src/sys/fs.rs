//! Files, and what it takes for them to survive power loss.
//!
//! The rules that the callers build on:
//! * the bytes of a file are safe after [`Fs::sync_file`], its *name* only after
//!   [`Fs::sync_dir`] of the directory that holds it;
//! * a new directory's name is as perishable as a new file's: [`Fs::create_dir`] syncs the
//!   parent before it returns;
//! * a failed sync is final. The kernel may have dropped the unwritten pages, and a second sync
//!   that succeeds says nothing about them.

use super::weakened::{Safeguard, without};
use bytes::Bytes;
use std::fmt::Debug;
use std::fs::{DirBuilder, DirEntry, File, OpenOptions};
use std::io::{self, IoSlice, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::Path;

/// Bytes that are rewritten at a time.
const PIECE: usize = 1024 * 1024;

/// What this crate does with files; all calls block. Each does what the operating system does,
/// unless an implementation has its own: a test says only what breaks.
pub trait Fs: Debug + Send + Sync {
    /// Makes a directory that only its owner can enter (0700); the name is durable after
    /// [`Self::sync_dir`] of the one above it.
    ///
    /// # Errors
    /// The system's; `AlreadyExists` if the name is taken.
    fn make_dir(&self, dir: &Path) -> io::Result<()> {
        DirBuilder::new().mode(0o700).create(dir)
    }

    /// Makes a directory durably. One that exists is left as it is, but its name is made
    /// durable too: a crash may have come between its making and its sync.
    ///
    /// # Errors
    /// The system's.
    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        let exists = match self.make_dir(dir) {
            Ok(()) => false,
            Err(_) if dir.is_dir() => true,
            Err(error) => return Err(error),
        };
        let above = match dir.parent() {
            Some(above) if !above.as_os_str().is_empty() => above,
            _ => Path::new("."),
        };
        match self.sync_dir(above) {
            // Then nobody made it here a moment ago.
            Err(error) if exists && is_foreign(&error) => Ok(()),
            synced => synced,
        }
    }

    /// Makes a new file that only its owner can read (0600); the name is durable after
    /// [`Self::sync_dir`].
    ///
    /// # Errors
    /// The system's; `AlreadyExists` if the name is taken.
    fn create_file(&self, path: &Path) -> io::Result<File> {
        OpenOptions::new()
            .append(true)
            .create_new(true)
            .mode(0o600)
            .open(path)
    }

    /// Writes all the pieces at the file's end, one after the other, in as few calls as the
    /// system needs.
    ///
    /// # Errors
    /// The system's; some of the bytes may have been written.
    fn append(&self, mut file: &File, pieces: &[Bytes]) -> io::Result<()> {
        let mut slices: Vec<IoSlice<'_>> = pieces.iter().map(|piece| IoSlice::new(piece)).collect();
        let mut left = &mut slices[..];
        // Also drops empty pieces at the beginning, so that a write of nothing is an error.
        IoSlice::advance_slices(&mut left, 0);
        while !left.is_empty() {
            match file.write_vectored(left) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => IoSlice::advance_slices(&mut left, written),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Asks the system to begin writing a part of a file to the disk, so that the sync at the
    /// end finds little left to do. A hint: it promises nothing and can't fail.
    fn begin_write_back(&self, file: &File, offset: u64, length: u64) {
        write_back(file, offset, length);
    }

    /// Makes the bytes of a file survive power loss.
    ///
    /// # Errors
    /// The system's. Don't repeat the call: see the module's rules.
    fn sync_file(&self, file: &File) -> io::Result<()> {
        if without(Safeguard::FileSync) {
            return Ok(());
        }
        let synced = file.sync_data();
        match without(Safeguard::SyncError) {
            true => Ok(()),
            false => synced,
        }
    }

    /// Writes the bytes of a file over themselves and makes them survive power loss. After a
    /// sync that failed the system may show bytes that it takes for written and the disk doesn't
    /// have; here each of them is new to it.
    ///
    /// # Errors
    /// The system's.
    fn rewrite(&self, path: &Path) -> io::Result<()> {
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        let mut bytes = vec![0; PIECE];
        let mut offset = 0;
        loop {
            let length = file.read_at(&mut bytes, offset)?;
            if length == 0 {
                return file.sync_data();
            }
            file.write_all_at(&bytes[..length], offset)?;
            offset += length as u64;
        }
    }

    /// Makes the names in a directory survive power loss.
    ///
    /// # Errors
    /// The system's.
    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        if without(Safeguard::DirSync) {
            return Ok(());
        }
        File::open(dir)?.sync_all()
    }

    /// Writes a new file under the name `draft`, makes it survive power loss and only then gives
    /// it its name, so that nobody ever sees a part of it. Only its owner can read it (0600).
    ///
    /// # Errors
    /// The system's; `AlreadyExists` if the name is taken and not to be replaced.
    fn write_whole(&self, draft: &Path, path: &Path, bytes: Bytes, taken: Taken) -> io::Result<()> {
        let written = self.create_file(draft).and_then(|file| {
            self.append(&file, &[bytes])?;
            self.sync_file(&file)?;
            match taken {
                Taken::Replaced => std::fs::rename(draft, path),
                // Unlike a rename, a link leaves what has the name.
                Taken::Left => std::fs::hard_link(draft, path),
            }
        });
        match (taken, &written) {
            (Taken::Replaced, Ok(())) => {}
            _ => self.remove(draft)?,
        }
        written?;
        self.sync_dir(path.parent().unwrap_or(Path::new(".")))
    }

    /// Reads a whole file.
    ///
    /// # Errors
    /// The system's.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        std::fs::read(path)
    }

    /// Opens a file for reading.
    ///
    /// # Errors
    /// The system's.
    fn open(&self, path: &Path) -> io::Result<File> {
        File::open(path)
    }

    /// Fills the buffer from an offset in the file.
    ///
    /// # Errors
    /// The system's; `UnexpectedEof` if the file is shorter.
    fn read_at(&self, file: &File, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        file.read_exact_at(buffer, offset)
    }

    /// Removes a file's name.
    ///
    /// # Errors
    /// The system's.
    fn remove(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(path)
    }

    /// The names in a directory.
    ///
    /// # Errors
    /// The system's.
    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let name = |entry: io::Result<DirEntry>| {
            // Names that aren't UTF-8 are not ours.
            entry
                .map(|entry| entry.file_name().into_string().ok())
                .transpose()
        };
        std::fs::read_dir(dir)?.filter_map(name).collect()
    }

    /// The network file system that a directory is on, by name; `None`: it is on a local one,
    /// or the system doesn't say.
    ///
    /// # Errors
    /// The system's.
    fn network(&self, dir: &Path) -> io::Result<Option<&'static str>> {
        network_at(dir)
    }

    /// How much room there is where the directory is.
    ///
    /// # Errors
    /// The system's.
    fn space(&self, dir: &Path) -> io::Result<Space> {
        let space = rustix::fs::statvfs(dir)?;
        let bytes = |blocks: u64| blocks.saturating_mul(space.f_frsize);
        Ok(Space {
            free: bytes(space.f_bavail),
            size: bytes(space.f_blocks),
        })
    }
}

/// What happens to a file that has the name of a new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It is replaced.
    Replaced,
    /// It stays, and that is an error.
    Left,
}

/// The room of a file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    /// Bytes that can still be written.
    pub free: u64,
    /// Bytes in all.
    pub size: u64,
}

/// Whether a directory can't be synced because it isn't ours: we may not read it, or nothing can
/// be written there.
fn is_foreign(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::PermissionDenied
            | io::ErrorKind::ReadOnlyFilesystem
            | io::ErrorKind::InvalidInput
    )
}

/// The operating system's files.
#[derive(Clone, Copy, Debug)]
pub struct RealFs;

impl Fs for RealFs {}

#[cfg(target_os = "linux")]
fn write_back(file: &File, offset: u64, length: u64) {
    // "Not needed soon" makes Linux write the dirty pages of the range at once; it drops
    // only those that are clean, and what was just written isn't.
    let length = std::num::NonZeroU64::new(length);
    let _ = rustix::fs::fadvise(file, offset, length, rustix::fs::Advice::DontNeed);
}

#[cfg(not(target_os = "linux"))]
fn write_back(_: &File, _: u64, _: u64) {}

#[cfg(target_os = "linux")]
fn network_at(dir: &Path) -> io::Result<Option<&'static str>> {
    // The kernel's numbers have 32 bits, whatever the width of the field.
    Ok(network_of(rustix::fs::statfs(dir)?.f_type as u32))
}

#[cfg(not(target_os = "linux"))]
fn network_at(_: &Path) -> io::Result<Option<&'static str>> {
    Ok(None)
}

/// The network file system with this number (statfs(2) of Linux).
#[cfg(target_os = "linux")]
fn network_of(number: u32) -> Option<&'static str> {
    Some(match number {
        0x6969 => "NFS",
        0x517b | 0xff53_4d42 | 0xfe53_4d42 => "SMB",
        0x00c3_6400 => "Ceph",
        0x5346_414f => "AFS",
        0x564c => "NCP",
        0x0102_1997 => "9P",
        0x0bd0_0bd0 => "Lustre",
        _ => return None,
    })
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::{Fs, RealFs, Taken, network_of};
    use bytes::Bytes;

    #[test]
    fn many_pieces_are_written_whole_and_in_order() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        let file = RealFs.create_file(&path).unwrap();
        // More than one call takes (IOV_MAX is 1024), with empty ones among them.
        let pieces: Vec<Bytes> = (0..3000_u32)
            .map(|nth| Bytes::from(nth.to_string().repeat(nth as usize % 3)))
            .collect();
        RealFs.append(&file, &pieces).unwrap();
        RealFs.append(&file, &[]).unwrap();
        RealFs.begin_write_back(&file, 0, 1000);
        assert_eq!(std::fs::read(&path).unwrap(), pieces.concat());
    }

    #[test]
    fn a_file_that_is_written_whole_replaces_another_only_if_it_may() {
        let dir = tempfile::tempdir().unwrap();
        let (draft, path) = (dir.path().join("draft"), dir.path().join("file"));
        let write = |text: &'static str, taken| {
            RealFs.write_whole(&draft, &path, text.as_bytes().into(), taken)
        };
        write("one", Taken::Left).unwrap();
        let error = write("two", Taken::Left).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::AlreadyExists);
        assert_eq!(RealFs.read(&path).unwrap(), b"one");
        write("three", Taken::Replaced).unwrap();
        assert_eq!(RealFs.read(&path).unwrap(), b"three");
        assert_eq!(RealFs.list(dir.path()).unwrap(), ["file"]);
    }

    #[test]
    fn a_file_that_is_rewritten_stays_what_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        let bytes: Vec<u8> = (0..2_500_000_u32).map(|nth| (nth % 251) as u8).collect();
        std::fs::write(&path, &bytes).unwrap();
        RealFs.rewrite(&path).unwrap();
        assert!(std::fs::read(&path).unwrap() == bytes);
    }

    #[test]
    fn network_file_systems_are_told_from_local_ones() {
        assert_eq!(network_of(0x6969), Some("NFS"));
        assert_eq!(network_of(0xef53), None, "ext4");
        let here = tempfile::tempdir().unwrap();
        assert_eq!(
            RealFs.network(here.path()).unwrap(),
            None,
            "tests run on a local disk"
        );
    }
}
