//! Scripts in browsers, and other odd forms that a request may have (CORS, URL parameters).

use landfall_protocol::routes::{ROUTES, Style};
use landfall_testkit::{Body, Calls, Method, RequestBuilder, on_each_store};
use serde_json::json;

const HACK: &str = "text/plain; charset=dropbox-cors-hack";

/// What a browser asks before a script's request.
fn preflight(calls: &Calls, path: &str) -> RequestBuilder {
    calls
        .anonymous(Method::OPTIONS, path)
        .header("origin", "https://app.example.org")
        .header("access-control-request-method", "POST")
        .header(
            "access-control-request-headers",
            "authorization,content-type,dropbox-api-arg",
        )
}

on_each_store! {
    async fn a_browser_that_asks_first_may_call_every_route(server: TestServer) {
        let calls = server.calls();
        for route in ROUTES {
            let asked = preflight(&calls, &format!("/2/{}", route.tail));
            let answer = calls.send(asked).await;
            assert_eq!(answer.status, 204, "{}", route.tail);
            assert_eq!(answer.header("access-control-allow-origin"), "*");
            assert!(answer.header("access-control-allow-methods").contains("POST"));
            assert_eq!(
                answer.header("access-control-allow-headers"),
                "authorization,content-type,dropbox-api-arg"
            );
        }
    }

    async fn a_script_may_read_answers_and_errors(server: TestServer) {
        let calls = server.calls();
        calls.upload("files/upload", r#"{"path": "/a"}"#, "hello").await;
        let download = |arg: &'static str| calls
            .request(Method::POST, "/2/files/download")
            .header("origin", "https://app.example.org")
            .header("range", "bytes=1-2")
            .header("dropbox-api-arg", arg);
        for (arg, status) in [
            (r#"{"path": "/a"}"#, 206), (r#"{"path": "/b"}"#, 409), ("{", 400),
        ] {
            let answer = calls.send(download(arg)).await;
            assert_eq!(answer.status, status);
            assert_eq!(answer.header("access-control-allow-origin"), "*");
            let exposed = answer.header("access-control-expose-headers").to_lowercase();
            for name in ["dropbox-api-result", "content-range", "retry-after", "x-dropbox-request-id"] {
                assert!(exposed.contains(name), "{name}");
            }
        }
    }

    async fn what_is_not_the_api_is_closed_to_scripts(server: TestServer) {
        let calls = server.calls();
        for path in ["/metrics", "/healthz", "/landfall/notifications"] {
            let asked = calls.send(preflight(&calls, path)).await;
            let got = calls.anonymous(Method::GET, path).header("origin", "https://x.example");
            let got = calls.send(got).await;
            for answer in [asked, got] {
                assert!(!answer.headers.contains_key("access-control-allow-origin"), "{path}");
            }
        }
    }

    async fn a_request_that_needs_no_preflight_has_all_of_it_in_its_url(server: TestServer) {
        let calls = server.calls();
        let authorization = format!("authorization=Bearer%20{}", server.token());
        let plain = |route: &str, arg: &str| {
            let url = format!("/2/{route}?reject_cors_preflight=true&{authorization}&arg={arg}");
            calls
                .anonymous(Method::POST, &url)
                .header("origin", "https://app.example.org")
                .header("content-type", HACK)
        };
        let path = "%7B%22path%22%3A%20%22%2FStra%C3%9Fe+1.txt%22%7D";
        let answer = calls.send(plain("files/upload", path).body("hello")).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.json()["name"], "Straße 1.txt");
        let answer = calls.send(plain("files/download", path)).await;
        assert_eq!(answer.text(), "hello");
        let url = format!("/2/files/get_metadata?reject_cors_preflight=true&{authorization}");
        let rpc = calls.anonymous(Method::POST, &url).header("content-type", HACK);
        let answer = calls.send(rpc.body(r#"{"path": "/straße 1.TXT"}"#)).await;
        assert_eq!(answer.json()["size"], 5);
    }

    async fn an_empty_query_is_none(server: TestServer) {
        let calls = server.calls();
        let start = calls
            .request(Method::POST, "/2/files/upload_session/start?")
            .header("content-type", "application/octet-stream");
        assert_eq!(calls.send(start).await.status, 200);
        let account = calls
            .request(Method::POST, "/2/users/get_current_account?")
            .header("content-type", "application/json; charset=UTF-8")
            .body("null");
        assert_eq!(calls.send(account).await.status, 200);
        let unknown = calls.send(calls.request(Method::POST, "/2/files/nope?")).await;
        assert!(unknown.text().ends_with("Unknown API function: /2/files/nope"));
    }

    async fn an_empty_body_in_chunks_is_an_empty_body(server: TestServer) {
        let calls = server.calls();
        // Its length isn't known beforehand, so it goes in chunks, of which there is only the last.
        let nothing = || Body::wrap_stream(futures_util::stream::empty::<std::io::Result<Vec<u8>>>());
        let answer = calls.upload("files/upload", r#"{"path": "/empty"}"#, nothing()).await;
        assert_eq!(answer.json()["size"], 0);
        let answer = calls.upload("files/upload_session/start", r#"{"close": true}"#, nothing()).await;
        let id = answer.json()["session_id"].as_str().unwrap().to_owned();
        let finish = json!({
            "cursor": {"session_id": id, "offset": 0},
            "commit": {"path": "/finished"},
        });
        let answer = calls
            .upload("files/upload_session/finish", &finish.to_string(), nothing())
            .await;
        assert_eq!(answer.json()["size"], 0);
        let void = calls.request(Method::POST, "/2/users/get_space_usage").body(nothing());
        assert_eq!(calls.send(void).await.status, 200);
        let download = calls.request(Method::POST, "/2/files/download")
            .header("dropbox-api-arg", r#"{"path": "/empty"}"#)
            .body(nothing());
        assert_eq!(calls.send(download).await.status, 200);
    }

    async fn answers_come_as_they_are_whatever_the_client_could_unpack(server: TestServer) {
        let calls = server.calls();
        calls.upload("files/upload", r#"{"path": "/a"}"#, vec![7; 100_000]).await;
        for route in ROUTES {
            let mut request = calls
                .request(Method::POST, &format!("/2/{}", route.tail))
                .header("accept-encoding", "gzip, deflate, br, zstd");
            request = match route.style {
                Style::Rpc => request.header("content-type", "application/json").body("{}"),
                Style::Upload => request.header("content-type", "application/octet-stream"),
                Style::Download => request.header("dropbox-api-arg", r#"{"path": "/a"}"#),
            };
            let answer = calls.send(request).await;
            assert!(!answer.headers.contains_key("content-encoding"), "{}", route.tail);
            assert_eq!(answer.header("vary"), "Accept-Encoding", "{}", route.tail);
        }
    }
}
