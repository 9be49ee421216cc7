//! What lies in a data directory, and in a backup of one.

use crate::sys::Fs;
use std::io;
use std::path::Path;

/// The metadata, with SQLite's log beside it.
pub(crate) const METADATA: &str = "metadata.sqlite";

/// The blobs.
pub(crate) const BLOBS: &str = "blobs";

/// The certificate for development, and the authority that signed it.
pub(crate) const TLS: &str = "tls";

/// Stands in a directory for as long as it is being filled, by a backup or a restore.
pub(crate) const INCOMPLETE: &str = "incomplete";

/// The SHA-256 of the metadata, in the form that `sha256sum` reads. Backups have it.
pub(crate) const DIGEST: &str = "metadata.sha256";

/// Makes a directory (0700) and those above it, durably. One that exists is left as it is.
pub(crate) fn create_all(fs: &dyn Fs, dir: &Path) -> io::Result<()> {
    match dir.parent() {
        Some(parent) if !dir.is_dir() && !parent.as_os_str().is_empty() => create_all(fs, parent)?,
        _ => {}
    }
    fs.create_dir(dir)
}

#[cfg(test)]
mod tests {
    use super::create_all;
    use crate::sys::Fs;
    use std::io;
    use std::path::{Path, PathBuf};
    use std::sync::Mutex;

    #[test]
    fn a_directory_that_a_crash_left_without_its_sync_gets_it_at_the_next_start() {
        for most in 0.. {
            let dir = tempfile::tempdir().unwrap();
            let srv = dir.path().join("srv");
            let data = srv.join("data");
            let first = Mortal::after(most);
            let died = create_all(&first, &data).is_err();
            let next = Mortal::after(usize::MAX);
            create_all(&next, &data).unwrap();
            let synced = [first, next].map(|fs| fs.syncs.into_inner().unwrap());
            for above in [dir.path(), &srv] {
                assert!(synced.concat().iter().any(|dir| dir == above), "{synced:?}");
            }
            if !died {
                assert!(most >= 2);
                break;
            }
        }
    }

    /// Notes the syncs of directories, until the process dies at one of them.
    #[derive(Debug)]
    struct Mortal {
        most: usize,
        syncs: Mutex<Vec<PathBuf>>,
    }

    impl Mortal {
        fn after(most: usize) -> Self {
            let syncs = Mutex::default();
            Self { most, syncs }
        }
    }

    impl Fs for Mortal {
        fn sync_dir(&self, dir: &Path) -> io::Result<()> {
            let mut syncs = self.syncs.lock().unwrap();
            if syncs.len() == self.most {
                return Err(io::Error::other("killed"));
            }
            syncs.push(dir.to_owned());
            Ok(())
        }
    }
}
