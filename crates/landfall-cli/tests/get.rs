//! `get` over runs that fail, are stopped or are made again, and of whole folders.

use landfall_testkit::faults::{Canned, Fault, Plan, Proxy};
use landfall_testkit::link::{Conditions, Link};
use landfall_testkit::{Run, Stores, TestServer, Tool, pattern};
use serde_json::Value;
use std::fs;
use std::io::Read;
use std::num::NonZeroU64;
use std::process::{Child, Command};

const DOWNLOAD: &str = "files/download";
const MIB: usize = 1024 * 1024;
/// More than the heads of a few answers and a metadata.
const HEADS: u64 = 40_000;

fn with_server<F: Future<Output = ()>>(test: impl FnOnce(TestServer) -> F) {
    TestServer::run(Stores::Memory, test);
}

fn tool() -> Tool {
    Tool::new(env!("CARGO_BIN_EXE_landfall"))
}

/// A run against a server at this URL.
fn command(tool: &Tool, server: &TestServer, url: &str, args: &[&str]) -> Command {
    let mut command = tool.command(["--remote", url]);
    command.args(args).env("LANDFALL_TOKEN", server.token());
    command
}

/// Runs to the end, while the server in this process works.
async fn run(tool: &Tool, server: &TestServer, url: &str, args: &[&str]) -> Run {
    let command = command(tool, server, url, args);
    let run = tokio::task::spawn_blocking(move || Run::of(command));
    run.await.unwrap()
}

async fn get(tool: &Tool, server: &TestServer, args: &[&str]) -> Run {
    let args: Vec<&str> = ["get"].iter().chain(args).copied().collect();
    run(tool, server, &server.url(), &args).await
}

async fn link(server: &TestServer, rate: Option<u64>) -> (Link, String) {
    let anywhere = ([127, 0, 0, 1], 0).into();
    let conditions = Conditions {
        total: rate.and_then(NonZeroU64::new),
        ..Conditions::default()
    };
    let link = Link::start(anywhere, server.address(), conditions).await;
    let link = link.unwrap();
    let url = format!("http://{}", link.address());
    (link, url)
}

/// The names in a folder of the tool, in order.
fn names(tool: &Tool, folder: &str) -> Vec<String> {
    let entries = fs::read_dir(tool.path(folder)).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

/// The one part in a folder, if there is one.
fn part(tool: &Tool, folder: &str) -> Option<String> {
    let names = names(tool, folder);
    let mut parts = names
        .into_iter()
        .filter(|name| name.ends_with(".landfall-part"));
    let part = parts.next();
    assert_eq!(parts.next(), None, "more than one part");
    part
}

fn length(tool: &Tool, name: &str) -> u64 {
    fs::metadata(tool.path(name)).map_or(0, |file| file.len())
}

/// Waits until this many bytes are in the part; the run must not end before.
async fn wait_for(tool: &Tool, child: &mut Child, bytes: u64) {
    loop {
        assert!(child.try_wait().unwrap().is_none(), "it ended before");
        if part(tool, "").is_some_and(|part| length(tool, &part) >= bytes) {
            return;
        }
        tokio::task::yield_now().await;
    }
}

#[test]
fn a_run_that_was_killed_is_gone_on_with_by_the_same_command() {
    with_server(async |server| {
        let tool = tool();
        let size = 40 * MIB;
        let data = pattern(1, size);
        server.calls().put("/big.bin", data.clone()).await;
        // So slow that it can't be through before it is killed.
        let (slow, url) = link(&server, Some(8 * MIB as u64)).await;
        for bytes in [1, 6 * MIB as u64] {
            let mut child = command(&tool, &server, &url, &["get", "/big.bin", "down"])
                .spawn()
                .unwrap();
            wait_for(&tool, &mut child, bytes).await;
            child.kill().unwrap();
            child.wait().unwrap();
        }
        drop(slow);
        let left = part(&tool, "").unwrap();
        let kept = tool.read(&left);
        assert!(kept.len() < size && kept == data[..kept.len()]);
        assert!(!tool.path("down").exists());

        let (link, url) = link(&server, None).await;
        let run = run(&tool, &server, &url, &["get", "/big.bin", "down"]).await;
        assert_eq!(run.ok(), "down");
        assert!(run.stderr.contains("going on after"), "{run:?}");
        assert!(tool.read("down") == data);
        let rest = (size - kept.len()) as u64;
        let down = link.carried().down;
        assert!((rest..rest + HEADS).contains(&down), "{down} of {rest}");
        assert_eq!(names(&tool, ""), ["down"]);
    });
}

#[cfg(unix)]
#[test]
fn an_interrupt_keeps_what_came_and_a_second_run_waits_for_nobody() {
    with_server(async |server| {
        let tool = tool();
        server.calls().put("/big.bin", pattern(1, 20 * MIB)).await;
        // A range that doesn't come: it can't be through before it is stopped.
        let (plan, mut gate) = Plan::new().hold(DOWNLOAD, 3);
        let proxy = Proxy::start(server.address(), plan).await;
        let args = ["get", "/big.bin", "down"];
        let mut child = command(&tool, &server, &proxy.url(), &args)
            .spawn()
            .unwrap();
        gate.reached().await;
        wait_for(&tool, &mut child, 1).await;
        let other = run(&tool, &server, &server.url(), &args).await;
        assert!(other.fails(6).contains("another run"), "{other:?}");
        let id = child.id().to_string();
        let sent = Command::new("kill").args(["-INT", &id]).status().unwrap();
        assert!(sent.success());
        let ended = tokio::task::spawn_blocking(move || Run::wait(child));
        assert_eq!(ended.await.unwrap().code, Some(130));
        gate.open();
        proxy.idle().await;
        proxy.finish();
        assert!(length(&tool, &part(&tool, "").unwrap()) > 0);
        run(&tool, &server, &server.url(), &args).await.ok();
        assert_eq!(names(&tool, ""), ["down"]);
    });
}

#[test]
fn a_failure_says_what_is_kept_and_the_next_revision_has_no_use_for_it() {
    with_server(async |server| {
        let tool = tool();
        server.calls().put("/a", pattern(1, 3 * MIB)).await;
        let plan = Plan::new().on(DOWNLOAD, 1, Fault::CutReply(MIB as u64));
        let plan = plan.from(DOWNLOAD, 2, Fault::Answer(Canned::broken()));
        let proxy = Proxy::start(server.address(), plan).await;
        let failed = run(&tool, &server, &proxy.url(), &["get", "/a", "down"]).await;
        assert!(failed.fails(6).contains("1.0 MiB are kept"), "{failed:?}");
        proxy.finish();
        let first = part(&tool, "").unwrap();
        assert_eq!(length(&tool, &first), MIB as u64);

        let data = pattern(2, 2 * MIB);
        server.calls().put("/a", data.clone()).await;
        let plan = Plan::new().on(DOWNLOAD, 1, Fault::CutReply(100));
        let plan = plan.from(DOWNLOAD, 2, Fault::Answer(Canned::broken()));
        let proxy = Proxy::start(server.address(), plan).await;
        let failed = run(&tool, &server, &proxy.url(), &["get", "/a", "down"]).await;
        failed.fails(6);
        proxy.finish();
        let second = part(&tool, "").unwrap();
        assert!(second != first && length(&tool, &second) == 100);
        get(&tool, &server, &["/a", "down"]).await.ok();
        assert!(tool.read("down") == data);
        assert_eq!(names(&tool, ""), ["down"]);
    });
}

#[test]
fn a_part_that_is_damaged_costs_its_bytes_and_no_more() {
    with_server(async |server| {
        let tool = tool();
        let data = pattern(1, 9 * MIB);
        let rev = server.calls().put("/a", data.clone()).await["rev"].clone();
        let part = format!(".down.{}.landfall-part", rev.as_str().unwrap());
        let longer = [&data[..], b"x"].concat();
        for (prefix, told) in [(&data[1..MIB], "damaged"), (&longer[..], "longer")] {
            tool.write(&part, prefix);
            let run = get(&tool, &server, &["/a", "down", "--force"]).await;
            run.ok();
            assert!(run.stderr.contains(told), "{run:?}");
            assert!(tool.read("down") == data);
            assert_eq!(names(&tool, ""), ["down"]);
        }
        // One that is complete needs no byte.
        tool.write(&part, &data);
        let (link, url) = link(&server, None).await;
        run(&tool, &server, &url, &["get", "/a", "down", "--force"])
            .await
            .ok();
        assert!(link.carried().down < HEADS);
        assert!(tool.read("down") == data);
    });
}

fn damage(body: &mut [u8]) {
    body[0] ^= 1;
}

#[test]
fn bytes_that_are_not_the_files_are_not_kept() {
    with_server(async |server| {
        let tool = tool();
        server.calls().put("/a", pattern(1, MIB)).await;
        let plan = Plan::new().on(DOWNLOAD, 1, Fault::Change(damage));
        let proxy = Proxy::start(server.address(), plan).await;
        let failed = run(&tool, &server, &proxy.url(), &["get", "/a", "down"]).await;
        failed.fails(8);
        proxy.finish();
        assert_eq!(names(&tool, ""), [] as [&str; 0]);
    });
}

/// Files and folders below `/docs`, with the letters that people use.
async fn odd_tree(server: &TestServer) -> Vec<(&'static str, Vec<u8>)> {
    let files = vec![
        ("a.txt", b"a".to_vec()),
        ("empty", Vec::new()),
        ("Sub/B.bin", pattern(1, 9 * MIB)),
        ("Sub/deep/er/c", pattern(2, 100_000)),
        ("Sub b/x", b"x".to_vec()),
        ("ü/naïve 文件.txt", b"u".to_vec()),
        ("...", b"dots".to_vec()),
        ("..a/-r", b"minus".to_vec()),
        ("back\u{301}slash?*\"<>|", b"q".to_vec()),
    ];
    for (path, data) in &files {
        let path = format!("/docs/{path}");
        server.calls().put(&path, data.clone()).await;
    }
    for folder in ["/docs/none", "/docs/Sub/nor here"] {
        server.calls().create_folder(folder).await.ok();
    }
    server.calls().put("/other", "not in it").await;
    files
}

#[test]
fn a_folder_comes_with_all_in_it_and_the_second_time_nothing_does() {
    with_server(async |server| {
        let tool = tool();
        let files = odd_tree(&server).await;
        let first = get(&tool, &server, &["-r", "/docs", "copy"]).await;
        assert_eq!(first.ok().lines().count(), files.len());
        assert!(first.stderr.contains("9 files downloaded"), "{first:?}");
        for (path, data) in &files {
            assert!(tool.read(&format!("copy/{path}")) == *data, "{path}");
        }
        assert!(tool.path("copy/none").is_dir() && tool.path("copy/Sub/nor here").is_dir());
        let wanted = [
            "...",
            "..a",
            "Sub",
            "Sub b",
            "a.txt",
            "back\u{301}slash?*\"<>|",
        ];
        assert_eq!(names(&tool, "copy")[..6], wanted);

        let (link, url) = link(&server, None).await;
        let again = run(&tool, &server, &url, &["get", "-r", "/docs", "copy"]).await;
        assert!(
            again
                .ok()
                .lines()
                .all(|line| line.ends_with("(already there)"))
        );
        assert!(again.stderr.contains("9 already there"), "{again:?}");
        assert!(link.carried().down < HEADS, "nothing is downloaded");
        // Into a folder, and the root.
        get(&tool, &server, &["-r", "docs", "copy/"]).await.ok();
        assert_eq!(tool.read("copy/docs/..a/-r"), b"minus");
        get(&tool, &server, &["-r", "/", "all"]).await.ok();
        assert_eq!(names(&tool, "all"), ["docs", "other"]);
        // A file is one, whatever was expected.
        get(&tool, &server, &["-r", "/other", "file"]).await.ok();
        assert_eq!(tool.read("file"), b"not in it");
        assert!(
            get(&tool, &server, &["/docs", "x"])
                .await
                .fails(4)
                .contains("-r")
        );
        get(&tool, &server, &["-r", "/docs", "-"]).await.fails(2);
        get(&tool, &server, &["-r", "/docs", "no/such"])
            .await
            .fails(4);
    });
}

fn last(run: &Run) -> &str {
    run.stderr.lines().last().unwrap()
}

#[test]
fn what_is_in_the_way_is_a_conflict_and_the_rest_comes() {
    with_server(async |server| {
        let tool = tool();
        for path in ["/d/a", "/d/b", "/d/f/x", "/d/g"] {
            server.calls().put(path, path).await;
        }
        fs::create_dir_all(tool.path("here/g")).unwrap();
        tool.write("here/a", "mine");
        tool.write("here/f", "a file where a folder is to be");
        let run = get(&tool, &server, &["-r", "/d", "here"]).await;
        assert_eq!((run.code, run.stdout.trim_end()), (Some(5), "here/b"));
        assert!(last(&run).contains("1 file downloaded"), "{run:?}");
        assert!(last(&run).contains("3 failed"), "{run:?}");
        assert_eq!(run.stderr.lines().count(), 4, "{run:?}");
        assert_eq!(tool.read("here/a"), b"mine");
        assert_eq!(names(&tool, "here"), ["a", "b", "f", "g"]);

        let forced = get(&tool, &server, &["-r", "/d", "here", "--force"]).await;
        assert_eq!(forced.code, Some(5), "folders stay in the way: {forced:?}");
        assert_eq!(tool.read("here/a"), b"/d/a");
    });
}

/// Changes names in a listing to others of the same length.
fn rename(body: &mut [u8]) {
    for (name, other) in [
        (&b"\"x1\""[..], &b"\"..\""[..]),
        (b"\"x2z\"", b"\"a/b\""),
        (b"\"x3z\"", b"\"../\""),
        (b"\"x5.z\"", b"\"/tmp\""),
    ] {
        let places: Vec<usize> = (0..body.len())
            .filter(|&at| body[at..].starts_with(name))
            .collect();
        for at in places {
            body[at..at + name.len()].copy_from_slice(other);
        }
    }
}

#[test]
fn a_service_can_not_choose_another_folder_than_dest() {
    with_server(async |server| {
        let tool = tool();
        for path in ["/x1/in", "/x2z", "/x3z", "/x5.z", "/ok"] {
            server.calls().put(path, "x").await;
        }
        fs::create_dir(tool.path("in")).unwrap();
        let plan = Plan::new().on("files/list_folder", 1, Fault::Change(rename));
        let proxy = Proxy::start(server.address(), plan).await;
        let args = ["get", "-r", "/", "in/here", "--json"];
        let run = run(&tool, &server, &proxy.url(), &args).await;
        assert_eq!(run.code, Some(4), "{run:?}");
        proxy.finish();
        assert_eq!(names(&tool, ""), ["in"]);
        assert_eq!(names(&tool, "in"), ["here"]);
        assert_eq!(names(&tool, "in/here"), ["ok"]);
        let events: Vec<Value> = run
            .stdout
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let count = |status: &str| {
            let events = events.iter();
            events.filter(|event| event["status"] == status).count()
        };
        assert_eq!((count("failed"), count("downloaded")), (4, 1), "{run:?}");
        let summary = events.last().unwrap();
        assert_eq!(summary["type"], "get_summary");
        assert_eq!(
            (&summary["failed"], &summary["downloaded"]),
            (&4.into(), &1.into())
        );
    });
}

#[test]
fn one_file_that_fails_does_not_keep_the_others_and_failures_of_several_kinds_are_code_1() {
    with_server(async |server| {
        let tool = tool();
        for name in 0..30 {
            let path = format!("/d/{name}");
            server.calls().put(&path, pattern(name, 1000)).await;
        }
        fs::create_dir(tool.path("here")).unwrap();
        let plan = Plan::new().on(DOWNLOAD, 7, Fault::Change(damage));
        let proxy = Proxy::start(server.address(), plan).await;
        let args = ["get", "-r", "/d", "here"];
        let failed = run(&tool, &server, &proxy.url(), &args).await;
        assert_eq!(failed.code, Some(8), "{failed:?}");
        assert_eq!(proxy.finish()[DOWNLOAD], 30);
        assert_eq!(names(&tool, "here").len(), 29);

        tool.write("here/3", "mine");
        let plan = Plan::new().on(DOWNLOAD, 1, Fault::Change(damage));
        let proxy = Proxy::start(server.address(), plan).await;
        let failed = run(&tool, &server, &proxy.url(), &args).await;
        assert_eq!(failed.code, Some(1), "{failed:?}");
        assert!(
            last(&failed).contains("28 already there, 2 failed"),
            "{failed:?}"
        );
        proxy.finish();
        get(&tool, &server, &["-r", "/d", "here", "-f"]).await.ok();
        assert_eq!(names(&tool, "here").len(), 30);
    });
}

#[test]
fn a_folder_that_was_stopped_is_gone_on_with() {
    with_server(async |server| {
        let tool = tool();
        let files = odd_tree(&server).await;
        let big = "Sub/B.bin";
        let (_slow, url) = link(&server, Some(2 * MIB as u64)).await;
        let args = ["get", "-r", "/docs", "copy"];
        let mut child = command(&tool, &server, &url, &args).spawn().unwrap();
        let mut first = [0; 1];
        child
            .stdout
            .as_mut()
            .unwrap()
            .read_exact(&mut first)
            .unwrap();
        loop {
            assert!(child.try_wait().unwrap().is_none(), "it ended before");
            let there = tool.path("copy/Sub").is_dir();
            if there
                && part(&tool, "copy/Sub")
                    .is_some_and(|part| length(&tool, &format!("copy/Sub/{part}")) > 0)
            {
                break;
            }
            tokio::task::yield_now().await;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let left = part(&tool, "copy/Sub").unwrap();
        let kept = length(&tool, &format!("copy/Sub/{left}"));
        let (link, url) = link(&server, None).await;
        let again = run(&tool, &server, &url, &args).await;
        assert!(again.ok().contains("already there"), "{again:?}");
        assert!(again.stderr.contains("going on after"), "{again:?}");
        for (path, data) in &files {
            assert!(tool.read(&format!("copy/{path}")) == *data, "{path}");
        }
        let (_, data) = files.iter().find(|(path, _)| *path == big).unwrap();
        let most = data.len() as u64 - kept + 100_000 + 10 * HEADS;
        assert!(link.carried().down < most, "{kept}");
        assert_eq!(part(&tool, "copy/Sub"), None);
    });
}
