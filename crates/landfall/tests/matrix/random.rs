//! Several faults at places that chance chooses, over several runs of one upload.
//!
//! A run is known by its seed. `LANDFALL_MATRIX_RUNS` says how many there are (100 unless told
//! otherwise), `LANDFALL_MATRIX_SEED` the seed of the first.

use super::faults::{KINDS, What};
use super::tally::{Tally, show};
use super::trial::{Content, Planned, Trial, Way};
use super::{
    APPEND, APPEND_BATCH, CHUNK, FINISH, FINISH_BATCH, LIST, METADATA, START, START_BATCH,
};
use landfall::transfer::IfExists;
use landfall_testkit::Dice;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Runs of one upload at most; the last meets no fault.
const RUNS: usize = 3;

/// Scenarios at once.
const AT_ONCE: usize = 6;

const ROUTES: &[&str] = &[
    METADATA,
    LIST,
    START,
    APPEND,
    FINISH,
    START_BATCH,
    APPEND_BATCH,
    FINISH_BATCH,
];

/// An upload, what is in its way, and what breaks.
#[derive(Debug)]
struct Scenario {
    way: Way,
    files: Vec<(String, usize)>,
    /// Requests at once.
    requests: usize,
    /// Whether somebody's file is at the place of the only one.
    taken: bool,
    /// For each run, what to do about a file that is there, and the faults.
    runs: Vec<(IfExists, Vec<Planned>)>,
}

impl Scenario {
    fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let way = dice.one(&[
            Way::Pieces,
            Way::Batch,
            Way::Folder,
            Way::Stream,
            Way::Whole,
        ]);
        let files = match way {
            Way::Pieces => vec![("large.bin".to_owned(), large(&mut dice))],
            Way::Stream => {
                let sizes = [
                    0,
                    1,
                    1000,
                    CHUNK - 1,
                    CHUNK,
                    CHUNK + 1,
                    2 * CHUNK,
                    2 * CHUNK + 1,
                ];
                vec![("stream.bin".to_owned(), dice.one(&sizes))]
            }
            Way::Whole => {
                let size = dice.one(&[0, 1, 1000, 70_000, CHUNK]);
                vec![("small.bin".to_owned(), size)]
            }
            Way::Batch => small(&mut dice),
            Way::Folder => {
                let mut files = small(&mut dice);
                files.push(("large.bin".to_owned(), large(&mut dice)));
                files
            }
        };
        let taken = files.len() == 1 && dice.chance(25);
        let policy = policy(&mut dice, way, taken);
        let mut runs = Vec::new();
        for nth in 1..=RUNS {
            let policy = match nth {
                1 => policy.clone(),
                _ if dice.chance(25) => another(&mut dice, way, taken, &policy),
                _ => policy.clone(),
            };
            let faults = match nth {
                RUNS => 0,
                _ => 1 + dice.below(4),
            };
            let faults = (0..faults).map(|_| fault(&mut dice, way)).collect();
            runs.push((policy, faults));
        }
        Self {
            way,
            files,
            requests: dice.one(&[1, 1, 16]),
            taken,
            runs,
        }
    }

    /// What is wrong with how it went; how often each planned fault came to pass.
    async fn run(&self) -> (Vec<String>, Vec<(Planned, u32)>) {
        let files = self.files.iter().map(|(name, size)| (name.as_str(), *size));
        let content = Content::new(self.way, &files.collect::<Vec<_>>());
        let mut trial = Trial::new(&content, self.requests, self.taken).await;
        let mut fired = Vec::new();
        for (policy, faults) in &self.runs {
            let counts = trial.run(policy, faults).await;
            fired.extend(faults.iter().copied().zip(counts));
            if trial.last().is_settled() {
                break;
            }
        }
        (trial.history.check(), fired)
    }
}

fn large(dice: &mut Dice) -> usize {
    CHUNK + 1 + dice.below(2 * CHUNK)
}

/// A few files; at most one is empty, and none is as another.
fn small(dice: &mut Dice) -> Vec<(String, usize)> {
    let count = 2 + dice.below(6);
    let size = |number: usize, dice: &mut Dice| match number {
        0 => dice.below(2) * 77,
        _ if dice.chance(10) => CHUNK - dice.below(3),
        _ => 8 + dice.below(300_000),
    };
    (0..count)
        .map(|number| (format!("{number}"), size(number, dice)))
        .collect()
}

/// What to do about a file that is there. A rename that nobody heard of is found again only with
/// a journal: without one, the same upload again is another one, and the first says so.
fn policy(dice: &mut Dice, way: Way, taken: bool) -> IfExists {
    let mut policies = vec![
        IfExists::Fail,
        IfExists::Overwrite,
        IfExists::SkipSame,
        IfExists::Skip,
    ];
    if !taken || way == Way::Pieces {
        policies.push(IfExists::Rename);
    }
    dice.one(&policies)
}

/// What to do in a later run. Who comes back for another name, after a finish that nobody heard
/// of, may well end with two copies, each as a command wanted it; the checker allows one.
fn another(dice: &mut Dice, way: Way, taken: bool, first: &IfExists) -> IfExists {
    let policy = policy(dice, way, taken);
    let (was, is) = (*first == IfExists::Rename, policy == IfExists::Rename);
    let journaled = matches!(way, Way::Pieces | Way::Folder);
    if journaled && was != is && (is || taken) {
        return first.clone();
    }
    policy
}

/// It need not come to pass: nobody knows beforehand how many requests there will be.
fn fault(dice: &mut Dice, way: Way) -> Planned {
    let routes: Vec<_> = match way {
        Way::Pieces => vec![METADATA, START, APPEND, APPEND, FINISH, FINISH],
        Way::Batch => vec![
            LIST,
            START_BATCH,
            APPEND_BATCH,
            FINISH_BATCH,
            FINISH_BATCH,
            METADATA,
        ],
        Way::Folder => ROUTES.to_vec(),
        Way::Stream => vec![START, APPEND, APPEND, FINISH, FINISH, METADATA],
        Way::Whole => vec![START, FINISH, FINISH, METADATA],
    };
    let kind = &KINDS[dice.below(KINDS.len())];
    Planned {
        route: dice.one(&routes),
        nth: dice.one(&[1, 1, 1, 2, 2, 3]),
        for_ever: dice.chance(40) && matches!(kind.what, What::Fault(_)),
        kind,
    }
}

fn number(name: &str, otherwise: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name}={text}")),
        Err(_) => otherwise,
    }
}

#[test]
fn uploads_end_in_one_of_three_states_however_many_faults_meet_them() {
    let runs = number("LANDFALL_MATRIX_RUNS", 100);
    let first = number("LANDFALL_MATRIX_SEED", 1);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let found = Arc::new(Mutex::new((Tally::default(), Vec::new(), BTreeMap::new())));
    runtime.block_on(async {
        let turns = Arc::new(Semaphore::new(AT_ONCE));
        let mut running = JoinSet::new();
        for seed in first..first + runs {
            let turn = Arc::clone(&turns).acquire_owned().await.unwrap();
            let found = Arc::clone(&found);
            running.spawn(async move {
                let scenario = Scenario::new(seed);
                let (wrong, fired) = scenario.run().await;
                drop(turn);
                let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
                let (tally, problems, planned) = &mut *found;
                for (fault, count) in fired {
                    let call = fault.route.rsplit('/').next().unwrap_or_default();
                    tally.add(call, fault.kind.name, count);
                    *planned.entry(count > 0).or_insert(0_u32) += 1;
                }
                if !wrong.is_empty() {
                    let wrong = wrong.join("\n    ");
                    problems.push(format!("seed {seed}:\n    {wrong}\n    {scenario:?}"));
                }
            });
        }
        while let Some(ended) = running.join_next().await {
            ended.unwrap();
        }
    });
    let found = found.lock().unwrap_or_else(PoisonError::into_inner);
    let (tally, problems, planned) = &*found;
    let names: Vec<_> = ROUTES
        .iter()
        .filter_map(|route| route.rsplit('/').next())
        .collect();
    show(&tally.table("chance", &names, |_, _| true));
    let count = |happened| planned.get(&happened).copied().unwrap_or(0);
    show(&format!(
        "seeds {first} to {}: {} faults came to pass, {} were planned where no request came",
        first + runs - 1,
        count(true),
        count(false)
    ));
    assert!(
        problems.is_empty(),
        "{} of {runs}; again by LANDFALL_MATRIX_RUNS=1 LANDFALL_MATRIX_SEED=…\n{}",
        problems.len(),
        problems.join("\n")
    );
    assert!(count(true) > 0, "no fault ever came to pass");
}
