//! Many calls at once, with callbacks: `callback FOLDER`, to the server at `LANDFALL_ENDPOINT`
//! with the token in `LANDFALL_TOKEN`. Saves ten files.
#![expect(clippy::print_stdout, reason = "an example tells how it went")]

use landfall::callback::Client;
use landfall::protocol::path::WritePathOrId;
use landfall::protocol::types::files::{CommitInfo, UploadArg};
use landfall::{Endpoint, Secret};
use std::sync::mpsc;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::args().nth(1).ok_or("usage: callback FOLDER")?;
    let token = Secret::new(std::env::var("LANDFALL_TOKEN")?);
    let endpoint = Endpoint::at(&std::env::var("LANDFALL_ENDPOINT")?)?;
    let client = Client::new(endpoint, token)?;

    let (tell, told) = mpsc::channel();
    for number in 0..10 {
        let path = format!("{folder}/{number}.txt");
        let arg = UploadArg {
            commit: CommitInfo::new(WritePathOrId::parse(&path)?),
            content_hash: None,
        };
        let tell = tell.clone();
        client.upload(&arg, format!("file {number}\n"), move |id, status, data| {
            drop(tell.send((id, status, data)));
        });
    }
    // The program waits until each callback was called and has let go of its sender.
    drop(tell);
    for (id, status, data) in told {
        println!("request {id}: {status} {}", String::from_utf8_lossy(&data));
    }
    Ok(())
}
