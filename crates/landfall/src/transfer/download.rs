//! Writes a file's bytes to a sink, whatever the connection does.

use super::events::{Event, Events, nobody};
use super::retry::{Attempts, RetryPolicy};
use crate::{ByteRange, CallError, Client, Content, Failure, Fault};
use landfall_protocol::path::ReadPath;
use landfall_protocol::types::files::{DownloadArg, DownloadError, FileMetadata, RangeError};
use landfall_protocol::{ContentHash, ContentHasher, Rev, calls};
use std::io;
use std::sync::Arc;
use tokio::io::{AsyncWrite, AsyncWriteExt};

/// Fruitless attempts in a row, answered by the service itself, after which it is taken to be
/// unable to read the file there. Ours: enough for a hiccup, and soon enough for a person who
/// waits. Trouble on the way to the service has all the patience of the [`RetryPolicy`].
const STUCK: u32 = 3;

/// A download to be run. After a broken connection it goes on where it stopped, as long as the
/// file is still the same revision.
pub struct Download {
    client: Client,
    path: ReadPath,
    name: Arc<str>,
    retry: RetryPolicy,
    events: Arc<dyn Events>,
}

/// A file that was written to the sink, whole and verified.
#[derive(Clone, Debug, PartialEq)]
pub struct Downloaded {
    /// The file.
    pub metadata: FileMetadata,
    /// Bytes written.
    pub size: u64,
    /// Their hash, computed here.
    pub content_hash: ContentHash,
}

/// The sink does not hold the file. It may hold a part of it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DownloadFailure {
    /// The service does not give the file.
    #[error(transparent)]
    Call(#[from] CallError<DownloadError>),
    /// The service fails at the same byte every time, as it does where the file is damaged.
    #[error(
        "{why}; that was {STUCK} times in a row at byte {at} of the file, which may be damaged \
         there: if it goes on, tell who runs the service"
    )]
    Stuck {
        /// Bytes that came before.
        at: u64,
        /// How it failed the last time.
        #[source]
        why: CallError<DownloadError>,
    },
    /// The sink does not take the bytes.
    #[error("can't write what was downloaded: {0}; make room or choose another place")]
    Sink(#[source] io::Error),
    /// Somebody changed the file meanwhile.
    #[error("the file changed while it was downloaded (rev {was} became {is}); download it again")]
    Changed {
        /// The revision of the first bytes.
        was: Rev,
        /// The revision now.
        is: Rev,
    },
    /// The bytes are not the file's.
    #[error(
        "{size} bytes with hash {hash} came, but the file has {} bytes with hash {}; \
         download it again",
        wanted.0, wanted.1
    )]
    Integrity {
        /// Bytes that came.
        size: u64,
        /// Their hash.
        hash: ContentHash,
        /// Size and hash by the service.
        wanted: (u64, String),
    },
}

impl Download {
    /// A download of the file at this path.
    pub fn new(client: Client, path: ReadPath) -> Self {
        Self {
            client,
            name: Arc::from(path.as_str()),
            path,
            retry: RetryPolicy::default(),
            events: nobody(),
        }
    }

    /// How often to try again without a byte of progress.
    #[must_use]
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = policy;
        self
    }

    /// Who is told what happens.
    #[must_use]
    pub fn events(mut self, events: impl Events + 'static) -> Self {
        self.events = Arc::new(events);
        self
    }

    /// Runs the download to its end and flushes the sink.
    ///
    /// # Errors
    /// [`DownloadFailure`]. Bytes that were written before the failure stay in the sink: trust
    /// none of them.
    pub async fn run<W: AsyncWrite + Unpin>(
        self,
        sink: &mut W,
    ) -> Result<Downloaded, DownloadFailure> {
        let mut attempts = Attempts::new(self.retry);
        let mut hasher = ContentHasher::new();
        let mut first: Option<FileMetadata> = None;
        let mut range = true;
        let mut stuck = 0;
        loop {
            let before = hasher.length();
            let from = if range { before } else { 0 };
            let (broken, by_service) = match self.open(from).await {
                // The file is shorter than what came: the whole of it tells what it is now.
                Err(error) if from > 0 && is_beyond_end(&error) => {
                    range = false;
                    continue;
                }
                Err(error) => {
                    let by_service = is_own_trouble(&error);
                    (error, by_service)
                }
                Ok(content) => {
                    let metadata = &content.reply().value;
                    let first = first.get_or_insert_with(|| metadata.clone());
                    if first.rev != metadata.rev {
                        return Err(DownloadFailure::Changed {
                            was: first.rev.clone(),
                            is: metadata.rev.clone(),
                        });
                    }
                    match self.copy(content, first.size, &mut hasher, sink).await? {
                        None => return finished(first.clone(), &hasher),
                        Some(fault) => {
                            let by_service = matches!(fault, Fault::Broken { .. });
                            (self.client.broke_off::<calls::Download>(fault), by_service)
                        }
                    }
                }
            };
            if hasher.length() > before {
                attempts.reset();
                stuck = 0;
            } else if by_service {
                stuck += 1;
            } else {
                stuck = 0;
            }
            if stuck == STUCK {
                return Err(DownloadFailure::Stuck {
                    at: before,
                    why: broken,
                });
            }
            attempts.again("downloading", broken, &*self.events).await?;
        }
    }

    async fn open(&self, from: u64) -> Result<Content<FileMetadata>, CallError<DownloadError>> {
        let arg = DownloadArg {
            path: self.path.clone(),
            rev: None,
        };
        // No range for the whole: a file of no bytes has none.
        let range = (from > 0).then_some(ByteRange { from, to: None });
        self.client.download(&arg, range).await
    }

    /// Copies what comes; `None` when the file is complete, else why it isn't.
    async fn copy<W: AsyncWrite + Unpin>(
        &self,
        mut content: Content<FileMetadata>,
        size: u64,
        hasher: &mut ContentHasher,
        sink: &mut W,
    ) -> Result<Option<Fault>, DownloadFailure> {
        let host = || self.client.endpoint().to_string();
        // A service that ignores the range sends everything again.
        let begins = content.begins_at();
        let Some(mut skip) = begins.and_then(|begins| hasher.length().checked_sub(begins)) else {
            return Ok(Some(Fault::Broken {
                host: host(),
                why: "the answer is another part of the file than was asked for".to_owned(),
            }));
        };
        loop {
            let mut chunk = match content.chunk().await {
                Ok(Some(chunk)) => chunk,
                Ok(None) if hasher.length() >= size => break,
                Ok(None) => {
                    return Ok(Some(Fault::Broken {
                        host: host(),
                        why: "the answer ended early".to_owned(),
                    }));
                }
                // All is here; how the connection ends is of no interest.
                Err(_) if hasher.length() >= size => break,
                Err(fault) => return Ok(Some(fault)),
            };
            let skipped = usize::try_from(skip).map_or(chunk.len(), |skip| skip.min(chunk.len()));
            drop(chunk.split_to(skipped));
            skip -= skipped as u64;
            if chunk.is_empty() {
                continue;
            }
            hasher.update(&chunk);
            sink.write_all(&chunk)
                .await
                .map_err(DownloadFailure::Sink)?;
            if hasher.length() > size {
                break;
            }
            self.events.event(Event::Progress {
                file: Arc::clone(&self.name),
                done: hasher.length(),
                total: Some(size),
            });
        }
        sink.flush().await.map_err(DownloadFailure::Sink)?;
        Ok(None)
    }
}

/// Whether the service itself failed, rather than something between it and us, or for a while.
fn is_own_trouble(error: &CallError<DownloadError>) -> bool {
    match error.failure() {
        Failure::Server {
            status,
            retry_after,
            ..
        } => retry_after.is_none() && !matches!(status, 408 | 502..=504),
        _ => false,
    }
}

/// Whether the service says that the file has no byte where the range begins.
fn is_beyond_end(error: &CallError<DownloadError>) -> bool {
    let range = DownloadError::Range(RangeError::NotSatisfiable);
    error.route_error() == Some(&range) || error.status() == Some(416)
}

fn finished(metadata: FileMetadata, hasher: &ContentHasher) -> Result<Downloaded, DownloadFailure> {
    let (size, content_hash) = (hasher.length(), hasher.finish());
    if size == metadata.size
        && metadata
            .content_hash
            .is_none_or(|hash| hash == content_hash)
    {
        return Ok(Downloaded {
            metadata,
            size,
            content_hash,
        });
    }
    let hash = metadata.content_hash;
    Err(DownloadFailure::Integrity {
        size,
        hash: content_hash,
        wanted: (
            metadata.size,
            hash.map_or_else(|| "(none)".to_owned(), |hash| hash.to_string()),
        ),
    })
}
