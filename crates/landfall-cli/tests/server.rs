//! Serving, administering, and the raw commands of a session.

use landfall_testkit::{Run, Serving, Tool};
use serde_json::Value;

fn tool() -> Tool {
    Tool::new(env!("CARGO_BIN_EXE_landfall"))
}

/// A server on a directory, with the account `panda` and a remote `here` for her.
fn with_remote(tool: &Tool) -> Serving {
    let serving = tool.serve(["--data", "data"]);
    // Both while the server runs on the same directory.
    tool.run([
        "admin",
        "--data",
        "data",
        "account",
        "add",
        "panda",
        "--display-name",
        "Panda",
    ])
    .ok();
    let create = [
        "admin",
        "--data",
        "data",
        "token",
        "create",
        "--account",
        "panda",
    ];
    let token = tool.run(create).ok().to_owned();
    tool.write("token", token);
    tool.run([
        "remote",
        "add",
        "here",
        &serving.url,
        "--token-file",
        "token",
    ])
    .ok();
    serving
}

fn here<'a>(tool: &Tool, args: impl IntoIterator<Item = &'a str>) -> Run {
    let mut command = tool.command(["--remote", "here"]);
    command.args(args);
    Run::of(command)
}

#[test]
fn a_directory_is_served_and_administered_at_the_same_time() {
    let tool = tool();
    let _serving = with_remote(&tool);
    tool.write("file", "hello");
    here(&tool, ["put", "file", "/file"]).ok();
    assert_eq!(here(&tool, ["get", "/file", "-"]).ok(), "hello");
    assert_eq!(
        tool.run(["ls"]).ok(),
        "",
        "the remote `local` is another one"
    );
    tool.run(["remote", "use", "here"]).ok();
    assert_eq!(tool.run(["ls"]).ok(), "file");
    assert!(tool.run(["remote", "list"]).ok().contains("here"));
}

#[test]
fn what_was_acknowledged_is_there_after_the_server_was_killed() {
    let tool = tool();
    let serving = with_remote(&tool);
    tool.write("small", "hello");
    tool.write("large", landfall_testkit::pattern(1, 5_000_000));
    here(&tool, ["put", "small", "/small"]).ok();
    here(&tool, ["put", "large", "/large"]).ok();
    let session = here(&tool, ["session", "start", "--data", "small"])
        .ok()
        .to_owned();
    let token = String::from_utf8(tool.read("token")).unwrap();
    serving.kill();

    let serving = tool.serve(["--data", "data"]);
    let again = |args: &[&str]| {
        let mut command = tool.command(["--remote", &serving.url]);
        command.args(args).env("LANDFALL_TOKEN", &token);
        Run::of(command)
    };
    assert_eq!(again(&["get", "/small", "-"]).ok(), "hello");
    again(&["get", "/large", "back"]).ok();
    assert!(tool.read("back") == landfall_testkit::pattern(1, 5_000_000));
    let finish = [
        "session",
        "finish",
        "--session",
        &session,
        "--offset",
        "5",
        "--path",
        "/late",
    ];
    again(&finish).ok();
    assert_eq!(again(&["get", "/late", "-"]).ok(), "hello");
}

#[test]
fn a_session_is_started_appended_to_and_finished_by_hand() {
    let tool = tool();
    tool.write("one", "hello");
    tool.write("two", " world");
    let session = tool.run(["session", "start"]).ok().to_owned();
    let append = |offset: &str, data: &str| {
        tool.run([
            "session",
            "append",
            "--session",
            &session,
            "--offset",
            offset,
            "--data",
            data,
        ])
    };
    append("0", "one").ok();
    let refused = append("0", "one");
    refused.fails(5);
    assert!(
        refused.stderr.contains("\"correct_offset\": 5"),
        "{refused:?}"
    );
    let finish = [
        "session",
        "finish",
        "--session",
        &session,
        "--offset",
        "5",
        "--path",
        "/document.txt",
        "--autorename",
        "--data",
        "two",
    ];
    let saved: Value = serde_json::from_str(tool.run(finish).ok()).unwrap();
    assert_eq!(
        (&saved["name"], &saved["size"]),
        (&"document.txt".into(), &11.into())
    );
    assert_eq!(
        serde_json::from_str::<Value>(tool.run(finish).ok()).unwrap(),
        saved,
        "a replay"
    );
}

#[test]
fn a_finish_is_made_in_every_mode() {
    let tool = tool();
    tool.write("one", "one");
    tool.write("two", "two");
    let finish = |data: &str, more: &[&str]| {
        let session = tool
            .run(["session", "start", "--data", data, "--close"])
            .ok()
            .to_owned();
        let mut args = vec![
            "session",
            "finish",
            "--session",
            &session,
            "--offset",
            "3",
            "--path",
            "/document.txt",
        ];
        args.extend(more);
        tool.run(args)
    };
    let name = |run: Run| -> (String, String) {
        let saved: Value = serde_json::from_str(run.ok()).unwrap();
        let text = |field: &str| saved[field].as_str().unwrap().to_owned();
        (text("name"), text("rev"))
    };
    let (_, first) = name(finish("one", &[]));
    let refused = finish("two", &[]);
    refused.fails(5);
    assert!(refused.stderr.contains("path/conflict/file"), "{refused:?}");
    assert_eq!(name(finish("two", &["--autorename"])).0, "document (2).txt");
    let (overwritten, second) = name(finish("two", &["--mode", "overwrite", "--mute"]));
    assert_eq!(overwritten, "document.txt");
    let (updated, _) = name(finish("one", &["--mode", &format!("update:{second}")]));
    assert_eq!(updated, "document.txt");
    let stale = ["--mode", &format!("update:{first}"), "--autorename"];
    assert_eq!(
        name(finish("two", &stale)).0,
        "document (conflicted copy).txt"
    );
}

#[test]
fn an_ephemeral_server_takes_the_token_it_is_given_or_tells_its_own() {
    let tool = tool();
    let mut telling = tool.serve(["--ephemeral"]);
    let token = telling.line();
    assert!(token.len() >= 20 && !token.contains(' '), "{token:?}");

    let mut command = tool.command(["serve", "--ephemeral", "--listen", "127.0.0.1:0"]);
    command.env("LANDFALL_TOKEN", "chosen-token");
    let serving = Serving::start(command);
    let mut ls = tool.command(["--remote", &serving.url, "ls"]);
    ls.env("LANDFALL_TOKEN", "chosen-token");
    assert_eq!(Run::of(ls).ok(), "");
}

#[test]
fn an_address_that_others_can_reach_is_refused_without_tls() {
    let tool = tool();
    let run = tool.run(["serve", "--ephemeral", "--listen", "0.0.0.0:0"]);
    assert!(matches!(run.code, Some(code) if code != 0), "{run:?}");
    assert!(run.stderr.contains("--insecure-listen"), "{run:?}");
}

#[test]
fn tokens_are_limited_by_scope_and_time() {
    let tool = tool();
    let serving = with_remote(&tool);
    let create = [
        "admin",
        "--data",
        "data",
        "token",
        "create",
        "--account",
        "panda",
    ];
    let mut args = create.to_vec();
    args.extend(["--scope", "files.metadata.read", "--expires", "7d"]);
    let reader = tool.run(args).ok().to_owned();
    let with = |args: &[&str]| {
        let mut command = tool.command(["--remote", &serving.url]);
        command.args(args).env("LANDFALL_TOKEN", &reader);
        Run::of(command)
    };
    with(&["ls"]).ok();
    assert!(
        with(&["mkdir", "/x"])
            .fails(3)
            .contains("files.content.write")
    );
    let unknown = [
        "admin",
        "--data",
        "data",
        "token",
        "create",
        "--account",
        "nobody",
    ];
    assert!(tool.run(unknown).stderr.contains("nobody"));
    let again = ["admin", "--data", "data", "account", "add", "panda"];
    assert!(tool.run(again).stderr.contains("panda"));
}

#[test]
fn accounts_tokens_and_sessions_are_administered_while_the_server_runs() {
    let tool = tool();
    let serving = with_remote(&tool);
    let admin = |args: &[&str]| {
        let mut command = tool.command(["admin", "--data", "data"]);
        command.args(args);
        Run::of(command)
    };
    tool.write("file", "hello");
    here(&tool, ["put", "file", "/file"]).ok();
    let listed = admin(&["account", "list"]);
    assert!(listed.ok().starts_with("panda\tdbid:"), "{listed:?}");
    assert!(
        listed.ok().ends_with("\tactive\tused 5\tquota none"),
        "{listed:?}"
    );

    admin(&["account", "suspend", "panda"]).ok();
    assert!(here(&tool, ["ls"]).fails(3).contains("suspended"));
    admin(&["account", "resume", "panda"]).ok();
    here(&tool, ["ls"]).ok();

    admin(&["quota", "set", "--account", "panda", "8"]).ok();
    tool.write("more", "more!");
    here(&tool, ["put", "more", "/more"]).fails(7);
    admin(&["quota", "set", "--account", "panda", "none"]).ok();
    here(&tool, ["put", "more", "/more"]).ok();

    let session = here(&tool, ["session", "start", "--data", "file"])
        .ok()
        .to_owned();
    let listed = admin(&["session", "list", "--account", "panda"]);
    assert!(
        listed.ok().contains(&session) && listed.ok().contains("5 bytes"),
        "{listed:?}"
    );
    admin(&["session", "abort", "--account", "panda", &session]).ok();
    let late = [
        "session",
        "finish",
        "--session",
        &session,
        "--offset",
        "5",
        "--path",
        "/late",
    ];
    assert!(here(&tool, late).stderr.contains("not_found"));
    admin(&["session", "abort", "--account", "panda", &session]).fails(4);

    admin(&["account", "rename", "panda", "bear"]).ok();
    admin(&["token", "list", "--account", "panda"]).fails(4);
    let listed = admin(&["token", "list", "--account", "bear"]);
    let id = listed.ok().split('\t').next().unwrap().to_owned();
    here(&tool, ["ls"]).ok();
    admin(&["token", "revoke", &id]).ok();
    here(&tool, ["ls"]).fails(3);
    admin(&["token", "revoke", &id]).fails(4);
    drop(serving);
}
