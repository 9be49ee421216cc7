//! Pieces that come in any order, jobs, and what users are told of.

use super::{ONE, TWO, apply, blob, extent, path, read, two_accounts};
use crate::meta::rows::{
    AsyncJob, BlobPlace, ContentId, FileOffset, JournalId, Notification, NotificationEvent, Ns,
    Piece,
};
use crate::meta::{Effect, Meta};
use crate::sys::Micros;
use bytes::Bytes;
use landfall_protocol::{AccountId, AsyncJobId, BlockDigests, Rev};

suite! {
    memory, sqlite {
        a_job_is_there_for_its_account_alone,
        a_job_is_forgotten_by_its_age,
        notifications_come_in_order_after_a_change,
        notifications_are_forgotten_by_their_age,
    }
    memory, sqlite, postgres {
        pieces_with_a_byte_in_the_range_come_in_order,
    }
}

async fn pieces_with_a_byte_in_the_range_come_in_order(meta: Meta) {
    let piece = |nth: u64| Piece {
        offset: FileOffset(nth * 10),
        length: 10,
        digests: BlockDigests::from_bytes(vec![nth as u8; 32]).unwrap(),
    };
    let bytes = BlobPlace::Inline(Bytes::from_static(&[0; 100]));
    let mut effects = vec![Effect::AddBlob(blob("b", bytes, 100))];
    // A hole between 20 and 30, another content beside.
    for nth in [3, 0, 1, 4] {
        let mut extent = extent("c", nth * 10, 10, "b", nth * 10);
        extent.digests = piece(nth).digests;
        effects.push(Effect::AddExtent(extent));
    }
    effects.push(Effect::AddExtent(extent("d", 20, 10, "b", 0)));
    apply(&meta, effects).await;
    let pieces = async |from: u64, to: u64| {
        read(&meta, move |loads| {
            let content = ContentId("c".into());
            loads.pieces(&content, FileOffset(from)..FileOffset(to))
        })
        .await
    };
    let all = |numbers: &[u64]| -> Vec<Piece> { numbers.iter().map(|nth| piece(*nth)).collect() };
    assert_eq!(pieces(0, 50).await, all(&[0, 1, 3, 4]));
    assert_eq!(pieces(10, 30).await, all(&[1]));
    assert_eq!(pieces(9, 11).await, all(&[0, 1]));
    assert_eq!(pieces(20, 30).await, all(&[]));
    assert_eq!(pieces(25, 31).await, all(&[3]));
    assert_eq!(pieces(45, 1 << 41).await, all(&[4]));
    assert_eq!(pieces(10, 10).await, all(&[]));
}

fn job(id: &str, account: &AccountId, created: i64) -> AsyncJob {
    AsyncJob {
        id: AsyncJobId::from_stored(id),
        account: account.clone(),
        created: Micros(created),
        argument: "{}".into(),
        outcome: None,
        until: Micros(created + 1),
    }
}

async fn a_job_is_there_for_its_account_alone(meta: Meta) {
    let (one, two) = two_accounts(&meta).await;
    let begun = job("j", &one.id, 5);
    let done = AsyncJob {
        outcome: Some("[]".into()),
        until: Micros(99),
        ..begun.clone()
    };
    for now in [begun, done] {
        apply(&meta, vec![Effect::PutJob(now.clone())]).await;
        let (mine, other) = (one.id.clone(), two.id.clone());
        let found = read(&meta, move |loads| {
            let id = AsyncJobId::from_stored("j");
            Ok((loads.job(&mine, &id)?, loads.job(&other, &id)?))
        });
        assert_eq!(found.await, (Some(now), None));
    }
}

async fn a_job_is_forgotten_by_its_age(meta: Meta) {
    let (one, _) = two_accounts(&meta).await;
    for (id, created) in [("old", 5), ("young", 7)] {
        apply(&meta, vec![Effect::PutJob(job(id, &one.id, created))]).await;
    }
    let aged = read(&meta, |loads| loads.aged_jobs(Micros(6), 10)).await;
    assert_eq!(aged, [AsyncJobId::from_stored("old")]);
    let remove = |id: &AsyncJobId| Effect::RemoveJob(id.clone());
    // Twice: another process may have been there first.
    for _ in 0..2 {
        apply(&meta, aged.iter().map(remove).collect()).await;
    }
    let left = read(&meta, |loads| loads.aged_jobs(Micros(100), 10)).await;
    assert_eq!(left, [AsyncJobId::from_stored("young")]);
}

fn notification(ns: Ns, journal: u64, event: NotificationEvent) -> Notification {
    Notification {
        ns,
        journal: JournalId(journal),
        at: Micros(journal as i64),
        event,
        path: path("/Dir/File"),
        rev: (event == NotificationEvent::FileAdded).then(|| Rev::from_stored("0123456789")),
    }
}

const EVENTS: [NotificationEvent; 5] = [
    NotificationEvent::FileAdded,
    NotificationEvent::FileChanged,
    NotificationEvent::FolderAdded,
    NotificationEvent::FileDeleted,
    NotificationEvent::FolderDeleted,
];

async fn notifications_come_in_order_after_a_change(meta: Meta) {
    two_accounts(&meta).await;
    let all: Vec<Notification> = (1..)
        .zip(EVENTS)
        .map(|(journal, event)| notification(ONE, journal, event))
        .collect();
    let mut effects: Vec<Effect> = all.iter().cloned().map(Effect::AddNotification).collect();
    effects.push(Effect::AddNotification(notification(TWO, 2, EVENTS[0])));
    apply(&meta, effects).await;
    for (after, most, wanted) in [(0, 10, 0..5), (2, 10, 2..5), (1, 2, 1..3), (5, 10, 0..0)] {
        let found = read(&meta, move |loads| {
            loads.notifications(ONE, JournalId(after), most)
        });
        assert_eq!(found.await, all[wanted]);
    }
}

async fn notifications_are_forgotten_by_their_age(meta: Meta) {
    two_accounts(&meta).await;
    for (ns, journal) in [(ONE, 3), (TWO, 5), (ONE, 7)] {
        let add = Effect::AddNotification(notification(ns, journal, EVENTS[0]));
        apply(&meta, vec![add]).await;
    }
    let mut aged = read(&meta, |loads| loads.aged_notifications(Micros(5), 10)).await;
    aged.sort();
    assert_eq!(aged, [(ONE, JournalId(3)), (TWO, JournalId(5))]);
    let remove = |&(ns, journal): &_| Effect::RemoveNotification { ns, journal };
    for _ in 0..2 {
        apply(&meta, aged.iter().map(remove).collect()).await;
    }
    let left = read(&meta, |loads| loads.aged_notifications(Micros(100), 10)).await;
    assert_eq!(left, [(ONE, JournalId(7))]);
}
