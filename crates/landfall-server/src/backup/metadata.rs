//! Copying the metadata.

use super::BackupError;
use super::target::Target;
use crate::directory::{DIGEST, METADATA};
use crate::meta::{MetaError, copy};
use crate::sys::{Fs, Point};
use bytes::Bytes;
use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};
use std::io;
use std::path::Path;
use std::sync::Arc;
use tokio::task::spawn_blocking;

/// Bytes that are read at once.
const PIECE: u64 = 1024 * 1024;

/// Copies metadata that is in use, and writes the digest of the copy beside it.
pub(super) async fn copy_live(file: &Path, target: &Target) -> Result<(), BackupError> {
    let fs = Arc::clone(&target.sys.fs);
    let (from, to) = (file.to_owned(), target.path(METADATA));
    let digest = in_background(move || {
        let trouble = || BackupError::io(format!("copy the metadata to {}", to.display()));
        // Made before SQLite does, for its owner alone.
        let made = fs.create_file(&to).map_err(trouble())?;
        copy(&from, &to)?;
        fs.sync_file(&made).map_err(trouble())?;
        digest(&*fs, &to, |_| Ok(())).map_err(trouble())
    });
    let line = format!("{}  {METADATA}\n", digest.await?);
    target.write(DIGEST, line)?;
    target.point(Point::CopyMetadataCopied)
}

/// Copies the metadata of a backup, if it is what was backed up.
pub(super) async fn copy_checked(backup: &Path, target: &Target) -> Result<(), BackupError> {
    let fs = Arc::clone(&target.sys.fs);
    let (backup, to) = (backup.to_owned(), target.path(METADATA));
    in_background(move || {
        let trouble = || BackupError::io(format!("copy the metadata of {}", backup.display()));
        let wanted = line(&*fs, &backup.join(DIGEST)).map_err(trouble())?;
        let copied = fs.create_file(&to).and_then(|made| {
            let digest = digest(&*fs, &backup.join(METADATA), |piece| {
                fs.append(&made, &[piece])
            })?;
            fs.sync_file(&made)?;
            Ok(digest)
        });
        match copied.map_err(trouble())? {
            found if wanted.starts_with(&found) => Ok(()),
            _ => Err(BackupError::Digest(backup)),
        }
    })
    .await?;
    target.point(Point::CopyMetadataCopied)
}

/// The SHA-256 of a file, in hex; each piece is handed on as it is read.
fn digest(
    fs: &dyn Fs,
    file: &Path,
    mut take: impl FnMut(Bytes) -> io::Result<()>,
) -> io::Result<String> {
    let mut hasher = Sha256::new();
    each_piece(fs, file, |piece| {
        hasher.update(&piece);
        take(piece)
    })?;
    Ok(HEXLOWER.encode(&hasher.finalize()))
}

fn line(fs: &dyn Fs, file: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    each_piece(fs, file, |piece| {
        bytes.extend_from_slice(&piece);
        Ok(())
    })?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn each_piece(
    fs: &dyn Fs,
    file: &Path,
    mut take: impl FnMut(Bytes) -> io::Result<()>,
) -> io::Result<()> {
    let file = fs.open(file)?;
    let length = file.metadata()?.len();
    let mut at = 0;
    while at < length {
        let mut piece = vec![0; PIECE.min(length - at) as usize];
        fs.read_at(&file, &mut piece, at)?;
        at += piece.len() as u64;
        take(Bytes::from(piece))?;
    }
    Ok(())
}

async fn in_background<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, BackupError> + Send + 'static,
) -> Result<T, BackupError> {
    match spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => Err(MetaError::Failed(error.to_string()).into()),
    }
}
