//! What goes over the wire, seen by a listener that knows nothing of the library.

use landfall::protocol::limits;
use landfall::protocol::path::{ReadPath, WritePathOrId};
use landfall::protocol::types::files::{CommitInfo, DownloadArg, UploadArg};
use landfall::protocol::types::relocation::{MoveIntoVaultError, RelocationArg, RelocationError};
use landfall::protocol::types::users::{Echo, EchoArg};
use landfall::{Client, Endpoint, Failure, Fault, Payload, Secret, Timeouts};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

const TOKEN: &str = "a-token";

fn client(listener: &TcpListener) -> Client {
    let address = listener.local_addr().unwrap();
    let endpoint = Endpoint::at(&format!("http://{address}")).unwrap();
    let short = Duration::from_millis(200);
    Client::builder(endpoint, Secret::new(TOKEN.to_owned()))
        .timeouts(Timeouts {
            connect: short,
            idle: short,
            answer: short,
        })
        .build()
        .unwrap()
}

async fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.unwrap()
}

/// Reads a request, answers it, and gives its head back in lower case, and its body.
fn answer_one(listener: TcpListener, answer: &'static str) -> JoinHandle<(String, Vec<u8>)> {
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let request = read_request(&mut stream).await;
        stream.write_all(answer.as_bytes()).await.unwrap();
        request
    })
}

async fn read_request(stream: &mut TcpStream) -> (String, Vec<u8>) {
    let mut bytes = Vec::new();
    let head = loop {
        assert_ne!(stream.read_buf(&mut bytes).await.unwrap(), 0);
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
    };
    let text = String::from_utf8(bytes[..head].to_vec())
        .unwrap()
        .to_lowercase();
    let length = text.split("content-length: ").nth(1).unwrap();
    let length: usize = length.lines().next().unwrap().parse().unwrap();
    while bytes.len() < head + length {
        assert_ne!(stream.read_buf(&mut bytes).await.unwrap(), 0);
    }
    (text, bytes[head..].to_vec())
}

fn upload_arg(path: &str) -> UploadArg {
    UploadArg {
        commit: CommitInfo::new(WritePathOrId::parse(path).unwrap()),
        content_hash: None,
    }
}

const REFUSAL: &str = "HTTP/1.1 400 Bad Request\r\ncontent-length: 2\r\n\r\nno";

#[tokio::test]
async fn an_upload_carries_its_argument_in_an_ascii_header_and_its_length() {
    let listener = listener().await;
    let client = client(&listener);
    let seen = answer_one(listener, REFUSAL);
    let refused = client.upload(&upload_arg("/stra\u{df}e"), "hello").await;
    assert_eq!(refused.unwrap_err().status(), Some(400));
    let (head, body) = seen.await.unwrap();
    assert_eq!(body, b"hello");
    assert!(
        head.starts_with("post /2/files/upload http/1.1\r\n"),
        "{head}"
    );
    for line in [
        "content-type: application/octet-stream",
        "content-length: 5",
        "authorization: bearer a-token",
    ] {
        assert!(head.contains(line), "{head}");
    }
    assert!(head.contains(r#""path":"/stra\u00dfe""#), "{head}");
    assert!(!head.contains("transfer-encoding"), "{head}");
}

#[tokio::test]
async fn an_empty_body_says_so_and_a_void_argument_is_null() {
    let first = listener().await;
    let a_client = client(&first);
    let seen = answer_one(first, REFUSAL);
    assert!(
        a_client
            .upload(&upload_arg("/a"), Payload::empty())
            .await
            .is_err()
    );
    assert!(seen.await.unwrap().0.contains("content-length: 0"));

    let second = listener().await;
    let a_client = client(&second);
    let seen = answer_one(second, REFUSAL);
    assert!(a_client.get_current_account().await.is_err());
    let (head, body) = seen.await.unwrap();
    assert_eq!(body, b"null");
    assert!(
        head.contains("content-type: application/json\r\n"),
        "{head}"
    );
}

#[tokio::test]
async fn a_download_has_no_content_type_and_streams_its_answer() {
    let listener = listener().await;
    let client = client(&listener);
    let seen = answer_one(
        listener,
        "HTTP/1.1 200 OK\r\ncontent-length: 3\r\ndropbox-api-result: {\"name\": \"a\", \
         \"id\": \"id:a\", \"client_modified\": \"2026-01-01T00:00:00Z\", \
         \"server_modified\": \"2026-01-01T00:00:00Z\", \"rev\": \"123456789\", \
         \"size\": 3}\r\n\r\nabc",
    );
    let arg = DownloadArg {
        path: ReadPath::parse("/a").unwrap(),
        rev: None,
    };
    let mut content = client.download(&arg, None).await.unwrap();
    assert_eq!(content.reply().value.name, "a");
    assert_eq!(content.length(), Some(3));
    assert_eq!(content.chunk().await.unwrap().unwrap(), "abc");
    assert_eq!(content.chunk().await.unwrap(), None);
    assert!(!seen.await.unwrap().0.contains("content-type"));
}

#[tokio::test]
async fn a_move_goes_as_json_and_the_errors_of_its_specification_come_back() {
    for (answer, wanted) in [
        (
            "HTTP/1.1 409 Conflict\r\ncontent-type: application/json\r\ncontent-length: 146\r\n\r\n\
             {\"error_summary\": \"cant_move_into_vault/is_shared_folder/\", \"error\": {\".tag\": \
             \"cant_move_into_vault\", \"cant_move_into_vault\": \"is_shared_folder\"}}",
            RelocationError::CantMoveIntoVault(MoveIntoVaultError::IsSharedFolder),
        ),
        (
            "HTTP/1.1 409 Conflict\r\ncontent-type: application/json\r\ncontent-length: 71\r\n\r\n\
             {\"error_summary\": \"newer_than_we/\", \"error\": {\".tag\": \"newer_than_we\"}}",
            RelocationError::Other,
        ),
    ] {
        let listener = listener().await;
        let client = client(&listener);
        let seen = answer_one(listener, answer);
        let path = |text| WritePathOrId::parse(text).unwrap();
        let arg = RelocationArg::new(path("/stra\u{df}e"), path("id:x/y"));
        let error = client.move_v2(&arg).await.unwrap_err();
        assert_eq!(error.route_error(), Some(&wanted));
        let (head, body) = seen.await.unwrap();
        assert!(head.starts_with("post /2/files/move_v2 "), "{head}");
        assert!(
            head.contains("\r\ncontent-type: application/json\r\n"),
            "{head}"
        );
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(
            body,
            serde_json::json!({
                "from_path": "/stra\u{df}e", "to_path": "id:x/y", "allow_shared_folder": false,
                "autorename": false, "allow_ownership_transfer": false,
            })
        );
    }
}

#[tokio::test]
async fn too_much_for_one_request_is_refused_before_anything_is_sent() {
    let listener = listener().await;
    let client = client(&listener);
    let size = usize::try_from(limits::REQUEST_BODY).unwrap() + 1;
    let error = client
        .upload(&upload_arg("/a"), vec![0; size])
        .await
        .unwrap_err();
    assert!(
        matches!(error.failure(), Failure::TooLarge { .. }),
        "{error}"
    );
    let nobody = tokio::time::timeout(Duration::from_millis(50), listener.accept()).await;
    assert!(nobody.is_err(), "a connection was made");
}

#[tokio::test]
async fn a_service_that_stops_reading_or_never_answers_is_given_up() {
    // More than the system's buffers take.
    for size in [64 * 1024 * 1024, 10] {
        let listener = listener().await;
        let client = client(&listener);
        let silent = tokio::spawn(async move {
            let connection = listener.accept().await.unwrap();
            std::future::pending::<()>().await;
            drop(connection);
        });
        let error = client
            .upload(&upload_arg("/a"), vec![0; size])
            .await
            .unwrap_err();
        silent.abort();
        let fault = matches!(error.failure(), Failure::Transport(Fault::Stalled { .. }));
        assert!(fault && error.may_have_happened(), "{error}");
        assert!(!error.to_string().contains(TOKEN) && !format!("{error:?}").contains(TOKEN));
    }
}

#[tokio::test]
async fn nobody_listening_means_that_nothing_happened() {
    let listener = listener().await;
    let client = client(&listener);
    drop(listener);
    let arg = EchoArg {
        query: Echo(String::new()),
    };
    let error = client.check_user(&arg).await.unwrap_err();
    let fault = matches!(error.failure(), Failure::Transport(Fault::Connect { .. }));
    assert!(fault && !error.may_have_happened(), "{error}");
}
