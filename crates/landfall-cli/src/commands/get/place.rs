//! Where a file goes on this machine, and what is there now.

use crate::exit::{Exit, Fail, Result, ToExit};
use landfall::transfer::hash_file;
use landfall_protocol::types::files::FileMetadata;
use std::fs;
use std::io::ErrorKind;
use std::path::{Component, Path};

/// Why a name can't be one here; a service must not choose where files go.
pub(super) fn unfit(name: &str) -> Option<&'static str> {
    let mut parts = Path::new(name).components();
    let plain = match (parts.next(), parts.next()) {
        (Some(Component::Normal(part)), None) => part == name,
        _ => false,
    };
    if !plain || name.contains('\0') {
        Some("its name can't be one here")
    } else if super::part::is_part(name) {
        Some("names like its are those of unfinished downloads")
    } else {
        None
    }
}

/// What is at a place where a file is to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum There {
    Nothing,
    /// A file, or a symlink.
    File,
    /// Something that a file never replaces, and what to do about it.
    Other(&'static str),
}

impl There {
    pub(super) fn at(dest: &Path) -> Result<Self> {
        match fs::symlink_metadata(dest) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Self::Nothing),
            Err(error) => {
                let what = format!("can't write {}", dest.display());
                Err(Fail::new(error.exit(), what, error.why()))
            }
            Ok(there) if there.is_dir() => {
                Ok(Self::Other("a folder is there; choose another name"))
            }
            Ok(there) if there.is_file() || there.is_symlink() => Ok(Self::File),
            Ok(_) => Ok(Self::Other(
                "a device or pipe is there; use `-` and redirect",
            )),
        }
    }

    /// The failure, if a file may not go there.
    pub(super) fn check(self, what: &str, force: bool) -> Result<()> {
        match self {
            Self::Nothing => Ok(()),
            Self::File if force => Ok(()),
            Self::File => Err(Fail::new(
                Exit::Conflict,
                what,
                "it exists; use --force to replace it",
            )),
            Self::Other(why) => Err(Fail::new(Exit::Conflict, what, why)),
        }
    }
}

/// Whether the file here has the very bytes of the one there.
pub(super) fn is_same(dest: &Path, file: &FileMetadata) -> bool {
    let as_long = fs::metadata(dest).is_ok_and(|here| here.is_file() && here.len() == file.size);
    as_long
        && file.content_hash.is_some()
        && hash_file(dest).is_ok_and(|(_, hash)| file.content_hash == Some(hash))
}

#[cfg(test)]
mod tests {
    use super::{There, is_same, unfit};
    use crate::exit::Exit;
    use crate::output::tests::file;
    use landfall_protocol::ContentHash;
    use std::fs;
    use std::path::Path;

    #[test]
    fn a_service_can_not_choose_the_folder() {
        for name in [
            "", ".", "..", "/", "a/b", "../a", "/etc/a", "a/", "a/.", "a\0b",
        ] {
            assert!(unfit(name).is_some(), "{name:?}");
        }
        assert!(unfit(".a.012345678.landfall-part").is_some());
        for name in ["a", "...", "..a", ".a", " ", "a\nb", "ä"] {
            assert_eq!(unfit(name), None, "{name:?}");
        }
    }

    #[test]
    fn what_is_there_is_replaced_if_it_is_a_file_and_that_is_wanted() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("a");
        let check = |place: &Path, force| There::at(place).unwrap().check("x", force);
        assert!(check(&place, false).is_ok());
        fs::write(&place, "x").unwrap();
        assert_eq!(check(&place, false).unwrap_err().exit(), Exit::Conflict);
        assert!(check(&place, true).is_ok());
        for force in [false, true] {
            let failed = check(folder.path(), force).unwrap_err();
            assert_eq!(failed.exit(), Exit::Conflict);
        }
        assert!(There::at(&folder.path().join("x".repeat(300))).is_err());
    }

    #[test]
    fn the_same_is_what_has_the_same_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("a");
        let mut there = file();
        there.content_hash = Some(ContentHash::of(b"abcdef"));
        there.size = 6;
        assert!(!is_same(&place, &there));
        for (bytes, same) in [("abcdef", true), ("abcdeg", false), ("abcde", false)] {
            fs::write(&place, bytes).unwrap();
            assert_eq!(is_same(&place, &there), same, "{bytes}");
        }
        fs::write(&place, "abcdef").unwrap();
        there.content_hash = None;
        assert!(!is_same(&place, &there));
    }
}
