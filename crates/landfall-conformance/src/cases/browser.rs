//! What scripts in browsers need.

use crate::answer::Answer;
use crate::case::Case;
use crate::case::Mark::{D, I};
use crate::finding::Stop;
use crate::place::BYTES;
use crate::service::Host;
use reqwest::Method;
use serde_json::json;

const ORIGIN: &str = "https://conformance.example.org";

pub(super) const CASES: &[Case] = &[
    Case::new(
        "browser/asks-before-it-calls",
        D,
        "A browser that asks first may POST from any site, with the headers that calls have.",
        |at| {
            Box::pin(async move {
                for (host, route) in [
                    (Host::Api, "files/get_metadata"),
                    (Host::Content, "files/upload_session/append_v2"),
                    (Host::Content, "files/download"),
                ] {
                    let path = format!("/2/{route}");
                    let call = at.service.call(host, Method::OPTIONS, &path).anonymous();
                    let call = call.header("origin", ORIGIN);
                    let call = call.header("access-control-request-method", "POST");
                    let wanted = "authorization,content-type,dropbox-api-arg";
                    let call = call.header("access-control-request-headers", wanted);
                    let answer = call.send().await?;
                    let status = answer.status;
                    answer.claim(matches!(status, 200 | 204), "status 200 or 204", status)?;
                    is_open(&answer)?;
                    let headers = answer.header("access-control-allow-headers").to_lowercase();
                    for header in wanted.split(',') {
                        let allowed = headers.split(',').any(|one| one.trim() == header);
                        answer.claim(allowed, format!("{header} is allowed"), &headers)?;
                    }
                }
                Ok(())
            })
        },
    ),
    Case::new(
        "browser/reads-answers",
        D,
        "A script of any site may read results, errors and bad requests.",
        |at| {
            Box::pin(async move {
                let call = at.content("files/upload").header("content-type", BYTES);
                let call = call.header("origin", ORIGIN);
                let put = call
                    .arg(&json!({"path": at.path("file")}))
                    .bytes("x")
                    .send()
                    .await?;
                is_open(put.ok()?)?;
                let ask = |text: String| {
                    let call = at.api("files/get_metadata");
                    let call = call.header("content-type", "application/json");
                    call.header("origin", ORIGIN).text(text).send()
                };
                let refused = ask(json!({"path": at.path("nothing")}).to_string()).await?;
                is_open(refused.refused("path/not_found")?)?;
                is_open(ask("{".into()).await?.status(400)?)
            })
        },
    ),
    Case::new(
        "browser/reads-the-result-of-a-download",
        I,
        "A script may read the headers `Dropbox-API-Result` and `Content-Range` of a download.",
        |at| {
            Box::pin(async move {
                at.put("file", "x").await?;
                let got = at.download(&at.path("file"), &[("origin", ORIGIN)]).await?;
                is_open(got.ok()?)?;
                let exposed = got.header("access-control-expose-headers").to_lowercase();
                for header in ["dropbox-api-result", "content-range"] {
                    let shown = exposed.split(',').any(|one| one.trim() == header);
                    got.claim(shown, format!("{header} is exposed"), &exposed)?;
                }
                Ok(())
            })
        },
    ),
];

/// Claims that scripts of any site, or of this one, may read the answer.
fn is_open(answer: &Answer) -> Result<(), Stop> {
    let origin = answer.header("access-control-allow-origin");
    let expected = format!("access-control-allow-origin: * or {ORIGIN}");
    answer.claim(origin == "*" || origin == ORIGIN, expected, origin)?;
    Ok(())
}
