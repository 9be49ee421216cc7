//! A certificate authority for one machine's tests.
//!
//! Programs that can't be pointed elsewhere call Dropbox by its names, so the certificate has
//! these names, and the program is told to trust its authority. The key of the authority is the
//! only thing that must last; the certificates can be made from it again.

use super::TlsError;
use crate::directory::create_all;
use crate::sys::{Micros, Sys, Taken};
use bytes::Bytes;
use data_encoding::HEXLOWER;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, date_time_ymd,
};
use rustls::pki_types::ServerName;
use sha2::{Digest, Sha256};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The names that a certificate for development always has: those by which clients call Dropbox,
/// and this machine's.
pub const NAMES: [&str; 9] = [
    "api.dropboxapi.com",
    "content.dropboxapi.com",
    "notify.dropboxapi.com",
    "api.dropbox.com",
    "api-content.dropbox.com",
    "www.dropbox.com",
    "localhost",
    "127.0.0.1",
    "::1",
];

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// How long an authority is good for, and a server's certificate: some systems take none that
/// is good for longer than 398 days.
const AUTHORITY: Duration = DAY.saturating_mul(3650);
const SERVER: Duration = DAY.saturating_mul(397);

/// A certificate that ends sooner than this is made anew.
const RENEWED: Duration = DAY.saturating_mul(60);

/// Clocks differ.
const BEFORE: Duration = DAY;

/// Where the first line of a server's certificate says for which names it is, and the second
/// until when it need not be made anew (microseconds since 1970). What reads PEM skips them.
const FOR: &str = "Names: ";
const UNTIL: &str = "Renewed-After: ";

/// An authority with the names that its certificate is for.
#[derive(Debug)]
pub(super) struct Authority {
    dir: PathBuf,
    file: PathBuf,
    names: Vec<String>,
    key: KeyPair,
    sys: Sys,
}

impl Authority {
    pub(super) fn open(dir: &Path, names: &[String], sys: &Sys) -> Result<Self, TlsError> {
        let make = |why: String| TlsError::Make {
            dir: dir.to_owned(),
            why,
        };
        create_all(&*sys.fs, dir).map_err(|error| make(error.to_string()))?;
        let file = dir.join("authority-key.pem");
        let kept = the_key(&file, sys).map_err(|why| make(format!("{}: {why}", file.display())))?;
        let key = KeyPair::from_pem(&kept)
            .map_err(|error| make(format!("{} holds no key: {error}", file.display())))?;
        let mut all: Vec<String> = NAMES.map(str::to_owned).into();
        for name in names {
            // A certificate takes any text; no client would find it good for this one.
            if ServerName::try_from(name.trim_start_matches("*.")).is_err() {
                return Err(make(format!("{name:?} is no host name and no address")));
            }
            if !all.contains(name) {
                all.push(name.clone());
            }
        }
        let authority = Self {
            dir: dir.to_owned(),
            file: dir.join("authority.pem"),
            names: all,
            key,
            sys: sys.clone(),
        };
        if authority.sys.fs.read(&authority.file).is_err() {
            let certificate = authority.params()?.self_signed(&authority.key);
            let certificate = certificate.map_err(|error| make(error.to_string()))?;
            authority.keep(&authority.file, &certificate.pem())?;
        }
        Ok(authority)
    }

    /// The file with the authority's certificate.
    pub(super) fn file(&self) -> &Path {
        &self.file
    }

    /// A certificate for the names and its key, made anew if need be, and the file that it is
    /// kept in.
    pub(super) fn certificate(&self) -> Result<(PathBuf, Vec<u8>), TlsError> {
        let file = self.dir.join("server.pem");
        let now = self.sys.clock.now();
        // Whatever is wrong with the one that is kept, a new one is as good.
        let kept = self.sys.fs.read(&file).unwrap_or_default();
        if !self.is_good(&String::from_utf8_lossy(&kept), now) {
            let issued = self.issue(now)?;
            self.keep(&file, &issued)?;
            return Ok((file, issued.into_bytes()));
        }
        Ok((file, kept))
    }

    fn is_good(&self, kept: &str, now: Micros) -> bool {
        let mut lines = kept.lines();
        let names = lines.next().and_then(|line| line.strip_prefix(FOR));
        let until = lines.next().and_then(|line| line.strip_prefix(UNTIL));
        names == Some(&*self.names.join(" "))
            && until.is_some_and(|until| until.parse().is_ok_and(|until| now < Micros(until)))
    }

    fn issue(&self, now: Micros) -> Result<String, TlsError> {
        let failed = |error: rcgen::Error| self.failed(error.to_string());
        let key = KeyPair::generate().map_err(failed)?;
        let mut params = CertificateParams::new(self.names.clone())
            .map_err(|error| self.failed(format!("{}: {error}", self.names.join(" "))))?;
        params.distinguished_name = named("Landfall development server");
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        self.good_for(&mut params, SERVER);
        let issuer = Issuer::new(self.params()?, &self.key);
        let certificate = params.signed_by(&key, &issuer).map_err(failed)?;
        let renewed = now.0 + (SERVER - RENEWED).as_micros() as i64;
        let names = self.names.join(" ");
        let (certificate, key) = (certificate.pem(), key.serialize_pem());
        Ok(format!(
            "{FOR}{names}\n{UNTIL}{renewed}\n{certificate}{key}"
        ))
    }

    /// What the authority's certificate says, apart from its dates the same each time.
    fn params(&self) -> Result<CertificateParams, TlsError> {
        let mut params =
            CertificateParams::new([]).map_err(|error| self.failed(error.to_string()))?;
        // Several authorities may be trusted on one machine: their names must differ.
        let digest = HEXLOWER.encode(&Sha256::digest(self.key.public_key_raw())[..4]);
        params.distinguished_name = named(&format!("Landfall development authority {digest}"));
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        self.good_for(&mut params, AUTHORITY);
        Ok(params)
    }

    fn good_for(&self, params: &mut CertificateParams, time: Duration) {
        let now = Duration::from_micros(self.sys.clock.now().0.max(0) as u64);
        let now = date_time_ymd(1970, 1, 1) + now;
        params.not_before = now - BEFORE;
        params.not_after = now + time;
    }

    fn keep(&self, file: &Path, pem: &str) -> Result<(), TlsError> {
        let draft = self.dir.join(self.sys.name());
        let bytes = Bytes::from(pem.to_owned());
        let kept = self
            .sys
            .fs
            .write_whole(&draft, file, bytes, Taken::Replaced);
        kept.map_err(|error| self.failed(format!("{}: {error}", file.display())))
    }

    fn failed(&self, why: String) -> TlsError {
        TlsError::Make {
            dir: self.dir.clone(),
            why,
        }
    }
}

/// The key of the authority, drawn if there is none yet.
fn the_key(file: &Path, sys: &Sys) -> io::Result<String> {
    let kept = match sys.fs.read(file) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let drawn = KeyPair::generate().map_err(io::Error::other)?;
            let bytes = Bytes::from(drawn.serialize_pem());
            let draft = file.with_file_name(sys.name());
            // Of two processes that draw a key, the second takes that of the first.
            match sys.fs.write_whole(&draft, file, bytes, Taken::Left) {
                Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
                _ => sys.fs.read(file),
            }
        }
        read => read,
    };
    String::from_utf8(kept?).map_err(io::Error::other)
}

fn named(name: &str) -> DistinguishedName {
    let mut names = DistinguishedName::new();
    names.push(DnType::CommonName, name);
    names
}
