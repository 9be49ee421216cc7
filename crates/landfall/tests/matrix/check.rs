//! Whether what happened in one or more runs of the same upload is one of the three states.

use super::faults::Kind;
use super::{APPEND, FINISH, FINISH_BATCH, START};
use bytes::Bytes;
use landfall::transfer::IfExists;
use landfall_testkit::faults::Exchange;
use std::collections::BTreeMap;
use std::fmt;

/// All files at the service, by path.
pub(super) type Tree = BTreeMap<String, Saved>;

/// A file at the service.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Saved {
    pub(super) bytes: Bytes,
    pub(super) revisions: usize,
}

/// What a run said of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// It is saved there, by this run.
    Saved(String),
    AlreadyThere,
    Skipped,
    Refused(String),
    Unknown(String),
}

/// A fault that came to pass.
#[derive(Clone, Debug)]
pub(super) struct Met {
    pub(super) route: &'static str,
    pub(super) kind: &'static Kind,
}

/// One run.
#[derive(Clone, Debug)]
pub(super) struct Run {
    pub(super) policy: IfExists,
    /// By the path that was asked for.
    pub(super) told: BTreeMap<String, Told>,
    pub(super) met: Vec<Met>,
    pub(super) exchanges: Vec<Exchange>,
    /// Unfinished uploads that the journals know of afterwards.
    pub(super) journals: usize,
    pub(super) after: Tree,
}

/// Some runs of the same upload.
#[derive(Clone, Debug)]
pub(super) struct History {
    pub(super) before: Tree,
    /// What is to be saved, by path; no two are alike.
    pub(super) wanted: BTreeMap<String, Bytes>,
    /// The one file that has a journal.
    pub(super) journaled: Option<String>,
    /// Whether no two requests were under way at once. With several, one that fails for good
    /// ends the others, some of which may just have been answered.
    pub(super) one_by_one: bool,
    pub(super) runs: Vec<Run>,
}

/// A piece that was sent.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Append {
    session: String,
    offset: u64,
    /// Whether the client got the answer that it is stored.
    heard: bool,
}

impl fmt::Debug for Saved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (bytes, revisions) = (self.bytes.len(), self.revisions);
        write!(f, "{bytes} bytes, {revisions} revisions")
    }
}

impl Run {
    /// Whether a finish of this run may have been carried out unheard.
    fn leaves_doubt(&self) -> bool {
        let finishes = [FINISH, FINISH_BATCH];
        let mut met = self.met.iter();
        met.any(|met| met.kind.doubt && finishes.contains(&met.route))
    }

    /// Whether each file is at its path, or something else is that is to be left alone.
    pub(super) fn is_settled(&self) -> bool {
        let open = |told: &Told| matches!(told, Told::Refused(_) | Told::Unknown(_));
        !self.told.values().any(open)
    }

    fn appends(&self) -> impl DoubleEndedIterator<Item = Append> {
        let appends = self.exchanges.iter().filter(|call| call.route == APPEND);
        appends.map(|call| {
            let cursor = &call.argument["cursor"];
            Append {
                session: cursor["session_id"].as_str().unwrap_or_default().to_owned(),
                offset: cursor["offset"].as_u64().unwrap_or_default(),
                heard: call.answer == Some(200),
            }
        })
    }

    /// The appends of this file that were acknowledged before the run gave up, if it did.
    fn acknowledged(&self, path: &str) -> Vec<Append> {
        let mut appends: Vec<_> = self.appends().collect();
        if let Some(Told::Refused(_)) = self.told.get(path)
            && let Some(last) = appends.iter().rposition(|append| !append.heard)
        {
            appends.truncate(last);
        }
        appends.retain(|append| append.heard);
        appends
    }

    /// Sessions begun for the file with a journal; no other is concurrent.
    fn begun(&self) -> usize {
        let starts = self.exchanges.iter().filter(|call| call.route == START);
        let concurrent = |call: &&Exchange| {
            let session_type = call.argument["session_type"].to_string();
            session_type.contains("concurrent")
        };
        starts.filter(concurrent).count()
    }
}

impl History {
    /// What is wrong with it; nothing, if it is as promised.
    pub(super) fn check(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut before = &self.before;
        for (number, run) in self.runs.iter().enumerate() {
            let mut found = Vec::new();
            for (path, bytes) in &self.wanted {
                match run.told.get(path) {
                    Some(told) => {
                        let doubt = run.leaves_doubt()
                            || self.journaled.as_ref() == Some(path)
                                && self.runs[..number].iter().any(Run::leaves_doubt);
                        let file = File {
                            path,
                            bytes,
                            run,
                            before,
                            doubt,
                        };
                        found.extend(file.check(told));
                    }
                    None => found.push(format!("nothing is said of {path}")),
                }
            }
            found.extend(self.strangers(run));
            found.extend(self.journal(number));
            if run.met.is_empty() {
                found.extend(self.unfinished(run));
            }
            let name = |wrong| format!("run {}: {wrong}", number + 1);
            wrong.extend(found.into_iter().map(name));
            before = &run.after;
        }
        wrong
    }

    /// Files that nobody asked for.
    fn strangers(&self, run: &Run) -> Vec<String> {
        let renamed = |path: &str| {
            let runs = self.runs.iter();
            let may_be = runs
                .map(|run| &run.policy)
                .any(|policy| *policy == IfExists::Rename);
            may_be && self.before.keys().any(|taken| second_name(taken) == path)
        };
        let known = |path: &str| {
            self.wanted.contains_key(path) || self.before.contains_key(path) || renamed(path)
        };
        let strange = run.after.keys().filter(|path| !known(path));
        strange.map(|path| format!("there is {path}")).collect()
    }

    /// What the journal is for.
    fn journal(&self, number: usize) -> Option<String> {
        let path = self.journaled.as_ref()?;
        let run = &self.runs[number];
        // What was saved is begun anew if it is asked for again.
        let earlier = &self.runs[..number];
        let done = |run: &Run| matches!(run.told.get(path), Some(Told::Saved(_)));
        let since = earlier.iter().rposition(done).map_or(0, |last| last + 1);
        let earlier = earlier[since..].iter();
        let heard: Vec<_> = earlier.flat_map(|run| run.acknowledged(path)).collect();
        let is_known = |append: &Append| {
            let same =
                |known: &Append| known.session == append.session && known.offset == append.offset;
            heard.iter().any(same)
        };
        if self.one_by_one
            && let Some(append) = run.appends().find(is_known)
        {
            let offset = append.offset;
            return Some(format!("what was acknowledged at {offset} is sent again"));
        }
        if !heard.is_empty() && run.begun() > 0 {
            return Some("what was acknowledged is given up for another session".to_owned());
        }
        let nothing_to_keep = heard.is_empty() && run.acknowledged(path).is_empty();
        match run.told.get(path)? {
            Told::Saved(_) | Told::AlreadyThere if run.journals > 0 => {
                Some("a journal is left of what is done".to_owned())
            }
            Told::Refused(_) | Told::Unknown(_) if run.journals == 0 && !nothing_to_keep => {
                Some("no journal is left to go on from".to_owned())
            }
            _ => None,
        }
    }

    /// Without a fault everything comes to its end.
    fn unfinished(&self, run: &Run) -> Vec<String> {
        let ended = |path: &String, told: &Told| match told {
            Told::Saved(_) | Told::AlreadyThere | Told::Skipped => true,
            Told::Refused(_) => {
                self.before.contains_key(path)
                    && matches!(run.policy, IfExists::Fail | IfExists::Skip)
            }
            Told::Unknown(_) => false,
        };
        let open = run.told.iter().filter(|(path, told)| !ended(path, told));
        let name = |(path, told): (&String, &Told)| {
            format!("{path} comes to no end without a fault: {told:?}")
        };
        open.map(name).collect()
    }
}

/// The second file of a name, as the service makes it.
fn second_name(path: &str) -> String {
    match path.rsplit_once('.') {
        Some((stem, extension)) => format!("{stem} (2).{extension}"),
        None => format!("{path} (2)"),
    }
}

/// One file in one run.
struct File<'a> {
    path: &'a str,
    bytes: &'a Bytes,
    run: &'a Run,
    before: &'a Tree,
    /// Whether it may have been saved unheard.
    doubt: bool,
}

impl File<'_> {
    fn check(&self, told: &Told) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut must = |right: bool, what: &str| {
            if !right {
                wrong.push(format!("{}: {what}: {told:?}", self.path));
            }
        };
        let after = &self.run.after;
        let copies = self.copies(after);
        match told {
            Told::Saved(at) => {
                let saved = after.get(at);
                let whole = saved.is_some_and(|saved| saved.bytes == self.bytes);
                must(whole, "is not there, or not whole");
                must(copies == 1, "is there more than once, or not at all");
                must(
                    *at == self.path
                        || self.run.policy == IfExists::Rename && *at == second_name(self.path),
                    "has a name that nobody asked for",
                );
                let revisions = saved.map_or(0, |saved| saved.revisions);
                let wanted = match self.before.get(at) {
                    // To save the same again changes nothing.
                    Some(old) if old.bytes == self.bytes => old.revisions,
                    Some(old) => old.revisions + 1,
                    None => 1,
                };
                must(revisions == wanted, "has other revisions than one new one");
            }
            Told::AlreadyThere => {
                let there = |tree: &Tree| {
                    let saved = tree.get(self.path);
                    saved.is_some_and(|saved| saved.bytes == self.bytes)
                };
                must(there(self.before) && there(after), "was not there");
                must(copies == 1, "is there more than once");
                must(self.is_untouched(), "was touched");
            }
            Told::Skipped => {
                must(self.before.contains_key(self.path), "nothing was there");
                must(self.is_untouched(), "was touched");
            }
            Told::Refused(text) => {
                must(self.is_untouched(), "was saved all the same");
                let named = text.contains(self.path) || text.contains("files/");
                must(named, "the error doesn't say of what it speaks");
                must(!text.contains('\n'), "the error has more than one line");
                let taken = self.before.contains_key(self.path);
                let mut reasons = self.run.met.iter().map(|met| met.kind.says);
                let in_the_way = text.contains("choose") || text.contains("path/conflict/file");
                must(
                    reasons.any(|says| text.contains(says)) || taken && in_the_way,
                    "the error doesn't say why, or what to do",
                );
            }
            Told::Unknown(text) => {
                must(self.doubt, "is in doubt without a reason");
                must(copies <= 1, "is there more than once");
                let says = text.contains(self.path) && text.contains("before uploading again");
                must(says, "the doubt doesn't say where to look");
            }
        }
        wrong
    }

    fn copies(&self, tree: &Tree) -> usize {
        tree.values()
            .filter(|saved| saved.bytes == self.bytes)
            .count()
    }

    /// Whether nothing of this file was saved in this run, under whatever name.
    fn is_untouched(&self) -> bool {
        self.before.get(self.path) == self.run.after.get(self.path)
            && self.copies(self.before) == self.copies(&self.run.after)
    }
}

#[cfg(test)]
mod tests;
