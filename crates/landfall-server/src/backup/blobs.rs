//! Copying the blobs that the copied metadata knows.

use super::target::Target;
use super::{BackupError, Copied};
use crate::blobs::{BlobError, CheckedPieces, LocalBlobs, Problem};
use crate::directory::{BLOBS, METADATA};
use crate::meta::rows::{Blob, BlobId, BlobPlace};
use crate::meta::{MetaError, blobs_in};
use crate::sys::Point;
use futures_util::{StreamExt, stream};
use tokio::task::spawn_blocking;

/// Blobs that are looked up at once.
const PAGE: usize = 200;

/// Blobs that are copied at once: while one is synced, others are read.
const AT_ONCE: usize = 4;

/// Copies every blob that the metadata in the target knows, each piece compared with its
/// checksum. What is missing or damaged is left out and named in the end.
pub(super) async fn copy_all(from: LocalBlobs, target: &Target) -> Result<Copied, BackupError> {
    let fs = &*target.sys.fs;
    let dir = target.path(BLOBS);
    target.step("make the blobs of", fs.create_dir(&dir))?;
    let to = LocalBlobs::new(target.sys.clone(), dir);
    let mut copied = Copied::default();
    let mut problems = Vec::new();
    let mut after = BlobId(String::new());
    loop {
        let page = page(target, after).await?;
        let Some(last) = page.last() else {
            break;
        };
        after = last.id.clone();
        copied.blobs += page.len() as u64;
        copied.bytes += page.iter().map(|blob| blob.length).sum::<u64>();
        let copies = page
            .into_iter()
            .map(|blob| copy_blob(from.clone(), to.clone(), blob));
        let mut copies = stream::iter(copies).buffer_unordered(AT_ONCE);
        while let Some(outcome) = copies.next().await {
            match outcome {
                Ok(()) => target.point(Point::CopyBlobCopied)?,
                Err(Fault::Source(problem)) => problems.push(problem),
                Err(Fault::Target(error)) => return Err(error.into()),
            }
        }
    }
    if problems.is_empty() {
        Ok(copied)
    } else {
        Err(BackupError::NotWhole(problems))
    }
}

async fn page(target: &Target, after: BlobId) -> Result<Vec<Blob>, MetaError> {
    let file = target.path(METADATA);
    spawn_blocking(move || blobs_in(&file, &after, PAGE))
        .await
        .unwrap_or_else(|error| Err(MetaError::Failed(error.to_string())))
}

/// Why a blob was not copied.
enum Fault {
    /// It is not as it should be where it is.
    Source(Problem),
    /// It can't be written where it should be.
    Target(BlobError),
}

impl From<Problem> for Fault {
    fn from(problem: Problem) -> Self {
        Self::Source(problem)
    }
}

impl From<BlobError> for Fault {
    fn from(error: BlobError) -> Self {
        Self::Target(error)
    }
}

async fn copy_blob(from: LocalBlobs, to: LocalBlobs, blob: Blob) -> Result<(), Fault> {
    let mut pieces = CheckedPieces::of(&from, &blob);
    if let BlobPlace::Inline(_) = blob.place {
        // Copied with the metadata; only to be looked at.
        while pieces.next().await?.is_some() {}
        return Ok(());
    }
    // The names come from the copy, and must not lead out of it.
    if !is_name(&blob.id) {
        return Err(Fault::Source(Problem::Unreadable {
            blob: blob.id.clone(),
            why: "that is no name of a blob".into(),
        }));
    }
    // Dropped before its end, it leaves nothing behind.
    let mut copy = to.create_as(blob.id.clone());
    while let Some(piece) = pieces.next().await? {
        copy.write(piece).await?;
    }
    copy.finish().await?;
    Ok(())
}

/// `<writer>/<random>`, of the characters that names are made of.
fn is_name(id: &BlobId) -> bool {
    let plain = |part: &str| {
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        !part.is_empty() && part.bytes().all(legal)
    };
    id.0.split_once('/')
        .is_some_and(|(writer, name)| plain(writer) && plain(name))
}

#[cfg(test)]
mod tests {
    use super::is_name;
    use crate::meta::rows::BlobId;
    use crate::sys::Sys;

    #[test]
    fn names_of_blobs_never_lead_out_of_their_directory() {
        let random = Sys::real().random;
        let made = format!("{}/{}", random.name(), random.name());
        assert!(is_name(&BlobId(made)));
        for text in [
            "", "/", "a/", "/a", "../a", "a/..", "a/b/c", "a", "a/b\0", "a\\b/c",
        ] {
            assert!(!is_name(&BlobId(text.into())), "{text}");
        }
    }
}
