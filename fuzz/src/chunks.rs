//! Chunked bodies (RFC 9112, section 7.1), told a second time.

/// A whole chunked body at the beginning of some bytes.
#[derive(Debug, PartialEq, Eq)]
pub struct Chunked<'a> {
    /// The data.
    pub body: Vec<u8>,
    /// What comes after it.
    pub rest: &'a [u8],
    /// Whether it follows the grammar to the letter, so that everybody must take it. What
    /// doesn't may be refused; if it is taken, then as this.
    pub regular: bool,
}

/// Trailers that everybody must take.
const TRAILERS: usize = 50;

/// Reads a chunked body; `None`: it is not whole, or none.
pub fn decode(mut rest: &[u8]) -> Option<Chunked<'_>> {
    let mut body = Vec::new();
    let mut regular = true;
    loop {
        let head = line(&mut rest)?;
        let digits = head.iter().take_while(|byte| byte.is_ascii_hexdigit());
        let (digits, extension) = head.split_at(digits.count());
        regular &= digits.len() <= 16 && is_extension(extension);
        let size = size(digits)?;
        if !is_blank(extension) {
            return None;
        }
        if size == 0 {
            break;
        }
        let (data, after) = rest.split_at_checked(usize::try_from(size).ok()?)?;
        body.extend_from_slice(data);
        rest = after.strip_prefix(b"\r\n")?;
    }
    let mut trailers = 0;
    loop {
        let trailer = line(&mut rest)?;
        if trailer.is_empty() {
            break;
        }
        trailers += 1;
        regular &= is_field(trailer) && trailers <= TRAILERS;
    }
    Some(Chunked {
        body,
        rest,
        regular,
    })
}

/// The bytes before the next CRLF.
fn line<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let end = rest.windows(2).position(|bytes| bytes == b"\r\n")?;
    let line = &rest[..end];
    *rest = &rest[end + 2..];
    Some(line)
}

fn size(digits: &[u8]) -> Option<u64> {
    let text = str::from_utf8(digits).ok()?;
    let significant = text.trim_start_matches('0');
    match (text, significant) {
        ("", _) => None,
        (_, "") => Some(0),
        _ => u64::from_str_radix(significant, 16).ok(),
    }
}

/// Nothing but white space before the extensions, and no line break in them that somebody else
/// could take for the end.
fn is_blank(extension: &[u8]) -> bool {
    let rest = extension.trim_ascii_start();
    let blank = &extension[..extension.len() - rest.len()];
    blank.iter().all(|byte| matches!(byte, b' ' | b'\t'))
        && (rest.is_empty() || rest[0] == b';')
        && !extension.contains(&b'\n')
        && !extension.contains(&b'\r')
}

/// `;name` or `;name=value`, again and again, without white space and quotes.
fn is_extension(extension: &[u8]) -> bool {
    let Some(extensions) = extension.strip_prefix(b";") else {
        return extension.is_empty();
    };
    extensions.split(|byte| *byte == b';').all(|one| {
        let mut parts = one.splitn(2, |byte| *byte == b'=');
        parts.all(|part| !part.is_empty() && part.iter().all(is_token))
    })
}

/// `name: value` of plain characters.
fn is_field(line: &[u8]) -> bool {
    let colon = line.iter().position(|byte| *byte == b':');
    let (name, value) = line.split_at(colon.unwrap_or(line.len()));
    let visible = |byte: &u8| matches!(byte, b' '..=b'~');
    !name.is_empty() && name.iter().all(is_token) && !value.is_empty() && value.iter().all(visible)
}

fn is_token(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte)
}
