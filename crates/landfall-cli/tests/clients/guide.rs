//! The blocks of `docs/clients.md`, run as they are written; a port of this machine stands in for
//! theirs.

use crate::log::Requests;
use crate::{INSTALL, beside, given, tool};
use landfall_testkit::{Run, Serving, Tool};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Where the guide has its server.
const ADDRESS: &str = "localhost:8765";

/// The whole page.
fn guide() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/clients.md");
    std::fs::read_to_string(path).expect("the guide")
}

/// The block that is marked so, such as `sh clients-curl`.
fn block(mark: &str) -> String {
    let guide = guide();
    let begin = format!("```{mark}\n");
    let mut blocks = guide.split(&begin).skip(1);
    let (Some(rest), None) = (blocks.next(), blocks.next()) else {
        panic!("the guide has one block {mark}");
    };
    let (block, _) = rest.split_once("```").expect("the block ends");
    block.to_owned()
}

/// bash in the tool's directory, with a home of its own and the programs of the guide. What it
/// runs stops at the first failure.
fn bash(tool: &Tool, script: &str) -> Command {
    let landfall = Path::new(env!("CARGO_BIN_EXE_landfall"));
    let mut path = vec![landfall.parent().expect("a directory").to_owned()];
    if let Ok(python) = std::env::var("LANDFALL_TEST_PYTHON") {
        path.push(PathBuf::from(python).parent().expect("a directory").into());
    }
    let given = std::env::var_os("PATH").unwrap_or_default();
    path.extend(std::env::split_paths(&given));
    let home = tool.command([]);
    let (_, home) = home
        .get_envs()
        .find(|(name, _)| *name == "HOME")
        .expect("HOME");
    let mut bash = Command::new("bash");
    bash.args(["-euc", script])
        .current_dir(tool.path(""))
        .env_clear()
        .env("RUST_LOG", "info")
        .env("HOME", home.expect("a home"))
        .env("PATH", std::env::join_paths(path).expect("a PATH"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    bash
}

/// The server of a block that does nothing else, with its log in `server.log`. bash becomes the
/// server, which therefore ends with the test.
fn server(tool: &Tool, mark: &str) -> Serving {
    let mut command = bash(tool, &block(mark));
    command.env("LANDFALL_LISTEN", "127.0.0.1:0");
    Serving::start_logging(command, &tool.path("server.log"))
}

/// Runs a script where the guide's server is this one.
fn against(serving: &Serving, tool: &Tool, script: &str) -> Run {
    let address = serving.url.replace("https://127.0.0.1", "localhost");
    Run::of(bash(tool, &script.replace(ADDRESS, &address)))
}

/// Runs a client's block beside a server in memory, and gives what the server was asked.
fn beside_a_server(mark: &str) -> (Run, Requests) {
    let tool = tool();
    let serving = server(&tool, "sh clients-server");
    let script = block("sh clients-shell") + &block(mark);
    let run = against(&serving, &tool, &script);
    run.ok();
    (run, Requests::read(&tool.path("server.log")))
}

/// Runs a client's block in the shell that the guide opens in namespaces of its own.
fn in_a_namespace(tool: &Tool, script: &str) -> (Run, Requests) {
    let shell = block("sh clients-shell") + &block("sh clients-namespace");
    let mut command = bash(tool, &shell);
    command.stdin(Stdio::piped());
    let mut child = command.spawn().expect("bash starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin
        .write_all(format!("set -eu\n{script}").as_bytes())
        .expect("the shell reads");
    drop(stdin);
    let run = Run::wait(child);
    run.ok();
    (run, Requests::read(&tool.path("server.log")))
}

#[test]
fn landfall_s_block_puts_a_file_on_both_servers() {
    let (run, _) = beside_a_server("sh clients-landfall");
    assert_eq!(run.ok(), "/note.txt\nnote.txt");

    let tool = tool();
    // What the block sets must last until the client's block, in the same shell.
    let data = block("sh clients-data") + "echo $LANDFALL_TOKEN >token; echo $ca >ca";
    Run::of(bash(&tool, &data)).ok();
    let serving = server(&tool, "sh clients-data-server");
    let shell = "export LANDFALL_TOKEN=$(cat token); ca=$(cat ca)\n".to_owned();
    let script = shell + &block("sh clients-landfall");
    let run = against(&serving, &tool, &script);
    assert_eq!(run.ok(), "/note.txt\nnote.txt");
}

#[test]
fn curl_s_block_uploads_a_file() {
    let (run, requests) = beside_a_server("sh clients-curl");
    assert!(run.ok().contains(r#""size": 12"#), "{run:?}");
    requests.are_of("curl/", "HTTP/2.0");
    requests.have_succeeded(&["files/upload"]);
}

#[test]
fn the_python_sdk_s_block_uploads_by_a_session() {
    given(
        "LANDFALL_TEST_PYTHON",
        "a Python with the package `dropbox`",
    );
    let (run, requests) = beside_a_server("sh clients-python");
    assert_eq!(run.ok(), "/python.txt 12");
    requests.are_of("OfficialDropboxPythonSDKv2/", "HTTP/1.1");
    requests.have_succeeded(&["files/upload_session/start", "files/upload_session/finish"]);
}

/// A program of the guide that uses the Rust SDK, built, and the block that runs it.
fn rust_sdk(style: &str) -> String {
    let source = beside(&format!("rust-sdk/src/bin/guide-{style}.rs"));
    let source = std::fs::read_to_string(source).expect("the program");
    let written = block(&format!("rust clients-rust-{style}"));
    assert_eq!(written, source, "the guide shows the program that is built");
    let sdk = given(
        "LANDFALL_TEST_RUST_SDK",
        "the program in clients/rust-sdk, built",
    );
    let program = Path::new(&sdk).with_file_name(format!("guide-{style}"));
    assert!(program.exists(), "{}: {INSTALL}", program.display());
    block(&format!("sh clients-rust-{style}-run"))
        .replace("cargo run", &program.display().to_string())
}

#[test]
fn the_rust_sdk_s_asynchronous_block_uploads_by_a_session() {
    let script = rust_sdk("async");
    let (run, requests) = in_a_namespace(&tool(), &script);
    assert!(run.ok().ends_with("\n/rust.txt 12"), "{run:?}");
    requests.have_succeeded(&["files/upload_session/start", "files/upload_session/finish"]);
}

#[test]
fn the_rust_sdk_s_synchronous_block_uploads_by_a_session() {
    let tool = tool();
    let serving = server(&tool, "sh clients-server");
    let script = block("sh clients-shell") + &rust_sdk("sync");
    assert_eq!(against(&serving, &tool, &script).ok(), "/rust.txt 12");
    let requests = Requests::read(&tool.path("server.log"));
    requests.are_of("Dropbox-SDK-Rust/", "HTTP/1.1");
    requests.have_succeeded(&["files/upload_session/start", "files/upload_session/finish"]);
}

#[test]
fn rclone_s_block_copies_and_checks_in_a_namespace() {
    let (run, requests) = in_a_namespace(&tool(), &block("sh clients-rclone"));
    assert!(run.ok().ends_with("photos/\nphotos/note.txt"), "{run:?}");
    requests.have_succeeded(&["files/list_folder", "files/upload_session/finish_batch_v2"]);
}

#[test]
fn rclone_s_block_copies_and_checks_where_root_has_changed_the_hosts_file() {
    let tool = tool();
    // Root in a namespace, with a copy of the hosts file, stands in for root on a machine.
    let script = [
        "ip link set lo up; cp /etc/hosts hosts; mount --bind hosts /etc/hosts\n",
        &block("sh clients-shell"),
        &block("sh clients-hosts"),
        block("sh clients-hosts-server").trim_end(),
        " >out 2>server.log &\n",
        "trap 'kill $!; wait' EXIT\n",
        "until grep -qs 'listening on' out; do kill -0 $!; sleep 0.05; done\n",
        &block("sh clients-rclone"),
    ]
    .concat();
    let inside = bash(&tool, &script);
    let mut unshare = Command::new("unshare");
    unshare
        .args(["--map-root-user", "--mount", "--net"])
        .arg(inside.get_program())
        .args(inside.get_args())
        .current_dir(tool.path(""))
        .env_clear()
        .envs(
            inside
                .get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        )
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let run = Run::of(unshare);
    assert!(run.ok().ends_with("photos/\nphotos/note.txt"), "{run:?}");
    let requests = Requests::read(&tool.path("server.log"));
    requests.are_of("rclone/", "HTTP/2.0");
    requests.have_succeeded(&["files/list_folder", "files/upload_session/finish_batch_v2"]);
}

#[test]
fn what_the_server_says_of_trust_is_in_the_guide() {
    let tool = tool();
    let serving = server(&tool, "sh clients-server");
    // Once it answers, it has said all.
    let script = block("sh clients-shell") + &block("sh clients-landfall");
    against(&serving, &tool, &script).ok();
    let said = String::from_utf8(tool.read("server.log")).expect("UTF-8");
    let (_, authority) = said.split_once("clients must trust ").expect("advice");
    let (authority, advice) = authority.split_once('\n').expect("a line for each client");
    let guide = guide();
    let mut looked_for = 0;
    for line in advice.lines() {
        let line = line.replace(authority, "$ca").replace(',', "");
        let words: Vec<&str> = line.split_whitespace().collect();
        for (at, word) in words.iter().enumerate() {
            let option = match *word {
                "$ca" => format!("{} $ca", words[at - 1]),
                word if word.contains("$ca") || word.starts_with("-D") => word.to_owned(),
                _ => continue,
            };
            assert!(
                guide.replace('"', "").contains(&option),
                "{option}: {advice}"
            );
            looked_for += 1;
        }
    }
    assert!(looked_for >= 9, "{advice}");
}
