//! Makes a data directory with many small files in one account: `tree DIR FILES`. The rows are
//! those that uploads leave; they are written many at a time, without the uploads.
//!
//! A tenth of the files is in one folder, `/big`. A thousand are copies of one name, in
//! `/copies`. The others lie three folders deep, 50 to a folder. Each tenth file was replaced
//! once, and each twentieth came through a session that is still remembered.

use bytes::Bytes;
use landfall_protocol::{
    BlockDigests, ContentHasher, DisplayPath, FileId, PathKey, SessionId, Timestamp, path::cut_name,
};
use landfall_server::Storage;
use landfall_server::blobs::Checksums;
use landfall_server::meta::rows::{
    Account, Blob, BlobId, BlobOffset, BlobPlace, ContentId, Entry, Extent, FileEntry, FileOffset,
    JournalId, Namespace, Node, Replay, Revision, Session, SessionBytes, SessionState, rev,
};
use landfall_server::meta::{Effect, Meta, SqliteEngine, Unconditional};
use landfall_server::sys::{Micros, Sys};
use std::collections::HashMap;
use std::time::{SystemTime, UNIX_EPOCH};

/// Files in one transaction.
const TOGETHER: usize = 2000;
const COPIES: u64 = 1000;
const IN_A_FOLDER: u64 = 50;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [dir, files] = &args[..] else {
        panic!("usage: tree DIR FILES");
    };
    let files: u64 = files.parse().expect("a number of files");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(make(dir.as_ref(), files));
}

async fn make(dir: &std::path::Path, files: u64) {
    let storage = Storage::open(dir).expect("a directory");
    let admin = storage.admin();
    admin.add_account("bench", None).await.expect("an account");
    let account = admin.account("bench").await.expect("the account");
    let meta = Meta::new(
        SqliteEngine::open(&dir.join("metadata.sqlite"), &Sys::real()).expect("the metadata"),
    );
    let mut tree = Tree::new(account, files);
    for nth in 0..files {
        tree.add(&path(nth, files), nth);
        if nth % TOGETHER as u64 == 0 || nth + 1 == files {
            let effects = tree.take();
            meta.transact(Unconditional(effects)).await.expect("room");
        }
    }
}

/// Where the file is.
fn path(nth: u64, files: u64) -> String {
    let (big, rest) = (files / 10, nth.saturating_sub(files / 10 + COPIES));
    if nth < big {
        format!("/big/item-{nth:06}.dat")
    } else if nth < big + COPIES {
        match nth - big {
            0 => "/copies/document.txt".to_owned(),
            copy => format!("/copies/document ({}).txt", copy + 1),
        }
    } else {
        let folder = rest / IN_A_FOLDER;
        let (area, project, run) = (folder / 400, folder / 20 % 20, folder % 20);
        format!("/area-{area:03}/project-{project:02}/run-{run:02}/file-{rest:07}.dat")
    }
}

struct Tree {
    account: Account,
    namespace: Namespace,
    now: Micros,
    folders: HashMap<PathKey, ()>,
    /// How many names were given, and how far apart they are.
    named: u64,
    step: u64,
    effects: Vec<Effect>,
}

impl Tree {
    fn new(account: Account, files: u64) -> Self {
        let namespace = Namespace {
            ns: account.ns,
            journal: JournalId::default(),
            used: 0,
            quota: None,
        };
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = since.expect("a time after 1970").as_micros() as i64;
        Self {
            account,
            namespace,
            now: Micros(now),
            folders: HashMap::new(),
            named: 0,
            // A file takes less than 6 names, with its folders, old revision and session.
            step: u64::MAX / (6 * files + 100),
            effects: Vec::new(),
        }
    }

    /// All since the last time.
    fn take(&mut self) -> Vec<Effect> {
        self.effects.push(Effect::SetNamespace(self.namespace));
        std::mem::take(&mut self.effects)
    }

    fn add(&mut self, path: &str, nth: u64) {
        let path = DisplayPath::parse(path).expect("a legal path");
        for folder in path.ancestors() {
            if self.folders.insert(folder.key(), ()).is_none() {
                let entry = Entry::Folder(self.id());
                self.put(folder, None, entry);
            }
        }
        let id = self.id();
        let replaced = nth.is_multiple_of(10).then(|| {
            let (file, journal) = self.write(&path, &id, None, &format!("old {nth}"), nth);
            self.namespace.used -= file.size;
            self.effects.push(Effect::EndRevision {
                ns: self.namespace.ns,
                rev: file.rev,
                at: self.now,
            });
            journal
        });
        self.write(&path, &id, replaced, &format!("new {nth}"), nth);
    }

    /// Writes a revision, as an upload or the finish of a session does.
    fn write(
        &mut self,
        path: &DisplayPath,
        id: &FileId,
        seen: Option<JournalId>,
        text: &str,
        nth: u64,
    ) -> (FileEntry, JournalId) {
        let ns = self.namespace.ns;
        let (content, hasher) = self.store(text);
        let now = Timestamp::from_unix_seconds(self.now.0 / 1_000_000);
        let file = FileEntry {
            id: id.clone(),
            rev: rev(ns, self.namespace.journal.next()),
            content,
            size: text.len() as u64,
            hash: hasher.finish(),
            client_modified: now,
            server_modified: now,
        };
        self.namespace.used += file.size;
        self.effects.push(Effect::AddRevision(Revision {
            ns,
            path: path.clone(),
            file: file.clone(),
        }));
        let journal = self.put(path.clone(), seen, Entry::File(file.clone()));
        if seen.is_none() && nth % 20 == 7 {
            self.remember(path, &file, &hasher);
        }
        (file, journal)
    }

    /// A session that was finished, with its answer.
    fn remember(&mut self, path: &DisplayPath, file: &FileEntry, hasher: &ContentHasher) {
        let id = SessionId::from_stored(self.name());
        self.effects.push(Effect::PutSession(Session {
            id: id.clone(),
            account: self.account.id.clone(),
            created: self.now,
            state: SessionState::Committed,
            content: file.content.clone(),
            bytes: SessionBytes::Sequential {
                length: file.size,
                hasher: hasher.state(),
            },
        }));
        self.effects.push(Effect::PutReplay(Replay {
            session: id,
            account: self.account.id.clone(),
            end: file.size,
            commit: format!(r#"{{"path": "{}"}}"#, cut_name(path.as_str(), 200)),
            ns: self.namespace.ns,
            path: path.clone(),
            file: file.clone(),
            committed: self.now,
        }));
    }

    /// Bytes in the metadata.
    fn store(&mut self, text: &str) -> (ContentId, ContentHasher) {
        let mut hasher = ContentHasher::new();
        hasher.update(text.as_bytes());
        let mut checksums = Checksums::default();
        checksums.update(text.as_bytes());
        let blob = Blob {
            id: BlobId(format!("made/{}", self.name())),
            length: text.len() as u64,
            checksums: checksums.finish(),
            place: BlobPlace::Inline(Bytes::from(text.to_owned())),
        };
        let content = ContentId(self.name());
        let extent = Extent {
            content: content.clone(),
            offset: FileOffset(0),
            length: blob.length,
            blob: blob.id.clone(),
            blob_offset: BlobOffset(0),
            digests: BlockDigests::default(),
        };
        self.effects.push(Effect::AddBlob(blob));
        self.effects.push(Effect::AddExtent(extent));
        (content, hasher)
    }

    fn put(&mut self, path: DisplayPath, seen: Option<JournalId>, entry: Entry) -> JournalId {
        let journal = self.namespace.journal.next();
        self.namespace.journal = journal;
        let node = Node {
            ns: self.namespace.ns,
            path,
            journal,
            entry,
        };
        self.effects.push(Effect::PutNode { node, seen });
        journal
    }

    fn id(&mut self) -> FileId {
        FileId::from_tail(&self.name())
    }

    /// A name of 22 characters. They ascend, which is many times as fast as in no order, but they
    /// are spread over all that the server may draw, so that what it adds comes anywhere.
    fn name(&mut self) -> String {
        const DIGITS: &[u8; 64] =
            b"-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz";
        self.named += 1;
        let number = self.named * self.step;
        let digit = |nth: u32| char::from(DIGITS[(number >> (58 - 6 * nth.min(9)) & 63) as usize]);
        (0..22).map(digit).collect()
    }
}
