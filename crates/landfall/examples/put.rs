//! Uploads one file: `put FILE PATH`, to the server at `LANDFALL_ENDPOINT` with `LANDFALL_TOKEN`.
#![expect(clippy::print_stdout, reason = "an example tells how it went")]

use landfall::protocol::{path::WritePathOrId, types::files::CommitInfo};
use landfall::transfer::{Engine, Outcome, Settings, Source, Upload};
use landfall::{Client, Endpoint, Secret};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let (Some(file), Some(path)) = (args.next(), args.next()) else {
        return Err("usage: put FILE PATH".into());
    };
    let token = std::env::var("LANDFALL_TOKEN")?;
    let endpoint = Endpoint::at(&std::env::var("LANDFALL_ENDPOINT")?)?;

    let client = Client::new(endpoint, Secret::new(token))?;
    let commit = CommitInfo::new(WritePathOrId::parse(&path)?);
    let source = Source::open(file)?;
    let engine = Engine::new(client, Settings::default());
    match Upload::new(&engine, source, commit).run().await {
        Outcome::Done(done) => println!("saved as {}", done.metadata.name),
        Outcome::Refused(failure) => println!("nothing was saved: {failure}"),
        Outcome::Unknown(why) => println!("look at the target: {why}"),
    }
    Ok(())
}
