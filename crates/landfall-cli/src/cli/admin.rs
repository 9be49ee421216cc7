//! `admin` and what can be typed after it.

use super::{Quota, duration, quota};
use clap::builder::FalseyValueParser;
use clap::{Args, Subcommand, ValueHint};
use landfall_protocol::Scope;
use std::path::PathBuf;
use std::time::Duration;

#[derive(Debug, Args)]
pub(crate) struct Admin {
    /// Directory with the server's data; the server may be running
    #[arg(long, env = "LANDFALL_DATA", value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) data: PathBuf,
    #[command(subcommand)]
    pub(crate) command: AdminCommand,
}

#[derive(Debug, Subcommand)]
#[command(after_help = "\
Examples:
  landfall admin --data /srv/landfall account add panda --display-name 'Panda'
  landfall admin --data /srv/landfall token create --account panda --expires 7d
  landfall admin --data /srv/landfall backup /backup/monday
  landfall admin --data /srv/restored restore /backup/monday")]
pub(crate) enum AdminCommand {
    /// Accounts
    #[command(subcommand)]
    Account(AccountCommand),
    /// Access tokens
    #[command(subcommand)]
    Token(TokenCommand),
    /// Unfinished upload sessions
    #[command(subcommand)]
    Session(AdminSessionCommand),
    /// How much an account may store
    #[command(subcommand)]
    Quota(QuotaCommand),
    /// Remove what nothing refers to any more, as a running server does from time to time
    Collect {
        /// Don't wait for downloads that may still be reading it
        #[arg(long, env = "LANDFALL_COLLECT_NOW", value_parser = FalseyValueParser::new())]
        now: bool,
        /// Remove revisions that were replaced or deleted so long ago, too
        #[arg(long, env = "LANDFALL_KEEP_REVISIONS", value_name = "DURATION", value_parser = duration)]
        keep_revisions: Option<Duration>,
    },
    /// Read every stored byte and compare it with its checksum
    Check {
        /// Bytes per second, so that others can use the disk
        #[arg(long, env = "LANDFALL_CHECK_RATE", value_name = "SIZE", default_value = "none", value_parser = quota)]
        rate: Quota,
    },
    /// Copy all there is, as of now; the server may go on
    Backup {
        /// Where to: a directory that is empty or not there
        #[arg(value_hint = ValueHint::DirPath)]
        dest: PathBuf,
    },
    /// Copy a backup into the data directory, which must be empty or not there
    Restore {
        /// What `backup` made
        #[arg(value_hint = ValueHint::DirPath)]
        backup: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum AccountCommand {
    /// Make an account and print its id
    Add {
        /// Short name, for other admin commands
        name: String,
        /// The person's name, as conflicted copies carry it
        #[arg(long, env = "LANDFALL_DISPLAY_NAME", value_name = "TEXT")]
        display_name: Option<String>,
    },
    /// List the accounts, with what they use
    List,
    /// Give an account another name
    Rename {
        /// Its name
        name: String,
        /// Its new name
        new: String,
    },
    /// Let nobody in with an account's tokens; everything is kept
    Suspend {
        /// Its name
        name: String,
    },
    /// Let a suspended account in again
    Resume {
        /// Its name
        name: String,
    },
    /// Delete an account with all its files and their history; its name is free again
    Delete {
        /// Its name
        name: String,
        /// Don't ask
        #[arg(long, env = "LANDFALL_YES", value_parser = FalseyValueParser::new())]
        yes: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum AdminSessionCommand {
    /// List an account's unfinished sessions
    List {
        /// Whose
        #[arg(long, env = "LANDFALL_ACCOUNT", value_name = "NAME")]
        account: String,
    },
    /// End an unfinished session
    Abort {
        /// Whose
        #[arg(long, env = "LANDFALL_ACCOUNT", value_name = "NAME")]
        account: String,
        /// Its id
        #[arg(allow_hyphen_values = true)]
        session: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum QuotaCommand {
    /// Limit the bytes of an account's current files
    Set {
        /// Whose
        #[arg(long, env = "LANDFALL_ACCOUNT", value_name = "NAME")]
        account: String,
        /// Bytes, or a number and KiB, MiB, GiB or TiB; `none` lifts the limit
        #[arg(value_parser = quota)]
        size: Quota,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// List an account's tokens by their ids; what they are is known to nobody
    List {
        /// Whose
        #[arg(long, env = "LANDFALL_ACCOUNT", value_name = "NAME")]
        account: String,
    },
    /// Make a token useless, at once
    Revoke {
        /// Its id, from `token list`
        #[arg(allow_hyphen_values = true)]
        id: String,
    },
    /// Make an access token and print it; it is not shown again
    Create {
        /// Whose token
        #[arg(long, env = "LANDFALL_ACCOUNT", value_name = "NAME")]
        account: String,
        /// What it allows, such as files.content.write; may be repeated [default: everything]
        #[arg(long, env = "LANDFALL_SCOPE", value_delimiter = ',', value_parser = scope)]
        scope: Vec<Scope>,
        /// For how long, such as 30s, 15m, 4h, 7d [default: for ever]
        #[arg(long, env = "LANDFALL_EXPIRES", value_name = "DURATION", value_parser = duration)]
        expires: Option<Duration>,
    },
}

fn scope(text: &str) -> Result<Scope, String> {
    Scope::by_name(text).ok_or_else(|| {
        let names: Vec<_> = Scope::ALL.iter().map(|scope| scope.name()).collect();
        format!("must be one of {}", names.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use super::scope;

    #[test]
    fn scopes_are_read_by_their_names() {
        assert!(scope("files.content.write").is_ok() && scope("files").is_err());
    }
}
