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
#[command(before_help = "\
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
    #[command(before_help = "\
Examples:
  landfall admin --data /srv/landfall collect
  landfall admin --data /srv/landfall collect --keep-revisions 30d")]
    Collect {
        /// Don't wait for downloads that may still be reading it
        #[arg(long, env = "LANDFALL_COLLECT_NOW", value_parser = FalseyValueParser::new())]
        now: bool,
        /// Remove revisions that were replaced or deleted so long ago, too
        #[arg(long, env = "LANDFALL_KEEP_REVISIONS", value_name = "DURATION", value_parser = duration)]
        keep_revisions: Option<Duration>,
    },
    /// Read every stored byte and compare it with its checksum
    #[command(before_help = "\
Examples:
  landfall admin --data /srv/landfall check
  landfall admin --data /srv/landfall check --rate 20MiB")]
    Check {
        /// Bytes per second, so that others can use the disk
        #[arg(long, env = "LANDFALL_CHECK_RATE", value_name = "SIZE", default_value = "none", value_parser = quota)]
        rate: Quota,
    },
    /// Copy all there is, as of now; the server may go on
    #[command(before_help = "\
Example:
  landfall admin --data /srv/landfall backup /backup/monday")]
    Backup {
        /// Where to: a directory that is empty or not there
        #[arg(value_hint = ValueHint::DirPath)]
        dest: PathBuf,
    },
    /// Copy a backup into the data directory, which must be empty or not there
    #[command(before_help = "\
Example:
  landfall admin --data /srv/restored restore /backup/monday")]
    Restore {
        /// What `backup` made
        #[arg(value_hint = ValueHint::DirPath)]
        backup: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
#[command(before_help = "\
Examples:
  landfall admin --data /srv/landfall account add panda --display-name 'Panda'
  landfall admin --data /srv/landfall account list")]
pub(crate) enum AccountCommand {
    /// Make an account and print its id
    #[command(before_help = "\
Example:
  landfall admin --data /srv/landfall account add panda --display-name 'Panda'")]
    Add {
        /// Short name, for other admin commands
        name: String,
        /// The person's name, as conflicted copies carry it
        #[arg(long, env = "LANDFALL_DISPLAY_NAME", value_name = "TEXT")]
        display_name: Option<String>,
    },
    /// List the accounts, with what they use
    #[command(before_help = "\
Example:
  landfall admin --data /srv/landfall account list")]
    List,
    /// Give an account another name
    #[command(before_help = "\
Example:
  landfall admin --data /srv/landfall account rename panda red-panda")]
    Rename {
        /// Its name
        name: String,
        /// Its new name
        new: String,
    },
    /// Let nobody in with an account's tokens; everything is kept
    #[command(before_help = "\
Example:
  landfall admin --data /srv/landfall account suspend panda")]
    Suspend {
        /// Its name
        name: String,
    },
    /// Let a suspended account in again
    #[command(before_help = "\
Example:
  landfall admin --data /srv/landfall account resume panda")]
    Resume {
        /// Its name
        name: String,
    },
    /// Delete an account with all its files and their history; its name is free again
    #[command(before_help = "\
Examples:
  landfall admin --data /srv/landfall account delete panda
  landfall admin --data /srv/landfall account delete panda --yes")]
    Delete {
        /// Its name
        name: String,
        /// Don't ask
        #[arg(long, env = "LANDFALL_YES", value_parser = FalseyValueParser::new())]
        yes: bool,
    },
}

#[derive(Debug, Subcommand)]
#[command(before_help = "\
Example:
  landfall admin --data /srv/landfall session list --account panda")]
pub(crate) enum AdminSessionCommand {
    /// List an account's unfinished sessions
    #[command(before_help = "\
Example:
  landfall admin --data /srv/landfall session list --account panda")]
    List {
        /// Whose
        #[arg(long, env = "LANDFALL_ACCOUNT", value_name = "NAME")]
        account: String,
    },
    /// End an unfinished session
    #[command(before_help = "\
Example:
  landfall admin --data /srv/landfall session abort --account panda $id")]
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
#[command(before_help = "\
Example:
  landfall admin --data /srv/landfall quota set --account panda 20GiB")]
pub(crate) enum QuotaCommand {
    /// Limit the bytes of an account's current files
    #[command(before_help = "\
Examples:
  landfall admin --data /srv/landfall quota set --account panda 20GiB
  landfall admin --data /srv/landfall quota set --account panda none")]
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
#[command(before_help = "\
Examples:
  landfall admin --data /srv/landfall token create --account panda --expires 7d
  landfall admin --data /srv/landfall token list --account panda")]
pub(crate) enum TokenCommand {
    /// List an account's tokens by their ids; what they are is known to nobody
    #[command(before_help = "\
Example:
  landfall admin --data /srv/landfall token list --account panda")]
    List {
        /// Whose
        #[arg(long, env = "LANDFALL_ACCOUNT", value_name = "NAME")]
        account: String,
    },
    /// Make a token useless, at once
    #[command(before_help = "\
Example:
  landfall admin --data /srv/landfall token revoke $id      `token list` has the ids")]
    Revoke {
        /// Its id, from `token list`
        #[arg(allow_hyphen_values = true)]
        id: String,
    },
    /// Make an access token and print it; it is not shown again
    #[command(before_help = "\
Examples:
  landfall admin --data /srv/landfall token create --account panda --expires 7d
  landfall admin --data /srv/landfall token create --account panda --scope files.content.write")]
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
