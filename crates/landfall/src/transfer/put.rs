//! A plan, carried out: large files in pieces, small ones together, none waiting for the others.

use super::batch::{self, Group, Learnt, Small};
use super::blocking::{blocking, joined};
use super::engine::Engine;
use super::events::Event;
use super::existing::Existing;
use super::if_exists::{Before, Found};
use super::journal::Journals;
use super::outcome::{Outcome, UploadFailure};
use super::plan::{Plan, Planned};
use super::room;
use super::source::{Source, SourceError, hash_file};
use super::surplus::Surplus;
use super::upload::Upload;
use super::verdict::{PutFailure, PutOptions, Summary, Verdict};
use landfall_protocol::path::WritePath;
use landfall_protocol::types::files::{CommitInfo, WriteConflictError, WriteError};
use landfall_protocol::types::folders::{CreateFolderArg, CreateFolderError};
use landfall_protocol::{ContentHash, DisplayPath};
use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use tokio::task::JoinSet;

/// Large files at once. Each has several requests under way, so that more of them only would
/// leave more of them unfinished. Ours.
const LARGE: usize = 4;

/// Groups of small files at once: while one is being finished, others are being sent. Ours.
const GROUPS: usize = 3;

/// Files that are read to be compared, at once. Ours.
const COMPARED: usize = 4;

impl Engine {
    /// Sends the files of a plan and makes its empty folders. What becomes of each file is told
    /// by [`Event::Settled`], in the order in which it happens.
    ///
    /// Dropping the future stops it.
    ///
    /// # Errors
    /// What is there can't be looked at, or too much of it would be deleted; nothing was sent.
    pub async fn put(&self, plan: Plan, options: PutOptions) -> Result<Summary, PutFailure> {
        self.carry_out(plan, options, false).await
    }

    /// Does what [`Self::put`] does, but sends nothing.
    ///
    /// # Errors
    /// As for [`Self::put`].
    pub async fn rehearse(&self, plan: Plan, options: PutOptions) -> Result<Summary, PutFailure> {
        self.carry_out(plan, options, true).await
    }

    async fn carry_out(
        &self,
        plan: Plan,
        options: PutOptions,
        rehearsal: bool,
    ) -> Result<Summary, PutFailure> {
        for problem in plan.problems() {
            self.tell(Event::Problem {
                local: problem.local.clone(),
                why: problem.why.to_string(),
            });
        }
        self.tell(Event::Planned {
            files: plan.len() as u64,
            bytes: plan.bytes(),
        });
        let existing = if options.if_exists.looks_first() || options.delete.is_some() {
            Existing::look(self, &plan, options.delete.is_some()).await?
        } else {
            Existing::default()
        };
        if options.if_exists.looks_first() {
            room::check(self, &plan, &existing).await?;
        }
        let surplus = match options.delete {
            Some(most) => {
                let surplus = Surplus::find(&plan, &existing);
                let files = surplus.files();
                if files > most {
                    return Err(PutFailure::TooManyDeletions { files, most });
                }
                surplus
            }
            None => Surplus::default(),
        };
        let run = Run {
            engine: self.clone(),
            learnt: Arc::default(),
            plan: Arc::new(plan),
            existing,
            options,
            rehearsal,
            summary: Summary::default(),
        };
        let mut summary = run.run().await;
        if summary.is_complete() {
            surplus.delete(self, rehearsal, &mut summary).await;
        } else if surplus.files() > 0 {
            self.tell(Event::NothingDeleted);
        }
        Ok(summary)
    }
}

/// A plan under way.
struct Run {
    engine: Engine,
    learnt: Arc<Learnt>,
    plan: Arc<Plan>,
    existing: Existing,
    options: PutOptions,
    rehearsal: bool,
    summary: Summary,
}

/// Something that ended.
enum Step {
    /// A file was compared: whether it is the same.
    Compared(usize, Result<bool, UploadFailure>),
    Sent(Vec<(usize, Outcome)>),
}

/// Files of one kind, from the plan to their end.
struct Lane {
    /// Numbers of files that nobody has looked at yet.
    files: std::vec::IntoIter<u32>,
    /// Numbers of files that are to be sent.
    ready: VecDeque<usize>,
    ready_bytes: u64,
    comparing: usize,
    sending: usize,
}

impl Lane {
    fn new(files: Vec<u32>) -> Self {
        Self {
            files: files.into_iter(),
            ready: VecDeque::new(),
            ready_bytes: 0,
            comparing: 0,
            sending: 0,
        }
    }

    /// Whether no more files will be ready.
    fn is_fed(&self) -> bool {
        self.files.len() == 0 && self.comparing == 0
    }
}

impl Run {
    async fn run(mut self) -> Summary {
        self.make_folders().await;
        let numbers = 0..u32::try_from(self.plan.len()).expect("no disk has so many files");
        let is_small = |number: &u32| self.plan.size(*number as usize) <= batch::SMALL;
        let (small, large) = numbers.partition(is_small);
        let mut lanes = [Lane::new(small), Lane::new(large)];
        // A drop of this future ends them.
        let mut steps = JoinSet::new();
        loop {
            for (lane, enough) in lanes.iter_mut().zip([2 * batch::FILES, 2 * LARGE]) {
                self.feed(lane, enough, &mut steps);
            }
            let [small, large] = &mut lanes;
            self.send_small(small, &mut steps);
            self.send_large(large, &mut steps);
            let Some(step) = steps.join_next().await else {
                return self.summary;
            };
            let (lane, step) = joined(step);
            let lane: &mut Lane = &mut lanes[lane];
            match step {
                Step::Compared(index, same) => {
                    lane.comparing -= 1;
                    match same {
                        Ok(true) => self.settle(index, Verdict::AlreadyThere),
                        Ok(false) => {
                            let decision = self.options.if_exists.if_different();
                            self.act(lane, index, decision, &mut steps);
                        }
                        Err(failure) => self.settle(index, Verdict::Refused(failure)),
                    }
                }
                Step::Sent(outcomes) => {
                    lane.sending -= 1;
                    for (index, outcome) in outcomes {
                        let verdict = self.options.verdict(outcome);
                        self.settle(index, verdict);
                    }
                }
            }
        }
    }

    /// Decides about files until enough of them are ready.
    fn feed(&mut self, lane: &mut Lane, enough: usize, steps: &mut JoinSet<(usize, Step)>) {
        while lane.ready.len() < enough && lane.comparing < COMPARED {
            let Some(number) = lane.files.next() else {
                return;
            };
            let index = number as usize;
            let found = self.existing.at(&self.plan.there(index));
            let size = Some(self.plan.size(index));
            let decision = self.options.if_exists.before(size, found);
            self.act(lane, index, decision, steps);
        }
    }

    fn act(
        &mut self,
        lane: &mut Lane,
        index: usize,
        decision: Before,
        steps: &mut JoinSet<(usize, Step)>,
    ) {
        match decision {
            Before::Send => self.ready(lane, index),
            Before::Skip => self.settle(index, Verdict::Skipped),
            Before::InTheWay(what) => {
                let path = self.plan.there(index).as_str().to_owned();
                let failure = UploadFailure::Exists { path, what };
                self.settle(index, Verdict::Refused(failure));
            }
            Before::Compare(hash) => {
                lane.comparing += 1;
                let plan = Arc::clone(&self.plan);
                let which = usize::from(plan.size(index) > batch::SMALL);
                let journals = self.engine.settings().journals.clone();
                let commit = self.commit(&plan.file(index));
                steps.spawn_blocking(move || {
                    let local = plan.file(index).local;
                    let same = is_there(&local, hash, journals.as_ref(), &commit);
                    (
                        which,
                        Step::Compared(index, same.map_err(UploadFailure::from)),
                    )
                });
            }
        }
    }

    fn ready(&mut self, lane: &mut Lane, index: usize) {
        if self.rehearsal {
            return self.settle(index, Verdict::Would);
        }
        lane.ready.push_back(index);
        lane.ready_bytes += self.plan.size(index);
    }

    fn send_small(&self, lane: &mut Lane, steps: &mut JoinSet<(usize, Step)>) {
        while lane.sending < GROUPS {
            let full = lane.ready.len() >= batch::FILES || lane.ready_bytes >= batch::BYTES;
            if lane.ready.is_empty() || !(full || lane.is_fed()) {
                return;
            }
            let (mut files, mut bytes) = (Vec::new(), 0);
            while files.len() < batch::FILES && bytes < batch::BYTES {
                let Some(index) = lane.ready.pop_front() else {
                    break;
                };
                let file = self.plan.file(index);
                bytes += file.size;
                files.push(Small {
                    index,
                    commit: self.commit(&file),
                    local: file.local,
                    size: file.size,
                });
            }
            lane.ready_bytes -= bytes;
            lane.sending += 1;
            let group = Group {
                engine: self.engine.clone(),
                learnt: Arc::clone(&self.learnt),
            };
            steps.spawn(async move { (0, Step::Sent(group.run(files).await)) });
        }
    }

    fn send_large(&self, lane: &mut Lane, steps: &mut JoinSet<(usize, Step)>) {
        while lane.sending < LARGE {
            let Some(index) = lane.ready.pop_front() else {
                return;
            };
            lane.sending += 1;
            let file = self.plan.file(index);
            let (engine, commit) = (self.engine.clone(), self.commit(&file));
            steps.spawn(async move {
                let outcome = match blocking(move || Source::open(file.local)).await {
                    Ok(source) => Upload::new(&engine, source, commit).run().await,
                    Err(error) => Outcome::Refused(error.into()),
                };
                (1, Step::Sent(vec![(index, outcome)]))
            });
        }
    }

    fn commit(&self, file: &Planned) -> CommitInfo {
        self.options.commit(&file.there, file.modified)
    }

    fn settle(&mut self, index: usize, verdict: Verdict) {
        let size = self.plan.size(index);
        self.summary.count(size, &verdict);
        let there = self.plan.there(index);
        self.engine.tell(Event::Settled {
            file: Arc::from(there.as_str()),
            size,
            verdict: Arc::new(verdict),
        });
    }

    async fn make_folders(&mut self) {
        let folders = self.plan.folders().iter();
        let missing: Vec<_> = folders
            .filter(|folder| self.existing.at(folder) != Some(Found::Folder))
            .cloned()
            .collect();
        if self.rehearsal {
            self.summary.folders = missing.len() as u64;
            return;
        }
        let mut made = JoinSet::new();
        for folder in missing {
            if made.len() >= self.engine.width()
                && let Some(ended) = made.join_next().await
            {
                self.folder_made(joined(ended));
            }
            let engine = self.engine.clone();
            made.spawn(async move { make_folder(&engine, &folder).await });
        }
        while let Some(ended) = made.join_next().await {
            self.folder_made(joined(ended));
        }
    }

    fn folder_made(&mut self, made: Option<UploadFailure>) {
        match made {
            None => self.summary.folders += 1,
            Some(failure) => {
                self.summary.refused += 1;
                self.engine.tell(Event::Settled {
                    file: Arc::from(""),
                    size: 0,
                    verdict: Arc::new(Verdict::Refused(failure)),
                });
            }
        }
    }
}

/// Whether a file has the hash of what is at its place: then it is there. Blocks.
pub(super) fn is_there(
    local: &Path,
    hash: ContentHash,
    journals: Option<&Journals>,
    commit: &CommitInfo,
) -> Result<bool, SourceError> {
    let (_, here) = hash_file(local)?;
    let same = here == hash;
    // An earlier run may have saved it without hearing of it. Whoever is at the same upload now
    // ends it himself.
    if let (true, Some(journals)) = (same, journals) {
        drop(journals.settle(local, commit));
    }
    Ok(same)
}

/// Makes a folder; one that is there is as good.
async fn make_folder(engine: &Engine, folder: &DisplayPath) -> Option<UploadFailure> {
    let arg = CreateFolderArg {
        path: WritePath::parse(folder.as_str()).expect("it is a path"),
        autorename: false,
    };
    let what = "making a folder";
    let made = engine.repeat(what, || engine.client().create_folder(&arg));
    let error = made.await.err()?;
    match error.route_error() {
        Some(CreateFolderError::Path(WriteError::Conflict(WriteConflictError::Folder))) => None,
        _ => Some(UploadFailure::Folder(error)),
    }
}
