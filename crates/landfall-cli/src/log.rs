//! What is logged, and where to.

use crate::cli::{Cli, Command, Global};
use crate::exit::{Context, Result};
use std::fs::OpenOptions;
use std::io::{self, IsTerminal};
use std::sync::Arc;
use tracing::{Level, Metadata};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::fmt::writer::BoxMakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Starts the log that the command line asks for.
pub(crate) fn start(cli: &Cli) -> Result<()> {
    let wish = std::env::var("RUST_LOG").ok();
    let wish = wish.filter(|wish| !wish.is_empty());
    let usual = usual(&cli.global, &cli.command);
    let filter = EnvFilter::try_new(wish.as_deref().unwrap_or(usual));
    let (writer, colours) = match &cli.global.log_file {
        Some(path) => {
            let file = OpenOptions::new().create(true).append(true).open(path);
            let file = file.when(|| format!("can't write the log {}", path.display()))?;
            (BoxMakeWriter::new(Arc::new(file)), false)
        }
        None => (BoxMakeWriter::new(io::stderr), io::stderr().is_terminal()),
    };
    tracing_subscriber::fmt()
        .with_env_filter(filter.unwrap_or_else(|_| EnvFilter::new(usual)))
        .with_writer(writer)
        .with_ansi(colours)
        .finish()
        .with(filter_fn(may_be_told))
        .init();
    Ok(())
}

/// The filter where `RUST_LOG` asks for none.
fn usual(global: &Global, command: &Command) -> &'static str {
    if global.quiet && global.log_file.is_none() {
        return "off";
    }
    match (global.verbose, command) {
        (0, Command::Serve(_)) => "info",
        // What goes wrong in the embedded server reaches the user as the command's own failure.
        (0, _) => "warn,landfall_server=off",
        (1, Command::Serve(_)) => "warn,landfall=info",
        (1, _) => "warn,landfall=info,landfall_server=off",
        _ => "warn,landfall=debug",
    }
}

/// Libraries write down requests byte for byte if one lets them, tokens included. No wish in
/// `RUST_LOG` changes that only this project's own lines, and others' warnings, are told.
fn may_be_told(line: &Metadata<'_>) -> bool {
    line.target().starts_with("landfall") || *line.level() <= Level::WARN
}
