//! What is known about accounts, sessions and trees, and how it changes.
//!
//! Everything that changes anything is an [`Operation`]: it *loads* a view (plain structs, each
//! locking what the decision depends on), *decides* by the pure functions of
//! [`rules`](crate::rules), and the engine *applies* the decision's [`Effect`]s and commits, or
//! starts over. So an engine is a dozen loads and one apply, and no rule is written twice.
//!
//! Engines never call the blob store: they know blobs by name only.

mod changes;
mod columns;
mod effect;
mod loads;
mod memory;
#[cfg(feature = "postgres")]
mod postgres;
pub mod rows;
mod sqlite;
#[cfg(test)]
mod suite;
mod uses;

pub use changes::TreeChanged;
pub use effect::Effect;
pub use loads::{
    Aged, CommitView, ContentUse, Credential, EXTENSION, End, FAMILY, Growing, History, Listing,
    Loads, Past, Place, PlaceView, Rename, Subtree, Taken, Target, ToFinish, family, split,
};
pub use memory::MemoryEngine;
#[cfg(feature = "postgres")]
pub use postgres::{PATIENCE, PostgresEngine};
pub use sqlite::{OpenError, SqliteEngine};
pub(crate) use sqlite::{blobs_in, copy};
pub use uses::Uses;

use crate::sys::Planned;
use changes::Changes;
use futures_util::future::BoxFuture;
use rows::Ns;
use std::fmt::Debug;
use std::sync::{Arc, Mutex, PoisonError};

/// Why the metadata could not be read or changed. Nothing was changed, unless it says so.
#[derive(Clone, Debug, thiserror::Error)]
pub enum MetaError {
    /// Somebody else held the lock for too long: try again.
    #[error("the metadata is busy: another process holds the lock")]
    Busy,
    /// No room on the disk.
    #[error("no space left for the metadata")]
    NoSpace,
    /// The rows changed between load and apply: the transaction starts over.
    #[error("the rows changed underneath the operation")]
    Changed,
    /// The blob's writer was taken for dead: it needs another name, and its client to try again.
    #[error("this process was taken for dead by another one; it goes on under another name")]
    Fenced,
    /// The account was deleted meanwhile.
    #[error("the tree {0} is gone: its account was deleted")]
    Gone(Ns),
    /// Something that should be there is missing or unreadable.
    #[error("the metadata is damaged: {0}")]
    Damaged(String),
    /// The store failed; whether the change took place is not known.
    #[error("the metadata failed, and the outcome is not known: {0}")]
    Unknown(String),
    /// The store failed.
    #[error("the metadata can't be used: {0}")]
    Failed(String),
    /// Nothing is written any more, because the disk failed: see to it, then restart.
    #[error("the server stopped writing after {0}: see to the disk, then restart the server")]
    Stopped(String),
}

impl From<Planned> for MetaError {
    fn from(planned: Planned) -> Self {
        Self::Failed(planned.to_string())
    }
}

/// What an operation decided: what changes, and what the caller is told. An error may have
/// effects too: a finish that is refused on its path keeps the body that came with it.
#[derive(Debug)]
pub struct Decision<T> {
    /// What changes.
    pub effects: Vec<Effect>,
    /// What the caller is told.
    pub answer: T,
}

impl<T> Decision<T> {
    /// An answer that changes nothing.
    pub fn unchanged(answer: T) -> Self {
        Self {
            effects: Vec::new(),
            answer,
        }
    }
}

/// One atomic change: load, decide, apply. It may run more than once, so it keeps no state.
pub trait Operation: Send + 'static {
    /// What the decision depends on.
    type View;
    /// What the caller is told.
    type Answer: Send + 'static;

    /// Loads what the decision depends on.
    ///
    /// # Errors
    /// The engine's.
    fn load(&self, loads: &mut dyn Loads) -> Result<Self::View, MetaError>;

    /// Decides.
    fn decide(&self, view: Self::View) -> Decision<Self::Answer>;
}

/// Changes that depend on nothing that is stored.
#[derive(Clone, Debug)]
pub struct Unconditional(pub Vec<Effect>);

impl Operation for Unconditional {
    type View = ();
    type Answer = ();

    fn load(&self, _: &mut dyn Loads) -> Result<(), MetaError> {
        Ok(())
    }

    fn decide(&self, (): ()) -> Decision<()> {
        Decision {
            effects: self.0.clone(),
            answer: (),
        }
    }
}

/// Changes that depend on nothing but a tree: its account may have been deleted meanwhile.
#[derive(Clone, Debug)]
pub struct InTree {
    /// The tree.
    pub ns: Ns,
    /// What changes if it is there.
    pub effects: Vec<Effect>,
}

impl Operation for InTree {
    type View = ();
    type Answer = ();

    fn load(&self, loads: &mut dyn Loads) -> Result<(), MetaError> {
        loads.namespace(self.ns).map(drop)
    }

    fn decide(&self, (): ()) -> Decision<()> {
        Decision {
            effects: self.effects.clone(),
            answer: (),
        }
    }
}

/// An operation as the engines see it: without its types.
pub trait Job: Send {
    /// Loads and decides; keeps the answer to itself until the engine has committed.
    ///
    /// # Errors
    /// The engine's.
    fn run(&mut self, loads: &mut dyn Loads) -> Result<Vec<Effect>, MetaError>;
}

/// A question as the engines see it.
pub type Question = Box<dyn FnOnce(&mut dyn Loads) -> Result<(), MetaError> + Send>;

/// Where the metadata is kept.
pub trait Engine: Debug + Send + Sync {
    /// Runs the job in one atomic transaction that survives power loss once this is `Ok`. Jobs
    /// of one caller are run in the order of the calls.
    fn transact(&self, job: Box<dyn Job>) -> BoxFuture<'_, Result<(), MetaError>>;

    /// Answers a question from one consistent state.
    fn read(&self, question: Question) -> BoxFuture<'_, Result<(), MetaError>>;

    /// Bytes of the disk that what was committed so far will still take, at the most.
    fn pending(&self) -> u64 {
        0
    }

    /// Whether nothing is written any more until a restart ([`MetaError::Stopped`]).
    fn has_stopped(&self) -> bool {
        false
    }
}

/// The metadata: an engine, with the types of operations put back.
#[derive(Clone, Debug)]
pub struct Meta {
    engine: Arc<dyn Engine>,
    changes: Arc<Changes>,
}

impl Meta {
    /// Metadata kept by this engine.
    pub fn new(engine: impl Engine + 'static) -> Self {
        Self {
            engine: Arc::new(engine),
            changes: Arc::default(),
        }
    }

    /// Runs the operation and returns its answer, once its effects are durable. The operation is
    /// handed over by the call, not by waiting for the answer: of two calls, the first is
    /// decided first.
    ///
    /// # Errors
    /// The engine's.
    pub fn transact<O: Operation>(
        &self,
        operation: O,
    ) -> impl Future<Output = Result<O::Answer, MetaError>> + Send + use<'_, O> {
        let (answer, trees) = (Slot::default(), Slot::default());
        let job = Typed {
            operation,
            answer: answer.clone(),
            trees: trees.clone(),
        };
        let done = self.engine.transact(Box::new(job));
        async move {
            done.await?;
            self.changes.happened(&trees.take()?);
            answer.take()
        }
    }

    /// Wakes up when a tree changes from now on.
    pub fn changes_of(&self, ns: Ns) -> TreeChanged {
        self.changes.of(ns)
    }

    /// Bytes of the disk that what was committed so far will still take, at the most.
    pub fn pending(&self) -> u64 {
        self.engine.pending()
    }

    /// Whether nothing is written any more until a restart.
    pub fn has_stopped(&self) -> bool {
        self.engine.has_stopped()
    }

    /// Reads from one consistent state.
    ///
    /// # Errors
    /// The engine's.
    pub async fn read<T: Send + 'static>(
        &self,
        question: impl FnOnce(&mut dyn Loads) -> Result<T, MetaError> + Send + 'static,
    ) -> Result<T, MetaError> {
        let answer = Slot::default();
        let slot = answer.clone();
        let question = move |loads: &mut dyn Loads| {
            slot.put(question(loads)?);
            Ok(())
        };
        self.engine.read(Box::new(question)).await?;
        answer.take()
    }
}

struct Typed<O: Operation> {
    operation: O,
    answer: Slot<O::Answer>,
    /// The trees that it changes.
    trees: Slot<Vec<Ns>>,
}

impl<O: Operation> Job for Typed<O> {
    fn run(&mut self, loads: &mut dyn Loads) -> Result<Vec<Effect>, MetaError> {
        let view = self.operation.load(loads)?;
        let decision = self.operation.decide(view);
        self.answer.put(decision.answer);
        let tree = |effect: &Effect| match effect {
            Effect::SetNamespace(namespace) => Some(namespace.ns),
            _ => None,
        };
        self.trees
            .put(decision.effects.iter().filter_map(tree).collect());
        Ok(decision.effects)
    }
}

/// Carries an answer out of an engine, which doesn't know its type.
struct Slot<T>(Arc<Mutex<Option<T>>>);

impl<T> Slot<T> {
    fn put(&self, value: T) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(value);
    }

    fn take(&self) -> Result<T, MetaError> {
        let mut slot = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        slot.take()
            .ok_or_else(|| MetaError::Failed("an engine said yes without running the job".into()))
    }
}

impl<T> Default for Slot<T> {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(None)))
    }
}

impl<T> Clone for Slot<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}
