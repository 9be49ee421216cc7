//! Many calls at once: whether one after the other explains what they were told.
//!
//! Revs count up with the changes of a tree, so those who wrote tell their order by themselves.
//! Whoever was refused, or found what it brought, changed nothing: it may have come at any moment
//! at which that is the right answer.

use super::{Answer, Bindings, Call, Oracle};
use std::collections::HashSet;

/// A serial order of calls that came at once.
#[derive(Clone, Debug)]
pub struct Explained {
    /// Who came when, by the numbers of the calls.
    pub order: Vec<usize>,
    /// The service afterwards.
    pub oracle: Oracle,
    /// What is known then of the server's texts.
    pub bindings: Bindings,
}

/// Finds an order that explains the answers.
///
/// # Errors
/// There is none: the first answer that nothing explains.
pub fn explain(
    oracle: &Oracle,
    bindings: &Bindings,
    history: &[(Call, Answer)],
) -> Result<Explained, String> {
    let mut now = Explained {
        order: Vec::new(),
        oracle: oracle.clone(),
        bindings: bindings.clone(),
    };
    let mut writers: Vec<(&str, usize)> = Vec::new();
    let mut others: Vec<usize> = Vec::new();
    let mut revs = HashSet::new();
    for (nth, (_, told)) in history.iter().enumerate() {
        match told.body["rev"].as_str() {
            Some(rev) if !bindings.stands(rev) && revs.insert(rev) => writers.push((rev, nth)),
            _ => others.push(nth),
        }
    }
    // Hexadecimal numbers without leading zeros.
    writers.sort_by_key(|(rev, _)| (rev.len(), *rev));
    now.look(&mut others, history);
    for (_, nth) in writers {
        let (call, told) = &history[nth];
        let before = now.oracle.revisions().len();
        let wanted = now.oracle.answer(call);
        if now.oracle.revisions().len() == before {
            return Err(format!(
                "call {nth} wrote, and there was nothing to write: {told:?}"
            ));
        }
        now.agree(&wanted, told)
            .map_err(|why| format!("call {nth}, after {:?}: {why}", now.order))?;
        now.order.push(nth);
        now.look(&mut others, history);
    }
    match others.first() {
        None => Ok(now),
        Some(&nth) => Err(format!(
            "nothing explains what call {nth} was told: {:?}",
            history[nth]
        )),
    }
}

impl Explained {
    /// Lets those come whose answer is the right one now, and changes nothing.
    fn look(&mut self, others: &mut Vec<usize>, history: &[(Call, Answer)]) {
        others.retain(|&nth| {
            let (call, told) = &history[nth];
            let mut then = self.clone();
            let wanted = then.oracle.answer(call);
            let changed = then.oracle.revisions().len() != self.oracle.revisions().len();
            if changed || then.agree(&wanted, told).is_err() {
                return true;
            }
            then.order.push(nth);
            *self = then;
            false
        });
    }

    fn agree(&mut self, wanted: &Answer, told: &Answer) -> Result<(), String> {
        match wanted.status == told.status {
            true => self.bindings.agree(&wanted.body, &told.body),
            false => Err(format!("wanted {wanted:?}, got {told:?}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Explained, explain};
    use crate::oracle::{
        Answer, Bindings, Body, Call, Commit, Cursor, Given, Mode, Oracle, Place, Setup,
    };
    use serde_json::{Value, json};

    const CLIENTS: usize = 8;

    /// A service with as many sessions as clients, each with other bytes, and perhaps a file.
    fn service(there: bool) -> (Oracle, Bindings) {
        let setup = Setup {
            display_name: Some("Panda".into()),
            quota: None,
        };
        let (mut oracle, mut bindings) = (Oracle::new(&setup, 0), Bindings::default());
        let mut calls: Vec<Call> = (0..CLIENTS)
            .map(|nth| Call::Start {
                concurrent: false,
                close: true,
                body: Body::of(format!("{nth}")),
            })
            .collect();
        if there {
            calls.push(Call::Upload {
                commit: commit(Mode::Add, false),
                body: Body::of("first"),
            });
        }
        for call in calls {
            let wanted = oracle.answer(&call);
            let told = concrete(&wanted.body);
            bindings
                .agree(&wanted.body, &told)
                .expect("what a server could tell");
        }
        (oracle, bindings)
    }

    fn commit(mode: Mode, autorename: bool) -> Commit {
        Commit {
            place: Place::Path("/f".into()),
            mode,
            autorename,
            strict: false,
            mute: false,
            client_modified: None,
            properties: false,
        }
    }

    /// What a server could say in place of the symbols.
    fn concrete(value: &Value) -> Value {
        match value {
            Value::String(symbol) if symbol.starts_with('<') => {
                let (kind, number) = symbol[1..symbol.len() - 1]
                    .split_once(' ')
                    .expect("a symbol");
                let number: u64 = number.parse().expect("a number");
                match kind {
                    "rev" => format!("{number:x}00000001").into(),
                    kind => format!("{kind}:{number}").into(),
                }
            }
            Value::Array(items) => items.iter().map(concrete).collect(),
            Value::Object(fields) => Value::Object(
                fields
                    .iter()
                    .map(|(name, value)| (name.clone(), concrete(value)))
                    .collect(),
            ),
            other => other.clone(),
        }
    }

    fn finish(nth: usize, mode: Mode, autorename: bool) -> Call {
        Call::Finish {
            cursor: Cursor {
                session: format!("<session {}>", nth + 1),
                offset: 1,
            },
            commit: commit(mode, autorename),
            body: Body {
                given: Given::Right,
                ..Body::none()
            },
        }
    }

    /// What all of them are told who come in this order; by client.
    fn history(
        oracle: &Oracle,
        order: &[usize],
        mode: &Mode,
        autorename: bool,
    ) -> Vec<(Call, Answer)> {
        let mut oracle = oracle.clone();
        let mut told: Vec<_> = order
            .iter()
            .map(|&nth| {
                let call = finish(nth, mode.clone(), autorename);
                let answer = oracle.answer(&call);
                let body = concrete(&answer.body);
                (nth, (call, Answer { body, ..answer }))
            })
            .collect();
        told.sort_by_key(|(nth, _)| *nth);
        told.into_iter().map(|(_, told)| told).collect()
    }

    const ORDER: [usize; CLIENTS] = [3, 0, 6, 1, 7, 5, 2, 4];

    fn current() -> Mode {
        Mode::Update("<rev 1>".into())
    }

    #[test]
    fn what_came_in_some_order_is_explained() {
        for (there, mode, autorename) in [
            (false, Mode::Add, false),
            (true, Mode::Add, false),
            (true, Mode::Add, true),
            (true, Mode::Overwrite, false),
            (true, current(), false),
            (true, current(), true),
        ] {
            let (oracle, bindings) = service(there);
            let history = history(&oracle, &ORDER, &mode, autorename);
            let explained = explain(&oracle, &bindings, &history);
            let Explained { order, .. } = explained.unwrap_or_else(|why| panic!("{mode:?}: {why}"));
            assert_eq!(order.len(), CLIENTS, "{mode:?}");
        }
    }

    /// Changes what some client was told, and has it judged.
    fn tampered(
        there: bool,
        mode: &Mode,
        autorename: bool,
        tamper: impl FnOnce(&mut Vec<(Call, Answer)>),
    ) -> String {
        let (oracle, bindings) = service(there);
        let mut history = history(&oracle, &ORDER, mode, autorename);
        tamper(&mut history);
        explain(&oracle, &bindings, &history).expect_err("nothing explains this")
    }

    /// The client that came as this one, after `before`, would have been told this.
    fn as_if_alone(history: &mut [(Call, Answer)], who: usize, first: usize, rev: &str) {
        let mut told = history[first].1.clone();
        let bytes = format!("{who}");
        told.body["rev"] = rev.into();
        told.body["content_hash"] = Body::of(bytes).given_right().into();
        history[who].1 = told;
    }

    impl Body {
        fn given_right(mut self) -> String {
            self.given = Given::Right;
            self.hash().expect("a hash")
        }
    }

    #[test]
    fn two_that_added_one_file_are_rejected() {
        let why = tampered(false, &Mode::Add, false, |history| {
            as_if_alone(history, 4, ORDER[0], "200000001");
        });
        assert!(why.contains("call 4"), "{why}");
    }

    #[test]
    fn an_add_that_replaced_is_rejected() {
        let why = tampered(true, &Mode::Add, false, |history| {
            let mut told = history[2].1.clone();
            told.status = 200;
            let (oracle, _) = service(true);
            told.body = concrete(&oracle.listing()[0]);
            told.body
                .as_object_mut()
                .expect("metadata")
                .shift_remove(".tag");
            told.body["rev"] = "200000001".into();
            history[2].1 = told;
        });
        assert!(why.contains("call 2"), "{why}");
    }

    #[test]
    fn a_lost_update_is_rejected() {
        // Two replaced the same rev.
        let why = tampered(true, &current(), false, |history| {
            as_if_alone(history, 5, ORDER[0], "300000001");
        });
        assert!(why.contains("call 5"), "{why}");
    }

    #[test]
    fn two_copies_of_one_name_are_rejected() {
        let why = tampered(true, &Mode::Add, true, |history| {
            let first = history[ORDER[2]].1.body.clone();
            let second = &mut history[ORDER[3]].1.body;
            for field in ["name", "path_lower", "path_display"] {
                second[field] = first[field].clone();
            }
        });
        assert!(why.contains("name"), "{why}");
    }

    #[test]
    fn a_conflict_without_a_file_is_rejected() {
        let why = tampered(false, &Mode::Add, false, |history| {
            let refused = history[ORDER[1]].1.clone();
            history[ORDER[0]].1 = refused;
        });
        assert!(why.contains("nothing explains"), "{why}");
    }

    #[test]
    fn an_overwritten_file_with_another_id_is_rejected() {
        let why = tampered(true, &Mode::Overwrite, false, |history| {
            history[1].1.body["id"] = "file:99".into();
        });
        assert!(why.contains("id"), "{why}");
    }

    #[test]
    fn somebody_elses_bytes_are_rejected() {
        let why = tampered(true, &Mode::Overwrite, false, |history| {
            let others = history[6].1.body["content_hash"].clone();
            history[1].1.body["content_hash"] = others;
        });
        assert!(why.contains("content_hash"), "{why}");
    }

    #[test]
    fn a_rev_that_two_wrote_is_rejected() {
        let why = tampered(true, &Mode::Overwrite, false, |history| {
            let others = history[6].1.body["rev"].clone();
            history[1].1.body["rev"] = others;
        });
        assert!(why.contains("nothing explains"), "{why}");
    }

    #[test]
    fn concrete_texts_stand_for_symbols() {
        assert_eq!(
            concrete(&json!(["<rev 10>", "<file 2>", "x"])),
            json!(["a00000001", "file:2", "x"])
        );
    }
}
