//! Moving, copying, deleting, and the history of files, typed, against the server.

use landfall::protocol::errors::Class;
use landfall::protocol::path::{PathOrId, WritePath, WritePathOrId};
use landfall::protocol::types::files::{
    DeleteArg, DeleteError, LookupError, Metadata, WriteConflictError, WriteError,
};
use landfall::protocol::types::folders::{CreateFolderArg, CreateFolderError};
use landfall::protocol::types::relocation::{RelocationArg, RelocationError};
use landfall::protocol::types::revisions::{
    ListRevisionsArg, ListRevisionsError, ListRevisionsMode, RestoreArg, RestoreError,
    RevisionLimit,
};
use landfall::protocol::types::users::{GetAccountArg, GetAccountError};
use landfall::protocol::{AccountId, Rev};
use landfall::{Client, Endpoint, Secret};
use landfall_testkit::{Calls, Stores, TestServer};

fn with_server<F: Future<Output = ()>>(test: impl FnOnce(Client, Calls) -> F) {
    TestServer::run(Stores::Memory, async |server| {
        let token = Secret::new(server.token().to_owned());
        let client = Client::new(Endpoint::at(&server.url()).unwrap(), token).unwrap();
        test(client, server.calls()).await;
    });
}

fn at(path: &str) -> WritePathOrId {
    WritePathOrId::parse(path).unwrap()
}

fn from_to(from: &str, to: &str) -> RelocationArg {
    RelocationArg::new(at(from), at(to))
}

/// What is told of, by its kind and path.
fn told(metadata: &Metadata) -> (&str, &str) {
    (metadata.tag(), metadata.path_display().unwrap())
}

#[test]
fn files_and_folders_are_moved_and_copied() {
    with_server(async |client, calls| {
        calls.put("/dir/file", "bytes").await;
        let moved = client
            .move_v2(&from_to("/dir/file", "/file"))
            .await
            .unwrap();
        assert_eq!(told(&moved.value.metadata), ("file", "/file"));
        let copied = client.copy_v2(&from_to("/dir", "/copy")).await.unwrap();
        assert_eq!(told(&copied.value.metadata), ("folder", "/copy"));
        let moved = client.move_v1(&from_to("/copy", "/moved")).await.unwrap();
        assert_eq!(told(&moved.value), ("folder", "/moved"));
        let mut arg = from_to("/file", "/dir");
        arg.autorename = true;
        let copied = client.copy_v1(&arg).await.unwrap();
        assert_eq!(told(&copied.value), ("file", "/dir (2)"));
        assert_eq!(calls.tree().await, ["/dir", "/dir (2)", "/file", "/moved"]);
    });
}

#[test]
fn a_refused_move_says_why() {
    with_server(async |client, calls| {
        calls.put("/dir/file", "x").await;
        for (from, to, wanted) in [
            (
                "/nowhere",
                "/x",
                RelocationError::FromLookup(LookupError::NotFound),
            ),
            (
                "/dir/file",
                "/dir",
                RelocationError::To(WriteError::Conflict(WriteConflictError::Folder)),
            ),
            ("/dir", "/dir/x", RelocationError::CantMoveFolderIntoItself),
        ] {
            let error = client.move_v2(&from_to(from, to)).await.unwrap_err();
            assert_eq!(
                (error.route_error(), error.class()),
                (Some(&wanted), Class::Permanent)
            );
        }
        let error = client
            .copy_v2(&from_to("/dir", "/dir/x"))
            .await
            .unwrap_err();
        assert_eq!(
            error.route_error(),
            Some(&RelocationError::DuplicatedOrNestedPaths)
        );
    });
}

#[test]
fn the_older_routes_make_and_delete_folders() {
    with_server(async |client, calls| {
        let arg = CreateFolderArg {
            path: WritePath::parse("/dir").unwrap(),
            autorename: false,
        };
        assert_eq!(
            client.create_folder_v1(&arg).await.unwrap().value.name,
            "dir"
        );
        let error = client.create_folder_v1(&arg).await.unwrap_err();
        let conflict = WriteError::Conflict(WriteConflictError::Folder);
        assert_eq!(
            error.route_error(),
            Some(&CreateFolderError::Path(conflict))
        );
        let arg = DeleteArg {
            path: at("/dir"),
            parent_rev: None,
        };
        let deleted = client.delete_v1(&arg).await.unwrap().value;
        assert_eq!(told(&deleted), ("folder", "/dir"));
        let error = client.delete_v1(&arg).await.unwrap_err();
        let wanted = DeleteError::PathLookup(LookupError::NotFound);
        assert_eq!(error.route_error(), Some(&wanted));
        assert!(calls.tree().await.is_empty());
    });
}

#[test]
fn a_file_is_followed_through_its_history_and_made_again_what_it_was() {
    with_server(async |client, calls| {
        for body in ["one", "two", "three"] {
            calls.put("/file", body).await;
        }
        calls.move_to("/file", "/moved").await.ok();
        let mut arg = ListRevisionsArg::new(PathOrId::parse("/file").unwrap());
        arg.limit = RevisionLimit::new(2);
        let first = client.list_revisions(&arg).await.unwrap().value;
        assert!(first.is_deleted && first.server_deleted.is_some() && first.has_more);
        arg.before_rev = Some(first.entries[1].rev.clone());
        let last = client.list_revisions(&arg).await.unwrap().value;
        assert_eq!((last.entries.len(), last.has_more), (1, false));
        arg.mode = ListRevisionsMode::Id;
        let error = client.list_revisions(&arg).await.unwrap_err();
        assert_eq!(
            error.route_error(),
            Some(&ListRevisionsError::BeforeRevNotSupported)
        );
        arg.before_rev = None;
        let by_id = client.list_revisions(&arg).await.unwrap().value;
        assert_eq!(by_id.entries[0].path_display.as_deref(), Some("/moved"));
        assert!(!by_id.is_deleted && by_id.server_deleted.is_none());

        let mut arg = RestoreArg {
            path: WritePath::parse("/file").unwrap(),
            rev: last.entries[0].rev.clone(),
        };
        let restored = client.restore(&arg).await.unwrap().value;
        assert_eq!(calls.read("/file").await, "one");
        assert_ne!(restored.rev, arg.rev);
        arg.rev = "123456789".parse::<Rev>().unwrap();
        let error = client.restore(&arg).await.unwrap_err();
        assert_eq!(error.route_error(), Some(&RestoreError::InvalidRevision));
    });
}

#[test]
fn an_account_is_told_of_itself_alone() {
    with_server(async |client, _| {
        let own = client.get_current_account().await.unwrap().value;
        let arg = GetAccountArg {
            account_id: own.account_id.clone(),
        };
        let account = client.get_account(&arg).await.unwrap().value;
        assert_eq!((account.name, account.is_teammate), (own.name, true));
        let arg = GetAccountArg {
            account_id: AccountId::from_stored(format!("dbid:{}", "A".repeat(35))),
        };
        let error = client.get_account(&arg).await.unwrap_err();
        assert_eq!(error.route_error(), Some(&GetAccountError::NoAccount));
    });
}
