//! Clients that nobody here wrote, unmodified, over TLS. `./test.sh` installs them and switches
//! these tests on; one that is missing is a failure. The server's log of requests shows that each
//! route was really called by that client.

mod guide;
mod log;

use landfall_testkit::{Run, Serving, Tool};
use log::Requests;
use std::path::PathBuf;
use std::process::Command;

/// What installs and builds the clients.
const INSTALL: &str = "run ./test.sh, which installs it";

fn tool() -> Tool {
    Tool::new(env!("CARGO_BIN_EXE_landfall"))
}

/// A file beside this one.
fn beside(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/clients")
        .join(name)
}

/// What `./test.sh` says in the environment.
fn given(variable: &str, what: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| panic!("{variable} names {what}: {INSTALL}"))
}

/// A data directory `data` with one account, and a token of it.
fn account(tool: &Tool) -> String {
    let admin = |args: &[&str]| {
        let mut command = tool.command(["admin", "--data", "data"]);
        command.args(args);
        Run::of(command).ok().to_owned()
    };
    admin(&["account", "add", "panda", "--display-name", "Panda"]);
    admin(&["token", "create", "--account", "panda"])
}

/// Runs a command where Dropbox's names lead to a server on the tool's `data`, and gives what the
/// server was asked.
fn where_dropbox_is_here(tool: &Tool, command: &[&str]) -> (Run, Requests) {
    let token = account(tool);
    let mut unshare = Command::new("unshare");
    unshare
        .args(["--map-root-user", "--mount", "--net"])
        .arg(beside("dropbox-hosts.sh"))
        .arg(env!("CARGO_BIN_EXE_landfall"))
        .arg(tool.path("data"))
        .args(command)
        .current_dir(tool.path(""))
        .env("LANDFALL_TOKEN", token)
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped());
    let run = Run::of(unshare);
    let requests = Requests::read(&tool.path("server.log"));
    (run, requests)
}

/// The last line of a client that got through.
fn done(run: &Run) -> &str {
    let last = run.ok().lines().last().unwrap_or_default();
    assert!(last.starts_with("done"), "{run:?}");
    last
}

#[test]
fn the_official_python_sdk_gets_through_unmodified() {
    let python = given(
        "LANDFALL_TEST_PYTHON",
        "a Python with the package `dropbox`",
    );
    let tool = tool();
    let token = account(&tool);
    let mut serve = tool.command(["serve", "--data", "data", "--tls-dev"]);
    serve.args(["--listen", "127.0.0.1:0"]);
    let log = tool.path("server.log");
    let serving = Serving::start_logging(serve, &log);
    let host = serving.url.replace("https://127.0.0.1", "localhost");
    let mut command = Command::new(python);
    command
        .arg(beside("python_sdk.py"))
        .current_dir(tool.path(""))
        .env("LANDFALL_TOKEN", token)
        .env("REQUESTS_CA_BUNDLE", tool.path("data/tls/authority.pem"))
        .env("DROPBOX_API_HOST", &host)
        .env("DROPBOX_API_CONTENT_HOST", &host)
        .env("DROPBOX_API_NOTIFY_HOST", &host)
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped());
    done(&Run::of(command));

    let requests = Requests::read(&log);
    requests.are_of("OfficialDropboxPythonSDKv2/", "HTTP/1.1");
    requests.have_succeeded(&[
        "check/user",
        "files/copy",
        "files/copy_v2",
        "files/create_folder",
        "files/create_folder_v2",
        "files/delete",
        "files/delete_v2",
        "files/download",
        "files/get_metadata",
        "files/list_folder",
        "files/list_folder/continue",
        "files/list_folder/get_latest_cursor",
        "files/list_folder/longpoll",
        "files/list_revisions",
        "files/move",
        "files/move_v2",
        "files/restore",
        "files/upload",
        "files/upload_session/append",
        "files/upload_session/append_batch",
        "files/upload_session/append_v2",
        "files/upload_session/finish",
        "files/upload_session/finish_batch",
        "files/upload_session/finish_batch/check",
        "files/upload_session/finish_batch_v2",
        "files/upload_session/start",
        "files/upload_session/start_batch",
        "users/get_account",
        "users/get_current_account",
        "users/get_space_usage",
    ]);
}

#[test]
fn the_official_rust_sdk_gets_through_unmodified_over_http_2() {
    let sdk = given(
        "LANDFALL_TEST_RUST_SDK",
        "the program in clients/rust-sdk, built",
    );
    let tool = tool();
    let script = format!("SSL_CERT_FILE=$AUTHORITY {sdk}");
    let (run, requests) = where_dropbox_is_here(&tool, &["bash", "-c", &script]);
    done(&run);
    requests.are_of("Dropbox-SDK-Rust/", "HTTP/2.0");
    requests.have_succeeded(&[
        "check/user",
        "files/copy_v2",
        "files/create_folder_v2",
        "files/delete_v2",
        "files/download",
        "files/list_folder",
        "files/list_folder/continue",
        "files/list_folder/longpoll",
        "files/list_revisions",
        "files/move_v2",
        "files/restore",
        "files/upload",
        "files/upload_session/append_batch",
        "files/upload_session/append_v2",
        "files/upload_session/finish",
        "files/upload_session/finish_batch_v2",
        "files/upload_session/start",
        "files/upload_session/start_batch",
        "users/get_account",
        "users/get_current_account",
        "users/get_space_usage",
    ]);
}

#[test]
fn rclone_gets_through_unmodified() {
    let version = Command::new("rclone").arg("version").output();
    version.unwrap_or_else(|error| panic!("rclone: {error}; {INSTALL}"));
    let tool = tool();
    let rclone = beside("rclone.sh");
    let (run, requests) = where_dropbox_is_here(&tool, &[rclone.to_str().expect("UTF-8")]);
    done(&run);
    requests.are_of("rclone/", "HTTP/2.0");
    requests.have_succeeded(&[
        "files/copy_v2",
        "files/create_folder_v2",
        "files/delete_v2",
        "files/download",
        "files/get_metadata",
        "files/list_folder",
        "files/list_folder/continue",
        "files/move_v2",
        "files/upload",
        "files/upload_session/append_v2",
        "files/upload_session/finish",
        "files/upload_session/finish_batch_v2",
        "files/upload_session/start",
        "users/get_space_usage",
    ]);
}
