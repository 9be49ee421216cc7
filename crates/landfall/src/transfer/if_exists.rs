//! What to do about a file that is there.

use landfall_protocol::types::files::{Metadata, WriteMode};
use landfall_protocol::{ContentHash, Rev};

/// What to do about a file that is there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum IfExists {
    /// Fail, unless its bytes are the same.
    #[default]
    Fail,
    /// Replace it; the service keeps the old revision.
    Overwrite,
    /// Leave it if its bytes are the same, replace it otherwise.
    SkipSame,
    /// Leave it as it is.
    Skip,
    /// Save under another name, unless its bytes are the same.
    Rename,
    /// Replace this revision and no other.
    Revision(Rev),
}

/// What is at the place of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// A file.
    File {
        /// Bytes in it.
        size: u64,
        /// The hash of its bytes, if the service says it.
        hash: Option<ContentHash>,
    },
    /// A folder.
    Folder,
}

impl Found {
    /// What the service says is there; `None`: nothing any more.
    pub fn of(metadata: &Metadata) -> Option<Self> {
        match metadata {
            Metadata::File(file) => Some(Self::File {
                size: file.size,
                hash: file.content_hash,
            }),
            Metadata::Folder(_) => Some(Self::Folder),
            Metadata::Deleted(_) => None,
        }
    }
}

/// What to do about a file before a byte of it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Before {
    /// Send it; the service decides.
    Send,
    /// Read it: with this hash it is there already, else see [`IfExists::if_different`].
    Compare(ContentHash),
    /// Leave what is there.
    Skip,
    /// Fail, because this is in its way.
    InTheWay(&'static str),
}

const OTHER_BYTES: Before = Before::InTheWay("a file with other bytes");

impl IfExists {
    /// The mode of a commit that does so, and whether it takes another name on a conflict.
    pub fn mode(&self) -> (WriteMode, bool) {
        match self {
            Self::Fail | Self::Skip => (WriteMode::Add, false),
            Self::Overwrite | Self::SkipSame => (WriteMode::Overwrite, false),
            Self::Rename => (WriteMode::Add, true),
            Self::Revision(rev) => (WriteMode::Update(rev.clone()), false),
        }
    }

    /// Whether it matters what is there before anything is sent.
    pub(super) fn looks_first(&self) -> bool {
        !matches!(self, Self::Overwrite | Self::Revision(_))
    }

    /// What to do about a file of so many bytes, given what is at its place. The size of a stream
    /// is not known, and its bytes are compared by the service.
    pub fn before(&self, size: Option<u64>, found: Option<Found>) -> Before {
        let Some(found) = found else {
            return Before::Send;
        };
        match (self, found) {
            (Self::Skip, _) => Before::Skip,
            (Self::Rename, Found::Folder) => Before::Send,
            (_, Found::Folder) => Before::InTheWay("a folder"),
            (Self::Overwrite | Self::Revision(_), _) => Before::Send,
            (_, Found::File { size: there, hash }) if size == Some(there) => {
                hash.map_or(Before::Send, Before::Compare)
            }
            (Self::Fail, _) if size.is_some() => OTHER_BYTES,
            (Self::Fail | Self::SkipSame | Self::Rename, _) => Before::Send,
        }
    }

    /// What to do about a file with other bytes than what is there.
    pub fn if_different(&self) -> Before {
        match self {
            Self::Fail => OTHER_BYTES,
            Self::Skip => Before::Skip,
            Self::Overwrite | Self::SkipSame | Self::Rename | Self::Revision(_) => Before::Send,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Before, Found, IfExists, OTHER_BYTES};
    use landfall_protocol::{ContentHash, Rev};

    #[test]
    fn what_is_done_about_a_file_follows_from_what_is_at_its_place() {
        use Before::{Compare, InTheWay, Send, Skip};
        let hash = ContentHash::of(b"abc");
        let same_size = Found::File {
            size: 3,
            hash: Some(hash),
        };
        let other_size = Found::File {
            size: 4,
            hash: Some(hash),
        };
        let no_hash = Found::File {
            size: 3,
            hash: None,
        };
        let folder = InTheWay("a folder");
        let rev = Rev::from_stored("015db1c4a2b3c00000001");
        // Same size, another size, a folder, if different.
        for (policy, same, other, at_folder, different) in [
            (
                IfExists::Fail,
                Compare(hash),
                OTHER_BYTES,
                folder,
                OTHER_BYTES,
            ),
            (IfExists::SkipSame, Compare(hash), Send, folder, Send),
            (IfExists::Rename, Compare(hash), Send, Send, Send),
            (IfExists::Skip, Skip, Skip, Skip, Skip),
            (IfExists::Overwrite, Send, Send, folder, Send),
            (IfExists::Revision(rev), Send, Send, folder, Send),
        ] {
            let before = |size, found| policy.before(size, Some(found));
            assert_eq!(before(Some(3), same_size), same, "{policy:?}");
            assert_eq!(before(Some(3), other_size), other, "{policy:?}");
            assert_eq!(before(Some(3), Found::Folder), at_folder, "{policy:?}");
            assert_eq!(policy.if_different(), different, "{policy:?}");
            assert_eq!(policy.before(Some(3), None), Send, "{policy:?}");
            if policy != IfExists::Skip {
                // Who doesn't know leaves it to the service.
                assert_eq!(before(Some(3), no_hash), Send, "{policy:?}");
                assert_eq!(before(None, same_size), Send, "{policy:?}");
            }
        }
    }
}
