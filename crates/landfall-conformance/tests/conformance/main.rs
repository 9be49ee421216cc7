//! The suite is tried: on a good server, on servers with a fault, and as a program.

mod faults;
mod front;
mod program;
mod runs;
mod suite;
