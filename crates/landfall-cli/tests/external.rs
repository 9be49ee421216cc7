//! With programs that nobody here wrote. `./test.sh` installs them and switches these tests on;
//! a program that is missing is a failure.

use landfall_testkit::{Run, Serving, Tool};
use std::process::{Command, Stdio};

fn tool() -> Tool {
    Tool::new(env!("CARGO_BIN_EXE_landfall"))
}

fn ephemeral(tool: &Tool) -> Serving {
    let mut command = tool.command(["serve", "--ephemeral", "--listen", "127.0.0.1:0"]);
    command.env("LANDFALL_TOKEN", "test-token");
    Serving::start(command)
}

/// Python with the packages that `./test.sh` installs.
fn python() -> String {
    std::env::var("LANDFALL_TEST_PYTHON").expect(
        "LANDFALL_TEST_PYTHON names a Python with `requests`: run ./test.sh, which installs it",
    )
}

fn outside(mut command: Command) -> Run {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    Run::of(command)
}

/// The share of `harness/client_kill.py` that every run has time for.
#[test]
fn an_upload_that_is_killed_again_and_again_arrives_and_is_sent_about_once() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../harness/client_kill.py");
    let landfall = std::path::Path::new(env!("CARGO_BIN_EXE_landfall"));
    let link = landfall.with_file_name("examples").join("link");
    assert!(
        link.exists(),
        "no {}: `cargo build -p landfall-testkit --example link` makes it",
        link.display()
    );
    let mut command = Command::new("python3");
    command
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .arg(script)
        .arg("--landfall")
        .arg(landfall)
        .arg("--link")
        .arg(link)
        .args(["--size", "192MiB", "--kills", "5", "--chunk", "4MiB"])
        .args(["--in-flight", "20", "--rate", "25MB"]);
    let run = outside(command);
    assert!(
        run.code == Some(0) && run.stdout.contains("all kept"),
        "{run:?}"
    );
}

#[test]
fn the_readme_s_session_works_as_it_is_written() {
    let tool = tool();
    let serving = ephemeral(&tool);
    let readme = concat!(env!("CARGO_MANIFEST_DIR"), "/../../README.md");
    let readme = std::fs::read_to_string(readme).unwrap();
    let block = readme
        .split("```sh session-with-curl\n")
        .nth(1)
        .and_then(|rest| rest.split("```").next())
        .expect("the README has the block");
    let script = block.replace("http://127.0.0.1:8765", &serving.url);
    let mut bash = Command::new("bash");
    bash.args(["-euc", &script]).current_dir(tool.path(""));
    let run = outside(bash);
    let lines: Vec<&str> = run.ok().lines().filter(|line| !line.is_empty()).collect();
    assert_eq!(lines.len(), 5, "{run:?}");
    assert!(lines[0].starts_with(r#"{"session_id": ""#), "{run:?}");
    assert!(lines[1].ends_with(r#""correct_offset": 8}}"#), "{run:?}");
    assert_eq!(lines[2], "null");
    assert!(lines[3].contains(r#""size": 19"#), "{run:?}");
    assert_eq!(lines[3], lines[4], "the same finish again");

    let mut get = tool.command(["--remote", &serving.url, "get", "/motto.txt", "-"]);
    get.env("LANDFALL_TOKEN", "test-token");
    assert_eq!(Run::of(get).ok(), "uploads that finish");
}

#[test]
fn python_requests_reads_the_early_answer_to_a_whole_body() {
    let tool = tool();
    let serving = ephemeral(&tool);
    let script = r#"
import requests, sys
url = sys.argv[1] + "/2/files/upload_session/"
headers = {"Authorization": "Bearer test-token", "Content-Type": "application/octet-stream"}
def call(route, arg, body):
    return requests.post(url + route, headers={**headers, "Dropbox-API-Arg": arg}, data=body)
session = call("start", "{}", b"hello").json()["session_id"]
arg = '{"cursor": {"session_id": "%s", "offset": 0}}' % session
answer = call("append_v2", arg, bytes(150 * 1024 * 1024))
print(answer.status_code, answer.json()["error"]["correct_offset"])
"#;
    let mut command = Command::new(python());
    command.args(["-c", script, &serving.url]);
    assert_eq!(outside(command).ok(), "409 5");
}

#[test]
fn a_body_over_the_limit_is_refused_in_constant_memory() {
    let tool = tool();
    let serving = ephemeral(&tool);
    let mebibyte = 1024 * 1024;
    let large = std::fs::File::create(tool.path("large")).unwrap();
    large.set_len(151 * mebibyte).unwrap();
    // On a server that stores in memory, what isn't kept must not be held either.
    for encoding in [
        "Transfer-Encoding: chunked",
        "X-Nothing: to see here",
        "Expect:",
    ] {
        let mut curl = Command::new("curl");
        curl.args(["-s", "-w", " %{http_code}", "-X", "POST", "-T"])
            .arg(tool.path("large"))
            .args(["-H", encoding, "-H", "Authorization: Bearer test-token"])
            .args(["-H", "Content-Type: application/octet-stream"])
            .args(["-H", r#"Dropbox-API-Arg: {"path": "/large"}"#])
            .arg(format!("{}/2/files/upload", serving.url));
        let run = outside(curl);
        assert!(run.ok().ends_with(" 409"), "{encoding}: {run:?}");
        assert!(
            run.stdout.contains("payload_too_large"),
            "{encoding}: {run:?}"
        );
    }

    let directory = tool.serve(["--data", "data"]);
    tool.run(["admin", "--data", "data", "account", "add", "panda"])
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
    let mut curl = Command::new("curl");
    curl.args(["-s", "-X", "POST", "-H", "Transfer-Encoding: chunked", "-T"])
        .arg(tool.path("large"))
        .args(["-H", &format!("Authorization: Bearer {token}")])
        .args(["-H", "Content-Type: application/octet-stream"])
        .args(["-H", r#"Dropbox-API-Arg: {"path": "/large"}"#])
        .arg(format!("{}/2/files/upload", directory.url));
    assert!(outside(curl).ok().contains("payload_too_large"));
    let peak = directory.peak_memory();
    assert!(peak < 60 * mebibyte, "{peak} bytes");
}

/// A command of the tool in a mount namespace of its own, where the folder `small` is a disk of
/// a few MiB; then what is in the folder.
fn on_a_small_disk(tool: &Tool, mebibytes: u32, script: &str) -> Run {
    std::fs::create_dir_all(tool.path("small")).unwrap();
    let inside = tool.command([]);
    let mut command = Command::new("unshare");
    command
        .args(["--map-root-user", "--mount", "sh", "-c"])
        .arg(format!(
            "mount -t tmpfs -o size={mebibytes}m none small && cd . && {script}"
        ))
        .arg(inside.get_program())
        .current_dir(tool.path(""))
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default());
    for (name, value) in inside.get_envs() {
        if let Some(value) = value {
            command.env(name, value);
        }
    }
    outside(command)
}

#[test]
fn a_full_disk_is_told_in_one_line_and_what_came_is_gone_on_with_once_there_is_room() {
    let tool = tool();
    let data = landfall_testkit::pattern(1, 3 * 1024 * 1024);
    tool.write("file", &data);
    tool.run(["put", "file", "/file"]).ok();
    let script = "head -c 2500000 /dev/zero > small/ballast
        \"$0\" get /file small/file; code=$?
        ls -A small
        rm small/ballast
        \"$0\" get /file small/file 2>again || exit 99
        ls -A small
        cp small/file back
        exit $code";
    let run = on_a_small_disk(&tool, 4, script);
    let why = run.fails(7);
    assert!(why.contains("small/file") && why.contains("kept"), "{why}");
    let listed: Vec<&str> = run.stdout.lines().collect();
    let [part, "ballast", "small/file", "file"] = listed[..] else {
        panic!("{run:?}");
    };
    assert!(part.ends_with(".landfall-part"), "{part}");
    let again = tool.read("again");
    assert!(String::from_utf8_lossy(&again).contains("going on after"));
    assert!(tool.read("back") == data);
}

/// The system calls that a run makes for its files, in the order in which they begin.
fn traced(tool: &Tool, url: &str, args: &[&str]) -> Vec<String> {
    let calls = "trace=fsync,fdatasync,rename,renameat,renameat2,link,linkat";
    let inside = tool.command(["--remote", url]);
    let mut command = Command::new("strace");
    command
        .args(["-f", "-qq", "-y", "-s", "999", "-e", calls, "-o", "trace"])
        .arg(inside.get_program())
        .args(inside.get_args())
        .args(args)
        .current_dir(tool.path(""))
        .env("LANDFALL_TOKEN", "test-token")
        .env("LANDFALL_CONFIG", tool.path("none"));
    outside(command).ok();
    let trace = String::from_utf8(tool.read("trace")).unwrap();
    let begun = trace.lines().filter(|line| !line.contains("resumed>"));
    begun.map(str::to_owned).collect()
}

#[test]
fn what_was_got_is_on_disk_before_it_has_its_name_and_its_name_before_the_end() {
    let tool = tool();
    let serving = ephemeral(&tool);
    tool.write("file", "bytes");
    for path in ["/d/a", "/d/f/b", "/d/f/g/c"] {
        let mut put = tool.command(["--remote", &serving.url, "put", "file", path]);
        put.env("LANDFALL_TOKEN", "test-token");
        outside(put).ok();
    }
    let trees = ["get -r /d here", "get -r /d here --force", "get /d/a one"];
    let wanted = [
        &["here/a", "here/f/b", "here/f/g/c"][..],
        &["here/a"],
        &["one"],
    ];
    for (args, files) in trees.into_iter().zip(wanted) {
        if args.contains("--force") {
            tool.write("here/a", "other");
        }
        let args: Vec<&str> = args.split(' ').collect();
        let calls = traced(&tool, &serving.url, &args);
        let position = |what: &dyn Fn(&str) -> bool| calls.iter().position(|call| what(call));
        let synced_last = |folder: &str| {
            let end = format!("{folder}>");
            calls
                .iter()
                .rposition(|call| call.contains("fsync(") && call.contains(&end))
        };
        for file in files {
            let (folder, name) = file.rsplit_once('/').unwrap_or(("", file));
            let part = format!("/.{name}.");
            let bytes = position(&|call| call.contains("fsync(") && call.contains(&part));
            let quoted = format!("\"{file}\"");
            let named = position(&|call| !call.contains("fsync(") && call.contains(&quoted));
            let folder = match folder {
                "" => "/work".to_owned(),
                folder => format!("/work/{folder}"),
            };
            let kept = synced_last(&folder);
            let in_order = bytes.is_some() && bytes < named && named.is_some() && named < kept;
            assert!(in_order, "{file}: {calls:#?}");
        }
        if !args.contains(&"--force") && args.contains(&"-r") {
            for above in ["/work", "/work/here", "/work/here/f"] {
                assert!(synced_last(above).is_some(), "{above}: {calls:#?}");
            }
        }
    }
}

#[test]
fn a_full_disk_of_the_remote_refuses_at_once_and_harms_nothing() {
    let tool = tool();
    tool.write("small-file", "precious");
    tool.write("large", landfall_testkit::pattern(1, 12 * 1024 * 1024));
    let script = "export LANDFALL_HOME=small/data
        \"$0\" put small-file /kept || exit 99
        \"$0\" put large /large; code=$?
        \"$0\" get /kept - || exit 98
        exit $code";
    let run = on_a_small_disk(&tool, 8, script);
    assert!(run.fails(7).contains("no space"), "{run:?}");
    assert_eq!(run.stdout, "/kept\nprecious");
}

#[test]
fn a_backup_to_a_full_disk_is_told_in_one_line_and_is_no_backup() {
    let tool = tool();
    tool.write("file", landfall_testkit::pattern(1, 3 * 1024 * 1024));
    tool.run(["put", "file", "/file"]).ok();
    let script = "\"$0\" admin --data \"$LANDFALL_HOME\" backup small/copy; code=$?
        \"$0\" admin --data again restore small/copy || echo \"restored: $?\"
        exit $code";
    let run = on_a_small_disk(&tool, 1, script);
    assert_eq!(run.code, Some(7), "{run:?}");
    assert_eq!(run.stdout, "restored: 8\n", "{run:?}");
}

#[test]
fn before_an_account_is_deleted_the_terminal_is_asked() {
    let tool = tool();
    let admin = |args: &[&str]| {
        let mut command = tool.command(["admin", "--data", "data"]);
        command.args(args);
        Run::of(command)
    };
    admin(&["account", "add", "panda"]).ok();
    // What is typed may come before the question: a terminal keeps it.
    let script = r#"
import os, pty, sys
child, terminal = pty.fork()
if child == 0:
    os.execv(sys.argv[2], sys.argv[2:])
os.write(terminal, sys.argv[1].encode() + b"\n")
shown = b""
try:
    while piece := os.read(terminal, 1000):
        shown += piece
except OSError:  # the other side is closed
    pass
print(shown.decode())
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"#;
    let answered = |answer: &str| {
        let landfall = env!("CARGO_BIN_EXE_landfall");
        let mut command = Command::new("python3");
        command
            .args(["-c", script, answer, landfall, "admin", "--data", "data"])
            .args(["account", "delete", "panda"])
            .current_dir(tool.path(""));
        outside(command)
    };
    for answer in ["n", "", "panda"] {
        let kept = answered(answer);
        assert_eq!(kept.code, Some(1), "{kept:?}");
        assert!(kept.stdout.contains("with all its files"), "{kept:?}");
    }
    assert!(admin(&["account", "list"]).ok().starts_with("panda\t"));
    answered("y").ok();
    assert_eq!(admin(&["account", "list"]).ok(), "");
}

#[test]
fn a_body_to_a_route_that_is_not_there_is_read_off() {
    let tool = tool();
    let serving = ephemeral(&tool);
    let script = r#"
import http.client, sys
host = sys.argv[1].removeprefix("http://")
for path in ["/2/files/upload_session/append_batch", "/healthz", "/oauth2/token"]:
    connection = http.client.HTTPConnection(host)
    connection.request("POST", path, body=bytes(20 * 1024 * 1024))
    print(connection.getresponse().status, end=" ")
"#;
    let mut command = Command::new(python());
    command.args(["-c", script, &serving.url]);
    assert_eq!(outside(command).ok().trim(), "400 200 404");
}
