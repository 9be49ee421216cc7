//! How far a transfer is, and why it waits: a bar on a terminal, else a line now and then.

mod meter;

use crate::cli::ProgressWhen;
use crate::output::{self, Output, event, fields};
use indicatif::{HumanBytes, ProgressBar, ProgressDrawTarget, ProgressStyle};
use landfall::transfer::{Event, Events, Verdict};
use meter::Meter;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::task::JoinHandle;

/// Time between two lines.
const LINES: Duration = Duration::from_secs(10);
/// The same for people who can't have enough of them.
const MANY_LINES: Duration = Duration::from_secs(1);

/// Shows what a transfer does. Clones share what they show.
#[derive(Clone)]
pub(crate) struct Progress {
    shared: Arc<Shared>,
}

struct Shared {
    bar: ProgressBar,
    meter: Mutex<Meter>,
    /// Where events go that scripts read.
    out: Option<Output>,
    lines: Mutex<Option<JoinHandle<()>>>,
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
            _ if bars => None,
            ProgressWhen::Never => None,
            ProgressWhen::Auto if !out.is_json() && !output::has_notes() => None,
            ProgressWhen::Auto => Some(LINES),
            ProgressWhen::Always => Some(MANY_LINES),
        };
        if let Some(every) = every {
            let shared = Arc::downgrade(&progress.shared);
            let lines = tokio::spawn(async move {
                loop {
                    tokio::time::sleep(every).await;
                    let Some(shared) = shared.upgrade() else {
                        return;
                    };
                    shared.tell_line();
                }
            });
            *lock(&progress.shared.lines) = Some(lines);
        }
        progress
    }

    fn with(name: &str, out: Option<Output>, bars: bool) -> Self {
        let target = if bars {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        let bar = ProgressBar::with_draw_target(None, target);
        // Names may hold escape sequences.
        bar.set_message(name.replace(char::is_control, "?"));
        Self {
            shared: Arc::new(Shared {
                bar,
                meter: Mutex::new(Meter::new(name)),
                out,
                lines: Mutex::new(None),
            }),
        }
    }

    /// So many files and bytes are to come; a command that carries out its own plan says so.
    pub(crate) fn plan(&self, files: u64, bytes: u64) {
        lock(&self.shared.meter).plan(files, bytes);
        self.shared.draw();
    }

    /// A file of such a plan is through, whatever came of it.
    pub(crate) fn through(&self, file: &str, size: u64) {
        lock(&self.shared.meter).settled(file, size, true);
        self.shared.draw();
    }

    /// Removes the bar, and ends the lines.
    pub(crate) fn clear(&self) {
        if let Some(lines) = lock(&self.shared.lines).take() {
            lines.abort();
        }
        self.shared.bar.finish_and_clear();
    }

    /// Writes something while a bar may be shown.
    pub(crate) fn beside<T>(&self, write: impl FnOnce() -> T) -> T {
        self.shared.bar.suspend(write)
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        if let Some(lines) = lock(&self.lines).take() {
            lines.abort();
        }
        self.bar.finish_and_clear();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

const KNOWN: &str = "{msg} [{bar:24}] {bytes}/{total_bytes} {bytes_per_sec} {eta}";
const UNKNOWN: &str = "{msg} {bytes} {bytes_per_sec}";

impl Shared {
    fn draw(&self) {
        if self.bar.is_hidden() {
            return;
        }
        let (done, total, text) = {
            let meter = lock(&self.meter);
            (meter.done(), meter.total(), meter.title())
        };
        if self.bar.length() != total || self.bar.position() == 0 {
            let template = if total.is_some() { KNOWN } else { UNKNOWN };
            if let Ok(style) = ProgressStyle::with_template(template) {
                self.bar.set_style(style.progress_chars("=> "));
            }
            if let Some(total) = total {
                self.bar.set_length(total);
            }
        }
        self.bar.set_message(text.replace(char::is_control, "?"));
        self.bar.set_position(done);
    }

    fn tell_line(&self) {
        let (line, numbers) = {
            let mut meter = lock(&self.meter);
            (meter.line(), meter.numbers())
        };
        match self.out {
            Some(out) => tell(out, "progress", numbers),
            None => output::note(line),
        }
    }

    /// Something that people must know.
    fn note(&self, text: &str) {
        let text = text.replace(char::is_control, "?");
        self.bar.suspend(|| output::note(text));
    }

    /// Something that people want to know in between. Scripts get the one line at the end, unless
    /// they ask for more.
    fn say(&self, text: &str) {
        if self.bar.is_hidden() {
            tracing::info!("{text}");
        } else {
            self.bar.suspend(|| output::note(text));
        }
    }
}

/// An event for scripts. That nobody reads them any more shows at the end.
fn tell(out: Output, kind: &str, numbers: Value) {
    drop(out.event(&event(kind, fields(numbers))));
}

impl Events for Progress {
    fn event(&self, event: Event) {
        let shared = &self.shared;
        match event {
            Event::Planned { files, bytes } => {
                lock(&shared.meter).plan(files, bytes);
                if let Some(out) = shared.out {
                    tell(out, "plan", json!({"files": files, "bytes": bytes}));
                }
                shared.draw();
            }
            Event::Resumed {
                file,
                stored,
                total,
            } => {
                lock(&shared.meter).resumed(&file, stored, total);
                let (had, all) = (HumanBytes(stored), HumanBytes(total));
                shared.note(&format!("{file}: going on after {had} of {all}"));
                if let Some(out) = shared.out {
                    let numbers = json!({"path": &*file, "stored": stored, "total": total});
                    tell(out, "resumed", numbers);
                }
            }
            Event::StartedAnew { file, why } => {
                lock(&shared.meter).forget(&file);
                shared.note(&format!("{file}: starting anew: {why}"));
                if let Some(out) = shared.out {
                    tell(out, "started_anew", json!({"path": &*file, "why": why}));
                }
            }
            Event::NoJournal { file, why } => {
                shared.note(&format!(
                    "{file}: can't be gone on with after a stop: {why}"
                ));
            }
            Event::Progress { file, done, total } => {
                lock(&shared.meter).progress(&file, done, total);
                shared.draw();
            }
            Event::Settled {
                file,
                size,
                verdict,
            } => {
                lock(&shared.meter).settled(&file, size, is_sent(&verdict));
                shared.draw();
            }
            Event::Paused { why, wait } => {
                let seconds = wait.as_secs_f64();
                lock(&shared.meter).paused(wait);
                shared.say(&format!("waiting {seconds:.0} s: {why}"));
                if let Some(out) = shared.out {
                    tell(out, "paused", json!({"why": why, "seconds": whole(wait)}));
                }
                shared.draw();
            }
            Event::Retry {
                what,
                why,
                failures,
                wait,
            } => {
                let seconds = wait.as_secs_f64();
                shared.say(&format!("{what} failed: {why}; again in {seconds:.1} s"));
                if let Some(out) = shared.out {
                    let numbers = json!({
                        "what": what, "why": why, "failures": failures, "seconds": whole(wait),
                    });
                    tell(out, "retry", numbers);
                }
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
