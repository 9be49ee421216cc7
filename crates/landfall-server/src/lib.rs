//! A server that speaks the Dropbox upload API: embedded in the tool, in memory for tests, or
//! on its own for a team.
//!
//! ```no_run
//! use landfall_server::{ServeOptions, Server, Storage, TokenGrant};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let storage = Storage::open("/srv/landfall".as_ref())?;
//! storage.admin().add_account("panda", Some("Panda")).await?;
//! let token = storage.admin().create_token("panda", TokenGrant::default()).await?;
//!
//! let server = Server::bind(storage, ServeOptions::new("127.0.0.1:0".parse()?)).await?;
//! println!("http://{} lets in whoever has {token}", server.local_addr());
//! server.run(std::future::pending()).await;
//! # Ok(())
//! # }
//! ```
//!
//! The layers, each knowing only those after it: `http` (connections, arguments, answers) →
//! `api` (which use case answers which route) → [`ops`] (the use cases) → [`rules`] (pure
//! decisions), [`meta`] (what is known), [`blobs`] (bytes) → [`sys`] (the outside world).

mod api;
pub mod backup;
pub mod blobs;
mod directory;
mod http;
pub mod meta;
pub mod ops;
pub mod rules;
mod server;
mod storage;
pub mod sys;
pub mod tls;
pub mod upkeep;

pub use meta::OpenError;
pub use ops::{AccountInfo, Admin, AdminError, TokenGrant};
pub use rules::naming::Numbering;
pub use server::{ProcessToken, ServeError, ServeOptions, Server};
pub use storage::Storage;
