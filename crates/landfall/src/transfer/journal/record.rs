//! The lines of a journal, and what they add up to.

use super::super::source;
use super::super::stored::StoredBlocks;
use data_encoding::HEXLOWER;
use landfall_protocol::types::files::CommitInfo;
use landfall_protocol::{BlockDigests, SessionId, Strictness, Timestamp, Wire};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The version of the lines. One with another number is not read, so its upload starts anew.
const VERSION: u64 = 1;

/// What a source is known by from one run to the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) path: PathBuf,
    pub(super) size: u64,
    /// Seconds and nanoseconds since 1970.
    pub(super) modified: Option<(u64, u32)>,
    pub(super) inode: Option<(u64, u64)>,
}

impl From<source::Identity> for Identity {
    fn from(identity: source::Identity) -> Self {
        let since = |time: SystemTime| time.duration_since(UNIX_EPOCH).ok();
        let modified = identity.modified.and_then(since);
        Self {
            path: identity.path,
            size: identity.size,
            modified: modified.map(|since: Duration| (since.as_secs(), since.subsec_nanos())),
            inode: identity.inode,
        }
    }
}

/// What an upload is.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Header {
    pub(super) service: String,
    pub(super) identity: Identity,
    pub(super) commit: CommitInfo,
}

/// One line.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Record {
    Begin(Box<Header>),
    Holder {
        pid: u32,
        since: u64,
    },
    Session {
        id: SessionId,
        begun: u64,
    },
    Stored {
        first: usize,
        digests: BlockDigests,
    },
    Closed,
    /// A finish with this commit is about to be sent.
    Finishing(Box<CommitInfo>),
    /// The last finish was refused, and the session is as before.
    Refused,
}

impl Record {
    /// `crc of the rest, eight hex digits; a space; JSON; line feed`.
    pub(super) fn line(&self) -> Vec<u8> {
        let json = self.json().to_string();
        format!("{:08x} {json}\n", crc32c::crc32c(json.as_bytes())).into_bytes()
    }

    /// The record of a whole line that is not damaged.
    pub(super) fn parse(line: &[u8]) -> Option<Self> {
        let line = std::str::from_utf8(line.strip_suffix(b"\n")?).ok()?;
        let (crc, json) = line.split_once(' ')?;
        if u32::from_str_radix(crc, 16).ok()? != crc32c::crc32c(json.as_bytes()) {
            return None;
        }
        let value: Value = serde_json::from_str(json).ok()?;
        Self::read(&value)
    }

    fn json(&self) -> Value {
        match self {
            Self::Begin(header) => json!({"begin": {
                "version": VERSION,
                "service": header.service,
                "source": header.identity.path.to_string_lossy(),
                "size": header.identity.size,
                "modified": header.identity.modified,
                "inode": header.identity.inode,
                "commit": header.commit.encode(),
            }}),
            Self::Holder { pid, since } => json!({"holder": {"pid": pid, "since": since}}),
            Self::Session { id, begun } => {
                json!({"session": {"id": id.as_str(), "begun": begun}})
            }
            Self::Stored { first, digests } => {
                let digests = HEXLOWER.encode(digests.as_bytes());
                json!({"stored": {"first": first, "digests": digests}})
            }
            Self::Closed => json!({"closed": true}),
            Self::Finishing(commit) => json!({"finishing": commit.encode()}),
            Self::Refused => json!({"refused": true}),
        }
    }

    fn read(value: &Value) -> Option<Self> {
        let (kind, value) = value.as_object()?.iter().next()?;
        Some(match kind.as_str() {
            "begin" => {
                if value["version"].as_u64()? != VERSION {
                    return None;
                }
                let pair = |value: &Value| Some((value[0].as_u64()?, value[1].as_u64()?));
                let modified = pair(&value["modified"]);
                Self::Begin(Box::new(Header {
                    service: value["service"].as_str()?.to_owned(),
                    identity: Identity {
                        path: value["source"].as_str()?.into(),
                        size: value["size"].as_u64()?,
                        modified: modified
                            .and_then(|(secs, nanos)| Some((secs, u32::try_from(nanos).ok()?))),
                        inode: pair(&value["inode"]),
                    },
                    commit: CommitInfo::decode(&value["commit"], Strictness::Lenient).ok()?,
                }))
            }
            "holder" => Self::Holder {
                pid: u32::try_from(value["pid"].as_u64()?).ok()?,
                since: value["since"].as_u64()?,
            },
            "session" => Self::Session {
                id: SessionId::decode(&value["id"], Strictness::Lenient).ok()?,
                begun: value["begun"].as_u64()?,
            },
            "stored" => {
                let digests = HEXLOWER.decode(value["digests"].as_str()?.as_bytes());
                Self::Stored {
                    first: usize::try_from(value["first"].as_u64()?).ok()?,
                    digests: BlockDigests::from_bytes(digests.ok()?).ok()?,
                }
            }
            "closed" => Self::Closed,
            "finishing" => {
                let commit = CommitInfo::decode(value, Strictness::Lenient).ok()?;
                Self::Finishing(Box::new(commit))
            }
            "refused" => Self::Refused,
            _ => return None,
        })
    }
}

/// What the lines of a journal add up to.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct State {
    pub(super) header: Header,
    pub(super) session: Option<(SessionId, u64)>,
    pub(super) stored: StoredBlocks,
    pub(super) closed: bool,
    /// The commits of finishes whose fate is open.
    pub(super) finishing: Vec<CommitInfo>,
    pub(super) holder: Option<(u32, u64)>,
}

impl State {
    pub(super) fn new(header: Header) -> Self {
        Self {
            stored: StoredBlocks::none(header.identity.size),
            header,
            session: None,
            closed: false,
            finishing: Vec::new(),
            holder: None,
        }
    }

    pub(super) fn apply(&mut self, record: Record) {
        match record {
            Record::Begin(header) => self.header = *header,
            Record::Holder { pid, since } => self.holder = Some((pid, since)),
            Record::Session { id, begun } => {
                self.session = Some((id, begun));
                self.stored.clear();
                self.closed = false;
                self.finishing.clear();
            }
            Record::Stored { first, digests } => self.stored.insert(first, &digests),
            Record::Closed => self.closed = true,
            Record::Finishing(commit) => self.finishing.push(*commit),
            Record::Refused => drop(self.finishing.pop()),
        }
    }
}

/// A time as messages show it.
pub(super) fn shown(seconds: u64) -> String {
    let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
    Timestamp::from_unix_seconds(seconds).to_string()
}
