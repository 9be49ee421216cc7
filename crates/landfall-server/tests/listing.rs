//! Listing folders and following their changes: the journal misses nothing (P9). Random trees are
//! followed in `trees.rs`.

use landfall_testkit::{Calls, on_each_store};
use serde_json::{Value, json};

/// `tag path_lower` of each entry, in the order of the page.
fn entries(page: &Value) -> Vec<String> {
    let entries = page["entries"].as_array().expect("entries");
    let line = |entry: &Value| {
        let tag = entry[".tag"].as_str().expect("a tag");
        format!("{tag} {}", entry["path_lower"].as_str().expect("a path"))
    };
    entries.iter().map(line).collect()
}

fn cursor(page: &Value) -> String {
    page["cursor"].as_str().expect("a cursor").to_owned()
}

/// Asks on until there is no more.
async fn rest(calls: &Calls, mut page: Value) -> (Vec<String>, String) {
    let mut all = entries(&page);
    while page["has_more"] == true {
        page = calls.list_on(&cursor(&page)).await.ok();
        all.extend(entries(&page));
    }
    (all, cursor(&page))
}

/// What changed since a cursor, and the cursor after it.
async fn changes(calls: &Calls, after: &str) -> (Vec<String>, String) {
    let page = calls.list_on(after).await.ok();
    rest(calls, page).await
}

/// A cursor at the end of a listing.
async fn cursor_of(calls: &Calls, arg: &Value) -> String {
    let page = calls.list(arg).await.ok();
    rest(calls, page).await.1
}

/// A small tree whose keys sort around the slash.
async fn plant(calls: &Calls) {
    for path in ["/a/b", "/a b", "/a-b", "/a.txt", "/a0", "/A/Sub/c", "/z"] {
        calls.put(path, path.to_owned()).await;
    }
    calls.create_folder("/Empty").await.ok();
}

const WHOLE: [&str; 10] = [
    "folder /a",
    "file /a b",
    "file /a-b",
    "file /a.txt",
    "file /a/b",
    "folder /a/sub",
    "file /a/sub/c",
    "file /a0",
    "folder /empty",
    "file /z",
];

on_each_store! {
    async fn a_second_slash_before_a_listed_folder_is_overlooked(server: TestServer) {
        let calls = server.calls();
        plant(&calls).await;
        let once = calls.list(&json!({"path": "/a/sub"})).await.ok();
        let twice = calls.list(&json!({"path": "//a/sub"})).await.ok();
        assert_eq!(entries(&once), ["file /a/sub/c"]);
        assert_eq!(entries(&twice), entries(&once));
        for path in ["//", "///a", "/a//sub"] {
            let answer = calls.list(&json!({"path": path})).await;
            assert_eq!(answer.status, 409, "{path}: {answer:?}");
            let tag = &answer.json()["error"]["path"][".tag"];
            assert_eq!(tag, "malformed_path", "{path}");
        }
    }

    async fn the_root_is_listed_without_what_is_deeper(server: TestServer) {
        let calls = server.calls();
        plant(&calls).await;
        let page = calls.list(&json!({"path": ""})).await.ok();
        assert_eq!(
            entries(&page),
            ["folder /a", "file /a b", "file /a-b", "file /a.txt", "file /a0", "folder /empty", "file /z"]
        );
        assert_eq!(page["has_more"], false);
    }

    async fn a_subfolder_is_listed_without_itself_and_its_neighbours(server: TestServer) {
        let calls = server.calls();
        plant(&calls).await;
        let page = calls.list(&json!({"path": "/A"})).await.ok();
        assert_eq!(entries(&page), ["file /a/b", "folder /a/sub"]);
        let page = calls.list(&json!({"path": "/a", "recursive": true})).await.ok();
        assert_eq!(entries(&page), ["file /a/b", "folder /a/sub", "file /a/sub/c"]);
        let page = calls.list(&json!({"path": "/empty"})).await.ok();
        assert_eq!(entries(&page), [""; 0]);
        assert_eq!(page["has_more"], false);
    }

    async fn a_folder_is_listed_by_id_and_by_namespace(server: TestServer) {
        let calls = server.calls();
        plant(&calls).await;
        let account = calls.rpc("users/get_current_account", "null").await.ok();
        let own = account["root_info"]["root_namespace_id"].as_str().expect("a namespace").to_owned();
        let id = calls.metadata("/a").await.ok()["id"].as_str().expect("an id").to_owned();
        for path in [id.clone(), format!("ns:{own}/a")] {
            let page = calls.list(&json!({ "path": path })).await.ok();
            assert_eq!(entries(&page), ["file /a/b", "folder /a/sub"], "{path}");
        }
        let page = calls.list(&json!({"path": format!("{id}/sub")})).await.ok();
        assert_eq!(entries(&page), ["file /a/sub/c"]);
        let page = calls.list(&json!({"path": format!("ns:{own}"), "recursive": true})).await.ok();
        assert_eq!(entries(&page), WHOLE);
    }

    async fn entries_are_whole_metadata_with_their_tag_first(server: TestServer) {
        let calls = server.calls();
        let saved = calls.put("/File", "x").await;
        let made = calls.create_folder("/Folder").await.ok();
        let answer = calls.list(&json!({"path": ""})).await;
        let listed = answer.ok()["entries"].clone();
        let tagged = |tag: &str, metadata: &Value| {
            let mut whole = json!({".tag": tag});
            let fields = metadata.as_object().expect("metadata").clone();
            whole.as_object_mut().expect("an object").extend(fields);
            whole
        };
        assert_eq!(listed[0], tagged("file", &saved));
        assert_eq!(listed[1], tagged("folder", &made["metadata"]));
        assert!(answer.text().starts_with(r#"{"entries": [{".tag": "file", "name": "File", "#), "{}", answer.text());
        assert!(answer.text().contains(r#"}, {".tag": "folder", "name": "Folder", "#), "{}", answer.text());
    }

    async fn pages_of_every_size_make_the_same_listing(server: TestServer) {
        let calls = server.calls();
        plant(&calls).await;
        for limit in 1..=5 {
            let arg = json!({"path": "", "recursive": true, "limit": limit});
            let mut page = calls.list(&arg).await.ok();
            let mut all = Vec::new();
            let mut pages = 0;
            loop {
                let here = entries(&page);
                assert!(here.len() <= limit, "{here:?}");
                all.extend(here);
                pages += 1;
                if page["has_more"] == false {
                    break;
                }
                assert_eq!(all.len(), pages * limit, "only the last page is shorter");
                page = calls.list_on(&cursor(&page)).await.ok();
            }
            assert_eq!(all, WHOLE, "limit {limit}");
            assert_eq!(pages, WHOLE.len().div_ceil(limit), "limit {limit}");
            let flat = calls.list(&json!({"path": "", "limit": limit})).await.ok();
            assert_eq!(rest(&calls, flat).await.0.len(), 7, "limit {limit}");
        }
    }

    async fn a_limit_out_of_bounds_is_a_bad_request(server: TestServer) {
        let calls = server.calls();
        for limit in [0, 2001] {
            let refused = calls.list(&json!({"path": "", "limit": limit})).await;
            assert_eq!(refused.status, 400, "{}", refused.text());
            assert!(refused.text().contains("request body: limit: "), "{}", refused.text());
        }
        calls.list(&json!({"path": "", "limit": 2000})).await.ok();
    }

    async fn deleted_entries_are_listed_only_where_asked_for(server: TestServer) {
        let calls = server.calls();
        plant(&calls).await;
        calls.delete("/A").await.ok();
        calls.delete("/z").await.ok();
        let live = calls.list(&json!({"path": "", "recursive": true})).await.ok();
        assert_eq!(
            entries(&live),
            ["file /a b", "file /a-b", "file /a.txt", "file /a0", "folder /empty"]
        );
        for limit in [1, 3, 100] {
            let arg = json!({"path": "", "recursive": true, "include_deleted": true, "limit": limit});
            let all = calls.list(&arg).await.ok();
            assert_eq!(
                rest(&calls, all).await.0,
                [
                    "deleted /a", "file /a b", "file /a-b", "file /a.txt", "deleted /a/b", "deleted /a/sub",
                    "deleted /a/sub/c", "file /a0", "folder /empty", "deleted /z",
                ],
                "limit {limit}"
            );
        }
        let page = calls.list(&json!({"path": "", "include_deleted": true})).await.ok();
        let z = page["entries"].as_array().expect("entries").last().expect("an entry").clone();
        assert_eq!(z, json!({".tag": "deleted", "name": "z", "path_lower": "/z", "path_display": "/z"}));
    }

    async fn without_changes_a_cursor_stays_usable(server: TestServer) {
        let calls = server.calls();
        plant(&calls).await;
        let mut at = cursor_of(&calls, &json!({"path": "", "recursive": true})).await;
        for _ in 0..3 {
            let page = calls.list_on(&at).await.ok();
            assert_eq!(page["entries"], json!([]));
            assert_eq!(page["has_more"], false);
            at = cursor(&page);
        }
        calls.put("/later", "x").await;
        assert_eq!(changes(&calls, &at).await.0, ["file /later"]);
        assert_eq!(changes(&calls, &at).await.0, ["file /later"], "a cursor is no state of the server");
    }

    async fn every_kind_of_change_arrives(server: TestServer) {
        let calls = server.calls();
        plant(&calls).await;
        let at = cursor_of(&calls, &json!({"path": "", "recursive": true})).await;

        calls.put("/new/deep/file", "x").await;
        let (seen, at) = changes(&calls, &at).await;
        assert_eq!(seen, ["folder /new", "folder /new/deep", "file /new/deep/file"], "parents first");

        let saved = calls.put("/z", "other bytes").await;
        let page = calls.list_on(&at).await.ok();
        assert_eq!(entries(&page), ["file /z"]);
        assert_eq!(page["entries"][0]["rev"], saved["rev"]);
        let at = cursor(&page);

        calls.delete("/a.txt").await.ok();
        let (seen, at) = changes(&calls, &at).await;
        assert_eq!(seen, ["deleted /a.txt"]);

        calls.delete("/a").await.ok();
        let (seen, at) = changes(&calls, &at).await;
        assert_eq!(seen, ["deleted /a", "deleted /a/b", "deleted /a/sub", "deleted /a/sub/c"]);

        calls.put("/a/sub", "now a file").await;
        let (seen, at) = changes(&calls, &at).await;
        assert_eq!(seen, ["folder /a", "file /a/sub"]);

        calls.create_folder("/EMPTY/more").await.ok();
        let (seen, at) = changes(&calls, &at).await;
        assert_eq!(seen, ["folder /empty/more"], "what was there is no change");

        calls.put("/z", "other bytes").await;
        assert_eq!(changes(&calls, &at).await.0, [""; 0], "the same bytes are no change");
    }

    async fn several_changes_of_one_place_arrive_as_the_last(server: TestServer) {
        let calls = server.calls();
        let at = cursor_of(&calls, &json!({"path": "", "recursive": true})).await;
        calls.put("/d/f", "one").await;
        calls.put("/g", "one").await;
        calls.delete("/d").await.ok();
        let saved = calls.put("/d/f", "two").await;
        let page = calls.list_on(&at).await.ok();
        assert_eq!(entries(&page), ["file /g", "folder /d", "file /d/f"]);
        assert_eq!(page["entries"][2]["id"], saved["id"]);
    }

    async fn changes_come_in_pages_too(server: TestServer) {
        let calls = server.calls();
        for limit in 1..=5 {
            let arg = json!({"path": "", "recursive": true, "limit": limit});
            let at = cursor_of(&calls, &arg).await;
            let top = format!("/p{limit}");
            let mut expected = vec![format!("folder {top}")];
            for nth in 0..7 {
                calls.put(&format!("{top}/{nth}"), "x").await;
                expected.push(format!("file {top}/{nth}"));
            }
            let first = calls.list_on(&at).await.ok();
            assert_eq!((entries(&first).len(), &first["has_more"]), (limit, &json!(true)));
            let (seen, at) = rest(&calls, first).await;
            assert_eq!(seen, expected, "limit {limit}");
            assert_eq!(changes(&calls, &at).await.0, [""; 0]);
        }
    }

    async fn changes_elsewhere_are_none_of_the_listing(server: TestServer) {
        let calls = server.calls();
        plant(&calls).await;
        let flat = cursor_of(&calls, &json!({"path": "/a"})).await;
        let deep = cursor_of(&calls, &json!({"path": "/a", "recursive": true})).await;
        for path in ["/a b", "/a0", "/a-b", "/elsewhere", "/a/sub/c", "/a/sub/d", "/a/e"] {
            calls.put(path, "changed").await;
        }
        assert_eq!(changes(&calls, &flat).await.0, ["file /a/e"]);
        let (seen, deep) = changes(&calls, &deep).await;
        assert_eq!(seen, ["file /a/sub/c", "file /a/sub/d", "file /a/e"]);
        calls.put("/elsewhere", "again").await;
        assert_eq!(changes(&calls, &deep).await.0, [""; 0]);
    }

    async fn what_changes_between_pages_is_not_missed(server: TestServer) {
        let calls = server.calls();
        for name in ["b", "d", "f", "h"] {
            calls.put(&format!("/{name}"), "old").await;
        }
        let page = calls.list(&json!({"path": "", "limit": 2})).await.ok();
        assert_eq!(entries(&page), ["file /b", "file /d"]);
        // Behind the page and before it: new, changed and gone.
        calls.put("/a", "new").await;
        let changed = calls.put("/b", "changed").await;
        calls.delete("/d").await.ok();
        calls.put("/g", "new").await;
        calls.delete("/h").await.ok();

        let page = calls.list_on(&cursor(&page)).await.ok();
        let (mut seen, at) = rest(&calls, page).await;
        assert_eq!(seen[0], "file /f");
        let page = calls.list_on(&at).await.ok();
        let listed = page["entries"].as_array().expect("entries").clone();
        let b = listed.iter().find(|entry| entry["path_lower"] == "/b").expect("the changed file");
        assert_eq!(b["rev"], changed["rev"]);
        seen.extend(rest(&calls, page).await.0);
        for path in ["file /a", "file /b", "deleted /d", "file /g", "deleted /h"] {
            assert!(seen.iter().any(|seen| seen == path), "{path} in {seen:?}");
        }
    }

    async fn a_child_that_is_made_between_pages_comes_after_its_folder(server: TestServer) {
        let calls = server.calls();
        // Of these keys, "/b x" lies between "/b" and "/b/child".
        calls.put("/b x", "old").await;
        calls.put("/c", "old").await;
        let page = calls.list(&json!({"path": "", "recursive": true, "limit": 1})).await.ok();
        assert_eq!(entries(&page), ["file /b x"]);
        calls.put("/b/child", "new").await;
        let page = calls.list_on(&cursor(&page)).await.ok();
        let (mut seen, at) = rest(&calls, page).await;
        seen.extend(changes(&calls, &at).await.0);
        let first = |wanted: &str| seen.iter().position(|seen| seen == wanted).expect("an entry");
        assert!(first("folder /b") < first("file /b/child"), "{seen:?}");
    }

    async fn what_changes_between_pages_of_changes_is_not_missed(server: TestServer) {
        let calls = server.calls();
        let at = cursor_of(&calls, &json!({"path": "", "limit": 1})).await;
        for name in ["a", "b", "c"] {
            calls.put(&format!("/{name}"), "old").await;
        }
        let page = calls.list_on(&at).await.ok();
        assert_eq!(entries(&page), ["file /a"]);
        calls.put("/a", "changed").await;
        calls.delete("/b").await.ok();
        assert_eq!(changes(&calls, &cursor(&page)).await.0, ["file /c", "file /a", "deleted /b"]);
    }

    async fn the_cursor_fixes_the_options_of_the_listing(server: TestServer) {
        let calls = server.calls();
        plant(&calls).await;
        let page = calls.list(&json!({"path": "/a", "recursive": true, "limit": 1})).await.ok();
        let (seen, _) = rest(&calls, page).await;
        assert_eq!(seen, ["file /a/b", "folder /a/sub", "file /a/sub/c"]);
        let with_options = json!({"cursor": "x", "recursive": true}).to_string();
        let refused = calls.rpc("files/list_folder/continue", &with_options).await;
        assert_eq!(refused.status, 400);
        assert!(refused.text().contains("unknown field 'recursive'"), "{}", refused.text());
    }

    async fn a_cursor_of_somebody_else_is_reset(server: TestServer) {
        let calls = server.calls();
        plant(&calls).await;
        let other = server.calls_as("other").await;
        let walking = calls.list(&json!({"path": "", "limit": 1})).await.ok();
        let ended = cursor_of(&calls, &json!({"path": ""})).await;
        for cursor in [cursor(&walking), ended] {
            let refused = other.list_on(&cursor).await;
            assert_eq!(refused.error(), "reset");
            assert_eq!(refused.json()["error"], json!({".tag": "reset"}));
            calls.list_on(&cursor).await.ok();
        }
    }

    async fn a_damaged_cursor_is_reset(server: TestServer) {
        let calls = server.calls();
        plant(&calls).await;
        let page = calls.list(&json!({"path": "/a", "limit": 1})).await.ok();
        let good = cursor(&page);
        for at in 0..good.len() {
            let mut damaged = good.clone().into_bytes();
            damaged[at] = if damaged[at] == b'A' { b'B' } else { b'A' };
            let damaged = String::from_utf8(damaged).expect("ASCII");
            assert_eq!(calls.list_on(&damaged).await.error(), "reset", "character {at}");
        }
        for damaged in [&good[1..], &good[..good.len() - 1], "x", "AAAA", "\u{fc}", &format!("{good}A")] {
            assert_eq!(calls.list_on(damaged).await.error(), "reset", "{damaged}");
        }
        assert_eq!(calls.list_on("").await.status, 400);
        calls.list_on(&good).await.ok();
    }

    async fn what_is_no_folder_can_not_be_listed(server: TestServer) {
        let calls = server.calls();
        plant(&calls).await;
        calls.delete("/empty").await.ok();
        let rev = calls.metadata("/z").await.ok()["rev"].as_str().expect("a rev").to_owned();
        for (path, error) in [
            ("/nowhere", "path/not_found"),
            ("/empty", "path/not_found"),
            ("/z/below", "path/not_found"),
            ("id:AAAAAAAAAAAAAAAAAAAAAA", "path/not_found"),
            ("ns:1/a", "path/not_found"),
            ("/z", "path/not_folder"),
            ("/a//b", "path/malformed_path"),
            ("/../a", "path/malformed_path"),
            ("/a/", "path/malformed_path"),
            ("/a\\b", "path/malformed_path"),
        ] {
            assert_eq!(calls.list(&json!({ "path": path })).await.error(), error, "{path}");
        }
        for path in [format!("rev:{rev}"), "a".to_owned()] {
            let refused = calls.list(&json!({ "path": path })).await;
            assert_eq!(refused.status, 400, "{}", refused.text());
        }
    }

    async fn the_root_is_an_empty_string_and_no_slash(server: TestServer) {
        let refused = server.calls().list(&json!({"path": "/"})).await;
        assert_eq!(refused.status, 400, "{}", refused.text());
        assert_eq!(
            refused.text(),
            "Error in call to API function \"files/list_folder\": request body: path: \
             Specify the root folder as an empty string rather than as \"/\"."
        );
    }
}
