//! `docs/coverage.md` leaves nothing out. That the tests it names exist and pass is checked by
//! `harness/coverage.py`, which can see them.

use landfall_protocol::Wire;
use landfall_protocol::routes::ROUTES;
use landfall_protocol::types::batches::UploadSessionAppendBatchEntryError;

const PAGE: &str = include_str!("../../../docs/coverage.md");

#[test]
fn every_route_and_error_has_its_row() {
    // The entries of batches that are finished have the errors of a finish.
    let mut wanted = UploadSessionAppendBatchEntryError::tag_paths();
    for route in ROUTES {
        wanted.push(route.tail.to_owned());
        wanted.extend(route.id.error_paths());
    }
    wanted.retain(|what| !has_row(what) && !is_group(what));
    wanted.sort();
    wanted.dedup();
    assert!(
        wanted.is_empty(),
        "docs/coverage.md has no row for {wanted:#?}"
    );
    assert!(has_row("properties_error/template_not_found"));
}

fn has_row(what: &str) -> bool {
    PAGE.contains(&format!("\n| `{what}` |"))
}

/// Whether a row stands for it together with others that begin alike.
fn is_group(error: &str) -> bool {
    let group = error.split('/').next().unwrap_or_default();
    PAGE.contains(&format!("\n| `{group}/\u{2026}` (others) |"))
}
