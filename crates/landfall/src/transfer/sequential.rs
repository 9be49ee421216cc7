//! A session that takes bytes in order: for streams, whose length shows at their end, and for
//! files of one request.

use super::action::{AfterOffset, after_offset};
use super::engine::Engine;
use super::finish::Sent;
use super::outcome::UploadFailure;
use super::progress::FileProgress;
use super::source::{Piece, Pieces};
use crate::Payload;
use bytes::Bytes;
use landfall_protocol::types::sessions::{
    UploadSessionAppendArg, UploadSessionAppendError, UploadSessionCursor, UploadSessionStartArg,
};
use landfall_protocol::{ContentHash, SessionId};

/// The bytes of one file, on their way.
pub(super) struct InOrder<'a> {
    pub(super) engine: &'a Engine,
    pub(super) progress: FileProgress,
}

impl InOrder<'_> {
    /// Sends all that comes; the session is closed then.
    pub(super) async fn send(&self, pieces: &mut Pieces) -> Result<Sent, UploadFailure> {
        let mut piece = pieces.next().await?;
        if let Some(hash) = piece.whole {
            let session = self.start(Some(&piece)).await?;
            let size = piece.end();
            return Ok(Sent {
                session,
                size,
                hash,
            });
        }
        let session = self.start(None).await?;
        loop {
            self.append(&session, &piece).await?;
            if let Some(hash) = piece.whole {
                let size = piece.end();
                return Ok(Sent {
                    session,
                    size,
                    hash,
                });
            }
            piece = pieces.next().await?;
        }
    }

    /// Begins a session, with the whole content if it is given. Repeating it is harmless: a
    /// session that nobody knows of expires.
    async fn start(&self, whole: Option<&Piece>) -> Result<SessionId, UploadFailure> {
        let arg = UploadSessionStartArg {
            close: whole.is_some(),
            session_type: None,
            content_hash: whole.map(|piece| piece.hash.into()),
        };
        let what = "starting the upload";
        let start = || async {
            let data = whole.map_or_else(Bytes::new, |piece| piece.data.clone());
            let (payload, counted) = self.progress.count(Payload::from(data));
            let payload = self.engine.payload(payload);
            let started = self.engine.client().upload_session_start(&arg, payload);
            let reply = started.await?;
            counted.keep();
            Ok(reply)
        };
        let started = self.engine.repeat(what, start);
        let reply = started.await.map_err(UploadFailure::Start)?;
        Ok(reply.value.session_id)
    }

    async fn append(&self, session: &SessionId, piece: &Piece) -> Result<(), UploadFailure> {
        let close = piece.whole.is_some();
        let mut attempts = self.engine.attempts();
        let mut uncertain = false;
        let mut from = piece.offset;
        loop {
            let (data, hash) = piece.rest(from);
            let arg = UploadSessionAppendArg {
                cursor: UploadSessionCursor {
                    session_id: session.clone(),
                    offset: from,
                },
                close,
                content_hash: Some(hash.into()),
            };
            let bytes = data.len() as u64;
            let (payload, counted) = self.progress.count(Payload::from(data));
            let payload = self.engine.payload(payload);
            let append = self.engine.client().upload_session_append(&arg, payload);
            let Err(error) = self.engine.call(bytes, append).await else {
                counted.keep();
                return Ok(());
            };
            uncertain |= error.may_have_happened();
            match error.route_error() {
                Some(UploadSessionAppendError::IncorrectOffset(at)) => {
                    match after_offset(piece.offset, piece.end(), at.correct_offset) {
                        AfterOffset::Done => return Ok(()),
                        AfterOffset::Lost => {
                            return Err(UploadFailure::Offset {
                                held: at.correct_offset,
                                sent: from,
                            });
                        }
                        AfterOffset::SendFrom(offset) => {
                            if offset > from {
                                attempts.reset();
                            }
                            from = offset;
                        }
                    }
                    let Some(wait) = attempts.failed(None) else {
                        return Err(UploadFailure::Append(error));
                    };
                    tokio::time::sleep(wait).await;
                }
                // An attempt whose answer was lost closed the session: its bytes are in, and
                // the finish will hold the length and the hash against ours.
                Some(UploadSessionAppendError::Closed) if uncertain && close => return Ok(()),
                _ => {
                    let again = self.engine.again(&mut attempts, "sending a piece", error);
                    again.await.map_err(UploadFailure::Append)?;
                }
            }
        }
    }
}

impl Piece {
    /// The bytes from this offset on, and their hash.
    fn rest(&self, from: u64) -> (Bytes, ContentHash) {
        if from == self.offset {
            return (self.data.clone(), self.hash);
        }
        let skip = usize::try_from(from - self.offset).expect("within the piece");
        let rest = self.data.slice(skip..);
        let hash = ContentHash::of(&rest);
        (rest, hash)
    }
}
