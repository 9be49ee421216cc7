//! The blocking calls, outside and inside of runtimes.

use landfall::blocking::Client;
use landfall::protocol::path::{ReadPath, WritePathOrId};
use landfall::protocol::types::files::{CommitInfo, DownloadArg, DownloadError, UploadArg};
use landfall::{ByteRange, Endpoint, Secret, TokenFuture, TokenSource};
use landfall_testkit::{Stores, TestServer, pattern};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::thread;

fn client(server: &TestServer) -> Client {
    let token = Secret::new(server.token().to_owned());
    Client::new(Endpoint::at(&server.url()).unwrap(), token).unwrap()
}

fn with_server<F: Future<Output = ()>>(test: impl FnOnce(TestServer) -> F) {
    TestServer::run(Stores::Memory, test);
}

fn upload_arg(path: &str) -> UploadArg {
    UploadArg {
        commit: CommitInfo::new(WritePathOrId::parse(path).unwrap()),
        content_hash: None,
    }
}

fn download_arg(path: &str) -> DownloadArg {
    DownloadArg {
        path: ReadPath::parse(path).unwrap(),
        rev: None,
    }
}

#[test]
fn content_is_read_piece_by_piece() {
    with_server(async |server| {
        let data = pattern(1, 3_000_000);
        server.calls().put("/a", data.clone()).await;
        let client = client(&server);
        let range = Some(ByteRange {
            from: 1_000_000,
            to: None,
        });
        let mut content = client.download(&download_arg("/a"), range).unwrap();
        // The content keeps what it needs.
        drop(client);
        assert_eq!(content.reply().value.size, 3_000_000);
        assert_eq!(content.reply().status, 206);
        assert_eq!(
            (content.begins_at(), content.length()),
            (Some(1_000_000), Some(2_000_000))
        );
        let mut read = Vec::new();
        let mut pieces = 0;
        while let Some(piece) = content.chunk().unwrap() {
            read.extend_from_slice(&piece);
            pieces += 1;
        }
        assert!(read == data[1_000_000..]);
        assert!(pieces > 1);
        assert_eq!(content.chunk().unwrap(), None);
    });
}

#[test]
fn a_refused_download_says_why() {
    with_server(async |server| {
        let error = client(&server)
            .download(&download_arg("/no"), None)
            .unwrap_err();
        assert!(
            matches!(error.route_error(), Some(DownloadError::Path(_))),
            "{error}"
        );
    });
}

#[test]
fn any_number_of_threads_shares_a_client() {
    with_server(async |server| {
        let client = client(&server);
        let threads: Vec<_> = (0..16)
            .map(|nth| {
                let client = client.clone();
                thread::spawn(move || {
                    client
                        .upload(&upload_arg(&format!("/{nth:02}")), "x")
                        .unwrap()
                })
            })
            .collect();
        for (nth, thread) in threads.into_iter().enumerate() {
            assert_eq!(thread.join().unwrap().value.name, format!("{nth:02}"));
        }
        assert_eq!(server.calls().tree().await.len(), 16);
    });
}

/// Waiting, and dropping what waits, must not panic where a runtime forbids both.
#[test]
fn a_client_is_made_used_and_dropped_inside_of_a_runtime() {
    with_server(async |server| {
        let client = client(&server);
        let account = client.get_current_account().unwrap().value;
        assert_eq!(account.name.display_name, "Panda");
        drop(client);
    });
    let (address, given) = std::sync::mpsc::channel();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let serving = thread::spawn(move || {
        with_server(async move |server| {
            address
                .send((server.url(), server.token().to_owned()))
                .unwrap();
            stopped.await.unwrap();
        });
    });
    let (url, token) = given.recv().unwrap();
    let single = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    single.block_on(async {
        let client = Client::new(Endpoint::at(&url).unwrap(), Secret::new(token)).unwrap();
        assert_eq!(client.get_current_account().unwrap().status, 200);
        drop(client);
    });
    stop.send(()).unwrap();
    serving.join().unwrap();
}

/// A source of tokens that panics.
struct Panics;

impl TokenSource for Panics {
    fn token(&self) -> TokenFuture<'_> {
        resume_unwind(Box::new("on purpose"))
    }
}

#[test]
fn a_panic_of_the_caller_s_own_code_reaches_the_caller() {
    let endpoint = Endpoint::at("http://127.0.0.1:1").unwrap();
    let client = Client::from_builder(landfall::Client::builder(endpoint, Panics)).unwrap();
    for _ in 0..3 {
        let call = AssertUnwindSafe(|| client.get_current_account().is_ok());
        let panic = catch_unwind(call).unwrap_err();
        assert_eq!(panic.downcast_ref(), Some(&"on purpose"));
    }
}
