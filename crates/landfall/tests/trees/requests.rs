//! How many requests a folder takes.

use super::{
    APPEND, APPEND_BATCH, FINISH, FINISH_BATCH, LIST, MIB, START, START_BATCH, folder, if_exists,
    is_complete, put, with_server, write,
};
use landfall::transfer::{IfExists, PutOptions, Verdict};
use landfall_testkit::faults::Plan;

#[test]
fn a_thousand_small_files_take_five_requests_and_one_to_look() {
    with_server(async |server| {
        let folder = tempfile::tempdir().unwrap();
        for n in 0..1000 {
            write(folder.path(), &format!("{}/{n:04}.bin", n % 7), 10 * 1024);
        }
        let ran = put(&server, folder.path(), PutOptions::default(), Plan::new()).await;
        assert_eq!(
            (ran.summary.uploaded, ran.summary.bytes),
            (1000, 10_240_000)
        );
        assert_eq!(ran.count(START_BATCH), 1);
        assert!(ran.count(APPEND_BATCH) <= 3, "{:?}", ran.requests);
        assert_eq!((ran.count(FINISH_BATCH), ran.count(LIST)), (1, 1));
        assert_eq!(ran.requests.len(), 4, "{:?}", ran.requests);

        // The same again: nothing is sent, and one listing tells.
        let options = if_exists(IfExists::SkipSame);
        let ran = put(&server, folder.path(), options, Plan::new()).await;
        assert_eq!((ran.summary.already_there, ran.summary.uploaded), (1000, 0));
        assert!(
            ran.requests
                .iter()
                .all(|(route, _)| route.starts_with(LIST)),
            "{:?}",
            ran.requests
        );
        assert!(ran.requests.iter().map(|(_, count)| count).sum::<u32>() <= 2);
    });
}

#[test]
fn small_and_large_empty_and_deep_files_go_together() {
    with_server(async |server| {
        let files = [
            ("a/large.bin", 9 * MIB),
            ("a/b/c/d/small.txt", 10),
            ("empty", 0),
            ("one-block.bin", 4 * MIB),
            ("over.bin", 4 * MIB + 1),
            ("z.bin", MIB),
        ];
        let folder = folder(&files);
        let ran = put(&server, folder.path(), PutOptions::default(), Plan::new()).await;
        assert_eq!((ran.summary.uploaded, ran.verdicts.len()), (6, 6));
        is_complete(&server, &files).await;
        assert_eq!((ran.count(START_BATCH), ran.count(START)), (1, 2));
        // 9 MiB in three pieces or fewer, a block and a byte in two.
        assert!((4..=5).contains(&ran.count(APPEND)), "{:?}", ran.requests);
        assert!(
            ran.count(FINISH_BATCH) + ran.count(FINISH) <= 3,
            "{:?}",
            ran.requests
        );
    });
}

#[test]
fn a_single_small_file_takes_two_requests() {
    with_server(async |server| {
        let files = [("only.txt", 10)];
        let folder = folder(&files);
        let ran = put(
            &server,
            folder.path(),
            if_exists(IfExists::Overwrite),
            Plan::new(),
        )
        .await;
        is_complete(&server, &files).await;
        assert_eq!((ran.count(START), ran.count(FINISH)), (1, 1));
        assert_eq!(ran.requests.len(), 2, "{:?}", ran.requests);
    });
}

#[test]
fn empty_folders_are_made_and_found_again() {
    with_server(async |server| {
        let folder = folder(&[("full/a", 1)]);
        std::fs::create_dir_all(folder.path().join("empty/deep")).unwrap();
        for made in [1, 0] {
            let ran = put(&server, folder.path(), PutOptions::default(), Plan::new()).await;
            assert_eq!(ran.summary.folders, made);
            assert!(ran.summary.is_complete());
        }
        let mut tree = server.calls().tree().await;
        tree.sort();
        assert_eq!(
            tree,
            [
                "/dest",
                "/dest/empty",
                "/dest/empty/deep",
                "/dest/full",
                "/dest/full/a"
            ]
        );

        let nothing = tempfile::tempdir().unwrap();
        let ran = put(&server, nothing.path(), PutOptions::default(), Plan::new()).await;
        assert_eq!((ran.summary.folders, ran.verdicts.len()), (0, 0));
    });
}

#[test]
fn an_empty_folder_where_a_file_is_is_a_failure() {
    with_server(async |server| {
        let folder = folder(&[("full/a", 1)]);
        std::fs::create_dir(folder.path().join("empty")).unwrap();
        server.calls().put("/dest/empty", "a file").await;
        let ran = put(&server, folder.path(), PutOptions::default(), Plan::new()).await;
        assert_eq!((ran.summary.uploaded, ran.summary.refused), (1, 1));
    });
}

#[test]
fn the_times_of_files_are_kept_unless_they_are_not_wanted() {
    with_server(async |server| {
        let folder = folder(&[("a", 1), ("b", 5 * MIB)]);
        let time = std::time::UNIX_EPOCH + std::time::Duration::from_millis(1_000_000_000_900);
        for name in ["a", "b"] {
            let file = std::fs::File::options()
                .append(true)
                .open(folder.path().join(name));
            file.unwrap().set_modified(time).unwrap();
        }
        for mtime in [false, true] {
            let options = PutOptions {
                mtime,
                ..if_exists(IfExists::Overwrite)
            };
            let ran = put(&server, folder.path(), options, Plan::new()).await;
            assert_eq!(ran.summary.uploaded, 2);
            for name in ["a", "b"] {
                let Verdict::Uploaded(uploaded) = &*ran.verdicts[&format!("/dest/{name}")] else {
                    panic!("{ran:?}");
                };
                let kept = uploaded.metadata.client_modified.to_string() == "2001-09-09T01:46:40Z";
                assert_eq!(kept, mtime, "{uploaded:?}");
            }
            server.calls().delete("/dest").await.ok();
        }
    });
}
