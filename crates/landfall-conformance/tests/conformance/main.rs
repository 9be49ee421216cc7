//! The suite is tried: on a good server and on servers with a fault.

mod faults;
mod front;
mod runs;
mod suite;
