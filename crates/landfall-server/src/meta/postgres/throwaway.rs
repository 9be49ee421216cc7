//! A schema of its own for each test, on the server that `harness/postgres.sh` starts.

use super::link::Link;
use super::place::query;
use super::{PATIENCE, PostgresEngine};
use crate::meta::Meta;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

/// An empty schema. Nothing removes it: the server itself goes.
pub(in crate::meta) struct Schema {
    server: String,
    name: String,
}

impl Schema {
    pub(in crate::meta) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let server = std::env::var("LANDFALL_TEST_POSTGRES").expect(
            "the address of a PostgreSQL server to play with: install Debian's postgresql and run \
             harness/postgres.sh cargo test -p landfall-server --features postgres",
        );
        let nth = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("test_{}_{nth}", std::process::id());
        let schema = Self { server, name };
        let create = format!("CREATE SCHEMA {}", schema.name);
        schema.aside(|link| link.set_up(&create).unwrap());
        schema
    }

    /// Where the schema is, for connections that begin with these settings.
    pub(in crate::meta) fn address(&self, settings: &str) -> String {
        let Self { server, name } = self;
        let options = format!("-c search_path={name} {settings}");
        format!("{server} application_name={name} options='{options}'")
    }

    pub(in crate::meta) fn engine(&self) -> PostgresEngine {
        PostgresEngine::open(&self.address(""), PATIENCE).unwrap()
    }

    pub(in crate::meta) fn meta(&self) -> Meta {
        Meta::new(self.engine())
    }

    /// Comes back when somebody waits for a lock here.
    pub(super) fn until_somebody_waits(&self) {
        self.aside(|link| {
            loop {
                let waiting = query(
                    "SELECT 1 FROM pg_stat_activity
                     WHERE application_name = $1 AND wait_event_type = 'Lock'",
                    [Box::new(&*self.name)],
                );
                if !link.fly(&[waiting]).unwrap()[0].is_empty() {
                    return;
                }
                // Statistics stay the same within a transaction.
                link.roll_back();
                thread::sleep(Duration::from_millis(1));
            }
        });
    }

    /// Ends all connections to the schema, as an operator would.
    pub(super) fn end_connections(&self) {
        self.aside(|link| {
            let end = query(
                "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
                 WHERE application_name = $1",
                [Box::new(&*self.name)],
            );
            link.fly(&[end]).unwrap();
        });
    }

    /// Over another connection, on a thread where one may wait.
    fn aside(&self, what: impl FnOnce(&mut Link) + Send) {
        let config = self.server.parse().unwrap();
        let mut link = Link::new(config, "BEGIN", PATIENCE).unwrap();
        thread::scope(|scope| {
            scope.spawn(move || what(&mut link)).join().unwrap();
        });
    }
}
