//! What is done to an account.

use super::Call;
use std::fmt;

/// An account, and what is done to it.
#[derive(Clone, Debug)]
pub struct Case {
    /// The account.
    pub setup: Setup,
    /// What is done.
    pub steps: Vec<Step>,
}

/// An account.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Whose conflicted copies.
    pub display_name: Option<String>,
    /// How many bytes its files may have.
    pub quota: Option<u64>,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:?}", self.setup)?;
        for (nth, step) in self.steps.iter().enumerate() {
            let line = format!("{step:?}").replace(&"x".repeat(64), "x..");
            writeln!(f, "{nth:3} {}", line.replace(&"X".repeat(64), "X.."))?;
        }
        Ok(())
    }
}

/// One thing that is done.
#[derive(Clone, Debug)]
pub enum Step {
    /// A call.
    Call(Call),
    /// Some seconds go by.
    Wait(i64),
    /// The operator sets another quota.
    Quota(u64),
    /// The server removes what nobody can ask for any more.
    Upkeep,
}

impl Case {
    /// The shortest case that still fails, as far as steps can be left out one by one.
    pub async fn shrink(mut self, fails: impl AsyncFn(&Self) -> bool) -> Self {
        let mut nth = self.steps.len();
        while nth > 0 {
            nth -= 1;
            let mut shorter = self.clone();
            shorter.steps.remove(nth);
            if fails(&shorter).await {
                self = shorter;
            }
        }
        self
    }
}
