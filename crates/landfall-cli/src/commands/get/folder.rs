//! A folder with all in it.

use super::listing::{Folder, LeftOut, Listing, Tree, Wanted};
use super::one::{One, blocking};
use super::part::Leftovers;
use super::{engine, folder_of, full_or, get_event, sync_folder};
use crate::cli::Get;
use crate::exit::{Context, Exit, Fail, Result};
use crate::human::size;
use crate::output::{self, Output, event, fields, metadata_fields, path_of};
use crate::paths::RemotePath;
use crate::progress::Progress;
use landfall::Client;
use landfall::transfer::Engine;
use landfall_protocol::limits::HASH_BLOCK;
use landfall_protocol::path::ReadPath;
use landfall_protocol::types::files::{FileMetadata, FolderMetadata, Metadata};
use serde_json::{Value, json};
use std::collections::{BTreeSet, VecDeque};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use tokio::task::JoinSet;

/// Small files at once: each is one request, and the engine has as many at once. Ours.
const SMALL_AT_ONCE: usize = 16;

/// Large files at once. Each has several requests under way, so that more of them only would
/// leave more of them unfinished. Ours.
const LARGE_AT_ONCE: usize = 4;

/// How a file ended.
enum Verdict {
    Got,
    AlreadyThere,
    Failed(Fail),
}

/// How many ended how.
#[derive(Default)]
struct Summary {
    got: u64,
    bytes: u64,
    already_there: u64,
    failed: u64,
    not_tried: u64,
    folders: u64,
    /// Of the failures, if they are all of one kind.
    exit: Option<Exit>,
}

/// Gets what is below a folder; `folder` is nothing for the root.
pub(super) async fn run(
    args: &Get,
    client: &Client,
    path: &RemotePath,
    folder: Option<&FolderMetadata>,
    out: Output,
) -> Result<()> {
    let root = destination(args, folder)?;
    let waiting = Progress::new(path.shown());
    let listing = Listing::of(client, path, folder, &waiting).await?;
    waiting.clear();
    let tree = listing.into_tree(&root);
    let total = tree.files.iter().map(|wanted| wanted.file.size).sum();
    let progress = Progress::of_transfer(path.shown(), args.pace.progress, out);
    progress.plan(tree.files.len() as u64, total);
    let mut run = Run {
        engine: engine(args, client, progress.for_tasks()),
        progress,
        force: args.force,
        out,
        folders: Vec::new(),
        changed: BTreeSet::new(),
        summary: Summary::default(),
    };
    let files = run.prepare(tree).await?;
    run.get(files).await?;
    run.progress.clear();
    run.end(path, &root).await
}

/// The folder that is to hold what is in FOLDER: DEST, or one of its name in DEST if DEST is
/// named as a folder. It doesn't matter what is there, so that the same command goes on.
fn destination(args: &Get, folder: Option<&FolderMetadata>) -> Result<PathBuf> {
    let typed = args.dest.as_os_str().to_string_lossy();
    let into = typed.ends_with('/') || args.dest.file_name().is_none();
    let what = || format!("can't get {} as {}", args.path, args.dest.display());
    let dest = match folder {
        Some(folder) if into => {
            if let Some(why) = super::place::unfit(&folder.name) {
                return Err(Fail::new(Exit::Source, what(), why).and("give DEST a name"));
            }
            args.dest.join(&folder.name)
        }
        _ => args.dest.clone(),
    };
    if folder_of(&dest).is_dir() {
        return Ok(dest);
    }
    let why = "its folder is not there; make it first";
    Err(Fail::new(Exit::Source, what(), why))
}

struct Run {
    engine: Engine,
    progress: Progress,
    force: bool,
    out: Output,
    /// Those that are there, by their numbers, and what earlier runs left in them.
    folders: Vec<Option<(PathBuf, Leftovers)>>,
    /// Folders with new names in them.
    changed: BTreeSet<PathBuf>,
    summary: Summary,
}

impl Run {
    /// Makes the folders, and says what can't be got; what there is to get.
    async fn prepare(&mut self, tree: Tree) -> Result<Vec<Wanted>> {
        let progress = self.progress.for_tasks();
        for left in tree.left_out {
            progress.beside(|| self.tell_left_out(&left))?;
        }
        let made = blocking(move || Made::make(tree.folders)).await;
        self.summary.folders = made.new;
        self.changed.extend(made.changed);
        for fail in made.failed {
            self.summary.fail(&fail);
            progress.beside(|| output::failure(fail));
        }
        self.folders = made.folders;
        let mut files = tree.files;
        files.retain(|wanted| self.folders[wanted.folder].is_some());
        Ok(files)
    }

    /// All that there is to know to get a file.
    fn one(&self, wanted: Wanted) -> One {
        let (folder, leftovers) = self.folders[wanted.folder].as_ref().expect("it is there");
        let file = wanted.file.metadata();
        let dest = folder.join(&file.name);
        leftovers.remove_others(&dest, &file.rev);
        One {
            engine: self.engine.clone(),
            path: asked_by(&file),
            file,
            dest,
            force: self.force,
        }
    }

    /// Gets the files, several at once.
    async fn get(&mut self, files: Vec<Wanted>) -> Result<()> {
        let (small, large): (VecDeque<Wanted>, VecDeque<Wanted>) = files
            .into_iter()
            .partition(|wanted| wanted.file.size <= HASH_BLOCK);
        let progress = self.progress.for_tasks();
        let mut lanes = [(small, SMALL_AT_ONCE), (large, LARGE_AT_ONCE)];
        // A drop of this future ends them.
        let mut running = JoinSet::new();
        loop {
            for (lane, (waiting, free)) in lanes.iter_mut().enumerate() {
                while *free > 0 && !self.is_hopeless() {
                    let Some(wanted) = waiting.pop_front() else {
                        break;
                    };
                    let one = self.one(wanted);
                    *free -= 1;
                    running.spawn(async move {
                        let verdict = verdict(&one).await;
                        (lane, one, verdict)
                    });
                }
            }
            let Some(ended) = running.join_next().await else {
                let waiting = lanes.iter().map(|(waiting, _)| waiting.len() as u64);
                self.summary.not_tried = waiting.sum();
                return Ok(());
            };
            let (lane, one, verdict) =
                ended.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
            lanes[lane].1 += 1;
            let moved = matches!(verdict, Verdict::Got);
            progress.through(one.path.as_str(), one.file.size, moved);
            progress.beside(|| self.tell(&one.file, &one.dest, verdict))?;
        }
    }

    /// Whether all others would fail in the same way.
    fn is_hopeless(&self) -> bool {
        matches!(self.summary.exit, Some(Exit::Auth | Exit::Space))
    }

    fn tell(&mut self, file: &FileMetadata, dest: &Path, verdict: Verdict) -> Result<()> {
        let place = dest.display().to_string();
        match verdict {
            Verdict::Got => {
                self.summary.got += 1;
                self.summary.bytes += file.size;
                self.changed.insert(folder_of(dest).to_owned());
                self.out
                    .result(&place, || get_event(&place, "downloaded", file))
            }
            Verdict::AlreadyThere => {
                self.summary.already_there += 1;
                let text = format!("{place} (already there)");
                self.out
                    .result(text, || get_event(&place, "already_there", file))
            }
            Verdict::Failed(fail) => {
                self.summary.fail(&fail);
                output::failure(&fail);
                if !self.out.is_json() {
                    return Ok(());
                }
                let described = Metadata::File(file.clone());
                self.out
                    .result("", || failed_event(&place, &described, &fail))
            }
        }
    }

    fn tell_left_out(&mut self, left: &LeftOut) -> Result<()> {
        let what = format!(
            "can't get {} into {}",
            path_of(&left.entry),
            left.folder.display()
        );
        let fail = Fail::new(Exit::Source, what, left.why).and("it is left out");
        self.summary.fail(&fail);
        output::failure(&fail);
        if !self.out.is_json() {
            return Ok(());
        }
        let folder = left.folder.display().to_string();
        self.out
            .result("", || failed_event(&folder, &left.entry, &fail))
    }

    /// Makes what was got survive power loss, and says what it was.
    async fn end(self, path: &RemotePath, root: &Path) -> Result<()> {
        let changed = self.changed;
        let synced = blocking(move || changed.iter().try_for_each(|folder| sync_folder(folder)));
        synced
            .await
            .when(|| format!("can't write {}", root.display()))?;
        let summary = self.summary;
        if self.out.is_json() {
            let event = || summary_event(path, root, &summary);
            self.out.result("", event)?;
        }
        let text = summary.text();
        match summary.exit {
            None => {
                output::note(format_args!("{}: {text}", path.shown()));
                Ok(())
            }
            Some(exit) => {
                let what = format!("can't get all of {}", path.shown());
                Err(Fail::new(exit, what, text))
            }
        }
    }
}

impl Summary {
    fn fail(&mut self, fail: &Fail) {
        self.failed += 1;
        self.exit = match self.exit {
            None => Some(fail.exit()),
            Some(exit) if exit == fail.exit() => Some(exit),
            Some(_) => Some(Exit::Other),
        };
    }

    fn text(&self) -> String {
        let count = |count: u64, one: &str, more: &str| {
            format!("{count} {}", if count == 1 { one } else { more })
        };
        let mut text = format!(
            "{} downloaded ({})",
            count(self.got, "file", "files"),
            size(self.bytes)
        );
        for (number, what) in [
            (self.already_there, "already there"),
            (self.failed, "failed"),
            (self.not_tried, "not tried"),
        ] {
            if number > 0 {
                text += &format!(", {number} {what}");
            }
        }
        if self.folders > 0 {
            text += &format!("; {} made", count(self.folders, "folder", "folders"));
        }
        text
    }
}

/// What a file is asked for by: its path, or its revision if the service gives no path.
fn asked_by(file: &FileMetadata) -> ReadPath {
    let path = file.path_display.as_deref();
    let path = path.and_then(|path| ReadPath::parse(path).ok());
    path.unwrap_or_else(|| {
        ReadPath::parse(&format!("rev:{}", file.rev)).expect("a rev stands for a path")
    })
}

async fn verdict(one: &One) -> Verdict {
    match one.is_there().await {
        Ok(true) => Verdict::AlreadyThere,
        Ok(false) => match one.run().await {
            Ok(()) => Verdict::Got,
            Err(fail) => Verdict::Failed(fail),
        },
        Err(fail) => Verdict::Failed(fail),
    }
}

/// What became of folders.
#[derive(Default)]
struct Made {
    /// How many were not there before.
    new: u64,
    /// Folders with new ones in them.
    changed: BTreeSet<PathBuf>,
    failed: Vec<Fail>,
    /// Those that are there, and what earlier runs left in them.
    folders: Vec<Option<(PathBuf, Leftovers)>>,
}

impl Made {
    /// Makes folders, each after the one that it is in. One that is there is as good.
    fn make(folders: Vec<Folder>) -> Self {
        let mut made = Self::default();
        for Folder { dest, parent } in folders {
            if parent.is_some_and(|parent| made.folders[parent].is_none()) {
                made.folders.push(None);
                continue;
            }
            let leftovers = match fs::create_dir(&dest) {
                Ok(()) => {
                    made.new += 1;
                    made.changed.insert(folder_of(&dest).to_owned());
                    Leftovers::default()
                }
                Err(error) if error.kind() == ErrorKind::AlreadyExists && dest.is_dir() => {
                    Leftovers::of(&dest)
                }
                Err(error) => {
                    let what = format!("can't make the folder {}", dest.display());
                    made.failed.push(match error.kind() {
                        ErrorKind::AlreadyExists => Fail::new(
                            Exit::Conflict,
                            what,
                            "a file is there; choose another place",
                        ),
                        _ => full_or(what, &error),
                    });
                    made.folders.push(None);
                    continue;
                }
            };
            made.folders.push(Some((dest, leftovers)));
        }
        made
    }
}

fn failed_event(dest: &str, entry: &Metadata, fail: &Fail) -> Value {
    let mut object = fields(json!({
        "dest": dest,
        "status": "failed",
        "error": fail.line(),
        "exit": fail.exit() as u8,
    }));
    object.extend(metadata_fields(entry));
    event("get", object)
}

fn summary_event(path: &RemotePath, dest: &Path, summary: &Summary) -> Value {
    event(
        "get_summary",
        fields(json!({
            "path": path.shown(),
            "dest": dest.display().to_string(),
            "downloaded": summary.got,
            "bytes": summary.bytes,
            "already_there": summary.already_there,
            "failed": summary.failed,
            "not_tried": summary.not_tried,
            "folders": summary.folders,
        })),
    )
}

#[cfg(test)]
mod tests {
    use super::{Summary, asked_by, failed_event, summary_event};
    use crate::exit::{Exit, Fail};
    use crate::output::tests::{check, file, folder};
    use crate::paths::RemotePath;
    use landfall_protocol::types::files::Metadata;
    use std::path::Path;

    #[test]
    fn events_are_as_the_schema_says() {
        let fail = Fail::new(Exit::Conflict, "can't get a", "it exists");
        check(&failed_event("a", &Metadata::File(file()), &fail));
        check(&failed_event("a", &Metadata::Folder(folder()), &fail));
        let (path, dest) = (RemotePath::new("/"), Path::new("here"));
        check(&summary_event(&path, dest, &Summary::default()));
    }

    #[test]
    fn a_file_without_a_path_is_asked_for_by_its_revision() {
        let mut file = file();
        assert_eq!(asked_by(&file).as_str(), "/a.txt");
        for path in [None, Some("no path".to_owned())] {
            file.path_display = path;
            assert_eq!(asked_by(&file).as_str(), "rev:123456789");
        }
    }

    #[test]
    fn failures_of_one_kind_have_its_code_and_others_together_the_general_one() {
        let fail = |exit| Fail::new(exit, "x", "y");
        let mut summary = Summary::default();
        assert_eq!(summary.exit, None);
        for (exit, wanted) in [
            (Exit::Conflict, Exit::Conflict),
            (Exit::Conflict, Exit::Conflict),
            (Exit::Source, Exit::Other),
            (Exit::Source, Exit::Other),
        ] {
            summary.fail(&fail(exit));
            assert_eq!(summary.exit, Some(wanted));
        }
        assert_eq!(summary.text(), "0 files downloaded (0 B), 4 failed");
    }
}
