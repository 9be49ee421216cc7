//! What was at a place, and what a file was.

use super::{ONE, TWO, apply, file, file_id, key, path, read, rev, two_accounts};
use crate::meta::rows::{FileEntry, JournalId, Ns, Revision};
use crate::meta::{Effect, History, Loads, Meta};
use crate::sys::Micros;

suite! {
    memory, sqlite {
        a_history_is_that_of_a_place_or_of_a_file_newest_first,
        a_history_goes_on_before_a_revision,
        a_history_tells_when_a_revision_ended,
        a_history_is_that_of_its_tree,
    }
    memory, sqlite, postgres {}
}

/// A revision of the file `id` at `text`.
fn written(ns: Ns, journal: u64, text: &str, id: &str) -> Effect {
    Effect::AddRevision(Revision {
        ns,
        path: path(text),
        file: FileEntry {
            id: file_id(id),
            ..file(ns, journal, text)
        },
    })
}

/// A file that was moved, and another one in its old place. The numbers of the changes have up to
/// three hex digits.
async fn moves(meta: &Meta) {
    two_accounts(meta).await;
    let effects = vec![
        written(ONE, 2, "/a", "first"),
        written(ONE, 0xf, "/A", "first"),
        written(ONE, 0x10, "/b", "first"),
        written(ONE, 0x11, "/a", "second"),
        written(ONE, 0x9, "/a0", "third"),
        written(ONE, 0x100, "/a", "second"),
        written(TWO, 2, "/a", "first"),
    ];
    apply(meta, effects).await;
}

async fn changes(meta: &Meta, history: History, before: Option<u64>, most: usize) -> Vec<u64> {
    let before = before.map(|journal| rev(ONE, JournalId(journal)));
    let question = move |loads: &mut dyn Loads| loads.history(ONE, &history, before.as_ref(), most);
    let found = read(meta, question).await;
    let number = |text: &str| u64::from_str_radix(&text[..text.len() - 8], 16).unwrap();
    found
        .iter()
        .map(|past| number(past.revision.file.rev.as_str()))
        .collect()
}

fn at(text: &str) -> History {
    History::Path(key(text))
}

fn of(id: &str) -> History {
    History::File(file_id(id))
}

async fn a_history_is_that_of_a_place_or_of_a_file_newest_first(meta: Meta) {
    moves(&meta).await;
    for (history, wanted) in [
        (at("/a"), &[0x100, 0x11, 0xf, 2][..]),
        (at("/B"), &[0x10]),
        (at("/c"), &[]),
        (of("first"), &[0x10, 0xf, 2]),
        (of("second"), &[0x100, 0x11]),
        (of("nobody"), &[]),
    ] {
        assert_eq!(
            changes(&meta, history.clone(), None, 9).await,
            wanted,
            "{history:?}"
        );
    }
}

async fn a_history_goes_on_before_a_revision(meta: Meta) {
    moves(&meta).await;
    for (history, before, most, wanted) in [
        (at("/a"), None, 2, &[0x100, 0x11][..]),
        (at("/a"), Some(0x100), 9, &[0x11, 0xf, 2]),
        (at("/a"), Some(0x11), 1, &[0xf]),
        (at("/a"), Some(2), 9, &[]),
        // One that is no part of it.
        (at("/a"), Some(0x10), 9, &[0xf, 2]),
        (of("first"), Some(0x10), 1, &[0xf]),
        (of("first"), Some(0xf), 9, &[2]),
    ] {
        let found = changes(&meta, history.clone(), before, most).await;
        assert_eq!(found, wanted, "{history:?} before {before:?}");
    }
}

async fn a_history_tells_when_a_revision_ended(meta: Meta) {
    moves(&meta).await;
    let end = Effect::EndRevision {
        ns: ONE,
        rev: rev(ONE, JournalId(0xf)),
        at: Micros(123),
    };
    apply(&meta, vec![end]).await;
    let history = of("first");
    let found = read(&meta, move |loads| loads.history(ONE, &history, None, 9)).await;
    let ended: Vec<Option<Micros>> = found.iter().map(|past| past.ended).collect();
    assert_eq!(ended, [None, Some(Micros(123)), None]);
    let revision = Revision {
        ns: ONE,
        path: path("/A"),
        file: FileEntry {
            id: file_id("first"),
            ..file(ONE, 0xf, "/A")
        },
    };
    assert_eq!(found[1].revision, revision);
}

async fn a_history_is_that_of_its_tree(meta: Meta) {
    moves(&meta).await;
    for history in [at("/a"), of("first")] {
        let asked = history.clone();
        let found = read(&meta, move |loads| loads.history(TWO, &asked, None, 9)).await;
        assert_eq!(found.len(), 1, "{history:?}");
        assert_eq!(found[0].revision.ns, TWO);
    }
}
