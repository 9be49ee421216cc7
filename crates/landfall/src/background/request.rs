//! A request that is ready to go.

use crate::api::RawReply;
use crate::{Client, Payload};
use landfall_protocol::{Call, RouteId};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

/// A call with all that it needs, as it goes to another thread.
pub(crate) struct Request {
    pub(crate) route: RouteId,
    /// Bytes in the payload.
    pub(crate) total: u64,
    /// How many of them the connection took.
    pub(crate) sent: Arc<AtomicU64>,
    pub(crate) call: Pin<Box<dyn Future<Output = RawReply> + Send>>,
}

impl Request {
    #[cfg(feature = "callback")]
    pub(crate) fn rpc<C: Call>(client: Client, arg: C::Arg) -> Self {
        Self {
            route: C::ID,
            total: 0,
            sent: Arc::default(),
            call: Box::pin(async move { client.call_rpc::<C>(&arg).await.into() }),
        }
    }

    pub(crate) fn upload<C: Call>(client: Client, arg: C::Arg, payload: Payload) -> Self {
        let total = payload.len();
        let sent = Arc::default();
        let payload = payload.counted(Arc::clone(&sent));
        Self {
            route: C::ID,
            total,
            sent,
            call: Box::pin(async move { client.call_upload::<C>(&arg, payload).await.into() }),
        }
    }
}
