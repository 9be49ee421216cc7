//! Downloads: arguments, ranges, ETags, forms of paths, and bytes that are damaged on disk.

use landfall_protocol::ContentHash;
use landfall_testkit::{Answer, Calls, Method, Stores, TestServer, on_each_store, pattern};
use serde_json::{Value, json};
use std::path::Path;

const DATA: &str = "0123456789";

/// A download of `/file` with these headers.
async fn get(calls: &Calls, headers: &[(&str, &str)]) -> Answer {
    calls.download(r#"{"path": "/file"}"#, headers).await
}

/// The metadata in the header of an answer.
fn result(answer: &Answer) -> Value {
    let text = answer.header("dropbox-api-result");
    assert!(
        text.is_ascii() && text.starts_with(r#"{"name": ""#),
        "{text}"
    );
    serde_json::from_str(&text).expect("JSON in the header")
}

fn query(arg: &str) -> String {
    arg.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

on_each_store! {
    async fn a_download_has_the_bytes_and_says_what_they_are(server: TestServer) {
        let calls = server.calls();
        let saved = calls.put("/file", DATA).await;
        let answer = get(&calls, &[]).await;
        assert_eq!((answer.status, answer.text().as_str()), (200, DATA));
        assert_eq!(result(&answer), saved, "the leaf type, so without a tag");
        assert_eq!(answer.header("content-type"), "application/octet-stream");
        assert_eq!(answer.header("content-length"), "10");
        assert_eq!(answer.header("original-content-length"), "10");
        assert_eq!(answer.header("accept-ranges"), "bytes");
        assert_eq!(answer.header("etag"), format!("W/\"{}\"", saved["rev"].as_str().expect("a rev")));
        assert_eq!(answer.headers.get("content-range"), None);
    }

    async fn the_argument_comes_by_header_or_url_with_post_or_get(server: TestServer) {
        let calls = server.calls();
        let path = "/\u{fc}n\u{ef} & co.txt";
        let saved = calls.put(path, DATA).await;
        let arg = json!({ "path": path }).to_string();
        let escaped = landfall_protocol::json::to_header(&json!({ "path": path }));
        let by_url = format!("/2/files/download?arg={}", query(&arg));
        for method in [Method::POST, Method::GET] {
            for (url, header) in [
                ("/2/files/download", Some(escaped.as_str())),
                ("/2/files/download", Some(&arg)),
                ("/2/files/download?", Some(&escaped)),
                (by_url.as_str(), None),
            ] {
                let mut request = calls.request(method.clone(), url);
                if let Some(header) = header {
                    request = request.header("dropbox-api-arg", header.as_bytes());
                }
                let answer = calls.send(request).await;
                assert_eq!((answer.status, answer.text().as_str()), (200, DATA), "{method} {url}");
                assert_eq!(result(&answer), saved);
            }
        }
    }

    async fn a_missing_or_broken_argument_is_a_bad_request(server: TestServer) {
        let calls = server.calls();
        let begin = "Error in call to API function \"files/download\": ";
        let answer = calls.send(calls.request(Method::POST, "/2/files/download")).await;
        assert_eq!(answer.status, 400);
        assert_eq!(
            answer.text(),
            format!("{begin}Must provide HTTP header \"Dropbox-API-Arg\" or URL parameter \"arg\".")
        );
        let answer = calls.download("{", &[]).await;
        assert_eq!(answer.status, 400);
        assert_eq!(
            answer.text(),
            format!("{begin}HTTP header \"Dropbox-API-Arg\": could not decode input as JSON")
        );
        let answer = calls.send(calls.request(Method::GET, "/2/files/download?arg=%7B")).await;
        assert_eq!(answer.status, 400);
        assert_eq!(answer.text(), format!("{begin}URL parameter \"arg\": could not decode input as JSON"));
        let answer = calls.download("{}", &[]).await;
        assert_eq!(answer.status, 400);
        assert!(answer.text().ends_with("missing required field 'path'"), "{}", answer.text());
    }

    async fn a_download_with_a_body_is_a_bad_request(server: TestServer) {
        let calls = server.calls();
        calls.put("/file", DATA).await;
        let request = calls
            .request(Method::POST, "/2/files/download")
            .header("dropbox-api-arg", r#"{"path": "/file"}"#)
            .body("null");
        let answer = calls.send(request).await;
        assert_eq!(answer.status, 400);
        assert_eq!(answer.header("content-type"), "text/plain; charset=utf-8");
        assert!(answer.text().contains("request body is supposed to be empty"), "{}", answer.text());
    }

    async fn a_download_may_name_any_type_of_its_empty_body(server: TestServer) {
        let calls = server.calls();
        calls.put("/file", DATA).await;
        for kind in ["", "application/octet-stream", "text/plain; charset=utf-8", "application/json"] {
            assert_eq!(get(&calls, &[("content-type", kind)]).await.text(), DATA, "{kind}");
        }
    }

    async fn a_range_is_answered_with_its_part(server: TestServer) {
        let calls = server.calls();
        let saved = calls.put("/file", DATA).await;
        for (range, part, content_range) in [
            ("bytes=0-0", "0", "bytes 0-0/10"),
            ("bytes=0-4", "01234", "bytes 0-4/10"),
            ("bytes=3-6", "3456", "bytes 3-6/10"),
            ("bytes=7-", "789", "bytes 7-9/10"),
            ("bytes=9-9", "9", "bytes 9-9/10"),
            ("bytes=5-99", "56789", "bytes 5-9/10"),
            ("bytes=-3", "789", "bytes 7-9/10"),
            ("bytes=-99", DATA, "bytes 0-9/10"),
            ("bytes=0-", DATA, "bytes 0-9/10"),
        ] {
            for method in [Method::POST, Method::GET] {
                let request = calls
                    .request(method, "/2/files/download")
                    .header("dropbox-api-arg", r#"{"path": "/file"}"#)
                    .header("range", range);
                let answer = calls.send(request).await;
                assert_eq!((answer.status, answer.text().as_str()), (206, part), "{range}");
                assert_eq!(answer.header("content-range"), content_range);
                assert_eq!(answer.header("content-length"), part.len().to_string());
                assert_eq!(answer.header("original-content-length"), "10");
                assert_eq!(result(&answer), saved);
            }
        }
    }

    async fn what_is_no_single_range_is_ignored(server: TestServer) {
        let calls = server.calls();
        calls.put("/file", DATA).await;
        for range in ["bytes=4-2", "bytes=-", "bytes=a-b", "bytes=0-1,3-4", "lines=0-4", "0-4", ""] {
            let answer = get(&calls, &[("range", range)]).await;
            assert_eq!((answer.status, answer.text().as_str()), (200, DATA), "{range}");
            assert_eq!(answer.headers.get("content-range"), None);
        }
    }

    async fn a_range_without_a_byte_of_the_file_is_not_satisfiable(server: TestServer) {
        let calls = server.calls();
        calls.put("/file", DATA).await;
        for range in [
            "bytes=10-",
            "bytes=10-20",
            "bytes=99999999999999999999999-",
            "bytes=-0",
        ] {
            let answer = get(&calls, &[("range", range)]).await;
            assert_eq!(answer.error(), "range/not_satisfiable", "{range}");
            assert_eq!(answer.json()["error"], json!({".tag": "range", "range": {".tag": "not_satisfiable"}}));
            assert_eq!(answer.header("content-type"), "application/json");
            assert_eq!(answer.headers.get("dropbox-api-result"), None);
        }
    }

    async fn every_range_of_an_empty_file_is_all_of_it(server: TestServer) {
        let calls = server.calls();
        calls.put("/empty", "").await;
        for range in ["bytes=0-", "bytes=0-0", "bytes=-1", "bytes=5-7"] {
            let answer = calls.download(r#"{"path": "/empty"}"#, &[("range", range)]).await;
            assert_eq!((answer.status, answer.text()), (200, String::new()), "{range}");
            assert_eq!(answer.headers.get("content-range"), None);
        }
    }

    async fn a_revision_that_the_caller_has_is_not_sent_again(server: TestServer) {
        let calls = server.calls();
        calls.put("/file", DATA).await;
        let etag = get(&calls, &[]).await.header("etag");
        let ask = async |method, etag: &str| {
            let request = calls
                .request(method, "/2/files/download")
                .header("dropbox-api-arg", r#"{"path": "/file"}"#)
                .header("if-none-match", etag);
            calls.send(request).await
        };
        for tag in [etag.as_str(), "*", &format!("\"x\", {etag}"), etag.trim_start_matches("W/")] {
            let answer = ask(Method::GET, tag).await;
            assert_eq!((answer.status, answer.text().as_str()), (304, ""), "{tag}");
            assert_eq!(answer.header("etag"), etag);
            assert_eq!(ask(Method::POST, tag).await.status, 200, "{tag}");
        }
        assert_eq!(ask(Method::GET, "W/\"123456789\"").await.text(), DATA);
        calls.put("/file", "changed").await;
        assert_eq!(ask(Method::GET, &etag).await.text(), "changed");
    }

    async fn the_result_is_in_a_header_of_downloads_alone(server: TestServer) {
        let calls = server.calls();
        let path = "/\u{1f40b} \u{7f}\u{fc}";
        let upload = calls.upload("files/upload", &json!({ "path": path }).to_string(), DATA).await;
        let saved = upload.ok();
        assert_eq!(upload.headers.get("dropbox-api-result"), None);
        assert_eq!(calls.metadata(path).await.headers.get("dropbox-api-result"), None);
        let start = calls.upload("files/upload_session/start", "{}", "x").await;
        assert_eq!((start.status, start.headers.get("dropbox-api-result")), (200, None));

        let answer = calls.download(&json!({ "path": path }).to_string(), &[]).await;
        assert_eq!(result(&answer), saved);
        let text = answer.header("dropbox-api-result");
        assert!(text.contains(r#""path_display": "/\ud83d\udc0b \u007f\u00fc""#), "{text}");
        assert!(!text.contains(".tag"), "{text}");
    }

    async fn a_file_is_found_by_every_form_of_path(server: TestServer) {
        let calls = server.calls();
        let old = calls.put("/Dir/file", "old bytes").await;
        let new = calls.put("/dir/FILE", "new bytes").await;
        let account = calls.rpc("users/get_current_account", "null").await.ok();
        let text = |value: &Value| value.as_str().expect("text").to_owned();
        let ns = text(&account["root_info"]["root_namespace_id"]);
        let dir = text(&calls.metadata("/dir").await.ok()["id"]);
        for path in [
            "/DIR/File".to_owned(),
            text(&new["id"]),
            format!("{dir}/FILE"),
            format!("rev:{}", text(&new["rev"])),
            format!("ns:{ns}/dir/file"),
        ] {
            assert_eq!(calls.read(&path).await, "new bytes", "{path}");
        }
        assert_eq!(calls.read(&format!("rev:{}", text(&old["rev"]))).await, "old bytes");
        let by_field = json!({"path": "/dir/file", "rev": old["rev"]}).to_string();
        assert_eq!(calls.download(&by_field, &[]).await.text(), "old bytes");
    }

    async fn what_can_not_be_downloaded_says_why(server: TestServer) {
        let calls = server.calls();
        calls.put("/dir/file", DATA).await;
        calls.put("/gone", DATA).await;
        calls.delete("/gone").await.ok();
        let id = calls.metadata("/dir").await.ok()["id"].as_str().expect("an id").to_owned();
        for (path, error) in [
            ("/dir", "path/not_file"),
            (&id, "path/not_file"),
            ("/nowhere", "path/not_found"),
            ("/gone", "path/not_found"),
            ("/dir/file/x", "path/not_found"),
            ("id:AAAAAAAAAAAAAAAAAAAAAA", "path/not_found"),
            ("rev:123456789", "path/not_found"),
            ("ns:1/dir/file", "path/not_found"),
            ("//dir", "path/malformed_path"),
            ("/dir/", "path/malformed_path"),
            ("/../dir", "path/malformed_path"),
        ] {
            let answer = calls.download(&json!({ "path": path }).to_string(), &[]).await;
            assert_eq!(answer.error(), error, "{path}");
            assert_eq!(answer.headers.get("dropbox-api-result"), None);
        }
        for path in ["", "/", "dir", "rev:1234", "rev:ABCDEF012"] {
            let answer = calls.download(&json!({ "path": path }).to_string(), &[]).await;
            assert_eq!(answer.status, 400, "{path}: {}", answer.text());
        }
    }

    async fn a_file_of_many_pieces_is_read_whole_and_in_parts(server: TestServer) {
        let calls = server.calls();
        let sizes: Vec<usize> = pattern(7, 200).into_iter().map(|byte| usize::from(byte) * 13 + 1).collect();
        let data = pattern(8, sizes.iter().sum::<usize>() + 70_001);
        let session = calls.start("{}", "").await;
        let mut end = 0;
        for size in sizes {
            calls.append(&session, end, data[end..end + size].to_vec()).await.ok();
            end += size;
        }
        let saved = calls.finish(&session, end, r#"{"path": "/file"}"#, data[end..].to_vec()).await.ok();
        assert_eq!(saved["content_hash"], ContentHash::of(&data).to_string());
        assert!(calls.read("/file").await == data);

        let places = pattern(9, 8 * 60);
        for eight in places.chunks(8) {
            let number = |bytes: &[u8]| usize::try_from(u32::from_le_bytes(bytes.try_into().expect("four"))).expect("fits");
            let first = number(&eight[..4]) % data.len();
            let last = (first + number(&eight[4..]) % 20_000).min(data.len() - 1);
            let answer = get(&calls, &[("range", &format!("bytes={first}-{last}"))]).await;
            assert_eq!(answer.status, 206);
            assert!(answer.body == data[first..=last], "{first}-{last}");
        }
    }
}

/// The files below a directory.
fn files(dir: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found
}

/// Reads a download to its end, or to where it breaks off.
async fn read_to_the_break(calls: &Calls, range: &str) -> (Vec<u8>, bool) {
    let request = calls
        .request(Method::POST, "/2/files/download")
        .header("dropbox-api-arg", r#"{"path": "/file"}"#)
        .header("range", range);
    let mut got = Vec::new();
    // Broken at the first byte, not even the head may arrive.
    let Ok(mut response) = request.send().await else {
        return (got, false);
    };
    assert_eq!(response.status().as_u16(), 206);
    loop {
        match response.chunk().await {
            Ok(Some(bytes)) => got.extend_from_slice(&bytes),
            Ok(None) => return (got, true),
            Err(_) => return (got, false),
        }
    }
}

#[test]
fn bytes_that_are_damaged_on_disk_are_never_sent() {
    TestServer::run(Stores::Directory, |server| async move {
        let calls = server.calls();
        let data = pattern(1, 3 * 1024 * 1024 + 5);
        calls.put("/file", data.clone()).await;
        let blobs = files(&server.directory().expect("a directory").join("blobs"));
        let [blob] = blobs.as_slice() else {
            panic!("one body, one file: {blobs:?}");
        };
        let mut stored = std::fs::read(blob).expect("the blob's bytes");
        assert!(stored == data, "a blob is the bytes as they came");
        let bad = 2 * 1024 * 1024 + 77;
        stored[bad] ^= 1;
        std::fs::write(blob, &stored).expect("damage is done");

        let (got, whole) = read_to_the_break(&calls, "bytes=0-").await;
        assert!(!whole, "the client can see that bytes are missing");
        assert!(got.len() <= bad && got == data[..got.len()]);
        let range = format!("bytes={bad}-{bad}");
        assert_eq!(read_to_the_break(&calls, &range).await, (Vec::new(), false));
        // What is not damaged is still there.
        let (got, whole) = read_to_the_break(&calls, "bytes=0-2097151").await;
        assert!(whole && got == data[..2_097_152]);
    });
}

#[test]
fn a_file_that_is_cut_off_on_disk_breaks_the_download_off() {
    TestServer::run(Stores::Directory, |server| async move {
        let calls = server.calls();
        let data = pattern(1, 100_000);
        calls.put("/file", data.clone()).await;
        let blobs = files(&server.directory().expect("a directory").join("blobs"));
        std::fs::write(&blobs[0], &data[..99_999]).expect("damage is done");
        let (got, whole) = read_to_the_break(&calls, "bytes=0-").await;
        assert!(!whole && got.len() < data.len());
        std::fs::remove_file(&blobs[0]).expect("damage is done");
        assert_eq!(
            read_to_the_break(&calls, "bytes=0-").await,
            (Vec::new(), false)
        );
    });
}
