//! What every command takes.

use super::quantity::duration;
use clap::builder::FalseyValueParser;
use clap::{ArgAction, Args, ValueHint};
use landfall::Timeouts;
use std::path::PathBuf;
use std::time::Duration;

/// Where to and how to answer; for every command.
#[derive(Debug, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// Where to: `local` (a directory on this machine), `dropbox`, a name from `remote add`,
    /// or a URL [default: what `remote use` chose, else `local`]
    #[arg(long, env = "LANDFALL_REMOTE", global = true, value_name = "NAME|URL")]
    pub(crate) remote: Option<String>,
    /// File that holds the access token
    #[arg(long, env = "LANDFALL_TOKEN_FILE", global = true, value_name = "FILE",
        value_hint = ValueHint::FilePath)]
    pub(crate) token_file: Option<PathBuf>,
    /// Certificate authority to trust too (PEM)
    #[arg(long, env = "LANDFALL_CA_CERT", global = true, value_name = "FILE",
        value_hint = ValueHint::FilePath)]
    pub(crate) ca_cert: Option<PathBuf>,
    /// Send the token over plain http to another machine: anybody between can read it
    #[arg(long, env = "LANDFALL_INSECURE_HTTP", global = true,
        value_parser = FalseyValueParser::new())]
    pub(crate) insecure_http: bool,
    /// Results as JSON, one object per line (schema/events.json)
    #[arg(long, env = "LANDFALL_JSON", global = true, value_parser = FalseyValueParser::new())]
    pub(crate) json: bool,
    /// Say more of what goes on: repetitions, and with -vv each call
    #[arg(short, long, env = "LANDFALL_VERBOSE", global = true, action = ArgAction::Count)]
    pub(crate) verbose: u8,
    /// Nothing on standard error but why it failed: no bars, no hints, no log
    #[arg(short, long, env = "LANDFALL_QUIET", global = true, value_parser = FalseyValueParser::new())]
    pub(crate) quiet: bool,
    /// Append the log to a file instead of writing it to standard error
    #[arg(long, env = "LANDFALL_LOG_FILE", global = true, value_name = "FILE",
        value_hint = ValueHint::FilePath)]
    pub(crate) log_file: Option<PathBuf>,
    /// How long a connection may take to stand, name and TLS included
    #[arg(long, env = "LANDFALL_CONNECT_TIMEOUT", global = true, value_name = "DURATION",
        default_value = "10s", value_parser = duration)]
    pub(crate) connect_timeout: Duration,
    /// How long a transfer may stand still; there is no limit on the whole of one
    #[arg(long, env = "LANDFALL_IDLE_TIMEOUT", global = true, value_name = "DURATION",
        default_value = "60s", value_parser = duration)]
    pub(crate) idle_timeout: Duration,
    /// How long the service may think before it answers
    #[arg(long, env = "LANDFALL_ANSWER_TIMEOUT", global = true, value_name = "DURATION",
        default_value = "2m", value_parser = duration)]
    pub(crate) answer_timeout: Duration,
}

impl Global {
    /// How long to wait for what.
    pub(crate) fn timeouts(&self) -> Timeouts {
        Timeouts {
            connect: self.connect_timeout,
            idle: self.idle_timeout,
            answer: self.answer_timeout,
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::cli::Cli;
    use clap::Parser;
    use landfall::Timeouts;
    use std::time::Duration;

    #[test]
    fn the_tool_waits_as_long_as_the_library_unless_told() {
        let timeouts = |args: &str| {
            let cli = Cli::try_parse_from(args.split(' ')).unwrap();
            cli.global.timeouts()
        };
        assert_eq!(timeouts("landfall ls"), Timeouts::default());
        let told =
            timeouts("landfall ls --connect-timeout 1s --idle-timeout 2m --answer-timeout 3h");
        let seconds = Duration::from_secs;
        let wanted = Timeouts {
            connect: seconds(1),
            idle: seconds(120),
            answer: seconds(10_800),
        };
        assert_eq!(told, wanted);
    }
}
