//! A method per route, in the table's order.

use super::{ByteRange, CallError, Content, Reply};
use crate::Client;
use crate::transport::Payload;
use landfall_protocol::calls;
use landfall_protocol::routes::NoError;
use landfall_protocol::types::{files, folders, sessions, users};

/// Each method makes its call once and never repeats it; the transfer engine does that, with
/// the knowledge of what a repetition means.
impl Client {
    /// `files/upload`: saves a payload of at most 150 MiB at a path.
    ///
    /// # Errors
    /// [`CallError`]
    pub async fn upload(
        &self,
        arg: &files::UploadArg,
        payload: impl Into<Payload>,
    ) -> Result<Reply<files::FileMetadata>, CallError<files::UploadError>> {
        self.call_upload::<calls::Upload>(arg, payload).await
    }

    /// `files/upload_session/start`: begins a session, with its first bytes or without.
    ///
    /// # Errors
    /// [`CallError`]
    pub async fn upload_session_start(
        &self,
        arg: &sessions::UploadSessionStartArg,
        payload: impl Into<Payload>,
    ) -> Result<
        Reply<sessions::UploadSessionStartResult>,
        CallError<sessions::UploadSessionStartError>,
    > {
        self.call_upload::<calls::UploadSessionStart>(arg, payload)
            .await
    }

    /// `files/upload_session/append_v2`: adds bytes to a session.
    ///
    /// # Errors
    /// [`CallError`]
    pub async fn upload_session_append(
        &self,
        arg: &sessions::UploadSessionAppendArg,
        payload: impl Into<Payload>,
    ) -> Result<Reply<()>, CallError<sessions::UploadSessionAppendError>> {
        self.call_upload::<calls::UploadSessionAppend>(arg, payload)
            .await
    }

    /// `files/upload_session/finish`: finishes a session, with its last bytes or without, and
    /// saves the uploaded data to a path.
    ///
    /// # Errors
    /// [`CallError`]. After a refusal under `path` the payload is part of the session: repeat
    /// with an empty one and the new offset.
    pub async fn upload_session_finish(
        &self,
        arg: &sessions::UploadSessionFinishArg,
        payload: impl Into<Payload>,
    ) -> Result<Reply<files::FileMetadata>, CallError<sessions::UploadSessionFinishError>> {
        self.call_upload::<calls::UploadSessionFinish>(arg, payload)
            .await
    }

    /// `files/get_metadata`: says what is at a path. The root has no metadata.
    ///
    /// # Errors
    /// [`CallError`]
    pub async fn get_metadata(
        &self,
        arg: &files::GetMetadataArg,
    ) -> Result<Reply<files::Metadata>, CallError<files::GetMetadataError>> {
        self.call_rpc::<calls::GetMetadata>(arg).await
    }

    /// `files/list_folder`: the first page of a folder.
    ///
    /// # Errors
    /// [`CallError`]
    pub async fn list_folder(
        &self,
        arg: &folders::ListFolderArg,
    ) -> Result<Reply<folders::ListFolderResult>, CallError<folders::ListFolderError>> {
        self.call_rpc::<calls::ListFolder>(arg).await
    }

    /// `files/list_folder/continue`: the next page, or what changed since.
    ///
    /// # Errors
    /// [`CallError`]
    pub async fn list_folder_continue(
        &self,
        arg: &folders::ListFolderContinueArg,
    ) -> Result<Reply<folders::ListFolderResult>, CallError<folders::ListFolderContinueError>> {
        self.call_rpc::<calls::ListFolderContinue>(arg).await
    }

    /// `files/download`: opens a file's content, all or a range. What a range can't satisfy is
    /// an error of the service, a file of no bytes included.
    ///
    /// # Errors
    /// [`CallError`]
    pub async fn download(
        &self,
        arg: &files::DownloadArg,
        range: Option<ByteRange>,
    ) -> Result<Content<files::FileMetadata>, CallError<files::DownloadError>> {
        self.call_download::<calls::Download>(arg, range).await
    }

    /// `files/delete_v2`: deletes a file, or a folder with all in it.
    ///
    /// # Errors
    /// [`CallError`]
    pub async fn delete(
        &self,
        arg: &files::DeleteArg,
    ) -> Result<Reply<files::DeleteResult>, CallError<files::DeleteError>> {
        self.call_rpc::<calls::Delete>(arg).await
    }

    /// `files/create_folder_v2`: makes a folder and those above it.
    ///
    /// # Errors
    /// [`CallError`]
    pub async fn create_folder(
        &self,
        arg: &folders::CreateFolderArg,
    ) -> Result<Reply<folders::CreateFolderResult>, CallError<folders::CreateFolderError>> {
        self.call_rpc::<calls::CreateFolder>(arg).await
    }

    /// `users/get_current_account`: says whose token it is.
    ///
    /// # Errors
    /// [`CallError`]
    pub async fn get_current_account(
        &self,
    ) -> Result<Reply<users::FullAccount>, CallError<NoError>> {
        self.call_rpc::<calls::GetCurrentAccount>(&()).await
    }

    /// `users/get_space_usage`: says how full the account is.
    ///
    /// # Errors
    /// [`CallError`]
    pub async fn get_space_usage(&self) -> Result<Reply<users::SpaceUsage>, CallError<NoError>> {
        self.call_rpc::<calls::GetSpaceUsage>(&()).await
    }

    /// `check/user`: echoes a text of at most 500 characters; tests connection and token.
    ///
    /// # Errors
    /// [`CallError`]
    pub async fn check_user(
        &self,
        arg: &users::EchoArg,
    ) -> Result<Reply<users::EchoResult>, CallError<users::EchoError>> {
        self.call_rpc::<calls::CheckUser>(arg).await
    }
}
