//! A network on this machine: `link ADDR:PORT [--listen ADDR:PORT] [--round-trip 80ms]
//! [--per-connection 25MB] [--total 250MB]`, the rates per second. The first line says where it
//! listens; the last, on SIGTERM or SIGINT, what it carried.

use landfall_testkit::link::{Conditions, Link};
use std::net::SocketAddr;
use std::num::NonZeroU64;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};

const USAGE: &str = "usage: link ADDR:PORT [--listen ADDR:PORT] [--round-trip 80ms] \
                     [--per-connection 25MB] [--total 250MB]";

#[expect(clippy::print_stdout, reason = "the lines are the program's answer")]
fn main() {
    let mut args = std::env::args().skip(1);
    let server = args.next().and_then(|arg| arg.parse().ok()).expect(USAGE);
    let mut listen = SocketAddr::from(([127, 0, 0, 1], 0));
    let mut conditions = Conditions::default();
    while let Some(name) = args.next() {
        let value = args.next().expect(USAGE);
        match name.as_str() {
            "--listen" => listen = value.parse().expect(USAGE),
            "--round-trip" => conditions.round_trip = Duration::from_millis(number(&value, "ms")),
            "--per-connection" => conditions.per_connection = rate(&value),
            "--total" => conditions.total = rate(&value),
            _ => panic!("{USAGE}"),
        }
    }
    // One thread: what it carries is for others to hurry with, on the same processors.
    let runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = { runtime }.enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let mut terminated = signal(SignalKind::terminate()).expect("a signal");
        let mut interrupted = signal(SignalKind::interrupt()).expect("a signal");
        let link = Link::start(listen, server, conditions).await;
        let link = link.expect("an address to listen at");
        println!("listening on {}", link.address());
        tokio::select! {
            _ = terminated.recv() => {}
            _ = interrupted.recv() => {}
        }
        let carried = link.carried();
        println!(
            "{} connections, {} bytes up, {} bytes down",
            carried.connections, carried.up, carried.down
        );
    });
}

/// Bytes per second.
fn rate(value: &str) -> Option<NonZeroU64> {
    Some(NonZeroU64::new(number(value, "MB") * 1_000_000).expect("more than 0 MB"))
}

fn number(value: &str, unit: &str) -> u64 {
    let number = value
        .strip_suffix(unit)
        .and_then(|digits| digits.parse().ok());
    number.unwrap_or_else(|| panic!("{value} is no whole number of {unit}"))
}
