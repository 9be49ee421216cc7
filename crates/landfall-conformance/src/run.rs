//! The run: a folder is made, the cases work in it one after the other, the folder goes.

use crate::answer::Answer;
use crate::case::{Case, Mark};
use crate::cases;
use crate::finding::{Checked, Finding, Stop};
use crate::place::Place;
use crate::service::{Numbering, Service};
use std::io;
use std::pin::pin;
use std::time::Duration;
use thiserror::Error;

/// How long a case may go on after the run was told to stop. What is on its way to the service
/// should arrive before the folder is removed, or it makes the folder anew.
const GRACE: Duration = Duration::from_secs(10);

/// How often the folder's removal is tried.
const REMOVALS: usize = 3;

/// What to run, and how to judge.
#[derive(Clone, Debug)]
pub struct Options {
    /// The begin of the folder's path; a hyphen and something random follow.
    pub folder: String,
    /// Where the service's autorename begins to count.
    pub numbering: Numbering,
    /// Only cases whose names begin so.
    pub only: String,
    /// Whether a case of [`Mark::I`] fails instead of differing.
    pub strict: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            folder: "/landfall-conformance".into(),
            numbering: Numbering::default(),
            only: String::new(),
            strict: false,
        }
    }
}

/// How a case ended.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// Its claim holds.
    Ok,
    /// Its claim doesn't hold.
    Fails(Finding),
    /// The service does otherwise where the sources leave it open.
    Differs(Finding),
    /// It can't be tried here, for this reason.
    Skipped(String),
}

/// A case and how it ended.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// The case.
    pub case: Case,
    /// How it ended.
    pub outcome: Outcome,
}

/// How a run ended.
#[derive(Clone, Debug)]
pub struct Summary {
    /// The folder that it worked in.
    pub folder: String,
    /// Cases whose claim holds.
    pub ok: usize,
    /// Cases whose claim doesn't hold.
    pub fails: usize,
    /// Cases that the service answers otherwise, which is its right.
    pub differs: usize,
    /// Cases that were not tried.
    pub skipped: usize,
    /// Whether it was stopped before its last case.
    pub stopped: bool,
    /// Why no case came after the last one, if the service was gone.
    pub lost: Option<String>,
    /// Why the folder is still there, if it is.
    pub left: Option<String>,
}

/// Why nothing was tried.
#[derive(Debug, Error)]
pub enum Trouble {
    /// No name begins so.
    #[error("no case's name begins with `{0}`; --list shows them")]
    NoCase(String),
    /// The folder is no place to work in.
    #[error(
        "`{0}` can't be the begin of a folder's path: it must begin with a slash and not end with one"
    )]
    Folder(String),
    /// The folder above isn't there. It would be made, and stay.
    #[error("there is no folder {0} at {1}")]
    NoParent(String, String),
    /// The service doesn't answer.
    #[error("no answer from {url}: {why}")]
    NoAnswer {
        /// Where it should be.
        url: String,
        /// Why not.
        why: String,
    },
    /// The service doesn't make the folder.
    #[error("{url} doesn't make the folder {folder}: status {status}, {text}")]
    NoFolder {
        /// The service.
        url: String,
        /// The folder.
        folder: String,
        /// The answer's status.
        status: u16,
        /// The answer's body.
        text: String,
    },
    /// The operating system has no random bytes.
    #[error("no random name for the folder: {0}")]
    Random(String),
}

/// Runs the cases; `told` hears of each. Once `stopped` is ready, or `told` fails, no further case
/// begins, and the folder is removed.
pub async fn run(
    service: &Service,
    options: &Options,
    stopped: impl Future<Output = ()>,
    mut told: impl FnMut(&Verdict) -> io::Result<()>,
) -> Result<Summary, Trouble> {
    let chosen = cases::all().filter(|case| case.name.starts_with(&options.only));
    let chosen: Vec<Case> = chosen.copied().collect();
    if chosen.is_empty() {
        return Err(Trouble::NoCase(options.only.clone()));
    }
    let suite = Suite::begin(service, options).await?;
    let mut summary = Summary {
        folder: suite.folder.clone(),
        ok: 0,
        fails: 0,
        differs: 0,
        skipped: 0,
        stopped: false,
        lost: None,
        left: None,
    };
    let mut stopped = pin!(stopped);
    for case in chosen {
        let place = suite.place(case.name);
        let mut check = (case.check)(&place);
        let checked = tokio::select! {
            biased;
            () = &mut stopped => {
                summary.stopped = true;
                let _ = tokio::time::timeout(GRACE, check).await;
                break;
            }
            checked = &mut check => checked,
        };
        let outcome = suite.judge(&case, checked);
        match &outcome {
            Outcome::Ok => summary.ok += 1,
            Outcome::Fails(_) => summary.fails += 1,
            Outcome::Differs(_) => summary.differs += 1,
            Outcome::Skipped(_) => summary.skipped += 1,
        }
        let unanswered = match &outcome {
            Outcome::Fails(finding) | Outcome::Differs(finding) => finding.answer.is_none(),
            _ => false,
        };
        if told(&Verdict { case, outcome }).is_err() {
            summary.stopped = true;
            break;
        }
        if unanswered && let Err(why) = suite.knock().await {
            summary.lost = Some(why);
            break;
        }
    }
    summary.left = suite.end().await.err();
    Ok(summary)
}

/// A run with its folder.
struct Suite<'a> {
    service: &'a Service,
    options: &'a Options,
    folder: String,
}

impl<'a> Suite<'a> {
    /// Makes the folder. It must be new: what isn't ours must never be removed.
    async fn begin(service: &'a Service, options: &'a Options) -> Result<Self, Trouble> {
        let prefix = &options.folder;
        if !prefix.starts_with('/') || prefix.ends_with('/') {
            return Err(Trouble::Folder(prefix.clone()));
        }
        let mut random = [0; 6];
        getrandom::fill(&mut random).map_err(|error| Trouble::Random(error.to_string()))?;
        let random: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
        let suite = Self {
            service,
            options,
            folder: format!("{prefix}-{random}"),
        };
        let url = service.url().to_owned();
        let parent = prefix.rsplit_once('/').map_or("", |(parent, _)| parent);
        if !parent.is_empty() {
            match suite.root().metadata(parent).await {
                Ok(found) if found.refused("path/not_found").is_ok() => {
                    return Err(Trouble::NoParent(parent.to_owned(), url));
                }
                // Whatever else there is to say, the next call says it too.
                Ok(_) | Err(_) => {}
            }
        }
        let made = suite.root().create_folder(&suite.folder).await;
        match made {
            Ok(answer) if answer.status == 200 => Ok(suite),
            Ok(answer) => Err(Trouble::NoFolder {
                url,
                folder: suite.folder.clone(),
                status: answer.status,
                text: suite.text(&answer),
            }),
            Err(stop) => Err(Trouble::NoAnswer {
                url,
                why: suite.why(stop),
            }),
        }
    }

    /// The suite's folder itself.
    fn root(&self) -> Place<'_> {
        Place {
            service: self.service,
            folder: self.folder.clone(),
            numbering: self.options.numbering,
        }
    }

    /// A case's folder.
    fn place(&self, name: &str) -> Place<'_> {
        Place {
            folder: format!("{}/{}", self.folder, name.replace('/', " ")),
            ..self.root()
        }
    }

    fn judge(&self, case: &Case, checked: Checked) -> Outcome {
        match checked {
            Ok(()) => Outcome::Ok,
            Err(Stop::Skipped(why)) => Outcome::Skipped(why),
            Err(Stop::Found(mut finding)) => {
                finding.hide(|text| self.service.hide(text));
                if case.mark == Mark::I && !self.options.strict {
                    Outcome::Differs(*finding)
                } else {
                    Outcome::Fails(*finding)
                }
            }
        }
    }

    /// Whether the service still answers anything.
    async fn knock(&self) -> Result<(), String> {
        match self.root().metadata(&self.folder).await {
            Ok(_) => Ok(()),
            Err(stop) => Err(self.why(stop)),
        }
    }

    /// Removes the folder; why not, if it stays.
    async fn end(self) -> Result<(), String> {
        let mut why = String::new();
        for nth in 0..REMOVALS {
            if nth > 0 {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            match self.root().delete(&self.folder).await {
                Ok(answer) if answer.status == 200 => return Ok(()),
                // A removal whose answer was lost.
                Ok(answer) if answer.refused("path_lookup/not_found").is_ok() => return Ok(()),
                Ok(answer) => why = format!("status {}, {}", answer.status, self.text(&answer)),
                Err(stop) => why = self.why(stop),
            }
        }
        Err(why)
    }

    /// An answer's text on one line.
    fn text(&self, answer: &Answer) -> String {
        let text = answer.text();
        let words: Vec<&str> = text.split_whitespace().collect();
        let mut text = crate::call::shorten(&words.join(" "));
        self.service.hide(&mut text);
        text
    }

    fn why(&self, stop: Stop) -> String {
        let mut why = match stop {
            Stop::Found(finding) => finding.got.trim_start_matches("none: ").to_owned(),
            Stop::Skipped(why) => why,
        };
        self.service.hide(&mut why);
        why
    }
}
