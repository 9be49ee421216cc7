//! Uploads what is in a folder and not there yet: `put_folder FOLDER PATH`, to the server at
//! `LANDFALL_ENDPOINT` with `LANDFALL_TOKEN`. Large files go on where an earlier run was stopped.
#![expect(clippy::print_stdout, reason = "an example tells how it went")]

use landfall::transfer::{Event, IfExists, Journals, Settings, Verdict};
use landfall::{Client, Endpoint, Secret};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let (Some(folder), Some(path)) = (args.next(), args.next()) else {
        return Err("usage: put_folder FOLDER PATH".into());
    };
    let token = std::env::var("LANDFALL_TOKEN")?;
    let endpoint = Endpoint::at(&std::env::var("LANDFALL_ENDPOINT")?)?;

    let journals = std::env::temp_dir().join("put_folder");
    let settings = Settings {
        journals: Some(Journals::new(journals, endpoint.to_string())),
        ..Settings::default()
    };
    let client = Client::new(endpoint, Secret::new(token))?;
    let put = client.put_folder(folder, path).settings(settings);
    let put = put
        .if_exists(IfExists::SkipSame)
        .events(|event| match event {
            Event::Settled { file, verdict, .. } => match &*verdict {
                Verdict::Uploaded(_) => println!("{file}"),
                Verdict::Refused(failure) => println!("{file}: {failure}"),
                _ => {}
            },
            Event::Problem { local, why } => println!("{}: {why}", local.display()),
            _ => {}
        });
    let summary = put.run().await?;
    println!(
        "{} sent, {} were there",
        summary.uploaded, summary.already_there
    );
    Ok(())
}
