use super::{JournalError, Journals, Left, Opened};
use landfall_protocol::path::WritePathOrId;
use landfall_protocol::types::files::CommitInfo;
use landfall_protocol::{BlockDigests, BlockHasher, SessionId};
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use tempfile::TempDir;

const MIB: usize = 1024 * 1024;

struct World {
    dir: TempDir,
    source: PathBuf,
    commit: CommitInfo,
}

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let source = dir.path().join("source");
        fs::write(&source, vec![7; 9 * MIB]).unwrap();
        Self {
            dir,
            source,
            commit: CommitInfo::new(WritePathOrId::parse("/Docs/a.bin").unwrap()),
        }
    }

    fn journals(&self) -> Journals {
        Journals::new(self.dir.path().join("uploads"), "lab")
    }

    fn open(&self) -> Result<(super::Journal, Left), JournalError> {
        let source = Opened::new(self.source.clone()).unwrap();
        self.journals().open(&source, &self.commit)
    }

    /// The one file.
    fn file(&self) -> PathBuf {
        let mut files = fs::read_dir(self.dir.path().join("uploads")).unwrap();
        files.next().unwrap().unwrap().path()
    }

    /// A journal of an upload whose first block is stored.
    fn begun(&self) -> BlockDigests {
        assert_eq!(self.open().unwrap().1, Left::Nothing);
        let (mut journal, _) = self.open().unwrap();
        journal.began(&SessionId::from_stored("s1")).unwrap();
        let digests = digests();
        journal.add(0, &digests).unwrap();
        digests
    }
}

fn digests() -> BlockDigests {
    let mut hasher = BlockHasher::new();
    hasher.update(&[7; 4 * MIB]);
    hasher.finish()
}

fn append(file: &Path, bytes: &[u8]) {
    let mut file = OpenOptions::new().append(true).open(file).unwrap();
    file.write_all(bytes).unwrap();
}

#[test]
fn what_was_stored_is_known_to_the_next_run() {
    let world = World::new();
    world.begun();
    let (journal, found) = world.open().unwrap();
    assert_eq!(found, Left::Stored);
    assert_eq!(journal.session(), Some(&SessionId::from_stored("s1")));
    assert_eq!(journal.stored().bytes(), 4 * MIB as u64);
    assert!(!journal.is_closed() && !journal.is_finishing(&world.commit));
    journal.remove().unwrap();
    assert_eq!(world.open().unwrap().1, Left::Nothing);
}

#[test]
fn a_journal_cut_at_any_byte_tells_no_more_than_what_was_done_and_goes_on() {
    let world = World::new();
    world.begun();
    let file = world.file();
    let whole = fs::read(&file).unwrap();
    let mut seen = [0; 3];
    for length in 0..=whole.len() {
        fs::write(&file, &whole[..length]).unwrap();
        let (mut journal, found) = world.open().unwrap();
        let stored = journal.stored().bytes();
        match found {
            Left::Nothing => assert_eq!((journal.session(), stored), (None, 0)),
            Left::Stored => assert!(stored == 0 || length == whole.len()),
            found => panic!("{length}: {found:?}"),
        }
        seen[usize::from(found == Left::Stored) + usize::from(stored > 0)] += 1;
        // And what is added then is read again.
        journal.began(&SessionId::from_stored("s2")).unwrap();
        journal.add(1, &digests()).unwrap();
        drop(journal);
        let (journal, _) = world.open().unwrap();
        assert_eq!(journal.session(), Some(&SessionId::from_stored("s2")));
        assert_eq!(journal.stored().bytes(), 4 * MIB as u64);
        assert!(journal.stored().has(1));
    }
    assert!(seen.iter().all(|count| *count > 0), "{seen:?}");
}

#[test]
fn damaged_lines_and_all_behind_them_are_not_believed() {
    let world = World::new();
    world.begun();
    let file = world.file();
    let mut text = fs::read(&file).unwrap();
    // A power loss can leave zeros where the last line was to be.
    let at = text.len() - 20;
    text[at..].fill(0);
    fs::write(&file, &text).unwrap();
    append(&file, b"\n");
    let (journal, found) = world.open().unwrap();
    assert_eq!((found, journal.stored().bytes()), (Left::Stored, 0));
}

#[test]
fn a_source_that_changed_starts_anew() {
    let world = World::new();
    world.begun();
    let file = OpenOptions::new().append(true).open(&world.source).unwrap();
    file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(5))
        .unwrap();
    let (journal, found) = world.open().unwrap();
    assert_eq!(
        (found, journal.session(), journal.stored().bytes()),
        (Left::Changed, None, 0)
    );
}

#[test]
fn the_same_bytes_go_on_whatever_is_to_be_done_about_a_conflict() {
    let mut world = World::new();
    world.begun();
    world.commit.autorename = true;
    assert_eq!(world.open().unwrap().1, Left::Stored);
    let listed = world.journals().list().unwrap();
    assert!(listed[0].commit.autorename);
    // Another place is another upload, but not another spelling of it.
    world.commit.path = WritePathOrId::parse("/docs/A.bin").unwrap();
    assert_eq!(world.open().unwrap().1, Left::Stored);
    world.commit.path = WritePathOrId::parse("/docs/b.bin").unwrap();
    assert_eq!(world.open().unwrap().1, Left::Nothing);
}

#[test]
fn a_finish_whose_fate_is_open_is_only_gone_on_with_by_the_same_commit() {
    let mut world = World::new();
    world.begun();
    let commit = world.commit.clone();
    let finishing = |world: &World| {
        let (mut journal, _) = world.open().unwrap();
        journal.finishing(&commit).unwrap();
    };
    finishing(&world);
    let (journal, found) = world.open().unwrap();
    assert_eq!(
        (found, journal.is_finishing(&world.commit)),
        (Left::Stored, true)
    );
    drop(journal);
    world.commit.autorename = true;
    let (mut journal, found) = world.open().unwrap();
    assert_eq!(
        (found, journal.is_finishing(&world.commit)),
        (Left::Stored, false)
    );

    // After a refusal the session is as before; the first doubt stays.
    journal.finishing(&world.commit).unwrap();
    journal.refused().unwrap();
    drop(journal);
    let (journal, _) = world.open().unwrap();
    assert!(!journal.is_finishing(&world.commit) && journal.is_finishing(&commit));
}

#[test]
fn a_second_run_is_told_who_is_at_it() {
    let world = World::new();
    let (journal, _) = world.open().unwrap();
    let error = world.open().unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains(&format!("process {}", std::process::id())),
        "{text}"
    );
    assert!(
        text.contains("source") && text.contains("/Docs/a.bin"),
        "{text}"
    );
    let listed = world.journals().list().unwrap();
    assert_eq!(listed[0].held_by, Some(std::process::id()));
    let id = listed[0].id.clone();
    assert!(matches!(
        world.journals().forget(&id),
        Err(JournalError::Held { .. })
    ));
    drop(journal);
    assert_eq!(world.journals().list().unwrap()[0].held_by, None);
    assert_eq!(world.open().unwrap().1, Left::Nothing);
}

#[test]
fn unfinished_uploads_are_listed_and_forgotten() {
    let world = World::new();
    assert!(world.journals().list().unwrap().is_empty());
    world.begun();
    fs::write(world.dir.path().join("uploads/other.txt"), "no journal").unwrap();
    let listed = world.journals().list().unwrap();
    let [upload] = &listed[..] else {
        panic!("{listed:?}")
    };
    assert_eq!(
        (upload.size, upload.stored),
        (9 * MIB as u64, 4 * MIB as u64)
    );
    assert_eq!(upload.service, "lab");
    assert_eq!(upload.source, world.source.canonicalize().unwrap());
    assert_eq!(upload.commit, world.commit);
    assert!(!upload.is_expired());
    world.journals().forget(&upload.id).unwrap();
    let gone = world.journals().forget(&upload.id);
    assert!(matches!(gone, Err(JournalError::Unknown { .. })));
    assert!(world.journals().list().unwrap().is_empty());
}

#[test]
fn a_session_near_its_end_of_life_is_not_gone_on_with() {
    let world = World::new();
    world.begun();
    let file = world.file();
    let old = super::now() - landfall_protocol::limits::SESSION_LIFE + super::MARGIN - 60;
    let record = super::Record::Session {
        id: SessionId::from_stored("old"),
        begun: old,
    };
    append(&file, &record.line());
    assert!(world.journals().list().unwrap()[0].is_expired());
    let (journal, found) = world.open().unwrap();
    assert_eq!((found, journal.session()), (Left::Expired, None));
}
