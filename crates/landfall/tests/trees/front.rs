//! The short way: `client.put(…).run()` and `client.put_folder(…).run()`.

use super::{folder, is_complete, with_server, write};
use landfall::transfer::{
    Event, IfExists, PutFailure, Source, SourceError, UploadFailure, Verdict,
};
use landfall::{Client, Endpoint, Secret};
use landfall_testkit::TestServer;
use std::io::Cursor;
use std::sync::{Arc, Mutex};

fn client(server: &TestServer) -> Client {
    let endpoint = Endpoint::at(&server.url()).unwrap();
    Client::new(endpoint, Secret::new(server.token().to_owned())).unwrap()
}

#[test]
fn a_file_or_a_stream_goes_in_one_line_and_says_what_came_of_it() {
    with_server(async |server| {
        let folder = tempfile::tempdir().unwrap();
        let client = client(&server);
        for (name, size) in [("small", 10), ("large", 9_000_000)] {
            let data = write(folder.path(), name, size);
            let path = format!("/{name}");
            let put = || client.put(folder.path().join(name), &path);
            assert!(matches!(put().run().await.unwrap(), Verdict::Uploaded(_)));
            assert!(server.calls().read(&path).await == data);
            assert!(matches!(put().run().await.unwrap(), Verdict::AlreadyThere));

            let other = write(folder.path(), name, size + 1);
            let exists = put().run().await.unwrap();
            assert!(
                matches!(exists, Verdict::Refused(UploadFailure::Exists { .. })),
                "{exists:?}"
            );
            let skipped = put().if_exists(IfExists::Skip).run().await.unwrap();
            assert!(matches!(skipped, Verdict::Skipped), "{skipped:?}");
            let put = put().if_exists(IfExists::SkipSame).run().await.unwrap();
            assert!(matches!(put, Verdict::Uploaded(_)), "{put:?}");
            assert!(server.calls().read(&path).await == other);
        }
        let stream = Source::stream("input", Cursor::new(b"streamed".to_vec()));
        let put = client.put(stream, "/stream").run().await.unwrap();
        assert!(matches!(put, Verdict::Uploaded(_)), "{put:?}");
        assert_eq!(server.calls().read("/stream").await, "streamed");
    });
}

#[test]
fn what_can_not_be_is_told() {
    with_server(async |server| {
        let client = client(&server);
        let gone = client.put("/nowhere/at all", "/x").run().await.unwrap();
        let Verdict::Refused(UploadFailure::Source(error)) = &gone else {
            panic!("{gone:?}");
        };
        assert!(matches!(error, SourceError::Unreadable { .. }));
        let bad = client.put("/nowhere", "no slash").run().await.unwrap_err();
        assert!(matches!(bad, PutFailure::BadPath { .. }), "{bad}");
        for policy in [IfExists::Fail, IfExists::Overwrite] {
            let root = client.put("/nowhere", "").if_exists(policy).run().await;
            assert!(matches!(root, Err(PutFailure::BadPath { .. })), "{root:?}");
        }
        let no_folder = client
            .put_folder("/nowhere/at all", "/x")
            .run()
            .await
            .unwrap_err();
        assert!(matches!(no_folder, PutFailure::Walk(_)), "{no_folder}");
        server.calls().put("/folder/in", "x").await;
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), "a", 1);
        let put = client
            .put(folder.path().join("a"), "/folder")
            .run()
            .await
            .unwrap();
        assert!(matches!(
            put,
            Verdict::Refused(UploadFailure::Exists {
                what: "a folder",
                ..
            })
        ));
    });
}

#[test]
fn a_folder_goes_in_one_line_and_tells_of_each_file_and_problem() {
    with_server(async |server| {
        let files = [("a", 10), ("sub/b", 5_000_000)];
        let folder = folder(&files);
        write(folder.path(), "left.tmp", 10);
        #[cfg(unix)]
        std::os::unix::fs::symlink("a", folder.path().join("link")).unwrap();
        let told = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&told);
        let put = client(&server)
            .put_folder(folder.path(), "/dest")
            .exclude("*.tmp")
            .unwrap();
        let put = put.events(move |event| match event {
            Event::Settled { file, .. } => seen.lock().unwrap().push(file.to_string()),
            Event::Problem { local, .. } => {
                let name = local.file_name().unwrap().to_string_lossy().into_owned();
                seen.lock().unwrap().push(name);
            }
            _ => {}
        });
        let summary = put.run().await.unwrap();
        assert_eq!(summary.uploaded, 2);
        is_complete(&server, &files).await;
        let mut told = told.lock().unwrap().clone();
        told.sort();
        let mut wanted = vec!["/dest/a", "/dest/sub/b"];
        wanted.extend(cfg!(unix).then_some("link"));
        assert_eq!(told, wanted);
    });
}
