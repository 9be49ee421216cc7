//! Concurrent sessions over HTTP: pieces of whole blocks in any order and in parallel, one end
//! (P2), finishes that are replayable (P4), true hashes (P7).

use landfall_protocol::{ContentHash, limits};
use landfall_testkit::{Calls, on_each_store, pattern};
use serde_json::json;

const BLOCK: usize = 4 * 1024 * 1024;

const CONCURRENT: &str = r#"{"session_type": {".tag": "concurrent"}}"#;
const ADD: &str = r#"{"path": "/file.bin"}"#;

/// Three blocks and some bytes: large enough to have holes.
fn data() -> Vec<u8> {
    pattern(9, 3 * BLOCK + 77)
}

/// Blocks of it, and its tail with the last one.
fn blocks(data: &[u8], from: usize, count: usize) -> Vec<u8> {
    let end = ((from + count) * BLOCK).min(data.len());
    data[from * BLOCK..end].to_vec()
}

async fn start(calls: &Calls) -> String {
    calls.start(CONCURRENT, "").await
}

on_each_store! {
    async fn the_documented_sequence(server: TestServer) {
        let calls = server.calls();
        let data = pattern(1, 9 * 1024 * 1024);
        let session = start(&calls).await;
        let piece = async |offset: usize, length: usize, close| {
            calls.piece(&session, offset, data[offset..offset + length].to_vec(), close).await
        };
        assert_eq!(piece(BLOCK, BLOCK, false).await.text(), "null");
        assert_eq!(piece(0, BLOCK, false).await.text(), "null");
        let tail = data.len() - 2 * BLOCK;
        let refused = piece(2 * BLOCK, tail, false).await;
        assert_eq!(refused.error(), "concurrent_session_invalid_data_size");
        let refused = piece(1024 * 1024, BLOCK, false).await;
        assert_eq!(refused.error(), "concurrent_session_invalid_offset");
        let early = calls.finish(&session, 9 * 1024 * 1024, ADD, "").await;
        assert_eq!(early.error(), "concurrent_session_not_closed");
        assert_eq!(piece(2 * BLOCK, tail, true).await.text(), "null");
        let refused = calls.finish(&session, 9 * 1024 * 1024, ADD, "x").await;
        assert_eq!(refused.error(), "concurrent_session_data_not_allowed");
        let saved = calls.finish(&session, 9 * 1024 * 1024, ADD, "").await.ok();
        assert_eq!(saved["size"], data.len());
        assert_eq!(saved["content_hash"], ContentHash::of(&data).to_string());
        assert!(calls.read("/file.bin").await == data);
    }

    async fn a_start_is_open_and_empty(server: TestServer) {
        let calls = server.calls();
        let route = "files/upload_session/start";
        let refused = calls.upload(route, CONCURRENT, "x").await;
        assert_eq!(refused.error(), "concurrent_session_data_not_allowed");
        let closed = json!({"session_type": "concurrent", "close": true}).to_string();
        let refused = calls.upload(route, &closed, "").await;
        assert_eq!(refused.error(), "concurrent_session_close_not_allowed");
        // A body whose length isn't declared shows by its first byte.
        let undeclared = calls.slowly(route, CONCURRENT);
        undeclared.send("x").await;
        assert_eq!(undeclared.end().await.error(), "concurrent_session_data_not_allowed");
        calls.slowly(route, CONCURRENT).end().await.ok();
    }

    async fn pieces_in_every_order_give_the_same_file(server: TestServer) {
        let calls = server.calls();
        let data = data();
        for (nth, order) in [[0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1]].into_iter().enumerate() {
            let session = start(&calls).await;
            for block in order {
                let piece = blocks(&data, block, 1);
                calls.piece(&session, block * BLOCK, piece, block == 3).await.ok();
            }
            let commit = json!({"path": format!("/{nth}")}).to_string();
            let saved = calls.finish(&session, data.len(), &commit, "").await.ok();
            assert_eq!(saved["content_hash"], ContentHash::of(&data).to_string(), "{order:?}");
            assert!(calls.read(&format!("/{nth}")).await == data, "{order:?}");
        }
    }

    async fn pieces_at_the_same_time_all_count(server: TestServer) {
        let calls = server.calls();
        let data = data();
        let session = start(&calls).await;
        let piece = |block: usize| {
            calls.piece(&session, block * BLOCK, blocks(&data, block, 1), block == 3)
        };
        let (last, third, second, first) = tokio::join!(piece(3), piece(2), piece(1), piece(0));
        for answer in [last, third, second, first] {
            answer.ok();
        }
        calls.finish(&session, data.len(), ADD, "").await.ok();
        assert!(calls.read("/file.bin").await == data);
    }

    async fn after_the_close_what_is_missing_still_comes(server: TestServer) {
        let calls = server.calls();
        let data = data();
        let session = start(&calls).await;
        calls.piece(&session, 3 * BLOCK, blocks(&data, 3, 1), true).await.ok();
        let refused = calls.finish(&session, data.len(), ADD, "").await;
        assert_eq!(refused.error(), "concurrent_session_missing_data");
        let beyond = calls.piece(&session, 4 * BLOCK, vec![0; BLOCK], false).await;
        assert_eq!(beyond.error(), "closed");
        let across = calls.piece(&session, 3 * BLOCK, vec![0; BLOCK], false).await;
        assert_eq!(across.error(), "closed");
        calls.piece(&session, BLOCK, blocks(&data, 1, 2), false).await.ok();
        let refused = calls.finish(&session, data.len(), ADD, "").await;
        assert_eq!(refused.error(), "concurrent_session_missing_data");
        calls.piece(&session, 0, blocks(&data, 0, 1), false).await.ok();
        calls.finish(&session, data.len(), ADD, "").await.ok();
        assert!(calls.read("/file.bin").await == data);
    }

    async fn a_piece_that_is_sent_again_counts_once(server: TestServer) {
        let calls = server.calls();
        let data = data();
        let session = start(&calls).await;
        for _ in 0..2 {
            calls.piece(&session, 0, blocks(&data, 0, 2), false).await.ok();
        }
        for _ in 0..2 {
            calls.piece(&session, 2 * BLOCK, blocks(&data, 2, 2), true).await.ok();
        }
        calls.piece(&session, BLOCK, blocks(&data, 1, 1), false).await.ok();
        let saved = calls.finish(&session, data.len(), ADD, "").await.ok();
        assert_eq!(saved["size"], data.len());
        assert!(calls.read("/file.bin").await == data);
    }

    async fn overlapping_pieces_bring_what_is_missing(server: TestServer) {
        let calls = server.calls();
        let data = data();
        let session = start(&calls).await;
        calls.piece(&session, BLOCK, blocks(&data, 1, 1), false).await.ok();
        calls.piece(&session, 0, blocks(&data, 0, 3), false).await.ok();
        calls.piece(&session, 2 * BLOCK, blocks(&data, 2, 2), true).await.ok();
        calls.finish(&session, data.len(), ADD, "").await.ok();
        assert!(calls.read("/file.bin").await == data);
    }

    async fn other_bytes_for_a_stored_block_change_nothing(server: TestServer) {
        let calls = server.calls();
        let data = data();
        let session = start(&calls).await;
        calls.piece(&session, BLOCK, blocks(&data, 1, 1), false).await.ok();
        for (offset, length) in [(BLOCK, BLOCK), (0, 2 * BLOCK), (BLOCK, 2 * BLOCK)] {
            let refused = calls.piece(&session, offset, vec![1; length], false).await;
            assert_eq!(refused.error(), "concurrent_session_invalid_offset");
        }
        calls.piece(&session, 2 * BLOCK, blocks(&data, 2, 2), true).await.ok();
        let other = calls.piece(&session, 3 * BLOCK, vec![1; 77], true).await;
        assert_eq!(other.error(), "closed", "another end");
        calls.piece(&session, 0, blocks(&data, 0, 1), false).await.ok();
        calls.finish(&session, data.len(), ADD, "").await.ok();
        assert!(calls.read("/file.bin").await == data);
    }

    async fn there_is_one_end(server: TestServer) {
        let calls = server.calls();
        let session = start(&calls).await;
        calls.piece(&session, 0, "hello", true).await.ok();
        for (offset, body) in [(0, "hell"), (0, "hello!"), (0, "HELLO"), (BLOCK, "")] {
            let refused = calls.piece(&session, offset, body, true).await;
            assert_eq!(refused.error(), "closed", "{offset} {body:?}");
        }
        calls.piece(&session, 0, "hello", true).await.ok();
        assert_eq!(calls.finish(&session, 5, ADD, "").await.ok()["size"], 5);
    }

    async fn an_end_lies_behind_all_pieces(server: TestServer) {
        let calls = server.calls();
        let session = start(&calls).await;
        calls.piece(&session, BLOCK, vec![1; BLOCK], false).await.ok();
        for (offset, length) in [(0, 5), (0, BLOCK), (BLOCK, 5)] {
            let refused = calls.piece(&session, offset, vec![1; length], true).await;
            assert_eq!(refused.error(), "concurrent_session_invalid_offset");
        }
        calls.piece(&session, 2 * BLOCK, "", true).await.ok();
        calls.piece(&session, 0, vec![0; BLOCK], false).await.ok();
        let saved = calls.finish(&session, 2 * BLOCK, ADD, "").await.ok();
        assert_eq!(saved["size"], 2 * BLOCK, "a whole number of blocks, and an empty end");
    }

    async fn empty_pieces_are_nowhere(server: TestServer) {
        let calls = server.calls();
        let session = start(&calls).await;
        for offset in [0, 2 * BLOCK] {
            calls.piece(&session, offset, "", false).await.ok();
        }
        calls.piece(&session, 0, "hello", true).await.ok();
        assert_eq!(calls.finish(&session, 5, ADD, "").await.ok()["size"], 5);
        let session = start(&calls).await;
        calls.piece(&session, 0, "", true).await.ok();
        assert_eq!(calls.finish(&session, 0, r#"{"path": "/empty"}"#, "").await.ok()["size"], 0);
    }

    async fn a_piece_whose_length_is_not_declared_is_judged_at_its_end(server: TestServer) {
        let calls = server.calls();
        let session = start(&calls).await;
        let route = "files/upload_session/append_v2";
        let arg = |close| {
            let cursor = json!({"session_id": session, "offset": 0});
            json!({"cursor": cursor, "close": close}).to_string()
        };
        let odd = calls.slowly(route, &arg(false));
        odd.send("not a block").await;
        assert_eq!(odd.end().await.error(), "concurrent_session_invalid_data_size");
        let closing = calls.slowly(route, &arg(true));
        closing.send("the ").await;
        closing.send("end").await;
        closing.end().await.ok();
        assert_eq!(calls.finish(&session, 7, ADD, "").await.ok()["size"], 7);
        assert_eq!(calls.read("/file.bin").await, "the end");
    }

    async fn a_piece_with_another_hash_leaves_the_session_as_it_was(server: TestServer) {
        let calls = server.calls();
        let session = start(&calls).await;
        let cursor = json!({"session_id": session, "offset": 0});
        let arg = |bytes: &[u8]| {
            let hash = ContentHash::of(bytes).to_string();
            json!({"cursor": cursor, "close": true, "content_hash": hash}).to_string()
        };
        let route = "files/upload_session/append_v2";
        let refused = calls.upload(route, &arg(b"other"), "hello").await;
        assert_eq!(refused.error(), "content_hash_mismatch");
        let open = calls.finish(&session, 5, ADD, "").await;
        assert_eq!(open.error(), "concurrent_session_not_closed");
        calls.upload(route, &arg(b"hello"), "hello").await.ok();
        calls.finish(&session, 5, ADD, "").await.ok();
    }

    async fn a_finish_tells_what_is_stored(server: TestServer) {
        let calls = server.calls();
        let session = start(&calls).await;
        calls.piece(&session, 0, "hello", true).await.ok();
        for offset in [0, 4, 6, BLOCK] {
            let refused = calls.finish(&session, offset, ADD, "").await;
            assert_eq!(refused.error(), "lookup_failed/incorrect_offset");
            assert_eq!(refused.json()["error"]["lookup_failed"]["correct_offset"], 5);
        }
        let undeclared = json!({"cursor": {"session_id": session, "offset": 5}, "commit": {"path": "/x"}});
        let body = calls.slowly("files/upload_session/finish", &undeclared.to_string());
        body.send("x").await;
        assert_eq!(body.end().await.error(), "concurrent_session_data_not_allowed");
        calls.finish(&session, 5, ADD, "").await.ok();
    }

    async fn a_finish_whose_answer_was_lost_gives_the_same_file_again(server: TestServer) {
        let calls = server.calls();
        let data = data();
        let session = start(&calls).await;
        calls.piece(&session, 0, data.clone(), true).await.ok();
        let commit = r#"{"path": "/file.bin", "autorename": true}"#;
        let first = calls.finish(&session, data.len(), commit, "").await.ok();
        for _ in 0..2 {
            assert_eq!(calls.finish(&session, data.len(), commit, "").await.ok(), first);
        }
        for (offset, commit) in [(data.len(), ADD), (0, commit)] {
            let other = calls.finish(&session, offset, commit, "").await;
            assert_eq!(other.error(), "lookup_failed/not_found", "{offset} {commit}");
        }
        let late = calls.piece(&session, 0, blocks(&data, 0, 1), false).await;
        assert_eq!(late.error(), "not_found");
        assert_eq!(calls.tree().await, ["/file.bin"]);
    }

    async fn a_finish_refused_on_its_path_leaves_the_session_whole(server: TestServer) {
        let calls = server.calls();
        calls.put("/taken", "x").await;
        let session = start(&calls).await;
        calls.piece(&session, 0, "hello", true).await.ok();
        let refused = calls.finish(&session, 5, r#"{"path": "/taken"}"#, "").await;
        assert_eq!(refused.error(), "path/conflict/file");
        calls.finish(&session, 5, ADD, "").await.ok();
        assert_eq!(calls.read("/file.bin").await, "hello");
    }

    async fn a_finish_wins_against_a_piece_on_its_way(server: TestServer) {
        let calls = server.calls();
        let data = data();
        let session = start(&calls).await;
        calls.piece(&session, 0, data.clone(), true).await.ok();
        let again = json!({"cursor": {"session_id": session, "offset": 0}}).to_string();
        let again = calls.slowly("files/upload_session/append_v2", &again);
        again.send(data[..BLOCK / 2].to_vec()).await;
        let saved = calls.finish(&session, data.len(), ADD, "").await.ok();
        again.send(data[BLOCK / 2..BLOCK].to_vec()).await;
        assert_eq!(again.end().await.error(), "not_found");
        assert_eq!(saved["content_hash"], ContentHash::of(&data).to_string());
        assert!(calls.read("/file.bin").await == data);
    }

    async fn sessions_live_for_seven_days(server: TestServer) {
        let calls = server.calls();
        let session = start(&calls).await;
        server.clock().advance_seconds(limits::SESSION_LIFE as i64 - 1);
        calls.piece(&session, 0, "hello", true).await.ok();
        server.clock().advance_seconds(1);
        assert_eq!(calls.piece(&session, 0, "hello", true).await.error(), "not_found");
        assert_eq!(calls.finish(&session, 5, ADD, "").await.error(), "lookup_failed/not_found");
    }

    async fn a_file_ends_at_the_size_limit(server: TestServer) {
        let calls = server.calls();
        let session = start(&calls).await;
        let most = limits::FILE_SIZE as usize;
        assert_eq!(calls.piece(&session, most, "x", true).await.error(), "too_large");
        let last = usize::MAX / BLOCK * BLOCK;
        assert_eq!(calls.piece(&session, last, "x", true).await.error(), "too_large");
        calls.piece(&session, most - BLOCK, "x", true).await.ok();
        let holes = calls.finish(&session, most - BLOCK + 1, ADD, "").await;
        assert_eq!(holes.error(), "concurrent_session_missing_data");
    }

    async fn somebody_elses_session_is_an_unknown_session(server: TestServer) {
        let (panda, other) = (server.calls(), server.calls_as("other").await);
        let session = start(&panda).await;
        assert_eq!(other.piece(&session, 0, "hello", true).await.error(), "not_found");
        assert_eq!(other.piece(&session, 1, "hello", false).await.error(), "not_found");
        panda.piece(&session, 0, "hello", true).await.ok();
        let foreign = other.finish(&session, 5, ADD, "").await;
        assert_eq!(foreign.error(), "lookup_failed/not_found");
        panda.finish(&session, 5, ADD, "").await.ok();
    }
}
