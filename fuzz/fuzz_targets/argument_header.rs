//! An argument as the header carries it: JSON with raw UTF-8 or with `\u` escapes. The first
//! byte says of which route.

#![no_main]

use landfall_fuzz::check_said;
use landfall_protocol::json::{ReadError, read, to_header, to_line};
use landfall_protocol::routes::{Call, ROUTES, RouteId, calls};
use landfall_protocol::wire::Json;
use landfall_protocol::{Strictness, Wire};
use libfuzzer_sys::{Corpus, fuzz_target};

fuzz_target!(|input: &[u8]| -> Corpus {
    let Some((&route, text)) = input.split_first() else {
        return Corpus::Reject;
    };
    let written = serde_json::from_slice::<Json>(text).ok();
    let escaped = written.as_ref().map(to_header);
    let route = &ROUTES[usize::from(route) % ROUTES.len()];
    check_route(route.id, text, escaped.as_deref());
    // What isn't JSON is seen through at once: of that, a little is enough.
    if escaped.is_some() || text.len() < 16 {
        Corpus::Keep
    } else {
        Corpus::Reject
    }
});

macro_rules! check_route {
    ($($route:ident)*) => {
        fn check_route(id: RouteId, text: &[u8], escaped: Option<&str>) {
            match id {
                $( RouteId::$route => check::<calls::$route>(text, escaped), )*
            }
        }
    };
}

// No route can be left out: the match would not be whole.
check_route!(
    Upload AlphaUpload UploadSessionStart UploadSessionStartBatch UploadSessionAppendV1
    UploadSessionAppendBatch UploadSessionAppend UploadSessionFinish
    UploadSessionFinishBatchV1 UploadSessionFinishBatch UploadSessionFinishBatchCheck
    GetMetadata ListFolder ListFolderContinue ListFolderGetLatestCursor ListFolderLongpoll
    Download Delete DeleteV1 CreateFolder CreateFolderV1 Move MoveV1 Copy CopyV1
    ListRevisions Restore GetCurrentAccount GetAccount GetSpaceUsage CheckUser
);

fn check<C: Call>(text: &[u8], escaped: Option<&str>) {
    let read = |text: &[u8]| read::<C::Arg>(text, Strictness::Strict);
    let outcome = read(text);
    match (&outcome, escaped) {
        (Err(ReadError::NotJson), escaped) => assert!(escaped.is_none()),
        (_, Some(escaped)) => same(&read(escaped.as_bytes()), &outcome),
        (_, None) => panic!("{} was read from what is no JSON", C::ID.route().tail),
    }
    match &outcome {
        Err(error) => check_said(&error.to_string()),
        Ok(arg) => {
            let value = arg.encode();
            for written in [to_header(&value), to_line(&value)] {
                let printable = written.bytes().all(|byte| matches!(byte, 0x20..=0x7e));
                assert!(printable, "{written:?}");
                same(&read(written.as_bytes()), &outcome);
            }
        }
    }
}

/// Arguments have no equality of their own; how they are shown and written is all of them.
fn same<A: Wire + std::fmt::Debug>(one: &Result<A, ReadError>, other: &Result<A, ReadError>) {
    assert_eq!(format!("{one:?}"), format!("{other:?}"));
    let written = |outcome: &Result<A, ReadError>| outcome.as_ref().ok().map(Wire::encode);
    assert_eq!(written(one), written(other));
}
