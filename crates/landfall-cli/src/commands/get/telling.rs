//! What people are told while files come.

use crate::output;
use crate::progress::Progress;
use indicatif::HumanBytes;
use landfall::transfer::{Event, Events};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Shows one bar, for one file or for all of a folder, and says what is gone on with.
#[derive(Clone)]
pub(super) struct Telling {
    progress: Progress,
    all: Option<Arc<Mutex<All>>>,
}

/// How far the files of a folder are.
#[derive(Default)]
struct All {
    name: Arc<str>,
    total: u64,
    /// Bytes in files that are through.
    through: u64,
    /// Bytes of those under way.
    under_way: HashMap<Arc<str>, u64>,
}

impl Telling {
    /// About one file.
    pub(super) fn of_one(name: &str) -> Self {
        Self {
            progress: Progress::new(name),
            all: None,
        }
    }

    /// About many files together.
    pub(super) fn of_all(name: &str, total: u64) -> Self {
        let all = All {
            name: Arc::from(name),
            total,
            ..All::default()
        };
        Self {
            progress: Progress::new(name),
            all: Some(Arc::new(Mutex::new(all))),
        }
    }

    /// A file of this size is through, whatever came of it.
    pub(super) fn through(&self, file: &str, size: u64) {
        self.tell_all(|all| {
            all.under_way.remove(file);
            all.through += size;
        });
    }

    /// Removes the bar.
    pub(super) fn clear(&self) {
        self.progress.clear();
    }

    fn tell_all(&self, change: impl FnOnce(&mut All)) {
        let Some(all) = &self.all else { return };
        let event = {
            let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
            change(&mut all);
            Event::Progress {
                file: Arc::clone(&all.name),
                done: all.through + all.under_way.values().sum::<u64>(),
                total: Some(all.total),
            }
        };
        self.progress.event(event);
    }
}

impl Events for Telling {
    fn event(&self, event: Event) {
        match event {
            Event::Resumed {
                file,
                stored,
                total,
            } => output::note(format_args!(
                "{}: going on after {} of {}",
                plain(&file),
                HumanBytes(stored),
                HumanBytes(total)
            )),
            Event::StartedAnew { file, why } => {
                output::note(format_args!("{}: starting anew: {why}", plain(&file)));
            }
            Event::Progress { file, done, .. } if self.all.is_some() => {
                self.tell_all(|all| {
                    all.under_way.insert(file, done);
                });
            }
            event => self.progress.event(event),
        }
    }
}

/// A name that a terminal may see.
fn plain(name: &str) -> String {
    name.replace(char::is_control, "?")
}
