//! The command line: what can be typed, and the environment variables that stand in for it.

mod admin;
mod global;
pub(crate) mod help;
mod put;
mod quantity;
pub(crate) mod session;
mod transfer;
mod uploads;

pub(crate) use admin::{
    AccountCommand, Admin, AdminCommand, AdminSessionCommand, QuotaCommand, TokenCommand,
};
pub(crate) use global::Global;
pub(crate) use put::{IfExists, OnBadName, Put};
pub(crate) use quantity::Quota;
pub(crate) use transfer::{Pace, ProgressWhen, Transfer};
pub(crate) use uploads::{ForgetUpload, ResumeUploads, Uploads};

use clap::builder::FalseyValueParser;
use clap::{ArgGroup, Args, Parser, Subcommand, ValueHint};
use clap_complete::Shell;
use quantity::{duration, quota, size};
use session::Session;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

const EXAMPLES: &str = "\
Examples:
  landfall put report.pdf /reports/            into the folder
  tar c src | landfall put - /backup/src.tar   from standard input
  landfall get /reports/report.pdf .
  landfall ls -l /reports
  landfall --remote dropbox put big.iso /      with LANDFALL_TOKEN_FILE=~/.token";

const NOTES: &str = "\
Without --remote everything stays in a directory on this machine.

Exit codes:
  0 done; 1 some files failed, or another error; 2 usage; 3 token; 4 source (not there, not
  readable, not a file); 5 conflict; 6 temporary (rate limit, no connection); 7 no space;
  8 integrity; 130 interrupted; 143 terminated

Environment:
  LANDFALL_TOKEN   the access token itself, for CI; a file is better
  LANDFALL_HOME    the directory of the remote `local`
  LANDFALL_CONFIG  the file with the remotes
  RUST_LOG         a filter for the log, instead of -v and -q
  HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY
                   the proxy to ask, and for what not; never asked for this machine";

const DOCTOR_EXAMPLES: &str = "\
Examples:
  landfall doctor
  landfall --remote dropbox --token-file ~/.token doctor";

const DOCTOR_NOTES: &str = "\
Each line is ok, a warning (uploads may work nevertheless) or a problem, and says what to do. The
exit code is that of the first problem.";

/// Uploads to Dropbox, and to servers that speak its API, that finish.
#[derive(Debug, Parser)]
#[command(name = "landfall", version, propagate_version = true,
    before_help = EXAMPLES, after_help = NOTES)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Upload files and folders
    Put(Put),
    /// Manage uploads that were begun and not finished
    #[command(subcommand)]
    Uploads(Uploads),
    /// Download a file, or a folder with all in it
    Get(Get),
    /// List a folder
    Ls(Ls),
    /// Say what is at a path
    Stat(Stat),
    /// Delete a file, or a folder with all in it
    Rm(Rm),
    /// Move a file, or a folder with all in it
    #[command(before_help = "\
Examples:
  landfall mv /docs/a.txt /docs/b.txt
  landfall mv /docs /archive/                   as /archive/docs")]
    Mv(Relocate),
    /// Copy a file, or a folder with all in it; no byte goes over the network
    #[command(before_help = "\
Examples:
  landfall cp /docs/a.txt /docs/b.txt
  landfall cp /docs /archive/                   as /archive/docs")]
    Cp(Relocate),
    /// List what a file was, newest first
    Revs(Revs),
    /// Make a file again what it was
    Restore(Restore),
    /// Make a folder, and those above it
    Mkdir(Mkdir),
    /// Show what happens in the account of a Landfall server, until stopped
    Watch(Watch),
    /// The raw commands of an upload session, each made once
    #[command(subcommand)]
    Session(Session),
    /// Serve a directory to clients of the Dropbox API
    Serve(Serve),
    /// Manage the data directory of a server
    Admin(Admin),
    /// Manage the places that commands go to
    #[command(subcommand)]
    Remote(RemoteCommand),
    /// Look at all that an upload needs, changing nothing, and say what to do where it is missing
    #[command(before_help = DOCTOR_EXAMPLES, after_help = DOCTOR_NOTES)]
    Doctor,
    /// Print what makes a shell complete commands and options
    Completions(Completions),
    /// Print the manual page, or write those of all commands
    Man(Man),
}

#[derive(Debug, Args)]
#[command(
    before_help = "\
Examples:
  landfall --remote lab watch
  landfall --remote lab watch --after 4711      go on after the event with this number",
    after_help = "\
Each line is a number, what happened and where. Muted changes are not shown."
)]
pub(crate) struct Watch {
    /// Begin after the event with this number, 0 for the oldest [default: with what happens next]
    #[arg(long, env = "LANDFALL_AFTER", value_name = "NUMBER")]
    pub(crate) after: Option<u64>,
}

#[derive(Debug, Args)]
#[command(
    before_help = "\
Examples:
  landfall get /docs/a.txt .
  landfall get /backup/src.tar - | tar t
  landfall get -r /docs copy                    what is in /docs, in the folder copy
  landfall get -r /docs copy/                   the same in copy/docs",
    after_help = "\
What was stopped or failed goes on with the same command.

With -r, DEST becomes what the folder is, be it there already or not, unless it ends with a `/`
or is `.`: then the folder goes into it. Files with the very same bytes are not downloaded again."
)]
pub(crate) struct Get {
    /// File to download, or folder
    pub(crate) path: String,
    /// Where to; a folder means into it, `-` is standard output
    #[arg(value_hint = ValueHint::AnyPath)]
    pub(crate) dest: PathBuf,
    /// Download a folder with all in it
    #[arg(short, long, env = "LANDFALL_GET_RECURSIVE", value_parser = FalseyValueParser::new())]
    pub(crate) recursive: bool,
    /// Replace files that exist
    #[arg(short, long, env = "LANDFALL_FORCE", value_parser = FalseyValueParser::new())]
    pub(crate) force: bool,
    #[command(flatten)]
    pub(crate) pace: Pace,
}

#[derive(Debug, Args)]
#[command(before_help = "\
Examples:
  landfall ls
  landfall ls -rl /docs")]
pub(crate) struct Ls {
    /// Folder to list, or a file
    #[arg(default_value = "/")]
    pub(crate) path: String,
    /// With everything below
    #[arg(short, long, env = "LANDFALL_LS_RECURSIVE", value_parser = FalseyValueParser::new())]
    pub(crate) recursive: bool,
    /// With size and time
    #[arg(short, long, env = "LANDFALL_LS_LONG", value_parser = FalseyValueParser::new())]
    pub(crate) long: bool,
}

#[derive(Debug, Args)]
#[command(before_help = "Example:\n  landfall stat /docs/a.txt")]
pub(crate) struct Stat {
    /// File or folder
    pub(crate) path: String,
}

#[derive(Debug, Args)]
#[command(before_help = "\
Examples:
  landfall rm /docs/a.txt
  landfall rm -r /docs")]
pub(crate) struct Rm {
    /// File or folder
    pub(crate) path: String,
    /// Delete a folder with all in it
    #[arg(short, long, env = "LANDFALL_RM_RECURSIVE", value_parser = FalseyValueParser::new())]
    pub(crate) recursive: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "What is at DEST already is never replaced.")]
pub(crate) struct Relocate {
    /// File or folder
    pub(crate) src: String,
    /// Where to; a final `/` or an existing folder means into it
    pub(crate) dest: String,
    /// If something is there already, take another name, and print it
    #[arg(long, env = "LANDFALL_RENAME", value_parser = FalseyValueParser::new())]
    pub(crate) rename: bool,
}

#[derive(Debug, Args)]
#[command(
    before_help = "\
Examples:
  landfall revs /docs/a.txt
  landfall revs --follow /docs/a.txt            also where it was before it was moved",
    after_help = "\
Each line is the time of the commit, the size and the rev."
)]
pub(crate) struct Revs {
    /// File, as it is or was
    pub(crate) path: String,
    /// Those of the file instead of those of the path, with the path of each (the newest 100)
    #[arg(long, env = "LANDFALL_FOLLOW", value_parser = FalseyValueParser::new())]
    pub(crate) follow: bool,
}

#[derive(Debug, Args)]
#[command(before_help = "\
Example:
  landfall restore /docs/a.txt 3a00000001       `landfall revs` lists the revs")]
pub(crate) struct Restore {
    /// File to restore, deleted or not
    pub(crate) path: String,
    /// Revision that it becomes again
    pub(crate) rev: landfall_protocol::Rev,
}

#[derive(Debug, Args)]
#[command(before_help = "Example:\n  landfall mkdir /docs/2026")]
pub(crate) struct Mkdir {
    /// Folder to make
    pub(crate) path: String,
}

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("what").required(true).multiple(true).args(["data", "ephemeral"]), before_help = "\
Examples:
  landfall serve --data /srv/landfall
  landfall serve --data /srv/landfall --listen 0.0.0.0:443 --tls-cert chain.pem --tls-key key.pem
  landfall serve --ephemeral --listen 127.0.0.1:0
  landfall serve --ephemeral --tls-dev          for programs that speak nothing but TLS", after_help = "\
The first line on standard output says where it listens. With --ephemeral the token comes from
LANDFALL_TOKEN, or is the second line. With TLS, SIGHUP reads the certificate again.")]
pub(crate) struct Serve {
    /// Directory with the data; it is made if it is missing
    #[arg(long, env = "LANDFALL_DATA", value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) data: Option<PathBuf>,
    /// Keep everything in memory, for one account named `ephemeral`
    #[arg(long, env = "LANDFALL_EPHEMERAL", value_parser = FalseyValueParser::new())]
    pub(crate) ephemeral: bool,
    /// Address and port; port 0 takes any that is free
    #[arg(
        long,
        env = "LANDFALL_LISTEN",
        value_name = "ADDR:PORT",
        default_value = "127.0.0.1:8765"
    )]
    pub(crate) listen: SocketAddr,
    /// Remove revisions that were replaced or deleted so long ago [default: never]
    #[arg(long, env = "LANDFALL_KEEP_REVISIONS", value_name = "DURATION", value_parser = duration)]
    pub(crate) keep_revisions: Option<Duration>,
    /// Bytes per second at which everything stored is read again and compared with its
    /// checksums; `none`: never
    #[arg(long, env = "LANDFALL_SCRUB_RATE", value_name = "SIZE", default_value = "4MiB", value_parser = quota)]
    pub(crate) scrub_rate: Quota,
    /// Refuse uploads that would leave less than this free on the disk: bytes, or a number and
    /// KiB, MiB, GiB or TiB [default: 256 MiB, or a sixteenth of a small disk]
    #[arg(long, env = "LANDFALL_RESERVE", value_name = "SIZE", value_parser = size)]
    pub(crate) reserve: Option<u64>,
    /// Certificate to show (PEM: the server's own, then those in between)
    #[arg(long, env = "LANDFALL_TLS_CERT", value_name = "FILE", requires = "tls_key", value_hint = ValueHint::FilePath)]
    pub(crate) tls_cert: Option<PathBuf>,
    /// Its private key (PEM, unencrypted)
    #[arg(long, env = "LANDFALL_TLS_KEY", value_name = "FILE", requires = "tls_cert", value_hint = ValueHint::FilePath)]
    pub(crate) tls_key: Option<PathBuf>,
    /// Make a certificate for Dropbox's names and this machine, and an authority that clients are
    /// told to trust; both are kept
    #[arg(long, env = "LANDFALL_TLS_DEV", value_parser = FalseyValueParser::new(), conflicts_with_all = ["tls_cert", "tls_key"])]
    pub(crate) tls_dev: bool,
    /// Another name or address for the certificate of --tls-dev; may be given several times
    #[arg(
        long,
        env = "LANDFALL_TLS_NAMES",
        value_name = "NAME",
        value_delimiter = ',',
        requires = "tls_dev"
    )]
    pub(crate) tls_name: Vec<String>,
    /// Serve other machines without encryption: anybody between can read tokens and files
    #[arg(long, env = "LANDFALL_INSECURE_LISTEN", value_parser = FalseyValueParser::new())]
    pub(crate) insecure_listen: bool,
}

#[derive(Debug, Args)]
#[command(before_help = "\
Examples:
  landfall completions bash > ~/.local/share/bash-completion/completions/landfall
  landfall completions zsh > ~/.zfunc/_landfall   with ~/.zfunc in fpath
  landfall completions fish > ~/.config/fish/completions/landfall.fish")]
pub(crate) struct Completions {
    /// Which shell
    #[arg(value_enum)]
    pub(crate) shell: Shell,
}

#[derive(Debug, Args)]
#[command(before_help = "\
Examples:
  landfall man | man -l -
  landfall man ~/.local/share/man/man1")]
pub(crate) struct Man {
    /// Directory for the pages of all commands; it is made if it is missing
    #[arg(value_hint = ValueHint::DirPath)]
    pub(crate) dir: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
#[command(before_help = "\
Examples:
  landfall remote add office https://files.example.org --token-file ~/.office-token
  landfall remote use office")]
pub(crate) enum RemoteCommand {
    /// Remember a server under a name; needs --token-file
    #[command(before_help = "\
Example:
  landfall remote add office https://files.example.org --token-file ~/.office-token")]
    Add {
        /// Name for --remote
        name: String,
        /// Address, such as `https://files.example.org`
        #[arg(value_hint = ValueHint::Url)]
        url: String,
    },
    /// List the remotes; `*` marks the one in use
    #[command(before_help = "Example:\n  landfall remote list")]
    List,
    /// Choose the remote that commands go to
    #[command(before_help = "\
Examples:
  landfall remote use dropbox
  landfall remote use local                     the directory on this machine again")]
    Use {
        /// Its name
        name: String,
    },
}

#[cfg(test)]
mod tests {
    use super::Cli;
    use super::help;
    use clap::{Command, Parser};

    #[test]
    fn the_definition_is_consistent() {
        help::command().debug_assert();
    }

    #[test]
    fn every_flag_has_an_environment_twin_and_no_flag_takes_a_secret() {
        fn look(command: &Command) {
            for arg in command.get_arguments().filter(|arg| !arg.is_positional()) {
                let name = arg.get_id().as_str();
                if matches!(name, "help" | "version") {
                    continue;
                }
                let env = arg.get_env().and_then(|env| env.to_str());
                assert!(
                    env.is_some_and(|env| env.starts_with("LANDFALL_")),
                    "{} --{name}",
                    command.get_name()
                );
                assert_ne!(env, Some("LANDFALL_TOKEN"), "a token must not be in a flag");
            }
            command.get_subcommands().for_each(look);
        }
        let mut command = help::command();
        command.build();
        look(&command);
    }

    #[test]
    fn an_id_may_begin_with_a_hyphen() {
        for line in [
            "landfall session append --session -D4x --offset 0",
            "landfall admin --data d session abort --account panda -D4x",
            "landfall admin --data d token revoke -D4x",
        ] {
            let parsed = Cli::try_parse_from(line.split(' '));
            assert!(parsed.is_ok(), "{line}: {parsed:?}");
        }
    }

    #[test]
    fn what_is_served_must_be_said() {
        assert!(Cli::try_parse_from(["landfall", "serve"]).is_err());
        assert!(Cli::try_parse_from(["landfall", "serve", "--ephemeral"]).is_ok());
    }
}
