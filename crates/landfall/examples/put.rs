//! Uploads a file of any size: `put FILE PATH`, to the server at `LANDFALL_ENDPOINT` with
//! `LANDFALL_TOKEN`.
#![expect(clippy::print_stdout, reason = "an example tells how it went")]

use landfall::transfer::{IfExists, Verdict};
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
    let put = client.put(&*file, path).if_exists(IfExists::Overwrite);
    match put.run().await? {
        Verdict::Uploaded(file) => println!("saved as {}", file.metadata.name),
        Verdict::Refused(failure) => println!("nothing was saved: {failure}"),
        Verdict::Unknown(why) => println!("look at the target: {why}"),
        verdict => println!("{verdict:?}"),
    }
    Ok(())
}
