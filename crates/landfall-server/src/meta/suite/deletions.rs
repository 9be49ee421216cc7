//! Accounts that are deleted, and what belongs to them.

use super::{
    ONE, TWO, account, apply, counters, file_id, folder, key, node, read, saved, session, token,
    tree, two_accounts,
};
use crate::meta::rows::{Account, Deletion, JournalId, Ns, SessionState, rev};
use crate::meta::{Effect, Meta, MetaError, Unconditional};
use landfall_protocol::AccountId;

suite! {
    memory, sqlite {
        a_deleted_account_is_not_found_and_its_name_is_free,
        what_belongs_to_an_account_is_found_slice_by_slice,
        a_place_that_is_forgotten_leaves_nothing_behind,
        nothing_is_added_to_an_account_that_is_gone,
    }
    memory, sqlite, postgres {}
}

async fn begin(meta: &Meta) -> Deletion {
    let (one, _) = two_accounts(meta).await;
    let account = one.id.clone();
    apply(meta, vec![Effect::BeginDeletion { account }]).await;
    Deletion {
        account: one.id,
        ns: ONE,
    }
}

async fn a_deleted_account_is_not_found_and_its_name_is_free(meta: Meta) {
    let (one, two) = two_accounts(&meta).await;
    let token = token(&one);
    apply(&meta, vec![Effect::AddToken(token.clone())]).await;
    assert_eq!(read(&meta, |loads| loads.deletions(9)).await, []);
    let id = one.id.clone();
    apply(&meta, vec![Effect::BeginDeletion { account: id }]).await;

    let hash = token.hash;
    assert!(
        read(&meta, move |loads| loads.credential(&hash))
            .await
            .is_none()
    );
    assert_eq!(
        read(&meta, |loads| loads.account_by_name("one")).await,
        None
    );
    let found = read(&meta, |loads| loads.accounts()).await;
    assert_eq!(found, std::slice::from_ref(&two));
    let deletion = Deletion {
        account: one.id.clone(),
        ns: ONE,
    };
    let found = read(&meta, |loads| loads.deletions(9)).await;
    assert_eq!(found, std::slice::from_ref(&deletion));
    assert_eq!(counters(&meta, ONE).await, tree(ONE), "still there");

    let again = Account {
        id: AccountId::from_stored("dbid:again"),
        ns: Ns(3),
        ..account("one", ONE)
    };
    let effects = vec![
        Effect::AddNamespace(tree(again.ns)),
        Effect::AddAccount(again.clone()),
    ];
    apply(&meta, effects).await;
    let found = read(&meta, |loads| loads.account_by_name("one")).await;
    assert_eq!(found, Some(again.clone()));

    let id = token.id;
    apply(&meta, vec![Effect::RemoveToken { id }]).await;
    apply(&meta, vec![Effect::EndDeletion(deletion)]).await;
    assert_eq!(read(&meta, |loads| loads.deletions(9)).await, []);
    let gone = meta.read(|loads| loads.namespace(ONE)).await;
    assert!(matches!(gone, Err(MetaError::Gone(ONE))), "{gone:?}");
    assert_eq!(read(&meta, |loads| loads.accounts()).await, [again, two]);
}

async fn what_belongs_to_an_account_is_found_slice_by_slice(meta: Meta) {
    let (one, two) = two_accounts(&meta).await;
    let mut effects = Vec::new();
    for (ns, account) in [(ONE, &one), (TWO, &two)] {
        for nth in 1..=3 {
            effects.extend(saved(ns, &format!("/{nth}"), nth));
            let mut session = session(&format!("{ns} {nth}"), account);
            session.state = [
                SessionState::Open,
                SessionState::Closed,
                SessionState::Committed,
            ][nth as usize - 1];
            effects.push(Effect::PutSession(session));
        }
    }
    apply(&meta, effects).await;
    for (most, wanted) in [(0, 0), (2, 2), (3, 3), (9, 3)] {
        let account = one.id.clone();
        let sessions = read(&meta, move |loads| loads.any_sessions(&account, most)).await;
        assert_eq!(sessions.len(), wanted);
        assert!(sessions.iter().all(|session| session.account == one.id));
        let revisions = read(&meta, move |loads| loads.revisions(ONE, most)).await;
        assert_eq!(revisions.len(), wanted);
        assert!(revisions.iter().all(|revision| revision.ns == ONE));
    }
}

async fn a_place_that_is_forgotten_leaves_nothing_behind(meta: Meta) {
    two_accounts(&meta).await;
    let mut effects = vec![folder(ONE, "/dir", 1), folder(TWO, "/dir", 1)];
    effects.extend(saved(ONE, "/dir/file", 2));
    apply(&meta, effects).await;
    let forget = |text: &str| Effect::RemoveNode {
        ns: ONE,
        key: key(text),
    };
    let rev = rev(ONE, JournalId(2));
    let revision = Effect::RemoveRevision { ns: ONE, rev };
    apply(&meta, vec![forget("/dir"), forget("/dir/file"), revision]).await;
    for text in ["/dir", "/dir/file"] {
        assert_eq!(node(&meta, ONE, text).await, None);
        let id = file_id(text);
        let by_id = read(&meta, move |loads| loads.node_by_id(ONE, &id)).await;
        assert_eq!(by_id, None);
    }
    assert!(node(&meta, TWO, "/dir").await.is_some());
    // As if nothing had ever been there.
    let mut effects = vec![folder(ONE, "/dir", 1)];
    effects.extend(saved(ONE, "/dir/file", 2));
    apply(&meta, effects).await;
}

async fn nothing_is_added_to_an_account_that_is_gone(meta: Meta) {
    let deletion = begin(&meta).await;
    let one = account("one", ONE);
    // Whoever was let in before may still do it, and finds it again to remove it.
    apply(&meta, vec![Effect::PutSession(session("s", &one))]).await;
    apply(&meta, vec![Effect::RemoveSession(session("s", &one).id)]).await;
    apply(&meta, vec![Effect::EndDeletion(deletion)]).await;
    for effect in [
        Effect::PutSession(session("s", &one)),
        Effect::AddToken(token(&one)),
    ] {
        let refused = meta.transact(Unconditional(vec![effect])).await;
        assert!(matches!(refused, Err(MetaError::Changed)), "{refused:?}");
    }
}
