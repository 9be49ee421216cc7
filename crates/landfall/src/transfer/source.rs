//! Where an upload's bytes come from.

use super::blocking::blocking;
use bytes::{Bytes, BytesMut};
use landfall_protocol::hash::BodyHasher;
use landfall_protocol::{ContentHash, ContentHasher, Timestamp};
use std::fs::{File, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// The content of an upload.
pub struct Source(pub(super) Kind);

pub(super) enum Kind {
    File(Opened),
    Stream {
        name: String,
        reader: Box<dyn AsyncRead + Send + Unpin>,
    },
}

/// A file and what it looked like when it was opened.
pub(super) struct Opened {
    file: File,
    path: PathBuf,
    size: u64,
    modified: Option<SystemTime>,
    inode: Option<(u64, u64)>,
}

/// What a file is known by from one run to the next: if any of it differs, it is not the same
/// file with the same content. A change that leaves all of it alone can't be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) path: PathBuf,
    pub(super) size: u64,
    /// Time of the last change, as fine as the file system has it.
    pub(super) modified: Option<SystemTime>,
    /// Device and inode, where there are such.
    pub(super) inode: Option<(u64, u64)>,
}

/// The content can't be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// The file can't be opened or read.
    #[error("can't read {}: {why}; check that it is there and that you may read it", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// In the system's words.
        #[source]
        why: io::Error,
    },
    /// It is a folder, a device or a pipe.
    #[error("can't upload {}: it is {what}, not a regular file; name a file", path.display())]
    NotAFile {
        /// The place.
        path: PathBuf,
        /// What it is.
        what: &'static str,
    },
    /// The file changed between the first byte and the last.
    #[error("{} changed while it was read; upload again when nothing writes to it", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// A stream broke off with an error.
    #[error("can't read {name}: {why}; repair what writes it and start again")]
    Stream {
        /// What the stream is called.
        name: String,
        /// In the system's words.
        #[source]
        why: io::Error,
    },
}

/// Another way to the same file is no other file; and a relative one means another file in
/// another directory.
pub(super) fn true_path(path: &Path) -> PathBuf {
    std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

impl Source {
    /// A regular file; symlinks are followed. Blocks for as long as opening takes.
    ///
    /// # Errors
    /// The file can't be opened or is no regular file. A pipe is refused without waiting for
    /// its writer.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, SourceError> {
        Opened::new(path.into()).map(|opened| Self(Kind::File(opened)))
    }

    /// Any stream of bytes, of a length that need not be known, such as standard input; `name`
    /// is what messages call it.
    pub fn stream(
        name: impl Into<String>,
        reader: impl AsyncRead + Send + Unpin + 'static,
    ) -> Self {
        Self(Kind::Stream {
            name: name.into(),
            reader: Box::new(reader),
        })
    }

    /// Bytes, if that is known before reading.
    pub fn size(&self) -> Option<u64> {
        match &self.0 {
            Kind::File(opened) => Some(opened.size),
            Kind::Stream { .. } => None,
        }
    }

    /// When the file was last changed, in whole seconds; `None` for streams.
    pub fn modified(&self) -> Option<Timestamp> {
        match &self.0 {
            Kind::File(opened) => opened.modified.map(whole_seconds),
            Kind::Stream { .. } => None,
        }
    }

    /// Begins to read in chunks of this many bytes, one ahead of the consumer.
    pub(super) fn pieces(self, chunk: usize) -> Pieces {
        // One slot, reserved before a chunk is read: the consumer's chunk and the one read
        // ahead are all that is ever in memory.
        let (slot, pieces) = mpsc::channel(1);
        let reader = match self.0 {
            Kind::File(opened) => tokio::spawn(read_file(opened, chunk, slot)),
            Kind::Stream { name, reader } => tokio::spawn(read_stream(name, reader, chunk, slot)),
        };
        Pieces { pieces, reader }
    }
}

/// The content hash of a regular file, and its size. Blocks until the file is read.
///
/// # Errors
/// As for an upload: unreadable, no file, or changed meanwhile.
pub fn hash_file(path: &Path) -> Result<(u64, ContentHash), SourceError> {
    const STEP: usize = 1024 * 1024;
    let opened = Opened::new(path.to_owned())?;
    let mut hasher = ContentHasher::new();
    let mut buffer = vec![0; STEP];
    while hasher.length() < opened.size {
        let rest = usize::try_from(opened.size - hasher.length()).unwrap_or(STEP);
        let take = STEP.min(rest);
        opened.read(&mut buffer[..take], hasher.length())?;
        hasher.update(&buffer[..take]);
    }
    opened.check_unchanged()?;
    Ok((opened.size, hasher.finish()))
}

impl Opened {
    pub(super) fn new(path: PathBuf) -> Result<Self, SourceError> {
        let unreadable = |why| SourceError::Unreadable {
            path: path.clone(),
            why,
        };
        // Looked at before it is opened: opening a pipe would wait for its writer.
        let before = std::fs::metadata(&path).map_err(unreadable)?;
        if let Some(what) = not_a_file(&before) {
            return Err(SourceError::NotAFile { path, what });
        }
        let file = File::open(&path).map_err(unreadable)?;
        let now = file.metadata().map_err(unreadable)?;
        if let Some(what) = not_a_file(&now) {
            return Err(SourceError::NotAFile { path, what });
        }
        Ok(Self {
            file,
            size: now.len(),
            modified: now.modified().ok(),
            inode: inode(&now),
            path,
        })
    }

    pub(super) fn size(&self) -> u64 {
        self.size
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn identity(&self) -> Identity {
        Identity {
            path: true_path(&self.path),
            size: self.size,
            modified: self.modified,
            inode: self.inode,
        }
    }

    /// Fills the buffer from the offset.
    pub(super) fn read(&self, buffer: &mut [u8], offset: u64) -> Result<(), SourceError> {
        read_exact_at(&self.file, buffer, offset).map_err(|why| match why.kind() {
            io::ErrorKind::UnexpectedEof => self.changed(),
            _ => SourceError::Unreadable {
                path: self.path.clone(),
                why,
            },
        })
    }

    /// Whether the file still looks as it did when it was opened.
    pub(super) fn check_unchanged(&self) -> Result<(), SourceError> {
        let now = self
            .file
            .metadata()
            .map_err(|why| SourceError::Unreadable {
                path: self.path.clone(),
                why,
            })?;
        if now.len() == self.size && now.modified().ok() == self.modified {
            Ok(())
        } else {
            Err(self.changed())
        }
    }

    fn changed(&self) -> SourceError {
        SourceError::Changed {
            path: self.path.clone(),
        }
    }
}

#[cfg(unix)]
fn inode(metadata: &Metadata) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    Some((metadata.dev(), metadata.ino()))
}

#[cfg(not(unix))]
fn inode(_: &Metadata) -> Option<(u64, u64)> {
    None
}

fn not_a_file(metadata: &Metadata) -> Option<&'static str> {
    if metadata.is_file() {
        None
    } else if metadata.is_dir() {
        Some("a folder")
    } else {
        Some("a device, pipe or socket")
    }
}

#[cfg(unix)]
fn read_exact_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, buffer, offset)
}

#[cfg(not(unix))]
fn read_exact_at(mut file: &File, buffer: &mut [u8], offset: u64) -> io::Result<()> {
    use std::io::{Read, Seek, SeekFrom};
    file.seek(SeekFrom::Start(offset))?;
    file.read_exact(buffer)
}

pub(super) fn whole_seconds(time: SystemTime) -> Timestamp {
    let seconds = match time.duration_since(UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_secs()),
        // Rounded down as well: 0.5 s before 1970 is second -1.
        Err(before) => {
            let before = before.duration();
            let whole = before.as_secs() + u64::from(before.subsec_nanos() > 0);
            i64::try_from(whole).map(|seconds| -seconds)
        }
    };
    Timestamp::from_unix_seconds(seconds.unwrap_or(i64::MAX))
}

/// Consecutive bytes of a source.
#[derive(Debug)]
pub(super) struct Piece {
    /// Where they begin.
    pub(super) offset: u64,
    pub(super) data: Bytes,
    /// Their own hash.
    pub(super) hash: ContentHash,
    /// On the last piece: the hash of the whole content.
    pub(super) whole: Option<ContentHash>,
}

impl Piece {
    pub(super) fn end(&self) -> u64 {
        self.offset + self.data.len() as u64
    }
}

/// A source being read.
pub(super) struct Pieces {
    pieces: mpsc::Receiver<Result<Piece, SourceError>>,
    reader: JoinHandle<()>,
}

impl Pieces {
    /// The next piece; there is at least one, and the last says that it is.
    pub(super) async fn next(&mut self) -> Result<Piece, SourceError> {
        self.pieces.recv().await.unwrap_or_else(|| {
            Err(SourceError::Stream {
                name: "the source".to_owned(),
                why: io::Error::other("its reader stopped"),
            })
        })
    }
}

impl Drop for Pieces {
    fn drop(&mut self) {
        // A stream may be waiting for bytes that never come.
        self.reader.abort();
    }
}

type Slot = mpsc::Sender<Result<Piece, SourceError>>;

async fn read_file(opened: Opened, chunk: usize, slot: Slot) {
    let mut opened = opened;
    let mut hasher = ContentHasher::new();
    while let Ok(permit) = slot.reserve().await {
        let (back, piece) = blocking(move || {
            let piece = file_piece(&opened, chunk, hasher);
            (opened, piece)
        })
        .await;
        opened = back;
        match piece {
            Ok((piece, next)) => {
                hasher = next;
                let last = piece.whole.is_some();
                permit.send(Ok(piece));
                if last {
                    return;
                }
            }
            Err(error) => return permit.send(Err(error)),
        }
    }
}

fn file_piece(
    opened: &Opened,
    chunk: usize,
    hasher: ContentHasher,
) -> Result<(Piece, ContentHasher), SourceError> {
    let offset = hasher.length();
    let rest = opened.size - offset;
    let take = usize::try_from(rest).map_or(chunk, |rest| rest.min(chunk));
    let mut data = BytesMut::zeroed(take);
    opened.read(&mut data, offset)?;
    let last = take as u64 == rest;
    if last {
        opened.check_unchanged()?;
    }
    Ok(piece(data.freeze(), hasher, last))
}

async fn read_stream(
    name: String,
    mut reader: Box<dyn AsyncRead + Send + Unpin>,
    chunk: usize,
    slot: Slot,
) {
    let mut hasher = ContentHasher::new();
    while let Ok(permit) = slot.reserve().await {
        let mut data = BytesMut::with_capacity(chunk.min(FIRST_BUFFER));
        let read = fill(&mut reader, &mut data, chunk).await;
        if let Err(why) = read {
            return permit.send(Err(SourceError::Stream { name, why }));
        }
        let last = data.len() < chunk;
        let (piece, next) = blocking(move || piece(data.freeze(), hasher, last)).await;
        hasher = next;
        permit.send(Ok(piece));
        if last {
            return;
        }
    }
}

/// Memory taken for a stream before its first byte: most streams are short.
const FIRST_BUFFER: usize = 64 * 1024;

/// Reads until the buffer holds `size` bytes or the stream ends.
async fn fill(
    reader: &mut (dyn AsyncRead + Send + Unpin),
    data: &mut BytesMut,
    size: usize,
) -> io::Result<()> {
    while data.len() < size {
        let room = (size - data.len()) as u64;
        if reader.take(room).read_buf(data).await? == 0 {
            break;
        }
    }
    Ok(())
}

fn piece(data: Bytes, hasher: ContentHasher, last: bool) -> (Piece, ContentHasher) {
    let offset = hasher.length();
    // Hashes the piece and the whole in one go where the piece begins with a block.
    let mut both = BodyHasher::new(hasher, true);
    both.update(&data);
    let hash = both.body_hash().unwrap_or_else(|| ContentHash::of(&data));
    let hasher = both.into_session();
    let piece = Piece {
        offset,
        data,
        hash,
        whole: last.then(|| hasher.finish()),
    };
    (piece, hasher)
}

#[cfg(test)]
mod tests {
    use super::{Piece, Source, SourceError, hash_file, whole_seconds};
    use landfall_protocol::ContentHash;
    use std::io::Write;
    use std::time::{Duration, UNIX_EPOCH};

    async fn all(source: Source, chunk: usize) -> Result<Vec<Piece>, SourceError> {
        let mut pieces = source.pieces(chunk);
        let mut out = Vec::new();
        while out.last().is_none_or(|piece: &Piece| piece.whole.is_none()) {
            out.push(pieces.next().await?);
        }
        Ok(out)
    }

    fn check(pieces: &[Piece], content: &[u8]) {
        let mut at = 0;
        for piece in pieces {
            assert_eq!(piece.offset, at);
            let end = usize::try_from(piece.end()).unwrap();
            let begin = usize::try_from(at).unwrap();
            assert_eq!(piece.data, content[begin..end]);
            assert_eq!(piece.hash, ContentHash::of(&piece.data));
            at = piece.end();
        }
        let (last, rest) = pieces.split_last().unwrap();
        assert_eq!(at, content.len() as u64);
        assert_eq!(last.whole, Some(ContentHash::of(content)));
        assert!(rest.iter().all(|piece| piece.whole.is_none()));
    }

    #[tokio::test]
    async fn files_and_streams_come_in_pieces_whatever_their_size() {
        for size in [0, 1, 7, 8, 9, 16, 20] {
            let content: Vec<u8> = (0..size).collect();
            let mut file = tempfile::NamedTempFile::new().unwrap();
            file.write_all(&content).unwrap();
            let source = Source::open(file.path()).unwrap();
            assert_eq!(source.size(), Some(u64::from(size)));
            check(&all(source, 8).await.unwrap(), &content);
            assert_eq!(
                hash_file(file.path()).unwrap(),
                (u64::from(size), ContentHash::of(&content))
            );

            let stream = Source::stream("input", std::io::Cursor::new(content.clone()));
            check(&all(stream, 8).await.unwrap(), &content);
        }
    }

    #[tokio::test]
    async fn a_file_that_grows_or_shrinks_is_not_taken_for_whole() {
        for size in [4, 40] {
            let mut file = tempfile::NamedTempFile::new().unwrap();
            file.write_all(&[1; 20]).unwrap();
            let source = Source::open(file.path()).unwrap();
            file.as_file().set_len(size).unwrap();
            let error = all(source, 8).await.unwrap_err();
            assert!(matches!(error, SourceError::Changed { .. }), "{error}");
        }
    }

    #[tokio::test]
    async fn a_file_overwritten_in_place_is_noticed() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(&[1; 20]).unwrap();
        let source = Source::open(file.path()).unwrap();
        let later = UNIX_EPOCH + Duration::from_secs(5);
        file.as_file().set_modified(later).unwrap();
        let error = all(source, 64).await.unwrap_err();
        assert!(matches!(error, SourceError::Changed { .. }), "{error}");
    }

    #[test]
    fn folders_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let error = Source::open(folder.path()).err().unwrap();
        assert!(matches!(
            error,
            SourceError::NotAFile {
                what: "a folder",
                ..
            }
        ));
    }

    #[test]
    fn times_are_cut_to_whole_seconds() {
        let seconds = |time| whole_seconds(time).unix_seconds();
        assert_eq!(seconds(UNIX_EPOCH + Duration::from_millis(1999)), 1);
        assert_eq!(seconds(UNIX_EPOCH - Duration::from_millis(500)), -1);
    }
}
