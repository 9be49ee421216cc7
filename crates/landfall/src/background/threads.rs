//! The threads that carry calls out.

use std::io;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;

/// One thread can wait for the system or for code of the caller's, the other goes on.
const THREADS: usize = 2;

/// A runtime of our own.
#[derive(Debug)]
pub(crate) struct Threads(Option<Runtime>);

impl Threads {
    /// Starts the threads.
    pub(crate) fn start() -> io::Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(THREADS)
            .thread_name("landfall")
            .enable_all()
            .build()?;
        Ok(Self(Some(runtime)))
    }

    fn runtime(&self) -> &Runtime {
        self.0.as_ref().expect("it ends when this is dropped")
    }

    /// Begins a call.
    pub(crate) fn spawn<F>(&self, call: F) -> JoinHandle<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        self.runtime().spawn(call)
    }

    /// Carries a call out while the calling thread waits. The thread may belong to a runtime:
    /// it doesn't enter ours, it only waits for it.
    #[cfg(any(feature = "commands", feature = "blocking"))]
    pub(crate) fn block<F>(&self, call: F) -> F::Output
    where
        F: Future<Output: Send> + Send + 'static,
    {
        let (tell, told) = std::sync::mpsc::sync_channel(1);
        let call = self.spawn(call);
        self.spawn(async move { drop(tell.send(call.await)) });
        let ended = told.recv();
        match ended.expect("the threads are there for as long as they are borrowed") {
            Ok(output) => output,
            // The caller's own code panicked, on a thread where he would not look for it.
            Err(ended) => std::panic::resume_unwind(ended.into_panic()),
        }
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        // Waiting for the threads would panic inside of somebody's runtime.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

#[cfg(all(test, any(feature = "commands", feature = "blocking")))]
mod tests {
    use super::Threads;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    #[test]
    fn calls_are_carried_out_inside_and_outside_of_runtimes() {
        let threads = Threads::start().unwrap();
        assert_eq!(threads.block(async { 1 }), 1);
        for mut builder in [
            tokio::runtime::Builder::new_current_thread(),
            tokio::runtime::Builder::new_multi_thread(),
        ] {
            let runtime = builder.build().unwrap();
            let inside = Threads::start().unwrap();
            let sum = runtime.block_on(async move {
                let sum = inside.block(async { 2 }) + tokio::spawn(async { 3 }).await.unwrap();
                drop(inside);
                sum
            });
            assert_eq!(sum, 5);
        }
    }

    #[test]
    fn a_panic_comes_out_where_the_call_was_made() {
        let threads = Threads::start().unwrap();
        let call = AssertUnwindSafe(|| threads.block(async { panic!("on purpose") }));
        let panicked = catch_unwind(call).unwrap_err();
        assert_eq!(panicked.downcast_ref(), Some(&"on purpose"));
        assert_eq!(threads.block(async { 1 }), 1, "the threads go on");
    }
}
