//! Transfers over connections that break: a file ends at its path once and whole, or an error
//! says that it didn't; bytes that come back are the bytes that went (P2, P4, P12).

mod downloads;
mod finish;
mod gone;
mod part;
mod ranges;
mod requests;
mod resume;
mod sessions;
mod sources;

use landfall::protocol::ContentHash;
use landfall::protocol::path::WritePathOrId;
use landfall::protocol::types::files::CommitInfo;
use landfall::transfer::{
    Engine, Outcome, RetryPolicy, Settings, Source, Upload, UploadFailure, Uploaded,
};
use landfall::{Client, Endpoint, Secret};
use landfall_testkit::faults::{Canned, Fault, Gate, Plan, Proxy};
use landfall_testkit::{Stores, TestServer, pattern};
use std::io::Cursor;
use std::time::Duration;
use tokio::task::JoinHandle;

const START: &str = "files/upload_session/start";
const APPEND: &str = "files/upload_session/append_v2";
const FINISH: &str = "files/upload_session/finish";
const METADATA: &str = "files/get_metadata";
const DOWNLOAD: &str = "files/download";

const MIB: usize = 1024 * 1024;
/// The smallest chunk.
const CHUNK: usize = 4 * MIB;

/// Patient, but not slow.
const QUICK: RetryPolicy = RetryPolicy {
    failures: 5,
    first: Duration::from_millis(1),
    most: Duration::from_millis(2),
    patience: Duration::from_secs(60),
};

/// Runs a test against a server of its own.
fn with_server<F: Future<Output = ()>>(test: impl FnOnce(TestServer) -> F) {
    TestServer::run(Stores::Memory, test);
}

fn client(server: &TestServer, proxy: &Proxy) -> Client {
    let endpoint = Endpoint::at(&proxy.url()).unwrap();
    Client::new(endpoint, Secret::new(server.token().to_owned())).unwrap()
}

fn commit(path: &str) -> CommitInfo {
    CommitInfo::new(WritePathOrId::parse(path).unwrap())
}

fn renaming(path: &str) -> CommitInfo {
    CommitInfo {
        autorename: true,
        ..commit(path)
    }
}

fn file(data: &[u8]) -> (Source, tempfile::NamedTempFile) {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), data).unwrap();
    (Source::open(file.path()).unwrap(), file)
}

fn stream(data: &[u8]) -> Source {
    Source::stream("input", Cursor::new(data.to_vec()))
}

fn upload(client: &Client, source: Source, commit: CommitInfo) -> Upload {
    Upload::new(&Engine::new(client.clone(), settings()), source, commit)
}

fn settings() -> Settings {
    Settings {
        chunk: Some(CHUNK as u64),
        retry: QUICK,
        ..Settings::default()
    }
}

/// Uploads through a proxy with this plan, to the end of both.
async fn through(
    server: &TestServer,
    plan: Plan,
    source: Source,
    commit: CommitInfo,
) -> (Outcome, Vec<(String, u32)>) {
    let proxy = Proxy::start(server.address(), plan).await;
    let client = client(server, &proxy);
    let outcome = upload(&client, source, commit).run().await;
    (outcome, proxy.finish().into_iter().collect())
}

/// Waits until the transfer's request is at the gate; a transfer that ends before is a failure.
async fn reached<T: std::fmt::Debug>(gate: &mut Gate, transfer: &mut JoinHandle<T>) -> String {
    tokio::select! {
        head = gate.reached() => head,
        ended = transfer => panic!("it never came to the gate: {ended:?}"),
    }
}

fn done(outcome: Outcome) -> Uploaded {
    match outcome {
        Outcome::Done(uploaded) => *uploaded,
        Outcome::Refused(failure) => panic!("refused: {failure}"),
        Outcome::Unknown(unknown) => panic!("unknown: {unknown}"),
    }
}

fn refused(outcome: Outcome) -> UploadFailure {
    match outcome {
        Outcome::Refused(failure) => failure,
        other => panic!("not refused: {other:?}"),
    }
}

fn unknown(outcome: Outcome) -> String {
    match outcome {
        Outcome::Unknown(unknown) => unknown.to_string(),
        other => panic!("not unknown: {other:?}"),
    }
}

fn counts(pairs: &[(&str, u32)]) -> Vec<(String, u32)> {
    let mut counts: Vec<_> = pairs
        .iter()
        .map(|&(route, n)| (route.to_owned(), n))
        .collect();
    counts.sort();
    counts
}

fn count(requests: &[(String, u32)], route: &str) -> u32 {
    let found = requests.iter().find(|(name, _)| name == route);
    found.map_or(0, |&(_, count)| count)
}

/// The server has the file at this path with these bytes, by its own word and by the answer.
async fn is_saved(server: &TestServer, path: &str, data: &[u8], uploaded: &Uploaded) {
    let hash = ContentHash::of(data);
    assert_eq!(
        (uploaded.size, uploaded.content_hash),
        (data.len() as u64, hash)
    );
    let stored = server.calls().metadata(path).await.ok();
    assert_eq!(stored["content_hash"], hash.to_string(), "{path}");
    assert_eq!(stored["size"], data.len(), "{path}");
    assert_eq!(stored["rev"], uploaded.metadata.rev.to_string(), "{path}");
    assert_eq!(uploaded.metadata.path_display.as_deref(), Some(path));
}

/// What may be got over by trying again, whatever request it meets.
fn passing_faults() -> Vec<Fault> {
    let mut faults = vec![
        Fault::DropRequest,
        Fault::CutRequest,
        Fault::DropReply,
        Fault::CutReply(0),
        Fault::CutReply(3),
    ];
    for canned in [
        Canned::unavailable(),
        Canned::broken(),
        Canned::portal(),
        Canned::slow_down(0),
        Canned::slow_down_plainly(),
    ] {
        faults.push(Fault::Answer(canned.clone()));
        // A machine in between says so of a request that was carried out. Who is told to slow
        // down was not served: that can't be said of one.
        if canned.status != 429 {
            faults.push(Fault::AnswerInstead(canned));
        }
    }
    faults
}

fn refusal(tags: &[&str]) -> Canned {
    let mut error = serde_json::json!({".tag": tags[tags.len() - 1]});
    for tag in tags[..tags.len() - 1].iter().rev() {
        error = serde_json::json!({".tag": tag, *tag: error});
    }
    Canned::refusal(&tags.join("/"), &error.to_string())
}

fn small() -> Vec<u8> {
    pattern(1, 1000)
}

fn large() -> Vec<u8> {
    pattern(2, 9 * MIB)
}
