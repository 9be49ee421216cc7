//! What every engine does, checked for each.

use super::rows::{
    Account, AccountState, Blob, BlobId, BlobOffset, BlobPlace, ContentId, Entry, Extent,
    FileEntry, FileOffset, Hold, JournalId, Lease, Namespace, Node, Ns, Replay, Revision, Session,
    SessionBytes, SessionState, Token, Writer, rev,
};
use super::{Effect, Loads, MemoryEngine, Meta, MetaError, SqliteEngine, Target, Unconditional};
use crate::sys::{Micros, Sys};
use bytes::Bytes;
use landfall_protocol::{
    AccountId, BlockDigests, ContentHash, DisplayPath, FileId, PathKey, Rev, Scope, SessionId,
    Timestamp,
};
use std::future::Future;

/// One test per behaviour, for each engine; PostgreSQL's has only what append and finish need.
macro_rules! suite {
    (memory, sqlite { $($whole:ident,)* } memory, sqlite, postgres { $($all:ident,)* }) => {
        mod memory {
            $( #[test] fn $whole() {
                crate::meta::suite::with_memory(super::$whole);
            } )*
            $( #[test] fn $all() {
                crate::meta::suite::with_memory(super::$all);
            } )*
        }
        mod sqlite {
            $( #[test] fn $whole() {
                crate::meta::suite::with_sqlite(super::$whole);
            } )*
            $( #[test] fn $all() {
                crate::meta::suite::with_sqlite(super::$all);
            } )*
        }
        #[cfg(feature = "postgres")]
        mod postgres {
            $( #[test] fn $all() {
                crate::meta::suite::with_postgres(super::$all);
            } )*
        }
    };
}

// What is shared stands here; operations and parts of trees have files of their own.
mod batches;
mod deletions;
mod histories;
mod operations;
mod trees;
mod views;

suite! {
    memory, sqlite {
        nothing_is_there_at_first,
        an_account_and_its_token_are_found,
        a_token_that_is_added_again_gets_its_new_rights,
        an_account_is_found_with_everything_left_out,
        the_name_of_an_account_is_unique,
        a_setting_that_is_put_has_the_new_value,
        a_lease_has_its_last_holder,
        holds_are_prolonged_and_end,
        unfinished_sessions_are_summed_for_their_account,
        a_token_tells_whether_its_account_has_a_quota,
    }
    memory, sqlite, postgres {
        the_number_of_a_tree_is_unique,
        a_setting_is_kept_and_never_replaced,
        the_counters_of_a_tree_are_set,
        a_session_changes_its_state,
        a_session_is_there_for_its_account_alone,
        a_kept_answer_is_there_for_its_account_alone,
        a_file_is_found_by_key_and_by_id,
        what_was_deleted_is_found_by_key_alone,
        a_place_that_is_used_again_has_new_letters,
        a_revision_is_found_in_its_tree_alone,
        a_target_is_found_by_id_and_below_it,
        pieces_of_a_content_come_in_order_from_any_byte,
        one_blob_may_be_in_several_contents,
        a_blob_of_a_fenced_or_unknown_writer_can_not_be_referred_to,
    }
}

fn run(future: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    runtime.unwrap().block_on(future);
}

fn with_memory<F: Future<Output = ()>>(test: impl FnOnce(Meta) -> F) {
    run(test(Meta::new(MemoryEngine::new())));
}

fn with_sqlite<F: Future<Output = ()>>(test: impl FnOnce(Meta) -> F) {
    let dir = tempfile::tempdir().unwrap();
    let engine = SqliteEngine::open(&dir.path().join("metadata.sqlite"), &Sys::real()).unwrap();
    run(test(Meta::new(engine)));
}

#[cfg(feature = "postgres")]
fn with_postgres<F: Future<Output = ()>>(test: impl FnOnce(Meta) -> F) {
    let schema = super::postgres::throwaway::Schema::new();
    run(test(schema.meta()));
}

async fn apply(meta: &Meta, effects: Vec<Effect>) {
    meta.transact(Unconditional(effects)).await.unwrap();
}

async fn read<T: Send + 'static>(
    meta: &Meta,
    question: impl FnOnce(&mut dyn Loads) -> Result<T, MetaError> + Send + 'static,
) -> T {
    meta.read(question).await.unwrap()
}

const ONE: Ns = Ns(1);
const TWO: Ns = Ns(2);

fn tree(ns: Ns) -> Namespace {
    Namespace {
        ns,
        journal: JournalId(0),
        used: 0,
        quota: None,
    }
}

fn account(name: &str, ns: Ns) -> Account {
    Account {
        id: AccountId::from_stored(format!("dbid:{name}")),
        name: name.into(),
        display_name: Some(format!("{name} the First")),
        ns,
        created: Micros(1_234_567),
        state: AccountState::Active,
    }
}

fn token(account: &Account) -> Token {
    Token {
        id: "token of panda".into(),
        hash: [7; 32],
        account: account.id.clone(),
        scopes: vec![Scope::FilesContentRead, Scope::AccountInfoRead],
        expires: Some(Micros(99)),
        created: Micros(11),
    }
}

fn writer(id: &str, fenced: bool) -> Writer {
    Writer {
        id: id.into(),
        heartbeat: Micros(1),
        fenced,
    }
}

fn session(id: &str, account: &Account) -> Session {
    Session {
        id: SessionId::from_stored(id),
        account: account.id.clone(),
        created: Micros(5),
        state: SessionState::Open,
        content: ContentId(format!("content of {id}")),
        bytes: SessionBytes::Sequential {
            length: 0,
            hasher: vec![1, 2, 3],
        },
    }
}

fn path(text: &str) -> DisplayPath {
    DisplayPath::parse(text).unwrap()
}

fn key(text: &str) -> PathKey {
    path(text).key()
}

fn file_id(tail: &str) -> FileId {
    FileId::from_tail(tail)
}

fn file(ns: Ns, journal: u64, id: &str) -> FileEntry {
    FileEntry {
        id: file_id(id),
        rev: rev(ns, JournalId(journal)),
        content: ContentId("content".into()),
        size: 1 << 40,
        hash: ContentHash::of(id.as_bytes()),
        client_modified: Timestamp::from_unix_seconds(-1),
        server_modified: Timestamp::from_unix_seconds(1_767_323_045),
    }
}

fn put(ns: Ns, text: &str, journal: u64, seen: Option<u64>, entry: Entry) -> Effect {
    Effect::PutNode {
        node: Node {
            ns,
            path: path(text),
            journal: JournalId(journal),
            entry,
        },
        seen: seen.map(JournalId),
    }
}

/// A new folder; its id is its path.
fn folder(ns: Ns, text: &str, journal: u64) -> Effect {
    put(ns, text, journal, None, Entry::Folder(file_id(text)))
}

/// A new file with its revision.
fn saved(ns: Ns, text: &str, journal: u64) -> [Effect; 2] {
    let file = file(ns, journal, text);
    let revision = Revision {
        ns,
        path: path(text),
        file: file.clone(),
    };
    let node = put(ns, text, journal, None, Entry::File(file));
    [Effect::AddRevision(revision), node]
}

/// Two trees with an account each.
async fn two_accounts(meta: &Meta) -> (Account, Account) {
    let (one, two) = (account("one", ONE), account("two", TWO));
    let effects = vec![
        Effect::AddNamespace(tree(ONE)),
        Effect::AddAccount(one.clone()),
        Effect::AddNamespace(tree(TWO)),
        Effect::AddAccount(two.clone()),
    ];
    apply(meta, effects).await;
    (one, two)
}

async fn node(meta: &Meta, ns: Ns, text: &str) -> Option<Node> {
    let key = key(text);
    read(meta, move |loads| loads.node(ns, &key)).await
}

async fn counters(meta: &Meta, ns: Ns) -> Namespace {
    read(meta, move |loads| loads.namespace(ns)).await
}

async fn nothing_is_there_at_first(meta: Meta) {
    read(&meta, |loads| {
        assert!(loads.credential(&[7; 32])?.is_none());
        assert_eq!(loads.setting("x")?, None);
        assert_eq!(loads.account_by_name("one")?, None);
        let account = AccountId::from_stored("dbid:one");
        assert_eq!(loads.session(&account, &SessionId::from_stored("s"))?, None);
        assert_eq!(loads.replay(&account, &SessionId::from_stored("s"))?, None);
        assert_eq!(loads.node(ONE, &key("/a"))?, None);
        assert_eq!(loads.node_by_id(ONE, &file_id("a"))?, None);
        assert_eq!(loads.revision(ONE, &Rev::from_stored("123456789"))?, None);
        assert_eq!(loads.extents(&ContentId("c".into()), FileOffset(0), 9)?, []);
        assert_eq!(loads.taken(ONE, &PathKey::root(), "a", 9)?, []);
        Ok(())
    })
    .await;
    let missing = meta.read(|loads| loads.namespace(ONE)).await;
    assert!(matches!(missing, Err(MetaError::Gone(ONE))), "{missing:?}");
}

async fn an_account_and_its_token_are_found(meta: Meta) {
    let (one, two) = two_accounts(&meta).await;
    let token = token(&one);
    apply(&meta, vec![Effect::AddToken(token.clone())]).await;
    let found = read(&meta, |loads| loads.credential(&[7; 32])).await;
    let found = found.expect("the token");
    assert_eq!((found.token, found.account), (token, one.clone()));
    assert!(
        read(&meta, |loads| loads.credential(&[8; 32]))
            .await
            .is_none()
    );
    let by_name = read(&meta, |loads| {
        Ok((
            loads.account_by_name("one")?,
            loads.account_by_name("two")?,
            loads.account_by_name("ONE")?,
        ))
    });
    assert_eq!(by_name.await, (Some(one), Some(two), None));
}

async fn a_token_that_is_added_again_gets_its_new_rights(meta: Meta) {
    let (one, two) = two_accounts(&meta).await;
    let first = token(&one);
    let again = Token {
        account: two.id.clone(),
        scopes: vec![Scope::FilesMetadataWrite],
        expires: None,
        ..first.clone()
    };
    apply(&meta, vec![Effect::AddToken(first)]).await;
    apply(&meta, vec![Effect::AddToken(again.clone())]).await;
    let found = read(&meta, |loads| loads.credential(&[7; 32])).await;
    let found = found.expect("the token");
    assert_eq!((found.token, found.account), (again, two));
}

async fn an_account_is_found_with_everything_left_out(meta: Meta) {
    let bare = Account {
        display_name: None,
        ..account("\u{fc}n\u{ef}'s; --", ONE)
    };
    let effects = vec![
        Effect::AddNamespace(tree(ONE)),
        Effect::AddAccount(bare.clone()),
    ];
    apply(&meta, effects).await;
    let found = read(&meta, |loads| loads.account_by_name("\u{fc}n\u{ef}'s; --")).await;
    assert_eq!(found, Some(bare));
}

async fn the_name_of_an_account_is_unique(meta: Meta) {
    let (one, _) = two_accounts(&meta).await;
    let again = Account {
        id: AccountId::from_stored("dbid:another"),
        ns: Ns(3),
        ..one.clone()
    };
    let effects = vec![Effect::AddNamespace(tree(Ns(3))), Effect::AddAccount(again)];
    let refused = meta.transact(Unconditional(effects)).await;
    assert!(matches!(refused, Err(MetaError::Changed)), "{refused:?}");
    assert_eq!(
        read(&meta, |loads| loads.account_by_name("one")).await,
        Some(one)
    );
    let undone = meta.read(|loads| loads.namespace(Ns(3))).await;
    assert!(matches!(undone, Err(MetaError::Gone(_))), "{undone:?}");
}

async fn the_number_of_a_tree_is_unique(meta: Meta) {
    two_accounts(&meta).await;
    let other = Namespace {
        used: 77,
        ..tree(ONE)
    };
    let refused = meta
        .transact(Unconditional(vec![Effect::AddNamespace(other)]))
        .await;
    assert!(matches!(refused, Err(MetaError::Changed)), "{refused:?}");
    assert_eq!(counters(&meta, ONE).await, tree(ONE));
}

async fn a_setting_is_kept_and_never_replaced(meta: Meta) {
    let setting = |value: &str| Effect::AddSetting {
        name: "key",
        value: value.into(),
    };
    apply(&meta, vec![setting("first")]).await;
    let refused = meta.transact(Unconditional(vec![setting("second")])).await;
    assert!(matches!(refused, Err(MetaError::Changed)), "{refused:?}");
    let found = read(&meta, |loads| loads.setting("key")).await;
    assert_eq!(found.as_deref(), Some("first"));
    assert_eq!(read(&meta, |loads| loads.setting("other")).await, None);
}

async fn a_setting_that_is_put_has_the_new_value(meta: Meta) {
    for value in ["first", "second"] {
        let put = Effect::PutSetting {
            name: "key",
            value: value.into(),
        };
        apply(&meta, vec![put]).await;
        let found = read(&meta, |loads| loads.setting("key")).await;
        assert_eq!(found.as_deref(), Some(value));
    }
}

async fn a_lease_has_its_last_holder(meta: Meta) {
    assert_eq!(read(&meta, |loads| loads.lease("work")).await, None);
    for (holder, until) in [("one", 5), ("one", 7), ("other", 6)] {
        let lease = Lease {
            name: "work".into(),
            holder: holder.into(),
            until: Micros(until),
        };
        apply(&meta, vec![Effect::PutLease(lease.clone())]).await;
        assert_eq!(read(&meta, |loads| loads.lease("work")).await, Some(lease));
    }
    assert_eq!(read(&meta, |loads| loads.lease("rest")).await, None);
}

async fn the_counters_of_a_tree_are_set(meta: Meta) {
    two_accounts(&meta).await;
    let changed = Namespace {
        ns: ONE,
        journal: JournalId(1 << 50),
        used: 1 << 60,
        quota: Some(1 << 61),
    };
    apply(&meta, vec![Effect::SetNamespace(changed)]).await;
    assert_eq!(counters(&meta, ONE).await, changed);
    assert_eq!(counters(&meta, TWO).await, tree(TWO));
}

async fn a_session_changes_its_state(meta: Meta) {
    let (one, _) = two_accounts(&meta).await;
    let open = session("s", &one);
    let sequential = |length: u64| SessionBytes::Sequential {
        length,
        hasher: length.to_string().into_bytes(),
    };
    let concurrent = |stored, end| SessionBytes::Concurrent { stored, end };
    for (state, bytes) in [
        (SessionState::Open, sequential(0)),
        (SessionState::Open, sequential(1 << 40)),
        (SessionState::Closed, sequential((1 << 40) + 1)),
        (SessionState::Open, concurrent(0, 0)),
        (SessionState::Open, concurrent(1, 1 << 40)),
        (SessionState::Closed, concurrent(1 << 40, 1 << 40)),
        (SessionState::Committed, concurrent(1 << 40, 1 << 40)),
    ] {
        let now = Session {
            state,
            bytes,
            ..open.clone()
        };
        apply(&meta, vec![Effect::PutSession(now.clone())]).await;
        let (account, id) = (one.id.clone(), now.id.clone());
        let found = read(&meta, move |loads| loads.session(&account, &id)).await;
        assert_eq!(found, Some(now));
    }
}

async fn a_session_is_there_for_its_account_alone(meta: Meta) {
    let (one, two) = two_accounts(&meta).await;
    let session = session("s", &one);
    let id = session.id.clone();
    apply(&meta, vec![Effect::PutSession(session.clone())]).await;
    let found = read(&meta, move |loads| {
        Ok((loads.session(&one.id, &id)?, loads.session(&two.id, &id)?))
    });
    assert_eq!(found.await, (Some(session), None));
}

async fn a_kept_answer_is_there_for_its_account_alone(meta: Meta) {
    let (one, two) = two_accounts(&meta).await;
    let session = session("s", &one);
    let replay = Replay {
        session: session.id.clone(),
        account: one.id.clone(),
        end: 1 << 40,
        commit: r#"{"path": "/Dir/File"}"#.into(),
        ns: ONE,
        path: path("/Dir/File"),
        file: file(ONE, 2, "/Dir/File"),
        committed: Micros(123),
    };
    let mut effects = vec![folder(ONE, "/Dir", 1)];
    effects.extend(saved(ONE, "/Dir/File", 2));
    effects.push(Effect::PutSession(session.clone()));
    effects.push(Effect::PutReplay(replay.clone()));
    apply(&meta, effects).await;
    // The answer stays what it was, whatever becomes of the file.
    let gone = put(ONE, "/dir/file", 3, Some(2), Entry::DeletedFile);
    apply(&meta, vec![gone]).await;
    let found = read(&meta, move |loads| {
        Ok((
            loads.replay(&one.id, &session.id)?,
            loads.replay(&two.id, &session.id)?,
        ))
    });
    assert_eq!(found.await, (Some(replay), None));
}

async fn a_file_is_found_by_key_and_by_id(meta: Meta) {
    two_accounts(&meta).await;
    let mut effects = vec![folder(ONE, "/Dir", 1)];
    effects.extend(saved(ONE, "/Dir/F\u{ef}le", 2));
    apply(&meta, effects).await;
    let wanted = Node {
        ns: ONE,
        path: path("/Dir/F\u{ef}le"),
        journal: JournalId(2),
        entry: Entry::File(file(ONE, 2, "/Dir/F\u{ef}le")),
    };
    assert_eq!(
        node(&meta, ONE, "/DIR/fi\u{308}LE").await,
        Some(wanted.clone())
    );
    let id = file_id("/Dir/F\u{ef}le");
    let found = read(&meta, move |loads| {
        Ok((loads.node_by_id(ONE, &id)?, loads.node_by_id(TWO, &id)?))
    });
    assert_eq!(found.await, (Some(wanted), None));
    assert_eq!(node(&meta, TWO, "/dir/f\u{ef}le").await, None);
    let dir = node(&meta, ONE, "/dir").await.expect("the folder");
    assert_eq!(dir.entry, Entry::Folder(file_id("/Dir")));
}

async fn what_was_deleted_is_found_by_key_alone(meta: Meta) {
    two_accounts(&meta).await;
    let mut effects = vec![folder(ONE, "/dir", 1)];
    effects.extend(saved(ONE, "/file", 2));
    apply(&meta, effects).await;
    let effects = vec![
        put(ONE, "/dir", 3, Some(1), Entry::DeletedFolder),
        put(ONE, "/file", 4, Some(2), Entry::DeletedFile),
    ];
    apply(&meta, effects).await;
    for (text, journal, entry) in [
        ("/dir", 3, Entry::DeletedFolder),
        ("/file", 4, Entry::DeletedFile),
    ] {
        let found = node(&meta, ONE, text).await.expect("the place");
        assert_eq!((found.journal, found.entry), (JournalId(journal), entry));
        let id = file_id(text);
        let by_id = read(&meta, move |loads| loads.node_by_id(ONE, &id));
        assert_eq!(by_id.await, None);
    }
    let rev = rev(ONE, JournalId(2));
    let revision = read(&meta, move |loads| loads.revision(ONE, &rev)).await;
    assert_eq!(
        revision.expect("its revision").file,
        file(ONE, 2, "/file"),
        "the history stays"
    );
}

async fn a_place_that_is_used_again_has_new_letters(meta: Meta) {
    two_accounts(&meta).await;
    apply(&meta, vec![folder(ONE, "/Dir", 1)]).await;
    let gone = put(ONE, "/Dir", 2, Some(1), Entry::DeletedFolder);
    apply(&meta, vec![gone]).await;
    let again = put(ONE, "/DIR", 3, Some(2), Entry::Folder(file_id("new")));
    apply(&meta, vec![again]).await;
    let found = node(&meta, ONE, "/dir").await.expect("the folder");
    assert_eq!(found.path.as_str(), "/DIR");
    assert_eq!(found.entry, Entry::Folder(file_id("new")));
    let ids = read(&meta, |loads| {
        let by_id = loads.node_by_id(ONE, &file_id("new"))?;
        Ok((
            by_id.map(|node| node.journal),
            loads.node_by_id(ONE, &file_id("/Dir"))?,
        ))
    });
    assert_eq!(ids.await, (Some(JournalId(3)), None));
}

async fn a_revision_is_found_in_its_tree_alone(meta: Meta) {
    two_accounts(&meta).await;
    apply(&meta, saved(ONE, "/File", 1).into()).await;
    let rev = rev(ONE, JournalId(1));
    let found = read(&meta, move |loads| {
        Ok((loads.revision(ONE, &rev)?, loads.revision(TWO, &rev)?))
    });
    let wanted = Revision {
        ns: ONE,
        path: path("/File"),
        file: file(ONE, 1, "/File"),
    };
    assert_eq!(found.await, (Some(wanted), None));
}

async fn a_target_is_found_by_id_and_below_it(meta: Meta) {
    two_accounts(&meta).await;
    apply(
        &meta,
        vec![folder(ONE, "/Dir", 1), folder(ONE, "/Dir/Sub", 2)],
    )
    .await;
    let target = |id: &str, below: &str| Target::Id {
        id: file_id(id),
        below: path(below),
    };
    let (own, below, nowhere) = (
        target("/Dir", ""),
        target("/Dir", "/SUB"),
        target("x", "/Sub"),
    );
    let found = read(&meta, move |loads| {
        let place = |node: Option<Node>| node.map(|node| node.path.to_string());
        Ok([
            place(loads.lookup(ONE, &own)?),
            place(loads.lookup(ONE, &below)?),
            place(loads.lookup(ONE, &nowhere)?),
            place(loads.lookup(TWO, &own)?),
        ])
    });
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(found.await, [some("/Dir"), some("/Dir/Sub"), None, None]);
}

fn blob(id: &str, place: BlobPlace, length: u64) -> Blob {
    Blob {
        id: BlobId(id.into()),
        length,
        checksums: vec![0, 1, u32::MAX],
        place,
    }
}

fn extent(content: &str, offset: u64, length: u64, blob: &str, blob_offset: u64) -> Extent {
    Extent {
        content: ContentId(content.into()),
        offset: FileOffset(offset),
        length,
        blob: BlobId(blob.into()),
        blob_offset: BlobOffset(blob_offset),
        digests: BlockDigests::default(),
    }
}

async fn pieces_of_a_content_come_in_order_from_any_byte(meta: Meta) {
    apply(&meta, vec![Effect::PutWriter(writer("w", false))]).await;
    let inline = blob(
        "w/inline",
        BlobPlace::Inline(Bytes::from_static(b"0123456789")),
        10,
    );
    let stored = blob("w/stored", BlobPlace::Stored, 1000);
    let pieces = [
        extent("c", 0, 10, "w/inline", 0),
        extent("c", 10, 5, "w/stored", 100),
        extent("c", 15, 985, "w/stored", 7),
        extent("c", 1000, 1, "w/inline", 9),
    ];
    let mut effects = vec![
        Effect::AddBlob(stored.clone()),
        Effect::AddBlob(inline.clone()),
    ];
    // Not in order, and beside another content.
    effects.extend([2, 0, 3, 1].map(|nth: usize| Effect::AddExtent(pieces[nth].clone())));
    effects.push(Effect::AddExtent(extent("b", 0, 10, "w/inline", 0)));
    effects.push(Effect::AddExtent(extent("d", 3, 10, "w/inline", 0)));
    apply(&meta, effects).await;

    for (from, most, wanted) in [
        (0, 9, 0..4),
        (9, 9, 0..4),
        (10, 9, 1..4),
        (14, 9, 1..4),
        (15, 9, 2..4),
        (999, 9, 2..4),
        (1000, 9, 3..4),
        (1001, 9, 4..4),
        (0, 2, 0..2),
        (12, 1, 1..2),
        (0, 0, 0..0),
    ] {
        let found = read(&meta, move |loads| {
            loads.extents(&ContentId("c".into()), FileOffset(from), most)
        });
        let wanted: Vec<_> = pieces[wanted]
            .iter()
            .map(|piece| {
                let blob = if piece.blob == inline.id {
                    &inline
                } else {
                    &stored
                };
                (piece.clone(), blob.clone())
            })
            .collect();
        assert_eq!(found.await, wanted, "{most} from {from}");
    }
}

async fn one_blob_may_be_in_several_contents(meta: Meta) {
    apply(&meta, vec![Effect::PutWriter(writer("w", false))]).await;
    let shared = blob("w/shared", BlobPlace::Stored, 30);
    let effects = vec![
        Effect::AddBlob(shared.clone()),
        Effect::AddExtent(extent("a", 0, 10, "w/shared", 0)),
        Effect::AddExtent(extent("b", 0, 10, "w/shared", 20)),
    ];
    apply(&meta, effects).await;
    for (content, blob_offset) in [("a", 0), ("b", 20)] {
        let found = read(&meta, move |loads| {
            loads.extents(&ContentId(content.into()), FileOffset(0), 9)
        });
        let piece = extent(content, 0, 10, "w/shared", blob_offset);
        assert_eq!(found.await, [(piece, shared.clone())]);
    }
}

async fn a_blob_of_a_fenced_or_unknown_writer_can_not_be_referred_to(meta: Meta) {
    apply(
        &meta,
        vec![
            Effect::PutWriter(writer("dead", true)),
            Effect::PutWriter(writer("alive", false)),
        ],
    )
    .await;
    for id in ["dead/x", "nobody/x"] {
        let add = Effect::AddBlob(blob(id, BlobPlace::Stored, 1));
        let outcome = meta.transact(Unconditional(vec![add])).await;
        assert!(
            matches!(outcome, Err(MetaError::Fenced)),
            "{id}: {outcome:?}"
        );
    }
    let inline = blob(
        "dead/inline",
        BlobPlace::Inline(Bytes::from_static(b"x")),
        1,
    );
    apply(&meta, vec![Effect::AddBlob(inline)]).await;
    apply(
        &meta,
        vec![Effect::AddBlob(blob("alive/x", BlobPlace::Stored, 1))],
    )
    .await;
}

async fn holds_are_prolonged_and_end(meta: Meta) {
    let hold = |id: &str, until: i64| Hold {
        id: id.into(),
        until: Micros(until),
    };
    let holds = async || {
        let mut holds = read(&meta, |loads| loads.holds()).await;
        holds.sort_by(|one, other| one.id.cmp(&other.id));
        holds
    };
    assert_eq!(holds().await, []);
    for (id, until) in [("a", 10), ("b", 20), ("a", 30)] {
        apply(&meta, vec![Effect::PutHold(hold(id, until))]).await;
    }
    assert_eq!(holds().await, [hold("a", 30), hold("b", 20)]);
    // Somebody else may have been there first.
    for _ in 0..2 {
        apply(&meta, vec![Effect::RemoveHold { id: "a".into() }]).await;
        assert_eq!(holds().await, [hold("b", 20)]);
    }
}

async fn unfinished_sessions_are_summed_for_their_account(meta: Meta) {
    let (one, two) = two_accounts(&meta).await;
    let of = |id: &str, account: &Account, state, bytes| {
        Effect::PutSession(Session {
            state,
            bytes,
            ..session(id, account)
        })
    };
    let sequential = |length| SessionBytes::Sequential {
        length,
        hasher: vec![1],
    };
    let concurrent = |stored| SessionBytes::Concurrent { stored, end: 9999 };
    let effects = vec![
        of("a", &one, SessionState::Open, sequential(1)),
        of("b", &one, SessionState::Closed, sequential(20)),
        of("c", &one, SessionState::Open, concurrent(300)),
        of("d", &one, SessionState::Committed, sequential(4000)),
        of("e", &two, SessionState::Open, sequential(50_000)),
    ];
    let nothing = one.id.clone();
    assert_eq!(
        read(&meta, move |loads| loads.unfinished(&nothing)).await,
        0
    );
    apply(&meta, effects).await;
    let sums = read(&meta, move |loads| {
        Ok((loads.unfinished(&one.id)?, loads.unfinished(&two.id)?))
    });
    assert_eq!(sums.await, (321, 50_000));
}

async fn a_token_tells_whether_its_account_has_a_quota(meta: Meta) {
    let (one, _) = two_accounts(&meta).await;
    apply(&meta, vec![Effect::AddToken(token(&one))]).await;
    for quota in [None, Some(0), None] {
        let namespace = Namespace { quota, ..tree(ONE) };
        apply(&meta, vec![Effect::SetNamespace(namespace)]).await;
        let found = read(&meta, |loads| loads.credential(&[7; 32])).await;
        assert_eq!(found.expect("the token").limited, quota.is_some());
    }
}
