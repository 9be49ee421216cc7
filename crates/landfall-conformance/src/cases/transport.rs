//! How calls and answers are written, whatever they are about.

use crate::call::percent;
use crate::case::Case;
use crate::case::Mark::{C, D, I, R};
use crate::place::{BYTES, cursor};
use crate::service::Host;
use reqwest::Method;
use serde_json::{Value, json};

const CORS: &str = "text/plain; charset=dropbox-cors-hack";

const START: &str = "files/upload_session/start";

pub(super) const CASES: &[Case] = &[
    Case::new(
        "transport/json-type-is-exact",
        C,
        "The Content-Type of JSON is `application/json` and nothing more, for results and for errors.",
        |at| {
            Box::pin(async move {
                let put = at.put("file", "x").await?;
                put.header_is("content-type", "application/json")?;
                let found = at.metadata(&at.path("file")).await?;
                found.ok()?.header_is("content-type", "application/json")?;
                let refused = at.metadata(&at.path("nothing")).await?;
                refused.status(409)?;
                refused.header_is("content-type", "application/json")?;
                Ok(())
            })
        },
    ),
    Case::new(
        "transport/tag-comes-first",
        C,
        "In each JSON object that has a `.tag`, it is the first key.",
        |at| {
            Box::pin(async move {
                at.put("dir/file", "x").await?;
                let session = at.start(json!({}), "").await?;
                let account = at.rpc("users/get_current_account", Value::Null).await?;
                let arg = json!({"path": at.folder, "recursive": true});
                let listed = at.rpc("files/list_folder", arg).await?;
                for answer in [
                    account.ok()?,
                    listed.ok()?,
                    &at.metadata(&at.path("dir/file")).await?,
                    &at.append(&session, 5, "x").await?,
                    &at.finish(&session, 5, &json!({"path": at.path("f")}), "")
                        .await?,
                ] {
                    let misplaced = misplaced_tag(&answer.json()?);
                    let got = misplaced.as_ref().map(Value::to_string);
                    answer.claim(got.is_none(), "`.tag` first", got.unwrap_or_default())?;
                }
                Ok(())
            })
        },
    ),
    Case::new(
        "transport/separators-have-one-space",
        C,
        "JSON stands on one line, with one space after each comma and colon and none elsewhere.",
        |at| {
            Box::pin(async move {
                let put = at.put("file, with: both", "x").await?;
                let arg = json!({ "path": at.folder });
                let listed = at.rpc("files/list_folder", arg).await?;
                let refused = at.metadata(&at.path("nothing")).await?;
                for answer in [&put, listed.ok()?, refused.status(409)?] {
                    let text = answer.text();
                    let wanted = spaced(&text);
                    answer.claim(text == wanted, format!("`{wanted}`"), format!("`{text}`"))?;
                }
                Ok(())
            })
        },
    ),
    Case::new(
        "transport/answers-are-ascii",
        R,
        "What isn't ASCII is written as `\\uXXXX` in results.",
        |at| {
            Box::pin(async move {
                let put = at.put("Stra\u{df}e \u{3a9}.txt", "x").await?;
                put.claim(put.body.is_ascii(), "ASCII", put.text())?;
                put.has("/name", "Stra\u{df}e \u{3a9}.txt")?;
                Ok(())
            })
        },
    ),
    Case::new(
        "transport/errors-are-an-envelope",
        D,
        "A route's error has status 409, `error_summary` as the chain of its tags, and `error` as a union.",
        |at| {
            Box::pin(async move {
                let refused = at.metadata(&at.path("nothing")).await?;
                refused.refused("path/not_found")?;
                refused.has("/error/.tag", "path")?;
                refused.has("/error/path/.tag", "not_found")?;
                Ok(())
            })
        },
    ),
    Case::new(
        "transport/summary-comes-first",
        C,
        "An error's JSON begins with `error_summary`.",
        |at| {
            Box::pin(async move {
                let refused = at.metadata(&at.path("nothing")).await?;
                let text = refused.status(409)?.text();
                let begin = "{\"error_summary\": \"path/not_found/";
                refused.claim(
                    text.starts_with(begin),
                    format!("`{begin}…`"),
                    format!("`{text}`"),
                )?;
                Ok(())
            })
        },
    ),
    Case::new(
        "transport/answers-have-a-request-id",
        R,
        "Results, errors and bad requests have an `X-Dropbox-Request-Id` of 32 hexadecimal digits.",
        |at| {
            Box::pin(async move {
                let answers = [
                    at.put("file", "x").await?,
                    at.metadata(&at.path("nothing")).await?,
                    at.rpc_text("files/get_metadata", "{").await?,
                ];
                for answer in &answers {
                    let id = answer.header("x-dropbox-request-id");
                    let good = id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
                    answer.claim(good, "32 hexadecimal digits", format!("`{id}`"))?;
                }
                Ok(())
            })
        },
    ),
    Case::new(
        "transport/bad-requests-are-plain-text",
        R,
        "A status of 400 comes with a sentence of type `text/plain; charset=utf-8`.",
        |at| {
            Box::pin(async move {
                let refused = at.rpc("files/get_metadata", json!({})).await?;
                refused.status(400)?;
                refused.header_is("content-type", "text/plain; charset=utf-8")?;
                Ok(())
            })
        },
    ),
    Case::new(
        "transport/unknown-route",
        R,
        "A route that doesn't exist is a bad request that names it.",
        |at| {
            Box::pin(async move {
                let refused = at.rpc("files/landfall_conformance", json!({})).await?;
                let words = "Unknown API function: /2/files/landfall_conformance";
                refused.status(400)?;
                let text = refused.text();
                refused.claim(
                    text.contains(words),
                    format!("`{words}`"),
                    format!("`{text}`"),
                )?;
                Ok(())
            })
        },
    ),
    Case::new(
        "transport/wrong-method",
        R,
        "A GET where a POST is wanted is a bad request that says so.",
        |at| {
            Box::pin(async move {
                let path = "/2/files/get_metadata";
                let call = at.service.call(Host::Api, Method::GET, path);
                let refused = call.send().await?;
                let words = "Your request's HTTP request method is \"GET\".  This function only \
                             accepts the HTTP request method \"POST\".";
                refused.status(400)?;
                let text = refused.text();
                refused.claim(
                    text.contains(words),
                    format!("`{words}`"),
                    format!("`{text}`"),
                )?;
                Ok(())
            })
        },
    ),
    Case::new(
        "transport/content-type-of-uploads",
        R,
        "Other types than that of bytes are refused for uploads, with the ones that are accepted.",
        |at| {
            Box::pin(async move {
                for kind in [
                    "application/json; charset=UTF-8",
                    "application/octet-stream; charset=utf8",
                ] {
                    let call = at.content("files/upload").header("content-type", kind);
                    let call = call.arg(&json!({"path": at.path("file")})).bytes("x");
                    let words = format!(
                        "Bad HTTP \"Content-Type\" header: \"{kind}\".  Expecting one of \
                         \"application/octet-stream\", \"text/plain; charset=dropbox-cors-hack\"."
                    );
                    call.send().await?.bad_request("files/upload", &words)?;
                }
                Ok(())
            })
        },
    ),
    Case::new(
        "transport/content-type-missing",
        R,
        "An upload without a Content-Type is a bad request, even with an empty body.",
        |at| {
            Box::pin(async move {
                for body in ["x", ""] {
                    let call = at
                        .content("files/upload")
                        .arg(&json!({"path": at.path("file")}));
                    let refused = call.bytes(body).send().await?;
                    refused.status(400)?;
                    let text = refused.text();
                    refused.claim(
                        text.contains("\"Content-Type\""),
                        "it names the header",
                        text,
                    )?;
                }
                Ok(())
            })
        },
    ),
    Case::new(
        "transport/content-type-of-rpc",
        R,
        "Arguments in the body are not taken as a form.",
        |at| {
            Box::pin(async move {
                let call = at.api("files/get_metadata");
                let call = call.header("content-type", "application/x-www-form-urlencoded");
                let refused = call
                    .text(json!({"path": at.folder}).to_string())
                    .send()
                    .await?;
                refused.bad_request("files/get_metadata", "Bad HTTP \"Content-Type\" header")?;
                Ok(())
            })
        },
    ),
    Case::new(
        "transport/json-with-a-charset-is-taken",
        C,
        "`application/json; charset=utf-8` is a type of arguments too, in any case.",
        |at| {
            Box::pin(async move {
                for kind in [
                    "application/json; charset=utf-8",
                    "application/json; charset=UTF-8",
                ] {
                    let call = at.api("files/get_metadata").header("content-type", kind);
                    let arg = json!({"path": at.path("nothing")}).to_string();
                    call.text(arg).send().await?.refused("path/not_found")?;
                }
                Ok(())
            })
        },
    ),
    Case::new(
        "transport/void-is-null",
        C,
        "A result of nothing is the four bytes `null` of type `application/json`.",
        |at| {
            Box::pin(async move {
                let session = at.start(json!({}), "").await?;
                let appended = at.append(&session, 0, "x").await?;
                appended.ok()?.is_text("null")?;
                appended.header_is("content-type", "application/json")?;
                Ok(())
            })
        },
    ),
    Case::new(
        "transport/question-mark-at-the-end",
        C,
        "An empty query changes nothing.",
        |at| {
            Box::pin(async move {
                let call = at
                    .content(&format!("{START}?"))
                    .header("content-type", BYTES);
                call.arg(&json!({}))
                    .bytes("")
                    .send()
                    .await?
                    .ok()?
                    .text_at("/session_id")?;
                Ok(())
            })
        },
    ),
    Case::new(
        "transport/chunked-body",
        C,
        "A body may come in chunks, without a length.",
        |at| {
            Box::pin(async move {
                let call = at.content("files/upload").header("content-type", BYTES);
                let call = call.arg(&json!({"path": at.path("file")}));
                let pieces = vec![b"in ".to_vec(), b"three ".to_vec(), b"pieces".to_vec()];
                call.chunked(pieces).send().await?.ok()?.has("/size", 15)?;
                at.holds(&at.path("file"), b"in three pieces").await
            })
        },
    ),
    Case::new(
        "transport/chunked-body-of-nothing",
        C,
        "A body in chunks may be empty.",
        |at| {
            Box::pin(async move {
                let call = at
                    .content(START)
                    .header("content-type", BYTES)
                    .arg(&json!({}));
                let started = call.chunked(Vec::new()).send().await?;
                let session = started.ok()?.text_at("/session_id")?;
                at.session_holds(&session, 0).await
            })
        },
    ),
    Case::new(
        "transport/cors-hack-for-uploads",
        D,
        "An upload may be a simple request of a browser: all in the URL, `text/plain; charset=dropbox-cors-hack`.",
        |at| {
            Box::pin(async move {
                let arg = json!({"path": at.path("file")}).to_string();
                let bearer = percent(&format!("Bearer {}", at.service.token().expose()));
                let route = format!(
                    "files/upload?arg={}&authorization={bearer}&reject_cors_preflight=true",
                    percent(&arg)
                );
                let call = at.content(&route).anonymous().header("content-type", CORS);
                call.bytes("x").send().await?.ok()?.has("/size", 1)?;
                Ok(())
            })
        },
    ),
    Case::new(
        "transport/cors-hack-for-rpc",
        D,
        "An argument in the body may be of type `text/plain; charset=dropbox-cors-hack`.",
        |at| {
            Box::pin(async move {
                let call = at.api("files/get_metadata").header("content-type", CORS);
                let arg = json!({"path": at.path("nothing")}).to_string();
                call.text(arg).send().await?.refused("path/not_found")?;
                Ok(())
            })
        },
    ),
    Case::new(
        "transport/no-result-header-beside-a-result",
        C,
        "Where the result is the body, there is no `Dropbox-API-Result` header.",
        |at| {
            Box::pin(async move {
                at.put("file", "x")
                    .await?
                    .header_is_absent("dropbox-api-result")?;
                let found = at.metadata(&at.path("file")).await?;
                found.ok()?.header_is_absent("dropbox-api-result")?;
                Ok(())
            })
        },
    ),
    Case::new(
        "transport/unknown-headers-are-ignored",
        I,
        "Headers that mean nothing change nothing.",
        |at| {
            Box::pin(async move {
                let call = at.content("files/upload").header("content-type", BYTES);
                let call = call.header("dropbox-api-landfall-conformance", "x");
                let call = call.header("dropbox-api-user-locale", "en");
                call.arg(&json!({"path": at.path("file")}))
                    .bytes("x")
                    .send()
                    .await?
                    .ok()?;
                Ok(())
            })
        },
    ),
    Case::new(
        "transport/leaf-results-have-no-tag",
        R,
        "Where the result can only be a file, it has no `.tag`.",
        |at| {
            Box::pin(async move {
                at.put("file", "x").await?.lacks("/.tag")?;
                let session = at.start(json!({}), "x").await?;
                let arg =
                    json!({"cursor": cursor(&session, 1), "commit": {"path": at.path("other")}});
                let finished = at.bytes("files/upload_session/finish", arg, "").await?;
                finished.ok()?.lacks("/.tag")?;
                Ok(())
            })
        },
    ),
];
/// The first object that has its tag elsewhere than at the begin.
fn misplaced_tag(value: &Value) -> Option<Value> {
    match value {
        Value::Object(fields) => {
            let place = fields.keys().position(|key| key == ".tag");
            if place.is_some_and(|place| place > 0) {
                return Some(value.clone());
            }
            fields.values().find_map(misplaced_tag)
        }
        Value::Array(items) => items.iter().find_map(misplaced_tag),
        _ => None,
    }
}

/// JSON text with the white space that is wanted, and no other, outside of its strings.
fn spaced(json: &str) -> String {
    let (mut text, mut inside, mut escaped) = (String::new(), false, false);
    for letter in json.chars() {
        if inside {
            inside = escaped || letter != '"';
            escaped = !escaped && letter == '\\';
        } else if letter.is_whitespace() {
            continue;
        } else {
            inside = letter == '"';
        }
        text.push(letter);
        if !inside && matches!(letter, ',' | ':') {
            text.push(' ');
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{misplaced_tag, spaced};
    use serde_json::json;

    #[test]
    fn white_space_is_judged_outside_of_strings() {
        let good = r#"{"a": [1, {"b:c, \"d\\": null}], "e": ""}"#;
        assert_eq!(spaced(good), good);
        let loose = "{ \"a\":[1,\n{\"b:c, \\\"d\\\\\" :null}],\"e\":  \"\"}";
        assert_eq!(spaced(loose), good);
    }

    #[test]
    fn a_tag_behind_another_key_is_misplaced() {
        assert_eq!(misplaced_tag(&json!([{"a": {".tag": "x", "b": 1}}])), None);
        let late = json!({"b": 1, ".tag": "x"});
        assert_eq!(misplaced_tag(&json!([{ "a": late }])), Some(late));
    }
}
