//! What happened, as people and programs want to read it.

use crate::finding::{Answered, Asked, Finding};
use crate::run::{Outcome, Summary, Verdict};
use serde_json::{Map, Value, json};
use std::io::{self, Write};

/// Tells of cases and of the end.
pub trait Report {
    /// A case ended.
    fn case(&mut self, verdict: &Verdict) -> io::Result<()>;
    /// The run ended; this is the service's URL.
    fn summary(&mut self, url: &str, summary: &Summary) -> io::Result<()>;
}

/// For people: a line for each case, by family; more for those that didn't hold.
#[derive(Debug)]
pub struct Text<W> {
    out: W,
    family: &'static str,
}

/// For programs: a JSON object on a line for each case, and one for the end.
#[derive(Debug)]
pub struct Json<W> {
    out: W,
}

impl<W: Write> Text<W> {
    /// Writes to `out`.
    pub fn new(out: W) -> Self {
        Self { out, family: "" }
    }

    fn finding(&mut self, claim: &str, finding: &Finding) -> io::Result<()> {
        let Finding {
            expected,
            got,
            request,
            answer,
        } = finding;
        self.detail("claim", claim)?;
        self.detail("expected", expected)?;
        self.detail("got", got)?;
        self.detail("request", &format!("{} {}", request.method, request.url))?;
        for (name, value) in &request.headers {
            self.detail("", &format!("{name}: {value}"))?;
        }
        match &request.body {
            Some(body) => self.detail("", body)?,
            None => self.detail("", &format!("{} bytes", request.body_bytes))?,
        }
        if let Some(answer) = answer {
            let kind = answer
                .headers
                .iter()
                .find(|(name, _)| name == "content-type");
            let kind = kind.map_or("no content-type", |(_, value)| value);
            self.detail("answer", &format!("{} {kind}", answer.status))?;
            self.detail("", &answer.body)?;
        }
        Ok(())
    }

    /// One line, whatever the text holds.
    fn detail(&mut self, what: &str, text: &str) -> io::Result<()> {
        writeln!(self.out, "           {what:<10}{}", on_a_line(text))
    }
}

fn on_a_line(text: &str) -> String {
    text.replace('\n', "\\n").replace(char::is_control, "?")
}

impl<W: Write> Report for Text<W> {
    fn case(&mut self, verdict: &Verdict) -> io::Result<()> {
        let Verdict { case, outcome } = verdict;
        if case.family() != self.family {
            self.family = case.family();
            writeln!(self.out, "{}", self.family)?;
        }
        let (word, why) = match outcome {
            Outcome::Ok => ("ok", String::new()),
            Outcome::Fails(_) => ("FAILS", String::new()),
            Outcome::Differs(_) => ("differs", String::new()),
            Outcome::Skipped(why) => ("skipped", format!(": {}", on_a_line(why))),
        };
        let (mark, name) = (case.mark.letter(), case.name);
        writeln!(self.out, "  {word:<8} {mark}  {name}{why}")?;
        if let Outcome::Fails(finding) | Outcome::Differs(finding) = outcome {
            self.finding(case.claim, finding)?;
        }
        self.out.flush()
    }

    fn summary(&mut self, url: &str, summary: &Summary) -> io::Result<()> {
        let Summary {
            ok,
            fails,
            differs,
            skipped,
            ..
        } = summary;
        let stopped = if summary.stopped { " (stopped)" } else { "" };
        writeln!(
            self.out,
            "{url}: {ok} ok, {fails} failed, {differs} differ, {skipped} skipped{stopped}"
        )?;
        self.out.flush()
    }
}

impl<W: Write> Json<W> {
    /// Writes to `out`.
    pub fn new(out: W) -> Self {
        Self { out }
    }

    fn line(&mut self, value: &Value) -> io::Result<()> {
        writeln!(self.out, "{value}")?;
        self.out.flush()
    }
}

impl<W: Write> Report for Json<W> {
    fn case(&mut self, verdict: &Verdict) -> io::Result<()> {
        let Verdict { case, outcome } = verdict;
        let mut line = json!({
            "type": "case",
            "name": case.name,
            "claim": case.claim,
            "mark": case.mark.letter().to_string(),
        });
        match outcome {
            Outcome::Ok => line["outcome"] = "ok".into(),
            Outcome::Fails(finding) => add(&mut line, "fails", finding),
            Outcome::Differs(finding) => add(&mut line, "differs", finding),
            Outcome::Skipped(why) => {
                line["outcome"] = "skipped".into();
                line["why"] = why.as_str().into();
            }
        }
        self.line(&line)
    }

    fn summary(&mut self, url: &str, summary: &Summary) -> io::Result<()> {
        self.line(&json!({
            "type": "summary",
            "url": url,
            "ok": summary.ok,
            "fails": summary.fails,
            "differs": summary.differs,
            "skipped": summary.skipped,
            "stopped": summary.stopped,
            "lost": summary.lost,
            "folder": summary.folder,
            "left": summary.left,
        }))
    }
}

fn add(line: &mut Value, outcome: &str, finding: &Finding) {
    line["outcome"] = outcome.into();
    line["expected"] = finding.expected.as_str().into();
    line["got"] = finding.got.as_str().into();
    let Asked {
        method,
        url,
        headers,
        body,
        body_bytes,
    } = &finding.request;
    line["request"] = json!({
        "method": method,
        "url": url,
        "headers": object(headers),
        "body": body,
        "body_bytes": body_bytes,
    });
    line["answer"] = match &finding.answer {
        None => Value::Null,
        Some(Answered {
            status,
            headers,
            body,
        }) => json!({"status": status, "headers": object(headers), "body": body}),
    };
}

fn object(headers: &[(String, String)]) -> Value {
    let pairs = headers
        .iter()
        .map(|(name, value)| (name.clone(), value.as_str().into()));
    Value::Object(pairs.collect::<Map<_, _>>())
}
