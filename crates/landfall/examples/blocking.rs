//! The calls without a runtime: `blocking PATH`, to the server at `LANDFALL_ENDPOINT` with the
//! token in `LANDFALL_TOKEN`.
#![expect(clippy::print_stdout, reason = "an example tells how it went")]

use landfall::blocking::Client;
use landfall::protocol::path::WritePathOrId;
use landfall::protocol::types::files::CommitInfo;
use landfall::protocol::types::sessions::{
    UploadSessionCursor, UploadSessionFinishArg, UploadSessionStartArg,
};
use landfall::{Endpoint, Secret};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).ok_or("usage: blocking PATH")?;
    let token = Secret::new(std::env::var("LANDFALL_TOKEN")?);
    let endpoint = Endpoint::at(&std::env::var("LANDFALL_ENDPOINT")?)?;
    let client = Client::new(endpoint, token)?;

    let start = UploadSessionStartArg {
        close: false,
        session_type: None,
        content_hash: None,
    };
    let started = client.upload_session_start(&start, "uploads that ")?;
    let finish = UploadSessionFinishArg {
        cursor: UploadSessionCursor {
            session_id: started.value.session_id,
            offset: 13,
        },
        commit: CommitInfo::new(WritePathOrId::parse(&path)?),
        content_hash: None,
    };
    let saved = client.upload_session_finish(&finish, "finish")?;
    println!("{} is rev {}", saved.value.name, saved.value.rev);
    Ok(())
}
