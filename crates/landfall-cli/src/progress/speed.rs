//! How fast a transfer is.

use std::time::Instant;

/// Seconds in which what was loses most of its weight. Ours: long enough for pieces that come in
/// bursts, short enough to see that the line got slower.
const MEMORY: f64 = 8.0;

/// An average over the last seconds, in which the newest count most.
#[derive(Default)]
pub(super) struct Speed {
    average: f64,
    /// How much of the average was seen, from 0 to 1: the time before the beginning was not.
    seen: f64,
    /// Bytes at the last look, and when that was.
    last: Option<(u64, Instant)>,
}

impl Speed {
    /// So many bytes were moved until now.
    pub(super) fn look(&mut self, moved: u64, now: Instant) {
        let Some((before, then)) = self.last.replace((moved, now)) else {
            return;
        };
        let seconds = now.saturating_duration_since(then).as_secs_f64();
        if seconds > 0.0 {
            let kept = (-seconds / MEMORY).exp();
            // Bytes that are to be sent again go back.
            let speed = (moved as f64 - before as f64) / seconds;
            self.average = self.average * kept + speed * (1.0 - kept);
            self.seen = self.seen * kept + (1.0 - kept);
        }
    }

    /// Bytes in a second.
    pub(super) fn per_second(&self) -> f64 {
        match self.seen > 0.0 {
            true => (self.average / self.seen).max(0.0),
            false => 0.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Speed;
    use std::time::{Duration, Instant};

    #[test]
    fn a_speed_is_known_at_once_and_follows_the_line() {
        let mut speed = Speed::default();
        let (begin, tick) = (Instant::now(), Duration::from_millis(100));
        let mut look = |moved: u64, ticks: u32| {
            speed.look(moved, begin + tick * ticks);
            speed.per_second().round()
        };
        assert_eq!(look(500, 0), 0.0);
        assert_eq!(look(600, 1), 1000.0);
        for ticks in 2..=50 {
            assert_eq!(look(500 + 100 * u64::from(ticks), ticks), 1000.0);
        }
        let still = (51..=400).map(|ticks| look(5500, ticks)).last();
        assert!(still.unwrap() < 20.0, "{still:?}");
        // What is sent again is no speed.
        assert_eq!(look(0, 401), 0.0);
    }
}
