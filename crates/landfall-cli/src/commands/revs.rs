//! `revs`: lists what a file was.

use super::patience;
use crate::cli::Revs;
use crate::exit::{Context, Result};
use crate::output::{Output, event, file_fields, note, time};
use crate::paths::RemotePath;
use crate::progress::Progress;
use landfall::Client;
use landfall::transfer::{Repeatable, repeat};
use landfall_protocol::limits;
use landfall_protocol::types::files::FileMetadata;
use landfall_protocol::types::revisions::{ListRevisionsArg, ListRevisionsMode, RevisionLimit};

pub(crate) async fn run(args: &Revs, client: &Client, out: Output) -> Result<()> {
    let path = RemotePath::new(&args.path);
    let what = || format!("can't list the revisions of {}", path.shown());
    let mut arg = ListRevisionsArg::new(path.to_look_back()?);
    arg.limit = RevisionLimit::new(limits::REVISIONS_PAGE);
    if args.follow {
        arg.mode = ListRevisionsMode::Id;
    }
    let events = Progress::new(path.shown());
    loop {
        let asked = repeat(patience(), Repeatable::Always, "listing", &events, || {
            client.list_revisions(&arg)
        });
        let page = asked.await.when(what)?.value;
        for file in &page.entries {
            out.result(text(args, file), || event("revision", file_fields(file)))?;
        }
        match page.entries.last() {
            Some(last) if page.has_more && !args.follow => arg.before_rev = Some(last.rev.clone()),
            _ if page.has_more => {
                // The API goes on for paths alone.
                note(format_args!(
                    "older revisions of {} are not shown",
                    path.shown()
                ));
                return Ok(());
            }
            _ => return Ok(()),
        }
    }
}

fn text(args: &Revs, file: &FileMetadata) -> String {
    let line = format!(
        "{}  {:>14}  {}",
        time(file.server_modified),
        file.size,
        file.rev
    );
    match &file.path_display {
        Some(path) if args.follow => format!("{line}  {path}"),
        _ => line,
    }
}
