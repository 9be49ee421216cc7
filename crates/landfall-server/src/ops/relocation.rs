//! Moving and copying files and folders. No byte is moved or copied: the new revisions refer to
//! the contents of the old ones.

use super::landing::{Drawn, FreshIds, TreeChange};
use super::{Caller, Failure, Service, metadata};
use crate::meta::rows::{Entry, FileEntry, JournalId, Namespace, Node, Ns};
use crate::meta::{Decision, Loads, MetaError, Operation, Target};
use crate::rules::commit::Landing;
use crate::rules::naming::Numbering;
use crate::rules::place::malformed;
use crate::rules::relocate;
pub use crate::rules::relocate::Relocation;
use crate::sys::Micros;
use landfall_protocol::types::files::LookupError;
use landfall_protocol::types::relocation::{RelocationArg, RelocationError, RelocationResult};
use landfall_protocol::{DisplayPath, FileId, limits};

impl Service {
    /// Moves or copies a file, or a folder with all in it.
    ///
    /// # Errors
    /// The route's.
    pub async fn relocate(
        &self,
        caller: &Caller,
        relocation: Relocation,
        arg: RelocationArg,
    ) -> Result<RelocationResult, Failure<RelocationError>> {
        let from = caller
            .writable(arg.from_path.form())
            .map_err(|problem| Failure::Route(RelocationError::FromLookup(problem.into())))?;
        let to = caller
            .writable(arg.to_path.form())
            .map_err(|problem| Failure::Route(RelocationError::To(problem.into())))?;
        self.room.admit()?;
        let operation = Relocate {
            relocation,
            ns: caller.tree(),
            from,
            to,
            autorename: arg.autorename,
            numbering: self.numbering,
            ids: FreshIds::new(&*self.sys.random),
            now: self.sys.clock.now(),
        };
        self.meta.transact(operation).await?.map_err(Failure::Route)
    }
}

struct Relocate {
    relocation: Relocation,
    ns: Ns,
    from: Target,
    to: Target,
    autorename: bool,
    numbering: Numbering,
    ids: FreshIds,
    now: Micros,
}

/// What goes where.
struct Plan {
    namespace: Namespace,
    landing: Landing,
    top: Step,
    /// Parents first.
    below: Vec<Step>,
}

struct Step {
    from: Node,
    to: DisplayPath,
    /// The last change there, if the place was used before.
    seen: Option<JournalId>,
}

impl Relocate {
    fn plan(&self, loads: &mut dyn Loads) -> Result<Result<Plan, RelocationError>, MetaError> {
        let mut from = loads.subtree(self.ns, &self.from, limits::SUBTREE as usize)?;
        let Some(top) = from.top.take() else {
            return Ok(Err(RelocationError::FromLookup(LookupError::NotFound)));
        };
        let rename = relocate::rename(&top, self.autorename);
        let to = loads.place(self.ns, &self.to, rename)?.place;
        let (how, numbering) = (self.relocation, self.numbering);
        let landing = match relocate::decide(how, &from, &top, to.as_ref(), rename, numbering) {
            Ok(landing) => landing,
            Err(error) => return Ok(Err(error)),
        };
        let mut below = Vec::with_capacity(from.below.len());
        for node in from.below {
            let to = match node.path.moved(&top.path, &landing.path) {
                Ok(path) => path,
                Err(problem) => return Ok(Err(RelocationError::To(malformed(problem)))),
            };
            // Nothing was ever below a place that was never used.
            let used = match landing.seen {
                Some(_) => loads.node(self.ns, &to.key())?,
                None => None,
            };
            below.push(Step {
                from: node,
                to,
                seen: used.map(|node| node.journal),
            });
        }
        let top = Step {
            from: top,
            to: landing.path.clone(),
            seen: landing.seen,
        };
        Ok(Ok(Plan {
            namespace: from.namespace,
            landing,
            top,
            below,
        }))
    }

    /// Puts at its new place what a step is about.
    fn take(&self, step: &Step, change: &mut TreeChange, fresh: &mut Drawn<'_>) -> Node {
        let mut id = |old: &FileId| match self.relocation {
            Relocation::Move => old.clone(),
            Relocation::Copy => fresh.next(),
        };
        match &step.from.entry {
            Entry::File(old) => {
                let file = FileEntry {
                    id: id(&old.id),
                    rev: change.next_rev(),
                    server_modified: self.now.timestamp(),
                    ..old.clone()
                };
                change.write(step.to.clone(), step.seen, file)
            }
            Entry::Folder(old) => change.put(step.to.clone(), step.seen, Entry::Folder(id(old))),
            Entry::DeletedFile | Entry::DeletedFolder => {
                unreachable!("only what is there is moved or copied")
            }
        }
    }
}

impl Operation for Relocate {
    type View = Result<Plan, RelocationError>;
    type Answer = Result<RelocationResult, RelocationError>;

    /// Which places are written depends on the name that is free, so the rules have their say
    /// here already.
    fn load(&self, loads: &mut dyn Loads) -> Result<Self::View, MetaError> {
        self.plan(loads)
    }

    fn decide(&self, plan: Self::View) -> Decision<Self::Answer> {
        let plan = match plan {
            Ok(plan) => plan,
            Err(error) => return Decision::unchanged(Err(error)),
        };
        let mut change = TreeChange::new(plan.namespace, self.now);
        if self.relocation == Relocation::Move {
            let below = plan.below.iter().map(|step| &step.from);
            change.remove_all(&plan.top.from, below);
        }
        let mut fresh = self.ids.draw();
        change.make_parents(&plan.landing, &mut fresh);
        let node = self.take(&plan.top, &mut change, &mut fresh);
        change.tell_added(&node);
        for step in &plan.below {
            self.take(step, &mut change, &mut fresh);
        }
        Decision {
            effects: change.into_effects(),
            answer: Ok(RelocationResult {
                metadata: metadata::node(&node),
            }),
        }
    }
}
