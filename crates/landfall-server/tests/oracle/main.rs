//! The server beside the oracle: random sequences of calls, and every answer, the tree, all
//! contents and the feed compared.
//!
//! `LANDFALL_ORACLE_CASES` says how many cases are played (in memory, which has fewer ways to go
//! wrong, a quarter of a full run at the most), `LANDFALL_ORACLE_SEED` the first of their seeds on
//! SQLite.

#[cfg(feature = "weakened")]
mod planted;
mod required;

use landfall_server::sys::weakened;
use landfall_testkit::Stores;
use landfall_testkit::oracle::{Case, Player};
use std::collections::BTreeMap;
use std::env;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Cases in an everyday run.
const SHARE: u64 = 100;

/// Cases from which on everything that can be met must have been met often.
const FULL: u64 = 2000;

/// How often each error and each cell of the decision table is met in a full run.
const OFTEN: u64 = 20;

/// Cases that are played at the same time, each against a server of its own.
const AT_ONCE: usize = 4;

/// Seeds that once failed.
const KEPT: &str = include_str!("seeds.txt");

fn kept() -> impl Iterator<Item = u64> {
    let lines = KEPT.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| line.trim().parse().expect("a seed"))
}

fn number(variable: &str, otherwise: u64) -> u64 {
    match env::var(variable) {
        Ok(text) => text
            .parse()
            .unwrap_or_else(|_| panic!("{variable} is a number")),
        Err(_) => otherwise,
    }
}

/// Plays the cases of these seeds; says how often what was met.
fn play(stores: Stores, seeds: Vec<u64>) -> BTreeMap<String, u64> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    let (seeds, next) = (Arc::new(seeds), Arc::new(AtomicUsize::new(0)));
    runtime.block_on(async {
        let mut players = Vec::new();
        for _ in 0..AT_ONCE {
            let (seeds, next) = (Arc::clone(&seeds), Arc::clone(&next));
            players.push(tokio::spawn(async move {
                let mut player = Player::start(stores).await;
                let mut all: BTreeMap<String, u64> = BTreeMap::new();
                while let Some(&seed) = seeds.get(next.fetch_add(1, Ordering::Relaxed)) {
                    match player.play(&Case::new(seed)).await {
                        Ok(met) => {
                            for (what, count) in met {
                                *all.entry(what).or_default() += count;
                            }
                        }
                        Err(_) => {
                            // The others need not go on.
                            next.store(seeds.len(), Ordering::Relaxed);
                            return Err(seed);
                        }
                    }
                }
                Ok(all)
            }));
        }
        let mut all: BTreeMap<String, u64> = BTreeMap::new();
        for player in players {
            match player.await.expect("a player ends well") {
                Ok(met) => met
                    .into_iter()
                    .for_each(|(what, count)| *all.entry(what).or_default() += count),
                Err(seed) => fail(stores, seed).await,
            }
        }
        all
    })
}

/// Shows the shortest case that still fails.
async fn fail(stores: Stores, seed: u64) -> ! {
    let outcome = async |case: &Case| Player::start(stores).await.play(case).await;
    let mut case = Case::new(seed);
    // A planted fault is known; nobody has to look for it in a short case.
    if env::var(weakened::VARIABLE).is_err() {
        case = case.shrink(async |case| outcome(case).await.is_err()).await;
    }
    let why = outcome(&case).await.expect_err("it fails");
    panic!("seed {seed} fails (add it to oracle/seeds.txt): {why}\nin {case}");
}

#[test]
fn memory_does_what_the_oracle_says() {
    let cases = number("LANDFALL_ORACLE_CASES", SHARE);
    play(
        Stores::Memory,
        kept().chain(1..=cases.min(FULL / 4)).collect(),
    );
}

#[test]
fn sqlite_does_what_the_oracle_says() {
    let cases = number("LANDFALL_ORACLE_CASES", SHARE);
    let first = number("LANDFALL_ORACLE_SEED", 1);
    let met = play(
        Stores::Directory,
        kept().chain(first..first + cases).collect(),
    );
    #[expect(
        clippy::print_stdout,
        reason = "how often what was met is a result of the test"
    )]
    for (what, count) in &met {
        println!("{count:6} times {what}");
    }
    if cases >= FULL {
        let times = |what: &String| met.get(what).copied().unwrap_or(0);
        let mut seldom = required::errors();
        seldom.extend(required::cells());
        seldom.retain(|what| times(what) < OFTEN);
        assert!(
            seldom.is_empty(),
            "met less than {OFTEN} times: {seldom:#?}"
        );
    }
}
