//! Accounts that are deleted: nobody gets in from that moment on, and nothing stays.

use landfall_protocol::routes::{Auth, ROUTES, Style};
use landfall_server::upkeep::{Collected, Policy};
use landfall_server::{AdminError, TokenGrant};
use landfall_testkit::{Answer, Calls, Method, Stores, TestServer, on_each_store, pattern};
use serde_json::json;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// Larger than what is stored in the metadata, so that it is a blob of its own.
const LARGE: usize = 100_000;

const AT_ONCE: Policy = Policy {
    keep_revisions: None,
    grace: Duration::ZERO,
};

async fn collect(server: &TestServer) -> Collected {
    server
        .upkeep()
        .run(AT_ONCE)
        .await
        .expect("the upkeep works")
}

/// How many blobs there are, after a check that found nothing wrong.
async fn blobs(server: &TestServer) -> u64 {
    let checked = server.upkeep().check(None).await.expect("the check works");
    assert_eq!((checked.problems, checked.strays), (vec![], 0));
    checked.blobs
}

async fn delete(server: &TestServer, name: &str) {
    server
        .admin()
        .delete_account(name)
        .await
        .expect("it is there");
}

/// A call of a route that only needs a good token to be refused for another reason.
async fn knock(calls: &Calls, tail: &str, style: Style, token: &str) -> Answer {
    let request = calls
        .anonymous(Method::POST, &format!("/2/{tail}"))
        .bearer_auth(token);
    let request = match style {
        Style::Rpc => request
            .header("content-type", "application/json")
            .body("{}"),
        Style::Upload => request
            .header("content-type", "application/octet-stream")
            .header("dropbox-api-arg", "{}"),
        Style::Download => request.header("dropbox-api-arg", "{}"),
    };
    calls.send(request).await
}

on_each_store! {
    async fn nobody_gets_in_from_the_first_moment_on(server: TestServer) {
        let calls = server.calls();
        calls.put("/x", "hello").await;
        delete(&server, "panda").await;
        for route in ROUTES.iter().filter(|route| route.auth == Auth::User) {
            let deleted = knock(&calls, route.tail, route.style, server.token()).await;
            let unknown = knock(&calls, route.tail, route.style, "lf.nobody-has-this-one").await;
            assert_eq!(deleted.status, 401, "{}", route.tail);
            assert_eq!(deleted.json()["error"], json!({".tag": "invalid_access_token"}));
            assert_eq!(deleted.body, unknown.body);
            let names = |answer: &Answer| -> Vec<String> {
                answer.headers.keys().map(ToString::to_string).collect()
            };
            assert_eq!(names(&deleted), names(&unknown));
        }
        let again = server.admin().delete_account("panda").await;
        assert!(matches!(again, Err(AdminError::NoSuchAccount(_))), "{again:?}");
        assert!(server.admin().accounts().await.unwrap().is_empty());
    }

    async fn the_name_is_free_for_somebody_else(server: TestServer) {
        server.calls().put("/x", pattern(1, LARGE)).await;
        let old = server.calls().rpc("users/get_current_account", "null").await.ok();
        let page = server.calls().list(&json!({"path": ""})).await.ok();
        delete(&server, "panda").await;
        let calls = server.calls_as("panda").await;
        assert_eq!(calls.tree().await, [""; 0]);
        let new = calls.rpc("users/get_current_account", "null").await.ok();
        assert_ne!(new["account_id"], old["account_id"]);
        calls.put("/x", "of the new one").await;
        assert_eq!(server.calls().metadata("/x").await.status, 401);

        assert_eq!(collect(&server).await.accounts, 1);
        let arg = json!({"cursor": page["cursor"], "timeout": 30}).to_string();
        // It needs no token, and must not have one.
        let request = calls
            .anonymous(Method::POST, "/2/files/list_folder/longpoll")
            .header("content-type", "application/json")
            .body(arg);
        let waited = calls.send(request).await;
        assert_eq!(waited.error(), "reset", "the tree is gone, and nobody waits for it");
        assert_eq!(calls.read("/x").await, "of the new one");
        assert_eq!(calls.rpc("users/get_space_usage", "null").await.ok()["used"], 14);
        assert_eq!(blobs(&server).await, 1);
        delete(&server, "panda").await;
        assert_eq!(collect(&server).await.accounts, 1);
        assert_eq!(blobs(&server).await, 0);
    }

    async fn everything_goes_and_what_is_anothers_stays(server: TestServer) {
        let panda = server.calls();
        let other = server.calls_as("other").await;
        for calls in [&panda, &other] {
            for nth in 0..3 {
                calls.put(&format!("/dir/{nth}"), pattern(nth, LARGE)).await;
                calls.put(&format!("/dir/{nth}"), pattern(nth + 10, LARGE)).await;
            }
            calls.delete("/dir/0").await.ok();
            let done = calls.start("{}", pattern(20, LARGE)).await;
            calls.finish(&done, LARGE, r#"{"path": "/done"}"#, "").await.ok();
            let open = calls.start("{}", pattern(21, LARGE)).await;
            calls.append(&open, LARGE, "small").await.ok();
        }
        assert_eq!(blobs(&server).await, 2 * 9);
        let tree = other.tree().await;
        delete(&server, "panda").await;
        let collected = collect(&server).await;
        assert_eq!((collected.accounts, collected.blobs), (1, 8), "one of the nine was no file");
        assert_eq!(blobs(&server).await, 9);
        assert_eq!(collect(&server).await, Collected::default());
        assert_eq!(other.tree().await, tree);
        for nth in 1..3 {
            assert!(other.read(&format!("/dir/{nth}")).await == pattern(nth + 10, LARGE));
        }
        assert!(other.read("/done").await == pattern(20, LARGE));
        let page = other.list(&json!({"path": ""})).await.ok();
        other.list_on(page["cursor"].as_str().unwrap()).await.ok();
    }

    async fn a_large_account_goes_in_many_slices(server: TestServer) {
        let calls = server.calls();
        for nth in 0..250 {
            calls.put(&format!("/{nth}"), "x").await;
            calls.start("{}", "y").await;
            server.admin().create_token("panda", TokenGrant::default()).await.unwrap();
        }
        calls.delete("/0").await.ok();
        assert_eq!(blobs(&server).await, 500);
        delete(&server, "panda").await;
        assert_eq!(server.upkeep().end_deletions().await.unwrap(), 1);
        assert_eq!(server.upkeep().end_deletions().await.unwrap(), 0);
        assert_eq!(blobs(&server).await, 500, "bytes go with the collection");
        collect(&server).await;
        assert_eq!(blobs(&server).await, 0);
    }

    async fn requests_that_were_let_in_before_leave_nothing_behind(server: TestServer) {
        let calls = server.calls();
        let session = calls.start("{}", "begun").await;
        let cursor = json!({"session_id": session, "offset": 5});
        let waiting: Vec<_> = [
            ("files/upload", json!({"path": "/x"})),
            ("files/upload_session/start", json!({})),
            ("files/upload_session/append_v2", json!({"cursor": cursor})),
            ("files/upload_session/finish", json!({"cursor": cursor, "commit": {"path": "/y"}})),
        ]
        .into_iter()
        .map(|(route, arg)| Waiting::begin(&server, route, &arg.to_string()))
        .collect();
        delete(&server, "panda").await;
        collect(&server).await;
        let answers: Vec<String> = waiting.into_iter().map(Waiting::end).collect();
        for answer in &answers[..2] {
            assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
            assert!(answer.contains("invalid_access_token"), "{answer}");
        }
        assert!(answers[2].contains(r#"{"error_summary": "not_found/"#), "{answers:?}");
        // The tree is looked for first.
        assert!(answers[3].contains("invalid_access_token"), "{answers:?}");
        assert_eq!(blobs(&server).await, 0);
    }
}

/// A request that was let in, and whose body has not come.
struct Waiting(TcpStream);

impl Waiting {
    fn begin(server: &TestServer, route: &str, arg: &str) -> Self {
        let mut stream = TcpStream::connect(server.address()).unwrap();
        let head = format!(
            "POST /2/{route} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\
             Content-Type: application/octet-stream\r\nDropbox-API-Arg: {arg}\r\n\
             Content-Length: {LARGE}\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n",
            server.token()
        );
        stream.write_all(head.as_bytes()).unwrap();
        let mut go_on = [0; b"HTTP/1.1 100 Continue\r\n\r\n".len()];
        stream.read_exact(&mut go_on).unwrap();
        assert!(
            go_on.starts_with(b"HTTP/1.1 100"),
            "{}",
            String::from_utf8_lossy(&go_on)
        );
        Self(stream)
    }

    /// Sends the body and returns the answer.
    fn end(mut self) -> String {
        self.0.write_all(&pattern(1, LARGE)).unwrap();
        let mut answer = String::new();
        self.0.read_to_string(&mut answer).unwrap();
        answer
    }
}

#[test]
fn no_row_of_a_deleted_account_is_left() {
    TestServer::run(Stores::Directory, async |server| {
        let dir = server.directory().expect("a directory");
        let rows = || -> Vec<(String, i64)> {
            let file = dir.join("metadata.sqlite");
            let connection = rusqlite::Connection::open(file).unwrap();
            let sql = "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name";
            let mut statement = connection.prepare(sql).unwrap();
            let names = statement
                .query_map([], |row| row.get::<_, String>(0))
                .unwrap();
            let count = |name: String| {
                let sql = format!("SELECT count(*) FROM {name}");
                let rows = connection.query_row(&sql, [], |row| row.get(0)).unwrap();
                (name, rows)
            };
            names.map(Result::unwrap).map(count).collect()
        };
        // The process is known as a writer from its first file on.
        server.calls().put("/x", pattern(1, LARGE)).await;
        let before = rows();
        let other = server.calls_as("other").await;
        other.put("/dir/x", pattern(1, LARGE)).await;
        other.put("/dir/x", "changed").await;
        other.delete("/dir").await.ok();
        let session = other.start("{}", "done").await;
        other
            .finish(&session, 4, r#"{"path": "/done"}"#, "")
            .await
            .ok();
        other.start("{}", pattern(2, LARGE)).await;
        let entry = json!({
            "cursor": {"session_id": other.start("{}", "in a batch").await, "offset": 10},
            "commit": {"path": "/batch"},
        });
        let batch = json!({"entries": [entry]}).to_string();
        let job = other
            .rpc("files/upload_session/finish_batch", &batch)
            .await
            .ok();
        let job = json!({"async_job_id": job["async_job_id"]}).to_string();
        let check = "files/upload_session/finish_batch/check";
        while other.rpc(check, &job).await.ok()[".tag"] != "complete" {}
        let grown: Vec<String> = rows()
            .into_iter()
            .zip(&before)
            .filter(|(now, before)| now.1 > before.1)
            .map(|(now, _)| now.0)
            .collect();
        for table in [
            "account",
            "blob",
            "blob_bytes",
            "extent",
            "job",
            "namespace",
            "node",
            "notification",
            "replay",
            "revision",
            "session",
            "token",
        ] {
            assert!(grown.iter().any(|one| one == table), "{table}: {grown:?}");
        }
        delete(&server, "other").await;
        collect(&server).await;
        assert_eq!(rows(), before);
    });
}
