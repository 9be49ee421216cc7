//! The SDK's synchronous routes against the server, over a client of our own behind its trait.

use dropbox_sdk::Error;
use dropbox_sdk::client_trait::{
    HttpClient, HttpRequest, HttpRequestResultRaw, NoauthClient, UserAuthClient,
};
use dropbox_sdk::sync_routes::{check, files, users};
use dropbox_sdk::types::check::EchoArg;
use dropbox_sdk::types::files as sdk;
use landfall_testkit::{Calls, Method, RequestBuilder, TestServer, on_each_store};
use std::io::Read;
use std::sync::Arc;
use tokio::runtime::Handle;

/// Carries the SDK's requests to a server. Its calls block.
struct Carrier {
    calls: Calls,
    token: Option<Arc<String>>,
    runtime: Handle,
}

struct Carried(RequestBuilder);

impl HttpRequest for Carried {
    fn set_header(self, name: &str, value: &str) -> Self {
        Self(self.0.header(name, value))
    }
}

impl HttpClient for Carrier {
    type Request = Carried;

    fn new_request(&self, url: &str) -> Carried {
        let (_, path) = url
            .split_once(".dropboxapi.com")
            .expect("a host of the service");
        Carried(self.calls.anonymous(Method::POST, path))
    }

    fn execute(&self, request: Carried, body: &[u8]) -> Result<HttpRequestResultRaw, Error> {
        let sending = self.calls.send(request.0.body(body.to_vec()));
        let answer = self.runtime.block_on(sending);
        let header = |name| {
            answer
                .headers
                .contains_key(name)
                .then(|| answer.header(name))
        };
        Ok(HttpRequestResultRaw {
            status: answer.status,
            result_header: header("dropbox-api-result"),
            content_length: header("content-length").and_then(|length| length.parse().ok()),
            body: Box::new(std::io::Cursor::new(answer.body)),
        })
    }

    fn token(&self) -> Option<Arc<String>> {
        self.token.clone()
    }
}

impl UserAuthClient for Carrier {}
impl NoauthClient for Carrier {}

/// Runs a test that blocks, beside the server.
async fn with_the_sdk(server: &TestServer, test: impl FnOnce(&Carrier, &Carrier) + Send + 'static) {
    let carrier = |token: Option<&str>| Carrier {
        calls: server.calls(),
        token: token.map(|token| Arc::new(token.to_owned())),
        runtime: Handle::current(),
    };
    let (panda, nobody) = (carrier(Some(server.token())), carrier(None));
    let test = tokio::task::spawn_blocking(move || test(&panda, &nobody));
    test.await.expect("the test passes");
}

fn content(client: &Carrier, path: &str) -> Vec<u8> {
    let answer = files::download(client, &sdk::DownloadArg::new(path.into()), None, None);
    let mut bytes = Vec::new();
    answer
        .expect("a file")
        .body
        .expect("a body")
        .read_to_end(&mut bytes)
        .expect("bytes");
    bytes
}

fn refused<T: std::fmt::Debug, E: std::fmt::Debug>(outcome: Result<T, Error<E>>) -> E {
    match outcome {
        Err(Error::Api(error)) => error,
        other => panic!("not the API's own error: {other:?}"),
    }
}

on_each_store! {
    async fn the_sdk_s_session_is_finished_once(server: TestServer) {
        with_the_sdk(&server, |panda, _| {
            let start = sdk::UploadSessionStartArg::default();
            let session = files::upload_session_start(panda, &start, b"up").unwrap().session_id;
            let cursor = |offset| sdk::UploadSessionCursor::new(session.clone(), offset);
            let append = sdk::UploadSessionAppendArg::new(cursor(2));
            files::upload_session_append_v2(panda, &append, b"load").unwrap();
            match refused(files::upload_session_append_v2(panda, &append, b"load")) {
                sdk::UploadSessionAppendError::IncorrectOffset(right) => {
                    assert_eq!(right.correct_offset, 6);
                }
                other => panic!("{other:?}"),
            }
            let commit = sdk::CommitInfo::new("/straße.txt".into());
            let finish = sdk::UploadSessionFinishArg::new(cursor(6), commit);
            let saved = files::upload_session_finish(panda, &finish, b"ed").unwrap();
            assert_eq!(files::upload_session_finish(panda, &finish, b"ed").unwrap(), saved);
            assert_eq!(content(panda, "/straße.txt"), b"uploaded");
        }).await;
    }

    async fn the_sdk_s_errors_are_the_api_s(server: TestServer) {
        with_the_sdk(&server, |panda, nobody| {
            let upload = |arg: &sdk::UploadArg, body: &[u8]| files::upload(panda, arg, body);
            let arg = sdk::UploadArg::new("/a".into());
            upload(&arg, b"one").unwrap();
            match refused(upload(&arg, b"two")) {
                sdk::UploadError::Path(failed) => assert_eq!(
                    failed.reason,
                    sdk::WriteError::Conflict(sdk::WriteConflictError::File)
                ),
                other => panic!("{other:?}"),
            }
            let nowhere = sdk::GetMetadataArg::new("/nowhere".into());
            assert_eq!(
                refused(files::get_metadata(panda, &nowhere)),
                sdk::GetMetadataError::Path(sdk::LookupError::NotFound)
            );
            let bad = files::get_metadata(panda, &sdk::GetMetadataArg::new("bad".into()));
            assert!(matches!(bad, Err(Error::BadRequest(_))), "{bad:?}");
            let stranger = Carrier {
                calls: panda.calls.clone(),
                token: Some(Arc::new("no-such-token".to_owned())),
                runtime: panda.runtime.clone(),
            };
            let stranger = users::get_current_account(&stranger);
            assert!(matches!(stranger, Err(Error::Authentication(_))), "{stranger:?}");
            let broken = sdk::ListFolderLongpollArg::new("broken".into());
            assert!(files::list_folder_longpoll(nobody, &broken).is_err());
        }).await;
    }

    async fn the_sdk_walks_lists_moves_and_goes_back(server: TestServer) {
        with_the_sdk(&server, |panda, nobody| {
            for name in ["a", "b", "c"] {
                let arg = sdk::UploadArg::new(format!("/tree/{name}"));
                files::upload(panda, &arg, name.as_bytes()).unwrap();
            }
            let list = sdk::ListFolderArg::new("/tree".into()).with_limit(2);
            let page = files::list_folder(panda, &list).unwrap();
            let more = sdk::ListFolderContinueArg::new(page.cursor);
            let last = files::list_folder_continue(panda, &more).unwrap();
            assert_eq!((page.entries.len(), last.entries.len(), last.has_more), (2, 1, false));
            let relocation = sdk::RelocationArg::new("/tree/a".into(), "/moved".into());
            files::move_v2(panda, &relocation).unwrap();
            let wait = sdk::ListFolderLongpollArg::new(last.cursor);
            assert!(files::list_folder_longpoll(nobody, &wait).unwrap().changes);
            let history = sdk::ListRevisionsArg::new("/tree/a".into());
            let history = files::list_revisions(panda, &history).unwrap();
            assert!(history.is_deleted);
            let rev = history.entries[0].rev.clone();
            files::restore(panda, &sdk::RestoreArg::new("/tree/a".into(), rev)).unwrap();
            assert_eq!(content(panda, "/tree/a"), b"a");
            files::delete_v2(panda, &sdk::DeleteArg::new("/tree".into())).unwrap();
            let echo = EchoArg::default().with_query("hello".into());
            assert_eq!(check::user(panda, &echo).unwrap().result, "hello");
            assert!(users::get_space_usage(panda).unwrap().used > 0);
        }).await;
    }
}
