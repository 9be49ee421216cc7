//! What the tests share: a server in a box, raw calls to it, a proxy that breaks them, a link
//! that slows them, data makers, an oracle.
//!
//! Calls are raw on purpose: they send what they are told and show what came back, so that a
//! test sees the wire and not a client's reading of it.

mod calls;
mod data;
mod dice;
mod disk;
mod events;
pub mod faults;
pub mod link;
pub mod oracle;
pub mod page;
mod schema;
mod server;
mod tool;

pub use calls::{Answer, Calls, SlowBody};
pub use data::{EDGE_SIZES, pattern};
pub use dice::Dice;
pub use disk::SmallDisk;
pub use events::{Event, Events};
pub use reqwest::{Body, Method, RequestBuilder};
pub use schema::check_event;
pub use server::{Stores, TestServer};
pub use tool::{Run, Serving, Tool, allow_open_files, peak_memory};

/// Runs each test once for every kind of store, as `memory::name` and `sqlite::name`.
///
/// ```
/// landfall_testkit::on_each_store! {
///     async fn the_root_is_empty_at_first(server: TestServer) {
///         let listed = server.calls().rpc("files/list_folder", r#"{"path": ""}"#).await;
///         assert_eq!(listed.json()["entries"], serde_json::json!([]));
///     }
/// }
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! on_each_store {
    ($( $(#[$meta:meta])* async fn $name:ident($server:ident: TestServer) $body:block )*) => {
        $( async fn $name($server: $crate::TestServer) $body )*

        mod memory {
            $( $(#[$meta])* #[test] fn $name() {
                $crate::TestServer::run($crate::Stores::Memory, super::$name);
            } )*
        }
        mod sqlite {
            $( $(#[$meta])* #[test] fn $name() {
                $crate::TestServer::run($crate::Stores::Directory, super::$name);
            } )*
        }
    };
}
