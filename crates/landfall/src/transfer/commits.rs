//! The line in which commits wait.
//!
//! One commit at a time: two at once in one Dropbox are in each other's way, and one of them is
//! refused. While one is under way others gather, and the next call saves all of them, up to a
//! thousand. So a file that comes alone is finished by `finish`, and many together by
//! `finish_batch_v2`, each with a verdict of its own.

use super::engine::Engine;
use super::events::Event;
use super::finish::ToSave;
use super::outcome::{BatchFailure, Outcome, UploadFailure};
use crate::CallError;
use landfall_protocol::errors::Class;
use landfall_protocol::routes::NoError;
use landfall_protocol::types::batches::{
    UploadSessionFinishBatchArg, UploadSessionFinishBatchResultEntry,
};
use landfall_protocol::types::bounds::Batch;
use landfall_protocol::types::sessions::UploadSessionFinishError;
use landfall_protocol::{RouteId, limits};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{Semaphore, oneshot};

/// Commits that wait.
pub(super) struct CommitQueue {
    waiting: Mutex<VecDeque<Waiting>>,
    /// Whose turn it is serves all who wait.
    turn: Semaphore,
}

struct Waiting {
    to_save: ToSave,
    answer: oneshot::Sender<Outcome>,
}

impl CommitQueue {
    pub(super) fn new() -> Self {
        Self {
            waiting: Mutex::default(),
            turn: Semaphore::new(1),
        }
    }

    /// Saves these; what became of each, in their order.
    pub(super) async fn save(&self, engine: &Engine, to_save: Vec<ToSave>) -> Vec<Outcome> {
        let answers: Vec<_> = {
            let mut waiting = self.waiting();
            let wait = |to_save: &ToSave| {
                let (answer, comes) = oneshot::channel();
                waiting.push_back(Waiting {
                    to_save: to_save.clone(),
                    answer,
                });
                comes
            };
            to_save.iter().map(wait).collect()
        };
        let mut outcomes = Vec::with_capacity(to_save.len());
        for (to_save, mut answer) in to_save.into_iter().zip(answers) {
            let outcome = loop {
                tokio::select! {
                    biased;
                    outcome = &mut answer => break outcome,
                    turn = self.turn.acquire() => {
                        self.serve(engine).await;
                        drop(turn);
                    }
                }
            };
            outcomes.push(match outcome {
                Ok(outcome) => outcome,
                // Who served it was stopped in the middle.
                Err(_) => {
                    let uncertain = true;
                    ToSave {
                        uncertain,
                        ..to_save
                    }
                    .finish(engine)
                    .await
                }
            });
        }
        outcomes
    }

    /// Saves those who wait longest, as many as one call takes.
    async fn serve(&self, engine: &Engine) {
        let mut batch: Vec<Waiting> = {
            let mut waiting = self.waiting();
            let most = usize::try_from(limits::BATCH).unwrap_or(usize::MAX);
            // Who gave up waiting wants nothing saved.
            waiting.retain(|entry| !entry.answer.is_closed());
            let count = waiting.len().min(most);
            waiting.drain(..count).collect()
        };
        match batch.len() {
            0 => {}
            1 => {
                let Waiting { to_save, answer } = batch.remove(0);
                tell(answer, to_save.finish(engine).await);
            }
            _ => Together { engine, batch }.finish().await,
        }
    }

    fn waiting(&self) -> MutexGuard<'_, VecDeque<Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Who waited may have gone away.
fn tell(answer: oneshot::Sender<Outcome>, outcome: Outcome) {
    drop(answer.send(outcome));
}

type EntryError = CallError<UploadSessionFinishError>;

/// Sessions that are finished by one call.
struct Together<'a> {
    engine: &'a Engine,
    batch: Vec<Waiting>,
}

impl Together<'_> {
    async fn finish(mut self) {
        let engine = self.engine;
        let mut attempts = engine.attempts();
        let what = "finishing the uploads";
        while !self.batch.is_empty() {
            let entries = self.batch.iter().map(|entry| entry.to_save.arg()).collect();
            let arg = UploadSessionFinishBatchArg {
                entries: Batch::new(entries).expect("no more than one call takes"),
            };
            let finish = engine.client().upload_session_finish_batch(&arg);
            let verdicts = match engine.call(0, finish).await {
                Ok(reply) => reply.value.entries,
                Err(error) => {
                    if error.may_have_happened() {
                        self.batch
                            .iter_mut()
                            .for_each(|entry| entry.to_save.uncertain = true);
                    }
                    match engine.again(&mut attempts, what, error).await {
                        Ok(()) => continue,
                        Err(error) => return self.give_up(Arc::new(error)).await,
                    }
                }
            };
            let busy = self.settle(verdicts).await;
            let Some((_, error)) = busy.first() else {
                return;
            };
            // Others write at the same time. What is saved is not asked for again.
            match attempts.failed(error.retry_after()) {
                Some(wait) => {
                    engine.tell(Event::Retry {
                        what,
                        why: error.failure().to_string(),
                        failures: attempts.failures(),
                        wait,
                    });
                    tokio::time::sleep(wait).await;
                    self.batch = busy.into_iter().map(|(entry, _)| entry).collect();
                }
                None => {
                    for (Waiting { to_save, answer }, error) in busy {
                        tell(answer, to_save.settle(engine, error).await);
                    }
                    return;
                }
            }
        }
    }

    /// Tells all whose verdict is final; the others are to be asked for again.
    async fn settle(
        &mut self,
        verdicts: Vec<UploadSessionFinishBatchResultEntry>,
    ) -> Vec<(Waiting, EntryError)> {
        let mut busy = Vec::new();
        let mut verdicts = verdicts.into_iter();
        for mut entry in std::mem::take(&mut self.batch) {
            let error = match verdicts.next() {
                Some(UploadSessionFinishBatchResultEntry::Success(file)) => {
                    let outcome = entry.to_save.verified(file, None);
                    tell(entry.answer, outcome);
                    continue;
                }
                Some(UploadSessionFinishBatchResultEntry::Failure(error)) => error,
                // An answer that is too short says nothing of this one.
                None => {
                    entry.to_save.uncertain = true;
                    UploadSessionFinishError::Other
                }
            };
            let endpoint = self.engine.client().endpoint();
            let error = CallError::of_entry(endpoint, RouteId::UploadSessionFinishBatch, error);
            if error.class() == Class::Temporary {
                busy.push((entry, error));
            } else {
                let outcome = entry.to_save.settle(self.engine, error).await;
                tell(entry.answer, outcome);
            }
        }
        busy
    }

    /// The call fails for good.
    async fn give_up(self, error: Arc<CallError<NoError>>) {
        let mut reachable = true;
        for Waiting { to_save, answer } in self.batch {
            let outcome = if !to_save.uncertain {
                let failure = BatchFailure::Finish(Arc::clone(&error));
                Outcome::Refused(UploadFailure::Batch(failure))
            } else if to_save.commit.autorename || !reachable {
                to_save.unknown(error.failure().to_string())
            } else {
                match to_save.at_target(self.engine).await {
                    Ok(found) => to_save.judge(found, None, &error.failure().to_string()),
                    Err(why) => {
                        // A thousand more looks without an answer would take hours.
                        reachable = false;
                        to_save.unknown(why)
                    }
                }
            };
            tell(answer, outcome);
        }
    }
}
