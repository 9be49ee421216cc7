//! The remote `local`: a server inside this process, on a directory in the user's data home.

use crate::exit::{Exit, Fail, Result};
use data_encoding::BASE64URL_NOPAD;
use etcetera::BaseStrategy;
use landfall::{Client, Endpoint, Secret, Timeouts};
use landfall_server::{ProcessToken, ServeOptions, Server, Storage};
use std::fmt::Display;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// The account that everything belongs to.
const ACCOUNT: &str = "local";

/// Bytes of randomness in the token: nobody else on this machine may guess it.
const TOKEN_BYTES: usize = 32;

/// A server that runs as long as a command.
pub(super) struct Local {
    stop: oneshot::Sender<()>,
    server: JoinHandle<()>,
}

impl Local {
    /// Starts the server on any free port of the loopback address, for a token that only this
    /// process knows.
    pub(super) async fn start(timeouts: Timeouts) -> Result<(Self, Client)> {
        let directory = directory()?;
        let what = format!("can't open the remote `local` in {}", directory.display());
        let failed = |error: &dyn Display| Fail::new(Exit::Other, &what, error);

        let storage = Storage::open(&directory).map_err(|error| failed(&error))?;
        let account = storage.admin().ensure_account(ACCOUNT, None).await;
        account.map_err(|error| failed(&error))?;
        let mut random = [0; TOKEN_BYTES];
        getrandom::fill(&mut random).map_err(|error| failed(&error))?;
        let token = BASE64URL_NOPAD.encode(&random);
        let mut options = ServeOptions::new(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
        // Calls are short: none would get far with reading everything.
        options.scrub = None;
        options.process_token = Some(ProcessToken {
            token: token.clone(),
            account: ACCOUNT.to_owned(),
        });
        let server = Server::bind(storage, options).await;
        let server = server.map_err(|error| failed(&error))?;

        let endpoint = Endpoint::at(&format!("http://{}", server.local_addr()));
        let endpoint = endpoint.map_err(|error| failed(&error))?;
        let client = Client::builder(endpoint, Secret::new(token)).timeouts(timeouts);
        let client = client.build().map_err(|error| failed(&error))?;
        let (stop, stopped) = oneshot::channel();
        let server = tokio::spawn(server.run(async move {
            // A sender that was dropped asks for the same.
            drop(stopped.await);
        }));
        Ok((Self { stop, server }, client))
    }

    /// Ends the server once its requests are through.
    pub(super) async fn stop(self) {
        // If the server has ended already, there is nothing to stop.
        let _ = self.stop.send(());
        if let Err(error) = self.server.await {
            tracing::warn!("the server of the remote `local`: {error}");
        }
    }
}

/// `LANDFALL_HOME`, or `landfall/local` in the user's data folder.
pub(crate) fn directory() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("LANDFALL_HOME").filter(|path| !path.is_empty()) {
        return Ok(path.into());
    }
    let base = etcetera::base_strategy::Xdg::new().map_err(|error| {
        let why = format!("{error}; set LANDFALL_HOME");
        Fail::new(Exit::Other, "can't find the remote `local`", why)
    })?;
    Ok(base.data_dir().join("landfall").join("local"))
}
