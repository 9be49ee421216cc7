//! The checker tells a history that is as promised from planted ones that are not.

use super::super::faults::kind;
use super::{APPEND, FINISH, History, IfExists, Met, Run, START, Saved, Told, Tree};
use bytes::Bytes;
use landfall_testkit::faults::Exchange;
use serde_json::json;
use std::collections::BTreeMap;

const PATH: &str = "/dest/large.bin";
const CONTENT: &str = "what is uploaded";

fn saved(content: &'static str, revisions: usize) -> Saved {
    Saved {
        bytes: Bytes::from_static(content.as_bytes()),
        revisions,
    }
}

fn tree(files: &[(&str, &'static str)]) -> Tree {
    let files = files.iter();
    files
        .map(|(path, content)| ((*path).to_owned(), saved(content, 1)))
        .collect()
}

fn start() -> Exchange {
    Exchange {
        route: START.to_owned(),
        argument: json!({"session_type": "concurrent"}),
        length: 0,
        answer: Some(200),
    }
}

fn append(offset: u64, answer: Option<u16>) -> Exchange {
    Exchange {
        route: APPEND.to_owned(),
        argument: json!({"cursor": {"session_id": "s", "offset": offset}}),
        length: 4,
        answer,
    }
}

fn met(route: &'static str, name: &str) -> Met {
    Met {
        route,
        kind: kind(name),
    }
}

/// Nothing goes wrong, and the file is saved.
fn good_run() -> Run {
    Run {
        policy: IfExists::Fail,
        told: BTreeMap::from([(PATH.to_owned(), Told::Saved(PATH.to_owned()))]),
        met: Vec::new(),
        exchanges: vec![start(), append(0, Some(200)), append(4, Some(200))],
        journals: 0,
        after: tree(&[(PATH, CONTENT)]),
    }
}

fn tells(told: Told, run: Run) -> Run {
    Run {
        told: BTreeMap::from([(PATH.to_owned(), told)]),
        ..run
    }
}

/// The second append never gets through.
fn refused_run() -> Run {
    let run = Run {
        met: vec![met(APPEND, "503")],
        exchanges: vec![start(), append(0, Some(200)), append(4, None)],
        journals: 1,
        after: Tree::new(),
        ..good_run()
    };
    let text = "files/upload_session/append_v2 at h: it has trouble; try again later";
    tells(Told::Refused(text.to_owned()), run)
}

/// The finish is carried out, and its answer is lost.
fn unknown_run() -> Run {
    let run = Run {
        met: vec![met(FINISH, "answer dropped")],
        journals: 1,
        ..good_run()
    };
    let text = format!("unknown whether {PATH} was saved; look before uploading again");
    tells(Told::Unknown(text), run)
}

/// Goes on where [`refused_run`] ended.
fn resumed_run() -> Run {
    Run {
        exchanges: vec![append(4, Some(200))],
        ..good_run()
    }
}

fn history(runs: Vec<Run>) -> History {
    History {
        before: Tree::new(),
        wanted: BTreeMap::from([(PATH.to_owned(), Bytes::from_static(CONTENT.as_bytes()))]),
        journaled: Some(PATH.to_owned()),
        one_by_one: true,
        runs,
    }
}

#[track_caller]
fn is_good(runs: Vec<Run>) {
    assert_eq!(history(runs).check(), [""; 0]);
}

#[track_caller]
fn is_bad(runs: Vec<Run>, because: &str) {
    let wrong = history(runs).check();
    assert!(
        wrong.iter().any(|wrong| wrong.contains(because)),
        "{wrong:?}"
    );
}

#[test]
fn the_three_states_and_what_may_follow_them_are_good() {
    is_good(vec![good_run()]);
    is_good(vec![refused_run(), resumed_run()]);
    let finished = Run {
        exchanges: Vec::new(),
        ..good_run()
    };
    is_good(vec![unknown_run(), finished]);
    let nothing_saved = Run {
        after: Tree::new(),
        ..unknown_run()
    };
    is_good(vec![nothing_saved]);
    let there = Run {
        exchanges: Vec::new(),
        ..tells(Told::AlreadyThere, good_run())
    };
    is_good(vec![unknown_run(), there]);
}

#[test]
fn a_success_that_is_none_is_found() {
    let of = |files: &[(&str, &'static str)]| Run {
        after: tree(files),
        ..good_run()
    };
    is_bad(vec![of(&[])], "is not there");
    is_bad(vec![of(&[(PATH, "what is up")])], "not whole");
    let twice = [(PATH, CONTENT), ("/dest/large (2).bin", CONTENT)];
    is_bad(vec![of(&twice)], "more than once");
    let elsewhere = [("/dest/large (2).bin", CONTENT)];
    let told = Told::Saved("/dest/large (2).bin".to_owned());
    is_bad(
        vec![tells(told, of(&elsewhere))],
        "a name that nobody asked for",
    );
    let again = Run {
        after: Tree::from([(PATH.to_owned(), saved(CONTENT, 2))]),
        ..good_run()
    };
    is_bad(vec![again], "other revisions");
    is_bad(vec![tells(Told::AlreadyThere, good_run())], "was not there");
    is_bad(vec![tells(Told::Skipped, good_run())], "nothing was there");
}

#[test]
fn a_refusal_that_saved_something_or_says_nothing_is_found() {
    let of = |files: &[(&str, &'static str)]| Run {
        after: tree(files),
        ..refused_run()
    };
    is_bad(vec![of(&[(PATH, CONTENT)])], "saved all the same");
    let renamed = Run {
        policy: IfExists::Rename,
        ..of(&[("/dest/large (2).bin", CONTENT)])
    };
    is_bad(vec![renamed], "saved all the same");
    let says = |text: &str| vec![tells(Told::Refused(text.to_owned()), refused_run())];
    is_bad(says("try again"), "of what it speaks");
    is_bad(says("files/x: sorry"), "what to do");
    is_bad(says("files/x:\ntry again"), "more than one line");
}

#[test]
fn a_doubt_without_a_reason_is_found() {
    for faults in [
        vec![met(APPEND, "answer dropped")],
        vec![met(FINISH, "429, wait in both")],
        vec![met(FINISH, "507")],
    ] {
        let run = Run {
            met: faults,
            ..unknown_run()
        };
        is_bad(vec![run], "without a reason");
    }
    let says = tells(Told::Unknown("who knows".to_owned()), unknown_run());
    is_bad(vec![says], "where to look");
    let twice = Run {
        after: tree(&[(PATH, CONTENT), ("/dest/large (2).bin", CONTENT)]),
        ..unknown_run()
    };
    is_bad(vec![twice], "more than once");
}

#[test]
fn a_journal_that_is_no_good_is_found() {
    let left = Run {
        journals: 1,
        ..good_run()
    };
    is_bad(vec![left], "a journal is left");
    let lost = Run {
        journals: 0,
        ..refused_run()
    };
    is_bad(vec![lost], "no journal is left");
    let again = Run {
        exchanges: vec![append(0, Some(200)), append(4, Some(200))],
        ..good_run()
    };
    is_bad(vec![refused_run(), again], "is sent again");
    let anew = Run {
        exchanges: vec![start(), append(4, Some(200))],
        ..good_run()
    };
    is_bad(vec![refused_run(), anew], "given up for another session");
}

#[test]
fn what_nobody_asked_for_or_speaks_of_is_found() {
    let stranger = Run {
        after: tree(&[(PATH, CONTENT), ("/dest/other", "something")]),
        ..good_run()
    };
    is_bad(vec![stranger], "there is /dest/other");
    let silent = Run {
        told: BTreeMap::new(),
        ..good_run()
    };
    is_bad(vec![silent], "nothing is said");
    let endless = Run {
        met: Vec::new(),
        ..refused_run()
    };
    is_bad(vec![refused_run(), endless], "comes to no end");
}
