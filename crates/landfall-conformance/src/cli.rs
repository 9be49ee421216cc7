//! The command line, and what becomes of it.

use clap::builder::FalseyValueParser;
use clap::{ArgGroup, Parser, ValueEnum, ValueHint};
use landfall_conformance::{
    BadTarget, Hosts, Json, Numbering, Options, Report, Service, Summary, Text, Token, Trouble,
    cases, describe, run,
};
use serde_json::json;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use thiserror::Error;
use tokio::sync::oneshot;

const AFTER: &str = "\
Examples:
  landfall-conformance --url http://127.0.0.1:8765 --token-file token
  landfall-conformance --dropbox --token-file token --numbering observed
  landfall-conformance --list --only session/

It works in one folder that it makes, and removes it at the end.

Exit codes:
  0 nothing failed; 1 something failed; 2 usage, no connection, or the folder is still there;
  130 interrupted; 143 terminated

Environment:
  LANDFALL_CONFORMANCE_TOKEN  the access token itself, for CI; a file is better";

/// Whether a service speaks the Dropbox upload API.
#[derive(Debug, Parser)]
#[command(name = "landfall-conformance", version, after_help = AFTER)]
#[command(group = ArgGroup::new("what").required(true).multiple(true).args(["url", "dropbox", "list", "describe"]))]
struct Cli {
    /// The service's base URL, for all its hosts
    #[arg(long, env = "LANDFALL_CONFORMANCE_URL", value_name = "URL", value_hint = ValueHint::Url)]
    url: Option<String>,
    /// Ask Dropbox itself, at its three hosts
    #[arg(long, conflicts_with = "url")]
    dropbox: bool,
    /// File that holds an access token; `-` for standard input
    #[arg(long, env = "LANDFALL_CONFORMANCE_TOKEN_FILE", value_name = "FILE",
        value_hint = ValueHint::FilePath)]
    token_file: Option<PathBuf>,
    /// Certificate authority to trust too (PEM)
    #[arg(long, env = "LANDFALL_CONFORMANCE_CA_CERT", value_name = "FILE",
        value_hint = ValueHint::FilePath)]
    ca_cert: Option<PathBuf>,
    /// Send the token over plain http to another machine: anybody between can read it
    #[arg(long, env = "LANDFALL_CONFORMANCE_INSECURE_HTTP", value_parser = FalseyValueParser::new())]
    insecure_http: bool,
    /// Where autorename begins to count
    #[arg(long, env = "LANDFALL_CONFORMANCE_NUMBERING", value_enum, default_value_t = Count::Documented)]
    numbering: Count,
    /// The begin of the path of the folder to work in, in a folder that exists; something random
    /// is appended
    #[arg(
        long,
        env = "LANDFALL_CONFORMANCE_FOLDER",
        value_name = "PATH",
        default_value = "/landfall-conformance"
    )]
    folder: String,
    /// Only the cases whose names begin so
    #[arg(
        long,
        env = "LANDFALL_CONFORMANCE_ONLY",
        value_name = "NAME",
        default_value = ""
    )]
    only: String,
    /// Let cases fail that the sources leave open (mark I), too
    #[arg(long, env = "LANDFALL_CONFORMANCE_STRICT", value_parser = FalseyValueParser::new())]
    strict: bool,
    /// The report as JSON, one object per line (docs/conformance.md)
    #[arg(long, env = "LANDFALL_CONFORMANCE_JSON", value_parser = FalseyValueParser::new())]
    json: bool,
    /// List the cases and do nothing
    #[arg(long)]
    list: bool,
    /// Print the page docs/conformance.md and do nothing
    #[arg(long)]
    describe: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Count {
    /// With (2), as the documentation says
    Documented,
    /// With (1), as recordings of the service show
    Observed,
}

/// Why there is no report.
#[derive(Debug, Error)]
enum Fail {
    #[error("no token: give --token-file or LANDFALL_CONFORMANCE_TOKEN")]
    NoToken,
    #[error("can't read {0}: {1}")]
    Read(String, io::Error),
    #[error(transparent)]
    Target(#[from] BadTarget),
    #[error(transparent)]
    Trouble(#[from] Trouble),
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// The exit code for usage and connections.
const USAGE: u8 = 2;

pub(crate) fn main() -> ExitCode {
    let cli = Cli::parse();
    match act(&cli) {
        Ok(code) => ExitCode::from(code),
        // A reader that went away wants no message.
        Err(Fail::Io(error)) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::from(1),
        Err(fail) => {
            note(&fail.to_string());
            ExitCode::from(USAGE)
        }
    }
}

fn act(cli: &Cli) -> Result<u8, Fail> {
    if cli.describe {
        io::stdout().write_all(describe().as_bytes())?;
        return Ok(0);
    }
    if cli.list {
        list(cli)?;
        return Ok(0);
    }
    let hosts = match &cli.url {
        Some(url) => Hosts::at(url, cli.insecure_http)?,
        None => Hosts::dropbox(),
    };
    let authorities = match &cli.ca_cert {
        Some(path) => Some(std::fs::read(path).map_err(|error| unread(path, error))?),
        None => None,
    };
    let service = Service::new(hosts, token(cli)?, authorities.as_deref())?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(report(cli, &service))
}

async fn report(cli: &Cli, service: &Service) -> Result<u8, Fail> {
    let options = Options {
        folder: cli.folder.clone(),
        numbering: match cli.numbering {
            Count::Documented => Numbering::Documented,
            Count::Observed => Numbering::Observed,
        },
        only: cli.only.clone(),
        strict: cli.strict,
    };
    let mut report: Box<dyn Report> = if cli.json {
        Box::new(Json::new(io::stdout()))
    } else {
        Box::new(Text::new(io::stdout()))
    };
    let (caught, mut signals) = oneshot::channel();
    tokio::spawn(watch(caught));
    let mut code = 0;
    let stopped = async {
        // Without a signal the sender lives as long as the program.
        if let Ok(signal) = (&mut signals).await {
            code = signal;
        }
    };
    let summary = run(service, &options, stopped, |result| report.case(result)).await?;
    // The verdict counts even if nobody reads it any more.
    let told = report.summary(service.url(), &summary);
    ends(&summary);
    told?;
    Ok(exit_code(&summary, code))
}

/// What people must know beside the report.
fn ends(summary: &Summary) {
    if let Some(why) = &summary.lost {
        note(&format!("the service doesn't answer any more: {why}"));
    }
    if let Some(why) = &summary.left {
        note(&format!(
            "the folder {0} is still there ({why}); remove it by hand, such as by a call of \
             files/delete_v2 with {1}",
            summary.folder,
            json!({ "path": summary.folder }),
        ));
    }
}

fn exit_code(summary: &Summary, signal: u8) -> u8 {
    if summary.lost.is_some() || summary.left.is_some() {
        USAGE
    } else if signal > 0 {
        signal
    } else {
        u8::from(summary.fails > 0)
    }
}

fn list(cli: &Cli) -> io::Result<()> {
    let mut out = io::stdout().lock();
    for case in cases().filter(|case| case.name.starts_with(&cli.only)) {
        let mark = case.mark.letter();
        if cli.json {
            let mark = mark.to_string();
            let line = json!({"name": case.name, "mark": mark, "claim": case.claim});
            writeln!(out, "{line}")?;
        } else {
            writeln!(out, "{}\t{mark}\t{}", case.name, case.claim)?;
        }
    }
    Ok(())
}

fn token(cli: &Cli) -> Result<Token, Fail> {
    let text = match &cli.token_file {
        Some(path) if path == Path::new("-") => {
            io::read_to_string(io::stdin()).map_err(|error| unread(path, error))?
        }
        Some(path) => std::fs::read_to_string(path).map_err(|error| unread(path, error))?,
        None => match std::env::var("LANDFALL_CONFORMANCE_TOKEN") {
            Ok(token) => token,
            Err(_) => return Err(Fail::NoToken),
        },
    };
    Ok(Token::parse(&text)?)
}

fn unread(path: &Path, error: io::Error) -> Fail {
    Fail::Read(path.display().to_string(), error)
}

fn note(line: &str) {
    // Where there is nobody to tell there is nothing more to do.
    let _ = writeln!(io::stderr(), "landfall-conformance: {line}");
}

/// Hands the exit code of the first signal over; ends the program at the second.
#[cfg(unix)]
async fn watch(caught: oneshot::Sender<u8>) {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut terminate)) = (
        signal(SignalKind::interrupt()),
        signal(SignalKind::terminate()),
    ) else {
        // What can't be caught ends the program by itself.
        return std::future::pending().await;
    };
    let mut next = async || {
        tokio::select! {
            _ = interrupt.recv() => 130,
            _ = terminate.recv() => 143,
        }
    };
    let first = next().await;
    let _ = caught.send(first);
    let second = next().await;
    note("stopped at once; the folder may still be there");
    std::process::exit(second.into());
}

/// Hands the exit code of an interruption over.
#[cfg(not(unix))]
async fn watch(caught: oneshot::Sender<u8>) {
    match tokio::signal::ctrl_c().await {
        Ok(()) => drop(caught.send(130)),
        Err(_) => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::Cli;
    use clap::{CommandFactory, Parser};

    #[test]
    fn every_setting_has_an_environment_twin_and_no_flag_takes_a_secret() {
        let command = Cli::command();
        command.clone().debug_assert();
        for arg in command.get_arguments() {
            let name = arg.get_id().as_str();
            if matches!(name, "dropbox" | "list" | "describe") {
                continue;
            }
            let env = arg
                .get_env()
                .and_then(|env| env.to_str())
                .unwrap_or_default();
            let twin = format!("LANDFALL_CONFORMANCE_{}", name.to_uppercase());
            assert_eq!(env, twin, "--{name}");
            assert_ne!(name, "token");
        }
    }

    #[test]
    fn one_service_is_asked() {
        let parse = |line: &str| Cli::try_parse_from(line.split(' '));
        assert!(parse("x --url http://127.0.0.1").is_ok());
        assert!(parse("x --dropbox").is_ok());
        assert!(parse("x --only upload/").is_err());
        assert!(parse("x --dropbox --url http://127.0.0.1").is_err());
    }
}
