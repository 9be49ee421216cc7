//! A progress bar on a terminal, and word of repetitions anywhere.

use crate::output;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use landfall::transfer::{Event, Events};

/// Shows what a transfer does on stderr. Clones share the bar.
#[derive(Clone)]
pub(crate) struct Progress(ProgressBar);

impl Progress {
    /// A bar for a transfer that people know by this name.
    pub(crate) fn new(name: &str) -> Self {
        let target = if output::has_bars() {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        let bar = ProgressBar::with_draw_target(None, target);
        // Names may hold escape sequences.
        bar.set_message(name.replace(char::is_control, "?"));
        Self(bar)
    }

    /// Removes the bar.
    pub(crate) fn clear(&self) {
        self.0.finish_and_clear();
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
    }
}

const KNOWN: &str = "{msg} [{bar:24}] {bytes}/{total_bytes} {bytes_per_sec} {eta}";
const UNKNOWN: &str = "{msg} {bytes} {bytes_per_sec}";

impl Events for Progress {
    fn event(&self, event: Event) {
        match event {
            Event::Progress { done, total, .. } => {
                if self.0.length() != total || self.0.position() == 0 {
                    let template = if total.is_some() { KNOWN } else { UNKNOWN };
                    if let Ok(style) = ProgressStyle::with_template(template) {
                        self.0.set_style(style.progress_chars("=> "));
                    }
                    if let Some(total) = total {
                        self.0.set_length(total);
                    }
                }
                self.0.set_position(done);
            }
            Event::Retry {
                what, why, wait, ..
            } => {
                let seconds = wait.as_secs_f64();
                let text = format!("{what} failed: {why}; again in {seconds:.1} s");
                if self.0.is_hidden() {
                    // Scripts get the one line at the end, unless they ask for more.
                    tracing::info!("{text}");
                } else {
                    self.0.suspend(|| output::note(text));
                }
            }
            _ => {}
        }
    }
}
