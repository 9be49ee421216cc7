//! Blobs as files: `<dir>/<writer>/<random>`.
//!
//! Each process is a writer with a directory of its own, made with its first blob. One blocking
//! task per blob writes and syncs, so the runtime never waits for the disk. Bytes are handed to
//! it, and by it to the system, in large batches, and the system begins to write them to the disk
//! while more are coming. A blob is durable when its bytes and its name are: the file is synced,
//! then the directory, by a sync that all who wait for it share; then the caller is told, and
//! only then may the metadata refer to it.

use super::{BlobError, BlobStore, BlobWriter, Checksums};
use crate::meta::rows::{Blob, BlobId, BlobPlace};
use crate::sys::{Point, SharedSync, Space, Sys};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::task::spawn_blocking;

/// Bytes that are gathered before they are handed to the disk's task: a wake-up and a system
/// call for each frame of a connection (16 KiB under HTTP/2) would cost more than the copy.
const BATCH: usize = 512 * 1024;

/// Batches of one blob on their way to the disk.
const ON_THEIR_WAY: usize = 4;

/// Bytes of all blobs on their way to the disk, in KiB: if it is slow, uploads wait here, each
/// holding no more than the batch it gathers.
const ALL_ON_THEIR_WAY: usize = 128 * 1024;

/// Bytes after which the system is asked to begin writing them to the disk.
const WRITE_BACK: u64 = 8 * 1024 * 1024;

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
    /// See [`ALL_ON_THEIR_WAY`].
    on_their_way: Arc<Semaphore>,
}

#[derive(Debug)]
struct Writer {
    name: String,
    /// Whether its directory was made.
    made: bool,
    /// The syncs of its directory.
    syncs: Arc<SharedSync>,
}

impl Writer {
    fn new(sys: &Sys) -> Self {
        Self {
            name: sys.random.name(),
            made: false,
            syncs: Arc::default(),
        }
    }
}

/// Where a blob goes. The syncs come with the name: once one of them failed, no name that was
/// given before is durable, whenever its file is made.
struct Place {
    id: BlobId,
    syncs: Arc<SharedSync>,
}

impl LocalBlobs {
    /// Blobs below this directory, which exists, by a new writer.
    pub fn new(sys: Sys, dir: PathBuf) -> Self {
        let inner = Inner {
            writer: Mutex::new(Writer::new(&sys)),
            on_their_way: Arc::new(Semaphore::new(ALL_ON_THEIR_WAY)),
            sys,
            dir,
        };
        Self {
            inner: Arc::new(inner),
        }
    }
}

impl LocalBlobs {
    /// Begins a blob of this name, which is another writer's: a copy. Its directory is synced
    /// for it alone.
    pub fn create_as(&self, id: BlobId) -> Box<dyn BlobWriter> {
        self.create_at(Place {
            id,
            syncs: Arc::default(),
        })
    }

    /// A new name of the current writer.
    fn place(&self) -> Place {
        let writer = self.inner.writer();
        Place {
            id: BlobId(format!("{}/{}", writer.name, self.inner.sys.name())),
            syncs: Arc::clone(&writer.syncs),
        }
    }

    fn create_at(&self, place: Place) -> Box<dyn BlobWriter> {
        let inner = Arc::clone(&self.inner);
        let (batches, mut coming) = mpsc::channel(ON_THEIR_WAY);
        let (done, outcome) = oneshot::channel();
        let (id, on_their_way) = (place.id.clone(), Arc::clone(&inner.on_their_way));
        spawn_blocking(move || {
            let written = write(&inner, place, &mut coming);
            // A writer that was dropped doesn't listen, and the file goes with the answer.
            let _ = done.send(written);
        });
        Box::new(LocalWriter {
            id,
            batch: Vec::new(),
            gathered: 0,
            on_their_way,
            batches,
            outcome,
        })
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
        let current = writer.name == id.writer();
        if !writer.made || !current {
            let point = self.sys.failpoints.hit(Point::BlobMakeDir);
            point
                .map_err(io::Error::from)
                .and_then(|()| self.sys.fs.create_dir(&dir))
                .map_err(|error| BlobError::io(format!("make {}", dir.display()), &error))?;
            writer.made = current;
        }
        Ok(dir)
    }

    /// Goes on under another name.
    fn rename(&self, old: &str) {
        let mut writer = self.writer();
        // Of several that found out, only the first changes it.
        if writer.name == old {
            *writer = Writer::new(&self.sys);
        }
    }

    fn begin(self: &Arc<Self>, Place { id, syncs }: Place) -> Result<Unfinished, BlobError> {
        let dir = self.directory(&id)?;
        let path = self.path(&id);
        let point = self.sys.failpoints.hit(Point::BlobCreate);
        let file = point
            .map_err(io::Error::from)
            .and_then(|()| self.sys.fs.create_file(&path))
            .map_err(|error| BlobError::io(format!("make {}", path.display()), &error))?;
        Ok(Unfinished {
            inner: Arc::clone(self),
            writer: id.writer().to_owned(),
            dir,
            syncs,
            path,
            file,
            length: 0,
            keep: false,
        })
    }
}

/// A file that goes away unless somebody keeps it.
struct Unfinished {
    inner: Arc<Inner>,
    writer: String,
    dir: PathBuf,
    syncs: Arc<SharedSync>,
    path: PathBuf,
    file: File,
    length: u64,
    keep: bool,
}

impl Unfinished {
    fn step(
        &self,
        doing: &str,
        outcome: Result<(), impl Into<io::Error>>,
    ) -> Result<(), BlobError> {
        let doing = || format!("{doing} {}", self.path.display());
        outcome.map_err(|error| BlobError::io(doing(), &error.into()))
    }

    fn append(&mut self, batch: &[Bytes]) -> Result<(), BlobError> {
        let sys = &self.inner.sys;
        self.step("write", sys.failpoints.hit(Point::BlobWrite))?;
        self.step("write", sys.fs.append(&self.file, batch))?;
        let before = self.length;
        self.length += batch.iter().map(|bytes| bytes.len() as u64).sum::<u64>();
        let (from, to) = (before / WRITE_BACK, self.length / WRITE_BACK);
        if to > from {
            let (from, to) = (from * WRITE_BACK, to * WRITE_BACK);
            sys.fs.begin_write_back(&self.file, from, to - from);
        }
        Ok(())
    }

    /// Makes bytes and name survive power loss.
    fn sync(&self) -> Result<(), BlobError> {
        let sys = &self.inner.sys;
        self.step("sync", sys.failpoints.hit(Point::BlobSync))?;
        self.step("sync", sys.fs.sync_file(&self.file))?;
        let synced = self.syncs.run(|| {
            sys.failpoints.hit(Point::BlobSyncDir)?;
            sys.fs.sync_dir(&self.dir)
        });
        if synced.is_err() {
            // Nobody knows any more which names the directory keeps.
            self.inner.rename(&self.writer);
        }
        self.step("sync the directory of", synced)?;
        self.step("keep", sys.failpoints.hit(Point::BlobSynced))
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if !self.keep
            && let Err(error) = self.inner.sys.fs.remove(&self.path)
        {
            // It is garbage that nothing refers to.
            let path = self.path.display();
            tracing::warn!("can't remove {path}: {error}; the collection does, later");
        }
    }
}

impl BlobStore for LocalBlobs {
    fn create(&self) -> BoxFuture<'_, Result<Box<dyn BlobWriter>, BlobError>> {
        let place = self.place();
        Box::pin(async move { Ok(self.create_at(place)) })
    }

    fn name(&self) -> BlobId {
        self.place().id
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
        *self.inner.writer() = Writer::new(&self.inner.sys);
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

    fn space(&self) -> Option<Space> {
        self.inner.sys.fs.space(&self.inner.dir).ok()
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

/// What is handed to the disk's task.
struct Batch {
    bytes: Vec<Bytes>,
    /// Whether that was all: a channel that just ends is a writer that was dropped.
    last: bool,
    _on_their_way: OwnedSemaphorePermit,
}

/// A file that is durable, and its checksums.
struct Written {
    file: Unfinished,
    checksums: Checksums,
}

/// What comes of a blob; `None`: its writer was dropped.
type Outcome = Result<Option<Written>, BlobError>;

fn write(inner: &Arc<Inner>, place: Place, coming: &mut mpsc::Receiver<Batch>) -> Outcome {
    let mut file = inner.begin(place)?;
    let mut checksums = Checksums::default();
    while let Some(batch) = coming.blocking_recv() {
        for bytes in &batch.bytes {
            checksums.update(bytes);
        }
        file.append(&batch.bytes)?;
        if batch.last {
            file.sync()?;
            return Ok(Some(Written { file, checksums }));
        }
    }
    Ok(None)
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
    /// What was gathered for the next batch, and how many bytes that is.
    batch: Vec<Bytes>,
    gathered: usize,
    on_their_way: Arc<Semaphore>,
    batches: mpsc::Sender<Batch>,
    outcome: oneshot::Receiver<Outcome>,
}

impl LocalWriter {
    async fn send(&mut self, last: bool) -> Result<(), BlobError> {
        let kib = std::mem::take(&mut self.gathered).div_ceil(1024);
        // One frame may be larger than a batch, but not than what all may have.
        let permits = kib.min(ALL_ON_THEIR_WAY) as u32;
        let permit = Arc::clone(&self.on_their_way).acquire_many_owned(permits);
        let batch = Batch {
            bytes: std::mem::take(&mut self.batch),
            last,
            _on_their_way: permit.await.map_err(|error| task_failed(&error))?,
        };
        match self.batches.send(batch).await {
            Ok(()) => Ok(()),
            Err(_) => Err(self.failure().await),
        }
    }

    /// Why the task stopped taking batches.
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
            self.gathered += bytes.len();
            self.batch.push(bytes);
            match self.gathered >= BATCH {
                true => self.send(false).await,
                false => Ok(()),
            }
        })
    }

    fn finish(mut self: Box<Self>) -> BoxFuture<'static, Result<Blob, BlobError>> {
        Box::pin(async move {
            self.send(true).await?;
            match self.outcome.await {
                Ok(Ok(Some(Written {
                    mut file,
                    checksums,
                }))) => {
                    file.keep = true;
                    Ok(Blob {
                        id: self.id,
                        length: checksums.length(),
                        checksums: checksums.finish(),
                        place: BlobPlace::Stored,
                    })
                }
                Ok(Ok(None)) => Err(task_failed(&"the task ended early")),
                Ok(Err(error)) => Err(error),
                Err(error) => Err(task_failed(&error)),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{BlobError, BlobStore, LocalBlobs};
    use crate::meta::rows::Blob;
    use crate::sys::{Fault, Point, Sys};
    use bytes::Bytes;

    async fn store(blobs: &LocalBlobs, bytes: &'static [u8]) -> Result<Blob, BlobError> {
        let mut writer = blobs.create().await?;
        writer.write(Bytes::from_static(bytes)).await?;
        writer.finish().await
    }

    #[tokio::test]
    async fn after_a_failed_sync_of_its_directory_a_writer_goes_on_in_another_one() {
        let dir = tempfile::tempdir().unwrap();
        let sys = Sys::real();
        let blobs = LocalBlobs::new(sys.clone(), dir.path().to_owned());
        let before = store(&blobs, b"before").await.unwrap();

        sys.failpoints.plan(Point::BlobSyncDir, Fault::Error);
        let failed = store(&blobs, b"lost").await;
        assert!(
            matches!(failed, Err(BlobError::Failed { .. })),
            "{failed:?}"
        );
        sys.failpoints.clear();

        let after = store(&blobs, b"after").await.unwrap();
        assert_ne!(after.id.writer(), before.id.writer());
        assert_eq!(blobs.read(&after.id, 0, 5).await.unwrap(), "after");
        assert_eq!(blobs.list(before.id.writer()).await.unwrap(), [before.id]);
    }

    #[tokio::test]
    async fn a_name_given_before_a_failed_sync_of_its_directory_is_never_called_durable() {
        let dir = tempfile::tempdir().unwrap();
        let sys = Sys::real();
        let blobs = LocalBlobs::new(sys.clone(), dir.path().to_owned());
        let named = blobs.place();

        sys.failpoints.plan(Point::BlobSyncDir, Fault::Error);
        store(&blobs, b"lost").await.unwrap_err();
        sys.failpoints.clear();

        // The disk's task gets to making the file only now.
        let mut late = blobs.create_at(named);
        late.write(Bytes::from_static(b"late")).await.unwrap();
        late.finish().await.unwrap_err();
    }
}
