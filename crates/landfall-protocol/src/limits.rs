//! Every limit of the API, with its value, where it comes from and what it applies to.
//!
//! *Spec* is the published Stone specification, *docs* the official developer documentation,
//! *observed* what clients and recorded traffic show, *ours* a choice of Landfall.

/// Bytes in one body of an upload-style request: 150 MiB. Spec: `payload_too_large`, every
/// upload route. Older texts say 150 MB; only what is over this value is refused.
pub const REQUEST_BODY: u64 = 150 * 1024 * 1024;

/// Bytes up to which a client fills one request: whole hash blocks, and below 150 MB in the
/// decimal sense too, so that it passes under either reading of the limit. Ours.
pub const CLIENT_BODY: u64 = 35 * HASH_BLOCK;

/// Bytes in one file: 2^41 − 2^22. Spec: `too_large`.
pub const FILE_SIZE: u64 = (1 << 41) - (1 << 22);

/// Seconds an upload session lives after its creation: 7 days. Spec: `not_found`.
pub const SESSION_LIFE: u64 = 7 * 24 * 60 * 60;

/// Seconds for which a finished session's answer is repeated after the commit, if that is later
/// than the session's end of life: 24 hours. Ours.
pub const REPLAY_LIFE: u64 = 24 * 60 * 60;

/// Seconds for which a notification is kept: 30 days. Ours.
pub const NOTIFICATION_LIFE: u64 = 30 * 24 * 60 * 60;

/// Bytes in one block of the content hash: 4 MiB. Docs: content hash.
pub const HASH_BLOCK: u64 = 4 * 1024 * 1024;

/// Most entries that `list_folder` returns in one page. Spec: `limit` 1…2000.
pub const LIST_PAGE: u64 = 2000;

/// Entries in a page of `list_folder` when the caller names no limit. Ours.
pub const LIST_PAGE_DEFAULT: u64 = 1000;

/// UTF-16 units in one component of a path. Observed; the unit is what clients report.
pub const NAME_UNITS: usize = 255;

/// Bytes (UTF-8) in a whole path. Ours: paths are index keys.
pub const PATH_BYTES: usize = 4096;

/// Entries one operation on a folder may touch. Docs: `too_many_files`.
pub const SUBTREE: u64 = 10_000;

/// Most revisions that `list_revisions` returns at once. Spec: `limit` 1…100.
pub const REVISIONS_PAGE: u64 = 100;

/// Revisions that `list_revisions` returns when the caller names no limit. Spec: `limit`.
pub const REVISIONS_PAGE_DEFAULT: u64 = 10;

/// Entries in one batch request, and sessions that one starts. Spec: `max_items`, `max_value`.
pub const BATCH: u64 = 1000;

/// Seconds that `list_folder/longpoll` waits: least, and the default. Spec: `timeout`.
pub const LONGPOLL_LEAST: u64 = 30;

/// Seconds that `list_folder/longpoll` waits at the most. Spec: `timeout`; up to 90 seconds more
/// are allowed, and not used here.
pub const LONGPOLL_MOST: u64 = 480;

/// Bytes of all request headers together. Ours: an `append_batch` of 1,000 entries carries more
/// than 100 KiB of argument in a header.
pub const HEADERS: usize = 512 * 1024;

/// Bytes in the JSON body of an rpc-style request. Ours: `finish_batch_v2` of 1,000 entries with
/// long paths stays below.
pub const RPC_BODY: u64 = 8 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::{
        CLIENT_BODY, FILE_SIZE, HASH_BLOCK, HEADERS, NOTIFICATION_LIFE, REPLAY_LIFE, REQUEST_BODY,
        RPC_BODY, SESSION_LIFE,
    };

    #[test]
    fn limits_are_what_the_documentation_says() {
        assert_eq!(REQUEST_BODY, 157_286_400);
        assert_eq!(FILE_SIZE, 2_199_019_061_248);
        assert_eq!(HASH_BLOCK, 4_194_304);
        assert_eq!(SESSION_LIFE, 604_800);
        assert_eq!(REPLAY_LIFE, 86_400);
        assert_eq!(NOTIFICATION_LIFE, 2_592_000);
        assert_eq!((HEADERS, RPC_BODY), (524_288, 8_388_608));
    }

    #[test]
    fn a_client_fills_requests_with_whole_blocks_below_either_reading_of_the_limit() {
        assert_eq!(CLIENT_BODY, 146_800_640);
        assert!(CLIENT_BODY.is_multiple_of(HASH_BLOCK) && CLIENT_BODY < 150_000_000);
    }
}
