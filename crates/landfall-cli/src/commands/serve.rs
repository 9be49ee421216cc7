//! `serve`: a server for clients of the Dropbox API.

mod tls;

use crate::cli::{Quota, Serve};
use crate::exit::{Exit, Fail, Result};
use crate::remote::TOKEN;
use crate::{output, run};
use landfall_server::sys::Sys;
use landfall_server::sys::open_files::raise_open_files;
use landfall_server::upkeep::Policy;
use landfall_server::{ServeOptions, Server, Storage, TokenGrant};

/// The account of a server that keeps everything in memory.
const EPHEMERAL: &str = "ephemeral";

pub(crate) async fn run(args: &Serve) -> Result<()> {
    raise_open_files();
    let what = format!("can't serve on {}", args.listen);
    let failed = |error: &dyn std::error::Error| Fail::new(Exit::Other, &what, error);
    let (storage, token) = match (&args.data, args.ephemeral) {
        (_, true) => {
            let (storage, token) = ephemeral().await?;
            (storage, token)
        }
        (Some(data), false) => {
            let sys = Sys::from_environment().map_err(|error| failed(&error))?;
            let storage = Storage::open_with(data, sys).map_err(|error| failed(&error))?;
            (storage, None)
        }
        (None, false) => {
            let why = "nothing to serve; give --data DIR or --ephemeral";
            return Err(Fail::new(Exit::Usage, &what, why));
        }
    };
    let certificate = tls::certificate(args, storage.sys())?;
    let mut options = ServeOptions::new(args.listen);
    options.certificate = certificate.clone();
    options.insecure_listen = args.insecure_listen;
    options.reserve = args.reserve;
    options.upkeep = Some(Policy {
        keep_revisions: args.keep_revisions,
        ..Policy::default()
    });
    options.scrub = match (args.ephemeral, args.scrub_rate) {
        (true, _) => None,
        (false, Quota(rate)) => rate.filter(|&rate| rate > 0),
    };
    let server = Server::bind(storage, options)
        .await
        .map_err(|error| failed(&error))?;
    // Before the address is told: whoever reads it may send a signal at once.
    let stop = run::signal();
    let address = server.local_addr();
    let stop = async {
        stop.await;
    };
    let Some(certificate) = certificate else {
        tell(&format!("http://{address}"), token.as_deref())?;
        server.run(stop).await;
        return Ok(());
    };
    let renewals = tls::renewals(&certificate);
    tell(&format!("https://{address}"), token.as_deref())?;
    if let Some(authority) = certificate.authority() {
        output::note(tls::advice(address, authority));
    }
    tokio::select! {
        () = server.run(stop) => Ok(()),
        never = renewals => match never {},
    }
}

/// Says where the server listens, and the token unless the caller knows it.
fn tell(url: &str, token: Option<&str>) -> Result<()> {
    output::line(&format!("listening on {url}"))?;
    match token {
        Some(token) => output::line(token),
        None => Ok(()),
    }
}

/// A storage in memory with one account; the token to be told, unless it was given.
async fn ephemeral() -> Result<(Storage, Option<String>)> {
    let failed = |error: landfall_server::AdminError| {
        Fail::new(
            Exit::Other,
            "can't set up the account of --ephemeral",
            error,
        )
    };
    let given = std::env::var(TOKEN).ok().filter(|token| !token.is_empty());
    let storage = Storage::memory();
    let admin = storage.admin();
    admin.add_account(EPHEMERAL, None).await.map_err(failed)?;
    let grant = TokenGrant {
        token: given.clone(),
        ..TokenGrant::default()
    };
    let token = admin.create_token(EPHEMERAL, grant).await.map_err(failed)?;
    Ok((storage, given.is_none().then_some(token)))
}
