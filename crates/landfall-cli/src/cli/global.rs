//! What every command takes.

use clap::builder::FalseyValueParser;
use clap::{ArgAction, Args, ValueHint};
use std::path::PathBuf;

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
}
