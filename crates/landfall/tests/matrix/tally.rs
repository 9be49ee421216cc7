//! How often each fault met each call.

use super::faults::KINDS;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Shows what was met, to whoever wants to see a test's output.
#[expect(
    clippy::print_stdout,
    reason = "a test that shows nothing can't be judged"
)]
pub(super) fn show(text: &str) {
    println!("{text}");
}

/// Counts by call and kind of fault.
#[derive(Debug, Default)]
pub(super) struct Tally(BTreeMap<(String, &'static str), u32>);

impl Tally {
    pub(super) fn add(&mut self, call: &str, kind: &'static str, count: u32) {
        *self.0.entry((call.to_owned(), kind)).or_default() += count;
    }

    pub(super) fn get(&self, call: &str, kind: &'static str) -> u32 {
        self.0.get(&(call.to_owned(), kind)).copied().unwrap_or(0)
    }

    /// A table: a column for each of these calls, a line for each kind; `-` where `possible`
    /// says that the two can't meet.
    pub(super) fn table(
        &self,
        title: &str,
        calls: &[&str],
        possible: impl Fn(&str, &str) -> bool,
    ) -> String {
        let mut table = format!("{title:24}");
        for call in calls {
            write!(table, " {call:>16}").unwrap();
        }
        for kind in KINDS {
            write!(table, "\n{:24}", kind.name).unwrap();
            for call in calls {
                if possible(call, kind.name) {
                    write!(table, " {:16}", self.get(call, kind.name)).unwrap();
                } else {
                    write!(table, " {:>16}", "-").unwrap();
                }
            }
        }
        table
    }
}
