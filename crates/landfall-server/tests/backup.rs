//! Backups while a server works, and what is restored from them.

use landfall_server::Storage;
use landfall_server::backup::{BackupError, Copied, back_up, restore};
use landfall_server::blobs::Problem;
use landfall_server::sys::{Clock, Fault, Fs, ManualClock, Point, RealFs, Sys};
use landfall_server::upkeep::Policy;
use landfall_testkit::{Calls, Stores, TestServer, pattern};
use serde_json::json;
use std::fs::File;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;
use tempfile::TempDir;

/// Larger than what is stored in the metadata, so that it is a file.
const LARGE: usize = 300_000;

const AT_ONCE: Policy = Policy {
    keep_revisions: Some(Duration::ZERO),
    grace: Duration::ZERO,
};

fn test<F: Future<Output = ()>>(test: impl FnOnce(TestServer) -> F) {
    TestServer::run(Stores::Directory, test);
}

fn data(server: &TestServer) -> &Path {
    server.directory().expect("a directory")
}

fn empty() -> TempDir {
    tempfile::tempdir().expect("a temporary directory")
}

/// A backup of the server's directory.
async fn backup_of(server: &TestServer) -> TempDir {
    let to = empty();
    back_up(data(server), to.path(), Sys::real())
        .await
        .expect("a backup");
    to
}

/// A server on what is restored from a backup.
async fn restored(backup: &TempDir) -> TestServer {
    let dir = empty();
    restore(backup.path(), dir.path(), Sys::real())
        .await
        .expect("it is whole");
    TestServer::on(dir).await
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let list = |dir: &Path| -> Vec<PathBuf> {
        let entries = std::fs::read_dir(dir).unwrap();
        entries.map(|entry| entry.unwrap().path()).collect()
    };
    let mut files: Vec<_> = list(&dir.join("blobs"))
        .iter()
        .flat_map(|writer| list(writer))
        .collect();
    files.sort();
    files
}

async fn check(server: &TestServer) -> u64 {
    let checked = server.upkeep().check(None).await.expect("the check works");
    assert_eq!((checked.problems, checked.strays), (vec![], 0));
    checked.blobs
}

/// Files that stop the first copy of a blob until they are told to go on.
#[derive(Debug)]
struct Gate {
    reached: AtomicBool,
    tell: mpsc::Sender<()>,
    go: Mutex<mpsc::Receiver<()>>,
}

impl Fs for Gate {
    fn create_file(&self, path: &Path) -> io::Result<File> {
        let blob = path.components().any(|part| part.as_os_str() == "blobs");
        if blob && !self.reached.swap(true, Ordering::SeqCst) {
            self.tell.send(()).expect("the test waits");
            self.go.lock().unwrap().recv().expect("the test goes on");
        }
        RealFs.create_file(path)
    }
}

/// Saves one file after the other until told to stop.
async fn write_on(calls: Calls, name: u64, stop: Arc<AtomicBool>) -> u64 {
    let mut written = 0;
    while !stop.load(Ordering::SeqCst) {
        calls
            .put(&format!("/{name}/{written}"), pattern(written, LARGE))
            .await;
        calls
            .put(&format!("/{name}/small"), format!("{written}"))
            .await;
        written += 1;
    }
    written
}

#[test]
fn what_was_acknowledged_before_a_backup_began_is_restored() {
    test(async |server| {
        let calls = server.calls();
        for nth in 0..20 {
            calls
                .put(&format!("/large/{nth}"), pattern(nth, LARGE))
                .await;
            calls
                .put(&format!("/small/{nth}"), format!("small {nth}"))
                .await;
        }
        let old = calls.put("/changed", pattern(100, LARGE)).await;
        calls.put("/changed", pattern(101, LARGE)).await;
        let session = calls.start("{}", pattern(200, LARGE)).await;
        calls.append(&session, LARGE, "and a little").await.ok();
        let other = server.calls_as("other").await;
        other.put("/mine", "of the other").await;

        let stop = Arc::new(AtomicBool::new(false));
        let writing: Vec<_> = (0..3)
            .map(|name| tokio::spawn(write_on(calls.clone(), name, Arc::clone(&stop))))
            .collect();
        let backup = backup_of(&server).await;
        stop.store(true, Ordering::SeqCst);
        for one in writing {
            assert!(one.await.unwrap() > 0, "clients write during the backup");
        }

        let restored = restored(&backup).await;
        check(&restored).await;
        let calls = restored.calls();
        for nth in 0..20 {
            assert!(calls.read(&format!("/large/{nth}")).await == pattern(nth, LARGE));
            assert_eq!(
                calls.read(&format!("/small/{nth}")).await,
                format!("small {nth}")
            );
        }
        assert!(calls.read("/changed").await == pattern(101, LARGE));
        let rev = format!("rev:{}", old["rev"].as_str().unwrap());
        assert!(calls.read(&rev).await == pattern(100, LARGE));
        let end = LARGE + "and a little".len();
        let saved = calls
            .finish(&session, end, r#"{"path": "/late"}"#, "")
            .await;
        assert_eq!(saved.ok()["size"], end);
        assert_eq!(
            restored.calls_as("other").await.read("/mine").await,
            "of the other"
        );
    });
}

#[test]
fn nothing_that_a_backup_knows_is_collected_while_it_is_made() {
    test(async |server| {
        let calls = server.calls();
        for nth in 0..10 {
            calls.put(&format!("/{nth}"), pattern(nth, LARGE)).await;
        }
        let (tell, reached) = mpsc::channel();
        let (go, wait) = mpsc::channel();
        let gate = Gate {
            reached: AtomicBool::new(false),
            tell,
            go: Mutex::new(wait),
        };
        let sys = Sys {
            fs: Arc::new(gate),
            clock: Arc::new(ManualClock::at(server.clock().now())),
            ..Sys::real()
        };
        let (from, to) = (data(&server).to_owned(), empty());
        let dest = to.path().to_owned();
        let backup = tokio::spawn(async move { back_up(&from, &dest, sys).await });
        tokio::task::spawn_blocking(move || reached.recv().unwrap())
            .await
            .unwrap();
        for nth in 0..10 {
            calls.delete(&format!("/{nth}")).await.ok();
        }
        let collected = server.upkeep().run(AT_ONCE).await.unwrap();
        assert_eq!(
            (collected.revisions, collected.blobs, collected.held),
            (10, 0, true)
        );
        go.send(()).unwrap();
        let copied = backup.await.unwrap().expect("a whole backup");
        assert_eq!(
            copied,
            Copied {
                blobs: 10,
                bytes: 10 * LARGE as u64
            }
        );

        assert_eq!(
            server.upkeep().run(AT_ONCE).await.unwrap().blobs,
            10,
            "it has ended"
        );
        let restored = restored(&to).await;
        assert_eq!(check(&restored).await, 10);
        assert!(restored.calls().read("/7").await == pattern(7, LARGE));
    });
}

#[test]
fn a_restored_directory_lives_on() {
    test(async |server| {
        let calls = server.calls();
        calls.put("/x", pattern(1, LARGE)).await;
        calls.put("/gone", pattern(2, LARGE)).await;
        calls.delete("/gone").await.ok();
        let policy = Policy {
            keep_revisions: Some(Duration::ZERO),
            ..Policy::default()
        };
        server.upkeep().run(policy).await.unwrap();
        assert_eq!(
            files(data(&server)).len(),
            2,
            "one of them waits for its end"
        );

        let backup = backup_of(&server).await;
        assert_eq!(files(backup.path()).len(), 1);
        let restored = restored(&backup).await;
        let calls = restored.calls();
        calls.put("/y", pattern(3, LARGE)).await;
        // The writers of the original are long dead.
        restored.clock().advance_seconds(24 * 60 * 60);
        let collected = restored.upkeep().run(AT_ONCE).await.unwrap();
        assert_eq!((collected.blobs, collected.strays), (0, 0));
        assert_eq!(check(&restored).await, 2);
        assert!(calls.read("/x").await == pattern(1, LARGE));
        calls.put("/z", pattern(4, LARGE)).await;
        let again = backup_of(&restored).await;
        assert_eq!(files(again.path()).len(), 3);
    });
}

#[test]
fn what_came_after_the_backup_is_never_taken_for_what_comes_after_the_restore() {
    test(async |server| {
        let calls = server.calls();
        calls.put("/x", "before").await;
        let backup = backup_of(&server).await;
        let page = calls.list(&json!({"path": ""})).await.ok();
        let lost = calls.put("/x", "lost").await;

        let restored = restored(&backup).await;
        let calls = restored.calls();
        let saved = calls.put("/x", "another").await;
        assert_ne!(saved["rev"], lost["rev"]);
        let update = json!({"path": "/x", "mode": {".tag": "update", "update": lost["rev"]}});
        assert_eq!(
            calls.commit(&update, "too late").await.error(),
            "path/conflict/file"
        );
        let cursor = page["cursor"].as_str().unwrap();
        assert_eq!(calls.list_on(cursor).await.error(), "reset");
        let page = calls.list(&json!({"path": ""})).await.ok();
        calls.put("/y", "new").await;
        let changes = calls.list_on(page["cursor"].as_str().unwrap()).await.ok();
        assert_eq!(changes["entries"][0]["name"], "y");
    });
}

#[test]
fn a_backup_is_for_its_owner_alone_and_never_opened_by_mistake() {
    test(async |server| {
        server.calls().put("/x", pattern(1, LARGE)).await;
        let parent = empty();
        let to = parent.path().join("a/b");
        back_up(data(&server), &to, Sys::real()).await.unwrap();
        let mut names = Vec::new();
        let mut dirs = vec![parent.path().join("a")];
        while let Some(dir) = dirs.pop() {
            for entry in std::fs::read_dir(dir).unwrap() {
                let entry = entry.unwrap();
                let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
                let dir = entry.file_type().unwrap().is_dir();
                assert_eq!(mode, if dir { 0o700 } else { 0o600 }, "{entry:?}");
                names.push(entry.file_name().into_string().unwrap());
                if dir {
                    dirs.push(entry.path());
                }
            }
        }
        for name in ["metadata.sqlite", "metadata.sha256", "blobs"] {
            assert!(names.iter().any(|one| one == name), "{names:?}");
        }
        assert_eq!(names.len(), 6, "and b, a writer, a blob: {names:?}");

        let error = Storage::open(&to).unwrap_err();
        assert!(error.to_string().contains("is a backup"), "{error}");
    });
}

#[test]
fn what_is_missing_or_damaged_is_named_and_the_rest_is_copied() {
    test(async |server| {
        for nth in 0..5 {
            server
                .calls()
                .put(&format!("/{nth}"), pattern(nth, 1_500_000))
                .await;
        }
        let name = |file: &Path| {
            let writer = file.parent().unwrap().file_name().unwrap();
            format!(
                "{}/{}",
                writer.display(),
                file.file_name().unwrap().display()
            )
        };
        /// Removes one blob, shortens one, changes one.
        fn spoil(dir: &Path) -> Vec<PathBuf> {
            let spoilt = files(dir)[..3].to_vec();
            std::fs::remove_file(&spoilt[0]).unwrap();
            let cut = File::options().write(true).open(&spoilt[1]).unwrap();
            cut.set_len(1_100_000).unwrap();
            let mut bytes = std::fs::read(&spoilt[2]).unwrap();
            bytes[1_200_000] ^= 1;
            std::fs::write(&spoilt[2], bytes).unwrap();
            spoilt
        }
        #[track_caller]
        fn not_whole(outcome: Result<Copied, BackupError>) -> Vec<Problem> {
            match outcome {
                Err(BackupError::NotWhole(mut problems)) => {
                    problems.sort_by(|one, other| one.blob().cmp(other.blob()));
                    problems
                }
                other => panic!("{other:?}"),
            }
        }
        let backup = backup_of(&server).await;
        for original in [backup.path(), data(&server)] {
            let spoilt = spoil(original);
            let copy = empty();
            let outcome = if original == backup.path() {
                restore(original, copy.path(), Sys::real()).await
            } else {
                back_up(original, copy.path(), Sys::real()).await
            };
            let problems = not_whole(outcome);
            assert_eq!(problems.len(), 3, "{problems:?}");
            for (problem, file) in problems.iter().zip(&spoilt) {
                assert_eq!(problem.blob().0, name(file));
            }
            assert!(matches!(&problems[0], Problem::Missing(_)), "{problems:?}");
            assert!(
                matches!(&problems[1], Problem::Unreadable { .. }),
                "{problems:?}"
            );
            assert!(
                matches!(&problems[2], Problem::Damaged { nth: 2, .. }),
                "{problems:?}"
            );
            assert_eq!(files(copy.path()).len(), 2, "those that are well");
            let error = Storage::open(copy.path()).unwrap_err();
            assert!(error.to_string().contains("is not whole"), "{error}");
        }
    });
}

#[test]
fn metadata_that_is_not_what_was_backed_up_is_refused() {
    test(async |server| {
        let calls = server.calls();
        calls.put("/x", "hello").await;
        let backup = backup_of(&server).await;
        let file = backup.path().join("metadata.sqlite");
        let mut bytes = std::fs::read(&file).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(&file, bytes).unwrap();
        let copy = empty();
        let error = restore(backup.path(), copy.path(), Sys::real())
            .await
            .unwrap_err();
        assert!(matches!(error, BackupError::Digest(_)), "{error}");
        assert!(error.to_string().contains("metadata.sqlite"), "{error}");
        Storage::open(copy.path()).unwrap_err();
    });
}

#[test]
fn a_copy_that_was_interrupted_is_never_taken_for_a_whole_one() {
    test(async |server| {
        for nth in 0..3 {
            server
                .calls()
                .put(&format!("/{nth}"), pattern(nth, LARGE))
                .await;
        }
        let whole = backup_of(&server).await;
        for point in [
            Point::CopyBegun,
            Point::CopyMetadataCopied,
            Point::CopyBlobCopied,
            Point::CopyUnmark,
        ] {
            let sys = Sys::real();
            sys.failpoints.plan(point, Fault::Error);
            let backup = empty();
            let outcome = back_up(data(&server), backup.path(), sys.clone()).await;
            assert!(outcome.unwrap_err().to_string().contains(point.name()));
            let dir = empty();
            let outcome = restore(whole.path(), dir.path(), sys).await;
            assert!(outcome.unwrap_err().to_string().contains(point.name()));

            for copy in [&backup, &dir] {
                let error = Storage::open(copy.path()).unwrap_err();
                assert!(
                    error.to_string().contains("is not whole"),
                    "{point}: {error}"
                );
                let error = restore(copy.path(), empty().path(), Sys::real())
                    .await
                    .unwrap_err();
                assert!(
                    matches!(error, BackupError::Interrupted(_)),
                    "{point}: {error}"
                );
                // Nor is it gone on with.
                let error = back_up(data(&server), copy.path(), Sys::real())
                    .await
                    .unwrap_err();
                assert!(
                    matches!(error, BackupError::NotEmpty(_)),
                    "{point}: {error}"
                );
            }
        }
        let restored = restored(&whole).await;
        assert_eq!(check(&restored).await, 3);
    });
}

#[test]
fn nothing_is_copied_over_something_or_out_of_nothing() {
    test(async |server| {
        server.calls().put("/x", "hello").await;
        let backup = backup_of(&server).await;
        let taken = empty();
        std::fs::write(taken.path().join("mine"), "precious").unwrap();
        for outcome in [
            back_up(data(&server), taken.path(), Sys::real()).await,
            restore(backup.path(), taken.path(), Sys::real()).await,
            back_up(data(&server), data(&server), Sys::real()).await,
            restore(backup.path(), backup.path(), Sys::real()).await,
        ] {
            assert!(
                matches!(outcome, Err(BackupError::NotEmpty(_))),
                "{outcome:?}"
            );
        }
        assert_eq!(std::fs::read_dir(taken.path()).unwrap().count(), 1);

        let nothing = empty();
        let nowhere = nothing.path().join("nowhere");
        for from in [nothing.path(), &nowhere, data(&server)] {
            let outcome = restore(from, empty().path(), Sys::real()).await;
            assert!(
                matches!(outcome, Err(BackupError::NoBackup(_))),
                "{outcome:?}"
            );
        }
        for from in [nothing.path(), &nowhere] {
            let outcome = back_up(from, empty().path(), Sys::real()).await;
            assert!(matches!(outcome, Err(BackupError::Open(_))), "{outcome:?}");
        }
        assert_eq!(std::fs::read_dir(nothing.path()).unwrap().count(), 0);
    });
}
