//! What a server does by itself while it runs.

use super::scrub::Turn;
use super::{Collected, HEARTBEAT, Policy, Upkeep};
use futures_util::FutureExt;
use std::panic::AssertUnwindSafe;
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval, sleep};

/// How often the upkeep looks whether there is something to do.
const EVERY: Duration = Duration::from_secs(10 * 60);

/// The name of the upkeep's lease. It outlasts a round, so that the process which has it keeps
/// it, and another one takes over soon after its end.
const LEASE: &str = "upkeep";
const LEASED: Duration = Duration::from_secs(11 * 60);

/// How often the scrub looks whether it is its turn.
const TURN: Duration = Duration::from_secs(5 * 60);

/// Says that this process lives, does the upkeep from time to time and scrubs at a rate in bytes
/// per second; each by itself, so that none waits for another. Never ends.
pub(crate) async fn keep_up(upkeep: Upkeep, policy: Option<Policy>, scrub: Option<u64>) {
    tokio::join!(
        whatever_happens(|| live(&upkeep)),
        whatever_happens(|| collect(&upkeep, policy)),
        whatever_happens(|| read(&upkeep, scrub))
    );
}

/// Begins again after a panic, a little later. Nobody would notice that the upkeep has ended
/// before the disk is full.
async fn whatever_happens<F: Future<Output = ()>>(work: impl Fn() -> F) {
    while AssertUnwindSafe(work()).catch_unwind().await.is_err() {
        tracing::error!("the upkeep panicked; it is tried again");
        sleep(HEARTBEAT).await;
    }
}

async fn live(upkeep: &Upkeep) {
    let mut beats = interval(HEARTBEAT);
    loop {
        beats.tick().await;
        if let Err(error) = upkeep.beat().await {
            tracing::warn!(%error, "can't say that this process lives");
        }
    }
}

async fn collect(upkeep: &Upkeep, policy: Option<Policy>) {
    let Some(policy) = policy else { return };
    let mut rounds = interval(EVERY);
    rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        rounds.tick().await;
        match upkeep.lease(LEASE, LEASED).await {
            Ok(true) => {}
            Ok(false) => continue,
            Err(error) => {
                tracing::error!(%error, "the upkeep can't begin; it is tried again");
                continue;
            }
        }
        match upkeep.run(policy).await {
            Ok(collected) if collected == Collected::default() => {}
            Ok(collected) => tracing::info!(?collected, "upkeep"),
            Err(error) => tracing::error!(%error, "the upkeep failed; it is tried again"),
        }
    }
}

async fn read(upkeep: &Upkeep, rate: Option<u64>) {
    let Some(rate) = rate else { return };
    loop {
        match upkeep.scrub(rate).await {
            Ok(Turn::Done) => tracing::info!("the scrub has read everything"),
            Ok(Turn::Rests | Turn::Elsewhere) => {}
            Err(error) => tracing::error!(%error, "the scrub failed; it goes on later"),
        }
        sleep(TURN).await;
    }
}

#[cfg(test)]
mod tests {
    use super::super::HEARTBEAT;
    use super::{Policy, keep_up};
    use crate::Storage;
    use crate::meta::rows::{Blob, BlobId, BlobPlace, ContentId, Writer};
    use crate::meta::{Effect, Unconditional};
    use crate::sys::{Clock, ManualClock, Micros, Sys};
    use bytes::Bytes;
    use std::pin::pin;
    use std::sync::Arc;
    use tokio::time::timeout;

    #[tokio::test(start_paused = true)]
    async fn a_process_says_that_it_lives_while_it_is_at_something_long() {
        let clock = Arc::new(ManualClock::at(Micros(0)));
        let mut sys = Sys::real();
        sys.clock = Arc::clone(&clock) as _;
        let storage = Storage::memory_with(sys);
        let writer = Writer {
            id: storage.blobs.writer(),
            heartbeat: clock.now(),
            fenced: false,
        };
        let blob = Blob {
            id: BlobId("writer/blob".into()),
            length: 1_000_000,
            checksums: vec![0],
            place: BlobPlace::Inline(Bytes::from(vec![0; 1_000_000])),
        };
        let setup = vec![Effect::PutWriter(writer), Effect::AddBlob(blob)];
        storage.meta.transact(Unconditional(setup)).await.unwrap();

        // Reads a million bytes at one byte per second.
        let mut routine = pin!(keep_up(storage.upkeep(), None, Some(1)));
        for _ in 0..3 {
            assert!(timeout(HEARTBEAT, &mut routine).await.is_err());
            clock.advance_seconds(60);
            assert!(timeout(HEARTBEAT, &mut routine).await.is_err());
            let writers = storage.meta.read(|loads| loads.writers()).await.unwrap();
            assert_eq!(writers[0].heartbeat, clock.now());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_panic_in_the_upkeep_is_not_the_end_of_it() {
        let mut sys = Sys::real();
        sys.failpoints = "collect.remove_pieces=panic@1".parse().unwrap();
        let storage = Storage::memory_with(sys);
        let orphan = vec![Effect::AddOrphan(ContentId("orphan".into()))];
        storage.meta.transact(Unconditional(orphan)).await.unwrap();
        let orphans = || storage.meta.read(|loads| loads.orphans(1));

        let mut routine = pin!(keep_up(storage.upkeep(), Some(Policy::default()), None));
        assert!(timeout(HEARTBEAT / 2, &mut routine).await.is_err());
        assert_eq!(orphans().await.unwrap().len(), 1);
        assert!(timeout(HEARTBEAT, &mut routine).await.is_err());
        assert_eq!(orphans().await.unwrap(), []);
    }
}
