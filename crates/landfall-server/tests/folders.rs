//! Making folders, and deleting files and folders.

use landfall_testkit::{Answer, Calls, TestServer, on_each_store};
use serde_json::{Value, json};

async fn create(calls: &Calls, path: &str, autorename: bool) -> Answer {
    let arg = json!({"path": path, "autorename": autorename}).to_string();
    calls.rpc("files/create_folder_v2", &arg).await
}

async fn delete_rev(calls: &Calls, path: &str, rev: &Value) -> Answer {
    let arg = json!({"path": path, "parent_rev": rev}).to_string();
    calls.rpc("files/delete_v2", &arg).await
}

/// `get_metadata` that also says what was deleted.
async fn even_deleted(calls: &Calls, path: &str) -> Answer {
    let arg = json!({"path": path, "include_deleted": true}).to_string();
    calls.rpc("files/get_metadata", &arg).await
}

on_each_store! {
    async fn a_new_folder_is_there_and_has_an_id(server: TestServer) {
        let calls = server.calls();
        let made = create(&calls, "/Folder", false).await.ok();
        let folder = &made["metadata"];
        let id = folder["id"].as_str().expect("an id");
        assert!(id.starts_with("id:") && id.len() == 25, "{id}");
        assert_eq!(
            made,
            json!({"metadata": {"name": "Folder", "path_lower": "/folder", "path_display": "/Folder", "id": id}}),
            "the leaf type, so without a tag"
        );
        let found = calls.metadata("/FOLDER").await;
        assert!(found.text().starts_with(r#"{".tag": "folder", "name": "Folder", "#), "{}", found.text());
        assert_eq!(found.ok()["id"], id);
        assert_eq!(calls.metadata(id).await.ok()["path_display"], "/Folder");
    }

    async fn the_first_versions_answer_with_the_metadata_itself(server: TestServer) {
        let calls = server.calls();
        let made = calls.rpc("files/create_folder", r#"{"path": "/Folder"}"#).await;
        let folder = made.ok();
        assert!(made.text().starts_with(r#"{"name": "Folder", "path_lower": "/folder", "#), "{}", made.text());
        let again = calls.rpc("files/create_folder", r#"{"path": "/folder"}"#).await;
        assert_eq!(again.error(), "path/conflict/folder");
        let renamed = calls.rpc("files/create_folder", r#"{"path": "/folder", "autorename": true}"#).await;
        assert_eq!(renamed.ok()["name"], "folder (2)");

        let deleted = calls.rpc("files/delete", r#"{"path": "/folder"}"#).await;
        assert!(deleted.text().starts_with(r#"{".tag": "folder", "name": "Folder", "#), "{}", deleted.text());
        assert_eq!(deleted.ok()["id"], folder["id"]);
        let again = calls.rpc("files/delete", r#"{"path": "/folder"}"#).await;
        assert_eq!(again.error(), "path_lookup/not_found");
        calls.put("/file", "x").await;
        let stale = calls.rpc("files/delete", r#"{"path": "/file", "parent_rev": "123456789"}"#).await;
        assert_eq!(stale.error(), "path_write/conflict/file");
        assert_eq!(calls.tree().await, ["/file", "/folder (2)"]);
    }

    async fn missing_parents_of_a_folder_are_made(server: TestServer) {
        let calls = server.calls();
        create(&calls, "/A", false).await.ok();
        let made = create(&calls, "/a/B/c", false).await.ok();
        assert_eq!(made["metadata"]["path_display"], "/A/B/c");
        assert_eq!(calls.tree().await, ["/A", "/A/B", "/A/B/c"]);
    }

    async fn what_is_in_the_way_of_a_folder_is_a_conflict(server: TestServer) {
        let calls = server.calls();
        let folder = create(&calls, "/folder", false).await.ok();
        calls.put("/file", "x").await;
        for (path, error) in [
            ("/folder", "path/conflict/folder"),
            ("/FOLDER", "path/conflict/folder"),
            ("/file", "path/conflict/file"),
            ("/file/below", "path/conflict/file_ancestor"),
            ("/file/below/deep", "path/conflict/file_ancestor"),
        ] {
            let refused = create(&calls, path, false).await;
            assert_eq!(refused.error(), error, "{path}");
            assert!(refused.text().starts_with(&format!("{{\"error_summary\": \"{error}/")));
        }
        assert_eq!(calls.metadata("/folder").await.ok()["id"], folder["metadata"]["id"]);
        assert_eq!(calls.tree().await, ["/file", "/folder"]);
    }

    async fn autorename_numbers_folders_behind_their_whole_name(server: TestServer) {
        let calls = server.calls();
        calls.put("/file.txt", "x").await;
        create(&calls, "/name", false).await.ok();
        create(&calls, "/v1.2", false).await.ok();
        for (path, name) in [
            ("/new", "new"),
            ("/name", "name (2)"),
            ("/NAME", "NAME (3)"),
            ("/v1.2", "v1.2 (2)"),
            ("/file.txt", "file.txt (2)"),
            ("/name/below", "below"),
            ("/Name/Below", "Below (2)"),
        ] {
            assert_eq!(create(&calls, path, true).await.ok()["metadata"]["name"], name, "{path}");
        }
        let refused = create(&calls, "/file.txt/below", true).await;
        assert_eq!(refused.error(), "path/conflict/file_ancestor");
        assert!(calls.tree().await.contains(&"/name/Below (2)".to_owned()));
    }

    async fn a_path_that_can_not_be_a_folder_says_why(server: TestServer) {
        let calls = server.calls();
        for (path, error) in [
            ("/", "path/malformed_path"),
            ("//a", "path/malformed_path"),
            ("/a/../b", "path/malformed_path"),
            ("/a/", "path/malformed_path"),
            ("/a ", "path/malformed_path"),
            ("/a\\b", "path/malformed_path"),
            ("/.dropbox", "path/disallowed_name"),
            ("/a/.DS_Store", "path/disallowed_name"),
            ("ns:1/a", "path/no_write_permission"),
        ] {
            for autorename in [false, true] {
                assert_eq!(create(&calls, path, autorename).await.error(), error, "{path}");
            }
        }
        for path in ["", "a", "id:AAAAAAAAAAAAAAAAAAAAAA/a", "rev:123456789"] {
            assert_eq!(create(&calls, path, false).await.status, 400, "{path}");
        }
        assert_eq!(calls.tree().await, [""; 0]);
    }

    async fn a_folder_can_be_made_again_after_it_was_deleted(server: TestServer) {
        let calls = server.calls();
        let first = create(&calls, "/folder", false).await.ok();
        calls.delete("/folder").await.ok();
        let again = create(&calls, "/Folder", false).await.ok();
        assert_ne!(again["metadata"]["id"], first["metadata"]["id"]);
        assert_eq!(again["metadata"]["path_display"], "/Folder", "in its new letters");
    }

    async fn a_deleted_file_is_gone_and_was_told_once_more(server: TestServer) {
        let calls = server.calls();
        calls.put("/Dir/File", "x").await;
        let before = calls.metadata("/dir/file").await.ok();
        let answer = calls.delete("/DIR/FILE").await;
        assert_eq!(answer.ok(), json!({ "metadata": before }), "the metadata from before, with its tag");
        assert!(answer.text().starts_with(r#"{"metadata": {".tag": "file", "name": "File", "#), "{}", answer.text());

        assert_eq!(calls.metadata("/dir/file").await.error(), "path/not_found");
        assert_eq!(
            even_deleted(&calls, "/dir/file").await.ok(),
            json!({".tag": "deleted", "name": "File", "path_lower": "/dir/file", "path_display": "/Dir/File"})
        );
        assert_eq!(even_deleted(&calls, "/never").await.error(), "path/not_found");
        assert_eq!(calls.metadata(before["id"].as_str().expect("an id")).await.error(), "path/not_found");
        assert_eq!(calls.tree().await, ["/Dir"]);
        assert_eq!(calls.delete("/dir/file").await.error(), "path_lookup/not_found");
    }

    async fn a_folder_is_deleted_with_all_in_it(server: TestServer) {
        let calls = server.calls();
        for path in ["/a/b/c", "/a/d", "/a b", "/a.b", "/a0", "/ab/c"] {
            calls.put(path, "x").await;
        }
        let before = calls.metadata("/a").await.ok();
        assert_eq!(calls.delete("/a").await.ok(), json!({ "metadata": before }));
        for path in ["/a", "/a/b", "/a/b/c", "/a/d"] {
            assert_eq!(calls.metadata(path).await.error(), "path/not_found", "{path}");
            assert_eq!(even_deleted(&calls, path).await.ok()[".tag"], "deleted", "{path}");
        }
        assert_eq!(calls.tree().await, ["/a b", "/a.b", "/a0", "/ab", "/ab/c"]);
    }

    async fn what_is_made_again_has_a_new_id(server: TestServer) {
        let calls = server.calls();
        let first = calls.put("/dir/file", "x").await;
        let dir = calls.metadata("/dir").await.ok();
        calls.delete("/dir").await.ok();
        let again = calls.put("/dir/file", "x").await;
        assert_ne!(again["id"], first["id"]);
        assert_ne!(again["rev"], first["rev"]);
        assert_ne!(calls.metadata("/dir").await.ok()["id"], dir["id"]);
        let id = first["id"].as_str().expect("an id");
        assert_eq!(calls.delete(id).await.error(), "path_lookup/not_found");
        assert_eq!(calls.read("/dir/file").await, "x");
    }

    async fn a_file_becomes_a_folder_and_back(server: TestServer) {
        let calls = server.calls();
        calls.put("/x", "file").await;
        calls.delete("/x").await.ok();
        calls.put("/x/y", "below").await;
        assert_eq!(calls.metadata("/x").await.ok()[".tag"], "folder");
        calls.delete("/x").await.ok();
        calls.put("/x", "file again").await;
        assert_eq!(calls.tree().await, ["/x"]);
        assert_eq!(calls.read("/x").await, "file again");
    }

    async fn a_parent_rev_guards_a_file(server: TestServer) {
        let calls = server.calls();
        let old = calls.put("/f", "old").await;
        let new = calls.put("/f", "new").await;
        assert_eq!(delete_rev(&calls, "/f", &old["rev"]).await.error(), "path_write/conflict/file");
        assert_eq!(delete_rev(&calls, "/nowhere", &old["rev"]).await.error(), "path_lookup/not_found");
        assert_eq!(calls.read("/f").await, "new");
        assert_eq!(delete_rev(&calls, "/f", &new["rev"]).await.ok()["metadata"]["rev"], new["rev"]);
        assert_eq!(calls.metadata("/f").await.error(), "path/not_found");
    }

    async fn a_parent_rev_is_not_for_folders(server: TestServer) {
        let calls = server.calls();
        let file = calls.put("/d/f", "x").await;
        assert_eq!(delete_rev(&calls, "/d", &file["rev"]).await.error(), "path_write/conflict/folder");
        assert_eq!(calls.tree().await, ["/d", "/d/f"]);
    }

    async fn files_and_folders_are_deleted_by_id_and_namespace(server: TestServer) {
        let calls = server.calls();
        let file = calls.put("/a/b", "x").await;
        calls.put("/c/d", "x").await;
        calls.put("/e", "x").await;
        calls.delete(file["id"].as_str().expect("an id")).await.ok();
        assert_eq!(calls.tree().await, ["/a", "/c", "/c/d", "/e"]);
        let c = calls.metadata("/c").await.ok()["id"].as_str().expect("an id").to_owned();
        calls.delete(&format!("{c}/D")).await.ok();
        calls.delete(&c).await.ok();
        let account = calls.rpc("users/get_current_account", "null").await.ok();
        let ns = account["root_info"]["root_namespace_id"].as_str().expect("a namespace").to_owned();
        calls.delete(&format!("ns:{ns}/e")).await.ok();
        assert_eq!(calls.tree().await, ["/a"]);
    }

    async fn what_can_not_be_deleted_says_why(server: TestServer) {
        let calls = server.calls();
        calls.put("/f", "x").await;
        let account = calls.rpc("users/get_current_account", "null").await.ok();
        let ns = account["root_info"]["root_namespace_id"].as_str().expect("a namespace").to_owned();
        for (path, error) in [
            ("/nowhere", "path_lookup/not_found"),
            ("/f/below", "path_lookup/not_found"),
            ("id:AAAAAAAAAAAAAAAAAAAAAA", "path_lookup/not_found"),
            ("ns:1/f", "path_lookup/not_found"),
            ("/", "path_lookup/malformed_path"),
            ("//f", "path_lookup/malformed_path"),
            ("/f/", "path_lookup/malformed_path"),
            ("/../f", "path_lookup/malformed_path"),
            (&format!("ns:{ns}"), "path_lookup/malformed_path"),
        ] {
            assert_eq!(calls.delete(path).await.error(), error, "{path}");
        }
        for path in ["", "f", "rev:123456789"] {
            assert_eq!(calls.delete(path).await.status, 400, "{path}");
        }
        assert_eq!(calls.tree().await, ["/f"]);
    }

    async fn of_two_deletions_at_once_one_wins(server: TestServer) {
        let calls = server.calls();
        calls.put("/f", "x").await;
        let (one, other) = tokio::join!(calls.delete("/f"), calls.delete("/f"));
        let mut statuses = [one.status, other.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 409]);
    }
}

#[test]
fn more_than_ten_thousand_entries_are_too_many_files() {
    TestServer::run(landfall_testkit::Stores::Memory, |server| async move {
        let calls = server.calls();
        // /big and 10,000 entries below it: one too many.
        let (calls_ref, next) = (&calls, &std::sync::atomic::AtomicUsize::new(0));
        let lane = async || {
            loop {
                let nth = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                if nth >= 10_000 {
                    return;
                }
                let arg = format!(r#"{{"path": "/big/{nth}"}}"#);
                calls_ref.upload("files/upload", &arg, "").await.ok();
            }
        };
        tokio::join!(lane(), lane(), lane(), lane());
        assert_eq!(calls.delete("/big").await.error(), "too_many_files");
        calls.metadata("/big/9999").await.ok();
        calls.delete("/big/0").await.ok();
        calls.delete("/big").await.ok();
        assert_eq!(calls.tree().await, [""; 0]);
    });
}
