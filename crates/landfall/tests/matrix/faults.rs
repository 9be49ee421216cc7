//! All that goes wrong with a request, and what may come of it.

use landfall_testkit::faults::{Canned, Fault};

/// A way in which a request goes wrong.
#[derive(Debug)]
pub(super) struct Kind {
    pub(super) name: &'static str,
    pub(super) what: What,
    /// Whether the request is worth repeating.
    pub(super) passes: bool,
    /// Whether a finish that it meets may have been carried out, as far as the client can tell.
    pub(super) doubt: bool,
    /// What a refusal for its sake must say: what to do, or the service's own words.
    pub(super) says: &'static str,
}

#[derive(Debug)]
pub(super) enum What {
    Fault(fn() -> Fault),
    /// The request is held, and let go when it has come.
    Late,
    /// The request is held until the run is over: the client gives it up.
    TooLate,
}

const AGAIN: &str = "try again";
const NOT_THE_API: &str = "check the address and any proxy between";
const FULL: &str = "the disk is full";
const NEWS: &str = "news_of_tomorrow";
const BAD: &str = "Error in call to API function";

const fn lost(name: &'static str, fault: fn() -> Fault) -> Kind {
    Kind {
        name,
        what: What::Fault(fault),
        passes: true,
        doubt: true,
        says: AGAIN,
    }
}

const fn unreadable(name: &'static str, fault: fn() -> Fault) -> Kind {
    Kind {
        says: NOT_THE_API,
        ..lost(name, fault)
    }
}

const fn slow_down(name: &'static str, fault: fn() -> Fault) -> Kind {
    Kind {
        doubt: false,
        ..lost(name, fault)
    }
}

const fn refused(name: &'static str, says: &'static str, fault: fn() -> Fault) -> Kind {
    Kind {
        passes: false,
        doubt: false,
        says,
        ..lost(name, fault)
    }
}

const fn held(name: &'static str, what: What) -> Kind {
    Kind {
        name,
        what,
        passes: true,
        doubt: true,
        says: AGAIN,
    }
}

/// An `instead` was carried out, but the client hears something else. Only what a machine in
/// between says may be said so: a refusal of the service's own is true.
pub(super) const KINDS: &[Kind] = &[
    lost("request dropped", || Fault::DropRequest),
    lost("request cut in its head", || Fault::CutHead),
    lost("request cut in its body", || Fault::CutRequest),
    lost("answer dropped", || Fault::DropReply),
    lost("answer cut to 0 bytes", || Fault::CutReply(0)),
    lost("answer cut to 3 bytes", || Fault::CutReply(3)),
    lost("answer cut in its middle", || Fault::HalveReply),
    held("late", What::Late),
    held("too late", What::TooLate),
    slow_down("429, wait in the body", || {
        Fault::Answer(Canned {
            retry_after: None,
            ..Canned::slow_down(0)
        })
    }),
    slow_down("429, wait in the header", || {
        Fault::Answer(too_many("too_many_requests"))
    }),
    slow_down("429, wait in both", || Fault::Answer(Canned::slow_down(0))),
    slow_down("429, plain text", || {
        Fault::Answer(Canned::slow_down_plainly())
    }),
    slow_down("429, too many writes", || {
        Fault::Answer(too_many("too_many_write_operations"))
    }),
    lost("500", || Fault::Answer(Canned::broken())),
    lost("502", || Fault::Answer(plain(502, "bad gateway"))),
    lost("503", || Fault::Answer(Canned::unavailable())),
    lost("503 with Retry-After", || {
        Fault::Answer(Canned {
            retry_after: Some(0),
            ..Canned::unavailable()
        })
    }),
    refused("507", FULL, || Fault::Answer(plain(507, FULL))),
    unreadable("HTML with 200", || Fault::Answer(Canned::portal())),
    lost("HTML with 502", || Fault::Answer(html_502())),
    refused("409, unknown tag", NEWS, || {
        let error = format!(r#"{{".tag": "{NEWS}"}}"#);
        Fault::Answer(Canned::refusal(NEWS, &error))
    }),
    refused("400, plain text", BAD, || Fault::Answer(plain(400, BAD))),
    lost("500 instead", || Fault::AnswerInstead(Canned::broken())),
    lost("502 instead", || {
        Fault::AnswerInstead(plain(502, "bad gateway"))
    }),
    lost(
        "503 instead",
        || Fault::AnswerInstead(Canned::unavailable()),
    ),
    unreadable("HTML with 200 instead", || {
        Fault::AnswerInstead(Canned::portal())
    }),
    lost("HTML with 502 instead", || Fault::AnswerInstead(html_502())),
];

/// A finished session is not known any more, and answers to no finish.
pub(super) static FORGOTTEN: Kind = refused("forgotten", "not_found", || {
    let lookup = r#"{".tag": "lookup_failed", "lookup_failed": {".tag": "not_found"}}"#;
    Fault::Answer(Canned::refusal("lookup_failed/not_found", lookup))
});

/// A closed session takes nothing more, not even what it has.
pub(super) static CLOSED: Kind = refused("closed", "closed", || {
    Fault::Answer(Canned::refusal("closed", r#"{".tag": "closed"}"#))
});

/// The kind of this name.
pub(super) fn kind(name: &str) -> &'static Kind {
    let found = KINDS.iter().find(|kind| kind.name == name);
    found.unwrap_or_else(|| panic!("no fault is called {name}"))
}

fn too_many(reason: &str) -> Canned {
    Canned {
        body: format!(
            r#"{{"error_summary": "{reason}/.", "error": {{"reason": {{".tag": "{reason}"}}}}}}"#
        ),
        ..Canned::slow_down(0)
    }
}

fn plain(status: u16, text: &str) -> Canned {
    Canned {
        status,
        body: text.to_owned(),
        ..Canned::unavailable()
    }
}

fn html_502() -> Canned {
    Canned {
        status: 502,
        ..Canned::broken()
    }
}
