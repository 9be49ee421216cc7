//! `mkdir`: makes a folder.

use super::patience;
use crate::cli::Mkdir;
use crate::exit::{Context, Result};
use crate::output::{Output, event, folder_fields};
use crate::paths::RemotePath;
use crate::progress::Progress;
use landfall::Client;
use landfall::transfer::{Repeatable, repeat};
use landfall_protocol::types::folders::CreateFolderArg;

pub(crate) async fn run(args: &Mkdir, client: &Client, out: Output) -> Result<()> {
    let path = RemotePath::new(&args.path);
    let arg = CreateFolderArg {
        path: path.to_make()?,
        autorename: false,
    };
    let events = Progress::new(path.shown());
    let made = repeat(
        patience(),
        Repeatable::IfNothingHappened,
        "making the folder",
        &events,
        || client.create_folder(&arg),
    );
    let what = || format!("can't make {}", path.shown());
    let folder = made.await.when(what)?.value.metadata;
    let shown = folder.path_display.as_deref().unwrap_or(&folder.name);
    out.result(shown, || event("mkdir", folder_fields(&folder)))
}
