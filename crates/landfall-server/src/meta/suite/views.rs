//! All that an append or a finish depends on, which an engine may load in one go.

use super::{
    ONE, TWO, apply, blob, extent, file, file_id, folder, path, put, read, saved, session,
    two_accounts,
};
use crate::meta::rows::{
    Account, BlobPlace, Entry, FileOffset, Node, Ns, Piece, Replay, Session, SessionBytes,
    SessionState,
};
use crate::meta::{Effect, Loads, Meta, MetaError, Place, Rename, Target};
use crate::sys::Micros;
use bytes::Bytes;
use landfall_protocol::{BlockDigests, SessionId};
use std::ops::Range;

suite! {
    memory, sqlite {}
    memory, sqlite, postgres {
        a_finish_finds_its_place_by_path_and_by_id,
        a_finish_finds_its_session_and_its_kept_answer,
        a_finish_in_a_tree_that_is_gone_finds_nothing,
        an_append_finds_its_sessions_and_the_pieces_that_it_may_overlap,
        of_sessions_to_be_finished_all_is_known_in_their_order,
    }
}

async fn forest(meta: &Meta) {
    two_accounts(meta).await;
    let mut effects = vec![folder(ONE, "/Dir", 1), folder(ONE, "/Dir/Sub", 2)];
    effects.extend(saved(ONE, "/Dir/Sub/Doc.txt", 3));
    effects.extend(saved(ONE, "/Dir/Sub/DOC (2).txt", 4));
    effects.extend(saved(ONE, "/Dir/Sub/Document", 5));
    effects.extend(saved(ONE, "/Dir/Sub/gone", 6));
    effects.push(folder(TWO, "/Dir", 1));
    effects.push(folder(ONE, "/Doc (3)", 7));
    apply(meta, effects).await;
    let gone = put(ONE, "/Dir/Sub/gone", 8, Some(6), Entry::DeletedFile);
    apply(meta, vec![gone]).await;
}

/// A place with the last change at each of its parts: `/a 1 > /a/b 2; names`.
fn told(place: &Place) -> String {
    let at = |path: &dyn std::fmt::Display, node: &Option<Node>| match node {
        Some(node) => format!("{path} {}", node.journal.0),
        None => format!("{path} -"),
    };
    let ancestors = place.ancestors.iter();
    let mut parts: Vec<String> = ancestors.map(|(path, node)| at(path, node)).collect();
    parts.push(at(&place.path, &place.target));
    let taken: Vec<&str> = place.taken.iter().map(|taken| &*taken.name).collect();
    format!("{}; {}", parts.join(" > "), taken.join(", "))
}

async fn a_finish_finds_its_place_by_path_and_by_id(meta: Meta) {
    forest(&meta).await;
    let by_path = |text: &str| Target::Path(path(text));
    let by_id = |id: &str, below: &str| Target::Id {
        id: file_id(id),
        below: path(below),
    };
    let (doc, dir) = ("/Dir/Sub/Doc.txt", "/Dir");
    for (ns, target, rename, wanted) in [
        (
            ONE,
            by_path("/dir/SUB/doc.txt"),
            Rename::No,
            Some("/dir 1 > /dir/SUB 2 > /dir/SUB/doc.txt 3; "),
        ),
        (
            ONE,
            by_path("/dir/SUB/doc.txt"),
            Rename::File,
            Some("/dir 1 > /dir/SUB 2 > /dir/SUB/doc.txt 3; doc (2).txt"),
        ),
        (
            ONE,
            by_path("/Dir/Sub/gone"),
            Rename::No,
            Some("/Dir 1 > /Dir/Sub 2 > /Dir/Sub/gone 8; "),
        ),
        (
            ONE,
            by_path("/new/er/doc"),
            Rename::File,
            Some("/new - > /new/er - > /new/er/doc -; "),
        ),
        (ONE, by_path("/doc"), Rename::File, Some("/doc -; doc (3)")),
        (
            TWO,
            by_path("/dir/sub"),
            Rename::No,
            Some("/dir 1 > /dir/sub -; "),
        ),
        (
            ONE,
            by_id(doc, ""),
            Rename::No,
            Some("/Dir 1 > /Dir/Sub 2 > /Dir/Sub/Doc.txt 3; "),
        ),
        (
            ONE,
            by_id(doc, ""),
            Rename::File,
            Some("/Dir 1 > /Dir/Sub 2 > /Dir/Sub/Doc.txt 3; doc (2).txt"),
        ),
        (
            ONE,
            by_id(dir, "/SUB/DOC.txt"),
            Rename::File,
            Some("/Dir 1 > /Dir/SUB 2 > /Dir/SUB/DOC.txt 3; doc (2).txt"),
        ),
        (
            ONE,
            by_id(dir, "/new/x"),
            Rename::File,
            Some("/Dir 1 > /Dir/new - > /Dir/new/x -; "),
        ),
        (ONE, by_id(dir, ""), Rename::No, Some("/Dir 1; ")),
        (ONE, by_id("/Dir/Sub/gone", ""), Rename::No, None),
        (ONE, by_id("nowhere", "/x"), Rename::File, None),
        (TWO, by_id(doc, ""), Rename::File, None),
    ] {
        let asked = target.clone();
        let question = move |loads: &mut dyn Loads| loads.commit(None, ns, Some(&asked), rename);
        let view = read(&meta, question).await;
        let found = view.place.as_ref().map(told);
        assert_eq!(found.as_deref(), wanted, "{ns} {target:?} {rename:?}");
        assert_eq!(view.namespace.ns, ns);
    }
    let nothing = read(&meta, |loads| loads.commit(None, ONE, None, Rename::File)).await;
    assert!(nothing.place.is_none());
}

async fn a_finish_in_a_tree_that_is_gone_finds_nothing(meta: Meta) {
    for target in [None, Some(Target::Path(path("/x")))] {
        let question =
            move |loads: &mut dyn Loads| loads.commit(None, Ns(9), target.as_ref(), Rename::No);
        let gone = meta.read(question).await;
        assert!(matches!(gone, Err(MetaError::Gone(Ns(9)))), "{gone:?}");
    }
}

fn answer(session: &Session) -> Replay {
    Replay {
        session: session.id.clone(),
        account: session.account.clone(),
        end: 5,
        commit: "{}".into(),
        ns: ONE,
        path: path("/Dir/Sub/Doc.txt"),
        file: file(ONE, 3, "/Dir/Sub/Doc.txt"),
        committed: Micros(123),
    }
}

fn ids(texts: &[&str]) -> Vec<SessionId> {
    let id = |text: &&str| SessionId::from_stored(*text);
    texts.iter().map(id).collect()
}

async fn a_finish_finds_its_session_and_its_kept_answer(meta: Meta) {
    forest(&meta).await;
    let (one, two) = (super::account("one", ONE), super::account("two", TWO));
    let (open, done) = (session("open", &one), session("done", &one));
    let effects = vec![
        Effect::PutSession(open.clone()),
        Effect::PutSession(done.clone()),
        Effect::PutReplay(answer(&done)),
    ];
    apply(&meta, effects).await;
    for (account, id, session, replay) in [
        (&one, "open", Some(&open), None),
        (&one, "done", Some(&done), Some(answer(&done))),
        (&one, "none", None, None),
        (&two, "done", None, None),
    ] {
        let (account, of) = (account.id.clone(), SessionId::from_stored(id));
        let target = Target::Path(path("/Dir/new"));
        let question = move |loads: &mut dyn Loads| {
            loads.commit(Some((&account, &of)), ONE, Some(&target), Rename::No)
        };
        let view = read(&meta, question).await;
        assert_eq!((view.session.as_ref(), view.replay), (session, replay));
        assert_eq!(told(&view.place.unwrap()), "/Dir 1 > /Dir/new -; ", "{id}");
    }
}

/// The `nth` piece of any content: ten bytes.
fn piece(nth: u64) -> Piece {
    Piece {
        offset: FileOffset(nth * 10),
        length: 10,
        digests: BlockDigests::from_bytes(vec![nth as u8; 32]).unwrap(),
    }
}

/// Sessions `a` to `d`: in order; in any order with pieces; the same, closed and whole; closed
/// with a hole; and `e` of the other account.
async fn sessions(meta: &Meta) -> (Account, Account, Vec<Session>) {
    let (one, two) = two_accounts(meta).await;
    let concurrent = |id: &str, account: &Account, state, stored, end| Session {
        state,
        bytes: SessionBytes::Concurrent { stored, end },
        ..session(id, account)
    };
    let sessions = vec![
        session("a", &one),
        concurrent("b", &one, SessionState::Open, 30, 50),
        concurrent("c", &one, SessionState::Closed, 20, 20),
        concurrent("d", &one, SessionState::Closed, 10, 20),
        concurrent("e", &two, SessionState::Closed, 10, 10),
    ];
    let bytes = BlobPlace::Inline(Bytes::from_static(&[0; 100]));
    let mut effects = vec![Effect::AddBlob(blob("b", bytes, 100))];
    let pieces: [(usize, &[u64]); 5] = [
        (0, &[0, 1]),
        (1, &[0, 1, 4]),
        (2, &[1, 0]),
        (3, &[1]),
        (4, &[0]),
    ];
    for (nth, pieces) in pieces {
        for &piece_nth in pieces {
            let content = &sessions[nth].content.0;
            let mut extent = extent(content, piece_nth * 10, 10, "b", 0);
            extent.digests = piece(piece_nth).digests;
            effects.push(Effect::AddExtent(extent));
        }
    }
    effects.extend(sessions.iter().cloned().map(Effect::PutSession));
    apply(meta, effects).await;
    (one, two, sessions)
}

async fn an_append_finds_its_sessions_and_the_pieces_that_it_may_overlap(meta: Meta) {
    let (one, _, sessions) = sessions(&meta).await;
    let range = |range: Range<u64>| FileOffset(range.start)..FileOffset(range.end);
    let parts: Vec<_> = ids(&["d", "b", "a", "b", "none", "e", "c"])
        .into_iter()
        .zip([0..10, 5..15, 0..20, 30..50, 0..10, 0..10, 5..5].map(range))
        .collect();
    let question = move |loads: &mut dyn Loads| loads.append(&one.id, &parts);
    let mut found: Vec<_> = read(&meta, question)
        .await
        .into_values()
        .map(|mut growing| {
            growing.pieces.sort_by_key(|piece| piece.offset.0);
            (growing.session, growing.pieces)
        })
        .collect();
    found.sort_by(|one, other| one.0.id.as_str().cmp(other.0.id.as_str()));
    let pieces = [vec![], vec![piece(0), piece(1), piece(4)], vec![], vec![]];
    let wanted: Vec<_> = sessions.into_iter().zip(pieces).collect();
    assert_eq!(found, wanted);
}

async fn of_sessions_to_be_finished_all_is_known_in_their_order(meta: Meta) {
    let (one, _, sessions) = sessions(&meta).await;
    let [a, b, c, d, _] = <[Session; 5]>::try_from(sessions).unwrap();
    apply(&meta, saved(ONE, "/Dir/Sub/Doc.txt", 3).into()).await;
    apply(&meta, vec![Effect::PutReplay(answer(&a))]).await;
    let asked = ids(&["c", "none", "a", "e", "d", "b", "c"]);
    let question = move |loads: &mut dyn Loads| loads.to_finish(&one.id, &asked);
    let found: Vec<_> = read(&meta, question)
        .await
        .into_iter()
        .map(|found| (found.session, found.replay, found.pieces))
        .collect();
    let whole = || (Some(c.clone()), None, vec![piece(0), piece(1)]);
    let wanted = vec![
        whole(),
        (None, None, vec![]),
        (Some(a.clone()), Some(answer(&a)), vec![]),
        (None, None, vec![]),
        (Some(d), None, vec![]),
        (Some(b), None, vec![]),
        whole(),
    ];
    assert_eq!(found, wanted);
}
