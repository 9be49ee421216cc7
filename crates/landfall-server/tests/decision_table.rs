//! What a commit does, cell by cell: what is at the target × mode × strict_conflict × autorename.
//! Each cell is a test of its own through `finish`; one more test shows that `upload` decides all
//! of them alike.

use landfall_testkit::{Answer, Calls, TestServer, on_each_store};
use serde_json::{Value, json};

/// What is at the target before the commit.
#[derive(Clone, Copy, Debug, PartialEq)]
enum At {
    Nothing,
    DeletedFile,
    DeletedFolder,
    Folder,
    /// A file with the bytes that come.
    Same,
    /// A file with other bytes.
    Other,
    /// A file where the path needs a folder.
    FileAbove,
}

/// The mode of the commit.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Mode {
    Add,
    Overwrite,
    /// Update of the rev that the file has, or last had.
    Matching,
    /// Update of another rev.
    Stale,
}

/// What the commit must do.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Does {
    /// Write a file of its own at the path.
    Write,
    /// Write a new revision of the file.
    Replace,
    /// Nothing, and answer with what is there.
    Keep,
    /// Refuse, with this conflict.
    Conflict(&'static str),
    /// Write a file of its own under this name.
    Rename(&'static str),
}

#[derive(Clone, Copy, Debug)]
struct Cell {
    at: At,
    mode: Mode,
    strict: bool,
    autorename: bool,
    does: Does,
}

const INCOMING: &str = "the bytes that come";
const NUMBERED: Does = Does::Rename("document (2).txt");
const COPY: Does = Does::Rename("document (Panda's conflicted copy).txt");

/// Makes a place below `base` as the cell wants it; returns the rev that an update names.
async fn prepare(calls: &Calls, base: &str, cell: Cell) -> String {
    let path = format!("{base}/dir/document.txt");
    let elsewhere = calls
        .put(&format!("{base}/elsewhere"), base.to_owned())
        .await;
    let first = match cell.at {
        At::Nothing => elsewhere.clone(),
        At::FileAbove => calls.put(&format!("{base}/dir"), "a file").await,
        At::Folder => {
            calls.create_folder(&path).await.ok();
            elsewhere.clone()
        }
        At::DeletedFolder => {
            calls.create_folder(&path).await.ok();
            calls.delete(&path).await.ok();
            elsewhere.clone()
        }
        At::DeletedFile | At::Same | At::Other => calls.put(&path, "the first bytes").await,
    };
    let last = match cell.at {
        At::Same => calls.put(&path, INCOMING).await,
        At::Other => calls.put(&path, "other bytes").await,
        At::DeletedFile => {
            let last = calls.put(&path, INCOMING).await;
            calls.delete(&path).await.ok();
            last
        }
        _ => first.clone(),
    };
    let rev = if cell.mode == Mode::Matching {
        &last
    } else {
        &first
    };
    rev["rev"].as_str().expect("a rev").to_owned()
}

fn commit(path: &str, cell: Cell, rev: &str) -> Value {
    let mode = match cell.mode {
        Mode::Add => json!("add"),
        Mode::Overwrite => json!("overwrite"),
        Mode::Matching | Mode::Stale => json!({".tag": "update", "update": rev}),
    };
    json!({
        "path": path,
        "mode": mode,
        "autorename": cell.autorename,
        "strict_conflict": cell.strict,
        "client_modified": "2020-02-02T20:20:20Z",
    })
}

/// Checks what the commit did, in the answer and in the tree.
async fn check(
    calls: &Calls,
    base: &str,
    cell: Cell,
    before: (Option<Value>, Vec<String>),
    answer: Answer,
) {
    let path = format!("{base}/dir/document.txt");
    let (there, mut tree) = before;
    let now = calls.metadata(&path).await;
    let untagged = |mut metadata: Value| {
        metadata
            .as_object_mut()
            .expect("metadata")
            .shift_remove(".tag");
        metadata
    };
    match cell.does {
        Does::Write => {
            let saved = answer.ok();
            assert_eq!(saved["path_display"], path, "{cell:?}");
            assert_eq!(saved["client_modified"], "2020-02-02T20:20:20Z", "{cell:?}");
            assert_eq!(untagged(now.ok()), saved, "{cell:?}");
            assert_eq!(calls.read(&path).await, INCOMING, "{cell:?}");
            tree.retain(|path| *path != format!("{base}/dir"));
            tree.extend([format!("{base}/dir"), path]);
        }
        Does::Replace => {
            let (saved, old) = (answer.ok(), there.expect("a file to replace"));
            assert_eq!(saved["path_display"], path, "{cell:?}");
            assert_eq!(saved["id"], old["id"], "{cell:?}");
            assert_ne!(saved["rev"], old["rev"], "{cell:?}");
            assert_ne!(saved["server_modified"], old["server_modified"], "{cell:?}");
            assert_eq!(saved["client_modified"], "2020-02-02T20:20:20Z", "{cell:?}");
            assert_eq!(untagged(now.ok()), saved, "{cell:?}");
            assert_eq!(calls.read(&path).await, INCOMING, "{cell:?}");
        }
        Does::Keep => {
            let old = untagged(there.expect("a file to keep"));
            assert_eq!(answer.ok(), old, "{cell:?}");
            assert_eq!(untagged(now.ok()), old, "{cell:?}");
        }
        Does::Conflict(tag) => {
            assert_eq!(answer.error(), format!("path/conflict/{tag}"), "{cell:?}");
            match there {
                Some(there) => assert_eq!(now.ok(), there, "{cell:?}"),
                None => assert_eq!(now.error(), "path/not_found", "{cell:?}"),
            }
        }
        Does::Rename(name) => {
            let saved = answer.ok();
            let renamed = format!("{base}/dir/{name}");
            assert_eq!(saved["name"], name, "{cell:?}");
            assert_eq!(saved["path_display"], renamed, "{cell:?}");
            assert_eq!(
                untagged(calls.metadata(&renamed).await.ok()),
                saved,
                "{cell:?}"
            );
            assert_eq!(calls.read(&renamed).await, INCOMING, "{cell:?}");
            let there = there.expect("something in the way");
            assert_ne!(saved["id"], there["id"], "{cell:?}");
            assert_eq!(now.ok(), there, "what was in the way stays: {cell:?}");
            tree.push(renamed);
        }
    }
    tree.sort();
    let mut after = calls.tree().await;
    after.sort();
    assert_eq!(after, tree, "{cell:?}");
}

async fn before(calls: &Calls, base: &str) -> (Option<Value>, Vec<String>) {
    let there = calls.metadata(&format!("{base}/dir/document.txt")).await;
    let there = (there.status == 200).then(|| there.ok());
    (there, calls.tree().await)
}

/// One cell through `finish`, with the body in it.
async fn through_finish(server: &TestServer, cell: Cell) {
    let calls = &server.calls();
    let rev = prepare(calls, "/base", cell).await;
    let before = before(calls, "/base").await;
    // So that times which must stay can be told from times which must change.
    server.clock().advance_seconds(60);
    let commit = commit("/base/dir/document.txt", cell, &rev);
    let answer = calls.commit(&commit, INCOMING).await;
    check(calls, "/base", cell, before, answer).await;
}

macro_rules! cells {
    ($( $name:ident: $at:ident, $mode:ident, $strict:literal, $autorename:literal => $does:expr; )*) => {
        /// The table.
        const CELLS: &[Cell] = &[
            $( Cell {
                at: At::$at, mode: Mode::$mode, strict: $strict, autorename: $autorename, does: $does,
            }, )*
        ];

        #[expect(non_camel_case_types, reason = "the names of the tests number the cells")]
        #[derive(Clone, Copy)]
        enum Nth { $( $name, )* }

        on_each_store! {
            $( async fn $name(server: TestServer) {
                through_finish(&server, CELLS[Nth::$name as usize]).await;
            } )*

            async fn upload_decides_every_cell_alike(server: TestServer) {
                let calls = server.calls();
                for (nth, cell) in CELLS.iter().enumerate() {
                    let base = format!("/{nth}");
                    let rev = prepare(&calls, &base, *cell).await;
                    let before = before(&calls, &base).await;
                    server.clock().advance_seconds(60);
                    let path = format!("{base}/dir/document.txt");
                    let arg = commit(&path, *cell, &rev).to_string();
                    let answer = calls.upload("files/upload", &arg, INCOMING).await;
                    check(&calls, &base, *cell, before, answer).await;
                }
            }
        }
    };
}

const FILE: Does = Does::Conflict("file");
const FOLDER: Does = Does::Conflict("folder");
const ANCESTOR: Does = Does::Conflict("file_ancestor");

// name: what is at the target, mode, strict_conflict, autorename => what the commit does.
cells! {
    nothing_add_writes: Nothing, Add, false, false => Does::Write;
    nothing_overwrite_writes: Nothing, Overwrite, false, false => Does::Write;
    nothing_update_writes: Nothing, Stale, false, false => Does::Write;
    nothing_add_strict_writes: Nothing, Add, true, false => Does::Write;
    nothing_overwrite_strict_writes: Nothing, Overwrite, true, false => Does::Write;
    nothing_update_strict_writes: Nothing, Stale, true, false => Does::Write;
    nothing_add_autorename_writes_at_the_path: Nothing, Add, false, true => Does::Write;
    nothing_overwrite_autorename_writes_at_the_path: Nothing, Overwrite, false, true => Does::Write;
    nothing_update_autorename_writes_at_the_path: Nothing, Stale, false, true => Does::Write;

    deleted_file_add_writes: DeletedFile, Add, false, false => Does::Write;
    deleted_file_overwrite_writes: DeletedFile, Overwrite, false, false => Does::Write;
    deleted_file_update_of_its_rev_writes: DeletedFile, Matching, false, false => Does::Write;
    deleted_file_update_of_another_rev_writes: DeletedFile, Stale, false, false => Does::Write;
    deleted_file_add_strict_writes: DeletedFile, Add, true, false => Does::Write;
    deleted_file_overwrite_strict_writes: DeletedFile, Overwrite, true, false => Does::Write;
    deleted_file_update_of_its_rev_strict_conflicts: DeletedFile, Matching, true, false => FILE;
    deleted_file_update_of_another_rev_strict_conflicts: DeletedFile, Stale, true, false => FILE;
    deleted_file_add_autorename_writes_at_the_path: DeletedFile, Add, false, true => Does::Write;
    deleted_file_overwrite_autorename_writes_at_the_path: DeletedFile, Overwrite, false, true => Does::Write;
    deleted_file_update_autorename_writes_at_the_path: DeletedFile, Stale, false, true => Does::Write;
    deleted_file_update_of_its_rev_autorename_writes_at_the_path: DeletedFile, Matching, false, true => Does::Write;

    deleted_folder_add_writes: DeletedFolder, Add, false, false => Does::Write;
    deleted_folder_overwrite_writes: DeletedFolder, Overwrite, false, false => Does::Write;
    deleted_folder_update_writes: DeletedFolder, Stale, false, false => Does::Write;
    deleted_folder_update_strict_writes: DeletedFolder, Stale, true, false => Does::Write;

    folder_add_conflicts: Folder, Add, false, false => FOLDER;
    folder_overwrite_conflicts: Folder, Overwrite, false, false => FOLDER;
    folder_update_conflicts: Folder, Stale, false, false => FOLDER;
    folder_add_strict_conflicts: Folder, Add, true, false => FOLDER;
    folder_overwrite_strict_conflicts: Folder, Overwrite, true, false => FOLDER;
    folder_update_strict_conflicts: Folder, Stale, true, false => FOLDER;
    folder_add_autorename_numbers: Folder, Add, false, true => NUMBERED;
    folder_overwrite_autorename_numbers: Folder, Overwrite, false, true => NUMBERED;
    folder_update_autorename_makes_a_conflicted_copy: Folder, Stale, false, true => COPY;

    same_bytes_add_keeps: Same, Add, false, false => Does::Keep;
    same_bytes_overwrite_keeps: Same, Overwrite, false, false => Does::Keep;
    same_bytes_matching_update_keeps: Same, Matching, false, false => Does::Keep;
    same_bytes_stale_update_keeps: Same, Stale, false, false => Does::Keep;
    same_bytes_add_autorename_keeps: Same, Add, false, true => Does::Keep;
    same_bytes_overwrite_autorename_keeps: Same, Overwrite, false, true => Does::Keep;
    same_bytes_matching_update_autorename_keeps: Same, Matching, false, true => Does::Keep;
    same_bytes_stale_update_autorename_keeps: Same, Stale, false, true => Does::Keep;
    same_bytes_add_strict_conflicts: Same, Add, true, false => FILE;
    same_bytes_overwrite_strict_replaces: Same, Overwrite, true, false => Does::Replace;
    same_bytes_matching_update_strict_replaces: Same, Matching, true, false => Does::Replace;
    same_bytes_stale_update_strict_conflicts: Same, Stale, true, false => FILE;
    same_bytes_add_strict_autorename_numbers: Same, Add, true, true => NUMBERED;
    same_bytes_overwrite_strict_autorename_replaces: Same, Overwrite, true, true => Does::Replace;
    same_bytes_matching_update_strict_autorename_replaces: Same, Matching, true, true => Does::Replace;
    same_bytes_stale_update_strict_autorename_makes_a_conflicted_copy: Same, Stale, true, true => COPY;

    other_bytes_add_conflicts: Other, Add, false, false => FILE;
    other_bytes_overwrite_replaces: Other, Overwrite, false, false => Does::Replace;
    other_bytes_matching_update_replaces: Other, Matching, false, false => Does::Replace;
    other_bytes_stale_update_conflicts: Other, Stale, false, false => FILE;
    other_bytes_add_autorename_numbers: Other, Add, false, true => NUMBERED;
    other_bytes_overwrite_autorename_replaces: Other, Overwrite, false, true => Does::Replace;
    other_bytes_matching_update_autorename_replaces: Other, Matching, false, true => Does::Replace;
    other_bytes_stale_update_autorename_makes_a_conflicted_copy: Other, Stale, false, true => COPY;
    other_bytes_add_strict_conflicts: Other, Add, true, false => FILE;
    other_bytes_overwrite_strict_replaces: Other, Overwrite, true, false => Does::Replace;
    other_bytes_matching_update_strict_replaces: Other, Matching, true, false => Does::Replace;
    other_bytes_stale_update_strict_conflicts: Other, Stale, true, false => FILE;

    file_above_add_conflicts: FileAbove, Add, false, false => ANCESTOR;
    file_above_overwrite_conflicts: FileAbove, Overwrite, false, false => ANCESTOR;
    file_above_update_conflicts: FileAbove, Matching, false, false => ANCESTOR;
    file_above_add_strict_conflicts: FileAbove, Add, true, false => ANCESTOR;
    file_above_overwrite_strict_conflicts: FileAbove, Overwrite, true, false => ANCESTOR;
    file_above_update_strict_conflicts: FileAbove, Matching, true, false => ANCESTOR;
    file_above_is_not_solved_by_autorename_of_add: FileAbove, Add, false, true => ANCESTOR;
    file_above_is_not_solved_by_autorename_of_overwrite: FileAbove, Overwrite, false, true => ANCESTOR;
    file_above_is_not_solved_by_autorename_of_update: FileAbove, Matching, false, true => ANCESTOR;
}
