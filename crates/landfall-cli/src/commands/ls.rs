//! `ls`: lists a folder.

use super::{metadata, patience};
use crate::cli::Ls;
use crate::exit::{Context, Result};
use crate::output::{Output, event, metadata_fields, path_of, time};
use crate::paths::RemotePath;
use crate::progress::Progress;
use landfall::Client;
use landfall::transfer::{Repeatable, repeat};
use landfall_protocol::types::files::{LookupError, Metadata};
use landfall_protocol::types::folders::{ListFolderArg, ListFolderContinueArg, ListFolderError};

pub(crate) async fn run(args: &Ls, client: &Client, out: Output) -> Result<()> {
    let path = RemotePath::new(&args.path);
    let what = || format!("can't list {}", path.shown());
    let arg = ListFolderArg {
        recursive: args.recursive,
        ..ListFolderArg::new(path.to_list()?)
    };
    let events = Progress::new(path.shown());
    let policy = patience();
    let first = repeat(policy, Repeatable::Always, "listing", &events, || {
        client.list_folder(&arg)
    });
    let mut page = match first.await {
        Ok(reply) => reply.value,
        Err(error) => {
            let no_folder = matches!(
                error.route_error(),
                Some(ListFolderError::Path(LookupError::NotFolder))
            );
            if !no_folder {
                return Err(error).when(what);
            }
            let file = metadata(client, &path).await?.when(what)?;
            return tell(args, out, &file);
        }
    };
    loop {
        for entry in &page.entries {
            // A recursive listing may hold its own beginning.
            let itself = args.recursive && RemotePath::new(path_of(entry)) == path;
            if !itself {
                tell(args, out, entry)?;
            }
        }
        if !page.has_more {
            return Ok(());
        }
        let arg = ListFolderContinueArg {
            cursor: page.cursor,
        };
        let next = repeat(policy, Repeatable::Always, "listing", &events, || {
            client.list_folder_continue(&arg)
        });
        page = next.await.when(what)?.value;
    }
}

fn tell(args: &Ls, out: Output, entry: &Metadata) -> Result<()> {
    out.result(text(args, entry), || event("entry", metadata_fields(entry)))
}

fn text(args: &Ls, entry: &Metadata) -> String {
    let name = if args.recursive {
        path_of(entry)
    } else {
        entry.name()
    };
    let name = match entry {
        Metadata::Folder(_) => format!("{name}/"),
        Metadata::File(_) | Metadata::Deleted(_) => name.to_owned(),
    };
    match entry {
        _ if !args.long => name,
        Metadata::File(file) => {
            format!("{:>14}  {}  {name}", file.size, time(file.client_modified))
        }
        Metadata::Folder(_) | Metadata::Deleted(_) => format!("{:>14}  {:20}  {name}", "-", "-"),
    }
}

#[cfg(test)]
mod tests {
    use super::text;
    use crate::cli::Ls;
    use crate::output::tests::{file, folder};
    use landfall_protocol::types::files::Metadata;

    #[test]
    fn lines_are_names_or_paths_and_long_ones_align() {
        let mut args = Ls {
            path: "/".to_owned(),
            recursive: false,
            long: false,
        };
        let (file, folder) = (Metadata::File(file()), Metadata::Folder(folder()));
        assert_eq!(text(&args, &file), "a.txt");
        assert_eq!(text(&args, &folder), "f/");
        args.recursive = true;
        args.long = true;
        assert_eq!(
            text(&args, &file),
            "             6  2026-01-02T03:04:05Z  /a.txt"
        );
        assert_eq!(
            text(&args, &folder),
            "             -  -                     /f/"
        );
    }
}
