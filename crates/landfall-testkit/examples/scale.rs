//! Whether requests take as long in a large tree as in a small one: `scale LANDFALL SMALL LARGE
//! ROUNDS`, with directories that `tree` made and the `landfall` to serve them. Prints a table
//! of medians; the rounds go back and forth between the two.

use landfall_server::{Storage, TokenGrant};
use landfall_testkit::{Calls, Serving};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Entries in a page when everything is listed.
const PAGE: u64 = 1000;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [landfall, small, large, rounds] = &args[..] else {
        panic!("usage: scale LANDFALL SMALL LARGE ROUNDS");
    };
    let rounds: usize = rounds.parse().expect("a number of rounds");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let mut sides = [
            Side::new(landfall, small).await,
            Side::new(landfall, large).await,
        ];
        for _ in 0..rounds {
            for side in &mut sides {
                side.start();
            }
        }
        for side in &mut sides {
            side.find_cursors().await;
        }
        for round in 0..rounds {
            for side in &mut sides {
                side.round(round).await;
            }
        }
        print(&sides);
    });
}

/// One tree and its server.
struct Side {
    landfall: String,
    dir: PathBuf,
    token: String,
    server: Option<Serving>,
    /// A cursor for the last full page of everything.
    late: String,
    /// A cursor for what changed.
    changes: String,
    /// Pages and entries of everything, and how long it took to list them.
    whole: (u64, u64),
    listing: Duration,
    times: BTreeMap<&'static str, Vec<Duration>>,
    peaks: BTreeMap<&'static str, u64>,
}

impl Side {
    async fn new(landfall: &str, dir: &str) -> Self {
        let storage = Storage::open(Path::new(dir)).expect("a directory that `tree` made");
        let grant = TokenGrant::default();
        let token = storage.admin().create_token("bench", grant).await;
        Self {
            landfall: landfall.to_owned(),
            dir: dir.into(),
            token: token.expect("the account of `tree`"),
            server: None,
            late: String::new(),
            changes: String::new(),
            whole: (0, 0),
            listing: Duration::ZERO,
            times: BTreeMap::new(),
            peaks: BTreeMap::new(),
        }
    }

    /// Starts the server anew, after a kill: as after a power loss.
    fn start(&mut self) {
        drop(self.server.take());
        let mut command = Command::new(&self.landfall);
        command
            .args(["serve", "--listen", "127.0.0.1:0", "--data"])
            .arg(&self.dir)
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        let begun = Instant::now();
        self.server = Some(Serving::start(command));
        self.took("01 start until it listens", begun);
    }

    fn server(&self) -> &Serving {
        self.server.as_ref().expect("it was started")
    }

    fn calls(&self) -> Calls {
        Calls::new(self.server().url.clone(), &self.token)
    }

    fn took(&mut self, what: &'static str, begun: Instant) {
        self.times.entry(what).or_default().push(begun.elapsed());
    }

    /// Lists everything, and keeps cursors on the way.
    async fn find_cursors(&mut self) {
        let calls = self.calls();
        self.peaks.insert("before", self.server().peak_memory());
        let begun = Instant::now();
        let all = json!({"path": "", "recursive": true, "limit": PAGE}).to_string();
        let mut page = calls.rpc("files/list_folder", &all).await.ok();
        let mut cursor = String::new();
        loop {
            self.whole.0 += 1;
            self.whole.1 += entries(&page);
            let before = std::mem::replace(&mut cursor, text(&page["cursor"]));
            if page["has_more"] == json!(false) {
                self.changes = cursor;
                break;
            }
            // The last page may be a short one.
            self.late = before;
            let more = json!({"cursor": cursor}).to_string();
            page = calls.rpc("files/list_folder/continue", &more).await.ok();
        }
        self.listing = begun.elapsed();
        self.peaks.insert("after", self.server().peak_memory());
    }

    /// Each request once.
    async fn round(&mut self, round: usize) {
        let calls = self.calls();
        let run = std::process::id();
        // A connection, and the pages of the file that every request needs.
        calls
            .rpc("files/get_metadata", r#"{"path": "/big"}"#)
            .await
            .ok();

        for (what, path, autorename) in [
            (
                "02 finish in a new folder",
                format!("/new-{run}-{round}/file"),
                false,
            ),
            (
                "03 finish in the big folder",
                format!("/big/new-{run}-{round}"),
                false,
            ),
            (
                "04 finish, autorename, 1000 copies",
                "/copies/document.txt".into(),
                true,
            ),
            (
                "05 finish, autorename, big folder",
                "/big/item-000100.dat".into(),
                true,
            ),
        ] {
            let body = format!("{run} {round} {what}");
            let session = calls.start("{}", body.clone()).await;
            let commit = json!({"path": path, "autorename": autorename}).to_string();
            let begun = Instant::now();
            let saved = calls.finish(&session, body.len(), &commit, "").await.ok();
            self.took(what, begun);
            if autorename {
                // The number of copies stays.
                let path = json!({"path": saved["path_lower"]}).to_string();
                calls.rpc("files/delete_v2", &path).await.ok();
            }
        }

        let small = json!({"path": "/area-000/project-01/run-02"});
        let (big, root) = (
            json!({"path": "/big"}),
            json!({"path": "", "recursive": true}),
        );
        let cursor = |cursor: &str| json!({"cursor": cursor});
        let next = "files/list_folder/continue";
        self.timed(
            "06 list a small folder",
            &calls,
            "files/list_folder",
            &small,
        )
        .await;
        self.timed(
            "07 list the big folder, 1. page",
            &calls,
            "files/list_folder",
            &big,
        )
        .await;
        self.timed(
            "08 list everything, 1. page",
            &calls,
            "files/list_folder",
            &root,
        )
        .await;
        let late = cursor(&self.late);
        self.timed("09 list everything, last page", &calls, next, &late)
            .await;

        // What the finishes above changed, so that the next one finds nothing.
        self.changes = self.follow(&calls).await;
        let unchanged = cursor(&self.changes);
        let page = self
            .timed("10 continue, nothing changed", &calls, next, &unchanged)
            .await;
        assert_eq!(entries(&page), 0);
        let path = format!("/new-{run}-{round}/another");
        let arg = json!({"path": path}).to_string();
        calls.upload("files/upload", &arg, path.clone()).await.ok();
        let page = self
            .timed("11 continue, one change", &calls, next, &unchanged)
            .await;
        assert_eq!(entries(&page), 1);

        let path = json!({"path": path});
        self.timed("12 get_metadata", &calls, "files/get_metadata", &path)
            .await;
        let begun = Instant::now();
        calls.download(&path.to_string(), &[]).await;
        self.took("13 download", begun);
        self.timed("14 delete a file", &calls, "files/delete_v2", &path)
            .await;
        let begun = Instant::now();
        let session = calls.start("{}", "some").await;
        self.took("15 start", begun);
        let begun = Instant::now();
        calls.append(&session, 4, "more").await.ok();
        self.took("16 append", begun);
    }

    async fn timed(
        &mut self,
        what: &'static str,
        calls: &Calls,
        route: &str,
        arg: &Value,
    ) -> Value {
        let arg = arg.to_string();
        let begun = Instant::now();
        let answer = calls.rpc(route, &arg).await;
        self.took(what, begun);
        answer.ok()
    }

    /// The cursor after all changes.
    async fn follow(&self, calls: &Calls) -> String {
        let mut cursor = self.changes.clone();
        loop {
            let arg = json!({"cursor": cursor}).to_string();
            let page = calls.rpc("files/list_folder/continue", &arg).await.ok();
            cursor = text(&page["cursor"]);
            if page["has_more"] == json!(false) {
                return cursor;
            }
        }
    }
}

fn text(value: &Value) -> String {
    value.as_str().expect("text").to_owned()
}

fn entries(page: &Value) -> u64 {
    page["entries"].as_array().expect("entries").len() as u64
}

#[expect(clippy::print_stdout, reason = "the table is the program's answer")]
fn print(sides: &[Side; 2]) {
    let [small, large] = sides;
    println!("medians in ms              small          large   ratio");
    for (what, times) in &small.times {
        let (one, other) = (median(times), median(&large.times[what]));
        println!(
            "{:36} {one:9.2} {other:9.2} {:7.2}",
            &what[3..],
            other / one
        );
    }
    for side in sides {
        let (pages, entries) = side.whole;
        println!(
            "{entries} entries in {pages} pages took {:.1} s, {:.1} us each; peak memory {} MiB before, {} MiB after",
            side.listing.as_secs_f64(),
            side.listing.as_secs_f64() * 1e6 / entries as f64,
            side.peaks["before"] >> 20,
            side.peaks["after"] >> 20
        );
    }
}

/// In milliseconds.
fn median(times: &[Duration]) -> f64 {
    let mut times = times.to_vec();
    times.sort();
    times[times.len() / 2].as_secs_f64() * 1000.0
}
