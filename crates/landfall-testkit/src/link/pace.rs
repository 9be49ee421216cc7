//! So many bytes per second, whoever asks.

use std::num::NonZeroU64;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// A clock that wakes late makes up for this much; a longer silence is lost.
const CREDIT: Duration = Duration::from_millis(20);

/// Lets bytes pass one piece after the other, in the order in which they come.
#[derive(Debug)]
pub(super) struct Pace {
    bytes_per_second: NonZeroU64,
    /// When the last piece will have passed.
    free: Mutex<Instant>,
}

impl Pace {
    pub(super) fn new(bytes_per_second: NonZeroU64) -> Self {
        Self {
            bytes_per_second,
            free: Mutex::new(Instant::now()),
        }
    }

    /// Waits until a piece has passed.
    pub(super) async fn pass(&self, bytes: usize) {
        let now = Instant::now();
        let passed = self.passed(now, bytes);
        if passed > now {
            sleep_until(passed).await;
        }
    }

    /// When a piece that comes now will have passed.
    fn passed(&self, now: Instant, bytes: usize) -> Instant {
        let nanoseconds = bytes as u128 * 1_000_000_000 / u128::from(self.bytes_per_second.get());
        let takes = Duration::from_nanos(nanoseconds as u64);
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let earliest = now.checked_sub(CREDIT).unwrap_or(now);
        *free = (*free).max(earliest) + takes;
        *free
    }
}

#[cfg(test)]
mod tests {
    use super::{CREDIT, Pace};
    use std::num::NonZeroU64;
    use std::time::Duration;
    use tokio::time::Instant;

    const SECOND: Duration = Duration::from_secs(1);

    fn pace(bytes_per_second: u64) -> Pace {
        Pace::new(NonZeroU64::new(bytes_per_second).expect("a rate"))
    }

    #[test]
    fn pieces_that_come_together_pass_one_after_the_other() {
        let pace = pace(1000);
        let now = Instant::now() + SECOND;
        let first = pace.passed(now, 500);
        assert_eq!(pace.passed(now, 250) - first, SECOND / 4);
        assert_eq!(pace.passed(now, 1000) - first, SECOND / 4 + SECOND);
    }

    #[test]
    fn a_second_of_bytes_takes_a_second_however_small_the_pieces_and_late_the_clock() {
        for (piece, late) in [(10, 0), (10, 3), (500, 1), (1000, 19)] {
            let pace = pace(1_000_000);
            let begun = Instant::now() + SECOND;
            let mut now = begun;
            for _ in 0..1_000_000 / piece {
                let passed = pace.passed(now, piece);
                if passed > now {
                    now = passed + Duration::from_millis(late);
                }
            }
            let took = pace.passed(now, 0) - begun;
            let right = SECOND - CREDIT..=SECOND + CREDIT;
            assert!(right.contains(&took), "{piece} {late}: {took:?}");
        }
    }

    #[test]
    fn a_silence_earns_no_more_than_the_credit() {
        let pace = pace(1000);
        let now = Instant::now() + 100 * SECOND;
        assert_eq!(pace.passed(now, 1000), now + SECOND - CREDIT);
    }
}
