//! When something is wrong, the tool says in one line what, where and what to do, and its exit
//! code says of which kind it is.

use landfall_testkit::Tool;
use std::net::TcpListener;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;

fn tool() -> Tool {
    Tool::new(env!("CARGO_BIN_EXE_landfall"))
}

#[test]
fn a_source_that_can_not_be_read_is_named() {
    let tool = tool();
    assert!(
        tool.run(["put", "missing.txt", "/x"])
            .fails(4)
            .contains("missing.txt")
    );
    std::fs::create_dir(tool.path("folder")).unwrap();
    assert!(
        tool.run(["put", "folder", "/x"])
            .fails(4)
            .contains("folder")
    );
    let socket = tool.path("socket");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    assert!(
        tool.run(["put", "socket", "/x"])
            .fails(4)
            .contains("socket")
    );
    assert!(
        tool.run(["put", "/dev/null", "/x"])
            .fails(4)
            .contains("/dev/null")
    );
    assert_eq!(tool.run(["ls"]).ok(), "", "nothing was saved");
}

#[test]
fn a_file_without_read_permission_is_named() {
    let tool = tool();
    let secret = tool.write("secret", "x");
    std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o000)).unwrap();
    if std::fs::read(&secret).is_ok() {
        // Who may read everything (root) can't be refused; a name below a file is refused to
        // anybody.
        assert!(
            tool.run(["put", "secret/inner", "/x"])
                .fails(4)
                .contains("secret/inner")
        );
        return;
    }
    assert!(
        tool.run(["put", "secret", "/x"])
            .fails(4)
            .contains("secret")
    );
}

#[test]
fn a_path_that_is_not_there_is_named() {
    let tool = tool();
    for args in [
        &["get", "/nope", "x"][..],
        &["stat", "/nope"],
        &["ls", "/nope"],
        &["rm", "/nope"],
    ] {
        assert!(
            tool.run(args.iter().copied()).fails(4).contains("/nope"),
            "{args:?}"
        );
    }
    assert!(!tool.path("x").exists());
}

#[test]
fn bad_paths_and_names_are_refused_before_anything_is_sent() {
    let tool = tool();
    tool.write("file", "x");
    for path in ["/a\\b", "/a/../b", "/desktop.ini"] {
        let run = tool.run(["put", "file", path]);
        assert!(matches!(run.code, Some(code) if code != 0), "{run:?}");
        assert!(run.stderr.contains(path), "{run:?}");
        assert_eq!(run.stderr.lines().count(), 1, "{run:?}");
    }
}

#[test]
fn usage_errors_have_their_code() {
    let tool = tool();
    for args in [
        &["put"][..],
        &["nope"],
        &["put", "a", "/b", "--if-exists", "maybe"],
        &["--remote", "nowhere", "ls"],
    ] {
        assert_eq!(tool.run(args.iter().copied()).code, Some(2), "{args:?}");
    }
    assert_eq!(
        tool.run(["--version"]).ok(),
        concat!("landfall ", env!("CARGO_PKG_VERSION"))
    );
}

#[test]
fn a_server_that_can_not_be_reached_is_named() {
    let tool = tool();
    tool.write("file", "x");
    // A port that was free a moment ago, and that nobody listens on.
    let free = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let url = format!("http://{free}");
    for args in [&["put", "file", "/x"][..], &["ls"], &["get", "/x", "y"]] {
        let mut command = tool.command(["--remote", &url]);
        command.args(args).env("LANDFALL_TOKEN", "test-token");
        let run = landfall_testkit::Run::of(command);
        assert!(
            run.fails(6).contains(&free.to_string()),
            "{args:?}: {run:?}"
        );
    }
}

#[test]
fn a_bad_token_is_told_and_not_shown() {
    let tool = tool();
    let mut serving = tool.serve(["--ephemeral"]);
    let token = serving.line();
    tool.write("file", "x");
    let with = |token: &str, args: &[&str]| {
        let mut command = tool.command(["--remote", &serving.url]);
        command.args(args).env("LANDFALL_TOKEN", token);
        landfall_testkit::Run::of(command)
    };
    with(&token, &["put", "file", "/x"]).ok();
    let run = with("wrong-canary-token", &["put", "file", "/y"]);
    run.fails(3);
    assert!(!run.stderr.contains("canary"), "{run:?}");
}

#[test]
fn a_target_that_is_there_is_not_replaced_unless_asked() {
    let tool = tool();
    tool.write("file", "new");
    tool.write("mine", "precious");
    tool.run(["put", "file", "/file"]).ok();
    assert!(tool.run(["get", "/file", "mine"]).fails(5).contains("mine"));
    assert_eq!(tool.read("mine"), b"precious");
    tool.run(["get", "/file", "mine", "--force"]).ok();
    assert_eq!(tool.read("mine"), b"new");
    assert!(
        tool.run(["get", "/file", "no/such/folder/x"])
            .stderr
            .contains("no/such/folder")
    );
}

#[test]
fn a_full_standard_output_is_no_space() {
    let tool = tool();
    tool.write("file", "x".repeat(100_000));
    tool.run(["put", "file", "/file"]).ok();
    let mut command = tool.command(["get", "/file", "-"]);
    command.stdout(
        std::fs::OpenOptions::new()
            .write(true)
            .open("/dev/full")
            .unwrap(),
    );
    landfall_testkit::Run::of(command).fails(7);
}

#[test]
fn a_damaged_file_is_not_delivered() {
    let tool = tool();
    tool.write("file", landfall_testkit::pattern(1, 300_000));
    tool.run(["put", "file", "/file"]).ok();
    let blobs = tool.local().join("blobs");
    let writer = std::fs::read_dir(&blobs)
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let blob = std::fs::read_dir(&writer)
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let mut bytes = std::fs::read(&blob).unwrap();
    bytes[150_000] ^= 1;
    std::fs::write(&blob, bytes).unwrap();
    let run = tool.run(["get", "/file", "down"]);
    assert_eq!(run.code, Some(6), "{run:?}");
    // The server in the tool logs each failure before the tool says what they come to.
    let why = run.stderr.lines().last().unwrap_or_default();
    assert!(why.contains("3 times in a row at byte 0"), "{run:?}");
    assert!(!tool.path("down").exists(), "no file with wrong bytes");
}

#[test]
fn the_root_can_not_be_got_and_a_name_that_is_not_text_can_be_put_under_another() {
    let tool = tool();
    for dest in ["-", "x"] {
        let run = tool.run(["get", "/", dest]);
        assert!(run.fails(2).contains('/'), "{run:?}");
    }
    let name = std::ffi::OsStr::from_bytes(b"bad\xff");
    std::fs::write(tool.path("").join(name), "x").unwrap();
    let put = |dest: &str| {
        let mut command = tool.command(["put"]);
        command.arg(name).arg(dest);
        landfall_testkit::Run::of(command)
    };
    put("/").fails(4);
    assert_eq!(put("/good").ok(), "/good");
}
