//! Listing folders, and what changed since.
//!
//! A listing first walks the tree in the order of the keys, then the journal from the change
//! that was the last before its first page. What changes while it walks is left to the journal:
//! so nothing is left out, and folders come before what is in them.

use super::cursor::{Cursor, Position};
use super::target::Place;
use super::{Caller, Failure, Service, metadata};
use crate::meta::rows::{Entry, JournalId, Node};
use crate::meta::{Listing, Loads, MetaError, Target};
use landfall_protocol::types::files::LookupError;
use landfall_protocol::types::folders::{
    ListFolderArg, ListFolderContinueArg, ListFolderContinueError, ListFolderError,
    ListFolderGetLatestCursorResult, ListFolderResult, PageLimit,
};
use landfall_protocol::{PathForm, PathKey, limits};

impl Service {
    /// Begins to list a folder.
    ///
    /// # Errors
    /// The route's.
    pub async fn list_folder(
        &self,
        caller: &Caller,
        arg: &ListFolderArg,
    ) -> Result<ListFolderResult, Failure<ListFolderError>> {
        let route = |error| Failure::Route(ListFolderError::Path(error));
        let target = listed(caller, arg).map_err(route)?;
        let ns = caller.tree();
        let limit = arg.limit.map_or(limits::LIST_PAGE_DEFAULT, PageLimit::get);
        let (recursive, deleted) = (arg.recursive, arg.include_deleted);
        let page = self
            .meta
            .read(move |loads| {
                let folder = match folder(loads, ns, &target)? {
                    Ok(folder) => folder,
                    Err(error) => return Ok(Err(error)),
                };
                let journal = loads.namespace(ns)?.journal;
                let listing = Listing {
                    ns,
                    folder,
                    recursive,
                    deleted,
                };
                page(loads, listing, limit, None, journal).map(Ok)
            })
            .await?
            .map_err(route)?;
        Ok(self.answer(page))
    }

    /// A cursor for what changes from now on, without what is there.
    ///
    /// # Errors
    /// The route's.
    pub async fn get_latest_cursor(
        &self,
        caller: &Caller,
        arg: &ListFolderArg,
    ) -> Result<ListFolderGetLatestCursorResult, Failure<ListFolderError>> {
        let route = |error| Failure::Route(ListFolderError::Path(error));
        let target = listed(caller, arg).map_err(route)?;
        let ns = caller.tree();
        let limit = arg.limit.map_or(limits::LIST_PAGE_DEFAULT, PageLimit::get);
        let (recursive, deleted) = (arg.recursive, arg.include_deleted);
        let cursor = self
            .meta
            .read(move |loads| {
                let folder = match folder(loads, ns, &target)? {
                    Ok(folder) => folder,
                    Err(error) => return Ok(Err(error)),
                };
                Ok(Ok(Cursor {
                    listing: Listing {
                        ns,
                        folder,
                        recursive,
                        deleted,
                    },
                    limit,
                    position: Position::Changes,
                    journal: loads.namespace(ns)?.journal,
                }))
            })
            .await?
            .map_err(route)?;
        Ok(ListFolderGetLatestCursorResult {
            cursor: self.seal(&cursor),
        })
    }

    /// Goes on listing, or says what changed since.
    ///
    /// # Errors
    /// The route's.
    pub async fn list_folder_continue(
        &self,
        caller: &Caller,
        arg: &ListFolderContinueArg,
    ) -> Result<ListFolderResult, Failure<ListFolderContinueError>> {
        let reset = || Failure::Route(ListFolderContinueError::Reset);
        let cursor = self.unseal_for(caller, &arg.cursor).ok_or_else(reset)?;
        let page = self
            .meta
            .read(move |loads| match cursor.position {
                Position::After(key) => page(
                    loads,
                    cursor.listing,
                    cursor.limit,
                    Some(&key),
                    cursor.journal,
                ),
                Position::Changes => changes(loads, cursor.listing, cursor.limit, cursor.journal),
            })
            .await?;
        Ok(self.answer(page))
    }

    fn answer(&self, page: Page) -> ListFolderResult {
        ListFolderResult {
            entries: page.nodes.iter().map(metadata::node).collect(),
            cursor: self.seal(&page.cursor),
            has_more: page.more,
        }
    }
}

/// What is to be listed.
fn listed(caller: &Caller, arg: &ListFolderArg) -> Result<Target, LookupError> {
    // There are no shared links here, so none leads anywhere.
    if arg.shared_link.is_some() {
        return Err(LookupError::NotFound);
    }
    let mut form = arg.path.form().clone();
    // rclone puts a second slash before the folders below the root.
    if let PathForm::Absolute(path) = &mut form
        && path.starts_with("//")
    {
        path.remove(0);
    }
    match caller.place(&form) {
        Ok(Place::Target(target)) => Ok(target),
        Ok(Place::Revision(_)) => Err(LookupError::NotFolder),
        Err(problem) => Err(problem.into()),
    }
}

struct Page {
    nodes: Vec<Node>,
    cursor: Cursor,
    more: bool,
}

/// The key of the folder to list.
fn folder(
    loads: &mut dyn Loads,
    ns: crate::meta::rows::Ns,
    target: &Target,
) -> Result<Result<PathKey, LookupError>, MetaError> {
    if matches!(target, Target::Path(path) if path.is_root()) {
        return Ok(Ok(PathKey::root()));
    }
    let node = loads.lookup(ns, target)?;
    Ok(match node.as_ref().map(|node| (&node.entry, node)) {
        Some((Entry::Folder(_), node)) => Ok(node.key()),
        Some((Entry::File(_), _)) => Err(LookupError::NotFolder),
        _ => Err(LookupError::NotFound),
    })
}

/// A page of the walk.
fn page(
    loads: &mut dyn Loads,
    listing: Listing,
    limit: u64,
    after: Option<&PathKey>,
    journal: JournalId,
) -> Result<Page, MetaError> {
    let mut nodes = loads.list(&listing, after, journal, limit as usize + 1)?;
    let more = nodes.len() as u64 > limit;
    nodes.truncate(limit as usize);
    let position = match nodes.last() {
        Some(last) if more => Position::After(last.key()),
        _ => Position::Changes,
    };
    Ok(Page {
        nodes,
        cursor: Cursor {
            listing,
            limit,
            position,
            journal,
        },
        more,
    })
}

/// A page of changes.
fn changes(
    loads: &mut dyn Loads,
    listing: Listing,
    limit: u64,
    after: JournalId,
) -> Result<Page, MetaError> {
    // Read in the same state as the changes: what they don't reach, nobody has missed.
    let newest = loads.namespace(listing.ns)?.journal;
    let mut nodes = loads.changes(&listing, after, limit as usize + 1)?;
    let more = nodes.len() as u64 > limit;
    nodes.truncate(limit as usize);
    let journal = match nodes.last() {
        Some(last) if more => last.journal,
        _ => newest,
    };
    let position = Position::Changes;
    Ok(Page {
        nodes,
        cursor: Cursor {
            listing,
            limit,
            position,
            journal,
        },
        more,
    })
}
