//! What is known when no whole answer came.

use std::error::Error;
use std::io;
use std::time::Duration;

/// A request got no answer, or not all of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// No connection stood, so the service saw nothing of the request.
    #[error(
        "could not connect to {host} ({why}); check the address, the network and that the server runs"
    )]
    Connect {
        /// Host and port.
        host: String,
        /// In the system's words.
        why: String,
    },
    /// The server could not prove who it is, so nothing was sent to it.
    #[error(
        "can't trust {host} ({why}); if it has a certificate authority of its own, give its certificate"
    )]
    Certificate {
        /// Host and port.
        host: String,
        /// What is wrong with the certificate.
        why: String,
    },
    /// The connection broke.
    #[error("the connection to {host} broke ({why}); try again")]
    Broken {
        /// Host and port.
        host: String,
        /// In the system's words.
        why: String,
    },
    /// The connection stood, but nothing moved.
    #[error("{what} from or to {host} for {} seconds; try again", waited.as_secs())]
    Stalled {
        /// Host and port.
        host: String,
        /// What didn't move.
        what: &'static str,
        /// For how long.
        waited: Duration,
    },
    /// The token holds characters that no HTTP header can carry; nothing was sent.
    #[error(
        "the access token for {host} holds characters that no token has; check where it comes from"
    )]
    BadToken {
        /// Host and port.
        host: String,
    },
}

impl Fault {
    pub(crate) fn of(error: &reqwest::Error, host: &str) -> Self {
        let host = host.to_owned();
        if let Some(why) = untrusted(error) {
            return Self::Certificate { host, why };
        }
        let why = innermost(error);
        if error.is_connect() || error.is_builder() {
            Self::Connect { host, why }
        } else {
            Self::Broken { host, why }
        }
    }

    /// Whether the service may have got the request and acted on it.
    pub fn may_have_arrived(&self) -> bool {
        match self {
            Self::Broken { .. } | Self::Stalled { .. } => true,
            Self::Connect { .. } | Self::Certificate { .. } | Self::BadToken { .. } => false,
        }
    }

    /// Whether the same request may succeed later.
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Connect { .. } | Self::Broken { .. } | Self::Stalled { .. } => true,
            Self::Certificate { .. } | Self::BadToken { .. } => false,
        }
    }
}

/// The cause that says most: outer layers only repeat that the request failed, and name its
/// URL, which is known.
pub(super) fn innermost(error: &(dyn Error + 'static)) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

/// What is wrong with the server's certificate, if that is the cause.
fn untrusted(error: &(dyn Error + 'static)) -> Option<String> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(rustls::Error::InvalidCertificate(why)) = error.downcast_ref() {
            return Some(why.to_string());
        }
        // An I/O error's `source` leaves out the error that it wraps.
        let wrapped = error.downcast_ref().and_then(io::Error::get_ref);
        cause = match wrapped {
            Some(wrapped) => Some(wrapped),
            None => error.source(),
        };
    }
    None
}

#[cfg(test)]
mod tests {
    use super::{Fault, untrusted};
    use std::io;

    #[test]
    fn only_a_request_that_left_may_have_arrived() {
        let host = || "h:1".to_owned();
        let why = || "reset".to_owned();
        assert!(
            Fault::Broken {
                host: host(),
                why: why()
            }
            .may_have_arrived()
        );
        assert!(
            !Fault::Connect {
                host: host(),
                why: why()
            }
            .may_have_arrived()
        );
        assert!(
            !Fault::Certificate {
                host: host(),
                why: why()
            }
            .is_temporary()
        );
    }

    #[test]
    fn a_bad_certificate_is_found_however_deep_it_is_wrapped() {
        let bad = rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer);
        let wrapped = io::Error::other(io::Error::other(bad));
        assert!(untrusted(&wrapped).is_some());
        assert!(untrusted(&io::Error::other("reset")).is_none());
    }
}
