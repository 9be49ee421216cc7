//! With a journal, the same upload run again sends only what is missing (P12).

use super::{
    APPEND, CHUNK, FINISH, METADATA, START, client, commit, count, done, is_saved, refused,
    renaming, settings, unknown, with_server,
};
use landfall::protocol::DisplayPath;
use landfall::protocol::types::files::{CommitInfo, WriteMode};
use landfall::transfer::{
    self, Engine, Event, JournalError, Journals, Outcome, PutOptions, Settings, Source, Upload,
    UploadFailure,
};
use landfall_testkit::faults::{Canned, Fault, Plan, Proxy};
use landfall_testkit::{TestServer, pattern};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use tempfile::TempDir;

/// A file and a place for journals.
struct World {
    dir: TempDir,
    data: Vec<u8>,
}

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let data = pattern(8, 5 * CHUNK + 100);
        std::fs::write(dir.path().join("source"), &data).unwrap();
        Self { dir, data }
    }

    fn source(&self) -> PathBuf {
        self.dir.path().join("source")
    }

    fn journals(&self) -> Journals {
        Journals::new(self.dir.path().join("uploads"), "test")
    }

    /// One run of the upload; how it ended, its requests, and its events but for the progress.
    async fn run(
        &self,
        server: &TestServer,
        commit: CommitInfo,
        plan: Plan,
    ) -> (Outcome, Vec<(String, u32)>, Vec<Event>) {
        let proxy = Proxy::start(server.address(), plan).await;
        let events = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&events);
        let settings = Settings {
            requests: 1,
            journals: Some(self.journals()),
            ..settings()
        };
        let engine = Engine::with_events(client(server, &proxy), settings, move |event| {
            if !matches!(event, Event::Progress { .. } | Event::Retry { .. }) {
                seen.lock().unwrap().push(event);
            }
        });
        let source = Source::open(self.source()).unwrap();
        let outcome = Upload::new(&engine, source, commit).run().await;
        let events = std::mem::take(&mut *events.lock().unwrap());
        (outcome, proxy.finish().into_iter().collect(), events)
    }

    /// A run that is stopped in front of this append.
    async fn stopped_at(&self, server: &TestServer, append: u32) {
        let plan = Plan::new().from(APPEND, append, Fault::DropRequest);
        let (outcome, _, _) = self.run(server, commit("/file.bin"), plan).await;
        assert!(matches!(refused(outcome), UploadFailure::Append(_)));
    }

    fn is_forgotten(&self) {
        let left = self.journals().list().unwrap();
        assert!(left.is_empty(), "{left:?}");
    }
}

#[test]
fn what_is_stored_is_not_sent_again() {
    with_server(async |server| {
        for stopped in 1..=6 {
            let world = World::new();
            world.stopped_at(&server, stopped).await;
            let left = world.journals().list().unwrap();
            assert_eq!(left[0].stored, u64::from(stopped - 1) * CHUNK as u64);

            let (outcome, requests, events) =
                world.run(&server, commit("/file.bin"), Plan::new()).await;
            is_saved(&server, "/file.bin", &world.data, &done(outcome)).await;
            assert!(server.calls().read("/file.bin").await == world.data);
            assert_eq!(
                (count(&requests, START), count(&requests, APPEND)),
                (0, 7 - stopped)
            );
            assert!(matches!(events[0], Event::Resumed { stored, .. } if stored == left[0].stored));
            world.is_forgotten();
            server.calls().delete("/file.bin").await.ok();
        }
    });
}

#[test]
fn a_finish_whose_fate_is_unknown_is_settled_by_the_next_run_without_a_second_copy() {
    with_server(async |server| {
        let world = World::new();
        let lost = Plan::new().from(FINISH, 1, Fault::DropReply);
        let (outcome, _, _) = world.run(&server, renaming("/file.bin"), lost).await;
        unknown(outcome);
        let (outcome, requests, _) = world.run(&server, renaming("/file.bin"), Plan::new()).await;
        is_saved(&server, "/file.bin", &world.data, &done(outcome)).await;
        assert_eq!((count(&requests, APPEND), count(&requests, FINISH)), (0, 1));
        assert_eq!(server.calls().tree().await, ["/file.bin"]);
        world.is_forgotten();
    });
}

#[test]
fn a_file_that_turns_out_to_be_there_leaves_no_journal() {
    with_server(async |server| {
        let world = World::new();
        let lost =
            Plan::new()
                .from(FINISH, 1, Fault::DropReply)
                .from(METADATA, 1, Fault::DropRequest);
        let (outcome, _, _) = world.run(&server, commit("/file.bin"), lost).await;
        unknown(outcome);

        let proxy = Proxy::start(server.address(), Plan::new()).await;
        let settings = Settings {
            journals: Some(world.journals()),
            ..settings()
        };
        let engine = Engine::new(client(&server, &proxy), settings);
        let there = DisplayPath::parse("/file.bin").unwrap();
        let mut plan = transfer::Plan::new();
        plan.add_file(world.source(), there, world.data.len() as u64, None);
        let summary = engine.put(plan, PutOptions::default()).await.unwrap();
        assert_eq!(summary.already_there, 1, "{summary:?}");
        assert_eq!(proxy.finish().get(APPEND), None);
        world.is_forgotten();
    });
}

/// Where a service doesn't answer a finish again, the next run must not take the session for
/// gone and send everything a second time.
#[test]
fn a_finished_session_that_is_forgotten_is_no_reason_to_send_again() {
    with_server(async |server| {
        let world = World::new();
        let lost =
            Plan::new()
                .from(FINISH, 1, Fault::DropReply)
                .from(METADATA, 1, Fault::DropRequest);
        let (outcome, _, _) = world.run(&server, commit("/file.bin"), lost).await;
        unknown(outcome);
        let gone = Fault::Answer(super::refusal(&["lookup_failed", "not_found"]));
        let plan = Plan::new().from(FINISH, 1, gone);
        let (outcome, requests, _) = world.run(&server, commit("/file.bin"), plan).await;
        is_saved(&server, "/file.bin", &world.data, &done(outcome)).await;
        assert_eq!((count(&requests, START), count(&requests, APPEND)), (0, 0));
        assert_eq!(count(&requests, METADATA), 1);
        world.is_forgotten();
    });
}

/// Such as: saved as `file (2).bin`, unheard, and then wanted at `file.bin` after all.
#[test]
fn a_finish_that_nobody_heard_of_does_not_stand_in_the_way_of_another_command() {
    with_server(async |server| {
        let world = World::new();
        server.calls().put("/file.bin", "other").await;
        let lost = Plan::new().from(FINISH, 1, Fault::DropReply);
        let (outcome, _, _) = world.run(&server, renaming("/file.bin"), lost).await;
        unknown(outcome);
        let overwrite = CommitInfo {
            mode: WriteMode::Overwrite,
            ..commit("/file.bin")
        };
        let (outcome, _, events) = world.run(&server, overwrite, Plan::new()).await;
        is_saved(&server, "/file.bin", &world.data, &done(outcome)).await;
        assert!(matches!(events[1], Event::StartedAnew { .. }), "{events:?}");
        world.is_forgotten();

        // If it was not carried out, nothing is sent again.
        let lost = Plan::new().from(FINISH, 1, Fault::DropRequest);
        server.calls().delete("/file.bin").await.ok();
        let (outcome, _, _) = world.run(&server, renaming("/file.bin"), lost).await;
        unknown(outcome);
        let (outcome, requests, _) = world.run(&server, commit("/file.bin"), Plan::new()).await;
        is_saved(&server, "/file.bin", &world.data, &done(outcome)).await;
        assert_eq!((count(&requests, START), count(&requests, APPEND)), (0, 0));
    });
}

#[test]
fn after_a_refused_commit_the_bytes_are_not_sent_again() {
    with_server(async |server| {
        let world = World::new();
        server.calls().put("/file.bin", "other").await;
        let (outcome, _, _) = world.run(&server, commit("/file.bin"), Plan::new()).await;
        assert!(matches!(refused(outcome), UploadFailure::Finish(_)));
        let (outcome, requests, _) = world.run(&server, renaming("/file.bin"), Plan::new()).await;
        is_saved(&server, "/file (2).bin", &world.data, &done(outcome)).await;
        assert_eq!((count(&requests, START), count(&requests, APPEND)), (0, 0));
    });
}

#[test]
fn a_source_that_changed_is_noticed_said_and_sent_whole() {
    with_server(async |server| {
        let mut world = World::new();
        world.stopped_at(&server, 4).await;
        world.data.push(1);
        std::fs::write(world.source(), &world.data).unwrap();
        let (outcome, requests, events) =
            world.run(&server, commit("/file.bin"), Plan::new()).await;
        is_saved(&server, "/file.bin", &world.data, &done(outcome)).await;
        assert_eq!((count(&requests, START), count(&requests, APPEND)), (1, 6));
        assert!(matches!(events[0], Event::StartedAnew { why, .. } if why.contains("changed")));
    });
}

#[test]
fn a_session_that_is_gone_meanwhile_begins_anew() {
    with_server(async |server| {
        let world = World::new();
        world.stopped_at(&server, 4).await;
        let gone = Fault::Answer(super::refusal(&["not_found"]));
        let plan = Plan::new().on(APPEND, 1, gone);
        let (outcome, requests, events) = world.run(&server, commit("/file.bin"), plan).await;
        is_saved(&server, "/file.bin", &world.data, &done(outcome)).await;
        assert_eq!(count(&requests, START), 1);
        // A piece that was on its way when the first one came back may have gone, too.
        let appends = count(&requests, APPEND);
        assert!((7..=8).contains(&appends), "{appends}");
        assert!(matches!(events[1], Event::StartedAnew { .. }), "{events:?}");
        world.is_forgotten();
    });
}

#[test]
fn two_runs_of_one_upload_are_not_let_into_each_others_way() {
    with_server(async |server| {
        let world = World::new();
        let (plan, mut gate) = Plan::new().hold(APPEND, 2);
        let first = world.run(&server, commit("/file.bin"), plan);
        let second = async {
            gate.reached().await;
            let (outcome, requests, _) = world.run(&server, commit("/FILE.bin"), Plan::new()).await;
            gate.open();
            (outcome, requests)
        };
        let ((outcome, _, _), (refusal, requests)) = tokio::join!(first, second);
        let held = refused(refusal);
        assert!(
            matches!(held, UploadFailure::Journal(JournalError::Held { .. })),
            "{held}"
        );
        assert!(requests.is_empty());
        is_saved(&server, "/file.bin", &world.data, &done(outcome)).await;
    });
}

#[test]
fn without_a_place_for_journals_an_upload_goes_on_and_says_so() {
    with_server(async |server| {
        let world = World::new();
        std::fs::write(world.dir.path().join("uploads"), "no folder").unwrap();
        let (outcome, _, events) = world.run(&server, commit("/file.bin"), Plan::new()).await;
        is_saved(&server, "/file.bin", &world.data, &done(outcome)).await;
        assert!(
            matches!(events[..], [Event::NoJournal { .. }]),
            "{events:?}"
        );
    });
}

#[test]
fn a_service_in_trouble_for_long_is_come_back_to() {
    with_server(async |server| {
        let world = World::new();
        let trouble = Plan::new().from(FINISH, 1, Fault::Answer(Canned::unavailable()));
        let (outcome, _, _) = world.run(&server, commit("/file.bin"), trouble).await;
        unknown(outcome);
        let (outcome, requests, _) = world.run(&server, commit("/file.bin"), Plan::new()).await;
        is_saved(&server, "/file.bin", &world.data, &done(outcome)).await;
        assert_eq!(count(&requests, APPEND), 0);
    });
}

#[test]
fn a_file_that_got_small_and_goes_with_others_leaves_no_journal() {
    with_server(async |server| {
        let world = World::new();
        world.stopped_at(&server, 2).await;
        assert_eq!(world.journals().list().unwrap().len(), 1);
        std::fs::write(world.source(), "small").unwrap();
        std::fs::write(world.dir.path().join("other"), "too").unwrap();
        let mut plan = transfer::Plan::new();
        for (name, there) in [("source", "/file.bin"), ("other", "/other.bin")] {
            let local = world.dir.path().join(name);
            let size = std::fs::metadata(&local).unwrap().len();
            plan.add_file(local, DisplayPath::parse(there).unwrap(), size, None);
        }
        let proxy = Proxy::start(server.address(), Plan::new()).await;
        let settings = Settings {
            journals: Some(world.journals()),
            ..settings()
        };
        let engine = Engine::new(client(&server, &proxy), settings);
        let summary = engine.put(plan, PutOptions::default()).await.unwrap();
        assert_eq!(summary.uploaded, 2);
        let batches = "files/upload_session/start_batch";
        assert_eq!(proxy.finish().get(batches), Some(&1));
        world.is_forgotten();
    });
}
