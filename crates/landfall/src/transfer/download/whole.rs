//! All that is missing by one request, and after a break by another for the rest.

use super::DownloadFailure;
use super::origin::{Answer, Ended, Origin};
use super::patience::Patience;
use super::prefix::Prefix;
use crate::transfer::events::Event;
use crate::{ByteRange, Fault};
use landfall_protocol::types::files::FileMetadata;
use std::sync::Arc;
use tokio::io::AsyncWrite;

/// A file that comes in one piece, as long as nothing breaks.
pub(super) struct Whole<'a> {
    pub(super) origin: &'a Origin,
    pub(super) name: &'a Arc<str>,
    /// The file, as soon as it is known.
    pub(super) file: &'a mut Option<FileMetadata>,
    /// Whether the service may be asked for a part.
    pub(super) ranges: bool,
}

impl Whole<'_> {
    /// Adds all that is missing to the prefix.
    pub(super) async fn run<W: AsyncWrite + Unpin>(
        mut self,
        prefix: &mut Prefix<'_, W>,
    ) -> Result<(), DownloadFailure> {
        let engine = &self.origin.engine;
        let mut patience = Patience::new(engine);
        loop {
            let before = prefix.length();
            let from = if self.ranges { before } else { 0 };
            // No range for the whole: a file of no bytes has none.
            let range = (from > 0).then_some(ByteRange { from, to: None });
            let size = self.file.as_ref().map_or(0, |file| file.size);
            let bytes = size.saturating_sub(from);
            let read = async |answer| copy(answer, self.name, self.file, self.origin, prefix).await;
            match self.origin.request(before, range, bytes, read).await {
                Ok(Ended::Complete) => return Ok(()),
                Ok(Ended::Failed(failure)) => return Err(failure),
                // The file is shorter than what came: the whole of it tells what it is now.
                Ok(Ended::NoRange) => self.ranges = false,
                Err(broken) => {
                    let progressed = prefix.length() > before;
                    let again = patience.again(engine, broken, progressed, before);
                    again.await?;
                }
            }
        }
    }
}

/// Copies what comes.
async fn copy<W: AsyncWrite + Unpin>(
    mut answer: Answer,
    name: &Arc<str>,
    file: &mut Option<FileMetadata>,
    origin: &Origin,
    prefix: &mut Prefix<'_, W>,
) -> Result<Ended, Fault> {
    let now = answer.metadata();
    let file = &*file.get_or_insert_with(|| now.clone());
    if let Some(changed) = DownloadFailure::if_changed(&file.rev, &now.rev) {
        return Ok(Ended::Failed(changed));
    }
    let size = file.size;
    loop {
        let chunk = match answer.chunk().await {
            Ok(Some(chunk)) => chunk,
            Ok(None) if prefix.length() >= size => break,
            Ok(None) => return Err(answer.ended_early()),
            // All is here; how the connection ends is of no interest.
            Err(_) if prefix.length() >= size => break,
            Err(fault) => return Err(fault),
        };
        if let Err(failure) = prefix.add(&chunk).await {
            return Ok(Ended::Failed(failure));
        }
        if prefix.length() > size {
            break;
        }
        origin.engine.tell(Event::Progress {
            file: Arc::clone(name),
            done: prefix.length(),
            total: Some(size),
        });
    }
    Ok(Ended::Complete)
}
