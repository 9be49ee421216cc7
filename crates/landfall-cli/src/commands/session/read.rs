//! Reads what goes into one request.

use crate::exit::{Exit, Fail, Result};
use bytes::Bytes;
use landfall_protocol::limits;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// The bytes of several files, one after the other.
pub(super) struct Body {
    pub(super) bytes: Bytes,
    /// How many are of each file.
    pub(super) lengths: Vec<u64>,
}

/// Reads files, and all together one byte more than a request may carry at the most: the
/// library then refuses them by their number.
pub(super) async fn all(paths: Vec<PathBuf>) -> Result<Body> {
    let reading = tokio::task::spawn_blocking(move || {
        let mut bytes = Vec::new();
        let mut lengths = Vec::new();
        for path in paths {
            let before = bytes.len() as u64;
            let most = limits::REQUEST_BODY + 1 - before;
            let read = append(&path, most, &mut bytes).map_err(|error| {
                Fail::new(
                    Exit::Source,
                    format_args!("can't read {}", path.display()),
                    error,
                )
            });
            read?;
            lengths.push(bytes.len() as u64 - before);
        }
        Ok(Body {
            bytes: bytes.into(),
            lengths,
        })
    });
    let read = reading.await;
    read.map_err(|_| Fail::new(Exit::Other, "can't read", "the reader stopped; try again"))?
}

fn append(path: &Path, most: u64, bytes: &mut Vec<u8>) -> io::Result<()> {
    if path.as_os_str() == "-" {
        io::stdin().take(most).read_to_end(bytes)?;
        return Ok(());
    }
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("not a regular file; name a file"));
    }
    File::open(path)?.take(most).read_to_end(bytes)?;
    Ok(())
}
