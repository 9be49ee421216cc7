//! How far a transfer is, and why it waits: bars on a terminal, else a line now and then.

mod bars;
mod frame;
mod meter;
mod speed;

use crate::cli::ProgressWhen;
use crate::human::size;
use crate::output::{self, Output, event, fields};
use bars::Bars;
use landfall::transfer::{Event, Events, Verdict};
use meter::Meter;
use serde_json::{Value, json};
use std::io::{self, IsTerminal};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::task::JoinHandle;

/// Time between two looks of bars.
const FRAMES: Duration = Duration::from_millis(100);
/// Time between two lines.
const LINES: Duration = Duration::from_secs(10);
/// The same for people who can't have enough of them.
const MANY_LINES: Duration = Duration::from_secs(1);

/// Shows what a transfer does, until it is dropped.
pub(crate) struct Progress {
    shared: Arc<Shared>,
    /// Tasks of a transfer that is given up end a bit later than the command, which decides.
    is_for_tasks: bool,
}

struct Shared {
    bars: Bars,
    meter: Arc<Mutex<Meter>>,
    /// Where events go that scripts read.
    out: Option<Output>,
    /// What shows the meter from time to time.
    showing: Mutex<Option<JoinHandle<()>>>,
}

impl Progress {
    /// What people know by this name: a file, or the first of several.
    pub(crate) fn new(name: &str) -> Self {
        Self::with(name, None, output::has_bars())
    }

    /// The same for a long transfer, which is shown as people like it: by lines if there is no
    /// bar, and as events for scripts.
    pub(crate) fn of_transfer(name: &str, when: ProgressWhen, out: Output) -> Self {
        let bars = output::has_bars() && when != ProgressWhen::Never;
        let progress = Self::with(name, out.is_json().then_some(out), bars);
        let every = match when {
            _ if !progress.shared.bars.is_hidden() => None,
            ProgressWhen::Never => None,
            ProgressWhen::Auto if !out.is_json() && !output::has_notes() => None,
            ProgressWhen::Auto => Some(LINES),
            ProgressWhen::Always => Some(MANY_LINES),
        };
        if let Some(every) = every {
            progress.show(every, Shared::tell_line);
        }
        progress
    }

    fn with(name: &str, out: Option<Output>, bars: bool) -> Self {
        let meter = Arc::new(Mutex::new(Meter::new(name)));
        let progress = Self {
            shared: Arc::new(Shared {
                bars: Bars::new(Arc::clone(&meter), bars),
                meter,
                out,
                showing: Mutex::new(None),
            }),
            is_for_tasks: false,
        };
        if !progress.shared.bars.is_hidden() {
            progress.show(FRAMES, |shared| shared.bars.draw());
        }
        progress
    }

    /// The same for the tasks of a transfer; what is shown doesn't wait for them.
    pub(crate) fn for_tasks(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            is_for_tasks: true,
        }
    }

    fn show(&self, every: Duration, show: fn(&Shared)) {
        let shared = Arc::downgrade(&self.shared);
        let showing = tokio::spawn(async move {
            loop {
                tokio::time::sleep(every).await;
                let Some(shared) = shared.upgrade() else {
                    return;
                };
                show(&shared);
            }
        });
        *lock(&self.shared.showing) = Some(showing);
    }

    /// So many files and bytes are to come; a command that carries out its own plan says so.
    pub(crate) fn plan(&self, files: u64, bytes: u64) {
        lock(&self.shared.meter).plan(files, bytes);
    }

    /// A file of such a plan is through; `moved`: all of it came.
    pub(crate) fn through(&self, file: &str, size: u64, moved: bool) {
        lock(&self.shared.meter).settled(file, size, moved);
    }

    /// Removes the bars, and ends the lines.
    pub(crate) fn clear(&self) {
        self.shared.clear();
    }

    /// Writes something to standard error while bars may be shown.
    pub(crate) fn beside<T>(&self, write: impl FnOnce() -> T) -> T {
        self.shared.bars.above(write)
    }

    /// Writes results while bars may be shown.
    pub(crate) fn beside_results<T>(&self, write: impl FnOnce() -> T) -> T {
        self.shared.beside_results(write)
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if !self.is_for_tasks {
            self.clear();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    fn clear(&self) {
        if let Some(showing) = lock(&self.showing).take() {
            showing.abort();
        }
        self.bars.clear();
    }

    /// Only where standard output is a terminal too, results and bars are in each other's way.
    fn beside_results<T>(&self, write: impl FnOnce() -> T) -> T {
        if io::stdout().is_terminal() {
            self.bars.above(write)
        } else {
            write()
        }
    }

    fn tell_line(&self) {
        let (line, numbers) = {
            let mut meter = lock(&self.meter);
            (meter.line(), meter.numbers())
        };
        match self.out {
            Some(_) => self.tell("progress", numbers),
            None => output::note(line),
        }
    }

    /// An event for scripts. That nobody reads them any more shows at the end.
    fn tell(&self, kind: &str, numbers: Value) {
        if let Some(out) = self.out {
            let told = || out.event(&event(kind, fields(numbers)));
            drop(self.beside_results(told));
        }
    }

    /// Something that people must know.
    fn note(&self, text: &str) {
        let text = text.replace(char::is_control, "?");
        self.bars.above(|| output::note(text));
    }

    /// Something that people want to know in between. Scripts get the one line at the end, unless
    /// they ask for more.
    fn say(&self, text: &str) {
        if self.bars.is_hidden() {
            tracing::info!("{text}");
        } else {
            self.note(text);
        }
    }
}

impl Events for Progress {
    fn event(&self, event: Event) {
        let shared = &self.shared;
        match event {
            Event::Planned { files, bytes } => {
                lock(&shared.meter).plan(files, bytes);
                shared.tell("plan", json!({"files": files, "bytes": bytes}));
            }
            Event::Resumed {
                file,
                stored,
                total,
            } => {
                lock(&shared.meter).resumed(&file, stored, total);
                // A session without a byte in it is nothing that people have waited for.
                if stored > 0 {
                    let (had, all) = (size(stored), size(total));
                    shared.note(&format!("{file}: going on after {had} of {all}"));
                }
                let numbers = json!({"path": &*file, "stored": stored, "total": total});
                shared.tell("resumed", numbers);
            }
            Event::StartedAnew { file, why } => {
                lock(&shared.meter).forget(&file);
                shared.note(&format!("{file}: starting anew: {why}"));
                shared.tell("started_anew", json!({"path": &*file, "why": why}));
            }
            Event::NoJournal { file, why } => {
                shared.note(&format!(
                    "{file}: can't be gone on with after a stop: {why}"
                ));
            }
            Event::Progress { file, done, total } => {
                lock(&shared.meter).progress(&file, done, total);
            }
            Event::Settled {
                file,
                size,
                verdict,
            } => {
                lock(&shared.meter).settled(&file, size, is_sent(&verdict));
            }
            Event::Paused { why, wait } => {
                let seconds = wait.as_secs_f64();
                lock(&shared.meter).paused(wait);
                shared.say(&format!("waiting {seconds:.0} s: {why}"));
                shared.tell("paused", json!({"why": why, "seconds": whole(wait)}));
            }
            Event::Retry {
                what,
                why,
                failures,
                wait,
            } => {
                let seconds = wait.as_secs_f64();
                shared.say(&format!("{what} failed: {why}; again in {seconds:.1} s"));
                let numbers = json!({
                    "what": what, "why": why, "failures": failures, "seconds": whole(wait),
                });
                shared.tell("retry", numbers);
            }
            _ => {}
        }
    }
}

/// Whole seconds, rounded up.
fn whole(wait: Duration) -> u64 {
    wait.as_millis()
        .div_ceil(1000)
        .try_into()
        .unwrap_or(u64::MAX)
}

fn is_sent(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Uploaded(_))
}

#[cfg(test)]
mod tests {
    use super::whole;
    use crate::output::tests::check;
    use crate::output::{event, fields};
    use serde_json::json;
    use std::time::Duration;

    #[test]
    fn events_are_as_the_schema_says() {
        for (kind, numbers) in [
            ("plan", json!({"files": 3, "bytes": 10})),
            ("resumed", json!({"path": "/a", "stored": 1, "total": 2})),
            (
                "started_anew",
                json!({"path": "/a", "why": "the file changed since"}),
            ),
            ("paused", json!({"why": "too many requests", "seconds": 15})),
            (
                "retry",
                json!({"what": "sending a piece", "why": "no answer", "failures": 1, "seconds": 1}),
            ),
            ("progress", super::Meter::new("a").numbers()),
        ] {
            check(&event(kind, fields(numbers)));
        }
    }

    #[test]
    fn waits_are_told_in_whole_seconds_never_too_short() {
        assert_eq!(whole(Duration::from_millis(1)), 1);
        assert_eq!(whole(Duration::from_secs(12)), 12);
    }
}
