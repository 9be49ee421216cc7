//! The history of files, and going back in it.

use landfall_testkit::{Answer, Calls, on_each_store};
use serde_json::{Value, json};

async fn list(calls: &Calls, arg: &Value) -> Answer {
    calls.rpc("files/list_revisions", &arg.to_string()).await
}

/// The revs at a path, or of a file by its id.
async fn revs(calls: &Calls, path: &str, mode: &str) -> Vec<Value> {
    let listed = list(calls, &json!({"path": path, "mode": mode, "limit": 100}))
        .await
        .ok();
    let entries = listed["entries"].as_array().expect("entries").iter();
    entries.map(|entry| entry["rev"].clone()).collect()
}

async fn restore(calls: &Calls, path: &str, rev: &Value) -> Answer {
    let arg = json!({"path": path, "rev": rev}).to_string();
    calls.rpc("files/restore", &arg).await
}

fn text<'v>(value: &'v Value, field: &str) -> &'v str {
    value[field].as_str().expect("a text")
}

/// Writes each of these, a minute apart.
async fn write(
    server: &landfall_testkit::TestServer,
    path: &str,
    bodies: &[&'static str],
) -> Vec<Value> {
    let mut saved = Vec::new();
    for body in bodies {
        saved.push(server.calls().put(path, *body).await);
        server.clock().advance_seconds(60);
    }
    saved
}

on_each_store! {
    async fn revisions_are_listed_newest_first(server: TestServer) {
        let calls = server.calls();
        let mut saved = write(&server, "/Dir/File", &["one", "two", "three"]).await;
        saved.reverse();
        for path in ["/dir/FILE", text(&saved[0], "id")] {
            let answer = list(&calls, &json!({ "path": path })).await;
            assert_eq!(answer.ok(), json!({"is_deleted": false, "entries": saved, "has_more": false}), "{path}");
            assert!(
                answer.text().starts_with(r#"{"is_deleted": false, "entries": [{"name": "File", "#),
                "the leaf type, so without a tag: {}", answer.text()
            );
        }
        calls.put("/dir/file", "three").await;
        assert_eq!(revs(&calls, "/dir/file", "path").await.len(), 3, "the same bytes are no revision");
    }

    async fn ten_are_listed_unless_another_number_is_asked_for(server: TestServer) {
        let calls = server.calls();
        let mut all = Vec::new();
        for nth in 0..25 {
            all.insert(0, calls.put("/file", nth.to_string()).await);
        }
        let listed = list(&calls, &json!({"path": "/file"})).await.ok();
        assert_eq!(listed["entries"], json!(all[..10]));
        assert_eq!(listed["has_more"], true);
        for limit in [1, 7, 24, 25, 100] {
            let mut before = Value::Null;
            let mut seen = Vec::new();
            loop {
                let arg = json!({"path": "/file", "limit": limit, "before_rev": before});
                let page = list(&calls, &arg).await.ok();
                let entries = page["entries"].as_array().expect("entries");
                assert!(entries.len() <= limit);
                assert_eq!(page["is_deleted"], false);
                seen.extend(entries.iter().cloned());
                before = seen.last().expect("an entry")["rev"].clone();
                if page["has_more"] == false {
                    break;
                }
                assert_eq!(entries.len(), limit, "only the last page is shorter");
            }
            assert_eq!(seen, all, "{limit}");
        }
        let oldest = json!({"path": "/file", "before_rev": all[24]["rev"]});
        let nothing = json!({"is_deleted": false, "entries": [], "has_more": false});
        assert_eq!(list(&calls, &oldest).await.ok(), nothing);
        for (field, bad) in [("limit", json!(0)), ("limit", json!(101)), ("mode", json!("both")), ("before_rev", json!("x"))] {
            let refused = list(&calls, &json!({"path": "/file", field: bad})).await;
            assert_eq!(refused.status, 400, "{}", refused.text());
            assert!(refused.text().contains(&format!("request body: {field}: ")), "{}", refused.text());
        }
    }

    async fn a_deleted_file_has_its_revisions_and_the_time_of_its_end(server: TestServer) {
        let calls = server.calls();
        let saved = write(&server, "/file", &["one", "two"]).await;
        calls.delete("/file").await.ok();
        server.clock().advance_seconds(60);
        for path in ["/file", text(&saved[0], "id")] {
            for mode in ["path", "id"] {
                let listed = list(&calls, &json!({"path": path, "mode": mode})).await.ok();
                assert_eq!(
                    listed,
                    json!({"is_deleted": true, "server_deleted": "2026-01-02T03:06:05Z",
                        "entries": [saved[1], saved[0]], "has_more": false}),
                    "{path} {mode}"
                );
            }
        }
        // Deleted with its folder.
        calls.put("/dir/sub/file", "x").await;
        calls.delete("/dir").await.ok();
        let listed = list(&calls, &json!({"path": "/dir/sub/file"})).await.ok();
        assert_eq!(listed["is_deleted"], true);
        assert_eq!(listed["server_deleted"], "2026-01-02T03:07:05Z");
    }

    async fn a_moved_file_leaves_its_revisions_behind_and_is_followed_by_its_id(server: TestServer) {
        let calls = server.calls();
        let saved = write(&server, "/file", &["one", "two"]).await;
        let moved = calls.move_to("/file", "/dir/moved").await.ok()["metadata"]["rev"].clone();
        server.clock().advance_seconds(60);
        let changed = calls.put("/dir/moved", "three").await;
        let (one, two, three) = (saved[0]["rev"].clone(), saved[1]["rev"].clone(), changed["rev"].clone());
        let id = text(&changed, "id");
        assert_eq!(id, saved[0]["id"]);

        assert_eq!(revs(&calls, "/file", "path").await, [two.clone(), one.clone()]);
        assert_eq!(revs(&calls, "/dir/moved", "path").await, [three.clone(), moved.clone()]);
        assert_eq!(revs(&calls, id, "path").await, [three.clone(), moved.clone()]);
        for path in ["/file", "/dir/moved", id] {
            let wanted = [three.clone(), moved.clone(), two.clone(), one.clone()];
            assert_eq!(revs(&calls, path, "id").await, wanted, "{path}");
        }
        let by_id = list(&calls, &json!({"path": id, "mode": "id"})).await.ok();
        assert_eq!(by_id["is_deleted"], false);
        assert_eq!(by_id["entries"][2]["path_display"], "/file", "where it was then");
        let left = list(&calls, &json!({"path": "/file"})).await.ok();
        assert_eq!(left["is_deleted"], true);
        assert_eq!(left["server_deleted"], "2026-01-02T03:06:05Z");

        // Another file at the old path.
        let other = calls.put("/file", "other").await;
        assert_ne!(other["id"], id);
        assert_eq!(revs(&calls, "/file", "path").await, [other["rev"].clone(), two.clone(), one.clone()]);
        assert_eq!(revs(&calls, "/file", "id").await, [other["rev"].clone()]);
        let older = list(&calls, &json!({"path": "/file", "before_rev": other["rev"]})).await.ok();
        assert_eq!(older["is_deleted"], true, "of the file that was there before");
        assert_eq!(older["server_deleted"], "2026-01-02T03:06:05Z");
    }

    async fn a_copy_has_a_history_of_its_own(server: TestServer) {
        let calls = server.calls();
        write(&server, "/file", &["one", "two"]).await;
        let copied = calls.copy_to("/file", "/copy").await.ok()["metadata"].clone();
        assert_eq!(revs(&calls, "/copy", "path").await, [copied["rev"].clone()]);
        assert_eq!(revs(&calls, "/copy", "id").await, [copied["rev"].clone()]);
        assert_eq!(revs(&calls, "/file", "id").await.len(), 2);
    }

    async fn revisions_say_that_they_can_be_restored_if_they_are_asked(server: TestServer) {
        let calls = server.calls();
        write(&server, "/file", &["one", "two"]).await;
        let listed = list(&calls, &json!({"path": "/file", "include_restorable_info": true})).await.ok();
        for entry in listed["entries"].as_array().expect("entries") {
            assert_eq!(entry["is_restorable"], true);
        }
    }

    async fn what_has_no_revisions_is_told(server: TestServer) {
        let calls = server.calls();
        calls.put("/dir/file", "x").await;
        calls.put("/was a file", "x").await;
        calls.delete("/was a file").await.ok();
        calls.create_folder("/was a file").await.ok();
        let foreign = server.calls_as("other").await.put("/theirs", "x").await;
        let dir = text(&calls.metadata("/dir").await.ok(), "id").to_owned();
        for (path, error) in [
            ("/nowhere", "path/not_found"),
            ("/dir/file/below", "path/not_found"),
            ("/theirs", "path/not_found"),
            (text(&foreign, "id"), "path/not_found"),
            ("id:AAAAAAAAAAAAAAAAAAAAAA", "path/not_found"),
            ("ns:1/dir/file", "path/not_found"),
            ("/dir", "path/not_file"),
            (&dir, "path/not_file"),
            ("/was a file", "path/not_file"),
            ("/", "path/malformed_path"),
            ("//dir", "path/malformed_path"),
            ("/dir/", "path/malformed_path"),
        ] {
            for mode in ["path", "id"] {
                let refused = list(&calls, &json!({"path": path, "mode": mode})).await;
                assert_eq!(refused.error(), error, "{path} {mode}");
            }
        }
        for path in ["", "x", "rev:123456789"] {
            assert_eq!(list(&calls, &json!({ "path": path })).await.status, 400, "{path}");
        }
        assert_eq!(revs(&calls, &format!("{dir}/FILE"), "path").await.len(), 1);
    }

    async fn a_page_begins_before_a_rev_of_the_path(server: TestServer) {
        let calls = server.calls();
        let saved = write(&server, "/file", &["one", "two"]).await;
        let other = calls.put("/other", "x").await;
        let foreign = server.calls_as("other").await.put("/file", "x").await;
        for before in [&other["rev"], &foreign["rev"], &json!("123456789")] {
            let refused = list(&calls, &json!({"path": "/file", "before_rev": before})).await;
            assert_eq!(refused.error(), "invalid_before_rev", "{before}");
        }
        let by_id = json!({"path": "/file", "mode": "id", "before_rev": saved[1]["rev"]});
        assert_eq!(list(&calls, &by_id).await.error(), "before_rev_not_supported");
    }

    async fn a_restored_revision_is_a_new_one(server: TestServer) {
        let calls = server.calls();
        let arg = json!({"path": "/File", "client_modified": "2020-02-02T02:02:02Z"}).to_string();
        let one = calls.upload("files/upload", &arg, "one").await.ok();
        let two = calls.put("/File", "two and more").await;
        server.clock().advance_seconds(60);
        let answer = restore(&calls, "/FILE", &one["rev"]).await;
        let restored = answer.ok();
        assert!(answer.text().starts_with(r#"{"name": "File", "#), "the leaf type: {}", answer.text());
        assert_eq!(restored["id"], one["id"]);
        assert_eq!(restored["client_modified"], "2020-02-02T02:02:02Z");
        assert_eq!(restored["server_modified"], "2026-01-02T03:05:05Z");
        assert_eq!(restored["content_hash"], one["content_hash"]);
        assert_eq!(calls.read("/file").await, "one");
        let wanted = [restored["rev"].clone(), two["rev"].clone(), one["rev"].clone()];
        assert_eq!(revs(&calls, "/file", "path").await, wanted);
        let usage = calls.rpc("users/get_space_usage", "null").await.ok();
        assert_eq!(usage["used"], 3);
        // Two is as good as it was.
        restore(&calls, "/file", &two["rev"]).await.ok();
        assert_eq!(calls.read("/file").await, "two and more");
    }

    async fn what_is_as_it_was_is_not_written_again(server: TestServer) {
        let calls = server.calls();
        let saved = write(&server, "/file", &["one", "two"]).await;
        assert_eq!(restore(&calls, "/file", &saved[1]["rev"]).await.ok(), saved[1]);
        let restored = restore(&calls, "/file", &saved[0]["rev"]).await.ok();
        server.clock().advance_seconds(60);
        let again = restore(&calls, "/file", &saved[0]["rev"]).await.ok();
        assert_eq!(again, restored, "as after a lost answer");
        assert_eq!(revs(&calls, "/file", "path").await.len(), 3);
    }

    async fn other_times_of_the_same_bytes_are_restored(server: TestServer) {
        let calls = server.calls();
        let at = |time: &str| json!({"path": "/file", "mode": "overwrite", "client_modified": time, "strict_conflict": true});
        let old = calls.upload("files/upload", &at("2020-02-02T02:02:02Z").to_string(), "x").await.ok();
        calls.upload("files/upload", &at("2021-02-02T02:02:02Z").to_string(), "x").await.ok();
        let restored = restore(&calls, "/file", &old["rev"]).await.ok();
        assert_ne!(restored["rev"], old["rev"]);
        assert_eq!(restored["client_modified"], "2020-02-02T02:02:02Z");
    }

    async fn a_deleted_file_comes_back_with_its_folders(server: TestServer) {
        let calls = server.calls();
        let saved = calls.put("/Dir/Sub/File", "x").await;
        calls.put("/Dir/other", "x").await;
        calls.delete("/dir").await.ok();
        let restored = restore(&calls, "/Dir/Sub/File", &saved["rev"]).await.ok();
        assert_eq!(restored["id"], saved["id"]);
        assert_eq!(calls.tree().await, ["/Dir", "/Dir/Sub", "/Dir/Sub/File"]);
        assert_eq!(calls.metadata(text(&saved, "id")).await.ok()["rev"], restored["rev"]);
        let listed = list(&calls, &json!({"path": "/dir/sub/file"})).await.ok();
        assert_eq!((&listed["is_deleted"], &listed["server_deleted"]), (&json!(false), &Value::Null));
    }

    async fn the_file_of_a_revision_is_itself_again_unless_it_is_elsewhere(server: TestServer) {
        let calls = server.calls();
        let first = calls.put("/file", "first").await;
        calls.move_to("/file", "/moved").await.ok();
        let copy = restore(&calls, "/file", &first["rev"]).await.ok();
        assert_ne!(copy["id"], first["id"], "that one lives elsewhere");
        assert_eq!(calls.metadata(text(&first, "id")).await.ok()["path_display"], "/moved");
        calls.put("/file", "second").await;
        let again = restore(&calls, "/file", &first["rev"]).await.ok();
        assert_eq!(again["id"], copy["id"], "the file that is there goes on");

        calls.delete("/moved").await.ok();
        calls.put("/file", "third").await;
        let back = restore(&calls, "/file", &first["rev"]).await.ok();
        assert_eq!(back["id"], first["id"], "nobody else has it any more");
        assert_eq!(calls.metadata(text(&copy, "id")).await.error(), "path/not_found");
        assert_eq!(calls.read(text(&first, "id")).await, "first");
        assert_eq!(calls.tree().await, ["/file"]);
    }

    async fn what_is_in_the_way_of_a_restore_is_a_conflict(server: TestServer) {
        let calls = server.calls();
        let file = calls.put("/a/file", "x").await;
        calls.delete("/a/file").await.ok();
        calls.create_folder("/A/File").await.ok();
        assert_eq!(restore(&calls, "/a/file", &file["rev"]).await.error(), "path_write/conflict/folder");
        calls.delete("/a").await.ok();
        calls.put("/a", "now a file").await;
        assert_eq!(restore(&calls, "/a/file", &file["rev"]).await.error(), "path_write/conflict/file_ancestor");
        assert_eq!(calls.tree().await, ["/a"]);
    }

    async fn a_revision_is_restored_only_where_it_was_written(server: TestServer) {
        let calls = server.calls();
        let file = calls.put("/file", "x").await;
        let other = calls.put("/other", "y").await;
        calls.create_folder("/folder").await.ok();
        let foreign = server.calls_as("other").await.put("/file", "theirs").await;
        for rev in [&other["rev"], &foreign["rev"], &json!("123456789")] {
            assert_eq!(restore(&calls, "/file", rev).await.error(), "invalid_revision", "{rev}");
            assert_eq!(restore(&calls, "/folder", rev).await.error(), "invalid_revision", "{rev}");
            assert_eq!(restore(&calls, "/never", rev).await.error(), "path_lookup/not_found", "{rev}");
        }
        for (path, error) in [
            ("/", "path_lookup/malformed_path"),
            ("//file", "path_lookup/malformed_path"),
            ("/file/", "path_lookup/malformed_path"),
            ("ns:1/file", "path_lookup/not_found"),
            ("/file/below", "path_lookup/not_found"),
        ] {
            assert_eq!(restore(&calls, path, &file["rev"]).await.error(), error, "{path}");
        }
        for (path, rev) in [("", "123456789"), ("file", "123456789"), ("id:x", "123456789"), ("/file", "12345678"), ("/file", "X23456789")] {
            assert_eq!(restore(&calls, path, &json!(rev)).await.status, 400, "{path} {rev}");
        }
        assert_eq!(calls.read("/file").await, "x");
    }

    async fn a_restore_needs_room_if_it_makes_the_file_grow(server: TestServer) {
        let calls = server.calls();
        let saved = write(&server, "/file", &["a long one", "short", "the middle"]).await;
        calls.put("/file", "x").await;
        server.admin().set_quota("panda", Some(9)).await.expect("it is set");
        assert_eq!(restore(&calls, "/file", &saved[0]["rev"]).await.error(), "path_write/insufficient_space");
        restore(&calls, "/file", &saved[1]["rev"]).await.ok();
        server.admin().set_quota("panda", Some(10)).await.expect("it is set");
        restore(&calls, "/file", &saved[2]["rev"]).await.ok();
        server.admin().set_quota("panda", Some(3)).await.expect("it is set");
        restore(&calls, "/file", &saved[1]["rev"]).await.ok();
        assert_eq!(calls.read("/file").await, "short", "who is over the quota may still go back to less");
    }

    async fn a_restore_is_told_and_journalled(server: TestServer) {
        let calls = server.calls();
        let saved = write(&server, "/dir/file", &["one", "two"]).await;
        let everything = json!({"path": "", "recursive": true}).to_string();
        let latest = calls.rpc("files/list_folder/get_latest_cursor", &everything).await.ok();
        let mut events = calls.notifications(None).await;
        let first = restore(&calls, "/dir/file", &saved[0]["rev"]).await.ok();
        calls.delete("/dir").await.ok();
        let second = restore(&calls, "/dir/file", &saved[1]["rev"]).await.ok();
        let page = calls.list_on(text(&latest, "cursor")).await.ok();
        let entries = page["entries"].as_array().expect("entries").iter();
        let paths: Vec<&str> = entries.map(|entry| text(entry, "path_lower")).collect();
        assert_eq!(paths, ["/dir", "/dir/file"]);
        for (name, path, rev) in [
            ("file_changed", "/dir/file", &first["rev"]),
            ("folder_deleted", "/dir", &Value::Null),
            ("file_added", "/dir/file", &second["rev"]),
        ] {
            let event = events.next().await.expect("the stream goes on");
            assert_eq!((&*event.name, text(&event.data, "path_display"), &event.data["rev"]), (name, path, rev));
        }
    }
}
