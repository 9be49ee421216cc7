//! What is at the service where files are to go: one listing instead of a question per file.

use super::engine::Engine;
use super::if_exists::Found;
use super::plan::Plan;
use crate::CallError;
use landfall_protocol::DisplayPath;
use landfall_protocol::limits::LIST_PAGE;
use landfall_protocol::path::{PathROrId, ReadPath, fold_name};
use landfall_protocol::types::files::{GetMetadataArg, GetMetadataError, LookupError, Metadata};
use landfall_protocol::types::folders::{
    ListFolderArg, ListFolderContinueArg, ListFolderContinueError, ListFolderError, PageLimit,
};
use std::collections::{BTreeMap, HashMap};

/// Files that go into one folder, from which on the folder is listed instead of asking for each.
const WORTH_A_LISTING: usize = 3;

/// What is there, by folded path.
#[derive(Debug, Default)]
pub(super) struct Existing {
    found: HashMap<Box<str>, Entry>,
    /// Whether the spelling of paths is kept, which takes memory.
    spelled: bool,
}

#[derive(Debug)]
struct Entry {
    found: Found,
    /// The path as it is shown, if that is kept and differs from the folded one.
    shown: Option<Box<str>>,
}

/// It can't be told what is there.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LookFailure {
    /// A folder can't be listed.
    #[error(transparent)]
    List(#[from] CallError<ListFolderError>),
    /// The rest of a listing doesn't come.
    #[error(transparent)]
    Continue(#[from] CallError<ListFolderContinueError>),
    /// A path can't be looked at.
    #[error(transparent)]
    Metadata(#[from] CallError<GetMetadataError>),
}

impl Existing {
    /// What is at all places of the plan; with the spelling of its paths if that is wanted.
    pub(super) async fn look(
        engine: &Engine,
        plan: &Plan,
        spelled: bool,
    ) -> Result<Self, LookFailure> {
        let mut existing = Self {
            spelled,
            ..Self::default()
        };
        let mut files: BTreeMap<String, Vec<&DisplayPath>> = BTreeMap::new();
        for root in plan.roots() {
            let there = &root.there;
            if root.walk.is_some() {
                existing.list(engine, there, true).await?;
            } else {
                let folder = there.parent().as_str().to_owned();
                files.entry(folder).or_default().push(there);
            }
        }
        for (folder, files) in files {
            if files.len() >= WORTH_A_LISTING {
                let folder = DisplayPath::parse(&folder).expect("it is the parent of a path");
                existing.list(engine, &folder, false).await?;
            } else {
                for file in files {
                    existing.ask(engine, file).await?;
                }
            }
        }
        Ok(existing)
    }

    pub(super) fn at(&self, there: &DisplayPath) -> Option<Found> {
        let entry = self.found.get(&*fold_name(there.as_str()))?;
        Some(entry.found)
    }

    async fn list(
        &mut self,
        engine: &Engine,
        folder: &DisplayPath,
        recursive: bool,
    ) -> Result<(), LookFailure> {
        let path = PathROrId::parse(folder.as_str()).expect("it is a path");
        let arg = ListFolderArg {
            recursive,
            limit: Some(PageLimit::new(LIST_PAGE)),
            ..ListFolderArg::new(path)
        };
        let what = "listing the folder";
        let listed = engine.repeat(what, || engine.client().list_folder(&arg));
        let mut page = match listed.await {
            Ok(reply) => reply.value,
            Err(error) => match error.route_error() {
                Some(ListFolderError::Path(LookupError::NotFound)) => return Ok(()),
                // What is in the way is no folder: the commits will say so.
                Some(ListFolderError::Path(LookupError::NotFolder)) => return Ok(()),
                _ => return Err(error.into()),
            },
        };
        if !folder.is_root() {
            self.insert(folder.as_str(), Found::Folder);
        }
        loop {
            page.entries.into_iter().for_each(|entry| self.add(entry));
            if !page.has_more {
                return Ok(());
            }
            let arg = ListFolderContinueArg {
                cursor: page.cursor,
            };
            let next = engine.repeat(what, || engine.client().list_folder_continue(&arg));
            page = next.await?.value;
        }
    }

    async fn ask(&mut self, engine: &Engine, path: &DisplayPath) -> Result<(), LookFailure> {
        let arg = GetMetadataArg::new(ReadPath::parse(path.as_str()).expect("it is a path"));
        let what = "looking at the path";
        let found = engine.repeat(what, || engine.client().get_metadata(&arg));
        match found.await {
            Ok(reply) => self.add(reply.value),
            Err(error) => match error.route_error() {
                Some(GetMetadataError::Path(LookupError::NotFound)) => {}
                _ => return Err(error.into()),
            },
        }
        Ok(())
    }

    fn add(&mut self, entry: Metadata) {
        let Some(found) = Found::of(&entry) else {
            return;
        };
        let (display, lower) = match entry {
            Metadata::File(file) => (file.path_display, file.path_lower),
            Metadata::Folder(folder) => (folder.path_display, folder.path_lower),
            Metadata::Deleted(_) => return,
        };
        self.insert(&display.or(lower).unwrap_or_default(), found);
    }

    fn insert(&mut self, path: &str, found: Found) {
        let folded = fold_name(path).into_boxed_str();
        let shown = (self.spelled && *folded != *path).then(|| path.into());
        self.found.insert(folded, Entry { found, shown });
    }

    /// What is there: folded path, path as it is shown, and what it is.
    pub(super) fn entries(&self) -> impl Iterator<Item = (&str, &str, Found)> {
        self.found.iter().map(|(path, entry)| {
            let shown = entry.shown.as_deref().unwrap_or(path);
            (&**path, shown, entry.found)
        })
    }
}
