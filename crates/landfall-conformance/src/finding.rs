//! What a case found, with the call that showed it.

use std::fmt::Display;

/// How a case ends: it held, or why not.
pub(crate) type Checked = Result<(), Stop>;

/// Why a case doesn't go on.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The service answered otherwise than the case claims.
    Found(Box<Finding>),
    /// It can't be tried here.
    Skipped(String),
}

impl Stop {
    /// A claim that didn't hold.
    pub(crate) fn found(
        expected: impl Display,
        got: impl Display,
        request: Asked,
        answer: Option<Answered>,
    ) -> Self {
        Self::Found(Box::new(Finding {
            expected: expected.to_string(),
            got: got.to_string(),
            request,
            answer,
        }))
    }
}

/// What a service did otherwise.
#[derive(Clone, Debug)]
pub struct Finding {
    /// What the case claims.
    pub expected: String,
    /// What came instead.
    pub got: String,
    /// The call.
    pub request: Asked,
    /// Its answer, if there was one.
    pub answer: Option<Answered>,
}

/// A call, as it is shown: without its token.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// `POST`.
    pub method: String,
    /// The whole URL.
    pub url: String,
    /// The headers that the case chose.
    pub headers: Vec<(String, String)>,
    /// The body, where it is text for people.
    pub body: Option<String>,
    /// How long the body is.
    pub body_bytes: usize,
}

/// An answer, as it is shown.
#[derive(Clone, Debug)]
pub struct Answered {
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: Vec<(String, String)>,
    /// The begin of the body.
    pub body: String,
}

impl Finding {
    /// Applies `hide` to every text that came from outside.
    pub(crate) fn hide(&mut self, hide: impl Fn(&mut String)) {
        hide(&mut self.expected);
        hide(&mut self.got);
        self.request.texts().for_each(&hide);
        self.answer
            .iter_mut()
            .flat_map(Answered::texts)
            .for_each(&hide);
    }
}

impl Asked {
    fn texts(&mut self) -> impl Iterator<Item = &mut String> {
        let headers = self.headers.iter_mut().map(|(_, value)| value);
        [&mut self.method, &mut self.url]
            .into_iter()
            .chain(headers)
            .chain(&mut self.body)
    }
}

impl Answered {
    fn texts(&mut self) -> impl Iterator<Item = &mut String> {
        let headers = self.headers.iter_mut().map(|(_, value)| value);
        headers.chain([&mut self.body])
    }
}
