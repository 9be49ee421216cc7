//! What is known of unfinished uploads, on disk, so that the same command goes on where it was
//! stopped, however it was stopped.
//!
//! One file per upload, which only grows: a line per step, each with its checksum. A line is
//! written after the step that it tells of, so what it says is true, and what a crash cut off is
//! only what will be done again. A file that is in use is locked, and its first-come user is
//! named to whoever comes second.

mod record;

use super::source::{Opened, Source, true_path};
use super::stored::StoredBlocks;
use landfall_protocol::limits::SESSION_LIFE;
use landfall_protocol::path::fold_name;
use landfall_protocol::types::files::CommitInfo;
use landfall_protocol::{BlockDigests, ContentHash, SessionId, Timestamp};
use record::{Header, Record, State};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Seconds before its end of life from which a session isn't trusted to last. Ours.
const MARGIN: u64 = 60 * 60;

/// The directory in which the journals of unfinished uploads lie.
#[derive(Clone, Debug)]
pub struct Journals {
    dir: PathBuf,
    service: String,
}

/// A journal can't be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JournalError {
    /// Another run is at the same upload.
    #[error(
        "process {pid} is uploading {} to {dest} since {since}; wait for it, or stop it and start again",
        source_path.display()
    )]
    Held {
        /// The process.
        pid: u32,
        /// Since when, RFC 3339.
        since: String,
        /// What it uploads.
        source_path: PathBuf,
        /// Where to.
        dest: String,
    },
    /// The directory or the file can't be read or written.
    #[error(
        "can't {doing} {}: {why}; the journal of unfinished uploads is kept there: check it, or choose \
         another state directory",
        path.display()
    )]
    Io {
        /// What was tried.
        doing: &'static str,
        /// Where.
        path: PathBuf,
        /// In the system's words.
        #[source]
        why: io::Error,
    },
    /// No upload has this id.
    #[error("there is no unfinished upload {id}; `landfall uploads list` shows them")]
    Unknown {
        /// The id.
        id: String,
    },
}

/// An upload that was begun and not finished.
#[derive(Clone, Debug)]
pub struct Unfinished {
    /// What it is called in [`Journals::forget`].
    pub id: String,
    /// The service, by the name that [`Journals::new`] was given then.
    pub service: String,
    /// What is uploaded.
    pub source: PathBuf,
    /// How it is to be saved.
    pub commit: CommitInfo,
    /// Bytes in it.
    pub size: u64,
    /// Bytes of it that the session holds.
    pub stored: u64,
    /// When its session began, seconds since 1970; `None`: there is none yet.
    pub begun: Option<u64>,
    /// When the file was last changed, as it was then.
    pub modified: Option<Timestamp>,
    /// The process that is at it now.
    pub held_by: Option<u32>,
}

impl Unfinished {
    /// Whether the session is too old to go on with.
    pub fn is_expired(&self) -> bool {
        self.begun.is_some_and(is_too_old)
    }

    /// How its source is to be saved as it is now: if the file was to keep its own time, it does
    /// so still, whatever that is by now.
    pub fn commit_of(&self, source: &Source) -> CommitInfo {
        let mut commit = self.commit.clone();
        if commit.client_modified.is_some() && commit.client_modified == self.modified {
            commit.client_modified = source.modified();
        }
        commit
    }
}

impl Journals {
    /// The journals in this directory, which is made when the first is written; `service` is
    /// what the far side is called in them: uploads of one name to two services are two.
    pub fn new(dir: impl Into<PathBuf>, service: impl Into<String>) -> Self {
        Self {
            dir: dir.into(),
            service: service.into(),
        }
    }

    /// All unfinished uploads, those to other services too, oldest first.
    ///
    /// # Errors
    /// The directory can't be read. A file that is no journal is passed over.
    pub fn list(&self) -> Result<Vec<Unfinished>, JournalError> {
        let names = match std::fs::read_dir(&self.dir) {
            Ok(names) => names,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(why) => return Err(failed("read", &self.dir, why)),
        };
        let mut found = Vec::new();
        for name in names {
            let path = name.map_err(|why| failed("read", &self.dir, why))?.path();
            let Some(id) = id_of(&path) else { continue };
            let Ok(mut file) = File::open(&path) else {
                continue;
            };
            let Some((state, _)) = load(&mut file) else {
                continue;
            };
            let held = matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock));
            found.push(Unfinished {
                id,
                service: state.header.service,
                source: state.header.identity.path.clone(),
                commit: state.header.commit,
                size: state.stored.size(),
                stored: state.stored.bytes(),
                begun: state.session.map(|(_, begun)| begun),
                modified: state.header.identity.modified.and_then(in_seconds),
                held_by: state.holder.filter(|_| held).map(|(pid, _)| pid),
            });
        }
        found.sort_by_key(|upload| (upload.begun, upload.id.clone()));
        Ok(found)
    }

    /// Forgets an unfinished upload; what the service holds of it expires there by itself.
    ///
    /// # Errors
    /// There is none of this id, another process is at it, or its file can't be removed.
    pub fn forget(&self, id: &str) -> Result<(), JournalError> {
        match lock(&self.path(id), false)? {
            Some(locked) => locked.remove(),
            None => Err(JournalError::Unknown { id: id.to_owned() }),
        }
    }

    /// Forgets what an earlier run left of an upload whose bytes turned out to be at their place.
    /// Blocks.
    ///
    /// # Errors
    /// Another run is at it, or its file can't be removed; that it doesn't exist is none.
    pub fn settle(&self, source: &Path, commit: &CommitInfo) -> Result<(), JournalError> {
        let id = id(&self.service, commit, &true_path(source));
        lock(&self.path(&id), false)?.map_or(Ok(()), Locked::remove)
    }

    /// The same for many uploads. Nothing has to be known of those that can't be forgotten. Blocks.
    pub(super) fn settle_all<'a>(&self, uploads: impl Iterator<Item = (&'a Path, &'a CommitInfo)>) {
        let is_empty = match std::fs::read_dir(&self.dir) {
            Ok(mut names) => names.next().is_none(),
            Err(_) => true,
        };
        if !is_empty {
            uploads.for_each(|(source, commit)| drop(self.settle(source, commit)));
        }
    }

    /// The journal of this upload, found or made, and locked until it is dropped.
    pub(super) fn open(
        &self,
        source: &Opened,
        commit: &CommitInfo,
    ) -> Result<(Journal, Left), JournalError> {
        let header = Header {
            service: self.service.clone(),
            identity: source.identity().into(),
            commit: commit.clone(),
        };
        let id = id(&self.service, commit, &header.identity.path);
        make_dir(&self.dir).map_err(|why| failed("make", &self.dir, why))?;
        let path = self.path(&id);
        let locked = loop {
            if let Some(locked) = lock(&path, true)? {
                break locked;
            }
        };
        let found = match &locked.state {
            None => Left::Nothing,
            Some(state) if state.header.identity != header.identity => Left::Changed,
            Some(State { session: None, .. }) => Left::Nothing,
            Some(State {
                session: Some((_, begun)),
                ..
            }) if is_too_old(*begun) => Left::Expired,
            Some(_) => Left::Stored,
        };
        let (mut journal, begin) = match (found, locked) {
            (
                Left::Stored,
                Locked {
                    file,
                    path,
                    state: Some(state),
                    ..
                },
            ) => {
                // The same bytes, to be saved in another way perhaps: the last header counts.
                let begin = state.header != header;
                (Journal { state, file, path }, begin)
            }
            (_, Locked { file, path, .. }) => {
                cut(&file, &path, 0)?;
                let state = State::new(header.clone());
                (Journal { state, file, path }, true)
            }
        };
        if begin {
            journal.write(&Record::Begin(Box::new(header)))?;
        }
        journal.write(&Record::Holder {
            pid: std::process::id(),
            since: now(),
        })?;
        Ok((journal, found))
    }

    fn path(&self, id: &str) -> PathBuf {
        self.dir.join(format!("{id}{SUFFIX}"))
    }
}

const SUFFIX: &str = ".journal";

fn id_of(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str()?;
    name.strip_suffix(SUFFIX).map(str::to_owned)
}

/// What an upload is known by: from where, to which service and place. How a conflict is to be
/// solved is not part of it: the bytes are the same.
fn id(service: &str, commit: &CommitInfo, source: &Path) -> String {
    let mut text = Vec::new();
    text.extend_from_slice(service.as_bytes());
    text.push(0);
    text.extend_from_slice(fold_name(commit.path.as_str()).as_bytes());
    text.push(0);
    text.extend_from_slice(source.as_os_str().as_encoded_bytes());
    let mut id = ContentHash::of(&text).to_string();
    id.truncate(12);
    id
}

fn is_too_old(begun: u64) -> bool {
    now() + MARGIN > begun + SESSION_LIFE
}

fn in_seconds((seconds, _): (u64, u32)) -> Option<Timestamp> {
    let seconds = i64::try_from(seconds).ok()?;
    Some(Timestamp::from_unix_seconds(seconds))
}

/// Seconds since 1970.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

fn failed(doing: &'static str, path: &Path, why: io::Error) -> JournalError {
    JournalError::Io {
        doing,
        path: path.to_owned(),
        why,
    }
}

/// Only the user reads what is uploaded where.
fn make_dir(dir: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir)
}

/// A journal's file, locked, and what it says.
struct Locked {
    file: File,
    path: PathBuf,
    state: Option<State>,
}

impl Locked {
    fn remove(self) -> Result<(), JournalError> {
        remove(&self.path)
    }
}

/// Locks a journal's file; `None`: it is not there, or went away meanwhile.
fn lock(path: &Path, make: bool) -> Result<Option<Locked>, JournalError> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(make);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = match options.open(path) {
        Ok(file) => file,
        Err(error) if !make && error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(why) => return Err(failed("open", path, why)),
    };
    match try_lock(&file) {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            return Err(held(path, load(&mut file).map(|(state, _)| state)));
        }
        Err(TryLockError::Error(why)) => return Err(failed("lock", path, why)),
    }
    if !is_at(&file, path) {
        return Ok(None);
    }
    let (state, length) = match load(&mut file) {
        Some((state, length)) => (Some(state), length),
        None => (None, 0),
    };
    // What a crash cut off is no line, and the next would be glued to it.
    cut(&file, path, length)?;
    Ok(Some(Locked {
        file,
        path: path.to_owned(),
        state,
    }))
}

/// Whoever lists the journals holds each for a moment, to see whether it is in use.
fn try_lock(file: &File) -> Result<(), TryLockError> {
    for _ in 0..10 {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(10)),
            outcome => return outcome,
        }
    }
    file.try_lock()
}

/// Somebody else has the lock; who says so has not always written its name yet.
fn held(path: &Path, state: Option<State>) -> JournalError {
    let (source_path, dest) = match &state {
        Some(State { header, .. }) => {
            let dest = header.commit.path.as_str().to_owned();
            (header.identity.path.clone(), dest)
        }
        None => (path.to_owned(), "the same place".to_owned()),
    };
    let (pid, since) = state.and_then(|state| state.holder).unwrap_or((0, now()));
    JournalError::Held {
        pid,
        since: record::shown(since),
        source_path,
        dest,
    }
}

fn cut(mut file: &File, path: &Path, length: u64) -> Result<(), JournalError> {
    file.set_len(length)
        .and_then(|()| file.seek(SeekFrom::Start(length)))
        .map(drop)
        .map_err(|why| failed("write", path, why))
}

fn remove(path: &Path) -> Result<(), JournalError> {
    match std::fs::remove_file(path) {
        Err(why) if why.kind() != io::ErrorKind::NotFound => Err(failed("remove", path, why)),
        _ => Ok(()),
    }
}

/// Whether the open file is still the one at the path: who had the lock before may have removed
/// it.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    match (file.metadata(), std::fs::metadata(path)) {
        (Ok(open), Ok(there)) => (open.dev(), open.ino()) == (there.dev(), there.ino()),
        _ => false,
    }
}

#[cfg(not(unix))]
fn is_at(_: &File, path: &Path) -> bool {
    path.exists()
}

/// What the whole lines of a journal say, and their length in bytes.
fn load(file: &mut File) -> Option<(State, u64)> {
    let mut text = Vec::new();
    file.seek(SeekFrom::Start(0)).ok()?;
    file.read_to_end(&mut text).ok()?;
    let mut state: Option<State> = None;
    let mut length = 0;
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        let Some(record) = Record::parse(line) else {
            break;
        };
        state = match (state, record) {
            (None, Record::Begin(header)) => Some(State::new(*header)),
            (None, _) => return None,
            (Some(mut state), record) => {
                state.apply(record);
                Some(state)
            }
        };
        length += line.len() as u64;
    }
    state.map(|state| (state, length))
}

/// What an earlier run left of an upload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Left {
    /// There was none, or it came to nothing.
    Nothing,
    /// There is something to go on with.
    Stored,
    /// The file is another one by now.
    Changed,
    /// The session is too old.
    Expired,
}

/// The journal of one upload, locked.
#[derive(Debug)]
pub(super) struct Journal {
    state: State,
    file: File,
    path: PathBuf,
}

impl Journal {
    /// The session, if one was begun.
    pub(super) fn session(&self) -> Option<&SessionId> {
        self.state.session.as_ref().map(|(session, _)| session)
    }

    /// What the session holds.
    pub(super) fn stored(&self) -> &StoredBlocks {
        &self.state.stored
    }

    pub(super) fn is_closed(&self) -> bool {
        self.state.closed
    }

    /// Whether a finish with this commit was sent, and may have been carried out. One with
    /// another commit says nothing of this: if it was, the session is gone.
    pub(super) fn is_finishing(&self, commit: &CommitInfo) -> bool {
        self.state.finishing.contains(commit)
    }

    /// A session was begun; nothing of an older one counts.
    pub(super) fn began(&mut self, session: &SessionId) -> Result<(), JournalError> {
        self.write(&Record::Session {
            id: session.clone(),
            begun: now(),
        })
    }

    /// The session holds the blocks from this one on, with these digests.
    pub(super) fn add(&mut self, first: usize, digests: &BlockDigests) -> Result<(), JournalError> {
        self.write(&Record::Stored {
            first,
            digests: digests.clone(),
        })
    }

    pub(super) fn closed(&mut self) -> Result<(), JournalError> {
        self.write(&Record::Closed)
    }

    /// A finish with this commit is about to be sent.
    pub(super) fn finishing(&mut self, commit: &CommitInfo) -> Result<(), JournalError> {
        self.write(&Record::Finishing(Box::new(commit.clone())))?;
        // Lost, it would make the next run sure of what it can't be.
        self.file
            .sync_data()
            .map_err(|why| failed("write", &self.path, why))
    }

    /// The finish was refused, and the session is as before.
    pub(super) fn refused(&mut self) -> Result<(), JournalError> {
        self.write(&Record::Refused)
    }

    /// The upload is over.
    pub(super) fn remove(self) -> Result<(), JournalError> {
        remove(&self.path)
    }

    fn write(&mut self, record: &Record) -> Result<(), JournalError> {
        self.state.apply(record.clone());
        // One call: a line is there whole, or cut off at the end of the file.
        let line = record.line();
        self.file
            .write_all(&line)
            .map_err(|why| failed("write", &self.path, why))
    }
}

#[cfg(test)]
mod tests;
