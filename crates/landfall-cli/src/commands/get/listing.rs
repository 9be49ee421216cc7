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
use landfall_protocol::{ContentHash, FileId, Rev, Timestamp};
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

/// All entries below a folder, by folded path: a folder comes before what is in it.
#[derive(Debug, Default)]
pub(super) struct Listing {
    root: Box<str>,
    entries: BTreeMap<Box<str>, Entry>,
}

#[derive(Debug)]
enum Entry {
    Folder(Box<FolderMetadata>),
    File(Box<Listed>),
}

/// A file of a listing; compact, because there may be hundreds of thousands.
#[derive(Debug)]
pub(super) struct Listed {
    name: Box<str>,
    path: Option<Box<str>>,
    id: FileId,
    rev: Rev,
    pub(super) size: u64,
    client_modified: Timestamp,
    server_modified: Timestamp,
    content_hash: Option<ContentHash>,
}

impl Listed {
    fn of(file: FileMetadata) -> Self {
        Self {
            name: file.name.into(),
            path: file.path_display.map(Into::into),
            id: file.id,
            rev: file.rev,
            size: file.size,
            client_modified: file.client_modified,
            server_modified: file.server_modified,
            content_hash: file.content_hash,
        }
    }

    /// The file as the service described it, but for what nobody here looks at.
    pub(super) fn metadata(self) -> FileMetadata {
        FileMetadata {
            name: self.name.into(),
            path_lower: None,
            path_display: self.path.map(Into::into),
            id: self.id,
            client_modified: self.client_modified,
            server_modified: self.server_modified,
            rev: self.rev,
            size: self.size,
            parent_shared_folder_id: None,
            preview_url: None,
            media_info: None,
            symlink_info: None,
            sharing_info: None,
            is_downloadable: true,
            export_info: None,
            property_groups: None,
            has_explicit_shared_members: None,
            content_hash: self.content_hash,
            file_lock_info: None,
            is_restorable: None,
        }
    }
}

impl Entry {
    fn name(&self) -> &str {
        match self {
            Self::Folder(folder) => &folder.name,
            Self::File(file) => &file.name,
        }
    }

    fn metadata(self) -> Metadata {
        match self {
            Self::Folder(folder) => Metadata::Folder(*folder),
            Self::File(file) => Metadata::File(file.metadata()),
        }
    }
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
            root: root.unwrap_or_default().into(),
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
        let lower: Box<str> = match entry.path_lower() {
            Some(lower) => lower.into(),
            None => fold_name(path_of(&entry)).into(),
        };
        // A recursive listing may hold its own beginning.
        if lower == self.root {
            return;
        }
        let entry = match entry {
            Metadata::Folder(folder) => {
                self.entries.insert(lower, Entry::Folder(Box::new(folder)));
                return;
            }
            Metadata::File(file) => Some(Entry::File(Box::new(Listed::of(file)))),
            Metadata::Deleted(_) => None,
        };
        // What was in a folder that is none any more.
        let mut after = self.entries.split_off(format!("{lower}/").as_str());
        self.entries
            .append(&mut after.split_off(format!("{lower}0").as_str()));
        match entry {
            Some(entry) => drop(self.entries.insert(lower, entry)),
            None => drop(self.entries.remove(&lower)),
        }
    }
}

/// What there is to get, and where to.
#[derive(Debug)]
pub(super) struct Tree {
    /// The folder that holds all, and those below it, each after the one that it is in.
    pub(super) folders: Vec<Folder>,
    pub(super) files: Vec<Wanted>,
    pub(super) left_out: Vec<LeftOut>,
}

/// A folder of this machine.
#[derive(Debug)]
pub(super) struct Folder {
    pub(super) dest: PathBuf,
    /// The number of the one that it is in; none for the first.
    pub(super) parent: Option<usize>,
}

/// A file that goes into the folder with this number.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) folder: usize,
    pub(super) file: Box<Listed>,
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
        let mut tree = Tree {
            folders: vec![Folder {
                dest: dest.to_owned(),
                parent: None,
            }],
            files: Vec::new(),
            left_out: Vec::new(),
        };
        let mut numbers = Numbers::from([(self.root, Some(0))]);
        for (lower, entry) in self.entries {
            let folder = tree.folder_of(&lower, &mut numbers);
            let why = place::unfit(entry.name());
            match (folder, entry, why) {
                (Some(folder), Entry::File(file), None) => {
                    tree.files.push(Wanted { folder, file });
                }
                (Some(folder), Entry::Folder(it), None) => {
                    let number = tree.add(folder, &it.name);
                    numbers.insert(lower, Some(number));
                }
                (folder, entry, why) => {
                    if matches!(entry, Entry::Folder(_)) {
                        numbers.insert(lower, None);
                    }
                    // What is in something that is left out is not told again.
                    if let (Some(folder), Some(why)) = (folder, why) {
                        tree.left_out.push(LeftOut {
                            entry: entry.metadata(),
                            folder: tree.folders[folder].dest.clone(),
                            why,
                        });
                    }
                }
            }
        }
        tree
    }
}

/// The numbers of folders by folded path; none: it is left out.
type Numbers = HashMap<Box<str>, Option<usize>>;

impl Tree {
    fn add(&mut self, parent: usize, name: &str) -> usize {
        self.folders.push(Folder {
            dest: self.folders[parent].dest.join(name),
            parent: Some(parent),
        });
        self.folders.len() - 1
    }

    /// The folder that an entry is in. One that the listing doesn't hold goes by its folded name.
    fn folder_of(&mut self, lower: &str, numbers: &mut Numbers) -> Option<usize> {
        let (above, _) = lower.rsplit_once('/')?;
        if let Some(known) = numbers.get(above) {
            return *known;
        }
        let (_, name) = above.rsplit_once('/')?;
        let parent = self.folder_of(above, numbers);
        let number = match place::unfit(name) {
            None => parent.map(|parent| self.add(parent, name)),
            Some(_) => None,
        };
        numbers.insert(above.into(), number);
        number
    }
}

#[cfg(test)]
mod tests {
    use super::{Listed, Listing, Tree};
    use crate::output::tests::{file, folder};
    use landfall_protocol::types::files::{DeletedMetadata, Metadata};
    use std::path::Path;

    fn listing(root: &str, entries: &[&str]) -> Tree {
        let mut listing = Listing {
            root: root.into(),
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
        let folders = tree.folders.iter().skip(1);
        folders
            .map(|folder| folder.dest.to_str().unwrap())
            .collect()
    }

    fn files(tree: &Tree) -> Vec<String> {
        let files = tree.files.iter();
        let places = files.map(|wanted| tree.folders[wanted.folder].dest.join(&*wanted.file.name));
        places
            .map(|dest| dest.to_str().unwrap().to_owned())
            .collect()
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
    fn a_file_keeps_what_is_told_of_it() {
        let (described, mut kept) = (file(), file());
        kept.path_lower = None;
        assert_eq!(Listed::of(described).metadata(), kept);
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
