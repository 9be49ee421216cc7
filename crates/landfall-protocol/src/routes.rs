//! The table of routes: the server's router and the client's caller are driven by it.
//!
//! One row is one URL. [`RouteId`] is the row as data; the type of the same name in [`calls`]
//! ties its argument, result and error types together, so that a caller or handler that mixes
//! them up doesn't compile.

use crate::types::{batches, files, folders, relocation, revisions, sessions, users};
use crate::wire::Wire;
use std::fmt::{self, Debug};

/// Which of the service's hosts answers the route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Host {
    /// `api.dropboxapi.com`
    Api,
    /// `content.dropboxapi.com`
    Content,
    /// `notify.dropboxapi.com`
    Notify,
}

/// Where argument, payload and result travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Argument and result are JSON bodies.
    Rpc,
    /// Argument in `Dropbox-API-Arg`, payload in the request body.
    Upload,
    /// Argument in `Dropbox-API-Arg`, result in `Dropbox-API-Result`, payload in the answer.
    Download,
}

/// Who may call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Auth {
    /// A user's access token.
    User,
    /// Nobody in particular; an `Authorization` header is an error.
    None,
}

/// What a token may be allowed to do (docs: OAuth guide).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// `account_info.read`
    AccountInfoRead,
    /// `files.metadata.read`
    FilesMetadataRead,
    /// `files.metadata.write`
    FilesMetadataWrite,
    /// `files.content.read`
    FilesContentRead,
    /// `files.content.write`
    FilesContentWrite,
}

impl Scope {
    /// All scopes.
    pub const ALL: [Self; 5] = [
        Self::AccountInfoRead,
        Self::FilesMetadataRead,
        Self::FilesMetadataWrite,
        Self::FilesContentRead,
        Self::FilesContentWrite,
    ];

    /// The scope's name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::AccountInfoRead => "account_info.read",
            Self::FilesMetadataRead => "files.metadata.read",
            Self::FilesMetadataWrite => "files.metadata.write",
            Self::FilesContentRead => "files.content.read",
            Self::FilesContentWrite => "files.content.write",
        }
    }

    /// The scope of this name.
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.name() == name)
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// The row's name.
    pub id: RouteId,
    /// The URL after `/2/`.
    pub tail: &'static str,
    /// Which host.
    pub host: Host,
    /// Where things travel.
    pub style: Style,
    /// Who may call.
    pub auth: Auth,
    /// What the token must allow.
    pub scope: Option<Scope>,
}

impl Route {
    /// The route's name as the API's texts write it: `files/delete:2` for `files/delete_v2`.
    pub fn api_name(&self) -> String {
        api_name(self.tail)
    }

    /// The row whose URL after `/2/` is this.
    pub fn by_tail(tail: &str) -> Option<&'static Self> {
        ROUTES.iter().find(|route| route.tail == tail)
    }
}

/// The name of a route, known or not, as the API's texts write it.
pub fn api_name(tail: &str) -> String {
    match tail.rsplit_once("_v") {
        Some((name, version))
            if !version.is_empty() && version.bytes().all(|b| b.is_ascii_digit()) =>
        {
            format!("{name}:{version}")
        }
        _ => tail.to_owned(),
    }
}

/// A route with its types.
pub trait Call: Debug + Send + Sync + 'static {
    /// The row.
    const ID: RouteId;
    /// What the caller says.
    type Arg: Wire + Debug + Clone + Send + Sync + 'static;
    /// What comes back with status 200.
    type Result: Wire + Debug + Clone + Send + Sync + 'static;
    /// What comes back with status 409.
    type Error: Wire + Debug + Clone + Send + Sync + 'static;
}

/// The error type of a route that has none of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoError {}

impl Wire for NoError {
    fn decode(
        _: &crate::wire::Json,
        _: crate::wire::Strictness,
    ) -> Result<Self, crate::wire::DecodeError> {
        Err(crate::wire::DecodeError::new(
            "this route has no errors of its own",
        ))
    }
    fn encode(&self) -> crate::wire::Json {
        match *self {}
    }
}

macro_rules! routes {
    ($( $(#[$meta:meta])* $id:ident: $tail:literal, $host:ident, $style:ident, $auth:ident,
        $scope:expr, $arg:ty => $result:ty, $error:ty; )*) => {
        /// The rows of the table.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum RouteId {
            $( $(#[$meta])* $id, )*
        }

        /// The table.
        pub const ROUTES: &[Route] = &[
            $( Route {
                id: RouteId::$id,
                tail: $tail,
                host: Host::$host,
                style: Style::$style,
                auth: Auth::$auth,
                scope: $scope,
            }, )*
        ];

        impl RouteId {
            /// The row with this name.
            pub const fn route(self) -> &'static Route {
                &ROUTES[self as usize]
            }

            /// Every chain of tags that the route's own error can have.
            pub fn error_paths(self) -> Vec<String> {
                match self {
                    $( Self::$id => <$error as Wire>::tag_paths(), )*
                }
            }
        }

        /// One type per route, tying argument, result and error together.
        pub mod calls {
            use super::{
                Call, NoError, RouteId, batches, files, folders, relocation, revisions, sessions,
                users,
            };
            $(
                $(#[$meta])*
                #[derive(Clone, Copy, Debug, PartialEq, Eq)]
                pub struct $id;

                impl Call for $id {
                    const ID: RouteId = RouteId::$id;
                    type Arg = $arg;
                    type Result = $result;
                    type Error = $error;
                }
            )*
        }
    };
}

const READ_META: Option<Scope> = Some(Scope::FilesMetadataRead);
const READ: Option<Scope> = Some(Scope::FilesContentRead);
const WRITE: Option<Scope> = Some(Scope::FilesContentWrite);
/// Who holds a cursor may ask.
const NO_SCOPE: Option<Scope> = None;
const ACCOUNT: Option<Scope> = Some(Scope::AccountInfoRead);

routes! {
    /// Saves a body at a path, in one request.
    Upload: "files/upload", Content, Upload, User, WRITE,
        files::UploadArg => files::FileMetadata, files::UploadError;
    /// The same under an older address (Spec: deprecated).
    AlphaUpload: "files/alpha/upload", Content, Upload, User, WRITE,
        files::UploadArg => files::FileMetadata, files::UploadError;
    /// Begins an upload session.
    UploadSessionStart: "files/upload_session/start", Content, Upload, User, WRITE,
        sessions::UploadSessionStartArg => sessions::UploadSessionStartResult,
        sessions::UploadSessionStartError;
    /// Begins many empty upload sessions.
    UploadSessionStartBatch: "files/upload_session/start_batch", Api, Rpc, User, WRITE,
        batches::UploadSessionStartBatchArg => batches::UploadSessionStartBatchResult, NoError;
    /// Adds a body to a session and leaves it open (Spec: deprecated).
    UploadSessionAppendV1: "files/upload_session/append", Content, Upload, User, WRITE,
        sessions::UploadSessionCursor => (), sessions::UploadSessionAppendError;
    /// Adds the parts of a body to many sessions.
    UploadSessionAppendBatch: "files/upload_session/append_batch", Content, Upload, User, WRITE,
        batches::UploadSessionAppendBatchArg => batches::UploadSessionAppendBatchResult,
        batches::UploadSessionAppendBatchError;
    /// Adds a body to a session.
    UploadSessionAppend: "files/upload_session/append_v2", Content, Upload, User, WRITE,
        sessions::UploadSessionAppendArg => (), sessions::UploadSessionAppendError;
    /// Finishes an upload session and saves the uploaded data to the given file path.
    UploadSessionFinish: "files/upload_session/finish", Content, Upload, User, WRITE,
        sessions::UploadSessionFinishArg => files::FileMetadata,
        sessions::UploadSessionFinishError;
    /// Finishes many sessions in the background (Spec: deprecated).
    UploadSessionFinishBatchV1: "files/upload_session/finish_batch", Api, Rpc, User, WRITE,
        batches::UploadSessionFinishBatchArg => batches::UploadSessionFinishBatchLaunch, NoError;
    /// Finishes many sessions.
    UploadSessionFinishBatch: "files/upload_session/finish_batch_v2", Api, Rpc, User, WRITE,
        batches::UploadSessionFinishBatchArg => batches::UploadSessionFinishBatchResult, NoError;
    /// Says how far a job is.
    UploadSessionFinishBatchCheck: "files/upload_session/finish_batch/check", Api, Rpc, User,
        WRITE, batches::PollArg => batches::UploadSessionFinishBatchJobStatus,
        batches::PollError;
    /// Says what is at a path.
    GetMetadata: "files/get_metadata", Api, Rpc, User, READ_META,
        files::GetMetadataArg => files::Metadata, files::GetMetadataError;
    /// Begins to list a folder.
    ListFolder: "files/list_folder", Api, Rpc, User, READ_META,
        folders::ListFolderArg => folders::ListFolderResult, folders::ListFolderError;
    /// Goes on listing, or says what changed since.
    ListFolderContinue: "files/list_folder/continue", Api, Rpc, User, READ_META,
        folders::ListFolderContinueArg => folders::ListFolderResult,
        folders::ListFolderContinueError;
    /// A cursor for what changes from now on.
    ListFolderGetLatestCursor: "files/list_folder/get_latest_cursor", Api, Rpc, User, READ_META,
        folders::ListFolderArg => folders::ListFolderGetLatestCursorResult,
        folders::ListFolderError;
    /// Waits until something changed.
    ListFolderLongpoll: "files/list_folder/longpoll", Notify, Rpc, None, NO_SCOPE,
        folders::ListFolderLongpollArg => folders::ListFolderLongpollResult,
        folders::ListFolderLongpollError;
    /// Sends a file's bytes.
    Download: "files/download", Content, Download, User, READ,
        files::DownloadArg => files::FileMetadata, files::DownloadError;
    /// Deletes a file, or a folder with all in it.
    Delete: "files/delete_v2", Api, Rpc, User, WRITE,
        files::DeleteArg => files::DeleteResult, files::DeleteError;
    /// The same with a barer answer (Spec: deprecated).
    DeleteV1: "files/delete", Api, Rpc, User, WRITE,
        files::DeleteArg => files::Metadata, files::DeleteError;
    /// Makes a folder.
    CreateFolder: "files/create_folder_v2", Api, Rpc, User, WRITE,
        folders::CreateFolderArg => folders::CreateFolderResult, folders::CreateFolderError;
    /// The same with a barer answer (Spec: deprecated).
    CreateFolderV1: "files/create_folder", Api, Rpc, User, WRITE,
        folders::CreateFolderArg => files::FolderMetadata, folders::CreateFolderError;
    /// Moves a file, or a folder with all in it.
    Move: "files/move_v2", Api, Rpc, User, WRITE,
        relocation::RelocationArg => relocation::RelocationResult, relocation::RelocationError;
    /// The same with a barer answer (Spec: deprecated).
    MoveV1: "files/move", Api, Rpc, User, WRITE,
        relocation::RelocationArg => files::Metadata, relocation::RelocationError;
    /// Copies a file, or a folder with all in it.
    Copy: "files/copy_v2", Api, Rpc, User, WRITE,
        relocation::RelocationArg => relocation::RelocationResult, relocation::RelocationError;
    /// The same with a barer answer (Spec: deprecated).
    CopyV1: "files/copy", Api, Rpc, User, WRITE,
        relocation::RelocationArg => files::Metadata, relocation::RelocationError;
    /// Lists what a file was.
    ListRevisions: "files/list_revisions", Api, Rpc, User, READ_META,
        revisions::ListRevisionsArg => revisions::ListRevisionsResult,
        revisions::ListRevisionsError;
    /// Makes a file again what it was.
    Restore: "files/restore", Api, Rpc, User, WRITE,
        revisions::RestoreArg => files::FileMetadata, revisions::RestoreError;
    /// Says whose token it is.
    GetCurrentAccount: "users/get_current_account", Api, Rpc, User, ACCOUNT,
        () => users::FullAccount, NoError;
    /// Says who somebody is. Spec: scope `sharing.read`, for it tells of others; here it tells
    /// nobody more than they are told of themselves.
    GetAccount: "users/get_account", Api, Rpc, User, ACCOUNT,
        users::GetAccountArg => users::BasicAccount, users::GetAccountError;
    /// Says how full the account is.
    GetSpaceUsage: "users/get_space_usage", Api, Rpc, User, ACCOUNT,
        () => users::SpaceUsage, NoError;
    /// Echoes: tests connection and token.
    CheckUser: "check/user", Api, Rpc, User, ACCOUNT,
        users::EchoArg => users::EchoResult, users::EchoError;
}

#[cfg(test)]
mod tests {
    use super::{ROUTES, Route, RouteId, Scope, api_name};
    use std::collections::HashSet;

    #[test]
    fn each_url_stands_once_and_leads_to_its_row() {
        let tails: HashSet<_> = ROUTES.iter().map(|route| route.tail).collect();
        assert_eq!(tails.len(), ROUTES.len());
        for route in ROUTES {
            assert_eq!(route.id.route(), route);
            assert_eq!(Route::by_tail(route.tail), Some(route));
        }
        assert_eq!(Route::by_tail("files/nope"), None);
    }

    #[test]
    fn scopes_have_the_names_of_the_documentation() {
        let names = [
            "account_info.read",
            "files.metadata.read",
            "files.metadata.write",
            "files.content.read",
            "files.content.write",
        ];
        assert_eq!(Scope::ALL.map(|scope| scope.to_string()), names);
        assert_eq!(names.map(Scope::by_name), Scope::ALL.map(Some));
        assert_eq!(Scope::by_name("files.content"), None);
    }

    #[test]
    fn versions_are_written_with_a_colon_in_texts() {
        assert_eq!(
            RouteId::UploadSessionAppend.route().api_name(),
            "files/upload_session/append:2"
        );
        assert_eq!(RouteId::Upload.route().api_name(), "files/upload");
        assert_eq!(api_name("files/some_view"), "files/some_view");
    }
}
