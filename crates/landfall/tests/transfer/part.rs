//! Downloads that go on with what an earlier one left.

use super::ranges::{known, read_path};
use super::{CHUNK, DOWNLOAD, MIB, client, large, settings, with_server};
use landfall::protocol::types::files::FileMetadata;
use landfall::transfer::{Download, DownloadFailure, Downloaded, Engine, Event, Events};
use landfall::{Client, Endpoint, Secret};
use landfall_testkit::TestServer;
use landfall_testkit::faults::{Fault, Plan, Proxy};
use landfall_testkit::link::{Conditions, Link};
use std::io::{Read, Seek, Write};
use std::sync::{Arc, Mutex};

const PATH: &str = "/file.bin";

/// More than the heads of a few answers.
const HEADS: u64 = 20_000;

#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Vec<String>>>);

impl Events for Heard {
    fn event(&self, event: Event) {
        let text = match event {
            Event::Resumed { stored, total, .. } => format!("{stored} of {total}"),
            Event::StartedAnew { why, .. } => why.to_owned(),
            _ => return,
        };
        self.0.lock().unwrap().push(text);
    }
}

/// Goes on with these bytes; what the file holds then, and what was told.
async fn go_on(
    client: Client,
    file: Option<FileMetadata>,
    prefix: &[u8],
) -> (Result<Downloaded, DownloadFailure>, Vec<u8>, Vec<String>) {
    let heard = Heard::default();
    let engine = Engine::with_events(client, settings(), heard.clone());
    let mut part = tempfile::tempfile().unwrap();
    part.write_all(prefix).unwrap();
    let mut download = Download::new(&engine, read_path(PATH));
    if let Some(file) = file {
        download = download.known(file);
    }
    let result = download.resume_from(part.try_clone().unwrap()).await;
    let mut got = Vec::new();
    part.rewind().unwrap();
    part.read_to_end(&mut got).unwrap();
    let told = heard.0.lock().unwrap().clone();
    (result, got, told)
}

/// A client whose bytes can be counted.
async fn counting(server: &TestServer) -> (Client, Link) {
    let anywhere = ([127, 0, 0, 1], 0).into();
    let link = Link::start(anywhere, server.address(), Conditions::default());
    let link = link.await.unwrap();
    let endpoint = Endpoint::at(&format!("http://{}", link.address())).unwrap();
    let client = Client::new(endpoint, Secret::new(server.token().to_owned())).unwrap();
    (client, link)
}

#[test]
fn wherever_it_was_stopped_only_the_rest_is_fetched() {
    with_server(async |server| {
        let data = large();
        server.calls().put(PATH, data.clone()).await;
        let size = data.len();
        for kept in [
            0,
            1,
            CHUNK - 1,
            CHUNK,
            CHUNK + 1,
            5 * MIB + 7,
            2 * CHUNK,
            size - 1,
            size,
        ] {
            let (client, link) = counting(&server).await;
            let file = known(&client, PATH).await;
            let (result, got, told) = go_on(client, Some(file), &data[..kept]).await;
            assert!(result.is_ok() && got == data, "{kept}: {result:?}");
            let rest = (size - kept) as u64;
            let down = link.carried().down;
            assert!((rest..rest + HEADS).contains(&down), "{kept}: {down} bytes");
            let wanted = match kept {
                0 => vec![],
                kept => vec![format!("{kept} of {size}")],
            };
            assert_eq!(told, wanted);
        }
    });
}

#[test]
fn a_prefix_that_is_damaged_is_given_up() {
    with_server(async |server| {
        let data = large();
        server.calls().put(PATH, data.clone()).await;
        for (kept, at) in [(1, 0), (5 * MIB, 4 * MIB), (data.len(), 17)] {
            let proxy = Proxy::start(server.address(), Plan::new()).await;
            let client = client(&server, &proxy);
            let file = known(&client, PATH).await;
            let mut prefix = data[..kept].to_vec();
            prefix[at] ^= 1;
            let (result, got, told) = go_on(client, Some(file), &prefix).await;
            assert!(result.is_ok() && got == data, "{kept}: {result:?}");
            assert_eq!(told.len(), 2, "{told:?}");
            assert!(told[1].contains("damaged"), "{told:?}");
            proxy.finish();
        }
    });
}

fn damage(body: &mut [u8]) {
    body[0] ^= 1;
}

#[test]
fn it_is_given_up_once_and_no_more() {
    with_server(async |server| {
        let data = large();
        server.calls().put(PATH, data.clone()).await;
        let plan = Plan::new().from(DOWNLOAD, 1, Fault::Change(damage));
        let proxy = Proxy::start(server.address(), plan).await;
        let client = client(&server, &proxy);
        let file = known(&client, PATH).await;
        let (result, ..) = go_on(client, Some(file), &data[..2 * CHUNK]).await;
        let integrity = matches!(result, Err(DownloadFailure::Integrity { .. }));
        assert!(integrity, "{result:?}");
        // The rest, and then the three ranges of all.
        assert_eq!(proxy.finish()[DOWNLOAD], 4);
    });
}

#[test]
fn what_can_not_be_of_the_file_is_given_up_at_once() {
    with_server(async |server| {
        let data = large();
        server.calls().put(PATH, data.clone()).await;
        let proxy = Proxy::start(server.address(), Plan::new()).await;
        let client = client(&server, &proxy);
        let file = known(&client, PATH).await;
        let hashless = FileMetadata {
            content_hash: None,
            ..file.clone()
        };
        let longer = [&data[..], b"x"].concat();
        for (file, prefix) in [
            (Some(file), &longer[..]),
            (Some(hashless), &data[..5]),
            (None, &data[..5]),
        ] {
            let (result, got, told) = go_on(client.clone(), file, prefix).await;
            assert!(result.is_ok() && got == data, "{result:?}");
            assert_eq!(told.len(), 1, "{told:?}");
        }
        proxy.finish();
    });
}

#[test]
fn what_a_failed_download_leaves_can_be_gone_on_with() {
    with_server(async |server| {
        let data = large();
        server.calls().put(PATH, data.clone()).await;
        for from in 1..=3 {
            let mut plan = Plan::new();
            if from > 1 {
                plan = plan.on(DOWNLOAD, 1, Fault::CutReply(100));
            }
            let plan = plan.from(DOWNLOAD, from, Fault::DropReply);
            let proxy = Proxy::start(server.address(), plan).await;
            let breaking = client(&server, &proxy);
            let file = known(&breaking, PATH).await;
            let (result, left, _) = go_on(breaking, Some(file.clone()), &[]).await;
            let failure = result.unwrap_err();
            assert!(matches!(failure, DownloadFailure::Call(_)), "{failure}");
            assert!(left == data[..left.len()]);
            proxy.finish();

            let proxy = Proxy::start(server.address(), Plan::new()).await;
            let (result, got, _) = go_on(client(&server, &proxy), Some(file), &left).await;
            assert!(result.is_ok() && got == data, "{result:?}");
            proxy.finish();
        }
    });
}
