//! When to ask again, and when no more.

use super::{DownloadFailure, STUCK};
use crate::transfer::engine::Engine;
use crate::transfer::retry::Attempts;
use crate::{CallError, Failure};
use landfall_protocol::types::files::DownloadError;

/// A request that did not bring all that was asked for.
#[derive(Debug)]
pub(super) struct Broken {
    pub(super) error: CallError<DownloadError>,
    /// The service was there and broke off, or failed itself: nothing between it and us did.
    pub(super) by_service: bool,
}

/// The failures of one part of a file.
pub(super) struct Patience {
    attempts: Attempts,
    stuck: u32,
}

impl Patience {
    pub(super) fn new(engine: &Engine) -> Self {
        Self {
            attempts: engine.attempts(),
            stuck: 0,
        }
    }

    /// After a request that broke at byte `at` of the file, having brought some bytes or none:
    /// waits if another is worth it.
    pub(super) async fn again(
        &mut self,
        engine: &Engine,
        broken: Broken,
        progressed: bool,
        at: u64,
    ) -> Result<(), DownloadFailure> {
        if progressed {
            self.attempts.reset();
            self.stuck = 0;
        } else if broken.by_service {
            self.stuck += 1;
        } else {
            self.stuck = 0;
        }
        if self.stuck == STUCK {
            let why = broken.error;
            return Err(DownloadFailure::Stuck { at, why });
        }
        let again = engine.again(&mut self.attempts, "downloading", broken.error);
        Ok(again.await?)
    }
}

/// Whether the service itself failed, rather than something between it and us, or for a while.
pub(super) fn is_own_trouble(error: &CallError<DownloadError>) -> bool {
    match error.failure() {
        Failure::Server {
            status,
            retry_after,
            ..
        } => retry_after.is_none() && !matches!(status, 408 | 502..=504),
        _ => false,
    }
}
