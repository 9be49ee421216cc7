use super::{Entry, EntryKind, Obstacle, Tree, Walk, WalkError};
use landfall_protocol::path::Malformed;
use landfall_protocol::{DisplayPath, Timestamp, limits};
use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::time::{Duration, UNIX_EPOCH};
use tempfile::{TempDir, tempdir};

/// A folder with these files in it, and with folders where the path ends in `/`.
fn folder(paths: &[&str]) -> TempDir {
    let root = tempdir().unwrap();
    for path in paths {
        let path = root.path().join(path);
        if path.as_os_str().as_bytes().ends_with(b"/") {
            fs::create_dir_all(path).unwrap();
        } else {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "content").unwrap();
        }
    }
    root
}

fn walk(root: &TempDir) -> Tree {
    Walk::new(root.path()).run().unwrap()
}

/// What goes, folders with a `/` at the end.
fn goes(tree: &Tree) -> Vec<String> {
    let shown = |entry: &Entry| match entry.kind {
        EntryKind::File { .. } => entry.relative.to_string(),
        EntryKind::Folder => format!("{}/", entry.relative),
    };
    tree.entries.iter().map(shown).collect()
}

/// Where the problems are, from the root.
fn refused(tree: &Tree, root: &TempDir) -> Vec<String> {
    let local = tree.problems.iter().map(|problem| &problem.local);
    local
        .map(|local| local.strip_prefix(root.path()).unwrap())
        .map(|local| local.to_string_lossy().into_owned())
        .collect()
}

fn obstacle(tree: &Tree) -> &Obstacle {
    let [problem] = tree.problems.as_slice() else {
        panic!("one problem: {:?}", tree.problems);
    };
    &problem.why
}

#[test]
fn files_are_found_at_any_depth_in_the_order_of_their_paths() {
    let root = folder(&["b", "a/z", "a.txt", "a/b/c", "ü"]);
    let tree = walk(&root);
    assert_eq!(goes(&tree), ["a.txt", "a/b/c", "a/z", "b", "ü"]);
    assert!(tree.problems.is_empty(), "{:?}", tree.problems);
}

#[test]
fn a_file_has_its_size_and_its_time_in_whole_seconds() {
    let root = folder(&["a"]);
    let file = File::options()
        .write(true)
        .open(root.path().join("a"))
        .unwrap();
    file.set_modified(UNIX_EPOCH + Duration::from_millis(5_900))
        .unwrap();
    let kind = EntryKind::File {
        size: 7,
        modified: Some(Timestamp::from_unix_seconds(5)),
    };
    assert_eq!(walk(&root).entries[0].kind, kind);
}

#[test]
fn of_folders_with_nothing_in_them_the_deepest_are_made() {
    let root = folder(&["a/b/c/", "a/d/", "e/", "e/f"]);
    assert_eq!(goes(&walk(&root)), ["a/b/c/", "a/d/", "e/f"]);
    assert!(goes(&walk(&folder(&[]))).is_empty());
}

#[test]
fn what_is_excluded_does_not_go_and_is_no_problem() {
    let root = folder(&["a.log", "a.txt", "logs/b.txt", "x/a.log", "x/desktop.ini"]);
    symlink("a.txt", root.path().join("link.log")).unwrap();
    fs::write(root.path().join(OsStr::from_bytes(b"\xff.log")), "").unwrap();
    let walk = Walk::new(root.path()).exclude("*.log").unwrap();
    let walk = walk.exclude("logs/").unwrap().exclude("/x/d*").unwrap();
    let tree = walk.run().unwrap();
    assert_eq!(goes(&tree), ["a.txt", "x/"]);
    assert!(tree.problems.is_empty(), "{:?}", tree.problems);
}

#[test]
fn an_excluded_folder_is_not_entered() {
    let root = folder(&["out/keep", "out/\\bad"]);
    let walk = Walk::new(root.path()).exclude("out").unwrap();
    let tree = walk.exclude("!keep").unwrap().run().unwrap();
    assert!(goes(&tree).is_empty(), "{:?}", tree.entries);
    assert!(tree.problems.is_empty(), "{:?}", tree.problems);
}

#[test]
fn with_an_include_only_what_fits_goes() {
    let root = folder(&[
        "a.rs", "a.txt", "src/b.rs", "src/c", "doc/d/e", "doc/f/", "g/",
    ]);
    symlink("a.txt", root.path().join("link")).unwrap();
    let some = Walk::new(root.path()).include("*.rs").unwrap();
    let tree = some.clone().run().unwrap();
    assert_eq!(goes(&tree), ["a.rs", "src/b.rs"]);
    assert!(tree.problems.is_empty(), "{:?}", tree.problems);
    // A folder that fits lets everything in.
    let more = some.include("doc/").unwrap();
    let found = goes(&more.clone().run().unwrap());
    assert_eq!(found, ["a.rs", "doc/d/e", "doc/f/", "src/b.rs"]);
    let less = more.exclude("/doc/d").unwrap();
    let found = goes(&less.run().unwrap());
    assert_eq!(found, ["a.rs", "doc/f/", "src/b.rs"]);
}

#[test]
fn symlinks_are_problems_unless_they_are_followed() {
    let root = folder(&["a", "b/c"]);
    symlink("a", root.path().join("file")).unwrap();
    symlink("b", root.path().join("folder")).unwrap();
    let tree = walk(&root);
    assert_eq!(goes(&tree), ["a", "b/c"]);
    assert_eq!(refused(&tree, &root), ["file", "folder"]);
    assert!(matches!(tree.problems[0].why, Obstacle::Symlink));

    let tree = Walk::new(root.path()).follow_symlinks(true).run().unwrap();
    assert_eq!(goes(&tree), ["a", "b/c", "file", "folder/c"]);
    assert!(tree.problems.is_empty(), "{:?}", tree.problems);
}

#[test]
fn a_symlink_back_to_a_folder_on_the_way_is_not_followed() {
    let root = folder(&["a/b/"]);
    let other = folder(&["c/"]);
    symlink("..", root.path().join("a/up")).unwrap();
    // Not below each other, and yet without end.
    symlink(other.path(), root.path().join("a/b/out")).unwrap();
    symlink(root.path().join("a/b"), other.path().join("c/back")).unwrap();
    let tree = Walk::new(root.path()).follow_symlinks(true).run().unwrap();
    assert_eq!(goes(&tree), ["a/b/out/c/"]);
    assert_eq!(refused(&tree, &root), ["a/b/out/c/back", "a/up"]);
    for problem in &tree.problems {
        assert!(matches!(problem.why, Obstacle::SymlinkLoop), "{problem}");
    }
}

#[test]
fn a_symlink_to_a_folder_that_only_lands_in_the_same_place_is_followed() {
    let root = folder(&["Docs/a", "docs/b/"]);
    symlink("../../Docs", root.path().join("docs/b/c")).unwrap();
    let tree = Walk::new(root.path()).follow_symlinks(true).run().unwrap();
    assert_eq!(goes(&tree), ["Docs/a", "docs/b/c/a"]);
    assert!(tree.problems.is_empty(), "{:?}", tree.problems);
}

#[test]
fn a_folder_that_two_symlinks_lead_to_goes_twice() {
    let root = folder(&["a/"]);
    let other = folder(&["x"]);
    symlink(other.path(), root.path().join("b")).unwrap();
    symlink(other.path(), root.path().join("a/c")).unwrap();
    let tree = Walk::new(root.path()).follow_symlinks(true).run().unwrap();
    assert_eq!(goes(&tree), ["a/c/x", "b/x"]);
}

#[test]
fn a_symlink_to_nowhere_is_told_when_it_is_followed() {
    for target in ["missing", "self"] {
        let root = folder(&["a"]);
        symlink(target, root.path().join("self")).unwrap();
        let tree = Walk::new(root.path()).follow_symlinks(true).run().unwrap();
        assert_eq!(goes(&tree), ["a"]);
        assert!(matches!(obstacle(&tree), Obstacle::BrokenLink(_)));
    }
}

#[test]
fn a_root_that_is_a_symlink_is_followed() {
    let root = folder(&["real/a"]);
    let link = root.path().join("link");
    symlink("real", &link).unwrap();
    assert_eq!(goes(&Walk::new(link).run().unwrap()), ["a"]);
}

#[test]
fn a_root_that_is_no_folder_is_an_error() {
    let root = folder(&["a"]);
    let error = Walk::new(root.path().join("a")).run().unwrap_err();
    assert!(matches!(error, WalkError::NotAFolder { .. }), "{error}");
    let error = Walk::new(root.path().join("b")).run().unwrap_err();
    assert!(matches!(error, WalkError::Unreadable { .. }), "{error}");
}

#[test]
fn a_name_that_is_not_utf8_is_told() {
    let root = folder(&["a"]);
    let bad = root.path().join(OsStr::from_bytes(b"b\xff"));
    fs::create_dir(&bad).unwrap();
    fs::write(bad.join("c"), "").unwrap();
    let tree = walk(&root);
    assert_eq!(goes(&tree), ["a"]);
    assert!(matches!(obstacle(&tree), Obstacle::NotUtf8));
    assert_eq!(tree.problems[0].local, bad);
}

#[test]
fn what_is_neither_file_nor_folder_is_told() {
    let root = folder(&["a"]);
    let _socket = UnixListener::bind(root.path().join("socket")).unwrap();
    let tree = walk(&root);
    assert_eq!(goes(&tree), ["a"]);
    assert!(matches!(obstacle(&tree), Obstacle::Special));
}

#[test]
fn names_that_the_service_refuses_are_told_with_their_rule_and_not_entered() {
    for (name, rule) in [
        ("a\\b", Malformed::Character),
        ("a ", Malformed::TrailingSpace),
    ] {
        let root = folder(&["a", &format!("{name}/x")]);
        let tree = walk(&root);
        assert_eq!(goes(&tree), ["a"]);
        let told = obstacle(&tree);
        assert!(
            matches!(told, Obstacle::BadName(why) if *why == rule),
            "{told}"
        );
        assert!(told.to_string().contains(&rule.to_string()), "{told}");
    }
    let root = folder(&["a", ".DS_Store", ".Dropbox.Cache/b"]);
    let tree = walk(&root);
    assert_eq!(goes(&tree), ["a"]);
    assert_eq!(refused(&tree, &root), [".DS_Store", ".Dropbox.Cache"]);
    assert!(matches!(tree.problems[0].why, Obstacle::Disallowed));
}

#[test]
fn the_destination_counts_for_the_length_of_a_path() {
    let root = folder(&["folder/name"]);
    let there = format!("/{}", "x".repeat(200)).repeat(20);
    let room = limits::PATH_BYTES - there.len();
    let at = |tail: usize| {
        let there = format!("{there}/{}", "y".repeat(room - tail - 1));
        let there = DisplayPath::parse(&there).unwrap();
        Walk::new(root.path()).destined_for(there).run().unwrap()
    };
    let tree = at("/folder/name".len());
    assert_eq!(goes(&tree), ["folder/name"]);
    let tree = at("/folder/nam".len());
    let told = obstacle(&tree);
    assert!(matches!(told, Obstacle::BadName(Malformed::PathTooLong)));
    assert_eq!(refused(&tree, &root), ["folder/name"]);
    assert_eq!(goes(&tree), ["folder/"]);
}

#[test]
fn of_two_names_that_are_one_to_the_service_the_first_goes() {
    let root = folder(&["b.txt", "A.txt", "a.txt", "Cafe\u{301}", "caf\u{e9}"]);
    let tree = walk(&root);
    assert_eq!(goes(&tree), ["A.txt", "Cafe\u{301}", "b.txt"]);
    assert_eq!(refused(&tree, &root), ["a.txt", "caf\u{e9}"]);
    let Obstacle::CaseCollision { with } = &tree.problems[0].why else {
        panic!("{:?}", tree.problems);
    };
    assert_eq!(&**with, "A.txt");
}

#[test]
fn a_file_and_a_folder_of_one_name_collide() {
    let tree = walk(&folder(&["DOCS", "docs/a"]));
    assert_eq!(goes(&tree), ["DOCS"]);
    assert!(matches!(obstacle(&tree), Obstacle::CaseCollision { .. }));
    let tree = walk(&folder(&["Docs/a", "docs"]));
    assert_eq!(goes(&tree), ["Docs/a"]);
    assert!(matches!(obstacle(&tree), Obstacle::CaseCollision { .. }));
    let tree = walk(&folder(&["DOcs/a", "Docs/b", "docs"]));
    assert_eq!(goes(&tree), ["DOcs/a", "Docs/b"]);
    assert!(matches!(obstacle(&tree), Obstacle::CaseCollision { with } if **with == *"DOcs"));
}

#[test]
fn folders_of_one_name_are_one_and_what_is_in_them_meets() {
    let root = folder(&[
        "Docs/a",
        "Docs/x/one",
        "docs/b",
        "docs/A",
        "docs/X/One",
        "docs/X/two",
        "Empty/",
        "empty/",
    ]);
    let tree = walk(&root);
    let together = ["Docs/a", "Docs/x/one", "Empty/", "docs/X/two", "docs/b"];
    assert_eq!(goes(&tree), together);
    assert_eq!(refused(&tree, &root), ["docs/A", "docs/X/One"]);
    let Obstacle::CaseCollision { with } = &tree.problems[1].why else {
        panic!("{:?}", tree.problems);
    };
    assert_eq!(&**with, "Docs/x/one");
}

#[test]
fn what_is_excluded_collides_with_nothing() {
    let root = folder(&["A.txt", "a.txt"]);
    let tree = Walk::new(root.path()).exclude("A.txt").unwrap().run();
    let tree = tree.unwrap();
    assert_eq!(goes(&tree), ["a.txt"]);
    assert!(tree.problems.is_empty(), "{:?}", tree.problems);
}

#[test]
fn a_folder_that_cant_be_listed_is_told_and_the_rest_goes() {
    let base = tempdir().unwrap();
    let mut deep = base.path().join("r");
    for _ in 0..19 {
        deep.push("d".repeat(200));
    }
    deep.push("l".repeat(20));
    fs::create_dir_all(&deep).unwrap();
    fs::write(base.path().join("r/a"), "").unwrap();
    // By its new name the folder is too deep for the system, but not for the service. Even root
    // can't list it.
    let root = base.path().join("r".repeat(255));
    fs::rename(base.path().join("r"), &root).unwrap();
    let tree = Walk::new(&root).run().unwrap();
    assert!(matches!(obstacle(&tree), Obstacle::Unreadable(_)));
    let [file, parent] = tree.entries.as_slice() else {
        panic!("{:?}", tree.entries);
    };
    assert_eq!(&*file.relative, "a");
    assert_eq!(parent.kind, EntryKind::Folder);
    let listed = tree.problems[0].local.parent();
    assert_eq!(listed, Some(&*root.join(&*parent.relative)));
}

#[test]
fn a_file_over_the_limit_of_the_service_is_told() {
    let root = folder(&["largest", "larger"]);
    for (name, size) in [
        ("largest", limits::FILE_SIZE),
        ("larger", limits::FILE_SIZE + 1),
    ] {
        let file = File::create(root.path().join(name)).unwrap();
        file.set_len(size).unwrap();
    }
    let tree = walk(&root);
    assert_eq!(goes(&tree), ["largest"]);
    assert!(matches!(obstacle(&tree), Obstacle::TooLarge { .. }));
}

#[test]
fn depth_takes_no_stack() {
    let root = tempdir().unwrap();
    let mut deep = root.path().to_owned();
    deep.extend(std::iter::repeat_n("d", 900));
    fs::create_dir_all(&deep).unwrap();
    let walk = Walk::new(root.path());
    let small = std::thread::Builder::new().stack_size(64 * 1024);
    let tree = small.spawn(move || walk.run()).unwrap().join().unwrap();
    let entries = tree.unwrap().entries;
    assert_eq!(root.path().join(&*entries[0].relative), deep);
}

#[test]
fn names_can_be_told_apart_from_other_obstacles() {
    let with = "a".into();
    for about_the_name in [
        Obstacle::NotUtf8,
        Obstacle::Disallowed,
        Obstacle::BadName(Malformed::Character),
        Obstacle::CaseCollision { with },
    ] {
        assert!(about_the_name.is_about_the_name(), "{about_the_name}");
    }
    for other in [
        Obstacle::Symlink,
        Obstacle::SymlinkLoop,
        Obstacle::Special,
        Obstacle::TooLarge { size: u64::MAX },
    ] {
        assert!(!other.is_about_the_name(), "{other}");
    }
}

#[test]
fn an_entry_stays_small_for_trees_of_a_hundred_thousand() {
    assert!(size_of::<Entry>() <= 40, "{}", size_of::<Entry>());
}
