//! How operations and questions run.

use super::{
    ONE, TWO, Unconditional, apply, blob, counters, extent, file_id, folder, key, node, put, read,
    saved, session, tree, two_accounts, with_sqlite,
};
use crate::meta::rows::{BlobPlace, ContentId, Entry, FileOffset, JournalId, Namespace, rev};
use crate::meta::{Decision, Effect, Loads, Meta, MetaError, Operation};
use bytes::Bytes;
use std::sync::mpsc;

suite! {
    memory, sqlite {}
    memory, sqlite, postgres {
        effects_take_place_together_or_not_at_all,
        a_place_is_put_only_over_what_was_seen,
        an_operation_that_fails_to_load_changes_nothing,
        an_operation_that_panics_changes_nothing,
        a_question_that_panics_harms_nobody,
        an_operation_sees_what_was_applied_before,
        of_many_operations_at_once_none_is_lost,
        a_question_sees_one_state,
    }
}

async fn effects_take_place_together_or_not_at_all(meta: Meta) {
    let (one, _) = two_accounts(&meta).await;
    apply(&meta, vec![folder(ONE, "/there", 1)]).await;
    let session = session("s", &one);
    let id = session.id.clone();
    let bytes = BlobPlace::Inline(Bytes::from_static(b"bytes"));
    let mut effects = vec![
        Effect::AddBlob(blob("w/b", bytes, 5)),
        Effect::AddExtent(extent("c", 0, 5, "w/b", 0)),
        Effect::PutSession(session),
        folder(ONE, "/new", 2),
    ];
    effects.extend(saved(ONE, "/new/file", 3));
    effects.push(Effect::SetNamespace(Namespace {
        journal: JournalId(3),
        ..tree(ONE)
    }));
    // Overlooks what is there.
    let mut wrong = effects.clone();
    wrong.push(folder(ONE, "/THERE", 4));
    let refused = meta.transact(Unconditional(wrong)).await;
    assert!(matches!(refused, Err(MetaError::Changed)), "{refused:?}");

    let account = one.id.clone();
    let look = move |loads: &mut dyn Loads| {
        Ok((
            loads.session(&account, &id)?.is_some(),
            loads.node(ONE, &key("/new"))?.is_some(),
            loads.node(ONE, &key("/new/file"))?.is_some(),
            loads.revision(ONE, &rev(ONE, JournalId(3)))?.is_some(),
            loads
                .extents(&ContentId("c".into()), FileOffset(0), 9)?
                .len(),
            loads.namespace(ONE)?.journal,
        ))
    };
    let nothing = (false, false, false, false, 0, JournalId(0));
    assert_eq!(read(&meta, look.clone()).await, nothing);
    let there = node(&meta, ONE, "/there").await.expect("the folder");
    assert_eq!(there.path.as_str(), "/there");

    // Nothing is left that the same effects, without the wrong one, would trip over.
    apply(&meta, effects).await;
    let everything = (true, true, true, true, 1, JournalId(3));
    assert_eq!(read(&meta, look).await, everything);
}

async fn a_place_is_put_only_over_what_was_seen(meta: Meta) {
    two_accounts(&meta).await;
    apply(&meta, vec![folder(ONE, "/a", 1)]).await;
    let gone = put(ONE, "/a", 2, Some(1), Entry::DeletedFolder);
    apply(&meta, vec![gone]).await;
    for (text, seen) in [
        ("/a", None),
        ("/A", None),
        ("/a", Some(1)),
        ("/a", Some(3)),
        ("/b", Some(2)),
    ] {
        let effect = put(ONE, text, 3, seen, Entry::Folder(file_id("new")));
        let refused = meta.transact(Unconditional(vec![effect])).await;
        assert!(
            matches!(refused, Err(MetaError::Changed)),
            "{text} {seen:?}: {refused:?}"
        );
    }
    let found = node(&meta, ONE, "/a").await.expect("the place");
    assert_eq!(
        (found.journal, found.entry),
        (JournalId(2), Entry::DeletedFolder)
    );
    assert_eq!(node(&meta, ONE, "/b").await, None);
    let right = put(ONE, "/a", 3, Some(2), Entry::Folder(file_id("new")));
    apply(&meta, vec![right]).await;
}

/// What an operation of the tests does wrong.
#[derive(Clone, Copy, PartialEq)]
enum Wrong {
    LoadFails,
    LoadPanics,
    DecidePanics,
}

struct Goes(Wrong);

impl Operation for Goes {
    type View = Namespace;
    type Answer = ();

    fn load(&self, loads: &mut dyn Loads) -> Result<Namespace, MetaError> {
        assert!(self.0 != Wrong::LoadPanics, "a panic on purpose");
        if self.0 == Wrong::LoadFails {
            return Err(MetaError::Damaged("on purpose".into()));
        }
        loads.namespace(ONE)
    }

    fn decide(&self, _: Namespace) -> Decision<()> {
        assert!(self.0 != Wrong::DecidePanics, "a panic on purpose");
        Decision {
            effects: vec![folder(ONE, "/wrong", 1)],
            answer: (),
        }
    }
}

async fn an_operation_that_fails_to_load_changes_nothing(meta: Meta) {
    two_accounts(&meta).await;
    let failed = meta.transact(Goes(Wrong::LoadFails)).await;
    assert!(matches!(failed, Err(MetaError::Damaged(_))), "{failed:?}");
    assert_eq!(node(&meta, ONE, "/wrong").await, None);
    apply(&meta, vec![folder(ONE, "/right", 1)]).await;
}

async fn an_operation_that_panics_changes_nothing(meta: Meta) {
    two_accounts(&meta).await;
    for (nth, wrong) in [(1, Wrong::LoadPanics), (2, Wrong::DecidePanics)] {
        let at = meta.clone();
        let outcome = tokio::spawn(async move { at.transact(Goes(wrong)).await }).await;
        // The engine may let the panic through or turn it into an error.
        assert!(!matches!(outcome, Ok(Ok(()))), "{outcome:?}");
        assert_eq!(node(&meta, ONE, "/wrong").await, None);
        apply(&meta, vec![folder(ONE, &format!("/right {nth}"), nth)]).await;
        assert!(node(&meta, ONE, &format!("/right {nth}")).await.is_some());
    }
}

async fn a_question_that_panics_harms_nobody(meta: Meta) {
    two_accounts(&meta).await;
    for nth in 1..=10 {
        let at = meta.clone();
        let question = |loads: &mut dyn Loads| -> Result<(), MetaError> {
            loads.namespace(ONE)?;
            panic!("a panic on purpose")
        };
        let outcome = tokio::spawn(async move { at.read(question).await }).await;
        assert!(!matches!(outcome, Ok(Ok(()))), "{outcome:?}");
        apply(&meta, vec![folder(ONE, &format!("/{nth}"), nth)]).await;
        assert!(node(&meta, ONE, &format!("/{nth}")).await.is_some());
    }
}

/// Counts in both trees at once, and tells the number it made.
struct Count;

impl Operation for Count {
    type View = (Namespace, Namespace);
    type Answer = u64;

    fn load(&self, loads: &mut dyn Loads) -> Result<Self::View, MetaError> {
        Ok((loads.namespace(ONE)?, loads.namespace(TWO)?))
    }

    fn decide(&self, (one, two): Self::View) -> Decision<u64> {
        let used = one.used + 1;
        Decision {
            effects: vec![
                Effect::SetNamespace(Namespace { used, ..one }),
                Effect::SetNamespace(Namespace { used, ..two }),
            ],
            answer: used,
        }
    }
}

async fn an_operation_sees_what_was_applied_before(meta: Meta) {
    two_accounts(&meta).await;
    for nth in 1..=3 {
        assert_eq!(meta.transact(Count).await.unwrap(), nth);
        assert_eq!(counters(&meta, ONE).await.used, nth);
    }
}

async fn of_many_operations_at_once_none_is_lost(meta: Meta) {
    two_accounts(&meta).await;
    let counting: Vec<_> = (0..100)
        .map(|_| {
            let meta = meta.clone();
            tokio::spawn(async move { meta.transact(Count).await.unwrap() })
        })
        .collect();
    let mut answers = Vec::new();
    for one in counting {
        answers.push(one.await.unwrap());
    }
    answers.sort_unstable();
    assert_eq!(answers, (1..=100).collect::<Vec<u64>>());
    assert_eq!(counters(&meta, TWO).await.used, 100);
}

async fn a_question_sees_one_state(meta: Meta) {
    two_accounts(&meta).await;
    let writer = meta.clone();
    let writing = tokio::spawn(async move {
        for _ in 0..100 {
            writer.transact(Count).await.unwrap();
        }
    });
    loop {
        let both = read(&meta, |loads| {
            Ok((loads.namespace(ONE)?.used, loads.namespace(TWO)?.used))
        });
        let (one, two) = both.await;
        assert_eq!(one, two);
        if one == 100 {
            break;
        }
        tokio::task::yield_now().await;
    }
    writing.await.unwrap();
}

#[test]
fn a_question_to_sqlite_doesnt_see_what_is_committed_meanwhile() {
    with_sqlite(|meta| async move {
        two_accounts(&meta).await;
        let (begun, has_begun) = tokio::sync::oneshot::channel();
        let (go_on, wait) = mpsc::channel();
        let reader = meta.clone();
        let reading = tokio::spawn(async move {
            let question = move |loads: &mut dyn Loads| {
                let before = loads.namespace(ONE)?.used;
                begun.send(()).unwrap();
                wait.recv().unwrap();
                Ok((before, loads.namespace(ONE)?.used))
            };
            reader.read(question).await.unwrap()
        });
        has_begun.await.unwrap();
        assert_eq!(meta.transact(Count).await.unwrap(), 1);
        go_on.send(()).unwrap();
        assert_eq!(reading.await.unwrap(), (0, 0));
        assert_eq!(counters(&meta, ONE).await.used, 1);
    });
}
