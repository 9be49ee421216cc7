//! What came back, and claims about it.

use crate::call::shorten;
use crate::finding::{Answered, Asked, Stop};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;
use std::fmt::Display;

/// An answer. Its claims return it again, so that they can be strung together.
#[derive(Debug)]
pub(crate) struct Answer {
    asked: Asked,
    pub(crate) status: u16,
    headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

/// What a claim gives back.
type Claim<'a> = Result<&'a Answer, Stop>;

impl Answer {
    pub(crate) fn new(asked: Asked, status: u16, headers: HeaderMap, body: Vec<u8>) -> Self {
        Self {
            asked,
            status,
            headers,
            body,
        }
    }

    /// The body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> Result<Value, Stop> {
        serde_json::from_slice(&self.body)
            .map_err(|_| self.finding("a body of JSON", shorten(&self.text())))
    }

    /// A header's text; empty if it isn't there.
    pub(crate) fn header(&self, name: &str) -> String {
        let value = self.headers.get(name).map(HeaderValue::as_bytes);
        String::from_utf8_lossy(value.unwrap_or_default()).into_owned()
    }

    /// The finding that something was expected of this answer, and something else came.
    pub(crate) fn finding(&self, expected: impl Display, got: impl Display) -> Stop {
        let header = |(name, value): (&HeaderName, &HeaderValue)| {
            let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
            (name.to_string(), value)
        };
        let answered = Answered {
            status: self.status,
            headers: self.headers.iter().map(header).collect(),
            body: shorten(&self.text()),
        };
        Stop::found(expected, got, self.asked.clone(), Some(answered))
    }

    /// Claims anything.
    pub(crate) fn claim(
        &self,
        holds: bool,
        expected: impl Display,
        got: impl Display,
    ) -> Claim<'_> {
        if holds {
            Ok(self)
        } else {
            Err(self.finding(expected, got))
        }
    }

    /// Claims this status.
    pub(crate) fn status(&self, status: u16) -> Claim<'_> {
        let expected = format!("status {status}");
        let got = format!("status {}", self.status);
        self.claim(self.status == status, expected, got)
    }

    /// Claims a success.
    pub(crate) fn ok(&self) -> Claim<'_> {
        self.status(200)
    }

    /// Claims an error of the route: status 409, and a summary that begins with these tags.
    pub(crate) fn refused(&self, tags: &str) -> Claim<'_> {
        self.error(409, tags)
    }

    /// Claims an error in JSON: a status, and a summary that begins with these tags.
    pub(crate) fn error(&self, status: u16, tags: &str) -> Claim<'_> {
        let summary = match self.json() {
            Ok(json) => json["error_summary"]
                .as_str()
                .unwrap_or_default()
                .to_owned(),
            Err(_) => String::new(),
        };
        let begins = summary
            .strip_prefix(tags)
            .is_some_and(|rest| rest.starts_with('/'));
        let expected = format!("status {status}, error_summary `{tags}/…`");
        let got = match summary.as_str() {
            "" => format!("status {}, no error_summary", self.status),
            _ => format!("status {}, error_summary `{summary}`", self.status),
        };
        self.claim(self.status == status && begins, expected, got)
    }

    /// Claims a request that can't be understood: status 400, and a sentence about this function
    /// (`files/upload_session/append:2`) with these words.
    pub(crate) fn bad_request(&self, function: &str, words: &str) -> Claim<'_> {
        let begin = format!("Error in call to API function \"{function}\": ");
        let text = self.text();
        let rest = text.strip_prefix(&begin);
        let holds = self.status == 400 && rest.is_some_and(|rest| rest.contains(words));
        let expected = format!("status 400, `{begin}` and then `{words}`");
        let got = format!("status {}, `{}`", self.status, shorten(&text));
        self.claim(holds, expected, got)
    }

    /// Claims a header of exactly this value.
    pub(crate) fn header_is(&self, name: &str, value: &str) -> Claim<'_> {
        let got = self.header(name);
        let holds = self.headers.contains_key(name) && got == value;
        self.claim(
            holds,
            format!("header {name}: {value}"),
            format!("header {name}: {got}"),
        )
    }

    /// Claims that there is no such header.
    pub(crate) fn header_is_absent(&self, name: &str) -> Claim<'_> {
        let holds = !self.headers.contains_key(name);
        let got = format!("header {name}: {}", self.header(name));
        self.claim(holds, format!("no header {name}"), got)
    }

    /// The JSON at a pointer (`/error/correct_offset`), which must be there.
    pub(crate) fn at(&self, pointer: &str) -> Result<Value, Stop> {
        let found = self.json()?.pointer(pointer).cloned();
        found.ok_or_else(|| self.finding(format!("a value at {pointer}"), "none"))
    }

    /// The text at a pointer, which must be there.
    pub(crate) fn text_at(&self, pointer: &str) -> Result<String, Stop> {
        let value = self.at(pointer)?;
        let text = value.as_str().map(str::to_owned);
        text.ok_or_else(|| self.finding(format!("a text at {pointer}"), value))
    }

    /// The list at a pointer, which must be there.
    pub(crate) fn list_at(&self, pointer: &str) -> Result<Vec<Value>, Stop> {
        let value = self.at(pointer)?;
        let list = value.as_array().cloned();
        list.ok_or_else(|| self.finding(format!("a list at {pointer}"), value))
    }

    /// Claims this JSON at a pointer.
    pub(crate) fn has(&self, pointer: &str, value: impl Into<Value>) -> Claim<'_> {
        let (got, value) = (self.at(pointer)?, value.into());
        let expected = format!("{value} at {pointer}");
        self.claim(got == value, expected, &got)
    }

    /// Claims another JSON at a pointer.
    pub(crate) fn has_other(&self, pointer: &str, value: impl Into<Value>) -> Claim<'_> {
        let (got, value) = (self.at(pointer)?, value.into());
        let expected = format!("something else than {value} at {pointer}");
        self.claim(got != value, expected, &got)
    }

    /// Claims that nothing is at a pointer.
    pub(crate) fn lacks(&self, pointer: &str) -> Claim<'_> {
        match self.json()?.pointer(pointer) {
            None => Ok(self),
            Some(found) => Err(self.finding(format!("nothing at {pointer}"), found)),
        }
    }

    /// Claims this text, byte for byte.
    pub(crate) fn is_text(&self, text: &str) -> Claim<'_> {
        let got = format!("`{}`", shorten(&self.text()));
        self.claim(self.body == text.as_bytes(), format!("`{text}`"), got)
    }

    /// Claims these bytes.
    pub(crate) fn is_bytes(&self, bytes: &[u8]) -> Claim<'_> {
        let expected = format!("the {} bytes that were stored", bytes.len());
        let got = format!("{} bytes that differ", self.body.len());
        self.claim(self.body == bytes, expected, got)
    }
}
