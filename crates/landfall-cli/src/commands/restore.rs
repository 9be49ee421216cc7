//! `restore`: makes a file again what it was.

use super::patience;
use crate::cli::Restore;
use crate::exit::{Context, Result};
use crate::output::{Output, event, file_fields};
use crate::paths::RemotePath;
use crate::progress::Progress;
use landfall::Client;
use landfall::transfer::{Repeatable, repeat};
use landfall_protocol::types::revisions::RestoreArg;

pub(crate) async fn run(args: &Restore, client: &Client, out: Output) -> Result<()> {
    let path = RemotePath::new(&args.path);
    let arg = RestoreArg {
        path: path.to_make()?,
        rev: args.rev.clone(),
    };
    let events = Progress::new(path.shown());
    // Once is enough: somebody may have written the file since a lost answer.
    let once = Repeatable::IfNothingHappened;
    let restored = repeat(patience(), once, "restoring", &events, || {
        client.restore(&arg)
    });
    let what = || format!("can't restore {} as it was in {}", path.shown(), args.rev);
    let file = restored.await.when(what)?.value;
    let shown = file.path_display.as_deref().unwrap_or(&file.name);
    out.result(shown, || event("restore", file_fields(&file)))
}
