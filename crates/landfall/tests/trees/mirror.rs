//! What is at the service and not in the folder.

use super::{folder, is_complete, put_plan, with_server};
use landfall::protocol::DisplayPath;
use landfall::transfer::{IfExists, Obstacle, Plan, Problem, PutFailure, PutOptions, Walk};
use landfall_testkit::TestServer;
use landfall_testkit::faults::{Canned, Fault, Plan as Faults};

const KEPT: [(&str, usize); 2] = [("a", 10), ("sub/b", 10)];

fn options(most: u64) -> PutOptions {
    PutOptions {
        if_exists: IfExists::SkipSame,
        delete: Some(most),
        ..PutOptions::default()
    }
}

async fn with_surplus(server: &TestServer) {
    let calls = server.calls();
    for path in [
        "/dest/Old.txt",
        "/dest/sub/old",
        "/dest/gone/1",
        "/dest/gone/deep/2",
        "/dest!/x",
    ] {
        calls.put(path, "surplus").await;
    }
    calls.put("/beside", "kept").await;
}

async fn tree(server: &TestServer) -> Vec<String> {
    let mut tree = server.calls().tree().await;
    tree.sort();
    tree
}

#[test]
fn what_is_not_here_goes_and_nothing_else() {
    with_server(async |server| {
        let folder = folder(&KEPT);
        with_surplus(&server).await;
        let plan = super::plan_of(folder.path(), "/dest");
        let ran = put_plan(&server, plan, options(4), Faults::new())
            .await
            .unwrap();
        assert_eq!((ran.summary.deleted, ran.summary.uploaded), (4, 2));
        // A folder goes as a whole.
        assert_eq!(ran.count("files/delete_v2"), 3, "{:?}", ran.requests);
        let left = [
            "/beside",
            "/dest",
            "/dest!",
            "/dest!/x",
            "/dest/a",
            "/dest/sub",
            "/dest/sub/b",
        ];
        assert_eq!(tree(&server).await, left);
    });
}

#[test]
fn more_than_is_allowed_is_refused_before_anything_is_sent() {
    with_server(async |server| {
        let folder = folder(&KEPT);
        with_surplus(&server).await;
        let before = tree(&server).await;
        let plan = super::plan_of(folder.path(), "/dest");
        let refused = put_plan(&server, plan, options(3), Faults::new())
            .await
            .unwrap_err();
        assert!(
            matches!(refused, PutFailure::TooManyDeletions { files: 4, most: 3 }),
            "{refused}"
        );
        assert_eq!(tree(&server).await, before);
    });
}

#[test]
fn nothing_goes_while_something_is_missing() {
    with_server(async |server| {
        let folder = folder(&KEPT);
        with_surplus(&server).await;
        let plan = super::plan_of(folder.path(), "/dest");
        let full = Canned::refusal("other", r#"{".tag": "other"}"#);
        let faults = Faults::new().on(super::START_BATCH, 1, Fault::Answer(full));
        let ran = put_plan(&server, plan, options(9), faults).await.unwrap();
        assert_eq!((ran.summary.refused, ran.summary.deleted), (2, 0));
        assert!(tree(&server).await.contains(&"/dest/Old.txt".to_owned()));
    });
}

#[test]
fn what_patterns_leave_out_and_what_can_not_go_is_left_alone() {
    with_server(async |server| {
        let folder = folder(&KEPT);
        #[cfg(unix)]
        std::os::unix::fs::symlink("a", folder.path().join("link")).unwrap();
        with_surplus(&server).await;
        server
            .calls()
            .put("/dest/Link", "kept, for it may be the link's")
            .await;
        let there = DisplayPath::parse("/dest").unwrap();
        let walk = Walk::new(folder.path())
            .exclude("Old.*")
            .unwrap()
            .exclude("deep/")
            .unwrap();
        let walk = walk.destined_for(there.clone());
        let found = walk.run().unwrap();
        let mut plan = Plan::new();
        plan.add_tree(walk, there, found).unwrap();
        let ran = put_plan(&server, plan, options(9), Faults::new())
            .await
            .unwrap();
        assert_eq!(ran.summary.deleted, 2);
        let left = tree(&server).await;
        for kept in ["/dest/Old.txt", "/dest/gone/deep/2", "/dest/Link"] {
            assert!(left.contains(&kept.to_owned()), "{kept}: {left:?}");
        }
        for gone in ["/dest/sub/old", "/dest/gone/1"] {
            assert!(!left.contains(&gone.to_owned()), "{gone}: {left:?}");
        }
    });
}

#[test]
fn what_is_excluded_is_left_alone_in_whatever_case_it_is_spelled_there() {
    with_server(async |server| {
        let folder = folder(&KEPT);
        for path in ["/dest/BUILD/x", "/dest/old.JPG", "/dest/old.txt"] {
            server.calls().put(path, "there").await;
        }
        let there = DisplayPath::parse("/dest").unwrap();
        let walk = Walk::new(folder.path()).exclude("/build/").unwrap();
        let walk = walk.exclude("*.jpg").unwrap().destined_for(there.clone());
        let found = walk.run().unwrap();
        let mut plan = Plan::new();
        plan.add_tree(walk, there, found).unwrap();
        let ran = put_plan(&server, plan, options(9), Faults::new())
            .await
            .unwrap();
        assert_eq!(ran.summary.deleted, 1);
        let left = tree(&server).await;
        assert!(
            left.contains(&"/dest/BUILD/x".to_owned())
                && left.contains(&"/dest/old.JPG".to_owned())
        );
    });
}

/// A disk may fail in the middle of a folder.
#[test]
fn nothing_goes_from_a_folder_that_could_not_be_listed_to_its_end() {
    with_server(async |server| {
        let folder = folder(&KEPT);
        with_surplus(&server).await;
        server.calls().put("/other/old", "surplus").await;
        let before = tree(&server).await.len();
        // The first source has the second in it, so a problem of that is one of both.
        let roots = [
            ("/dest", folder.path().to_owned()),
            ("/other", folder.path().join("sub")),
        ];
        let mut plan = Plan::new();
        for (there, local) in roots {
            let there = DisplayPath::parse(there).unwrap();
            let walk = Walk::new(&local).destined_for(there.clone());
            let mut found = walk.run().unwrap();
            found.problems.push(Problem {
                local,
                why: Obstacle::Unreadable(std::io::ErrorKind::Other.into()),
            });
            plan.add_tree(walk, there, found).unwrap();
        }
        let ran = put_plan(&server, plan, options(9), Faults::new())
            .await
            .unwrap();
        assert_eq!(ran.summary.deleted, 0, "{ran:?}");
        assert!(tree(&server).await.len() > before);
    });
}

#[test]
fn a_mirror_of_a_mirror_changes_nothing() {
    with_server(async |server| {
        let folder = folder(&KEPT);
        for uploaded in [2, 0] {
            let plan = super::plan_of(folder.path(), "/dest");
            let ran = put_plan(&server, plan, options(0), Faults::new())
                .await
                .unwrap();
            assert_eq!((ran.summary.uploaded, ran.summary.deleted), (uploaded, 0));
        }
        is_complete(&server, &KEPT).await;
    });
}
