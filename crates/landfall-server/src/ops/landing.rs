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

    /// The `nth` id: `id:` and 22 characters.
    fn nth(&self, nth: usize) -> FileId {
        let digest = Sha256::new()
            .chain_update(self.seed)
            .chain_update((nth as u64).to_le_bytes())
            .finalize();
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

    /// Makes the folders above a landing and says which id is free next.
    fn make_parents(&mut self, landing: &Landing, ids: &FreshIds) -> FileId {
        for (nth, folder) in landing.parents.iter().enumerate() {
            self.put(
                folder.path.clone(),
                folder.seen,
                Entry::Folder(ids.nth(nth)),
            );
        }
        ids.nth(landing.parents.len())
    }

    /// Makes a folder.
    pub(super) fn land_folder(&mut self, landing: &Landing, ids: &FreshIds) -> (Node, FileId) {
        let id = self.make_parents(landing, ids);
        let node = self.put(
            landing.path.clone(),
            landing.seen,
            Entry::Folder(id.clone()),
        );
        (node, id)
    }

    /// Writes a revision; `file` makes it out of its id and rev.
    pub(super) fn land_file(
        &mut self,
        landing: &Landing,
        ids: &FreshIds,
        file: impl FnOnce(FileId, Rev) -> FileEntry,
    ) -> FileEntry {
        let fresh = self.make_parents(landing, ids);
        let id = match &landing.replaces {
            Some(old) => old.id.clone(),
            None => fresh,
        };
        let ns = self.namespace.ns;
        let file = file(id, rev(ns, self.namespace.journal.next()));
        if let Some(old) = &landing.replaces {
            self.end(old);
        }
        self.namespace.used += file.size;
        self.effects.push(Effect::AddRevision(Revision {
            ns,
            path: landing.path.clone(),
            file: file.clone(),
        }));
        self.put(
            landing.path.clone(),
            landing.seen,
            Entry::File(file.clone()),
        );
        file
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

    /// Takes what is at a place away.
    pub(super) fn remove(&mut self, node: &Node) {
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

    /// All effects, with the tree's counters.
    pub(super) fn into_effects(mut self) -> Vec<Effect> {
        self.effects.push(Effect::SetNamespace(self.namespace));
        self.effects
    }
}
