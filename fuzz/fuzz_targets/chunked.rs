//! The bytes of a chunked body as they come over a connection. The first byte says how the
//! client goes about it.

#![no_main]

use landfall_fuzz::{Ending, Host, TOKEN, answers, decode, with_host};
use libfuzzer_sys::{Corpus, fuzz_target};
use serde_json::Value;

fuzz_target!(|input: &[u8]| -> Corpus {
    match input.split_first() {
        Some((&manner, bytes)) => with_host(|host| check(host, manner, bytes)),
        None => return Corpus::Reject,
    }
    Corpus::Keep
});

fn check(host: &mut Host, manner: u8, bytes: &[u8]) {
    let ending = if manner & 1 == 0 {
        Ending::Waits
    } else {
        Ending::HangsUp
    };
    let expect = if manner & 2 == 0 {
        ""
    } else {
        "Expect: 100-continue\r\n"
    };
    // In pieces of one byte and up to all at once.
    let piece = [usize::MAX, 1, 2, 3, 5, 8, 13, 64][usize::from(manner >> 2) % 8];

    let head = format!(
        "POST /2/files/upload HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n\
         Content-Type: application/octet-stream\r\n{expect}Transfer-Encoding: chunked\r\n\
         Dropbox-API-Arg: {{\"path\":\"/x\",\"mode\":\"overwrite\"}}\r\n\r\n"
    );
    let whole = decode(bytes);
    // Behind a body that ends where it should, the next request must be found.
    let next = match &whole {
        Some(whole) if whole.rest.is_empty() => download(),
        _ => String::new(),
    };
    let pieces = [head.as_bytes()].into_iter();
    let pieces = pieces.chain(bytes.chunks(piece)).chain([next.as_bytes()]);
    let said = host.connection(pieces, ending);
    let mut answers = answers(&said);
    answers.retain(|answer| answer.status != 100);

    let first = answers.first().map(|answer| answer.status);
    match (first, &whole) {
        (Some(200), Some(whole)) => {
            let told: Value = serde_json::from_slice(answers[0].body).expect("JSON");
            assert_eq!(told["size"], whole.body.len());
            host.stored = Some(whole.body.clone());
        }
        (Some(200), None) => panic!("a body that isn't whole was taken"),
        // Who hangs up is not always answered, and may have uploaded nevertheless.
        (None, Some(whole)) if ending == Ending::HangsUp => {
            if stored(host).as_ref() == Some(&whole.body) {
                host.stored = Some(whole.body.clone());
            }
        }
        (None, None) => {}
        (Some(400 | 408), whole) => {
            let regular = whole.as_ref().is_some_and(|whole| whole.regular);
            assert!(
                !regular || ending == Ending::HangsUp,
                "{first:?} to a good body"
            );
        }
        (other, whole) => panic!("{other:?} to {whole:?}"),
    }
    if let (Some(200), Some(whole)) = (first, &whole)
        && whole.rest.is_empty()
        && ending == Ending::Waits
    {
        assert_eq!(answers.len(), 2);
        assert_eq!((answers[1].status, answers[1].body), (200, &*whole.body));
    } else {
        assert_eq!(stored(host), host.stored);
    }
}

fn download() -> String {
    format!(
        "POST /2/files/download HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n\
         Dropbox-API-Arg: {{\"path\":\"/x\"}}\r\nConnection: close\r\n\r\n"
    )
}

/// What is stored, as another connection finds it.
fn stored(host: &Host) -> Option<Vec<u8>> {
    let said = host.connection([download().as_bytes()].into_iter(), Ending::Waits);
    let answers = answers(&said);
    match answers[0].status {
        200 => Some(answers[0].body.to_vec()),
        409 => None,
        status => panic!("{status} to a download"),
    }
}
