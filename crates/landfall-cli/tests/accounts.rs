//! Deleting accounts by command, beside a running server.

use landfall_testkit::{Run, Serving, Tool, pattern};

fn tool() -> Tool {
    Tool::new(env!("CARGO_BIN_EXE_landfall"))
}

fn admin(tool: &Tool, args: &[&str]) -> Run {
    let mut command = tool.command(["admin", "--data", "data"]);
    command.args(args);
    Run::of(command)
}

/// Adds an account and returns a token of it.
fn account(tool: &Tool, name: &str) -> String {
    admin(tool, &["account", "add", name]).ok();
    let token = admin(tool, &["token", "create", "--account", name]);
    token.ok().to_owned()
}

fn call(tool: &Tool, serving: &Serving, token: &str, args: &[&str]) -> Run {
    let mut command = tool.command(["--remote", &serving.url]);
    command.args(args).env("LANDFALL_TOKEN", token);
    Run::of(command)
}

#[test]
fn an_account_is_deleted_while_the_server_runs() {
    let tool = tool();
    let serving = tool.serve(["--data", "data"]);
    let (panda, other) = (account(&tool, "panda"), account(&tool, "other"));
    tool.write("file", pattern(1, 100_000));
    for token in [&panda, &other] {
        call(&tool, &serving, token, &["put", "file", "/file"]).ok();
    }
    // Nobody is at a terminal here to say yes.
    let asked = admin(&tool, &["account", "delete", "panda"]);
    assert!(asked.fails(2).contains("--yes"), "{asked:?}");
    call(&tool, &serving, &panda, &["ls"]).ok();
    admin(&tool, &["account", "delete", "nobody", "--yes"]).fails(4);

    admin(&tool, &["account", "delete", "panda", "--yes"]).ok();
    call(&tool, &serving, &panda, &["ls"]).fails(3);
    admin(&tool, &["account", "delete", "panda", "--yes"]).fails(4);
    let again = account(&tool, "panda");
    assert_eq!(call(&tool, &serving, &again, &["ls"]).ok(), "");
    let collected = admin(&tool, &["collect", "--now"]);
    assert!(collected.ok().contains(", 1 blobs, "), "{collected:?}");
    assert_eq!(call(&tool, &serving, &other, &["ls"]).ok(), "file");
    let checked = admin(&tool, &["check"]);
    assert!(
        checked.ok().starts_with("1 blobs, 100000 bytes"),
        "{checked:?}"
    );
}

#[test]
fn a_deletion_that_was_killed_is_ended_by_the_next_upkeep() {
    let tool = tool();
    let serving = tool.serve(["--data", "data"]);
    let panda = account(&tool, "panda");
    tool.write("file", pattern(1, 100_000));
    call(&tool, &serving, &panda, &["put", "file", "/file"]).ok();
    let mut command = tool.command(["admin", "--data", "data", "account", "delete", "panda"]);
    command
        .env("LANDFALL_FAILPOINTS", "delete.slice_removed=kill")
        .env("LANDFALL_YES", "1");
    let killed = Run::of(command);
    assert_eq!(killed.code, None, "killed: {killed:?}");
    let checked = admin(&tool, &["check"]);
    assert!(
        checked.ok().starts_with("1 blobs, "),
        "in the middle of it: {checked:?}"
    );
    call(&tool, &serving, &panda, &["ls"]).fails(3);
    assert_eq!(admin(&tool, &["account", "list"]).ok(), "");

    let collected = admin(&tool, &["collect", "--now"]);
    assert!(
        collected.ok().starts_with("removed 1 deleted accounts"),
        "{collected:?}"
    );
    let checked = admin(&tool, &["check"]);
    assert_eq!(checked.ok(), "0 blobs, 0 bytes, 0 strays, 0 problems");
}

#[test]
fn a_full_account_is_told_from_a_full_disk_and_at_once() {
    let tool = tool();
    let serving = tool.serve(["--data", "data"]);
    let panda = account(&tool, "panda");
    admin(&tool, &["quota", "set", "--account", "panda", "100000"]).ok();
    tool.write("fits", pattern(1, 60_000));
    tool.write("large", pattern(2, 60_001));
    let put = |file: &str| call(&tool, &serving, &panda, &["put", file, "/"]);
    put("fits").ok();
    let full = put("large");
    let line = full.fails(7);
    assert!(
        line.contains("its quota is 100000 bytes, 60000 are in files"),
        "{full:?}"
    );

    // What is begun and never finished takes room too, until the operator ends it.
    let start = ["session", "start", "--data", "fits"];
    admin(&tool, &["quota", "set", "--account", "panda", "120000"]).ok();
    let session = call(&tool, &serving, &panda, &start).ok().to_owned();
    let full = call(&tool, &serving, &panda, &start);
    assert!(
        full.fails(7).contains("60000 in unfinished uploads"),
        "{full:?}"
    );
    let append = [
        "session",
        "append",
        "--session",
        &session,
        "--offset",
        "60000",
        "--data",
        "fits",
    ];
    call(&tool, &serving, &panda, &append).fails(7);
    admin(&tool, &["session", "abort", "--account", "panda", &session]).ok();
    call(&tool, &serving, &panda, &start).ok();
}
