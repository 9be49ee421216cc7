//! The official Rust SDK as a referee: its types beside ours, and its synchronous routes against
//! the server. (Its own asynchronous client runs over TLS in the tool's tests of clients.)

mod routes;
mod wire;
