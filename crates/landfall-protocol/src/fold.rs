//! Case folding of paths: what makes two spellings the same file.
//!
//! NFC, then the simple (one character to one character) lower-case mapping of each character,
//! then NFC again: a small letter can compose with a mark where its capital can't (`J` and `j`
//! with a caron), and both spellings must be one name. The tables come from ICU4X data compiled into the pinned crates, not from the toolchain, so
//! a newer compiler can't change which stored paths are equal.

use icu_casemap::CaseMapper;
use icu_normalizer::ComposingNormalizer;

/// The version of the folding, stored in the schema of every engine: keys written under another
/// version must be written anew. A test holds the tables against this number.
pub const FOLDING_VERSION: u32 = 1;

/// The folded form of a text.
pub(crate) fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let mapper = CaseMapper::new();
    let nfc = ComposingNormalizer::new_nfc();
    let lower: String = nfc
        .normalize(text)
        .chars()
        .map(|character| mapper.simple_lowercase(character))
        .collect();
    nfc.normalize(&lower).into_owned()
}

#[cfg(test)]
mod tests {
    use super::{FOLDING_VERSION, fold};
    use sha2::{Digest, Sha256};

    #[test]
    fn spellings_of_one_name_fold_alike() {
        assert_eq!(fold("Stra\u{df}E"), "stra\u{df}e");
        assert_eq!(
            fold("\u{3a3}\u{3a3}\u{3a3}"),
            "\u{3c3}\u{3c3}\u{3c3}",
            "no final sigma"
        );
        assert_eq!(fold("Cafe\u{301}"), "caf\u{e9}", "NFD and NFC are one name");
        assert_eq!(fold("\u{130}"), "i", "one character stays one character");
        assert_eq!(fold("\u{1f40b}"), "\u{1f40b}");
        assert_eq!(
            fold("J\u{30c}"),
            fold("\u{1f0}"),
            "composed after lower-casing"
        );
    }

    #[test]
    fn folding_makes_a_text_three_times_as_long_at_most() {
        for character in '\u{0}'..=char::MAX {
            let folded = fold(&character.to_string());
            assert!(folded.len() <= 3 * character.len_utf8(), "{character:?}");
        }
        assert_eq!(fold("\u{1d160}").len(), 12);
    }

    /// Stored keys depend on the tables. If this fails after an update of the Unicode crates,
    /// raise FOLDING_VERSION, put the new digest here and give the engines a migration.
    #[test]
    fn the_tables_are_those_of_the_stored_version() {
        let mut all = Sha256::new();
        for character in '\u{0}'..=char::MAX {
            all.update(fold(&character.to_string()));
            all.update([0]);
        }
        let digest = data_encoding::HEXLOWER.encode(&all.finalize());
        assert_eq!(
            (FOLDING_VERSION, digest.as_str()),
            (
                1,
                "aa7b84ad96535ebcf03c3424c39cb94b018be4ea3bea927d8ce20a28eeb1289a"
            )
        );
    }
}
