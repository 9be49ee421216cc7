//! The history of files, and going back in it.

use super::landing::{FreshIds, TreeChange};
use super::target::Place;
use super::{Caller, Failure, Service, metadata};
use crate::meta::rows::{FileEntry, NotificationEvent, Ns, Revision};
use crate::meta::{
    Decision, History, Loads, MetaError, Operation, Past, PlaceView, Rename, Target,
};
use crate::rules::restore::{self, Verdict};
use crate::sys::Micros;
use landfall_protocol::Rev;
use landfall_protocol::types::files::{FileMetadata, LookupError};
use landfall_protocol::types::revisions::{
    ListRevisionsArg, ListRevisionsError, ListRevisionsMode, ListRevisionsResult, RestoreArg,
    RestoreError,
};

impl Service {
    /// Lists the revisions of a path or a file, newest first.
    ///
    /// # Errors
    /// The route's.
    pub async fn list_revisions(
        &self,
        caller: &Caller,
        arg: &ListRevisionsArg,
    ) -> Result<ListRevisionsResult, Failure<ListRevisionsError>> {
        let by_file = arg.mode == ListRevisionsMode::Id;
        if by_file && arg.before_rev.is_some() {
            return Err(Failure::Route(ListRevisionsError::BeforeRevNotSupported));
        }
        let route = |error| Failure::Route(ListRevisionsError::Path(error));
        let target = match caller.place(arg.path.form()) {
            Ok(Place::Target(target)) => target,
            Ok(Place::Revision(_)) => return Err(route(LookupError::NotFound)),
            Err(problem) => return Err(route(problem.into())),
        };
        let (ns, before, limit) = (caller.tree(), arg.before_rev.clone(), arg.limit.get());
        let page = self
            .meta
            .read(move |loads| {
                let latest = match latest(loads, ns, &target)? {
                    Ok(latest) => latest,
                    Err(error) => return Ok(Err(ListRevisionsError::Path(error))),
                };
                let history = if by_file {
                    History::File(latest.file.id)
                } else {
                    History::Path(latest.path.key())
                };
                page(loads, ns, &history, before.as_ref(), limit as usize)
            })
            .await?
            .map_err(Failure::Route)?;
        let mut entries: Vec<FileMetadata> = page
            .revisions
            .iter()
            .map(|past| metadata::file(&past.revision.path, &past.revision.file))
            .collect();
        if arg.include_restorable_info {
            // What is in the history has its bytes.
            for entry in &mut entries {
                entry.is_restorable = Some(true);
            }
        }
        Ok(ListRevisionsResult {
            is_deleted: page.gone,
            server_deleted: page
                .revisions
                .first()
                .filter(|_| page.gone)
                .and_then(|past| past.ended)
                .map(Micros::timestamp),
            entries,
            has_more: page.more,
        })
    }

    /// Makes a file again what it was.
    ///
    /// # Errors
    /// The route's.
    pub async fn restore(
        &self,
        caller: &Caller,
        arg: RestoreArg,
    ) -> Result<FileMetadata, Failure<RestoreError>> {
        let target = caller
            .writable(arg.path.form())
            .map_err(|problem| Failure::Route(RestoreError::PathLookup(problem.into())))?;
        self.room.admit()?;
        let operation = Restore {
            ns: caller.tree(),
            target,
            rev: arg.rev,
            ids: FreshIds::new(&*self.sys.random),
            now: self.sys.clock.now(),
        };
        self.meta.transact(operation).await?.map_err(Failure::Route)
    }
}

/// The latest revision at a target: it tells which path and which file are meant.
fn latest(
    loads: &mut dyn Loads,
    ns: Ns,
    target: &Target,
) -> Result<Result<Revision, LookupError>, MetaError> {
    let (history, node) = match target {
        // The id of a file leads to it after its deletion, too.
        Target::Id { id, below } if below.is_root() => {
            (History::File(id.clone()), loads.node_by_id(ns, id)?)
        }
        _ => match loads.resolve(ns, target)? {
            Some(path) => (History::Path(path.key()), loads.node(ns, &path.key())?),
            None => return Ok(Err(LookupError::NotFound)),
        },
    };
    if node.is_some_and(|node| node.is_folder()) {
        return Ok(Err(LookupError::NotFile));
    }
    let newest = loads.history(ns, &history, None, 1)?.pop();
    Ok(newest
        .map(|past| past.revision)
        .ok_or(LookupError::NotFound))
}

struct Page {
    revisions: Vec<Past>,
    /// Whether the file of the first one is no longer there.
    gone: bool,
    more: bool,
}

fn page(
    loads: &mut dyn Loads,
    ns: Ns,
    history: &History,
    before: Option<&Rev>,
    limit: usize,
) -> Result<Result<Page, ListRevisionsError>, MetaError> {
    if let Some(rev) = before {
        let known = loads.revision(ns, rev)?;
        if !known.is_some_and(|revision| history.has(&revision)) {
            return Ok(Err(ListRevisionsError::InvalidBeforeRev));
        }
    }
    let mut revisions = loads.history(ns, history, before, limit + 1)?;
    let more = revisions.len() > limit;
    revisions.truncate(limit);
    let gone = match revisions.first().map(|past| &past.revision) {
        Some(first) => {
            let home = loads.node_by_id(ns, &first.file.id)?;
            home.is_none_or(|home| home.key() != first.path.key())
        }
        None => false,
    };
    Ok(Ok(Page {
        revisions,
        gone,
        more,
    }))
}

struct Restore {
    ns: Ns,
    target: Target,
    rev: Rev,
    ids: FreshIds,
    now: Micros,
}

struct RestoreView {
    place: PlaceView,
    revision: Option<Revision>,
    /// Whether the revision's file is somewhere now.
    lives: bool,
}

impl Operation for Restore {
    type View = RestoreView;
    type Answer = Result<FileMetadata, RestoreError>;

    fn load(&self, loads: &mut dyn Loads) -> Result<RestoreView, MetaError> {
        let place = loads.place(self.ns, &self.target, Rename::No)?;
        let revision = loads.revision(self.ns, &self.rev)?;
        let lives = match &revision {
            Some(revision) => loads.node_by_id(self.ns, &revision.file.id)?.is_some(),
            None => false,
        };
        Ok(RestoreView {
            place,
            revision,
            lives,
        })
    }

    fn decide(&self, view: RestoreView) -> Decision<Self::Answer> {
        let namespace = view.place.namespace;
        let verdict = restore::decide(view.place, view.revision, view.lives);
        let (landing, then, revives) = match verdict {
            Err(error) => return Decision::unchanged(Err(error)),
            Ok(Verdict::AlreadyThere { path, file }) => {
                return Decision::unchanged(Ok(metadata::file(&path, &file)));
            }
            Ok(Verdict::Write {
                landing,
                then,
                revives,
            }) => (landing, then, revives),
        };
        let mut change = TreeChange::new(namespace, self.now);
        let file = change.land_file(&landing, &self.ids, |id, rev| FileEntry {
            id: if revives { then.id.clone() } else { id },
            rev,
            server_modified: self.now.timestamp(),
            ..then
        });
        let event = match landing.replaces {
            Some(_) => NotificationEvent::FileChanged,
            None => NotificationEvent::FileAdded,
        };
        change.tell(event, landing.path.clone(), Some(file.rev.clone()));
        Decision {
            effects: change.into_effects(),
            answer: Ok(metadata::file(&landing.path, &file)),
        }
    }
}
