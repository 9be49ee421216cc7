//! Batches that are finished in the background.
//!
//! A job is a row with its argument, and later its outcome. The process that works on it says
//! until when; if it ends before, whoever asks for the job next begins it again. That does no
//! harm: a finish that took place is repeated with its answer.

use super::{Caller, Failure, Service};
use crate::meta::rows::AsyncJob;
use crate::meta::{Decision, Effect, InTree, Loads, MetaError, Operation, Unconditional};
use crate::sys::Micros;
use landfall_protocol::json::{read, to_line};
use landfall_protocol::types::batches::{
    PollArg, PollError, UploadSessionFinishBatchArg, UploadSessionFinishBatchJobStatus,
    UploadSessionFinishBatchLaunch,
};
use landfall_protocol::{AsyncJobId, Strictness, Wire, limits};

/// Seconds for which a process takes a job; a thousand entries take a fraction of that.
const TAKEN: u64 = 60;

impl Service {
    /// Begins to finish many sessions in the background.
    ///
    /// # Errors
    /// The metadata's.
    pub async fn launch_finish_batch(
        &self,
        caller: &Caller,
        arg: UploadSessionFinishBatchArg,
    ) -> Result<UploadSessionFinishBatchLaunch, MetaError> {
        let now = self.sys.clock.now();
        let job = AsyncJob {
            id: AsyncJobId::from_stored(format!("dbjid:{}", self.sys.random.name())),
            account: caller.account.id.clone(),
            created: now,
            argument: to_line(&arg.encode()),
            outcome: None,
            until: now.plus_seconds(TAKEN),
        };
        let put = InTree {
            ns: caller.ns(),
            effects: vec![Effect::PutJob(job.clone())],
        };
        self.meta.transact(put).await?;
        let id = job.id.clone();
        self.work_on(caller, job, arg);
        Ok(UploadSessionFinishBatchLaunch::AsyncJobId(id))
    }

    /// How far a job is.
    ///
    /// # Errors
    /// The route's.
    pub async fn check_finish_batch(
        &self,
        caller: &Caller,
        arg: PollArg,
    ) -> Result<UploadSessionFinishBatchJobStatus, Failure<PollError>> {
        let now = self.sys.clock.now();
        let take = Take {
            caller: caller.clone(),
            id: arg.async_job_id,
            now,
        };
        let Some((job, taken)) = self.meta.transact(take).await? else {
            return Err(Failure::Route(PollError::InvalidAsyncJobId));
        };
        if let Some(outcome) = &job.outcome {
            return Ok(UploadSessionFinishBatchJobStatus::Complete(stored(
                &job, outcome,
            )?));
        }
        if taken {
            let argument = stored(&job, &job.argument)?;
            self.work_on(caller, job, argument);
        }
        Ok(UploadSessionFinishBatchJobStatus::InProgress)
    }

    /// Does a job, in the background.
    fn work_on(&self, caller: &Caller, job: AsyncJob, arg: UploadSessionFinishBatchArg) {
        let (service, caller) = (self.clone(), caller.clone());
        tokio::spawn(async move {
            let done = async {
                let result = service.finish_batch(&caller, arg).await?;
                let done = AsyncJob {
                    outcome: Some(to_line(&result.encode())),
                    ..job.clone()
                };
                let put = Unconditional(vec![Effect::PutJob(done)]);
                service.meta.transact(put).await
            };
            if let Err(error) = done.await {
                // It is begun again by whoever asks after its time.
                tracing::error!(job = %job.id, %error, "a job failed");
            }
        });
    }
}

/// What was stored of a job.
fn stored<T: Wire>(job: &AsyncJob, text: &str) -> Result<T, MetaError> {
    read(text.as_bytes(), Strictness::Strict)
        .map_err(|error| MetaError::Damaged(format!("job {}: {error}", job.id)))
}

/// Looks a job up; takes it if nobody works on it.
struct Take {
    caller: Caller,
    id: AsyncJobId,
    now: Micros,
}

impl Operation for Take {
    type View = Option<AsyncJob>;
    /// The job, and whether it was taken.
    type Answer = Option<(AsyncJob, bool)>;

    fn load(&self, loads: &mut dyn Loads) -> Result<Self::View, MetaError> {
        loads.job(&self.caller.account.id, &self.id)
    }

    fn decide(&self, job: Self::View) -> Decision<Self::Answer> {
        // Too old to be known, though not yet removed.
        let life = limits::SESSION_LIFE;
        let Some(job) = job.filter(|job| self.now < job.created.plus_seconds(life)) else {
            return Decision::unchanged(None);
        };
        if job.outcome.is_some() || self.now < job.until {
            return Decision::unchanged(Some((job, false)));
        }
        let taken = AsyncJob {
            until: self.now.plus_seconds(TAKEN),
            ..job
        };
        Decision {
            effects: vec![Effect::PutJob(taken.clone())],
            answer: Some((taken, true)),
        }
    }
}
