//! The error of a call that got no answer of the API, in the form of the API's own errors.

use landfall_protocol::{ErrorEnvelope, wire_struct, wire_union};

wire_struct! {
    /// There is no answer of the API to a call: the error in the data of a
    /// [`RawReply`](crate::RawReply) with status 0.
    ///
    /// ```json
    /// {
    ///   "error_summary": "no_answer/broken/.",
    ///   "error": {
    ///     ".tag": "no_answer",
    ///     "reason": {".tag": "broken"},
    ///     "may_have_happened": true,
    ///     "temporary": true
    ///   },
    ///   "user_message": {"locale": "en", "text": "…"}
    /// }
    /// ```
    ///
    /// It is an error as the service's own are: `error_summary` is `no_answer/` and the reason,
    /// `user_message` one line that says what failed, where, and what to do. A Rust program
    /// reads it by `ErrorEnvelope::parse(&data)` and `decode::<LocalError>()`.
    pub struct NoAnswer {
        /// Why there is none.
        reason: NoAnswerReason,
        /// Whether the service may have done what it was asked for. If so, the same call again
        /// is safe where its offset guards it (append, finish).
        may_have_happened: bool,
        /// Whether the same call may succeed if it is made again.
        temporary: bool,
    }
}

wire_union! {
    /// Why there is no answer of the API.
    pub open union NoAnswerReason {
        /// No connection stood; nothing was sent.
        Connect = "connect",
        /// The server could not prove who it is; nothing was sent.
        Certificate = "certificate",
        /// The connection broke before the answer was there.
        Broken = "broken",
        /// The connection stood, but nothing moved for too long.
        Stalled = "stalled",
        /// Something answered with status 200, but not the API: a network's login page, say.
        Unreadable = "unreadable",
        /// There is no token; nothing was sent.
        NoToken = "no_token",
        /// The token holds characters that no token has; nothing was sent.
        BadToken = "bad_token",
        /// The caller cancelled the request, or dropped the client while it was in flight.
        Cancelled = "cancelled",
        /// Code of the caller's that takes part in the call (a source of tokens, say) panicked.
        Panicked = "panicked",
    }
}

wire_union! {
    /// An error that is made here and not by a service.
    pub open union LocalError {
        /// There is no answer of the API.
        NoAnswer(NoAnswer) flat = "no_answer",
    }
}

impl NoAnswer {
    /// The error in its envelope, with a text for people.
    pub(crate) fn envelope(self, text: String) -> ErrorEnvelope {
        ErrorEnvelope {
            user_message: Some(text),
            ..ErrorEnvelope::of(&LocalError::NoAnswer(self))
        }
    }
}
