//! A plan, carried out: large files in pieces, small ones together, none waiting for the others.

use super::batch::{self, Group, Learnt, Small};
use super::engine::Engine;
use super::events::Event;
use super::existing::{Existing, Found};
use super::outcome::{Outcome, UploadFailure};
use super::plan::{Plan, Planned};
use super::room;
use super::source::{Source, hash_file};
use super::surplus::Surplus;
use super::upload::Upload;
use super::verdict::{IfExists, PutFailure, PutOptions, Summary, Verdict};
use landfall_protocol::path::WritePath;
use landfall_protocol::types::files::{CommitInfo, WriteConflictError, WriteError};
use landfall_protocol::types::folders::{CreateFolderArg, CreateFolderError};
use landfall_protocol::{ContentHash, DisplayPath};
use std::collections::VecDeque;
use std::sync::Arc;
use tokio::task::{JoinSet, spawn_blocking};

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

/// What to do about a file.
enum Decision {
    Send,
    /// Read it, and compare the hash with this.
    Compare(ContentHash),
    Settled(Verdict),
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
            let (lane, step) =
                step.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
            let lane: &mut Lane = &mut lanes[lane];
            match step {
                Step::Compared(index, same) => {
                    lane.comparing -= 1;
                    match same {
                        Ok(true) => self.settle(index, Verdict::AlreadyThere),
                        Ok(false) if self.options.if_exists == IfExists::Fail => {
                            let verdict = self.in_the_way(index, "a file with other bytes");
                            self.settle(index, verdict);
                        }
                        Ok(false) => self.ready(lane, index),
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
            match self.decide(index) {
                Decision::Send => self.ready(lane, index),
                Decision::Settled(verdict) => self.settle(index, verdict),
                Decision::Compare(hash) => {
                    lane.comparing += 1;
                    let plan = Arc::clone(&self.plan);
                    let which = usize::from(plan.size(index) > batch::SMALL);
                    let journals = self.engine.settings().journals.clone();
                    let commit = self.commit(&plan.file(index));
                    steps.spawn_blocking(move || {
                        let local = plan.file(index).local;
                        let same = hash_file(&local);
                        let same = same
                            .map(|(_, got)| got == hash)
                            .map_err(UploadFailure::from);
                        // An earlier run may have saved it without hearing of it. Whoever is at
                        // the same upload now ends it himself.
                        if let (Ok(true), Some(journals)) = (&same, journals) {
                            drop(journals.settle(&local, &commit));
                        }
                        (which, Step::Compared(index, same))
                    });
                }
            }
        }
    }

    fn decide(&self, index: usize) -> Decision {
        let size = self.plan.size(index);
        let found = self.existing.at(&self.plan.there(index));
        match (&self.options.if_exists, found) {
            (_, None) => Decision::Send,
            (IfExists::Skip, Some(_)) => Decision::Settled(Verdict::Skipped),
            (_, Some(Found::Folder)) => Decision::Settled(self.in_the_way(index, "a folder")),
            (
                IfExists::Fail | IfExists::SkipSame,
                Some(Found::File {
                    size: there,
                    hash: Some(hash),
                }),
            ) if there == size => Decision::Compare(hash),
            (IfExists::Fail, Some(Found::File { .. })) => {
                Decision::Settled(self.in_the_way(index, "a file with other bytes"))
            }
            (_, Some(Found::File { .. })) => Decision::Send,
        }
    }

    fn in_the_way(&self, index: usize, what: &'static str) -> Verdict {
        let path = self.plan.there(index).as_str().to_owned();
        Verdict::Refused(UploadFailure::Exists { path, what })
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
                let opened = spawn_blocking(move || Source::open(file.local)).await;
                let outcome = match opened {
                    Ok(Ok(source)) => Upload::new(&engine, source, commit).run().await,
                    Ok(Err(error)) => Outcome::Refused(error.into()),
                    Err(error) => std::panic::resume_unwind(error.into_panic()),
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
            if made.len() >= self.engine.width() {
                self.folder_made(made.join_next().await);
            }
            let engine = self.engine.clone();
            made.spawn(async move { make_folder(&engine, &folder).await });
        }
        while !made.is_empty() {
            self.folder_made(made.join_next().await);
        }
    }

    fn folder_made(&mut self, made: Option<Result<Option<UploadFailure>, tokio::task::JoinError>>) {
        match made {
            None => {}
            Some(Ok(None)) => self.summary.folders += 1,
            Some(Ok(Some(failure))) => {
                self.summary.refused += 1;
                self.engine.tell(Event::Settled {
                    file: Arc::from(""),
                    size: 0,
                    verdict: Arc::new(Verdict::Refused(failure)),
                });
            }
            Some(Err(error)) => std::panic::resume_unwind(error.into_panic()),
        }
    }
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
