//! The file at the service, and what comes of one request for a part of it.

use super::DownloadFailure;
use super::patience::{Broken, is_own_trouble};
use crate::transfer::engine::Engine;
use crate::{ByteRange, CallError, Content, Fault, Reply};
use bytes::Bytes;
use landfall_protocol::calls;
use landfall_protocol::path::ReadPath;
use landfall_protocol::types::files::{DownloadArg, DownloadError, FileMetadata, RangeError};

/// Where the bytes come from.
#[derive(Clone)]
pub(super) struct Origin {
    pub(super) engine: Engine,
    pub(super) path: ReadPath,
}

/// A request came to its end as it should, or to one that no repetition of it would better.
pub(super) enum Ended {
    /// All that was asked for is here.
    Complete,
    /// The service has no byte there, or sends no parts of files.
    NoRange,
    Failed(DownloadFailure),
}

/// An answer under way: the file's bytes from the one on that is wanted.
pub(super) struct Answer {
    content: Content<FileMetadata>,
    skip: u64,
    host: String,
}

impl Origin {
    /// Makes one request in its turn, for this range or for all, and lets `read` have what comes
    /// from byte `at` on: it says how the request ended, or what broke it off. `bytes` of content
    /// are expected.
    pub(super) async fn request(
        &self,
        at: u64,
        range: Option<ByteRange>,
        bytes: u64,
        read: impl AsyncFnOnce(Answer) -> Result<Ended, Fault>,
    ) -> Result<Ended, Broken> {
        let client = self.engine.client();
        let arg = DownloadArg {
            path: self.path.clone(),
            rev: None,
        };
        let mut broke_off = false;
        let call = async {
            let content = client.download(&arg, range).await?;
            let Reply { status, raw, .. } = content.reply().clone();
            let host = client.endpoint().to_string();
            // A service that ignores the range sends everything.
            let begins = content.begins_at();
            let value = match begins.and_then(|begins| at.checked_sub(begins)) {
                Some(skip) => {
                    let answer = Answer {
                        content,
                        skip,
                        host,
                    };
                    read(answer).await
                }
                None => Err(Fault::Broken {
                    host,
                    why: "the answer is another part of the file than was asked for".to_owned(),
                }),
            };
            match value {
                Ok(value) => Ok(Reply { value, status, raw }),
                Err(fault) => {
                    broke_off = matches!(fault, Fault::Broken { .. });
                    Err(client.broke_off::<calls::Download>(fault))
                }
            }
        };
        match self.engine.call(bytes, call).await {
            Ok(reply) => Ok(reply.value),
            Err(error) if range.is_some() && is_beyond_end(&error) => Ok(Ended::NoRange),
            Err(error) => Err(Broken {
                by_service: broke_off || is_own_trouble(&error),
                error,
            }),
        }
    }
}

impl Answer {
    /// The file as this answer describes it.
    pub(super) fn metadata(&self) -> &FileMetadata {
        &self.content.reply().value
    }

    /// Whether it is a part, and not the whole again.
    pub(super) fn is_part(&self) -> bool {
        self.content.reply().status == 206
    }

    /// The next bytes, at least one; `None` at the end.
    pub(super) async fn chunk(&mut self) -> Result<Option<Bytes>, Fault> {
        while let Some(mut chunk) = self.content.chunk().await? {
            let skipped = usize::try_from(self.skip);
            let skipped = skipped.map_or(chunk.len(), |skip| skip.min(chunk.len()));
            drop(chunk.split_to(skipped));
            self.skip -= skipped as u64;
            if !chunk.is_empty() {
                return Ok(Some(chunk));
            }
        }
        Ok(None)
    }

    /// What to say where the end came before the last byte.
    pub(super) fn ended_early(&self) -> Fault {
        Fault::Broken {
            host: self.host.clone(),
            why: "the answer ended early".to_owned(),
        }
    }
}

/// Whether the service says that the file has no byte where the range begins.
fn is_beyond_end(error: &CallError<DownloadError>) -> bool {
    let range = DownloadError::Range(RangeError::NotSatisfiable);
    error.route_error() == Some(&range) || error.status() == Some(416)
}
