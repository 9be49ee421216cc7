//! The last step: what a session holds becomes a file at its path, once.

use super::action::{AfterFinish, after_finish};
use super::engine::Engine;
use super::outcome::{Outcome, OutcomeUnknown, UploadFailure, Uploaded};
use super::retry::{Repeatable, repeat};
use crate::{CallError, Failure, Payload};
use bytes::Bytes;
use landfall_protocol::errors::Class;
use landfall_protocol::path::ReadPath;
use landfall_protocol::types::files::{CommitInfo, FileMetadata, GetMetadataArg, Metadata};
use landfall_protocol::types::sessions::{
    UploadSessionCursor, UploadSessionFinishArg, UploadSessionFinishError, UploadSessionLookupError,
};
use landfall_protocol::{ContentHash, SessionId};

/// A session that holds the whole content.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    pub(super) session: SessionId,
    pub(super) size: u64,
    pub(super) hash: ContentHash,
}

/// A commit to be made.
#[derive(Clone, Debug)]
pub(super) struct ToSave {
    pub(super) sent: Sent,
    pub(super) commit: CommitInfo,
    /// Whether an earlier finish may have been carried out.
    pub(super) uncertain: bool,
}

impl ToSave {
    /// What is asked for. It is the same in each attempt.
    pub(super) fn arg(&self) -> UploadSessionFinishArg {
        UploadSessionFinishArg {
            cursor: UploadSessionCursor {
                session_id: self.sent.session.clone(),
                offset: self.sent.size,
            },
            commit: self.commit.clone(),
            content_hash: None,
        }
    }

    /// Saves what the session holds.
    pub(super) async fn finish(mut self, engine: &Engine) -> Outcome {
        let arg = self.arg();
        let mut attempts = engine.attempts();
        let error = loop {
            // The same finish as before, to the letter: a service that carried it out already
            // answers as it did then.
            let finish = engine
                .client()
                .upload_session_finish(&arg, Payload::empty());
            match engine.call(0, finish).await {
                Ok(reply) => return self.verified(reply.value, Some(reply.raw)),
                Err(error) => {
                    self.uncertain |= error.may_have_happened();
                    let again = engine.again(&mut attempts, "finishing the upload", error);
                    if let Err(error) = again.await {
                        break error;
                    }
                }
            }
        };
        self.settle(engine, error).await
    }

    /// Says what came of the commit after this, the last error.
    pub(super) async fn settle(
        &self,
        engine: &Engine,
        error: CallError<UploadSessionFinishError>,
    ) -> Outcome {
        let word = final_word(&error);
        match after_finish(word, self.uncertain, self.commit.autorename) {
            AfterFinish::Refused => match error.route_error() {
                Some(UploadSessionFinishError::LookupFailed(
                    UploadSessionLookupError::IncorrectOffset(at),
                )) => Outcome::Refused(UploadFailure::Offset {
                    held: at.correct_offset,
                    sent: self.sent.size,
                }),
                _ => Outcome::Refused(UploadFailure::Finish(error)),
            },
            AfterFinish::LookAtTarget => {
                let failure = error.failure().to_string();
                self.look(engine, word, &failure).await
            }
            AfterFinish::Unknown => {
                let failure = error.failure();
                self.unknown(format!("{failure}; the file may have got another name"))
            }
        }
    }

    /// After a finish whose fate is open: whether the file at the target is the upload.
    async fn look(&self, engine: &Engine, word: Option<&str>, failure: &str) -> Outcome {
        match self.at_target(engine).await {
            Ok(found) => self.judge(found, word, failure),
            Err(why) => self.unknown(why),
        }
    }

    /// After a finish whose fate is open: whether this, which is at the target, is the upload.
    pub(super) fn judge(
        &self,
        found: Option<FileMetadata>,
        word: Option<&str>,
        failure: &str,
    ) -> Outcome {
        match found {
            // In the way of a strict commit is what was there before, however alike; or the
            // upload itself, where a finish is not answered again.
            Some(file)
                if self.is_there(&file)
                    && self.commit.strict_conflict
                    && word == Some("path/conflict/file") =>
            {
                let why = "an identical file is there, which may be this upload or an older one";
                self.unknown(why.to_owned())
            }
            Some(file) if self.is_there(&file) => self.verified(file, None),
            _ => self.unknown(format!(
                "{failure}; what is at the path now is not this upload"
            )),
        }
    }

    /// The file at the commit's path, if there is one; an error: nobody says so.
    pub(super) async fn at_target(&self, engine: &Engine) -> Result<Option<FileMetadata>, String> {
        let path = ReadPath::parse(self.commit.path.as_str()).map_err(|error| error.to_string())?;
        let arg = GetMetadataArg::new(path);
        // The finish has used up the patience already.
        let policy = engine.patience(3);
        let (what, events) = ("looking at the target", &**engine.events());
        let found = repeat(policy, Repeatable::Always, what, events, || {
            engine.client().get_metadata(&arg)
        });
        match found.await {
            Ok(reply) => Ok(match reply.value {
                Metadata::File(file) => Some(file),
                Metadata::Folder(_) | Metadata::Deleted(_) => None,
            }),
            Err(error) if error.route_error().is_some() => Ok(None),
            Err(error) => Err(error.to_string()),
        }
    }

    fn is_there(&self, file: &FileMetadata) -> bool {
        file.size == self.sent.size && file.content_hash == Some(self.sent.hash)
    }

    /// The outcome if the service says that it saved this file.
    pub(super) fn verified(&self, metadata: FileMetadata, raw: Option<Bytes>) -> Outcome {
        let Sent { size, hash, .. } = self.sent;
        // A service may leave the hash out; then the size has to do.
        if metadata.size == size && metadata.content_hash.is_none_or(|got| got == hash) {
            return Outcome::Done(Box::new(Uploaded {
                metadata,
                size,
                content_hash: hash,
                raw,
            }));
        }
        let got = metadata.content_hash;
        let path = metadata.path_display;
        Outcome::Refused(UploadFailure::Integrity {
            path: path.unwrap_or_else(|| self.commit.path.as_str().to_owned()),
            size,
            hash,
            got: (
                metadata.size,
                got.map_or_else(|| "(none)".to_owned(), |hash| hash.to_string()),
            ),
        })
    }

    pub(super) fn unknown(&self, why: String) -> Outcome {
        Outcome::Unknown(OutcomeUnknown {
            path: self.commit.path.as_str().to_owned(),
            why,
            size: self.sent.size,
            content_hash: self.sent.hash,
        })
    }
}

/// The tags of a refusal that settles the finish it answers; `None` for errors that say
/// nothing of what an earlier attempt did.
fn final_word(error: &CallError<UploadSessionFinishError>) -> Option<&str> {
    match error.failure() {
        Failure::Route { refusal, .. } | Failure::Unfamiliar(refusal)
            if error.class() != Class::Temporary =>
        {
            Some(&refusal.summary)
        }
        _ => None,
    }
}
