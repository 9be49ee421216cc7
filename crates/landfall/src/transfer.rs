//! Whole files of any size, over connections that break.
//!
//! An [`Upload`] sends a [`Source`] through an upload session and ends in one of three
//! [`Outcome`]s; a [`Download`] writes a file's bytes to a sink. Both repeat what is worth
//! repeating, verify the content hash, keep memory bounded (two chunks for an upload, one
//! network read for a download) and tell what they do by [`Event`]s.

mod action;
mod batch;
mod blocks;
mod commits;
mod concurrent;
mod download;
mod engine;
mod events;
mod existing;
mod finish;
mod governor;
mod journal;
mod outcome;
mod plan;
mod progress;
mod put;
mod retry;
mod sequential;
mod source;
mod stored;
mod surplus;
mod upload;
mod walk;

pub use download::{Download, DownloadFailure, Downloaded};
pub use engine::{Engine, Settings};
pub use events::{Event, Events};
pub use existing::LookFailure;
pub use journal::{JournalError, Journals, Unfinished};
pub use outcome::{BatchFailure, Outcome, OutcomeUnknown, UploadFailure, Uploaded};
pub use plan::{Plan, PlanError, Planned};
pub use put::{IfExists, PutFailure, PutOptions, Summary, Verdict};
pub use retry::{Repeatable, RetryPolicy, repeat};
pub use source::{Source, SourceError, hash_file};
pub use upload::Upload;
pub use walk::{Entry, EntryKind, Obstacle, PatternError, Problem, Tree, Walk, WalkError};
