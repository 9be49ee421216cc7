//! Cursors of listings. The first byte says which of a few good cursors is changed, the next ones
//! where and how; the rest is a cursor that somebody made up.

#![no_main]

use landfall_protocol::types::folders::{
    ListFolderArg, ListFolderContinueArg, ListFolderContinueError, ListFolderCursor,
};
use landfall_protocol::{Strictness, Wire};
use landfall_server::blobs::MemoryBlobs;
use landfall_server::meta::{MemoryEngine, Meta};
use landfall_server::ops::{Admin, Caller, Failure, Service};
use landfall_server::sys::Sys;
use landfall_server::{Numbering, TokenGrant};
use libfuzzer_sys::fuzz_target;
use serde_json::json;
use std::sync::{Arc, LazyLock};
use tokio::runtime::{Builder, Runtime};

/// A service, whom it knows, and cursors that it gave one of them.
struct World {
    runtime: Runtime,
    service: Service,
    panda: Caller,
    stranger: Caller,
    cursors: Vec<String>,
}

static WORLD: LazyLock<World> = LazyLock::new(|| {
    let runtime = Builder::new_current_thread().build().expect("a runtime");
    let (service, panda, stranger, cursors) = runtime.block_on(async {
        let sys = Sys::real();
        let meta = Meta::new(MemoryEngine::new());
        let blobs = Arc::new(MemoryBlobs::new(Arc::clone(&sys.random)));
        let admin = Admin::new(meta.clone(), sys.clone());
        let service = Service::new(meta, blobs, sys, Numbering::Documented, None);
        let service = service.await.expect("a service");
        let panda = caller(&admin, &service, "panda").await;
        let stranger = caller(&admin, &service, "stranger").await;
        for path in ["/a", "/a/b", "/c", "/d"] {
            let arg = Wire::decode(&json!({"path": path}), Strictness::Strict);
            let made = service
                .create_folder(&panda, &arg.expect("an argument"))
                .await;
            made.expect("a folder");
        }
        let mut cursors = Vec::new();
        for arg in [
            json!({"path": ""}),
            json!({"path": "", "limit": 1}),
            json!({"path": "/a", "recursive": true, "include_deleted": true}),
            json!({"path": "", "recursive": true, "limit": 2}),
        ] {
            let arg = ListFolderArg::decode(&arg, Strictness::Strict).expect("an argument");
            let page = service.list_folder(&panda, &arg).await.expect("a page");
            cursors.push(page.cursor.as_str().to_owned());
        }
        (service, panda, stranger, cursors)
    });
    World {
        runtime,
        service,
        panda,
        stranger,
        cursors,
    }
});

async fn caller(admin: &Admin, service: &Service, name: &str) -> Caller {
    admin.add_account(name, None).await.expect("an account");
    let token = admin
        .create_token(name, TokenGrant::default())
        .await
        .expect("a token");
    let caller = service.caller(&token).await.expect("an engine");
    caller.expect("a caller")
}

impl World {
    /// Whether the service goes on from this cursor.
    fn takes(&self, caller: &Caller, cursor: &str) -> bool {
        let cursor = ListFolderCursor::from_stored(cursor);
        let arg = ListFolderContinueArg { cursor };
        match self
            .runtime
            .block_on(self.service.list_folder_continue(caller, &arg))
        {
            Ok(_) => true,
            Err(Failure::Route(ListFolderContinueError::Reset)) => false,
            Err(failure) => panic!("{failure:?}"),
        }
    }

    /// A cursor is taken if it was given, and only then. The fuzzer gets to know those given: it
    /// looks on when strings are compared.
    fn check(&self, cursor: &str) {
        let given = self.cursors.iter().any(|given| given == cursor);
        assert_eq!(self.takes(&self.panda, cursor), given, "{cursor:?}");
    }
}

fuzz_target!(|input: (u8, u8, u8, char, &str)| {
    let (which, at, how, character, text) = input;
    let world = &*WORLD;
    let good = &world.cursors[usize::from(which) % world.cursors.len()];
    assert!(world.takes(&world.panda, good));
    assert!(!world.takes(&world.stranger, good), "somebody else's");

    let (before, after) = good.split_at(usize::from(at) % good.len());
    let without = &after[1..];
    for changed in [
        format!("{before}{character}{without}"),
        format!("{before}{character}{after}"),
        format!("{before}{without}"),
        format!("{before}{text}{after}"),
        before.to_owned(),
        after.to_owned(),
    ] {
        world.check(&changed);
    }
    // One bit of one character.
    let bytes: Vec<u8> = good.bytes().collect();
    let mut flipped = bytes.clone();
    flipped[before.len()] ^= 1 << (how % 7);
    let flipped = String::from_utf8(flipped).expect("ASCII");
    assert!(!world.takes(&world.panda, &flipped), "{flipped}");

    world.check(text);
});
