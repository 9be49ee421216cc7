//! What the API says of bad input.

/// Characters that the longest sentence about a bad argument has: at most 200 of what was sent are
/// shown, each as an escape in the worst case, beside a pattern and a location.
const LONGEST: usize = 1500;

/// A sentence for somebody who sent something bad: it can be put on a screen and in a line of a
/// log, whatever was sent.
pub fn check_said(text: &str) {
    assert!(!text.is_empty());
    let count = text.chars().count();
    assert!(count <= LONGEST, "{count} characters: {text:?}");
    assert!(!text.chars().any(char::is_control), "{text:?}");
}
