//! How often and how soon to try again.

use super::events::{Event, Events};
use crate::CallError;
use landfall_protocol::errors::Class;
use std::fmt::Debug;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::{Duration, Instant};

/// How long a failing request is repeated. Failures count in a row: whatever succeeds in
/// between, even a single byte of a download, starts the count anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Failures in a row after which to give up; 1 means never to repeat. Default: no limit but
    /// the `patience`.
    pub failures: u32,
    /// Longest wait before the first repetition; doubled for each further one. Default: half a
    /// second.
    pub first: Duration,
    /// Longest wait by doubling. Default: 30 seconds.
    pub most: Duration,
    /// Time since the first failure in a row after which to give up. Default: 15 minutes, three
    /// of the longest pauses that services have been seen to ask for.
    pub patience: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            failures: u32::MAX,
            first: Duration::from_millis(500),
            most: Duration::from_secs(30),
            patience: Duration::from_secs(15 * 60),
        }
    }
}

/// The longest `Retry-After` that is obeyed in full. Services have been seen to ask for 300
/// seconds; what they say is an upper bound, so trying after that is legal.
const LONGEST_OBEYED: Duration = Duration::from_secs(300);

/// The failures of one request.
pub(super) struct Attempts {
    policy: RetryPolicy,
    failures: u32,
    since: Option<Instant>,
}

impl Attempts {
    pub(super) fn new(policy: RetryPolicy) -> Self {
        Self {
            policy,
            failures: 0,
            since: None,
        }
    }

    /// Something succeeded.
    pub(super) fn reset(&mut self) {
        self.failures = 0;
        self.since = None;
    }

    /// Failures in a row.
    pub(super) fn failures(&self) -> u32 {
        self.failures
    }

    /// Counts a failure; the wait before the next attempt, or `None` to give up.
    pub(super) fn failed(&mut self, asked: Option<Duration>) -> Option<Duration> {
        self.failures += 1;
        if self.failures >= self.policy.failures {
            return None;
        }
        let doublings = (self.failures - 1).min(30);
        let most = self.policy.first.saturating_mul(1 << doublings);
        let most = most.min(self.policy.most);
        // From half of it up, so that clients which failed together don't return together.
        let own = most.mul_f64(0.5 + 0.5 * random_fraction());
        let wait = own.max(asked.unwrap_or_default().min(LONGEST_OBEYED));
        let lasted = self.since.get_or_insert_with(Instant::now).elapsed();
        (lasted + wait <= self.policy.patience).then_some(wait)
    }

    /// Counts a failed call; the wait before the next attempt, or `None` if there is none worth
    /// making.
    pub(super) fn next<E: Debug>(&mut self, error: &CallError<E>) -> Option<Duration> {
        is_worth_repeating(error)
            .then(|| self.failed(error.retry_after()))
            .flatten()
    }

    /// Says why, and waits.
    pub(super) async fn wait<E: Debug>(
        &self,
        what: &'static str,
        error: CallError<E>,
        wait: Duration,
        events: &dyn Events,
    ) {
        events.event(Event::Retry {
            what,
            why: error.to_string(),
            failures: self.failures,
            wait,
        });
        drop(error);
        tokio::time::sleep(wait).await;
    }
}

/// Whether the same call may succeed later. An answer that nobody can read may hide a success,
/// or a proxy's bad moment.
fn is_worth_repeating<E: Debug>(error: &CallError<E>) -> bool {
    error.class() == Class::Temporary || error.may_have_happened()
}

/// Whether a call may be repeated although it may have been carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeatable {
    /// Carried out twice is as good as once: lookups and listings.
    Always,
    /// A repetition could answer with the traces of the first: deletions and the like.
    IfNothingHappened,
}

/// Makes a call again and again, by the policy, for as long as its errors are temporary or its
/// answers unreadable.
/// `what` names the call in events.
///
/// # Errors
/// The last error.
pub async fn repeat<T, E, F>(
    policy: RetryPolicy,
    repeatable: Repeatable,
    what: &'static str,
    events: &dyn Events,
    mut call: impl FnMut() -> F,
) -> Result<T, CallError<E>>
where
    E: Debug,
    F: Future<Output = Result<T, CallError<E>>>,
{
    let mut attempts = Attempts::new(policy);
    loop {
        match call().await {
            Ok(value) => return Ok(value),
            Err(error)
                if repeatable == Repeatable::IfNothingHappened && error.may_have_happened() =>
            {
                return Err(error);
            }
            Err(error) => match attempts.next(&error) {
                Some(wait) => attempts.wait(what, error, wait, events).await,
                None => return Err(error),
            },
        }
    }
}

/// From 0 up to 1. The standard library seeds its hash maps from the system's randomness,
/// which is as good as jitter needs.
fn random_fraction() -> f64 {
    let bits = RandomState::new().build_hasher().finish();
    (bits >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::{Attempts, RetryPolicy};
    use std::time::Duration;

    #[test]
    fn waits_grow_to_a_bound_and_end() {
        let policy = RetryPolicy {
            failures: 5,
            first: Duration::from_secs(1),
            most: Duration::from_secs(3),
            patience: Duration::from_secs(3600),
        };
        let mut attempts = Attempts::new(policy);
        for most in [1, 2, 3, 3] {
            let most = Duration::from_secs(most);
            let wait = attempts.failed(None).unwrap();
            assert!(wait >= most / 2 && wait <= most, "{wait:?} of {most:?}");
        }
        assert_eq!(attempts.failed(None), None);
        attempts.reset();
        assert!(attempts.failed(None).is_some());
    }

    #[test]
    fn waits_that_would_outlast_the_patience_are_not_begun() {
        let policy = RetryPolicy {
            patience: Duration::from_secs(60),
            ..RetryPolicy::default()
        };
        let mut attempts = Attempts::new(policy);
        assert!(attempts.failed(Some(Duration::from_secs(59))).is_some());
        assert_eq!(attempts.failed(Some(Duration::from_secs(61))), None);
    }

    #[test]
    fn what_the_service_asks_for_is_obeyed_within_reason() {
        let mut attempts = Attempts::new(RetryPolicy::default());
        let asked = Duration::from_secs(20);
        assert_eq!(attempts.failed(Some(asked)), Some(asked));
        let day = Duration::from_secs(86_400);
        assert_eq!(attempts.failed(Some(day)), Some(Duration::from_secs(300)));
    }
}
