//! What the targets share. What each of them asserts is said in `docs/correctness.md`.

mod answers;
mod chunks;
mod host;
mod said;

pub use answers::{Answer, answers};
pub use chunks::{Chunked, decode};
pub use host::{Ending, Host, TOKEN, with_host};
pub use said::check_said;
