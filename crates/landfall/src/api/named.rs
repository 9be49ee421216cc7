//! A method per route: the list, once, and the async methods made of it.

use super::{ByteRange, CallError, Content, Reply};
use crate::Client;
use crate::transport::Payload;
use landfall_protocol::calls;
use landfall_protocol::routes::NoError;
use landfall_protocol::types::{batches, files, folders, relocation, revisions, sessions, users};

/// Calls a macro for each route, in the table's order, with the route's style (`void`: rpc
/// without an argument), its words, its method's name and its types. Each face of the library
/// makes its methods of this list.
macro_rules! each_route {
    ($method:ident) => {
        $method! { upload
            /// `files/upload`: saves a payload of at most 150 MiB at a path.
            upload: Upload(files::UploadArg) -> files::FileMetadata, files::UploadError
        }
        $method! { upload
            /// `files/alpha/upload`: the same under an older address (deprecated).
            alpha_upload: AlphaUpload(files::UploadArg) -> files::FileMetadata, files::UploadError
        }
        $method! { upload
            /// `files/upload_session/start`: begins a session, with its first bytes or without.
            upload_session_start: UploadSessionStart(sessions::UploadSessionStartArg)
                -> sessions::UploadSessionStartResult, sessions::UploadSessionStartError
        }
        $method! { rpc
            /// `files/upload_session/start_batch`: begins up to 1,000 sessions, all empty.
            upload_session_start_batch:
                UploadSessionStartBatch(batches::UploadSessionStartBatchArg)
                -> batches::UploadSessionStartBatchResult, NoError
        }
        $method! { upload
            /// `files/upload_session/append`: adds bytes to a session and leaves it open
            /// (deprecated).
            upload_session_append_v1: UploadSessionAppendV1(sessions::UploadSessionCursor)
                -> (), sessions::UploadSessionAppendError
        }
        $method! { upload
            /// `files/upload_session/append_batch`: adds the parts of one payload to up to 1,000
            /// sessions. A success has a verdict for each part, in their order.
            upload_session_append_batch:
                UploadSessionAppendBatch(batches::UploadSessionAppendBatchArg)
                -> batches::UploadSessionAppendBatchResult, batches::UploadSessionAppendBatchError
        }
        $method! { upload
            /// `files/upload_session/append_v2`: adds bytes to a session.
            upload_session_append: UploadSessionAppend(sessions::UploadSessionAppendArg)
                -> (), sessions::UploadSessionAppendError
        }
        $method! { upload
            /// `files/upload_session/finish`: finishes a session, with its last bytes or without,
            /// and saves the uploaded data to a path.
            ///
            /// After a refusal under `path` the payload is part of the session: repeat with an
            /// empty one and the new offset.
            upload_session_finish: UploadSessionFinish(sessions::UploadSessionFinishArg)
                -> files::FileMetadata, sessions::UploadSessionFinishError
        }
        $method! { rpc
            /// `files/upload_session/finish_batch`: finishes up to 1,000 closed sessions in the
            /// background; ask for the verdicts by [`Self::upload_session_finish_batch_check`]
            /// (deprecated).
            upload_session_finish_batch_v1:
                UploadSessionFinishBatchV1(batches::UploadSessionFinishBatchArg)
                -> batches::UploadSessionFinishBatchLaunch, NoError
        }
        $method! { rpc
            /// `files/upload_session/finish_batch_v2`: finishes up to 1,000 closed sessions. A
            /// success has a verdict for each, in their order.
            upload_session_finish_batch:
                UploadSessionFinishBatch(batches::UploadSessionFinishBatchArg)
                -> batches::UploadSessionFinishBatchResult, NoError
        }
        $method! { rpc
            /// `files/upload_session/finish_batch/check`: says how far a `finish_batch` is.
            upload_session_finish_batch_check:
                UploadSessionFinishBatchCheck(batches::PollArg)
                -> batches::UploadSessionFinishBatchJobStatus, batches::PollError
        }
        $method! { rpc
            /// `files/get_metadata`: says what is at a path. The root has no metadata.
            get_metadata: GetMetadata(files::GetMetadataArg)
                -> files::Metadata, files::GetMetadataError
        }
        $method! { rpc
            /// `files/list_folder`: the first page of a folder.
            list_folder: ListFolder(folders::ListFolderArg)
                -> folders::ListFolderResult, folders::ListFolderError
        }
        $method! { rpc
            /// `files/list_folder/continue`: the next page, or what changed since.
            list_folder_continue: ListFolderContinue(folders::ListFolderContinueArg)
                -> folders::ListFolderResult, folders::ListFolderContinueError
        }
        $method! { rpc
            /// `files/list_folder/get_latest_cursor`: a cursor for what changes from now on.
            list_folder_get_latest_cursor: ListFolderGetLatestCursor(folders::ListFolderArg)
                -> folders::ListFolderGetLatestCursorResult, folders::ListFolderError
        }
        $method! { rpc
            /// `files/list_folder/longpoll`: waits until something changed, for as long as the
            /// argument says and the service adds (up to 90 seconds). No token is sent.
            list_folder_longpoll: ListFolderLongpoll(folders::ListFolderLongpollArg)
                -> folders::ListFolderLongpollResult, folders::ListFolderLongpollError
        }
        $method! { download
            /// `files/download`: opens a file's content, all or a range. What a range can't
            /// satisfy is an error of the service, a file of no bytes included.
            download: Download(files::DownloadArg) -> files::FileMetadata, files::DownloadError
        }
        $method! { rpc
            /// `files/delete_v2`: deletes a file, or a folder with all in it.
            delete: Delete(files::DeleteArg) -> files::DeleteResult, files::DeleteError
        }
        $method! { rpc
            /// `files/delete`: the same with a barer answer (deprecated).
            delete_v1: DeleteV1(files::DeleteArg) -> files::Metadata, files::DeleteError
        }
        $method! { rpc
            /// `files/create_folder_v2`: makes a folder and those above it.
            create_folder: CreateFolder(folders::CreateFolderArg)
                -> folders::CreateFolderResult, folders::CreateFolderError
        }
        $method! { rpc
            /// `files/create_folder`: the same with a barer answer (deprecated).
            create_folder_v1: CreateFolderV1(folders::CreateFolderArg)
                -> files::FolderMetadata, folders::CreateFolderError
        }
        $method! { rpc
            /// `files/move_v2`: moves a file, or a folder with all in it. What is at the target
            /// already is never replaced.
            move_v2: Move(relocation::RelocationArg)
                -> relocation::RelocationResult, relocation::RelocationError
        }
        $method! { rpc
            /// `files/move`: the same with a barer answer (deprecated).
            move_v1: MoveV1(relocation::RelocationArg)
                -> files::Metadata, relocation::RelocationError
        }
        $method! { rpc
            /// `files/copy_v2`: copies a file, or a folder with all in it. What is at the target
            /// already is never replaced.
            copy_v2: Copy(relocation::RelocationArg)
                -> relocation::RelocationResult, relocation::RelocationError
        }
        $method! { rpc
            /// `files/copy`: the same with a barer answer (deprecated).
            copy_v1: CopyV1(relocation::RelocationArg)
                -> files::Metadata, relocation::RelocationError
        }
        $method! { rpc
            /// `files/list_revisions`: lists what a file was, newest first.
            list_revisions: ListRevisions(revisions::ListRevisionsArg)
                -> revisions::ListRevisionsResult, revisions::ListRevisionsError
        }
        $method! { rpc
            /// `files/restore`: makes a file again what it was, as a new revision.
            restore: Restore(revisions::RestoreArg)
                -> files::FileMetadata, revisions::RestoreError
        }
        $method! { void
            /// `users/get_current_account`: says whose token it is.
            get_current_account: GetCurrentAccount() -> users::FullAccount, NoError
        }
        $method! { rpc
            /// `users/get_account`: says who somebody is, as far as the caller may know.
            get_account: GetAccount(users::GetAccountArg)
                -> users::BasicAccount, users::GetAccountError
        }
        $method! { void
            /// `users/get_space_usage`: says how full the account is.
            get_space_usage: GetSpaceUsage() -> users::SpaceUsage, NoError
        }
        $method! { rpc
            /// `check/user`: echoes a text of at most 500 characters; tests connection and token.
            check_user: CheckUser(users::EchoArg) -> users::EchoResult, users::EchoError
        }
    };
}

#[cfg(any(feature = "blocking", feature = "callback"))]
pub(crate) use each_route;

macro_rules! method {
    (upload $(#[$words:meta])* $name:ident: $id:ident($arg:ty) -> $result:ty, $error:ty) => {
        $(#[$words])*
        ///
        /// # Errors
        /// [`CallError`]
        pub async fn $name(
            &self,
            arg: &$arg,
            payload: impl Into<Payload>,
        ) -> Result<Reply<$result>, CallError<$error>> {
            self.call_upload::<calls::$id>(arg, payload).await
        }
    };
    (rpc $(#[$words:meta])* $name:ident: $id:ident($arg:ty) -> $result:ty, $error:ty) => {
        $(#[$words])*
        ///
        /// # Errors
        /// [`CallError`]
        pub async fn $name(&self, arg: &$arg) -> Result<Reply<$result>, CallError<$error>> {
            self.call_rpc::<calls::$id>(arg).await
        }
    };
    (void $(#[$words:meta])* $name:ident: $id:ident() -> $result:ty, $error:ty) => {
        $(#[$words])*
        ///
        /// # Errors
        /// [`CallError`]
        pub async fn $name(&self) -> Result<Reply<$result>, CallError<$error>> {
            self.call_rpc::<calls::$id>(&()).await
        }
    };
    (download $(#[$words:meta])* $name:ident: $id:ident($arg:ty) -> $result:ty, $error:ty) => {
        $(#[$words])*
        ///
        /// # Errors
        /// [`CallError`]
        pub async fn $name(
            &self,
            arg: &$arg,
            range: Option<ByteRange>,
        ) -> Result<Content<$result>, CallError<$error>> {
            self.call_download::<calls::$id>(arg, range).await
        }
    };
}

/// Each method makes its call once and never repeats it; the transfer engine does that, with
/// the knowledge of what a repetition means.
impl Client {
    each_route!(method);
}

#[cfg(test)]
mod tests {
    use landfall_protocol::RouteId;
    use landfall_protocol::routes::ROUTES;

    macro_rules! id {
        ($style:ident $(#[$words:meta])* $name:ident: $id:ident($($arg:ty)?) -> $($rest:tt)*) => {
            NAMED.lock().unwrap().push(RouteId::$id);
        };
    }

    static NAMED: std::sync::Mutex<Vec<RouteId>> = std::sync::Mutex::new(Vec::new());

    #[test]
    fn each_route_has_its_method_in_the_table_s_order() {
        each_route!(id);
        let routes: Vec<_> = ROUTES.iter().map(|route| route.id).collect();
        assert_eq!(*NAMED.lock().unwrap(), routes);
    }
}
