//! A schema of its own for each test, on the server that `harness/postgres.sh` starts.

use super::link::Link;
use super::place::query;
use super::{PATIENCE, PostgresEngine};
use crate::meta::Meta;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;
use tempfile::TempDir;
use tokio_postgres::Config;
use tokio_postgres::config::Host;

/// The name of a server's socket in its directory.
const SOCKET: &str = ".s.PGSQL.5432";

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

    pub(super) fn config(&self) -> Config {
        self.address("").parse().unwrap()
    }

    pub(in crate::meta) fn engine(&self) -> PostgresEngine {
        PostgresEngine::open(&self.address(""), PATIENCE).unwrap()
    }

    pub(in crate::meta) fn meta(&self) -> Meta {
        Meta::new(self.engine())
    }

    /// The directory of the server's socket.
    fn directory(&self) -> PathBuf {
        let config: Config = self.server.parse().unwrap();
        match &config.get_hosts()[0] {
            Host::Unix(directory) => directory.clone(),
            Host::Tcp(host) => panic!("{host} is no directory of a socket"),
        }
    }

    /// Comes back when somebody waits for a lock here.
    pub(super) fn until_somebody_waits(&self) {
        self.aside(|link| {
            // As long as a server may take that has much else to do.
            for _ in 0..10_000 {
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
            panic!("nobody waits for a lock");
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

/// Where a connection is cut, once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cut {
    /// Before the server hears of a transaction.
    AtBegin,
    /// Before the server hears of a commit.
    BeforeCommit,
    /// After a commit, before its answer.
    AfterCommit,
}

/// Stands between an engine and the server.
pub(super) struct Proxy {
    directory: TempDir,
    cut: Arc<Mutex<Option<Cut>>>,
}

impl Proxy {
    pub(super) fn start(schema: &Schema) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(directory.path().join(SOCKET)).unwrap();
        let cut = Arc::<Mutex<Option<Cut>>>::default();
        let (server, cuts) = (schema.directory().join(SOCKET), Arc::clone(&cut));
        thread::spawn(move || {
            for client in listener.incoming() {
                let pass = Pass {
                    client: client.unwrap(),
                    server: UnixStream::connect(&server).unwrap(),
                    cut: Arc::clone(&cuts),
                    only_listens: AtomicBool::new(false),
                };
                let pass = Arc::new(pass);
                let answers = Arc::clone(&pass);
                thread::spawn(move || pass.end_after(pass.requests()));
                thread::spawn(move || answers.end_after(answers.answers()));
            }
        });
        Self { directory, cut }
    }

    /// The schema, by way of the proxy.
    pub(super) fn address(&self, schema: &Schema) -> String {
        let (direct, proxy) = (schema.directory(), self.directory.path());
        let address = schema.address("");
        address.replace(&*direct.to_string_lossy(), &proxy.to_string_lossy())
    }

    /// Cuts the next connection where this comes by.
    pub(super) fn cut(&self, cut: Cut) {
        *self.cut.lock().unwrap() = Some(cut);
    }
}

/// One connection through the proxy.
struct Pass {
    client: UnixStream,
    server: UnixStream,
    cut: Arc<Mutex<Option<Cut>>>,
    /// Whether what the server says is kept from the client.
    only_listens: AtomicBool,
}

impl Pass {
    fn requests(&self) -> io::Result<()> {
        let mut bytes = [0; 16 * 1024];
        loop {
            let length = (&self.client).read(&mut bytes)?;
            let sent = &bytes[..length];
            let mut cut = self.cut.lock().unwrap();
            let word: Option<&[u8]> = cut.map(|cut| match cut {
                Cut::AtBegin => &b"BEGIN"[..],
                Cut::BeforeCommit | Cut::AfterCommit => b"COMMIT",
            });
            let here = word.is_some_and(|word| has(sent, word));
            let cut = if here { cut.take() } else { None };
            match cut {
                Some(Cut::AtBegin | Cut::BeforeCommit) => return Ok(()),
                Some(Cut::AfterCommit) => self.only_listens.store(true, Ordering::SeqCst),
                None if length == 0 => return Ok(()),
                None => {}
            }
            (&self.server).write_all(sent)?;
        }
    }

    fn answers(&self) -> io::Result<()> {
        let mut bytes = [0; 16 * 1024];
        loop {
            let length = (&self.server).read(&mut bytes)?;
            let said = &bytes[..length];
            if length == 0 || self.only_listens.load(Ordering::SeqCst) && has(said, b"COMMIT") {
                return Ok(());
            }
            if !self.only_listens.load(Ordering::SeqCst) {
                (&self.client).write_all(said)?;
            }
        }
    }

    /// Whatever happened to one direction, the other one ends too.
    fn end_after(&self, _: io::Result<()>) {
        let _ = self.client.shutdown(Shutdown::Both);
        let _ = self.server.shutdown(Shutdown::Both);
    }
}

fn has(bytes: &[u8], word: &[u8]) -> bool {
    bytes.windows(word.len()).any(|some| some == word)
}
