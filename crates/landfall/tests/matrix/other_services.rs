//! Services that answer a repeated call otherwise than Landfall's does.

use super::check::Told;
use super::faults::{CLOSED, FORGOTTEN, Kind, kind};
use super::trial::{Content, Planned, Trial, Way};
use super::{APPEND, CHUNK, FINISH, METADATA};
use landfall::transfer::IfExists;

fn planned(route: &'static str, nth: u32, for_ever: bool, kind: &'static Kind) -> Planned {
    Planned {
        route,
        nth,
        for_ever,
        kind,
    }
}

/// Plays these runs; the last must save the file, and all must be as promised.
fn ends_saved(way: Way, size: usize, runs: &[&[Planned]]) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let content = Content::new(way, &[("file.bin", size)]);
    runtime.block_on(async {
        let mut trial = Trial::new(&content, 1, false).await;
        for faults in runs {
            let fired = trial.run(&IfExists::Overwrite, faults).await;
            assert!(!fired.contains(&0), "{way:?}: {fired:?} of {faults:?}");
        }
        assert_eq!(trial.history.check(), [""; 0], "{way:?}");
        let told = trial.last().told.values();
        assert!(
            told.clone().all(|told| matches!(told, Told::Saved(_))),
            "{way:?}: {told:?}"
        );
    });
}

const LARGE: usize = 2 * CHUNK + 1000;

#[test]
fn a_finished_session_may_be_forgotten() {
    let lost = kind("answer dropped");
    for (way, size) in [
        (Way::Pieces, LARGE),
        (Way::Stream, LARGE),
        (Way::Whole, 1000),
    ] {
        let faults = [
            planned(FINISH, 1, false, lost),
            planned(FINISH, 2, true, &FORGOTTEN),
        ];
        ends_saved(way, size, &[&faults]);
    }
}

#[test]
fn a_finished_session_may_be_forgotten_between_two_runs() {
    let lost = kind("answer dropped");
    let unheard = [
        planned(FINISH, 1, true, lost),
        planned(METADATA, 1, true, lost),
    ];
    let forgotten = [planned(FINISH, 1, true, &FORGOTTEN)];
    ends_saved(Way::Pieces, LARGE, &[&unheard, &forgotten]);
}

/// A closed session may not take its last piece again; the first time was good.
#[test]
fn a_last_piece_may_be_refused_the_second_time() {
    let lost = kind("answer dropped");
    for way in [Way::Pieces, Way::Stream] {
        let faults = [
            planned(APPEND, 3, false, lost),
            planned(APPEND, 4, true, &CLOSED),
        ];
        ends_saved(way, LARGE, &[&faults]);
    }
}
