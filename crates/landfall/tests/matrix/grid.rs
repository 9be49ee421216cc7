//! Every fault at every call of every way of uploading, once and for ever.

use super::check::Told;
use super::faults::{KINDS, Kind, What, kind};
use super::tally::{Tally, show};
use super::trial::{Content, Planned, Trial, Way};
use super::{
    APPEND, APPEND_BATCH, CHUNK, FINISH, FINISH_BATCH, LIST, METADATA, MIB, START, START_BATCH,
};
use landfall::transfer::IfExists;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// A call of an upload.
#[derive(Clone, Copy, Debug)]
struct Call {
    name: &'static str,
    route: &'static str,
    /// Which request of its route it is.
    nth: u32,
    /// Whether it carries a body.
    body: bool,
}

const fn call(name: &'static str, route: &'static str, nth: u32, body: bool) -> Call {
    Call {
        name,
        route,
        nth,
        body,
    }
}

const PIECES: &[Call] = &[
    call("get_metadata", METADATA, 1, true),
    call("start", START, 1, false),
    call("append, first", APPEND, 1, true),
    call("append, middle", APPEND, 2, true),
    call("append, closing", APPEND, 3, true),
    call("finish", FINISH, 1, false),
];

const BATCH: &[Call] = &[
    call("list_folder", LIST, 1, true),
    call("start_batch", START_BATCH, 1, true),
    call("append_batch 1", APPEND_BATCH, 1, true),
    call("append_batch 2", APPEND_BATCH, 2, true),
    call("finish_batch_v2", FINISH_BATCH, 1, true),
];

const STREAM: &[Call] = &[
    call("start", START, 1, false),
    call("append, first", APPEND, 1, true),
    call("append, middle", APPEND, 2, true),
    call("append, closing", APPEND, 3, true),
    call("finish", FINISH, 1, false),
];

/// The look comes after a finish that is never answered.
const WHOLE: &[Call] = &[
    call("start", START, 1, true),
    call("finish", FINISH, 1, false),
    call("get_metadata", METADATA, 1, true),
];

/// Files, and as little of them as the calls that don't carry them need.
struct Files {
    /// For the calls that carry content: as many requests as these have names above.
    whole: &'static [(&'static str, usize)],
    short: &'static [(&'static str, usize)],
}

const LARGE: Files = Files {
    whole: &[("large.bin", 2 * CHUNK + 1000)],
    short: &[("large.bin", CHUNK + 1)],
};

const MANY: Files = Files {
    whole: &[
        ("a", 10),
        ("b", 0),
        ("c/d", 70_000),
        ("e", 3 * MIB),
        ("f", 2 * MIB),
        ("g", 1),
    ],
    short: &[("a", 10), ("b", 0), ("c/d", 70_000), ("g", 1)],
};

const ONE: Files = Files {
    whole: &[("small.bin", 1000)],
    short: &[("small.bin", 1000)],
};

/// Kinds that meet a call also for ever: one of each class.
const LASTING: &[&str] = &[
    "request dropped",
    "request cut in its head",
    "answer dropped",
    "answer cut in its middle",
    "429, wait in both",
    "429, too many writes",
    "500",
    "503 with Retry-After",
    "507",
    "HTML with 200",
    "409, unknown tag",
    "400, plain text",
    "503 instead",
    "HTML with 200 instead",
];

/// Trials at once: most of them wait most of the time.
const AT_ONCE: usize = 6;

/// A fault that meets a call, once or for ever.
#[derive(Clone, Copy, Debug)]
struct Cell {
    way: Way,
    call: Call,
    kind: &'static Kind,
    for_ever: bool,
    rename: bool,
}

impl Cell {
    fn faults(&self) -> Vec<Planned> {
        let planned = Planned {
            route: self.call.route,
            nth: self.call.nth,
            for_ever: self.for_ever,
            kind: self.kind,
        };
        let mut faults = vec![planned];
        if self.way == Way::Whole && self.call.route == METADATA {
            faults.push(Planned {
                route: FINISH,
                nth: 1,
                for_ever: true,
                kind: kind("answer dropped"),
            });
        }
        faults
    }

    /// What is wrong with how it went; how often the fault came to pass.
    async fn run(&self, content: &Content) -> (Vec<String>, u32) {
        let policy = if self.rename {
            IfExists::Rename
        } else {
            IfExists::Fail
        };
        let mut trial = Trial::new(content, 1, false).await;
        let fired = trial.run(&policy, &self.faults()).await;
        let mut wrong = Vec::new();
        if fired.contains(&0) {
            wrong.push("the fault never came to pass".to_owned());
        }
        let last = trial.last();
        let saved = |told: &Told| matches!(told, Told::Saved(_));
        if !self.for_ever && self.kind.passes && !last.told.values().all(saved) {
            wrong.push(format!("a fault that passes ends it: {:?}", last.told));
        }
        if !last.is_settled() {
            trial.run(&policy, &[]).await;
        }
        wrong.extend(trial.history.check());
        (wrong, fired[0])
    }
}

fn cells(way: Way, calls: &[Call]) -> Vec<Cell> {
    let mut cells = Vec::new();
    for &call in calls {
        for kind in KINDS {
            if !is_possible(call, kind) {
                continue;
            }
            for for_ever in [false, true] {
                if for_ever && !LASTING.contains(&kind.name) {
                    continue;
                }
                for rename in [false, true] {
                    // Only a plan that may fail looks first, and only a finish that can't have
                    // renamed the file is looked for. What names do to the rest shows once.
                    let looks = matches!(call.route, METADATA | LIST);
                    let finishes = matches!(call.route, FINISH | FINISH_BATCH);
                    if looks && rename || !looks && !finishes && rename == for_ever {
                        continue;
                    }
                    cells.push(Cell {
                        way,
                        call,
                        kind,
                        for_ever,
                        rename,
                    });
                }
            }
        }
    }
    cells
}

/// Whether the two can meet.
fn is_possible(call: Call, kind: &Kind) -> bool {
    call.body || kind.name != "request cut in its body"
}

/// Runs all cells; each has to come to pass and to end well.
fn run_all(way: Way, calls: &'static [Call], files: &Files) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let whole = Arc::new(Content::new(way, files.whole));
    let short = Arc::new(Content::new(way, files.short));
    let found = Arc::new(Mutex::new((Tally::default(), Vec::new())));
    runtime.block_on(async {
        let turns = Arc::new(Semaphore::new(AT_ONCE));
        let mut running = JoinSet::new();
        for cell in cells(way, calls) {
            let turn = Arc::clone(&turns).acquire_owned().await.unwrap();
            let carries = matches!(cell.call.route, APPEND | APPEND_BATCH);
            let content = Arc::clone(if carries { &whole } else { &short });
            let found = Arc::clone(&found);
            running.spawn(async move {
                let (wrong, fired) = cell.run(&content).await;
                drop(turn);
                let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
                found.0.add(cell.call.name, cell.kind.name, fired);
                if !wrong.is_empty() {
                    found
                        .1
                        .push(format!("{cell:?}:\n    {}", wrong.join("\n    ")));
                }
            });
        }
        while let Some(ended) = running.join_next().await {
            ended.unwrap();
        }
    });
    let found = found.lock().unwrap_or_else(PoisonError::into_inner);
    let (tally, wrong) = &*found;
    let names: Vec<_> = calls.iter().map(|call| call.name).collect();
    let possible = |name: &str, kind_name: &str| {
        let call = calls.iter().find(|call| call.name == name);
        call.is_some_and(|call| is_possible(*call, kind(kind_name)))
    };
    show(&tally.table(&format!("{way:?}"), &names, possible));
    assert!(
        wrong.is_empty(),
        "{} cells:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    for name in names {
        for kind in KINDS {
            assert!(
                !possible(name, kind.name) || tally.get(name, kind.name) > 0,
                "{} never met {name}",
                kind.name
            );
        }
    }
}

#[test]
fn a_large_file_ends_in_one_of_three_states_whatever_breaks() {
    run_all(Way::Pieces, PIECES, &LARGE);
}

#[test]
fn each_of_many_small_files_ends_in_one_of_three_states_whatever_breaks() {
    run_all(Way::Batch, BATCH, &MANY);
}

#[test]
fn a_stream_ends_in_one_of_three_states_whatever_breaks() {
    run_all(Way::Stream, STREAM, &LARGE);
}

#[test]
fn a_file_of_one_request_ends_in_one_of_three_states_whatever_breaks() {
    run_all(Way::Whole, WHOLE, &ONE);
}

/// A name that is spelled wrong would take a fault out of the grid.
#[test]
fn each_fault_that_lasts_is_one_of_all_faults() {
    for name in LASTING {
        assert!(matches!(kind(name).what, What::Fault(_)), "{name}");
    }
}
