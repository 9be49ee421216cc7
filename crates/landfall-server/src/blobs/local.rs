//! Blobs as files: `<dir>/<writer>/<random>`.
//!
//! Each process is a writer with a directory of its own, made with its first blob. Threads for
//! what blocks write and sync, so the runtime never waits for the disk; a blob has one of them
//! only while there is something to write, because clients may take hours and threads are few.
//! Bytes are handed over, to the thread and to the system, in large batches, and the system begins
//! to write them to the disk while more are coming. A blob is durable when its bytes and its name
//! are: the file is synced, then the directory, by a sync that all who wait for it share; then the
//! caller is told, and only then may the metadata refer to it.

use super::{BlobError, BlobStore, BlobWriter, Checksums};
use crate::meta::rows::{Blob, BlobId, BlobPlace};
use crate::sys::{Point, SharedSync, Space, Sys};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, spawn_blocking};

/// Bytes that are gathered before they are handed to the disk: a wake-up and a system call for
/// each frame of a connection (16 KiB under HTTP/2) would cost more than the copy.
const BATCH: usize = 512 * 1024;

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
        Box::new(LocalWriter {
            inner: Arc::clone(&self.inner),
            id: place.id.clone(),
            batch: Vec::new(),
            gathered: 0,
            disk: Disk::Named(place),
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
            checksums: Checksums::default(),
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
    checksums: Checksums,
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
        let before = self.checksums.length();
        for bytes in batch {
            self.checksums.update(bytes);
        }
        let (from, to) = (before / WRITE_BACK, self.checksums.length() / WRITE_BACK);
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
        doing: "write to the disk".into(),
        why: error.to_string(),
    }
}

struct LocalWriter {
    inner: Arc<Inner>,
    id: BlobId,
    /// What was gathered for the next batch, and how many bytes that is.
    batch: Vec<Bytes>,
    gathered: usize,
    disk: Disk,
}

/// How far a blob's file is.
enum Disk {
    /// Nothing was written yet.
    Named(Place),
    /// A thread writes a batch.
    Busy(JoinHandle<Result<Unfinished, BlobError>>),
    /// All batches that were handed over are written.
    Idle(Unfinished),
    /// One could not be written, and the file is gone.
    Failed,
}

impl LocalWriter {
    /// Hands what was gathered to the disk, behind what was handed over before. The last batch is
    /// synced.
    async fn hand_over(&mut self, last: bool) -> Result<(), BlobError> {
        self.settle().await?;
        let kib = self.gathered.div_ceil(1024);
        // One frame may be larger than a batch, but not than what all may have.
        let permits = kib.min(ALL_ON_THEIR_WAY) as u32;
        let permit = Arc::clone(&self.inner.on_their_way).acquire_many_owned(permits);
        let permit = permit.await.map_err(|error| task_failed(&error))?;
        let inner = Arc::clone(&self.inner);
        let batch = std::mem::take(&mut self.batch);
        self.gathered = 0;
        let disk = std::mem::replace(&mut self.disk, Disk::Failed);
        self.disk = Disk::Busy(spawn_blocking(move || {
            let mut file = match disk {
                Disk::Named(place) => inner.begin(place)?,
                Disk::Idle(file) => file,
                Disk::Busy(_) | Disk::Failed => return Err(task_failed(&"it failed before")),
            };
            file.append(&batch)?;
            drop((batch, permit));
            if last {
                file.sync()?;
            }
            Ok(file)
        }));
        Ok(())
    }

    /// Waits until the disk is not busy.
    async fn settle(&mut self) -> Result<(), BlobError> {
        let Disk::Busy(busy) = &mut self.disk else {
            return Ok(());
        };
        let written = busy.await;
        self.disk = Disk::Failed;
        self.disk = Disk::Idle(written.map_err(|error| task_failed(&error))??);
        Ok(())
    }
}

impl BlobWriter for LocalWriter {
    fn write(&mut self, bytes: Bytes) -> BoxFuture<'_, Result<(), BlobError>> {
        Box::pin(async move {
            self.gathered += bytes.len();
            self.batch.push(bytes);
            match self.gathered >= BATCH {
                true => self.hand_over(false).await,
                false => Ok(()),
            }
        })
    }

    fn finish(mut self: Box<Self>) -> BoxFuture<'static, Result<Blob, BlobError>> {
        Box::pin(async move {
            self.hand_over(true).await?;
            self.settle().await?;
            let Disk::Idle(mut file) = std::mem::replace(&mut self.disk, Disk::Failed) else {
                return Err(task_failed(&"it failed before"));
            };
            file.keep = true;
            let checksums = std::mem::take(&mut file.checksums);
            Ok(Blob {
                id: self.id.clone(),
                length: checksums.length(),
                checksums: checksums.finish(),
                place: BlobPlace::Stored,
            })
        })
    }
}

impl Drop for LocalWriter {
    fn drop(&mut self) {
        // What is not finished is removed, and the runtime doesn't wait for that either.
        let disk = std::mem::replace(&mut self.disk, Disk::Failed);
        if let (Disk::Busy(_) | Disk::Idle(_), Ok(runtime)) = (&disk, Handle::try_current()) {
            runtime.spawn_blocking(move || drop(disk));
        }
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

        // Its file is made only now.
        let mut late = blobs.create_at(named);
        late.write(Bytes::from_static(b"late")).await.unwrap();
        late.finish().await.unwrap_err();
    }
}
