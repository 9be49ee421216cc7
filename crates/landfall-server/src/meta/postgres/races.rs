//! Several processes on one server, and connections that break: what the one who waits is told.

use super::apply::statements;
use super::failure::Failed;
use super::link::{Link, Statement};
use super::throwaway::{Cut, Proxy, Schema};
use super::{PATIENCE, PostgresEngine};
use crate::meta::rows::{Blob, BlobId, BlobPlace, JournalId, Namespace, Ns, Writer};
use crate::meta::{Decision, Effect, Loads, Meta, MetaError, Operation, Unconditional};
use crate::sys::Micros;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Barrier, Mutex, mpsc};
use std::thread;
use std::time::Duration;
use tokio::task::JoinHandle;

const ONE: Ns = Ns(1);
const TWO: Ns = Ns(2);

/// What happens after the first lock, at the first attempt.
type Then = Box<dyn Fn() + Send + Sync>;

/// Counts in both trees, which it locks in this order; the answer is the number that it made.
struct Count {
    order: [Ns; 2],
    then: Then,
    attempts: Arc<AtomicU32>,
}

impl Count {
    fn new(order: [Ns; 2], then: impl Fn() + Send + Sync + 'static) -> Self {
        Self {
            order,
            then: Box::new(then),
            attempts: Arc::default(),
        }
    }
}

impl Operation for Count {
    type View = [Namespace; 2];
    type Answer = u64;

    fn load(&self, loads: &mut dyn Loads) -> Result<Self::View, MetaError> {
        let before = self.attempts.fetch_add(1, Ordering::SeqCst);
        let first = loads.namespace(self.order[0])?;
        if before == 0 {
            (self.then)();
        }
        Ok([first, loads.namespace(self.order[1])?])
    }

    fn decide(&self, view: Self::View) -> Decision<u64> {
        let more = |namespace: Namespace| Namespace {
            used: namespace.used + 1,
            ..namespace
        };
        Decision {
            effects: view
                .map(|namespace| Effect::SetNamespace(more(namespace)))
                .into(),
            answer: view[0].used + 1,
        }
    }
}

/// Runs the operation beside others; also counts its attempts.
fn run(meta: &Meta, operation: Count) -> (JoinHandle<Result<u64, MetaError>>, Arc<AtomicU32>) {
    let (meta, attempts) = (meta.clone(), Arc::clone(&operation.attempts));
    let running = tokio::spawn(async move { meta.transact(operation).await });
    (running, attempts)
}

async fn two_trees(meta: &Meta) {
    let tree = |ns| {
        Effect::AddNamespace(Namespace {
            ns,
            journal: JournalId(0),
            used: 0,
            quota: None,
        })
    };
    let trees = vec![tree(ONE), tree(TWO)];
    meta.transact(Unconditional(trees)).await.unwrap();
}

async fn counted(meta: &Meta) -> u64 {
    let question = |loads: &mut dyn Loads| Ok(loads.namespace(TWO)?.used);
    meta.read(question).await.unwrap()
}

/// Two processes, and an operation of the first that holds its locks until it is let go on.
async fn while_one_holds_the_lock(
    schema: &Schema,
    first: &Meta,
) -> (JoinHandle<Result<u64, MetaError>>, impl FnOnce() + use<>) {
    two_trees(&schema.meta()).await;
    let (locked, is_locked) = mpsc::sync_channel(1);
    let (go_on, wait) = mpsc::sync_channel::<()>(1);
    let wait = Mutex::new(wait);
    let holds = Count::new([ONE, TWO], move || {
        locked.send(()).unwrap();
        wait.lock().unwrap().recv().unwrap();
    });
    let (running, _) = run(first, holds);
    is_locked.recv().unwrap();
    (running, move || go_on.send(()).unwrap())
}

/// The second of two, which waits for the first; also how often it ran.
async fn second_of_two(settings: &str) -> (u64, u32) {
    let schema = Schema::new();
    let meta = || {
        let engine = PostgresEngine::open(&schema.address(settings), PATIENCE);
        Meta::new(engine.unwrap())
    };
    let (first, second) = (meta(), meta());
    let (held, go_on) = while_one_holds_the_lock(&schema, &first).await;
    let (waits, attempts) = run(&second, Count::new([ONE, TWO], || {}));
    schema.until_somebody_waits();
    go_on();
    assert_eq!(held.await.unwrap().unwrap(), 1);
    let answer = waits.await.unwrap().unwrap();
    assert_eq!(counted(&second).await, 2);
    (answer, attempts.load(Ordering::SeqCst))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_second_of_two_waits_and_sees_what_the_first_did() {
    assert_eq!(second_of_two("").await, (2, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn where_a_transaction_sees_one_state_the_second_of_two_starts_over() {
    let serializable = "-c default_transaction_isolation=serializable";
    assert_eq!(second_of_two(serializable).await, (2, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_that_wait_for_each_other_one_starts_over() {
    let schema = Schema::new();
    let (one, other) = (schema.meta(), schema.meta());
    two_trees(&one).await;
    let both = Arc::new(Barrier::new(2));
    let meet = || {
        let both = Arc::clone(&both);
        move || {
            both.wait();
        }
    };
    let (one, one_attempts) = run(&one, Count::new([ONE, TWO], meet()));
    let (two, two_attempts) = run(&other, Count::new([TWO, ONE], meet()));
    let mut answers = [one.await.unwrap().unwrap(), two.await.unwrap().unwrap()];
    answers.sort_unstable();
    assert_eq!(answers, [1, 2]);
    let attempts = [one_attempts, two_attempts].map(|count| count.load(Ordering::SeqCst));
    assert!(attempts.iter().sum::<u32>() > 2, "{attempts:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_a_lock_too_long_is_told_to_come_back() {
    let schema = Schema::new();
    let hasty = PostgresEngine::open(&schema.address(""), Duration::from_millis(20)).unwrap();
    let (first, second) = (schema.meta(), Meta::new(hasty));
    let (held, go_on) = while_one_holds_the_lock(&schema, &first).await;
    let count = || Count::new([ONE, TWO], || {});
    let busy = second.transact(count()).await;
    assert!(matches!(busy, Err(MetaError::Busy)), "{busy:?}");
    go_on();
    held.await.unwrap().unwrap();
    assert_eq!(second.transact(count()).await.unwrap(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn whose_writer_is_just_being_fenced_waits_and_is_told() {
    let schema = Schema::new();
    let meta = schema.meta();
    let writer = |fenced| {
        Effect::PutWriter(Writer {
            id: "w".into(),
            heartbeat: Micros(1),
            fenced,
        })
    };
    let alive = Unconditional(vec![writer(false)]);
    meta.transact(alive).await.unwrap();

    let mut collector = Link::new(schema.config(), "BEGIN", PATIENCE).unwrap();
    let (fenced, is_fenced) = mpsc::sync_channel(1);
    let (go_on, wait) = mpsc::sync_channel::<()>(1);
    let collecting = thread::spawn(move || {
        let effects = [writer(true)];
        collector.fly(&statements(&effects).unwrap()).unwrap();
        fenced.send(()).unwrap();
        wait.recv().unwrap();
        collector.commit(&[]).unwrap();
    });
    is_fenced.recv().unwrap();
    let blob = Effect::AddBlob(Blob {
        id: BlobId("w/blob".into()),
        length: 1,
        checksums: vec![0],
        place: BlobPlace::Stored,
    });
    let refers = tokio::spawn(async move { meta.transact(Unconditional(vec![blob])).await });
    schema.until_somebody_waits();
    go_on.send(()).unwrap();
    collecting.join().unwrap();
    let told = refers.await.unwrap();
    assert!(matches!(told, Err(MetaError::Fenced)), "{told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_connection_breaks_only_a_commit_is_not_known() {
    let schema = Schema::new();
    two_trees(&schema.meta()).await;
    let proxy = Proxy::start(&schema);
    let meta = Meta::new(PostgresEngine::open(&proxy.address(&schema), PATIENCE).unwrap());
    let count = || Count::new([ONE, TWO], || {});
    assert_eq!(meta.transact(count()).await.unwrap(), 1);

    proxy.cut(Cut::AtBegin);
    let failed = meta.transact(count()).await;
    assert!(matches!(failed, Err(MetaError::Failed(_))), "{failed:?}");
    assert_eq!(counted(&schema.meta()).await, 1);

    proxy.cut(Cut::BeforeCommit);
    let unknown = meta.transact(count()).await;
    assert!(matches!(unknown, Err(MetaError::Unknown(_))), "{unknown:?}");
    assert_eq!(counted(&schema.meta()).await, 1, "it didn't take place");

    proxy.cut(Cut::AfterCommit);
    let unknown = meta.transact(count()).await;
    assert!(matches!(unknown, Err(MetaError::Unknown(_))), "{unknown:?}");
    assert_eq!(counted(&schema.meta()).await, 2, "it took place");

    assert_eq!(
        meta.transact(count()).await.unwrap(),
        3,
        "another connection"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_the_server_ends_before_the_commit_has_changed_nothing() {
    let schema = Arc::new(Schema::new());
    let meta = schema.meta();
    two_trees(&meta).await;
    let operator = Arc::clone(&schema);
    let ended = Count::new([ONE, TWO], move || operator.end_connections());
    let failed = meta.transact(ended).await;
    assert!(matches!(failed, Err(MetaError::Failed(_))), "{failed:?}");
    let meta = schema.meta();
    assert_eq!(counted(&meta).await, 0);
    let count = Count::new([ONE, TWO], || {});
    assert_eq!(meta.transact(count).await.unwrap(), 1);
}

#[test]
fn a_transaction_does_not_go_on_over_another_connection() {
    let schema = Schema::new();
    drop(schema.engine());
    let mut link = Link::new(schema.config(), "BEGIN", PATIENCE).unwrap();
    let effects = [Effect::AddSetting {
        name: "name",
        value: "value".into(),
    }];
    let add = statements(&effects).unwrap();
    link.fly(&[]).unwrap();
    schema.end_connections();
    // The first attempt finds out; none of them begins anew.
    for _ in 0..3 {
        let failed = link.commit(&add);
        assert!(matches!(failed, Err(Failed::Refused(_))), "{failed:?}");
    }
    link.roll_back();
    // It would be there already.
    link.commit(&add).unwrap();
}

#[test]
fn a_commit_does_not_overtake_what_cant_be_sent() {
    let schema = Schema::new();
    drop(schema.engine());
    let mut link = Link::new(schema.config(), "BEGIN", PATIENCE).unwrap();
    let setting = |name: &'static str| Effect::AddSetting {
        name,
        value: "value".into(),
    };
    let effects = [setting("first"), setting("second")];
    let mut flight: Vec<Statement<'_>> = statements(&effects).unwrap();
    flight[1].params[1] = Box::new(1_i64);
    let failed = link.commit(&flight);
    assert!(matches!(failed, Err(Failed::Refused(_))), "{failed:?}");
    link.roll_back();
    flight.pop();
    // It would be there already.
    link.commit(&flight).unwrap();
}
