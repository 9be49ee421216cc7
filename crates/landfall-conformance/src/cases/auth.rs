//! Who calls.

use crate::call::percent;
use crate::case::Case;
use crate::case::Mark::{C, D, I, R, S};
use crate::service::Host;
use reqwest::Method;
use serde_json::{Value, json};

/// A token of a good form that nobody has.
const NOBODYS: &str = "landfall-conformance-token-of-nobody-AAAAAAAAAAAAAAAAAAAAAAAAAAA";

const ACCOUNT: &str = "users/get_current_account";

pub(super) const CASES: &[Case] = &[
    Case::new(
        "auth/no-authorization",
        R,
        "A call without a token is a bad request, not an unauthorized one, and says where the token can be put.",
        |at| {
            Box::pin(async move {
                let refused = at.api(ACCOUNT).anonymous().send().await?;
                let words = "Must provide HTTP header \"Authorization\" or URL parameter \"authorization\".";
                refused.bad_request(ACCOUNT, words)?;
                Ok(())
            })
        },
    ),
    Case::new(
        "auth/no-authorization-is-plain-text",
        R,
        "A missing token is told as `text/plain; charset=utf-8`, for uploads too.",
        |at| {
            Box::pin(async move {
                for call in [at.api(ACCOUNT), at.content("files/upload")] {
                    let refused = call.anonymous().send().await?;
                    refused.status(400)?;
                    refused.header_is("content-type", "text/plain; charset=utf-8")?;
                }
                Ok(())
            })
        },
    ),
    Case::new(
        "auth/token-without-bearer",
        R,
        "A token without `Bearer` is a bad request that shows its begin only.",
        |at| {
            Box::pin(async move {
                let call = at.api(ACCOUNT).anonymous();
                let refused = call
                    .header("authorization", "sl.BlackAndWhite")
                    .send()
                    .await?;
                let words = "Invalid authorization value in HTTP header \"Authorization\": \"sl.Bl";
                refused.bad_request(ACCOUNT, words)?;
                refused.bad_request(ACCOUNT, "Expecting \"Bearer <oauth2-access-token>\".")?;
                let text = refused.text();
                refused.claim(
                    !text.contains("sl.BlackAndWhite"),
                    "the begin of it only",
                    &text,
                )?;
                Ok(())
            })
        },
    ),
    Case::new(
        "auth/bearer-of-nothing",
        R,
        "`Bearer` without a token is a bad request.",
        |at| {
            Box::pin(async move {
                let call = at.api(ACCOUNT).anonymous();
                let refused = call.header("authorization", "Bearer").send().await?;
                let words = "Invalid authorization value in HTTP header \"Authorization\"";
                refused.bad_request(ACCOUNT, words)?;
                Ok(())
            })
        },
    ),
    Case::new(
        "auth/malformed-token",
        R,
        "What can't be a token is a bad request.",
        |at| {
            Box::pin(async move {
                let call = at.api(ACCOUNT).anonymous();
                let refused = call.header("authorization", "Bearer a b{}").send().await?;
                refused.bad_request(ACCOUNT, "The given OAuth 2 access token is malformed.")?;
                Ok(())
            })
        },
    ),
    Case::new(
        "auth/unknown-token",
        S,
        "A token that nobody has is `invalid_access_token`: status 401 and JSON.",
        |at| {
            Box::pin(async move {
                let call = at.api(ACCOUNT).anonymous();
                let bearer = format!("Bearer {NOBODYS}");
                let refused = call.header("authorization", bearer).send().await?;
                refused.error(401, "invalid_access_token")?;
                refused.has("/error", json!({".tag": "invalid_access_token"}))?;
                Ok(())
            })
        },
    ),
    Case::new(
        "auth/unknown-token-is-asked-for-another",
        R,
        "A status of 401 has the header `WWW-Authenticate: Bearer realm=\"Dropbox-API\"`.",
        |at| {
            Box::pin(async move {
                let call = at.api(ACCOUNT).anonymous();
                let bearer = format!("Bearer {NOBODYS}");
                let refused = call.header("authorization", bearer).send().await?;
                refused.status(401)?;
                refused.header_is("www-authenticate", "Bearer realm=\"Dropbox-API\"")?;
                Ok(())
            })
        },
    ),
    Case::new(
        "auth/unknown-token-is-exactly-json",
        C,
        "The Content-Type of a 401 is `application/json` and nothing more, for uploads too.",
        |at| {
            Box::pin(async move {
                let bearer = format!("Bearer {NOBODYS}");
                for call in [
                    at.api(ACCOUNT),
                    at.content("files/upload")
                        .header("content-type", "application/octet-stream")
                        .arg(&json!({"path": at.path("file")})),
                ] {
                    let call = call.anonymous().header("authorization", &bearer);
                    let refused = call.send().await?;
                    refused
                        .status(401)?
                        .header_is("content-type", "application/json")?;
                }
                Ok(())
            })
        },
    ),
    Case::new(
        "auth/token-in-the-url",
        D,
        "The URL parameter `authorization` stands for the header.",
        |at| {
            Box::pin(async move {
                let bearer = percent(&format!("Bearer {}", at.service.token().expose()));
                let call = at.api(&format!("{ACCOUNT}?authorization={bearer}"));
                call.anonymous()
                    .send()
                    .await?
                    .ok()?
                    .text_at("/account_id")?;
                Ok(())
            })
        },
    ),
    Case::new(
        "auth/token-in-the-url-without-bearer",
        D,
        "A token in the URL needs its `Bearer`, too.",
        |at| {
            Box::pin(async move {
                let call = at.api(&format!("{ACCOUNT}?authorization={NOBODYS}"));
                call.anonymous().send().await?.status(400)?;
                Ok(())
            })
        },
    ),
    Case::new(
        "auth/refused-uploads-store-nothing",
        I,
        "An upload without a good token leaves nothing at its path.",
        |at| {
            Box::pin(async move {
                let bearer = format!("Bearer {NOBODYS}");
                let call = at.content("files/upload").anonymous();
                let call = call.header("content-type", "application/octet-stream");
                let call = call.header("authorization", bearer);
                let call = call.arg(&json!({"path": at.path("file")})).bytes("x");
                call.send().await?.status(401)?;
                at.is_free(&at.path("file")).await
            })
        },
    ),
    Case::new(
        "auth/longpoll-takes-no-token",
        R,
        "A longpoll with a token is a bad request.",
        |at| {
            Box::pin(async move {
                at.put("file", "x").await?;
                let arg = json!({ "path": at.folder });
                let latest = at.rpc("files/list_folder/get_latest_cursor", arg).await?;
                let arg = json!({"cursor": latest.ok()?.text_at("/cursor")?});
                let path = "/2/files/list_folder/longpoll";
                let call = at.service.call(Host::Notify, Method::POST, path);
                let call = call.header("content-type", "application/json");
                let refused = call.text(arg.to_string()).send().await?;
                let words = "Your request includes an Authorization header, but this function does not use it.";
                refused.bad_request("files/list_folder/longpoll", words)?;
                Ok(())
            })
        },
    ),
    Case::new(
        "auth/check-user-echoes",
        S,
        "`check/user` gives back what it was asked.",
        |at| {
            Box::pin(async move {
                let echo = at.rpc("check/user", json!({"query": "landfall"})).await?;
                echo.ok()?.has("/result", "landfall")?;
                let echo = at.rpc("check/user", json!({})).await?;
                echo.ok()?.has("/result", "")?;
                Ok(())
            })
        },
    ),
    Case::new(
        "auth/check-user-needs-one",
        S,
        "`check/user` is for those who have a token.",
        |at| {
            Box::pin(async move {
                let call = at
                    .api("check/user")
                    .header("content-type", "application/json");
                let refused = call
                    .anonymous()
                    .text(Value::Null.to_string())
                    .send()
                    .await?;
                refused.status(400)?;
                Ok(())
            })
        },
    ),
];
