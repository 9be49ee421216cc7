//! Waiting for changes: `list_folder/longpoll`, and the cursors that it is asked with.

use landfall_server::Numbering;
use landfall_testkit::{Answer, Calls, Method, Stores, TestServer, on_each_store};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;

const LONGPOLL: &str = "/2/files/list_folder/longpoll";

async fn latest(calls: &Calls, arg: Value) -> String {
    let answer = calls
        .rpc("files/list_folder/get_latest_cursor", &arg.to_string())
        .await;
    let cursor = answer.ok()["cursor"].as_str().map(str::to_owned);
    cursor.expect("a cursor")
}

/// Asks without a token, as the route wants it.
async fn poll(calls: &Calls, arg: &Value) -> Answer {
    let request = calls
        .anonymous(Method::POST, LONGPOLL)
        .header("content-type", "application/json");
    calls.send(request.body(arg.to_string())).await
}

async fn wait(calls: &Calls, cursor: &str) -> Answer {
    poll(calls, &json!({ "cursor": cursor })).await
}

const CHANGES: &str = r#"{"changes": true}"#;

on_each_store! {
    async fn what_changed_before_is_told_at_once(server: TestServer) {
        let calls = server.calls();
        let cursor = latest(&calls, json!({"path": ""})).await;
        calls.put("/f", "x").await;
        let answer = wait(&calls, &cursor).await;
        assert_eq!((answer.status, answer.text().as_str()), (200, CHANGES));
        assert_eq!(answer.header("content-type"), "application/json");
        let page = calls.list_on(&cursor).await.ok();
        assert_eq!(page["entries"][0]["path_display"], "/f");
    }

    async fn a_change_wakes_who_waits(server: TestServer) {
        let calls = server.calls();
        calls.create_folder("/dir").await.ok();
        for (listing, change) in [
            (json!({"path": ""}), "/dir/a"),
            (json!({"path": "", "recursive": true}), "/dir/b"),
            (json!({"path": "/dir"}), "/dir/c"),
        ] {
            let cursor = latest(&calls, listing.clone()).await;
            let waiting = calls.clone();
            let waiting = tokio::spawn(async move { wait(&waiting, &cursor).await });
            // Into a folder that isn't listed, then into one that is.
            calls.put(if listing["recursive"] == true { change } else { "/elsewhere/x" }, "x").await;
            if listing == json!({"path": "/dir"}) {
                calls.put(change, "x").await;
            }
            assert_eq!(waiting.await.expect("an answer").text(), CHANGES, "{listing}");
            calls.delete("/elsewhere").await;
        }
    }

    async fn muted_changes_and_deletions_wake_too(server: TestServer) {
        let calls = server.calls();
        let cursor = latest(&calls, json!({"path": ""})).await;
        let muted = json!({"path": "/f", "mute": true}).to_string();
        calls.upload("files/upload", &muted, "x").await.ok();
        assert_eq!(wait(&calls, &cursor).await.text(), CHANGES);
        let cursor = latest(&calls, json!({"path": ""})).await;
        calls.delete("/f").await.ok();
        assert_eq!(wait(&calls, &cursor).await.text(), CHANGES);
    }

    async fn the_latest_cursor_leaves_out_what_is_there(server: TestServer) {
        let calls = server.calls();
        calls.put("/before", "x").await;
        let cursor = latest(&calls, json!({"path": "", "recursive": true})).await;
        let page = calls.list_on(&cursor).await.ok();
        assert_eq!((&page["entries"], &page["has_more"]), (&json!([]), &json!(false)));
        calls.put("/after", "x").await;
        let page = calls.list_on(&cursor).await.ok();
        assert_eq!(page["entries"].as_array().map(Vec::len), Some(1));
        assert_eq!(page["entries"][0]["path_display"], "/after");
        for (path, error) in [("/nothing", "path/not_found"), ("/before", "path/not_folder"), ("/a\\b", "path/malformed_path")] {
            let arg = json!({ "path": path }).to_string();
            let refused = calls.rpc("files/list_folder/get_latest_cursor", &arg).await;
            assert_eq!(refused.error(), error);
        }
    }

    async fn in_the_middle_of_a_listing_there_is_more(server: TestServer) {
        let calls = server.calls();
        calls.put("/a", "x").await;
        calls.put("/b", "x").await;
        let page = calls.list(&json!({"path": "", "limit": 1})).await.ok();
        assert_eq!(page["has_more"], true);
        let cursor = page["cursor"].as_str().expect("a cursor");
        assert_eq!(wait(&calls, cursor).await.text(), CHANGES);
    }

    async fn a_cursor_that_was_not_made_here_is_a_bad_request(server: TestServer) {
        let calls = server.calls();
        let own = latest(&calls, json!({"path": ""})).await;
        let damaged = format!("{}A", &own[..own.len() - 1]);
        let damaged = if damaged == own { format!("{}B", &own[..own.len() - 1]) } else { damaged };
        for cursor in ["x", "AAAA", &damaged, "\u{e9}"] {
            let answer = wait(&calls, cursor).await;
            assert_eq!(answer.status, 400, "{}", answer.text());
            let sentence = "Error in call to API function \"files/list_folder/longpoll\": \
                            request body: cursor: unsupported cursor type";
            assert_eq!(answer.text(), sentence);
        }
    }

    async fn a_token_is_a_bad_request(server: TestServer) {
        let calls = server.calls();
        let cursor = latest(&calls, json!({"path": ""})).await;
        let answer = calls.rpc("files/list_folder/longpoll", &json!({ "cursor": cursor }).to_string()).await;
        assert_eq!(answer.status, 400);
        let sentence = "Your request includes an Authorization header, but this function does not use it.";
        assert!(answer.text().ends_with(sentence), "{}", answer.text());
    }

    async fn bad_arguments_get_their_sentence(server: TestServer) {
        let calls = server.calls();
        let cursor = latest(&calls, json!({"path": ""})).await;
        for (arg, rest) in [
            (json!({}), "missing required field 'cursor'"),
            (json!({"cursor": cursor, "timeout": 29}), "timeout: 29 is not within range [30, 480]"),
            (json!({"cursor": cursor, "timeout": 481}), "timeout: 481 is not within range [30, 480]"),
            (json!({"cursor": cursor, "timeout": -1}), "timeout: "),
            (json!({"cursor": cursor, "x": 1}), "unknown field 'x'"),
            (json!({"cursor": 7}), "cursor: '7' expected to be a string"),
        ] {
            let answer = poll(&calls, &arg).await;
            assert_eq!(answer.status, 400, "{arg}: {}", answer.text());
            let begin = format!("Error in call to API function \"files/list_folder/longpoll\": request body: {rest}");
            assert!(answer.text().starts_with(&begin), "{arg}: {}", answer.text());
        }
    }

    async fn who_waits_is_answered_when_the_server_stops(server: TestServer) {
        let cursor = latest(&server.calls(), json!({"path": ""})).await;
        let body = json!({ "cursor": cursor }).to_string();
        let head = format!(
            "POST {LONGPOLL} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\nExpect: 100-continue\r\n\r\n",
            body.len()
        );
        let mut stream = TcpStream::connect(server.address()).await.expect("a connection");
        stream.write_all(head.as_bytes()).await.expect("the head goes out");
        // Once the server wants the body, the request is under way.
        let mut begin = [0; 12];
        stream.read_exact(&mut begin).await.expect("an answer");
        assert_eq!(&begin, b"HTTP/1.1 100");
        stream.write_all(body.as_bytes()).await.expect("the body goes out");
        server.stop().await;
        let mut rest = String::new();
        stream.read_to_string(&mut rest).await.expect("the rest");
        assert!(rest.contains("HTTP/1.1 200 OK\r\n"), "{rest}");
        assert!(rest.ends_with(r#"{"changes": false}"#), "{rest}");
    }
}

#[test]
fn a_change_by_another_process_wakes_who_waits() {
    TestServer::run(Stores::Directory, |server| async move {
        let beside = server.beside().await;
        let calls = server.calls();
        let cursor = latest(&calls, json!({"path": ""})).await;
        let waiting = calls.clone();
        let waiting = tokio::spawn(async move { wait(&waiting, &cursor).await });
        beside.calls().put("/f", "x").await;
        assert_eq!(waiting.await.expect("an answer").text(), CHANGES);
    });
}

#[test]
fn who_waits_in_vain_is_told_so_after_the_time_that_was_asked_for() {
    // The time of the runtime stands still, and jumps to the next moment for which somebody waits.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.expect("a runtime").block_on(async {
        let server = TestServer::start(Stores::Memory, Numbering::Documented).await;
        let calls = server.calls();
        calls.create_folder("/dir").await.ok();
        let cursor = latest(&calls, json!({"path": "/dir"})).await;
        calls.put("/elsewhere", "x").await;
        tokio::time::pause();
        for (timeout, seconds) in [(None, 30), (Some(30), 30), (Some(480), 480)] {
            let mut arg = json!({ "cursor": cursor });
            if let Some(timeout) = timeout {
                arg["timeout"] = timeout.into();
            }
            let begun = Instant::now();
            let answer = poll(&calls, &arg).await;
            assert_eq!(answer.text(), r#"{"changes": false}"#);
            let waited = begun.elapsed();
            let wanted = Duration::from_secs(seconds)..Duration::from_secs(seconds + 5);
            assert!(wanted.contains(&waited), "{waited:?} of {seconds} s");
        }
    });
}
