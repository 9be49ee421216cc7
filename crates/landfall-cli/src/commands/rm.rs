//! `rm`: deletes a file or a folder.

use super::{metadata, patience};
use crate::cli::Rm;
use crate::exit::{Context, Exit, Fail, Result};
use crate::output::{Output, event, metadata_fields, path_of};
use crate::paths::RemotePath;
use crate::progress::Progress;
use landfall::Client;
use landfall::transfer::{Repeatable, repeat};
use landfall_protocol::types::files::{DeleteArg, Metadata};

pub(crate) async fn run(args: &Rm, client: &Client, out: Output) -> Result<()> {
    let path = RemotePath::new(&args.path);
    let what = || format!("can't delete {}", path.shown());
    let mut arg = DeleteArg {
        path: path.to_write()?,
        parent_rev: None,
    };
    if !args.recursive {
        match metadata(client, &path).await?.when(what)? {
            // By naming the revision: a folder that takes the file's place meanwhile, or a
            // newer version that nobody looked at, must not be deleted.
            Metadata::File(file) => arg.parent_rev = Some(file.rev),
            Metadata::Folder(_) | Metadata::Deleted(_) => {
                let why = "it is a folder; use -r to delete it with all in it";
                return Err(Fail::new(Exit::Usage, what(), why));
            }
        }
    }
    let events = Progress::new(path.shown());
    let deleted = repeat(
        patience(),
        Repeatable::IfNothingHappened,
        "deleting",
        &events,
        || client.delete(&arg),
    );
    let gone = deleted.await.when(what)?.value.metadata;
    out.result(path_of(&gone), || event("rm", metadata_fields(&gone)))
}
