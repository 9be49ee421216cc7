//! Many clients at once on one path: whatever the mode, they might as well have come one after the
//! other (P5, P6). The checker's own tests show that it rejects what no order explains.

use landfall_testkit::Stores;
use landfall_testkit::oracle::{
    Body, Call, Commit, Cursor, Mode, Place, Player, Playing, Setup, Step,
};

const CLIENTS: usize = 64;

/// What the clients want; the numbers are theirs.
type Wish = fn(usize) -> Commit;

fn commit(mode: Mode) -> Commit {
    Commit {
        place: Place::Path("/folder/document.txt".into()),
        mode,
        autorename: false,
        strict: false,
        mute: false,
        client_modified: None,
        properties: false,
    }
}

fn rename(mode: Mode) -> Commit {
    Commit {
        autorename: true,
        ..commit(mode)
    }
}

fn current() -> Mode {
    Mode::Update("<rev 1>".into())
}

/// All at once, by finishes of sessions, into an empty folder or onto a file.
async fn at_once(there: bool, bytes: fn(usize) -> String, wish: Wish) {
    for stores in [Stores::Memory, Stores::Directory] {
        let mut player = Player::start(stores).await;
        let setup = Setup {
            display_name: Some("Panda".into()),
            quota: None,
        };
        let mut playing = player.begin(&setup).await.expect("a new account");
        if there {
            let first = Call::Upload {
                commit: commit(Mode::Add),
                body: Body::of("first"),
            };
            step(&mut playing, first).await;
        }
        let mut finishes = Vec::new();
        for nth in 0..CLIENTS {
            let body = Body::of(bytes(nth));
            let cursor = Cursor {
                session: format!("<session {}>", nth + 1),
                offset: body.length(),
            };
            // Every other one brings its bytes with the finish.
            let (first, last) = match nth % 2 {
                0 => (body, Body::none()),
                _ => (Body::none(), body),
            };
            let offset = first.length();
            let start = Call::Start {
                concurrent: false,
                close: false,
                body: first,
            };
            step(&mut playing, start).await;
            finishes.push(Call::Finish {
                cursor: Cursor { offset, ..cursor },
                commit: wish(nth),
                body: last,
            });
        }
        let explained = playing.at_once(finishes.clone()).await;
        explained.unwrap_or_else(|why| panic!("{stores:?}: {why}"));
        // The same again: who was saved is told the same, and nothing is written.
        let written = playing.oracle().revisions().len();
        let again = finishes
            .into_iter()
            .filter(|call| playing.oracle().is_finished(call));
        let again: Vec<Call> = again.collect();
        playing
            .at_once(again)
            .await
            .expect("answers that are repeated");
        assert_eq!(playing.oracle().revisions().len(), written);
        let compared = playing.compare_all().await;
        compared.unwrap_or_else(|why| panic!("{stores:?}: {why}"));
    }
}

async fn step(playing: &mut Playing<'_>, call: Call) {
    let taken = playing.step(&Step::Call(call)).await;
    taken.expect("what the oracle says");
}

fn different(nth: usize) -> String {
    format!("the bytes of client {nth}")
}

fn same(_: usize) -> String {
    "the same bytes".to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_that_add_one_wins() {
    at_once(false, different, |_| commit(Mode::Add)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_that_add_never_replace_what_is_there() {
    at_once(true, different, |_| commit(Mode::Add)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_that_add_the_same_bytes_all_get_the_one_file() {
    at_once(false, same, |_| commit(Mode::Add)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_that_add_by_another_name_get_one_each() {
    at_once(true, different, |_| rename(Mode::Add)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_that_overwrite_make_revisions_of_one_file() {
    at_once(true, different, |_| commit(Mode::Overwrite)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_that_overwrite_strictly_with_the_same_bytes_all_write() {
    at_once(true, same, |_| Commit {
        strict: true,
        ..commit(Mode::Overwrite)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_that_update_one_rev_one_wins() {
    at_once(true, different, |_| commit(current())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_that_update_one_rev_the_others_make_conflicted_copies() {
    at_once(true, different, |_| rename(current())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_modes_at_once_are_explained_by_some_order() {
    at_once(true, different, |nth| {
        let wished = match nth % 6 {
            0 => commit(Mode::Add),
            1 => rename(Mode::Add),
            2 => commit(Mode::Overwrite),
            3 => commit(current()),
            4 => rename(current()),
            _ => Commit {
                strict: true,
                ..rename(Mode::Overwrite)
            },
        };
        Commit {
            mute: nth % 5 == 0,
            ..wished
        }
    })
    .await;
}
