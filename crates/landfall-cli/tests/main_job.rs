//! The main job, as a user does it: a file goes up whole and comes back.

use landfall_protocol::ContentHash;
use landfall_testkit::{EDGE_SIZES, Run, Tool, pattern, peak_memory};
use serde_json::Value;
use std::fs::File;
use std::io::Write;
use std::process::{Command, Stdio};

fn tool() -> Tool {
    Tool::new(env!("CARGO_BIN_EXE_landfall"))
}

fn json(line: &str) -> Value {
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
}

#[test]
fn files_of_every_edge_size_come_back_as_they_went() {
    let tool = tool();
    for &size in EDGE_SIZES {
        tool.write("up", pattern(size as u64, size));
        let to = format!("/{size}");
        tool.run(["put", "up", &to]).ok();
        tool.run(["get", &to, "down", "--force"]).ok();
        assert!(
            tool.read("down") == pattern(size as u64, size),
            "{size} bytes"
        );
    }
}

#[test]
fn what_was_put_is_listed_and_described() {
    let tool = tool();
    tool.write("Hello.txt", "hello\n");
    assert_eq!(
        tool.run(["put", "Hello.txt", "/Docs/"]).ok(),
        "/Docs/Hello.txt"
    );
    assert_eq!(tool.run(["ls"]).ok(), "Docs/");
    assert_eq!(tool.run(["ls", "/docs"]).ok(), "Hello.txt");
    let stat = tool.run(["stat", "/docs/hello.TXT"]);
    let hash = ContentHash::of(b"hello\n").to_string();
    for part in ["/Docs/Hello.txt", "size: 6", &hash] {
        assert!(stat.ok().contains(part), "{part} in {stat:?}");
    }
    let metadata = json(tool.run(["stat", "--json", "/Docs/Hello.txt"]).ok());
    assert_eq!(
        (&metadata["size"], &metadata["content_hash"]),
        (&6.into(), &hash.into())
    );
}

#[test]
fn a_file_keeps_its_time_of_change() {
    let tool = tool();
    let up = tool.write("up", "hello");
    let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_500_000_000);
    File::options()
        .write(true)
        .open(&up)
        .unwrap()
        .set_modified(time)
        .unwrap();
    tool.run(["put", "up", "/up"]).ok();
    tool.run(["get", "/up", "down"]).ok();
    assert_eq!(
        std::fs::metadata(tool.path("down"))
            .unwrap()
            .modified()
            .unwrap(),
        time
    );
}

#[test]
fn standard_input_and_output_are_files_too() {
    let tool = tool();
    let data = pattern(9, 20 * 1024 * 1024 + 13);
    tool.run_with_input(["put", "-", "/piped"], &data).ok();
    let mut get = tool.command(["get", "/piped", "-"]);
    get.stdout(File::create(tool.path("down")).unwrap());
    Run::of(get).ok();
    assert!(tool.read("down") == data);
}

#[test]
fn the_same_file_again_is_already_there_and_another_one_is_a_conflict() {
    let tool = tool();
    tool.write("one", "one");
    tool.write("two", "two");
    tool.run(["put", "one", "/file"]).ok();
    assert!(
        tool.run(["put", "one", "/file"])
            .ok()
            .contains("already there")
    );
    assert!(tool.run(["put", "two", "/file"]).fails(5).contains("/file"));
    assert!(
        tool.run_with_input(["put", "-", "/file"], b"two")
            .fails(5)
            .contains("/file")
    );
    assert!(
        tool.run(["put", "two", "/file", "--if-exists", "skip"])
            .ok()
            .contains("skipped")
    );
    assert_eq!(tool.run(["get", "/file", "-"]).ok(), "one");

    assert_eq!(
        tool.run(["put", "two", "/file", "--if-exists", "rename"])
            .ok(),
        "/file (2)"
    );
    tool.run(["put", "two", "/file", "--if-exists", "overwrite"])
        .ok();
    assert_eq!(tool.run(["get", "/file", "-"]).ok(), "two");
}

#[test]
fn only_the_named_revision_is_overwritten() {
    let tool = tool();
    tool.write("one", "one");
    tool.write("two", "two");
    tool.write("three", "three");
    tool.run(["put", "one", "/file"]).ok();
    let rev = json(tool.run(["stat", "/file", "--json"]).ok())["rev"]
        .as_str()
        .unwrap()
        .to_owned();
    tool.run(["put", "two", "/file", "--if-rev", &rev]).ok();
    assert!(
        tool.run(["put", "three", "/file", "--if-rev", &rev])
            .fails(5)
            .contains("/file")
    );
    assert_eq!(tool.run(["get", "/file", "-"]).ok(), "two");
}

#[test]
fn folders_are_made_and_deleted_only_when_asked() {
    let tool = tool();
    tool.write("file", "x");
    tool.run(["mkdir", "/a/b"]).ok();
    assert!(tool.run(["mkdir", "/a/b"]).fails(5).contains("/a/b"));
    assert_eq!(
        tool.run(["put", "file", "/a/b"]).ok(),
        "/a/b/file",
        "into an existing folder"
    );
    assert!(tool.run(["rm", "/a"]).stderr.contains("-r"));
    assert_eq!(tool.run(["ls", "-r"]).ok().lines().count(), 3);
    tool.run(["rm", "-r", "/a"]).ok();
    assert_eq!(tool.run(["ls"]).ok(), "");
}

#[test]
fn json_is_one_object_per_line_with_type_and_schema() {
    let tool = tool();
    tool.write("file", "x");
    for args in [
        &["put", "file", "/file", "--json"][..],
        &["put", "file", "/file", "--json"],
        &["ls", "--json"],
        &["stat", "/file", "--json"],
        &["get", "/file", "copy", "--json"],
        &["mkdir", "/folder", "--json"],
        &["cp", "/file", "/copy", "--json"],
        &["mv", "/copy", "/moved", "--json"],
        &["revs", "/file", "--json"],
        &["rm", "/file", "--json"],
    ] {
        let run = tool.run(args.iter().copied());
        let lines: Vec<&str> = run.ok().lines().collect();
        assert!(!lines.is_empty(), "{args:?} says nothing");
        for line in lines {
            let event = json(line);
            assert!(
                event["type"].is_string() && event["schema"] == 1,
                "{args:?}: {line}"
            );
        }
    }
}

#[test]
fn a_remote_whose_run_was_killed_goes_on_with_the_next() {
    let tool = tool();
    let data = pattern(3, 3 * 1024 * 1024);
    tool.write("whole", &data);
    // The one that will be killed waits in the middle for more of its standard input.
    let mut killed = tool
        .command(["put", "-", "/killed"])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = killed.stdin.take().unwrap();
    stdin.write_all(&pattern(4, 40 * 1024 * 1024)).unwrap();
    let other = tool.command(["put", "whole", "/other"]).spawn().unwrap();
    let other = Run::wait(other);
    killed.kill().unwrap();
    killed.wait().unwrap();

    other.ok();
    assert_eq!(tool.run(["ls"]).ok(), "other");
    tool.run(["put", "whole", "/killed"]).ok();
    tool.run(["get", "/killed", "back"]).ok();
    assert!(tool.read("back") == data);
}

#[test]
fn memory_stays_bounded_whatever_the_size() {
    let tool = tool();
    let piece = pattern(5, 4 * 1024 * 1024);
    let mut put = tool
        .command(["put", "-", "/large"])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = put.stdin.take().unwrap();
    for _ in 0..100 {
        stdin.write_all(&piece).unwrap();
    }
    // All but two chunks of the 400 MiB have gone through the process by now.
    let peak = peak_memory(put.id());
    drop(stdin);
    Run::wait(put).ok();
    assert!(peak < 150 * 1024 * 1024, "{peak} bytes");

    let most = peak_of(tool.command(["get", "/large", "down"]));
    assert!(most < 150 * 1024 * 1024, "{most} bytes");
    assert_eq!(
        std::fs::metadata(tool.path("down")).unwrap().len(),
        400 * 1024 * 1024
    );

    // With a server in the same process.
    let most = peak_of(tool.command(["put", "down", "/again"]));
    assert!(most < 160 * 1024 * 1024, "{most} bytes");

    let serving = tool.serve(["--data", "data"]);
    tool.run(["admin", "--data", "data", "account", "add", "panda"])
        .ok();
    let token = tool.run([
        "admin",
        "--data",
        "data",
        "token",
        "create",
        "--account",
        "panda",
    ]);
    tool.write("token", token.ok());
    for (memory, allowed) in [("16MiB", 16 + 40), ("64MiB", 64 + 40)] {
        let dest = format!("/{memory}");
        let args = [
            "--remote",
            &serving.url,
            "--token-file",
            "token",
            "put",
            "down",
            &dest,
        ];
        let mut put = tool.command(args);
        put.args(["--memory", memory]);
        let most = peak_of(put);
        assert!(most < allowed * 1024 * 1024, "{memory}: {most} bytes");
    }
}

/// The most memory that a process ever had until it succeeded.
fn peak_of(mut command: Command) -> u64 {
    let child = command.spawn().unwrap();
    let id = child.id();
    let mut most = 0;
    let run = std::thread::spawn(move || Run::wait(child));
    while !run.is_finished() {
        // The process may be gone between the two looks.
        if let Ok(peak) = std::panic::catch_unwind(|| peak_memory(id)) {
            most = most.max(peak);
        }
        std::thread::yield_now();
    }
    run.join().unwrap().ok();
    assert!(most > 0, "it was never seen");
    most
}
