//! `landfall session`: the commands' page as the tool has it, and what the flags do.

use landfall_protocol::ContentHash;
use landfall_testkit::page::{self, BatchFace, Commit, Ended, Face, Finish, Part};
use landfall_testkit::{Run, Stores, TestServer, Tool};
use serde_json::{Value, json};

/// The tool at one server, with one token.
struct ByTool {
    tool: Tool,
    url: String,
    token: String,
}

impl ByTool {
    fn new(url: &str, token: &str) -> Self {
        Self {
            tool: Tool::new(env!("CARGO_BIN_EXE_landfall")),
            url: url.to_owned(),
            token: token.to_owned(),
        }
    }

    fn at(server: &TestServer) -> Self {
        Self::new(&server.url(), server.token())
    }

    fn run(&self, args: &[&str]) -> Run {
        let mut command = self.tool.command(["--remote", &self.url, "session"]);
        command.args(args).env("LANDFALL_TOKEN", &self.token);
        Run::of(command)
    }

    /// What a run says of the command's end.
    fn ended(&self, args: &[&str]) -> Ended {
        let run = self.run(args);
        let (status, data) = match run.code {
            Some(0 | 1) if run.stdout.is_empty() => (200, "null"),
            Some(0 | 1) => (200, run.stdout.as_str()),
            Some(6) => (0, ""),
            _ => {
                let json = run.stderr.find('{').unwrap_or_else(|| panic!("{run:?}"));
                (409, &run.stderr[json..])
            }
        };
        Ended {
            status,
            data: data.to_owned().into(),
        }
    }
}

impl Face for ByTool {
    async fn start(&self, data: &[u8]) -> Ended {
        self.tool.write("data", data);
        self.ended(&["--json", "start", "--data", "data"])
    }
    async fn append(&self, session: &str, offset: u64, data: &[u8]) -> Ended {
        self.tool.write("data", data);
        let offset = offset.to_string();
        self.ended(&[
            "append",
            "--session",
            session,
            "--offset",
            &offset,
            "--data",
            "data",
        ])
    }
    async fn finish(&self, session: &str, offset: u64, commit: &Commit, data: &[u8]) -> Ended {
        self.tool.write("data", data);
        let offset = offset.to_string();
        let mut args = vec![
            "finish",
            "--session",
            session,
            "--offset",
            &offset,
            "--data",
            "data",
        ];
        args.extend(["--path", commit.path, "--mode", &commit.mode]);
        args.extend(commit.autorename.then_some("--autorename"));
        args.extend(commit.mute.then_some("--mute"));
        self.ended(&args)
    }
}

impl BatchFace for ByTool {
    async fn start_batch(&self, count: u64) -> Vec<String> {
        let run = self.run(&["start-batch", "--count", &count.to_string()]);
        run.ok().lines().map(str::to_owned).collect()
    }
    async fn append_batch(&self, parts: &[Part], close: bool) -> Ended {
        let mut args = vec!["append-batch".to_owned()];
        args.extend(close.then(|| "--close".to_owned()));
        for (nth, part) in parts.iter().enumerate() {
            self.tool.write(&format!("part-{nth}"), part.data);
            args.push(format!("part-{nth}={}@{}", part.session, part.offset));
        }
        self.ended(&args.iter().map(String::as_str).collect::<Vec<_>>())
    }
    async fn finish_batch(&self, finishes: &[Finish]) -> Ended {
        let mut args = vec!["finish-batch".to_owned(), "--autorename".to_owned()];
        for Finish {
            session,
            offset,
            path,
        } in finishes
        {
            args.push(format!("{path}={session}@{offset}"));
        }
        self.ended(&args.iter().map(String::as_str).collect::<Vec<_>>())
    }
}

fn with_server<F: Future<Output = ()>>(test: impl FnOnce(TestServer) -> F) {
    TestServer::run(Stores::Memory, test);
}

#[test]
fn the_page_s_example_works_by_hand() {
    with_server(async |server| page::example(&server, ByTool::new).await);
}

#[test]
fn a_command_whose_reply_was_lost_is_given_again() {
    with_server(async |server| {
        page::a_start_whose_reply_was_lost(&server, ByTool::new).await;
        page::an_append_whose_reply_was_lost(&server, ByTool::new).await;
    });
    with_server(async |server| page::a_finish_whose_reply_was_lost(&server, ByTool::new).await);
}

#[test]
fn a_batch_whose_reply_was_lost_is_given_again() {
    with_server(async |server| {
        page::an_append_batch_whose_reply_was_lost(&server, ByTool::new).await;
    });
    with_server(async |server| {
        page::a_finish_batch_whose_reply_was_lost(&server, ByTool::new).await;
    });
}

fn json(run: &Run) -> Value {
    serde_json::from_str(run.ok()).unwrap_or_else(|error| panic!("{error}: {run:?}"))
}

#[test]
fn a_session_that_begins_is_told_as_an_event_too() {
    with_server(async |server| {
        let by = ByTool::at(&server);
        let plain = by.run(&["start"]);
        assert!(!plain.ok().contains('{'), "{plain:?}");
        let event = json(&by.run(&["start", "--json"]));
        assert_eq!(
            (&event["type"], &event["schema"]),
            (&json!("session"), &json!(1))
        );
        let session = event["session_id"].as_str().unwrap();
        let finish = [
            "finish",
            "--session",
            session,
            "--offset",
            "0",
            "--path",
            "/empty",
        ];
        assert_eq!(json(&by.run(&finish))["size"], 0);

        let run = by.run(&["--json", "start-batch", "--count", "3"]);
        let ids: std::collections::BTreeSet<_> = run
            .ok()
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap()["session_id"].to_string())
            .collect();
        assert_eq!(ids.len(), 3);
    });
}

#[test]
fn a_concurrent_session_takes_its_pieces_in_any_order() {
    with_server(async |server| {
        let by = ByTool::at(&server);
        let block = vec![7; 4 * 1024 * 1024];
        by.tool.write("block", &block);
        by.tool.write("tail", "tail");
        let batch = by
            .run(&["start-batch", "--count", "1", "--concurrent"])
            .ok()
            .to_owned();
        for (session, path) in [
            (by.run(&["start", "--concurrent"]).ok(), "/one"),
            (&batch, "/two"),
        ] {
            let append = |more: &[&str]| {
                by.run(&[&["append", "--session", session], more].concat())
                    .ok()
                    .to_owned()
            };
            append(&["--offset", "4194304", "--data", "tail", "--close"]);
            append(&["--offset", "0", "--data", "block"]);
            let finish = [
                "finish",
                "--session",
                session,
                "--offset",
                "4194308",
                "--path",
                path,
            ];
            assert_eq!(json(&by.run(&finish))["size"], 4_194_308);
            assert!(server.calls().read(path).await == [&block[..], b"tail"].concat());
        }
    });
}

#[test]
fn a_content_hash_that_is_given_is_what_the_service_compares_with() {
    with_server(async |server| {
        let by = ByTool::at(&server);
        by.tool.write("data", "hello");
        let (right, wrong) = (
            ContentHash::of(b"hello").to_string(),
            ContentHash::of(b"").to_string(),
        );
        let data = ["--data", "data", "--content-hash"];
        let with = |args: &[&str], hash: &str| by.run(&[args, &data, &[hash]].concat());
        with(&["start"], &wrong).fails(8);
        let session = with(&["start"], &right).ok().to_owned();
        let append = ["append", "--session", &session, "--offset", "5"];
        with(&append, &wrong).fails(8);
        with(&append, &right).ok();
        let part = format!("data={session}@10");
        by.run(&["append-batch", &part, "--content-hash", &wrong])
            .fails(8);
        assert_eq!(
            by.run(&["append-batch", &part, "--content-hash", &right])
                .code,
            Some(0)
        );
        let finish = [
            "finish",
            "--session",
            &session,
            "--offset",
            "15",
            "--path",
            "/a",
        ];
        with(&finish, &wrong).fails(8);
        assert_eq!(json(&with(&finish, &right))["size"], 20);
        // A session and nothing in it have the hash of nothing.
        by.run(&["start", "--content-hash", &right]).fails(8);
        by.run(&["start", "--content-hash", &wrong]).ok();
    });
}

#[test]
fn a_finish_says_how_to_save_in_all_that_the_api_has() {
    with_server(async |server| {
        let by = ByTool::at(&server);
        by.tool.write("data", "hello");
        let finish = |more: &[&str]| {
            let session = by
                .run(&["start", "--data", "data", "--close"])
                .ok()
                .to_owned();
            let cursor = [
                "finish",
                "--session",
                &session,
                "--offset",
                "5",
                "--path",
                "/a",
            ];
            by.run(&[&cursor, more].concat())
        };
        let first = json(&finish(&["--client-modified", "2001-02-03T04:05:06Z"]));
        assert_eq!(first["client_modified"], "2001-02-03T04:05:06Z");
        let rev = first["rev"].as_str().unwrap();
        assert_eq!(
            json(&finish(&[]))["rev"],
            rev,
            "the same bytes are no change"
        );
        assert!(
            finish(&["--strict-conflict"])
                .fails(5)
                .contains("path/conflict/file")
        );
        let update = format!(r#"{{".tag": "update", "update": "{rev}"}}"#);
        let second = json(&finish(&["--mode", &update, "--strict-conflict"]));
        assert_ne!(second["rev"], rev);
        let overwrite = json(&finish(&[
            "--mode",
            r#"{".tag":"overwrite"}"#,
            "--strict-conflict",
        ]));
        assert_ne!(overwrite["rev"], second["rev"]);
        assert_eq!(overwrite["id"], first["id"]);
    });
}

#[test]
fn each_session_of_a_batch_has_its_verdict_and_the_run_the_worst() {
    with_server(async |server| {
        let by = ByTool::at(&server);
        by.tool.write("data", "hello");
        let sessions = by.run(&["start-batch", "--count", "2"]).ok().to_owned();
        let (one, two) = sessions.split_once('\n').unwrap();
        let parts = [format!("data={one}@0"), format!("data={two}@1")];
        let run = by.run(&["append-batch", "--close", &parts[0], &parts[1]]);
        let why = run.fails(1);
        assert!(why.contains("1 of 2 failed") && why.contains(two), "{why}");
        assert!(why.contains("incorrect_offset"), "{why}");
        let verdicts: Value = serde_json::from_str(&run.stdout).unwrap();
        assert_eq!(verdicts["entries"][0], json!({".tag": "success"}));
        assert_eq!(verdicts["entries"][1]["failure"]["correct_offset"], 0);

        let entries = [format!("/one=1={one}@5"), format!("/two={two}@0")];
        let run = by.run(&[
            "finish-batch",
            "--mode",
            "overwrite",
            &entries[0],
            &entries[1],
        ]);
        assert!(run.fails(1).contains("lookup_failed/not_closed"), "{run:?}");
        let verdicts: Value = serde_json::from_str(&run.stdout).unwrap();
        assert_eq!(verdicts["entries"][0]["path_display"], "/one=1");
        assert_eq!(server.calls().tree().await, ["/one=1"]);
    });
}

#[test]
fn what_makes_no_sense_is_refused_before_anything_is_sent() {
    let by = ByTool::new("http://127.0.0.1:1", "token");
    by.tool.write("data", "hello");
    let cursor = ["--session", "s", "--offset", "0"];
    let finish = [&["finish"], &cursor[..], &["--path", "/a"]].concat();
    let hash = ContentHash::of(b"").to_string();
    let many: Vec<String> = (0..1001).map(|nth| format!("/{nth}={nth}@0")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    for args in [
        vec!["append", "--session", "s", "--offset", "-1"],
        vec!["append", "--session", "s", "--offset", "x"],
        vec!["append", "--session", "s"],
        vec!["start", "--content-hash", &hash[1..]],
        vec!["start-batch", "--count", "0"],
        vec!["start-batch", "--count", "1001"],
        vec!["append-batch"],
        vec!["append-batch", "s@0"],
        vec!["append-batch", "data=s"],
        vec!["finish-batch"],
        vec!["finish-batch", "=s@0"],
        [&["finish-batch"], &many[..]].concat(),
        [&finish[..], &["--mode", "replace"]].concat(),
        [&finish[..], &["--mode", "update"]].concat(),
        [&finish[..], &["--mode", "{\".tag\": \"update\"}"]].concat(),
        [&finish[..], &["--client-modified", "yesterday"]].concat(),
    ] {
        let run = by.run(&args);
        assert_eq!(run.code, Some(2), "{args:?}: {run:?}");
    }
    let choices = by.run(&[&finish[..], &["--mode", "replace"]].concat());
    assert!(
        choices.stderr.contains("add, overwrite or update:REV"),
        "{choices:?}"
    );
    // With sense, it is tried, whatever a session's id begins with.
    by.run(&finish).fails(6);
    let session = ["--session", "-h", "--offset", "0"];
    by.run(&[&["append"], &session[..]].concat()).fails(6);
    by.run(&["append-batch", "data=-h@0"]).fails(6);
    by.run(&["append-batch", "nothing=s@0"]).fails(4);
}
