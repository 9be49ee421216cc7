//! What lies between the tool and a service: silence, and proxies.

use landfall_testkit::{Run, Serving, Tool};
use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
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

/// A name that nobody has, on a server that stands for the proxy: it looks at a request's path
/// alone, so what a proxy is asked it can answer by itself.
const NOWHERE: &str = "http://files.invalid:8765";

#[test]
fn uploads_go_through_the_proxy_that_the_environment_names() {
    let tool = tool();
    tool.write("token", "test-token");
    tool.write("file", "content");
    let mut serve = tool.command(["serve", "--ephemeral", "--listen", "127.0.0.1:0"]);
    serve.env("LANDFALL_TOKEN", "test-token");
    let serving = Serving::start(serve);
    let put = |variables: &[(&str, &str)]| {
        let mut command = tool.command(["--remote", NOWHERE, "--insecure-http"]);
        command.args(["--token-file", "token", "put", "file", "/file"]);
        Run::of({
            command.envs(variables.iter().copied());
            command
        })
    };
    for variable in ["HTTP_PROXY", "http_proxy", "ALL_PROXY"] {
        put(&[(variable, &serving.url)]).ok();
    }
    let direct = ["--remote", &serving.url, "--token-file", "token", "ls"];
    assert_eq!(tool.run(direct).ok(), "file");
}

/// A proxy that connects to one server, whatever it is asked for; what it was asked.
fn tunnel(server: SocketAddr) -> (SocketAddr, Receiver<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (ask, asked) = channel();
    std::thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let mut from_client = BufReader::new(client.try_clone().unwrap());
            ask.send(head(&mut from_client)).unwrap();
            let mut to_client = client;
            to_client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
            let mut from_server = TcpStream::connect(server).unwrap();
            let mut to_server = from_server.try_clone().unwrap();
            std::thread::spawn(move || {
                let _ = std::io::copy(&mut from_client, &mut to_server);
                let _ = to_server.shutdown(Shutdown::Write);
            });
            std::thread::spawn(move || {
                let _ = std::io::copy(&mut from_server, &mut to_client);
                let _ = to_client.shutdown(Shutdown::Write);
            });
        }
    });
    (address, asked)
}

#[test]
fn uploads_over_tls_go_through_a_tunnel_of_the_proxy() {
    let tool = tool();
    tool.write("file", "content");
    let mut serve = tool.command(["serve", "--ephemeral", "--listen", "127.0.0.1:0"]);
    serve.args(["--tls-dev", "--tls-name", "files.invalid"]);
    serve.env("LANDFALL_TOKEN", "test-token");
    let serving = Serving::start(serve);
    let authority = tool.local().join("tls/authority.pem");
    let server = serving.url.strip_prefix("https://").unwrap();
    let (proxy, asked) = tunnel(server.parse().unwrap());
    for variable in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"] {
        let mut command = tool.command(["--remote", "https://files.invalid"]);
        command.arg("--ca-cert").arg(&authority);
        command.args(["put", "file", "/file"]);
        command.env("LANDFALL_TOKEN", "test-token");
        command.env(variable, format!("http://panda:bamboo@{proxy}"));
        Run::of(command).ok();
        let head = asked.recv().unwrap();
        assert_eq!(head[0], "CONNECT files.invalid:443 HTTP/1.1", "{variable}");
        // panda:bamboo, and the token is none of the proxy's business.
        let head = head.join("\n").to_lowercase();
        assert!(
            head.contains("proxy-authorization: basic cgfuzge6ymftym9v"),
            "{head}"
        );
        assert!(!head.contains("bearer"), "{head}");
    }
}

#[test]
fn a_proxy_is_asked_for_the_whole_address_with_its_password() {
    let tool = tool();
    let (address, heard) = listen("HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n");
    let mut command = tool.command(["--remote", NOWHERE, "--insecure-http"]);
    command.args(["session", "start"]);
    command.env("LANDFALL_TOKEN", "test-token");
    command.env("HTTP_PROXY", format!("http://panda:bamboo@{address}"));
    Run::of(command).fails(6);
    let head = heard.join().unwrap();
    let asked = format!("POST {NOWHERE}/2/files/upload_session/start HTTP/1.1");
    assert_eq!(head[0], asked);
    // panda:bamboo
    let password = "proxy-authorization: Basic cGFuZGE6YmFtYm9v".to_owned();
    assert!(head.contains(&password), "{head:?}");
}

#[test]
fn no_proxy_is_asked_for_what_is_excepted_or_on_this_machine() {
    let tool = tool();
    // Whoever connects would be let in by the system, and wait.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let proxy = format!("http://{}", silent.local_addr().unwrap());
    let start = |remote: &str, except: &str| {
        let mut command = tool.command(["--remote", remote, "--insecure-http"]);
        command.args(["session", "start"]);
        command.env("LANDFALL_TOKEN", "test-token");
        command.envs([("HTTP_PROXY", proxy.as_str()), ("NO_PROXY", except)]);
        Run::of(command)
    };
    let run = start(NOWHERE, "example.org,files.invalid");
    assert!(run.fails(6).contains("could not connect"), "{run:?}");

    let mut serve = tool.command(["serve", "--ephemeral", "--listen", "127.0.0.1:0"]);
    serve.env("LANDFALL_TOKEN", "test-token");
    let serving = Serving::start(serve);
    start(&serving.url, "").ok();
}
