//! The test of the test: each fault that is planted in the rules is found.

use landfall_server::rules::planted::FAULTS;
use landfall_server::sys::weakened;
use std::process::Command;

/// Cases within which a fault must be found.
const CASES: &str = "500";

#[test]
fn each_planted_fault_is_found() {
    assert!(FAULTS.len() >= 10, "{FAULTS:?}");
    // A process for each: the fault is planted by the environment.
    let test = std::env::current_exe().expect("a path");
    let mut overlooked = Vec::new();
    for fault in FAULTS {
        let output = Command::new(&test)
            .args(["--exact", "memory_does_what_the_oracle_says"])
            .env(weakened::VARIABLE, fault)
            .env("LANDFALL_ORACLE_CASES", CASES)
            .output()
            .expect("the test runs");
        let told = String::from_utf8_lossy(&output.stdout);
        if output.status.success() || !told.contains(" fails (add it to oracle/seeds.txt)") {
            overlooked.push(fault);
        }
    }
    assert!(
        overlooked.is_empty(),
        "not found in {CASES} cases: {overlooked:?}"
    );
}
