//! Backup and restore by command, beside a running server.

use landfall_testkit::{Run, Serving, Tool, pattern};
use std::path::PathBuf;

/// Larger than what is stored in the metadata, so that it is a file.
const LARGE: usize = 300_000;

fn tool() -> Tool {
    Tool::new(env!("CARGO_BIN_EXE_landfall"))
}

fn admin(tool: &Tool, data: &str, args: &[&str]) -> Run {
    let mut command = tool.command(["admin", "--data", data]);
    command.args(args);
    Run::of(command)
}

/// A server on the directory `data`, with an account, and its token.
fn serving(tool: &Tool) -> (Serving, String) {
    let serving = tool.serve(["--data", "data"]);
    admin(tool, "data", &["account", "add", "panda"]).ok();
    let token = admin(tool, "data", &["token", "create", "--account", "panda"]);
    (serving, token.ok().to_owned())
}

fn call(tool: &Tool, serving: &Serving, token: &str, args: &[&str]) -> Run {
    let mut command = tool.command(["--remote", &serving.url]);
    command.args(args).env("LANDFALL_TOKEN", token);
    Run::of(command)
}

/// The files of all blobs in a directory.
fn files(tool: &Tool, dir: &str) -> Vec<PathBuf> {
    let list = |dir: PathBuf| -> Vec<PathBuf> {
        let entries = std::fs::read_dir(dir).unwrap();
        entries.map(|entry| entry.unwrap().path()).collect()
    };
    let writers = list(tool.path(dir).join("blobs"));
    writers.into_iter().flat_map(list).collect()
}

#[test]
fn what_a_server_has_is_backed_up_restored_and_served_again() {
    let tool = tool();
    let (first, token) = serving(&tool);
    tool.write("large", pattern(1, LARGE));
    tool.write("small", "hello");
    let put = |file: &str, to: &str| call(&tool, &first, &token, &["put", file, to]);
    put("large", "/large").ok();
    put("small", "/small").ok();
    let size = LARGE + 5;
    let made = admin(&tool, "data", &["backup", "copies/monday"]);
    assert_eq!(made.ok(), format!("copied 2 blobs, {size} bytes"));
    put("small", "/later").ok();

    let restored = admin(&tool, "again", &["restore", "copies/monday"]);
    assert_eq!(restored.ok(), made.ok());
    let checked = admin(&tool, "again", &["check"]);
    assert_eq!(
        checked.ok(),
        format!("2 blobs, {size} bytes, 0 strays, 0 problems")
    );
    let again = tool.serve(["--data", "again"]);
    let call = |args: &[&str]| call(&tool, &again, &token, args);
    call(&["get", "/large", "back"]).ok();
    assert!(tool.read("back") == pattern(1, LARGE));
    assert_eq!(call(&["get", "/small", "-"]).ok(), "hello");
    call(&["stat", "/later"]).fails(4);
    call(&["put", "large", "/new"]).ok();
}

#[test]
fn a_backup_that_was_killed_is_refused_by_name_and_the_next_one_is_whole() {
    let tool = tool();
    let (server, token) = serving(&tool);
    for nth in 0..3 {
        tool.write("file", pattern(nth, LARGE));
        call(&tool, &server, &token, &["put", "file", &format!("/{nth}")]).ok();
    }
    let killed_at = |point: &str, data: &str, args: &[&str]| {
        let mut command = tool.command(["admin", "--data", data]);
        command
            .args(args)
            .env("LANDFALL_FAILPOINTS", format!("{point}=kill"));
        let run = Run::of(command);
        assert_eq!(run.code, None, "killed: {run:?}");
    };
    killed_at("copy.blob_copied", "data", &["backup", "half"]);
    assert!(
        !files(&tool, "half").is_empty(),
        "it was in the middle of it"
    );
    let refused = admin(&tool, "again", &["restore", "half"]);
    assert!(
        refused.fails(8).contains("half is not whole"),
        "{refused:?}"
    );
    assert!(!tool.path("again").exists());
    let refused = tool.run(["serve", "--data", "half"]);
    assert!(
        refused.fails(1).contains("half is not whole"),
        "{refused:?}"
    );
    admin(&tool, "data", &["backup", "half"]).fails(5);

    admin(&tool, "data", &["backup", "whole"]).ok();
    killed_at("copy.blob_copied", "again", &["restore", "whole"]);
    let refused = admin(&tool, "again", &["check"]);
    assert!(
        refused.fails(1).contains("again is not whole"),
        "{refused:?}"
    );
    admin(&tool, "again", &["restore", "whole"]).fails(5);
    admin(&tool, "third", &["restore", "whole"]).ok();
    let checked = admin(&tool, "third", &["check"]);
    assert!(checked.ok().starts_with("3 blobs, "), "{checked:?}");
    call(&tool, &server, &token, &["get", "/2", "back"]).ok();
    assert!(tool.read("back") == pattern(2, LARGE), "the server went on");
}

#[test]
fn a_backup_with_damage_is_not_restored_without_a_word() {
    let tool = tool();
    let (server, token) = serving(&tool);
    for nth in 0..3 {
        tool.write("file", pattern(nth, LARGE));
        call(&tool, &server, &token, &["put", "file", &format!("/{nth}")]).ok();
    }
    admin(&tool, "data", &["backup", "copy"]).ok();
    let spoilt = files(&tool, "copy");
    std::fs::remove_file(&spoilt[0]).unwrap();
    std::fs::write(&spoilt[1], pattern(9, LARGE)).unwrap();
    let run = admin(&tool, "again", &["restore", "copy"]);
    assert!(
        run.fails(8).contains("2 blobs are missing or damaged"),
        "{run:?}"
    );
    for (file, what) in [(&spoilt[0], "are missing"), (&spoilt[1], "is damaged")] {
        let name = file.file_name().unwrap().to_str().unwrap();
        let line = run.stdout.lines().find(|line| line.contains(name));
        assert!(line.is_some_and(|line| line.contains(what)), "{run:?}");
    }
    tool.run(["serve", "--data", "again"]).fails(1);
}

#[test]
fn nothing_is_made_of_a_directory_that_is_not_there() {
    let tool = tool();
    let run = admin(&tool, "tpyo", &["backup", "copy"]);
    assert!(run.fails(4).contains("no data directory tpyo"), "{run:?}");
    let run = admin(&tool, "again", &["restore", "tpyo"]);
    assert!(run.fails(4).contains("tpyo is no backup"), "{run:?}");
    for name in ["tpyo", "copy", "again"] {
        assert!(!tool.path(name).exists(), "{name}");
    }
}
