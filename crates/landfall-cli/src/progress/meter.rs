//! How far a transfer is, in numbers and words.

use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

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
    /// Bytes that an earlier run sent.
    before: u64,
    paused_until: Option<Instant>,
    /// Bytes at the last line, and when that was.
    last: (u64, Instant),
}

/// Bytes of a file that is under way.
#[derive(Clone, Copy)]
struct UnderWay {
    done: u64,
    total: Option<u64>,
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
            before: 0,
            paused_until: None,
            last: (0, Instant::now()),
        }
    }

    pub(super) fn plan(&mut self, files: u64, bytes: u64) {
        self.plan = Some((files, bytes));
    }

    pub(super) fn resumed(&mut self, file: &Arc<str>, stored: u64, total: u64) {
        self.before += stored;
        self.last.0 += stored;
        let under_way = UnderWay {
            done: stored,
            total: Some(total),
        };
        self.under_way.insert(Arc::clone(file), under_way);
    }

    pub(super) fn forget(&mut self, file: &str) {
        if let Some(UnderWay { done, .. }) = self.under_way.remove(file) {
            self.before = self.before.saturating_sub(done);
        }
    }

    pub(super) fn progress(&mut self, file: &Arc<str>, done: u64, total: Option<u64>) {
        self.total = total;
        let under_way = UnderWay { done, total };
        match self.under_way.get_mut(file) {
            Some(known) => *known = under_way,
            None => {
                self.under_way.insert(Arc::clone(file), under_way);
            }
        }
    }

    /// A file is through; what was not sent of it counts as done too.
    pub(super) fn settled(&mut self, file: &str, size: u64, sent: bool) {
        self.under_way.remove(file);
        self.settled += size;
        self.files_done += 1;
        if !sent {
            // It says nothing of the speed.
            self.last.0 += size;
        }
    }

    pub(super) fn paused(&mut self, wait: Duration) {
        self.paused_until = Some(Instant::now() + wait);
    }

    pub(super) fn done(&self) -> u64 {
        let under_way = self.under_way.values().map(|file| file.done);
        self.settled + under_way.sum::<u64>()
    }

    pub(super) fn total(&self) -> Option<u64> {
        self.plan.map(|(_, bytes)| bytes).or(self.total)
    }

    /// What stands before the bar.
    pub(super) fn title(&self) -> String {
        let mut title = match self.plan {
            Some((files, _)) => {
                let files = format!("{}/{files} files", self.files_done);
                match self.largest() {
                    Some(file) => format!("{files}, {file}"),
                    None => files,
                }
            }
            None => self.name.clone(),
        };
        if let Some(wait) = self.wait() {
            title += &format!(" (rate limited, {} s)", wait.as_secs() + 1);
        }
        title
    }

    /// Of the files that are under way, how far the largest is, and how many others there are.
    fn largest(&self) -> Option<String> {
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
        let speed = done.saturating_sub(self.last.0) as f64 / lasted;
        self.last = (done, Instant::now());
        let mut line = format!("{}: {}", self.title(), size(done as f64));
        if let Some(total) = self.total() {
            line += &format!(" of {}", size(total as f64));
        }
        line += &format!(", {}/s", size(speed));
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

fn size(bytes: f64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut bytes = bytes;
    let mut unit = 0;
    while bytes >= 1024.0 && unit < units.len() - 1 {
        bytes /= 1024.0;
        unit += 1;
    }
    match unit {
        0 => format!("{bytes:.0} {}", units[unit]),
        _ => format!("{bytes:.1} {}", units[unit]),
    }
}

fn time(seconds: f64) -> String {
    let seconds = seconds.ceil() as u64;
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds} s"),
        (0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (hours, minutes, _) => format!("{hours} h {minutes} min"),
    }
}

#[cfg(test)]
mod tests {
    use super::{Meter, size, time};
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
        assert_eq!(meter.title(), "1/3 files, /large 42% and 1 more");
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
    fn a_pause_is_said_for_as_long_as_it_lasts() {
        let mut meter = Meter::new("a.iso");
        meter.progress(&"/a.iso".into(), 5, None);
        assert_eq!(meter.title(), "a.iso");
        meter.paused(Duration::from_secs(3600));
        assert!(
            meter.title().starts_with("a.iso (rate limited, 3600 s)"),
            "{}",
            meter.title()
        );
        meter.paused(Duration::ZERO);
        assert_eq!(meter.title(), "a.iso");
    }

    #[test]
    fn sizes_and_times_are_short() {
        assert_eq!(size(0.0), "0 B");
        assert_eq!(size(1536.0), "1.5 KiB");
        assert_eq!(size(5e12), "4.5 TiB");
        assert_eq!(time(12.1), "13 s");
        assert_eq!(time(90.0), "1 min 30 s");
        assert_eq!(time(7300.0), "2 h 1 min");
    }
}
