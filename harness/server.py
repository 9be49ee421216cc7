"""The server as a process of our own."""

import ctypes
import os
import select
import signal
import subprocess
from pathlib import Path

START = 60
DIES_WITH_PARENT = 1  # PR_SET_PDEATHSIG
LIBC = ctypes.CDLL(None)


class DoesNotStart(Exception):
    """What a server that was acknowledged to hold data must never do; `code` is its exit code."""

    def __init__(self, why, code):
        super().__init__(f"the server doesn't start: {why}")
        self.code = code


class Server:
    """A running `landfall serve`; `prefix` is a program to run it under, `plan` are faults.
    With `requests` each request is in the log (see `answered`)."""

    def __init__(self, binary, data, log, prefix=(), weakened=True, plan="", options=(), requests=False):
        command = [*prefix, binary, "serve", "--data", str(data), "--listen", "127.0.0.1:0", *options]
        self.log = Path(log)
        with open(log, "ab") as stderr:
            self.process = subprocess.Popen(
                command,
                env=environment(weakened, plan, requests),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=stderr,
                # A harness that is killed leaves no server behind, and so no mount.
                preexec_fn=lambda: LIBC.prctl(DIES_WITH_PARENT, signal.SIGKILL),
            )
        self._wrapped = bool(prefix)
        try:
            line = self._first_line()
            if not line.startswith("listening on "):
                raise DoesNotStart(f"{line!r} {self.complaint()}", self.process.poll())
            self.port = int(line.rsplit(":", 1)[1])
        except BaseException:
            self.kill()
            raise

    def kill(self):
        """As if the power went: no chance to tidy up."""
        if self.process.poll() is None:
            os.kill(self._pid(), signal.SIGKILL)
        self.process.wait()
        self.process.stdout.close()

    def stop(self):
        """In good order; the exit code."""
        if self.process.poll() is None:
            os.kill(self._pid(), signal.SIGTERM)
        code = self.process.wait(START)
        self.process.stdout.close()
        return code

    def complaint(self):
        """The last that it said."""
        return self.log.read_text(errors="replace")[-600:]

    def _first_line(self):
        ready, _, _ = select.select([self.process.stdout], [], [], START)
        line = self.process.stdout.readline().decode().strip() if ready else ""
        if ready and not line:
            self.process.wait(START)
        return line

    def _pid(self):
        """The server itself: the program around it then ends by itself."""
        pid = self.process.pid
        if self._wrapped:
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
            pid = int(children[0]) if children else pid
        return pid


def account(binary, data, name="panda"):
    """Makes an account beside the running server; returns its token."""
    for command in (["account", "add", name, "--display-name", name.title()], ["token", "create", "--account", name]):
        done = admin(binary, data, *command, weakened=False)
        done.check_returncode()
    return done.stdout.strip()


def admin(binary, data, *command, weakened=True):
    """Runs `landfall admin` to its end."""
    with begin_admin(binary, data, *command, weakened=weakened) as process:
        stdout, stderr = process.communicate(timeout=START)
    return subprocess.CompletedProcess(command, process.returncode, stdout, stderr)


class Beside(subprocess.Popen):
    """A process that nobody waits for any more once what goes on beside it has failed, or it has
    taken longer than it may."""

    def __exit__(self, failed, *why):
        if failed:
            self.kill()
        super().__exit__(failed, *why)


def begin_admin(binary, data, *command, weakened=True, plan=""):
    """A `landfall admin` that runs; `plan` are faults."""
    return Beside(
        [binary, "admin", "--data", str(data), *command],
        env=environment(weakened, plan),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def answered(line):
    """The route and the status that a line of the log tells of, if it tells of a request."""
    if "landfall_server::request:" not in line:
        return None
    route = line.split(' route="')[1].split('"')[0]
    return route, int(line.split(" status=")[1].split()[0])


def environment(weakened, plan="", requests=False):
    """Nothing of the caller's, but what takes a safeguard away (see test_of_test.py)."""
    names = ("PATH", "LANDFALL_WEAKENED") if weakened else ("PATH",)
    kept = {name: os.environ[name] for name in names if name in os.environ}
    # The end of a round of the upkeep is told as information.
    log = "warn,landfall_server::upkeep=info" + ",landfall_server::request=info" * requests
    return {**kept, "RUST_LOG": log, "LANDFALL_FAILPOINTS": plan}
