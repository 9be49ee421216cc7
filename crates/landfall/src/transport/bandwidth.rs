//! A limit on the bytes that all bodies together hand over in a second.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, Sleep, sleep_until};

/// Time that may be saved up while nothing is sent: enough to smooth out a late wake-up.
const SAVED_UP: Duration = Duration::from_millis(50);

/// So many bytes per second, shared by all who send under it.
#[derive(Debug)]
pub(crate) struct Bandwidth {
    per_second: u64,
    /// When all that was handed over so far is paid for.
    paid: Mutex<Option<Instant>>,
}

impl Bandwidth {
    /// A limit of so many bytes per second, at least one.
    pub(crate) fn new(per_second: u64) -> Self {
        Self {
            per_second: per_second.max(1),
            paid: Mutex::new(None),
        }
    }

    /// Takes the right to hand over this many bytes; when that may be done.
    fn take(&self, bytes: u64, now: Instant) -> Instant {
        let mut paid = self.paid.lock().unwrap_or_else(PoisonError::into_inner);
        let earliest = now.checked_sub(SAVED_UP).unwrap_or(now);
        let begins = paid.map_or(earliest, |paid| paid.max(earliest));
        let lasts = Duration::from_secs_f64(bytes as f64 / self.per_second as f64);
        *paid = Some(begins + lasts);
        begins
    }
}

/// One body's place in the line.
pub(super) struct Turn {
    bandwidth: Arc<Bandwidth>,
    wait: Option<Pin<Box<Sleep>>>,
}

impl Turn {
    pub(super) fn new(bandwidth: Arc<Bandwidth>) -> Self {
        Self {
            bandwidth,
            wait: None,
        }
    }

    /// Ready once this many bytes may be handed over, which must be done then.
    pub(super) fn poll(&mut self, bytes: u64, context: &mut Context<'_>) -> Poll<()> {
        if bytes == 0 {
            return Poll::Ready(());
        }
        let wait = self.wait.get_or_insert_with(|| {
            let at = self.bandwidth.take(bytes, Instant::now());
            Box::pin(sleep_until(at))
        });
        let ready = wait.as_mut().poll(context);
        if ready.is_ready() {
            self.wait = None;
        }
        ready
    }
}

#[cfg(test)]
mod tests {
    use super::Bandwidth;
    use std::time::Duration;
    use tokio::time::Instant;

    #[test]
    fn bytes_wait_until_those_before_them_are_paid_for() {
        let bandwidth = Bandwidth::new(1000);
        let now = Instant::now();
        // What was saved up lets the first go at once.
        assert!(bandwidth.take(50, now) <= now);
        assert!(bandwidth.take(500, now) <= now);
        assert_eq!(bandwidth.take(250, now), now + Duration::from_millis(500));
        assert_eq!(bandwidth.take(1, now), now + Duration::from_millis(750));
        // Hours of silence don't add up to a flood.
        let later = now + Duration::from_secs(3600);
        assert!(bandwidth.take(1000, later) <= later);
        let after = bandwidth.take(1, later);
        assert_eq!(after, later + Duration::from_millis(950));
    }
}
