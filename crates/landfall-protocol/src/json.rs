//! JSON text as the service writes it.
//!
//! One line, `", "` and `": "` between the parts and nothing but ASCII: Dropbox-Uploader reads
//! answers with sed and needs the spaces, and `Dropbox-API-Result` is a header.

use crate::wire::{DecodeError, Strictness, Wire};
use serde::Serialize;
use serde_json::Value;
use serde_json::ser::{Formatter, Serializer};
use std::io;

/// The text of an answer: spaced, ASCII only.
pub fn to_line(value: &Value) -> String {
    write(
        value,
        Ascii {
            comma: b", ",
            colon: b": ",
        },
    )
}

/// The text of a `Dropbox-API-Arg` header: ASCII only (U+007F escaped too), and without spaces
/// because header room is scarce in batches.
pub fn to_header(value: &Value) -> String {
    write(
        value,
        Ascii {
            comma: b",",
            colon: b":",
        },
    )
}

/// Reads a typed value from JSON text.
///
/// # Errors
/// [`ReadError::NotJson`] where the text is no JSON, else what is wrong with the value.
pub fn read<T: Wire>(text: &[u8], strictness: Strictness) -> Result<T, ReadError> {
    let value: Value = serde_json::from_slice(text).map_err(|_| ReadError::NotJson)?;
    Ok(T::decode(&value, strictness)?)
}

/// Why JSON text could not be read as a type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// Not JSON at all. The text is the API's own.
    #[error("could not decode input as JSON")]
    NotJson,
    /// JSON, but not this type.
    #[error(transparent)]
    Decode(#[from] DecodeError),
}

fn write(value: &Value, style: Ascii) -> String {
    let mut out = Vec::with_capacity(128);
    value
        .serialize(&mut Serializer::with_formatter(&mut out, style))
        .expect("a JSON value always has a text, and a Vec takes it");
    String::from_utf8(out).expect("the writer writes ASCII only")
}

struct Ascii {
    comma: &'static [u8],
    colon: &'static [u8],
}

impl Ascii {
    fn separate<W: ?Sized + io::Write>(&self, out: &mut W, first: bool) -> io::Result<()> {
        if first {
            Ok(())
        } else {
            out.write_all(self.comma)
        }
    }
}

impl Formatter for Ascii {
    fn begin_array_value<W: ?Sized + io::Write>(
        &mut self,
        out: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.separate(out, first)
    }

    fn begin_object_key<W: ?Sized + io::Write>(
        &mut self,
        out: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.separate(out, first)
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, out: &mut W) -> io::Result<()> {
        out.write_all(self.colon)
    }

    fn write_string_fragment<W: ?Sized + io::Write>(
        &mut self,
        out: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let mut units = [0; 2];
        for character in fragment.chars() {
            if character.is_ascii() && character != '\u{7f}' {
                out.write_all(&[character as u8])?;
            } else {
                for unit in character.encode_utf16(&mut units) {
                    write!(out, "\\u{unit:04x}")?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{to_header, to_line};
    use serde_json::json;

    #[test]
    fn answers_are_one_spaced_ascii_line() {
        let value = json!({"name": "Stra\u{df}e \u{1f40b}\n\u{7f}", "list": [1, 2], "none": null});
        assert_eq!(
            to_line(&value),
            r#"{"name": "Stra\u00dfe \ud83d\udc0b\n\u007f", "list": [1, 2], "none": null}"#
        );
    }

    #[test]
    fn a_number_is_written_as_it_was_read() {
        for number in ["1.1100014666666664e+45", "-122.46171", "0.1"] {
            assert_eq!(to_line(&serde_json::from_str(number).unwrap()), number);
        }
    }

    #[test]
    fn header_arguments_are_compact_ascii() {
        assert_eq!(
            to_header(&json!({"a": "\u{e9}", "b": []})),
            r#"{"a":"\u00e9","b":[]}"#
        );
    }
}
