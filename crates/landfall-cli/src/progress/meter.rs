//! How far a transfer is, in numbers and words.

use crate::human::{size, time};
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Bytes of a file beyond which it is told by its name. Smaller ones travel many at once.
const LARGE: u64 = 4 * 1024 * 1024;

/// Counts files and bytes of a transfer.
pub(super) struct Meter {
    name: String,
    /// Files and bytes to send; `None`: one file, or nothing is known yet.
    plan: Option<(u64, u64)>,
    /// Bytes of the one file, if that is known.
    total: Option<u64>,
    files_done: u64,
    /// Bytes of files that are through.
    settled: u64,
    /// Each file that is under way.
    under_way: HashMap<Arc<str>, UnderWay>,
    /// Files that began so far.
    begun: u64,
    /// Large files that are through: what is told of them late counts no more.
    through: HashSet<Arc<str>>,
    /// Bytes that an earlier run sent.
    before: u64,
    /// Bytes of files that are through without them.
    unmoved: u64,
    paused_until: Option<Instant>,
    /// Bytes moved until the last line, and when that was.
    last: (u64, Instant),
}

/// Bytes of a file that is under way.
#[derive(Clone, Copy)]
struct UnderWay {
    /// How many others began earlier.
    nth: u64,
    done: u64,
    total: Option<u64>,
}

impl UnderWay {
    fn is_large(self) -> bool {
        self.total.is_some_and(|total| total > LARGE)
    }
}

impl Meter {
    pub(super) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            plan: None,
            total: None,
            files_done: 0,
            settled: 0,
            under_way: HashMap::new(),
            begun: 0,
            through: HashSet::new(),
            before: 0,
            unmoved: 0,
            paused_until: None,
            last: (0, Instant::now()),
        }
    }

    pub(super) fn plan(&mut self, files: u64, bytes: u64) {
        self.plan = Some((files, bytes));
    }

    pub(super) fn resumed(&mut self, file: &Arc<str>, stored: u64, total: u64) {
        self.before += stored;
        self.progress(file, stored, Some(total));
    }

    pub(super) fn forget(&mut self, file: &str) {
        if let Some(UnderWay { done, .. }) = self.under_way.remove(file) {
            self.before = self.before.saturating_sub(done);
        }
    }

    pub(super) fn progress(&mut self, file: &Arc<str>, done: u64, total: Option<u64>) {
        if self.through.contains(file) {
            return;
        }
        self.total = total;
        if let Some(known) = self.under_way.get_mut(file) {
            (known.done, known.total) = (done, total);
            return;
        }
        let nth = self.begun;
        self.begun += 1;
        let file = Arc::clone(file);
        self.under_way.insert(file, UnderWay { nth, done, total });
    }

    /// A file is through; what was not moved of it counts as done too.
    pub(super) fn settled(&mut self, file: &str, size: u64, moved: bool) {
        let known = self.under_way.remove_entry(file);
        let done = known.as_ref().map_or(0, |(_, known)| known.done);
        if let Some((file, _)) = known.filter(|(_, known)| known.is_large()) {
            self.through.insert(file);
        }
        self.settled += size;
        self.files_done += 1;
        if !moved {
            // It says nothing of the speed.
            self.unmoved += size.saturating_sub(done);
        }
    }

    pub(super) fn paused(&mut self, wait: Duration) {
        self.paused_until = Some(Instant::now() + wait);
    }

    pub(super) fn done(&self) -> u64 {
        let under_way = self.under_way.values().map(|file| file.done);
        self.settled + under_way.sum::<u64>()
    }

    /// Bytes that this run moved.
    pub(super) fn moved(&self) -> u64 {
        self.done().saturating_sub(self.before + self.unmoved)
    }

    pub(super) fn total(&self) -> Option<u64> {
        self.plan.map(|(_, bytes)| bytes).or(self.total)
    }

    /// Whether nothing has begun.
    pub(super) fn is_idle(&self) -> bool {
        let nothing = self.plan.is_none() && self.under_way.is_empty() && self.files_done == 0;
        nothing && self.wait().is_none()
    }

    /// Whether there are files beside each other.
    pub(super) fn has_several(&self) -> bool {
        self.plan.is_some_and(|(files, _)| files > 1)
    }

    /// What all of it is called.
    pub(super) fn title(&self) -> String {
        match self.plan {
            Some((files, _)) => format!("{}/{files} files", self.files_done),
            None => self.name.clone(),
        }
    }

    /// Why nothing moves, and for how long.
    pub(super) fn waiting(&self) -> Option<String> {
        let seconds = self.wait()?.as_secs() + 1;
        Some(format!("rate limited, {seconds} s"))
    }

    /// The large files that are under way, in the order in which they began: the name, the bytes
    /// that are done, and those in it.
    pub(super) fn large_under_way(&self) -> Vec<(&str, u64, u64)> {
        let large = self.under_way.iter().filter(|(_, file)| file.is_large());
        let mut large: Vec<_> = large.collect();
        large.sort_unstable_by_key(|(_, file)| file.nth);
        let large = large.into_iter();
        let told = large.filter_map(|(name, file)| Some((&**name, file.done, file.total?)));
        told.collect()
    }

    /// Of the files that are under way, how far the largest is, and how many others there are.
    fn largest(&self) -> Option<String> {
        self.plan?;
        let sizes = self.under_way.iter().filter_map(|(file, under_way)| {
            let total = under_way.total.filter(|total| *total > 0)?;
            Some((total, file, under_way.done))
        });
        let (total, file, done) = sizes.max()?;
        let percent = done.saturating_mul(100) / total;
        let others = match self.under_way.len() - 1 {
            0 => String::new(),
            others => format!(" and {others} more"),
        };
        Some(format!("{file} {percent}%{others}"))
    }

    fn wait(&self) -> Option<Duration> {
        let wait = self.paused_until?.checked_duration_since(Instant::now());
        wait.filter(|wait| !wait.is_zero())
    }

    /// A line of its own. The speed is that since the last one.
    pub(super) fn line(&mut self) -> String {
        let done = self.done();
        let lasted = self.last.1.elapsed().as_secs_f64().max(0.001);
        let moved = self.moved();
        let speed = moved.saturating_sub(self.last.0) as f64 / lasted;
        self.last = (moved, Instant::now());
        let mut line = self.title();
        if let Some(file) = self.largest() {
            line += &format!(", {file}");
        }
        if let Some(waiting) = self.waiting() {
            line += &format!(" ({waiting})");
        }
        line += &format!(": {}", size(done));
        if let Some(total) = self.total() {
            line += &format!(" of {}", size(total));
        }
        line += &format!(", {}/s", size(speed as u64));
        let rest = self.total().map(|total| total.saturating_sub(done));
        if let Some(rest) = rest.filter(|rest| *rest > 0 && speed > 1.0) {
            line += &format!(", {} left", time(rest as f64 / speed));
        }
        line
    }

    /// The same for scripts.
    pub(super) fn numbers(&self) -> Value {
        json!({
            "done": self.done(),
            "total": self.total(),
            "files_done": self.files_done,
            "files": self.plan.map(|(files, _)| files),
            "resumed": self.before,
            "waiting": self.wait().map(|wait| wait.as_secs() + 1),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Meter;
    use std::sync::Arc;
    use std::time::Duration;

    #[test]
    fn bytes_under_way_and_files_that_are_through_add_up() {
        let mut meter = Meter::new("photos");
        meter.plan(3, 1000);
        let large: Arc<str> = "/large".into();
        meter.resumed(&large, 100, 700);
        meter.progress(&large, 300, Some(700));
        meter.settled("/small", 50, true);
        assert_eq!((meter.done(), meter.total()), (350, Some(1000)));
        let line = meter.line();
        assert!(
            line.starts_with("1/3 files, /large 42%: 350 B of 1000 B, "),
            "{line}"
        );
        meter.progress(&"/other".into(), 0, Some(10));
        let line = meter.line();
        assert!(
            line.starts_with("1/3 files, /large 42% and 1 more: 350 B"),
            "{line}"
        );
        meter.settled("/other", 0, true);
        meter.settled("/large", 700, true);
        assert_eq!(meter.done(), 750);
        let numbers = meter.numbers();
        assert_eq!(
            (numbers["files_done"].as_u64(), numbers["resumed"].as_u64()),
            (Some(3), Some(100))
        );
    }

    #[test]
    fn only_what_this_run_moves_counts_for_the_speed() {
        let mut meter = Meter::new("photos");
        meter.plan(4, 1000);
        meter.resumed(&"/resumed".into(), 100, 400);
        meter.settled("/there", 200, false);
        assert_eq!((meter.done(), meter.moved()), (300, 0));
        meter.progress(&"/resumed".into(), 150, Some(400));
        meter.progress(&"/fails".into(), 30, Some(100));
        meter.settled("/fails", 100, false);
        assert_eq!((meter.done(), meter.moved()), (450, 80));
        meter.settled("/resumed", 400, true);
        assert_eq!((meter.done(), meter.moved()), (700, 330));
    }

    #[test]
    fn what_is_told_late_of_a_file_that_is_through_counts_no_more() {
        let mut meter = Meter::new("photos");
        let size = 5 << 20;
        meter.plan(2, 2 * size);
        let file: Arc<str> = "/fails".into();
        meter.progress(&file, 1000, Some(size));
        meter.settled(&file, size, false);
        meter.progress(&file, 500, Some(size));
        assert!(meter.large_under_way().is_empty());
        assert_eq!(meter.done(), size);
    }

    #[test]
    fn a_pause_is_said_for_as_long_as_it_lasts() {
        let mut meter = Meter::new("a.iso");
        meter.progress(&"/a.iso".into(), 5, None);
        assert!(meter.line().starts_with("a.iso: 5 B"));
        meter.paused(Duration::from_secs(3600));
        let line = meter.line();
        assert!(line.starts_with("a.iso (rate limited, 3600 s): "), "{line}");
        meter.paused(Duration::ZERO);
        assert!(meter.line().starts_with("a.iso: 5 B"));
    }
}
