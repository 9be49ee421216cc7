//! `serve` with TLS, as the people who run it see it.

use landfall_testkit::{Run, Serving, Tool};
use std::process::Command;

fn tool() -> Tool {
    Tool::new(env!("CARGO_BIN_EXE_landfall"))
}

fn development(tool: &Tool, args: &[&str]) -> Serving {
    let mut command = tool.command(["serve", "--ephemeral", "--tls-dev"]);
    command.args(["--listen", "127.0.0.1:0"]).args(args);
    command.env("LANDFALL_TOKEN", "test-token");
    Serving::start(command)
}

/// A command of the tool against a server.
fn against(tool: &Tool, url: &str, args: &[&str]) -> Run {
    let mut command: Command = tool.command(["--remote", url]);
    command.args(args).env("LANDFALL_TOKEN", "test-token");
    Run::of(command)
}

#[test]
fn files_go_over_tls_to_whom_the_authority_for_development_vouches_for() {
    let tool = tool();
    let serving = development(&tool, &[]);
    assert!(serving.url.starts_with("https://127.0.0.1:"));
    tool.write("a.txt", "over tls");
    let authority = tool.local().join("tls/authority.pem");
    let authority = authority.to_str().unwrap();
    for url in [
        serving.url.clone(),
        serving.url.replace("127.0.0.1", "localhost"),
    ] {
        let put = ["--ca-cert", authority, "put", "a.txt", "/a.txt"];
        against(&tool, &url, &put).ok();
        let get = ["--ca-cert", authority, "get", "/a.txt", "-"];
        assert_eq!(against(&tool, &url, &get).stdout, "over tls");
    }
    let stranger = against(&tool, &serving.url, &["get", "/a.txt", "-"]);
    assert!(stranger.fails(1).contains("can't trust"), "{stranger:?}");
}

#[test]
fn a_hangup_has_the_certificate_read_again() {
    let tool = tool();
    // Two authorities; the servers that made them are not needed any more.
    for data in ["one", "other"] {
        tool.run(["admin", "--data", data, "account", "add", "panda"]);
        let command = [
            "serve",
            "--tls-dev",
            "--listen",
            "127.0.0.1:0",
            "--data",
            data,
        ];
        drop(Serving::start(tool.command(command)));
    }
    let show = |data: &str| {
        std::fs::copy(
            tool.path(data).join("tls/server.pem"),
            tool.path("shown.pem"),
        )
        .unwrap();
    };
    show("one");
    let mut command = tool.command(["serve", "--ephemeral", "--listen", "127.0.0.1:0"]);
    command.args(["--tls-cert", "shown.pem", "--tls-key", "shown.pem"]);
    command.env("LANDFALL_TOKEN", "test-token");
    let serving = Serving::start(command);
    let trusts = |data: &str| {
        let authority = format!("{data}/tls/authority.pem");
        let args = ["--ca-cert", &authority, "ls"];
        against(&tool, &serving.url, &args).code == Some(0)
    };
    assert!(trusts("one") && !trusts("other"));
    show("other");
    assert!(trusts("one"), "not before it is told");
    let id = serving.id().to_string();
    let told = Command::new("kill").args(["-HUP", &id]).status().unwrap();
    assert!(told.success());
    // The signal takes its time.
    while !trusts("other") {
        std::thread::yield_now();
    }
    assert!(!trusts("one"));
}

#[test]
fn a_certificate_that_can_not_be_used_is_told_in_one_line() {
    let tool = tool();
    tool.write("empty.pem", "");
    let serve = |args: &[&str]| {
        let mut command = tool.command(["serve", "--ephemeral", "--listen", "127.0.0.1:0"]);
        command.args(args);
        Run::of(command)
    };
    let run = serve(&["--tls-cert", "empty.pem", "--tls-key", "empty.pem"]);
    assert!(
        run.fails(4).contains("empty.pem: holds no certificate"),
        "{run:?}"
    );
    let run = serve(&["--tls-cert", "nowhere.pem", "--tls-key", "empty.pem"]);
    assert!(run.fails(4).contains("can't read nowhere.pem"), "{run:?}");
    for name in ["not a name", "über", "", "-"] {
        let run = serve(&["--tls-dev", "--tls-name", name]);
        assert!(run.fails(1).contains("is no host name"), "{run:?}");
    }
    assert_eq!(serve(&["--tls-cert", "empty.pem"]).code, Some(2));
    assert_eq!(serve(&["--tls-name", "lab"]).code, Some(2));
}

#[test]
fn with_tls_other_machines_may_be_served() {
    let tool = tool();
    let mut command = tool.command(["serve", "--ephemeral", "--listen", "0.0.0.0:0", "--tls-dev"]);
    command.env("LANDFALL_TOKEN", "test-token");
    assert!(Serving::start(command).url.starts_with("https://0.0.0.0:"));
    let run = tool.run(["serve", "--ephemeral", "--listen", "0.0.0.0:0"]);
    assert!(run.fails(1).contains("--tls-cert"), "{run:?}");
}
