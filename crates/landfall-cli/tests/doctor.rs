//! `landfall doctor`: what is wrong is told by its kind, with what to do, and nothing is changed.

use landfall_testkit::{Run, Serving, Tool};
use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::process::Command;

fn tool() -> Tool {
    Tool::new(env!("CARGO_BIN_EXE_landfall"))
}

fn examined(tool: &Tool, remote: &str, token: &str, variables: &[(&str, &str)]) -> Run {
    let mut command = tool.command(["--remote", remote, "--insecure-http", "doctor"]);
    command.env("LANDFALL_TOKEN", token);
    command.envs(variables.iter().copied());
    Run::of(command)
}

/// What was said of a check; a verdict and a text.
fn said<'a>(run: &'a Run, check: &str) -> (&'a str, &'a str) {
    let found = run.stdout.lines().find_map(|line| {
        let (verdict, rest) = line.split_once(' ')?;
        let text = rest.trim_start().strip_prefix(check)?.strip_prefix(": ")?;
        Some((verdict, text))
    });
    found.unwrap_or_else(|| panic!("{check} was not checked: {run:?}"))
}

fn was_checked(run: &Run, check: &str) -> bool {
    run.stdout.contains(&format!(" {check}: "))
}

/// A server that gives everybody the same answer.
fn canned(answer: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let lines = BufReader::new(stream.try_clone().unwrap()).lines();
            let head = lines.map_while(Result::ok);
            head.take_while(|line| !line.is_empty()).for_each(drop);
            // Who asked may be gone.
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    url
}

/// A server on `data`, with an account and a token of hers that allows this.
fn serve(tool: &Tool, scopes: &[&str]) -> (Serving, String) {
    let admin = |args: &[&str]| {
        let all = ["admin", "--data", "data"].iter().chain(args);
        tool.run(all.copied()).ok().to_owned()
    };
    admin(&["account", "add", "panda", "--display-name", "Panda"]);
    let mut create = vec!["token", "create", "--account", "panda"];
    for scope in scopes {
        create.extend(["--scope", scope]);
    }
    let token = admin(&create);
    (tool.serve(["--data", "data"]), token)
}

#[test]
fn with_the_local_remote_all_is_well() {
    let tool = tool();
    let run = tool.run(["doctor"]);
    run.ok();
    for line in run.stdout.lines() {
        // The machine that runs this may have little.
        let of_the_machine = line.contains(" disk: ") || line.contains(" files: ");
        assert!(line.starts_with("ok ") || of_the_machine, "{line}");
    }
    let home = tool.local();
    assert!(said(&run, "remote").1.contains(home.to_str().unwrap()));
    for check in [
        "connection",
        "clock",
        "token",
        "rights",
        "space",
        "disk",
        "files",
    ] {
        said(&run, check);
    }
    assert_eq!(run.stderr, "");
}

#[test]
fn each_check_is_an_event() {
    let tool = tool();
    let mut command = tool.command(["--json", "doctor"]);
    command.env("LANDFALL_REMOTE", "local");
    let run = Run::of(command);
    let events = run.ok().lines();
    let events: Vec<Value> = events
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(events.len() > 8, "{events:?}");
    for event in events {
        assert_eq!(event["type"], "check");
        assert!(event["check"].is_string() && event["text"].is_string());
        assert_ne!(event["verdict"], "problem", "{event}");
    }
}

#[test]
fn a_server_is_told_with_whose_token_it_is_and_is_left_as_it_was() {
    let tool = tool();
    let (serving, token) = serve(&tool, &[]);
    let run = examined(&tool, &serving.url, &token, &[]);
    run.ok();
    assert!(said(&run, "remote").1.contains(&serving.url));
    assert!(said(&run, "token").1.contains("Panda"));
    tool.write("token", &token);
    let list = [
        "--remote",
        &serving.url,
        "--token-file",
        "token",
        "ls",
        "-r",
    ];
    assert_eq!(tool.run(list).ok(), "");
    let sessions = [
        "admin",
        "--data",
        "data",
        "session",
        "list",
        "--account",
        "panda",
    ];
    assert_eq!(tool.run(sessions).ok(), "");
}

#[test]
fn where_nobody_listens_only_this_machine_is_looked_at() {
    let tool = tool();
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr();
    let free = free.unwrap().to_string();
    let run = examined(&tool, &format!("http://{free}"), "token", &[]);
    run.fails(6);
    let (verdict, text) = said(&run, "connection");
    assert!(verdict == "problem" && text.contains(&free), "{run:?}");
    assert!(was_checked(&run, "files") && !was_checked(&run, "token"));
}

#[test]
fn a_page_that_is_not_the_services_is_no_connection() {
    let tool = tool();
    let portal = canned("HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nlogin");
    let run = examined(&tool, &portal, "token", &[]);
    run.fails(1);
    assert!(said(&run, "connection").1.contains("login page"), "{run:?}");
    let trouble = canned("HTTP/1.1 503 Busy\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    examined(&tool, &trouble, "token", &[]).fails(6);
}

#[test]
fn a_clock_that_is_wrong_is_a_warning() {
    let tool = tool();
    let past = canned(
        "HTTP/1.1 401 No\r\ncontent-length: 0\r\nconnection: close\r\n\
         date: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n",
    );
    let run = examined(&tool, &past, "token", &[]);
    let (verdict, text) = said(&run, "clock");
    assert!(verdict == "warning" && text.contains("ahead"), "{run:?}");
}

#[test]
fn a_token_that_is_missing_unknown_or_lacks_a_right_is_told_and_not_shown() {
    let tool = tool();
    let (serving, narrow) = serve(&tool, &["files.metadata.read"]);
    for (token, check) in [
        ("", "token"),
        ("canary-token", "token"),
        (&narrow, "rights"),
    ] {
        let run = examined(&tool, &serving.url, token, &[]);
        run.fails(3);
        assert_eq!(said(&run, check).0, "problem", "{run:?}");
        assert!(!run.stdout.contains("canary"), "{run:?}");
    }
    let run = examined(&tool, &serving.url, &narrow, &[]);
    let (_, text) = said(&run, "rights");
    assert!(text.contains("files.content.write"), "{run:?}");
    assert!(!text.contains("files.metadata.read"), "{run:?}");
}

#[test]
fn an_account_without_room_is_a_problem_of_space() {
    let tool = tool();
    let (serving, token) = serve(&tool, &[]);
    let quota = [
        "admin",
        "--data",
        "data",
        "quota",
        "set",
        "--account",
        "panda",
        "0",
    ];
    tool.run(quota).ok();
    let run = examined(&tool, &serving.url, &token, &[]);
    run.fails(7);
    assert_eq!(said(&run, "space").0, "problem");
}

#[test]
fn a_configuration_that_cant_be_read_is_told_first() {
    let tool = tool();
    let file = tool.write("config", "remotes = 1");
    let mut command = tool.command(["doctor"]);
    command.env("LANDFALL_CONFIG", file);
    let run = Run::of(command);
    run.fails(2);
    assert_eq!(said(&run, "configuration").0, "problem");
    assert!(!was_checked(&run, "remote"));
}

#[test]
fn a_proxy_is_told_without_its_password() {
    let tool = tool();
    let proxy = canned("HTTP/1.1 403 No\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    let proxy = proxy.replace("http://", "http://panda:bamboo@");
    let variables = [("HTTP_PROXY", proxy.as_str()), ("NO_PROXY", "example.org")];
    let run = examined(&tool, "http://files.invalid", "token", &variables);
    run.fails(1);
    let (_, text) = said(&run, "proxy");
    assert!(text.contains("HTTP_PROXY=http://…@127.0.0.1"), "{text}");
    assert!(text.contains("NO_PROXY=example.org"), "{text}");
    assert!(!format!("{run:?}").contains("bamboo"), "{run:?}");
}

#[test]
fn few_open_files_are_a_warning() {
    let tool = tool();
    let doctor = tool.command(["doctor"]);
    let mut limited = Command::new("sh");
    limited.args(["-c", "ulimit -n 200; exec \"$0\" doctor"]);
    limited.arg(doctor.get_program());
    limited.current_dir(tool.path("")).env_clear();
    for (name, value) in doctor.get_envs() {
        limited.env(name, value.unwrap_or_default());
    }
    limited.stdout(std::process::Stdio::piped());
    limited.stderr(std::process::Stdio::piped());
    let run = Run::of(limited);
    run.ok();
    let (verdict, text) = said(&run, "files");
    assert!(verdict == "warning" && text.contains("200"), "{run:?}");
}
