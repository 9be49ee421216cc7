//! How autorename finds a name.
//!
//! A number goes before the last extension: `document (2).txt`. A stale update becomes a
//! conflicted copy, with the account's display name if it has one: `document (Panda's
//! conflicted copy).txt`, the second `document (Panda's conflicted copy 2).txt`.

use super::planted::{Fault, planted};
use crate::meta::rows::JournalId;
use crate::meta::{EXTENSION, FAMILY, Place, Taken, split};
use landfall_protocol::limits;
use landfall_protocol::path::{cut_name, fold_name};
use std::collections::HashMap;

/// The number that the first renamed file gets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Numbering {
    /// (2), as the documentation says.
    #[default]
    Documented,
    /// (1), as recordings of the service show.
    Observed,
}

/// What autorename appends.
#[derive(Clone, Copy, Debug)]
pub enum Strategy<'a> {
    /// A number: for `add`, `overwrite` and folders.
    Number(Numbering),
    /// "conflicted copy": for `update`.
    ConflictedCopy {
        /// Whose; `None`: nobody's.
        display_name: Option<&'a str>,
    },
}

/// A name that is free.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FreeName {
    /// The name.
    pub name: String,
    /// The last change at its place, if it was used before.
    pub seen: Option<JournalId>,
}

/// UTF-16 units of a display name that go into a conflicted copy.
const OWNER: usize = 60;

/// UTF-16 units of the longest suffix without the display name: a conflicted copy with the
/// number of the last that is looked for.
const SUFFIX: usize = " ('s conflicted copy 10001)".len();

// Every candidate keeps the beginning of the stem by which taken names are looked up.
const _: () = assert!(limits::NAME_UNITS - EXTENSION - OWNER - SUFFIX >= FAMILY);

/// The first free name for something that can't have `name`; `None`: there are more taken
/// names than anybody looks through.
pub fn free_name(
    name: &str,
    is_folder: bool,
    strategy: Strategy<'_>,
    taken: &[Taken],
) -> Option<FreeName> {
    if taken.len() > Place::MOST_TAKEN {
        return None;
    }
    let (stem, extension) = if is_folder { (name, "") } else { split(name) };
    let owner = match strategy {
        Strategy::ConflictedCopy { display_name } => display_name.and_then(clean),
        Strategy::Number(_) => None,
    };
    // Thousands of candidates may have to be looked up, while everybody waits for the lock.
    let taken: HashMap<&str, &Taken> = taken.iter().map(|one| (&*one.name, one)).collect();
    let first = if planted(Fault::Numbers) { 2 } else { 1 };
    // One more candidate than there are taken names: one of them must be free.
    (first..=taken.len() as u64 + 1).find_map(|nth| {
        let suffix = match (strategy, &owner, nth) {
            (Strategy::Number(Numbering::Documented), ..) => format!(" ({})", nth + 1),
            (Strategy::Number(Numbering::Observed), ..) => format!(" ({nth})"),
            (Strategy::ConflictedCopy { .. }, Some(owner), 1) => {
                format!(" ({owner}'s conflicted copy)")
            }
            (Strategy::ConflictedCopy { .. }, Some(owner), _) => {
                format!(" ({owner}'s conflicted copy {nth})")
            }
            (Strategy::ConflictedCopy { .. }, None, 1) => " (conflicted copy)".to_owned(),
            (Strategy::ConflictedCopy { .. }, None, _) => format!(" (conflicted copy {nth})"),
        };
        let room = limits::NAME_UNITS - units(&suffix) - units(extension);
        let name = format!("{}{suffix}{extension}", cut_name(stem, room));
        let folded = fold_name(&name);
        match taken.get(&*folded) {
            Some(taken) if taken.live => None,
            there => Some(FreeName {
                name,
                seen: there.map(|taken| taken.journal),
            }),
        }
    })
}

/// The display name as a part of a file name; `None` if nothing of it can be one.
fn clean(display_name: &str) -> Option<String> {
    let legal: String = display_name
        .chars()
        .filter(|character| !matches!(character, '/' | '\\') && !character.is_control())
        .collect();
    let cut = cut_name(legal.trim(), OWNER).trim();
    if cut.is_empty() {
        None
    } else {
        Some(cut.to_owned())
    }
}

fn units(text: &str) -> usize {
    text.encode_utf16().count()
}

#[cfg(test)]
mod tests {
    use super::{FreeName, Numbering, Strategy, free_name};
    use crate::meta::rows::JournalId;
    use crate::meta::{Place, Rename, Taken, family};
    use landfall_protocol::limits;
    use landfall_protocol::path::{check_name, fold_name};
    use proptest::prelude::{prop_assert, proptest};

    const NUMBER: Strategy<'_> = Strategy::Number(Numbering::Documented);

    fn live(names: &[&str]) -> Vec<Taken> {
        let taken = |name: &&str| Taken {
            name: fold_name(name),
            journal: JournalId(1),
            live: true,
        };
        names.iter().map(taken).collect()
    }

    fn named(name: &str, strategy: Strategy<'_>, taken: &[&str]) -> String {
        free_name(name, false, strategy, &live(taken)).unwrap().name
    }

    #[test]
    fn numbers_begin_with_two_and_take_the_first_that_is_free() {
        assert_eq!(
            named("document.txt", NUMBER, &["document.txt"]),
            "document (2).txt"
        );
        let taken = ["document.txt", "Document (2).TXT", "document (4).txt"];
        assert_eq!(named("document.txt", NUMBER, &taken), "document (3).txt");
        let observed = Strategy::Number(Numbering::Observed);
        assert_eq!(
            named("document.txt", observed, &["document.txt"]),
            "document (1).txt"
        );
    }

    #[test]
    fn the_number_goes_before_the_last_extension() {
        for (name, renamed) in [
            ("archive.tar.gz", "archive.tar (2).gz"),
            (".profile", ".profile (2)"),
            (".config.toml", ".config (2).toml"),
            ("README", "README (2)"),
            ("trailing.", "trailing (2)."),
            ("..x", ". (2).x"),
        ] {
            assert_eq!(named(name, NUMBER, &[name]), renamed);
        }
        let folder = free_name("v1.2", true, NUMBER, &live(&["v1.2"])).unwrap();
        assert_eq!(folder.name, "v1.2 (2)", "a folder has no extension");
    }

    #[test]
    fn a_stale_update_becomes_a_conflicted_copy_of_its_owner() {
        let nobody = Strategy::ConflictedCopy { display_name: None };
        let panda = Strategy::ConflictedCopy {
            display_name: Some("Panda"),
        };
        assert_eq!(
            named("document.txt", nobody, &["document.txt"]),
            "document (conflicted copy).txt"
        );
        assert_eq!(
            named(
                "document.txt",
                nobody,
                &["document.txt", "document (conflicted copy).txt"]
            ),
            "document (conflicted copy 2).txt"
        );
        assert_eq!(
            named("document.txt", panda, &["document.txt"]),
            "document (Panda's conflicted copy).txt"
        );
        assert_eq!(
            named(
                "document.txt",
                panda,
                &["document.txt", "document (Panda's conflicted copy).txt"]
            ),
            "document (Panda's conflicted copy 2).txt"
        );
    }

    #[test]
    fn a_display_name_is_made_fit_for_a_file_name() {
        let by = |name: &str| {
            let strategy = Strategy::ConflictedCopy {
                display_name: Some(name),
            };
            named("a.txt", strategy, &["a.txt"])
        };
        assert_eq!(by(" AC/DC\n "), "a (ACDC's conflicted copy).txt");
        assert_eq!(by(" /\\\u{0} "), "a (conflicted copy).txt");
        assert!(by(&"x".repeat(500)).encode_utf16().count() < 100);
    }

    #[test]
    fn the_place_of_a_deleted_file_is_free() {
        let mut taken = live(&["a.txt", "a (2).txt"]);
        taken[1].live = false;
        assert_eq!(
            free_name("a.txt", false, NUMBER, &taken),
            Some(FreeName {
                name: "a (2).txt".into(),
                seen: Some(JournalId(1))
            })
        );
    }

    #[test]
    fn ten_thousand_copies_are_enough() {
        let one = Taken {
            name: "a (2)".into(),
            journal: JournalId(1),
            live: true,
        };
        let mut many = vec![one.clone(); Place::MOST_TAKEN];
        let free = free_name("a", false, NUMBER, &many).unwrap();
        assert_eq!(free.name, "a (3)");
        many.push(one);
        assert_eq!(free_name("a", false, NUMBER, &many), None);
    }

    proptest! {
        #![proptest_config(proptest::test_runner::Config::with_cases(64))]
        #[test]
        fn every_new_name_is_legal_and_of_the_family(
            name in "[a-zA-Z\u{e9}\u{1f40b}\u{3a3}. ]{0,300}", owner in "\\PC{0,80}", copies in 1u64..12,
        ) {
            let name: String = name.trim().chars().scan(0, |units, character| {
                *units += character.len_utf16();
                (*units <= limits::NAME_UNITS).then_some(character)
            }).collect();
            let name = format!("x{}", name.trim().trim_end_matches(char::is_whitespace));
            for strategy in [NUMBER, Strategy::ConflictedCopy { display_name: Some(&owner) }] {
                let mut taken = vec![];
                for _ in 0..copies {
                    let free = free_name(&name, false, strategy, &taken).unwrap();
                    prop_assert!(check_name(&free.name).is_ok(), "{:?}", free.name);
                    let folded = fold_name(&free.name);
                    prop_assert!(folded.starts_with(&family(&name, Rename::File)), "{folded:?} of {name:?}");
                    prop_assert!(taken.iter().all(|taken: &Taken| taken.name != folded));
                    taken.push(Taken { name: folded, journal: JournalId(1), live: true });
                }
            }
        }
    }
}
