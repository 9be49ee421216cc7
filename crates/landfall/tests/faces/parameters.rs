//! What the commands make of the texts that they are given.

use super::script::{Act, Script};
use landfall::commands::{Api, BadParameter, NoCallback};
use landfall::{Endpoint, RawReply};
use landfall_testkit::{Stores, TestServer};
use serde_json::{Value, json};
use std::sync::mpsc;

fn api(url: &str) -> Api {
    Api::at(Endpoint::at(url).unwrap()).unwrap()
}

/// A finish with one parameter changed from what makes sense.
#[derive(Clone, Copy)]
struct Finish<'a> {
    token: &'a str,
    session: &'a str,
    offset: &'a str,
    path: &'a str,
    mode: &'a str,
    autorename: &'a str,
    mute: &'a str,
}

const GOOD: Finish<'_> = Finish {
    token: "a-token",
    session: "a-session",
    offset: "5",
    path: "/a.txt",
    mode: "add",
    autorename: "true",
    mute: "false",
};

impl Finish<'_> {
    fn run(self, api: &Api) -> Result<RawReply, BadParameter> {
        let Self {
            token,
            session,
            offset,
            path,
            mode,
            autorename,
            mute,
        } = self;
        api.upload_session_finish(
            token, session, offset, path, mode, autorename, mute, "data", NoCallback,
        )
    }
}

#[test]
fn a_text_that_makes_no_sense_is_refused_by_name_before_anything_is_sent() {
    let server = Script::start(Act::Answer(
        "HTTP/1.1 409 No\r\ncontent-length: 2\r\n\r\n{}",
    ));
    let api = api(&server.url);
    let mut cases = vec![
        ("access token", Finish { token: "", ..GOOD }, "required"),
        (
            "session",
            Finish {
                session: "",
                ..GOOD
            },
            "required",
        ),
    ];
    for offset in [
        "",
        "-1",
        "+1",
        "1.5",
        "1e3",
        " 1",
        "1 ",
        "0x10",
        "five",
        "18446744073709551616",
    ] {
        cases.push(("offset", Finish { offset, ..GOOD }, "in digits"));
    }
    for path in ["", "a.txt", "a/b.txt", "rev:123456789"] {
        cases.push(("path", Finish { path, ..GOOD }, "must begin with /"));
    }
    for mode in [
        "Add",
        "ADD",
        "replace",
        "update",
        "update:",
        "update:XYZ",
        "update:12345678",
        "overwrite:123456789",
        "\"update\"",
        "{\".tag\": \"update\"}",
        "{\".tag\": \"replace\"}",
        "{\".tag\": \"add\", \"x\": 1}",
        "[\"add\"]",
        "null",
        "{",
        " add",
    ] {
        cases.push((
            "mode",
            Finish { mode, ..GOOD },
            "add, overwrite or update:REV",
        ));
    }
    for text in [
        "yes",
        "no",
        "1",
        "0",
        "TRUE",
        "tRue",
        "truefalse",
        " true",
        "null",
    ] {
        cases.push((
            "autorename",
            Finish {
                autorename: text,
                ..GOOD
            },
            "true or false",
        ));
        cases.push(("mute", Finish { mute: text, ..GOOD }, "true or false"));
    }
    for (parameter, finish, choices) in cases {
        let error = finish.run(&api).unwrap_err();
        assert_eq!(error.parameter, parameter, "{error}");
        assert!(error.to_string().starts_with(parameter), "{error}");
        assert!(error.to_string().contains(choices), "{error}");
        assert!(!error.to_string().contains("a-token"), "{error}");
    }
    assert_eq!(server.connections(), 0, "nothing was sent");
    // What all of them were made of is sent.
    assert_eq!(GOOD.run(&api).unwrap().status, 409);
    assert_eq!(server.connections(), 1);
}

#[test]
fn the_other_commands_refuse_such_texts_too() {
    let server = Script::start(Act::Close);
    let api = api(&server.url);
    let parameter = |result: Result<RawReply, BadParameter>| result.unwrap_err().parameter;
    assert_eq!(
        parameter(api.upload_session_start("", "x", NoCallback)),
        "access token"
    );
    assert_eq!(
        parameter(api.upload_session_append("", "s", 0, "x", NoCallback)),
        "access token"
    );
    assert_eq!(
        parameter(api.upload_session_append("t", "", 0, "x", NoCallback)),
        "session"
    );
    assert_eq!(
        parameter(api.upload_session_append("t", "s", -1, "x", NoCallback)),
        "offset"
    );
    let upload = |token: &str, path: &str, mode: &str, autorename: &str, mute: &str| {
        parameter(api.upload(token, path, mode, autorename, mute, "x", NoCallback))
    };
    assert_eq!(upload("", "/a", "", "", ""), "access token");
    assert_eq!(upload("t", "a", "", "", ""), "path");
    assert_eq!(upload("t", "/a", "x", "", ""), "mode");
    assert_eq!(upload("t", "/a", "", "x", ""), "autorename");
    assert_eq!(upload("t", "/a", "", "", "x"), "mute");
    assert_eq!(server.connections(), 0);
}

#[test]
fn nobody_is_called_back_for_a_text_that_makes_no_sense() {
    let server = Script::start(Act::Close);
    let api = api(&server.url);
    let (call, called) = mpsc::channel::<()>();
    let begun = api.upload("t", "a", "", "", "", "x", move |_, _, _| {
        call.send(()).unwrap();
    });
    assert_eq!(begun.unwrap_err().parameter, "path");
    assert!(called.recv().is_err(), "the callback is gone");
}

/// The argument that a finish sends, with its parts that depend on the texts.
fn sent(finish: Finish<'_>) -> Value {
    let server = Script::start(Act::Answer(
        "HTTP/1.1 409 No\r\ncontent-length: 2\r\n\r\n{}",
    ));
    finish.run(&api(&server.url)).unwrap();
    server.argument()
}

#[test]
fn texts_that_make_sense_are_sent_as_the_api_has_them() {
    let argument = sent(GOOD);
    assert_eq!(
        argument["cursor"],
        json!({"session_id": "a-session", "offset": 5})
    );
    assert_eq!(argument["commit"]["path"], "/a.txt");

    let (add, overwrite) = (json!({".tag": "add"}), json!({".tag": "overwrite"}));
    let update = json!({".tag": "update", "update": "123456789"});
    for (mode, wanted) in [
        ("", &add),
        ("add", &add),
        ("\"add\"", &add),
        ("{\".tag\": \"add\"}", &add),
        ("overwrite", &overwrite),
        ("\"overwrite\"", &overwrite),
        ("{\".tag\":\"overwrite\"}", &overwrite),
        ("update:123456789", &update),
        ("{\".tag\":\"update\",\"update\":\"123456789\"}", &update),
        ("{\"update\": \"123456789\", \".tag\": \"update\"}", &update),
    ] {
        assert_eq!(
            &sent(Finish { mode, ..GOOD })["commit"]["mode"],
            wanted,
            "{mode}"
        );
    }
    for (text, wanted) in [
        ("", false),
        ("false", false),
        ("False", false),
        ("true", true),
        ("True", true),
    ] {
        let finish = Finish {
            autorename: text,
            ..GOOD
        };
        let commit = &sent(finish)["commit"];
        assert_eq!(
            (&commit["autorename"], &commit["mute"]),
            (&json!(wanted), &json!(false))
        );
        let finish = Finish {
            mute: text,
            autorename: "",
            ..GOOD
        };
        let commit = &sent(finish)["commit"];
        assert_eq!(
            (&commit["autorename"], &commit["mute"]),
            (&json!(false), &json!(wanted))
        );
    }
    for path in [
        "id:a4ayc_80_OEAAAAAAAAAYa",
        "ns:123/a.txt",
        "/Stra\u{df}e/\u{1f40b}.txt",
    ] {
        assert_eq!(sent(Finish { path, ..GOOD })["commit"]["path"], path);
    }
    let most = "18446744073709551615";
    assert_eq!(
        sent(Finish {
            offset: most,
            ..GOOD
        })["cursor"]["offset"],
        json!(u64::MAX)
    );
    assert_eq!(
        sent(Finish {
            offset: "007",
            ..GOOD
        })["cursor"]["offset"],
        7
    );
}

#[test]
fn numbers_and_booleans_have_their_texts() {
    TestServer::run(Stores::Memory, async |server| {
        let (api, token) = (api(&server.url()), server.token());
        let json = |reply: RawReply| -> Value {
            assert_eq!(reply.status, 200, "{reply:?}");
            serde_json::from_slice(&reply.data).unwrap()
        };
        let started = json(
            api.upload_session_start(token, vec![1, 2, 3], NoCallback)
                .unwrap(),
        );
        let session = started["session_id"].as_str().unwrap();
        let data = bytes::Bytes::from_static(&[4, 5]);
        let appended = api.upload_session_append(token, session, 3_usize, data, NoCallback);
        assert_eq!(json(appended.unwrap()), Value::Null);
        let saved = api.upload_session_finish(
            token,
            session,
            5_u64,
            "/a",
            "overwrite",
            false,
            true,
            "6",
            NoCallback,
        );
        assert_eq!(json(saved.unwrap())["size"], 6);
        let saved = api.upload(
            token,
            "/a",
            "add",
            true,
            false,
            String::from("other"),
            NoCallback,
        );
        assert_eq!(json(saved.unwrap())["name"], "a (2)");
    });
}
