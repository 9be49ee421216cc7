//! The cases, one module for each family.

mod argument;
mod auth;
mod batch;
mod browser;
mod commit;
mod concurrent;
mod download;
mod finish;
mod folder;
mod listing;
mod relocation;
mod revisions;
mod session;
mod transport;
mod upload;
mod users;

use crate::case::Case;

const FAMILIES: &[&[Case]] = &[
    transport::CASES,
    argument::CASES,
    auth::CASES,
    users::CASES,
    browser::CASES,
    upload::CASES,
    commit::CASES,
    session::CASES,
    finish::CASES,
    concurrent::CASES,
    batch::CASES,
    listing::CASES,
    folder::CASES,
    download::CASES,
    relocation::CASES,
    revisions::CASES,
];

/// All cases, in the order in which they run.
pub fn all() -> impl Iterator<Item = &'static Case> {
    FAMILIES.iter().copied().flatten()
}

#[cfg(test)]
mod tests {
    use super::{FAMILIES, all};
    use std::collections::HashSet;

    #[test]
    fn names_are_unique_and_claims_are_sentences() {
        let mut seen = HashSet::new();
        for case in all() {
            assert!(seen.insert(case.name), "{} twice", case.name);
            assert!(
                case.name.split_once('/').is_some_and(|(_, name)| {
                    name.bytes().all(|byte| {
                        byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-'
                    })
                }),
                "{}",
                case.name
            );
            assert!(
                case.claim.ends_with('.') && !case.claim.contains(['|', '\n']),
                "{}",
                case.name
            );
        }
    }

    #[test]
    fn families_stand_together() {
        let mut seen = HashSet::new();
        for family in FAMILIES {
            let name = family[0].family();
            assert!(
                seen.insert(name) && family.iter().all(|case| case.family() == name),
                "{name}"
            );
        }
    }
}
