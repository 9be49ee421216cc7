//! `mv` and `cp`: moves or copies a file or a folder.

use super::{is_not_found, metadata, patience};
use crate::cli::Relocate;
use crate::exit::{Context, Result};
use crate::output::{Output, event, metadata_fields, path_of};
use crate::paths::{RemotePath, means_into};
use crate::progress::Progress;
use landfall::Client;
use landfall::transfer::{Repeatable, repeat};
use landfall_protocol::types::files::Metadata;
use landfall_protocol::types::relocation::RelocationArg;

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Mv,
    Cp,
}

impl Verb {
    fn name(self) -> &'static str {
        match self {
            Self::Mv => "mv",
            Self::Cp => "cp",
        }
    }

    fn infinitive(self) -> &'static str {
        match self {
            Self::Mv => "move",
            Self::Cp => "copy",
        }
    }
}

pub(crate) async fn run(verb: Verb, args: &Relocate, client: &Client, out: Output) -> Result<()> {
    let from = RemotePath::new(&args.src);
    let what = || {
        format!(
            "can't {} {} to {}",
            verb.infinitive(),
            from.shown(),
            args.dest
        )
    };
    let to = target(client, &from, &args.dest, what).await?;
    let mut arg = RelocationArg::new(from.to_write()?, to.to_write()?);
    arg.autorename = args.rename;
    let events = Progress::new(from.shown());
    let doing = match verb {
        Verb::Mv => "moving",
        Verb::Cp => "copying",
    };
    let once = Repeatable::IfNothingHappened;
    let done = repeat(patience(), once, doing, &events, async || match verb {
        Verb::Mv => client.move_v2(&arg).await,
        Verb::Cp => client.copy_v2(&arg).await,
    });
    let there = done.await.when(what)?.value.metadata;
    out.result(path_of(&there), || {
        event(verb.name(), metadata_fields(&there))
    })
}

/// Where to; into a folder, under the name of the source.
async fn target(
    client: &Client,
    from: &RemotePath,
    dest: &str,
    what: impl Fn() -> String,
) -> Result<RemotePath> {
    let to = RemotePath::new(dest);
    if !means_into(dest) && !to.is_root() {
        match metadata(client, &to).await? {
            Ok(Metadata::Folder(_)) => {}
            Err(error) if !is_not_found(&error) => return Err(error).when(what),
            _ => return Ok(to),
        }
    }
    // What was typed may be an id.
    let source = metadata(client, from).await?.when(what)?;
    Ok(to.child(source.name()))
}
