//! Whether everything is as it should be: rows without bytes, bytes without rows, checksums.

use super::{SLICE, Upkeep};
use crate::blobs::{CheckedPieces, Problem};
use crate::meta::rows::{Blob, BlobId};
use crate::ops::Trouble;
use std::time::Duration;
use tokio::time::sleep;

/// What a check found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// Blobs that were read and compared with their checksums.
    pub blobs: u64,
    /// Bytes in them.
    pub bytes: u64,
    /// Files that no row knows: garbage, which the collection removes once their writers are
    /// dead.
    pub strays: u64,
    /// What is wrong.
    pub problems: Vec<Problem>,
}

impl Upkeep {
    /// Reads every byte, at most `rate` of them per second, and compares it with what is known
    /// of it.
    ///
    /// # Errors
    /// The metadata's: then nothing can be said.
    pub async fn check(&self, rate: Option<u64>) -> Result<Checked, Trouble> {
        let mut checked = Checked::default();
        let mut pace = Pace::of(rate);
        let mut after = BlobId(String::new());
        loop {
            let from = after.clone();
            let page = self
                .meta
                .read(move |loads| loads.blobs(&from, SLICE))
                .await?;
            let Some(last) = page.last() else {
                break;
            };
            after = last.id.clone();
            for blob in &page {
                checked.blobs += 1;
                checked.bytes += blob.length;
                let problem = self.problem(blob, &mut pace).await?;
                checked.problems.extend(problem);
            }
        }
        for writer in self.blobs.writers().await? {
            for blob in self.blobs.list(&writer).await? {
                if !self.knows(&blob).await? {
                    checked.strays += 1;
                }
            }
        }
        Ok(checked)
    }

    /// What is wrong with a blob. One that nothing refers to any more may go at any moment; that
    /// is no problem.
    pub(super) async fn problem(
        &self,
        blob: &Blob,
        pace: &mut Pace,
    ) -> Result<Option<Problem>, Trouble> {
        match self.check_blob(blob, pace).await {
            Err(problem) if self.is_used(&blob.id).await? => Ok(Some(problem)),
            _ => Ok(None),
        }
    }

    async fn is_used(&self, blob: &BlobId) -> Result<bool, Trouble> {
        let wanted = blob.clone();
        let uses = self.meta.read(move |loads| loads.blob_use(&wanted)).await?;
        Ok(uses > 0)
    }

    async fn knows(&self, blob: &BlobId) -> Result<bool, Trouble> {
        let wanted = blob.clone();
        Ok(self
            .meta
            .read(move |loads| loads.knows_blob(&wanted))
            .await?)
    }

    async fn check_blob(&self, blob: &Blob, pace: &mut Pace) -> Result<(), Problem> {
        let mut pieces = CheckedPieces::of(&*self.blobs, blob);
        while let Some(length) = pieces.coming() {
            pace.before(length).await;
            pieces.next().await?;
        }
        Ok(())
    }
}

/// Keeps what reads in the background below a rate.
#[derive(Debug)]
pub(super) struct Pace {
    /// Bytes per second.
    rate: Option<u64>,
    /// Time that was not waited yet: many small waits would each be rounded up.
    owed: Duration,
}

/// Waits shorter than this are put off.
const WAIT: Duration = Duration::from_millis(20);

impl Pace {
    /// At most so many bytes per second; `None`: as fast as it goes.
    pub(super) fn of(rate: Option<u64>) -> Self {
        Self {
            rate: rate.map(|rate| rate.max(1)),
            owed: Duration::ZERO,
        }
    }

    /// Waits until so many bytes may be read.
    async fn before(&mut self, bytes: usize) {
        let Some(rate) = self.rate else {
            return;
        };
        self.owed += Duration::from_secs_f64(bytes as f64 / rate as f64);
        if self.owed >= WAIT {
            sleep(std::mem::take(&mut self.owed)).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Pace, Problem};
    use crate::Storage;
    use crate::meta::rows::{
        Blob, BlobId, BlobOffset, BlobPlace, ContentId, Extent, FileOffset, Writer,
    };
    use crate::meta::{Effect, Unconditional};
    use crate::sys::Micros;
    use landfall_protocol::BlockDigests;

    #[tokio::test]
    async fn a_file_that_is_missing_is_a_problem_only_while_something_refers_to_it() {
        let storage = Storage::memory();
        let blob = Blob {
            id: BlobId("writer/blob".into()),
            length: 1,
            checksums: vec![0],
            place: BlobPlace::Stored,
        };
        let (content, offset) = (ContentId("content".into()), FileOffset(0));
        let writer = Writer {
            id: "writer".into(),
            heartbeat: Micros(0),
            fenced: false,
        };
        let extent = Extent {
            content: content.clone(),
            offset,
            length: 1,
            blob: blob.id.clone(),
            blob_offset: BlobOffset(0),
            digests: BlockDigests::default(),
        };
        let apply = |effects| storage.meta.transact(Unconditional(effects));
        apply(vec![Effect::PutWriter(writer)]).await.unwrap();
        let kept = vec![Effect::AddBlob(blob.clone()), Effect::AddExtent(extent)];
        apply(kept).await.unwrap();
        let upkeep = storage.upkeep();
        let problem = upkeep.problem(&blob, &mut Pace::of(None)).await.unwrap();
        assert_eq!(problem, Some(Problem::Missing(blob.id.clone())));

        // As the collection leaves it before it forgets the file that it has removed.
        let doomed = Effect::DoomBlob {
            id: blob.id.clone(),
            since: Micros(0),
        };
        let given_up = vec![Effect::RemoveExtent { content, offset }, doomed];
        apply(given_up).await.unwrap();
        let problem = upkeep.problem(&blob, &mut Pace::of(None)).await.unwrap();
        assert_eq!(problem, None);
    }
}
