//! `doctor`: looks at all that an upload needs, one thing after the other, and says what to do
//! where something is wrong. It changes nothing.

mod machine;
mod proxy;
mod service;

use crate::cli::Global;
use crate::exit::{Exit, Fail, Result};
use crate::output::{Output, event, fields};
use crate::remote::{LOCAL, Remote, RemoteConfig, chosen};
use crate::state;
use serde_json::{Map, Value, json};
use std::fmt::Display;

pub(crate) async fn run(global: &Global, out: Output) -> Result<()> {
    let mut report = Report::new(out);
    match RemoteConfig::load() {
        Ok(config) => {
            let count = config.named().count();
            let text = format!("{count} remotes beside `local` and `dropbox`");
            report.ok("configuration", text)?;
            remote(&mut report, global, &config).await?;
        }
        // Where to is not known then.
        Err(fail) => report.failed("configuration", &fail)?,
    }
    match state::directory() {
        Ok(directory) => machine::disk(&mut report, &directory)?,
        Err(fail) => report.failed("disk", &fail)?,
    }
    machine::files(&mut report)?;
    report.end()
}

async fn remote(report: &mut Report, global: &Global, config: &RemoteConfig) -> Result<()> {
    let name = chosen(global, config);
    let remote = match Box::pin(Remote::open(global, config)).await {
        Ok(remote) => remote,
        Err(fail) => {
            let check = match fail.exit() {
                Exit::Auth => "token",
                _ => "remote",
            };
            return report.failed(check, &fail);
        }
    };
    let client = remote.client();
    let endpoint = client.endpoint();
    if name == LOCAL {
        let directory = crate::remote::local::directory()?;
        report.ok("remote", format!("local, in {}", directory.display()))?;
        machine::disk(report, &directory)?;
    } else {
        match name.contains("://") {
            true => report.ok("remote", endpoint)?,
            false => report.ok("remote", format_args!("{name}, at {endpoint}"))?,
        }
        report.ok("proxy", proxy::told(endpoint))?;
    }
    let checked = Box::pin(service::check(report, client)).await;
    remote.close().await;
    checked
}

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Ok,
    Warning,
    Problem,
}

impl Verdict {
    fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Problem => "problem",
        }
    }
}

/// The fields by which events describe a check.
fn check_fields(check: &str, verdict: &str, text: &str) -> Map<String, Value> {
    fields(json!({"check": check, "verdict": verdict, "text": text}))
}

/// Tells each check as it ends, and remembers what the run comes to.
struct Report {
    out: Output,
    problems: usize,
    /// The kind of the first problem.
    exit: Exit,
}

impl Report {
    fn new(out: Output) -> Self {
        Self {
            out,
            problems: 0,
            exit: Exit::Ok,
        }
    }

    fn ok(&mut self, check: &str, text: impl Display) -> Result<()> {
        self.tell(check, Verdict::Ok, text)
    }

    /// Uploads may work nevertheless.
    fn warning(&mut self, check: &str, text: impl Display) -> Result<()> {
        self.tell(check, Verdict::Warning, text)
    }

    fn problem(&mut self, check: &str, exit: Exit, text: impl Display) -> Result<()> {
        if self.problems == 0 {
            self.exit = exit;
        }
        self.problems += 1;
        self.tell(check, Verdict::Problem, text)
    }

    /// A problem that is a failure of its own.
    fn failed(&mut self, check: &str, fail: &Fail) -> Result<()> {
        self.problem(check, fail.exit(), fail.line())
    }

    fn tell(&self, check: &str, verdict: Verdict, text: impl Display) -> Result<()> {
        // Names of people and words of services can hold anything.
        let text = text.to_string().replace(char::is_control, "?");
        let verdict = verdict.word();
        self.out
            .result(format_args!("{verdict:<8} {check}: {text}"), || {
                event("check", check_fields(check, verdict, &text))
            })
    }

    fn end(self) -> Result<()> {
        match self.problems {
            0 => Ok(()),
            1 => Err(Fail::new(
                self.exit,
                "one problem",
                "its line says what to do",
            )),
            many => Err(Fail::new(
                self.exit,
                format_args!("{many} problems"),
                "their lines say what to do; begin with the first",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Verdict, check_fields};
    use crate::output::event;
    use crate::output::tests::check;

    #[test]
    fn a_check_is_described_by_the_schema() {
        for verdict in [Verdict::Ok, Verdict::Warning, Verdict::Problem] {
            check(&event("check", check_fields("clock", verdict.word(), "so")));
        }
    }
}
