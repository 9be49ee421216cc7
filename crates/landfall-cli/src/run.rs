//! A run from its first argument to its exit code.

use crate::cli::{Cli, Command, help};
use crate::exit::{Context, Exit, Fail, Result};
use crate::{commands, log, output};
use std::io;
use std::process::ExitCode;

/// Threads that work at once: one moves bytes while the other hashes.
const WORKERS: usize = 2;

/// Reads the command line, does what it says, and reports how it went.
pub(crate) fn run() -> ExitCode {
    let cli = help::parse();
    output::set_manner(&cli.global);
    let exit = match log::start(&cli).and_then(|()| to_its_end(cli)) {
        Ok(()) => Exit::Ok,
        Err(fail) => {
            let line = fail.line();
            if !line.is_empty() {
                output::failure(line);
            }
            fail.exit()
        }
    };
    ExitCode::from(exit as u8)
}

fn to_its_end(cli: Cli) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .enable_all()
        .build()
        .when(|| "can't start")?;
    let result = runtime.block_on(until_signal(cli));
    // A read from standard input may be waiting for ever.
    runtime.shutdown_background();
    result
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
        exit = signal() => Err(Fail::stopped(exit)),
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
