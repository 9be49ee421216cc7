//! Planned faults: places between two steps where a test makes things go wrong.
//!
//! All of them are [`Point`]s, listed below and nowhere else. A point costs one relaxed load
//! while nothing is planned.

use rustix::process::{Signal, kill_process};
use std::fmt;
use std::io;
use std::num::NonZeroU32;
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

macro_rules! points {
    ($($(#[$doc:meta])* $point:ident = $name:literal,)*) => {
        /// A place between two steps. The names tell which: a verb is about to be done, a
        /// participle is done.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Point {
            $($(#[$doc])* $point,)*
        }

        impl Point {
            /// All there are.
            pub const ALL: &[Self] = &[$(Self::$point,)*];

            /// Its name in a plan.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$point => $name,)*
                }
            }
        }
    };
}

points! {
    // A data directory is opened.
    /// The directory is there.
    OpenDirMade = "open.dir_made",
    /// The directory of the blobs is there.
    OpenBlobsMade = "open.blobs_made",
    /// The metadata's file is there, perhaps empty.
    OpenFileMade = "open.file_made",
    /// SQLite has the file open; the schema is about to be made or looked at.
    OpenMakeSchema = "open.make_schema",
    /// The schema is made or looked at, and not committed.
    OpenSchemaMade = "open.schema_made",
    /// The schema is committed, and the directory not synced.
    OpenCommitted = "open.committed",
    /// The directory is synced: all is open.
    OpenSynced = "open.synced",

    // A server begins.
    /// The stores are ready.
    ServeListen = "serve.listen",
    /// Connections wait to be accepted.
    ServeListening = "serve.listening",

    // A large body comes in.
    /// The writer's row is committed, its directory perhaps not made.
    BlobMakeDir = "blob.make_dir",
    /// The writer's directory is there.
    BlobCreate = "blob.create",
    /// Before each write; the second time, some bytes are written.
    BlobWrite = "blob.write",
    /// All bytes are written.
    BlobSync = "blob.sync",
    /// The bytes are synced.
    BlobSyncDir = "blob.sync_dir",
    /// The name is synced too; nothing refers to it.
    BlobSynced = "blob.synced",

    // What a request does with its body.
    /// The body of a start is durable, or is small.
    StartReceived = "start.received",
    /// The start took place, and isn't answered.
    StartCommitted = "start.committed",
    /// The body of an append is durable, or is small.
    AppendReceived = "append.received",
    /// The append took place, and isn't answered.
    AppendCommitted = "append.committed",
    /// The body of a finish is durable, or is small.
    FinishReceived = "finish.received",
    /// The finish took place, and isn't answered.
    FinishCommitted = "finish.committed",
    /// The body of an upload is durable, or is small.
    UploadReceived = "upload.received",
    /// The upload took place, and isn't answered.
    UploadCommitted = "upload.committed",

    // Operations share a transaction of SQLite.
    /// The transaction has the write lock.
    GroupBegun = "group.begun",
    /// One more operation is in it.
    GroupJoined = "group.joined",
    /// All are in it.
    GroupCommit = "group.commit",
    /// It is committed, and nobody knows.
    GroupCommitted = "group.committed",

    // Expiry, slice by slice.
    /// A slice of sessions is about to go.
    ExpireRemoveSessions = "expire.remove_sessions",
    /// It is gone.
    ExpireSessionsRemoved = "expire.sessions_removed",
    /// A slice of revisions is about to go.
    ExpireRemoveRevisions = "expire.remove_revisions",
    /// It is gone.
    ExpireRevisionsRemoved = "expire.revisions_removed",
    /// A slice of jobs or notifications is about to go.
    ExpireForget = "expire.forget",
    /// It is gone.
    ExpireForgotten = "expire.forgotten",

    // A deleted account goes, slice by slice.
    /// A slice of what belongs to it is about to go.
    DeleteRemoveSlice = "delete.remove_slice",
    /// It is gone.
    DeleteSliceRemoved = "delete.slice_removed",

    // Collection.
    /// Some pieces of an orphan are about to go.
    CollectRemovePieces = "collect.remove_pieces",
    /// They are gone.
    CollectPiecesRemoved = "collect.pieces_removed",
    /// The file of a doomed blob is about to go.
    CollectRemoveFile = "collect.remove_file",
    /// Files are gone, and known as doomed.
    CollectFilesRemoved = "collect.files_removed",
    /// They are forgotten.
    CollectForgotten = "collect.forgotten",
    /// A dead writer is about to be fenced.
    CollectFence = "collect.fence",
    /// It is fenced.
    CollectFenced = "collect.fenced",
    /// A stray is about to go.
    CollectRemoveStray = "collect.remove_stray",
    /// All strays are gone, and their writer isn't.
    CollectStraysRemoved = "collect.strays_removed",
    /// Their writer is gone.
    CollectWriterRemoved = "collect.writer_removed",

    // A data directory is copied: a backup, or a restore.
    /// The new directory is marked as incomplete, and nothing else is in it.
    CopyBegun = "copy.begun",
    /// The metadata is copied.
    CopyMetadataCopied = "copy.metadata_copied",
    /// One more blob is copied.
    CopyBlobCopied = "copy.blob_copied",
    /// All is there and synced; the mark is about to go.
    CopyUnmark = "copy.unmark",
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What happens at a point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The step fails.
    Error,
    /// The task panics.
    Panic,
    /// The process ends at once, by SIGKILL: no destructor runs, no core is dumped.
    Kill,
    /// The process stops, by SIGSTOP, until somebody lets it go on: as a machine that sleeps.
    Stop,
}

/// The step failed, because that was planned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("planned fault at {0}")]
pub struct Planned(Point);

impl From<Planned> for io::Error {
    fn from(planned: Planned) -> Self {
        Self::other(planned)
    }
}

/// The plan: which points fail, and how. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Failpoints {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    any: AtomicBool,
    plan: Mutex<Vec<Entry>>,
}

#[derive(Debug)]
struct Entry {
    point: Point,
    fault: Fault,
    /// The only time that it fails, counted from 1; `None`: it fails every time.
    nth: Option<NonZeroU32>,
    reached: u32,
}

/// The environment variable that plans faults for `landfall serve` and `landfall admin`:
/// `name=error,name=kill@3`. With `@3` it happens the third time only.
pub const VARIABLE: &str = "LANDFALL_FAILPOINTS";

/// What is wrong with a plan.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// A name that isn't there.
    #[error("{VARIABLE}: there is no point {0:?}; there are: {all}", all = all())]
    Point(String),
    /// Something else that can't be read.
    #[error(
        "{VARIABLE}: {0:?} is none of NAME=error, NAME=panic, NAME=kill, NAME=stop, with or without @N"
    )]
    Entry(String),
}

fn all() -> String {
    let names: Vec<&str> = Point::ALL.iter().map(|point| point.name()).collect();
    names.join(" ")
}

impl FromStr for Entry {
    type Err = PlanError;

    fn from_str(text: &str) -> Result<Self, PlanError> {
        let unreadable = || PlanError::Entry(text.to_owned());
        let (name, rest) = text.split_once('=').ok_or_else(unreadable)?;
        let (fault, nth) = match rest.split_once('@') {
            None => (rest, None),
            Some((fault, nth)) => (fault, Some(nth.parse().map_err(|_| unreadable())?)),
        };
        let fault = match fault {
            "error" => Fault::Error,
            "panic" => Fault::Panic,
            "kill" => Fault::Kill,
            "stop" => Fault::Stop,
            _ => return Err(unreadable()),
        };
        let point = Point::ALL.iter().find(|point| point.name() == name);
        let point = *point.ok_or_else(|| PlanError::Point(name.to_owned()))?;
        Ok(Self {
            point,
            fault,
            nth,
            reached: 0,
        })
    }
}

impl Failpoints {
    /// The plan in the environment variable [`VARIABLE`].
    ///
    /// # Errors
    /// It can't be read: a plan that does nothing would prove nothing.
    pub fn from_environment() -> Result<Self, PlanError> {
        let plan = std::env::var(VARIABLE).unwrap_or_default();
        if plan.is_empty() {
            return Ok(Self::default());
        }
        tracing::warn!(plan, "faults are planned: {VARIABLE} is set");
        plan.parse()
    }

    /// From now on this point fails, until [`Self::clear`].
    pub fn plan(&self, point: Point, fault: Fault) {
        self.add(Entry {
            point,
            fault,
            nth: None,
            reached: 0,
        });
    }

    /// Nothing fails any more.
    pub fn clear(&self) {
        self.entries().clear();
        self.inner.any.store(false, Ordering::SeqCst);
    }

    /// The point is reached.
    ///
    /// # Errors
    /// The planned [`Fault::Error`].
    ///
    /// # Panics
    /// The planned [`Fault::Panic`].
    pub fn hit(&self, point: Point) -> Result<(), Planned> {
        if !self.inner.any.load(Ordering::Relaxed) {
            return Ok(());
        }
        let Some(fault) = self.due(point) else {
            return Ok(());
        };
        // Whoever planned it wants to know that it happened.
        tracing::warn!("planned fault at {point}: {fault:?}");
        match fault {
            Fault::Error => return Err(Planned(point)),
            Fault::Panic => panic!("planned fault at {point}"),
            Fault::Kill => send(Signal::KILL),
            Fault::Stop => send(Signal::STOP),
        }
        Ok(())
    }

    /// What is planned for this time that the point is reached.
    fn due(&self, point: Point) -> Option<Fault> {
        let mut due = None;
        for entry in self.entries().iter_mut() {
            if entry.point == point {
                entry.reached += 1;
                if entry.nth.is_none_or(|nth| nth.get() == entry.reached) {
                    due = Some(entry.fault);
                }
            }
        }
        due
    }

    fn add(&self, entry: Entry) {
        self.entries().push(entry);
        self.inner.any.store(true, Ordering::SeqCst);
    }

    fn entries(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.inner
            .plan
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl FromStr for Failpoints {
    type Err = PlanError;

    fn from_str(plan: &str) -> Result<Self, PlanError> {
        let points = Self::default();
        for entry in plan.split(',') {
            points.add(entry.parse()?);
        }
        Ok(points)
    }
}

/// Sends this process a signal that nobody can catch.
fn send(signal: Signal) {
    // By the name of this thread, so that it is the one to take the signal: if another thread
    // took it, this one would go on for some steps.
    #[cfg(target_os = "linux")]
    let process = rustix::thread::gettid();
    #[cfg(not(target_os = "linux"))]
    let process = rustix::process::getpid();
    kill_process(process, signal).expect("a process may end itself");
}

#[cfg(test)]
mod tests {
    use super::{Failpoints, Fault, PlanError, Point};

    #[test]
    fn a_planned_point_fails_until_the_plan_is_cleared() {
        let points = Failpoints::default();
        points.plan(Point::BlobWrite, Fault::Error);
        assert!(points.hit(Point::BlobWrite).is_err());
        assert!(points.hit(Point::BlobWrite).is_err());
        assert!(points.hit(Point::BlobSync).is_ok());
        points.clear();
        assert!(points.hit(Point::BlobWrite).is_ok());
    }

    #[test]
    fn a_plan_is_read_or_refused() {
        let plan: Failpoints = "blob.sync=error,blob.write=error@2".parse().unwrap();
        assert!(plan.hit(Point::BlobSync).is_err());
        let writes: Vec<bool> = (0..4).map(|_| plan.hit(Point::BlobWrite).is_ok()).collect();
        assert_eq!(writes, [true, false, true, true]);

        let error = "blob.sinc=kill".parse::<Failpoints>().unwrap_err();
        assert!(matches!(&error, PlanError::Point(name) if name == "blob.sinc"));
        assert!(error.to_string().contains(" blob.sync "), "{error}");
        for text in [
            "",
            "blob.sync",
            "blob.sync=",
            "blob.sync=kill@0",
            "blob.sync=kill@x",
        ] {
            let error = text.parse::<Failpoints>().unwrap_err();
            assert!(matches!(error, PlanError::Entry(_)), "{text}");
        }
    }

    #[test]
    fn names_are_never_alike() {
        for (nth, point) in Point::ALL.iter().enumerate() {
            for other in &Point::ALL[..nth] {
                assert_ne!(point.name(), other.name());
            }
        }
    }
}
