//! What lies between the tool and a service: silence, and proxies.

use landfall_testkit::{Run, Tool};
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread::JoinHandle;

fn tool() -> Tool {
    Tool::new(env!("CARGO_BIN_EXE_landfall"))
}

/// Takes one connection, reads the head of a request and gives back its lines; what is to be
/// said after it is said, and then nothing until the other side is gone.
fn listen(answer: &'static str) -> (SocketAddr, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let heard = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let head = head(&mut reader);
        stream.write_all(answer.as_bytes()).unwrap();
        let _ = std::io::copy(&mut reader, &mut std::io::sink());
        head
    });
    (address, heard)
}

fn head(reader: &mut BufReader<TcpStream>) -> Vec<String> {
    let lines = reader.lines().map_while(Result::ok);
    lines.take_while(|line| !line.is_empty()).collect()
}

/// A call that is made once, whatever becomes of it.
fn call(tool: &Tool, url: &str, patience: &str) -> Run {
    let mut command = tool.command(["--remote", url, patience, "1s", "session", "start"]);
    Run::of({
        command.env("LANDFALL_TOKEN", "test-token");
        command
    })
}

#[test]
fn a_service_that_does_not_answer_is_given_up() {
    let tool = tool();
    let (address, _) = listen("");
    let run = call(&tool, &format!("http://{address}"), "--answer-timeout");
    assert!(run.fails(6).contains("no answer"), "{run:?}");
}

#[test]
fn an_answer_that_stands_still_is_given_up() {
    let tool = tool();
    let (address, _) = listen("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{");
    let run = call(&tool, &format!("http://{address}"), "--idle-timeout");
    assert!(run.fails(6).contains("no byte from"), "{run:?}");
}

#[test]
fn a_connection_that_never_stands_is_given_up() {
    let tool = tool();
    // Takes connections and never speaks TLS.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let run = call(&tool, &format!("https://{address}"), "--connect-timeout");
    assert!(run.fails(6).contains("could not connect"), "{run:?}");
}
