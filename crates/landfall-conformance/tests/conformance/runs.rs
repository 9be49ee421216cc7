//! What the tests of the suite share.

use landfall_conformance::{
    Hosts, Numbering, Options, Outcome, Service, Summary, Token, Verdict, run,
};
use landfall_testkit::{Stores, TestServer};

/// A run without interruption.
pub(crate) struct Finished {
    pub(crate) summary: Summary,
    pub(crate) results: Vec<Verdict>,
}

impl Finished {
    /// The names of the cases that failed or differed.
    pub(crate) fn missed(&self) -> Vec<&'static str> {
        let missed = self
            .results
            .iter()
            .filter(|result| matches!(result.outcome, Outcome::Fails(_) | Outcome::Differs(_)));
        missed.map(|result| result.case.name).collect()
    }

    /// What is to be seen of those, for a test that fails.
    pub(crate) fn shown(&self) -> String {
        let shown = self
            .results
            .iter()
            .filter_map(|result| match &result.outcome {
                Outcome::Fails(finding) | Outcome::Differs(finding) => {
                    Some(format!("{}: {finding:#?}", result.case.name))
                }
                _ => None,
            });
        shown.collect::<Vec<_>>().join("\n")
    }
}

/// The service at this URL, with this token.
pub(crate) fn service(url: &str, token: &str) -> Service {
    let hosts = Hosts::at(url, false).expect("a URL");
    let token = Token::parse(token).expect("a token");
    Service::new(hosts, token, None).expect("a service")
}

/// Asks what is at this URL with this token.
pub(crate) async fn ask(url: &str, token: &str, options: &Options) -> Finished {
    ask_service(&service(url, token), options).await
}

/// Asks a service.
pub(crate) async fn ask_service(service: &Service, options: &Options) -> Finished {
    let mut results = Vec::new();
    let told = |result: &Verdict| {
        results.push(result.clone());
        Ok(())
    };
    let summary = run(service, options, std::future::pending(), told).await;
    let summary = summary.expect("a run");
    Finished { summary, results }
}

/// Runs a test against a server of its own that numbers as the options expect.
pub(crate) fn with_server<F: Future<Output = ()>>(
    stores: Stores,
    numbering: Numbering,
    test: impl FnOnce(TestServer) -> F,
) {
    let numbering = match numbering {
        Numbering::Documented => landfall_server::Numbering::Documented,
        Numbering::Observed => landfall_server::Numbering::Observed,
    };
    TestServer::run_numbering(stores, numbering, test);
}
