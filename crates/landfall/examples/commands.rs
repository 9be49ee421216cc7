//! The commands as texts: `commands PATH`, to the server at `LANDFALL_ENDPOINT` (without it
//! Dropbox) with the token in `LANDFALL_TOKEN`. Says which request is on its way, and how it
//! ended.
#![expect(clippy::print_stdout, reason = "an example tells how it went")]

use landfall::commands::{
    NoCallback, upload_session_append, upload_session_finish, upload_session_start,
};
use std::sync::mpsc;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).ok_or("usage: commands PATH")?;
    let token = std::env::var("LANDFALL_TOKEN")?;

    // Without a callback a command returns when it is over.
    let started = upload_session_start(&token, "uploads ", NoCallback)?;
    let json: serde_json::Value = serde_json::from_slice(&started.data)?;
    let session = json["session_id"].as_str().ok_or("no session was begun")?;
    let appended = upload_session_append(&token, session, 8, "that ", NoCallback)?;
    if appended.status != 200 {
        return Err(String::from_utf8_lossy(&appended.data).into());
    }

    // With one it returns at once, and the callback hears of the end.
    let (tell, told) = mpsc::channel();
    let (mode, autorename, mute) = ("add", true, "");
    let id = upload_session_finish(
        &token,
        session,
        13,
        &path,
        mode,
        autorename,
        mute,
        "finish",
        move |id, status, data| drop(tell.send((id, status, data))),
    )?;
    println!("request {id} is on its way");
    let (id, status, data) = told.recv()?;
    println!("request {id}: {status} {}", String::from_utf8_lossy(&data));
    Ok(())
}
