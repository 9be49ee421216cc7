//! One pace for all requests of a client.
//!
//! Three rules, each shared by everybody who sends: so many requests at once and no more, which
//! follows what the line and the service are seen to carry; when the service asks for a pause,
//! all of them pause; and a request carries as many bytes as the line moves in about a second.

use landfall_protocol::limits::{CLIENT_BODY, HASH_BLOCK};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

/// Requests at once at the beginning. Ours: enough to learn what a line carries from.
const FIRST_WINDOW: usize = 6;

/// More requests are worth their trouble if the goodput grows by this. Ours.
const WORTH_IT: f64 = 1.05;

/// After so many rounds without trouble one more request is tried again: lines change. Ours.
const PROBE_AFTER: u32 = 8;

/// Time on the wire that a request is made for: long against a round trip, short against the
/// patience of people and of proxies between. Ours.
const REQUEST_TIME: Duration = Duration::from_millis(1500);

/// A pause that is longer by less than this is the same one.
const NEWS: Duration = Duration::from_secs(1);

/// Weight of the newest request in what is known of the speed of one.
const NEWEST: f64 = 0.3;

/// The pace of all who hold it.
#[derive(Debug)]
pub(super) struct Governor {
    most: usize,
    state: Mutex<State>,
    /// Somebody may go on.
    changed: Notify,
}

#[derive(Debug)]
struct State {
    /// Requests that may be on their way at once.
    window: usize,
    under_way: usize,
    /// Nobody sends before this.
    paused_until: Option<Instant>,
    /// Whether the window is still looking for its size.
    searching: bool,
    /// Bytes per second of one request.
    speed: Option<f64>,
    round: Round,
    /// Bytes per second of all requests in the best round so far, and rounds since the window
    /// changed.
    best: f64,
    quiet_rounds: u32,
}

/// A while over which goodput is measured.
#[derive(Debug)]
struct Round {
    begun: Instant,
    answers: usize,
    bytes: u64,
    /// Whether there was ever a request that had to wait for another to end.
    full: bool,
}

impl Round {
    fn new(now: Instant) -> Self {
        Self {
            begun: now,
            answers: 0,
            bytes: 0,
            full: false,
        }
    }
}

impl Governor {
    /// A pace of at most this many requests at once.
    pub(super) fn new(most: usize) -> Arc<Self> {
        let most = most.max(1);
        Arc::new(Self {
            most,
            state: Mutex::new(State {
                window: FIRST_WINDOW.min(most),
                under_way: 0,
                paused_until: None,
                searching: true,
                speed: None,
                round: Round::new(Instant::now()),
                best: 0.0,
                quiet_rounds: 0,
            }),
            changed: Notify::new(),
        })
    }

    /// Waits for the turn of one request, which lasts until what is returned is dropped.
    pub(super) async fn turn(self: &Arc<Self>) -> Turn {
        loop {
            let changed = self.changed.notified();
            let pause = {
                let mut state = self.state();
                let now = Instant::now();
                match state.paused_until {
                    Some(until) if until > now => Some(until),
                    _ if state.under_way < state.window => {
                        state.under_way += 1;
                        return Turn {
                            governor: Arc::clone(self),
                            begun: now,
                        };
                    }
                    _ => {
                        state.round.full = true;
                        None
                    }
                }
            };
            match pause {
                Some(until) => {
                    // If this one goes away in its sleep, the word is passed on.
                    let word = Word(&self.changed);
                    sleep_until(until).await;
                    drop(word);
                }
                None => changed.await,
            }
        }
    }

    /// Requests that may be on their way at once, by now.
    pub(super) fn window(&self) -> usize {
        self.state().window
    }

    /// Bytes for one request: whole blocks, as many as take [`REQUEST_TIME`], at least one, and
    /// no more than `most`.
    pub(super) fn request_size(&self, most: u64) -> u64 {
        let speed = self.state().speed;
        let wanted = speed.map_or(0.0, |speed| speed * REQUEST_TIME.as_secs_f64());
        let most = most.clamp(HASH_BLOCK, CLIENT_BODY);
        let wanted = (wanted as u64).clamp(HASH_BLOCK, most);
        wanted - wanted % HASH_BLOCK
    }

    /// The service asked everybody to wait. Gives how long it will be; `None`: about as long as is
    /// known already, because many requests are told so at once.
    pub(super) fn pause(&self, wait: Duration) -> Option<Duration> {
        let now = Instant::now();
        let mut state = self.state();
        let (before, until) = (state.paused_until, now + wait);
        state.paused_until = Some(before.map_or(until, |before| before.max(until)));
        state.shrink(now);
        let is_known = before.is_some_and(|before| until < before + NEWS);
        (!is_known).then_some(wait)
    }

    /// The service has trouble, and may have less with fewer requests.
    pub(super) fn slow_down(&self) {
        self.state().shrink(Instant::now());
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn shrink(&mut self, now: Instant) {
        // Many requests fail of one cause: only the first in a round counts.
        if self.round.begun < now || self.searching {
            self.window = (self.window / 2).max(1);
            self.searching = false;
            self.best = 0.0;
            self.quiet_rounds = 0;
            self.round = Round::new(now + Duration::from_millis(100));
        }
    }

    /// Takes note of an answer to a request of so many bytes.
    fn answered(&mut self, bytes: u64, took: Duration, now: Instant, most: usize) {
        if bytes >= HASH_BLOCK {
            let speed = bytes as f64 / took.as_secs_f64().max(1e-6);
            self.speed = Some(match self.speed {
                Some(before) => before + (speed - before) * NEWEST,
                None => speed,
            });
        }
        self.round.answers += 1;
        self.round.bytes += bytes;
        // In a round each request of the window is answered once, or nearly.
        if self.round.answers < self.window || now <= self.round.begun {
            return;
        }
        let lasted = now.duration_since(self.round.begun).as_secs_f64();
        let goodput = self.round.bytes as f64 / lasted.max(1e-6);
        let full = self.round.full;
        self.round = Round::new(now);
        if !full {
            // Nobody waited: more room would not have been used.
            return;
        }
        self.quiet_rounds += 1;
        tracing::debug!(window = self.window, goodput = goodput as u64, "round");
        if goodput > self.best * WORTH_IT {
            self.best = goodput;
            let more = if self.searching { self.window } else { 1 };
            self.window = (self.window + more).min(most);
            self.quiet_rounds = 0;
        } else if self.quiet_rounds >= PROBE_AFTER {
            self.best = goodput;
            self.searching = false;
            self.window = (self.window + 1).min(most);
            self.quiet_rounds = 0;
        }
    }
}

/// A word that somebody may go on, which nobody may keep for himself.
struct Word<'a>(&'a Notify);

impl Drop for Word<'_> {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

/// The turn of one request.
#[derive(Debug)]
pub(super) struct Turn {
    governor: Arc<Governor>,
    begun: Instant,
}

impl Turn {
    /// The request was answered, and these bytes of it count.
    pub(super) fn answered(&self, bytes: u64) {
        let now = Instant::now();
        let took = now.duration_since(self.begun);
        let most = self.governor.most;
        self.governor.state().answered(bytes, took, now, most);
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let room = {
            let mut state = self.governor.state();
            state.under_way -= 1;
            state.window.saturating_sub(state.under_way)
        };
        for _ in 0..room.min(2) {
            self.governor.changed.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{FIRST_WINDOW, Governor, PROBE_AFTER, Round, State, Turn};
    use landfall_protocol::limits::HASH_BLOCK;
    use std::future::Future;
    use std::pin::pin;
    use std::sync::Arc;
    use std::task::{Context, Poll, Waker};
    use std::time::Duration;
    use tokio::time::Instant;

    /// A turn that is there at once, if there is one.
    fn now(governor: &Arc<Governor>) -> Option<Turn> {
        let turn = pin!(governor.turn());
        match turn.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(turn) => Some(turn),
            Poll::Pending => None,
        }
    }

    /// A line that carries so many bytes per second in all and per request: rounds of answers to
    /// requests of one block, as the window allows.
    fn rounds(state: &mut State, count: u32, in_all: f64, each: f64) {
        let block = HASH_BLOCK as f64;
        for _ in 0..count {
            let window = state.window;
            let speed = each.min(in_all / window as f64);
            let took = Duration::from_secs_f64(block / speed);
            let now = state.round.begun + took;
            state.round.full = true;
            for _ in 0..window {
                state.answered(HASH_BLOCK, took, now, 64);
            }
        }
    }

    fn state() -> State {
        State {
            window: FIRST_WINDOW,
            under_way: 0,
            paused_until: None,
            searching: true,
            speed: None,
            round: Round::new(Instant::now()),
            best: 0.0,
            quiet_rounds: 0,
        }
    }

    #[tokio::test]
    async fn no_more_requests_are_under_way_than_the_window_has() {
        let governor = Governor::new(2);
        let first = now(&governor).unwrap();
        let second = now(&governor).unwrap();
        assert!(now(&governor).is_none());
        drop(first);
        let third = now(&governor).unwrap();
        assert!(now(&governor).is_none());
        drop((second, third));
    }

    #[tokio::test]
    async fn a_turn_that_ends_wakes_who_waits() {
        let governor = Governor::new(1);
        let turn = now(&governor).unwrap();
        let waiting = tokio::spawn({
            let governor = Arc::clone(&governor);
            async move { drop(governor.turn().await) }
        });
        tokio::task::yield_now().await;
        drop(turn);
        waiting.await.unwrap();
    }

    #[test]
    fn a_pause_is_everybodys() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap();
        runtime.block_on(async {
            let governor = Governor::new(8);
            let before = governor.window();
            let minute = Duration::from_secs(60);
            assert_eq!(governor.pause(minute), Some(minute));
            assert!(now(&governor).is_none());
            assert_eq!(governor.window(), before / 2);
            // A shorter one that comes later doesn't end it, and the same one again is no news.
            assert_eq!(governor.pause(Duration::from_secs(1)), None);
            assert_eq!(governor.pause(minute), None);
            assert!(now(&governor).is_none());
            assert_eq!(governor.pause(2 * minute), Some(2 * minute));
            // And of many that come at once, only the first counts for the window.
            assert_eq!(governor.window(), before / 2);
        });
    }

    #[test]
    fn the_window_grows_while_that_moves_more_bytes_and_then_stays() {
        let mut state = state();
        // Ten requests fill this line.
        rounds(&mut state, 12, 100e6, 10e6);
        assert!((10..=26).contains(&state.window), "{}", state.window);
        let found = state.window;
        rounds(&mut state, PROBE_AFTER - 2, 100e6, 10e6);
        assert!(state.window <= found + 1, "{}", state.window);
    }

    #[test]
    fn a_line_that_one_request_fills_keeps_few() {
        let mut state = state();
        rounds(&mut state, 12, 1e6, 1e6);
        assert!(state.window <= 2 * FIRST_WINDOW + 2, "{}", state.window);
    }

    #[test]
    fn trouble_halves_the_window_once_and_it_grows_again() {
        let mut state = state();
        rounds(&mut state, 12, 400e6, 10e6);
        let before = state.window;
        let now = state.round.begun + Duration::from_secs(1);
        state.shrink(now);
        state.shrink(now);
        assert_eq!(state.window, before / 2);
        rounds(&mut state, 12, 400e6, 10e6);
        assert!(state.window > before / 2);
    }

    #[test]
    fn a_request_is_as_large_as_what_the_line_moves_in_its_time() {
        let governor = Governor::new(4);
        let most = 100 * HASH_BLOCK;
        assert_eq!(governor.request_size(most), HASH_BLOCK);
        rounds(&mut governor.state(), 9, 1e9, 10e6);
        assert_eq!(governor.request_size(most), 3 * HASH_BLOCK);
        assert_eq!(governor.request_size(2 * HASH_BLOCK), 2 * HASH_BLOCK);
        rounds(&mut governor.state(), 20, 1e10, 1e9);
        assert_eq!(governor.request_size(u64::MAX), super::CLIENT_BODY);
    }
}
