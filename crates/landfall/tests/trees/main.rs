//! Whole folders: every file ends at its place once and whole with a verdict of its own, in few
//! requests (P2, P12).

mod faults;
mod front;
mod matches;
mod mirror;
mod requests;
mod room;

use landfall::protocol::DisplayPath;
use landfall::transfer::{
    Engine, Event, IfExists, Plan, PutFailure, PutOptions, RetryPolicy, Settings, Summary, Verdict,
    Walk,
};
use landfall::{Client, Endpoint, Secret};
use landfall_testkit::faults::{Plan as Faults, Proxy};
use landfall_testkit::{Stores, TestServer, pattern};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;

const START: &str = "files/upload_session/start";
const APPEND: &str = "files/upload_session/append_v2";
const FINISH: &str = "files/upload_session/finish";
const START_BATCH: &str = "files/upload_session/start_batch";
const APPEND_BATCH: &str = "files/upload_session/append_batch";
const FINISH_BATCH: &str = "files/upload_session/finish_batch_v2";
const LIST: &str = "files/list_folder";

const MIB: usize = 1024 * 1024;

/// Patient, but not slow.
const QUICK: RetryPolicy = RetryPolicy {
    failures: 5,
    first: Duration::from_millis(1),
    most: Duration::from_millis(2),
    patience: Duration::from_secs(60),
};

fn with_server<F: Future<Output = ()>>(test: impl FnOnce(TestServer) -> F) {
    TestServer::run(Stores::Memory, test);
}

/// A folder with files of these sizes.
fn folder(files: &[(&str, usize)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, size) in files {
        write(folder.path(), name, *size);
    }
    folder
}

/// Writes a file whose content depends on its name and size.
fn write(folder: &Path, name: &str, size: usize) -> Vec<u8> {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let content = content(name, size);
    std::fs::write(path, &content).unwrap();
    content
}

fn content(name: &str, size: usize) -> Vec<u8> {
    let seed = name.bytes().fold(size as u64, |seed, byte| {
        seed * 31 % 65_537 + u64::from(byte)
    });
    pattern(seed, size)
}

fn plan_of(folder: &Path, there: &str) -> Plan {
    let there = DisplayPath::parse(there).unwrap();
    let walk = Walk::new(folder).destined_for(there.clone());
    let mut plan = Plan::new();
    let tree = walk.run().unwrap();
    plan.add_tree(walk, there, tree).unwrap();
    plan
}

/// What came of a run.
#[derive(Debug)]
struct Ran {
    summary: Summary,
    verdicts: BTreeMap<String, Arc<Verdict>>,
    requests: Vec<(String, u32)>,
}

impl Ran {
    fn count(&self, route: &str) -> u32 {
        let found = self.requests.iter().find(|(name, _)| name == route);
        found.map_or(0, |(_, count)| *count)
    }
}

/// Puts a folder at `/dest` through a proxy with these faults.
async fn put(server: &TestServer, folder: &Path, options: PutOptions, faults: Faults) -> Ran {
    let plan = plan_of(folder, "/dest");
    put_plan(server, plan, options, faults).await.unwrap()
}

async fn put_plan(
    server: &TestServer,
    plan: Plan,
    options: PutOptions,
    faults: Faults,
) -> Result<Ran, PutFailure> {
    let proxy = Proxy::start(server.address(), faults).await;
    let endpoint = Endpoint::at(&proxy.url()).unwrap();
    let client = Client::new(endpoint, Secret::new(server.token().to_owned())).unwrap();
    let verdicts = Arc::new(Mutex::new(BTreeMap::new()));
    let seen = Arc::clone(&verdicts);
    let settings = Settings {
        retry: QUICK,
        ..Settings::default()
    };
    let engine = Engine::with_events(client, settings, move |event| {
        if let Event::Settled { file, verdict, .. } = event {
            let twice = seen.lock().unwrap().insert(file.to_string(), verdict);
            assert!(twice.is_none(), "{file} is settled twice");
        }
    });
    let summary = engine.put(plan, options).await;
    drop(engine);
    let requests = proxy.finish().into_iter().collect();
    Ok(Ran {
        summary: summary?,
        verdicts: std::mem::take(&mut verdicts.lock().unwrap()),
        requests,
    })
}

fn if_exists(if_exists: IfExists) -> PutOptions {
    PutOptions {
        if_exists,
        ..PutOptions::default()
    }
}

/// All files are at their places with the content that was written, and no others.
async fn is_complete(server: &TestServer, files: &[(&str, usize)]) {
    let tree: BTreeSet<String> = server.calls().tree().await.into_iter().collect();
    let mut wanted = BTreeSet::new();
    for (name, _) in files {
        let path = DisplayPath::parse(&format!("/dest/{name}")).unwrap();
        wanted.extend(
            path.ancestors()
                .iter()
                .map(|above| above.as_str().to_owned()),
        );
        wanted.insert(path.as_str().to_owned());
    }
    assert_eq!(tree, wanted);
    for (name, size) in files {
        let got = server.calls().read(&format!("/dest/{name}")).await;
        assert!(got == content(name, *size), "{name}");
    }
}
