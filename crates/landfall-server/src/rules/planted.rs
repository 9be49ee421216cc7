//! Rules broken on purpose: the test of the tests that go by the rules.
//!
//! As the safeguards in [`weakened`](crate::sys::weakened): with the feature `weakened`, which no
//! release has, the same environment variable breaks one rule. Without the feature this is
//! `false`, and the compiler removes the question.

use crate::sys::weakened::is_named;

macro_rules! faults {
    ($( $(#[$meta:meta])* $fault:ident = $name:literal, )*) => {
        /// A rule that is broken.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Fault { $( $(#[$meta])* $fault, )* }

        /// The names of all faults.
        pub const FAULTS: &[&str] = &[$( $name, )*];

        /// Whether the rule is broken.
        pub(super) fn planted(fault: Fault) -> bool {
            is_named(match fault { $( Fault::$fault => $name, )* })
        }
    };
}

faults! {
    /// A session takes bytes at any offset.
    AnyOffset = "any-offset",
    /// A closed session takes more.
    Reopened = "reopened",
    /// A session is as good on its eighth day.
    Ageless = "ageless",
    /// A batch finishes what is still open.
    OpenInBatch = "open-in-batch",
    /// A concurrent session is finished with its holes.
    Holes = "holes",
    /// Other bytes for a stored block are taken for the same.
    OtherBlock = "other-block",
    /// `add` replaces a file.
    AddReplaces = "add-replaces",
    /// `update` replaces any rev.
    StaleReplaces = "stale-replaces",
    /// Identical bytes are no conflict, whatever strict_conflict says.
    NotStrict = "not-strict",
    /// The first copy has the number three.
    Numbers = "numbers",
    /// Folders that exist get the letters of the request.
    Letters = "letters",
    /// The account is never full.
    Endless = "endless",
}
