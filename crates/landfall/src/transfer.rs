//! Whole files and folders of any size, over connections that break.
//!
//! The short way is [`Client::put`](crate::Client::put) and
//! [`Client::put_folder`](crate::Client::put_folder). Behind both is an [`Engine`], which all
//! transfers of a client share: one pace, one memory, one place for journals. An [`Upload`] sends
//! one [`Source`] and ends in one of three [`Outcome`]s; [`Engine::put`] carries out a [`Plan`] of
//! files and folders with a [`Verdict`] for each; a [`Download`] writes a file's bytes to a sink.
//! All repeat what is worth repeating, verify the content hash, keep memory bounded and tell what
//! they do by [`Event`]s.
//!
//! A newcomer reads [`Upload`] first, then `concurrent.rs` and `batch.rs`, which send, and
//! `action.rs`, which says what to do when something goes wrong.

mod action;
mod batch;
mod blocking;
mod blocks;
mod commits;
mod concurrent;
mod download;
mod engine;
mod events;
mod existing;
mod finish;
mod front;
mod governor;
mod if_exists;
mod journal;
mod outcome;
mod plan;
mod progress;
mod put;
mod retry;
mod room;
mod sequential;
mod source;
mod stored;
mod surplus;
mod upload;
mod verdict;
mod walk;

pub use download::{Download, DownloadFailure, Downloaded};
pub use engine::{Engine, Settings};
pub use events::{Event, Events};
pub use existing::LookFailure;
pub use front::{Content, Put, PutFolder};
pub use if_exists::{Before, Found, IfExists};
pub use journal::{JournalError, Journals, Unfinished};
pub use outcome::{BatchFailure, Outcome, OutcomeUnknown, UploadFailure, Uploaded};
pub use plan::{Plan, PlanError, Planned};
pub use retry::{Repeatable, RetryPolicy, repeat};
pub use source::{Source, SourceError, hash_file};
pub use upload::Upload;
pub use verdict::{PutFailure, PutOptions, Summary, Verdict};
pub use walk::{Entry, EntryKind, Obstacle, PatternError, Problem, Tree, Walk, WalkError};
