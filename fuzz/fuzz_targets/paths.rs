//! Every form of a path, and the place that it names.

#![no_main]

use landfall_fuzz::check_said;
use landfall_protocol::path::{
    DisplayPath, Malformed, PathForm, PathOrId, PathROrId, ReadPath, WritePath, WritePathOrId,
    check_name, fold_name,
};
use landfall_protocol::wire::DecodeError;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let forms = [
        form(
            WritePath::parse(text).map(|path| (path.form().clone(), path.to_string())),
            text,
        ),
        form(
            WritePathOrId::parse(text).map(|path| (path.form().clone(), path.to_string())),
            text,
        ),
        form(
            PathOrId::parse(text).map(|path| (path.form().clone(), path.to_string())),
            text,
        ),
        form(
            ReadPath::parse(text).map(|path| (path.form().clone(), path.to_string())),
            text,
        ),
        form(
            PathROrId::parse(text).map(|path| (path.form().clone(), path.to_string())),
            text,
        ),
    ];
    // Grammars differ in what they admit, not in what it means.
    let mut admitted = forms.iter().flatten();
    if let Some(first) = admitted.next() {
        assert!(admitted.all(|form| form == first), "{forms:?}");
    }
    match DisplayPath::parse(text) {
        Ok(path) => check_path(&path, text),
        Err(malformed) => check_said(&malformed.to_string()),
    }
});

/// How the text names its place, if this grammar admits it.
fn form(parsed: Result<(PathForm, String), DecodeError>, text: &str) -> Option<PathForm> {
    match parsed {
        Err(error) => {
            check_said(&error.to_string());
            None
        }
        Ok((form, shown)) => {
            assert_eq!(shown, text);
            if let PathForm::Id { below, .. } | PathForm::Namespace { below, .. } = &form {
                assert!(below.is_empty() || below.starts_with('/'), "{below:?}");
                assert!(text.ends_with(below.as_str()));
            }
            Some(form)
        }
    }
}

fn check_path(path: &DisplayPath, text: &str) {
    assert_eq!(path.as_str(), text);
    let key = path.key();
    // The key is a legal path and its own key, but for its length: folding can lengthen.
    assert_eq!(fold_name(key.as_str()), key.as_str());
    match DisplayPath::parse(key.as_str()) {
        Ok(folded) => {
            assert_eq!(folded.key(), key);
            assert_eq!(folded.has_disallowed_name(), path.has_disallowed_name());
        }
        Err(Malformed::NameTooLong | Malformed::PathTooLong) => assert!(!text.is_ascii()),
        Err(malformed) => panic!("{text:?} has the key {key:?}: {malformed}"),
    }

    assert_eq!(path.is_root(), key.is_root());
    if path.is_root() {
        assert!(path.parent().is_root() && path.name().is_empty());
        return;
    }
    check_name(path.name()).expect("a name of a legal path");
    let parent = path.parent();
    assert_eq!(parent.child(path.name()).as_ref(), Ok(path));
    assert_eq!(parent.key(), key.parent());
    assert_eq!(fold_name(path.name()), key.name());
    assert!(!key.is_below(&key));

    let ancestors = path.ancestors();
    assert_eq!(ancestors.len() + 1, text.matches('/').count());
    assert_eq!(ancestors.last().unwrap_or(&DisplayPath::root()), &parent);
    // Some of them: each costs as much as the path is long.
    for ancestor in ancestors.iter().step_by(ancestors.len() / 4 + 1) {
        assert_eq!(DisplayPath::parse(ancestor.as_str()).as_ref(), Ok(ancestor));
        assert!(key.is_below(&ancestor.key()) && !ancestor.key().is_below(&key));
        let moved = path
            .moved(ancestor, &DisplayPath::root())
            .expect("a shorter path");
        assert_eq!(format!("{ancestor}{moved}"), text);
        assert_eq!(
            moved.moved(&DisplayPath::root(), ancestor).as_ref(),
            Ok(path)
        );
    }
}
