//! Looking at, reading and deleting files and folders, and making folders.

use super::landing::{FreshIds, TreeChange};
use super::target::{NoPlace, Place};
use super::{Caller, ContentReader, Failure, Service, metadata};
use crate::meta::rows::{Entry, FileEntry, Node, Ns};
use crate::meta::{Decision, Loads, MetaError, Operation, PlaceView, Rename, Subtree, Target};
use crate::rules::naming::Numbering;
use crate::rules::{add, remove};
use crate::sys::Micros;
use landfall_protocol::types::files::{
    DeleteArg, DeleteError, DeleteResult, DownloadArg, DownloadError, FileMetadata, GetMetadataArg,
    GetMetadataError, LookupError, Metadata, RangeError, WriteError,
};
use landfall_protocol::types::folders::{CreateFolderArg, CreateFolderError, CreateFolderResult};
use landfall_protocol::{DisplayPath, PathForm, Rev, limits};

/// A file that is about to be sent.
#[derive(Clone, Debug)]
pub struct Download {
    /// What it is.
    pub metadata: FileMetadata,
    file: FileEntry,
}

impl Download {
    /// Its bytes from `begin` to before `end`.
    pub fn bytes(&self, service: &Service, begin: u64, end: u64) -> ContentReader {
        service.reader(&self.file.content, begin, end)
    }

    /// The error for a range that has no byte of the file.
    pub fn not_satisfiable() -> DownloadError {
        DownloadError::Range(RangeError::NotSatisfiable)
    }
}

/// What a path leads to.
enum Found {
    Node(Node),
    Revision(DisplayPath, FileEntry),
}

impl Service {
    /// Says what is at a path.
    ///
    /// # Errors
    /// The route's.
    pub async fn get_metadata(
        &self,
        caller: &Caller,
        arg: &GetMetadataArg,
    ) -> Result<Metadata, Failure<GetMetadataError>> {
        let route = |error| Failure::Route(GetMetadataError::Path(error));
        match self.find(caller, arg.path.form()).await?.map_err(route)? {
            Found::Revision(path, file) => Ok(Metadata::File(metadata::file(&path, &file))),
            Found::Node(node) if node.entry.is_live() || arg.include_deleted => {
                Ok(metadata::node(&node))
            }
            Found::Node(_) => Err(route(LookupError::NotFound)),
        }
    }

    /// Finds the file to send.
    ///
    /// # Errors
    /// The route's.
    pub async fn download(
        &self,
        caller: &Caller,
        arg: &DownloadArg,
    ) -> Result<Download, Failure<DownloadError>> {
        let by_rev = arg.rev.clone().map(PathForm::Rev);
        let form = by_rev.as_ref().unwrap_or_else(|| arg.path.form());
        let route = |error| Failure::Route(DownloadError::Path(error));
        let (path, file) = match self.find(caller, form).await?.map_err(route)? {
            Found::Revision(path, file) => (path, file),
            Found::Node(node) => match node.entry {
                Entry::File(file) => (node.path, file),
                Entry::Folder(_) => return Err(route(LookupError::NotFile)),
                Entry::DeletedFile | Entry::DeletedFolder => {
                    return Err(route(LookupError::NotFound));
                }
            },
        };
        Ok(Download {
            metadata: metadata::file(&path, &file),
            file,
        })
    }

    async fn find(
        &self,
        caller: &Caller,
        form: &PathForm,
    ) -> Result<Result<Found, LookupError>, MetaError> {
        let ns = caller.tree();
        let found = match caller.place(form) {
            Err(problem) => return Ok(Err(problem.into())),
            Ok(Place::Revision(rev)) => {
                let revision = self
                    .meta
                    .read(move |loads| loads.revision(ns, &rev))
                    .await?;
                revision.map(|revision| Found::Revision(revision.path, revision.file))
            }
            Ok(Place::Target(target)) => {
                let node = self
                    .meta
                    .read(move |loads| loads.lookup(ns, &target))
                    .await?;
                node.map(Found::Node)
            }
        };
        Ok(found.ok_or(LookupError::NotFound))
    }

    /// Deletes a file, or a folder with all in it.
    ///
    /// # Errors
    /// The route's.
    pub async fn delete(
        &self,
        caller: &Caller,
        arg: DeleteArg,
    ) -> Result<DeleteResult, Failure<DeleteError>> {
        let target = caller
            .writable(arg.path.form())
            .map_err(|problem| Failure::Route(DeleteError::PathLookup(problem.into())))?;
        let operation = Delete {
            ns: caller.tree(),
            target,
            parent_rev: arg.parent_rev,
            now: self.sys.clock.now(),
        };
        self.meta.transact(operation).await?.map_err(Failure::Route)
    }

    /// Makes a folder.
    ///
    /// # Errors
    /// The route's.
    pub async fn create_folder(
        &self,
        caller: &Caller,
        arg: &CreateFolderArg,
    ) -> Result<CreateFolderResult, Failure<CreateFolderError>> {
        let target = caller
            .writable(arg.path.form())
            .map_err(|problem: NoPlace| Failure::Route(CreateFolderError::Path(problem.into())))?;
        self.room.admit()?;
        let operation = CreateFolder {
            ns: caller.tree(),
            target,
            rename: if arg.autorename {
                Rename::Folder
            } else {
                Rename::No
            },
            numbering: self.numbering,
            ids: FreshIds::new(&*self.sys.random),
            now: self.sys.clock.now(),
        };
        self.meta.transact(operation).await?.map_err(Failure::Route)
    }
}

struct Delete {
    ns: Ns,
    target: Target,
    parent_rev: Option<Rev>,
    now: Micros,
}

impl Operation for Delete {
    type View = Subtree;
    type Answer = Result<DeleteResult, DeleteError>;

    fn load(&self, loads: &mut dyn Loads) -> Result<Subtree, MetaError> {
        loads.subtree(self.ns, &self.target, limits::SUBTREE as usize)
    }

    fn decide(&self, subtree: Subtree) -> Decision<Self::Answer> {
        let top = match remove::decide(&subtree, self.parent_rev.as_ref()) {
            Ok(top) => top,
            Err(error) => return Decision::unchanged(Err(error)),
        };
        let mut change = TreeChange::new(subtree.namespace, self.now);
        change.remove_all(top, subtree.below.iter());
        Decision {
            answer: Ok(DeleteResult {
                metadata: metadata::node(top),
            }),
            effects: change.into_effects(),
        }
    }
}

struct CreateFolder {
    ns: Ns,
    target: Target,
    rename: Rename,
    numbering: Numbering,
    ids: FreshIds,
    now: Micros,
}

impl Operation for CreateFolder {
    type View = PlaceView;
    type Answer = Result<CreateFolderResult, CreateFolderError>;

    fn load(&self, loads: &mut dyn Loads) -> Result<PlaceView, MetaError> {
        loads.place(self.ns, &self.target, self.rename)
    }

    fn decide(&self, view: PlaceView) -> Decision<Self::Answer> {
        let refused = |error| Decision::unchanged(Err(CreateFolderError::Path(error)));
        let Some(place) = view.place else {
            return refused(WriteError::MalformedPath(None));
        };
        match add::decide(&place, self.rename, self.numbering) {
            Err(error) => refused(error),
            Ok(landing) => {
                let mut change = TreeChange::new(view.namespace, self.now);
                let (node, id) = change.land_folder(&landing, &self.ids);
                change.tell_added(&node);
                Decision {
                    effects: change.into_effects(),
                    answer: Ok(CreateFolderResult {
                        metadata: metadata::folder(&node.path, &id),
                    }),
                }
            }
        }
    }
}
