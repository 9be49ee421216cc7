//! What a user's clients are told of: each change that wasn't muted, once and in order, and no
//! other (P10).

use landfall_protocol::Scope;
use landfall_server::{Numbering, TokenGrant};
use landfall_testkit::{Calls, Event, Events, Method, Stores, TestServer, on_each_store};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// The path of the change that the tests make last.
const END: &str = "/the end";

/// All events up to a last change, which is made here.
async fn told(calls: &Calls, events: &mut Events) -> Vec<Event> {
    calls.create_folder(END).await.ok();
    let told = until_end(events).await;
    calls.delete(END).await.ok();
    assert_eq!(next(events).await.data["path_display"], END);
    told
}

async fn until_end(events: &mut Events) -> Vec<Event> {
    let mut told = Vec::new();
    loop {
        let event = next(events).await;
        if event.data["path_display"] == END {
            return told;
        }
        told.push(event);
    }
}

async fn next(events: &mut Events) -> Event {
    events.next().await.expect("the stream goes on")
}

fn paths(events: &[Event]) -> Vec<String> {
    let line = |event: &Event| {
        format!(
            "{} {}",
            event.name,
            event.data["path_display"].as_str().unwrap_or_default()
        )
    };
    events.iter().map(line).collect()
}

async fn finish(calls: &Calls, body: &'static str, commit: &Value) -> Value {
    let session = calls.start(r#"{"close": true}"#, body).await;
    calls
        .finish(&session, body.len(), &commit.to_string(), "")
        .await
        .ok()
}

on_each_store! {
    async fn each_kind_of_change_is_told(server: TestServer) {
        let calls = server.calls();
        let mut events = calls.notifications(None).await;
        let added = calls.put("/Dir/File", "one").await;
        server.clock().advance_seconds(5);
        let changed = calls.put("/dir/file", "two").await;
        calls.create_folder("/Other").await.ok();
        calls.delete("/Dir/File").await.ok();
        calls.delete("/dir").await.ok();
        let told = told(&calls, &mut events).await;
        let data: Vec<&Value> = told.iter().map(|event| &event.data).collect();
        let at = |second| format!("2026-01-02T03:04:{second}Z");
        assert_eq!(
            data,
            [
                &json!({"event": "file_added", "path_display": "/Dir/File", "rev": added["rev"], "at": at("05")}),
                &json!({"event": "file_changed", "path_display": "/Dir/File", "rev": changed["rev"], "at": at("10")}),
                &json!({"event": "folder_added", "path_display": "/Other", "at": at("10")}),
                &json!({"event": "file_deleted", "path_display": "/Dir/File", "at": at("10")}),
                &json!({"event": "folder_deleted", "path_display": "/Dir", "at": at("10")}),
            ]
        );
        assert!(told.iter().all(|event| event.data["event"] == *event.name), "{told:?}");
        assert!(told.is_sorted_by(|one, other| one.id < other.id), "{told:?}");
    }

    async fn a_muted_commit_is_never_told_by_any_route(server: TestServer) {
        let calls = server.calls();
        let everything = json!({"path": "", "recursive": true}).to_string();
        let cursor = calls.rpc("files/list_folder/get_latest_cursor", &everything).await.ok();
        let mut events = calls.notifications(None).await;
        let muted = |path: &str| json!({"path": path, "mode": "overwrite", "mute": true});

        for body in ["one", "two"] {
            calls.upload("files/upload", &muted("/upload").to_string(), body).await.ok();
            calls.upload("files/alpha/upload", &muted("/alpha").to_string(), body).await.ok();
            finish(&calls, body, &muted("/finish")).await;
            let session = calls.start(r#"{"close": true}"#, body).await;
            let other = calls.start(r#"{"close": true}"#, body).await;
            let entries = [(&session[..], 3, muted("/batch")), (&other[..], 3, muted("/new/batch"))];
            let first = calls.finish_batch(&entries).await.ok();
            assert_eq!(first["entries"][0][".tag"], "success");
            let job = calls.start(r#"{"close": true}"#, body).await;
            let job = calls.finish_job(&[(&job, 3, muted("/job"))]).await;
            assert_eq!(calls.outcome(&job).await[0][".tag"], "success");
            // And again, as after lost answers.
            assert_eq!(calls.finish_batch(&entries).await.ok(), first);
            assert_eq!(calls.outcome(&calls.finish_job(&entries).await).await, first["entries"]);
            let alone = calls.finish(&session, 3, &entries[0].2.to_string(), "").await.ok();
            assert_eq!(alone["rev"], first["entries"][0]["rev"]);
        }
        let concurrent = calls.start(r#"{"session_type": "concurrent"}"#, "").await;
        calls.piece(&concurrent, 0, "x", true).await.ok();
        calls.finish(&concurrent, 1, &muted("/concurrent").to_string(), "").await.ok();
        let renamed = json!({"path": "/upload", "autorename": true, "mute": true});
        assert_eq!(finish(&calls, "three", &renamed).await["name"], "upload (2)");

        assert_eq!(told(&calls, &mut events).await, []);
        let page = calls.list_on(cursor["cursor"].as_str().expect("a cursor")).await.ok();
        let entries = page["entries"].as_array().expect("entries").iter();
        let mut changed: Vec<&str> = entries.filter_map(|entry| entry["path_display"].as_str()).collect();
        changed.sort_unstable();
        let wanted = [
            "/alpha", "/batch", "/concurrent", "/finish", "/job", "/new", "/new/batch", END, "/upload",
            "/upload (2)",
        ];
        assert_eq!(changed, wanted, "the journal has them all the same");
    }

    async fn an_unmuted_repetition_of_a_muted_finish_tells_nothing(server: TestServer) {
        let calls = server.calls();
        let mut events = calls.notifications(None).await;
        let session = calls.start("{}", "hello").await;
        let muted = r#"{"path": "/f", "mute": true}"#;
        calls.finish(&session, 5, muted, "").await.ok();
        for unmuted in [r#"{"path": "/f"}"#, r#"{"path": "/f", "mute": false}"#] {
            let refused = calls.finish(&session, 5, unmuted, "").await;
            assert_eq!(refused.error(), "lookup_failed/not_found", "it is another commit");
        }
        let entries = [(&session[..], 5, json!({"path": "/f"}))];
        calls.finish_batch(&entries).await.ok();
        calls.outcome(&calls.finish_job(&entries).await).await;
        // The same bytes once more are nothing new, muted or not.
        calls.upload("files/upload", r#"{"path": "/f"}"#, "hello").await.ok();
        assert_eq!(told(&calls, &mut events).await, []);
    }

    async fn a_repeated_finish_is_told_once(server: TestServer) {
        let calls = server.calls();
        let mut events = calls.notifications(None).await;
        let session = calls.start("{}", "hello").await;
        for _ in 0..3 {
            calls.finish(&session, 5, r#"{"path": "/f"}"#, "").await.ok();
        }
        assert_eq!(paths(&told(&calls, &mut events).await), ["file_added /f"]);
    }

    async fn what_changes_nothing_is_not_told(server: TestServer) {
        let calls = server.calls();
        calls.put("/f", "hello").await;
        let mut events = calls.notifications(None).await;
        calls.put("/f", "hello").await;
        calls.commit(&json!({"path": "/f"}), "other").await.error();
        calls.commit(&json!({"path": "/new/desktop.ini"}), "other").await.error();
        calls.create_folder("/f").await.error();
        calls.delete("/nothing").await.error();
        let session = calls.start("{}", "unfinished").await;
        calls.append(&session, 10, " for ever").await.ok();
        assert_eq!(told(&calls, &mut events).await, []);
    }

    async fn a_reader_that_was_cut_off_goes_on_where_it_was(server: TestServer) {
        let calls = server.calls();
        for path in ["/a", "/b", "/c"] {
            calls.put(path, "x").await;
        }
        let mut events = calls.notifications(Some("0")).await;
        let first = next(&mut events).await;
        assert_eq!(first.data["path_display"], "/a", "0 is the oldest that is kept");
        drop(events);
        calls.put("/d", "x").await;
        let mut events = calls.notifications(Some(&first.id.to_string())).await;
        let rest = ["file_added /b", "file_added /c", "file_added /d"];
        assert_eq!(paths(&told(&calls, &mut events).await), rest);
        // Without a place to go on from, it is what happens next.
        let mut events = calls.notifications(None).await;
        assert_eq!(told(&calls, &mut events).await, []);
    }

    async fn many_notifications_come_in_order(server: TestServer) {
        let calls = server.calls();
        for nth in 0..450 {
            calls.put(&format!("/{nth:03}"), "x").await;
        }
        let mut events = calls.notifications(Some("0")).await;
        for nth in 0..450 {
            assert_eq!(next(&mut events).await.data["path_display"], format!("/{nth:03}"));
        }
    }

    async fn a_reader_that_waits_is_told_at_once(server: TestServer) {
        let calls = server.calls();
        let mut events = calls.notifications(None).await;
        let reading = tokio::spawn(async move { next(&mut events).await });
        calls.put("/f", "x").await;
        let event = reading.await.expect("a reader");
        assert_eq!((event.name.as_str(), &event.data["path_display"]), ("file_added", &json!("/f")));
    }

    async fn nobody_is_told_of_another_account(server: TestServer) {
        let (calls, other) = (server.calls(), server.calls_as("other").await);
        let mut events = calls.notifications(Some("0")).await;
        let mut others = other.notifications(Some("0")).await;
        calls.put("/panda", "x").await;
        other.put("/other", "x").await;
        assert_eq!(paths(&told(&calls, &mut events).await), ["file_added /panda"]);
        assert_eq!(paths(&told(&other, &mut others).await), ["file_added /other"]);
    }

    async fn who_is_no_longer_let_in_is_told_no_more(server: TestServer) {
        let admin = server.admin();
        let token = server.token_of("panda").await;
        let mut events = server.calls_with(&token).notifications(None).await;
        let tokens = admin.tokens("panda").await.expect("tokens");
        let hash = landfall_server::ops::hash_of_token(&token);
        let id = tokens.iter().find(|token| token.hash == hash).expect("the token").id.clone();
        server.calls().put("/before", "x").await;
        assert_eq!(next(&mut events).await.data["path_display"], "/before");
        admin.revoke_token(&id).await.expect("it is revoked");
        server.calls().put("/after", "x").await;
        assert_eq!(events.next().await, None);
    }

    async fn notifications_are_kept_for_thirty_days(server: TestServer) {
        let calls = server.calls();
        calls.put("/old", "x").await;
        server.clock().advance_seconds(30 * 24 * 60 * 60);
        calls.put("/new", "x").await;
        let policy = landfall_server::upkeep::Policy::default();
        server.upkeep().run(policy).await.expect("the upkeep works");
        let mut events = calls.notifications(Some("0")).await;
        assert_eq!(next(&mut events).await.data["path_display"], "/new");
    }

    async fn a_stream_ends_with_the_server(server: TestServer) {
        let mut events = server.calls().notifications(None).await;
        let reading = tokio::spawn(async move { events.next().await });
        server.stop().await;
        assert_eq!(reading.await.expect("a reader"), None);
    }

    async fn bad_requests_are_refused(server: TestServer) {
        let calls = server.calls();
        let path = "/landfall/notifications";
        for id in ["", "x", "-1", "1.5", "9223372036854775808", "99999999999999999999"] {
            let request = calls.request(Method::GET, path).header("last-event-id", id);
            let answer = calls.send(request).await;
            let sentence = "HTTP header \"Last-Event-ID\": must be the id of an event, a number.";
            assert_eq!((answer.status, answer.text().as_str()), (400, sentence), "{id:?}");
        }
        let answer = calls.send(calls.request(Method::POST, path)).await;
        assert_eq!(answer.status, 405);
        let answer = calls.send(calls.anonymous(Method::GET, path)).await;
        assert_eq!(answer.status, 400, "{}", answer.text());
        let unknown = server.calls_with("lf.nobody-has-this-one");
        let answer = unknown.send(unknown.request(Method::GET, path)).await;
        assert_eq!(answer.status, 401, "{}", answer.text());
        assert_eq!(answer.json()["error"][".tag"], "invalid_access_token");

        let scopes: Vec<Scope> = Scope::ALL.into_iter().filter(|scope| *scope != Scope::FilesMetadataRead).collect();
        let grant = TokenGrant { scopes, ..TokenGrant::default() };
        let token = server.admin().create_token("panda", grant).await.expect("a token");
        let lacking = server.calls_with(&token);
        let answer = lacking.send(lacking.request(Method::GET, path)).await;
        assert_eq!(answer.status, 401, "{}", answer.text());
        assert_eq!(answer.json()["error"]["required_scope"], "files.metadata.read");
    }
}

#[test]
fn changes_by_another_process_are_told_too() {
    TestServer::run(Stores::Directory, |server| async move {
        let beside = server.beside().await;
        let mut events = server.calls().notifications(None).await;
        beside.calls().put("/f", "x").await;
        assert_eq!(next(&mut events).await.data["path_display"], "/f");
        // And the number of the event means the same to both.
        beside.calls().put("/g", "x").await;
        let id = next(&mut events).await.id;
        beside.calls().put("/h", "x").await;
        let mut resumed = beside.calls().notifications(Some(&id.to_string())).await;
        assert_eq!(next(&mut resumed).await.data["path_display"], "/h");
    });
}

#[test]
fn a_silent_stream_ends_soon_for_who_is_no_longer_let_in() {
    // The time of the runtime stands still, and jumps to the next moment for which somebody waits.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.expect("a runtime").block_on(async {
        let server = TestServer::start(Stores::Memory, Numbering::Documented).await;
        let mut events = server.calls().notifications(None).await;
        let tokens = server.admin().tokens("panda").await.expect("tokens");
        tokio::time::pause();
        let begun = Instant::now();
        let silent = timeout(Duration::from_secs(60), events.next()).await;
        assert!(silent.is_err(), "nothing is told, and the stream goes on");
        let revoked = server.admin().revoke_token(&tokens[0].id).await;
        revoked.expect("it is revoked");
        assert_eq!(events.next().await, None);
        let over = begun.elapsed() - Duration::from_secs(60);
        assert!(over < Duration::from_secs(20), "{over:?}");
    });
}
