#!/usr/bin/env python3
"""SIGKILL for the tool, again and again in the middle of one upload; the same command goes on.

    cargo build -p landfall-cli && cargo build -p landfall-testkit --example link
    python3 harness/client_kill.py --landfall target/debug/landfall --link target/debug/examples/link

The tool uploads through a link that is slow enough to be killed on. The moments are counted in
appends that the server acknowledged, as its log tells them: each is after the first one of its
run and before the last one of the upload. Then the command is let through. In the end the file is
there once, with one revision and the right hash; it went through one session; what was sent twice
is no more than what can have been under way at the kills; and no journal is left.
"""

import argparse
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from api import Api
from content import ContentHash
from link import Link
from server import DIES_WITH_PARENT, LIBC, Server, account, answered

DEST = "/killed.bin"
MIB = 1024 * 1024
# How often the log is looked at.
GLANCE = 0.002
STARTS = {"files/upload_session/start", "files/upload_session/start_batch"}
APPENDS = {"files/upload_session/append_v2", "files/upload_session/append_batch"}


def main():
    options = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    begun = time.monotonic()
    upload = Upload(options)
    try:
        found = upload.run()
    finally:
        upload.close()
    verdict = "all kept" if not found else "broken: " + "; ".join(found)
    print(f"{upload.told()}: {verdict} ({time.monotonic() - begun:.0f} s, seed {options.seed})")
    sys.exit(1 if found else 0)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--landfall", required=True, help="the tool, which is the server too")
    parser.add_argument("--link", required=True, help="the testkit's link")
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--size", type=size, default=size("1GiB"), help="of the file")
    parser.add_argument("--rate", default="25MB", help="of the link, per second")
    parser.add_argument("--round-trip", default="0ms")
    parser.add_argument("--chunk", type=size, default=size("4MiB"), help="what the tool sends in one request")
    parser.add_argument("--in-flight", type=int, default=20, help="requests that it has under way")
    parser.add_argument("--seed", type=int, default=1, help="the same seed chooses the same appends")
    parser.add_argument("--work", help="directory for temporary files")
    return parser.parse_args()


def size(text):
    """A number of bytes, such as 64MiB."""
    number, unit = re.fullmatch(r"(\d+)(KiB|MiB|GiB)", text).groups()
    return int(number) * 1024 ** (1 + ("KiB", "MiB", "GiB").index(unit))


class Upload:
    """One file on its way."""

    def __init__(self, options):
        self.options = options
        self.dice = random.Random(options.seed)
        self.work = Path(tempfile.mkdtemp(prefix="landfall-client-kill-", dir=options.work))
        self.server = self.link = self.tool = self.carried = None
        self.kills = 0

    def run(self):
        """What was broken."""
        options, work = self.options, self.work
        self.file, self.hash = made(work / "file", options.size)
        self.server = Server(options.landfall, work / "data", work / "server.log", weakened=False, requests=True)
        token = account(options.landfall, work / "data")
        self.link = Link(options.link, self.server.port, ["--total", options.rate, "--round-trip", options.round_trip])
        self.log = Log(work / "server.log")
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(work),
            "XDG_STATE_HOME": str(work / "state"),
            "LANDFALL_CONFIG": str(work / "config.toml"),
            "LANDFALL_TOKEN": token,
        }
        found = []
        for appends in self.moments():
            trouble = self.kill_after(appends)
            if trouble:
                found.append(trouble)
                break
            self.kills += 1
            if not self.journals() and not found:
                found.append("a kill left no journal")
        self.start()
        if self.tool.wait():
            found.append(f"the last run ended with {self.tool.returncode}: {self.said()}")
        self.log.read()
        self.carried = self.link.stop()
        api = Api(self.server.port, token)
        try:
            return found + self.wrong(api)
        finally:
            api.close()

    def moments(self):
        """After how many appends of a session each kill comes: none after the last one."""
        last = -(-self.options.size // self.options.chunk) - 1
        if self.options.kills > last:
            raise SystemExit(f"{self.options.kills} kills don't fit between {last + 1} appends")
        return sorted(self.dice.sample(range(1, last + 1), self.options.kills))

    def kill_after(self, appends):
        """Runs the tool until its session has so many appends, one of them of this run at least,
        and a little longer: at most until the next one. Gives what went wrong."""
        self.log.read()
        before = self.log.all_appends
        begun = time.monotonic()
        self.start()
        while self.log.appends < appends or self.log.all_appends == before:
            if self.tool.poll() is not None:
                return f"the tool ended with {self.tool.returncode} before kill {self.kills + 1}: {self.said()}"
            time.sleep(GLANCE)
            self.log.read()
        seen = self.log.all_appends
        each = (time.monotonic() - begun) / (seen - before)
        until = time.monotonic() + self.dice.uniform(0, each)
        while time.monotonic() < until and self.log.all_appends == seen:
            time.sleep(GLANCE)
            self.log.read()
        self.tool.kill()
        code = self.tool.wait()
        return None if code == -signal.SIGKILL else f"kill {self.kills + 1} came too late: the tool ended with {code}"

    def start(self):
        url = f"http://127.0.0.1:{self.link.port}"
        with open(self.work / "said", "wb") as said:
            self.tool = subprocess.Popen(
                [self.options.landfall, "--remote", url, "put", self.file, DEST],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                preexec_fn=lambda: LIBC.prctl(DIES_WITH_PARENT, signal.SIGKILL),
            )

    def said(self):
        """The last that the tool said."""
        return (self.work / "said").read_text(errors="replace")[-300:].strip()

    def journals(self):
        """The journals that are there."""
        return [path for path in (self.work / "state/landfall/uploads").rglob("*") if path.is_file()]

    def wrong(self, api):
        """What isn't as promised in the end."""
        options, found = self.options, []
        files = [entry for entry in api.listing() if entry[".tag"] == "file"]
        seen = [(file["path_display"], file["size"], file["content_hash"]) for file in files]
        if seen != [(DEST, options.size, self.hash)]:
            found.append(f"the account has {seen} and not {DEST}, {options.size}, {self.hash}")
        revisions = api.rpc("files/list_revisions", {"path": DEST})
        count = len(revisions.value["entries"]) if revisions.ok else revisions.why
        if count != 1:
            found.append(f"revisions: {count} instead of 1")
        if self.log.starts != 1:
            found.append(f"{self.log.starts} sessions were begun instead of 1")
        most = self.kills * options.in_flight * options.chunk
        if self.twice() > most:
            found.append(f"{self.twice() / MIB:,.0f} MiB were sent twice, and at most {most / MIB:,.0f} were under way")
        if self.journals():
            found.append(f"left behind: {[path.name for path in self.journals()]}")
        return found

    def twice(self):
        """Bytes that went up beyond those of the file."""
        return self.carried.up - self.options.size

    def told(self):
        return (
            f"{self.kills} kills, {self.log.starts} sessions, {self.log.all_appends} appends, "
            f"{self.twice() / MIB:,.1f} MiB sent beyond {self.options.size / MIB:,.0f}"
        )

    def close(self):
        for process in (self.tool, self.link, self.server):
            if process:
                process.kill()
        shutil.rmtree(self.work, ignore_errors=True)


class Log:
    """What the server's log tells of sessions, as it grows."""

    def __init__(self, path):
        self._lines = open(path, errors="replace")
        self._begun = ""
        self.starts = self.all_appends = 0
        # Of the session that was begun last.
        self.appends = 0

    def read(self):
        """Takes in what has come since."""
        for line in self._lines:
            self._begun += line
            if not line.endswith("\n"):
                break
            route, status = answered(self._begun) or ("", 0)
            self._begun = ""
            if status == 200 and route in STARTS:
                self.starts += 1
                self.appends = 0
            if status == 200 and route in APPENDS:
                self.all_appends += 1
                self.appends += 1


def made(path, length):
    """A file of random bytes, and its hash."""
    content = ContentHash()
    with open(path, "wb") as file:
        for begin in range(0, length, MIB):
            data = os.urandom(min(MIB, length - begin))
            content.update(data)
            file.write(data)
    return path, content.hexdigest()


if __name__ == "__main__":
    main()
