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
    """What a server that was acknowledged to hold data must never do."""


class Server:
    """A running `landfall serve`; `prefix` is a program to run it under."""

    def __init__(self, binary, data, log, prefix=(), weakened=True, options=()):
        command = [*prefix, binary, "serve", "--data", str(data), "--listen", "127.0.0.1:0", *options]
        self.log = Path(log)
        with open(log, "ab") as stderr:
            self.process = subprocess.Popen(
                command,
                env=environment(weakened),
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
                raise DoesNotStart(f"the server doesn't start: {line!r} {self.complaint()}")
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
        """As an operator does; returns the exit code."""
        self.process.terminate()
        code = self.process.wait(timeout=START)
        self.process.stdout.close()
        return code

    def complaint(self):
        """The last that it said."""
        return self.log.read_text(errors="replace")[-600:]

    def _first_line(self):
        ready, _, _ = select.select([self.process.stdout], [], [], START)
        return self.process.stdout.readline().decode().strip() if ready else ""

    def _pid(self):
        """The server itself: the program around it then ends by itself."""
        pid = self.process.pid
        if self._wrapped:
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
            pid = int(children[0]) if children else pid
        return pid


def account(binary, data):
    """Makes an account beside the running server; returns its token."""
    admin = [binary, "admin", "--data", str(data)]
    run = dict(env=environment(weakened=False), check=True, capture_output=True, text=True)
    subprocess.run([*admin, "account", "add", "panda", "--display-name", "Panda"], **run)
    made = subprocess.run([*admin, "token", "create", "--account", "panda"], **run)
    return made.stdout.strip()


def environment(weakened):
    """Nothing of the caller's, but what takes a safeguard away (see test_of_test.py)."""
    names = ("PATH", "LANDFALL_WEAKENED") if weakened else ("PATH",)
    kept = {name: os.environ[name] for name in names if name in os.environ}
    return {**kept, "RUST_LOG": "warn"}
