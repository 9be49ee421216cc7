//! `stat`: says what is at a path.

use super::metadata;
use crate::cli::Stat;
use crate::exit::{Context, Exit, Fail, Result};
use crate::output::{Output, event, metadata_fields};
use crate::paths::RemotePath;
use landfall::Client;
use serde_json::Value;

pub(crate) async fn run(args: &Stat, client: &Client, out: Output) -> Result<()> {
    let path = RemotePath::new(&args.path);
    let what = || format!("can't look at {}", path.shown());
    if path.is_root() {
        let why = "the root has no metadata of its own; `landfall ls` lists it";
        return Err(Fail::new(Exit::Usage, what(), why));
    }
    let fields = metadata_fields(&metadata(client, &path).await?.when(what)?);
    let lines: Vec<String> = fields
        .iter()
        .map(|(name, value)| match value {
            Value::String(text) => format!("{name}: {text}"),
            other => format!("{name}: {other}"),
        })
        .collect();
    out.result(lines.join("\n"), || event("stat", fields))
}
