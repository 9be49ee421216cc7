//! What the state of a session says about a request whose fate is open.
//!
//! Pure decisions; [`upload`](super::upload) carries them out.

/// What to do after the service said which offset is right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AfterOffset {
    /// The bytes are all there: an earlier attempt arrived, only its answer was lost.
    Done,
    /// Send the bytes from this offset on.
    SendFrom(u64),
    /// The session holds something that this upload didn't put there.
    Lost,
}

/// An append of `begin..end` was refused because the session holds `correct` bytes.
pub(super) fn after_offset(begin: u64, end: u64, correct: u64) -> AfterOffset {
    if correct == end {
        AfterOffset::Done
    } else if (begin..end).contains(&correct) {
        AfterOffset::SendFrom(correct)
    } else {
        AfterOffset::Lost
    }
}

/// What to do after a finish was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AfterFinish {
    /// The refusal is the answer.
    Refused,
    /// An earlier finish may have saved the file: look what is at the target.
    LookAtTarget,
    /// An earlier finish may have saved the file under a name that can't be known.
    Unknown,
}

/// A finish failed for good. `refusal` are the tags of an answer that settles it, if that is
/// what came; `uncertain`: this attempt or one before it may have been carried out.
pub(super) fn after_finish(
    refusal: Option<&str>,
    uncertain: bool,
    autorename: bool,
) -> AfterFinish {
    let open = match refusal {
        // The file in the way (with strict_conflict) may be the one that the session became.
        Some("path/conflict/file") => true,
        // What refuses the path or counts the bytes has the session before it, unfinished.
        Some("lookup_failed/incorrect_offset" | "lookup_failed/not_closed") => false,
        Some(tags) if tags.starts_with("path/") => false,
        // The session is gone, maybe because it was finished; or the refusal, or what came
        // instead of one, says nothing of the session.
        Some(_) | None => true,
    };
    match (uncertain && open, autorename) {
        (false, _) => AfterFinish::Refused,
        (true, false) => AfterFinish::LookAtTarget,
        (true, true) => AfterFinish::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::{AfterFinish, AfterOffset, after_finish, after_offset};

    #[test]
    fn the_right_offset_tells_what_became_of_an_append() {
        let cases = [
            (8, AfterOffset::Done),
            (4, AfterOffset::SendFrom(4)),
            (6, AfterOffset::SendFrom(6)),
            (3, AfterOffset::Lost),
            (9, AfterOffset::Lost),
            (0, AfterOffset::Lost),
        ];
        for (correct, wanted) in cases {
            assert_eq!(after_offset(4, 8, correct), wanted, "{correct}");
        }
        assert_eq!(after_offset(8, 8, 8), AfterOffset::Done);
    }

    #[test]
    fn a_finish_is_only_doubted_if_one_before_it_may_have_worked() {
        use AfterFinish::{LookAtTarget, Refused, Unknown};
        let cases = [
            (Some("lookup_failed/not_found"), LookAtTarget, Unknown),
            (Some("lookup_failed/closed"), LookAtTarget, Unknown),
            (Some("path/conflict/file"), LookAtTarget, Unknown),
            (Some("path/insufficient_space"), Refused, Refused),
            (Some("path/conflict/folder"), Refused, Refused),
            (Some("lookup_failed/incorrect_offset"), Refused, Refused),
            (Some("lookup_failed/other"), LookAtTarget, Unknown),
            (Some("other"), LookAtTarget, Unknown),
            (Some("news"), LookAtTarget, Unknown),
            (None, LookAtTarget, Unknown),
        ];
        for (refusal, plain, renaming) in cases {
            assert_eq!(after_finish(refusal, true, false), plain, "{refusal:?}");
            assert_eq!(after_finish(refusal, true, true), renaming, "{refusal:?}");
            for autorename in [false, true] {
                assert_eq!(after_finish(refusal, false, autorename), Refused);
            }
        }
    }
}
