//! Arguments with bounds: whoever holds one holds a legal one.

use crate::limits;
use crate::wire::{DecodeError, Json, Strictness, Wire};
use std::ops::Deref;

/// A number from `LEAST` to `MOST`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Within<const LEAST: u64, const MOST: u64>(u64);

impl<const LEAST: u64, const MOST: u64> Within<LEAST, MOST> {
    /// The least.
    pub const LEAST: Self = Self(LEAST);

    /// The number, or the bound that it is beyond.
    pub fn new(number: u64) -> Self {
        Self(number.clamp(LEAST, MOST))
    }

    /// The number.
    pub fn get(self) -> u64 {
        self.0
    }
}

impl<const LEAST: u64, const MOST: u64> Wire for Within<LEAST, MOST> {
    fn decode(value: &Json, strictness: Strictness) -> Result<Self, DecodeError> {
        let number = u64::decode(value, strictness)?;
        if (LEAST..=MOST).contains(&number) {
            Ok(Self(number))
        } else {
            Err(DecodeError::new(format!(
                "{number} is not within range [{LEAST}, {MOST}]"
            )))
        }
    }
    fn encode(&self) -> Json {
        Json::from(self.0)
    }
}

/// The entries of a batch: at most [`limits::BATCH`].
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Batch<T>(Vec<T>);

impl<T> Batch<T> {
    /// These entries; `None` if there are too many.
    pub fn new(entries: Vec<T>) -> Option<Self> {
        (entries.len() as u64 <= limits::BATCH).then_some(Self(entries))
    }

    /// The entries.
    pub fn into_entries(self) -> Vec<T> {
        self.0
    }
}

impl<T> Deref for Batch<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<T: Wire> Wire for Batch<T> {
    fn decode(value: &Json, strictness: Strictness) -> Result<Self, DecodeError> {
        // Counted before anything of it is read.
        if let Json::Array(items) = value
            && items.len() as u64 > limits::BATCH
        {
            return Err(DecodeError::new(format!(
                "must have at most {} items, got {}",
                limits::BATCH,
                items.len()
            )));
        }
        Vec::decode(value, strictness).map(Self)
    }
    fn encode(&self) -> Json {
        self.0.encode()
    }
}

#[cfg(test)]
mod tests {
    use super::{Batch, Within};
    use crate::wire::{Strictness, Wire};
    use serde_json::json;

    #[test]
    fn numbers_beyond_their_bounds_are_refused() {
        type Number = Within<30, 480>;
        for number in [30, 31, 480] {
            let read = Number::decode(&json!(number), Strictness::Strict).unwrap();
            assert_eq!(read.get(), number);
        }
        for number in [0, 29, 481, u64::MAX] {
            let error = Number::decode(&json!(number), Strictness::Strict).unwrap_err();
            assert_eq!(
                error.to_string(),
                format!("{number} is not within range [30, 480]")
            );
        }
        assert_eq!(Number::new(1), Number::LEAST);
        assert_eq!(Number::new(481).encode(), json!(480));
    }

    #[test]
    fn a_batch_has_a_thousand_entries_at_most() {
        let entries = |count: u64| json!((0..count).collect::<Vec<_>>());
        for count in [0, 1, 1000] {
            let batch: Batch<u64> = Wire::decode(&entries(count), Strictness::Strict).unwrap();
            assert_eq!(batch.len() as u64, count);
            assert_eq!(batch.encode(), entries(count));
        }
        let error = Batch::<u64>::decode(&entries(1001), Strictness::Strict).unwrap_err();
        assert_eq!(error.to_string(), "must have at most 1000 items, got 1001");
        assert!(Batch::new(vec![0; 1001]).is_none());
        assert_eq!(
            Batch::new(vec![7; 1000]).unwrap().into_entries(),
            vec![7; 1000]
        );
    }
}
