//! Whole files of any size, over connections that break.
//!
//! An [`Upload`] sends a [`Source`] through an upload session and ends in one of three
//! [`Outcome`]s; a [`Download`] writes a file's bytes to a sink. Both repeat what is worth
//! repeating, verify the content hash, keep memory bounded (two chunks for an upload, one
//! network read for a download) and tell what they do by [`Event`]s.

mod download;
mod events;
mod outcome;
mod recovery;
mod retry;
mod source;
mod upload;
mod walk;

pub use download::{Download, DownloadFailure, Downloaded};
pub use events::{Event, Events};
pub use outcome::{Outcome, OutcomeUnknown, UploadFailure, Uploaded};
pub use retry::{Repeatable, RetryPolicy, repeat};
pub use source::{Source, SourceError, hash_file};
pub use upload::{DEFAULT_CHUNK, Upload};
pub use walk::{Entry, EntryKind, Obstacle, PatternError, Problem, Tree, Walk, WalkError};
