//! `put` of folders, and of several files.

use super::{engine, name_of};
use crate::cli::{IfExists, OnBadName, Put};
use crate::exit::{Context, Exit, Fail, Result, ToExit};
use crate::output::{self, Output, event, fields};
use crate::paths::{RemotePath, means_into};
use crate::progress::Progress;
use crate::remote::Remote;
use landfall::transfer::{
    Event, Events, Obstacle, Plan, Problem, PutOptions, Source, Summary, Verdict, Walk,
};
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::task::spawn_blocking;

pub(super) async fn run(args: &Put, srcs: &[PathBuf], remote: &Remote, out: Output) -> Result<()> {
    let mut plan = Plan::new();
    let several = srcs.len() > 1;
    for src in srcs {
        add(&mut plan, args, src, several).await?;
    }
    plan.check().map_err(|error| Fail::plain(&error))?;
    let failures = Failures::default();
    for problem in plan.problems() {
        tell_problem(problem, args.on_bad_name, out, &failures)?;
    }
    let bad_names = plan
        .problems()
        .iter()
        .filter(|problem| is_bad_name(&problem.why));
    let bad_names = bad_names.count();
    if bad_names > 0 && args.on_bad_name == OnBadName::Fail {
        let what = format!("can't put {}", srcs[0].display());
        let why = format!(
            "{bad_names} names can't be there, so nothing was sent; rename them, or leave them out by --on-bad-name skip"
        );
        return Err(Fail::new(Exit::Usage, what, why));
    }

    let name = srcs[0].display().to_string();
    let progress = Progress::of_transfer(&name, args.transfer.pace.progress, out);
    let teller = Teller {
        progress: progress.for_tasks(),
        out,
        rehearsal: args.dry_run,
        failures: failures.clone(),
    };
    let engine = engine(remote, &args.transfer, teller);
    let options = PutOptions {
        if_exists: args.policy(),
        mtime: !args.no_mtime,
        mute: args.mute,
        delete: args.delete.then_some(args.max_delete),
    };
    output::if_interrupted(match args.if_exists {
        IfExists::Overwrite => "stopped; to go on, leave what is there by --if-exists skip-same",
        IfExists::Rename => {
            "stopped; the same command goes on, and saves once more what got another name"
        }
        _ => "stopped; the same command goes on where it was",
    });
    let put = if args.dry_run {
        engine.rehearse(plan, options).await
    } else {
        engine.put(plan, options).await
    };
    drop(engine);
    progress.clear();
    let summary = put.when(|| format!("can't put {name} at {}", args.dest))?;
    out.result(text_of(&summary, args.dry_run), || summary_event(&summary))?;
    failures.verdict(&summary)
}

/// Adds a source to the plan.
async fn add(plan: &mut Plan, args: &Put, src: &Path, several: bool) -> Result<()> {
    let dest = RemotePath::new(&args.dest);
    if !src.is_dir() {
        let source = Source::open(src).map_err(|error| Fail::plain(&error))?;
        let there = dest.child(&name_of(src)?).to_place()?;
        if there.has_disallowed_name() {
            let why = format!(
                "the service never stores a file of this name ({})",
                there.as_str()
            );
            return Err(Fail::new(
                Exit::Usage,
                format!("can't put {}", src.display()),
                why,
            ));
        }
        let modified = args.mtime.or(source.modified());
        plan.add_file(src.to_owned(), there, source.size().unwrap_or(0), modified);
        return Ok(());
    }
    // What is in a folder becomes what is in DEST, whether that exists or not: else the same
    // command would do something else the second time.
    let there = match several || means_into(&args.dest) {
        true => dest.child(&name_of(src)?),
        false => dest,
    };
    let there = there.to_place()?;
    let mut walk = Walk::new(src)
        .destined_for(there.clone())
        .follow_symlinks(args.follow_symlinks);
    for pattern in &args.exclude {
        walk = walk.exclude(pattern).map_err(|error| Fail::plain(&error))?;
    }
    for pattern in &args.include {
        walk = walk.include(pattern).map_err(|error| Fail::plain(&error))?;
    }
    let looking = walk.clone();
    let tree = spawn_blocking(move || looking.run()).await;
    let tree = tree.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
    let tree = tree.map_err(|error| Fail::plain(&error))?;
    plan.add_tree(walk, there, tree)
        .map_err(|error| Fail::plain(&error))?;
    if let Some(time) = args.mtime {
        plan.set_modified(time);
    }
    Ok(())
}

/// How files failed.
#[derive(Clone, Default)]
struct Failures {
    exits: Arc<Mutex<Vec<Exit>>>,
}

impl Failures {
    fn add(&self, exit: Exit) {
        self.exits
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(exit);
    }

    /// The end of the run: 1 if some files failed, or what they failed of if nothing else came
    /// of it.
    fn verdict(&self, summary: &Summary) -> Result<()> {
        let exits = self.exits.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(first) = exits.first() else {
            return Ok(());
        };
        let nothing = summary.uploaded + summary.already_there + summary.skipped == 0;
        let exit = match nothing && exits.iter().all(|exit| exit == first) {
            true => *first,
            false => Exit::Other,
        };
        let count = exits.len();
        let files = counted(count as u64, "file");
        Err(Fail::new(
            exit,
            "put",
            format!("{files} failed; the lines above say why"),
        ))
    }
}

/// Tells of something that can't go. Links, pipes and the like are left out as everybody would
/// expect; what can't be read is a failure.
fn tell_problem(
    problem: &Problem,
    bad_names: OnBadName,
    out: Output,
    failures: &Failures,
) -> Result<()> {
    let (status, failed) = match &problem.why {
        Obstacle::Symlink | Obstacle::Special | Obstacle::Disallowed => ("skipped", false),
        why if is_bad_name(why) => match bad_names {
            OnBadName::Skip => ("skipped", false),
            OnBadName::Fail => ("failed", true),
        },
        _ => ("failed", true),
    };
    if failed {
        failures.add(Exit::Source);
        output::failure(problem);
    } else {
        output::note(format!("{problem} (left out)"));
    }
    out.event(&problem_event(problem, status))
}

/// Whether it is for `--on-bad-name` to decide. Files of an operating system such as `.DS_Store`
/// are missed by nobody.
fn is_bad_name(why: &Obstacle) -> bool {
    why.is_about_the_name() && !matches!(why, Obstacle::Disallowed)
}

fn problem_event(problem: &Problem, status: &str) -> Value {
    let numbers = json!({
        "local": problem.local.to_string_lossy(),
        "status": status,
        "why": problem.why.to_string(),
    });
    event("problem", fields(numbers))
}

/// Tells what becomes of each file.
struct Teller {
    progress: Progress,
    out: Output,
    rehearsal: bool,
    failures: Failures,
}

impl Events for Teller {
    fn event(&self, event: Event) {
        match &event {
            Event::Settled {
                file,
                size,
                verdict,
            } => self.settled(file, *size, verdict),
            Event::Deleted { path, files } => {
                if self.rehearsal && !self.out.is_json() {
                    self.line(&format!("delete  {path}"));
                }
                let numbers = json!({"path": &**path, "files": files});
                self.tell(&output::event("deleted", fields(numbers)));
            }
            Event::NothingDeleted => {
                let text = "nothing was deleted, because not all files are at their places";
                self.progress.beside(|| output::note(text));
            }
            _ => {}
        }
        self.progress.event(event);
    }
}

impl Teller {
    fn settled(&self, file: &str, size: u64, verdict: &Verdict) {
        let (status, why) = match verdict {
            Verdict::Uploaded(_) => ("uploaded", None),
            Verdict::AlreadyThere => ("already_there", None),
            Verdict::Skipped => ("skipped", None),
            Verdict::Would => ("would_upload", None),
            Verdict::Refused(failure) => {
                self.failures.add(failure.exit());
                ("failed", Some(failure.why()))
            }
            Verdict::Unknown(unknown) => {
                self.failures.add(unknown.exit());
                ("unknown", Some(unknown.why()))
            }
            _ => ("failed", None),
        };
        if let Some(why) = &why {
            let line = Fail::new(Exit::Other, format!("can't put {file}"), why).line();
            self.progress.beside(|| output::failure(line));
        } else if self.rehearsal && !self.out.is_json() {
            let verb = match status {
                "would_upload" => "upload ",
                "already_there" => "same   ",
                _ => "skip   ",
            };
            self.line(&format!("{verb} {file}"));
        }
        self.tell(&file_event(file, size, status, verdict, why));
    }

    // Who stopped reading is noticed at the summary.

    fn line(&self, text: &str) {
        let line = || drop(output::line(text));
        self.progress.beside_results(line);
    }

    fn tell(&self, event: &Value) {
        let told = || drop(self.out.event(event));
        self.progress.beside_results(told);
    }
}

fn file_event(
    file: &str,
    size: u64,
    status: &str,
    verdict: &Verdict,
    why: Option<String>,
) -> Value {
    let mut fields = fields(json!({"path": file, "status": status, "size": size}));
    if let Verdict::Uploaded(uploaded) = verdict {
        let file = &uploaded.metadata;
        fields.insert("rev".to_owned(), file.rev.as_str().into());
        fields.insert(
            "content_hash".to_owned(),
            uploaded.content_hash.to_string().into(),
        );
        if let Some(path) = &file.path_display {
            fields.insert("path".to_owned(), path.as_str().into());
        }
    }
    if let Some(why) = why {
        fields.insert("why".to_owned(), why.into());
    }
    event("file", fields)
}

fn summary_event(summary: &Summary) -> Value {
    event("summary", summary_fields(summary))
}

fn summary_fields(summary: &Summary) -> Map<String, Value> {
    fields(json!({
        "uploaded": summary.uploaded,
        "bytes": summary.bytes,
        "already_there": summary.already_there,
        "skipped": summary.skipped,
        "failed": summary.refused,
        "unknown": summary.unknown,
        "folders": summary.folders,
        "deleted": summary.deleted,
    }))
}

fn text_of(summary: &Summary, rehearsal: bool) -> String {
    let would = if rehearsal { "would be " } else { "" };
    let uploaded = counted(summary.uploaded, "file");
    let mut text = format!("{uploaded} {would}uploaded ({} bytes)", summary.bytes);
    for (count, what) in [
        (summary.already_there, "already there"),
        (summary.skipped, "skipped"),
        (summary.refused, "failed"),
        (summary.unknown, "unknown"),
    ] {
        if count > 0 {
            text += &format!(", {count} {what}");
        }
    }
    for (count, what, done) in [
        (summary.folders, "empty folder", "made"),
        (summary.deleted, "file", "deleted"),
    ] {
        if count > 0 {
            text += &format!(", {} {would}{done}", counted(count, what));
        }
    }
    text
}

fn counted(count: u64, what: &str) -> String {
    let s = if count == 1 { "" } else { "s" };
    format!("{count} {what}{s}")
}

#[cfg(test)]
mod tests {
    use super::{file_event, problem_event, summary_event, text_of};
    use crate::output::tests::check;
    use crate::output::{event, fields};
    use landfall::transfer::{Obstacle, Problem, Summary, Verdict};
    use serde_json::json;

    #[test]
    fn events_are_as_the_schema_says() {
        check(&file_event("/a", 3, "skipped", &Verdict::Skipped, None));
        check(&file_event(
            "/a",
            3,
            "failed",
            &Verdict::Skipped,
            Some("why".to_owned()),
        ));
        check(&summary_event(&Summary::default()));
        check(&event("deleted", fields(json!({"path": "/a", "files": 2}))));
        let problem = Problem {
            local: "a".into(),
            why: Obstacle::Symlink,
        };
        check(&problem_event(&problem, "skipped"));
    }

    #[test]
    fn a_summary_names_what_there_was() {
        let summary = Summary {
            uploaded: 3,
            bytes: 10,
            refused: 1,
            deleted: 2,
            ..Summary::default()
        };
        assert_eq!(
            text_of(&summary, false),
            "3 files uploaded (10 bytes), 1 failed, 2 files deleted"
        );
        assert_eq!(
            text_of(&Summary::default(), true),
            "0 files would be uploaded (0 bytes)"
        );
    }
}
