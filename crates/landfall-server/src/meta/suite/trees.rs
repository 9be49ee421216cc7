//! Parts of trees: listings, changes, taken names.

use super::{ONE, TWO, apply, folder, key, put, read, saved, two_accounts};
use crate::meta::rows::{Entry, JournalId, Node};
use crate::meta::{Listing, Loads, Meta, Taken};

suite! {
    memory, sqlite {
        a_listing_has_the_entries_below_its_folder_in_order,
        a_listing_goes_on_after_a_key,
        a_listing_has_deleted_entries_where_asked_for,
        a_listing_leaves_out_what_changed_later,
        changes_come_in_their_order_with_what_was_deleted,
        changes_are_those_below_the_folder,
    }
    memory, sqlite, postgres {
        taken_names_are_those_of_the_family_in_the_folder,
    }
}

/// A tree whose keys sort around the slash, beside another tree with the same names.
async fn forest(meta: &Meta) {
    two_accounts(meta).await;
    let mut effects = Vec::new();
    for ns in [TWO, ONE] {
        effects.extend([
            folder(ns, "/a", 1),
            folder(ns, "/a b", 2),
            folder(ns, "/A/b", 3),
            folder(ns, "/a0", 4),
            folder(ns, "/a-b", 5),
            folder(ns, "/A/b/c", 6),
            folder(ns, "/A b/d", 7),
            folder(ns, "/\u{1f40b}", 8),
            folder(ns, "/A/gone", 9),
        ]);
    }
    let gone = put(ONE, "/A/gone", 10, Some(9), Entry::DeletedFolder);
    effects.push(gone);
    for effect in effects {
        apply(meta, vec![effect]).await;
    }
}

fn listing(folder: &str, recursive: bool, deleted: bool) -> Listing {
    Listing {
        ns: ONE,
        folder: key(folder),
        recursive,
        deleted,
    }
}

fn keys(nodes: &[Node]) -> Vec<String> {
    nodes.iter().map(|node| node.key().to_string()).collect()
}

async fn list(meta: &Meta, listing: Listing, after: Option<&str>, most: usize) -> Vec<String> {
    list_until(meta, listing, after, JournalId::LAST, most).await
}

async fn list_until(
    meta: &Meta,
    listing: Listing,
    after: Option<&str>,
    until: JournalId,
    most: usize,
) -> Vec<String> {
    let after = after.map(key);
    let question = move |loads: &mut dyn Loads| loads.list(&listing, after.as_ref(), until, most);
    let nodes = read(meta, question).await;
    assert!(nodes.iter().all(|node| node.ns == ONE));
    keys(&nodes)
}

async fn a_listing_has_the_entries_below_its_folder_in_order(meta: Meta) {
    forest(&meta).await;
    for (folder, recursive, wanted) in [
        (
            "",
            true,
            &[
                "/a",
                "/a b",
                "/a b/d",
                "/a-b",
                "/a/b",
                "/a/b/c",
                "/a0",
                "/\u{1f40b}",
            ][..],
        ),
        ("", false, &["/a", "/a b", "/a-b", "/a0", "/\u{1f40b}"]),
        ("/a", true, &["/a/b", "/a/b/c"]),
        ("/a", false, &["/a/b"]),
        ("/a b", true, &["/a b/d"]),
        ("/a b", false, &["/a b/d"]),
        ("/a/b/c", true, &[]),
        ("/nowhere", true, &[]),
        ("/nowhere", false, &[]),
    ] {
        let found = list(&meta, listing(folder, recursive, false), None, 99).await;
        assert_eq!(found, wanted, "{folder:?} {recursive}");
    }
}

async fn a_listing_goes_on_after_a_key(meta: Meta) {
    forest(&meta).await;
    for (folder, recursive) in [("", true), ("", false), ("/a", true), ("/a", false)] {
        let whole = list(&meta, listing(folder, recursive, true), None, 99).await;
        for most in 1..4 {
            let mut paged: Vec<String> = Vec::new();
            loop {
                let after = paged.last().map(String::as_str);
                let page = list(&meta, listing(folder, recursive, true), after, most).await;
                assert!(page.len() <= most);
                if page.is_empty() {
                    break;
                }
                paged.extend(page);
            }
            assert_eq!(paged, whole, "{folder:?} {recursive} by {most}");
        }
    }
    // The key needn't be there any more.
    let after = list(&meta, listing("", true, false), Some("/a/a"), 2).await;
    assert_eq!(after, ["/a/b", "/a/b/c"]);
    let after = list(&meta, listing("", false, false), Some("/a."), 2).await;
    assert_eq!(after, ["/a0", "/\u{1f40b}"]);
}

async fn a_listing_has_deleted_entries_where_asked_for(meta: Meta) {
    forest(&meta).await;
    let flat = list(&meta, listing("/a", false, true), None, 99).await;
    assert_eq!(flat, ["/a/b", "/a/gone"]);
    let deep = list(&meta, listing("/a", true, true), None, 99).await;
    assert_eq!(deep, ["/a/b", "/a/b/c", "/a/gone"]);
    let live = list(&meta, listing("/a", true, false), None, 99).await;
    assert_eq!(live, ["/a/b", "/a/b/c"]);
}

async fn a_listing_leaves_out_what_changed_later(meta: Meta) {
    forest(&meta).await;
    for (folder, recursive, until, most, wanted) in [
        ("", true, 3, 99, &["/a", "/a b", "/a/b"][..]),
        ("", true, 4, 3, &["/a", "/a b", "/a/b"]),
        ("", false, 4, 99, &["/a", "/a b", "/a0"]),
        // What is deleted since is left to the changes.
        ("/a", true, 9, 99, &["/a/b", "/a/b/c"]),
        ("/a", true, 10, 99, &["/a/b", "/a/b/c", "/a/gone"]),
        ("", true, 0, 99, &[]),
    ] {
        let listing = listing(folder, recursive, true);
        let found = list_until(&meta, listing, None, JournalId(until), most).await;
        assert_eq!(found, wanted, "{folder:?} {recursive} until {until}");
    }
}

async fn changes(meta: &Meta, listing: Listing, after: u64, most: usize) -> Vec<(u64, String)> {
    let question = move |loads: &mut dyn Loads| loads.changes(&listing, JournalId(after), most);
    let nodes = read(meta, question).await;
    assert!(nodes.iter().all(|node| node.ns == ONE));
    nodes
        .iter()
        .map(|node| (node.journal.0, node.key().to_string()))
        .collect()
}

async fn changes_come_in_their_order_with_what_was_deleted(meta: Meta) {
    forest(&meta).await;
    let own = |wanted: &[(u64, &str)]| -> Vec<(u64, String)> {
        let own = |(journal, key): &(u64, &str)| (*journal, (*key).to_owned());
        wanted.iter().map(own).collect()
    };
    let all = own(&[
        (1, "/a"),
        (2, "/a b"),
        (3, "/a/b"),
        (4, "/a0"),
        (5, "/a-b"),
        (6, "/a/b/c"),
        (7, "/a b/d"),
        (8, "/\u{1f40b}"),
        (10, "/a/gone"),
    ]);
    // Whether or not the listing asks for deleted entries; each place once, at its last change.
    for deleted in [false, true] {
        assert_eq!(changes(&meta, listing("", true, deleted), 0, 99).await, all);
    }
    assert_eq!(
        changes(&meta, listing("", true, false), 6, 2).await,
        all[6..8]
    );
    assert_eq!(
        changes(&meta, listing("", true, false), 8, 99).await,
        all[8..]
    );
    assert_eq!(changes(&meta, listing("", true, false), 10, 99).await, []);
}

async fn changes_are_those_below_the_folder(meta: Meta) {
    forest(&meta).await;
    for (folder, recursive, wanted) in [
        ("", false, &[1, 2, 4, 5, 8][..]),
        ("/a", true, &[3, 6, 10]),
        ("/a", false, &[3, 10]),
        ("/a b", true, &[7]),
        ("/a/b", true, &[6]),
        ("/nowhere", true, &[]),
    ] {
        let found = changes(&meta, listing(folder, recursive, false), 0, 99).await;
        let journal: Vec<u64> = found.into_iter().map(|(journal, _)| journal).collect();
        assert_eq!(journal, wanted, "{folder:?} {recursive}");
    }
}

async fn taken(meta: &Meta, folder: &str, family: &'static str, most: usize) -> Vec<String> {
    let folder = key(folder);
    let question = move |loads: &mut dyn Loads| loads.taken(ONE, &folder, family, most);
    let line = |taken: Taken| {
        let live = if taken.live { "live" } else { "gone" };
        format!("{} {} {live}", taken.name, taken.journal.0)
    };
    read(meta, question).await.into_iter().map(line).collect()
}

async fn taken_names_are_those_of_the_family_in_the_folder(meta: Meta) {
    two_accounts(&meta).await;
    let mut effects = vec![
        folder(ONE, "/dir", 1),
        folder(ONE, "/dir/Doc", 2),
        folder(ONE, "/dir/doc (2).txt", 3),
        folder(ONE, "/dir/DOC (3).TXT", 4),
        folder(ONE, "/dir/doc/doc deep", 5),
        folder(ONE, "/dir/docs", 6),
        folder(ONE, "/dir/do", 7),
        folder(ONE, "/dir/dod", 8),
        folder(ONE, "/dir/doc\u{10fffd}", 9),
        // By bytes after all that is plain.
        folder(ONE, "/dir/doc\u{e9}", 15),
        folder(ONE, "/doc", 10),
        folder(ONE, "/dir doc", 11),
        folder(TWO, "/dir/doc elsewhere", 12),
    ];
    effects.extend(saved(ONE, "/dir/doc file", 13));
    apply(&meta, effects).await;
    let gone = put(ONE, "/dir/docs", 14, Some(6), Entry::DeletedFolder);
    apply(&meta, vec![gone]).await;

    let family = [
        "doc 2 live",
        "doc (2).txt 3 live",
        "doc (3).txt 4 live",
        "doc file 13 live",
        "docs 14 gone",
        "doc\u{e9} 15 live",
        "doc\u{10fffd} 9 live",
    ];
    assert_eq!(taken(&meta, "/DIR", "doc", 99).await, family);
    assert_eq!(taken(&meta, "/dir", "doc", 2).await, family[..2]);
    assert_eq!(taken(&meta, "/dir", "doc (", 99).await, family[1..3]);
    assert_eq!(taken(&meta, "", "doc", 99).await, ["doc 10 live"]);
    assert_eq!(taken(&meta, "/dir", "x", 99).await, [""; 0]);
}
