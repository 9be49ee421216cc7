//! Bad input gets the API's own error, in constant memory, and harms nothing else (P13).

use landfall_protocol::{limits, routes};
use landfall_testkit::{Answer, Method, TestServer, on_each_store};
use std::io::{Read, Write};
use std::net::TcpStream;

/// The sentence of a 400, without its beginning, which names the function.
fn sentence(answer: &Answer, function: &str) -> String {
    assert_eq!(answer.status, 400, "{}", answer.text());
    assert_eq!(answer.header("content-type"), "text/plain; charset=utf-8");
    let begin = format!("Error in call to API function \"{function}\": ");
    let text = answer.text();
    let rest = text.strip_prefix(&begin);
    rest.unwrap_or_else(|| panic!("{text} doesn't begin with {begin}"))
        .to_owned()
}

/// Sends bytes over a connection of their own and returns all that comes back until the server
/// closes it, or, with `head_only`, until the end of the first head.
fn exchange(server: &TestServer, parts: &[&[u8]], head_only: bool) -> String {
    let mut stream = TcpStream::connect(server.address()).unwrap();
    for part in parts {
        stream.write_all(part).unwrap();
    }
    read(&mut stream, head_only)
}

fn read(stream: &mut TcpStream, head_only: bool) -> String {
    let mut got = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let length = stream.read(&mut buffer).unwrap();
        got.extend_from_slice(&buffer[..length]);
        let head = got.windows(4).any(|end| end == b"\r\n\r\n");
        if length == 0 || (head_only && head) {
            return String::from_utf8_lossy(&got).into_owned();
        }
    }
}

/// The head of an append, with further header lines.
fn append_head(server: &TestServer, session: &str, offset: u64, lines: &str) -> Vec<u8> {
    format!(
        "POST /2/files/upload_session/append_v2 HTTP/1.1\r\nHost: localhost\r\n\
         Authorization: Bearer {}\r\nContent-Type: application/octet-stream\r\n\
         Dropbox-API-Arg: {{\"cursor\":{{\"session_id\":\"{session}\",\"offset\":{offset}}}}}\r\n\
         {lines}\r\n",
        server.token()
    )
    .into_bytes()
}

const CONTENT_TYPE: &str = "content-type";

const MIB: usize = 1024 * 1024;

on_each_store! {
    async fn an_unknown_function_is_named(server: TestServer) {
        let answer = server.calls().rpc("files/nope_v3", "{}").await;
        assert_eq!(sentence(&answer, "files/nope:3"), "Unknown API function: /2/files/nope_v3");
    }

    async fn every_route_refuses_a_wrong_method(server: TestServer) {
        let calls = server.calls();
        for route in routes::ROUTES {
            let request = calls.request(Method::PUT, &format!("/2/{}", route.tail));
            let answer = calls.send(request).await;
            assert_eq!(
                sentence(&answer, &route.api_name()),
                "Your request's HTTP request method is \"PUT\".  \
                 This function only accepts the HTTP request method \"POST\"."
            );
        }
        let answer = calls.send(calls.request(Method::GET, "/2/files/get_metadata")).await;
        assert!(sentence(&answer, "files/get_metadata").contains("is \"GET\""));
    }

    async fn a_request_without_a_token_is_told_where_to_put_it(server: TestServer) {
        let calls = server.calls();
        let answer = calls.send(calls.anonymous(Method::POST, "/2/files/upload")).await;
        assert_eq!(
            sentence(&answer, "files/upload"),
            "Must provide HTTP header \"Authorization\" or URL parameter \"authorization\"."
        );
        for (value, shown) in [
            ("Bearer", "Bearer"),
            ("Bearer ", "Bearer"),
            ("sl.BlackAndWhite", "sl.Bla..."),
            ("Basic abcdefgh", "Basic ..."),
        ] {
            let request = calls.anonymous(Method::POST, "/2/files/upload");
            let answer = calls.send(request.header("authorization", value)).await;
            assert_eq!(
                sentence(&answer, "files/upload"),
                format!(
                    "Invalid authorization value in HTTP header \"Authorization\": \"{shown}\".  \
                     Expecting \"Bearer <oauth2-access-token>\"."
                )
            );
        }
        let request = calls.anonymous(Method::POST, "/2/files/upload");
        let answer = calls.send(request.header("authorization", "Bearer a b{}")).await;
        assert_eq!(sentence(&answer, "files/upload"), "The given OAuth 2 access token is malformed.");
    }

    async fn a_token_may_be_a_parameter_of_the_url(server: TestServer) {
        let calls = server.calls();
        let with = |value: &str| format!("/2/users/get_current_account?authorization={value}");
        let bearer = with(&format!("Bearer%20{}", server.token()));
        calls.send(calls.anonymous(Method::POST, &bearer)).await.ok();
        let answer = calls.send(calls.anonymous(Method::POST, &with(server.token()))).await;
        assert!(sentence(&answer, "users/get_current_account").contains("URL parameter"));
    }

    async fn an_argument_that_is_no_json_is_told_where(server: TestServer) {
        let calls = server.calls();
        for text in ["{", "", "\u{feff}{}", "{'path': '/a'}", "{\"close\": False}"] {
            let answer = calls.rpc("files/get_metadata", text).await;
            let sentence = sentence(&answer, "files/get_metadata");
            assert_eq!(sentence, "request body: could not decode input as JSON", "{text:?}");
        }
        let answer = calls.upload("files/upload", "{", "x").await;
        assert_eq!(
            sentence(&answer, "files/upload"),
            "HTTP header \"Dropbox-API-Arg\": could not decode input as JSON"
        );
        let request = calls
            .request(Method::POST, "/2/files/upload?arg=%7B")
            .header(CONTENT_TYPE, "application/octet-stream");
        assert_eq!(
            sentence(&calls.send(request).await, "files/upload"),
            "URL parameter \"arg\": could not decode input as JSON"
        );
    }

    async fn a_bad_argument_is_told_which_field_and_why(server: TestServer) {
        let calls = server.calls();
        let answer = calls
            .upload("files/upload_session/append_v2", r#"{"cursor": {"offset": 0}}"#, "")
            .await;
        assert_eq!(
            sentence(&answer, "files/upload_session/append:2"),
            "HTTP header \"Dropbox-API-Arg\": cursor: missing required field 'session_id'"
        );
        for (arg, rest) in [
            (r#"{"path": "/a", "x": 1}"#, "unknown field 'x'"),
            (r#"{"path": null}"#, "path: 'None' expected to be a string, got null"),
            (r#"{"path": {}}"#, "path: '{}' expected to be a string, got object"),
            (
                r#"{"path": "pack.zip"}"#,
                r"path: 'pack.zip' did not match pattern '(/(.|[\r\n])*|id:.*)|(rev:[0-9a-f]{9,})|(ns:[0-9]+(/(.|[\r\n])*)?)'",
            ),
            (r#"{"path": ""}"#, "path: The root folder is unsupported."),
        ] {
            let answer = calls.rpc("files/get_metadata", arg).await;
            assert_eq!(sentence(&answer, "files/get_metadata"), format!("request body: {rest}"));
        }
        let answer = calls.rpc("files/list_folder", r#"{"path": "/"}"#).await;
        assert_eq!(
            sentence(&answer, "files/list_folder"),
            "request body: path: Specify the root folder as an empty string rather than as \"/\"."
        );
        let late = r#"{"path": "/a", "client_modified": "2026-01-02T03:04:05.5Z"}"#;
        let answer = calls.upload("files/upload", late, "").await;
        assert!(sentence(&answer, "files/upload").contains("client_modified: time data"));
    }

    async fn a_missing_argument_is_asked_for_unless_all_of_it_is_optional(server: TestServer) {
        let calls = server.calls();
        let bare = |path: &str| {
            calls.request(Method::POST, path).header(CONTENT_TYPE, "application/octet-stream")
        };
        let answer = calls.send(bare("/2/files/upload")).await;
        assert_eq!(
            sentence(&answer, "files/upload"),
            "Must provide HTTP header \"Dropbox-API-Arg\" or URL parameter \"arg\"."
        );
        calls.send(bare("/2/files/upload_session/start")).await.ok();
        calls.send(bare("/2/files/upload_session/start?")).await.ok();
    }

    async fn content_types_are_those_of_the_style(server: TestServer) {
        let calls = server.calls();
        let upload = |kind: Option<&str>| {
            let request = calls
                .request(Method::POST, "/2/files/upload")
                .header("dropbox-api-arg", r#"{"path": "/a"}"#);
            match kind {
                Some(kind) => request.header(CONTENT_TYPE, kind),
                None => request,
            }
        };
        for kind in ["application/octet-stream", "text/plain; charset=dropbox-cors-hack", "text/plain;charset=dropbox-cors-hack"] {
            calls.send(upload(Some(kind)).body("x")).await.ok();
        }
        for kind in ["application/json; charset=UTF-8", "application/octet-stream; charset=utf8", "application/x-www-form-urlencoded,application/octet-stream"] {
            let answer = calls.send(upload(Some(kind)).body("x")).await;
            assert_eq!(
                sentence(&answer, "files/upload"),
                format!(
                    "Bad HTTP \"Content-Type\" header: \"{kind}\".  Expecting one of \
                     \"application/octet-stream\", \"text/plain; charset=dropbox-cors-hack\"."
                )
            );
        }
        for kind in [None, Some("")] {
            let answer = calls.send(upload(kind)).await;
            assert!(sentence(&answer, "files/upload").starts_with("Missing or empty HTTP \"Content-Type\" header"));
        }
        let rpc = |kind: &str| {
            let request = calls.request(Method::POST, "/2/files/list_folder").body(r#"{"path": ""}"#);
            request.header(CONTENT_TYPE, kind)
        };
        for kind in ["application/json", "application/json; charset=utf-8", "application/json; charset=UTF-8", "text/plain; charset=dropbox-cors-hack"] {
            calls.send(rpc(kind)).await.ok();
        }
        let answer = calls.send(rpc("application/x-www-form-urlencoded")).await;
        assert!(sentence(&answer, "files/list_folder").starts_with("Bad HTTP \"Content-Type\" header"));
    }

    async fn a_void_argument_may_be_absent_or_null(server: TestServer) {
        let calls = server.calls();
        let path = "/2/users/get_space_usage";
        calls.send(calls.request(Method::POST, path)).await.ok();
        calls.rpc("users/get_space_usage", "null").await.ok();
        let answer = calls.rpc("users/get_space_usage", "{}").await;
        assert_eq!(
            sentence(&answer, "users/get_space_usage"),
            "request body: '{}' expected to be null, got object"
        );
    }

    async fn names_arrive_alike_escaped_and_as_raw_utf8(server: TestServer) {
        let calls = server.calls();
        for (arg, path) in [
            (r#"{"path":"/Stra\u00dfe \ud83d\udc0b"}"#, "/Stra\u{df}e \u{1f40b}"),
            ("{\"path\":\"/raw \u{df} \u{1f40b}\"}", "/raw \u{df} \u{1f40b}"),
        ] {
            let request = calls
                .request(Method::POST, "/2/files/upload")
                .header("dropbox-api-arg", arg.as_bytes())
                .header(CONTENT_TYPE, "application/octet-stream");
            assert_eq!(calls.send(request).await.ok()["path_display"], path);
        }
    }

    async fn a_large_argument_is_read_and_a_huge_one_refused(server: TestServer) {
        let calls = server.calls();
        let padded = |size: usize| format!(r#"{{"path":{}"/a"}}"#, " ".repeat(size));
        let send = |arg: String| {
            let request = calls
                .request(Method::POST, "/2/files/upload")
                .header("dropbox-api-arg", arg)
                .header(CONTENT_TYPE, "application/octet-stream");
            calls.send(request)
        };
        send(padded(400 * 1024)).await.ok();
        let head = format!(
            "POST /2/files/upload HTTP/1.1\r\nHost: localhost\r\nX-Huge: {}\r\n\r\n",
            "x".repeat(2 * MIB)
        );
        // The server may answer and close before all of it is written.
        let mut stream = TcpStream::connect(server.address()).unwrap();
        let _ = stream.write_all(head.as_bytes());
        let mut begin = [0; 12];
        if stream.read_exact(&mut begin).is_ok() {
            assert_eq!(&begin, b"HTTP/1.1 431");
        }
        send(padded(10)).await.ok();
    }

    async fn a_large_argument_passes_over_http_2_too(server: TestServer) {
        // In frames of 16 KiB, as every client sends them unless it is told otherwise.
        let calls = server.calls().over_http2();
        for size in [100, 200, 400] {
            let arg = format!(r#"{{"path":{}"/a{size}"}}"#, " ".repeat(size * 1024));
            let request = calls
                .request(Method::POST, "/2/files/upload")
                .header("dropbox-api-arg", arg)
                .header(CONTENT_TYPE, "application/octet-stream");
            calls.send(request.body("x")).await.ok();
        }
    }

    async fn a_body_over_the_limit_is_too_large_declared_or_not(server: TestServer) {
        let calls = server.calls();
        let session = calls.start("{}", "").await;
        let piece = vec![7; MIB];
        let declared = append_head(&server, &session, 0, &format!("Content-Length: {}\r\n", 151 * MIB));
        let mut parts = vec![&declared[..]];
        parts.extend(std::iter::repeat_n(&piece[..], 151));
        let answer = exchange(&server, &parts, true);
        assert!(answer.starts_with("HTTP/1.1 409 "), "{answer}");

        let chunked = append_head(&server, &session, 0, "Transfer-Encoding: chunked\r\nConnection: close\r\n");
        let chunk = [format!("{MIB:x}\r\n").as_bytes(), &piece, b"\r\n"].concat();
        let mut parts = vec![&chunked[..]];
        parts.extend(std::iter::repeat_n(&chunk[..], 151));
        parts.push(b"0\r\n\r\n");
        let answer = exchange(&server, &parts, false);
        assert!(answer.starts_with("HTTP/1.1 409 "), "{answer}");
        assert!(answer.contains(r#"{"error_summary": "payload_too_large/."#), "{answer}");

        assert_eq!(calls.append(&session, 1, "").await.json()["error"]["correct_offset"], 0);
    }

    async fn a_body_at_the_limit_is_taken(server: TestServer) {
        let calls = server.calls();
        let session = calls.start("{}", "").await;
        let most = limits::REQUEST_BODY as usize;
        calls.append(&session, 0, vec![7; most]).await.ok();
        assert_eq!(calls.append(&session, 0, "").await.json()["error"]["correct_offset"], most);
    }

    async fn who_writes_a_whole_body_before_reading_finds_the_early_answer(server: TestServer) {
        let session = server.calls().start("{}", "hello").await;
        let piece = vec![7; MIB];
        let lines = format!("Content-Length: {}\r\nConnection: close\r\n", 150 * MIB);
        let head = append_head(&server, &session, 0, &lines);
        let mut parts = vec![&head[..]];
        parts.extend(std::iter::repeat_n(&piece[..], 150));
        let answer = exchange(&server, &parts, false);
        assert!(answer.starts_with("HTTP/1.1 409 "), "{answer}");
        assert!(answer.contains(r#""correct_offset": 5"#), "{answer}");
    }

    async fn a_client_that_waits_for_continue_is_answered_before_it_sends(server: TestServer) {
        let session = server.calls().start("{}", "hello").await;
        let lines = "Content-Length: 5\r\nExpect: 100-continue\r\n";
        let refused = exchange(&server, &[&append_head(&server, &session, 0, lines)], true);
        assert!(refused.starts_with("HTTP/1.1 409 "), "{refused}");

        let mut stream = TcpStream::connect(server.address()).unwrap();
        stream.write_all(&append_head(&server, &session, 5, lines)).unwrap();
        assert!(read(&mut stream, true).starts_with("HTTP/1.1 100 "));
        stream.write_all(b"world").unwrap();
        assert!(read(&mut stream, true).starts_with("HTTP/1.1 200 "));
    }

    async fn a_body_that_breaks_off_leaves_the_session_as_it_was(server: TestServer) {
        let calls = server.calls();
        let session = calls.start("{}", "hello").await;
        let mut stream = TcpStream::connect(server.address()).unwrap();
        stream.write_all(&append_head(&server, &session, 5, "Content-Length: 1000000\r\n")).unwrap();
        stream.write_all(&[7; 500_000]).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
        calls.append(&session, 5, "!").await.ok();
        assert_eq!(calls.finish(&session, 6, r#"{"path": "/a"}"#, "").await.ok()["size"], 6);
    }

    async fn what_is_no_api_is_not_found(server: TestServer) {
        let calls = server.calls();
        for path in ["/", "/2", "/1/files", "/favicon.ico"] {
            assert_eq!(calls.send(calls.anonymous(Method::GET, path)).await.status, 404, "{path}");
        }
    }
}
