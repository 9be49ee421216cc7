#!/usr/bin/env python3
"""A disk that is full: a small ext4, filled by uploads, and by others.

*Filled by uploads*: clients upload until they are refused. Each refusal is a 507 that says what
to do, and leaves the reserve alone. The server is killed and started in this state, and every
promise is kept. Then files are deleted and collected, and uploads work again.

*Filled by others*: with no reserve, and something else that takes the last byte, SQLite itself
meets the full disk under load. Whatever is refused, what is there can be read; the server is
killed and started in this state; when there is room again, everything goes on, and every promise
is kept.

Needs root.

    python3 harness/full_disk.py --landfall target/debug/landfall
"""

import argparse
import os
import random
import re
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from api import FULL, Api
from check import check
from content import Piece
from cycle import Result
from disk import Disk, enter_namespace
from history import History
from load import Client, Load
from observe import integrity, observe
from server import DoesNotStart, Server, account, environment

SIZE = 64 * 1024 * 1024
# A sixteenth of the file system, as the server chooses it.
PART = 16
CLIENTS = 4
# Refusals to meet; among them go on the calls that need no room.
REFUSALS = 80
# How long that may take.
PATIENCE = 60
WORDS = re.compile("no space left on its disk.*[Dd]elete.*operator")
TELLS_FULL = "the disk has no room"
# Bytes of which an upload must go through when there is room again.
LARGE = 8 * 1024 * 1024


class FullDisk:
    """A server on a small disk, and what was wrong."""

    def __init__(self, landfall, work, seed, options=()):
        self.landfall = landfall
        self.log = work / "server.log"
        self.disk = Disk(work, SIZE)
        self.data = self.disk.path / "data"
        self.options = options
        self.rng = random.Random(seed)
        self.seed = seed
        self.history = History()
        self.found = []
        self.acks = self.refusals = 0
        self.server = self.last_load = None

    def close(self):
        if self.server:
            self.server.kill()
        self.disk.unmount()

    def serve(self, weakened=True):
        self.server = Server(self.landfall, self.data, self.log, weakened=weakened, options=self.options)

    def start_anew(self):
        """As an operator who hopes that it helps."""
        self.server.kill()
        self.serve()

    def admin(self, *command):
        command = [self.landfall, "admin", "--data", str(self.data), *command]
        done = subprocess.run(command, env=environment(weakened=False), capture_output=True, text=True)
        if done.returncode:
            self.found.append(f"{' '.join(command[4:])}: {done.stdout}{done.stderr}")

    def free(self):
        space = os.statvfs(self.disk.path)
        return space.f_bavail * space.f_frsize

    def load(self, enough, meanwhile=lambda: None):
        """Clients that upload until they were refused often enough; the least that was free, and
        which calls were refused that brought no bytes."""
        load = Load(self.history, self.server.port, self.token, self.seed, CLIENTS, True)
        load.left = 1 << 60
        load.tolerated = frozenset((FULL,))
        least = self.free()
        load.start()
        try:
            meanwhile()
            deadline = time.monotonic() + PATIENCE
            while not enough(load.told):
                if time.monotonic() > deadline:
                    self.found.append(f"only {len(load.told)} calls were refused; {self.server.complaint()}")
                    break
                least = min(least, self.free())
                load.stopping.wait(0.005)
        finally:
            load.join()
        self.last_load = load
        self.refusals += len(load.told)
        self.acks += self.history.acks
        self.found += {f"{answer.status} {answer.why}" for _, answer in load.told if not WORDS.search(answer.why)}
        return least, without_bytes(load.told)

    def judge(self):
        """Every promise, judged by everything there is."""
        api = Api(self.server.port, self.token)
        seen = observe(api, self.history, self.data / "metadata.sqlite", self.rng, self.seed)
        api.close()
        self.found += check(self.history, seen)
        self.history = self.history.after(seen, seen.finishes)
        self.admin("check")

    def upload(self, name):
        """An upload for which there must be room."""
        self.last_load.port = self.server.port
        client = Client(self.last_load, f"{self.seed}.{name}", CLIENTS, [])
        answer = client.put(f"/{name}", Piece(f"{self.seed}/{name}", LARGE))
        client.api.close()
        if not answer.ok:
            self.found.append(f"{name} is answered {answer.status} {answer.why}")

    def run(self, scenario):
        try:
            self.serve(weakened=False)
            self.token = account(self.landfall, self.data)
            self.start_anew()
            scenario(self)
        except (DoesNotStart, RuntimeError) as error:
            self.found.append(str(error))
        finally:
            self.close()
        return self.found


def without_bytes(told):
    """The refused calls that brought no bytes: it was the metadata that had no room."""
    return [doing for doing, _ in told if doing == "delete" or doing.endswith(" with 0 bytes")]


def filled_by_uploads(full):
    space = os.statvfs(full.disk.path)
    reserve = space.f_blocks * space.f_frsize // PART
    least, empty = full.load(lambda told: len(told) >= REFUSALS)
    if empty:
        full.found.append(f"refused, though they need no room for bytes: {empty}")
    # Calls that need no room for bodies take a little of it.
    if least < reserve // 2:
        full.found.append(f"only {least} bytes were free, of a reserve of {reserve}")
    lines = full.log.read_text(errors="replace").count(TELLS_FULL)
    if not 1 <= lines <= REFUSALS // 8:
        full.found.append(f"the log tells {lines} times that the disk is full")
    full.start_anew()
    full.judge()

    api = Api(full.server.port, full.token)
    for entry in api.rpc("files/list_folder", {"path": ""}).value["entries"]:
        answer = api.rpc("files/delete_v2", {"path": entry["path_lower"]})
        if not answer.ok:
            full.found.append(f"the deletion of {entry['path_lower']} is answered {answer.status} {answer.why}")
    api.close()
    # A revision goes that was replaced a second ago.
    time.sleep(1.5)
    full.admin("collect", "--now", "--keep-revisions", "1s")
    full.upload("again")
    full.admin("check")
    full.found += [text for text in integrity(full.data / "metadata.sqlite") if text != "ok"]


def filled_by_others(full):
    ballast = full.disk.path / "ballast"

    # A reader, such as a backup, keeps SQLite from using its log again from the beginning.
    reader = sqlite3.connect(full.data / "metadata.sqlite")

    def fill():
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM setting").fetchall()
        # What is left the load takes itself.
        with open(ballast, "wb") as file:
            os.posix_fallocate(file.fileno(), 0, full.free() - 3 * 1024 * 1024)

    full.load(lambda told: len(told) >= REFUSALS and without_bytes(told), fill)
    reader.close()
    with open(ballast, "ab") as file:
        for length in (1 << 20, 1 << 12):
            try:
                while True:
                    os.write(file.fileno(), bytes(length))
            except OSError:
                continue
    full.start_anew()
    for command in (("account", "list"), ("token", "list", "--account", "panda"), ("check",)):
        full.admin(*command)
    api = Api(full.server.port, full.token)
    for rev, file in full.history.files().items():
        answer = api.download(f"rev:{rev}")
        if not answer.ok or len(answer.body) != file.size:
            full.found.append(f"on the full disk {file} is answered {answer.status} {answer.why}")
    api.close()
    ballast.unlink()
    full.upload("at-once")
    full.start_anew()
    full.judge()


SCENARIOS = {
    "filled by uploads": (filled_by_uploads, ()),
    "filled by others": (filled_by_others, ("--reserve", "0")),
}


def run(options, tell=print):
    result = Result()
    for name, (scenario, arguments) in SCENARIOS.items():
        begun = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="landfall-harness-") as work:
            full = FullDisk(options.landfall, Path(work), options.seed, arguments)
            found = full.run(scenario)
        result.cycles += 1
        result.acks += full.acks
        if found:
            result.failed += 1
            result.first = result.first or result.cycles
        verdict = f"{len(found)} broken promises: {'; '.join(found[:3])[:900]}" if found else "all kept"
        tell(f"{name}: {full.acks} acks, {full.refusals} refusals: {verdict} ({time.monotonic() - begun:.0f} s)")
    return result


def parser():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--landfall", required=True, help="the binary to test")
    parser.add_argument("--seed", default="1", help="the same seed makes the same choices")
    return parser


if __name__ == "__main__":
    options = parser().parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    enter_namespace()
    sys.exit(1 if run(options).failed else 0)
