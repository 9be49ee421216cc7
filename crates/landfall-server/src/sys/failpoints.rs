//! Planned faults: named points in the code where a test can make things go wrong.
//!
//! A point costs one relaxed load while nothing is planned.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// What happens at a point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The step fails with an I/O error.
    Error,
    /// The task panics.
    Panic,
    /// The process ends at once, as by `kill -9`.
    Kill,
}

/// The plan: which points fail, and how.
#[derive(Clone, Default)]
pub struct Failpoints {
    inner: Arc<Inner>,
}

#[derive(Default)]
struct Inner {
    any: AtomicBool,
    plan: Mutex<HashMap<String, Fault>>,
}

/// The environment variable that plans faults for a process: `name=error,name=kill`.
pub const VARIABLE: &str = "LANDFALL_FAILPOINTS";

impl Failpoints {
    /// The plan in the environment variable [`VARIABLE`]; what can't be read is left out.
    pub fn from_environment() -> Self {
        let points = Self::default();
        for entry in std::env::var(VARIABLE).unwrap_or_default().split(',') {
            let fault = match entry.split_once('=') {
                Some((_, "error")) => Fault::Error,
                Some((_, "panic")) => Fault::Panic,
                Some((_, "kill")) => Fault::Kill,
                _ => continue,
            };
            points.plan(entry.split('=').next().unwrap_or_default(), fault);
        }
        points
    }

    /// From now on this point fails, until [`Self::clear`].
    pub fn plan(&self, name: &str, fault: Fault) {
        let mut plan = self
            .inner
            .plan
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        plan.insert(name.to_owned(), fault);
        self.inner.any.store(true, Ordering::SeqCst);
    }

    /// Nothing fails any more.
    pub fn clear(&self) {
        let mut plan = self
            .inner
            .plan
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        plan.clear();
        self.inner.any.store(false, Ordering::SeqCst);
    }

    /// The point `name` is reached.
    ///
    /// # Errors
    /// The planned [`Fault::Error`].
    ///
    /// # Panics
    /// The planned [`Fault::Panic`].
    pub fn hit(&self, name: &str) -> io::Result<()> {
        if !self.inner.any.load(Ordering::Relaxed) {
            return Ok(());
        }
        let fault = {
            let plan = self
                .inner
                .plan
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            plan.get(name).copied()
        };
        match fault {
            None => Ok(()),
            Some(Fault::Error) => Err(io::Error::other(format!("planned fault at {name}"))),
            Some(Fault::Panic) => panic!("planned fault at {name}"),
            Some(Fault::Kill) => std::process::abort(),
        }
    }
}

impl fmt::Debug for Failpoints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Failpoints")
    }
}
