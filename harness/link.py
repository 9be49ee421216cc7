"""The testkit's link as a process of our own: a network between a client and a server."""

import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

from server import DIES_WITH_PARENT, LIBC

BUILD = "cargo build --release -p landfall-testkit --example link"


@dataclass(frozen=True)
class Carried:
    """What passed a link."""

    connections: int
    up: int
    down: int


class Link:
    """A running link to a port of this machine; `options` are those of the program."""

    def __init__(self, binary, port, options=(), listen="127.0.0.1:0"):
        if not Path(binary).exists():
            raise SystemExit(f"there is no {binary}: {BUILD}")
        self.process = subprocess.Popen(
            [binary, f"127.0.0.1:{port}", "--listen", listen, *options],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=lambda: LIBC.prctl(DIES_WITH_PARENT, signal.SIGKILL),
        )
        line = self.process.stdout.readline()
        if not line.startswith("listening on "):
            raise SystemExit("the link doesn't start")
        self.port = int(line.rsplit(":", 1)[1])

    def stop(self):
        """Ends it; what it carried."""
        self.process.terminate()
        words = self.process.communicate()[0].split()
        return Carried(connections=int(words[0]), up=int(words[2]), down=int(words[5]))

    def kill(self):
        """Ends it in any case."""
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
