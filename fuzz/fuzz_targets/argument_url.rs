//! An argument and a token in the URL, beside the same in headers. The first byte says which.

#![no_main]

use landfall_fuzz::{Ending, Host, TOKEN, answers, check_said, with_host};
use libfuzzer_sys::{Corpus, fuzz_target};

/// Routes with an argument beside the body that change nothing here: no session and no file has
/// the name that they ask for.
const ROUTES: [&str; 5] = [
    "download",
    "upload_session/append",
    "upload_session/append_v2",
    "upload_session/append_batch",
    "upload_session/finish",
];

fuzz_target!(|input: (u8, &str)| -> Corpus {
    let (manner, text) = input;
    let route = ROUTES[usize::from(manner) % ROUTES.len()];
    let encoded: String = form_urlencoded::byte_serialize(text.as_bytes()).collect();
    let header = header(text);
    with_host(|host| match usize::from(manner) / ROUTES.len() % 3 {
        0 => {
            let query = format!("arg={encoded}");
            let header = header.map(|text| format!("Dropbox-API-Arg: {text}\r\n"));
            agree(
                host,
                route,
                &query,
                header,
                &format!("Authorization: Bearer {TOKEN}\r\n"),
            );
        }
        1 => {
            let query = format!("authorization={encoded}");
            let header = header.map(|text| format!("Authorization: {text}\r\n"));
            agree(host, route, &query, header, "Dropbox-API-Arg: {}\r\n");
        }
        // A query that nobody encoded.
        _ => {
            let legal = |character: &char| matches!(character, '!'..='~');
            let query: String = text.chars().filter(legal).collect();
            agree(host, route, &query, None, "");
        }
    });
    Corpus::Keep
});

/// The text as a header can carry it, if it can.
fn header(text: &str) -> Option<&str> {
    let can = !text.contains(|character: char| character.is_ascii_control());
    // A reader of headers takes white space at the ends away.
    (can && text.trim_matches([' ', '\t']) == text).then_some(text)
}

/// What is said in the URL is answered, and in the same way as in the header.
fn agree(host: &Host, route: &str, query: &str, header: Option<String>, other: &str) {
    let in_url = answer(host, route, &format!("?{query}"), other);
    let Some(header) = header else {
        return;
    };
    let in_header = answer(host, route, "", &format!("{header}{other}"));
    let place = |(status, said): (u16, String)| {
        let said = said.replace("HTTP header \"Dropbox-API-Arg\"", "URL parameter \"arg\"");
        let said = said.replace(
            "HTTP header \"Authorization\"",
            "URL parameter \"authorization\"",
        );
        (status, said)
    };
    assert_eq!(place(in_url), place(in_header), "{query}");
}

fn answer(host: &Host, route: &str, query: &str, headers: &str) -> (u16, String) {
    let request = format!(
        "POST /2/files/{route}{query} HTTP/1.1\r\nHost: x\r\n{headers}\
         Content-Type: application/octet-stream\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    );
    let said = host.connection([request.as_bytes()].into_iter(), Ending::Waits);
    let answers = answers(&said);
    assert_eq!(answers.len(), 1);
    let status = answers[0].status;
    assert!(matches!(status, 200 | 400 | 401 | 409), "{status}");
    let said = str::from_utf8(answers[0].body).expect("text");
    // A URL that is none is refused by the HTTP library, without a word.
    if !said.is_empty() {
        check_said(said);
    }
    (status, said.to_owned())
}
