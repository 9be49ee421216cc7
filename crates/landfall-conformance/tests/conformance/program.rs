//! The suite as people and programs run it.

use crate::front::{Fault, Front, SOUND};
use landfall_testkit::faults::{Plan, Proxy};
use landfall_testkit::{Run, Stores, TestServer, Tool};
use serde_json::Value;
use std::process::Command;

/// The program with an empty environment, for the service at this URL and with this token.
fn program(tool: &Tool, url: &str, token: &str, args: &[&str]) -> Command {
    tool.write("token", format!("{token}\n"));
    let mut command = tool.command(["--url", url, "--token-file", "token"]);
    command.args(args);
    command
}

/// Runs it to its end, while the runtime goes on.
async fn finish(command: Command) -> Run {
    let run = tokio::task::spawn_blocking(move || Run::of(command));
    run.await.expect("a run")
}

fn tool() -> Tool {
    Tool::new(env!("CARGO_BIN_EXE_landfall-conformance"))
}

fn lines(run: &Run) -> Vec<Value> {
    let lines = run.stdout.lines();
    let parsed = lines.map(|line| serde_json::from_str(line).expect("JSON on each line"));
    parsed.collect()
}

/// The one line of a run that never began.
fn refusal(run: &Run) -> String {
    assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""), "{run:?}");
    let line = run.stderr.trim_end();
    assert!(
        line.starts_with("landfall-conformance: ") && !line.contains('\n'),
        "{line}"
    );
    line.to_owned()
}

/// A server that tells everybody the token that it was asked with.
const CHATTY: Fault = Fault {
    answer: |asked, answered, _| {
        if let Some(token) = asked.headers.get("authorization")
            && !answered.is_json()
        {
            let token = token.to_str().expect("text");
            let text = format!("{} {token} {}", answered.text(), asked.path);
            answered.body = text.into();
            answered
                .headers
                .insert("x-token", token.parse().expect("text"));
        } else if asked.path.contains("authorization=") {
            let kind = "text/plain";
            answered.replace(418, kind, &format!("You asked {}", asked.path));
        }
        None
    },
    ..SOUND
};

#[test]
fn a_good_service_is_told_line_by_line_and_ends_with_0() {
    TestServer::run(Stores::Memory, |server| async move {
        let tool = tool();
        let run = finish(program(
            &tool,
            &server.url(),
            server.token(),
            &["--only", "users/"],
        ))
        .await;
        let out = run.ok();
        assert!(
            out.starts_with("users\n  ok       S  users/account-has-its-fields\n"),
            "{out}"
        );
        let last = format!("{}: 14 ok, 0 failed, 0 differ, 0 skipped", server.url());
        assert_eq!(out.lines().last(), Some(last.as_str()));
        assert_eq!(run.stderr, "");
    });
}

#[test]
fn a_failing_case_is_shown_with_its_call_and_ends_with_1() {
    TestServer::run(Stores::Memory, |server| async move {
        let fault = Fault {
            answer: |_, answered, _| {
                if answered.body == "null" {
                    answered.body = "{}".into();
                }
                None
            },
            ..SOUND
        };
        let front = Front::before(&server, fault).await;
        let tool = tool();
        let run = finish(program(
            &tool,
            &front.url,
            server.token(),
            &["--only", "transport/void"],
        ))
        .await;
        assert_eq!(run.code, Some(1), "{run:?}");
        for words in [
            "  FAILS    C  transport/void-is-null\n",
            "expected  `null`\n",
            "got       `{}`\n",
            "/2/files/upload_session/append_v2\n",
            "answer    200 application/json\n",
        ] {
            assert!(run.stdout.contains(words), "{words}: {}", run.stdout);
        }
        let run = finish(program(
            &tool,
            &front.url,
            server.token(),
            &["--only", "transport/void", "--json"],
        ))
        .await;
        let lines = lines(&run);
        let case = &lines[0];
        assert_eq!(
            (&case["type"], &case["outcome"]),
            (&"case".into(), &"fails".into())
        );
        assert_eq!(
            (&case["expected"], &case["got"]),
            (&"`null`".into(), &"`{}`".into())
        );
        assert_eq!(case["request"]["body_bytes"], 1);
        assert_eq!(
            (&case["answer"]["status"], &case["answer"]["body"]),
            (&200.into(), &"{}".into())
        );
        let summary = &lines[1];
        assert_eq!(
            (&summary["type"], &summary["fails"]),
            (&"summary".into(), &1.into())
        );
        assert_eq!(
            (&summary["left"], &summary["lost"]),
            (&Value::Null, &Value::Null)
        );
    });
}

#[test]
fn the_token_is_never_shown() {
    TestServer::run(Stores::Memory, |server| async move {
        let front = Front::before(&server, CHATTY).await;
        for format in [&[][..], &["--json"][..]] {
            let tool = tool();
            let run = finish(program(&tool, &front.url, server.token(), format)).await;
            assert_eq!(run.code, Some(1), "{}", run.stderr);
            let shown = format!("{}{}", run.stdout, run.stderr);
            assert!(!shown.contains(server.token()), "the token is in {shown}");
            assert!(shown.contains("<token>"), "its place is in {shown}");
        }
    });
}

#[test]
fn a_token_may_come_from_a_file_standard_input_or_the_environment() {
    TestServer::run(Stores::Memory, |server| async move {
        let (url, token) = (server.url(), server.token().to_owned());
        let run = tokio::task::spawn_blocking(move || {
            let tool = tool();
            let only = ["--url", &url, "--only", "auth/check-user"];
            let mut command = tool.command(only);
            command.env("LANDFALL_CONFORMANCE_TOKEN", &token);
            Run::of(command).ok();
            let args = [&only[..], &["--token-file", "-"]].concat();
            tool.run_with_input(args, token.as_bytes()).ok();
            tool.write("token", &token);
            let mut command = tool.command(["--only", "auth/check-user"]);
            command.env("LANDFALL_CONFORMANCE_URL", &url);
            command.env("LANDFALL_CONFORMANCE_TOKEN_FILE", "token");
            Run::of(command).ok();
            tool.run(only)
        });
        let line = refusal(&run.await.expect("a run"));
        assert!(line.contains("no token: give --token-file"), "{line}");
    });
}

#[test]
fn what_can_not_begin_is_one_line_and_ends_with_2() {
    TestServer::run(Stores::Memory, |server| async move {
        let (tool, url, token) = (tool(), server.url(), server.token());
        for (url, token, args, words) in [
            (
                url.as_str(),
                "lf.nobody-has-this-one",
                &[][..],
                "status 401",
            ),
            (
                url.as_str(),
                token,
                &["--only", "nothing/"][..],
                "no case's name begins with `nothing/`",
            ),
            (
                url.as_str(),
                token,
                &["--folder", "here"][..],
                "must begin with a slash",
            ),
            (
                url.as_str(),
                token,
                &["--folder", "/no/where"][..],
                "there is no folder /no at ",
            ),
            (
                "https://127.0.0.1:1",
                token,
                &["--ca-cert", "token"][..],
                "the certificate: ",
            ),
            (
                url.as_str(),
                token,
                &["--folder", "/a//b"][..],
                "doesn't make the folder",
            ),
            (
                "http://127.0.0.1:1",
                token,
                &[][..],
                "no answer from http://127.0.0.1:1",
            ),
            ("http://files.example.org", token, &[][..], "plain http"),
            ("files.example.org", token, &[][..], "is no URL"),
            (url.as_str(), " ", &[][..], "the token is empty"),
            (
                url.as_str(),
                token,
                &["--token-file", "elsewhere"][..],
                "can't read elsewhere",
            ),
        ] {
            let mut command = program(&tool, url, token, &[]);
            if args.first() == Some(&"--token-file") {
                command = tool.command(["--url", url]);
            }
            command.args(args);
            let line = refusal(&finish(command).await);
            assert!(line.contains(words), "{line}");
        }
        assert_eq!(server.calls().tree().await, [""; 0]);
    });
}

#[test]
fn a_folder_that_can_not_be_removed_is_told() {
    TestServer::run(Stores::Memory, |server| async move {
        let fault = Fault {
            ask: |asked| {
                if asked.path == "/2/files/delete_v2" {
                    asked.path = "/2/files/delete_v9".into();
                }
            },
            ..SOUND
        };
        let front = Front::before(&server, fault).await;
        let tool = tool();
        let run = finish(program(
            &tool,
            &front.url,
            server.token(),
            &["--only", "auth/check"],
        ))
        .await;
        assert_eq!(run.code, Some(2), "{run:?}");
        let folder = server.calls().tree().await.pop().expect("the folder");
        let advice = format!("files/delete_v2 with {{\"path\":\"{folder}\"}}");
        assert!(run.stderr.contains(&advice), "{}", run.stderr);
    });
}

#[test]
fn an_interrupted_run_ends_its_case_and_removes_its_folder() {
    TestServer::run(Stores::Memory, |server| async move {
        let (plan, mut gate) = Plan::new().hold("files/upload", 1);
        let proxy = Proxy::start(server.address(), plan).await;
        let tool = tool();
        let child = program(&tool, &proxy.url(), server.token(), &["--only", "commit/"]);
        let child = { child }.spawn().expect("the program starts");
        gate.reached().await;
        let signal = Command::new("kill")
            .args(["-INT", &child.id().to_string()])
            .status();
        assert!(signal.expect("a signal").success());
        gate.open();
        let run = tokio::task::spawn_blocking(move || Run::wait(child))
            .await
            .expect("a run");
        assert_eq!(run.code, Some(130), "{run:?}");
        assert!(
            run.stdout.trim_end().ends_with("skipped (stopped)"),
            "{}",
            run.stdout
        );
        assert_eq!(server.calls().tree().await, [""; 0], "the folder is gone");
        proxy.finish();
    });
}

#[test]
fn a_service_that_goes_away_is_told() {
    TestServer::run(Stores::Memory, |server| async move {
        let plan = Plan::new()
            .from(
                "files/upload",
                1,
                landfall_testkit::faults::Fault::DropRequest,
            )
            .from(
                "files/get_metadata",
                1,
                landfall_testkit::faults::Fault::DropRequest,
            );
        let proxy = Proxy::start(server.address(), plan).await;
        let tool = tool();
        let run = finish(program(
            &tool,
            &proxy.url(),
            server.token(),
            &["--only", "commit/"],
        ))
        .await;
        assert_eq!(run.code, Some(2), "{run:?}");
        assert!(
            run.stderr.contains("the service doesn't answer any more: "),
            "{}",
            run.stderr
        );
        assert!(
            run.stdout.contains(": 0 ok, 1 failed, 0 differ"),
            "{}",
            run.stdout
        );
        assert_eq!(server.calls().tree().await, [""; 0], "the folder is gone");
        proxy.finish();
    });
}

#[test]
fn the_cases_and_the_page_can_be_printed_without_a_service() {
    let tool = tool();
    let listed = tool.run(["--list", "--only", "finish/repeated"]);
    let names: Vec<&str> = listed
        .ok()
        .lines()
        .filter_map(|line| line.split('\t').next())
        .collect();
    assert_eq!(
        names,
        [
            "finish/repeated-gives-the-same-answer",
            "finish/repeated-after-a-rename"
        ]
    );
    let json = tool.run(["--list", "--json", "--only", "finish/repeated-g"]);
    let case: Value = serde_json::from_str(json.ok()).expect("JSON");
    assert_eq!(
        (&case["name"], &case["mark"]),
        (&names[0].into(), &"I".into())
    );
    assert!(tool.run(["--describe"]).ok().starts_with("# Conformance\n"));
}
