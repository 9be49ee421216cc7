//! Paths: the forms in which a request may name a place, and the place itself.
//!
//! A request's `path` is first text of a *grammar* ([`WritePath`], [`ReadPath`], …); what fails
//! there is a 400. Its [`PathForm`] says how the place is named. The path part of it becomes a
//! [`DisplayPath`], and what fails there is the route's own `malformed_path`. Two display paths
//! are the same place if their [`PathKey`]s are equal.

use crate::fold::fold;
use crate::ids::{FileId, NamespaceId, Rev};
use crate::limits;
use crate::wire::{DecodeError, Strictness, Wire, shorten, text};
use serde_json::Value;
use std::fmt;

/// How a request names a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PathForm {
    /// `/a/b`, or the empty string for the root: a path in the caller's own namespace (or the
    /// one that the path root header selects).
    Absolute(String),
    /// `id:…` or `id:…/below`: relative to the file or folder with this id.
    Id {
        /// The file or folder.
        id: FileId,
        /// The rest, beginning with `/`, or empty.
        below: String,
    },
    /// `rev:…`: one revision of a file.
    Rev(Rev),
    /// `ns:…` or `ns:…/below`: relative to the root of this namespace.
    Namespace {
        /// The namespace.
        namespace: NamespaceId,
        /// The rest, beginning with `/`, or empty.
        below: String,
    },
}

/// Which forms a grammar admits.
struct Grammar {
    pattern: &'static str,
    empty: bool,
    id: bool,
    rev: bool,
    /// What to say of the root instead of the pattern: some routes have their own words.
    root: Option<&'static str>,
    /// What to say of a root that is written `/`.
    slash: Option<&'static str>,
}

impl Grammar {
    fn parse(&self, text: &str) -> Result<PathForm, DecodeError> {
        let refused = || {
            DecodeError::new(format!(
                "'{}' did not match pattern '{}'",
                shorten(text, 200),
                self.pattern
            ))
        };
        let form = match text.split_once(':') {
            _ if text.starts_with('/') => PathForm::Absolute(text.to_owned()),
            // In the grammar of ids `.` doesn't match a line break.
            Some(("id", rest)) if self.id && !rest.contains('\n') => {
                let (id, below) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
                PathForm::Id {
                    id: FileId::from_tail(id),
                    below: below.to_owned(),
                }
            }
            Some(("rev", rest)) if self.rev => PathForm::Rev(rest.parse().map_err(|_| refused())?),
            Some(("ns", rest)) => {
                let (namespace, below) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
                if namespace.is_empty() || !namespace.bytes().all(|byte| byte.is_ascii_digit()) {
                    return Err(refused());
                }
                PathForm::Namespace {
                    namespace: NamespaceId::from_digits(namespace),
                    below: below.to_owned(),
                }
            }
            None if text.is_empty() && (self.empty || self.root.is_some()) => {
                PathForm::Absolute(String::new())
            }
            _ => return Err(refused()),
        };
        match (self.root, self.slash) {
            (Some(words), _) if form.is_root() => Err(DecodeError::new(words)),
            (_, Some(words)) if text == "/" => Err(DecodeError::new(words)),
            _ => Ok(form),
        }
    }
}

impl PathForm {
    fn is_root(&self) -> bool {
        match self {
            Self::Absolute(path) => matches!(path.as_str(), "" | "/"),
            Self::Namespace { below, .. } => matches!(below.as_str(), "" | "/"),
            Self::Id { .. } | Self::Rev(_) => false,
        }
    }
}

macro_rules! grammar {
    ($(#[$meta:meta])* $name:ident, $pattern:literal, $rules:expr) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $name {
            text: String,
            form: PathForm,
        }

        impl $name {
            /// Parses the text by the grammar.
            ///
            /// # Errors
            /// The API's own words for text that doesn't fit the pattern.
            pub fn parse(text: &str) -> Result<Self, DecodeError> {
                let rules: Grammar = Grammar { pattern: $pattern, ..$rules };
                Ok(Self { text: text.to_owned(), form: rules.parse(text)? })
            }

            /// How the text names its place.
            pub fn form(&self) -> &PathForm {
                &self.form
            }

            /// The text as it was given.
            pub fn as_str(&self) -> &str {
                &self.text
            }
        }

        impl Wire for $name {
            fn decode(value: &Value, _: Strictness) -> Result<Self, DecodeError> {
                Self::parse(text(value)?)
            }
            fn encode(&self) -> Value {
                Value::String(self.text.clone())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.text)
            }
        }
    };
}

const PLAIN: Grammar = Grammar {
    pattern: "",
    empty: false,
    id: false,
    rev: false,
    root: None,
    slash: None,
};

grammar!(
    /// Where something is made (Spec: `WritePath`).
    WritePath,
    r"(/(.|[\r\n])*)|(ns:[0-9]+(/(.|[\r\n])*)?)",
    PLAIN
);
grammar!(
    /// Where something is written, moved or deleted (Spec: `WritePathOrId`).
    WritePathOrId,
    r"(/(.|[\r\n])*)|(ns:[0-9]+(/(.|[\r\n])*)?)|(id:.*)",
    Grammar { id: true, ..PLAIN }
);
grammar!(
    /// A file or folder (Spec: `PathOrId`).
    PathOrId,
    r"/(.|[\r\n])*|id:.*|(ns:[0-9]+(/(.|[\r\n])*)?)",
    Grammar { id: true, ..PLAIN }
);
grammar!(
    /// What is read (Spec: `ReadPath`). The root can't be: it has no metadata.
    ReadPath,
    r"(/(.|[\r\n])*|id:.*)|(rev:[0-9a-f]{9,})|(ns:[0-9]+(/(.|[\r\n])*)?)",
    Grammar {
        id: true,
        rev: true,
        root: Some("The root folder is unsupported."),
        ..PLAIN
    }
);
grammar!(
    /// A folder to list (Spec: `PathROrId`); the empty string is the root.
    PathROrId,
    r"(/(.|[\r\n])*)?|id:.*|(ns:[0-9]+(/(.|[\r\n])*)?)",
    Grammar {
        empty: true,
        id: true,
        slash: Some("Specify the root folder as an empty string rather than as \"/\"."),
        ..PLAIN
    }
);

/// The text of a path is no legal path: the API's `malformed_path`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// An empty, `.` or `..` component, or a slash at the end.
    #[error("a component is empty, '.' or '..'")]
    Component,
    /// A backslash or NUL.
    #[error("a name contains a backslash or NUL")]
    Character,
    /// A name ends in white space.
    #[error("a name ends in white space")]
    TrailingSpace,
    /// A name of more than [`limits::NAME_UNITS`].
    #[error("a name is longer than {} UTF-16 units", limits::NAME_UNITS)]
    NameTooLong,
    /// A path of more than [`limits::PATH_BYTES`].
    #[error("the path is longer than {} bytes", limits::PATH_BYTES)]
    PathTooLong,
}

/// A legal path as it is shown: the empty string for the root, else `/name/name`. The letters
/// are as given; see [`PathKey`] for comparing.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DisplayPath(String);

/// The folded form of a path, by which places are compared and found; what the API calls
/// `path_lower`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PathKey(String);

/// Names that Dropbox never stores, folded. Observed: clients refuse them beforehand.
const DISALLOWED: [&str; 7] = [
    "desktop.ini",
    "thumbs.db",
    ".ds_store",
    "icon\r",
    ".dropbox",
    ".dropbox.attr",
    ".dropbox.cache",
];

impl DisplayPath {
    /// The root.
    pub fn root() -> Self {
        Self(String::new())
    }

    /// Parses a path: empty, or beginning with `/`.
    ///
    /// # Errors
    /// [`Malformed`], which routes report as `malformed_path`.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        if text.is_empty() {
            return Ok(Self::root());
        }
        if text.len() > limits::PATH_BYTES {
            return Err(Malformed::PathTooLong);
        }
        let names = text.strip_prefix('/').ok_or(Malformed::Component)?;
        for name in names.split('/') {
            check_name(name)?;
        }
        Ok(Self(text.to_owned()))
    }

    /// Whether this is the root.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// The path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The last component; empty for the root.
    pub fn name(&self) -> &str {
        name(&self.0)
    }

    /// The folder that holds this path; the root's is the root.
    #[must_use]
    pub fn parent(&self) -> Self {
        Self(parent(&self.0).to_owned())
    }

    /// The path of a child with this name.
    ///
    /// # Errors
    /// [`Malformed`]: the name can't be one, or the path gets too long.
    pub fn child(&self, name: &str) -> Result<Self, Malformed> {
        check_name(name)?;
        let path = format!("{}/{name}", self.0);
        if path.len() > limits::PATH_BYTES {
            return Err(Malformed::PathTooLong);
        }
        Ok(Self(path))
    }

    /// The folders above this path, outermost first, without the root and the path itself.
    pub fn ancestors(&self) -> Vec<Self> {
        let ends = self.0.match_indices('/').skip(1).map(|(end, _)| end);
        ends.map(|end| Self(self.0[..end].to_owned())).collect()
    }

    /// Where this path, which is below `above`, is once that is at `there`.
    ///
    /// # Errors
    /// [`Malformed::PathTooLong`]
    pub fn moved(&self, above: &Self, there: &Self) -> Result<Self, Malformed> {
        let depth = above.0.matches('/').count();
        let rest = self.0.match_indices('/').nth(depth);
        let rest = rest.map_or("", |(begin, _)| &self.0[begin..]);
        let path = format!("{there}{rest}");
        if path.len() > limits::PATH_BYTES {
            return Err(Malformed::PathTooLong);
        }
        Ok(Self(path))
    }

    /// The key by which the path is compared.
    pub fn key(&self) -> PathKey {
        PathKey(fold(&self.0))
    }

    /// Whether a component is a name that is never stored (`disallowed_name`).
    pub fn has_disallowed_name(&self) -> bool {
        fold(&self.0)
            .split('/')
            .any(|name| DISALLOWED.contains(&name))
    }
}

/// Checks one component of a path.
///
/// # Errors
/// [`Malformed`]
pub fn check_name(name: &str) -> Result<(), Malformed> {
    if matches!(name, "" | "." | "..") || name.contains('/') {
        return Err(Malformed::Component);
    }
    if name.contains(['\\', '\0']) {
        return Err(Malformed::Character);
    }
    if name.ends_with(char::is_whitespace) && !name.eq_ignore_ascii_case("icon\r") {
        return Err(Malformed::TrailingSpace);
    }
    if name.encode_utf16().count() > limits::NAME_UNITS {
        return Err(Malformed::NameTooLong);
    }
    Ok(())
}

impl PathKey {
    /// The root's key.
    pub fn root() -> Self {
        Self(String::new())
    }

    /// A key that was stored before: taken as it is.
    pub fn from_stored(text: String) -> Self {
        Self(text)
    }

    /// The key as text (`path_lower`).
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is the root's key.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// The key of the folder that holds this path.
    #[must_use]
    pub fn parent(&self) -> Self {
        Self(parent(&self.0).to_owned())
    }

    /// The folded last component.
    pub fn name(&self) -> &str {
        name(&self.0)
    }

    /// Whether this place is inside the folder `above` (not the folder itself).
    pub fn is_below(&self, above: &Self) -> bool {
        self.0
            .strip_prefix(above.as_str())
            .is_some_and(|rest| rest.starts_with('/'))
    }
}

/// The folded form of a single name. It can be longer than the name, up to three times in
/// bytes: some characters are written as several, some small letters take more bytes.
pub fn fold_name(name: &str) -> String {
    fold(name)
}

/// The longest beginning of a name that has at most this many UTF-16 units, the measure of
/// [`limits::NAME_UNITS`].
pub fn cut_name(name: &str, most: usize) -> &str {
    let mut room = most;
    for (at, character) in name.char_indices() {
        match room.checked_sub(character.len_utf16()) {
            Some(left) => room = left,
            None => return &name[..at],
        }
    }
    name
}

fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(parent, _)| parent)
}

fn name(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(_, name)| name)
}

impl fmt::Display for DisplayPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for PathKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::{
        DisplayPath, Malformed, PathForm, PathOrId, PathROrId, ReadPath, WritePath, WritePathOrId,
        cut_name, fold_name,
    };
    use crate::limits;
    use proptest::prelude::{prop_assert, prop_assert_eq, proptest};

    #[test]
    fn each_grammar_admits_its_forms_and_no_others() {
        let cases = [
            // text, WritePath, WritePathOrId, ReadPath, PathROrId
            ("/a", true, true, true, true),
            ("/a\r\nb", true, true, true, true),
            ("/", true, true, false, false),
            ("", false, false, false, true),
            ("a", false, false, false, false),
            ("ns:12", true, true, false, true),
            ("ns:12/a", true, true, true, true),
            ("ns:x/a", false, false, false, false),
            ("ns:", false, false, false, false),
            ("id:abc", false, true, true, true),
            ("id:abc/x", false, true, true, true),
            ("id:a\nb", false, false, false, false),
            ("rev:0123456789", false, false, true, false),
            ("rev:1234", false, false, false, false),
            ("rev:ABCDEF0123", false, false, false, false),
            ("pack.zip", false, false, false, false),
        ];
        for (text, write, write_or_id, read, list) in cases {
            assert_eq!(WritePath::parse(text).is_ok(), write, "WritePath {text:?}");
            assert_eq!(
                WritePathOrId::parse(text).is_ok(),
                write_or_id,
                "WritePathOrId {text:?}"
            );
            // Of the same form, in other words.
            assert_eq!(
                PathOrId::parse(text).is_ok(),
                write_or_id,
                "PathOrId {text:?}"
            );
            assert_eq!(ReadPath::parse(text).is_ok(), read, "ReadPath {text:?}");
            assert_eq!(PathROrId::parse(text).is_ok(), list, "PathROrId {text:?}");
        }
    }

    #[test]
    fn a_path_below_an_id_or_namespace_is_taken_apart() {
        let PathForm::Id { id, below } = WritePathOrId::parse("id:abc/x y").unwrap().form().clone()
        else {
            panic!("an id form");
        };
        assert_eq!((id.as_str(), below.as_str()), ("id:abc", "/x y"));
        let PathForm::Namespace { namespace, below } =
            WritePath::parse("ns:7").unwrap().form().clone()
        else {
            panic!("a namespace form");
        };
        assert_eq!((namespace.as_str(), below.as_str()), ("7", ""));
    }

    #[test]
    fn the_pattern_is_shown_to_whom_it_refuses() {
        assert_eq!(
            WritePathOrId::parse("pack.zip").unwrap_err().to_string(),
            r"'pack.zip' did not match pattern '(/(.|[\r\n])*)|(ns:[0-9]+(/(.|[\r\n])*)?)|(id:.*)'"
        );
        for root in ["", "/", "ns:1"] {
            assert_eq!(
                ReadPath::parse(root).unwrap_err().to_string(),
                "The root folder is unsupported."
            );
        }
        assert_eq!(
            PathROrId::parse("/").unwrap_err().to_string(),
            "Specify the root folder as an empty string rather than as \"/\"."
        );
    }

    #[test]
    fn malformed_paths_are_told_apart() {
        let long = format!("/{}", "x".repeat(limits::NAME_UNITS + 1));
        let deep = "/x".repeat(limits::PATH_BYTES / 2 + 1);
        for (text, problem) in [
            ("/../x", Malformed::Component),
            ("/./x", Malformed::Component),
            ("//x", Malformed::Component),
            ("/x/", Malformed::Component),
            ("/", Malformed::Component),
            ("/a\\b", Malformed::Character),
            ("/a\0b", Malformed::Character),
            ("/a ", Malformed::TrailingSpace),
            ("/a /b", Malformed::TrailingSpace),
            ("/a\u{a0}", Malformed::TrailingSpace),
            (&long, Malformed::NameTooLong),
            (&deep, Malformed::PathTooLong),
        ] {
            assert_eq!(DisplayPath::parse(text), Err(problem), "{text:?}");
        }
        for text in [
            "/a.",
            "/.a",
            "/ a",
            "/...",
            "/a\nb",
            "/\u{1f40b}",
            "/it's \"quoted\"",
        ] {
            assert!(DisplayPath::parse(text).is_ok(), "{text:?}");
        }
    }

    #[test]
    fn a_path_has_up_to_4096_bytes_however_it_is_made() {
        let folder = format!("/{}", "a".repeat(200)).repeat(20);
        let longest = "b".repeat(4096 - folder.len() - 1);
        let parent = DisplayPath::parse(&folder).unwrap();
        let child = parent.child(&longest).unwrap();
        assert_eq!(child.as_str().len(), 4096);
        assert_eq!(DisplayPath::parse(child.as_str()), Ok(child.clone()));
        assert_eq!(
            parent.child(&format!("{longest}b")),
            Err(Malformed::PathTooLong)
        );
        let longer = format!("{}b", child.as_str());
        assert_eq!(DisplayPath::parse(&longer), Err(Malformed::PathTooLong));
    }

    #[test]
    fn what_is_below_a_path_moves_with_it() {
        let at = |text: &str| DisplayPath::parse(text).unwrap();
        let moved = |text: &str, above: &str, there: &str| {
            at(text)
                .moved(&at(above), &at(there))
                .map(|path| path.to_string())
        };
        assert_eq!(moved("/A/b/C", "/A", "/x/y"), Ok("/x/y/b/C".into()));
        assert_eq!(moved("/A/b/C", "/A/b", "/x"), Ok("/x/C".into()));
        // By names and not by letters.
        assert_eq!(moved("/A/b", "/a", "/x"), Ok("/x/b".into()));
        assert_eq!(moved("/A", "/A", "/x"), Ok("/x".into()));
        let deep = format!("/{}", "a".repeat(200)).repeat(20);
        let rest = "b".repeat(4096 - deep.len() - 1);
        assert!(moved(&format!("/x/{rest}"), "/x", &deep).is_ok());
        let longer = moved(&format!("/x/{rest}b"), "/x", &deep);
        assert_eq!(longer, Err(Malformed::PathTooLong));
    }

    #[test]
    fn a_path_and_its_key_have_the_same_parts() {
        let path = DisplayPath::parse("/Folder/File.TXT").unwrap();
        assert_eq!(
            (path.name(), path.parent().as_str()),
            ("File.TXT", "/Folder")
        );
        let key = path.key();
        assert_eq!((key.name(), key.parent().as_str()), ("file.txt", "/folder"));
        assert_eq!(key.to_string(), "/folder/file.txt");
        assert_eq!(fold_name(path.name()), key.name());
        assert_eq!(path.to_string(), "/Folder/File.TXT");
    }

    #[test]
    fn a_name_is_cut_between_characters_by_utf16_units() {
        // The whale is of two units.
        for (most, cut) in [
            (0, ""),
            (1, "a"),
            (2, "a"),
            (3, "a\u{1f40b}"),
            (4, "a\u{1f40b}b"),
            (9, "a\u{1f40b}b"),
        ] {
            assert_eq!(cut_name("a\u{1f40b}b", most), cut, "{most}");
        }
    }

    #[test]
    fn only_the_root_is_the_root() {
        assert!(DisplayPath::root().is_root());
        assert!(DisplayPath::root().key().is_root());
        let other = DisplayPath::parse("/a").unwrap();
        assert!(!other.is_root() && !other.key().is_root());
    }

    #[test]
    fn the_name_limit_counts_utf16_units() {
        let whale = '\u{1f40b}';
        let fits = format!("/{}x", whale.to_string().repeat(127));
        assert!(DisplayPath::parse(&fits).is_ok());
        assert_eq!(
            DisplayPath::parse(&format!("{fits}x")),
            Err(Malformed::NameTooLong)
        );
    }

    #[test]
    fn disallowed_names_are_found_in_any_case_and_place() {
        for text in [
            "/Thumbs.DB",
            "/a/.DS_Store/b",
            "/.dropbox.cache/x",
            "/Icon\r",
        ] {
            assert!(
                DisplayPath::parse(text).unwrap().has_disallowed_name(),
                "{text:?}"
            );
        }
        assert!(
            !DisplayPath::parse("/desktop.ini.txt")
                .unwrap()
                .has_disallowed_name()
        );
    }

    #[test]
    fn ancestors_are_outermost_first_without_root_and_self() {
        let path = DisplayPath::parse("/A/b/C.txt").unwrap();
        let above: Vec<String> = path.ancestors().iter().map(ToString::to_string).collect();
        assert_eq!(above, ["/A", "/A/b"]);
        assert!(DisplayPath::parse("/A").unwrap().ancestors().is_empty());
        assert_eq!(path.parent().as_str(), "/A/b");
        assert_eq!(path.name(), "C.txt");
        assert_eq!(path.key().as_str(), "/a/b/c.txt");
        assert!(path.key().is_below(&path.parent().key()));
        assert!(
            !DisplayPath::parse("/Ab")
                .unwrap()
                .key()
                .is_below(&DisplayPath::parse("/a").unwrap().key())
        );
    }

    proptest! {
        #[test]
        fn folding_a_key_again_changes_nothing_for_names_without_combining_marks(
            text in "/[A-Za-z\u{c0}-\u{24f}\u{391}-\u{3c9}\u{410}-\u{44f}]{1,40}"
        ) {
            let key = DisplayPath::parse(&text).unwrap().key();
            prop_assert_eq!(DisplayPath::parse(key.as_str()).unwrap().key(), key);
        }

        #[test]
        fn no_text_panics_the_parsers(text in "\\PC*") {
            let _ = DisplayPath::parse(&text).map(|path| path.key());
            let read = ReadPath::parse(&text);
            prop_assert!(read.is_ok() || !read.unwrap_err().to_string().is_empty());
        }
    }
}
