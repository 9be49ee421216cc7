//! Whose account it is, and which root paths begin at.

use crate::answer::Answer;
use crate::case::Case;
use crate::case::Mark::{C, D, I, R, S};
use crate::finding::Stop;
use crate::place::Place;
use serde_json::{Value, json};

const ACCOUNT: &str = "users/get_current_account";

pub(super) const CASES: &[Case] = &[
    Case::new(
        "users/account-has-its-fields",
        S,
        "An account has every field that the specification requires.",
        |at| {
            Box::pin(async move {
                let account = account(at).await?;
                for field in [
                    "/account_id",
                    "/name/given_name",
                    "/name/surname",
                    "/name/familiar_name",
                    "/name/display_name",
                    "/name/abbreviated_name",
                    "/email",
                    "/locale",
                    "/referral_link",
                    "/account_type/.tag",
                    "/root_info/.tag",
                ] {
                    account.text_at(field)?;
                }
                for field in ["/email_verified", "/disabled", "/is_paired"] {
                    let value = account.at(field)?;
                    account.claim(value.is_boolean(), format!("a boolean at {field}"), &value)?;
                }
                Ok(())
            })
        },
    ),
    Case::new(
        "users/account-id-has-40-characters",
        S,
        "An account's id is 40 characters long.",
        |at| {
            Box::pin(async move {
                let account = account(at).await?;
                let id = account.text_at("/account_id")?;
                account.claim(id.len() == 40, "40 characters", id)?;
                Ok(())
            })
        },
    ),
    Case::new(
        "users/root-info-names-both-namespaces",
        C,
        "`root_info` has the ids of the root and of the home namespace.",
        |at| {
            Box::pin(async move {
                let account = account(at).await?;
                account.text_at("/root_info/root_namespace_id")?;
                account.text_at("/root_info/home_namespace_id")?;
                let tag = account.text_at("/root_info/.tag")?;
                account.claim(matches!(&*tag, "user" | "team"), "`user` or `team`", tag)?;
                Ok(())
            })
        },
    ),
    Case::new(
        "users/space-usage",
        S,
        "`get_space_usage` tells the bytes that are used and allocated.",
        |at| {
            Box::pin(async move {
                let usage = at.rpc("users/get_space_usage", Value::Null).await?;
                usage.ok()?;
                for field in ["/used", "/allocation/allocated"] {
                    let value = usage.at(field)?;
                    usage.claim(value.is_u64(), format!("a number at {field}"), &value)?;
                }
                let tag = usage.text_at("/allocation/.tag")?;
                usage.claim(
                    matches!(&*tag, "individual" | "team"),
                    "`individual` or `team`",
                    tag,
                )?;
                Ok(())
            })
        },
    ),
    Case::new(
        "users/get-account-of-oneself",
        S,
        "`get_account` with the own id tells name, e-mail, and whether they are a teammate.",
        |at| {
            Box::pin(async move {
                let own = account(at).await?;
                let arg = json!({"account_id": own.at("/account_id")?});
                let basic = at.rpc("users/get_account", arg).await?;
                basic.ok()?;
                for field in ["/account_id", "/email", "/name/display_name"] {
                    basic.has(field, own.at(field)?)?;
                }
                let teammate = basic.at("/is_teammate")?;
                basic.claim(
                    teammate.is_boolean(),
                    "a boolean at /is_teammate",
                    &teammate,
                )?;
                Ok(())
            })
        },
    ),
    Case::new(
        "users/get-account-of-nobody",
        S,
        "`get_account` with an id that nobody has is `no_account`.",
        |at| {
            Box::pin(async move {
                let arg = json!({"account_id": format!("dbid:{}", "A".repeat(35))});
                at.rpc("users/get_account", arg)
                    .await?
                    .refused("no_account")?;
                Ok(())
            })
        },
    ),
    Case::new(
        "users/get-account-of-another-length",
        S,
        "An account's id that isn't 40 characters long is a bad request.",
        |at| {
            Box::pin(async move {
                let refused = at
                    .rpc("users/get_account", json!({"account_id": "dbid:A"}))
                    .await?;
                refused.bad_request("users/get_account", "account_id")?;
                Ok(())
            })
        },
    ),
    Case::new(
        "users/path-root-home",
        D,
        "`Dropbox-API-Path-Root` with `home` is the home namespace.",
        |at| {
            Box::pin(async move {
                at.put("file", "x").await?;
                rooted(at, &json!({".tag": "home"}))
                    .await?
                    .ok()?
                    .has("/name", "file")?;
                Ok(())
            })
        },
    ),
    Case::new(
        "users/path-root-root",
        D,
        "`Dropbox-API-Path-Root` with the own root changes nothing.",
        |at| {
            Box::pin(async move {
                at.put("file", "x").await?;
                let (root, _) = namespaces(at).await?;
                let arg = json!({".tag": "root", "root": root});
                rooted(at, &arg).await?.ok()?.has("/name", "file")?;
                Ok(())
            })
        },
    ),
    Case::new(
        "users/path-root-namespace",
        D,
        "`Dropbox-API-Path-Root` with the id of the home namespace makes paths begin there.",
        |at| {
            Box::pin(async move {
                at.put("file", "x").await?;
                let (_, home) = namespaces(at).await?;
                let arg = json!({".tag": "namespace_id", "namespace_id": home});
                rooted(at, &arg).await?.ok()?.has("/name", "file")?;
                Ok(())
            })
        },
    ),
    Case::new(
        "users/path-root-out-of-reach",
        R,
        "The id of a namespace that isn't theirs is `no_permission`: status 422 and JSON.",
        |at| {
            Box::pin(async move {
                let arg = json!({".tag": "namespace_id", "namespace_id": "4294967295"});
                let refused = rooted(at, &arg).await?;
                refused.error(422, "no_permission")?;
                refused.has("/error", json!({".tag": "no_permission"}))?;
                Ok(())
            })
        },
    ),
    Case::new(
        "users/path-root-other-root",
        S,
        "Another root than their own is `invalid_root`, with the right one.",
        |at| {
            Box::pin(async move {
                let (root, _) = namespaces(at).await?;
                let refused = rooted(at, &json!({".tag": "root", "root": "4294967295"})).await?;
                refused.error(422, "invalid_root")?;
                refused.has("/error/invalid_root/root_namespace_id", root)?;
                Ok(())
            })
        },
    ),
    Case::new(
        "users/path-root-that-is-no-json",
        I,
        "A `Dropbox-API-Path-Root` that is no JSON is a bad request.",
        |at| {
            Box::pin(async move {
                let call = at.api("files/get_metadata");
                let call = call.header("content-type", "application/json");
                let call = call.header("dropbox-api-path-root", "{");
                let refused = call
                    .text(json!({"path": at.path("file")}).to_string())
                    .send()
                    .await?;
                refused.bad_request("files/get_metadata", "Dropbox-API-Path-Root")?;
                Ok(())
            })
        },
    ),
    Case::new(
        "users/path-root-for-uploads",
        D,
        "The root counts for uploads too.",
        |at| {
            Box::pin(async move {
                let (_, home) = namespaces(at).await?;
                for (ns, status) in [(home.as_str(), 200), ("4294967295", 422)] {
                    let root = json!({".tag": "namespace_id", "namespace_id": ns});
                    let call = at.content("files/upload");
                    let call = call.header("content-type", "application/octet-stream");
                    let call = call.header("dropbox-api-path-root", root.to_string());
                    let commit = json!({"path": at.path(ns)});
                    call.arg(&commit).bytes("x").send().await?.status(status)?;
                }
                at.holds(&at.path(&home), b"x").await
            })
        },
    ),
];

async fn account(at: &Place<'_>) -> Result<Answer, Stop> {
    let account = at.rpc(ACCOUNT, Value::Null).await?;
    account.ok()?;
    Ok(account)
}

/// The ids of the root and of the home namespace.
async fn namespaces(at: &Place<'_>) -> Result<(String, String), Stop> {
    let account = account(at).await?;
    Ok((
        account.text_at("/root_info/root_namespace_id")?,
        account.text_at("/root_info/home_namespace_id")?,
    ))
}

/// What is at `file`, below this root.
async fn rooted(at: &Place<'_>, root: &Value) -> Result<Answer, Stop> {
    let call = at.api("files/get_metadata");
    let call = call.header("content-type", "application/json");
    let call = call.header("dropbox-api-path-root", root.to_string());
    call.text(json!({"path": at.path("file")}).to_string())
        .send()
        .await
}
