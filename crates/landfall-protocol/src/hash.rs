//! The content hash: SHA-256 over the concatenated SHA-256 digests of 4 MiB blocks.
//!
//! [`ContentHasher`] can stop after any byte and be stored: a session that ends inside a block
//! goes on from the stored state, so nothing that was uploaded is ever read back to be hashed.

use crate::limits::HASH_BLOCK;
use crate::wire::{DecodeError, Strictness, Wire, text};
use data_encoding::HEXLOWER;
use serde_json::Value;
use sha2::digest::common::hazmat::SerializableState;
use sha2::{Digest, Sha256};
use std::fmt;
use std::str::FromStr;

/// A content hash (docs: content hash); written as 64 lowercase hex digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContentHash([u8; 32]);

impl ContentHash {
    /// The hash of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        let mut hasher = ContentHasher::new();
        hasher.update(bytes);
        hasher.finish()
    }

    /// The hash with these 32 bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

/// The text is not 64 hex digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a content hash has 64 hex digits")]
pub struct NotAHash;

impl FromStr for ContentHash {
    type Err = NotAHash;

    fn from_str(text: &str) -> Result<Self, NotAHash> {
        let bytes = HEXLOWER
            .decode(text.to_ascii_lowercase().as_bytes())
            .map_err(|_| NotAHash)?;
        Ok(Self(bytes.try_into().map_err(|_| NotAHash)?))
    }
}

/// A `content_hash` that came with a request (Spec: `Sha256HexHash`, exactly 64 characters).
///
/// The specification gives it a length and no pattern, so 64 characters that are no hash are a
/// legal argument: one that no content matches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GivenHash(String);

impl GivenHash {
    /// Whether this is the hash of the content.
    pub fn matches(&self, hash: &ContentHash) -> bool {
        self.0
            .parse::<ContentHash>()
            .is_ok_and(|given| given == *hash)
    }
}

impl From<ContentHash> for GivenHash {
    fn from(hash: ContentHash) -> Self {
        Self(hash.to_string())
    }
}

impl Wire for GivenHash {
    fn decode(value: &Value, _: Strictness) -> Result<Self, DecodeError> {
        let text = text(value)?;
        let count = text.chars().count();
        let wrong = |relation: &str| {
            Err(DecodeError::new(format!(
                "'{}' must be {relation} 64 characters, got {count}",
                crate::wire::shorten(text, 64)
            )))
        };
        match count {
            64 => Ok(Self(text.to_owned())),
            0..64 => wrong("at least"),
            _ => wrong("at most"),
        }
    }
    fn encode(&self) -> Value {
        Value::String(self.0.clone())
    }
}

impl Wire for ContentHash {
    fn decode(value: &Value, _: Strictness) -> Result<Self, DecodeError> {
        text(value)?
            .parse()
            .map_err(|NotAHash| DecodeError::new(NotAHash.to_string()))
    }
    fn encode(&self) -> Value {
        Value::String(self.to_string())
    }
}

/// Computes a content hash piece by piece.
#[derive(Clone)]
pub struct ContentHasher {
    /// Hashes the digests of the finished blocks.
    blocks: Sha256,
    /// Hashes the bytes of the block that is being filled.
    block: Sha256,
    length: u64,
}

/// A stored hasher state that this version can't read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the stored hash state is not of version {STATE_VERSION} or is damaged")]
pub struct BadState;

/// The layout of [`ContentHasher::state`]: version, length (8 bytes, little end first), the two
/// SHA-256 states. Stored states outlive a build; a change needs a new number.
const STATE_VERSION: u8 = 1;

type Sha256State = sha2::digest::common::hazmat::SerializedState<Sha256>;

/// Bytes in one serialised SHA-256 state.
const SHA256_STATE: usize = size_of::<Sha256State>();

impl ContentHasher {
    /// A hasher that has seen no byte.
    pub fn new() -> Self {
        Self {
            blocks: Sha256::new(),
            block: Sha256::new(),
            length: 0,
        }
    }

    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.update_with(bytes, |_| {});
    }

    /// Takes the next bytes and hands the digest of each block that they complete to `done`.
    fn update_with(&mut self, mut bytes: &[u8], mut done: impl FnMut(&[u8])) {
        while !bytes.is_empty() {
            let room = HASH_BLOCK - self.length % HASH_BLOCK;
            let take = usize::try_from(room).map_or(bytes.len(), |room| room.min(bytes.len()));
            let (now, later) = bytes.split_at(take);
            self.block.update(now);
            self.length += take as u64;
            if self.length.is_multiple_of(HASH_BLOCK) {
                let digest = self.block.finalize_reset();
                self.blocks.update(digest);
                done(&digest);
            }
            bytes = later;
        }
    }

    /// Bytes taken so far.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// The hash of the bytes taken so far.
    pub fn finish(&self) -> ContentHash {
        let mut blocks = self.blocks.clone();
        if !self.length.is_multiple_of(HASH_BLOCK) {
            blocks.update(self.block.clone().finalize());
        }
        ContentHash(blocks.finalize().into())
    }

    /// The state as bytes, from which [`Self::resume`] goes on.
    pub fn state(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(9 + 2 * SHA256_STATE);
        out.push(STATE_VERSION);
        out.extend_from_slice(&self.length.to_le_bytes());
        out.extend_from_slice(&self.blocks.serialize());
        out.extend_from_slice(&self.block.serialize());
        out
    }

    /// The hasher whose [`Self::state`] this is.
    ///
    /// # Errors
    /// [`BadState`] if the bytes are not a state of this version.
    pub fn resume(state: &[u8]) -> Result<Self, BadState> {
        let rest = state.strip_prefix(&[STATE_VERSION]).ok_or(BadState)?;
        let (length, rest) = rest.split_first_chunk::<8>().ok_or(BadState)?;
        let (blocks, block) = rest.split_at_checked(SHA256_STATE).ok_or(BadState)?;
        let sha256 = |bytes: &[u8]| {
            let state = Sha256State::try_from(bytes).map_err(|_| BadState)?;
            Sha256::deserialize(&state).map_err(|_| BadState)
        };
        Ok(Self {
            blocks: sha256(blocks)?,
            block: sha256(block)?,
            length: u64::from_le_bytes(*length),
        })
    }
}

impl Default for ContentHasher {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for ContentHasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ContentHasher({} bytes)", self.length)
    }
}

/// Hashes one request body twice: as the continuation of its session, and by itself (the
/// `content_hash` of a request is over that request's body alone).
///
/// Where the body begins on a block boundary the two share all block digests and the second
/// hash costs next to nothing; elsewhere it is computed only if the request gave a hash.
#[derive(Clone, Debug)]
pub struct BodyHasher {
    session: ContentHasher,
    alone: Alone,
}

#[derive(Clone, Debug)]
enum Alone {
    NotAsked,
    /// The blocks coincide: only the outer hash is separate.
    Shared(Sha256),
    Separate(ContentHasher),
}

impl BodyHasher {
    /// Hashes a body that continues `session`; by itself too if `given` (the request came with
    /// a `content_hash`).
    pub fn new(session: ContentHasher, given: bool) -> Self {
        let alone = match (given, session.length.is_multiple_of(HASH_BLOCK)) {
            (false, _) => Alone::NotAsked,
            (true, true) => Alone::Shared(Sha256::new()),
            (true, false) => Alone::Separate(ContentHasher::new()),
        };
        Self { session, alone }
    }

    /// Takes the next bytes of the body.
    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.alone {
            Alone::NotAsked => self.session.update(bytes),
            Alone::Shared(blocks) => {
                self.session
                    .update_with(bytes, |digest| blocks.update(digest));
            }
            Alone::Separate(hasher) => {
                hasher.update(bytes);
                self.session.update(bytes);
            }
        }
    }

    /// The hash of the body alone; `None` if it was not asked for.
    pub fn body_hash(&self) -> Option<ContentHash> {
        match &self.alone {
            Alone::NotAsked => None,
            Alone::Separate(hasher) => Some(hasher.finish()),
            Alone::Shared(blocks) => {
                let mut blocks = blocks.clone();
                if !self.session.length.is_multiple_of(HASH_BLOCK) {
                    blocks.update(self.session.block.clone().finalize());
                }
                Some(ContentHash(blocks.finalize().into()))
            }
        }
    }

    /// The session's hasher, with the body in it.
    pub fn into_session(self) -> ContentHasher {
        self.session
    }
}

#[cfg(test)]
mod tests {
    use super::{BodyHasher, ContentHash, ContentHasher, GivenHash};
    use crate::{Strictness, Wire};
    use proptest::prelude::{any, prop_assert_eq, proptest};
    use serde_json::json;

    const MIB: usize = 1024 * 1024;

    #[test]
    fn a_hash_is_its_32_bytes() {
        let bytes: [u8; 32] = std::array::from_fn(|nth| nth as u8);
        assert_eq!(ContentHash::from_bytes(bytes).as_bytes(), &bytes);
    }

    #[test]
    fn a_given_hash_matches_its_content_in_either_case_and_no_other() {
        let hash = ContentHash::of(b"a");
        let given = |text: &str| GivenHash::decode(&json!(text), Strictness::Strict).unwrap();
        assert!(given(&hash.to_string()).matches(&hash));
        assert!(given(&hash.to_string().to_uppercase()).matches(&hash));
        assert!(!given(&hash.to_string()).matches(&ContentHash::of(b"b")));
        assert!(!given(&"no hash!".repeat(8)).matches(&hash));
    }

    #[test]
    fn a_given_hash_has_64_characters() {
        let wrong = |length: usize| {
            let text = json!("0".repeat(length));
            let error = GivenHash::decode(&text, Strictness::Strict).unwrap_err();
            error.to_string()
        };
        assert!(
            wrong(63).contains("must be at least 64 characters, got 63"),
            "{}",
            wrong(63)
        );
        assert!(
            wrong(65).contains("must be at most 64 characters, got 65"),
            "{}",
            wrong(65)
        );
    }

    #[test]
    fn hashes_are_written_as_64_lowercase_hex_digits() {
        let hash = ContentHash::of(b"a");
        let text = json!("bf5d3affb73efd2ec6c36ad3112dd933efed63c4e1cbffcfa88e2759c144f2d8");
        assert_eq!(hash.encode(), text);
        assert_eq!(GivenHash::from(hash).encode(), text);
    }

    #[test]
    fn a_hasher_knows_how_many_bytes_it_took() {
        let mut hasher = ContentHasher::new();
        hasher.update(b"abc");
        assert_eq!(hasher.length(), 3);
        assert_eq!(format!("{hasher:?}"), "ContentHasher(3 bytes)");
    }

    #[test]
    fn a_body_of_whole_blocks_has_no_empty_block_behind_it() {
        for blocks in [0, 1, 2] {
            let body = vec![7; blocks * 4 * MIB];
            for before in [0, 1] {
                let mut session = ContentHasher::new();
                session.update(&vec![0; before * 4 * MIB]);
                let mut hasher = BodyHasher::new(session, true);
                hasher.update(&body);
                assert_eq!(hasher.body_hash(), Some(ContentHash::of(&body)));
            }
        }
    }

    fn vectors() -> Vec<(Vec<u8>, &'static str)> {
        vec![
            (
                vec![],
                "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            ),
            (
                vec![0],
                "1406e05881e299367766d313e26c05564ec91bf721d31726bd6e46e60689539a",
            ),
            (
                b"a".to_vec(),
                "bf5d3affb73efd2ec6c36ad3112dd933efed63c4e1cbffcfa88e2759c144f2d8",
            ),
            (
                b"hello\n".to_vec(),
                "ecb65bb98f9d905b70458986c39fcbad7715e5f2fcc3b1f07767d7c83e2438cc",
            ),
            (
                b"Hello Dropbox!".to_vec(),
                "16dff8700700b9aa627e24bbf832940c084b41ade5c5d6fe5417963a547ed9c2",
            ),
            (
                vec![0; 4 * MIB - 1],
                "839e2d868a885f260431d186466f0f3c189ee0eee5cc444b54e717740ad7f1c3",
            ),
            (
                vec![0; 4 * MIB],
                "c7e946d101855255d919ef0c70718633adf77d3dfb3adeeecf5d0cb4e951be58",
            ),
            (
                vec![0; 4 * MIB + 1],
                "14a4d47f23a30177885d9820122f17d2d3a55fe63f7f5c27b95f689e0b2accd6",
            ),
            (
                vec![0; 8 * MIB],
                "03ae066c707c588592d9e27aa2444ca98423e0999024f1ceaa11a153790b37de",
            ),
            (
                vec![0x5a; 8 * MIB + 1],
                "d75063f639f759b8059d2b89de3a52dfde52adf5705a8769862db815cbb2b38d",
            ),
            (
                vec![0x5a; 10 * MIB],
                "3400bc3b02ce0a0b7045286c1f00b1232f7a8870c5e2e164790e692597fd1ce9",
            ),
        ]
    }

    #[test]
    fn content_hash_matches_the_published_vectors() {
        for (bytes, hash) in vectors() {
            assert_eq!(
                ContentHash::of(&bytes).to_string(),
                hash,
                "{} bytes",
                bytes.len()
            );
        }
    }

    #[test]
    fn a_hash_stored_in_the_middle_of_any_block_goes_on() {
        for (bytes, hash) in vectors() {
            for cut in [
                0,
                1,
                63,
                64,
                65,
                4 * MIB - 1,
                4 * MIB,
                4 * MIB + 1,
                bytes.len(),
            ] {
                let (first, second) = bytes.split_at(cut.min(bytes.len()));
                let mut hasher = ContentHasher::new();
                hasher.update(first);
                let mut hasher = ContentHasher::resume(&hasher.state()).unwrap();
                hasher.update(second);
                assert_eq!(hasher.finish().to_string(), hash, "cut at {cut}");
            }
        }
    }

    /// Stored states outlive the build that wrote them: this one was written by version 1.
    #[test]
    fn a_state_written_by_an_older_build_is_read() {
        let mut hasher = ContentHasher::new();
        hasher.update(b"hello");
        assert_eq!(
            data_encoding::HEXLOWER.encode(&hasher.state()),
            GOLDEN_STATE
        );
        let stored = data_encoding::HEXLOWER
            .decode(GOLDEN_STATE.as_bytes())
            .unwrap();
        let mut hasher = ContentHasher::resume(&stored).unwrap();
        hasher.update(b"\n");
        assert_eq!(
            hasher.finish().to_string(),
            "ecb65bb98f9d905b70458986c39fcbad7715e5f2fcc3b1f07767d7c83e2438cc"
        );
    }
    const GOLDEN_STATE: &str = concat!(
        "01050000000000000067e6096a85ae67bb72f36e3c3af54fa57f520e518c68059babd9831f19",
        "cde05b0000000000000000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000000000000000067",
        "e6096a85ae67bb72f36e3c3af54fa57f520e518c68059babd9831f19cde05b00000000000000",
        "000568656c6c6f00000000000000000000000000000000000000000000000000000000000000",
        "000000000000000000000000000000000000000000000000000000",
    );

    #[test]
    fn a_damaged_state_is_refused() {
        let state = ContentHasher::new().state();
        assert!(ContentHasher::resume(&state[1..]).is_err());
        assert!(ContentHasher::resume(&state[..state.len() - 1]).is_err());
        assert!(ContentHasher::resume(&[]).is_err());
        let mut other = state;
        other[0] = 9;
        assert!(ContentHasher::resume(&other).is_err());
    }

    proptest! {
        #![proptest_config(proptest::test_runner::Config::with_cases(24))]
        #[test]
        fn the_hash_of_a_body_is_its_own_wherever_it_begins(
            before in 0..3 * MIB, body in 0..6 * MIB, piece in 1..2 * MIB, aligned in any::<bool>(),
        ) {
            let before = if aligned { 4 * MIB } else { before };
            let data: Vec<u8> = (0..before + body).map(|n| (n * 31 % 251) as u8).collect();
            let mut session = ContentHasher::new();
            session.update(&data[..before]);
            let mut hasher = BodyHasher::new(session, true);
            for piece in data[before..].chunks(piece) {
                hasher.update(piece);
            }
            prop_assert_eq!(hasher.body_hash(), Some(ContentHash::of(&data[before..])));
            prop_assert_eq!(hasher.into_session().finish(), ContentHash::of(&data));
        }
    }
}
