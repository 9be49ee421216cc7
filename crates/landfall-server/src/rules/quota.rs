//! How many bytes a quota allows.

use crate::meta::rows::Namespace;

/// What fills an account, and what a body would free.
#[derive(Clone, Copy, Debug, Default)]
pub struct Filled {
    /// Bytes that it may have.
    pub quota: u64,
    /// Bytes of its files.
    pub used: u64,
    /// Bytes in sessions that are not finished.
    pub unfinished: u64,
    /// Bytes of the file that is replaced by what comes.
    pub freed: u64,
    /// Bytes in the session that come before those of the body.
    pub before: u64,
}

/// How many bytes are left. It agrees with the commit ([`super::commit::decide`]), for
/// which unfinished sessions don't count: what is let in here is not refused there for its size.
pub fn left(filled: Filled) -> u64 {
    let taken = filled.used.saturating_add(filled.unfinished);
    let by_quota = filled
        .quota
        .saturating_add(filled.freed)
        .saturating_sub(taken);
    // Who is over the quota may still replace a file by a smaller one.
    by_quota.max(filled.freed.saturating_sub(filled.before))
}

/// Whether files of `size` bytes in the place of files of `freed` bytes are too much.
pub fn overfills(namespace: &Namespace, freed: u64, size: u64) -> bool {
    let after = namespace.used.saturating_sub(freed).saturating_add(size);
    // Who is over the quota may still replace a file by a smaller one.
    namespace.quota.is_some_and(|quota| after > quota) && size > freed
}

#[cfg(test)]
mod tests {
    use super::{Filled, left};

    const FILLED: Filled = Filled {
        quota: 100,
        used: 50,
        unfinished: 20,
        freed: 0,
        before: 0,
    };

    #[test]
    fn files_and_unfinished_sessions_fill_an_account() {
        assert_eq!(left(FILLED), 30);
        let full = Filled { used: 80, ..FILLED };
        assert_eq!(left(full), 0);
        let over = Filled { used: 90, ..FILLED };
        assert_eq!(left(over), 0);
    }

    #[test]
    fn what_is_replaced_makes_room() {
        let replaces = Filled {
            freed: 10,
            ..FILLED
        };
        assert_eq!(left(replaces), 40);
    }

    #[test]
    fn who_is_over_the_quota_may_replace_a_file_by_a_smaller_one() {
        let over = Filled {
            used: 500,
            freed: 40,
            ..FILLED
        };
        assert_eq!(left(over), 40);
        // Of the smaller one, a part is in the session already.
        let goes_on = Filled { before: 15, ..over };
        assert_eq!(left(goes_on), 25);
        let larger = Filled { before: 41, ..over };
        assert_eq!(left(larger), 0);
    }
}
