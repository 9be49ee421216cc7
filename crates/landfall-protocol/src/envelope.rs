//! The envelope around every JSON error: `{"error_summary": …, "error": …, "user_message"?: …}`.

use crate::wire::{Json, Object, Strictness, Wire};

/// The body of an error answer.
#[derive(Clone, Debug, PartialEq)]
pub struct ErrorEnvelope {
    /// The chain of tags, joined by `/`; the text on the wire goes on with `/` and some dots,
    /// which mean nothing.
    pub summary: String,
    /// The error itself.
    pub error: Json,
    /// What to show a person, if the service says it.
    pub user_message: Option<String>,
}

impl ErrorEnvelope {
    /// The envelope of an error.
    pub fn of(error: &impl Wire) -> Self {
        let mut tags = Vec::new();
        error.tags(&mut tags);
        Self {
            summary: tags.join("/"),
            error: error.encode(),
            user_message: None,
        }
    }

    /// Reads an error answer; `None` if the text isn't one.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let Ok(Json::Object(body)) = serde_json::from_slice(text) else {
            return None;
        };
        let summary = body.get("error_summary")?.as_str()?;
        Some(Self {
            summary: summary
                .trim_end_matches('.')
                .trim_end_matches('/')
                .to_owned(),
            error: body.get("error").cloned().unwrap_or(Json::Null),
            user_message: body
                .get("user_message")
                .and_then(|message| message.get("text"))
                .and_then(Json::as_str)
                .map(str::to_owned),
        })
    }

    /// The error as its type; `None` if it is of another one.
    pub fn decode<E: Wire>(&self) -> Option<E> {
        E::decode(&self.error, Strictness::Lenient).ok()
    }

    /// The body as JSON, `error_summary` first. The service ends the summary with a random
    /// number of dots so that nobody matches it whole; ours always ends with one.
    pub fn encode(&self) -> Json {
        let mut body = Object::new();
        body.insert("error_summary".into(), format!("{}/.", self.summary).into());
        body.insert("error".into(), self.error.clone());
        if let Some(text) = &self.user_message {
            let mut message = Object::new();
            message.insert("locale".into(), "en".into());
            message.insert("text".into(), text.clone().into());
            body.insert("user_message".into(), message.into());
        }
        body.into()
    }
}

#[cfg(test)]
mod tests {
    use super::ErrorEnvelope;
    use crate::ids::SessionId;
    use crate::json::to_line;
    use crate::types::auth::{RateLimitError, RateLimitReason};
    use crate::types::files::{UploadError, UploadWriteFailed, WriteConflictError, WriteError};
    use crate::types::sessions::{
        UploadSessionFinishError, UploadSessionLookupError, UploadSessionOffsetError,
    };

    #[test]
    fn the_summary_skips_struct_layers() {
        let error = UploadError::Path(UploadWriteFailed {
            reason: WriteError::Conflict(WriteConflictError::File),
            upload_session_id: SessionId::from_stored("S"),
        });
        assert_eq!(
            to_line(&ErrorEnvelope::of(&error).encode()),
            r#"{"error_summary": "path/conflict/file/.", "error": {".tag": "path", "reason": {".tag": "conflict", "conflict": {".tag": "file"}}, "upload_session_id": "S"}}"#
        );
        let limited = RateLimitError {
            reason: RateLimitReason::TooManyWriteOperations,
            retry_after: 1,
        };
        assert_eq!(
            ErrorEnvelope::of(&limited).summary,
            "too_many_write_operations"
        );
    }

    #[test]
    fn an_envelope_reads_back_in_every_shape_seen() {
        let offset = |correct_offset| {
            UploadSessionFinishError::LookupFailed(UploadSessionLookupError::IncorrectOffset(
                UploadSessionOffsetError { correct_offset },
            ))
        };
        for text in [
            r#"{"error_summary": "lookup_failed/incorrect_offset/..", "error": {".tag": "lookup_failed", "lookup_failed": {".tag": "incorrect_offset", "correct_offset": 1252}}}"#,
            r#"{"error":{".tag":"lookup_failed","lookup_failed":{".tag":"incorrect_offset","correct_offset":1252}},"error_summary":"lookup_failed/incorrect_offset/"}"#,
        ] {
            let envelope = ErrorEnvelope::parse(text.as_bytes()).unwrap();
            assert_eq!(envelope.summary, "lookup_failed/incorrect_offset");
            assert_eq!(envelope.decode(), Some(offset(1252)));
        }
        assert_eq!(ErrorEnvelope::parse(b"<html>"), None);
        assert_eq!(ErrorEnvelope::parse(b"{}"), None);
    }

    #[test]
    fn tags_newer_than_this_code_become_other() {
        let text = br#"{"error_summary": "news/", "error": {".tag": "news", "news": {"x": 1}}}"#;
        let envelope = ErrorEnvelope::parse(text).unwrap();
        assert_eq!(envelope.decode(), Some(UploadError::Other));
    }
}
