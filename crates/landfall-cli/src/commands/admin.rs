//! `admin`: accounts and tokens of a server's data directory.

use crate::cli::{AccountCommand, Admin, AdminCommand, TokenCommand};
use crate::exit::{Exit, Fail, Result};
use crate::output;
use landfall_server::{AdminError, Storage, TokenGrant};

pub(crate) async fn run(args: &Admin) -> Result<()> {
    let storage = Storage::open(&args.data).map_err(|error| {
        let what = format!("can't open {}", args.data.display());
        Fail::new(Exit::Other, what, error)
    })?;
    let admin = storage.admin();
    match &args.command {
        AdminCommand::Account(AccountCommand::Add { name, display_name }) => {
            let added = admin.add_account(name, display_name.as_deref()).await;
            let id = added.map_err(|error| failed(format!("can't add account {name}"), &error))?;
            output::line(id.as_str())
        }
        AdminCommand::Token(TokenCommand::Create {
            account,
            scope,
            expires,
        }) => {
            let grant = TokenGrant {
                scopes: scope.clone(),
                expires: *expires,
                token: None,
            };
            let made = admin.create_token(account, grant).await;
            let what = format!("can't create a token for {account}");
            output::line(&made.map_err(|error| failed(what, &error))?)
        }
    }
}

fn failed(what: String, error: &AdminError) -> Fail {
    let exit = match error {
        AdminError::AccountExists { .. } => Exit::Conflict,
        _ => Exit::Other,
    };
    Fail::new(exit, what, error)
}
