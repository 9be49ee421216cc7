//! An upload against a server of its own, as often as it takes, and what is seen of it.

use super::CHUNK;
use super::check::{History, Met, Run, Saved, Told, Tree};
use super::faults::{Kind, What};
use bytes::Bytes;
use landfall::protocol::DisplayPath;
use landfall::protocol::path::WritePathOrId;
use landfall::protocol::types::files::CommitInfo;
use landfall::transfer::{
    Engine, Event, IfExists, Journals, Outcome, Plan, PutOptions, RetryPolicy, Settings, Source,
    Upload, Verdict, Walk,
};
use landfall::{Client, Endpoint, Secret, Timeouts};
use landfall_testkit::faults::{Gate, Plan as Faults, Proxy, Report};
use landfall_testkit::{Calls, Stores, TestServer, pattern};
use serde_json::json;
use std::collections::BTreeMap;
use std::io::Cursor;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tempfile::TempDir;

/// A run that takes longer hangs. Its own patience ends far below.
const HANGS: Duration = Duration::from_secs(180);

/// Patient, but not slow.
const QUICK: RetryPolicy = RetryPolicy {
    failures: 5,
    first: Duration::from_millis(1),
    most: Duration::from_millis(2),
    patience: Duration::from_secs(60),
};

/// After which a request that is held for too long is given up.
const SHORT: Timeouts = Timeouts {
    connect: Duration::from_secs(1),
    idle: Duration::from_secs(1),
    answer: Duration::from_secs(1),
};

/// A way of uploading.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Way {
    /// A large file, in pieces of a concurrent session, with a journal.
    Pieces,
    /// Small files together.
    Batch,
    /// A folder with small files and a large one.
    Folder,
    /// A stream, in order.
    Stream,
    /// A file of one request.
    Whole,
}

impl Way {
    /// Whether a plan is put, which looks at what is there first.
    fn is_put(self) -> bool {
        matches!(self, Self::Pieces | Self::Batch | Self::Folder)
    }
}

/// What is uploaded: files of a folder, and where each goes. Trials may share it.
pub(super) struct Content {
    way: Way,
    folder: TempDir,
    wanted: BTreeMap<String, Bytes>,
    journaled: Option<String>,
}

impl Content {
    /// Files of these sizes; no two are alike.
    pub(super) fn new(way: Way, files: &[(&str, usize)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut wanted: BTreeMap<String, Bytes> = BTreeMap::new();
        for (number, (name, size)) in files.iter().enumerate() {
            let content = pattern(number as u64 + 1, *size);
            let local = folder.path().join(name);
            std::fs::create_dir_all(local.parent().unwrap()).unwrap();
            std::fs::write(local, &content).unwrap();
            wanted.insert(format!("/dest/{name}"), content.into());
        }
        let mut large = wanted.iter().filter(|(_, content)| content.len() > CHUNK);
        let journaled = large.next().filter(|_| way.is_put());
        assert!(large.next().is_none(), "one journal is looked at, not two");
        Self {
            journaled: journaled.map(|(path, _)| path.clone()),
            way,
            folder,
            wanted,
        }
    }

    /// The one file, if there is only one.
    fn only(&self) -> (&str, &Bytes) {
        let (path, bytes) = self.wanted.first_key_value().expect("a file");
        (path, bytes)
    }

    fn local(&self, path: &str) -> std::path::PathBuf {
        let name = path.strip_prefix("/dest/").expect("all go there");
        self.folder.path().join(name)
    }
}

/// A fault that is to come.
#[derive(Clone, Copy, Debug)]
pub(super) struct Planned {
    pub(super) route: &'static str,
    /// Which request of the route it meets, counted from 1.
    pub(super) nth: u32,
    /// Whether it meets all after that, too.
    pub(super) for_ever: bool,
    pub(super) kind: &'static Kind,
}

/// The same upload, run by run.
pub(super) struct Trial<'a> {
    content: &'a Content,
    /// Requests at once, at most.
    requests: usize,
    server: TestServer,
    calls: Calls,
    journals: TempDir,
    pub(super) history: History,
}

impl<'a> Trial<'a> {
    /// Nothing is uploaded yet; `taken`: something else is where the file is to go.
    pub(super) async fn new(content: &'a Content, requests: usize, taken: bool) -> Self {
        let server = TestServer::start(Stores::Memory, Default::default()).await;
        let calls = server.calls();
        if taken {
            calls.put(content.only().0, "somebody's").await;
        }
        Self {
            history: History {
                before: tree(&calls).await,
                wanted: content.wanted.clone(),
                journaled: content.journaled.clone(),
                one_by_one: requests == 1,
                runs: Vec::new(),
            },
            content,
            requests,
            server,
            calls,
            journals: tempfile::tempdir().unwrap(),
        }
    }

    /// Runs the upload with these faults; how often each came to pass.
    pub(super) async fn run(&mut self, policy: &IfExists, faults: &[Planned]) -> Vec<u32> {
        let running = self.watched(policy, faults);
        let ran = tokio::time::timeout(HANGS, running).await;
        let (told, report) = ran.unwrap_or_else(|_| panic!("it hangs: {faults:?}"));
        let met = faults.iter().zip(&report.fired);
        self.history.runs.push(Run {
            policy: policy.clone(),
            told,
            met: met
                .filter(|(_, count)| **count > 0)
                .map(|(fault, _)| Met {
                    route: fault.route,
                    kind: fault.kind,
                })
                .collect(),
            exchanges: report.exchanges,
            journals: self.journals().list().unwrap().len(),
            after: tree(&self.calls).await,
        });
        report.fired
    }

    /// The last run.
    pub(super) fn last(&self) -> &Run {
        self.history.runs.last().expect("a run")
    }

    fn journals(&self) -> Journals {
        Journals::new(self.journals.path(), "test")
    }

    async fn watched(
        &self,
        policy: &IfExists,
        faults: &[Planned],
    ) -> (BTreeMap<String, Told>, Report) {
        let mut plan = Faults::new();
        let (mut late, mut too_late) = (Vec::new(), Vec::new());
        for fault in faults {
            let (route, nth) = (fault.route, fault.nth);
            let gates = match fault.kind.what {
                What::Fault(make) if fault.for_ever => {
                    plan = plan.from(route, nth, make());
                    continue;
                }
                What::Fault(make) => {
                    plan = plan.on(route, nth, make());
                    continue;
                }
                What::Late => &mut late,
                What::TooLate => &mut too_late,
            };
            let (held, gate) = plan.hold(route, nth);
            plan = held;
            gates.push(gate);
        }
        let proxy = Proxy::start(self.server.address(), plan).await;
        let patience = if too_late.is_empty() {
            Timeouts::default()
        } else {
            SHORT
        };
        let token = Secret::new(self.server.token().to_owned());
        let client = Client::builder(Endpoint::at(&proxy.url()).unwrap(), token);
        let client = client.timeouts(patience).build().unwrap();
        let late = late.into_iter().map(|gate| tokio::spawn(pass(gate)));
        let late: Vec<_> = late.collect();
        let told = self.upload(client, policy).await;
        too_late.into_iter().for_each(Gate::open);
        proxy.idle().await;
        late.iter().for_each(tokio::task::JoinHandle::abort);
        (told, proxy.report())
    }

    async fn upload(&self, client: Client, policy: &IfExists) -> BTreeMap<String, Told> {
        let settings = Settings {
            requests: self.requests,
            chunk: Some(CHUNK as u64),
            retry: QUICK,
            journals: Some(self.journals()),
            ..Settings::default()
        };
        let Content { way, wanted, .. } = self.content;
        if way.is_put() {
            return self.put(client, settings, policy).await;
        }
        let (path, bytes) = self.content.only();
        let source = match way {
            Way::Stream => Source::stream("input", Cursor::new(bytes.clone())),
            _ => Source::open(self.content.local(path)).unwrap(),
        };
        let (mode, autorename) = policy.mode();
        let commit = CommitInfo {
            mode,
            autorename,
            ..CommitInfo::new(WritePathOrId::parse(path).unwrap())
        };
        let engine = Engine::new(client, settings);
        let told = match Upload::new(&engine, source, commit).run().await {
            Outcome::Done(uploaded) => Told::Saved(uploaded.metadata.path_display.unwrap()),
            Outcome::Refused(failure) => Told::Refused(failure.to_string()),
            Outcome::Unknown(unknown) => Told::Unknown(unknown.to_string()),
        };
        wanted
            .keys()
            .map(|path| (path.clone(), told.clone()))
            .collect()
    }

    async fn put(
        &self,
        client: Client,
        settings: Settings,
        policy: &IfExists,
    ) -> BTreeMap<String, Told> {
        let told = Arc::new(Mutex::new(BTreeMap::new()));
        let hears = Arc::clone(&told);
        let engine = Engine::with_events(client, settings, move |event| {
            if let Event::Settled { file, verdict, .. } = event {
                let mut told = hears.lock().unwrap_or_else(PoisonError::into_inner);
                let before = told.insert(file.to_string(), said(&verdict));
                assert!(before.is_none(), "{file} is settled twice");
            }
        });
        let options = PutOptions {
            if_exists: policy.clone(),
            ..PutOptions::default()
        };
        let wanted = &self.content.wanted;
        if let Err(failure) = engine.put(self.plan(), options).await {
            let refused = Told::Refused(failure.to_string());
            return wanted
                .keys()
                .map(|path| (path.clone(), refused.clone()))
                .collect();
        }
        let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *told)
    }

    fn plan(&self) -> Plan {
        let mut plan = Plan::new();
        if self.content.way == Way::Pieces {
            let (path, bytes) = self.content.only();
            let there = DisplayPath::parse(path).unwrap();
            plan.add_file(self.content.local(path), there, bytes.len() as u64, None);
            return plan;
        }
        let there = DisplayPath::parse("/dest").unwrap();
        let walk = Walk::new(self.content.folder.path()).destined_for(there.clone());
        let tree = walk.run().unwrap();
        plan.add_tree(walk, there, tree).unwrap();
        plan
    }
}

fn said(verdict: &Verdict) -> Told {
    match verdict {
        Verdict::Uploaded(uploaded) => Told::Saved(uploaded.metadata.path_display.clone().unwrap()),
        Verdict::AlreadyThere => Told::AlreadyThere,
        Verdict::Skipped => Told::Skipped,
        Verdict::Refused(failure) => Told::Refused(failure.to_string()),
        Verdict::Unknown(unknown) => Told::Unknown(unknown.to_string()),
        other => panic!("nothing else was asked for: {other:?}"),
    }
}

/// Lets a request pass once it is there.
async fn pass(mut gate: Gate) {
    gate.reached().await;
    gate.open();
}

/// All files that the server has.
async fn tree(calls: &Calls) -> Tree {
    let listed = calls.list(&json!({"path": "", "recursive": true})).await;
    let listed = listed.ok();
    assert_eq!(listed["has_more"], false, "a tree of one page");
    let mut tree = Tree::new();
    for entry in listed["entries"].as_array().unwrap() {
        if entry[".tag"] != "file" {
            continue;
        }
        let path = entry["path_display"].as_str().unwrap();
        let arg = json!({ "path": path }).to_string();
        let revisions = calls.rpc("files/list_revisions", &arg).await.ok();
        let saved = Saved {
            bytes: calls.read(path).await,
            revisions: revisions["entries"].as_array().unwrap().len(),
        };
        tree.insert(path.to_owned(), saved);
    }
    tree
}
