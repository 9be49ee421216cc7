//! Waiting until something changes.

use super::cursor::Position;
use super::{Failure, Service, Trouble};
use crate::meta::MetaError;
use crate::meta::rows::JournalId;
use landfall_protocol::types::folders::{
    ListFolderLongpollArg, ListFolderLongpollError, ListFolderLongpollResult,
};
use std::future::Future;
use std::time::Duration;
use tokio::time::{Instant, sleep, sleep_until};

/// How often it is looked for changes that other processes made.
pub(super) const LOOK: Duration = Duration::from_secs(2);

impl Service {
    /// Waits until there is something to list after a cursor, for as long as the argument says
    /// or until `stop`. Who holds the cursor may ask; nothing of the tree is told.
    ///
    /// # Errors
    /// The cursor was not made by this service, or the metadata's.
    pub async fn longpoll(
        &self,
        arg: ListFolderLongpollArg,
        stop: impl Future<Output = ()>,
    ) -> Result<ListFolderLongpollResult, Failure<ListFolderLongpollError>> {
        let answer = |changes| {
            Ok(ListFolderLongpollResult {
                changes,
                backoff: None,
            })
        };
        let cursor = self.unseal(&arg.cursor).ok_or(Trouble::BadArgument(
            "request body: cursor: unsupported cursor type",
        ))?;
        if cursor.position != Position::Changes {
            return answer(true);
        }
        let end = Instant::now() + Duration::from_secs(arg.timeout.get());
        let mut changed = self.meta.changes_of(cursor.listing.ns);
        let mut after = cursor.journal;
        let mut stop = std::pin::pin!(stop);
        loop {
            match self.changed(&cursor.listing, after).await {
                Ok(Looked::Changed) => return answer(true),
                // What was looked through is not looked through again.
                Ok(Looked::Until(journal)) => after = journal,
                Err(MetaError::Gone(_)) => {
                    return Err(Failure::Route(ListFolderLongpollError::Reset));
                }
                Err(error) => return Err(error.into()),
            }
            tokio::select! {
                () = changed.wait() => {}
                () = sleep(LOOK) => {}
                () = sleep_until(end) => return answer(false),
                () = &mut stop => return answer(false),
            }
        }
    }

    async fn changed(
        &self,
        listing: &crate::meta::Listing,
        after: JournalId,
    ) -> Result<Looked, MetaError> {
        let listing = listing.clone();
        self.meta
            .read(move |loads| {
                let newest = loads.namespace(listing.ns)?.journal;
                let some = newest > after && !loads.changes(&listing, after, 1)?.is_empty();
                Ok(match some {
                    true => Looked::Changed,
                    false => Looked::Until(newest),
                })
            })
            .await
    }
}

enum Looked {
    /// Something is there.
    Changed,
    /// Nothing is there up to this change.
    Until(JournalId),
}
