//! `docs/coverage.md` leaves nothing out. That the tests it names exist and pass is checked by
//! `harness/coverage.py`, which can see them.

use landfall_protocol::Wire;
use landfall_protocol::routes::{ROUTES, RouteId};
use landfall_protocol::types::batches::UploadSessionAppendBatchEntryError;

const PAGE: &str = include_str!("../../../docs/coverage.md");

/// The routes by which bytes come.
fn is_upload(tail: &str) -> bool {
    tail.contains("upload")
}

#[test]
fn every_route_and_error_of_an_upload_has_its_row() {
    let mut wanted: Vec<String> = Vec::new();
    for route in ROUTES.iter().filter(|route| is_upload(route.tail)) {
        wanted.push(route.tail.to_owned());
        wanted.extend(route.id.error_paths());
    }
    wanted.extend(UploadSessionAppendBatchEntryError::tag_paths());
    // The entries of batches that are finished have the errors of a finish.
    wanted.extend(RouteId::UploadSessionFinish.error_paths());
    let row = |what: &String| PAGE.contains(&format!("\n| `{what}` |"));
    wanted.retain(|what| !row(what) && !is_group(what));
    wanted.sort();
    wanted.dedup();
    assert!(
        wanted.is_empty(),
        "docs/coverage.md has no row for {wanted:#?}"
    );
    assert!(PAGE.contains("\n| `properties_error/…` (others) |"));
}

/// Whether a row stands for it together with others.
fn is_group(error: &str) -> bool {
    error.starts_with("properties_error/") && error != "properties_error/template_not_found"
}
