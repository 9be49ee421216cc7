//! A server in memory, and connections to it in memory.

use landfall_server::{ProcessToken, ServeOptions, Server, Storage};
use std::cell::RefCell;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex, split};
use tokio::runtime::{Builder, Runtime};
use tokio::task::yield_now;

/// The token of the only account.
pub const TOKEN: &str = "token-of-panda";

/// A server is replaced after so many uses: what is stored grows, and an input should fail alone
/// as it fails after others.
const USES: u32 = 500;

/// What is on its way in one direction at most.
const ON_ITS_WAY: usize = 16 * 1024;

/// A server in memory. Time stands still in it while anything can go on, and runs when all wait:
/// nobody waits for a timeout.
pub struct Host {
    runtime: Runtime,
    server: Server,
    uses: u32,
    /// What the target believes to be stored.
    pub stored: Option<Vec<u8>>,
}

/// What a client does after its last byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It waits for the server to end the connection.
    Waits,
    /// It says that nothing more comes.
    HangsUp,
}

thread_local! {
    static HOST: RefCell<Option<Host>> = const { RefCell::new(None) };
}

/// Lends the server.
pub fn with_host<T>(work: impl FnOnce(&mut Host) -> T) -> T {
    HOST.with_borrow_mut(|slot| {
        let host = match slot.take() {
            Some(host) if host.uses < USES => slot.insert(host),
            _ => slot.insert(Host::new()),
        };
        host.uses += 1;
        work(host)
    })
}

impl Host {
    fn new() -> Self {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .expect("a runtime");
        let server = runtime.block_on(async {
            let storage = Storage::memory();
            let added = storage.admin().add_account("panda", None).await;
            added.expect("an account");
            // Its listener is never served.
            let mut options = ServeOptions::new(([127, 0, 0, 1], 0).into());
            options.process_token = Some(ProcessToken {
                token: TOKEN.into(),
                account: "panda".into(),
            });
            Server::bind(storage, options).await.expect("a server")
        });
        Self {
            runtime,
            server,
            uses: 0,
            stored: None,
        }
    }

    /// All that the server says on a connection on which the client sends these pieces.
    pub fn connection<'a>(
        &self,
        pieces: impl Iterator<Item = &'a [u8]>,
        ending: Ending,
    ) -> Vec<u8> {
        let (near, far) = duplex(ON_ITS_WAY);
        let serving = self.server.serve_connection(far);
        let (mut reader, mut writer) = split(near);
        let client = async {
            for piece in pieces {
                // A server may end a connection while its client still writes.
                if writer.write_all(piece).await.is_err() {
                    return;
                }
                yield_now().await;
            }
            if ending == Ending::HangsUp {
                let _ = writer.shutdown().await;
            }
        };
        let mut said = Vec::new();
        self.runtime.block_on(async {
            let (_, (), read) = tokio::join!(serving, client, reader.read_to_end(&mut said));
            read.expect("a stream in memory can be read");
        });
        said
    }
}
