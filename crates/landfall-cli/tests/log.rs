//! How much is told, and where.

use landfall_testkit::{Run, Tool};
use std::io::{BufRead, BufReader, Read};
use std::process::Command;

fn tool() -> Tool {
    Tool::new(env!("CARGO_BIN_EXE_landfall"))
}

#[test]
fn each_v_tells_more() {
    let tool = tool();
    let told = |args: &[&str]| {
        let run = tool.run(args.iter().copied().chain(["ls"]));
        run.ok();
        let told = |text: &str| run.stderr.contains(text);
        (told("calls go to"), told("files/list_folder"))
    };
    assert_eq!(told(&[]), (false, false));
    assert_eq!(told(&["-v"]), (true, false));
    assert_eq!(told(&["-vv"]), (true, true));
}

#[test]
fn quiet_leaves_the_line_that_says_why_it_failed() {
    let tool = tool();
    assert!(
        tool.run(["-q", "get", "/nope", "x"])
            .fails(4)
            .contains("/nope")
    );
    assert_eq!(tool.run(["-q", "-vv", "ls"]).stderr, "");

    // A server with a certificate of its own making has advice to give.
    let told = |quiet: &[&str]| {
        let args = [
            "serve",
            "--ephemeral",
            "--tls-dev",
            "--listen",
            "127.0.0.1:0",
        ];
        let mut command = tool.command(args);
        let mut server = command.args(quiet).spawn().unwrap();
        let mut stdout = BufReader::new(server.stdout.take().unwrap());
        stdout.read_line(&mut String::new()).unwrap();
        // It hears of its end only after it has said all that it has to say.
        let id = server.id().to_string();
        let sent = Command::new("kill").arg(&id).status().unwrap();
        assert!(sent.success());
        stdout.read_to_end(&mut Vec::new()).unwrap();
        Run::wait(server).stderr
    };
    assert!(told(&[]).contains("trust"));
    assert_eq!(told(&["-q"]), "");
}

#[test]
fn a_log_file_is_appended_to_and_standard_error_stays_empty() {
    let tool = tool();
    let run = tool.run(["-v", "--log-file", "log", "ls"]);
    assert_eq!(run.stderr, "", "{run:?}");
    let mut command = tool.command(["--quiet", "ls"]);
    command.env("LANDFALL_VERBOSE", "2");
    command.env("LANDFALL_LOG_FILE", "log");
    assert_eq!(Run::of(command).stderr, "");
    let log = String::from_utf8(tool.read("log")).unwrap();
    assert_eq!(log.matches("calls go to").count(), 2, "{log}");
    assert!(log.contains("files/list_folder"), "{log}");
    assert!(!log.contains('\u{1b}'), "no colours: {log}");

    let refused = tool.run(["--log-file", "no/such/log", "ls"]);
    assert!(refused.fails(1).contains("no/such/log"));
}

#[test]
fn rust_log_wins() {
    let tool = tool();
    let told = |flag: &str, wish: &str| {
        let mut command = tool.command([flag, "ls"]);
        command.env("RUST_LOG", wish);
        Run::of(command).stderr
    };
    assert_eq!(told("-vv", "error"), "");
    assert!(told("-q", "landfall=info").contains("calls go to"));
}

#[test]
fn no_token_gets_into_a_log_file_whatever_is_asked_for() {
    let tool = tool();
    let mut serving = tool.serve(["--ephemeral"]);
    let token = serving.line();
    tool.write("token", &token);
    for wish in ["", "trace"] {
        let args = ["-vv", "--log-file", "log", "--token-file", "token", "ls"];
        let mut command = tool.command(["--remote", &serving.url]);
        command.args(args).env("RUST_LOG", wish);
        Run::of(command).ok();
        let log = String::from_utf8(tool.read("log")).unwrap();
        assert!(log.contains("files/list_folder"), "{log}");
        assert!(!log.contains(&token) && !log.contains("hyper"), "{log}");
    }
}
