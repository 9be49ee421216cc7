//! Random sequences of calls whose arguments have to do with each other.
//!
//! Wholly random calls would nearly all be refused for the same few reasons. So the names are five
//! in three spellings, the offsets are right or near to it, contents and sessions are few, and
//! what was done before is done again.

use super::case::{Case, Setup, Step};
use super::sessions::{BLOCK, Data, MOST, Session};
use super::{Body, Call, Commit, Cursor, Given, Mode, Oracle, Place};
use crate::Dice;
use bytes::Bytes;
use std::sync::LazyLock;

/// The first spelling is the folded one.
static NAMES: LazyLock<[[String; 3]; 5]> = LazyLock::new(|| {
    let long = format!("{}.txt", "x".repeat(251));
    let names = [
        ["document.txt", "DOCUMENT.TXT", "Document.txt"],
        [
            "\u{fc}n\u{ef}.tar.gz",
            "\u{dc}N\u{cf}.tar.GZ",
            "u\u{308}ni\u{308}.TAR.gz",
        ],
        [".profile", ".Profile", ".PROFILE"],
        ["folder", "Folder", "FOLDER"],
        [&long, &long.to_uppercase(), &long.replace("txt", "Txt")],
    ];
    names.map(|spellings| spellings.map(str::to_owned))
});

/// Names that can't be, and names that are never stored.
static ODD_NAMES: LazyLock<Vec<String>> = LazyLock::new(|| {
    let long = "x".repeat(256);
    let odd = [
        "a\\b",
        "end ",
        "..",
        "",
        &long,
        "desktop.ini",
        ".DS_Store",
        "Thumbs.DB",
    ];
    odd.map(str::to_owned).to_vec()
});

/// Two blocks of a file: they are large, so they are made once.
static BLOCKS: LazyLock<[Bytes; 2]> =
    LazyLock::new(|| [b'A', b'B'].map(|letter| vec![letter; BLOCK as usize].into()));

impl Case {
    /// The case of this seed.
    pub fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        // Whole blocks are slow to send.
        let heavy = dice.chance(8);
        let setup = Setup {
            display_name: dice
                .one(&[Some("Panda"), Some("Panda"), None, Some(" AC/DC ")])
                .map(str::to_owned),
            quota: match (dice.chance(35), heavy) {
                (false, _) => None,
                (true, false) => Some(6),
                (true, true) => Some(BLOCK + 10),
            },
        };
        let mut writer = Writer {
            oracle: Oracle::new(&setup, 0),
            dice,
            heavy,
            steps: Vec::new(),
            deleted: None,
        };
        for _ in 0..15 + writer.dice.below(25) {
            let step = writer.step();
            writer.take(step);
        }
        writer.finish_all();
        Self {
            setup,
            steps: writer.steps,
        }
    }
}

/// Writes a case; the oracle goes along, to know what would be right.
struct Writer {
    oracle: Oracle,
    dice: Dice,
    heavy: bool,
    steps: Vec<Step>,
    /// What was deleted last.
    deleted: Option<String>,
}

impl Writer {
    fn take(&mut self, step: Step) {
        match &step {
            Step::Call(call) => {
                self.oracle.answer(call);
            }
            Step::Wait(seconds) => self.oracle.wait(*seconds),
            Step::Quota(bytes) => self.oracle.limit(*bytes),
            Step::Upkeep => self.oracle.upkeep(),
        }
        self.steps.push(step);
    }

    fn step(&mut self) -> Step {
        if self.oracle.sessions.is_empty() {
            return Step::Call(self.start());
        }
        if let Some(quota) = self.oracle.tree.quota()
            && self.dice.chance(9)
        {
            return Step::Quota(self.dice.below(quota as usize + 3) as u64);
        }
        let call = match self.dice.below(100) {
            0..12 => self.start(),
            12..30 => self.append(),
            30..37 => self.append_batch(),
            37..58 => self.finish(),
            58..67 => self.finish_batch(),
            67..79 => self.upload(),
            79..86 => self.delete(),
            86..90 => self.create_folder(),
            90..96 => return self.again(),
            96..98 => {
                return Step::Wait(self.dice.one(&[1, 3600, 24 * 3600, 7 * 24 * 3600 - 1]));
            }
            98 => return Step::Wait(8 * 24 * 3600),
            _ => return Step::Upkeep,
        };
        Step::Call(call)
    }

    /// Something that was done before, as after a lost answer.
    fn again(&mut self) -> Step {
        let calls = self
            .steps
            .iter()
            .filter(|step| matches!(step, Step::Call(_)));
        let calls: Vec<Step> = calls.cloned().collect();
        self.dice.one(&calls)
    }

    fn start(&mut self) -> Call {
        match self.dice.below(10) {
            0 => Call::StartBatch {
                concurrent: self.dice.chance(50),
                count: 1 + self.dice.below(2) as u64,
            },
            1..5 => Call::Start {
                concurrent: true,
                close: self.dice.chance(10),
                body: if self.dice.chance(15) {
                    self.body()
                } else {
                    Body::none()
                },
            },
            _ => Call::Start {
                concurrent: false,
                close: self.dice.chance(30),
                body: self.body(),
            },
        }
    }

    fn append(&mut self) -> Call {
        let (cursor, bytes, close) = self.part();
        // The first version has no place for a hash.
        let first_version = !close && self.dice.chance(15);
        Call::Append {
            first_version,
            cursor,
            close,
            body: match first_version {
                true => Body::of(bytes),
                false => self.with(bytes),
            },
        }
    }

    fn append_batch(&mut self) -> Call {
        let mut whole = Vec::new();
        let mut parts = Vec::new();
        let mut ahead = self.oracle.clone();
        for _ in 0..self.dice.below(5) {
            let (mut cursor, bytes, close) = self.part();
            // The second part of a session most likely follows the first.
            let follows = ahead.find(&cursor.session).map(Session::offset);
            if let Some(offset) = follows.filter(|_| self.dice.chance(50)) {
                cursor.offset = offset;
            }
            let _ = ahead.append(&cursor, close, &Body::of(bytes.clone()));
            parts.push((cursor, bytes.len() as u64, close));
            whole.extend_from_slice(&bytes);
        }
        if self.dice.chance(6) {
            whole.push(b'!');
        }
        Call::AppendBatch {
            parts,
            body: self.with(whole.into()),
        }
    }

    fn finish(&mut self) -> Call {
        let cursor = self.cursor();
        let closed = self
            .oracle
            .find(&cursor.session)
            .is_some_and(|session| session.closed);
        let empty = self.dice.chance(if closed { 85 } else { 40 });
        Call::Finish {
            cursor,
            commit: self.commit(),
            body: if empty { Body::none() } else { self.body() },
        }
    }

    fn finish_batch(&mut self) -> Call {
        let mut entries = Vec::new();
        for _ in 0..self.dice.below(5) {
            let given = [Given::Nothing, Given::Nothing, Given::Right, Given::Wrong];
            entries.push((self.closed(), self.commit(), self.dice.one(&given)));
        }
        Call::FinishBatch {
            entries,
            job: self.dice.chance(30),
        }
    }

    fn upload(&mut self) -> Call {
        Call::Upload {
            commit: self.commit(),
            body: self.body(),
        }
    }

    fn delete(&mut self) -> Call {
        let there = self.oracle.tree.paths(self.dice.chance(50));
        let place = match self.dice.chance(70) && !there.is_empty() {
            true => Place::Path(self.dice.one(&there)),
            false => self.place(),
        };
        if let Place::Path(path) = &place {
            self.deleted = Some(path.clone());
        }
        let parent_rev = match self.dice.below(10) {
            0..2 => self.oracle.tree.rev(&place),
            2..4 => Some(self.any_rev()),
            _ => None,
        };
        Call::Delete { place, parent_rev }
    }

    fn create_folder(&mut self) -> Call {
        Call::CreateFolder {
            path: self.path(),
            autorename: self.dice.chance(40),
        }
    }

    /// At the end every session is closed and finished, so that its bytes can be looked at.
    fn finish_all(&mut self) {
        for nth in 0..self.oracle.sessions.len() {
            if !self.oracle.is_usable(nth) {
                continue;
            }
            let session = format!("<session {}>", nth + 1);
            let there = &self.oracle.sessions[nth];
            if there.is_concurrent() && !there.closed {
                let offset = there.reach();
                self.take(Step::Call(Call::Append {
                    first_version: false,
                    cursor: Cursor {
                        session: session.clone(),
                        offset,
                    },
                    close: true,
                    body: Body::none(),
                }));
            }
            let offset = self.oracle.sessions[nth].offset();
            self.take(Step::Call(Call::Finish {
                cursor: Cursor { session, offset },
                commit: Commit {
                    place: Place::Path(format!("/session/{nth}")),
                    mode: Mode::Add,
                    autorename: false,
                    strict: false,
                    mute: false,
                    client_modified: None,
                    properties: false,
                },
                body: Body::none(),
            }));
        }
    }

    /// A session that waits for its finish, most likely.
    fn closed(&mut self) -> Cursor {
        let closed = |nth: &usize| self.oracle.is_usable(*nth) && self.oracle.sessions[*nth].closed;
        let closed: Vec<usize> = (0..self.oracle.sessions.len()).filter(closed).collect();
        if closed.is_empty() || self.dice.chance(35) {
            return self.cursor();
        }
        let nth = self.dice.one(&closed);
        self.at(nth)
    }

    /// A session, and what it holds, or nearly so.
    fn cursor(&mut self) -> Cursor {
        let count = self.oracle.sessions.len();
        let useful = |nth: &usize| self.oracle.is_usable(*nth);
        let usable: Vec<usize> = (0..count).filter(useful).collect();
        let nth = match self.dice.below(20) {
            0 => {
                return Cursor {
                    session: "<session foreign>".into(),
                    offset: 15,
                };
            }
            1 => {
                return Cursor {
                    session: "<session 999>".into(),
                    offset: 0,
                };
            }
            2..5 => self.dice.below(count),
            _ if usable.is_empty() => count - 1,
            _ => self.dice.one(&usable),
        };
        self.at(nth)
    }

    fn at(&mut self, nth: usize) -> Cursor {
        let right = self.oracle.sessions[nth].offset();
        let offset = match self.dice.below(20) {
            0 => right + 1,
            1 => right.saturating_sub(1),
            2 => 0,
            _ => right,
        };
        Cursor {
            session: format!("<session {}>", nth + 1),
            offset,
        }
    }

    /// What an append brings: where to, which bytes, and whether they are the last.
    fn part(&mut self) -> (Cursor, Bytes, bool) {
        let mut cursor = self.cursor();
        let close = self.dice.chance(30);
        let session = self.oracle.find(&cursor.session);
        match session.map(|session| &session.data) {
            Some(Data::Concurrent(..)) => {
                let (bytes, close) = match (self.dice.below(10), self.heavy) {
                    (0..3, _) => (self.few(), true),
                    (3, _) => (self.few(), false),
                    (4..6, true) | (4..9, false) => (Bytes::new(), close),
                    (9, false) => (Bytes::from_static(b"tail"), true),
                    _ => (self.dice.one(&*BLOCKS), close),
                };
                cursor.offset = match self.dice.below(20) {
                    0 => 1,
                    1..4 => MOST,
                    4..9 => BLOCK,
                    9..11 => 2 * BLOCK,
                    _ => 0,
                };
                (cursor, bytes, close)
            }
            _ => (cursor, self.few(), close),
        }
    }

    fn few(&mut self) -> Bytes {
        Bytes::from(self.dice.one(&["", "a", "bc", "bc", "def"]))
    }

    fn body(&mut self) -> Body {
        let bytes = self.few();
        self.with(bytes)
    }

    /// These bytes as a body, mostly with what is true said about them.
    fn with(&mut self, bytes: Bytes) -> Body {
        let given = match self.dice.below(20) {
            0..14 => Given::Nothing,
            14..18 => Given::Right,
            _ => Given::Wrong,
        };
        Body {
            bytes,
            given,
            huge: self.dice.chance(2),
        }
    }

    fn name(&mut self) -> String {
        let names: &[[String; 3]; 5] = &NAMES;
        match self.dice.below(20) {
            0..2 => self.dice.one(&ODD_NAMES),
            2 => "document (2).txt".to_owned(),
            3..11 => self.dice.one(&names[0]),
            _ => {
                let spellings = self.dice.one(names);
                self.dice.one(&spellings)
            }
        }
    }

    fn path(&mut self) -> String {
        let folders: &[String; 3] = &NAMES[3];
        if let Some(path) = self.deleted.clone().filter(|_| self.dice.chance(45)) {
            return path;
        }
        match self.dice.below(20) {
            0..13 => format!("/{}", self.name()),
            13..17 => format!("/{}/{}", self.dice.one(folders), self.name()),
            17 => format!("/{}/{}", self.name(), self.name()),
            18 => format!(
                "/{}/{}/{}",
                self.dice.one(folders),
                self.name(),
                self.name()
            ),
            _ => "/".to_owned(),
        }
    }

    fn place(&mut self) -> Place {
        match self.dice.below(30) {
            0..3 => {
                let id = match self.dice.below(self.oracle.tree.ids() as usize + 1) {
                    0 => "<file 999>".to_owned(),
                    nth => format!("<file {nth}>"),
                };
                let below = match self.dice.chance(40) {
                    true => format!("/{}", self.name()),
                    false => String::new(),
                };
                Place::Id(id, below)
            }
            3 => Place::Namespace(true, self.path()),
            4 => Place::Namespace(false, self.path()),
            _ => Place::Path(self.path()),
        }
    }

    /// A rev, not often an unknown one.
    fn any_rev(&mut self) -> String {
        match self.dice.below(self.oracle.tree.revisions().len() + 1) {
            0 => "<rev 999>".to_owned(),
            nth => format!("<rev {nth}>"),
        }
    }

    fn commit(&mut self) -> Commit {
        let place = self.place();
        let mode = match self.dice.below(20) {
            0..6 => Mode::Add,
            6..12 => Mode::Overwrite,
            12..17 => match self.oracle.tree.rev(&place) {
                Some(rev) => Mode::Update(rev),
                None => Mode::Update(self.any_rev()),
            },
            _ => Mode::Update(self.any_rev()),
        };
        Commit {
            place,
            mode,
            autorename: self.dice.chance(35),
            strict: self.dice.chance(45),
            mute: self.dice.chance(30),
            client_modified: self.dice.chance(30).then_some(981_173_106),
            properties: self.dice.chance(5),
        }
    }
}
