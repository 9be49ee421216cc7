#!/usr/bin/env python3
"""A disk that fails while the server starts: each call on its files fails once, by its number.

The data directory is one that SIGKILL left, so that there is a log to make certain first. The
server starts all the same, or says in one line what is wrong; and the next start, on a disk that
is well, finds everything. Then the same for the first start of all, in an empty directory.

    python3 harness/failing_start.py --landfall target/debug/landfall
"""

import argparse
import itertools
import re
import shutil
import sys
import tempfile
import time
from pathlib import Path

from api import Api
from injection import fired
from server import DoesNotStart, Server, account
from syscalls import EIO, EMFILE, ENOSPC, OPEN, READ, REMOVE, SHORTEN, SYNC, WRITE

MAKE = ("mkdir", "mkdirat")
LOCK = ("fcntl",)

FAULTS = [
    *itertools.product((OPEN,), (EIO, ENOSPC, EMFILE)),
    *itertools.product((WRITE, SYNC, MAKE), (EIO, ENOSPC)),
    *itertools.product((READ, SHORTEN, REMOVE, LOCK), (EIO,)),
]
# What is wrong and where, in one line.
COMPLAINT = re.compile(r"^landfall: can't serve on \S+: .*(data|metadata)", re.MULTILINE)


class Starts:
    def __init__(self, landfall, work, every):
        self.landfall = landfall
        self.every = every
        self.work = work
        # What SIGKILL left, and a token for it.
        self.left = work / "left"
        self.data = work / "data"
        self.found = []
        self.count = self.refused = 0

    def prepare(self):
        server = Server(self.landfall, self.left, self.work / "log", weakened=False)
        self.token = account(self.landfall, self.left)
        api = Api(server.port, self.token)
        for name, length in (("small", 100), ("large", 200_000)):
            answer = api.upload("files/upload", {"path": f"/{name}"}, bytes(length))
            if not answer.ok:
                raise SystemExit(f"the upload of {name} was answered {answer.status} {answer.why}")
        api.close()
        server.kill()

    def run(self):
        self.prepare()
        for left, (calls, how) in itertools.product((self.left, None), FAULTS):
            for number in itertools.count(1, self.every):
                if not self.start(left, calls, how, number):
                    break
                self.count += 1

    def start(self, left, calls, how, number):
        """Whether a start makes so many calls; then it was one that fails."""
        shutil.rmtree(self.data, ignore_errors=True)
        if left:
            shutil.copytree(left, self.data)
        trace, log = self.work / "trace", self.work / "log"
        trace.unlink(missing_ok=True)
        log.unlink(missing_ok=True)
        what = f"{'' if left else 'first '}start, call {number} of {'/'.join(calls[:2])} {how}"
        try:
            Server(self.landfall, self.data, log, self.prefix(trace, calls, how, number)).kill()
        except DoesNotStart:
            self.refused += 1
            said = log.read_text(errors="replace")
            if not COMPLAINT.search(said):
                self.found.append(f"{what}: it doesn't start and says {said!r}")
        if not fired(trace):
            return False
        try:
            server = Server(self.landfall, self.data, log)
            if left:
                self.look(server, what)
            server.kill()
        except DoesNotStart as error:
            self.found.append(f"{what}: the next start fails: {error}")
        return True

    def prefix(self, trace, calls, how, number):
        names = ",".join(calls)
        command = ["strace", "-f", "-qq", "--seccomp-bpf", "-s", "0", "-o", str(trace), "-e", f"trace={names}"]
        command += ["-e", f"inject={names}:{how}:when={number}"]
        files = ["", "blobs", "metadata.sqlite", "metadata.sqlite-wal", "metadata.sqlite-shm", "metadata.sqlite-journal"]
        return [*command, *itertools.chain(*(("-P", str(self.data / name)) for name in files))]

    def look(self, server, what):
        api = Api(server.port, self.token)
        for name, length in (("small", 100), ("large", 200_000)):
            answer = api.download(f"/{name}")
            if answer.body != bytes(length):
                self.found.append(f"{what}: /{name} is answered {answer.status} {answer.why}")
        api.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--landfall", required=True, help="the binary to test")
    parser.add_argument("--every", type=int, default=1, help="try every so many of the calls of a kind")
    options = parser.parse_args()
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="landfall-harness-") as work:
        starts = Starts(options.landfall, Path(work), options.every)
        starts.run()
    for line in starts.found:
        print(line)
    verdict = f"{len(starts.found)} went wrong" if starts.found else "all well"
    print(f"{starts.count} starts, {starts.refused} of them in vain: {verdict} ({time.monotonic() - begun:.0f} s)")
    sys.exit(1 if starts.found else 0)


if __name__ == "__main__":
    main()
