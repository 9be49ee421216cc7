//! Tokens and what files hold never appear in a log, whatever is logged and wherever they come.

use landfall_protocol::routes::{ROUTES, Style};
use landfall_testkit::{Calls, Method, Run, Serving, Tool};
use std::collections::HashSet;
use std::path::Path;

/// What must not be seen.
const TOKEN: &str = "canary-token-0123456789";
const STRANGER: &str = "canary-stranger-0123456789";
const BYTES: &str = "canary-bytes-0123456789";
const CANARY: &str = "canary";

/// All that a server says when everything is logged.
fn serving(tool: &Tool, log: &Path, args: &[&str]) -> Serving {
    let mut command = tool.command(["serve", "--ephemeral", "--listen", "127.0.0.1:0"]);
    command.args(args).env("LANDFALL_TOKEN", TOKEN);
    Serving::start_tracing(command, log)
}

/// A token in every place where a client could put it, right or wrong.
async fn call_everything(calls: &Calls) {
    for route in ROUTES {
        let url = format!("/2/{}", route.tail);
        let with_query = format!("{url}?authorization=Bearer%20{TOKEN}&arg=%7B%7D");
        let raw_query = format!("{url}?authorization={TOKEN}&token={TOKEN}");
        let urls = [url, with_query, raw_query, format!("/2/{TOKEN}")];
        for (nth, url) in urls.iter().enumerate() {
            for authorization in [
                format!("Bearer {TOKEN}"),
                format!("Bearer {STRANGER}"),
                TOKEN.to_owned(),
                format!("Basic {TOKEN}"),
                format!("Bearer {TOKEN} {STRANGER}"),
                String::new(),
            ] {
                let mut request = calls.anonymous(Method::POST, url);
                if nth == 0 && !authorization.is_empty() {
                    request = request.header("authorization", authorization);
                }
                request = match route.style {
                    Style::Rpc => request
                        .header("content-type", "application/json")
                        .body(format!("{{\"path\": 1, \"x\": \"{BYTES}\"}}")),
                    Style::Upload => request
                        .header("content-type", "application/octet-stream")
                        .header("dropbox-api-arg", r#"{"path": "/a", "mode": "overwrite"}"#)
                        .body(BYTES),
                    Style::Download => {
                        request.header("dropbox-api-arg", format!("{{\"{BYTES}\": 1"))
                    }
                };
                calls.send(request).await;
                if nth > 0 {
                    break;
                }
            }
        }
    }
}

/// The targets of the lines of a log.
fn targets(log: &str) -> HashSet<String> {
    let target = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let level = words
            .iter()
            .position(|word| matches!(*word, "TRACE" | "DEBUG" | "INFO" | "WARN" | "ERROR"))?;
        words
            .get(level + 1)
            .map(|word| word.trim_end_matches(':').to_owned())
    };
    log.lines().filter_map(target).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_token_and_no_byte_of_a_file_is_in_the_log_of_a_server_that_logs_everything() {
    let tool = Tool::new(env!("CARGO_BIN_EXE_landfall"));
    let log = tool.path("server.log");
    let server = serving(&tool, &log, &[]);
    let calls = Calls::new(server.url.clone(), TOKEN);
    call_everything(&calls).await;
    call_everything(&calls.over_http2()).await;
    server.kill();

    let log = std::fs::read_to_string(log).unwrap();
    let requests = log.matches("landfall_server::request").count();
    assert!(
        requests > 10 * ROUTES.len(),
        "{requests} requests in the log"
    );
    let seen: Vec<&str> = log.lines().filter(|line| line.contains(CANARY)).collect();
    assert!(seen.is_empty(), "{seen:#?}");
    let foreign: Vec<String> = targets(&log)
        .into_iter()
        .filter(|target| !target.starts_with("landfall"))
        .collect();
    assert!(foreign.is_empty(), "lines of others: {foreign:?}");
}

#[test]
fn no_token_is_in_the_log_of_a_client_that_logs_everything() {
    let tool = Tool::new(env!("CARGO_BIN_EXE_landfall"));
    let server = serving(&tool, &tool.path("server.log"), &["--tls-dev"]);
    let authority = tool.local().join("tls/authority.pem");
    tool.write("file", BYTES);
    for token in [TOKEN, STRANGER] {
        for command in [
            &["put", "file", "/file"][..],
            &["ls"],
            &["get", "/file", "copy"],
        ] {
            let mut client = tool.command(["--remote", &server.url, "--ca-cert"]);
            client.arg(&authority).args(command);
            client.env("LANDFALL_TOKEN", token).env("RUST_LOG", "trace");
            let run = Run::of(client);
            assert_eq!(run.code == Some(0), token == TOKEN, "{run:?}");
            let told = format!("{}{}", run.stdout, run.stderr);
            assert!(!told.contains(CANARY), "{told}");
        }
    }
}
