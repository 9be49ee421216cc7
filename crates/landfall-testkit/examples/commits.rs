//! How many small uploads per second a server acknowledges: `commits URL CLIENTS SECONDS`, with
//! the token in `LANDFALL_TOKEN`. Each client uploads 1 KiB to paths of its own, one request
//! after the other; the answer is commits per second.

use landfall_testkit::{Calls, pattern};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

fn main() {
    let mut args = std::env::args().skip(1);
    let mut next = |what: &str| {
        args.next()
            .unwrap_or_else(|| panic!("usage: commits URL CLIENTS SECONDS ({what} is missing)"))
    };
    let url = next("URL");
    let clients: usize = next("CLIENTS").parse().expect("a number of clients");
    let seconds: u64 = next("SECONDS").parse().expect("a number of seconds");
    let token = std::env::var("LANDFALL_TOKEN").expect("LANDFALL_TOKEN is set");

    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let (done, stop) = (
        Arc::new(AtomicU64::new(0)),
        Arc::new(AtomicBool::new(false)),
    );
    let begun = Instant::now();
    let elapsed = runtime.block_on(async {
        let calls = Calls::new(url, &token);
        let mut running = Vec::new();
        for client in 0..clients {
            let (calls, done, stop) = (calls.clone(), Arc::clone(&done), Arc::clone(&stop));
            running.push(tokio::spawn(async move {
                let body = pattern(client as u64, 1024);
                for nth in 0.. {
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                    let run = std::process::id();
                    let arg = format!(r#"{{"path": "/{run}/{client}/{nth}"}}"#);
                    calls.upload("files/upload", &arg, body.clone()).await.ok();
                    done.fetch_add(1, Ordering::Relaxed);
                }
            }));
        }
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        stop.store(true, Ordering::Relaxed);
        for client in running {
            client.await.expect("a client ends well");
        }
        begun.elapsed()
    });
    #[expect(clippy::print_stdout, reason = "the figure is the program's answer")]
    {
        println!(
            "{:.0}",
            done.load(Ordering::Relaxed) as f64 / elapsed.as_secs_f64()
        );
    }
}
