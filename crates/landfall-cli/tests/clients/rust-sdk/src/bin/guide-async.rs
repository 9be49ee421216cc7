use bytes::Bytes;
use dropbox_sdk::async_routes::files;
use dropbox_sdk::default_async_client::UserAuthDefaultClient;
use dropbox_sdk::oauth2::Authorization;
use dropbox_sdk::types::files::{
    CommitInfo, UploadSessionCursor, UploadSessionFinishArg, UploadSessionStartArg,
};

#[tokio::main]
#[expect(deprecated, reason = "Landfall's tokens need no renewal")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let token = std::env::var("LANDFALL_TOKEN")?;
    let client = UserAuthDefaultClient::new(Authorization::from_long_lived_access_token(token));
    let arg = UploadSessionStartArg::default();
    let start = files::upload_session_start(&client, &arg, Bytes::from("that was ")).await?;
    let cursor = UploadSessionCursor::new(start.session_id, 9);
    let arg = UploadSessionFinishArg::new(cursor, CommitInfo::new("/rust.txt".into()));
    let saved = files::upload_session_finish(&client, &arg, Bytes::from("all")).await?;
    println!("{} {}", saved.path_display.unwrap_or_default(), saved.size);
    Ok(())
}
