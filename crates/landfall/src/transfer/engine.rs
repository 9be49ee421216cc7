//! What all transfers of a client share: one pace, one memory, one bandwidth, one place for
//! journals, and one line for commits.

use super::blocks::Blocks;
use super::commits::CommitQueue;
use super::events::{Event, Events, nobody};
use super::finish::ToSave;
use super::governor::Governor;
use super::journal::Journals;
use super::outcome::Outcome;
use super::retry::{Attempts, RetryPolicy};
use crate::transport::Bandwidth;
use crate::{CallError, Client, Failure, Payload, Reply};
use landfall_protocol::limits::{CLIENT_BODY, HASH_BLOCK};
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

/// Bounds of all transfers together.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Requests at once, at most; how many there are follows what the line carries. Default: 20.
    pub requests: usize,
    /// Bytes of content in memory, at most: whole blocks of 4 MiB, two at least. The rest of the
    /// program comes on top of it, some 20 MiB. Default: 96 MiB.
    pub memory: u64,
    /// Bytes in a request; `None`, the default, follows the speed of the line.
    pub chunk: Option<u64>,
    /// Bytes per second that are sent, at most. Default: no limit.
    pub bandwidth: Option<u64>,
    /// How long a failing request is repeated.
    pub retry: RetryPolicy,
    /// Where the journals of unfinished uploads are kept; `None`, the default: nowhere, and what
    /// is interrupted starts anew.
    pub journals: Option<Journals>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            requests: 20,
            memory: 24 * HASH_BLOCK,
            chunk: None,
            bandwidth: None,
            retry: RetryPolicy::default(),
            journals: None,
        }
    }
}

/// What all transfers share that go by one client. Cloning shares it further.
#[derive(Clone)]
pub struct Engine {
    shared: Arc<Shared>,
}

struct Shared {
    client: Client,
    governor: Arc<Governor>,
    blocks: Arc<Blocks>,
    bandwidth: Option<Arc<Bandwidth>>,
    settings: Settings,
    events: Arc<dyn Events>,
    commits: CommitQueue,
}

impl Engine {
    /// An engine whose events nobody hears.
    pub fn new(client: Client, settings: Settings) -> Self {
        Self::with(client, settings, nobody())
    }

    /// An engine that tells what happens.
    pub fn with_events(client: Client, settings: Settings, events: impl Events + 'static) -> Self {
        Self::with(client, settings, Arc::new(events))
    }

    pub(super) fn with(client: Client, settings: Settings, events: Arc<dyn Events>) -> Self {
        let shared = Shared {
            client,
            governor: Governor::new(settings.requests),
            blocks: Blocks::new(settings.memory),
            bandwidth: settings
                .bandwidth
                .map(|limit| Arc::new(Bandwidth::new(limit))),
            settings,
            events,
            commits: CommitQueue::new(),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// The client that makes the calls.
    pub fn client(&self) -> &Client {
        &self.shared.client
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.shared.settings
    }

    pub(super) fn blocks(&self) -> &Arc<Blocks> {
        &self.shared.blocks
    }

    pub(super) fn events(&self) -> &Arc<dyn Events> {
        &self.shared.events
    }

    pub(super) fn tell(&self, event: Event) {
        self.shared.events.event(event);
    }

    pub(super) fn attempts(&self) -> Attempts {
        Attempts::new(self.settings().retry)
    }

    /// Requests that are worth preparing: those under way, and the next ones.
    pub(super) fn width(&self) -> usize {
        self.shared.governor.window() + 2
    }

    /// Bytes for the next request: as many as were asked for, or as the line and the memory
    /// suggest; whole blocks.
    pub(super) fn request_size(&self) -> u64 {
        let blocks = self.blocks().count();
        if let Some(chunk) = self.settings().chunk {
            let chunk = chunk.clamp(HASH_BLOCK, CLIENT_BODY.min(blocks as u64 * HASH_BLOCK));
            return chunk - chunk % HASH_BLOCK;
        }
        let share = (blocks / self.width()).max(1);
        self.shared.governor.request_size(share as u64 * HASH_BLOCK)
    }

    /// A payload of these parts, under the bandwidth of all.
    pub(super) fn payload(&self, payload: Payload) -> Payload {
        payload.under(self.shared.bandwidth.as_ref())
    }

    /// Saves what a session holds.
    pub(super) async fn commit(&self, to_save: ToSave) -> Outcome {
        let mut outcomes = self.commit_all(vec![to_save]).await;
        outcomes.pop().expect("one for one")
    }

    /// Saves what these sessions hold; what became of each, in their order.
    pub(super) async fn commit_all(&self, to_save: Vec<ToSave>) -> Vec<Outcome> {
        self.shared.commits.save(self, to_save).await
    }

    /// Makes one call, in its turn; `bytes` of content go with it.
    pub(super) async fn call<T, E>(
        &self,
        bytes: u64,
        call: impl Future<Output = Result<Reply<T>, CallError<E>>>,
    ) -> Result<Reply<T>, CallError<E>> {
        let turn = self.shared.governor.turn().await;
        let answer = call.await;
        if answer.is_ok() {
            turn.answered(bytes);
        }
        answer
    }

    /// After a failed call: waits if it is worth repeating, else gives the error back. What
    /// concerns everybody makes everybody wait.
    pub(super) async fn again<E: Debug>(
        &self,
        attempts: &mut Attempts,
        what: &'static str,
        error: CallError<E>,
    ) -> Result<(), CallError<E>> {
        let Some(wait) = attempts.next(&error) else {
            return Err(error);
        };
        let everybody = match error.failure() {
            Failure::RateLimited { .. } => true,
            Failure::Server { retry_after, .. } => {
                self.shared.governor.slow_down();
                retry_after.is_some()
            }
            Failure::Route { .. } => {
                self.shared.governor.slow_down();
                false
            }
            _ => false,
        };
        if everybody {
            if let Some(wait) = self.shared.governor.pause(wait) {
                self.tell(Event::Paused {
                    why: error.failure().to_string(),
                    wait,
                });
            }
            // The next turn comes after it.
            return Ok(());
        }
        attempts.wait(what, error, wait, &**self.events()).await;
        Ok(())
    }

    /// Makes a call again and again, in its turn, for as long as that is worth it. Carried out
    /// twice it must be as good as once.
    pub(super) async fn repeat<T, E, F>(
        &self,
        what: &'static str,
        mut call: impl FnMut() -> F,
    ) -> Result<Reply<T>, CallError<E>>
    where
        E: Debug,
        F: Future<Output = Result<Reply<T>, CallError<E>>>,
    {
        let mut attempts = self.attempts();
        loop {
            match self.call(0, call()).await {
                Ok(reply) => return Ok(reply),
                Err(error) => self.again(&mut attempts, what, error).await?,
            }
        }
    }

    /// The patience of calls that come when most of it is used up.
    pub(super) fn patience(&self, failures: u32) -> RetryPolicy {
        let retry = self.settings().retry;
        RetryPolicy {
            failures: retry.failures.min(failures),
            patience: retry.patience.min(Duration::from_secs(60)),
            ..retry
        }
    }
}
