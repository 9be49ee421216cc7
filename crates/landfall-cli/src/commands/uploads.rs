//! `uploads`: what was begun and not finished.

use super::put::engine;
use crate::cli::{ForgetUpload, ResumeUploads, Uploads};
use crate::exit::{Exit, Fail, Result, ToExit};
use crate::output::{self, Output, event, fields, time};
use crate::progress::Progress;
use crate::remote::Remote;
use crate::state;
use landfall::transfer::{JournalError, Journals, Outcome, Source, Unfinished, Upload};
use landfall_protocol::Timestamp;
use serde_json::{Value, json};

/// Runs what needs no remote; `None`: it needs one.
pub(crate) fn without_remote(command: &Uploads, out: Output) -> Option<Result<()>> {
    match command {
        Uploads::List => Some(list(out)),
        Uploads::Forget(args) => Some(forget(args, out)),
        Uploads::Resume(_) => None,
    }
}

/// Journals of uploads to whatever service.
fn all() -> Result<Journals> {
    Ok(Journals::new(state::directory()?.join("uploads"), ""))
}

fn list(out: Output) -> Result<()> {
    let uploads = all()?.list().map_err(|error| Fail::plain(&error))?;
    for upload in uploads {
        out.result(line(&upload), || listed(&upload))?;
    }
    Ok(())
}

fn forget(args: &ForgetUpload, out: Output) -> Result<()> {
    let journals = all()?;
    for id in &args.ids {
        journals.forget(id).map_err(|error| Fail::plain(&error))?;
        out.result(format!("{id} (forgotten)"), || {
            event("forgotten", fields(json!({ "id": id })))
        })?;
    }
    Ok(())
}

/// Goes on with unfinished uploads to this remote.
pub(crate) async fn run(args: &ResumeUploads, remote: &Remote, out: Output) -> Result<()> {
    let mut uploads = all()?.list().map_err(|error| Fail::plain(&error))?;
    if args.ids.is_empty() {
        uploads.retain(|upload| upload.service == remote.service());
    } else {
        // One that can't be meant is said before any is gone on with.
        for id in &args.ids {
            let Some(upload) = uploads.iter().find(|upload| upload.id == *id) else {
                let unknown = JournalError::Unknown { id: id.clone() };
                return Err(Fail::plain(&unknown));
            };
            if upload.service != remote.service() {
                let why = format!("it was begun to {}; name it by --remote", upload.service);
                return Err(Fail::new(
                    Exit::Usage,
                    format!("can't go on with {id}"),
                    why,
                ));
            }
        }
        uploads.retain(|upload| args.ids.contains(&upload.id));
    }
    resume(args, uploads, remote, out).await
}

/// Goes on with these, one after the other.
async fn resume(
    args: &ResumeUploads,
    uploads: Vec<Unfinished>,
    remote: &Remote,
    out: Output,
) -> Result<()> {
    output::if_interrupted("stopped; `landfall uploads resume` goes on where it was");
    let mut failed = Vec::new();
    for upload in uploads {
        let dest = upload.commit.path.as_str().to_owned();
        let what = || format!("can't put {} at {dest}", upload.source.display());
        let outcome = match Source::open(&upload.source) {
            Ok(source) => {
                let progress = Progress::of_transfer(&dest, args.transfer.pace.progress, out);
                let engine = engine(remote, &args.transfer, progress.for_tasks());
                let commit = upload.commit_of(&source);
                let run = Upload::new(&engine, source, commit).run().await;
                progress.clear();
                run
            }
            Err(error) => Outcome::Refused(error.into()),
        };
        match outcome {
            Outcome::Done(done) => {
                let file = &done.metadata;
                let path = file.path_display.as_deref().unwrap_or(&file.name);
                out.result(path, || {
                    let mut put = fields(json!({"status": "uploaded"}));
                    put.extend(output::file_fields(file));
                    event("put", put)
                })?;
            }
            Outcome::Refused(failure) => {
                failed.push(failure.exit());
                output::failure(Fail::new(failure.exit(), what(), failure.why()));
            }
            Outcome::Unknown(unknown) => {
                failed.push(unknown.exit());
                output::failure(Fail::plain(&unknown));
            }
        }
    }
    match failed.first() {
        None => Ok(()),
        Some(first) if failed.iter().all(|exit| exit == first) => Err(Fail::silent(*first)),
        Some(_) => Err(Fail::silent(Exit::Other)),
    }
}

fn line(upload: &Unfinished) -> String {
    let percent = (upload.stored * 100).checked_div(upload.size).unwrap_or(0);
    let state = match (upload.held_by, upload.is_expired()) {
        (Some(pid), _) => format!(", process {pid} is at it"),
        (None, true) => ", too old to go on with".to_owned(),
        (None, false) => String::new(),
    };
    format!(
        "{}  {percent:3}% of {} bytes, begun {}{state}  {} -> {} {}",
        upload.id,
        upload.size,
        begun(upload).map_or_else(|| "-".to_owned(), time),
        upload.source.display(),
        upload.service,
        upload.commit.path.as_str(),
    )
}

fn begun(upload: &Unfinished) -> Option<Timestamp> {
    let begun = i64::try_from(upload.begun?).ok()?;
    Some(Timestamp::from_unix_seconds(begun))
}

fn listed(upload: &Unfinished) -> Value {
    let numbers = json!({
        "id": upload.id,
        "remote": upload.service,
        "local": upload.source.to_string_lossy(),
        "path": upload.commit.path.as_str(),
        "size": upload.size,
        "stored": upload.stored,
        "begun": begun(upload).map(time),
        "expired": upload.is_expired(),
        "process": upload.held_by,
    });
    event("upload", fields(numbers))
}

#[cfg(test)]
mod tests {
    use super::{line, listed};
    use crate::output::tests::check;
    use crate::output::{event, fields};
    use landfall::transfer::Unfinished;
    use landfall_protocol::path::WritePathOrId;
    use landfall_protocol::types::files::CommitInfo;
    use serde_json::json;

    #[test]
    fn an_upload_is_told_with_how_far_it_is() {
        let upload = Unfinished {
            id: "1a2b".to_owned(),
            service: "lab".to_owned(),
            source: "/data/a.iso".into(),
            commit: CommitInfo::new(WritePathOrId::parse("/a.iso").unwrap()),
            size: 200,
            stored: 50,
            begun: Some(0),
            modified: None,
            held_by: None,
        };
        let text = line(&upload);
        assert!(
            text.contains(" 25% of 200 bytes, begun 1970-01-01T00:00:00Z"),
            "{text}"
        );
        assert!(
            text.contains("too old") && text.ends_with("/data/a.iso -> lab /a.iso"),
            "{text}"
        );
        check(&listed(&upload));
        check(&event("forgotten", fields(json!({"id": "1a2b"}))));
    }
}
