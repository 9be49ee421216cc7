//! Identifiers: opaque to clients, shaped as the specification says.

use crate::wire::{DecodeError, Strictness, Wire, shorten, text};
use serde_json::Value;
use std::fmt;
use std::str::FromStr;

macro_rules! text_id {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// An identifier that was made, stored or checked before: taken as it is.
            pub fn from_stored(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            /// The identifier as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

macro_rules! plain_wire {
    ($name:ident) => {
        impl Wire for $name {
            fn decode(value: &Value, _: Strictness) -> Result<Self, DecodeError> {
                Ok(Self(text(value)?.to_owned()))
            }
            fn encode(&self) -> Value {
                Value::String(self.0.clone())
            }
        }
    };
}

text_id!(
    /// A revision of a file: lowercase hex, 9 digits or more (Spec: `Rev`).
    Rev
);
text_id!(
    /// A file or folder: `id:` and more (Spec: `FileId`). It stays through moves and overwrites.
    FileId
);
plain_wire!(FileId);
text_id!(
    /// An upload session (Spec: any string).
    SessionId
);
plain_wire!(SessionId);
text_id!(
    /// A job in the background (Spec: `async.AsyncJobId`, at least one character).
    AsyncJobId
);
text_id!(
    /// An account: 40 characters, `dbid:` and 35 more (Spec: `AccountId`).
    AccountId
);
text_id!(
    /// A namespace, the root of one tree (Spec: `NamespaceId`); here always digits.
    NamespaceId
);

/// The text is not an identifier of its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be {0}")]
pub struct BadId(&'static str);

const REV_PATTERN: &str = "[0-9a-f]+";
const REV_LENGTH: usize = 9;

impl FromStr for Rev {
    type Err = BadId;

    fn from_str(text: &str) -> Result<Self, BadId> {
        let hex = text
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if hex && text.len() >= REV_LENGTH {
            Ok(Self(text.to_owned()))
        } else {
            Err(BadId("9 or more lowercase hex digits"))
        }
    }
}

impl Wire for Rev {
    fn decode(value: &Value, _: Strictness) -> Result<Self, DecodeError> {
        let text = text(value)?;
        text.parse().map_err(|_| {
            let shown = shorten(text, 100);
            DecodeError::new(if text.len() < REV_LENGTH {
                format!(
                    "'{shown}' must be at least {REV_LENGTH} characters, got {}",
                    text.len()
                )
            } else {
                format!("'{shown}' did not match pattern '{REV_PATTERN}'")
            })
        })
    }
    fn encode(&self) -> Value {
        Value::String(self.0.clone())
    }
}

impl Wire for AsyncJobId {
    fn decode(value: &Value, _: Strictness) -> Result<Self, DecodeError> {
        match text(value)? {
            "" => Err(DecodeError::new("'' must be at least 1 characters, got 0")),
            text => Ok(Self(text.to_owned())),
        }
    }
    fn encode(&self) -> Value {
        Value::String(self.0.clone())
    }
}

impl Wire for AccountId {
    fn decode(value: &Value, strictness: Strictness) -> Result<Self, DecodeError> {
        const LENGTH: usize = 40;
        let text = text(value)?;
        let (shown, count) = (shorten(text, 100), text.chars().count());
        let wrong = |bound: &str| {
            let said = format!("'{shown}' must be at {bound} {LENGTH} characters, got {count}");
            Err(DecodeError::new(said))
        };
        match count {
            // What a service says of itself is taken as it is.
            _ if strictness == Strictness::Lenient => Ok(Self(text.to_owned())),
            ..LENGTH => wrong("least"),
            LENGTH => Ok(Self(text.to_owned())),
            _ => wrong("most"),
        }
    }
    fn encode(&self) -> Value {
        Value::String(self.0.clone())
    }
}

impl FileId {
    /// The id `id:<tail>`.
    pub fn from_tail(tail: &str) -> Self {
        Self(format!("id:{tail}"))
    }
}

impl NamespaceId {
    /// A namespace id from digits that were already checked; leading zeros don't count.
    pub(crate) fn from_digits(digits: &str) -> Self {
        match digits.trim_start_matches('0') {
            "" => Self("0".to_owned()),
            digits => Self(digits.to_owned()),
        }
    }
}

impl Wire for NamespaceId {
    fn decode(value: &Value, _: Strictness) -> Result<Self, DecodeError> {
        let text = text(value)?;
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b':');
        if text.is_empty() || !text.bytes().all(legal) {
            return Err(DecodeError::new(format!(
                "'{}' did not match pattern '[-_0-9a-zA-Z:]+'",
                shorten(text, 100)
            )));
        }
        Ok(Self(text.to_owned()))
    }
    fn encode(&self) -> Value {
        Value::String(self.0.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::{AccountId, AsyncJobId, NamespaceId, Rev};
    use crate::{Strictness, Wire};
    use serde_json::json;

    #[test]
    fn a_rev_is_nine_or_more_lowercase_hex_digits() {
        assert!("1588fafe3".parse::<Rev>().is_ok());
        assert!("015c0aa619d60c5000000021fedb020".parse::<Rev>().is_ok());
        for text in ["", "12345678", "1588FAFE3", "1588fafe3g"] {
            assert!(text.parse::<Rev>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_bad_rev_is_told_whether_it_is_too_short() {
        let wrong = |text: &str| {
            let error = Rev::decode(&json!(text), Strictness::Strict).unwrap_err();
            error.to_string()
        };
        let short = wrong("12345678");
        assert!(
            short.contains("must be at least 9 characters, got 8"),
            "{short}"
        );
        for text in ["12345678g", "12345678gh"] {
            assert!(
                wrong(text).contains("did not match pattern"),
                "{}",
                wrong(text)
            );
        }
    }

    #[test]
    fn the_id_of_an_account_has_forty_characters_where_somebody_asks() {
        let id = |length: usize| json!("\u{e9}".repeat(length));
        let asked = |length| AccountId::decode(&id(length), Strictness::Strict);
        assert_eq!(asked(40).unwrap().encode(), id(40));
        for (length, said) in [
            (39, "at least 40 characters, got 39"),
            (41, "at most 40 characters, got 41"),
        ] {
            let error = asked(length).unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
        }
        assert!(AccountId::decode(&id(3), Strictness::Lenient).is_ok());
    }

    #[test]
    fn the_id_of_a_job_is_written_as_it_came() {
        let id = AsyncJobId::decode(&json!("dbjid:1"), Strictness::Strict).unwrap();
        assert_eq!(id.encode(), json!("dbjid:1"));
    }

    #[test]
    fn the_id_of_a_namespace_is_of_a_few_characters_and_not_empty() {
        let decode = |text: &str| NamespaceId::decode(&json!(text), Strictness::Strict);
        for text in ["1", "a_B-9:", "0"] {
            assert!(decode(text).is_ok(), "{text}");
        }
        for text in ["", "1!", "!"] {
            assert!(decode(text).is_err(), "{text}");
        }
    }
}
