//! Server-sent events.

use reqwest::Response;
use serde_json::Value;

/// A stream of events.
#[derive(Debug)]
pub struct Events {
    response: Response,
    text: String,
}

/// One event.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Its id.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// What it tells.
    pub data: Value,
}

impl Events {
    pub(crate) async fn of(response: Response) -> Self {
        assert_eq!(response.status(), 200, "{response:?}");
        let kind = response.headers().get("content-type");
        assert_eq!(kind.expect("a type"), "text/event-stream");
        let text = String::new();
        Self { response, text }
    }

    /// The next event; `None`: the stream has ended.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            while let Some((block, rest)) = self.text.split_once("\n\n") {
                let event = Event::parse(block);
                self.text = rest.to_owned();
                if event.is_some() {
                    return event;
                }
            }
            let bytes = self.response.chunk().await.expect("an unbroken stream")?;
            self.text += std::str::from_utf8(&bytes).expect("ASCII alone");
        }
    }
}

impl Event {
    /// Reads a block of lines; `None`: it is no event, but a comment or an instruction.
    fn parse(block: &str) -> Option<Self> {
        let field = |name: &str| {
            let mut lines = block.lines();
            lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
        };
        Some(Self {
            id: field("id")?.parse().expect("a number"),
            name: field("event").expect("a name").to_owned(),
            data: serde_json::from_str(field("data").expect("data")).expect("JSON"),
        })
    }
}
