//! Answers as a client reads them.

/// An answer.
#[derive(Debug)]
pub struct Answer<'a> {
    /// Its status.
    pub status: u16,
    /// Its body.
    pub body: &'a [u8],
}

/// The answers on a connection, one after the other. The server gives each a length.
///
/// # Panics
/// What the server said is nothing of the kind.
pub fn answers(mut said: &[u8]) -> Vec<Answer<'_>> {
    let mut answers = Vec::new();
    while !said.is_empty() {
        let end = said.windows(4).position(|bytes| bytes == b"\r\n\r\n");
        let (head, rest) = said.split_at(end.expect("a whole head") + 4);
        let head = str::from_utf8(head).expect("heads are ASCII");
        let status = head
            .strip_prefix("HTTP/1.1 ")
            .or_else(|| head.strip_prefix("HTTP/1.0 "));
        let status = status.and_then(|status| status.get(..3)?.parse().ok());
        let status = status.unwrap_or_else(|| panic!("a status: {head:?}"));
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            let is_length = name.eq_ignore_ascii_case("content-length");
            is_length.then(|| value.trim().parse().expect("a length"))
        });
        // `100 Continue` and what the HTTP library says of an unreadable head have none.
        let (body, rest) = rest.split_at(length.unwrap_or(0));
        assert!(status != 200 || length.is_some(), "no length: {head:?}");
        answers.push(Answer { status, body });
        said = rest;
    }
    answers
}
