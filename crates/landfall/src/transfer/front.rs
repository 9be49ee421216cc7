//! The short way: one line for a file, one for a folder.

use super::blocking::blocking;
use super::engine::{Engine, Settings};
use super::events::{Events, nobody};
use super::existing::Existing;
use super::if_exists::{Before, IfExists};
use super::outcome::UploadFailure;
use super::plan::Plan;
use super::put::is_there;
use super::source::{Kind, Source};
use super::upload::Upload;
use super::verdict::{PutFailure, PutOptions, Summary, Verdict};
use super::walk::{PatternError, Walk};
use crate::Client;
use landfall_protocol::path::Malformed;
use landfall_protocol::{DisplayPath, Timestamp};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What [`Client::put`] sends: a path, or any [`Source`].
pub struct Content(What);

enum What {
    Path(PathBuf),
    Source(Source),
}

impl From<&str> for Content {
    fn from(path: &str) -> Self {
        Self(What::Path(path.into()))
    }
}

impl From<&Path> for Content {
    fn from(path: &Path) -> Self {
        Self(What::Path(path.to_owned()))
    }
}

impl From<PathBuf> for Content {
    fn from(path: PathBuf) -> Self {
        Self(What::Path(path))
    }
}

impl From<Source> for Content {
    fn from(source: Source) -> Self {
        Self(What::Source(source))
    }
}

impl Client {
    /// An upload of a file (by its path) or a stream, of any size, to a path such as
    /// `/docs/a.txt`.
    ///
    /// ```no_run
    /// # async fn run(client: landfall::Client) -> Result<(), Box<dyn std::error::Error>> {
    /// use landfall::transfer::{IfExists, Verdict};
    ///
    /// let put = client.put("report.pdf", "/reports/today.pdf");
    /// match put.if_exists(IfExists::Overwrite).run().await? {
    ///     Verdict::Uploaded(file) => println!("saved as rev {}", file.metadata.rev),
    ///     verdict => println!("{verdict:?}"),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn put(&self, content: impl Into<Content>, path: impl Into<String>) -> Put {
        Put {
            content: content.into(),
            path: path.into(),
            modified: None,
            options: PutOptions::default(),
            parts: Parts::new(self),
        }
    }

    /// An upload of all that is in a folder, to a path such as `/backup/photos`, whose content it
    /// becomes.
    ///
    /// ```no_run
    /// # async fn run(client: landfall::Client) -> Result<(), Box<dyn std::error::Error>> {
    /// use landfall::transfer::{Event, IfExists};
    ///
    /// let put = client.put_folder("photos", "/backup/photos").exclude("*.tmp")?;
    /// let put = put.if_exists(IfExists::SkipSame).events(|event| {
    ///     if let Event::Settled { file, verdict, .. } = event {
    ///         println!("{file}: {verdict:?}");
    ///     }
    /// });
    /// let summary = put.run().await?;
    /// println!("{} sent, {} were there", summary.uploaded, summary.already_there);
    /// # Ok(())
    /// # }
    /// ```
    pub fn put_folder(&self, folder: impl Into<PathBuf>, path: impl Into<String>) -> PutFolder {
        PutFolder {
            walk: Walk::new(folder),
            path: path.into(),
            options: PutOptions::default(),
            parts: Parts::new(self),
        }
    }
}

/// What an engine is made of.
struct Parts {
    client: Client,
    settings: Settings,
    events: Arc<dyn Events>,
}

impl Parts {
    fn new(client: &Client) -> Self {
        Self {
            client: client.clone(),
            settings: Settings::default(),
            events: nobody(),
        }
    }

    fn engine(self) -> Engine {
        Engine::with(self.client, self.settings, self.events)
    }
}

/// An upload of one file or stream, to be run.
#[must_use]
pub struct Put {
    content: Content,
    path: String,
    modified: Option<Timestamp>,
    options: PutOptions,
    parts: Parts,
}

impl Put {
    /// What to do about a file that is there.
    pub fn if_exists(mut self, if_exists: IfExists) -> Self {
        self.options.if_exists = if_exists;
        self
    }

    /// The time of the last change to save with the file, instead of the file's own.
    pub fn modified(mut self, time: Timestamp) -> Self {
        self.modified = Some(time);
        self
    }

    /// Whether to raise no notification in the user's clients.
    pub fn mute(mut self, mute: bool) -> Self {
        self.options.mute = mute;
        self
    }

    /// Bounds, patience, and where unfinished uploads are written down.
    pub fn settings(mut self, settings: Settings) -> Self {
        self.parts.settings = settings;
        self
    }

    /// Who is told what happens.
    pub fn events(mut self, events: impl Events + 'static) -> Self {
        self.parts.events = Arc::new(events);
        self
    }

    /// Runs it to its end. Dropping the future stops it; see [`Upload::run`].
    ///
    /// # Errors
    /// The path can't be one, or can't be looked at; nothing was sent.
    pub async fn run(self) -> Result<Verdict, PutFailure> {
        let there = file_place(&self.path)?;
        let source = match self.content.0 {
            What::Source(source) => source,
            What::Path(path) => match blocking(move || Source::open(path)).await {
                Ok(source) => source,
                Err(error) => return Ok(Verdict::Refused(error.into())),
            },
        };
        let engine = self.parts.engine();
        if let Some(verdict) = without_sending(&engine, &source, &there, &self.options).await? {
            return Ok(verdict);
        }
        let modified = self.modified.or(source.modified());
        let commit = self.options.commit(&there, modified);
        let outcome = Upload::new(&engine, source, commit).run().await;
        Ok(self.options.verdict(outcome))
    }
}

/// What there is to say before a byte is sent.
async fn without_sending(
    engine: &Engine,
    source: &Source,
    there: &DisplayPath,
    options: &PutOptions,
) -> Result<Option<Verdict>, PutFailure> {
    if !options.if_exists.looks_first() {
        return Ok(None);
    }
    let mut plan = Plan::new();
    plan.add_file(
        PathBuf::new(),
        there.clone(),
        source.size().unwrap_or(0),
        None,
    );
    let existing = Existing::look(engine, &plan, false).await?;
    let mut decision = options.if_exists.before(source.size(), existing.at(there));
    if let (Before::Compare(hash), Kind::File(file)) = (decision, &source.0) {
        let path = file.path().to_owned();
        let journals = engine.settings().journals.clone();
        let commit = options.commit(there, None);
        let comparing = move || is_there(&path, hash, journals.as_ref(), &commit);
        decision = match blocking(comparing).await {
            Ok(true) => return Ok(Some(Verdict::AlreadyThere)),
            Ok(false) => options.if_exists.if_different(),
            Err(error) => return Ok(Some(Verdict::Refused(error.into()))),
        };
    }
    Ok(match decision {
        Before::Send | Before::Compare(_) => None,
        Before::Skip => Some(Verdict::Skipped),
        Before::InTheWay(what) => {
            let path = there.as_str().to_owned();
            Some(Verdict::Refused(UploadFailure::Exists { path, what }))
        }
    })
}

fn place(path: &str) -> Result<DisplayPath, PutFailure> {
    let bad = |why| PutFailure::BadPath {
        path: path.to_owned(),
        why,
    };
    DisplayPath::parse(path).map_err(bad)
}

/// The root itself is no place for a file.
fn file_place(path: &str) -> Result<DisplayPath, PutFailure> {
    match place(path)? {
        there if there.is_root() => Err(PutFailure::BadPath {
            path: path.to_owned(),
            why: Malformed::Component,
        }),
        there => Ok(there),
    }
}

/// An upload of a folder, to be run.
#[must_use]
pub struct PutFolder {
    walk: Walk,
    path: String,
    options: PutOptions,
    parts: Parts,
}

impl PutFolder {
    /// Leaves out what fits the pattern; see [`Walk::exclude`].
    ///
    /// # Errors
    /// It is no pattern.
    pub fn exclude(mut self, pattern: &str) -> Result<Self, PatternError> {
        self.walk = self.walk.exclude(pattern)?;
        Ok(self)
    }

    /// Lets in only what fits; see [`Walk::include`].
    ///
    /// # Errors
    /// It is no pattern.
    pub fn include(mut self, pattern: &str) -> Result<Self, PatternError> {
        self.walk = self.walk.include(pattern)?;
        Ok(self)
    }

    /// Whether symlinks stand for what they lead to.
    pub fn follow_symlinks(mut self, follow: bool) -> Self {
        self.walk = self.walk.follow_symlinks(follow);
        self
    }

    /// What to do about files that are there.
    pub fn if_exists(mut self, if_exists: IfExists) -> Self {
        self.options.if_exists = if_exists;
        self
    }

    /// All of how files are saved.
    pub fn options(mut self, options: PutOptions) -> Self {
        self.options = options;
        self
    }

    /// Bounds, patience, and where unfinished uploads are written down.
    pub fn settings(mut self, settings: Settings) -> Self {
        self.parts.settings = settings;
        self
    }

    /// Who is told what happens, and what becomes of each file.
    pub fn events(mut self, events: impl Events + 'static) -> Self {
        self.parts.events = Arc::new(events);
        self
    }

    /// Runs it to its end. What can't go ([`Plan::problems`]) is told by
    /// [`Event::Problem`](super::Event::Problem) and left out. Dropping the future stops it.
    ///
    /// # Errors
    /// The folder can't be walked, or what is there can't be looked at; nothing was sent.
    pub async fn run(self) -> Result<Summary, PutFailure> {
        let there = place(&self.path)?;
        let walk = self.walk.destined_for(there.clone());
        let looking = walk.clone();
        let tree = blocking(move || looking.run()).await?;
        let mut plan = Plan::new();
        plan.add_tree(walk, there, tree)?;
        self.parts.engine().put(plan, self.options).await
    }
}
