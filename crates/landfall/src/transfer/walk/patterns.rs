//! Which files are left out or let in by name.

use ignore::gitignore::{Gitignore, GitignoreBuilder};
use std::path::Path;

/// A pattern that can't be one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{pattern:?} is no pattern: {why}; write it as a line of a .gitignore file")]
pub struct PatternError {
    /// As it was given.
    pub pattern: String,
    /// What is wrong with it.
    pub why: String,
}

/// Patterns of one purpose. Of those that fit, the last decides; one that begins with `!` says no.
#[derive(Clone, Debug)]
pub(super) struct Patterns {
    lines: Vec<String>,
    compiled: Gitignore,
    /// The same, whatever the case of letters.
    any_case: Gitignore,
}

impl Patterns {
    pub(super) fn none() -> Self {
        Self {
            lines: Vec::new(),
            compiled: Gitignore::empty(),
            any_case: Gitignore::empty(),
        }
    }

    pub(super) fn add(&mut self, pattern: &str) -> Result<(), PatternError> {
        let line = as_line(pattern);
        if compile(std::slice::from_ref(&line), pattern, false)?.is_empty() {
            return Err(PatternError {
                pattern: pattern.to_owned(),
                why: "it fits nothing".to_owned(),
            });
        }
        self.lines.push(line);
        self.compiled = compile(&self.lines, pattern, false)?;
        self.any_case = compile(&self.lines, pattern, true)?;
        Ok(())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Whether the file or folder at this place below the root fits.
    pub(super) fn fit(&self, relative: &Path, folder: bool) -> bool {
        self.compiled.matched(relative, folder).is_ignore()
    }

    /// The same, whatever the case of letters.
    pub(super) fn fit_in_any_case(&self, relative: &Path, folder: bool) -> bool {
        self.any_case.matched(relative, folder).is_ignore()
    }
}

fn compile(lines: &[String], newest: &str, any_case: bool) -> Result<Gitignore, PatternError> {
    let mut builder = GitignoreBuilder::new("");
    // Who types a bracket for itself is better told than obeyed by guess.
    builder.allow_unclosed_class(false);
    let mut compiled = || {
        builder.case_insensitive(any_case)?;
        for line in lines {
            builder.add_line(None, line)?;
        }
        builder.build()
    };
    compiled().map_err(|error| PatternError {
        pattern: newest.to_owned(),
        why: match error {
            ignore::Error::Glob { err, .. } => err,
            other => other.to_string(),
        },
    })
}

/// In a file, a `#` begins a comment and spaces at the end are nothing; nobody who gives a single
/// pattern means that.
fn as_line(pattern: &str) -> String {
    let body = pattern.trim_end_matches(' ');
    let mut spaces = pattern.len() - body.len();
    let mut line = String::new();
    if body.starts_with('#') {
        line.push('\\');
    }
    line.push_str(body);
    let backslashes = body.len() - body.trim_end_matches('\\').len();
    if backslashes % 2 == 1 && spaces > 0 {
        // The first is escaped already.
        line.push(' ');
        spaces -= 1;
    }
    line.push_str(&"\\ ".repeat(spaces));
    line
}

#[cfg(test)]
mod tests {
    use super::Patterns;
    use std::path::Path;

    fn fits(patterns: &[&str], path: &str) -> bool {
        let mut all = Patterns::none();
        for pattern in patterns {
            all.add(pattern).unwrap();
        }
        let (path, folder) = match path.strip_suffix('/') {
            Some(folder) => (folder, true),
            None => (path, false),
        };
        all.fit(Path::new(path), folder)
    }

    #[test]
    fn patterns_are_those_of_gitignore() {
        for (patterns, path, fit) in [
            (&["*.log"][..], "a/b.log", true),
            (&["*.log"], "a/b.log.gz", false),
            (&["/b.log"], "a/b.log", false),
            (&["a/*.log"], "a/b.log", true),
            (&["a/*.log"], "x/a/b.log", false),
            (&["a/**/b"], "a/x/y/b", true),
            (&["target/"], "a/target/", true),
            (&["target/"], "a/target", false),
            (&["*.log", "!keep.log"], "keep.log", false),
            (&["!keep.log", "*.log"], "keep.log", true),
            (&["a[0-9]"], "a7", true),
        ] {
            assert_eq!(fits(patterns, path), fit, "{patterns:?} {path}");
        }
    }

    #[test]
    fn a_hash_and_spaces_at_the_end_are_letters_of_a_pattern() {
        assert!(fits(&["#*#"], "#draft#"));
        assert!(fits(&["#a "], "#a ") && !fits(&["#a "], "#a"));
        for pattern in ["a  ", "a\\  ", "a\\ \\ "] {
            assert!(
                fits(&[pattern], "a  ") && !fits(&[pattern], "a"),
                "{pattern:?}"
            );
        }
    }

    #[test]
    fn what_fits_nothing_or_has_no_end_is_no_pattern() {
        for pattern in ["", "!", "/", "!/", "[a", "{a"] {
            let error = Patterns::none().add(pattern).unwrap_err();
            assert_eq!(error.pattern, pattern);
        }
    }
}
