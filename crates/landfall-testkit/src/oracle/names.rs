//! Names: which ones can be, which are one place, and what autorename makes of them.

/// UTF-16 units in a name.
const UNITS: usize = 255;

const NEVER_STORED: [&str; 7] = [
    "desktop.ini",
    "thumbs.db",
    ".ds_store",
    "icon\r",
    ".dropbox",
    ".dropbox.attr",
    ".dropbox.cache",
];

/// Two paths are one place if they fold to the same text: composed, then lower-case, one
/// character to one. The sequences know no other marks than these.
pub(super) fn fold(path: &str) -> String {
    let mut folded = path.to_lowercase();
    for (apart, composed) in [("u\u{308}", "\u{fc}"), ("i\u{308}", "\u{ef}")] {
        folded = folded.replace(apart, composed);
    }
    folded
}

/// Whether a name can't be one.
pub(super) fn is_malformed(name: &str) -> bool {
    matches!(name, "" | "." | "..")
        || name.contains(['\\', '\0'])
        || name.ends_with(char::is_whitespace)
        || units(name) > UNITS
}

/// Whether a name is one that is never stored.
pub(super) fn is_disallowed(name: &str) -> bool {
    NEVER_STORED.contains(&fold(name).as_str())
}

/// The name with a suffix before its last extension, shortened to fit. Dot-files and folders have
/// no extension.
pub(super) fn with_suffix(name: &str, suffix: &str, is_folder: bool) -> String {
    let (stem, extension) = match name.rfind('.') {
        Some(dot) if dot > 0 && !is_folder => name.split_at(dot),
        _ => (name, ""),
    };
    let mut stem = stem.to_owned();
    while units(&stem) + units(suffix) + units(extension) > UNITS {
        stem.pop();
    }
    format!("{stem}{suffix}{extension}")
}

/// A display name without what a name can't hold.
pub(super) fn owner(display_name: Option<&str>) -> Option<String> {
    let legal = display_name?.replace(['/', '\\'], "");
    let legal = legal.trim();
    (!legal.is_empty()).then(|| legal.to_owned())
}

fn units(text: &str) -> usize {
    text.encode_utf16().count()
}
