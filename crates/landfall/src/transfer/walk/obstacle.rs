//! What keeps a file or folder from being uploaded.

use landfall_protocol::limits;
use landfall_protocol::path::Malformed;
use std::io;
use std::path::PathBuf;

/// A file or folder that can't go, with all that is below it.
#[derive(Debug, thiserror::Error)]
#[error("{}: {why}", local.display())]
pub struct Problem {
    /// Where it is on this machine.
    pub local: PathBuf,
    /// What is the matter.
    #[source]
    pub why: Obstacle,
}

/// Why something can't go, and what to do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Obstacle {
    /// A symlink, and symlinks are not followed.
    #[error("a symlink, and these are not followed; have them followed, or exclude it")]
    Symlink,
    /// A symlink to a folder that it is in.
    #[error("a symlink to a folder that it is in itself, so it has no end; remove or exclude it")]
    SymlinkLoop,
    /// A symlink that can't be followed.
    #[error("a symlink that leads nowhere ({0}); repair, remove or exclude it")]
    BrokenLink(#[source] io::Error),
    /// The name is not UTF-8, and the service knows no other names.
    #[error("the name is not UTF-8, as the service wants it; rename or exclude it")]
    NotUtf8,
    /// A pipe, a device or a socket.
    #[error("a pipe, device or socket and no file; exclude it, or send its content by itself")]
    Special,
    /// It can't be looked at, or a folder can't be listed.
    #[error("can't be read ({0}); give yourself the right to read it, or exclude it")]
    Unreadable(#[source] io::Error),
    /// The service has no such names or paths.
    #[error("the service refuses this path: {0}; rename or exclude it")]
    BadName(#[source] Malformed),
    /// A name such as `.DS_Store` or `desktop.ini`, which the service never stores.
    #[error("the service never stores a file or folder of this name; rename or exclude it")]
    Disallowed,
    /// The service takes this and another file or folder for the same place.
    #[error("the service takes it for the same as {with:?}, which goes; rename or exclude one")]
    CaseCollision {
        /// What goes instead, from the root of the walk.
        with: Box<str>,
    },
    /// More bytes than any file of the service may have.
    #[error(
        "{size} bytes, and a file of the service has {} at the most; split it up or exclude it",
        limits::FILE_SIZE
    )]
    TooLarge {
        /// How many.
        size: u64,
    },
}

impl Obstacle {
    /// Whether another name would help: it is the service that can't have this one, and not this
    /// machine that can't read the content.
    pub fn is_about_the_name(&self) -> bool {
        match self {
            Self::NotUtf8 | Self::BadName(_) | Self::Disallowed | Self::CaseCollision { .. } => {
                true
            }
            Self::Symlink
            | Self::SymlinkLoop
            | Self::BrokenLink(_)
            | Self::Special
            | Self::Unreadable(_)
            | Self::TooLarge { .. } => false,
        }
    }
}
