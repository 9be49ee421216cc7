//! The feed of a Landfall server, as the library reads it.

use landfall::{Client, Endpoint, Notification, Notifications, NotificationsError, Secret};
use landfall_testkit::{Stores, TestServer};

fn client(server: &TestServer, token: &str) -> Client {
    let endpoint = Endpoint::at(&server.url()).unwrap();
    Client::new(endpoint, Secret::new(token.to_owned())).unwrap()
}

async fn next(feed: &mut Notifications) -> Notification {
    feed.next().await.unwrap().expect("the feed goes on")
}

#[test]
fn what_is_not_muted_comes_in_order_and_from_where_the_reader_was() {
    TestServer::run(Stores::Memory, async |server| {
        let (calls, client) = (server.calls(), client(&server, server.token()));
        let mut live = client.notifications(None).await.unwrap();
        let file = calls.put("/Dir/a.txt", "one").await;
        let muted = r#"{"path": "/muted", "mute": true}"#;
        calls.upload("files/upload", muted, "x").await.ok();
        calls.delete("/Dir").await.ok();

        let added = next(&mut live).await;
        assert_eq!(added.event, "file_added");
        assert_eq!(added.path_display, "/Dir/a.txt");
        assert_eq!(added.rev.as_deref(), file["rev"].as_str());
        let deleted = next(&mut live).await;
        assert_eq!(deleted.event, "folder_deleted");
        assert_eq!(live.last(), Some(deleted.id));

        let mut resumed = client.notifications(Some(added.id)).await.unwrap();
        assert_eq!(next(&mut resumed).await, deleted);
        let mut oldest = client.notifications(Some(0)).await.unwrap();
        assert_eq!(next(&mut oldest).await, added);
    });
}

#[test]
fn the_end_of_the_server_is_the_end_of_the_feed() {
    TestServer::run(Stores::Memory, async |server| {
        let mut feed = client(&server, server.token())
            .notifications(None)
            .await
            .unwrap();
        server.stop().await;
        assert_eq!(feed.next().await.unwrap(), None);
    });
}

#[test]
fn who_is_not_let_in_is_told_so() {
    TestServer::run(Stores::Memory, async |server| {
        let refused = client(&server, "nobody-has-this").notifications(None).await;
        let refused = refused.unwrap_err();
        assert!(
            matches!(&refused, NotificationsError::Refused { status: 401, text, .. }
                if text.contains("invalid_access_token")),
            "{refused}"
        );
        assert!(!refused.is_temporary());
    });
}

#[tokio::test]
async fn dropbox_has_no_feed_and_is_not_asked() {
    let client = Client::new(Endpoint::dropbox(), Secret::new("x".into())).unwrap();
    let refused = client.notifications(None).await.unwrap_err();
    assert!(
        matches!(refused, NotificationsError::NotOffered { .. }),
        "{refused}"
    );
}
