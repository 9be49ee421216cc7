//! The commands, one file each.

pub(crate) mod admin;
pub(crate) mod completions;
pub(crate) mod doctor;
pub(crate) mod get;
pub(crate) mod ls;
pub(crate) mod man;
pub(crate) mod mkdir;
pub(crate) mod put;
pub(crate) mod relocate;
pub(crate) mod remote;
pub(crate) mod restore;
pub(crate) mod revs;
pub(crate) mod rm;
pub(crate) mod serve;
pub(crate) mod session;
pub(crate) mod stat;
pub(crate) mod uploads;
pub(crate) mod watch;

use crate::cli::{Cli, Command, Uploads};
use crate::exit::Result;
use crate::output::Output;
use crate::paths::RemotePath;
use crate::progress::Progress;
use crate::remote::{Remote, RemoteConfig};
use landfall::transfer::{Repeatable, RetryPolicy, repeat};
use landfall::{CallError, Client};
use landfall_protocol::types::files::{GetMetadataArg, GetMetadataError, LookupError, Metadata};
use relocate::Verb;

/// Runs a command that is not `serve`.
pub(crate) async fn run(cli: &Cli) -> Result<()> {
    let out = Output::new(cli.global.json);
    match &cli.command {
        Command::Serve(args) => return Box::pin(serve::run(args)).await,
        Command::Admin(args) => return admin::run(args).await,
        Command::Remote(command) => return remote::run(command, &cli.global),
        Command::Completions(args) => return completions::run(args),
        Command::Man(args) => return man::run(args),
        Command::Uploads(command) => {
            if let Some(result) = uploads::without_remote(command, out) {
                return result;
            }
        }
        Command::Doctor => return Box::pin(doctor::run(&cli.global, out)).await,
        _ => {}
    }
    let remote = Box::pin(Remote::open(&cli.global, &RemoteConfig::load()?)).await?;
    let client = remote.client();
    let result = match &cli.command {
        Command::Put(args) => Box::pin(put::run(args, &remote, out)).await,
        Command::Uploads(Uploads::Resume(args)) => Box::pin(uploads::run(args, &remote, out)).await,
        Command::Get(args) => Box::pin(get::run(args, client, out)).await,
        Command::Ls(args) => ls::run(args, client, out).await,
        Command::Stat(args) => stat::run(args, client, out).await,
        Command::Rm(args) => rm::run(args, client, out).await,
        Command::Mv(args) => Box::pin(relocate::run(Verb::Mv, args, client, out)).await,
        Command::Cp(args) => Box::pin(relocate::run(Verb::Cp, args, client, out)).await,
        Command::Revs(args) => revs::run(args, client, out).await,
        Command::Restore(args) => restore::run(args, client, out).await,
        Command::Mkdir(args) => mkdir::run(args, client, out).await,
        Command::Watch(args) => watch::run(args, client, out).await,
        Command::Session(command) => Box::pin(session::run(command, client, out)).await,
        Command::Serve(_)
        | Command::Admin(_)
        | Command::Remote(_)
        | Command::Completions(_)
        | Command::Man(_)
        | Command::Doctor
        | Command::Uploads(_) => Ok(()),
    };
    remote.close().await;
    result
}

/// What is at a path; the root is nothing that could be asked for.
async fn metadata(
    client: &Client,
    path: &RemotePath,
) -> Result<std::result::Result<Metadata, CallError<GetMetadataError>>> {
    let arg = GetMetadataArg::new(path.to_read()?);
    let events = Progress::new(path.shown());
    let what = "looking at the path";
    let found = repeat(patience(), Repeatable::Always, what, &events, || {
        client.get_metadata(&arg)
    });
    Ok(found.await.map(|reply| reply.value))
}

/// How often commands without bytes are repeated: a person waits for them, and nothing is lost
/// when they fail.
fn patience() -> RetryPolicy {
    RetryPolicy {
        failures: 4,
        ..RetryPolicy::default()
    }
}

/// Whether the error says that nothing is there.
fn is_not_found(error: &CallError<GetMetadataError>) -> bool {
    matches!(
        error.route_error(),
        Some(GetMetadataError::Path(LookupError::NotFound))
    )
}
