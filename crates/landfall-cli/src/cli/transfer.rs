//! How much a transfer may take of the line, the machine and people's time.

use super::quantity::{duration, size};
use clap::{Args, ValueEnum};
use landfall::transfer::{Journals, RetryPolicy, Settings};
use std::time::Duration;

/// What uploads may take.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Transfer options")]
pub(crate) struct Transfer {
    #[command(flatten)]
    pub(crate) pace: Pace,
    /// Bytes in a request, in whole 4 MiB [default: what the line moves in about a second]
    #[arg(long, env = "LANDFALL_CHUNK_SIZE", value_name = "SIZE", value_parser = size)]
    pub(crate) chunk_size: Option<u64>,
    /// Bytes per second to send, at most [default: no limit]
    #[arg(long, env = "LANDFALL_BWLIMIT", value_name = "SIZE", value_parser = size)]
    pub(crate) bwlimit: Option<u64>,
}

/// What any transfer may take.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Transfer options")]
pub(crate) struct Pace {
    /// Requests at once, at most; how many there are follows what the line carries
    #[arg(long, env = "LANDFALL_WORKERS", value_name = "NUMBER", default_value_t = 20,
        value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(crate) workers: u16,
    /// Bytes of content to hold in memory, at most, in whole 4 MiB; the program itself takes some
    /// 20 MiB more, and with the remote `local` a server [default: 96MiB for put, 64MiB with `local`,
    /// 48MiB for get]
    #[arg(long, env = "LANDFALL_MEMORY", value_name = "SIZE", value_parser = size)]
    pub(crate) memory: Option<u64>,
    /// How long to go on without any success before giving up
    #[arg(
        long,
        env = "LANDFALL_MAX_WAIT",
        value_name = "DURATION",
        default_value = "15m",
        value_parser = duration
    )]
    pub(crate) max_wait: Duration,
    /// Whether to show how far it is: bars on a terminal, else a line every ten seconds
    #[arg(long, env = "LANDFALL_PROGRESS", value_enum, default_value_t = ProgressWhen::Auto)]
    pub(crate) progress: ProgressWhen,
}

/// When progress is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ProgressWhen {
    /// Unless people asked for quiet
    Auto,
    /// In any case, and without a terminal every second
    Always,
    /// Not at all
    Never,
}

impl Transfer {
    /// The library's bounds, with so many bytes of memory unless people say otherwise; `journals`
    /// is where unfinished uploads are written down.
    pub(crate) fn settings(&self, memory: u64, journals: Option<Journals>) -> Settings {
        Settings {
            chunk: self.chunk_size,
            bandwidth: self.bwlimit,
            journals,
            ..self.pace.settings(memory)
        }
    }
}

impl Pace {
    /// The library's bounds; `memory` bytes unless people say otherwise.
    pub(crate) fn settings(&self, memory: u64) -> Settings {
        Settings {
            requests: usize::from(self.workers),
            memory: self.memory.unwrap_or(memory),
            retry: RetryPolicy {
                patience: self.max_wait,
                ..RetryPolicy::default()
            },
            ..Settings::default()
        }
    }
}
