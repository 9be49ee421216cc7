//! Each face carries out the same example, and survives the same lost replies.

use landfall::commands::{Api, NoCallback};
use landfall::protocol::SessionId;
use landfall::protocol::path::WritePathOrId;
use landfall::protocol::types::batches::{
    UploadSessionAppendBatchArg, UploadSessionAppendBatchArgEntry, UploadSessionFinishBatchArg,
    UploadSessionStartBatchArg,
};
use landfall::protocol::types::bounds::{Batch, Within};
use landfall::protocol::types::files::CommitInfo;
use landfall::protocol::types::sessions::{
    UploadSessionAppendArg, UploadSessionCursor, UploadSessionFinishArg, UploadSessionStartArg,
};
use landfall::{Client, Endpoint, RawReply, RequestId, Secret, blocking, callback};
use landfall_testkit::page::{self, BatchFace, Commit, Ended, Face, Finish, Part};
use landfall_testkit::{Stores, TestServer};

fn start_arg() -> UploadSessionStartArg {
    UploadSessionStartArg {
        close: false,
        session_type: None,
        content_hash: None,
    }
}

fn cursor(session: &str, offset: u64) -> UploadSessionCursor {
    UploadSessionCursor {
        session_id: SessionId::from_stored(session),
        offset,
    }
}

fn append_arg(session: &str, offset: u64) -> UploadSessionAppendArg {
    UploadSessionAppendArg {
        cursor: cursor(session, offset),
        close: false,
        content_hash: None,
    }
}

fn finish_arg(session: &str, offset: u64, commit: &Commit) -> UploadSessionFinishArg {
    UploadSessionFinishArg {
        cursor: cursor(session, offset),
        commit: CommitInfo {
            mode: commit.mode.parse().unwrap(),
            autorename: commit.autorename,
            mute: commit.mute,
            ..CommitInfo::new(WritePathOrId::parse(commit.path).unwrap())
        },
        content_hash: None,
    }
}

fn endpoint(url: &str) -> Endpoint {
    Endpoint::at(url).unwrap()
}

fn secret(token: &str) -> Secret<String> {
    Secret::new(token.to_owned())
}

fn ended(reply: impl Into<RawReply>) -> Ended {
    let RawReply { status, data } = reply.into();
    Ended { status, data }
}

/// Begins a request and waits for its callback.
async fn called_back(
    begin: impl FnOnce(Box<dyn FnOnce(RequestId, u16, bytes::Bytes) + Send>) -> RequestId,
) -> Ended {
    let (call, mut called) = tokio::sync::mpsc::unbounded_channel();
    let id = begin(Box::new(move |id, status, data| {
        call.send((id, Ended { status, data })).unwrap();
    }));
    let (of, ended) = called.recv().await.expect("a callback");
    assert_eq!(of, id);
    assert_eq!(called.recv().await, None, "called once");
    ended
}

struct Async(Client);

impl Face for Async {
    async fn start(&self, data: &[u8]) -> Ended {
        ended(
            self.0
                .upload_session_start(&start_arg(), data.to_vec())
                .await,
        )
    }
    async fn append(&self, session: &str, offset: u64, data: &[u8]) -> Ended {
        let arg = append_arg(session, offset);
        ended(self.0.upload_session_append(&arg, data.to_vec()).await)
    }
    async fn finish(&self, session: &str, offset: u64, commit: &Commit, data: &[u8]) -> Ended {
        let arg = finish_arg(session, offset, commit);
        ended(self.0.upload_session_finish(&arg, data.to_vec()).await)
    }
}

/// Called inside of the tests' runtime.
struct Blocking(blocking::Client);

impl Face for Blocking {
    async fn start(&self, data: &[u8]) -> Ended {
        ended(self.0.upload_session_start(&start_arg(), data.to_vec()))
    }
    async fn append(&self, session: &str, offset: u64, data: &[u8]) -> Ended {
        let arg = append_arg(session, offset);
        ended(self.0.upload_session_append(&arg, data.to_vec()))
    }
    async fn finish(&self, session: &str, offset: u64, commit: &Commit, data: &[u8]) -> Ended {
        let arg = finish_arg(session, offset, commit);
        ended(self.0.upload_session_finish(&arg, data.to_vec()))
    }
}

struct WithCallback(callback::Client);

impl Face for WithCallback {
    async fn start(&self, data: &[u8]) -> Ended {
        let data = data.to_vec();
        called_back(|callback| self.0.upload_session_start(&start_arg(), data, callback)).await
    }
    async fn append(&self, session: &str, offset: u64, data: &[u8]) -> Ended {
        let (arg, data) = (append_arg(session, offset), data.to_vec());
        called_back(|callback| self.0.upload_session_append(&arg, data, callback)).await
    }
    async fn finish(&self, session: &str, offset: u64, commit: &Commit, data: &[u8]) -> Ended {
        let (arg, data) = (finish_arg(session, offset, commit), data.to_vec());
        called_back(|callback| self.0.upload_session_finish(&arg, data, callback)).await
    }
}

struct Commands(Api, String);

impl Face for Commands {
    async fn start(&self, data: &[u8]) -> Ended {
        let started = self
            .0
            .upload_session_start(&self.1, data.to_vec(), NoCallback);
        ended(started.unwrap())
    }
    async fn append(&self, session: &str, offset: u64, data: &[u8]) -> Ended {
        let data = data.to_vec();
        let appended = self
            .0
            .upload_session_append(&self.1, session, offset, data, NoCallback);
        ended(appended.unwrap())
    }
    async fn finish(&self, session: &str, offset: u64, commit: &Commit, data: &[u8]) -> Ended {
        let finished = self.0.upload_session_finish(
            &self.1,
            session,
            offset,
            commit.path,
            &commit.mode,
            commit.autorename,
            commit.mute,
            data.to_vec(),
            NoCallback,
        );
        ended(finished.unwrap())
    }
}

struct CommandsWithCallback(Api, String);

impl Face for CommandsWithCallback {
    async fn start(&self, data: &[u8]) -> Ended {
        let (api, token, data) = (&self.0, &self.1, data.to_vec());
        called_back(|callback| api.upload_session_start(token, data, callback).unwrap()).await
    }
    async fn append(&self, session: &str, offset: u64, data: &[u8]) -> Ended {
        let (api, token, data) = (&self.0, &self.1, data.to_vec());
        called_back(|callback| {
            let begun = api.upload_session_append(token, session, offset, data, callback);
            begun.unwrap()
        })
        .await
    }
    async fn finish(&self, session: &str, offset: u64, commit: &Commit, data: &[u8]) -> Ended {
        let (api, token, data) = (&self.0, &self.1, data.to_vec());
        called_back(|callback| {
            let begun = api.upload_session_finish(
                token,
                session,
                offset,
                commit.path,
                &commit.mode,
                commit.autorename,
                commit.mute,
                data,
                callback,
            );
            begun.unwrap()
        })
        .await
    }
}

fn start_batch_arg(count: u64) -> UploadSessionStartBatchArg {
    UploadSessionStartBatchArg {
        session_type: None,
        num_sessions: Within::new(count),
    }
}

fn append_batch_arg(parts: &[Part], close: bool) -> (UploadSessionAppendBatchArg, String) {
    let entry = |part: &Part| UploadSessionAppendBatchArgEntry {
        cursor: cursor(&part.session, part.offset),
        length: part.data.len() as u64,
        close,
    };
    let arg = UploadSessionAppendBatchArg {
        entries: Batch::new(parts.iter().map(entry).collect()).unwrap(),
        content_hash: None,
    };
    (arg, parts.iter().map(|part| part.data).collect())
}

fn finish_batch_arg(finishes: &[Finish]) -> UploadSessionFinishBatchArg {
    let entry = |finish: &Finish| {
        let commit = Commit::at(finish.path, "add").renaming();
        finish_arg(&finish.session, finish.offset, &commit)
    };
    UploadSessionFinishBatchArg {
        entries: Batch::new(finishes.iter().map(entry).collect()).unwrap(),
    }
}

fn ids(ended: &Ended) -> Vec<String> {
    let json = ended.ok();
    let ids = json["session_ids"].as_array().unwrap().iter();
    ids.map(|id| id.as_str().unwrap().to_owned()).collect()
}

impl BatchFace for Async {
    async fn start_batch(&self, count: u64) -> Vec<String> {
        let started = self
            .0
            .upload_session_start_batch(&start_batch_arg(count))
            .await;
        ids(&ended(started))
    }
    async fn append_batch(&self, parts: &[Part], close: bool) -> Ended {
        let (arg, data) = append_batch_arg(parts, close);
        ended(self.0.upload_session_append_batch(&arg, data).await)
    }
    async fn finish_batch(&self, finishes: &[Finish]) -> Ended {
        let arg = finish_batch_arg(finishes);
        ended(self.0.upload_session_finish_batch(&arg).await)
    }
}

impl BatchFace for Blocking {
    async fn start_batch(&self, count: u64) -> Vec<String> {
        ids(&ended(
            self.0.upload_session_start_batch(&start_batch_arg(count)),
        ))
    }
    async fn append_batch(&self, parts: &[Part], close: bool) -> Ended {
        let (arg, data) = append_batch_arg(parts, close);
        ended(self.0.upload_session_append_batch(&arg, data))
    }
    async fn finish_batch(&self, finishes: &[Finish]) -> Ended {
        ended(
            self.0
                .upload_session_finish_batch(&finish_batch_arg(finishes)),
        )
    }
}

impl BatchFace for WithCallback {
    async fn start_batch(&self, count: u64) -> Vec<String> {
        let arg = start_batch_arg(count);
        ids(&called_back(|callback| self.0.upload_session_start_batch(&arg, callback)).await)
    }
    async fn append_batch(&self, parts: &[Part], close: bool) -> Ended {
        let (arg, data) = append_batch_arg(parts, close);
        called_back(|callback| self.0.upload_session_append_batch(&arg, data, callback)).await
    }
    async fn finish_batch(&self, finishes: &[Finish]) -> Ended {
        let arg = finish_batch_arg(finishes);
        called_back(|callback| self.0.upload_session_finish_batch(&arg, callback)).await
    }
}

/// Makes the page's tests for a face, which is made of a URL and a token.
macro_rules! on_face {
    ($face:ident, $make:expr) => {
        on_face! { @ $face, $make, [
            example
            a_start_whose_reply_was_lost
            an_append_whose_reply_was_lost
            a_finish_whose_reply_was_lost
        ] }
    };
    ($face:ident with batches, $make:expr) => {
        on_face! { @ $face, $make, [
            example
            a_start_whose_reply_was_lost
            an_append_whose_reply_was_lost
            a_finish_whose_reply_was_lost
            an_append_batch_whose_reply_was_lost
            a_finish_batch_whose_reply_was_lost
        ] }
    };
    (@ $face:ident, $make:expr, [$($test:ident)*]) => {
        mod $face {
            use super::*;
            $( #[test] fn $test() {
                TestServer::run(Stores::Memory, async |server| page::$test(&server, $make).await);
            } )*
        }
    };
}

on_face!(asynchronous with batches, |url, token| {
    Async(Client::new(endpoint(url), secret(token)).unwrap())
});
on_face!(blocking_client with batches, |url, token| {
    Blocking(blocking::Client::new(endpoint(url), secret(token)).unwrap())
});
on_face!(callback_client with batches, |url, token| {
    WithCallback(callback::Client::new(endpoint(url), secret(token)).unwrap())
});
on_face!(commands, |url, token| {
    Commands(Api::at(endpoint(url)).unwrap(), token.to_owned())
});
on_face!(commands_with_callback, |url, token| {
    CommandsWithCallback(Api::at(endpoint(url)).unwrap(), token.to_owned())
});
