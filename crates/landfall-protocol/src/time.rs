//! The API's timestamps: whole seconds, UTC.

use crate::wire::{DecodeError, Strictness, Wire, text};
use jiff::SignedDuration;
use jiff::civil::{DateTime, date};
use serde_json::Value;
use std::fmt;
use std::str::FromStr;

/// A moment in whole seconds since 1970, UTC; written `2026-01-02T03:04:05Z`.
///
/// Spec: `common.DropboxTimestamp`. Fractions and other zones are refused, not rounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// Seconds are counted from here.
const EPOCH: DateTime = date(1970, 1, 1).at(0, 0, 0, 0);

const FORMAT: &str = "%Y-%m-%dT%H:%M:%SZ";

/// Of the header `Date` (RFC 9110, IMF-fixdate: what everybody must send).
const HTTP_FORMAT: &str = "%a, %d %b %Y %H:%M:%S GMT";

/// The text is not a timestamp of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a time in the format {FORMAT}")]
pub struct NotATimestamp;

impl Timestamp {
    /// The first second that has a four-digit year.
    const FIRST: i64 = -62_167_219_200;
    /// The last second that has a four-digit year.
    const LAST: i64 = 253_402_300_799;

    /// The moment this many seconds after 1970 (before it, if negative); moments outside the
    /// years that the format can write become the nearest that it can.
    pub fn from_unix_seconds(seconds: i64) -> Self {
        Self(seconds.clamp(Self::FIRST, Self::LAST))
    }

    /// The moment that a header such as `Date` names, if it is written as HTTP wants it.
    pub fn from_http_date(text: &str) -> Option<Self> {
        let broken = jiff::fmt::strtime::parse(HTTP_FORMAT, text).ok()?;
        let civil = broken.to_datetime().ok()?;
        Some(Self::from_unix_seconds(
            civil.duration_since(EPOCH).as_secs(),
        ))
    }

    /// Seconds since 1970.
    pub fn unix_seconds(self) -> i64 {
        self.0
    }
}

impl FromStr for Timestamp {
    type Err = NotATimestamp;

    fn from_str(text: &str) -> Result<Self, NotATimestamp> {
        let broken = jiff::fmt::strtime::parse(FORMAT, text).map_err(|_| NotATimestamp)?;
        let civil = broken.to_datetime().map_err(|_| NotATimestamp)?;
        let parsed = Self::from_unix_seconds(civil.duration_since(EPOCH).as_secs());
        // The parser is lenient about missing leading zeros; the format is not.
        if parsed.to_string() == text {
            Ok(parsed)
        } else {
            Err(NotATimestamp)
        }
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let moment = EPOCH + SignedDuration::from_secs(self.0);
        write!(f, "{}", moment.strftime(FORMAT))
    }
}

impl Wire for Timestamp {
    fn decode(value: &Value, _: Strictness) -> Result<Self, DecodeError> {
        let text = text(value)?;
        text.parse().map_err(|NotATimestamp| {
            DecodeError::new(format!(
                "time data '{}' does not match format '{FORMAT}'",
                crate::wire::shorten(text, 100)
            ))
        })
    }
    fn encode(&self) -> Value {
        Value::String(self.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::Timestamp;
    use crate::{Strictness, Wire};
    use serde_json::json;

    #[test]
    fn a_time_reads_back_as_written() {
        for text in [
            "2026-01-02T03:04:05Z",
            "1970-01-01T00:00:00Z",
            "1969-12-31T23:59:59Z",
            "0000-01-01T00:00:00Z",
            "9999-12-31T23:59:59Z",
        ] {
            assert_eq!(text.parse::<Timestamp>().unwrap().to_string(), text);
        }
        assert_eq!(
            "2026-01-02T03:04:05Z"
                .parse::<Timestamp>()
                .unwrap()
                .unix_seconds(),
            1_767_323_045
        );
    }

    #[test]
    fn moments_that_cant_be_written_become_the_nearest_that_can() {
        let written = |seconds| Timestamp::from_unix_seconds(seconds).encode();
        assert_eq!(written(i64::MIN), json!("0000-01-01T00:00:00Z"));
        assert_eq!(written(i64::MAX), json!("9999-12-31T23:59:59Z"));
    }

    #[test]
    fn who_sends_no_time_is_told_the_format() {
        let error = Timestamp::decode(&json!("now"), Strictness::Strict).unwrap_err();
        let told = "time data 'now' does not match format '%Y-%m-%dT%H:%M:%SZ'";
        assert!(error.to_string().contains(told), "{error}");
    }

    #[test]
    fn the_date_of_an_answer_is_read() {
        let read = |text| Timestamp::from_http_date(text).map(Timestamp::unix_seconds);
        assert_eq!(read("Sun, 06 Nov 1994 08:49:37 GMT"), Some(784_111_777));
        for text in ["", "Sunday, 06-Nov-94 08:49:37 GMT", "1994-11-06T08:49:37Z"] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn fractions_offsets_and_loose_forms_are_refused() {
        for text in [
            "2026-01-02T03:04:05.5Z",
            "2026-01-02T03:04:05+00:00",
            "2026-01-02T03:04:05",
            "2026-1-2T03:04:05Z",
            "  2026-01-02T03:04:05Z",
            "2026-01-02T03:04:05Zz",
            "2026-02-30T03:04:05Z",
            "2026-01-02T24:04:05Z",
            "2026-01-02t03:04:05z",
            "2026-01-02 03:04:05Z",
            "",
        ] {
            assert!(text.parse::<Timestamp>().is_err(), "{text}");
        }
    }
}
