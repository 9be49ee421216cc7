//! Blobs as files: `<dir>/<writer>/<random>`.
//!
//! Each process is a writer with a directory of its own, made with its first blob. One blocking
//! task per blob writes and syncs, so the runtime never waits for the disk. A blob is durable
//! when its bytes and its name are: the file is synced, then the directory, then the caller is
//! told, and only then may the metadata refer to it.

use super::{BlobError, BlobStore, BlobWriter, Checksums};
use crate::meta::rows::{Blob, BlobId, BlobPlace};
use crate::sys::Sys;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{mpsc, oneshot};
use tokio::task::spawn_blocking;

/// Pieces on their way to the disk per blob; with frames of at most 400 KiB this bounds the
/// memory of one upload to a few MiB.
const ON_THEIR_WAY: usize = 8;

/// Blobs in a directory.
#[derive(Clone, Debug)]
pub struct LocalBlobs {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    sys: Sys,
    dir: PathBuf,
    writer: Mutex<Writer>,
}

#[derive(Debug)]
struct Writer {
    name: String,
    /// Whether its directory was made.
    made: bool,
}

impl LocalBlobs {
    /// Blobs below this directory, which exists, by a new writer.
    pub fn new(sys: Sys, dir: PathBuf) -> Self {
        let writer = Mutex::new(Writer {
            name: sys.random.name(),
            made: false,
        });
        Self {
            inner: Arc::new(Inner { sys, dir, writer }),
        }
    }
}

impl Inner {
    fn path(&self, id: &BlobId) -> PathBuf {
        self.dir.join(&id.0)
    }

    fn writer(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The directory of a blob, durably there.
    fn directory(&self, id: &BlobId) -> Result<PathBuf, BlobError> {
        let dir = self.dir.join(id.writer());
        let mut writer = self.writer();
        if !writer.made || writer.name != id.writer() {
            self.sys
                .fs
                .create_dir(&dir)
                .map_err(|error| BlobError::io(format!("make {}", dir.display()), &error))?;
            writer.made = writer.name == id.writer();
        }
        Ok(dir)
    }

    fn begin(&self, id: &BlobId) -> Result<Unfinished<'_>, BlobError> {
        let dir = self.directory(id)?;
        let path = self.path(id);
        let file = self
            .sys
            .fs
            .create_file(&path)
            .map_err(|error| BlobError::io(format!("make {}", path.display()), &error))?;
        Ok(Unfinished {
            inner: self,
            dir,
            path,
            file,
            keep: false,
        })
    }
}

/// A file that goes away unless it is finished.
struct Unfinished<'i> {
    inner: &'i Inner,
    dir: PathBuf,
    path: PathBuf,
    file: File,
    keep: bool,
}

impl Unfinished<'_> {
    fn step(&self, doing: &str, outcome: io::Result<()>) -> Result<(), BlobError> {
        outcome.map_err(|error| BlobError::io(format!("{doing} {}", self.path.display()), &error))
    }

    fn append(&self, bytes: &[u8]) -> Result<(), BlobError> {
        let sys = &self.inner.sys;
        self.step("write", sys.failpoints.hit("blob.write"))?;
        self.step("write", sys.fs.append(&self.file, bytes))
    }

    fn keep(mut self) -> Result<(), BlobError> {
        let sys = &self.inner.sys;
        self.step("sync", sys.failpoints.hit("blob.sync"))?;
        self.step("sync", sys.fs.sync_file(&self.file))?;
        self.step("sync the directory of", sys.failpoints.hit("blob.sync_dir"))?;
        self.step("sync the directory of", sys.fs.sync_dir(&self.dir))?;
        self.keep = true;
        Ok(())
    }
}

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        if !self.keep {
            // If it can't be removed now, it is garbage that nothing refers to.
            let _ = self.inner.sys.fs.remove(&self.path);
        }
    }
}

impl BlobStore for LocalBlobs {
    fn create(&self) -> BoxFuture<'_, Result<Box<dyn BlobWriter>, BlobError>> {
        let inner = Arc::clone(&self.inner);
        let id = self.name();
        Box::pin(async move {
            let (pieces, mut coming) = mpsc::channel::<Piece>(ON_THEIR_WAY);
            let (done, outcome) = oneshot::channel();
            let blob = id.clone();
            spawn_blocking(move || {
                let written = write(&inner, &blob, &mut coming);
                // A writer that was dropped doesn't listen.
                let _ = done.send(written);
            });
            Ok(Box::new(LocalWriter {
                id,
                pieces,
                outcome,
            }) as Box<dyn BlobWriter>)
        })
    }

    fn name(&self) -> BlobId {
        BlobId(format!(
            "{}/{}",
            self.writer(),
            self.inner.sys.random.name()
        ))
    }

    fn read(
        &self,
        id: &BlobId,
        offset: u64,
        length: usize,
    ) -> BoxFuture<'_, Result<Bytes, BlobError>> {
        let inner = Arc::clone(&self.inner);
        let id = id.clone();
        in_background(move || read(&inner, &id, offset, length))
    }

    fn writer(&self) -> String {
        self.inner.writer().name.clone()
    }

    fn rename_writer(&self) {
        let name = self.inner.sys.random.name();
        *self.inner.writer() = Writer { name, made: false };
    }

    fn remove(&self, id: &BlobId) -> BoxFuture<'_, Result<(), BlobError>> {
        let inner = Arc::clone(&self.inner);
        let path = inner.path(id);
        in_background(move || match inner.sys.fs.remove(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(BlobError::io(format!("remove {}", path.display()), &error))
            }
            _ => Ok(()),
        })
    }

    fn writers(&self) -> BoxFuture<'_, Result<Vec<String>, BlobError>> {
        let inner = Arc::clone(&self.inner);
        in_background(move || {
            let dir = &inner.dir;
            let names = inner.sys.fs.list(dir);
            names.map_err(|error| BlobError::io(format!("list {}", dir.display()), &error))
        })
    }

    fn list(&self, writer: &str) -> BoxFuture<'_, Result<Vec<BlobId>, BlobError>> {
        let inner = Arc::clone(&self.inner);
        let writer = writer.to_owned();
        in_background(move || {
            let dir = inner.dir.join(&writer);
            let names = match inner.sys.fs.list(&dir) {
                Ok(names) => names,
                // A writer that never made a blob has no directory.
                Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
                Err(error) => {
                    return Err(BlobError::io(format!("list {}", dir.display()), &error));
                }
            };
            let id = |name: String| BlobId(format!("{writer}/{name}"));
            Ok(names.into_iter().map(id).collect())
        })
    }

    fn free_bytes(&self) -> Option<u64> {
        self.inner.sys.fs.free_bytes(&self.inner.dir).ok()
    }
}

/// Does on a thread of its own what waits for the disk.
fn in_background<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, BlobError> + Send + 'static,
) -> BoxFuture<'static, Result<T, BlobError>> {
    Box::pin(async move {
        spawn_blocking(work)
            .await
            .unwrap_or_else(|error| Err(task_failed(&error)))
    })
}

enum Piece {
    Bytes(Bytes),
    /// That was all: a channel that just ends is a writer that was dropped.
    End,
}

fn write(
    inner: &Inner,
    id: &BlobId,
    coming: &mut mpsc::Receiver<Piece>,
) -> Result<Option<Checksums>, BlobError> {
    let file = inner.begin(id)?;
    let mut checksums = Checksums::default();
    loop {
        match coming.blocking_recv() {
            Some(Piece::Bytes(bytes)) => {
                checksums.update(&bytes);
                file.append(&bytes)?;
            }
            Some(Piece::End) => {
                file.keep()?;
                return Ok(Some(checksums));
            }
            None => return Ok(None),
        }
    }
}

fn read(inner: &Inner, id: &BlobId, offset: u64, length: usize) -> Result<Bytes, BlobError> {
    let path = inner.path(id);
    let doing = |path: &Path| format!("read {length} bytes at {offset} of {}", path.display());
    let fs = &inner.sys.fs;
    let file = fs.open(&path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => BlobError::Missing(id.clone()),
        _ => BlobError::io(doing(&path), &error),
    })?;
    let mut buffer = vec![0; length];
    fs.read_at(&file, &mut buffer, offset)
        .map_err(|error| BlobError::io(doing(&path), &error))?;
    Ok(Bytes::from(buffer))
}

fn task_failed(error: &impl ToString) -> BlobError {
    BlobError::Failed {
        doing: "finish a disk task".into(),
        why: error.to_string(),
    }
}

struct LocalWriter {
    id: BlobId,
    pieces: mpsc::Sender<Piece>,
    outcome: oneshot::Receiver<Result<Option<Checksums>, BlobError>>,
}

impl LocalWriter {
    /// Why the task stopped taking pieces.
    async fn failure(&mut self) -> BlobError {
        match (&mut self.outcome).await {
            Ok(Err(error)) => error,
            Ok(Ok(_)) => task_failed(&"the task ended early"),
            Err(error) => task_failed(&error),
        }
    }
}

impl BlobWriter for LocalWriter {
    fn write(&mut self, bytes: Bytes) -> BoxFuture<'_, Result<(), BlobError>> {
        Box::pin(async move {
            match self.pieces.send(Piece::Bytes(bytes)).await {
                Ok(()) => Ok(()),
                Err(_) => Err(self.failure().await),
            }
        })
    }

    fn finish(mut self: Box<Self>) -> BoxFuture<'static, Result<Blob, BlobError>> {
        Box::pin(async move {
            if self.pieces.send(Piece::End).await.is_err() {
                return Err(self.failure().await);
            }
            match self.outcome.await {
                Ok(Ok(Some(checksums))) => Ok(Blob {
                    id: self.id,
                    length: checksums.length(),
                    checksums: checksums.finish(),
                    place: BlobPlace::Stored,
                }),
                Ok(Ok(None)) => Err(task_failed(&"the task ended early")),
                Ok(Err(error)) => Err(error),
                Err(error) => Err(task_failed(&error)),
            }
        })
    }
}
