//! Folding, and cutting a name to a length. The first byte says to what length.

#![no_main]

use icu_normalizer::{ComposingNormalizer, DecomposingNormalizer};
use landfall_protocol::path::{cut_name, fold_name};
use libfuzzer_sys::fuzz_target;

/// How many times as many bytes the folded form can have.
const LENGTHENS: usize = 3;

fuzz_target!(|input: (u8, &str)| {
    let (most, text) = input;
    check_folding(text);
    check_cut(text, most.into());
});

fn check_folding(text: &str) {
    let folded = fold_name(text);
    assert_eq!(fold_name(&folded), folded, "{text:?}");
    assert!(folded.len() <= LENGTHENS * text.len(), "{text:?}");
    let composed = ComposingNormalizer::new_nfc();
    assert!(composed.is_normalized(&folded), "{text:?}");
    let decomposed = DecomposingNormalizer::new_nfd();
    for spelling in [composed.normalize(text), decomposed.normalize(text)] {
        assert_eq!(fold_name(&spelling), folded, "{text:?}");
    }
    // The capital I with a dot is one character and folds to a plain i; the small one is two.
    if !decomposed.normalize(text).contains('\u{307}') {
        assert_eq!(fold_name(&text.to_ascii_uppercase()), folded, "{text:?}");
        assert_eq!(fold_name(&text.to_ascii_lowercase()), folded, "{text:?}");
    }
}

fn check_cut(name: &str, most: usize) {
    let cut = cut_name(name, most);
    let rest = name.strip_prefix(cut).expect("a beginning of the name");
    let units = cut.encode_utf16().count();
    assert!(units <= most);
    if let Some(next) = rest.chars().next() {
        assert!(
            units + next.len_utf16() > most,
            "{name:?} has room for {next:?}"
        );
    }
}
