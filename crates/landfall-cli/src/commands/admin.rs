//! `admin`: accounts, tokens, sessions and quotas of a server's data directory, and copies of it.

use crate::cli::{
    AccountCommand, Admin as Args, AdminCommand, AdminSessionCommand, Quota, QuotaCommand,
    TokenCommand,
};
use crate::exit::{Exit, Fail, Result};
use crate::output;
use landfall_server::backup::{self, BackupError, Copied};
use landfall_server::meta::rows::{AccountState, SessionState};
use landfall_server::sys::Sys;
use landfall_server::upkeep::Policy;
use landfall_server::{Admin, AdminError, OpenError, Storage, TokenGrant};
use std::time::Duration;

pub(crate) async fn run(args: &Args) -> Result<()> {
    let data = &args.data;
    let failed = |error: &dyn std::error::Error| {
        let what = format!("can't open {}", data.display());
        Fail::new(Exit::Other, what, error)
    };
    let sys = Sys::from_environment().map_err(|error| failed(&error))?;
    let open = || Storage::open_with(data, sys.clone()).map_err(|error| failed(&error));
    match &args.command {
        AdminCommand::Account(command) => account(&open()?, command).await,
        AdminCommand::Token(command) => token(&open()?.admin(), command).await,
        AdminCommand::Session(command) => session(&open()?.admin(), command).await,
        AdminCommand::Quota(QuotaCommand::Set {
            account,
            size: Quota(quota),
        }) => {
            let set = open()?.admin().set_quota(account, *quota).await;
            done(set, || format!("can't set the quota of {account}"))
        }
        AdminCommand::Collect {
            now,
            keep_revisions,
        } => collect(&open()?, *now, *keep_revisions).await,
        AdminCommand::Check { rate: Quota(rate) } => check(&open()?, *rate).await,
        AdminCommand::Backup { dest } => {
            let what = || format!("can't back {} up to {}", data.display(), dest.display());
            copied(backup::back_up(data, dest, sys).await, what)
        }
        AdminCommand::Restore { backup } => {
            let what = || format!("can't restore {} into {}", backup.display(), data.display());
            copied(backup::restore(backup, data, sys).await, what)
        }
    }
}

async fn collect(storage: &Storage, now: bool, keep_revisions: Option<Duration>) -> Result<()> {
    let policy = Policy {
        keep_revisions,
        grace: if now { Duration::ZERO } else { Policy::GRACE },
    };
    let collected = storage.upkeep().run(policy).await;
    let done = collected.map_err(|error| Fail::new(Exit::Other, "can't collect", error))?;
    let held = if done.held {
        "; more has to wait for a backup that is being made"
    } else {
        ""
    };
    output::line(&format!(
        "removed {} deleted accounts, {} expired sessions, {} old revisions, {} blobs, {} strays{held}",
        done.accounts, done.sessions, done.revisions, done.blobs, done.strays
    ))
}

/// What a backup or a restore came to.
fn copied(
    outcome: std::result::Result<Copied, BackupError>,
    what: impl FnOnce() -> String,
) -> Result<()> {
    let error = match outcome {
        Ok(Copied { blobs, bytes }) => {
            return output::line(&format!("copied {blobs} blobs, {bytes} bytes"));
        }
        Err(error) => error,
    };
    if let BackupError::NotWhole(problems) = &error {
        for problem in problems {
            output::line(&problem.to_string())?;
        }
    }
    let exit = match &error {
        BackupError::NotWhole(_) | BackupError::Digest(_) | BackupError::Interrupted(_) => {
            Exit::Integrity
        }
        BackupError::NotEmpty(_) => Exit::Conflict,
        BackupError::NoBackup(_) | BackupError::Open(OpenError::Missing(_)) => Exit::Source,
        BackupError::LetGo => Exit::Temporary,
        error if error.is_no_space() => Exit::Space,
        _ => Exit::Other,
    };
    Err(Fail::new(exit, what(), error))
}

async fn check(storage: &Storage, rate: Option<u64>) -> Result<()> {
    let checked = storage.upkeep().check(rate).await;
    let checked = checked.map_err(|error| Fail::new(Exit::Other, "can't check", error))?;
    for problem in &checked.problems {
        output::line(&problem.to_string())?;
    }
    output::line(&format!(
        "{} blobs, {} bytes, {} strays, {} problems",
        checked.blobs,
        checked.bytes,
        checked.strays,
        checked.problems.len()
    ))?;
    match checked.problems.len() {
        0 => Ok(()),
        problems => {
            let why =
                format!("{problems} blobs are damaged or missing; restore them from a backup");
            Err(Fail::new(
                Exit::Integrity,
                "the data directory is not whole",
                why,
            ))
        }
    }
}

async fn account(storage: &Storage, command: &AccountCommand) -> Result<()> {
    let admin = storage.admin();
    match command {
        AccountCommand::Add { name, display_name } => {
            let added = admin.add_account(name, display_name.as_deref()).await;
            let id = done(added, || format!("can't add account {name}"))?;
            output::line(id.as_str())
        }
        AccountCommand::List => {
            let accounts = admin.accounts().await;
            for info in done(accounts, || "can't list the accounts".to_owned())? {
                let quota = info
                    .quota
                    .map_or("none".to_owned(), |quota| quota.to_string());
                let state = match info.account.state {
                    AccountState::Active => "active",
                    AccountState::Suspended => "suspended",
                };
                output::line(&format!(
                    "{}\t{}\t{state}\tused {}\tquota {quota}",
                    info.account.name, info.account.id, info.used
                ))?;
            }
            Ok(())
        }
        AccountCommand::Rename { name, new } => {
            let renamed = admin.rename_account(name, new).await;
            done(renamed, || format!("can't rename account {name}"))
        }
        AccountCommand::Suspend { name } => {
            let suspended = admin.set_state(name, AccountState::Suspended).await;
            done(suspended, || format!("can't suspend account {name}"))
        }
        AccountCommand::Resume { name } => {
            let resumed = admin.set_state(name, AccountState::Active).await;
            done(resumed, || format!("can't resume account {name}"))
        }
        AccountCommand::Delete { name, yes } => delete(storage, name, *yes).await,
    }
}

async fn delete(storage: &Storage, name: &str, yes: bool) -> Result<()> {
    let admin = storage.admin();
    let what = || format!("can't delete account {name}");
    // A name that isn't there is told before anybody is asked.
    done(admin.account(name).await, what)?;
    let question = format!("delete account {name} with all its files and their history?");
    if !yes && !output::confirm(&question).await? {
        return Err(Fail::new(Exit::Other, what(), "you said no"));
    }
    done(admin.delete_account(name).await, what)?;
    // If this is interrupted, the next upkeep goes on with it.
    let ended = storage.upkeep().end_deletions().await;
    ended
        .map(drop)
        .map_err(|error| Fail::new(Exit::Other, what(), error))
}

async fn token(admin: &Admin, command: &TokenCommand) -> Result<()> {
    match command {
        TokenCommand::Create {
            account,
            scope,
            expires,
        } => {
            let grant = TokenGrant {
                scopes: scope.clone(),
                expires: *expires,
                token: None,
            };
            let made = admin.create_token(account, grant).await;
            output::line(&done(made, || {
                format!("can't create a token for {account}")
            })?)
        }
        TokenCommand::List { account } => {
            let tokens = admin.tokens(account).await;
            for token in done(tokens, || format!("can't list the tokens of {account}"))? {
                let scopes: Vec<&str> = token.scopes.iter().map(|scope| scope.name()).collect();
                let expires = token
                    .expires
                    .map_or("never".to_owned(), |at| at.timestamp().to_string());
                output::line(&format!(
                    "{}\tcreated {}\texpires {expires}\t{}",
                    token.id,
                    token.created.timestamp(),
                    scopes.join(",")
                ))?;
            }
            Ok(())
        }
        TokenCommand::Revoke { id } => {
            let revoked = admin.revoke_token(id).await;
            done(revoked, || format!("can't revoke token {id}"))
        }
    }
}

async fn session(admin: &Admin, command: &AdminSessionCommand) -> Result<()> {
    match command {
        AdminSessionCommand::List { account } => {
            let sessions = admin.sessions(account).await;
            for session in done(sessions, || format!("can't list the sessions of {account}"))? {
                let state = match session.state {
                    SessionState::Open => "open",
                    SessionState::Closed => "closed",
                    SessionState::Committed => "finished",
                };
                output::line(&format!(
                    "{}\t{state}\tstarted {}\t{} bytes",
                    session.id,
                    session.created.timestamp(),
                    session.stored()
                ))?;
            }
            Ok(())
        }
        AdminSessionCommand::Abort { account, session } => {
            let aborted = admin.abort_session(account, session).await;
            done(aborted, || format!("can't abort session {session}"))
        }
    }
}

fn done<T>(
    outcome: std::result::Result<T, AdminError>,
    what: impl FnOnce() -> String,
) -> Result<T> {
    outcome.map_err(|error| {
        let exit = match error {
            AdminError::AccountExists(_) => Exit::Conflict,
            AdminError::NoSuchAccount(_)
            | AdminError::NoSuchToken(_)
            | AdminError::NoSuchSession { .. } => Exit::Source,
            AdminError::BadName(_) | AdminError::BadToken => Exit::Usage,
            AdminError::Meta(_) => Exit::Other,
        };
        Fail::new(exit, what(), error)
    })
}
