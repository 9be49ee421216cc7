//! Folders and several files, as a user puts them: each rule, what is said about it, and how the
//! run ends.

use landfall_testkit::{Run, Tool, check_event, pattern};
use serde_json::Value;
use std::fs;
use std::path::PathBuf;
use std::process::Stdio;

fn tool() -> Tool {
    Tool::new(env!("CARGO_BIN_EXE_landfall"))
}

/// Writes a file, and the folders above it.
fn write(tool: &Tool, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
    let path = tool.path(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, bytes).unwrap();
    path
}

/// A folder with a small file, a large one and an empty folder.
fn folder(tool: &Tool) {
    write(tool, "photos/a.txt", "small");
    write(tool, "photos/sub/large.bin", pattern(1, 9_000_000));
    fs::create_dir_all(tool.path("photos/empty")).unwrap();
}

/// The events of a run, each as the schema says.
fn events(run: &Run) -> Vec<Value> {
    let lines = run.stdout.lines();
    let events: Vec<Value> = lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    for event in &events {
        check_event(include_str!("../schema/events.json"), event);
    }
    events
}

fn of_type<'e>(events: &'e [Value], kind: &str) -> Vec<&'e Value> {
    events
        .iter()
        .filter(|event| event["type"] == kind)
        .collect()
}

fn tree(tool: &Tool) -> Vec<String> {
    let listed = tool.run(["ls", "-r"]);
    let mut tree: Vec<_> = listed
        .ok()
        .lines()
        .map(|path| path.trim_start_matches('/').to_owned())
        .collect();
    tree.sort();
    tree
}

#[test]
fn what_is_in_a_folder_becomes_what_is_in_dest_each_time() {
    let tool = tool();
    folder(&tool);
    let run = tool.run(["put", "-r", "photos", "/backup/photos"]);
    assert_eq!(
        run.ok(),
        "2 files uploaded (9000005 bytes), 1 empty folder made"
    );
    let there = [
        "backup/",
        "backup/photos/",
        "backup/photos/a.txt",
        "backup/photos/empty/",
        "backup/photos/sub/",
        "backup/photos/sub/large.bin",
    ];
    assert_eq!(tree(&tool), there);
    tool.run(["get", "/backup/photos/sub/large.bin", "back"])
        .ok();
    assert!(tool.read("back") == pattern(1, 9_000_000));

    // The same command, and the other spelling of it, find everything there.
    for dest in ["/backup/photos", "/backup/"] {
        let run = tool.run(["put", "-r", "photos", dest]);
        assert_eq!(run.ok(), "0 files uploaded (0 bytes), 2 already there");
    }
    assert_eq!(tree(&tool), there);
}

#[test]
fn several_files_go_into_a_folder_and_two_of_one_name_are_refused() {
    let tool = tool();
    write(&tool, "a.txt", "a");
    write(&tool, "b.txt", "b");
    write(&tool, "sub/A.TXT", "other");
    tool.run(["put", "a.txt", "b.txt", "/both"]).ok();
    assert_eq!(tree(&tool), ["both/", "both/a.txt", "both/b.txt"]);
    let line = tool.run(["put", "a.txt", "sub/A.TXT", "/x"]);
    let line = line.fails(2).to_owned();
    assert!(
        line.contains("a.txt") && line.contains("sub/A.TXT"),
        "{line}"
    );
    let line = tool.run(["put", "a.txt", "gone.txt", "/x"]);
    assert!(line.fails(4).contains("gone.txt"));
    assert_eq!(tree(&tool), ["both/", "both/a.txt", "both/b.txt"]);
}

#[test]
fn a_folder_without_r_and_other_mistakes_are_told() {
    let tool = tool();
    folder(&tool);
    write(&tool, "a", "a");
    for (args, code, says) in [
        (&["put", "photos", "/x"][..], 4, "-r"),
        (&["put", "a", "-", "/x"], 2, "standard input"),
        (&["put", "a", "/x", "--delete"], 2, "--delete"),
        (
            &["put", "-r", "photos", "/x", "--if-rev", "123456789"],
            2,
            "--if-rev",
        ),
        (&["put", "-r", "photos", "id:abc"], 2, "path"),
        (
            &["put", "-r", "photos", "/x", "--exclude", "["],
            2,
            "pattern",
        ),
    ] {
        let run = tool.run(args.iter().copied());
        assert!(run.fails(code).contains(says), "{run:?}");
    }
    assert!(tree(&tool).is_empty());
}

#[test]
fn patterns_leave_out_and_let_in() {
    let tool = tool();
    for name in ["a.jpg", "a.tmp", "cache/b.jpg", "sub/c.jpg", "sub/d.txt"] {
        write(&tool, &format!("p/{name}"), name);
    }
    let args = [
        "put",
        "-r",
        "p",
        "/p",
        "--include",
        "*.jpg",
        "--exclude",
        "cache/",
    ];
    tool.run(args).ok();
    assert_eq!(tree(&tool), ["p/", "p/a.jpg", "p/sub/", "p/sub/c.jpg"]);
}

#[cfg(unix)]
#[test]
fn what_no_file_is_is_told_and_left_out_and_the_rest_goes() {
    let tool = tool();
    folder(&tool);
    std::os::unix::fs::symlink("a.txt", tool.path("photos/link")).unwrap();
    write(&tool, "photos/.DS_Store", "x");
    let socket = std::os::unix::net::UnixListener::bind(tool.path("photos/socket")).unwrap();
    let run = tool.run(["put", "-r", "photos", "/p", "--json"]);
    let events = events(&run);
    let problems = of_type(&events, "problem");
    let told: Vec<_> = problems
        .iter()
        .map(|problem| problem["status"].as_str().unwrap())
        .collect();
    assert_eq!(told, ["skipped"; 3], "{run:?}");
    assert_eq!(run.code, Some(0));
    for name in ["photos/link", "photos/socket", "photos/.DS_Store"] {
        assert!(run.stderr.contains(name), "{name}: {run:?}");
    }
    assert_eq!(of_type(&events, "file").len(), 2);
    drop(socket);

    let run = tool.run(["put", "-r", "photos", "/q", "-L", "-q"]);
    assert!(run.ok().starts_with("3 files uploaded"), "{run:?}");
    assert_eq!(run.stderr, "");
}

#[test]
fn names_that_can_not_be_stop_the_run_before_a_byte_unless_they_are_left_out() {
    let tool = tool();
    folder(&tool);
    write(&tool, "photos/A.TXT", "collides");
    let run = tool.run(["put", "-r", "photos", "/p"]);
    assert_eq!(run.code, Some(2), "{run:?}");
    assert!(run.stderr.contains("photos/a.txt") && run.stderr.contains("--on-bad-name skip"));
    assert!(tree(&tool).is_empty());
    let run = tool.run(["put", "-r", "photos", "/p", "--on-bad-name", "skip"]);
    assert!(run.ok().starts_with("2 files uploaded"), "{run:?}");
    assert!(run.stderr.contains("photos/a.txt"), "{run:?}");
}

#[test]
fn some_files_that_fail_are_told_one_by_one_and_the_code_is_1() {
    let tool = tool();
    folder(&tool);
    tool.write("other", "other bytes");
    tool.run(["put", "other", "/p/a.txt"]).ok();
    let run = tool.run(["put", "-r", "photos", "/p", "--json"]);
    assert_eq!(run.code, Some(1), "{run:?}");
    assert!(
        run.stderr.contains("/p/a.txt") && run.stderr.contains("other bytes"),
        "{run:?}"
    );
    let events = events(&run);
    let failed: Vec<_> = events
        .iter()
        .filter(|event| event["status"] == "failed")
        .collect();
    assert_eq!(failed.len(), 1);
    assert_eq!(failed[0]["path"], "/p/a.txt");
    let summary = events.last().unwrap();
    assert_eq!(
        (&summary["type"], &summary["failed"]),
        (&"summary".into(), &1.into())
    );
    assert_eq!(summary["uploaded"], 1);

    // If nothing came of it, the code says what it failed of.
    let run = tool.run(["put", "-r", "photos", "/p", "--include", "a.txt"]);
    assert_eq!(run.code, Some(5), "{run:?}");
}

#[test]
fn a_rehearsal_says_what_would_be_done_and_does_nothing() {
    let tool = tool();
    folder(&tool);
    tool.write("old", "old");
    tool.run(["put", "old", "/p/old"]).ok();
    let before = tree(&tool);
    let args = [
        "put",
        "-r",
        "photos",
        "/p",
        "--if-exists",
        "skip-same",
        "--delete",
        "-n",
    ];
    let run = tool.run(args);
    let mut lines: Vec<_> = run.ok().lines().collect();
    lines.sort_unstable();
    let summary = "2 files would be uploaded (9000005 bytes), 1 empty folder would be made, 1 file would be deleted";
    assert_eq!(
        lines,
        [
            summary,
            "delete  /p/old",
            "upload  /p/a.txt",
            "upload  /p/sub/large.bin"
        ]
    );
    assert_eq!(tree(&tool), before);
    let run = tool.run(["put", "old", "/new", "--dry-run", "--json"]);
    assert_eq!(events(&run)[0]["status"], "would_upload");
    assert_eq!(tree(&tool), before);
}

#[test]
fn a_mirror_deletes_no_more_than_is_allowed() {
    let tool = tool();
    folder(&tool);
    tool.write("old", "old");
    for nth in 0..3 {
        tool.run(["put", "old", &format!("/p/old-{nth}")]).ok();
    }
    let mirror = [
        "put",
        "-r",
        "photos",
        "/p",
        "--if-exists",
        "skip-same",
        "--delete",
    ];
    let run = tool.run(mirror.into_iter().chain(["--max-delete", "2"]));
    assert!(run.fails(5).contains("3 files"), "{run:?}");
    assert_eq!(tree(&tool).len(), 4);
    tool.run(mirror).ok();
    assert_eq!(
        tree(&tool),
        ["p/", "p/a.txt", "p/empty/", "p/sub/", "p/sub/large.bin"]
    );
}

#[test]
fn times_are_those_of_the_files_unless_others_are_wanted() {
    let tool = tool();
    let path = write(&tool, "f/a", "a");
    let time = std::time::UNIX_EPOCH + std::time::Duration::from_millis(1_500_000_000_900);
    fs::File::options()
        .append(true)
        .open(path)
        .unwrap()
        .set_modified(time)
        .unwrap();
    let modified = |path: &str| {
        let stat = tool.run(["stat", path, "--json"]);
        let stat: Value = serde_json::from_str(stat.ok()).unwrap();
        stat["client_modified"].as_str().unwrap().to_owned()
    };
    tool.run(["put", "-r", "f", "/kept"]).ok();
    assert_eq!(modified("/kept/a"), "2017-07-14T02:40:00Z");
    let set = "2001-02-03T04:05:06Z";
    tool.run(["put", "-r", "f", "/set", "--mtime", set]).ok();
    tool.run(["put", "f/a", "/one", "--mtime", set]).ok();
    assert_eq!(
        (modified("/set/a"), modified("/one")),
        (set.to_owned(), set.to_owned())
    );
    tool.run(["put", "-r", "f", "/now", "--no-mtime"]).ok();
    assert_ne!(modified("/now/a"), "2017-07-14T02:40:00Z");
}

/// Begins an upload that takes for ever, and waits until a part of it is stored.
fn begun(tool: &Tool, size: usize) -> std::process::Child {
    tool.write("big", pattern(3, size));
    let args = ["put", "big", "/big", "--bwlimit", "2MiB", "--workers", "1"];
    let mut child = tool.command(args).stderr(Stdio::piped()).spawn().unwrap();
    while stored(tool) == 0 {
        let ended = child.try_wait().unwrap();
        assert!(ended.is_none(), "it ended before it was stopped: {ended:?}");
    }
    child
}

/// The same, after SIGKILL.
fn killed(tool: &Tool, size: usize) {
    let mut child = begun(tool, size);
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Bytes that are stored of the unfinished upload.
fn stored(tool: &Tool) -> u64 {
    let listed = tool.run(["uploads", "list", "--json"]);
    let Some(line) = listed.ok().lines().next() else {
        return 0;
    };
    let upload: Value = serde_json::from_str(line).unwrap();
    upload["stored"].as_u64().unwrap()
}

#[cfg(unix)]
#[test]
fn an_interrupted_upload_says_how_to_go_on_and_the_same_command_does() {
    let tool = tool();
    let child = begun(&tool, 60_000_000);
    let id = child.id().to_string();

    // Nobody else may be at it, and who is, is said.
    let second = tool.run(["put", "big", "/big"]);
    assert!(
        second.fails(5).contains(&format!("process {id}")),
        "{second:?}"
    );

    assert!(
        std::process::Command::new("kill")
            .args(["-INT", &id])
            .status()
            .unwrap()
            .success()
    );
    let run = Run::wait(child);
    assert_eq!(run.code, Some(130), "{run:?}");
    assert!(run.stderr.contains("the same command goes on"), "{run:?}");

    let listed = tool.run(["uploads", "list"]);
    assert!(listed.ok().ends_with("-> local /big"), "{listed:?}");
    let run = tool.run(["put", "big", "/big", "--json"]);
    let events = events(&run);
    assert!(of_type(&events, "resumed")[0]["stored"].as_u64() > Some(0));
    tool.run(["get", "/big", "back"]).ok();
    assert!(tool.read("back") == pattern(3, 60_000_000));
    assert_eq!(tool.run(["uploads", "list"]).ok(), "");
}

#[test]
fn unfinished_uploads_are_gone_on_with_or_forgotten_by_their_id() {
    let tool = tool();
    killed(&tool, 40_000_000);
    let listed = tool.run(["uploads", "list"]);
    let id = listed.ok().split(' ').next().unwrap().to_owned();
    assert!(
        tool.run(["uploads", "resume", "nonsense"])
            .fails(4)
            .contains("nonsense")
    );
    // To whom it was begun is looked at before anything is sent.
    let mut elsewhere = tool.command(["--remote", "http://127.0.0.1:9", "uploads", "resume", &id]);
    elsewhere.env("LANDFALL_TOKEN", "test-token");
    assert!(Run::of(elsewhere).fails(2).contains("begun to local"));
    assert_eq!(tool.run(["uploads", "resume", &id]).ok(), "/big");
    assert_eq!(tool.run(["uploads", "list"]).ok(), "");
    assert_eq!(tool.run(["uploads", "resume"]).ok(), "");

    tool.run(["rm", "/big"]).ok();
    killed(&tool, 40_000_000);
    let run = tool.run(["uploads", "forget", &id, "--json"]);
    assert_eq!(events(&run)[0]["id"], id.as_str());
    assert_eq!(tool.run(["uploads", "list"]).ok(), "");
}

#[test]
fn an_unfinished_upload_of_a_file_that_changed_has_the_bytes_and_the_time_of_now() {
    let tool = tool();
    killed(&tool, 40_000_000);
    tool.write("big", "changed");
    let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_500_000_000);
    let big = fs::File::options().append(true).open(tool.path("big"));
    big.unwrap().set_modified(time).unwrap();
    assert_eq!(tool.run(["uploads", "resume"]).ok(), "/big");
    assert_eq!(tool.run(["get", "/big", "-"]).stdout, "changed");
    let stat = tool.run(["stat", "/big", "--json"]);
    let stat: Value = serde_json::from_str(stat.ok()).unwrap();
    assert_eq!(stat["client_modified"], "2017-07-14T02:40:00Z");
    assert_eq!(tool.run(["uploads", "list"]).ok(), "");
}

#[test]
fn an_upload_that_turns_out_to_be_there_is_not_unfinished_any_more() {
    let tool = tool();
    killed(&tool, 40_000_000);
    // As if the finish had been carried out, and nobody had heard of it.
    fs::copy(tool.path("big"), tool.path("same")).unwrap();
    tool.run(["put", "same", "/big"]).ok();
    assert!(!tool.run(["uploads", "list"]).ok().is_empty());
    assert_eq!(
        tool.run(["put", "big", "/big"]).ok(),
        "/big (already there)"
    );
    assert_eq!(tool.run(["uploads", "list"]).ok(), "");
}

#[test]
fn a_long_transfer_tells_how_far_it_is() {
    let tool = tool();
    tool.write("big", pattern(4, 12_000_000));
    let args = [
        "put",
        "big",
        "/big",
        "--bwlimit",
        "4MiB",
        "--progress",
        "always",
    ];
    let run = tool.run(args);
    assert!(
        run.stderr
            .lines()
            .any(|line| line.contains(" of 11.4 MiB, ")),
        "{run:?}"
    );
    tool.run(["rm", "/big"]).ok();
    let run = tool.run(args.into_iter().chain(["--json"]));
    let progress = events(&run);
    let progress = of_type(&progress, "progress");
    assert!(
        progress.iter().any(|line| line["total"] == 12_000_000),
        "{run:?}"
    );
    tool.run(["rm", "/big"]).ok();
    let run = tool.run([
        "put",
        "big",
        "/big",
        "--bwlimit",
        "4MiB",
        "--progress",
        "never",
    ]);
    assert_eq!(run.stderr, "");
}
