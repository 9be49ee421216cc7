//! Moving, copying and going back, as a user does it.

use landfall_testkit::{Stores, TestServer, Tool};
use serde_json::Value;

fn tool() -> Tool {
    Tool::new(env!("CARGO_BIN_EXE_landfall"))
}

#[test]
fn files_and_folders_are_moved_and_copied() {
    let tool = tool();
    tool.write("file", "bytes");
    tool.run(["put", "file", "/a/file"]).ok();
    assert_eq!(tool.run(["mv", "/a/file", "/b/Name"]).ok(), "/b/Name");
    assert_eq!(
        tool.run(["cp", "b", "/copies/"]).ok(),
        "/copies/b",
        "into what is made"
    );
    assert_eq!(
        tool.run(["cp", "/b/Name", "/a"]).ok(),
        "/a/Name",
        "into an existing folder"
    );
    assert_eq!(tool.run(["get", "/copies/b/Name", "-"]).ok(), "bytes");
    let id =
        serde_json::from_str::<Value>(tool.run(["stat", "/b/Name", "--json"]).ok()).unwrap()["id"]
            .as_str()
            .unwrap()
            .to_owned();
    assert_eq!(tool.run(["mv", &id, "/"]).ok(), "/Name");

    let refused = tool.run(["cp", "/Name", "/a/Name"]);
    assert!(
        refused.fails(5).contains("can't copy /Name to /a/Name"),
        "{}",
        refused.stderr
    );
    assert_eq!(
        tool.run(["cp", "/Name", "/a/Name", "--rename"]).ok(),
        "/a/Name (2)"
    );
    assert!(
        tool.run(["mv", "/nowhere", "/x"])
            .fails(4)
            .contains("/nowhere")
    );
    assert!(
        tool.run(["mv", "/nowhere", "/a/"])
            .fails(4)
            .contains("/nowhere")
    );
    assert!(tool.run(["mv", "/a", "/a/b/c"]).fails(2).contains("/a/b/c"));
    assert!(tool.run(["mv", "/", "/a/x"]).fails(2).contains("root"));
}

#[test]
fn a_file_is_made_again_what_it_was() {
    let tool = tool();
    for text in ["one", "two"] {
        tool.write("file", text);
        tool.run(["put", "file", "/file", "--if-exists", "overwrite"])
            .ok();
    }
    let listed = tool.run(["revs", "/file"]).ok().to_owned();
    let revs: Vec<&str> = listed
        .lines()
        .map(|line| line.rsplit(' ').next().unwrap())
        .collect();
    assert_eq!(revs.len(), 2, "{listed}");
    tool.run(["rm", "/file"]).ok();
    assert_eq!(tool.run(["restore", "/file", revs[1]]).ok(), "/file");
    assert_eq!(tool.run(["get", "/file", "-"]).ok(), "one");

    tool.run(["mv", "/file", "/moved"]).ok();
    assert_eq!(tool.run(["revs", "/moved"]).ok().lines().count(), 1);
    let followed = tool.run(["revs", "--follow", "/moved"]).ok().to_owned();
    assert!(
        followed.lines().next().unwrap().ends_with("  /moved"),
        "{followed}"
    );
    let elsewhere = tool.run(["restore", "/moved", revs[0]]);
    let told = elsewhere.fails(4);
    assert!(
        told.contains("/moved") && told.contains("landfall revs"),
        "{told}"
    );
    assert!(tool.run(["revs", "/nowhere"]).fails(4).contains("/nowhere"));
    assert!(
        tool.run(["restore", "/nowhere", revs[0]])
            .fails(4)
            .contains("/nowhere")
    );
}

#[test]
fn more_revisions_than_a_page_are_listed() {
    TestServer::run(Stores::Memory, async |server| {
        for nth in 0..102 {
            server.calls().put("/file", nth.to_string()).await;
        }
        let tool = tool();
        tool.write("token", server.token());
        let url = server.url();
        let remote = ["--remote", &url, "--token-file", "token", "revs", "/file"];
        assert_eq!(tool.run(remote).ok().lines().count(), 102);
        let followed = tool.run(remote.into_iter().chain(["--follow"]));
        assert_eq!(followed.ok().lines().count(), 100);
        let told = "older revisions of /file are not shown";
        assert!(followed.stderr.contains(told), "{}", followed.stderr);
    });
}
