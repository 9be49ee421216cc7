//! What is in a folder at the service, with all below, and where it goes on this machine.

use super::place;
use crate::exit::{Context, Result};
use crate::output::path_of;
use crate::paths::RemotePath;
use landfall::Client;
use landfall::transfer::{Events, Repeatable, repeat};
use landfall_protocol::limits::LIST_PAGE;
use landfall_protocol::path::fold_name;
use landfall_protocol::types::files::{FileMetadata, FolderMetadata, Metadata};
use landfall_protocol::types::folders::{ListFolderArg, ListFolderContinueArg, PageLimit};
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

/// All entries below a folder, by folded path: a folder comes before what is in it.
#[derive(Debug, Default)]
pub(super) struct Listing {
    root: String,
    entries: BTreeMap<String, Metadata>,
}

impl Listing {
    /// Lists this folder, of which the service says this; nothing for the root.
    pub(super) async fn of(
        client: &Client,
        path: &RemotePath,
        folder: Option<&FolderMetadata>,
        events: &dyn Events,
    ) -> Result<Self> {
        let what = || format!("can't list {}", path.shown());
        let root = folder.and_then(|folder| folder.path_lower.clone());
        let mut listing = Self {
            root: root.unwrap_or_default(),
            entries: BTreeMap::new(),
        };
        let arg = ListFolderArg {
            recursive: true,
            limit: Some(PageLimit::new(LIST_PAGE)),
            ..ListFolderArg::new(path.to_list()?)
        };
        let policy = super::super::patience();
        let first = repeat(policy, Repeatable::Always, "listing", events, || {
            client.list_folder(&arg)
        });
        let mut page = first.await.when(what)?.value;
        loop {
            page.entries
                .into_iter()
                .for_each(|entry| listing.add(entry));
            if !page.has_more {
                return Ok(listing);
            }
            let arg = ListFolderContinueArg {
                cursor: page.cursor,
            };
            let next = repeat(policy, Repeatable::Always, "listing", events, || {
                client.list_folder_continue(&arg)
            });
            page = next.await.when(what)?.value;
        }
    }

    /// Takes an entry into account; later ones tell what changed meanwhile.
    fn add(&mut self, entry: Metadata) {
        let lower = match entry.path_lower() {
            Some(lower) => lower.to_owned(),
            None => fold_name(path_of(&entry)),
        };
        // A recursive listing may hold its own beginning.
        if lower == self.root {
            return;
        }
        if matches!(entry, Metadata::Deleted(_) | Metadata::File(_)) {
            let (first, after) = (format!("{lower}/"), format!("{lower}0"));
            let mut rest = self.entries.split_off(&first);
            self.entries.append(&mut rest.split_off(&after));
        }
        match entry {
            Metadata::Deleted(_) => drop(self.entries.remove(&lower)),
            entry => drop(self.entries.insert(lower, entry)),
        }
    }
}

/// What there is to get, and where to.
#[derive(Debug, Default)]
pub(super) struct Tree {
    /// Folders, each after the one that it is in.
    pub(super) folders: Vec<PathBuf>,
    pub(super) files: Vec<(FileMetadata, PathBuf)>,
    pub(super) left_out: Vec<LeftOut>,
}

/// Something that can't go where it belongs, with all that is in it.
#[derive(Debug)]
pub(super) struct LeftOut {
    pub(super) entry: Metadata,
    /// The folder that it would be in.
    pub(super) folder: PathBuf,
    pub(super) why: &'static str,
}

impl Listing {
    /// The same below this folder of this machine.
    pub(super) fn into_tree(self, dest: &Path) -> Tree {
        let mut tree = Tree::default();
        // `None`: it is left out.
        let mut folders = HashMap::from([(self.root.clone(), Some(dest.to_owned()))]);
        for (lower, entry) in self.entries {
            let Some(folder) = folder_of(&lower, &mut folders, &mut tree) else {
                if matches!(entry, Metadata::Folder(_)) {
                    folders.insert(lower, None);
                }
                continue;
            };
            let why = place::unfit(entry.name());
            let place = folder.join(entry.name());
            match (entry, why) {
                (entry, Some(why)) => {
                    if matches!(entry, Metadata::Folder(_)) {
                        folders.insert(lower, None);
                    }
                    tree.left_out.push(LeftOut { entry, folder, why });
                }
                (Metadata::File(file), None) => tree.files.push((file, place)),
                (Metadata::Folder(_), None) => {
                    tree.folders.push(place.clone());
                    folders.insert(lower, Some(place));
                }
                (Metadata::Deleted(_), None) => {}
            }
        }
        tree
    }
}

/// Where the folder of this entry is. One that the listing doesn't hold goes by its folded name.
fn folder_of(
    lower: &str,
    folders: &mut HashMap<String, Option<PathBuf>>,
    tree: &mut Tree,
) -> Option<PathBuf> {
    let (above, _) = lower.rsplit_once('/')?;
    if let Some(known) = folders.get(above) {
        return known.clone();
    }
    let name = above.rsplit_once('/').map_or(above, |(_, name)| name);
    let place = match place::unfit(name) {
        None => folder_of(above, folders, tree).map(|folder| folder.join(name)),
        Some(_) => None,
    };
    if let Some(place) = &place {
        tree.folders.push(place.clone());
    }
    folders.insert(above.to_owned(), place.clone());
    place
}

#[cfg(test)]
mod tests {
    use super::{Listing, Tree};
    use crate::output::tests::{file, folder};
    use landfall_protocol::types::files::{DeletedMetadata, Metadata};
    use std::path::Path;

    fn listing(root: &str, entries: &[&str]) -> Tree {
        let mut listing = Listing {
            root: root.to_owned(),
            ..Listing::default()
        };
        for entry in entries {
            let path = entry.trim_start_matches('-').trim_end_matches('/');
            let name = path.rsplit('/').next().unwrap().to_owned();
            let lower = Some(path.to_lowercase());
            let display = Some(path.to_owned());
            let entry = if entry.starts_with('-') {
                Metadata::Deleted(DeletedMetadata {
                    name,
                    path_lower: lower,
                    path_display: display,
                    parent_shared_folder_id: None,
                    preview_url: None,
                    is_restorable: None,
                })
            } else if entry.ends_with('/') {
                let mut folder = folder();
                (folder.name, folder.path_lower, folder.path_display) = (name, lower, display);
                Metadata::Folder(folder)
            } else {
                let mut file = file();
                (file.name, file.path_lower, file.path_display) = (name, lower, display);
                Metadata::File(file)
            };
            listing.add(entry);
        }
        listing.into_tree(Path::new("here"))
    }

    fn folders(tree: &Tree) -> Vec<&str> {
        let folders = tree.folders.iter();
        folders.map(|folder| folder.to_str().unwrap()).collect()
    }

    fn files(tree: &Tree) -> Vec<&str> {
        let files = tree.files.iter();
        files.map(|(_, dest)| dest.to_str().unwrap()).collect()
    }

    fn left_out(tree: &Tree) -> Vec<&str> {
        tree.left_out.iter().map(|left| left.entry.name()).collect()
    }

    #[test]
    fn each_entry_has_its_place_in_whatever_order_it_was_listed() {
        let tree = listing(
            "/docs",
            &["/Docs/B/x", "/Docs/a", "/Docs/B/C d/", "/Docs/B/", "/Docs/"],
        );
        assert_eq!(folders(&tree), ["here/B", "here/B/C d"]);
        assert_eq!(files(&tree), ["here/a", "here/B/x"]);
        let tree = listing("", &["/a", "/b/c/d"]);
        assert_eq!(folders(&tree), ["here/b", "here/b/c"]);
        assert_eq!(files(&tree), ["here/a", "here/b/c/d"]);
    }

    #[test]
    fn what_changed_while_it_was_listed_is_as_it_is_at_the_end() {
        let tree = listing("", &["/a/", "/a/x", "/a b", "/c/", "/c/d", "-/a", "/c"]);
        assert_eq!(folders(&tree), [] as [&str; 0]);
        assert_eq!(files(&tree), ["here/a b", "here/c"]);
    }

    #[test]
    fn what_can_not_be_here_is_left_out_with_all_in_it() {
        let tree = listing(
            "/r",
            &[
                "/r/../",
                "/r/../x",
                "/r/../y/",
                "/r/../y/z",
                "/r/ok",
                "/r/f/",
                "/r/f/..",
            ],
        );
        assert_eq!(folders(&tree), ["here/f"]);
        assert_eq!(files(&tree), ["here/ok"]);
        assert_eq!(left_out(&tree), ["..", ".."]);
    }
}
