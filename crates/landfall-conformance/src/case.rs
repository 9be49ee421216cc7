//! What a case is.

use crate::finding::Checked;
use crate::place::Place;
use futures_util::future::BoxFuture;

/// What a claim about the service rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mark {
    /// The published specification of the API.
    S,
    /// Recorded traffic of the real service.
    R,
    /// The source of clients in use, which send or need it.
    C,
    /// Dropbox's documentation for developers.
    D,
    /// A statement by those who maintain Dropbox's libraries.
    M,
    /// A report by users.
    U,
    /// Our inference: the sources leave it open, and this is what we chose.
    I,
}

impl Mark {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::S,
        Self::R,
        Self::C,
        Self::D,
        Self::M,
        Self::U,
        Self::I,
    ];

    /// Its letter.
    pub fn letter(self) -> char {
        match self {
            Self::S => 'S',
            Self::R => 'R',
            Self::C => 'C',
            Self::D => 'D',
            Self::M => 'M',
            Self::U => 'U',
            Self::I => 'I',
        }
    }

    /// What it means.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::S => "stated by the published specification",
            Self::R => "seen in recorded traffic of the real service",
            Self::C => "sent or needed by the code of clients in use",
            Self::D => "stated by Dropbox's documentation for developers",
            Self::M => "stated by a maintainer of Dropbox's libraries",
            Self::U => "reported by users",
            Self::I => "inferred: the sources leave it open, and this is what Landfall chose",
        }
    }
}

/// A case.
#[derive(Clone, Copy)]
pub struct Case {
    /// Family and behaviour, `finish/repeated-gives-the-same-answer`.
    pub name: &'static str,
    /// What it claims, in one sentence.
    pub claim: &'static str,
    /// What the claim rests on.
    pub mark: Mark,
    pub(crate) check: Check,
}

/// Makes the calls of a case and looks at the answers.
pub(crate) type Check = for<'a> fn(&'a Place<'a>) -> BoxFuture<'a, Checked>;

impl Case {
    pub(crate) const fn new(
        name: &'static str,
        mark: Mark,
        claim: &'static str,
        check: Check,
    ) -> Self {
        Self {
            name,
            claim,
            mark,
            check,
        }
    }

    /// What its name begins with.
    pub fn family(&self) -> &'static str {
        self.name.split('/').next().unwrap_or(self.name)
    }
}

impl std::fmt::Debug for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Case({})", self.name)
    }
}
