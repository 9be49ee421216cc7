//! `landfall watch`, as a user runs it.

use landfall_testkit::Tool;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

#[test]
fn watch_shows_what_is_not_muted_line_by_line() {
    let tool = Tool::new(env!("CARGO_BIN_EXE_landfall"));
    let serving = tool.serve(["--data", "data"]);
    let admin = |args: &[&str]| {
        let all = ["admin", "--data", "data"].into_iter();
        tool.run(all.chain(args.iter().copied())).ok().to_owned()
    };
    admin(&["account", "add", "panda"]);
    tool.write("token", admin(&["token", "create", "--account", "panda"]));
    let add = [
        "remote",
        "add",
        "here",
        &serving.url,
        "--token-file",
        "token",
    ];
    tool.run(add).ok();
    tool.write("file", "x");
    for args in [
        &["put", "file", "/muted", "--mute"][..],
        &["put", "file", "/loud"],
        &["rm", "/loud"],
    ] {
        tool.run(["--remote", "here"].into_iter().chain(args.iter().copied()))
            .ok();
    }
    for (json, wanted) in [
        (false, ["2\tfile_added\t/loud", "3\tfile_deleted\t/loud"]),
        (
            true,
            [r#""event":"file_added""#, r#""event":"file_deleted""#],
        ),
    ] {
        let mut command = tool.command(["--remote", "here", "watch", "--after", "0"]);
        command.stdout(Stdio::piped());
        if json {
            command.arg("--json");
        }
        let mut watching = command.spawn().expect("watch runs");
        let lines = BufReader::new(watching.stdout.take().expect("a pipe")).lines();
        // In this order: a third line would be waited for.
        for (wanted, line) in wanted.into_iter().zip(lines) {
            let line = line.expect("it can be read");
            assert!(line.contains(wanted), "{line}");
        }
        watching.kill().expect("it runs until it is stopped");
        watching.wait().expect("it ends");
    }
}
