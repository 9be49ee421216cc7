//! Work that would hold up others, on a thread of its own.

use tokio::task::{JoinError, spawn_blocking};

/// Does it there; a panic of it goes on here.
pub(super) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    joined(spawn_blocking(work).await)
}

/// What a task came to; a panic of it goes on here. Nobody aborts a task that is waited for.
pub(super) fn joined<T>(ended: Result<T, JoinError>) -> T {
    ended.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
}
