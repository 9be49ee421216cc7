//! What people, shells and packagers ask the tool for: help, completions and manual pages.

use landfall_testkit::{Run, Tool};
use std::process::Stdio;

fn tool() -> Tool {
    Tool::new(env!("CARGO_BIN_EXE_landfall"))
}

#[test]
fn help_says_how_a_command_is_typed_before_all_there_is_to_type() {
    let tool = tool();
    for flag in ["-h", "--help"] {
        let run = tool.run(["put", flag]);
        let help = run.ok();
        let at = |text: &str| help.find(text).unwrap_or_else(|| panic!("{text}: {help}"));
        let order = [
            at("Upload files and folders"),
            at("Examples:"),
            at("landfall put - /db.sql"),
            at("Usage: landfall put"),
            at("--if-exists <"),
            at("A large file that was interrupted"),
        ];
        assert!(order.is_sorted(), "{order:?}: {help}");
    }
}

#[test]
fn each_shell_gets_completions_of_commands_and_options() {
    let tool = tool();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let run = tool.run(["completions", shell]);
        for word in ["put", "append-batch", "token-file"] {
            assert!(run.ok().contains(word), "{shell}: {word}");
        }
    }
    assert_eq!(tool.run(["completions", "sh"]).code, Some(2));
}

#[test]
fn bash_understands_its_completions() {
    let tool = tool();
    let script = tool.run(["completions", "bash"]).ok().to_owned();
    tool.write("completions", script);
    let mut bash = std::process::Command::new("bash");
    bash.args(["-c", ". ./completions && complete -p landfall"])
        .current_dir(tool.path(""))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    assert!(Run::of(bash).ok().contains("_landfall"));
}

#[test]
fn every_command_has_a_manual_page_with_its_options_and_their_environment() {
    let tool = tool();
    assert!(tool.run(["man"]).ok().contains("landfall\\-put(1)"));
    assert_eq!(tool.run(["man", "share/man1"]).ok(), "");
    let page = |name: &str| String::from_utf8(tool.read(&format!("share/man1/{name}"))).unwrap();
    for name in ["landfall.1", "landfall-get.1", "landfall-session-finish.1"] {
        assert!(page(name).contains("LANDFALL_REMOTE"), "{name}");
    }
    let put = page("landfall-put.1");
    assert!(put.contains("LANDFALL_IF_EXISTS") && put.contains("already"));
    let (example, note) = (
        put.find("landfall put a.txt"),
        put.find("A large file that"),
    );
    assert!(example.is_some() && example < note, "{put}");
}

#[test]
fn no_value_of_the_environment_gets_into_what_is_published() {
    let tool = tool();
    for args in [&["man"][..], &["completions", "zsh"]] {
        let mut command = tool.command(args.iter().copied());
        for name in ["LANDFALL_TOKEN", "LANDFALL_TOKEN_FILE", "LANDFALL_REMOTE"] {
            command.env(name, "canary");
        }
        assert!(!Run::of(command).ok().contains("canary"), "{args:?}");
    }
}

#[test]
fn a_place_that_takes_no_pages_is_named() {
    let tool = tool();
    tool.write("file", "");
    assert!(
        tool.run(["man", "file/man1"])
            .fails(1)
            .contains("file/man1")
    );
}
