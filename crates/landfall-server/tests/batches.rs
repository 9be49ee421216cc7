//! Batches over HTTP: many sessions in one request, each with a verdict of its own.

use landfall_protocol::ContentHash;
use landfall_testkit::faults::{Plan, Proxy};
use landfall_testkit::{Answer, Calls, Method, TestServer, on_each_store, pattern};
use serde_json::{Value, json};
use std::collections::HashMap;

const START: &str = "files/upload_session/start_batch";
const APPEND: &str = "files/upload_session/append_batch";
const FINISH: &str = "files/upload_session/finish_batch_v2";
const FINISH_JOB: &str = "files/upload_session/finish_batch";
const BLOCK: usize = 4 * 1024 * 1024;

/// The tag of each entry; of failures the chain of tags.
fn verdicts(answer: &Answer) -> Vec<String> {
    let entries = answer.ok()["entries"].clone();
    let chain = |entry: &Value| match entry[".tag"].as_str() {
        Some("failure") => landfall_testkit::oracle::chain(&entry["failure"]),
        tag => tag.expect("a tag").to_owned(),
    };
    entries
        .as_array()
        .expect("entries")
        .iter()
        .map(chain)
        .collect()
}

fn entry(session: &str, offset: usize, length: u64) -> Value {
    json!({"cursor": {"session_id": session, "offset": offset}, "length": length})
}

fn add(path: &str) -> Value {
    json!({ "path": path })
}

/// The sentence of a 400.
fn sentence(answer: &Answer) -> String {
    assert_eq!(answer.status, 400, "{}", answer.text());
    let text = answer.text();
    text.split_once("\": ")
        .expect("a function and a sentence")
        .1
        .to_owned()
}

/// How many bytes a sequential session holds.
async fn size(calls: &Calls, session: &str) -> Value {
    let refused = calls.append(session, 1 << 40, "").await;
    refused.json()["error"]["correct_offset"].clone()
}

on_each_store! {
    async fn the_documented_append(server: TestServer) {
        let calls = server.calls();
        let [a, b] = &calls.start_batch(2, "sequential").await[..] else { panic!("two sessions") };
        let parts: [(&str, usize, &[u8], bool); 2] = [(a, 0, b"abc", false), (b, 7, b"de", true)];
        let answer = calls.append_batch(&parts).await;
        assert_eq!(
            answer.text(),
            r#"{"entries": [{".tag": "success"}, {".tag": "failure", "failure": {".tag": "incorrect_offset", "correct_offset": 0}}]}"#
        );
        let arg = json!({"entries": [entry(a, 3, 3), entry(b, 0, 2)]}).to_string();
        assert_eq!(calls.upload(APPEND, &arg, "sixsix").await.error(), "length_mismatch");
        assert_eq!(size(&calls, a).await, 3);
    }

    async fn batches_have_up_to_a_thousand_entries(server: TestServer) {
        let calls = server.calls();
        for (count, problem) in [
            (0, "num_sessions: 0 is not within range [1, 1000]"),
            (1001, "num_sessions: 1001 is not within range [1, 1000]"),
        ] {
            let refused = calls.rpc(START, &json!({ "num_sessions": count }).to_string()).await;
            assert_eq!(sentence(&refused), format!("request body: {problem}"));
        }
        let sessions = calls.start_batch(1000, "sequential").await;
        let different: std::collections::HashSet<&String> = sessions.iter().collect();
        assert_eq!(different.len(), 1000);

        assert_eq!(calls.append_batch(&[]).await.text(), r#"{"entries": []}"#);
        assert_eq!(calls.finish_batch(&[]).await.text(), r#"{"entries": []}"#);
        assert_eq!(calls.outcome(&calls.finish_job(&[]).await).await, json!([]));
        let many: Vec<Value> = (0..1001).map(|_| entry(&sessions[0], 0, 0)).collect();
        let refused = calls.upload(APPEND, &json!({ "entries": many }).to_string(), "").await;
        let problem = "HTTP header \"Dropbox-API-Arg\": entries: must have at most 1000 items, got 1001";
        assert_eq!(sentence(&refused), problem);
        let finish = json!({"cursor": {"session_id": sessions[0], "offset": 0}, "commit": {"path": "/x"}});
        let many = json!({"entries": vec![finish; 1001]}).to_string();
        for route in [FINISH, FINISH_JOB] {
            let refused = calls.rpc(route, &many).await;
            let problem = "request body: entries: must have at most 1000 items, got 1001";
            assert_eq!(sentence(&refused), problem);
        }
        assert_eq!(calls.tree().await, [""; 0]);
    }

    async fn sessions_of_a_batch_are_empty_and_open(server: TestServer) {
        let calls = server.calls();
        for session in calls.start_batch(2, "sequential").await {
            calls.append(&session, 0, "hello").await.ok();
            let commit = json!({"path": format!("/{session}")}).to_string();
            calls.finish(&session, 5, &commit, " world").await.ok();
            assert_eq!(calls.read(&format!("/{session}")).await, "hello world");
        }
        for session in calls.start_batch(2, "concurrent").await {
            calls.piece(&session, 0, "hello", true).await.ok();
            calls.finish(&session, 5, &json!({"path": format!("/{session}")}).to_string(), "").await.ok();
        }
    }

    async fn lengths_that_do_not_add_up_store_nothing(server: TestServer) {
        let calls = server.calls();
        let sessions = calls.start_batch(2, "sequential").await;
        let arg = |first, second| {
            let entries = [entry(&sessions[0], 0, first), entry(&sessions[1], 0, second)];
            json!({ "entries": entries }).to_string()
        };
        for (first, second) in [(3, 3), (3, 1), (0, 0), (5, 1), (u64::MAX, 1), (u64::MAX, u64::MAX)] {
            let declared = calls.upload(APPEND, &arg(first, second), "hello").await;
            assert_eq!(declared.error(), "length_mismatch", "{first} and {second}");
            let undeclared = calls.slowly(APPEND, &arg(first, second));
            undeclared.send("hel").await;
            undeclared.send("lo").await;
            assert_eq!(undeclared.end().await.error(), "length_mismatch", "{first} and {second}");
        }
        let empty = calls.upload(APPEND, r#"{"entries": []}"#, "x").await;
        assert_eq!(empty.error(), "length_mismatch");
        for session in &sessions {
            assert_eq!(size(&calls, session).await, 0);
        }
        let undeclared = calls.slowly(APPEND, &arg(3, 2));
        undeclared.send("hel").await;
        undeclared.send("lo").await;
        assert_eq!(verdicts(&undeclared.end().await), ["success", "success"]);
        assert_eq!(size(&calls, &sessions[0]).await, 3);
    }

    async fn a_body_over_the_limit_stores_nothing(server: TestServer) {
        let calls = server.calls();
        let sessions = calls.start_batch(1, "sequential").await;
        let length = 151 * 1024 * 1024;
        let arg = json!({"entries": [entry(&sessions[0], 0, length)]}).to_string();
        assert_eq!(calls.announce(APPEND, &arg, length).await.error(), "payload_too_large");
        assert_eq!(size(&calls, &sessions[0]).await, 0);
    }

    async fn an_argument_of_half_a_mebibyte_is_read(server: TestServer) {
        // A thousand entries in a header, with room between them.
        let calls = server.calls();
        let sessions = calls.start_batch(1000, "sequential").await;
        let entries: Vec<Value> = sessions.iter().map(|session| entry(session, 0, 1)).collect();
        let arg = json!({ "entries": entries }).to_string();
        let padded = |size: usize| format!("{arg}{}", " ".repeat(size - arg.len()));
        for over in [calls.clone(), calls.clone().over_http2()] {
            let send = async |arg: String, byte: u8| {
                let request = over
                    .request(Method::POST, &format!("/2/{APPEND}"))
                    .header("dropbox-api-arg", arg)
                    .header("content-type", "application/octet-stream");
                over.send(request.body(vec![byte; 1000])).await
            };
            let answer = send(padded(480 * 1024), b'x').await;
            assert_eq!(answer.status, 200, "{}", answer.text());
        }
        assert_eq!(size(&calls, &sessions[999]).await, 1, "the second time it was there already");
    }

    async fn a_given_hash_is_that_of_the_whole_body(server: TestServer) {
        let calls = server.calls();
        let sessions = calls.start_batch(2, "sequential").await;
        // The second body is too large for the metadata.
        for (nth, length) in [(0, 10), (1, 300_000)] {
            let body = pattern(nth, length);
            let offset = [0, 5][nth as usize];
            let half = (length / 2) as u64;
            let arg = |hash: ContentHash| {
                let entries = [entry(&sessions[0], offset, half), entry(&sessions[1], offset, half)];
                json!({"entries": entries, "content_hash": hash.to_string()}).to_string()
            };
            let wrong = calls.upload(APPEND, &arg(ContentHash::of(b"other")), body.clone()).await;
            assert_eq!(wrong.error(), "content_hash_mismatch");
            assert_eq!(size(&calls, &sessions[1]).await, offset);
            let right = calls.upload(APPEND, &arg(ContentHash::of(&body)), body).await;
            assert_eq!(verdicts(&right), ["success", "success"]);
        }
    }

    async fn parts_of_all_sizes_come_back_as_they_went(server: TestServer) {
        let calls = server.calls();
        let sizes = [0, 1, 65_535, 65_536, 65_537, BLOCK - 1, BLOCK, BLOCK + 1, 0, 7];
        let sessions = calls.start_batch(sizes.len(), "sequential").await;
        let bodies: Vec<Vec<u8>> = (1..).zip(sizes).map(|(seed, size)| pattern(seed, size)).collect();
        let parts: Vec<_> = sessions.iter().zip(&bodies).map(|(session, body)| (&session[..], 0, &body[..], true)).collect();
        assert_eq!(verdicts(&calls.append_batch(&parts).await), vec!["success"; sizes.len()]);
        let entries: Vec<_> = sessions.iter().zip(&bodies).map(|(session, body)| (&session[..], body.len(), add(&format!("/{session}")))).collect();
        let finished = calls.finish_batch(&entries).await;
        for (nth, (session, body)) in sessions.iter().zip(&bodies).enumerate() {
            let saved = &finished.ok()["entries"][nth];
            assert_eq!(saved["content_hash"], ContentHash::of(body).to_string());
            assert!(calls.read(&format!("/{session}")).await == *body, "{} bytes", body.len());
        }
    }

    async fn pieces_of_concurrent_sessions_come_in_batches_too(server: TestServer) {
        let calls = server.calls();
        let sessions = calls.start_batch(2, "concurrent").await;
        let data = pattern(5, 2 * BLOCK + 9);
        let (one, other) = (&sessions[0][..], &sessions[1][..]);
        let parts = [
            (one, 2 * BLOCK, &data[2 * BLOCK..], true),
            (other, 0, &data[..5], true),
            (one, BLOCK, &data[BLOCK..2 * BLOCK], false),
            (one, 1, &data[..5], true),
            (one, 0, &data[..5], false),
            (one, 0, &data[..BLOCK], false),
            (one, 0, &data[..BLOCK], false),
            (other, 0, &data[..BLOCK], false),
        ];
        let answer = calls.append_batch(&parts).await;
        assert_eq!(
            verdicts(&answer),
            [
                "success", "success", "success", "concurrent_session_invalid_offset",
                "concurrent_session_invalid_data_size", "success", "success", "closed",
            ]
        );
        let entries = [(one, data.len(), add("/one")), (other, 5, add("/other"))];
        assert_eq!(verdicts(&calls.finish_batch(&entries).await), ["success", "success"]);
        assert!(calls.read("/one").await == data);
        assert!(calls.read("/other").await == data[..5]);
    }

    async fn a_session_may_have_several_parts_in_a_batch(server: TestServer) {
        let calls = server.calls();
        let sessions = calls.start_batch(2, "sequential").await;
        let (one, other) = (&sessions[0][..], &sessions[1][..]);
        let parts: [(&str, usize, &[u8], bool); 7] = [
            (one, 0, b"he", false),
            (one, 0, b"he", false),
            (other, 0, b"x", true),
            (one, 2, b"llo", true),
            (one, 5, b"!", false),
            (one, 5, b"", true),
            (other, 1, b"", false),
        ];
        let answer = calls.append_batch(&parts).await;
        let wanted = ["success", "incorrect_offset", "success", "success", "closed", "success", "success"];
        assert_eq!(verdicts(&answer), wanted);
        assert_eq!(answer.ok()["entries"][1]["failure"]["correct_offset"], 2);
        let entries = [(one, 5, add("/one")), (other, 1, add("/other"))];
        assert_eq!(verdicts(&calls.finish_batch(&entries).await), ["success", "success"]);
        assert_eq!(calls.read("/one").await, "hello");
    }

    async fn a_part_that_is_refused_for_its_bytes_does_not_refuse_the_next(server: TestServer) {
        let calls = server.calls();
        let session = &calls.start_batch(1, "concurrent").await[0];
        calls.piece(session, 0, vec![1; BLOCK], false).await.ok();
        let (other, next) = (vec![2; BLOCK], vec![3; BLOCK]);
        let parts = [(&session[..], 0, &other[..], true), (&session[..], BLOCK, &next[..], false)];
        let answer = calls.append_batch(&parts).await;
        assert_eq!(verdicts(&answer), ["concurrent_session_invalid_offset", "success"]);
    }

    async fn unknown_and_foreign_sessions_are_not_found(server: TestServer) {
        let (calls, other) = (server.calls(), server.calls_as("other").await);
        let foreign = other.start("{}", "hello").await;
        let own = calls.start("{}", "hello").await;
        let unknown = "AAAAAAAAAAAAAAAAAAAAAA";
        let parts: [(&str, usize, &[u8], bool); 3] =
            [(unknown, 5, b"!", true), (&own, 5, b"!", true), (&foreign, 5, b"!", true)];
        let answer = calls.append_batch(&parts).await;
        assert_eq!(verdicts(&answer), ["not_found", "success", "not_found"]);
        let entries = answer.ok()["entries"].clone();
        assert_eq!(entries[0], entries[2]);
        let entries = [unknown, &own, &foreign].map(|session| (session, 6, add(&format!("/{session}"))));
        let finished = calls.finish_batch(&entries).await;
        assert_eq!(verdicts(&finished), ["lookup_failed/not_found", "success", "lookup_failed/not_found"]);
        assert_eq!(size(&other, &foreign).await, 5);
    }

    async fn a_batch_finishes_closed_sessions_alone(server: TestServer) {
        let calls = server.calls();
        let open = calls.start("{}", "hello").await;
        let closed = calls.start(r#"{"close": true}"#, "hello").await;
        let concurrent = &calls.start_batch(1, "concurrent").await[0];
        let entries = [
            (&open[..], 5, add("/open")),
            (&open, 4, add("/open")),
            (&closed, 4, add("/closed")),
            (&closed, 5, add("/closed")),
            (concurrent, 0, add("/concurrent")),
        ];
        let answer = calls.finish_batch(&entries).await;
        assert_eq!(
            verdicts(&answer),
            [
                "lookup_failed/not_closed", "lookup_failed/incorrect_offset",
                "lookup_failed/incorrect_offset", "success", "concurrent_session_not_closed",
            ]
        );
        let entries = answer.ok()["entries"].clone();
        let wanted = json!({".tag": "failure", "failure":
            {".tag": "lookup_failed", "lookup_failed": {".tag": "not_closed"}}});
        assert_eq!(entries[0], wanted);
        assert_eq!(entries[1]["failure"]["lookup_failed"]["correct_offset"], 5);
        assert_eq!(entries[3]["name"], "closed", "a success is laid flat: {entries}");
        assert_eq!(calls.tree().await, ["/closed"]);
    }

    async fn entries_are_decided_in_their_order(server: TestServer) {
        let calls = server.calls();
        let mut sessions = Vec::new();
        for body in ["one", "two", "three", "four"] {
            sessions.push(calls.start(r#"{"close": true}"#, body).await);
        }
        let rename = json!({"path": "/F", "autorename": true});
        let entries = [
            (&sessions[0][..], 3, add("/f")),
            (&sessions[1], 3, add("/F")),
            (&sessions[2], 5, rename.clone()),
            (&sessions[3], 4, rename),
            (&sessions[0], 3, add("/f")),
            (&sessions[0], 3, add("/g")),
            (&sessions[1], 3, add("/g")),
        ];
        let answer = calls.finish_batch(&entries).await;
        let not_found = "lookup_failed/not_found";
        let wanted = ["success", "path/conflict/file", "success", "success", "success", not_found, "success"];
        assert_eq!(verdicts(&answer), wanted);
        let entries = answer.ok()["entries"].clone();
        assert_eq!(entries[2]["name"], "F (2)");
        assert_eq!(entries[3]["name"], "F (3)");
        assert_eq!(entries[4], entries[0], "the same finish again");
        for (path, body) in [("/f", "one"), ("/f (2)", "three"), ("/f (3)", "four"), ("/g", "two")] {
            assert_eq!(calls.read(path).await, body);
        }
    }

    async fn a_batch_whose_answer_was_lost_is_repeated_without_harm(server: TestServer) {
        let calls = server.calls();
        let sessions = calls.start_batch(2, "sequential").await;
        let again = calls.start_batch(2, "sequential").await;
        assert!(sessions.iter().all(|session| !again.contains(session)), "new ones each time");
        let parts: [(&str, usize, &[u8], bool); 2] =
            [(&sessions[0], 0, b"hello", true), (&sessions[1], 0, b"", true)];
        assert_eq!(verdicts(&calls.append_batch(&parts).await), ["success", "success"]);
        let repeated = calls.append_batch(&parts).await;
        assert_eq!(verdicts(&repeated), ["incorrect_offset", "success"]);
        assert_eq!(repeated.ok()["entries"][0]["failure"]["correct_offset"], 5, "it arrived");

        let rename = json!({"path": "/f", "autorename": true});
        let entries = [(&sessions[0][..], 5, rename.clone()), (&sessions[1], 0, rename)];
        let first = calls.finish_batch(&entries).await.ok();
        server.clock().advance_seconds(3600);
        assert_eq!(calls.finish_batch(&entries).await.ok(), first);
        assert_eq!(calls.outcome(&calls.finish_job(&entries).await).await, first["entries"]);
        let alone = calls.finish(&sessions[0], 5, &entries[0].2.to_string(), "").await.ok();
        assert_eq!(alone["rev"], first["entries"][0]["rev"], "and the same by itself");
        assert_eq!(calls.tree().await, ["/f", "/f (2)"]);
    }

    async fn commits_of_a_batch_are_like_those_of_a_finish(server: TestServer) {
        let calls = server.calls();
        let stale = calls.put("/document.txt", "first").await;
        let dir = calls.create_folder("/Dir").await.ok()["metadata"]["id"].clone();
        let update = |rev: &Value| json!({".tag": "update", "update": rev});
        let now = calls.put("/document.txt", "second").await;
        let commits = [
            (json!({"path": "/document.txt", "autorename": true}), "document (2).txt"),
            (json!({"path": "/document.txt", "mode": update(&stale["rev"]), "autorename": true}),
                "document (Panda's conflicted copy).txt"),
            (json!({"path": "/DOCUMENT.txt", "mode": update(&now["rev"])}), "document.txt"),
            (json!({"path": format!("{}/x", dir.as_str().expect("an id"))}), "x"),
            (json!({"path": "/t", "client_modified": "2001-02-03T04:05:06Z"}), "t"),
        ];
        let mut entries = Vec::new();
        for nth in 0..commits.len() {
            entries.push((calls.start(r#"{"close": true}"#, format!("{nth}")).await, nth));
        }
        let entries: Vec<_> = entries.iter().map(|(session, nth)| (&session[..], 1, commits[*nth].0.clone())).collect();
        let answer = calls.finish_batch(&entries).await.ok();
        for (nth, (_, name)) in commits.iter().enumerate() {
            assert_eq!(answer["entries"][nth]["name"], *name, "{answer}");
        }
        assert_eq!(answer["entries"][2]["id"], now["id"]);
        assert_eq!(answer["entries"][3]["path_display"], "/Dir/x");
        assert_eq!(answer["entries"][4]["client_modified"], "2001-02-03T04:05:06Z");
    }

    async fn a_thousand_files_go_up_in_three_requests(server: TestServer) {
        let calls = server.calls();
        calls.put("/file", "there").await;
        calls.create_folder("/folder").await.ok();
        let foreign = server.calls_as("other").await.start(r#"{"close": true}"#, "x").await;
        let proxy = Proxy::start(server.address(), Plan::new()).await;
        let through = Calls::new(proxy.url(), server.token());

        let sessions = through.start_batch(1000, "sequential").await;
        let body = |nth: usize| format!("the content of file {nth}");
        let bodies: Vec<String> = (0..1000).map(body).collect();
        // Every fiftieth entry is made to fail, ten ways twice; the first two ways already here.
        let way = |nth: usize| (nth % 50 == 7).then_some(nth / 50 % 10);
        let parts: Vec<_> = (0..1000).map(|nth| {
            let offset = if way(nth) == Some(0) { 9 } else { 0 };
            (&sessions[nth][..], offset, bodies[nth].as_bytes(), way(nth) != Some(1))
        }).collect();
        let appended = verdicts(&through.append_batch(&parts).await);
        for (nth, verdict) in appended.iter().enumerate() {
            let wanted = if way(nth) == Some(0) { "incorrect_offset" } else { "success" };
            assert_eq!(verdict, wanted, "part {nth}");
        }

        let wanted = [
            "lookup_failed/incorrect_offset",
            "lookup_failed/not_closed",
            "lookup_failed/not_found",
            "path/conflict/file",
            "path/conflict/folder",
            "path/conflict/file_ancestor",
            "path/malformed_path",
            "path/disallowed_name",
            "path/no_write_permission",
            "properties_error/template_not_found",
        ];
        let entries: Vec<_> = (0..1000).map(|nth| {
            let session = if way(nth) == Some(2) { &foreign } else { &sessions[nth] };
            let path = match way(nth) {
                Some(3) => "/file".to_owned(),
                Some(4) => "/folder".to_owned(),
                Some(5) => "/file/below".to_owned(),
                Some(6) => "/with\\backslash".to_owned(),
                Some(7) => "/desktop.ini".to_owned(),
                Some(8) => "ns:4294967295/x".to_owned(),
                _ => format!("/many/{nth:04}"),
            };
            let mut commit = add(&path);
            if way(nth) == Some(9) {
                commit["property_groups"] = json!([{"template_id": "ptid:a", "fields": []}]);
            }
            (&session[..], bodies[nth].len(), commit)
        }).collect();
        let answer = through.finish_batch(&entries).await;
        let mut failures: HashMap<String, u32> = HashMap::new();
        for (nth, verdict) in verdicts(&answer).into_iter().enumerate() {
            let wanted = way(nth).map_or("success", |way| wanted[way]);
            assert_eq!(verdict, wanted, "entry {nth}");
            if verdict != "success" {
                *failures.entry(verdict).or_default() += 1;
            }
        }
        assert_eq!((failures.len(), failures.values().sum()), (10, 20));

        let requests = proxy.finish();
        let wanted = [(START, 1), (APPEND, 1), (FINISH, 1)].map(|(route, count)| (route.to_owned(), count));
        assert_eq!(requests, wanted.into_iter().collect(), "three requests");
        let page = calls.list(&json!({"path": "/many", "limit": 2000})).await.ok();
        let listed = page["entries"].as_array().expect("entries");
        assert_eq!(listed.len(), 1000 - 18, "the files without their properties are there");
        for entry in listed {
            let nth: usize = entry["name"].as_str().expect("a name").parse().expect("a number");
            assert_eq!(entry["content_hash"], ContentHash::of(body(nth).as_bytes()).to_string());
        }
    }

    async fn bad_arguments_get_their_sentence(server: TestServer) {
        let calls = server.calls();
        let session = calls.start("{}", "").await;
        let cursor = json!({"session_id": session, "offset": 0});
        for (arg, begin) in [
            (json!({}), "missing required field 'num_sessions'"),
            (json!({"num_sessions": "3"}), "num_sessions: '3' expected to be an integer"),
            (json!({"num_sessions": -1}), "num_sessions: "),
            (json!({"num_sessions": 1.5}), "num_sessions: "),
            (json!({"num_sessions": 1, "session_type": 7}), "session_type: "),
            (json!({"num_sessions": 1, "close": true}), "unknown field 'close'"),
        ] {
            let sentence = sentence(&calls.rpc(START, &arg.to_string()).await);
            assert!(sentence.starts_with(&format!("request body: {begin}")), "{arg}: {sentence}");
        }
        for (arg, begin) in [
            (json!({}), "missing required field 'entries'"),
            (json!({"entries": 1}), "entries: '1' expected to be a list"),
            (json!({"entries": [{"length": 1}]}), "entries[0]: missing required field 'cursor'"),
            (json!({"entries": [{"cursor": cursor}]}), "entries[0]: missing required field 'length'"),
            (json!({"entries": [{"cursor": cursor, "length": -1}]}), "entries[0].length: "),
            (json!({"entries": [{"cursor": cursor, "length": 0, "x": 1}]}), "entries[0]: unknown field 'x'"),
            (json!({"entries": [], "content_hash": "abc"}), "content_hash: "),
        ] {
            let sentence = sentence(&calls.upload(APPEND, &arg.to_string(), "").await);
            let begin = format!("HTTP header \"Dropbox-API-Arg\": {begin}");
            assert!(sentence.starts_with(&begin), "{arg}: {sentence}");
        }
        let commit = add("/x");
        for route in [FINISH, FINISH_JOB] {
            for (arg, begin) in [
                (json!({}), "missing required field 'entries'"),
                (json!({"entries": [{"cursor": cursor}]}), "entries[0]: missing required field 'commit'"),
                (json!({"entries": [{"cursor": cursor, "commit": {}}]}), "entries[0].commit: missing required field 'path'"),
                (json!({"entries": [{"cursor": cursor, "commit": commit}, 3]}), "entries[1]: "),
                (json!({"entries": [{"cursor": cursor, "commit": {"path": "x"}}]}), "entries[0].commit.path: 'x' did not match pattern"),
                (json!({"entries": [{"cursor": cursor, "commit": {"path": "/x", "mode": "upsert"}}]}), "entries[0].commit.mode: "),
                (json!({"entries": [{"cursor": cursor, "commit": {"path": "/x", "client_modified": "2026-01-02"}}]}), "entries[0].commit.client_modified: "),
            ] {
                let sentence = sentence(&calls.rpc(route, &arg.to_string()).await);
                assert!(sentence.starts_with(&format!("request body: {begin}")), "{arg}: {sentence}");
            }
        }
        assert_eq!(calls.tree().await, [""; 0]);
    }

    async fn the_first_version_of_append_takes_a_bare_cursor(server: TestServer) {
        let calls = server.calls();
        let session = calls.start("{}", "hello").await;
        let route = "files/upload_session/append";
        let at = |offset: usize| json!({"session_id": session, "offset": offset}).to_string();
        assert_eq!(calls.upload(route, &at(5), " world").await.text(), "null");
        let again = calls.upload(route, &at(5), " world").await;
        assert_eq!(again.error(), "incorrect_offset");
        assert_eq!(again.json()["error"]["correct_offset"], 11);
        let more = json!({"session_id": session, "offset": 11, "close": true}).to_string();
        let refused = calls.upload(route, &more, "").await;
        assert_eq!(sentence(&refused), "HTTP header \"Dropbox-API-Arg\": unknown field 'close'");
        calls.finish(&session, 11, r#"{"path": "/f"}"#, "").await.ok();
        assert_eq!(calls.upload(route, &at(11), "x").await.error(), "not_found");
        assert_eq!(calls.read("/f").await, "hello world");
    }
}

#[test]
fn the_body_of_a_batch_is_one_file() {
    TestServer::run(landfall_testkit::Stores::Directory, |server| async move {
        let calls = server.calls();
        let sessions = calls.start_batch(20, "sequential").await;
        let body = pattern(3, 10_000);
        let parts: Vec<_> = sessions
            .iter()
            .map(|session| (&session[..], 0, &body[..], true))
            .collect();
        assert_eq!(
            verdicts(&calls.append_batch(&parts).await),
            vec!["success"; 20]
        );
        let blobs = server.directory().expect("a directory").join("blobs");
        let mut files = Vec::new();
        for writer in std::fs::read_dir(blobs).expect("the writers") {
            let writer = writer.expect("a writer").path();
            files.extend(std::fs::read_dir(writer).expect("its files"));
        }
        assert_eq!(files.len(), 1);
        let file = files.remove(0).expect("a file");
        assert_eq!(file.metadata().expect("its length").len(), 200_000);
    });
}
