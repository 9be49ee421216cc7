//! Whether a service is there: asked without a token.

use landfall::protocol::Timestamp;
use landfall::protocol::routes::Host;
use landfall::{Client, Endpoint, Fault, Secret};
use landfall_testkit::{Stores, TestServer};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;

fn client(url: &str) -> Client {
    let token = Secret::new("canary-token".to_owned());
    Client::new(Endpoint::at(url).unwrap(), token).unwrap()
}

#[test]
fn each_host_of_a_service_that_is_there_refuses_the_stranger() {
    TestServer::run(Stores::Memory, |server| async move {
        let client = client(&server.url());
        for host in [Host::Api, Host::Content, Host::Notify] {
            let probe = client.probe(host).await.unwrap();
            assert!(probe.is_the_apis(), "{probe:?}");
            assert!(probe.date.is_some(), "{probe:?}");
            assert_eq!(probe.host, server.address().to_string());
        }
    });
}

#[tokio::test]
async fn a_stranger_shows_no_token_and_hears_the_clock() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let heard = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let lines = BufReader::new(stream.try_clone().unwrap()).lines();
        let head: Vec<String> = lines
            .map(Result::unwrap)
            .take_while(|line| !line.is_empty())
            .collect();
        let answer = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\
                      date: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n";
        stream.write_all(answer.as_bytes()).unwrap();
        head.join("\n")
    });
    let probe = client(&url).probe(Host::Api).await.unwrap();
    assert!(!probe.is_the_apis(), "a page that welcomes anybody");
    assert_eq!(probe.date, Some(Timestamp::from_unix_seconds(784_111_777)));
    let heard = heard.join().unwrap();
    assert!(heard.starts_with("POST /2/check/user"), "{heard}");
    assert!(!heard.contains("canary"), "{heard}");
}

#[tokio::test]
async fn nobody_there_is_a_fault() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr();
    let client = client(&format!("http://{}", free.unwrap()));
    let fault = client.probe(Host::Api).await.unwrap_err();
    assert!(matches!(fault, Fault::Connect { .. }), "{fault}");
}
