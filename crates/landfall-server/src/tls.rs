//! TLS: which certificate a server shows, and what it agrees on with a client.

mod development;

pub use development::NAMES;

use crate::directory::TLS;
use crate::sys::Sys;
use development::Authority;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use tokio_rustls::TlsAcceptor;

/// HTTP/2 first: whoever speaks both gets it, and some clients speak nothing else.
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// The certificate of a server. Clones share it; connections that begin after [`Self::renew`]
/// see the new one, those that stand are left alone.
#[derive(Clone, Debug)]
pub struct Certificate {
    source: Arc<Source>,
    shown: Arc<Shown>,
    sys: Sys,
}

#[derive(Debug)]
enum Source {
    Files { chain: PathBuf, key: PathBuf },
    Development(Box<Authority>),
}

struct Shown(RwLock<Arc<CertifiedKey>>);

/// Why there is no certificate to show.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file can't be read.
    #[error("can't read {}: {source}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A file isn't what it should be.
    #[error("{}: {why}", path.display())]
    Content {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// Certificate and key don't go together.
    #[error("the certificate in {} can't be used with the key in {}: {why}", chain.display(), key.display())]
    Pair {
        /// The file of the certificate.
        chain: PathBuf,
        /// The file of the key.
        key: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// A certificate for development can't be made or kept.
    #[error("can't make a certificate in {}: {why}", dir.display())]
    Make {
        /// Where.
        dir: PathBuf,
        /// What is wrong.
        why: String,
    },
}

impl Certificate {
    /// The certificate in `chain` (PEM: the server's own first, then those in between) with the
    /// private key in `key` (PEM, unencrypted).
    ///
    /// # Errors
    /// A file can't be read or holds something else, or the two don't belong together.
    pub fn from_files(chain: &Path, key: &Path, sys: &Sys) -> Result<Self, TlsError> {
        let source = Source::Files {
            chain: chain.to_owned(),
            key: key.to_owned(),
        };
        Self::of(source, sys)
    }

    /// A certificate for Dropbox's own names, this machine and `names` (host names or
    /// addresses), signed by an authority that is made for it. Both are kept in the folder `tls`
    /// of the directory `data`, so that clients have to be told to trust the authority only once.
    ///
    /// # Errors
    /// The directory can't be used, or a name can't stand in a certificate.
    pub fn for_development(data: &Path, names: &[String], sys: &Sys) -> Result<Self, TlsError> {
        let authority = Authority::open(&data.join(TLS), names, sys)?;
        Self::of(Source::Development(Box::new(authority)), sys)
    }

    fn of(source: Source, sys: &Sys) -> Result<Self, TlsError> {
        let shown = Shown(RwLock::new(Arc::new(source.read(sys)?)));
        Ok(Self {
            source: Arc::new(source),
            shown: Arc::new(shown),
            sys: sys.clone(),
        })
    }

    /// Reads the certificate again, or makes a new one if it was made for development and is
    /// about to end.
    ///
    /// # Errors
    /// As when it was read first; then the one before stays.
    pub fn renew(&self) -> Result<(), TlsError> {
        let new = Arc::new(self.source.read(&self.sys)?);
        *self.shown.0.write().unwrap_or_else(PoisonError::into_inner) = new;
        Ok(())
    }

    /// The file with the authority that clients must be told to trust (PEM), if the certificate
    /// was made for development.
    pub fn authority(&self) -> Option<&Path> {
        match &*self.source {
            Source::Files { .. } => None,
            Source::Development(authority) => Some(authority.file()),
        }
    }

    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        let shown = Arc::clone(&self.shown);
        let mut config = rustls::ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .expect("the provider has suites for each version")
            .with_no_client_auth()
            .with_cert_resolver(shown);
        config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).into();
        TlsAcceptor::from(Arc::new(config))
    }
}

impl Source {
    fn read(&self, sys: &Sys) -> Result<CertifiedKey, TlsError> {
        match self {
            Self::Files { chain, key } => {
                certified((chain, &read(chain, sys)?), (key, &read(key, sys)?))
            }
            Self::Development(authority) => {
                // Read once: another process may replace it at any time.
                let (file, pem) = authority.certificate()?;
                certified((&file, &pem), (&file, &pem))
            }
        }
    }
}

/// A pair that belongs together.
fn certified(
    (chain, certificates): (&Path, &[u8]),
    (key, private): (&Path, &[u8]),
) -> Result<CertifiedKey, TlsError> {
    let content = |path: &Path, why: &str| TlsError::Content {
        path: path.to_owned(),
        why: why.to_owned(),
    };
    let certificates = CertificateDer::pem_slice_iter(certificates)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| content(chain, &format!("no certificate in PEM form ({error})")))?;
    if certificates.is_empty() {
        return Err(content(chain, "holds no certificate in PEM form"));
    }
    let private = match PrivateKeyDer::from_pem_slice(private) {
        Ok(private) => private,
        Err(pem::Error::NoItemsFound) => {
            return Err(content(key, "holds no unencrypted private key in PEM form"));
        }
        Err(error) => return Err(content(key, &format!("no private key ({error})"))),
    };
    CertifiedKey::from_der(certificates, private, &default_provider()).map_err(|error| {
        TlsError::Pair {
            chain: chain.to_owned(),
            key: key.to_owned(),
            why: error.to_string(),
        }
    })
}

fn read(path: &Path, sys: &Sys) -> Result<Vec<u8>, TlsError> {
    sys.fs.read(path).map_err(|source| TlsError::Read {
        path: path.to_owned(),
        source,
    })
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let shown = self.0.read().unwrap_or_else(PoisonError::into_inner);
        Some(Arc::clone(&shown))
    }
}

impl fmt::Debug for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Shown")
    }
}

#[cfg(test)]
mod tests {
    use super::{Certificate, NAMES, TlsError};
    use crate::sys::{Clock, ManualClock, Sys};
    use rustls::crypto::ring::default_provider;
    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
    use rustls::time_provider::TimeProvider;
    use rustls::{ClientConfig, RootCertStore};
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;
    use std::sync::Arc;
    use std::time::Duration;
    use tokio::io::duplex;
    use tokio_rustls::TlsConnector;

    const DAY: i64 = 24 * 60 * 60;

    /// Clients go by the same clock.
    impl TimeProvider for ManualClock {
        fn current_time(&self) -> Option<UnixTime> {
            let micros = Duration::from_micros(self.now().0 as u64);
            Some(UnixTime::since_unix_epoch(micros))
        }
    }

    fn world() -> (Arc<ManualClock>, Sys) {
        let clock = Arc::new(ManualClock::at(Sys::real().clock.now()));
        let sys = Sys {
            clock: Arc::clone(&clock) as _,
            ..Sys::real()
        };
        (clock, sys)
    }

    /// What a client that trusts one authority agrees on with a server: the protocol, and the
    /// certificate that it saw.
    async fn agree(
        certificate: &Certificate,
        clock: &Arc<ManualClock>,
        authority: &Path,
        name: &str,
        protocols: &[&str],
    ) -> Result<(String, Vec<u8>), String> {
        let mut roots = RootCertStore::empty();
        roots
            .add(CertificateDer::from_pem_file(authority).unwrap())
            .unwrap();
        let clock = Arc::clone(clock);
        let provider = Arc::new(default_provider());
        let mut config = ClientConfig::builder_with_details(provider, clock)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = protocols
            .iter()
            .map(|name| name.as_bytes().into())
            .collect();
        let (near, far) = duplex(64 * 1024);
        let acceptor = certificate.acceptor();
        let server = tokio::spawn(async move { acceptor.accept(far).await.map(drop) });
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let client = TlsConnector::from(Arc::new(config));
        let stream = client
            .connect(name, near)
            .await
            .map_err(|e| e.to_string())?;
        let _ = server.await.unwrap();
        let agreed = stream.get_ref().1;
        let protocol = agreed.alpn_protocol().unwrap_or_default();
        Ok((
            String::from_utf8_lossy(protocol).into_owned(),
            agreed.peer_certificates().unwrap()[0].to_vec(),
        ))
    }

    #[tokio::test]
    async fn who_trusts_the_authority_for_development_gets_through_by_each_of_the_names() {
        let (clock, sys) = world();
        let dir = tempfile::tempdir().unwrap();
        let more = ["lab.example.org".to_owned(), "192.0.2.1".to_owned()];
        let certificate = Certificate::for_development(dir.path(), &more, &sys).unwrap();
        let authority = certificate.authority().unwrap();
        for name in NAMES.iter().copied().chain(more.iter().map(String::as_str)) {
            for (protocols, agreed) in [
                (&["h2", "http/1.1"][..], "h2"),
                (&["http/1.1"][..], "http/1.1"),
                (&[][..], ""),
            ] {
                let got = agree(&certificate, &clock, authority, name, protocols).await;
                assert_eq!(got.unwrap().0, agreed, "{name}");
            }
        }
        let got = agree(&certificate, &clock, authority, "example.org", &[]).await;
        assert!(got.unwrap_err().contains("not valid for name"));

        let other = tempfile::tempdir().unwrap();
        let other = Certificate::for_development(other.path(), &[], &sys).unwrap();
        let other = other.authority().unwrap().to_owned();
        let got = agree(&certificate, &clock, &other, "localhost", &[]).await;
        assert!(got.unwrap_err().contains("UnknownIssuer"));
    }

    #[tokio::test]
    async fn an_authority_once_trusted_stays_and_its_certificates_are_made_anew_in_time() {
        let (clock, sys) = world();
        let dir = tempfile::tempdir().unwrap();
        let open = |names: &[String]| Certificate::for_development(dir.path(), names, &sys);
        let first = open(&[]).unwrap();
        let authority = first.authority().unwrap().to_owned();
        let trusted = std::fs::read(&authority).unwrap();
        let seen = async |certificate: &Certificate| {
            let agreed = agree(certificate, &clock, &authority, "localhost", &[]).await;
            agreed.unwrap().1
        };
        let shown = seen(&first).await;
        assert_eq!(
            seen(&open(&[]).unwrap()).await,
            shown,
            "nothing has changed"
        );
        assert_ne!(seen(&open(&["lab".into()]).unwrap()).await, shown);

        let before = seen(&first).await;
        clock.advance_seconds(338 * DAY);
        first.renew().unwrap();
        assert_ne!(seen(&first).await, before, "it would end in two months");
        clock.advance_seconds(330 * DAY);
        let late = agree(&first, &clock, &authority, "localhost", &[]).await;
        assert!(late.is_ok(), "not yet at its end");
        clock.advance_seconds(80 * DAY);
        let late = agree(&first, &clock, &authority, "localhost", &[]).await;
        assert!(late.unwrap_err().contains("expired"));
        first.renew().unwrap();
        seen(&first).await;
        assert_eq!(std::fs::read(&authority).unwrap(), trusted);
    }

    #[test]
    fn of_two_processes_that_begin_at_once_both_have_the_same_authority() {
        let (_, sys) = world();
        for _ in 0..20 {
            let dir = tempfile::tempdir().unwrap();
            let open = || Certificate::for_development(dir.path(), &[], &sys).unwrap();
            std::thread::scope(|scope| {
                let both = [scope.spawn(open), scope.spawn(open)];
                for one in both {
                    one.join().unwrap();
                }
            });
            let kept = sys.fs.list(&dir.path().join("tls")).unwrap();
            assert_eq!(kept.len(), 3, "{kept:?}");
            for name in kept {
                let file = dir.path().join("tls").join(name);
                let mode = file.metadata().unwrap().permissions().mode();
                assert_eq!(mode & 0o077, 0, "{file:?}");
            }
        }
    }

    #[tokio::test]
    async fn a_certificate_that_is_replaced_by_a_bad_one_stays() {
        let (clock, sys) = world();
        let made = [(); 2].map(|()| {
            let dir = tempfile::tempdir().unwrap();
            Certificate::for_development(dir.path(), &[], &sys).unwrap();
            dir
        });
        let pem = |nth: usize| made[nth].path().join("tls/server.pem");
        let authority = |nth: usize| made[nth].path().join("tls/authority.pem");
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("both.pem");
        std::fs::copy(pem(0), &file).unwrap();
        let certificate = Certificate::from_files(&file, &file, &sys).unwrap();
        let trusts = async |nth| {
            let authority = authority(nth);
            let agreed = agree(&certificate, &clock, &authority, "localhost", &[]).await;
            agreed.is_ok()
        };
        assert!(trusts(0).await && !trusts(1).await);
        std::fs::write(&file, "no certificate").unwrap();
        let error = certificate.renew().unwrap_err().to_string();
        assert!(
            error.ends_with("both.pem: holds no certificate in PEM form"),
            "{error}"
        );
        assert!(trusts(0).await);
        std::fs::copy(pem(1), &file).unwrap();
        certificate.renew().unwrap();
        assert!(!trusts(0).await && trusts(1).await);

        let mixed = Certificate::from_files(&pem(0), &pem(1), &sys).unwrap_err();
        assert!(matches!(mixed, TlsError::Pair { .. }), "{mixed}");
        let no_key = Certificate::from_files(&pem(0), &authority(0), &sys).unwrap_err();
        assert!(
            no_key.to_string().contains("no unencrypted private key"),
            "{no_key}"
        );
    }
}
