//! Where commands go: resolved from flags, environment and configuration to a client.

mod config;
pub(crate) mod local;

pub(crate) use config::{Named, RemoteConfig};

use crate::cli::Global;
use crate::exit::{Exit, Fail, Result};
use landfall::{Client, Endpoint, Secret};
use local::Local;
use std::fs;
use std::path::{Path, PathBuf};

/// The remote that is a directory on this machine.
pub(crate) const LOCAL: &str = "local";
/// Dropbox itself.
pub(crate) const DROPBOX: &str = "dropbox";
/// The variable that holds an access token.
pub(crate) const TOKEN: &str = "LANDFALL_TOKEN";

/// A place that is ready for calls.
pub(crate) struct Remote {
    client: Client,
    service: String,
    local: Option<Local>,
}

/// What a name or URL stands for.
#[derive(Debug)]
enum Place {
    Local,
    At {
        endpoint: Box<Endpoint>,
        token_file: Option<PathBuf>,
        ca_cert: Option<PathBuf>,
    },
}

impl Remote {
    /// The place that the command line names, or else the configuration.
    pub(crate) async fn open(global: &Global, config: &RemoteConfig) -> Result<Self> {
        let name = chosen(global, config);
        match place(name, config)? {
            Place::Local => {
                let (local, client) = Box::pin(Local::start(global.timeouts())).await?;
                tracing::info!("calls go to the remote `local`");
                Ok(Self {
                    client,
                    service: LOCAL.to_owned(),
                    local: Some(local),
                })
            }
            Place::At {
                endpoint,
                token_file,
                ca_cert,
            } => {
                let token_file = global.token_file.clone().or(token_file);
                let ca_cert = global.ca_cert.clone().or(ca_cert);
                tracing::info!("calls go to {endpoint}");
                let service = endpoint.to_string();
                refuse_open_wire(name, &endpoint, global.insecure_http)?;
                let token = token(name, token_file.as_deref())?;
                let mut builder = Client::builder(*endpoint, token).timeouts(global.timeouts());
                if let Some(file) = &ca_cert {
                    let pem = fs::read(file).map_err(|error| {
                        let what = format!("can't read the certificate {}", file.display());
                        Fail::new(Exit::Usage, what, error)
                    })?;
                    builder = builder.certificate_authorities(pem);
                }
                let client = builder.build().map_err(|error| {
                    Fail::new(
                        Exit::Usage,
                        format_args!("can't use the remote {name}"),
                        error,
                    )
                })?;
                Ok(Self {
                    client,
                    service,
                    local: None,
                })
            }
        }
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// What journals call it: the same for every name of one address.
    pub(crate) fn service(&self) -> &str {
        &self.service
    }

    /// Ends what was started for the remote.
    pub(crate) async fn close(self) {
        // Open connections would keep the server waiting.
        drop(self.client);
        if let Some(local) = self.local {
            local.stop().await;
        }
    }
}

/// What the command line says where to go, or else the configuration.
pub(crate) fn chosen<'a>(global: &'a Global, config: &'a RemoteConfig) -> &'a str {
    match global.remote.as_deref() {
        Some(name) if !name.is_empty() => name,
        _ => config.used(),
    }
}

fn place(name: &str, config: &RemoteConfig) -> Result<Place> {
    if name == LOCAL {
        return Ok(Place::Local);
    }
    if name == DROPBOX {
        return Ok(Place::At {
            endpoint: Box::new(Endpoint::dropbox()),
            token_file: None,
            ca_cert: None,
        });
    }
    let usage = |why: &dyn std::fmt::Display| {
        Fail::new(
            Exit::Usage,
            format_args!("can't use the remote {name}"),
            why,
        )
    };
    let (url, token_file, ca_cert) = match config.get(name) {
        Some(named) => (
            named.url.as_str(),
            named.token_file.clone(),
            named.ca_cert.clone(),
        ),
        None if name.contains("://") => (name, None, None),
        None => {
            let why = "there is no such remote; `landfall remote list` shows those there are";
            return Err(usage(&why));
        }
    };
    // A URL's mistakes are told without the URL, which may hold a password.
    let endpoint =
        Endpoint::at(url).map_err(|error| Fail::new(Exit::Usage, "can't use the remote", error))?;
    Ok(Place::At {
        endpoint: Box::new(endpoint),
        token_file,
        ca_cert,
    })
}

/// A token over plain http is a gift to everybody between here and there.
fn refuse_open_wire(name: &str, endpoint: &Endpoint, allowed: bool) -> Result<()> {
    if !endpoint.is_plain_http() || endpoint.is_loopback() || allowed {
        return Ok(());
    }
    let why = "plain http would show the token to everybody between; use https, or \
               --insecure-http if you trust the network";
    Err(Fail::new(
        Exit::Usage,
        format_args!("can't use the remote {name}"),
        why,
    ))
}

/// The token: from the file, or else from the environment.
fn token(name: &str, file: Option<&Path>) -> Result<Secret<String>> {
    let what = format!("no access token for {name}");
    let auth = |why: &dyn std::fmt::Display| Fail::new(Exit::Auth, &what, why);
    let text = match file {
        Some(file) => fs::read_to_string(file).map_err(|error| {
            let why = format!("can't read {}: {error}; check --token-file", file.display());
            auth(&why)
        })?,
        None => std::env::var(TOKEN)
            .map_err(|_| auth(&"none is given; use --token-file FILE, or LANDFALL_TOKEN in CI"))?,
    };
    let text = text.trim();
    if text.is_empty() {
        return Err(auth(&"the given one is empty; put the token there"));
    }
    Ok(Secret::new(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::{Place, RemoteConfig, place, refuse_open_wire};
    use crate::exit::Exit;
    use landfall::Endpoint;

    #[test]
    fn names_and_urls_lead_to_places() {
        let config = RemoteConfig::default();
        assert!(matches!(place("local", &config), Ok(Place::Local)));
        assert!(matches!(place("dropbox", &config), Ok(Place::At { .. })));
        assert!(matches!(
            place("https://h.example", &config),
            Ok(Place::At { .. })
        ));
        assert_eq!(place("office", &config).unwrap_err().exit(), Exit::Usage);
        let error = place("https://me:hunter2@h", &config).unwrap_err();
        assert!(!error.line().contains("hunter2"), "{error}");
    }

    #[test]
    fn plain_http_is_for_this_machine_only() {
        for (url, allowed) in [
            ("http://127.0.0.1:1", true),
            ("http://localhost:1", true),
            ("https://h.example", true),
            ("http://h.example", false),
            ("http://10.0.0.1:1", false),
        ] {
            let endpoint = Endpoint::at(url).unwrap();
            assert_eq!(
                refuse_open_wire("x", &endpoint, false).is_ok(),
                allowed,
                "{url}"
            );
            assert!(refuse_open_wire("x", &endpoint, true).is_ok());
        }
    }
}
