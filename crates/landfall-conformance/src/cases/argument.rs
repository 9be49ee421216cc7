//! How arguments may be written, and what is said of those that make no sense.

use crate::call::percent;
use crate::case::Case;
use crate::case::Mark::{C, D, I, R, S};
use crate::place::BYTES;
use serde_json::{Value, json};

const START: &str = "files/upload_session/start";

pub(super) const CASES: &[Case] = &[
    Case::new(
        "argument/bad-json-in-the-body",
        R,
        "A body that is no JSON is a bad request that says so.",
        |at| {
            Box::pin(async move {
                for text in ["{", "{'path': ''}", "{\"recursive\": False}"] {
                    let refused = at.rpc_text("files/list_folder", text).await?;
                    let words = "request body: could not decode input as JSON";
                    refused.bad_request("files/list_folder", words)?;
                }
                Ok(())
            })
        },
    ),
    Case::new(
        "argument/bad-json-in-the-header",
        R,
        "An argument header that is no JSON is a bad request that names the header.",
        |at| {
            Box::pin(async move {
                let call = at.content("files/upload").header("content-type", BYTES);
                let refused = call
                    .header("dropbox-api-arg", "{")
                    .bytes("x")
                    .send()
                    .await?;
                let words = "HTTP header \"Dropbox-API-Arg\": could not decode input as JSON";
                refused.bad_request("files/upload", words)?;
                Ok(())
            })
        },
    ),
    Case::new(
        "argument/missing-field",
        R,
        "A missing field is named, with the way to it and the function's version.",
        |at| {
            Box::pin(async move {
                let arg = json!({"cursor": {"offset": 0}});
                let refused = at.bytes("files/upload_session/append_v2", arg, "").await?;
                let words = "cursor: missing required field 'session_id'";
                refused.bad_request("files/upload_session/append:2", words)?;
                Ok(())
            })
        },
    ),
    Case::new(
        "argument/unknown-field",
        R,
        "A field that the argument doesn't have is a bad request that names it.",
        |at| {
            Box::pin(async move {
                let arg = json!({"path": at.path("file"), "x": 1});
                let refused = at.rpc("files/get_metadata", arg).await?;
                refused.bad_request("files/get_metadata", "unknown field 'x'")?;
                let refused = at
                    .upload(json!({"path": at.path("file"), "x": 1}), "x")
                    .await?;
                refused.bad_request("files/upload", "unknown field 'x'")?;
                at.is_free(&at.path("file")).await
            })
        },
    ),
    Case::new(
        "argument/wrong-type",
        R,
        "A value of the wrong type is shown with the type that was wanted.",
        |at| {
            Box::pin(async move {
                let refused = at.rpc("files/get_metadata", json!({"path": null})).await?;
                let words = "request body: path: 'None' expected to be a string, got null";
                refused.bad_request("files/get_metadata", words)?;
                Ok(())
            })
        },
    ),
    Case::new(
        "argument/pattern",
        R,
        "A text that its pattern doesn't allow is shown in the bad request.",
        |at| {
            Box::pin(async move {
                let refused = at.upload(json!({"path": "pack.zip"}), "x").await?;
                let words = "path: 'pack.zip' did not match pattern '";
                refused.bad_request("files/upload", words)?;
                Ok(())
            })
        },
    ),
    Case::new(
        "argument/void-may-be-null",
        C,
        "An argument of nothing may be `null`.",
        |at| {
            Box::pin(async move {
                at.rpc("users/get_space_usage", Value::Null).await?.ok()?;
                Ok(())
            })
        },
    ),
    Case::new(
        "argument/void-may-be-absent",
        C,
        "An argument of nothing may be absent, and its Content-Type with it.",
        |at| {
            Box::pin(async move {
                at.api("users/get_space_usage").send().await?.ok()?;
                Ok(())
            })
        },
    ),
    Case::new(
        "argument/header-with-escapes",
        D,
        "An argument header may have `\\uXXXX` for what isn't ASCII.",
        |at| {
            Box::pin(async move {
                let put = at.put("\u{fc}ber \u{7f}", "x").await?;
                put.has("/name", "\u{fc}ber \u{7f}")?;
                Ok(())
            })
        },
    ),
    Case::new(
        "argument/header-with-raw-utf8",
        C,
        "An argument header may have the bytes of UTF-8.",
        |at| {
            Box::pin(async move {
                let arg = json!({"path": at.path("\u{fc}ber")}).to_string();
                let call = at.content("files/upload").header("content-type", BYTES);
                let put = call
                    .header("dropbox-api-arg", arg)
                    .bytes("x")
                    .send()
                    .await?;
                put.ok()?.has("/name", "\u{fc}ber")?;
                Ok(())
            })
        },
    ),
    Case::new(
        "argument/header-with-html-escapes",
        C,
        "Escapes that need not be are read like any others: `\\u0026` is `&`.",
        |at| {
            Box::pin(async move {
                let path = at.path("this \\u0026 that");
                let arg = format!("{{\"path\":\"{path}\",\"autorename\":false,\"mute\":false}}");
                let call = at.content("files/upload").header("content-type", BYTES);
                let put = call
                    .header("dropbox-api-arg", arg)
                    .bytes("x")
                    .send()
                    .await?;
                put.ok()?.has("/name", "this & that")?;
                Ok(())
            })
        },
    ),
    Case::new(
        "argument/in-the-url",
        D,
        "The argument of an upload may be the URL parameter `arg`.",
        |at| {
            Box::pin(async move {
                let arg = json!({"path": at.path("\u{fc} & co")}).to_string();
                let call = at.content(&format!("files/upload?arg={}", percent(&arg)));
                let put = call.header("content-type", BYTES).bytes("x").send().await?;
                put.ok()?.has("/name", "\u{fc} & co")?;
                Ok(())
            })
        },
    ),
    Case::new(
        "argument/absent-where-all-is-optional",
        C,
        "A route whose fields are all optional needs no argument header.",
        |at| {
            Box::pin(async move {
                let call = at.content(START).header("content-type", BYTES);
                call.bytes("").send().await?.ok()?.text_at("/session_id")?;
                Ok(())
            })
        },
    ),
    Case::new(
        "argument/absent-where-it-is-needed",
        I,
        "A route that needs its argument says where it can be put.",
        |at| {
            Box::pin(async move {
                let call = at.content("files/upload").header("content-type", BYTES);
                let words =
                    "Must provide HTTP header \"Dropbox-API-Arg\" or URL parameter \"arg\".";
                call.bytes("x")
                    .send()
                    .await?
                    .bad_request("files/upload", words)?;
                Ok(())
            })
        },
    ),
    Case::new(
        "argument/unions-come-in-two-forms",
        S,
        "A member of a union without a value may be a bare string or an object with a tag.",
        |at| {
            Box::pin(async move {
                for (nth, mode) in [json!("overwrite"), json!({".tag": "overwrite"})]
                    .into_iter()
                    .enumerate()
                {
                    let commit = json!({"path": at.path("file"), "mode": mode});
                    at.upload(commit, vec![b'x'; nth])
                        .await?
                        .ok()?
                        .has("/size", nth)?;
                }
                Ok(())
            })
        },
    ),
    Case::new(
        "argument/unknown-tags-are-refused",
        S,
        "A mode that doesn't exist is a bad request.",
        |at| {
            Box::pin(async move {
                for mode in [json!("replace"), json!({".tag": "replace"})] {
                    let commit = json!({"path": at.path("file"), "mode": mode});
                    at.upload(commit, "x")
                        .await?
                        .bad_request("files/upload", "mode: ")?;
                }
                at.is_free(&at.path("file")).await
            })
        },
    ),
    Case::new(
        "argument/values-need-the-object-form",
        S,
        "A member with a value is no bare string: `update` needs its rev.",
        |at| {
            Box::pin(async move {
                let commit = json!({"path": at.path("file"), "mode": "update"});
                at.upload(commit, "x")
                    .await?
                    .bad_request("files/upload", "mode: ")?;
                Ok(())
            })
        },
    ),
    Case::new(
        "argument/null-is-for-nullable-fields",
        S,
        "`null` stands for an absent value where the type says so, and nowhere else.",
        |at| {
            Box::pin(async move {
                let commit = json!({"path": at.path("file"), "client_modified": null});
                at.upload(commit, "x").await?.ok()?;
                let commit = json!({"path": at.path("file"), "autorename": null});
                at.upload(commit, "x")
                    .await?
                    .bad_request("files/upload", "autorename: ")?;
                Ok(())
            })
        },
    ),
];
