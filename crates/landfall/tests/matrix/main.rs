//! Whatever breaks, wherever it breaks: an upload ends in one of three states (P12).
//!
//! Each fault meets each call of each kind of upload (`grid`), and chance puts several of them
//! together (`random`). After each run the same checker (`check`) looks at what was said, what
//! is saved and what was sent.

mod check;
mod faults;
mod grid;
mod other_services;
mod random;
mod tally;
mod trial;

const METADATA: &str = "files/get_metadata";
const LIST: &str = "files/list_folder";
const START: &str = "files/upload_session/start";
const APPEND: &str = "files/upload_session/append_v2";
const FINISH: &str = "files/upload_session/finish";
const START_BATCH: &str = "files/upload_session/start_batch";
const APPEND_BATCH: &str = "files/upload_session/append_batch";
const FINISH_BATCH: &str = "files/upload_session/finish_batch_v2";

const MIB: usize = 1024 * 1024;
/// The smallest chunk.
const CHUNK: usize = 4 * MIB;
