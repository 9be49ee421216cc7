#!/usr/bin/env python3
"""A disk that fails: system calls of the running server return errors, under load.

For each row of FAULTS: clients work; strace makes some calls fail, until that is seen to have
happened; then the disk is well again. Meanwhile each answer is one that is documented, and in
words. Afterwards the server serves on, or has stopped writing, as the row says; its log names
the fault; and after SIGKILL and a restart every promise is kept and `admin check` is clean.
What a failed sync was to make durable counts as lost, whatever a later sync says: blobs are
emptied, new names removed, and at the next crash the pieces of the log are gone.

    python3 harness/syscalls.py --landfall target/debug/landfall
"""

import itertools
import re
import shutil
import sqlite3
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from api import FULL
from content import Piece
from cycle import World, arguments, main
from injection import Injection, LostLog, NotFired, path_of
from load import Client
from server import environment

# The calls that reach the disk, by what they do. If the server comes to use others, a row
# below isn't met any more and says so; the new call belongs here.
WRITE = ("write", "writev", "pwrite64", "pwritev", "pwritev2", "fallocate")
SYNC = ("fsync", "fdatasync")
READ = ("read", "pread64", "readv", "preadv", "preadv2")
OPEN = ("openat",)
REMOVE = ("unlink", "unlinkat")
SHORTEN = ("ftruncate",)

# Where. Sockets are written by the same calls, so only files are ever named.
BLOB, DIRECTORY, LOG, DATABASE = "blob", "directory", "log", "database"
STORED, ANYWHERE = "stored", "anywhere"

# How the server goes on. A read that fails stops the writing only if a commit needed it.
SERVES, STOPS, EITHER = "serves", "stops", "either"

EIO, ENOSPC, EMFILE = "error=EIO", "error=ENOSPC", "error=EMFILE"
SLOW = "delay_exit=300000"

ERROR = 500
STOPPED = "stopped writing"
NO_SPACE = "has no room"


@dataclass(frozen=True)
class Fault:
    where: str
    calls: tuple
    how: str
    # What the log says about it, as a pattern; "": nothing, it is no error.
    told: str
    then: str = SERVES
    # Which calls of a thread fail, counted from 1.
    when: str = "1"

    @property
    def fails_sync(self):
        return self.calls == SYNC and self.how != SLOW

    def __str__(self):
        return f"{self.where} {'/'.join(self.calls[:2])} {self.how}"


# In this order each failed sync of the log is followed by a cycle on the same data.
FAULTS = (
    Fault(LOG, SYNC, EIO, "stopped writing after a failed commit .* while syncing", STOPS),
    Fault(BLOB, SYNC, EIO, "can't sync .*: Input/output error"),
    Fault(DIRECTORY, SYNC, EIO, "can't sync the directory of .*: Input/output error"),
    Fault(DATABASE, SYNC, EIO, "stopped writing after a failed checkpoint .* while syncing", STOPS),
    Fault(LOG, SYNC, ENOSPC, "stopped writing after a failed commit .* while syncing", STOPS),
    Fault(BLOB, SYNC, ENOSPC, NO_SPACE),
    Fault(DIRECTORY, SYNC, ENOSPC, NO_SPACE),
    Fault(DATABASE, SYNC, ENOSPC, "stopped writing after a failed checkpoint .* while syncing", STOPS),
    Fault(LOG, WRITE, EIO, "stopped writing after a failed commit .* while writing", STOPS),
    Fault(LOG, WRITE, ENOSPC, NO_SPACE, when="3..40"),
    Fault(LOG, READ, EIO, "can't be read|while reading", EITHER),
    Fault(LOG, SYNC, SLOW, "", when="1..3"),
    Fault(BLOB, WRITE, EIO, "can't write .*: Input/output error"),
    Fault(BLOB, WRITE, ENOSPC, NO_SPACE),
    Fault(BLOB, SYNC, SLOW, ""),
    Fault(STORED, READ, EIO, "can't read .*: Input/output error"),
    Fault(DATABASE, WRITE, EIO, "can't be copied"),
    Fault(DATABASE, WRITE, ENOSPC, "can't be copied"),
    Fault(DATABASE, READ, EIO, "can't be read|while reading", EITHER),
    Fault(DATABASE, SHORTEN, EIO, "can't be copied"),
    Fault(DIRECTORY, OPEN, EIO, "can't sync the directory of .*: Input/output error"),
    Fault(DIRECTORY, OPEN, EMFILE, "can't sync the directory of .*: Too many open files"),
    Fault(ANYWHERE, OPEN, EIO, "Input/output error|unable to open", when="1..2"),
    Fault(ANYWHERE, OPEN, ENOSPC, f"{NO_SPACE}|unable to open", when="1..2"),
    Fault(ANYWHERE, OPEN, EMFILE, "Too many open files|unable to open", when="1..2"),
    Fault(ANYWHERE, REMOVE, EIO, "can't remove .*: Input/output error"),
)

# Bytes of a body that is held back half-way: more than the server gathers before it writes.
HELD_BACK = 4 * 1024 * 1024
# Bytes that make the log long.
LONG = 33 * 1024 * 1024
# How often a client may be refused after the disk is well again, by what was under way.
ATTEMPTS = 5


# How long the log may be waited for: its line can come a moment after the answer.
PATIENCE = 10


class FaultyWorld(World):
    """One fault per cycle."""

    def __init__(self, work, landfall, faults):
        self.data = work / "data"
        self.trace = work / "trace"
        self.landfall = landfall
        self.faults = faults
        self.lost = Lost()

    def meanwhile(self, server, load, rng, longest):
        super().meanwhile(server, load, rng, longest)
        fault = next(self.faults)
        load.tolerated = frozenset((ERROR, FULL))
        # Not one of the load's threads: it is used from here.
        client = Client(load, f"probe-{rng.random()}", len(load.clients), [])
        self.trace.unlink(missing_ok=True)
        met = Met(self, server, client, fault)
        try:
            met.inject()
            met.look_afterwards()
        except NotFired as error:
            met.complain(error)
        finally:
            client.api.close()

    def recover(self):
        self.lost.lose()

    def inspect(self):
        command = [self.landfall, "admin", "--data", str(self.data), "check"]
        done = subprocess.run(command, env=environment(weakened=False), capture_output=True, text=True)
        return [] if done.returncode == 0 else [f"admin check: {done.stdout} {done.stderr}"]


class Lost:
    """What failed syncs have cost, to be taken away once the server has crashed."""

    def __init__(self):
        self.blobs = set()
        # A directory, and the names in it that it keeps.
        self.directory, self.kept = None, set()
        # The system lives on when the server crashes, and shows what it never wrote. A second
        # crash stands for the power loss.
        self.log = self.next_log = None

    def lose(self):
        for blob in map(Path, self.blobs):
            if blob.exists():
                blob.write_bytes(b"")
        if self.directory:
            for path in set(self.directory.iterdir()) - self.kept:
                path.unlink()
        if self.log:
            self.log.lose()
        self.__dict__.update(Lost().__dict__, log=self.next_log)


class Met:
    """One fault, and what comes of it."""

    def __init__(self, world, server, client, fault):
        self.world = world
        self.server = server
        self.client = client
        self.fault = fault
        self.begun = server.log.stat().st_size

    def complain(self, text):
        self.client.history.surprise(f"{self.fault}: {text}")

    def inject(self):
        fault = self.fault
        if fault.where in (BLOB, DIRECTORY):
            self.hold_back()
        elif fault.where == STORED:
            self.download()
        elif fault.calls == REMOVE:
            self.refuse()
        else:
            database = self.world.data / "metadata.sqlite"
            paths = {LOG: [f"{database}-wal"], DATABASE: [database], ANYWHERE: []}[fault.where]
            with self.injection(*paths) as injection:
                if fault.where == DATABASE and fault.calls != READ:
                    self.fill()
                injection.wait()
            if fault.where == LOG and fault.fails_sync:
                self.world.lost.next_log = LostLog(self.world.trace)

    def injection(self, *paths):
        fault = self.fault
        # The writes are recorded to know what a failed sync was for.
        also = ("pwrite64",) if fault.fails_sync else ()
        world = self.world
        return Injection(
            self.server.process.pid, world.trace, world.data, fault.calls, fault.how, fault.when, paths, also
        )

    def hold_back(self):
        """An upload that is half-way when the fault begins, so that its file is known."""
        lost = self.world.lost
        injections = []

        def body(data):
            yield data[: len(data) // 2]
            blob = self.find(data[:64])
            injections.append(self.injection(blob if self.fault.where == BLOB else blob.parent))
            if self.fault.where == DIRECTORY and self.fault.fails_sync:
                lost.directory, lost.kept = blob.parent, set(blob.parent.iterdir()) - {blob}
            yield data[len(data) // 2 :]

        answer = self.put("held-back", HELD_BACK, body)
        with injections[0] as injection:
            injection.wait()
            if self.fault.where == BLOB and self.fault.fails_sync:
                lost.blobs.update(map(path_of, injection.fired()))
        expected = {SLOW: 200, ENOSPC: FULL}.get(self.fault.how, ERROR)
        if answer.status != expected:
            self.complain(f"the upload was answered {answer.status} {answer.why}, not {expected}")

    def fill(self):
        """Another process makes the log so long that the server copies it into the database."""
        connection = sqlite3.connect(self.world.data / "metadata.sqlite", timeout=PATIENCE)
        connection.execute("PRAGMA wal_autocheckpoint=0")
        connection.execute("INSERT INTO setting VALUES ('filler', ?)", ("x" * LONG,))
        connection.commit()
        connection.execute("DELETE FROM setting WHERE name = 'filler'")
        connection.commit()
        connection.close()

    def find(self, beginning):
        """The file of the body that is half-way."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            for path in (self.world.data / "blobs").glob("*/*"):
                try:
                    with open(path, "rb") as file:
                        if file.read(len(beginning)) == beginning:
                            return path
                except OSError:  # Another one's, removed meanwhile.
                    continue
            time.sleep(0.01)
        raise NotFired("no file holds the body that is half-way")

    def download(self):
        """A download whose blob can't be read ends early, and brings no other bytes."""
        rows = (
            "SELECT revision.rev, extent.blob FROM revision JOIN extent USING (content)"
            " JOIN blob ON blob.id = extent.blob WHERE NOT blob.inline ORDER BY revision.rev"
        )
        connection = sqlite3.connect(f"file:{self.world.data / 'metadata.sqlite'}?mode=ro", uri=True)
        rev, blob = connection.execute(rows).fetchone()
        connection.close()
        with self.injection(self.world.data / "blobs" / blob) as injection:
            answer = self.client.api.download(f"rev:{rev}")
            injection.wait()
        if not answer.unknown:
            self.complain(f"the download was answered {answer.status} {answer.why}")

    def refuse(self):
        """A body that isn't what its hash says: its file is removed."""
        piece = Piece(f"{self.client.seed}/refused", HELD_BACK)
        arg = {"path": "/refused.bin", "content_hash": "0" * 64}
        with self.injection() as injection:
            answer = self.client.api.upload("files/upload", arg, piece.bytes())
            injection.wait()
        if not answer.refused("content_hash_mismatch"):
            self.complain(f"a wrong hash was answered {answer.status} {answer.why}")

    def look_afterwards(self):
        """The disk is well again."""
        if self.fault.told and not self.told(self.fault.told):
            self.complain(f"the log doesn't say {self.fault.told!r}; it says {self.server.complaint()!r}")
        if self.fault.then == STOPS or (self.fault.then == EITHER and self.said(STOPPED)):
            for number in range(3):
                answer = self.put(f"stopped-{number}", 100)
                if answer.status != ERROR or STOPPED not in answer.why:
                    self.complain(f"after it a write is answered {answer.status} {answer.why}")
            health = self.client.api.health()
            if health != 503:
                self.complain(f"after it /healthz answers {health}")
            answer = self.client.api.rpc("files/list_folder", {"path": ""})
            if not answer.ok:
                self.complain(f"after it a listing is answered {answer.status} {answer.why}")
            return
        for number in range(ATTEMPTS):
            answer = self.put(f"after-{number}", 100_000)
            if answer.ok:
                return
        self.complain(f"the server doesn't serve on: {answer.status} {answer.why}")

    def told(self, pattern):
        """Whether the log says this, now or soon."""
        begun = time.monotonic()
        while time.monotonic() < begun + PATIENCE:
            if self.said(pattern):
                return True
            if time.monotonic() > begun + 1:
                # What goes on meanwhile would all have to be judged.
                self.client.load.stopping.set()
            time.sleep(0.01)
        return False

    def said(self, pattern):
        with open(self.server.log, "rb") as log:
            log.seek(self.begun)
            return re.search(pattern, log.read().decode(errors="replace"))

    def put(self, name, length, body=None):
        """A single upload; its answer."""
        piece = Piece(f"{self.client.seed}/{name}", length)
        return self.client.put(f"/{name}-{self.client.seed}.bin", piece, body and body(piece.bytes()))


def new_world(options):
    faults = itertools.cycle(fault for fault in FAULTS if re.search(options.only, str(fault)))
    return lambda work: FaultyWorld(work, options.landfall, faults)


def parser():
    parser = arguments(__doc__.split("\n")[0], clients=4, longest=0.5)
    parser.set_defaults(cycles=len(FAULTS))
    parser.add_argument("--only", default="", help="the faults whose names this pattern fits")
    return parser


if __name__ == "__main__":
    options = parser().parse_args()
    if shutil.which("strace") is None:
        raise SystemExit("syscalls.py needs strace: install the package of this name")
    main(new_world(options), options)
