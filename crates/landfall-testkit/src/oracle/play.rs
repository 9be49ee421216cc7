//! Cases against a server.

use super::{Answer, Bindings, Call, Case, Oracle, Setup, Step, chain, explain};
use crate::{Calls, Stores, TestServer};
use futures_util::future::join_all;
use landfall_server::upkeep::Policy;
use landfall_server::{Numbering, TokenGrant};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// A server to play cases against; each case has an account of its own.
#[derive(Debug)]
pub struct Player {
    server: TestServer,
    /// A session of somebody else.
    foreign: String,
    cases: u64,
}

/// An account of the server, and the oracle beside it.
#[derive(Debug)]
pub struct Playing<'p> {
    server: &'p TestServer,
    /// Its name.
    account: String,
    calls: Calls,
    oracle: Oracle,
    bindings: Bindings,
    /// Where the changes begin.
    cursor: Value,
}

impl Player {
    /// A new server on these stores.
    pub async fn start(stores: Stores) -> Self {
        let server = TestServer::start(stores, Numbering::Documented).await;
        let foreign = server.calls().start("{}", "somebody else's").await;
        Self {
            server,
            foreign,
            cases: 0,
        }
    }

    /// Plays a case; says how often what was met.
    ///
    /// # Errors
    /// Where the server did something else than the oracle.
    pub async fn play(&mut self, case: &Case) -> Result<BTreeMap<String, u64>, String> {
        let mut playing = self.begin(&case.setup).await?;
        for (nth, step) in case.steps.iter().enumerate() {
            let taken = playing.step(step).await;
            taken.map_err(|why| format!("step {nth}: {why}"))?;
        }
        playing.compare_all().await?;
        Ok(playing.oracle.met())
    }

    /// A new account.
    ///
    /// # Errors
    /// What the server drew for it, it drew before.
    pub async fn begin(&mut self, setup: &Setup) -> Result<Playing<'_>, String> {
        self.cases += 1;
        let name = format!("case {}", self.cases);
        let admin = self.server.admin();
        let added = admin.add_account(&name, setup.display_name.as_deref());
        added.await.expect("a new account");
        let limited = admin.set_quota(&name, setup.quota).await;
        limited.expect("a quota");
        let token = admin.create_token(&name, TokenGrant::default()).await;
        let calls = self.server.calls_with(&token.expect("a token"));
        let account = calls.rpc("users/get_current_account", "null").await.ok();

        let mut bindings = Bindings::default();
        let own = account["root_info"]["root_namespace_id"].as_str();
        bindings.bind("<namespace own>", own.expect("a namespace"))?;
        bindings.bind("<session foreign>", &self.foreign)?;
        let everything = json!({"path": "", "recursive": true}).to_string();
        let route = "files/list_folder/get_latest_cursor";
        let cursor = calls.rpc(route, &everything).await.ok();
        Ok(Playing {
            server: &self.server,
            account: name,
            calls,
            oracle: Oracle::new(setup, self.server.now()),
            bindings,
            cursor,
        })
    }
}

impl Playing<'_> {
    /// Takes a step, and compares what came of it.
    ///
    /// # Errors
    /// The server did something else than the oracle.
    pub async fn step(&mut self, step: &Step) -> Result<(), String> {
        match step {
            Step::Wait(seconds) => {
                self.server.clock().advance_seconds(*seconds);
                self.oracle.wait(*seconds);
            }
            Step::Quota(bytes) => {
                let admin = self.server.admin();
                let limited = admin.set_quota(&self.account, Some(*bytes));
                limited.await.expect("a quota");
                self.oracle.limit(*bytes);
            }
            Step::Upkeep => {
                let done = self.server.upkeep().run(Policy::default()).await;
                done.expect("the upkeep works");
                self.oracle.upkeep();
            }
            Step::Call(call) => {
                if !self.bindings.knows(&call.argument()) {
                    // Of folders that a commit made on its way, the answers tell nothing.
                    self.compare_tree().await?;
                }
                let wanted = self.oracle.answer(call);
                let got = self.call(call).await;
                self.agree(&wanted, &got)?;
            }
        }
        Ok(())
    }

    /// Sends calls all at once and finds an order that explains what they are told.
    ///
    /// # Errors
    /// There is none.
    pub async fn at_once(&mut self, calls: Vec<Call>) -> Result<(), String> {
        let told = join_all(calls.iter().map(|call| self.call(call))).await;
        let history: Vec<(Call, Answer)> = calls.into_iter().zip(told).collect();
        let explained = explain(&self.oracle, &self.bindings, &history)?;
        (self.oracle, self.bindings) = (explained.oracle, explained.bindings);
        Ok(())
    }

    /// Compares the tree, its changes, all contents and the feed.
    ///
    /// # Errors
    /// Something is otherwise than the oracle says.
    pub async fn compare_all(&mut self) -> Result<(), String> {
        self.compare_tree().await?;
        self.compare_changes().await?;
        self.compare_contents().await?;
        self.compare_feed().await
    }

    /// The oracle as it is now.
    pub fn oracle(&self) -> &Oracle {
        &self.oracle
    }

    fn agree(&mut self, wanted: &Answer, got: &Answer) -> Result<(), String> {
        let agreed = match wanted.status == got.status {
            true => self.bindings.agree(&wanted.body, &got.body),
            false => Err("another status".to_owned()),
        };
        agreed.map_err(|why| format!("{why}\nwanted {wanted:?}\ngot    {got:?}"))
    }

    async fn call(&self, call: &Call) -> Answer {
        let argument = self.bindings.json(&call.argument()).to_string();
        let answer = match call.body() {
            None => self.calls.rpc(call.route(), &argument).await,
            Some(body) if body.huge => {
                self.calls
                    .announce(call.route(), &argument, body.length())
                    .await
            }
            Some(body) => {
                self.calls
                    .upload(call.route(), &argument, body.bytes.clone())
                    .await
            }
        };
        let mut body = answer.value();
        if let (Call::FinishBatch { job: true, .. }, 200) = (call, answer.status) {
            let job = body["async_job_id"].as_str().expect("a job");
            body = json!({"entries": self.calls.outcome(job).await});
        }
        if answer.status == 507 {
            // Its text is for people.
            body = Value::Null;
        }
        if answer.status == 409 {
            let error = body["error"].clone();
            assert_eq!(
                answer.error(),
                chain(&error),
                "the summary tells the error's tags"
            );
            body = error;
        }
        Answer {
            status: answer.status,
            body,
        }
    }

    async fn compare_tree(&mut self) -> Result<(), String> {
        let arg = json!({"path": "", "recursive": true, "limit": 2000});
        let page = self.calls.list(&arg).await.ok();
        let wanted = Value::Array(self.oracle.listing());
        let agreed = self.bindings.agree(&wanted, &page["entries"]);
        agreed.map_err(|why| format!("the tree: {why}\nin {:#}", page["entries"]))
    }

    /// Who applies all changes since the beginning has the tree.
    async fn compare_changes(&mut self) -> Result<(), String> {
        let mut page = self.cursor.clone();
        let mut tree: BTreeMap<String, Value> = BTreeMap::new();
        loop {
            let cursor = page["cursor"].as_str().expect("a cursor").to_owned();
            page = self.calls.list_on(&cursor).await.ok();
            for entry in page["entries"].as_array().expect("entries") {
                let key = entry["path_lower"].as_str().expect("a path").to_owned();
                if entry[".tag"] == "deleted" {
                    let below = format!("{key}/");
                    tree.retain(|path, _| *path != key && !path.starts_with(&below));
                } else {
                    tree.insert(key, entry.clone());
                }
            }
            if page["has_more"] == false {
                break;
            }
        }
        let wanted = Value::Array(self.oracle.listing());
        let got: Value = tree.into_values().collect();
        let agreed = self.bindings.agree(&wanted, &got);
        agreed.map_err(|why| format!("the changes: {why}\nin {got:#}"))
    }

    async fn compare_contents(&self) -> Result<(), String> {
        let revisions = self.oracle.revisions().into_iter();
        let by_rev = revisions.map(|(rev, bytes)| (format!("rev:{rev}"), bytes));
        for (path, bytes) in self.oracle.files().into_iter().chain(by_rev) {
            if !self.bindings.knows(&json!(path)) {
                // It was replaced before anybody was told of it.
                continue;
            }
            let path = self.bindings.text(&path);
            let answer = self
                .calls
                .download(&json!({ "path": path }).to_string(), &[])
                .await;
            if answer.status != 200 || answer.body != bytes {
                let length = answer.body.len();
                return Err(format!(
                    "{path} has {length} other bytes, status {}",
                    answer.status
                ));
            }
        }
        Ok(())
    }

    async fn compare_feed(&mut self) -> Result<(), String> {
        let last = "/the end of the feed";
        self.step(&Step::Call(Call::CreateFolder {
            path: last.to_owned(),
            autorename: false,
        }))
        .await?;
        let mut events = self.calls.notifications(Some("0")).await;
        let mut got = Vec::new();
        let mut numbers = vec![0];
        while got
            .last()
            .is_none_or(|event: &Value| event["path_display"] != last)
        {
            let event = events.next().await.expect("the stream goes on");
            numbers.push(event.id);
            got.push(event.data);
        }
        assert!(numbers.is_sorted_by(|one, next| one < next), "{numbers:?}");
        let wanted = Value::Array(self.oracle.feed().to_vec());
        let agreed = self.bindings.agree(&wanted, &Value::Array(got.clone()));
        agreed.map_err(|why| format!("the feed: {why}\nwanted {wanted:#}\ngot {got:#?}"))
    }
}
