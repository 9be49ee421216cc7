//! Names and places of commits: autorename's names, one file per path (P6), implicit parents,
//! ids and revs, and paths that can't be written.

use landfall_protocol::ContentHash;
use landfall_server::Numbering;
use landfall_testkit::{Calls, Stores, TestServer, on_each_store};
use serde_json::{Value, json};

/// Adds other bytes at a path until there are `copies` more, and returns their names.
async fn add_copies(calls: &Calls, path: &str, copies: usize) -> Vec<String> {
    calls.put(path, "first").await;
    let commit = json!({"path": path, "autorename": true});
    let mut names = Vec::new();
    for copy in 0..copies {
        let saved = calls.commit(&commit, format!("copy {copy}")).await.ok();
        names.push(saved["name"].as_str().expect("a name").to_owned());
    }
    names
}

/// Updates a rev that is not the file's, and returns the name that the copy gets.
async fn stale_update(calls: &Calls, path: &str, stale: &Value, body: &'static str) -> String {
    let mode = json!({".tag": "update", "update": stale["rev"]});
    let commit = json!({"path": path, "mode": mode, "autorename": true});
    let saved = calls.commit(&commit, body).await.ok();
    saved["name"].as_str().expect("a name").to_owned()
}

on_each_store! {
    async fn numbers_begin_at_two_and_go_up(server: TestServer) {
        let names = add_copies(&server.calls(), "/document.txt", 3).await;
        assert_eq!(names, ["document (2).txt", "document (3).txt", "document (4).txt"]);
    }

    async fn the_first_free_number_is_taken_in_any_case(server: TestServer) {
        let calls = server.calls();
        calls.put("/DOCUMENT (3).TXT", "third").await;
        assert_eq!(add_copies(&calls, "/document.txt", 2).await, ["document (2).txt", "document (4).txt"]);
        calls.delete("/document (2).txt").await.ok();
        assert_eq!(add_copies(&calls, "/document.txt", 1).await, ["document (2).txt"]);
    }

    async fn the_number_goes_before_the_last_extension(server: TestServer) {
        let calls = server.calls();
        for (name, renamed) in [
            ("archive.tar.gz", "archive.tar (2).gz"),
            (".profile", ".profile (2)"),
            (".config.toml", ".config (2).toml"),
            ("README", "README (2)"),
            ("ends.", "ends (2)."),
            ("\u{fc}n\u{ef}.t\u{e9}xt", "\u{fc}n\u{ef} (2).t\u{e9}xt"),
        ] {
            assert_eq!(add_copies(&calls, &format!("/{name}"), 1).await, [renamed]);
        }
    }

    async fn a_copy_keeps_the_letters_of_the_request(server: TestServer) {
        let calls = server.calls();
        calls.put("/document.txt", "first").await;
        let commit = json!({"path": "/DOCUMENT.TXT", "autorename": true});
        let saved = calls.commit(&commit, "second").await.ok();
        assert_eq!(saved["path_display"], "/DOCUMENT (2).TXT");
        assert_eq!(saved["path_lower"], "/document (2).txt");
    }

    async fn a_copy_that_is_there_already_is_not_recognised(server: TestServer) {
        // Only the path itself is compared: the second copy of the same bytes gets a name too.
        let calls = server.calls();
        calls.put("/document.txt", "first").await;
        let commit = json!({"path": "/document.txt", "autorename": true});
        for name in ["document (2).txt", "document (3).txt"] {
            assert_eq!(calls.commit(&commit, "same").await.ok()["name"], name);
        }
    }

    async fn the_longest_names_are_shortened(server: TestServer) {
        let calls = server.calls();
        let longest = format!("{}.txt", "x".repeat(251));
        let copies = add_copies(&calls, &format!("/{longest}"), 9).await;
        assert_eq!(copies[0], format!("{} (2).txt", "x".repeat(247)));
        assert_eq!(copies[8], format!("{} (10).txt", "x".repeat(246)));

        // Two units each: one of them is not cut in the middle.
        let whales = "\u{1f40b}".repeat(127);
        let copies = add_copies(&calls, &format!("/{whales}"), 1).await;
        assert_eq!(copies, [format!("{} (2)", "\u{1f40b}".repeat(125))]);
        let mode = json!({".tag": "update", "update": "123456789"});
        let commit = json!({"path": format!("/{longest}"), "mode": mode, "autorename": true});
        let name = format!("{} (Panda's conflicted copy).txt", "x".repeat(225));
        assert_eq!(calls.commit(&commit, "stale").await.ok()["name"], name);
    }

    async fn long_names_of_composed_characters_can_be_renamed_again_and_again(server: TestServer) {
        let calls = server.calls();
        // Four characters that compose to one: cut to length they fold to fewer than a short stem.
        let long = "\u{3b1}\u{313}\u{300}\u{345}".repeat(63);
        let copies = add_copies(&calls, &format!("/{long}"), 2).await;
        assert!(copies[0].ends_with(" (2)"), "{copies:?}");
        assert!(copies[1].ends_with(" (3)"), "{copies:?}");
    }

    async fn long_hangul_names_get_a_second_conflicted_copy(server: TestServer) {
        let calls = server.calls();
        let path = format!("/{}", "\u{1112}\u{1161}\u{11ab}".repeat(85));
        let stale = calls.put(&path, "first").await;
        calls.put(&path, "second").await;
        let first = stale_update(&calls, &path, &stale, "third").await;
        assert!(first.ends_with(" (Panda's conflicted copy)"), "{first}");
        let second = stale_update(&calls, &path, &stale, "fourth").await;
        assert!(second.ends_with(" (Panda's conflicted copy 2)"), "{second}");
    }

    async fn a_name_with_the_last_of_all_characters_can_be_renamed_again(server: TestServer) {
        let calls = server.calls();
        // Wherever a long stem is cut, the character stands behind the cut of one of these.
        for length in 60..=130 {
            let path = format!("/{}\u{10ffff}z", "x".repeat(length));
            let copies = add_copies(&calls, &path, 2).await;
            assert!(copies[1].ends_with("\u{10ffff}z (3)"), "{copies:?}");
        }
    }

    async fn a_renamed_file_of_the_longest_path_does_not_spoil_the_tree(server: TestServer) {
        let calls = server.calls();
        // 4096 bytes: the longest path. Its copy would be longer.
        let path = format!("{}/{}", format!("/{}", "x".repeat(254)).repeat(16), "y".repeat(15));
        calls.put(&path, "first").await;
        let answer = calls.commit(&json!({"path": path, "autorename": true}), "second").await;
        assert!(matches!(answer.status, 200 | 409), "{}", answer.text());
        assert!(calls.tree().await.len() >= 17, "the tree can still be listed");
        if answer.status == 200 {
            let saved = answer.ok();
            let renamed = saved["path_display"].as_str().expect("a path");
            assert_eq!(calls.read(renamed).await, "second", "what was saved can be reached by its path");
        }
    }

    async fn a_stale_update_becomes_a_conflicted_copy_of_its_owner(server: TestServer) {
        let calls = server.calls();
        let stale = calls.put("/document.txt", "first").await;
        calls.put("/document.txt", "second").await;
        for (body, name) in [
            ("third", "document (Panda's conflicted copy).txt"),
            ("fourth", "document (Panda's conflicted copy 2).txt"),
            ("fifth", "document (Panda's conflicted copy 3).txt"),
        ] {
            assert_eq!(stale_update(&calls, "/document.txt", &stale, body).await, name);
        }
    }

    async fn without_a_display_name_a_conflicted_copy_is_nobodys(server: TestServer) {
        let calls = server.calls_as("nameless").await;
        let stale = calls.put("/document.txt", "first").await;
        calls.put("/document.txt", "second").await;
        for (body, name) in [
            ("third", "document (conflicted copy).txt"),
            ("fourth", "document (conflicted copy 2).txt"),
        ] {
            assert_eq!(stale_update(&calls, "/document.txt", &stale, body).await, name);
        }
    }

    async fn a_display_name_is_made_fit_for_a_file_name(server: TestServer) {
        let admin = server.admin();
        for (account, display, owner) in [
            ("slash", " AC/DC\\ ", "document (ACDC's conflicted copy).txt"),
            ("nothing", "/", "document (conflicted copy).txt"),
        ] {
            admin.add_account(account, Some(display)).await.expect("a new account");
            let calls = server.calls_as(account).await;
            let stale = calls.put("/document.txt", "first").await;
            calls.put("/document.txt", "second").await;
            assert_eq!(stale_update(&calls, "/document.txt", &stale, "third").await, owner);
        }
    }

    async fn letters_that_compose_only_in_lower_case_are_one_name(server: TestServer) {
        let calls = server.calls();
        // "J" and a caron have no character of their own; "j" and a caron have.
        for (upper, lower) in [("/J\u{30c}", "/j\u{30c}"), ("/H\u{331}", "/\u{1e96}")] {
            let saved = calls.put(upper, "first").await;
            let key = saved["path_lower"].as_str().expect("a path").to_owned();
            assert_eq!(calls.metadata(&key).await.status, 200, "path_lower of {upper:?} leads to it");
            let refused = calls.commit(&json!({ "path": lower }), "second").await;
            assert_eq!(refused.status, 409, "{upper:?} and {lower:?} are one path: {}", refused.text());
        }
    }

    async fn spellings_of_one_name_are_one_file(server: TestServer) {
        let calls = server.calls();
        for (first, other) in [
            ("/document.txt", "/DOCUMENT.TXT"),
            ("/caf\u{e9}", "/cafe\u{301}"),
            ("/\u{c4}RGER", "/a\u{308}rger"),
            ("/\u{3a3}\u{3a3}\u{3a3}", "/\u{3c3}\u{3c3}\u{3c3}"),
        ] {
            let saved = calls.put(first, "first").await;
            let refused = calls.commit(&json!({ "path": other }), "second").await;
            assert_eq!(refused.error(), "path/conflict/file", "{other}");
            let again = calls.put(other, "second").await;
            assert_eq!(again["id"], saved["id"], "{other}");
            assert_eq!(again["path_display"], first, "the file keeps its letters");
            assert_eq!(again["path_lower"], saved["path_lower"]);
            assert_eq!(calls.read(first).await, "second");
        }
        assert_eq!(calls.tree().await.len(), 4);
    }

    async fn other_names_are_other_files(server: TestServer) {
        let calls = server.calls();
        // Nothing is folded that isn't one character to one: no sharp s, no ligature.
        for path in ["/stra\u{df}e", "/strasse", "/o\u{fb00}", "/off", "/a b", "/a  b"] {
            calls.commit(&json!({ "path": path }), path.to_owned()).await.ok();
        }
        assert_eq!(calls.tree().await.len(), 6);
    }

    async fn missing_parents_are_made(server: TestServer) {
        let calls = server.calls();
        let saved = calls.commit(&json!({"path": "/A/b/C/file"}), "x").await.ok();
        assert_eq!(saved["path_display"], "/A/b/C/file");
        for (path, shown) in [("/a", "/A"), ("/a/b", "/A/b"), ("/a/b/c", "/A/b/C")] {
            let folder = calls.metadata(path).await.ok();
            assert_eq!(folder[".tag"], "folder");
            assert_eq!(folder["path_display"], shown);
        }
    }

    async fn parents_that_exist_keep_their_letters(server: TestServer) {
        let calls = server.calls();
        calls.create_folder("/Photos/Summer").await.ok();
        let saved = calls.commit(&json!({"path": "/PHOTOS/summer/New/A.JPG"}), "x").await.ok();
        assert_eq!(saved["path_display"], "/Photos/Summer/New/A.JPG");
        assert_eq!(saved["path_lower"], "/photos/summer/new/a.jpg");
        assert_eq!(
            calls.tree().await,
            ["/Photos", "/Photos/Summer", "/Photos/Summer/New", "/Photos/Summer/New/A.JPG"]
        );
    }

    async fn a_refused_commit_makes_no_parents(server: TestServer) {
        let calls = server.calls();
        calls.put("/file", "x").await;
        let refused = calls.commit(&json!({"path": "/file/a/b"}), "y").await;
        assert_eq!(refused.error(), "path/conflict/file_ancestor");
        let refused = calls.commit(&json!({"path": "/new/desktop.ini"}), "y").await;
        assert_eq!(refused.error(), "path/disallowed_name");
        assert_eq!(calls.tree().await, ["/file"]);
    }

    async fn ids_and_revs_go_on_as_the_table_says(server: TestServer) {
        let calls = server.calls();
        let commit = json!({"path": "/f", "mode": "overwrite", "client_modified": "2001-02-03T04:05:06Z"});
        let first = calls.commit(&commit, "one").await.ok();
        assert_eq!(first["client_modified"], "2001-02-03T04:05:06Z");
        assert_eq!(first["server_modified"], "2026-01-02T03:04:05Z");
        let id = first["id"].as_str().expect("an id");
        assert!(id.starts_with("id:") && id.len() == 25, "{id}");
        assert_eq!(first["content_hash"], ContentHash::of(b"one").to_string());

        server.clock().advance_seconds(55);
        let overwritten = calls.commit(&json!({"path": "/f", "mode": "overwrite"}), "two").await.ok();
        assert_eq!(overwritten["id"], first["id"]);
        assert_ne!(overwritten["rev"], first["rev"]);
        assert_eq!(overwritten["client_modified"], "2026-01-02T03:05:00Z", "now, where none is given");
        assert_eq!(overwritten["server_modified"], "2026-01-02T03:05:00Z");

        calls.delete("/f").await.ok();
        let recreated = calls.commit(&json!({"path": "/f"}), "two").await.ok();
        assert_ne!(recreated["id"], first["id"]);
        assert_ne!(recreated["rev"], overwritten["rev"]);
        assert_ne!(recreated["rev"], first["rev"]);
    }

    async fn identical_content_of_length_zero_changes_nothing(server: TestServer) {
        let calls = server.calls();
        let first = calls.commit(&json!({"path": "/empty"}), "").await.ok();
        server.clock().advance_seconds(60);
        for mode in [json!("add"), json!("overwrite"), json!({".tag": "update", "update": "123456789"})] {
            let commit = json!({"path": "/empty", "mode": mode, "client_modified": "2001-02-03T04:05:06Z"});
            assert_eq!(calls.commit(&commit, "").await.ok(), first);
            assert_eq!(calls.upload("files/upload", &commit.to_string(), "").await.ok(), first);
        }
    }

    async fn a_mode_is_understood_in_both_its_forms(server: TestServer) {
        let calls = server.calls();
        calls.put("/f", "one").await;
        calls.commit(&json!({"path": "/f", "mode": {".tag": "overwrite"}}), "two").await.ok();
        calls.commit(&json!({"path": "/f", "mode": "overwrite"}), "three").await.ok();
        assert_eq!(calls.read("/f").await, "three");
        let bare = calls.commit(&json!({"path": "/f", "mode": "update"}), "four").await;
        assert_eq!(bare.status, 400, "{}", bare.text());
    }

    async fn what_was_replaced_stays_readable_by_its_rev(server: TestServer) {
        let calls = server.calls();
        let mut revs = Vec::new();
        for body in ["one", "two", "three"] {
            revs.push(calls.put("/f", body).await);
        }
        calls.delete("/f").await.ok();
        for (saved, body) in revs.iter().zip(["one", "two", "three"]) {
            let rev = format!("rev:{}", saved["rev"].as_str().expect("a rev"));
            assert_eq!(calls.read(&rev).await, body);
            let mut then = calls.metadata(&rev).await.ok();
            assert_eq!(then.as_object_mut().expect("metadata").shift_remove(".tag"), Some(json!("file")));
            assert_eq!(then, *saved);
        }
    }

    async fn a_commit_onto_an_id_writes_where_the_id_is(server: TestServer) {
        let calls = server.calls();
        let file = calls.put("/Dir/File.txt", "one").await;
        let dir = calls.metadata("/dir").await.ok();
        let (file_id, dir_id) = (file["id"].as_str().expect("an id"), dir["id"].as_str().expect("an id"));

        let commit = json!({"path": file_id, "mode": "overwrite"});
        let saved = calls.commit(&commit, "two").await.ok();
        assert_eq!((&saved["path_display"], &saved["id"]), (&json!("/Dir/File.txt"), &file["id"]));
        let below = calls.commit(&json!({"path": format!("{dir_id}/New/x")}), "three").await.ok();
        assert_eq!(below["path_display"], "/Dir/New/x");
        let copy = calls.commit(&json!({"path": file_id, "autorename": true}), "four").await.ok();
        assert_eq!(copy["path_display"], "/Dir/File (2).txt");

        let refused = calls.commit(&json!({ "path": dir_id }), "five").await;
        assert_eq!(refused.error(), "path/conflict/folder");
        let refused = calls.commit(&json!({"path": format!("{file_id}/x")}), "six").await;
        assert_eq!(refused.error(), "path/conflict/file_ancestor");
        let refused = calls.commit(&json!({"path": "id:AAAAAAAAAAAAAAAAAAAAAA"}), "seven").await;
        assert_eq!(refused.error(), "path/malformed_path");
    }

    async fn a_commit_onto_the_own_namespace_is_a_commit_onto_the_path(server: TestServer) {
        let calls = server.calls();
        let account = calls.rpc("users/get_current_account", "null").await.ok();
        let own = account["root_info"]["root_namespace_id"].as_str().expect("a namespace").to_owned();
        let saved = calls.commit(&json!({"path": format!("ns:{own}/a/b")}), "x").await.ok();
        assert_eq!(saved["path_display"], "/a/b");
        assert_eq!(calls.read(&format!("ns:{own}/A/B")).await, "x");
        let root = calls.commit(&json!({"path": format!("ns:{own}")}), "x").await;
        assert_eq!(root.error(), "path/malformed_path");
        let foreign = calls.commit(&json!({"path": format!("ns:{own}0/a/b")}), "x").await;
        assert_eq!(foreign.error(), "path/no_write_permission");
    }

    async fn malformed_paths_get_their_own_error(server: TestServer) {
        let calls = server.calls();
        let too_long = format!("/{}", "x".repeat(256));
        let too_deep = "/abc".repeat(1025);
        for path in [
            "/", "//", "/../x", "/./x", "/x/..", "//x", "/a//b", "/a/", "/a\\b", "/a\\", "/a ", "/a /b",
            "/a\t", "/a\u{3000}", "/a\0b", &too_long, &too_deep,
        ] {
            let refused = calls.commit(&json!({ "path": path }), "x").await;
            assert_eq!(refused.error(), "path/malformed_path", "{path:?}");
            let renamed = calls.commit(&json!({"path": path, "autorename": true}), "x").await;
            assert_eq!(renamed.error(), "path/malformed_path", "{path:?}");
            let upload = calls.upload("files/upload", &json!({ "path": path }).to_string(), "x").await;
            assert_eq!(upload.error(), "path/malformed_path", "{path:?}");
            assert_eq!(upload.json()["error"]["reason"][".tag"], "malformed_path");
        }
        assert_eq!(calls.tree().await, [""; 0]);
    }

    async fn paths_that_break_the_pattern_are_bad_requests(server: TestServer) {
        let calls = server.calls();
        for path in ["", "x", "rev:123456789", "ns:x/a", "id:a\nb", "../x"] {
            let refused = calls.commit(&json!({ "path": path }), "x").await;
            assert_eq!(refused.status, 400, "{path:?}: {}", refused.text());
            assert!(refused.text().contains("commit.path: '"), "{}", refused.text());
            assert!(refused.text().contains("did not match pattern"), "{}", refused.text());
        }
    }

    async fn names_of_unusual_characters_are_fine(server: TestServer) {
        let calls = server.calls();
        for path in ["/ a", "/...", "/a\nb", "/\u{1f40b}", "/a\u{7f}b", "/\"quoted\"", "/a:b*c?d", "/%2F"] {
            let saved = calls.commit(&json!({ "path": path }), path.to_owned()).await.ok();
            assert_eq!(saved["path_display"], path);
            assert_eq!(calls.read(path).await, path);
        }
    }

    async fn disallowed_names_get_their_own_error(server: TestServer) {
        let calls = server.calls();
        for path in [
            "/desktop.ini", "/DESKTOP.INI", "/a/Thumbs.db", "/.DS_Store", "/icon\r", "/.dropbox",
            "/.dropbox.attr", "/.dropbox.cache", "/.dropbox.cache/x", "/thumbs.db/a/b",
        ] {
            for autorename in [false, true] {
                let commit = json!({"path": path, "autorename": autorename});
                assert_eq!(calls.commit(&commit, "x").await.error(), "path/disallowed_name", "{path:?}");
                let upload = calls.upload("files/upload", &commit.to_string(), "x").await;
                assert_eq!(upload.error(), "path/disallowed_name", "{path:?}");
            }
        }
        for path in ["/desktop.ini.txt", "/xthumbs.db", "/.dropboxes", "/icon"] {
            calls.commit(&json!({ "path": path }), "x").await.ok();
        }
    }

    async fn a_file_with_property_groups_is_saved_without_them(server: TestServer) {
        let calls = server.calls();
        let group = json!({"template_id": "ptid:abc", "fields": [{"name": "a", "value": "b"}]});
        for (path, upload) in [("/finished", false), ("/uploaded", true)] {
            let commit = json!({"path": path, "property_groups": [group]});
            let answer = if upload {
                calls.upload("files/upload", &commit.to_string(), "x").await
            } else {
                calls.commit(&commit, "x").await
            };
            assert_eq!(answer.error(), "properties_error/template_not_found");
            assert_eq!(
                answer.json()["error"],
                json!({".tag": "properties_error", "properties_error":
                    {".tag": "template_not_found", "template_not_found": "ptid:abc"}})
            );
            assert_eq!(calls.read(path).await, "x");
        }
        let none = json!({"path": "/none", "property_groups": []});
        calls.commit(&none, "x").await.ok();
    }

    async fn a_repeated_finish_says_again_that_the_properties_were_not_saved(server: TestServer) {
        let calls = server.calls();
        let commit = json!({"path": "/f", "property_groups": [{"template_id": "ptid:abc", "fields": []}]});
        let session = calls.start("{}", "x").await;
        let first = calls.finish(&session, 1, &commit.to_string(), "").await;
        assert_eq!(first.error(), "properties_error/template_not_found");
        let again = calls.finish(&session, 1, &commit.to_string(), "").await;
        assert_eq!((again.status, again.text()), (first.status, first.text()));
    }
}

#[test]
fn observed_numbering_begins_at_one() {
    for stores in [Stores::Memory, Stores::Directory] {
        TestServer::run_numbering(stores, Numbering::Observed, |server| async move {
            let calls = server.calls();
            let names = add_copies(&calls, "/document.txt", 2).await;
            assert_eq!(names, ["document (1).txt", "document (2).txt"]);
            calls.create_folder("/folder").await.ok();
            let saved = calls
                .commit(&json!({"path": "/folder", "autorename": true}), "x")
                .await
                .ok();
            assert_eq!(saved["name"], "folder (1)");
            let arg = json!({"path": "/folder", "autorename": true}).to_string();
            let made = calls.rpc("files/create_folder_v2", &arg).await.ok();
            assert_eq!(made["metadata"]["name"], "folder (2)");
            let stale = json!({".tag": "update", "update": "123456789"});
            let commit = json!({"path": "/document.txt", "mode": stale, "autorename": true});
            let name = "document (Panda's conflicted copy).txt";
            assert_eq!(calls.commit(&commit, "y").await.ok()["name"], name);
        });
    }
}
