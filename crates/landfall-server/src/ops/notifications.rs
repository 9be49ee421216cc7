//! What a user's clients are told of.
//!
//! A notification is written in the transaction of the change that it is about, unless that was
//! muted; so there is one for each such change, and none for any other.

use super::waiting::LOOK;
use super::{Caller, Service};
use crate::meta::rows::{JournalId, Notification};
use crate::meta::{MetaError, TreeChanged};
use std::time::Duration;
use tokio::time::{sleep, timeout};

/// Notifications in one go.
const PAGE: usize = 200;

/// The notifications of a tree, from some change on.
#[derive(Debug)]
pub struct Feed {
    service: Service,
    caller: Caller,
    after: JournalId,
    changed: TreeChanged,
}

impl Service {
    /// The notifications of the caller's tree after a change; `None`: after now.
    ///
    /// # Errors
    /// The metadata's.
    pub async fn feed(&self, caller: &Caller, after: Option<JournalId>) -> Result<Feed, MetaError> {
        let ns = caller.ns();
        let changed = self.meta.changes_of(ns);
        let after = match after {
            Some(after) => after,
            None => {
                let namespace = self.meta.read(move |loads| loads.namespace(ns));
                namespace.await?.journal
            }
        };
        Ok(Feed {
            service: self.clone(),
            caller: caller.clone(),
            after,
            changed,
        })
    }
}

impl Feed {
    /// The next ones, in order; none if there are none for so long.
    ///
    /// # Errors
    /// The metadata's.
    pub async fn next(&mut self, most: Duration) -> Result<Vec<Notification>, MetaError> {
        let next = async {
            loop {
                let some = self.page().await?;
                if !some.is_empty() {
                    return Ok(some);
                }
                tokio::select! {
                    () = self.changed.wait() => {}
                    () = sleep(LOOK) => {}
                }
            }
        };
        timeout(most, next).await.unwrap_or_else(|_| Ok(Vec::new()))
    }

    async fn page(&mut self) -> Result<Vec<Notification>, MetaError> {
        let (ns, after) = (self.caller.ns(), self.after);
        let page = self
            .service
            .meta
            .read(move |loads| loads.notifications(ns, after, PAGE))
            .await?;
        if let Some(last) = page.last() {
            self.after = last.journal;
        }
        Ok(page)
    }
}
