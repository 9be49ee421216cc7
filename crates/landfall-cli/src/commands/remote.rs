//! `remote`: manages the places that commands go to.

use crate::cli::{Global, RemoteCommand};
use crate::exit::{Exit, Fail, Result};
use crate::output;
use crate::remote::{DROPBOX, LOCAL, Named, RemoteConfig};
use landfall::Endpoint;
use std::path::{Path, PathBuf};

pub(crate) fn run(command: &RemoteCommand, global: &Global) -> Result<()> {
    let mut config = RemoteConfig::load()?;
    match command {
        RemoteCommand::Add { name, url } => {
            config.add(name, named(name, url, global)?)?;
            config.save()
        }
        RemoteCommand::List => list(&config),
        RemoteCommand::Use { name } => {
            config.choose(name)?;
            config.save()
        }
    }
}

fn named(name: &str, url: &str, global: &Global) -> Result<Named> {
    let what = format!("can't add the remote {name}");
    let usage = |why: &dyn std::fmt::Display| Fail::new(Exit::Usage, &what, why);
    let endpoint = Endpoint::at(url).map_err(|error| usage(&error))?;
    let Some(token_file) = &global.token_file else {
        return Err(usage(&"it needs a token; give --token-file FILE"));
    };
    let absolute = |file: &Path| -> Result<PathBuf> {
        std::path::absolute(file).map_err(|error| usage(&error))
    };
    Ok(Named {
        url: endpoint.to_string(),
        token_file: Some(absolute(token_file)?),
        ca_cert: global.ca_cert.as_deref().map(absolute).transpose()?,
    })
}

fn list(config: &RemoteConfig) -> Result<()> {
    let used = config.used();
    let mark = |name: &str| if name == used { '*' } else { ' ' };
    output::line(&format!(
        "{} {LOCAL}\ta directory on this machine",
        mark(LOCAL)
    ))?;
    output::line(&format!(
        "{} {DROPBOX}\t{}",
        mark(DROPBOX),
        Endpoint::dropbox()
    ))?;
    for (name, remote) in config.named() {
        output::line(&format!("{} {name}\t{}", mark(name), remote.url))?;
    }
    Ok(())
}
