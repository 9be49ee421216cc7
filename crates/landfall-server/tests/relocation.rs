//! Moving and copying files and folders.

use landfall_server::Numbering;
use landfall_testkit::{Answer, Calls, Events, Stores, TestServer, on_each_store};
use serde_json::{Value, json};

const BOTH: [&str; 2] = ["files/move_v2", "files/copy_v2"];

async fn relocate(calls: &Calls, route: &str, from: &str, to: &str) -> Answer {
    let arg = json!({"from_path": from, "to_path": to}).to_string();
    calls.rpc(route, &arg).await
}

/// With another name if there is a conflict.
async fn autorename(calls: &Calls, route: &str, from: &str, to: &str) -> Answer {
    let arg = json!({"from_path": from, "to_path": to, "autorename": true}).to_string();
    calls.rpc(route, &arg).await
}

/// `/Dir` with files and a folder of the same content as its letters.
async fn plant(calls: &Calls) {
    for path in [
        "/Dir/a",
        "/Dir/Sub/b",
        "/Dir/Sub/Deep/c",
        "/Dir x",
        "/other",
    ] {
        calls.put(path, path.to_owned()).await;
    }
    calls.create_folder("/Dir/Empty").await.ok();
}

/// Of each entry: its path, its id, its rev (`null`: a folder).
async fn entries(calls: &Calls) -> Vec<(String, Value, Value)> {
    let arg = json!({"path": "", "recursive": true, "limit": 2000});
    let listed = calls.list(&arg).await.ok();
    let entries = listed["entries"].as_array().expect("entries").iter();
    entries
        .map(|entry| {
            let path = entry["path_display"].as_str().expect("a path").to_owned();
            (path, entry["id"].clone(), entry["rev"].clone())
        })
        .collect()
}

async fn used(calls: &Calls) -> u64 {
    let usage = calls.rpc("users/get_space_usage", "null").await.ok();
    usage["used"].as_u64().expect("a number")
}

fn text<'v>(value: &'v Value, field: &str) -> &'v str {
    value[field].as_str().expect("a text")
}

on_each_store! {
    async fn a_moved_file_keeps_its_id_and_its_own_time(server: TestServer) {
        let calls = server.calls();
        let arg = json!({"path": "/From/File.txt", "client_modified": "2020-02-02T02:02:02Z"});
        let before = calls.upload("files/upload", &arg.to_string(), "bytes").await.ok();
        server.clock().advance_seconds(60);
        let answer = calls.move_to("/FROM/file.TXT", "/To/New.md").await;
        let moved = &answer.ok()["metadata"];
        assert!(answer.text().starts_with(r#"{"metadata": {".tag": "file", "name": "New.md", "#), "{}", answer.text());
        assert_eq!(moved["id"], before["id"]);
        assert_ne!(moved["rev"], before["rev"]);
        assert_eq!(moved["client_modified"], "2020-02-02T02:02:02Z");
        assert_eq!(moved["server_modified"], "2026-01-02T03:05:05Z");
        assert_eq!(moved["content_hash"], before["content_hash"]);
        assert_eq!((&moved["path_lower"], &moved["path_display"]), (&json!("/to/new.md"), &json!("/To/New.md")));
        assert_eq!(calls.metadata("/to/NEW.md").await.ok(), *moved);
        assert_eq!(calls.metadata(text(&before, "id")).await.ok(), *moved);
        assert_eq!(calls.metadata("/From/File.txt").await.error(), "path/not_found");
        assert_eq!(calls.read("/To/New.md").await, "bytes");
        assert_eq!(calls.tree().await, ["/From", "/To", "/To/New.md"]);
    }

    async fn a_copied_file_has_an_id_of_its_own(server: TestServer) {
        let calls = server.calls();
        let arg = json!({"path": "/File", "client_modified": "2020-02-02T02:02:02Z"});
        let before = calls.upload("files/upload", &arg.to_string(), "bytes").await.ok();
        server.clock().advance_seconds(60);
        let copied = calls.copy_to("/file", "/Copy").await.ok()["metadata"].clone();
        assert_ne!(copied["id"], before["id"]);
        assert_ne!(copied["rev"], before["rev"]);
        assert_eq!(copied["client_modified"], "2020-02-02T02:02:02Z");
        assert_eq!(copied["server_modified"], "2026-01-02T03:05:05Z");
        assert_eq!(copied["content_hash"], before["content_hash"]);
        let file = calls.metadata("/File").await.ok();
        assert_eq!((&file["id"], &file["rev"]), (&before["id"], &before["rev"]));
        calls.put("/File", "changed").await;
        assert_eq!(calls.read("/Copy").await, "bytes", "one is not the other");
        calls.delete("/File").await.ok();
        assert_eq!(calls.read("/copy").await, "bytes");
    }

    async fn a_folder_moves_with_all_in_it(server: TestServer) {
        let calls = server.calls();
        plant(&calls).await;
        let before = entries(&calls).await;
        let moved = calls.move_to("/dir", "/New/Place").await.ok();
        let id = &before.iter().find(|entry| entry.0 == "/Dir").expect("it was there").1;
        assert_eq!(
            moved,
            json!({"metadata": {".tag": "folder", "name": "Place", "path_lower": "/new/place",
                "path_display": "/New/Place", "id": id}})
        );
        let after = entries(&calls).await;
        let paths: Vec<&str> = after.iter().map(|entry| &*entry.0).collect();
        assert_eq!(
            paths,
            ["/Dir x", "/New", "/New/Place", "/New/Place/a", "/New/Place/Empty", "/New/Place/Sub",
                "/New/Place/Sub/b", "/New/Place/Sub/Deep", "/New/Place/Sub/Deep/c", "/other"]
        );
        for (path, id, rev) in &before {
            let there = path.replacen("/Dir/", "/New/Place/", 1);
            let Some(found) = after.iter().find(|entry| entry.0 == there) else {
                assert_eq!(path, "/Dir");
                continue;
            };
            assert_eq!(found.1, *id, "{path}");
            let stays = *path == there || rev.is_null();
            assert_eq!(found.2 == *rev, stays, "{path}");
        }
        for path in ["a", "Sub/b", "Sub/Deep/c"] {
            assert_eq!(calls.read(&format!("/New/Place/{path}")).await, format!("/Dir/{path}"));
        }
    }

    async fn a_folder_is_copied_with_all_in_it(server: TestServer) {
        let calls = server.calls();
        plant(&calls).await;
        let before = entries(&calls).await;
        let copied = calls.copy_to("/dir/SUB", "/Dir/Copy").await.ok();
        assert_eq!(copied["metadata"][".tag"], "folder");
        let after = entries(&calls).await;
        for entry in &before {
            assert!(after.contains(entry), "{entry:?}");
        }
        let new: Vec<_> = after.iter().filter(|entry| !before.contains(entry)).collect();
        let paths: Vec<&str> = new.iter().map(|entry| &*entry.0).collect();
        assert_eq!(paths, ["/Dir/Copy", "/Dir/Copy/b", "/Dir/Copy/Deep", "/Dir/Copy/Deep/c"]);
        let mut ids: Vec<String> = after.iter().map(|entry| entry.1.to_string()).collect();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), after.len(), "each has its own");
        assert_eq!(calls.read("/dir/copy/deep/c").await, "/Dir/Sub/Deep/c");
    }

    async fn the_first_versions_answer_with_the_metadata_itself(server: TestServer) {
        let calls = server.calls();
        let before = calls.put("/a", "x").await;
        let answer = relocate(&calls, "files/move", "/a", "/b").await;
        assert!(answer.text().starts_with(r#"{".tag": "file", "name": "b", "#), "{}", answer.text());
        assert_eq!(answer.ok()["id"], before["id"]);
        calls.create_folder("/folder").await.ok();
        let answer = relocate(&calls, "files/copy", "/folder", "/copy").await;
        assert!(answer.text().starts_with(r#"{".tag": "folder", "name": "copy", "#), "{}", answer.text());
        for route in ["files/move", "files/copy"] {
            assert_eq!(relocate(&calls, route, "/a", "/c").await.error(), "from_lookup/not_found");
        }
        assert_eq!(calls.tree().await, ["/b", "/copy", "/folder"]);
    }

    async fn missing_parents_are_made_and_those_that_exist_keep_their_letters(server: TestServer) {
        for route in BOTH {
            let calls = server.calls_as(route).await;
            plant(&calls).await;
            let there = relocate(&calls, route, "/dir/sub", "/DIR/empty/More/Name").await.ok();
            assert_eq!(there["metadata"]["path_display"], "/Dir/Empty/More/Name", "{route}");
            let tree = calls.tree().await;
            assert!(tree.contains(&"/Dir/Empty/More/Name/Deep/c".to_owned()), "{route}: {tree:?}");
        }
    }

    async fn what_is_in_the_way_is_a_conflict(server: TestServer) {
        for route in BOTH {
            let calls = server.calls_as(route).await;
            plant(&calls).await;
            let before = entries(&calls).await;
            for (from, to, error) in [
                ("/other", "/Dir/a", "to/conflict/file"),
                ("/other", "/DIR/A", "to/conflict/file"),
                ("/other", "/dir", "to/conflict/folder"),
                ("/Dir/Sub", "/other", "to/conflict/file"),
                ("/Dir/Sub", "/Dir/Empty", "to/conflict/folder"),
                ("/Dir/Sub", "/Dir", "to/conflict/folder"),
                ("/Dir/Sub", "/other/below", "to/conflict/file_ancestor"),
                ("/other", "/Dir/a/deep/er", "to/conflict/file_ancestor"),
                // A file has nothing below it, not even itself.
                ("/other", "/other/below", "to/conflict/file_ancestor"),
            ] {
                assert_eq!(relocate(&calls, route, from, to).await.error(), error, "{route} {from} {to}");
            }
            assert_eq!(entries(&calls).await, before);
        }
    }

    async fn autorename_finds_another_name_but_no_way_around_a_file(server: TestServer) {
        for route in BOTH {
            let calls = server.calls_as(route).await;
            for path in ["/a.txt", "/1.txt", "/2.txt", "/3.txt", "/v1.2/x", "/4/x", "/5/x"] {
                calls.put(path, path.to_owned()).await;
            }
            for (from, to, name) in [
                ("/1.txt", "/A.txt", "A (2).txt"),
                ("/2.txt", "/a.txt", "a (3).txt"),
                // The family of a folder has no extension.
                ("/4", "/V1.2", "V1.2 (2)"),
                ("/5", "/a.txt", "a.txt (2)"),
                ("/3.txt", "/new.txt", "new.txt"),
            ] {
                let there = autorename(&calls, route, from, to).await.ok();
                assert_eq!(there["metadata"]["name"], name, "{route} {from} {to}");
            }
            assert_eq!(calls.read("/a.txt (2)/x").await, "/5/x");
            assert_eq!(calls.read("/a (3).txt").await, "/2.txt");
            let refused = autorename(&calls, route, "/a.txt", "/new.txt/below").await;
            assert_eq!(refused.error(), "to/conflict/file_ancestor", "{route}");
        }
    }

    async fn onto_itself_is_a_conflict_in_any_letters(server: TestServer) {
        for route in BOTH {
            let calls = server.calls_as(route).await;
            plant(&calls).await;
            for (from, to, error) in [
                ("/other", "/other", "to/conflict/file"),
                ("/other", "/OTHER", "to/conflict/file"),
                ("/Dir", "/Dir", "to/conflict/folder"),
                ("/Dir", "/dir", "to/conflict/folder"),
            ] {
                assert_eq!(relocate(&calls, route, from, to).await.error(), error, "{route} {to}");
            }
            let there = autorename(&calls, route, "/other", "/OTHER").await.ok();
            assert_eq!(there["metadata"]["name"], "OTHER (2)", "{route}");
            let there = autorename(&calls, route, "/Dir", "/Dir").await.ok();
            assert_eq!(there["metadata"]["name"], "Dir (2)", "{route}");
            assert_eq!(calls.read("/Dir (2)/Sub/b").await, "/Dir/Sub/b", "{route}");
        }
    }

    async fn a_folder_does_not_go_into_itself(server: TestServer) {
        let calls = server.calls();
        plant(&calls).await;
        let before = entries(&calls).await;
        for to in ["/Dir/x", "/dir/SUB/x", "/Dir/Sub", "/Dir/a/below", "/DIR/new/er"] {
            let moved = calls.move_to("/Dir", to).await;
            assert_eq!(moved.error(), "cant_move_folder_into_itself", "{to}");
            let copied = calls.copy_to("/Dir", to).await;
            assert_eq!(copied.error(), "duplicated_or_nested_paths", "{to}");
        }
        assert_eq!(entries(&calls).await, before);
        calls.move_to("/Dir", "/Dir (below)").await.ok();
        calls.copy_to("/Dir (below)/Sub", "/Dir (below)/Subway").await.ok();
    }

    async fn a_source_that_is_not_there_is_told(server: TestServer) {
        for route in BOTH {
            let calls = server.calls_as(route).await;
            plant(&calls).await;
            calls.delete("/other").await.ok();
            let foreign = server.calls_as("foreign").await.put("/theirs", "x").await;
            for (from, error) in [
                ("/nowhere", "from_lookup/not_found"),
                ("/other", "from_lookup/not_found"),
                ("/Dir/a/below", "from_lookup/not_found"),
                (text(&foreign, "id"), "from_lookup/not_found"),
                ("id:AAAAAAAAAAAAAAAAAAAAAA", "from_lookup/not_found"),
                ("ns:1/Dir", "from_lookup/not_found"),
                ("/", "from_lookup/malformed_path"),
                ("//Dir", "from_lookup/malformed_path"),
                ("/Dir/", "from_lookup/malformed_path"),
                ("/Dir/../a", "from_lookup/malformed_path"),
            ] {
                assert_eq!(relocate(&calls, route, from, "/there").await.error(), error, "{route} {from}");
            }
        }
    }

    async fn a_target_that_can_not_be_one_says_why(server: TestServer) {
        for route in BOTH {
            let calls = server.calls_as(route).await;
            plant(&calls).await;
            let before = entries(&calls).await;
            let long = format!("/{}", "x".repeat(256));
            for (to, error) in [
                ("/", "to/malformed_path"),
                ("//x", "to/malformed_path"),
                ("/x/", "to/malformed_path"),
                ("/x ", "to/malformed_path"),
                ("/a\\b", "to/malformed_path"),
                ("/../x", "to/malformed_path"),
                (&long, "to/malformed_path"),
                ("id:AAAAAAAAAAAAAAAAAAAAAA/x", "to/malformed_path"),
                ("ns:1/x", "to/no_write_permission"),
                ("/.dropbox", "to/disallowed_name"),
                ("/x/Desktop.INI", "to/disallowed_name"),
            ] {
                assert_eq!(relocate(&calls, route, "/Dir", to).await.error(), error, "{route} {to}");
            }
            for bad in ["", "x", "rev:123456789"] {
                for (from, to) in [("/Dir", bad), (bad, "/x")] {
                    let refused = relocate(&calls, route, from, to).await;
                    assert_eq!(refused.status, 400, "{route}: {}", refused.text());
                    assert!(refused.text().contains("did not match pattern"), "{}", refused.text());
                }
            }
            assert_eq!(entries(&calls).await, before);
        }
    }

    async fn what_is_below_must_find_room_in_its_path_too(server: TestServer) {
        let calls = server.calls();
        let deep = format!("/{}", "d".repeat(200)).repeat(19);
        calls.put(&format!("/from/{}", "f".repeat(250)), "x").await;
        calls.create_folder(&deep).await.ok();
        for route in BOTH {
            let to = format!("{deep}/{}", "t".repeat(100));
            assert_eq!(relocate(&calls, route, "/from", &to).await.error(), "to/malformed_path");
        }
        calls.move_to("/from", &format!("{deep}/t")).await.ok();
    }

    async fn ids_and_the_own_namespace_name_both_ends(server: TestServer) {
        for route in BOTH {
            let calls = server.calls_as(route).await;
            plant(&calls).await;
            let account = calls.rpc("users/get_current_account", "null").await.ok();
            let own = text(&account["root_info"], "root_namespace_id").to_owned();
            let sub = text(&calls.metadata("/Dir/Sub").await.ok(), "id").to_owned();
            let there = relocate(&calls, route, &format!("{sub}/B"), &format!("ns:{own}/x/y")).await.ok();
            assert_eq!(there["metadata"]["path_display"], "/x/y", "{route}");
            assert_eq!(calls.read("/x/y").await, "/Dir/Sub/b");
            let there = relocate(&calls, route, "/x/y", &format!("{sub}/deep/new")).await.ok();
            assert_eq!(there["metadata"]["path_display"], "/Dir/Sub/Deep/new", "{route}");
            let there = relocate(&calls, route, &sub, "/Elsewhere").await.ok();
            assert_eq!(there["metadata"]["path_display"], "/Elsewhere", "{route}");
            let there = relocate(&calls, route, "/other", &sub).await;
            assert_eq!(there.error(), "to/conflict/folder", "an id is where its folder is");
        }
    }

    async fn places_that_were_used_before_are_used_again(server: TestServer) {
        for route in BOTH {
            let calls = server.calls_as(route).await;
            plant(&calls).await;
            // Places of the target that were a folder are files now, and the other way round.
            for path in ["/To/a/was/a folder", "/to/SUB", "/to/gone", "/to/empty"] {
                calls.put(path, "old").await;
            }
            calls.delete("/to").await.ok();
            relocate(&calls, route, "/Dir", "/to").await.ok();
            let mut tree = calls.tree().await;
            tree.retain(|path| path.starts_with("/to"));
            assert_eq!(tree, ["/to", "/to/a", "/to/Empty", "/to/Sub", "/to/Sub/b", "/to/Sub/Deep", "/to/Sub/Deep/c"]);
            assert_eq!(calls.read("/to/a").await, "/Dir/a", "{route}");
            // And back, over what was there.
            if route == "files/move_v2" {
                calls.move_to("/to", "/Dir").await.ok();
                assert_eq!(calls.read("/Dir/Sub/Deep/c").await, "/Dir/Sub/Deep/c");
            }
        }
    }

    async fn a_copy_needs_room_and_a_move_does_not(server: TestServer) {
        let calls = server.calls();
        for path in ["/dir/a", "/dir/b", "/dir/sub/c"] {
            calls.put(path, "0123456789").await;
        }
        calls.put("/empty", "").await;
        let quota = |bytes| {
            let admin = server.admin();
            async move { admin.set_quota("panda", Some(bytes)).await.expect("it is set") }
        };
        quota(59).await;
        assert_eq!(calls.copy_to("/dir", "/copy").await.error(), "insufficient_quota");
        assert_eq!(used(&calls).await, 30);
        calls.copy_to("/dir/sub", "/dir/sub (copy)").await.ok();
        assert_eq!(used(&calls).await, 40);
        quota(60).await;
        assert_eq!(calls.copy_to("/dir", "/copy").await.error(), "insufficient_quota");
        calls.copy_to("/dir/sub", "/copy").await.ok();
        assert_eq!(used(&calls).await, 50);
        quota(10).await;
        assert_eq!(calls.copy_to("/dir/a", "/d").await.error(), "insufficient_quota");
        calls.copy_to("/empty", "/empty too").await.ok();
        calls.move_to("/dir", "/moved").await.ok();
        assert_eq!(used(&calls).await, 50, "what is moved counts once");
        calls.delete("/moved").await.ok();
        assert_eq!(used(&calls).await, 10);
    }

    async fn each_end_is_told_once(server: TestServer) {
        let calls = server.calls();
        plant(&calls).await;
        let mut events = calls.notifications(None).await;
        let file = calls.move_to("/other", "/new/other").await.ok()["metadata"].clone();
        let copy = calls.copy_to("/new/other", "/copy").await.ok()["metadata"].clone();
        calls.move_to("/Dir", "/moved").await.ok();
        calls.copy_to("/moved", "/copied").await.ok();
        calls.move_to("/copied", "/moved").await.error();
        calls.create_folder("/the end").await.ok();
        assert_eq!(
            told(&mut events).await,
            [
                ("file_deleted".into(), "/other".into(), Value::Null),
                ("file_added".into(), "/new/other".into(), file["rev"].clone()),
                ("file_added".into(), "/copy".into(), copy["rev"].clone()),
                ("folder_deleted".into(), "/Dir".into(), Value::Null),
                ("folder_added".into(), "/moved".into(), Value::Null),
                ("folder_added".into(), "/copied".into(), Value::Null),
            ]
        );
    }

    async fn changes_arrive_in_an_order_in_which_they_can_be_applied(server: TestServer) {
        let calls = server.calls();
        plant(&calls).await;
        let everything = json!({"path": "", "recursive": true}).to_string();
        let latest = calls.rpc("files/list_folder/get_latest_cursor", &everything).await.ok();
        calls.move_to("/Dir", "/new/place").await.ok();
        let page = calls.list_on(text(&latest, "cursor")).await.ok();
        let entries = page["entries"].as_array().expect("entries").iter();
        let seen: Vec<String> = entries
            .map(|entry| format!("{} {}", text(entry, ".tag"), text(entry, "path_lower")))
            .collect();
        assert_eq!(
            seen,
            ["deleted /dir", "deleted /dir/a", "deleted /dir/empty", "deleted /dir/sub", "deleted /dir/sub/b",
                "deleted /dir/sub/deep", "deleted /dir/sub/deep/c", "folder /new", "folder /new/place",
                "file /new/place/a", "folder /new/place/empty", "folder /new/place/sub", "file /new/place/sub/b",
                "folder /new/place/sub/deep", "file /new/place/sub/deep/c"]
        );
    }

    async fn an_old_rev_is_found_after_its_file_was_moved(server: TestServer) {
        let calls = server.calls();
        let first = calls.put("/file", "one").await;
        let second = calls.put("/file", "two").await;
        let moved = calls.move_to("/file", "/moved").await.ok()["metadata"].clone();
        for (rev, path, bytes) in [(&first, "/file", "one"), (&second, "/file", "two"), (&moved, "/moved", "two")] {
            let rev = format!("rev:{}", text(rev, "rev"));
            assert_eq!(calls.read(&rev).await, bytes);
            assert_eq!(calls.metadata(&rev).await.ok()["path_display"], path);
        }
    }

    async fn a_finish_is_repeated_as_before_after_its_file_was_moved(server: TestServer) {
        let calls = server.calls();
        let session = calls.start("{}", "bytes").await;
        let commit = r#"{"path": "/file"}"#;
        let finished = calls.finish(&session, 5, commit, "").await.ok();
        calls.move_to("/file", "/moved").await.ok();
        assert_eq!(calls.finish(&session, 5, commit, "").await.ok(), finished);
        assert_eq!(calls.tree().await, ["/moved"], "and writes nothing");
    }

    async fn of_many_that_move_one_file_one_wins(server: TestServer) {
        let calls = server.calls();
        calls.put("/dir/file", "x").await;
        let racing: Vec<_> = (0..8)
            .map(|nth| {
                let calls = calls.clone();
                let from = if nth % 2 == 0 { "/dir" } else { "/dir/file" };
                tokio::spawn(async move { calls.move_to(from, &format!("/to {nth}")).await })
            })
            .collect();
        let mut files = 0;
        for answer in racing {
            let answer = answer.await.expect("an answer");
            match answer.status {
                200 if answer.ok()["metadata"][".tag"] == "file" => files += 1,
                200 => {}
                _ => assert_eq!(answer.error(), "from_lookup/not_found"),
            }
        }
        assert!(files <= 1, "{files}");
        let tree = calls.tree().await;
        let found = tree.iter().filter(|path| path.ends_with("/file")).count();
        assert_eq!(found + files, 1, "{tree:?}");
    }

    async fn uploads_into_a_folder_that_moves_are_never_lost(server: TestServer) {
        let calls = server.calls();
        calls.put("/0/first", "x").await;
        let uploading: Vec<_> = (0..20)
            .map(|nth| {
                let calls = calls.clone();
                tokio::spawn(async move { calls.put(&format!("/{}/{nth}", nth % 5), "x").await })
            })
            .collect();
        for nth in 0..4 {
            calls.move_to(&format!("/{nth}"), &format!("/moved/{nth}")).await;
        }
        for upload in uploading {
            let saved = upload.await.expect("an answer");
            let found = calls.metadata(text(&saved, "id")).await.ok();
            assert_eq!(found["content_hash"], saved["content_hash"]);
        }
        let mut wanted = 21;
        for path in calls.tree().await {
            wanted -= u32::from(calls.metadata(&path).await.ok()[".tag"] == "file");
        }
        assert_eq!(wanted, 0);
    }
}

/// Events up to the last change: name, path, rev.
async fn told(events: &mut Events) -> Vec<(String, String, Value)> {
    let mut told = Vec::new();
    loop {
        let event = events.next().await.expect("the stream goes on");
        let path = text(&event.data, "path_display").to_owned();
        if path == "/the end" {
            return told;
        }
        told.push((event.name.clone(), path, event.data["rev"].clone()));
    }
}

#[test]
fn observed_numbering_begins_at_one_for_moves_and_copies() {
    TestServer::run_numbering(Stores::Memory, Numbering::Observed, async |server| {
        let calls = server.calls();
        plant(&calls).await;
        for (route, name) in [("files/copy_v2", "a (1)"), ("files/move_v2", "a (2)")] {
            let there = autorename(&calls, route, "/other", "/Dir/a").await.ok();
            assert_eq!(there["metadata"]["name"], name);
        }
    });
}

#[test]
fn ten_thousand_entries_go_in_one_request_and_no_more() {
    TestServer::run(Stores::Directory, async |server| {
        let calls = server.calls();
        // A folder of a hundred folders of 98 files, and one more that the whole just can't have.
        for nth in 0..98 {
            calls.put(&format!("/one/{nth}"), "x").await;
        }
        for nth in 0..100 {
            let to = format!("/all/{nth}");
            calls.copy_to("/one", &to).await.ok();
        }
        for nth in 0..99 {
            calls.put(&format!("/all/more {nth}"), "x").await;
        }
        // With the folder itself it is 10,000.
        let copied = calls.copy_to("/all", "/copy").await.ok();
        assert_eq!(copied["metadata"]["path_display"], "/copy");
        assert_eq!(used(&calls).await, 98 + 2 * 9_899);
        calls.move_to("/copy", "/moved").await.ok();
        assert_eq!(calls.read("/moved/99/97").await, "x");

        calls.put("/all/one too many", "x").await;
        for route in BOTH {
            let refused = relocate(&calls, route, "/all", "/there").await;
            assert_eq!(refused.error(), "too_many_files");
        }
        assert_eq!(calls.metadata("/there").await.error(), "path/not_found");
    });
}
