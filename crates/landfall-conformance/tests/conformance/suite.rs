//! The suite against Landfall's own server.

use crate::front::{Answered, Asked, Fault, Front, SOUND};
use crate::runs::{ask, ask_service, service, with_server};
use landfall_conformance::{
    Hosts, Numbering, Options, Outcome, Service, Token, Trouble, Verdict, cases, describe, run,
};
use landfall_protocol::routes::{Host, ROUTES};
use landfall_testkit::{Stores, TestServer};
use std::future::pending;

fn every_case_holds(stores: Stores, numbering: Numbering) {
    with_server(stores, numbering, |server| async move {
        let options = Options {
            numbering,
            strict: true,
            ..Options::default()
        };
        let finished = ask(&server.url(), server.token(), &options).await;
        assert_eq!(finished.missed(), [""; 0], "{}", finished.shown());
        assert_eq!(finished.summary.ok, cases().count(), "none is skipped");
        assert_eq!(finished.summary.left, None);
        assert_eq!(server.calls().tree().await, [""; 0], "the folder is gone");
    });
}

#[test]
fn every_case_holds_for_a_server_in_memory() {
    every_case_holds(Stores::Memory, Numbering::Documented);
}

#[test]
fn every_case_holds_for_a_server_in_memory_with_the_observed_numbers() {
    every_case_holds(Stores::Memory, Numbering::Observed);
}

#[test]
fn every_case_holds_for_a_server_in_a_directory() {
    every_case_holds(Stores::Directory, Numbering::Documented);
}

#[test]
fn every_case_holds_for_a_server_in_a_directory_with_the_observed_numbers() {
    every_case_holds(Stores::Directory, Numbering::Observed);
}

/// What a host says to a route that isn't its own.
fn misdirected(own: Host, asked: &Asked, answered: &mut Answered) {
    let path = asked.path.split('?').next().unwrap_or_default();
    let tail = path.split_once("/files/").map_or("", |(_, tail)| tail);
    let route = ROUTES
        .iter()
        .find(|route| route.tail.strip_prefix("files/") == Some(tail));
    let host = route.map_or(Host::Api, |route| route.host);
    if host != own {
        answered.replace(421, "text/plain", "Misdirected.");
    }
}

#[test]
fn each_route_is_asked_at_its_own_host() {
    fn host(answer: fn(&Asked, &mut Answered, bool) -> Option<Asked>) -> Fault {
        Fault { answer, ..SOUND }
    }
    TestServer::run(Stores::Memory, |server| async move {
        let api = host(|asked, answered, _| {
            misdirected(Host::Api, asked, answered);
            None
        });
        let content = host(|asked, answered, _| {
            misdirected(Host::Content, asked, answered);
            None
        });
        let notify = host(|asked, answered, _| {
            misdirected(Host::Notify, asked, answered);
            None
        });
        let api = Front::before(&server, api).await;
        let content = Front::before(&server, content).await;
        let notify = Front::before(&server, notify).await;
        let hosts = Hosts::apart(&api.url, &content.url, &notify.url, false);
        let token = Token::parse(server.token()).expect("a token");
        let service = Service::new(hosts.expect("URLs"), token, None).expect("a service");
        let finished = ask_service(&service, &Options::default()).await;
        assert_eq!(finished.missed(), [""; 0], "{}", finished.shown());
    });
}

#[test]
fn cases_can_be_chosen_and_nothing_else_of_the_account_is_touched() {
    TestServer::run(Stores::Memory, |server| async move {
        server.calls().put("/landfall-conformance/own", "x").await;
        let options = Options {
            only: "finish/".into(),
            ..Options::default()
        };
        let finished = ask(&server.url(), server.token(), &options).await;
        let chosen = cases().filter(|case| case.family() == "finish").count();
        assert_eq!(
            (finished.summary.ok, finished.results.len()),
            (chosen, chosen)
        );
        let kept = ["/landfall-conformance", "/landfall-conformance/own"];
        assert_eq!(server.calls().tree().await, kept);
    });
}

#[test]
fn a_name_that_no_case_has_is_told_before_anything_is_asked() {
    TestServer::run(Stores::Memory, |server| async move {
        let service = service(&server.url(), server.token());
        let options = Options {
            only: "finsih/".into(),
            ..Options::default()
        };
        let told = |_: &Verdict| Ok(());
        let refused = run(&service, &options, pending(), told);
        assert!(matches!(refused.await, Err(Trouble::NoCase(name)) if name == "finsih/"));
    });
}

#[test]
fn what_the_sources_leave_open_differs_and_fails_only_when_strict() {
    with_server(Stores::Memory, Numbering::Observed, |server| async move {
        for strict in [false, true] {
            // The server counts from one, the suite from two.
            let options = Options {
                strict,
                only: "commit/autorename-goes-on".into(),
                ..Options::default()
            };
            let finished = ask(&server.url(), server.token(), &options).await;
            let outcome = &finished.results[0].outcome;
            let wanted = match outcome {
                Outcome::Fails(_) => strict,
                Outcome::Differs(_) => !strict,
                _ => false,
            };
            assert!(wanted, "{outcome:?}");
            assert_eq!(
                (finished.summary.fails, finished.summary.differs),
                if strict { (1, 0) } else { (0, 1) }
            );
        }
    });
}

#[test]
fn the_page_is_what_the_program_describes() {
    let page = include_str!("../../../../docs/conformance.md");
    assert!(
        page == describe(),
        "docs/conformance.md is out of date: `cargo run -p landfall-conformance -- --describe > docs/conformance.md`"
    );
}
