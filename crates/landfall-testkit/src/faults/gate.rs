//! Where a request waits until the test lets it pass.

use std::sync::Arc;
use tokio::sync::{Mutex, oneshot};

/// The test's side of a request that is held.
#[derive(Debug)]
pub struct Gate {
    reached: Option<oneshot::Receiver<String>>,
    open: oneshot::Sender<()>,
}

/// The proxy's side.
#[derive(Clone, Debug)]
pub(super) struct Bar(Arc<Mutex<Option<Ends>>>);

type Ends = (oneshot::Sender<String>, oneshot::Receiver<()>);

pub(super) fn pair() -> (Bar, Gate) {
    let (arrive, reached) = oneshot::channel();
    let (open, opened) = oneshot::channel();
    let bar = Bar(Arc::new(Mutex::new(Some((arrive, opened)))));
    let gate = Gate {
        reached: Some(reached),
        open,
    };
    (bar, gate)
}

impl Gate {
    /// Waits until the request is there; returns its head as it came.
    pub async fn reached(&mut self) -> String {
        let reached = self.reached.as_mut().expect("a gate is reached once");
        let head = reached.await.expect("the proxy is there");
        self.reached = None;
        head
    }

    /// Lets the request pass.
    pub fn open(self) {
        // Nobody waits if the client gave the request up meanwhile.
        let _ = self.open.send(());
    }
}

impl Bar {
    /// Reports the request and waits for the gate to open.
    pub(super) async fn pass(&self, head: &[u8]) {
        if let Some((arrive, opened)) = self.0.lock().await.take() {
            let _ = arrive.send(String::from_utf8_lossy(head).into_owned());
            // A gate that was dropped is open.
            let _ = opened.await;
        }
    }
}
