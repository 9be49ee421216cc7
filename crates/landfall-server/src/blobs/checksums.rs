//! CRC-32C of each MiB of a blob: what was read is what was written.

/// Bytes under one checksum. A read checks whole pieces, so this is also the least that is read.
pub const CHECKED: usize = 1024 * 1024;

/// Computes the checksums while the bytes stream.
#[derive(Clone, Debug, Default)]
pub struct Checksums {
    done: Vec<u32>,
    current: u32,
    length: u64,
}

impl Checksums {
    /// Takes the next bytes.
    pub fn update(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let filled = (self.length % CHECKED as u64) as usize;
            let (now, later) = bytes.split_at((CHECKED - filled).min(bytes.len()));
            self.current = crc32c::crc32c_append(self.current, now);
            self.length += now.len() as u64;
            if self.length.is_multiple_of(CHECKED as u64) {
                self.done.push(std::mem::take(&mut self.current));
            }
            bytes = later;
        }
    }

    /// Bytes taken so far.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// One checksum for each MiB that was begun.
    pub fn finish(mut self) -> Vec<u32> {
        if !self.length.is_multiple_of(CHECKED as u64) {
            self.done.push(self.current);
        }
        self.done
    }
}

#[cfg(test)]
mod tests {
    use super::{CHECKED, Checksums};

    #[test]
    fn each_mebibyte_has_its_own_checksum_however_the_bytes_come() {
        let data: Vec<u8> = (0..2 * CHECKED + 7).map(|n| (n % 251) as u8).collect();
        let wanted: Vec<u32> = data.chunks(CHECKED).map(crc32c::crc32c).collect();
        for piece in [1000, CHECKED - 1, CHECKED, CHECKED + 1, data.len()] {
            let mut sums = Checksums::default();
            for piece in data.chunks(piece) {
                sums.update(piece);
            }
            assert_eq!(sums.length(), data.len() as u64);
            assert_eq!(sums.finish(), wanted);
        }
        assert!(Checksums::default().finish().is_empty());
    }
}
