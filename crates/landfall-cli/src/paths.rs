//! Paths on the remote as people type them.

use crate::exit::{Exit, Fail, Result};
use landfall_protocol::DisplayPath;
use landfall_protocol::path::{PathOrId, PathROrId, ReadPath, WritePath, WritePathOrId};
use landfall_protocol::wire::DecodeError;

/// A path on the remote in the API's form: empty for the root, else beginning with `/` (or
/// with `id:`, `ns:`, `rev:`), without a final `/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RemotePath(String);

impl RemotePath {
    /// Reads what was typed. A leading `/` may be left out.
    pub(crate) fn new(typed: &str) -> Self {
        let trimmed = typed.trim_end_matches('/');
        let special = ["id:", "ns:", "rev:"]
            .iter()
            .any(|form| trimmed.starts_with(form));
        if trimmed.is_empty() || trimmed == "." {
            Self(String::new())
        } else if trimmed.starts_with('/') || special {
            Self(trimmed.to_owned())
        } else {
            Self(format!("/{trimmed}"))
        }
    }

    pub(crate) fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// The place of this name in this folder.
    pub(crate) fn child(&self, name: &str) -> Self {
        Self(format!("{}/{name}", self.0))
    }

    /// As messages name it.
    pub(crate) fn shown(&self) -> &str {
        if self.is_root() { "/" } else { &self.0 }
    }

    /// The last component; empty for the root.
    pub(crate) fn name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or_default()
    }

    /// A place by its path, which an id or a namespace is not enough for.
    pub(crate) fn to_place(&self) -> Result<DisplayPath> {
        DisplayPath::parse(&self.0).map_err(|error| {
            let what = format!("can't use {}", self.shown());
            let why = format!("folders go to a path ({error}); give one such as /docs");
            Fail::new(Exit::Usage, what, why)
        })
    }

    pub(crate) fn to_read(&self) -> Result<ReadPath> {
        self.checked(ReadPath::parse(&self.0))
    }

    pub(crate) fn to_list(&self) -> Result<PathROrId> {
        self.checked(PathROrId::parse(&self.0))
    }

    pub(crate) fn to_look_back(&self) -> Result<PathOrId> {
        self.checked(PathOrId::parse(&self.0))
    }

    pub(crate) fn to_make(&self) -> Result<WritePath> {
        self.checked(WritePath::parse(&self.0))
    }

    pub(crate) fn to_write(&self) -> Result<WritePathOrId> {
        self.checked(WritePathOrId::parse(&self.0))
    }

    fn checked<T>(&self, parsed: std::result::Result<T, DecodeError>) -> Result<T> {
        parsed.map_err(|error| {
            if self.is_root() {
                let why = "the root itself is nothing for this command; name what is in it";
                return Fail::new(Exit::Usage, "can't use /", why);
            }
            let why =
                format!("not a path for this command ({error}); give one such as /docs/a.txt");
            Fail::new(Exit::Usage, format_args!("can't use {}", self.shown()), why)
        })
    }
}

/// Whether DEST was typed as a folder.
pub(crate) fn means_into(typed: &str) -> bool {
    typed.is_empty() || typed == "." || typed.ends_with('/')
}

#[cfg(test)]
mod tests {
    use super::{RemotePath, means_into};

    #[test]
    fn what_is_typed_becomes_the_apis_form() {
        for (typed, wanted) in [
            ("", ""),
            ("/", ""),
            (".", ""),
            ("/a/b", "/a/b"),
            ("a/b/", "/a/b"),
            ("id:x", "id:x"),
            ("ns:1/a", "ns:1/a"),
        ] {
            assert_eq!(RemotePath::new(typed).0, wanted, "{typed}");
        }
        assert_eq!(RemotePath::new("/").child("a"), RemotePath::new("/a"));
        assert!(means_into("/docs/") && means_into("/") && !means_into("/docs"));
    }

    #[test]
    fn the_root_can_be_listed_but_not_written() {
        let root = RemotePath::new("/");
        assert!(root.to_list().is_ok() && root.to_write().is_err() && root.to_read().is_err());
    }
}
