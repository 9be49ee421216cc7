//! The texts that the commands take, read.

use landfall_protocol::path::WritePathOrId;
use landfall_protocol::types::files::WriteMode;
use landfall_protocol::wire::shorten;
use std::fmt::Display;

/// A parameter makes no sense; nothing was sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{parameter}: {problem}")]
pub struct BadParameter {
    /// Which one.
    pub parameter: &'static str,
    /// What was given, and what may be.
    pub problem: String,
}

/// A text that must not be empty.
pub(super) fn text<'a>(parameter: &'static str, given: &'a str) -> Result<&'a str, BadParameter> {
    if given.is_empty() {
        let problem = "is empty, but it is required".to_owned();
        return Err(BadParameter { parameter, problem });
    }
    Ok(given)
}

pub(super) fn offset(given: &dyn Display) -> Result<u64, BadParameter> {
    let given = given.to_string();
    // What Rust reads as a number may have a sign.
    let digits = given.bytes().all(|byte| byte.is_ascii_digit());
    let number = given.parse().ok().filter(|_| digits);
    number.ok_or_else(|| {
        bad(
            "offset",
            &given,
            "must be the bytes uploaded so far, in digits",
        )
    })
}

pub(super) fn path(given: &str) -> Result<WritePathOrId, BadParameter> {
    WritePathOrId::parse(given).map_err(|_| {
        let wanted = "must begin with / and name a file, or be an id: or ns: path";
        bad("path", given, wanted)
    })
}

pub(super) fn mode(given: &str) -> Result<WriteMode, BadParameter> {
    if given.is_empty() {
        return Ok(WriteMode::Add);
    }
    let mode: Result<WriteMode, _> = given.parse();
    mode.map_err(|error| bad("mode", given, &error.to_string()))
}

pub(super) fn flag(parameter: &'static str, given: &dyn Display) -> Result<bool, BadParameter> {
    match given.to_string().as_str() {
        "true" | "True" => Ok(true),
        "" | "false" | "False" => Ok(false),
        other => Err(bad(
            parameter,
            other,
            "must be true or false, or empty for false",
        )),
    }
}

fn bad(parameter: &'static str, given: &str, wanted: &str) -> BadParameter {
    let problem = format!("'{}' {wanted}", shorten(given, 100));
    BadParameter { parameter, problem }
}
