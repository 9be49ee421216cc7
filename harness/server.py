"""The server as a process of our own."""

import os
import select
import subprocess
from pathlib import Path

START = 60


class DoesNotStart(Exception):
    """What a server that was acknowledged to hold data must never do."""


class Server:
    """A running `landfall serve`; `prefix` is a program to run it under."""

    def __init__(self, binary, data, log, prefix=()):
        command = [*prefix, binary, "serve", "--data", str(data), "--listen", "127.0.0.1:0"]
        self.log = Path(log)
        with open(log, "ab") as stderr:
            self.process = subprocess.Popen(
                command, env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=stderr
            )
        try:
            line = self._first_line()
            if not line.startswith("listening on "):
                raise DoesNotStart(f"the server doesn't start: {line!r} {self.complaint()}")
            self.port = int(line.rsplit(":", 1)[1])
            self.pid = self._child() if prefix else self.process.pid
        except BaseException:
            self.kill()
            raise

    def kill(self):
        """As if the power went: no chance to tidy up."""
        if self.process.poll() is None:
            pid = getattr(self, "pid", self.process.pid)
            os.kill(pid, 9)
        self.process.wait()
        self.process.stdout.close()

    def complaint(self):
        """The last that it said."""
        return self.log.read_text(errors="replace")[-600:]

    def _first_line(self):
        ready, _, _ = select.select([self.process.stdout], [], [], START)
        return self.process.stdout.readline().decode().strip() if ready else ""

    def _child(self):
        pid = self.process.pid
        return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])


def account(binary, data):
    """Makes an account beside the running server; returns its token."""
    admin = [binary, "admin", "--data", str(data)]
    run = dict(env=environment(), check=True, capture_output=True, text=True)
    subprocess.run([*admin, "account", "add", "panda", "--display-name", "Panda"], **run)
    made = subprocess.run([*admin, "token", "create", "--account", "panda"], **run)
    return made.stdout.strip()


def environment():
    """Nothing of the caller's, but what takes a safeguard away (see test_of_test.py)."""
    kept = {name: os.environ[name] for name in ("PATH", "LANDFALL_WEAKENED") if name in os.environ}
    return {**kept, "RUST_LOG": "warn"}
