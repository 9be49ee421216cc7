//! The effects of writing at a place: parents, the node, the tree's counters.

use crate::meta::Effect;
use crate::meta::rows::{
    Entry, FileEntry, JournalId, Namespace, Node, Notification, NotificationEvent, Revision, rev,
};
use crate::rules::commit::Landing;
use crate::sys::{Micros, Random};
use data_encoding::BASE64URL_NOPAD;
use landfall_protocol::{DisplayPath, FileId, Rev};
use sha2::{Digest, Sha256};

/// Ids for what an operation makes. An operation may run twice and doesn't know beforehand how
/// many folders it makes, so the ids grow out of one random seed.
#[derive(Clone, Debug)]
pub(super) struct FreshIds {
    seed: [u8; 32],
}

impl FreshIds {
    pub(super) fn new(random: &dyn Random) -> Self {
        let mut seed = [0; 32];
        random.fill(&mut seed);
        Self { seed }
    }

    /// The ids from the first on.
    pub(super) fn draw(&self) -> Drawn<'_> {
        Drawn {
            ids: self,
            drawn: 0,
        }
    }
}

/// Ids that are drawn one after the other.
#[derive(Debug)]
pub(super) struct Drawn<'i> {
    ids: &'i FreshIds,
    drawn: u64,
}

impl Drawn<'_> {
    /// The next id: `id:` and 22 characters.
    pub(super) fn next(&mut self) -> FileId {
        let digest = Sha256::new()
            .chain_update(self.ids.seed)
            .chain_update(self.drawn.to_le_bytes())
            .finalize();
        self.drawn += 1;
        FileId::from_tail(&BASE64URL_NOPAD.encode(&digest[..16]))
    }
}

/// Collects the effects of one change of a tree; each changed place gets the next number of the
/// journal, parents before children.
#[derive(Debug)]
pub(super) struct TreeChange {
    now: Micros,
    namespace: Namespace,
    effects: Vec<Effect>,
}

impl TreeChange {
    pub(super) fn new(namespace: Namespace, now: Micros) -> Self {
        Self {
            now,
            namespace,
            effects: Vec::new(),
        }
    }

    /// Puts an entry at a place.
    pub(super) fn put(&mut self, path: DisplayPath, seen: Option<JournalId>, entry: Entry) -> Node {
        let journal = self.namespace.journal.next();
        self.namespace.journal = journal;
        let node = Node {
            ns: self.namespace.ns,
            path,
            journal,
            entry,
        };
        self.effects.push(Effect::PutNode {
            node: node.clone(),
            seen,
        });
        node
    }

    /// Makes the folders above a landing.
    pub(super) fn make_parents(&mut self, landing: &Landing, fresh: &mut Drawn<'_>) {
        for folder in &landing.parents {
            let entry = Entry::Folder(fresh.next());
            self.put(folder.path.clone(), folder.seen, entry);
        }
    }

    /// Makes a folder, and those above it.
    pub(super) fn land_folder(&mut self, landing: &Landing, ids: &FreshIds) -> (Node, FileId) {
        let mut fresh = ids.draw();
        self.make_parents(landing, &mut fresh);
        let id = fresh.next();
        let node = self.put(
            landing.path.clone(),
            landing.seen,
            Entry::Folder(id.clone()),
        );
        (node, id)
    }

    /// Writes a revision, and makes the folders above it; `file` makes it out of its id and rev.
    pub(super) fn land_file(
        &mut self,
        landing: &Landing,
        ids: &FreshIds,
        file: impl FnOnce(FileId, Rev) -> FileEntry,
    ) -> FileEntry {
        let mut fresh = ids.draw();
        self.make_parents(landing, &mut fresh);
        let id = match &landing.replaces {
            Some(old) => old.id.clone(),
            None => fresh.next(),
        };
        let file = file(id, self.next_rev());
        if let Some(old) = &landing.replaces {
            self.end(old);
        }
        self.write(landing.path.clone(), landing.seen, file.clone());
        file
    }

    /// The rev of what is written next.
    pub(super) fn next_rev(&self) -> Rev {
        rev(self.namespace.ns, self.namespace.journal.next())
    }

    /// Writes a revision of the [next rev](Self::next_rev).
    pub(super) fn write(
        &mut self,
        path: DisplayPath,
        seen: Option<JournalId>,
        file: FileEntry,
    ) -> Node {
        self.namespace.used += file.size;
        self.effects.push(Effect::AddRevision(Revision {
            ns: self.namespace.ns,
            path: path.clone(),
            file: file.clone(),
        }));
        self.put(path, seen, Entry::File(file))
    }

    /// A revision is no longer current; it stays in the history.
    fn end(&mut self, file: &FileEntry) {
        self.namespace.used = self.namespace.used.saturating_sub(file.size);
        self.effects.push(Effect::EndRevision {
            ns: self.namespace.ns,
            rev: file.rev.clone(),
            at: self.now,
        });
    }

    /// Takes away what is at a place and below it, and has the user's clients told.
    pub(super) fn remove_all<'n>(&mut self, top: &Node, below: impl Iterator<Item = &'n Node>) {
        self.remove(top);
        let event = match top.entry {
            Entry::Folder(_) => NotificationEvent::FolderDeleted,
            _ => NotificationEvent::FileDeleted,
        };
        self.tell(event, top.path.clone(), None);
        for node in below {
            self.remove(node);
        }
    }

    /// Takes what is at a place away.
    fn remove(&mut self, node: &Node) {
        let entry = match &node.entry {
            Entry::File(file) => {
                self.end(file);
                Entry::DeletedFile
            }
            Entry::Folder(_) | Entry::DeletedFolder => Entry::DeletedFolder,
            Entry::DeletedFile => Entry::DeletedFile,
        };
        self.put(node.path.clone(), Some(node.journal), entry);
    }

    /// Has the user's clients told of the last change.
    pub(super) fn tell(&mut self, event: NotificationEvent, path: DisplayPath, rev: Option<Rev>) {
        self.effects.push(Effect::AddNotification(Notification {
            ns: self.namespace.ns,
            journal: self.namespace.journal,
            at: self.now,
            event,
            path,
            rev,
        }));
    }

    /// Has the user's clients told of the last change, which put something where nothing was.
    pub(super) fn tell_added(&mut self, node: &Node) {
        let (event, rev) = match &node.entry {
            Entry::File(file) => (NotificationEvent::FileAdded, Some(file.rev.clone())),
            _ => (NotificationEvent::FolderAdded, None),
        };
        self.tell(event, node.path.clone(), rev);
    }

    /// All effects, with the tree's counters.
    pub(super) fn into_effects(mut self) -> Vec<Effect> {
        self.effects.push(Effect::SetNamespace(self.namespace));
        self.effects
    }
}
