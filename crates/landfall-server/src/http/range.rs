//! `Range` and `If-None-Match` on downloads.

use http::{HeaderMap, Method, header};

/// What a download request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Slice {
    /// All bytes.
    Whole,
    /// The bytes from the first (included) to the second (excluded).
    Part(u64, u64),
    /// A range without any byte of the file.
    NotSatisfiable,
    /// Nothing: the caller has this revision.
    NotModified,
}

/// What the request asks for of a file with this ETag and size.
pub(crate) fn requested(method: &Method, headers: &HeaderMap, etag: &str, size: u64) -> Slice {
    if method == Method::GET && matches_etag(headers, etag) {
        return Slice::NotModified;
    }
    match headers
        .get(header::RANGE)
        .and_then(|value| value.to_str().ok())
    {
        // No range of an empty file has a byte. A server may ignore ranges, and this one does it
        // here: the Python SDK's parallel download asks for the first byte of whatever there is,
        // and gets no further with an error.
        Some(range) if size > 0 => parse(range, size),
        _ => Slice::Whole,
    }
}

fn matches_etag(headers: &HeaderMap, etag: &str) -> bool {
    let given = headers
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok());
    let bare = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    given
        .flat_map(|value| value.split(','))
        .any(|given| given.trim() == "*" || bare(given) == bare(etag))
}

/// One range of bytes. What isn't one is ignored, as HTTP has it; so are several at once, which
/// no client of this API asks for.
fn parse(range: &str, size: u64) -> Slice {
    let Some((first, last)) = range
        .strip_prefix("bytes=")
        .and_then(|range| range.split_once('-'))
    else {
        return Slice::Whole;
    };
    let number = |text: &str| -> Option<u64> {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        // So many digits that they are no u64 are beyond every end.
        digits.then(|| text.parse().unwrap_or(u64::MAX))
    };
    let (begin, end) = match (number(first.trim()), number(last.trim())) {
        (Some(first), Some(last)) if first <= last => (first, last.saturating_add(1).min(size)),
        (Some(first), None) if last.trim().is_empty() => (first, size),
        (None, Some(suffix)) if first.trim().is_empty() => (size.saturating_sub(suffix), size),
        _ => return Slice::Whole,
    };
    if begin < end {
        Slice::Part(begin, end)
    } else {
        Slice::NotSatisfiable
    }
}

#[cfg(test)]
mod tests {
    use super::{Slice, parse, requested};
    use http::{HeaderMap, Method};

    #[test]
    fn a_range_is_cut_to_the_file() {
        for (range, slice) in [
            ("bytes=0-4", Slice::Part(0, 5)),
            ("bytes=9-9", Slice::Part(9, 10)),
            ("bytes=5-", Slice::Part(5, 10)),
            ("bytes=-3", Slice::Part(7, 10)),
            ("bytes=-99", Slice::Part(0, 10)),
            ("bytes=0-99999999999999999999999", Slice::Part(0, 10)),
            ("bytes=10-", Slice::NotSatisfiable),
            ("bytes=99999999999999999999999-", Slice::NotSatisfiable),
            ("bytes=-0", Slice::NotSatisfiable),
            ("bytes=4-2", Slice::Whole),
            ("bytes=a-b", Slice::Whole),
            ("bytes=-", Slice::Whole),
            ("bytes=0-1,3-4", Slice::Whole),
            ("lines=0-4", Slice::Whole),
        ] {
            assert_eq!(parse(range, 10), slice, "{range}");
        }
        assert_eq!(parse("bytes=0-", 0), Slice::NotSatisfiable);
    }

    #[test]
    fn a_revision_that_the_caller_has_is_not_sent_again() {
        let mut headers = HeaderMap::new();
        headers.insert("if-none-match", "\"x\", W/\"abc\"".parse().unwrap());
        let ask = |method, etag| requested(&method, &headers, etag, 10);
        assert_eq!(ask(Method::GET, "W/\"abc\""), Slice::NotModified);
        assert_eq!(ask(Method::GET, "W/\"abd\""), Slice::Whole);
        assert_eq!(ask(Method::POST, "W/\"abc\""), Slice::Whole);
    }
}
