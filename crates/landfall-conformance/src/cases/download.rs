//! Files come back.

use crate::answer::Answer;
use crate::call::percent;
use crate::case::Case;
use crate::case::Mark::{C, D, I, R, S, U};
use crate::finding::Stop;
use crate::place::Place;
use crate::service::Host;
use reqwest::Method;
use serde_json::{Value, json};

const DOWNLOAD: &str = "files/download";

pub(super) const CASES: &[Case] = &[
    Case::new(
        "download/whole",
        R,
        "A download has the bytes, of type `application/octet-stream`.",
        |at| {
            Box::pin(async move {
                let got = file(at, &[]).await?;
                got.ok()?.is_bytes(b"0123456789")?;
                got.header_is("content-type", "application/octet-stream")?;
                Ok(())
            })
        },
    ),
    Case::new(
        "download/result-is-a-header",
        S,
        "The metadata is in the header `Dropbox-API-Result`, without a tag.",
        |at| {
            Box::pin(async move {
                let put = at.put("file", "x").await?;
                let got = at.download(&at.path("file"), &[]).await?;
                let result = result(got.ok()?)?;
                got.claim(result == put.json()?, put.text(), &result)?;
                Ok(())
            })
        },
    ),
    Case::new(
        "download/result-is-ascii",
        R,
        "What isn't ASCII in that header is written as `\\uXXXX`.",
        |at| {
            Box::pin(async move {
                at.put("Stra\u{df}e", "x").await?;
                let got = at.download(&at.path("Stra\u{df}e"), &[]).await?;
                let header = got.ok()?.header("dropbox-api-result");
                got.claim(header.is_ascii(), "ASCII", &header)?;
                let name = result(&got)?["name"].clone();
                got.claim(name == "Stra\u{df}e", "the name", name)?;
                Ok(())
            })
        },
    ),
    Case::new(
        "download/headers",
        R,
        "A download has `Accept-Ranges: bytes`, an `ETag` made of the rev, and `Original-Content-Length`.",
        |at| {
            Box::pin(async move {
                let put = at.put("file", "0123456789").await?;
                let got = at.download(&at.path("file"), &[]).await?;
                got.ok()?.header_is("accept-ranges", "bytes")?;
                got.header_is("etag", &format!("W/\"{}\"", put.text_at("/rev")?))?;
                got.header_is("original-content-length", "10")?;
                Ok(())
            })
        },
    ),
    Case::new("download/by-get", D, "A download may be a GET.", |at| {
        Box::pin(async move {
            at.put("file", "x").await?;
            let call = at
                .service
                .call(Host::Content, Method::GET, "/2/files/download");
            let got = call.arg(&json!({"path": at.path("file")})).send().await?;
            got.ok()?.is_bytes(b"x")?;
            Ok(())
        })
    }),
    Case::new(
        "download/by-url",
        D,
        "A GET may have its argument in the URL.",
        |at| {
            Box::pin(async move {
                at.put("\u{fc} & co", "x").await?;
                let arg = percent(&json!({"path": at.path("\u{fc} & co")}).to_string());
                let path = format!("/2/files/download?arg={arg}");
                let got = at
                    .service
                    .call(Host::Content, Method::GET, &path)
                    .send()
                    .await?;
                got.ok()?.is_bytes(b"x")?;
                Ok(())
            })
        },
    ),
    Case::new(
        "download/types-of-its-empty-body",
        C,
        "A download may come without a Content-Type, with an empty one, or with that of bytes.",
        |at| {
            Box::pin(async move {
                for kind in ["", "application/octet-stream"] {
                    file(at, &[("content-type", kind)])
                        .await?
                        .ok()?
                        .is_bytes(b"0123456789")?;
                }
                Ok(())
            })
        },
    ),
    Case::new(
        "download/with-a-body",
        U,
        "A download with a body is a bad request.",
        |at| {
            Box::pin(async move {
                at.put("file", "x").await?;
                let call = at.content(DOWNLOAD).arg(&json!({"path": at.path("file")}));
                let refused = call.text("null").send().await?;
                refused.bad_request(DOWNLOAD, "request body is supposed to be empty")?;
                Ok(())
            })
        },
    ),
    Case::new(
        "download/range",
        D,
        "A range is answered with status 206, its bytes and its `Content-Range`.",
        |at| {
            Box::pin(async move {
                let got = file(at, &[("range", "bytes=3-6")]).await?;
                got.status(206)?.is_bytes(b"3456")?;
                got.header_is("content-range", "bytes 3-6/10")?;
                Ok(())
            })
        },
    ),
    Case::new(
        "download/range-has-the-result",
        C,
        "A range has the metadata of the whole file in `Dropbox-API-Result`.",
        |at| {
            Box::pin(async move {
                let got = file(at, &[("range", "bytes=3-6")]).await?;
                let result = result(got.status(206)?)?;
                got.claim(result["size"] == 10, "the size 10", result)?;
                Ok(())
            })
        },
    ),
    Case::new(
        "download/range-to-the-end",
        C,
        "A range without an end goes to the end of the file.",
        |at| {
            Box::pin(async move {
                let got = file(at, &[("range", "bytes=7-")]).await?;
                got.status(206)?.is_bytes(b"789")?;
                got.header_is("content-range", "bytes 7-9/10")?;
                Ok(())
            })
        },
    ),
    Case::new(
        "download/range-of-the-last-bytes",
        I,
        "A range without a begin is that many bytes at the end.",
        |at| {
            Box::pin(async move {
                let got = file(at, &[("range", "bytes=-3")]).await?;
                got.status(206)?.is_bytes(b"789")?;
                got.header_is("content-range", "bytes 7-9/10")?;
                Ok(())
            })
        },
    ),
    Case::new(
        "download/range-beyond-the-end",
        I,
        "A range that ends behind the file is cut there.",
        |at| {
            Box::pin(async move {
                let got = file(at, &[("range", "bytes=5-99")]).await?;
                got.status(206)?.is_bytes(b"56789")?;
                got.header_is("content-range", "bytes 5-9/10")?;
                Ok(())
            })
        },
    ),
    Case::new(
        "download/range-without-a-byte",
        I,
        "A range that begins behind the file is `range/not_satisfiable`: an error of the route, no status 416.",
        |at| {
            Box::pin(async move {
                let got = file(at, &[("range", "bytes=10-12")]).await?;
                got.refused("range/not_satisfiable")?;
                Ok(())
            })
        },
    ),
    Case::new(
        "download/range-of-an-empty-file",
        I,
        "A range of an empty file is ignored.",
        |at| {
            Box::pin(async move {
                at.put("empty", "").await?;
                for range in ["bytes=0-", "bytes=0-0"] {
                    let got = at.download(&at.path("empty"), &[("range", range)]).await?;
                    got.ok()?.is_bytes(b"")?;
                }
                Ok(())
            })
        },
    ),
    Case::new(
        "download/not-modified",
        D,
        "A GET with the `ETag` of a former answer in `If-None-Match` is status 304, without bytes.",
        |at| {
            Box::pin(async move {
                at.put("file", "x").await?;
                let get = || {
                    let call = at
                        .service
                        .call(Host::Content, Method::GET, "/2/files/download");
                    call.arg(&json!({"path": at.path("file")}))
                };
                let etag = get().send().await?.ok()?.header("etag");
                let again = get().header("if-none-match", &etag).send().await?;
                again.status(304)?.is_bytes(b"")?;
                let other = get()
                    .header("if-none-match", "W/\"0123456789\"")
                    .send()
                    .await?;
                other.ok()?.is_bytes(b"x")?;
                Ok(())
            })
        },
    ),
    Case::new(
        "download/by-id",
        D,
        "A file can be downloaded by its id.",
        |at| {
            Box::pin(async move {
                let put = at.put("file", "x").await?;
                at.holds(&put.text_at("/id")?, b"x").await
            })
        },
    ),
    Case::new(
        "download/in-any-case",
        D,
        "A file can be downloaded by any case of its name.",
        |at| {
            Box::pin(async move {
                at.put("File.TXT", "x").await?;
                at.holds(&at.path("fILE.txt"), b"x").await
            })
        },
    ),
    Case::new(
        "download/by-rev",
        S,
        "A replaced revision can be downloaded by its rev, as the path or beside it.",
        |at| {
            Box::pin(async move {
                let old = at.put("file", "x").await?.text_at("/rev")?;
                let commit = json!({"path": at.path("file"), "mode": "overwrite"});
                at.upload(commit, "y").await?.ok()?;
                at.holds(&format!("rev:{old}"), b"x").await?;
                let arg = json!({"path": at.path("file"), "rev": old});
                at.content(DOWNLOAD)
                    .arg(&arg)
                    .send()
                    .await?
                    .ok()?
                    .is_bytes(b"x")?;
                at.holds(&at.path("file"), b"y").await
            })
        },
    ),
    Case::new(
        "download/of-nothing",
        R,
        "A file that doesn't exist is `path/not_found`.",
        |at| {
            Box::pin(async move {
                let refused = at.download(&at.path("nothing"), &[]).await?;
                refused.refused("path/not_found")?;
                Ok(())
            })
        },
    ),
    Case::new(
        "download/of-a-folder",
        S,
        "A folder can't be downloaded: `path/not_file`.",
        |at| {
            Box::pin(async move {
                at.make_folder("folder").await?;
                let refused = at.download(&at.path("folder"), &[]).await?;
                refused.refused("path/not_file")?;
                Ok(())
            })
        },
    ),
];

/// Puts a file of ten digits, and downloads it with these headers.
async fn file(at: &Place<'_>, headers: &[(&'static str, &str)]) -> Result<Answer, Stop> {
    at.put("file", "0123456789").await?;
    at.download(&at.path("file"), headers).await
}

/// The metadata in an answer's header.
fn result(answer: &Answer) -> Result<Value, Stop> {
    let header = answer.header("dropbox-api-result");
    serde_json::from_str(&header).map_err(|_| {
        answer.finding(
            "JSON in the header Dropbox-API-Result",
            format!("`{header}`"),
        )
    })
}
