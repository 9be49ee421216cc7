//! The commands beyond the page's example: what is refused here, what is shared, and who it is.

use super::script::{Act, Script};
use landfall::commands::{Api, Callback, NoCallback};
use landfall::protocol::limits;
use landfall::{Endpoint, RawReply, RequestStatus};
use landfall_testkit::faults::{Plan, Proxy};
use landfall_testkit::{Stores, TestServer};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc;

fn api(url: &str) -> Api {
    Api::at(Endpoint::at(url).unwrap()).unwrap()
}

fn with_server<F: Future<Output = ()>>(test: impl FnOnce(TestServer) -> F) {
    TestServer::run(Stores::Memory, test);
}

/// What the server answers to a body that is too large, by its length alone.
fn of_the_server(address: SocketAddr, token: &str, route: &str, arg: &str) -> RawReply {
    let mut stream = TcpStream::connect(address).unwrap();
    let length = limits::REQUEST_BODY + 1;
    let request = format!(
        "POST /2/files/{route} HTTP/1.1\r\nhost: h\r\nauthorization: Bearer {token}\r\n\
         dropbox-api-arg: {arg}\r\ncontent-type: application/octet-stream\r\n\
         content-length: {length}\r\nexpect: 100-continue\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    let (head, body) = loop {
        if let Some((head, body)) = answer.split_once("\r\n\r\n")
            && !body.is_empty()
        {
            break (head, body);
        }
        let mut some = [0; 4096];
        let read = stream.read(&mut some).unwrap();
        assert_ne!(read, 0, "{answer}");
        answer.push_str(str::from_utf8(&some[..read]).unwrap());
    };
    RawReply {
        status: head.split(' ').nth(1).unwrap().parse().unwrap(),
        data: body.to_owned().into(),
    }
}

#[test]
fn too_much_data_is_refused_here_as_the_server_refuses_it() {
    with_server(async |server| {
        let started = server.calls().start("{}", "").await;
        let nobody = Script::start(Act::Close);
        let (api, token) = (api(&nobody.url), "a-token");
        let data = bytes::Bytes::from(vec![0; usize::try_from(limits::REQUEST_BODY).unwrap() + 1]);
        let cursor = format!(r#"{{"session_id":"{started}","offset":0}}"#);
        let commit = r#"{"path":"/a"}"#;
        let replies = [
            (
                api.upload_session_start(token, data.clone(), NoCallback),
                ("upload_session/start", "{}".to_owned()),
            ),
            (
                api.upload_session_append(token, &started, 0, data.clone(), NoCallback),
                (
                    "upload_session/append_v2",
                    format!(r#"{{"cursor":{cursor}}}"#),
                ),
            ),
            (
                api.upload_session_finish(
                    token,
                    &started,
                    0,
                    "/a",
                    "",
                    "",
                    "",
                    data.clone(),
                    NoCallback,
                ),
                (
                    "upload_session/finish",
                    format!(r#"{{"cursor":{cursor},"commit":{commit}}}"#),
                ),
            ),
            (
                api.upload(token, "/a", "", "", "", data.clone(), NoCallback),
                ("upload", commit.to_owned()),
            ),
        ];
        for (ours, (route, arg)) in replies {
            let theirs = of_the_server(server.address(), server.token(), route, &arg);
            assert_eq!((ours.unwrap(), theirs.status), (theirs, 409), "{route}");
        }
        let (call, called) = mpsc::channel();
        let id = api.upload(token, "/a", "", "", "", data, move |id, status, data| {
            call.send((id, RawReply { status, data })).unwrap();
        });
        let (of, reply) = called.recv().unwrap();
        let theirs = of_the_server(server.address(), server.token(), "upload", commit);
        assert_eq!((of, reply), (id.unwrap(), theirs));
        assert_eq!(nobody.connections(), 0, "not a byte was sent");
    });
}

#[test]
fn one_byte_less_is_sent() {
    let server = Script::start(Act::Answer(
        "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nnull",
    ));
    let data = vec![0; usize::try_from(limits::REQUEST_BODY).unwrap()];
    let appended = api(&server.url).upload_session_append("t", "s", 0, data, NoCallback);
    assert_eq!(appended.unwrap().status, 200);
}

#[test]
fn everybody_at_one_endpoint_shares_its_connections() {
    let server = Script::start(Act::Answer(
        "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nnull",
    ));
    let other = Script::start(Act::Answer(
        "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nnull",
    ));
    let first = api(&server.url);
    let append = |api: &Api, at: &Script, token: &str| {
        let appended = api.upload_session_append(token, "s", 0, "x", NoCallback);
        assert_eq!(appended.unwrap().status, 200);
        assert_eq!(at.authorization(), format!("Bearer {token}"));
    };
    append(&first, &server, "one");
    // Another handle, another user, another way to write the address.
    let second = api(&format!("{}/", server.url));
    append(&second, &server, "two");
    let third = first.clone();
    drop(first);
    append(&third, &server, "three");
    assert_eq!(server.connections(), 1);

    append(&api(&other.url), &other, "one");
    assert_eq!((server.connections(), other.connections()), (1, 1));
}

#[test]
fn every_handle_of_an_endpoint_knows_its_requests() {
    with_server(async |server| {
        let (plan, mut gate) = Plan::new().hold("files/upload", 1);
        let proxy = Proxy::start(server.address(), plan).await;
        let first = api(&proxy.url());
        let (call, called) = mpsc::channel();
        let id = first.upload(
            server.token(),
            "/a",
            "",
            "",
            "",
            "hello",
            move |id, status, _| {
                call.send((id, status)).unwrap();
            },
        );
        let id = id.unwrap();
        gate.reached().await;
        let second = api(&proxy.url());
        drop(first);
        let running = RequestStatus::Running { sent: 5, total: 5 };
        assert_eq!(second.request_status(id), Some(running));
        assert_eq!(api(&server.url()).request_status(id), None);
        assert!(!api(&server.url()).cancel(id));
        assert!(second.cancel(id));
        assert_eq!(called.recv().unwrap(), (id, 0));
        drop(gate);
        proxy.finish();
    });
}

#[test]
fn dropping_the_last_handle_of_an_endpoint_cancels_and_a_new_one_begins_anew() {
    with_server(async |server| {
        let (plan, mut gate) = Plan::new().hold("files/upload", 1);
        let proxy = Proxy::start(server.address(), plan).await;
        let first = api(&proxy.url());
        let (call, called) = mpsc::channel();
        let begun = first.upload(
            server.token(),
            "/a",
            "",
            "",
            "",
            "x",
            move |id, status, _| {
                call.send((id, status)).unwrap();
            },
        );
        gate.reached().await;
        drop(first);
        assert_eq!(called.recv().unwrap(), (begun.unwrap(), 0));
        drop(gate);
        let again = api(&proxy.url()).upload(server.token(), "/b", "", "", "", "x", NoCallback);
        assert_eq!(again.unwrap().status, 200);
        proxy.finish();
    });
}

#[test]
fn a_command_waits_inside_of_a_runtime_of_a_single_thread() {
    let server = Script::start(Act::Answer(
        "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nnull",
    ));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let appended = runtime
        .block_on(async { api(&server.url).upload_session_append("t", "s", 0, "x", NoCallback) });
    assert_eq!(appended.unwrap().status, 200);
}

/// What a command returns depends on what it is given last, when the program is compiled.
#[test]
fn a_callback_is_any_closure_that_can_go_to_another_thread() {
    fn returns<C: Callback>(_: &C) -> &'static str {
        std::any::type_name::<C::Returned>()
    }
    assert!(returns(&NoCallback).ends_with("RawReply"));
    assert!(returns(&|_, _, _| {}).ends_with("RequestId"));
}
