//! A server in a box.

use crate::calls::Calls;
use landfall_server::sys::{Clock, Failpoints, Fs, ManualClock, Micros, RealFs, Sys};
use landfall_server::upkeep::Upkeep;
use landfall_server::{Admin, Numbering, ServeOptions, Server, Storage, TokenGrant};
use std::future::Future;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// Where a test's server keeps things.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stores {
    /// In memory.
    Memory,
    /// In a directory: SQLite and files.
    Directory,
}

/// A running server with one account, `panda` (display name `Panda`), and a token of hers. Its
/// clock stands still until the test moves it.
#[derive(Debug)]
pub struct TestServer {
    storage: Storage,
    address: SocketAddr,
    token: String,
    clock: Arc<ManualClock>,
    stop: Option<oneshot::Sender<()>>,
    running: JoinHandle<()>,
    directory: Option<Arc<TempDir>>,
}

/// 2026-01-02T03:04:05Z.
const BEGIN: Micros = Micros(1_767_323_045_000_000);

impl TestServer {
    /// Runs a test against a server of its own, in a runtime of its own.
    pub fn run<F: Future<Output = ()>>(stores: Stores, test: impl FnOnce(Self) -> F) {
        Self::run_numbering(stores, Numbering::Documented, test);
    }

    /// The same, with autorename's numbers beginning elsewhere.
    pub fn run_numbering<F: Future<Output = ()>>(
        stores: Stores,
        numbering: Numbering,
        test: impl FnOnce(Self) -> F,
    ) {
        Self::in_runtime(Self::start(stores, numbering), test);
    }

    /// The same in a directory, on other files than the system's.
    pub fn run_on<F: Future<Output = ()>>(fs: Arc<dyn Fs>, test: impl FnOnce(Self) -> F) {
        let server = Self::start_on(fs, Stores::Directory, Numbering::Documented);
        Self::in_runtime(server, test);
    }

    fn in_runtime<F: Future<Output = ()>>(
        server: impl Future<Output = Self>,
        test: impl FnOnce(Self) -> F,
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(async {
            test(server.await).await;
        });
    }

    /// Starts a server.
    pub async fn start(stores: Stores, numbering: Numbering) -> Self {
        Self::start_on(Arc::new(RealFs), stores, numbering).await
    }

    async fn start_on(fs: Arc<dyn Fs>, stores: Stores, numbering: Numbering) -> Self {
        let directory = match stores {
            Stores::Memory => None,
            Stores::Directory => Some(tempfile::tempdir().expect("a temporary directory")),
        };
        Self::set_up(fs, directory, numbering).await
    }

    /// Starts a server on a data directory that may be one already.
    pub async fn on(directory: TempDir) -> Self {
        Self::set_up(Arc::new(RealFs), Some(directory), Numbering::Documented).await
    }

    async fn set_up(fs: Arc<dyn Fs>, directory: Option<TempDir>, numbering: Numbering) -> Self {
        let clock = Arc::new(ManualClock::at(BEGIN));
        let sys = Sys {
            clock: Arc::clone(&clock) as _,
            fs,
            ..Sys::real()
        };
        let storage = match &directory {
            None => Storage::memory_with(sys),
            Some(directory) => Storage::open_with(directory.path(), sys).expect("it opens"),
        };
        let admin = storage.admin();
        admin
            .ensure_account("panda", Some("Panda"))
            .await
            .expect("an account");
        let token = admin
            .create_token("panda", TokenGrant::default())
            .await
            .expect("a token");

        Self::serve(storage, directory.map(Arc::new), clock, token, numbering).await
    }

    /// Another server on the same directory, as another process would be: it shares the clock and
    /// nothing in memory.
    pub async fn beside(&self) -> Self {
        let sys = Sys {
            clock: Arc::clone(&self.clock) as _,
            ..Sys::real()
        };
        let directory = self.directory.clone().expect("a directory");
        let storage = Storage::open_with(directory.path(), sys).expect("the store opens");
        let (clock, token) = (Arc::clone(&self.clock), self.token.clone());
        Self::serve(storage, Some(directory), clock, token, Numbering::default()).await
    }

    async fn serve(
        storage: Storage,
        directory: Option<Arc<TempDir>>,
        clock: Arc<ManualClock>,
        token: String,
        numbering: Numbering,
    ) -> Self {
        let mut options = ServeOptions::new(([127, 0, 0, 1], 0).into());
        options.numbering = numbering;
        options.upkeep = None;
        options.scrub = None;
        let server = Server::bind(storage.clone(), options)
            .await
            .expect("a free port");
        let address = server.local_addr();
        let (stop, stopped) = oneshot::channel();
        let running = tokio::spawn(server.run(async {
            let _ = stopped.await;
        }));
        Self {
            storage,
            address,
            token,
            clock,
            stop: Some(stop),
            running,
            directory,
        }
    }

    /// Calls as Panda.
    pub fn calls(&self) -> Calls {
        self.calls_with(&self.token)
    }

    /// Calls with another token.
    pub fn calls_with(&self, token: &str) -> Calls {
        Calls::new(self.url(), token)
    }

    /// Calls as another account, which is added.
    pub async fn calls_as(&self, name: &str) -> Calls {
        let added = self.admin().ensure_account(name, None).await;
        added.expect("an account");
        self.calls_with(&self.token_of(name).await)
    }

    /// A new token of an account.
    pub async fn token_of(&self, name: &str) -> String {
        let created = self.admin().create_token(name, TokenGrant::default()).await;
        created.expect("a token")
    }

    /// Where it listens: `http://127.0.0.1:…`, without a slash at the end.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where it listens, as an address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Panda's token.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Its operator.
    pub fn admin(&self) -> Admin {
        self.storage.admin()
    }

    /// What breaks in it.
    pub fn failpoints(&self) -> &Failpoints {
        &self.storage.sys().failpoints
    }

    /// Its upkeep; nothing is done unless a test asks for it.
    pub fn upkeep(&self) -> Upkeep {
        self.storage.upkeep()
    }

    /// Its clock.
    pub fn clock(&self) -> &ManualClock {
        &self.clock
    }

    /// What its clock shows, in seconds since 1970.
    pub fn now(&self) -> i64 {
        self.clock.now().timestamp().unix_seconds()
    }

    /// Its data directory, if it has one.
    pub fn directory(&self) -> Option<&Path> {
        self.directory.as_ref().map(|directory| directory.path())
    }

    /// Stops it and waits until it has.
    pub async fn stop(mut self) {
        drop(self.stop.take());
        (&mut self.running).await.expect("the server ends well");
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.running.abort();
    }
}
