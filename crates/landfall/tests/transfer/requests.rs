//! How many requests a transfer makes when nothing goes wrong.

use super::{
    APPEND, CHUNK, DOWNLOAD, FINISH, MIB, START, client, commit, counts, done, file, is_saved,
    settings, stream, through, with_server,
};
use landfall::protocol::path::ReadPath;
use landfall::transfer::{Download, Engine};
use landfall_testkit::faults::{Plan, Proxy};
use landfall_testkit::pattern;

#[test]
fn a_file_of_one_chunk_takes_two_requests_and_more_take_one_each() {
    with_server(async |server| {
        for (size, appends) in [
            (0, 0),
            (1000, 0),
            (CHUNK, 0),
            (CHUNK + 1, 2),
            (2 * CHUNK, 2),
            (9 * MIB, 3),
        ] {
            let data = pattern(size as u64, size);
            let (source, _file) = file(&data);
            let path = format!("/{size}");
            let (outcome, requests) = through(&server, Plan::new(), source, commit(&path)).await;
            is_saved(&server, &path, &data, &done(outcome)).await;
            let wanted = match appends {
                0 => counts(&[(START, 1), (FINISH, 1)]),
                appends => counts(&[(START, 1), (APPEND, appends), (FINISH, 1)]),
            };
            assert_eq!(requests, wanted, "{size} bytes");
            assert!(server.calls().read(&path).await == data, "{size} bytes");
        }
    });
}

/// Only after the last byte is it known which one that is: where it ends a chunk, an empty
/// piece closes the session.
#[test]
fn a_stream_takes_no_more_than_a_file_but_for_a_closing_piece() {
    with_server(async |server| {
        for (size, appends) in [(0, 0), (1000, 0), (CHUNK, 2), (2 * CHUNK, 3), (9 * MIB, 3)] {
            let data = pattern(size as u64, size);
            let path = format!("/{size}");
            let (outcome, requests) =
                through(&server, Plan::new(), stream(&data), commit(&path)).await;
            is_saved(&server, &path, &data, &done(outcome)).await;
            let wanted = match appends {
                0 => counts(&[(START, 1), (FINISH, 1)]),
                appends => counts(&[(START, 1), (APPEND, appends), (FINISH, 1)]),
            };
            assert_eq!(requests, wanted, "{size} bytes");
        }
    });
}

#[test]
fn a_download_of_a_file_that_is_not_known_takes_one_request() {
    with_server(async |server| {
        for size in [0, 1, 9 * MIB] {
            let data = pattern(3, size);
            server.calls().put("/file.bin", data.clone()).await;
            let proxy = Proxy::start(server.address(), Plan::new()).await;
            let path = ReadPath::parse("/file.bin").unwrap();
            let mut got = Vec::new();
            let engine = Engine::new(client(&server, &proxy), settings());
            Download::new(&engine, path).run(&mut got).await.unwrap();
            assert!(got == data, "{size} bytes");
            let requests: Vec<_> = proxy.finish().into_iter().collect();
            assert_eq!(requests, counts(&[(DOWNLOAD, 1)]));
        }
    });
}
