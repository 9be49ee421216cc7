//! The tool as a user runs it: a process with a home of its own.

use landfall_server::sys::open_files::{open_files, raise_open_files};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// The binary, and a directory that is its whole world: `home/` for its data and configuration,
/// `work/` as the current directory.
#[derive(Debug)]
pub struct Tool {
    binary: PathBuf,
    world: TempDir,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// The exit code; `None`: a signal.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Tool {
    /// The tool in a world that is empty; the tests of a package pass
    /// `env!("CARGO_BIN_EXE_landfall")`.
    pub fn new(binary: &str) -> Self {
        let world = tempfile::tempdir().expect("a temporary directory");
        for dir in ["home", "work"] {
            std::fs::create_dir(world.path().join(dir)).expect("a directory");
        }
        Self {
            binary: binary.into(),
            world,
        }
    }

    /// A path in the current directory of the runs.
    pub fn path(&self, name: &str) -> PathBuf {
        self.world.path().join("work").join(name)
    }

    /// Where the remote `local` keeps things.
    pub fn local(&self) -> PathBuf {
        self.world.path().join("home/local")
    }

    /// Writes a file into the current directory of the runs.
    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, bytes).expect("a file is written");
        path
    }

    /// Reads a file in the current directory of the runs.
    pub fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// A run, not started yet.
    pub fn command<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> Command {
        let mut command = Command::new(&self.binary);
        let home = self.world.path().join("home");
        command
            .args(args)
            .current_dir(self.world.path().join("work"))
            .env_clear()
            .env("HOME", &home)
            .env("LANDFALL_HOME", self.local())
            .env("LANDFALL_CONFIG", home.join("config.toml"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs it to its end.
    pub fn run<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> Run {
        Run::of(self.command(args))
    }

    /// Runs it with these bytes on standard input.
    pub fn run_with_input<'a>(&self, args: impl IntoIterator<Item = &'a str>, input: &[u8]) -> Run {
        let mut child = self
            .command(args)
            .stdin(Stdio::piped())
            .spawn()
            .expect("the tool starts");
        let mut stdin = child.stdin.take().expect("a pipe");
        let input = input.to_vec();
        let feeder = std::thread::spawn(move || {
            // A run that fails early doesn't read all of it.
            let _ = stdin.write_all(&input);
        });
        let run = Run::wait(child);
        feeder.join().expect("the feeder ends");
        run
    }

    /// Starts `serve` with these further arguments and waits until it listens.
    pub fn serve<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> Serving {
        let mut command = self.command(["serve", "--listen", "127.0.0.1:0"]);
        command.args(args);
        Serving::start(command)
    }
}

impl Run {
    /// Runs a command to its end.
    pub fn of(mut command: Command) -> Self {
        Self::wait(
            command
                .spawn()
                .unwrap_or_else(|error| panic!("{command:?}: {error}")),
        )
    }

    /// Waits for a process whose outputs are pipes.
    pub fn wait(child: Child) -> Self {
        let output = child.wait_with_output().expect("the process ends");
        Self {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// The standard output of a success, without the line's end.
    pub fn ok(&self) -> &str {
        assert_eq!(self.code, Some(0), "{self:?}");
        self.stdout.trim_end_matches('\n')
    }

    /// The one line of a failure with this exit code.
    pub fn fails(&self, code: i32) -> &str {
        assert_eq!(self.code, Some(code), "{self:?}");
        let line = self.stderr.trim_end_matches('\n');
        assert!(!line.contains('\n'), "more than one line: {}", self.stderr);
        assert!(line.starts_with("landfall: "), "{line}");
        line
    }
}

/// A server that runs; it is killed when this is dropped.
#[derive(Debug)]
pub struct Serving {
    child: Child,
    stdout: BufReader<std::process::ChildStdout>,
    /// Where it listens.
    pub url: String,
}

impl Serving {
    /// Starts a `serve` command and waits until it listens.
    pub fn start(mut command: Command) -> Self {
        command.stderr(Stdio::inherit()).env("RUST_LOG", "warn");
        Self::spawn(command)
    }

    /// The same, with a log of all requests in a file.
    pub fn start_logging(mut command: Command, log: &Path) -> Self {
        let log = std::fs::File::create(log).expect("a file");
        command.stderr(log).env("RUST_LOG", "info");
        Self::spawn(command)
    }

    /// The same, with a log of all that can be logged in a file.
    pub fn start_tracing(mut command: Command, log: &Path) -> Self {
        let log = std::fs::File::create(log).expect("a file");
        command.stderr(log).env("RUST_LOG", "trace");
        Self::spawn(command)
    }

    fn spawn(mut command: Command) -> Self {
        let mut child = command.spawn().expect("the server starts");
        let mut stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        let line = line(&mut stdout);
        let url = line.strip_prefix("listening on ");
        let url = url
            .unwrap_or_else(|| panic!("the first line is {line:?}"))
            .to_owned();
        Self { child, stdout, url }
    }

    /// The next line that it prints.
    pub fn line(&mut self) -> String {
        line(&mut self.stdout)
    }

    /// The most memory that it ever had, in bytes.
    pub fn peak_memory(&self) -> u64 {
        peak_memory(self.child.id())
    }

    /// The process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Kills it, as power loss would end it.
    pub fn kill(mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ends");
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Lets this process have so many files and sockets open.
pub fn allow_open_files(most: u64) {
    raise_open_files();
    let allowed = open_files();
    assert!(
        allowed >= most,
        "this test needs {most} open files, and the system allows {allowed}: raise the hard limit (ulimit -Hn)"
    );
}

fn line(from: &mut impl BufRead) -> String {
    let mut line = String::new();
    from.read_line(&mut line).expect("a line");
    line.trim_end_matches('\n').to_owned()
}

/// The most memory that a running process ever had, in bytes.
pub fn peak_memory(process: u32) -> u64 {
    let mut status = String::new();
    std::fs::File::open(Path::new("/proc").join(process.to_string()).join("status"))
        .and_then(|mut file| file.read_to_string(&mut status))
        .expect("the process runs, on a system with /proc");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.expect("a peak").trim().trim_end_matches(" kB");
    kilobytes.parse::<u64>().expect("a number") * 1024
}
