//! Broken on purpose: the test of the tests.
//!
//! A harness that proves durability must fail when durability is gone. With the feature
//! `weakened`, which no release has, the environment variable [`VARIABLE`] takes one safeguard
//! away. Without the feature this is `false`, and the compiler removes the question.

/// The environment variable that names the safeguard to take away, or the
/// [fault](crate::rules::planted) to plant.
pub const VARIABLE: &str = "LANDFALL_WEAKENED";

/// A safeguard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Safeguard {
    /// The bytes of a blob are synced: `file-sync`.
    FileSync,
    /// The name of a blob is synced: `dir-sync`.
    DirSync,
    /// A commit of the metadata is synced: `commit-sync`.
    CommitSync,
    /// The answer of a finish is kept: `replay`.
    Replay,
    /// The rows of an orphan go before its files: `rows-first`.
    RowsFirst,
    /// A dead writer is fenced before its strays go: `fence`.
    Fence,
    /// A failed sync of a blob fails its request: `sync-error`.
    SyncError,
    /// After a failed sync of the metadata nothing is written any more: `stop`.
    Stop,
    /// What a crash left in the log is synced before it is used: `settle`.
    Settle,
    /// Bodies leave room on the disk: `reserve`.
    Reserve,
}

/// Whether the safeguard was taken away.
pub(crate) fn without(safeguard: Safeguard) -> bool {
    is_named(match safeguard {
        Safeguard::FileSync => "file-sync",
        Safeguard::DirSync => "dir-sync",
        Safeguard::CommitSync => "commit-sync",
        Safeguard::Replay => "replay",
        Safeguard::RowsFirst => "rows-first",
        Safeguard::Fence => "fence",
        Safeguard::SyncError => "sync-error",
        Safeguard::Stop => "stop",
        Safeguard::Settle => "settle",
        Safeguard::Reserve => "reserve",
    })
}

/// Whether the variable has this value.
pub(crate) fn is_named(name: &str) -> bool {
    cfg!(feature = "weakened") && std::env::var(VARIABLE).is_ok_and(|gone| gone == name)
}
