//! The examples, each a program of its own, and the functions that go where the environment says.

use landfall::Endpoint;
use landfall::commands::CommandError;
use landfall_testkit::{Run, Stores, TestServer};
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// An example, as Cargo builds it beside the tests.
fn example(name: &str) -> Command {
    let mut path: PathBuf = std::env::current_exe().unwrap();
    path.pop();
    path.pop();
    path.extend(["examples", name]);
    assert!(
        path.exists(),
        "no {}: `cargo build --examples` makes it",
        path.display()
    );
    let mut command = Command::new(path);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Runs an example against a server.
fn run(server: &TestServer, name: &str, args: &[&str]) -> Run {
    let mut command = example(name);
    command
        .args(args)
        .env("LANDFALL_ENDPOINT", server.url())
        .env("LANDFALL_TOKEN", server.token());
    Run::of(command)
}

fn with_server<F: Future<Output = ()>>(test: impl FnOnce(TestServer) -> F) {
    TestServer::run(Stores::Memory, test);
}

#[test]
fn sessions_are_shown_in_asynchronous_code_and_without_a_runtime() {
    with_server(async |server| {
        for (name, path) in [("session", "/session.txt"), ("blocking", "/blocking.txt")] {
            let run = run(&server, name, &[path]);
            assert!(
                run.ok().starts_with(&format!("{name}.txt is rev ")),
                "{run:?}"
            );
            assert_eq!(server.calls().read(path).await, "uploads that finish");
        }
    });
}

#[test]
fn the_commands_go_where_the_environment_says() {
    with_server(async |server| {
        for (id, name) in [("1", "motto.txt"), ("1", "motto (2).txt")] {
            let run = run(&server, "commands", &["/motto.txt"]);
            let lines: Vec<_> = run.ok().lines().collect();
            assert_eq!(lines[0], format!("request {id} is on its way"));
            let saved = lines[1].strip_prefix(&format!("request {id}: 200 "));
            assert!(saved.is_some_and(|json| json.contains(name)), "{run:?}");
            server.calls().put("/motto.txt", "something else").await;
        }
        assert_eq!(
            server.calls().read("/motto (2).txt").await,
            "uploads that finish"
        );
    });
}

#[test]
fn an_address_that_is_none_is_told_by_the_name_of_its_variable() {
    let mut command = example("commands");
    command
        .arg("/a")
        .env("LANDFALL_ENDPOINT", "ftp://h/")
        .env("LANDFALL_TOKEN", "t");
    let run = Run::of(command);
    assert_eq!(run.code, Some(1), "{run:?}");
    assert!(run.stderr.contains("ftp://h/"), "{run:?}");
    let error = CommandError::Endpoint(Endpoint::at("ftp://h/").unwrap_err());
    let text = error.to_string();
    assert!(text.starts_with("LANDFALL_ENDPOINT: ftp://h/"), "{text}");
}

#[test]
fn many_callbacks_are_shown() {
    with_server(async |server| {
        let run = run(&server, "callback", &["/many"]);
        let lines = run.ok().lines().filter(|line| line.contains(": 200 "));
        assert_eq!(lines.count(), 10, "{run:?}");
        assert_eq!(server.calls().tree().await.len(), 11);
        assert_eq!(server.calls().read("/many/7.txt").await, "file 7\n");
    });
}

#[test]
fn a_whole_file_is_put() {
    with_server(async |server| {
        let this = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
        let run = run(&server, "put", &[this, "/manifest.toml"]);
        assert_eq!(run.ok(), "saved as manifest.toml");
        let bytes = std::fs::read(this).unwrap();
        assert_eq!(server.calls().read("/manifest.toml").await, bytes);
    });
}

#[test]
fn a_file_and_a_folder_are_put_as_a_newcomer_would() {
    with_server(async |server| {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.txt");
        std::fs::write(&file, "first").unwrap();
        let paths = [file.to_str().unwrap(), folder.path().to_str().unwrap()];
        let put = run(&server, "put", &[paths[0], "/one.txt"]);
        assert_eq!(put.ok(), "saved as one.txt");
        let put = run(&server, "put_folder", &[paths[1], "/all"]);
        assert_eq!(put.ok(), "/all/a.txt\n1 sent, 0 were there");
        let put = run(&server, "put_folder", &[paths[1], "/all"]);
        assert_eq!(put.ok(), "0 sent, 1 were there");
    });
}
