//! What is at the service and not in the folders that go there.

use super::engine::Engine;
use super::events::Event;
use super::existing::Existing;
use super::if_exists::Found;
use super::outcome::UploadFailure;
use super::plan::{Plan, Root};
use super::verdict::{Summary, Verdict};
use landfall_protocol::path::{WritePathOrId, fold_name};
use landfall_protocol::types::files::{DeleteArg, DeleteError, LookupError};
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

/// Files and folders to be deleted, each with how many files are in it; nothing of it is in
/// another.
#[derive(Debug, Default)]
pub(super) struct Surplus {
    topmost: BTreeMap<Box<str>, u64>,
}

impl Surplus {
    /// What is there and not in the plan, below the places of its folders. What the patterns
    /// leave out, what could not be read here, and the folders above both stay.
    pub(super) fn find(plan: &Plan, existing: &Existing) -> Self {
        let mut kept = HashSet::new();
        for index in 0..plan.len() {
            keep(&mut kept, &fold_name(plan.there(index).as_str()));
        }
        for folder in plan.folders() {
            keep(&mut kept, &fold_name(folder.as_str()));
        }
        let trees: Vec<_> = plan
            .roots()
            .iter()
            .filter(|root| root.walk.is_some())
            .collect();
        let unreadable = problems(plan, &trees);
        let mut surplus = Vec::new();
        for (path, shown, found) in existing.entries() {
            let Some(root) = trees.iter().find(|root| below(root, path).is_some()) else {
                continue;
            };
            let folder = found == Found::Folder;
            let relative = below(root, shown).unwrap_or(shown);
            let goes = root.walk.as_ref().is_some_and(|walk| {
                walk.lets_in(relative, folder) && !walk.may_exclude(relative, folder)
            });
            let is_problem = |problem: &String| is_at_or_below(path, problem);
            if !goes || unreadable.iter().any(is_problem) {
                keep(&mut kept, path);
            } else {
                surplus.push((path, shown, folder));
            }
        }
        surplus.retain(|(path, ..)| !kept.contains(*path));
        // What is in a folder comes right behind it.
        surplus.sort_unstable_by(|one, other| one.0.split('/').cmp(other.0.split('/')));
        let mut topmost: BTreeMap<Box<str>, u64> = BTreeMap::new();
        let mut last: Option<(&str, &str)> = None;
        for (path, shown, folder) in surplus {
            let (above, above_shown) = match last {
                Some((above, above_shown)) if is_at_or_below(path, above) => (above, above_shown),
                _ => (path, shown),
            };
            *topmost.entry(above_shown.into()).or_default() += u64::from(!folder);
            last = Some((above, above_shown));
        }
        Self { topmost }
    }

    /// Files in all of it.
    pub(super) fn files(&self) -> u64 {
        self.topmost.values().sum()
    }

    pub(super) async fn delete(self, engine: &Engine, rehearsal: bool, summary: &mut Summary) {
        for (path, files) in self.topmost {
            let path: Arc<str> = path.into();
            if !rehearsal && let Some(failure) = delete(engine, &path).await {
                summary.refused += 1;
                engine.tell(Event::Settled {
                    file: path,
                    size: 0,
                    verdict: Arc::new(Verdict::Refused(failure)),
                });
                continue;
            }
            summary.deleted += files;
            engine.tell(Event::Deleted { path, files });
        }
    }
}

/// Deletes; what is gone already is as good.
async fn delete(engine: &Engine, path: &str) -> Option<UploadFailure> {
    let arg = DeleteArg {
        path: WritePathOrId::parse(path).ok()?,
        parent_rev: None,
    };
    let what = "deleting";
    let deleted = engine.repeat(what, || engine.client().delete(&arg));
    let error = deleted.await.err()?;
    match error.route_error() {
        Some(DeleteError::PathLookup(LookupError::NotFound)) => None,
        _ => Some(UploadFailure::Delete(error)),
    }
}

/// This and all above it stays.
fn keep(kept: &mut HashSet<Box<str>>, folded: &str) {
    let mut path = folded;
    while !path.is_empty() && kept.insert(path.into()) {
        path = path.rfind('/').map_or("", |end| &path[..end]);
    }
}

/// Where what can't go would be, folded.
fn problems(plan: &Plan, trees: &[&Root]) -> Vec<String> {
    let place = |root: &Root, local: &std::path::Path| {
        let relative = local.strip_prefix(&root.local).ok()?;
        let relative = relative.to_str()?;
        if relative.is_empty() {
            // Not all of the root itself could be listed.
            return Some(fold_name(root.there.as_str()));
        }
        Some(fold_name(&format!("{}/{relative}", root.there.as_str())))
    };
    let problems = plan.problems().iter();
    problems
        .flat_map(|problem| trees.iter().filter_map(|root| place(root, &problem.local)))
        .collect()
}

/// The rest of a path below a source's place; `None`: it is not below.
fn below<'p>(root: &Root, path: &'p str) -> Option<&'p str> {
    let there = root.there.as_str();
    let depth = there.matches('/').count();
    let at = path.match_indices('/').nth(depth).map(|(at, _)| at)?;
    (fold_name(&path[..at]) == fold_name(there)).then(|| &path[at + 1..])
}

fn is_at_or_below(path: &str, above: &str) -> bool {
    path.strip_prefix(above)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
