//! Bytes to upload.

/// Sizes at which something ends or begins: nothing, one byte, the inline limit, a checksum, a
/// block of the content hash, and their neighbours.
pub const EDGE_SIZES: &[usize] = &[
    0,
    1,
    64 * 1024 - 1,
    64 * 1024,
    64 * 1024 + 1,
    1024 * 1024 - 1,
    1024 * 1024,
    1024 * 1024 + 1,
    4 * 1024 * 1024 - 1,
    4 * 1024 * 1024,
    4 * 1024 * 1024 + 1,
    8 * 1024 * 1024,
    9 * 1024 * 1024,
];

/// Bytes that differ from place to place and from seed to seed, always the same ones.
pub fn pattern(seed: u64, length: usize) -> Vec<u8> {
    // A xorshift generator: good enough to be no pattern, and fast.
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut out = Vec::with_capacity(length + 8);
    while out.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        out.extend_from_slice(&state.to_le_bytes());
    }
    out.truncate(length);
    out
}
