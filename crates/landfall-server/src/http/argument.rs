//! Where a route's argument is read from, and what is said of a bad one.

use super::body::RequestBody;
use super::reply::{BadRequest, Refused};
use http::{HeaderMap, Uri, header};
use landfall_protocol::json::{ReadError, read};
use landfall_protocol::routes::Style;
use landfall_protocol::wire::Json;
use landfall_protocol::{Strictness, Wire, limits};

/// The header that carries arguments of upload and download routes.
const HEADER: &str = "dropbox-api-arg";

/// The value of a query parameter, decoded.
pub(super) fn parameter(uri: &Uri, name: &str) -> Option<String> {
    let query = uri.query()?;
    form_urlencoded::parse(query.as_bytes())
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.into_owned())
}

/// The argument of an upload or download route.
pub(super) fn beside_the_body<A: Wire>(headers: &HeaderMap, uri: &Uri) -> Result<A, BadRequest> {
    // Header bytes are UTF-8: several clients write raw characters instead of \u escapes.
    let (place, text) = match headers.get(HEADER) {
        Some(value) => ("HTTP header \"Dropbox-API-Arg\"", value.as_bytes().to_vec()),
        None => match parameter(uri, "arg") {
            Some(value) => ("URL parameter \"arg\"", value.into_bytes()),
            None => return absent(),
        },
    };
    read(&text, Strictness::Strict).map_err(|error| wrong(place, &error))
}

/// No argument at all: fine where every field is optional.
fn absent<A: Wire>() -> Result<A, BadRequest> {
    A::decode(&Json::Object(Default::default()), Strictness::Strict).map_err(|_| {
        BadRequest::new("Must provide HTTP header \"Dropbox-API-Arg\" or URL parameter \"arg\".")
    })
}

/// The argument of an rpc route.
pub(super) async fn in_the_body<A: Wire>(
    headers: &HeaderMap,
    body: &mut RequestBody,
) -> Result<A, Refused> {
    // A void argument may be absent; other types have no value for that.
    let void = A::decode(&Json::Null, Strictness::Strict).ok();
    let text = body.whole(limits::RPC_BODY).await?;
    match void {
        Some(void) if text.is_empty() => return Ok(void),
        _ => check_content_type(Style::Rpc, headers)?,
    }
    Ok(read(&text, Strictness::Strict).map_err(|error| wrong("request body", &error))?)
}

fn wrong(place: &str, error: &ReadError) -> BadRequest {
    BadRequest::new(format!("{place}: {error}"))
}

const CORS: &str = "text/plain; charset=dropbox-cors-hack";
const RPC: &[&str] = &["application/json", "application/json; charset=utf-8", CORS];
const UPLOAD: &[&str] = &["application/octet-stream", CORS];

/// Checks the type of the body against the style. Downloads have no body, and clients send all
/// sorts of types with it.
pub(super) fn check_content_type(style: Style, headers: &HeaderMap) -> Result<(), BadRequest> {
    let accepted = match style {
        Style::Rpc => RPC,
        Style::Upload => UPLOAD,
        Style::Download => return Ok(()),
    };
    let given: Vec<String> = headers
        .get_all(header::CONTENT_TYPE)
        .iter()
        .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
        .collect();
    let given = given.join(",");
    if given.trim().is_empty() {
        return Err(BadRequest::new(format!(
            "Missing or empty HTTP \"Content-Type\" header.  {}",
            expecting(accepted)
        )));
    }
    let plain: Vec<&str> = given.split(';').map(str::trim).collect();
    let plain = plain.join("; ").to_ascii_lowercase();
    if accepted.contains(&plain.as_str()) {
        return Ok(());
    }
    let shown = landfall_protocol::wire::shorten(&given, 200);
    Err(BadRequest::new(format!(
        "Bad HTTP \"Content-Type\" header: \"{shown}\".  {}",
        expecting(accepted)
    )))
}

fn expecting(accepted: &[&str]) -> String {
    let quoted: Vec<String> = accepted.iter().map(|one| format!("\"{one}\"")).collect();
    format!("Expecting one of {}.", quoted.join(", "))
}
