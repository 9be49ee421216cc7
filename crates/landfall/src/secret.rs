//! Values that never show themselves.

use std::fmt;

/// A value that must not reach logs, error texts or debug output: a token, a key.
///
/// It has no `Display`, and its `Debug` says nothing of the content. Whoever needs the value
/// asks for it by [`Self::expose`], which is easy to search for.
#[derive(Clone)]
pub struct Secret<T>(T);

impl<T> Secret<T> {
    /// Wraps the value.
    pub fn new(value: T) -> Self {
        Self(value)
    }

    /// The value. Keep it out of texts.
    pub fn expose(&self) -> &T {
        &self.0
    }
}

impl<T> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::Secret;

    #[test]
    fn debug_output_does_not_show_the_value() {
        let shown = format!("{:?}", Some(Secret::new("sl.abc".to_owned())));
        assert!(!shown.contains("sl.abc"), "{shown}");
    }
}
