//! A share of the harnesses that prove durability (`docs/reliability.md`): long enough to notice
//! what breaks, short enough for every run of `./test.sh`. What a harness needs and doesn't find
//! (root, a program) is a failure that says so.

use landfall_testkit::Run;
use std::process::{Command, Stdio};

const LANDFALL: &str = env!("CARGO_BIN_EXE_landfall");

/// After this long a harness hangs: several times what the longest of them needs on a slow machine.
const SECONDS: &str = "1200";

/// Runs a script of `harness/` to its end; what it printed, if it found nothing. One that hangs
/// is ended, and each of its processes says where it was.
fn harness(script: &str, args: &[&str]) -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../harness/");
    let mut command = Command::new("timeout");
    command
        .args(["--signal=ABRT", "--kill-after=10", SECONDS])
        .args(["python3", "-X", "faulthandler"])
        // Files that Python compiles would lie beside the sources.
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env_remove("LANDFALL_WEAKENED")
        .arg(format!("{path}{script}"))
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let run = Run::of(command);
    assert!(
        run.code == Some(0),
        "{script} {args:?}:\n{}{}",
        run.stdout,
        run.stderr
    );
    run.stdout
}

fn cycles(script: &str, cycles: &str) {
    let told = harness(script, &["--cycles", cycles, "--landfall", LANDFALL]);
    let expected = format!("{cycles} cycles, ");
    assert!(
        told.starts_with(&expected) && told.contains(": all kept"),
        "{told}"
    );
}

#[test]
fn the_checker_tells_every_planted_fault() {
    harness("test_check.py", &[]);
}

#[test]
fn what_was_acknowledged_survives_power_loss() {
    cycles("power_loss.py", "15");
}

#[test]
fn what_was_acknowledged_survives_a_disk_that_keeps_the_least() {
    cycles("strict_disk.py", "8");
}

#[test]
fn what_was_acknowledged_survives_sigkill() {
    cycles("kill.py", "40");
}

/// Planned faults, chosen by these arguments; the harness itself sees to it that no point is
/// left out.
fn faults(args: &[&str]) {
    let told = harness("failpoints.py", &[&["--landfall", LANDFALL], args].concat());
    assert!(
        !told.starts_with("0 cases") && told.contains(": all kept"),
        "{told}"
    );
}

#[test]
fn what_was_acknowledged_survives_a_kill_between_any_two_steps() {
    faults(&["--faults", "kill,stop"]);
}

#[test]
fn a_server_goes_on_after_an_error_or_a_panic_between_any_two_steps() {
    faults(&["--faults", "error,panic", "--only", "answer"]);
}

#[test]
fn the_client_of_the_soak_tells_every_planted_fault() {
    harness("test_soak.py", &[]);
}

#[test]
fn under_mixed_load_with_the_upkeep_at_work_every_answer_is_explained() {
    // Long enough for each kind of upkeep to have something to remove.
    let args = [
        "--duration=16",
        "--life=2",
        "--keep=2",
        "--collect-every=3",
        "--check-every=5",
        "--landfall",
        LANDFALL,
    ];
    let told = harness("soak.py", &args);
    assert!(told.trim_end().ends_with("all as expected"), "{told}");
}

#[test]
fn what_was_acknowledged_survives_system_calls_that_fail() {
    let told = harness("syscalls.py", &["--landfall", LANDFALL]);
    assert!(told.contains(": all kept"), "{told}");
}

#[test]
fn a_start_on_a_failing_disk_harms_nothing_and_says_what_is_wrong() {
    let told = harness(
        "failing_start.py",
        &["--every", "16", "--landfall", LANDFALL],
    );
    assert!(told.contains(": all well"), "{told}");
}

#[test]
fn a_full_disk_refuses_harms_nothing_and_can_be_emptied() {
    let told = harness("full_disk.py", &["--landfall", LANDFALL]);
    assert_eq!(told.matches(": all kept").count(), 2, "{told}");
}

#[test]
fn without_any_one_safeguard_a_promise_is_seen_to_break() {
    let weakened = std::env::var("LANDFALL_TEST_WEAKENED").expect(
        "LANDFALL_TEST_WEAKENED names a binary with the feature `weakened`: run ./test.sh, which builds it",
    );
    let told = harness("test_of_test.py", &["--landfall", &weakened]);
    for safeguard in [
        "file-sync",
        "dir-sync",
        "commit-sync",
        "replay",
        "rows-first",
        "fence",
        "stop",
        "settle",
        "sync-error",
        "reserve",
    ] {
        assert!(told.contains(&format!("without {safeguard}: ")), "{told}");
    }
}
