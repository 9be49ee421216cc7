//! How long appends and finishes take under a steady load: `latency URL SECONDS PER_SECOND`, with
//! the token in `LANDFALL_TOKEN`. Sessions begin at fixed times, whether those before have ended
//! or not: a server that stalls is seen to stall by all who come meanwhile. Each starts, appends
//! 4 KiB and finishes at a new path. Prints one line of figures in ms.

use landfall_testkit::{Calls, pattern};
use serde_json::json;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::time::{MissedTickBehavior, interval};

#[derive(Default)]
struct Times {
    append: Vec<Duration>,
    finish: Vec<Duration>,
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [url, seconds, per_second] = &args[..] else {
        panic!("usage: latency URL SECONDS PER_SECOND");
    };
    let seconds: u64 = seconds.parse().expect("a number of seconds");
    let per_second: u64 = per_second.parse().expect("a number of sessions");
    let token = std::env::var("LANDFALL_TOKEN").expect("LANDFALL_TOKEN is set");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let times = Arc::new(Mutex::new(Times::default()));
    runtime.block_on(async {
        let calls = Calls::new(url.clone(), &token);
        let mut due = interval(Duration::from_secs(1) / per_second as u32);
        due.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let mut sessions = Vec::new();
        for nth in 0..seconds * per_second {
            due.tick().await;
            sessions.push(tokio::spawn(session(
                calls.clone(),
                nth,
                Arc::clone(&times),
            )));
        }
        for session in sessions {
            session.await.expect("a session ends well");
        }
    });
    let mut times = times.lock().expect("nobody panicked");
    let Times { append, finish } = &mut *times;
    #[expect(clippy::print_stdout, reason = "the figures are the program's answer")]
    {
        println!(
            "{} {}",
            figures("append", append),
            figures("finish", finish)
        );
    }
}

async fn session(calls: Calls, nth: u64, times: Arc<Mutex<Times>>) {
    let body = pattern(nth, 4096);
    let session = calls.start("{}", "begin").await;
    let begun = Instant::now();
    calls.append(&session, 5, body.clone()).await.ok();
    let append = begun.elapsed();
    let path = format!("/latency/{}/{}/{nth}", std::process::id(), nth % 20);
    let commit = json!({"path": path}).to_string();
    let begun = Instant::now();
    calls
        .finish(&session, 5 + body.len(), &commit, "")
        .await
        .ok();
    let finish = begun.elapsed();
    let mut times = times.lock().expect("nobody panicked");
    times.append.push(append);
    times.finish.push(finish);
}

/// Median, 99th percentile and longest.
fn figures(what: &str, times: &mut [Duration]) -> String {
    times.sort();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize].as_secs_f64() * 1000.0;
    format!("{what} {:.2} {:.2} {:.2}", at(0.5), at(0.99), at(1.0))
}
