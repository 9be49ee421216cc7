//! The use cases: what the service does, without HTTP.
//!
//! Each takes a [`Caller`] and an argument that is already parsed, and answers in the types of
//! the API. Bytes stream through without a lock; what they did is decided in one operation at
//! the end.

mod accounts;
mod admin;
mod append;
mod body;
mod commit;
mod content;
mod cursor;
mod files;
mod finish;
mod jobs;
mod landing;
mod listing;
mod metadata;
mod notifications;
mod parts;
mod quota;
mod relocation;
mod revisions;
mod room;
mod sessions;
mod target;
mod upload;
mod waiting;

pub use accounts::{NotLetIn, SHORTEST_TOKEN, hash_of_token, is_token};
pub use admin::{AccountInfo, Admin, AdminError, TokenGrant};
pub use body::{BodyError, IncomingBody};
pub use content::ContentReader;
pub use files::Download;
pub use notifications::Feed;
pub use quota::OverQuota;
pub use relocation::Relocation;
pub(crate) use room::Room;

use crate::blobs::{BlobError, BlobStore};
use crate::meta::rows::{Account, Ns};
use crate::meta::{Decision, Effect, Loads, Meta, MetaError, Operation};
use crate::rules::naming::Numbering;
use crate::sys::{Planned, Space, Sys};
use landfall_protocol::Scope;
use std::sync::Arc;

/// Everything the use cases work with.
#[derive(Clone, Debug)]
pub struct Service {
    /// What is known.
    pub meta: Meta,
    /// Where bytes are.
    pub blobs: Arc<dyn BlobStore>,
    /// The outside world.
    pub sys: Sys,
    /// Where autorename's numbers begin.
    pub numbering: Numbering,
    pub(crate) room: Arc<Room>,
    cursor_key: [u8; 32],
    /// The name under which this process is known as a writer of blobs.
    registered: Arc<tokio::sync::Mutex<Option<String>>>,
}

impl Service {
    /// A service on these stores, which leaves this many bytes of the disk free, or a number
    /// by its size. Reads, and at the first time makes, the key of the cursors.
    ///
    /// # Errors
    /// The engine's.
    pub async fn new(
        meta: Meta,
        blobs: Arc<dyn BlobStore>,
        sys: Sys,
        numbering: Numbering,
        reserve: Option<u64>,
    ) -> Result<Self, MetaError> {
        let mut fresh = [0; 32];
        sys.random.fill(&mut fresh);
        let text = meta
            .transact(CursorKey(data_encoding::HEXLOWER.encode(&fresh)))
            .await?;
        let cursor_key = data_encoding::HEXLOWER
            .decode(text.as_bytes())
            .ok()
            .and_then(|bytes| bytes.try_into().ok())
            .ok_or_else(|| MetaError::Damaged("the key of the cursors".into()))?;
        let (disk, metadata) = (Arc::clone(&blobs), meta.clone());
        let space = move || {
            let space = disk.space()?;
            let free = space.free.saturating_sub(metadata.pending());
            Some(Space { free, ..space })
        };
        let room = Room::new(space, reserve);
        Ok(Self {
            room: Arc::new(room),
            meta,
            blobs,
            sys,
            numbering,
            cursor_key,
            registered: Arc::default(),
        })
    }
}

/// Keeps the stored key, or stores this one. Cursors outlive the process, and several processes
/// may serve one store.
struct CursorKey(String);

impl Operation for CursorKey {
    type View = Option<String>;
    type Answer = String;

    fn load(&self, loads: &mut dyn Loads) -> Result<Self::View, MetaError> {
        loads.setting("cursor_key")
    }

    fn decide(&self, stored: Self::View) -> Decision<String> {
        match stored {
            Some(key) => Decision::unchanged(key),
            None => Decision {
                effects: vec![Effect::AddSetting {
                    name: "cursor_key",
                    value: self.0.clone(),
                }],
                answer: self.0.clone(),
            },
        }
    }
}

/// Who calls.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The account.
    pub account: Account,
    /// What the token allows.
    pub scopes: Vec<Scope>,
    /// Whether the account may have a quota, so that it is worth a look.
    pub limited: bool,
}

impl Caller {
    /// The tree that paths are relative to.
    pub fn ns(&self) -> Ns {
        self.account.ns
    }
}

/// Why a use case could not answer in the API's own terms.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Trouble {
    /// The metadata.
    #[error(transparent)]
    Meta(#[from] MetaError),
    /// The bytes.
    #[error(transparent)]
    Blob(#[from] BlobError),
    /// The request's body.
    #[error(transparent)]
    Body(#[from] BodyError),
    /// The account's quota.
    #[error(transparent)]
    OverQuota(#[from] OverQuota),
    /// The argument can't be one, in a way that its type doesn't show.
    #[error("{0}")]
    BadArgument(&'static str),
}

impl From<Planned> for Trouble {
    fn from(planned: Planned) -> Self {
        Self::Meta(planned.into())
    }
}

/// Why a use case failed: in the API's terms, or not.
#[derive(Clone, Debug)]
pub enum Failure<E> {
    /// The route's own error.
    Route(E),
    /// Anything else.
    Trouble(Trouble),
}

impl<E, T: Into<Trouble>> From<T> for Failure<E> {
    fn from(trouble: T) -> Self {
        Self::Trouble(trouble.into())
    }
}
