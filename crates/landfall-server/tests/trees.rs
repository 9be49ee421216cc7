//! Random changes of trees: the server beside a model of a few lines, and a client that follows the
//! changes and ends with the tree (P9).

use landfall_protocol::ContentHash;
use landfall_testkit::{Answer, Calls, Dice, on_each_store};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Few, so that places are used again, in other letters and as something else.
const NAMES: [&str; 6] = ["a", "A", "a b", "a.x", "b", "\u{e9}"];

/// Changes of one tree.
const STEPS: usize = 70;

on_each_store! {
    async fn trees_are_what_the_model_says_and_a_client_can_follow(server: TestServer) {
        let mut met = BTreeSet::new();
        for seed in 1..=10 {
            let calls = server.calls_as(&format!("walker {seed}")).await;
            let mut walk = Walk::new(seed, calls);
            for _ in 0..STEPS {
                walk.step().await;
            }
            walk.end().await;
            met.append(&mut walk.met);
        }
        let missed: Vec<_> = WANTED.iter().filter(|what| !met.contains(**what)).collect();
        assert!(missed.is_empty(), "never met: {missed:?}");
    }
}

/// What is met in all those walks.
const WANTED: [&str; 22] = [
    "upload ok",
    "upload path/conflict/folder",
    "upload path/conflict/file_ancestor",
    "create_folder ok",
    "create_folder path/conflict/folder",
    "delete ok",
    "delete path_lookup/not_found",
    "move ok",
    "move from_lookup/not_found",
    "move to/conflict/file",
    "move to/conflict/folder",
    "move to/conflict/file_ancestor",
    "move cant_move_folder_into_itself",
    "move renamed",
    "copy ok",
    "copy to/conflict/file",
    "copy to/conflict/folder",
    "copy duplicated_or_nested_paths",
    "copy renamed",
    "restore ok",
    "restore path_write/conflict/folder",
    "restore path_write/conflict/file_ancestor",
];

/// What is at a place.
#[derive(Clone, Debug, PartialEq)]
struct Item {
    path: String,
    /// `None`: not known yet.
    id: Option<String>,
    /// `None`: a folder.
    body: Option<String>,
}

/// A revision that there was.
#[derive(Clone, Debug)]
struct Written {
    rev: String,
    item: Item,
}

/// A tree as the model has it, by the keys of its places.
#[derive(Clone, Debug, Default)]
struct Model(BTreeMap<String, Item>);

fn key(path: &str) -> String {
    path.to_lowercase()
}

fn parent(path: &str) -> &str {
    path.rsplit_once('/').expect("a slash").0
}

fn is_below(key: &str, above: &str) -> bool {
    key.strip_prefix(above)
        .is_some_and(|rest| rest.starts_with('/'))
}

impl Model {
    /// The folder above a path as it is shown; `None`: a file is in the way.
    fn make_parents(&mut self, path: &str) -> Option<String> {
        let above = parent(path);
        if above.is_empty() {
            return Some(String::new());
        }
        match self.0.get(&key(above)) {
            Some(Item { body: Some(_), .. }) => None,
            Some(folder) => Some(folder.path.clone()),
            None => {
                let name = above.rsplit_once('/').expect("a slash").1;
                let path = format!("{}/{name}", self.make_parents(above)?);
                let folder = Item {
                    path: path.clone(),
                    id: None,
                    body: None,
                };
                self.0.insert(key(&path), folder);
                Some(path)
            }
        }
    }

    /// Where something new goes, with the folders above it.
    fn land(&mut self, path: &str, is_folder: bool, rename: bool) -> Result<String, &'static str> {
        let before = self.clone();
        let landed = self.try_land(path, is_folder, rename);
        if landed.is_err() {
            *self = before;
        }
        landed
    }

    fn try_land(
        &mut self,
        path: &str,
        is_folder: bool,
        rename: bool,
    ) -> Result<String, &'static str> {
        let above = self.make_parents(path).ok_or("conflict/file_ancestor")?;
        let name = path.rsplit_once('/').expect("a slash").1;
        let wanted = format!("{above}/{name}");
        let Some(there) = self.0.get(&key(&wanted)) else {
            return Ok(wanted);
        };
        if !rename {
            return Err(if there.body.is_some() {
                "conflict/file"
            } else {
                "conflict/folder"
            });
        }
        let (stem, extension) = match name.rfind('.') {
            Some(dot) if !is_folder => name.split_at(dot),
            _ => (name, ""),
        };
        let mut names = (2..).map(|nth| format!("{above}/{stem} ({nth}){extension}"));
        let free = names.find(|path| !self.0.contains_key(&key(path)));
        Ok(free.expect("numbers without end"))
    }

    fn put(&mut self, path: &str, body: &str) -> Result<(), &'static str> {
        if let Some(file) = self
            .0
            .get_mut(&key(path))
            .filter(|item| item.body.is_some())
        {
            file.body = Some(body.to_owned());
            return Ok(());
        }
        let path = self.land(path, false, false)?;
        let file = Item {
            path: path.clone(),
            id: None,
            body: Some(body.to_owned()),
        };
        self.0.insert(key(&path), file);
        Ok(())
    }

    fn create_folder(&mut self, path: &str) -> Result<(), &'static str> {
        let path = self.land(path, true, false)?;
        self.0.insert(
            key(&path),
            Item {
                path,
                id: None,
                body: None,
            },
        );
        Ok(())
    }

    fn remove(&mut self, path: &str) -> Option<Vec<Item>> {
        let top = key(path);
        self.0.get(&top)?;
        let gone = self
            .0
            .extract_if(.., |key, _| *key == top || is_below(key, &top));
        Some(gone.map(|(_, item)| item).collect())
    }

    fn relocate(
        &mut self,
        from: &str,
        to: &str,
        rename: bool,
        moves: bool,
    ) -> Result<String, String> {
        let top = self
            .0
            .get(&key(from))
            .ok_or("from_lookup/not_found")?
            .clone();
        if top.body.is_none() && is_below(&key(to), &key(from)) {
            let error = if moves {
                "cant_move_folder_into_itself"
            } else {
                "duplicated_or_nested_paths"
            };
            return Err(error.into());
        }
        let there = self.land(to, top.body.is_none(), rename);
        let there = there.map_err(|error| format!("to/{error}"))?;
        let rest = self.clone();
        let items = self.remove(from).expect("it is there");
        if !moves {
            *self = rest;
        }
        for item in items {
            let path = format!("{there}{}", &item.path[top.path.len()..]);
            let id = item.id.filter(|_| moves);
            self.0.insert(key(&path), Item { path, id, ..item });
        }
        Ok(there)
    }

    fn restore(&mut self, then: &Item) -> Result<(), &'static str> {
        let at = key(&then.path);
        let elsewhere = self
            .0
            .iter()
            .any(|(key, item)| *key != at && item.id == then.id);
        match self.0.get_mut(&at) {
            Some(Item { body: None, .. }) => return Err("conflict/folder"),
            // As it was: nothing.
            Some(file) if file.body == then.body => return Ok(()),
            Some(file) => {
                file.body.clone_from(&then.body);
                if !elsewhere {
                    file.id.clone_from(&then.id);
                }
                return Ok(());
            }
            None => {}
        }
        let path = self.land(&then.path, false, false)?;
        let id = then.id.clone().filter(|_| !elsewhere);
        let body = then.body.clone();
        self.0.insert(at, Item { path, id, body });
        Ok(())
    }
}

struct Walk {
    seed: u64,
    dice: Dice,
    calls: Calls,
    model: Model,
    /// Ids that were ever given.
    ids: BTreeSet<String>,
    revisions: Vec<Written>,
    follower: Follower,
    met: BTreeSet<String>,
    steps: usize,
}

impl Walk {
    fn new(seed: u64, calls: Calls) -> Self {
        let mut dice = Dice::new(seed);
        let limit = 1 + dice.below(5);
        Self {
            seed,
            dice,
            calls,
            model: Model::default(),
            ids: BTreeSet::new(),
            revisions: Vec::new(),
            follower: Follower::new(limit),
            met: BTreeSet::new(),
            steps: 0,
        }
    }

    fn path(&mut self) -> String {
        let depth = 1 + self.dice.below(3);
        (0..depth)
            .map(|_| format!("/{}", self.dice.one(&NAMES)))
            .collect()
    }

    /// A place that is there, mostly.
    fn source(&mut self) -> String {
        let there: Vec<String> = self.model.0.keys().cloned().collect();
        if there.is_empty() || self.dice.chance(10) {
            self.path()
        } else {
            self.dice.one(&there)
        }
    }

    async fn step(&mut self) {
        self.steps += 1;
        let before = self.model.clone();
        let (what, wanted, answer) = self.change().await;
        let outcome = match &wanted {
            Ok(()) => "ok",
            Err(error) => error,
        };
        self.met.insert(format!("{what} {outcome}"));
        let place = format!(
            "seed {}, step {}: {what}, {outcome}, in {before:#?}",
            self.seed, self.steps
        );
        match &wanted {
            Ok(()) => assert_eq!(answer.status, 200, "{place}: {}", answer.text()),
            Err(error) => assert_eq!(answer.error(), *error, "{place}"),
        }
        self.compare(&place).await;
        if self.dice.chance(30) {
            self.follower.take_page(&self.calls).await;
        }
    }

    /// Makes one change, of the server's tree and of the model's.
    async fn change(&mut self) -> (&'static str, Result<(), String>, Answer) {
        let path = self.path();
        let told = |error: &str| format!("path/{error}");
        match self.dice.below(100) {
            0..30 => {
                let body = format!("{} of {}", self.steps, self.seed);
                let arg = json!({"path": path, "mode": "overwrite"}).to_string();
                let answer = self.calls.upload("files/upload", &arg, body.clone()).await;
                ("upload", self.model.put(&path, &body).map_err(told), answer)
            }
            30..40 => {
                let answer = self.calls.create_folder(&path).await;
                (
                    "create_folder",
                    self.model.create_folder(&path).map_err(told),
                    answer,
                )
            }
            40..50 => {
                let source = self.source();
                let answer = self.calls.delete(&source).await;
                let gone = self.model.remove(&source).map(drop);
                (
                    "delete",
                    gone.ok_or_else(|| "path_lookup/not_found".into()),
                    answer,
                )
            }
            50..60 if !self.revisions.is_empty() => {
                let then = self.dice.one(&self.revisions);
                let arg = json!({"path": then.item.path, "rev": then.rev}).to_string();
                let answer = self.calls.rpc("files/restore", &arg).await;
                let restored = self.model.restore(&then.item);
                (
                    "restore",
                    restored.map_err(|error| format!("path_write/{error}")),
                    answer,
                )
            }
            roll => {
                let moves = roll % 2 == 0;
                let (source, rename) = (self.source(), self.dice.chance(30));
                let arg = json!({"from_path": source, "to_path": path, "autorename": rename});
                let route = if moves {
                    "files/move_v2"
                } else {
                    "files/copy_v2"
                };
                let answer = self.calls.rpc(route, &arg.to_string()).await;
                let what = if moves { "move" } else { "copy" };
                let there = self.model.relocate(&source, &path, rename, moves);
                if let Ok(there) = &there {
                    assert_eq!(answer.ok()["metadata"]["path_display"], **there);
                    if !key(there).ends_with(&key(&path)) {
                        self.met.insert(format!("{what} renamed"));
                    }
                }
                (what, there.map(drop), answer)
            }
        }
    }

    /// Compares the tree with the model's, and learns the ids that are new.
    async fn compare(&mut self, place: &str) {
        let arg = json!({"path": "", "recursive": true, "limit": 2000});
        let listed = self.calls.list(&arg).await.ok();
        let listed = listed["entries"].as_array().expect("entries");
        let text =
            |entry: &Value, field: &str| entry[field].as_str().unwrap_or_default().to_owned();
        let paths: Vec<String> = listed
            .iter()
            .map(|entry| text(entry, "path_display"))
            .collect();
        let wanted: Vec<&String> = self.model.0.values().map(|item| &item.path).collect();
        assert_eq!(paths.iter().collect::<Vec<_>>(), wanted, "{place}");
        for (entry, item) in listed.iter().zip(self.model.0.values_mut()) {
            let hash = item
                .body
                .as_ref()
                .map(|body| ContentHash::of(body.as_bytes()).to_string());
            assert_eq!(
                text(entry, "content_hash"),
                hash.unwrap_or_default(),
                "{}: {place}",
                item.path
            );
            let id = text(entry, "id");
            match &item.id {
                Some(known) => assert_eq!(id, *known, "{}: {place}", item.path),
                None => {
                    assert!(
                        self.ids.insert(id.clone()),
                        "{}: {id} was given before: {place}",
                        item.path
                    );
                    item.id = Some(id);
                }
            }
            let rev = text(entry, "rev");
            if item.body.is_some() && self.revisions.iter().all(|written| written.rev != rev) {
                self.revisions.push(Written {
                    rev,
                    item: item.clone(),
                });
            }
        }
    }

    /// What the client has followed is the tree, what the account fills are its files, and no
    /// revision is lost.
    async fn end(&mut self) {
        self.follower.follow(&self.calls).await;
        let mut fresh = Follower::new(2000);
        fresh.take_page(&self.calls).await;
        assert!(!fresh.tree.is_empty(), "seed {}", self.seed);
        assert_eq!(self.follower.tree, fresh.tree, "seed {}", self.seed);
        let usage = self.calls.rpc("users/get_space_usage", "null").await.ok();
        let bodies = self.model.0.values().filter_map(|item| item.body.as_ref());
        assert_eq!(
            usage["used"],
            bodies.map(String::len).sum::<usize>(),
            "seed {}",
            self.seed
        );
        for written in &self.revisions {
            let body = self.calls.read(&format!("rev:{}", written.rev)).await;
            assert_eq!(
                Some(body.as_ref()),
                written.item.body.as_ref().map(String::as_bytes),
                "seed {}",
                self.seed
            );
        }
    }
}

/// Does what a syncing client does to its disk.
struct Follower {
    limit: usize,
    cursor: Option<String>,
    /// By `path_lower`.
    tree: BTreeMap<String, Value>,
}

impl Follower {
    fn new(limit: usize) -> Self {
        Self {
            limit,
            cursor: None,
            tree: BTreeMap::new(),
        }
    }

    /// Takes the next page; says whether there was anything, or more is to come.
    async fn take_page(&mut self, calls: &Calls) -> bool {
        let arg = json!({"path": "", "recursive": true, "limit": self.limit});
        let page = match &self.cursor {
            None => calls.list(&arg).await.ok(),
            Some(cursor) => calls.list_on(cursor).await.ok(),
        };
        let entries = page["entries"].as_array().expect("entries");
        for entry in entries {
            let key = entry["path_lower"].as_str().expect("a path").to_owned();
            if entry[".tag"] != "folder" {
                self.tree.retain(|path, _| !is_below(path, &key));
            }
            if entry[".tag"] == "deleted" {
                self.tree.remove(&key);
                continue;
            }
            let above = self.tree.get(parent(&key));
            assert!(
                parent(&key).is_empty() || above.is_some_and(|above| above[".tag"] == "folder"),
                "parents come before children: {key}"
            );
            self.tree.insert(key, entry.clone());
        }
        self.cursor = Some(page["cursor"].as_str().expect("a cursor").to_owned());
        page["has_more"] == true || !entries.is_empty()
    }

    /// Takes pages until nothing is new: those of the walk that are left, and then the changes of
    /// that time.
    async fn follow(&mut self, calls: &Calls) {
        let mut quiet = 0;
        while quiet < 2 {
            quiet = if self.take_page(calls).await {
                0
            } else {
                quiet + 1
            };
        }
    }
}
