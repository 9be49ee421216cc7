//! `files/download`: the result in a header, the bytes in the body.

use crate::http::{Exchange, Reply, Slice, requested};
use crate::ops::{Caller, Download, Failure};
use http::{HeaderName, HeaderValue, StatusCode, header};
use landfall_protocol::json::to_line;
use landfall_protocol::routes::{RouteId, calls};
use landfall_protocol::{Call, Wire};

const ROUTE: RouteId = calls::Download::ID;

/// Answers a download, of a part if the request has a `Range`.
pub(super) async fn answer(exchange: &mut Exchange<'_>, caller: &Caller) -> Reply {
    let arg = match exchange.download_argument::<calls::Download>().await {
        Ok(arg) => arg,
        Err(refused) => return Reply::refused(ROUTE, refused),
    };
    let service = exchange.service;
    let download = match service.download(caller, &arg).await {
        Ok(download) => download,
        Err(failure) => return Reply::failure(ROUTE, failure),
    };
    let size = download.metadata.size;
    let etag = format!("W/\"{}\"", download.metadata.rev);
    let parts = &exchange.parts;
    let mut reply = match requested(&parts.method, &parts.headers, &etag, size) {
        Slice::Whole => Reply::bytes(StatusCode::OK, download.bytes(service, 0, size), size),
        Slice::Part(begin, end) => {
            let bytes = download.bytes(service, begin, end);
            let mut reply = Reply::bytes(StatusCode::PARTIAL_CONTENT, bytes, end - begin);
            let range = format!("bytes {begin}-{}/{size}", end - 1);
            reply.set(header::CONTENT_RANGE, ascii(&range));
            reply
        }
        Slice::NotSatisfiable => {
            return Reply::failure(ROUTE, Failure::Route(Download::not_satisfiable()));
        }
        Slice::NotModified => Reply::empty(StatusCode::NOT_MODIFIED),
    };
    let original_length = HeaderName::from_static("original-content-length");
    reply.set(
        HeaderName::from_static("dropbox-api-result"),
        ascii(&to_line(&download.metadata.encode())),
    );
    reply.set(header::ETAG, ascii(&etag));
    reply.set(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    reply.set(original_length, HeaderValue::from(size));
    reply
}

fn ascii(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).expect("JSON answers, revs and ranges are printable ASCII")
}
