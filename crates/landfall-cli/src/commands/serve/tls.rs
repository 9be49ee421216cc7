//! The certificate of `serve`: which, when it is read again, and what clients are told of it.

use crate::cli::Serve;
use crate::exit::{Exit, Fail, Result};
use crate::remote::local;
use landfall_server::sys::Sys;
use landfall_server::tls::{Certificate, TlsError};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::Path;
use tokio::signal::unix::{SignalKind, signal};

/// The certificate that the arguments ask for.
pub(super) fn certificate(args: &Serve, sys: &Sys) -> Result<Option<Certificate>> {
    let certificate = if let (Some(chain), Some(key)) = (&args.tls_cert, &args.tls_key) {
        Certificate::from_files(chain, key, sys)
    } else if args.tls_dev {
        // A server in memory has no directory of its own, and yet its authority should last.
        let data = match &args.data {
            Some(data) if !args.ephemeral => data.clone(),
            _ => local::directory()?,
        };
        let mut names = args.tls_name.clone();
        if !args.listen.ip().is_unspecified() {
            names.push(args.listen.ip().to_string());
        }
        Certificate::for_development(&data, &names, sys)
    } else {
        return Ok(None);
    };
    certificate.map(Some).map_err(|error| {
        let exit = match error {
            TlsError::Make { .. } => Exit::Other,
            TlsError::Read { .. } | TlsError::Content { .. } | TlsError::Pair { .. } => {
                Exit::Source
            }
        };
        Fail::new(exit, format!("can't serve on {}", args.listen), error)
    })
}

/// Reads the certificate again at each SIGHUP; one that can't be used leaves the old one. From
/// the call on the signal is caught, whether the future is polled or not.
pub(super) fn renewals(certificate: &Certificate) -> impl Future<Output = Infallible> + use<> {
    let hangups = signal(SignalKind::hangup());
    let certificate = certificate.clone();
    async move {
        if let Ok(mut hangups) = hangups {
            while hangups.recv().await.is_some() {
                match certificate.renew() {
                    Ok(()) => tracing::info!("the certificate was read again"),
                    Err(error) => tracing::error!("the old certificate stays: {error}"),
                }
            }
        }
        std::future::pending().await
    }
}

/// How each client is told to trust an authority that was made for development.
pub(super) fn advice(address: SocketAddr, authority: &Path) -> String {
    let ca = authority.display();
    let port = address.port();
    format!(
        "clients must trust {ca}
  landfall      --remote https://localhost:{port} --ca-cert {ca}
  curl          --cacert {ca}
  Python SDK    REQUESTS_CA_BUNDLE={ca}
                DROPBOX_API_HOST=localhost:{port} DROPBOX_API_CONTENT_HOST=localhost:{port}
                DROPBOX_API_NOTIFY_HOST=localhost:{port}
  Go, dbxcli    SSL_CERT_FILE={ca}
  JavaScript    NODE_EXTRA_CA_CERTS={ca}
  Rust SDK      SSL_CERT_FILE={ca}, with the hosts file and port 443
  rclone        --ca-cert {ca}, with the hosts file and port 443
  Java          with port 443
                keytool -importcert -noprompt -alias landfall -file {ca} -keystore trust.p12 -storepass landfall
                java -Djavax.net.ssl.trustStore=trust.p12 -Djavax.net.ssl.trustStorePassword=landfall
docs/clients.md has all of it. Don't have the whole system trust it: its key can sign for any name."
    )
}
