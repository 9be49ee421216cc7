//! The tree: commits by the decision table, folders, deletions, and what users are told.

use super::names::{fold, is_disallowed, is_malformed, owner, with_suffix};
use super::{Commit, Mode, Place, Refused, Setup, Symbol, tag, under};
use bytes::Bytes;
use landfall_protocol::{ContentHash, Timestamp};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// How long notifications are kept.
const TOLD: i64 = 30 * 24 * 60 * 60;

#[derive(Clone, Debug)]
pub(super) struct Tree {
    setup: Setup,
    /// What is, or was, at each place, by its folded path.
    nodes: BTreeMap<String, Node>,
    ids: u64,
    /// All that was ever written; the first has the first rev.
    written: Vec<Bytes>,
    pub(super) feed: Vec<Value>,
    pub(super) met: BTreeMap<String, u64>,
}

#[derive(Clone, Debug)]
struct Node {
    /// The path in its letters.
    path: String,
    what: What,
}

#[derive(Clone, Debug)]
enum What {
    File(File),
    Folder(Symbol),
    DeletedFile,
    DeletedFolder,
}

#[derive(Clone, Debug)]
struct File {
    id: Symbol,
    rev: Symbol,
    bytes: Bytes,
    client_modified: i64,
    server_modified: i64,
}

/// What a commit does at its target.
enum Does {
    Write,
    Replace,
    Keep,
    Conflict(&'static str),
}

/// What is at a target, and the mode, as the decision table names them.
fn decide(target: &str, mode: &str, strict: bool) -> Does {
    match (target, mode, strict) {
        ("nothing" | "deleted folder", ..) => Does::Write,
        ("deleted file", "update current" | "update stale", true) => Does::Conflict("file"),
        ("deleted file", ..) => Does::Write,
        ("folder", ..) => Does::Conflict("folder"),
        ("identical file", _, false) => Does::Keep,
        (_, "overwrite" | "update current", _) => Does::Replace,
        _ => Does::Conflict("file"),
    }
}

impl Tree {
    pub(super) fn new(setup: &Setup) -> Self {
        Self {
            setup: setup.clone(),
            nodes: BTreeMap::new(),
            ids: 0,
            written: Vec::new(),
            feed: Vec::new(),
            met: BTreeMap::new(),
        }
    }

    pub(super) fn forget(&mut self, now: i64) {
        let kept = time(now - TOLD);
        self.feed.retain(|one| one["at"].as_str() > Some(&kept));
    }

    /// The path that a place names now.
    fn resolve(&self, place: &Place) -> Result<String, &'static str> {
        let path = match place {
            Place::Path(path) | Place::Namespace(true, path) => path.clone(),
            Place::Namespace(false, _) => return Err("unreachable"),
            Place::Id(_, below) if below.split('/').skip(1).any(is_malformed) => {
                return Err("malformed");
            }
            Place::Id(id, below) => {
                let mut nodes = self.nodes.values();
                let node = nodes
                    .find(|node| node.what.id() == Some(id))
                    .ok_or("gone")?;
                format!("{}{below}", node.path)
            }
        };
        let names = path.strip_prefix('/').ok_or("malformed")?;
        match names.split('/').any(is_malformed) {
            true => Err("malformed"),
            false => Ok(path),
        }
    }

    /// The folder of a target, in the letters that it has or will have, and those that are missing.
    fn above(&self, path: &str) -> Result<(String, Vec<String>), Refused> {
        if path.split('/').any(is_disallowed) {
            return Err(tag("disallowed_name"));
        }
        let (mut folder, mut missing) = (String::new(), Vec::new());
        let (above, _) = path.rsplit_once('/').expect("a path begins with a slash");
        for name in above.split('/').skip(1) {
            let next = format!("{folder}/{name}");
            folder = match self.nodes.get(&fold(&next)) {
                Some(Node {
                    what: What::File(_),
                    ..
                }) => {
                    return Err(under("conflict", tag("file_ancestor")));
                }
                Some(Node {
                    what: What::Folder(_),
                    path,
                }) => path.clone(),
                _ => {
                    missing.push(next.clone());
                    next
                }
            };
        }
        Ok((folder, missing))
    }

    /// The first name of the family that nothing live has.
    fn free_name(&self, folder: &str, name: &str, is_folder: bool, mode: Option<&Mode>) -> String {
        let whose = owner(self.setup.display_name.as_deref());
        let whose = whose.map_or(String::new(), |owner| format!("{owner}'s "));
        let suffix = |nth: u64| match (mode, nth) {
            (Some(Mode::Update(_)), 1) => format!(" ({whose}conflicted copy)"),
            (Some(Mode::Update(_)), nth) => format!(" ({whose}conflicted copy {nth})"),
            (_, nth) => format!(" ({})", nth + 1),
        };
        let names =
            (1..).map(|nth| format!("{folder}/{}", with_suffix(name, &suffix(nth), is_folder)));
        let mut free = names.filter(|path| !self.is_live(path));
        free.next().expect("numbers don't end")
    }

    fn is_live(&self, path: &str) -> bool {
        let node = self.nodes.get(&fold(path));
        node.is_some_and(|node| node.what.id().is_some())
    }

    pub(super) fn commit(
        &mut self,
        commit: &Commit,
        bytes: &Bytes,
        now: i64,
    ) -> Result<Value, Refused> {
        let path = self.resolve(&commit.place).map_err(|why| match why {
            "unreachable" => tag("no_write_permission"),
            _ => tag("malformed_path"),
        })?;
        let there = self.nodes.get(&fold(&path)).cloned();
        let (target, current) = match there.as_ref().map(|node| &node.what) {
            None => ("nothing", None),
            Some(What::DeletedFile) => ("deleted file", None),
            Some(What::DeletedFolder) => ("deleted folder", None),
            Some(What::Folder(_)) => ("folder", None),
            Some(What::File(file)) if file.bytes == bytes => ("identical file", Some(file)),
            Some(What::File(file)) => ("other file", Some(file)),
        };
        let mode = match &commit.mode {
            Mode::Add => "add",
            Mode::Overwrite => "overwrite",
            Mode::Update(rev) if current.is_some_and(|file| file.rev == *rev) => "update current",
            Mode::Update(_) => "update stale",
        };
        let strict = if commit.strict { "strict" } else { "lenient" };
        let above = self.above(&path);
        let row = match &above {
            Ok(_) => target,
            Err(error) if error[".tag"] == "conflict" => "file above",
            Err(error) => return Err(error.clone()),
        };
        *self
            .met
            .entry(format!("table: {row}, {mode}, {strict}"))
            .or_default() += 1;
        let (folder, missing) = above?;

        let (_, name) = path.rsplit_once('/').expect("a path begins with a slash");
        let (path, replaced) = match (decide(target, mode, commit.strict), &there, current) {
            (Does::Keep, Some(node), _) => return Ok(node.metadata()),
            (Does::Replace, Some(node), Some(file)) => (node.path.clone(), Some(file.clone())),
            (Does::Conflict(_), ..) if commit.autorename => (
                self.free_name(&folder, name, false, Some(&commit.mode)),
                None,
            ),
            (Does::Conflict(kind), ..) => return Err(under("conflict", tag(kind))),
            (Does::Write | Does::Keep | Does::Replace, ..) => (format!("{folder}/{name}"), None),
        };
        let (size, freed) = (
            bytes.len() as u64,
            replaced.as_ref().map_or(0, |file| file.bytes.len() as u64),
        );
        let quota = self.setup.quota.unwrap_or(u64::MAX);
        // Who has too much may still replace a file by one that isn't longer.
        if self.used() - freed + size > quota && size > freed {
            return Err(tag("insufficient_space"));
        }

        self.make(missing);
        let event = if replaced.is_some() {
            "file_changed"
        } else {
            "file_added"
        };
        let id = replaced.map_or_else(|| self.new_id(), |file| file.id);
        self.written.push(bytes.clone());
        let file = File {
            id,
            rev: format!("<rev {}>", self.written.len()),
            bytes: bytes.clone(),
            client_modified: commit.client_modified.unwrap_or(now),
            server_modified: now,
        };
        if !commit.mute {
            let rev = &file.rev;
            self.feed
                .push(json!({"event": event, "path_display": path, "rev": rev, "at": time(now)}));
        }
        Ok(self.put(path, What::File(file)))
    }

    pub(super) fn create_folder(
        &mut self,
        path: &str,
        autorename: bool,
        now: i64,
    ) -> Result<Value, Refused> {
        let path = self.resolve(&Place::Path(path.to_owned()));
        let path = path.map_err(|_| tag("malformed_path"))?;
        let (folder, missing) = self.above(&path)?;
        let (_, name) = path.rsplit_once('/').expect("a path begins with a slash");
        let path = match self.nodes.get(&fold(&path)).map(|node| &node.what) {
            Some(What::File(_) | What::Folder(_)) if autorename => {
                self.free_name(&folder, name, true, None)
            }
            Some(What::File(_)) => return Err(under("conflict", tag("file"))),
            Some(What::Folder(_)) => return Err(under("conflict", tag("folder"))),
            _ => format!("{folder}/{name}"),
        };
        self.make(missing);
        self.tell("folder_added", &path, now);
        let id = self.new_id();
        Ok(json!({"metadata": self.put(path, What::Folder(id))}))
    }

    pub(super) fn delete(
        &mut self,
        place: &Place,
        parent_rev: Option<&Symbol>,
        now: i64,
    ) -> Result<Value, Refused> {
        let lookup = |why: &str| under("path_lookup", tag(why));
        let path = self.resolve(place).map_err(|why| match why {
            "malformed" => lookup("malformed_path"),
            _ => lookup("not_found"),
        })?;
        let conflict = |kind| Err(under("path_write", under("conflict", tag(kind))));
        let top = self
            .nodes
            .get(&fold(&path))
            .ok_or_else(|| lookup("not_found"))?;
        let event = match (&top.what, parent_rev) {
            (What::File(file), Some(rev)) if file.rev != *rev => return conflict("file"),
            (What::Folder(_), Some(_)) => return conflict("folder"),
            (What::File(_), _) => "file_deleted",
            (What::Folder(_), None) => "folder_deleted",
            (What::DeletedFile | What::DeletedFolder, _) => return Err(lookup("not_found")),
        };
        let (metadata, shown) = (top.tagged(), top.path.clone());
        let (key, below) = (fold(&path), format!("{}/", fold(&path)));
        for (at, node) in &mut self.nodes {
            if *at == key || at.starts_with(&below) {
                node.what = match node.what {
                    What::File(_) | What::DeletedFile => What::DeletedFile,
                    What::Folder(_) | What::DeletedFolder => What::DeletedFolder,
                };
            }
        }
        self.tell(event, &shown, now);
        Ok(json!({ "metadata": metadata }))
    }

    fn tell(&mut self, event: &str, path: &str, now: i64) {
        self.feed
            .push(json!({"event": event, "path_display": path, "at": time(now)}));
    }

    fn make(&mut self, folders: Vec<String>) {
        for path in folders {
            let id = self.new_id();
            self.put(path, What::Folder(id));
        }
    }

    fn new_id(&mut self) -> Symbol {
        self.ids += 1;
        format!("<file {}>", self.ids)
    }

    fn put(&mut self, path: String, what: What) -> Value {
        let key = fold(&path);
        let node = Node { path, what };
        let metadata = node.metadata();
        self.nodes.insert(key, node);
        metadata
    }

    fn live(&self) -> impl Iterator<Item = &Node> {
        let nodes = self.nodes.values();
        nodes.filter(|node| node.what.id().is_some())
    }

    pub(super) fn paths(&self, folders: bool) -> Vec<String> {
        let wanted = |node: &&Node| !folders || matches!(node.what, What::Folder(_));
        let nodes = self.live().filter(wanted);
        nodes.map(|node| node.path.clone()).collect()
    }

    pub(super) fn listing(&self) -> Vec<Value> {
        self.live().map(Node::tagged).collect()
    }

    pub(super) fn files(&self) -> Vec<(String, Bytes)> {
        let files = self.nodes.values().filter_map(|node| match &node.what {
            What::File(file) => Some((node.path.clone(), file.bytes.clone())),
            _ => None,
        });
        files.collect()
    }

    pub(super) fn revisions(&self) -> Vec<(Symbol, Bytes)> {
        let numbered = (1..).zip(&self.written);
        numbered
            .map(|(nth, bytes): (u64, _)| (format!("<rev {nth}>"), bytes.clone()))
            .collect()
    }

    /// The rev of the file at a place.
    pub(super) fn rev(&self, place: &Place) -> Option<Symbol> {
        self.file(place).map(|file| file.rev.clone())
    }

    fn file(&self, place: &Place) -> Option<&File> {
        let path = self.resolve(place).ok()?;
        match &self.nodes.get(&fold(&path))?.what {
            What::File(file) => Some(file),
            _ => None,
        }
    }

    pub(super) fn quota(&self) -> Option<u64> {
        self.setup.quota
    }

    pub(super) fn limit(&mut self, bytes: u64) {
        self.setup.quota = Some(bytes);
    }

    /// Bytes of the files.
    pub(super) fn used(&self) -> u64 {
        let files = self.files();
        files.iter().map(|(_, bytes)| bytes.len() as u64).sum()
    }

    /// Bytes of the file that a commit replaces, unless it brings the same.
    pub(super) fn replaced(&self, commit: &Commit) -> u64 {
        let Some(file) = self.file(&commit.place) else {
            return 0;
        };
        match &commit.mode {
            Mode::Add => 0,
            Mode::Update(rev) if *rev != file.rev => 0,
            Mode::Overwrite | Mode::Update(_) => file.bytes.len() as u64,
        }
    }

    /// How many ids there were.
    pub(super) fn ids(&self) -> u64 {
        self.ids
    }
}

impl What {
    /// Of what is there; what was deleted has none.
    fn id(&self) -> Option<&Symbol> {
        match self {
            Self::File(File { id, .. }) | Self::Folder(id) => Some(id),
            Self::DeletedFile | Self::DeletedFolder => None,
        }
    }
}

impl Node {
    fn metadata(&self) -> Value {
        let mut metadata = json!({
            "name": self.path.rsplit('/').next(),
            "path_lower": fold(&self.path),
            "path_display": self.path,
            "id": self.what.id(),
        });
        if let What::File(file) = &self.what {
            let file = json!({
                "client_modified": time(file.client_modified),
                "server_modified": time(file.server_modified),
                "rev": file.rev,
                "size": file.bytes.len(),
                "is_downloadable": true,
                "content_hash": ContentHash::of(&file.bytes).to_string(),
            });
            let whole = metadata.as_object_mut().expect("an object");
            whole.extend(file.as_object().cloned().unwrap_or_default());
        }
        metadata
    }

    /// The metadata where it may be of a file or a folder.
    fn tagged(&self) -> Value {
        let mut tagged = match self.what {
            What::File(_) => tag("file"),
            _ => tag("folder"),
        };
        let whole = tagged.as_object_mut().expect("an object");
        whole.extend(self.metadata().as_object().cloned().unwrap_or_default());
        tagged
    }
}

fn time(seconds: i64) -> String {
    Timestamp::from_unix_seconds(seconds).to_string()
}
