//! A run from its first argument to its exit code.

use crate::cli::{Cli, Command};
use crate::exit::{Exit, Fail, Result};
use crate::{commands, output};
use clap::Parser;
use std::io::{self, IsTerminal};
use std::process::ExitCode;
use tracing::{Level, Metadata};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Threads that work at once: one moves bytes while the other hashes.
const WORKERS: usize = 2;

/// Reads the command line, does what it says, and reports how it went.
pub(crate) fn run() -> ExitCode {
    let cli = Cli::parse();
    start_log(&cli.command);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .enable_all()
        .build();
    let result = match runtime {
        Ok(runtime) => {
            let result = runtime.block_on(until_signal(cli));
            // A read from standard input may be waiting for ever.
            runtime.shutdown_background();
            result
        }
        Err(error) => Err(Fail::new(Exit::Other, "can't start", error)),
    };
    let exit = match result {
        Ok(()) => Exit::Ok,
        Err(fail) => {
            let line = fail.line();
            if !line.is_empty() {
                output::note(line);
            }
            fail.exit()
        }
    };
    ExitCode::from(exit as u8)
}

/// Client commands stop at a signal at once, and what they hold is cleaned up as it is dropped;
/// a server ends its requests first and handles signals by itself.
async fn until_signal(cli: Cli) -> Result<()> {
    if let Command::Serve(args) = &cli.command {
        return Box::pin(commands::serve::run(args)).await;
    }
    let work = Box::pin(commands::run(&cli));
    tokio::select! {
        result = work => result,
        exit = signal() => Err(Fail::silent(exit)),
    }
}

/// The first signal that asks to stop. From the call on, signals are caught, whether the
/// future is polled or not.
#[cfg(unix)]
pub(crate) fn signal() -> impl Future<Output = Exit> {
    use tokio::signal::unix::{Signal, SignalKind, signal};
    async fn caught(signal: io::Result<Signal>) {
        if let Ok(mut signal) = signal
            && signal.recv().await.is_some()
        {
            return;
        }
        // A signal that can't be caught ends the process by itself.
        std::future::pending::<()>().await;
    }
    let interrupt = signal(SignalKind::interrupt());
    let terminate = signal(SignalKind::terminate());
    async move {
        tokio::select! {
            () = caught(interrupt) => Exit::Interrupted,
            () = caught(terminate) => Exit::Terminated,
        }
    }
}

/// The first signal that asks to stop.
#[cfg(not(unix))]
pub(crate) async fn signal() -> Exit {
    match tokio::signal::ctrl_c().await {
        Ok(()) => Exit::Interrupted,
        Err(_) => std::future::pending().await,
    }
}

fn start_log(command: &Command) {
    let usual = match command {
        Command::Serve(_) => "info",
        // What goes wrong in the embedded server reaches the user as the command's own failure.
        _ => "warn,landfall_server=off",
    };
    let filter = match std::env::var("RUST_LOG") {
        Ok(wish) if !wish.is_empty() => EnvFilter::try_new(wish),
        _ => EnvFilter::try_new(usual),
    };
    tracing_subscriber::fmt()
        .with_env_filter(filter.unwrap_or_else(|_| EnvFilter::new(usual)))
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .finish()
        .with(filter_fn(may_be_told))
        .init();
}

/// Libraries write down requests byte for byte if one lets them, tokens included. No wish in
/// `RUST_LOG` changes that only this project's own lines, and others' warnings, are told.
fn may_be_told(line: &Metadata<'_>) -> bool {
    line.target().starts_with("landfall") || *line.level() <= Level::WARN
}
