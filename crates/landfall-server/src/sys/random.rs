//! Randomness.

use data_encoding::BASE64URL_NOPAD;
use std::fmt::Debug;

/// Where names and secrets come from.
pub trait Random: Debug + Send + Sync {
    /// Fills the bytes with unpredictable ones.
    fn fill(&self, bytes: &mut [u8]);
}

impl dyn Random {
    /// 16 unpredictable bytes as 22 characters of `[A-Za-z0-9_-]`: the names of sessions, jobs
    /// and writers.
    pub fn name(&self) -> String {
        let mut bytes = [0; 16];
        self.fill(&mut bytes);
        BASE64URL_NOPAD.encode(&bytes)
    }

    /// 32 unpredictable bytes as 43 characters of `[A-Za-z0-9_-]`: tokens and keys.
    pub fn secret(&self) -> String {
        let mut bytes = [0; 32];
        self.fill(&mut bytes);
        BASE64URL_NOPAD.encode(&bytes)
    }
}

/// The operating system's generator.
#[derive(Clone, Copy, Debug)]
pub struct SystemRandom;

impl Random for SystemRandom {
    fn fill(&self, bytes: &mut [u8]) {
        // Without randomness there are no safe names and no safe tokens; there is nothing to
        // go on with.
        getrandom::fill(bytes).expect("the operating system gives random bytes");
    }
}
