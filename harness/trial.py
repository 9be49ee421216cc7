"""One planned fault, from a prepared directory to the verdict.

The fault must be seen to happen. A server that lives on must go on serving, or have stopped
writing where that is what it does, and may fail no more requests than were on their way. After a
restart, and a collection beside the restarted server, every promise is looked at, and whether
any garbage is left.
"""

import os
import random
import re
import signal
import sqlite3
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from api import Api
from check import check
from history import History
from load import Load
from observe import observe
from prepared import BYTES, DAY, KEEP_REVISIONS, age_writers, connected
from server import DoesNotStart, Server, account, admin, begin_admin

CLIENTS = 4
# Seconds after which what is waited for isn't coming any more.
PATIENCE = 30
# Promises after a fault that show that a server goes on.
ENOUGH = 20

# What must not be left when everything that is due was collected: `?` is yesterday.
GARBAGE = {
    "sessions": "SELECT count(*) FROM session WHERE created < ?",
    "revisions": """SELECT count(*) FROM revision WHERE ended < ? AND NOT EXISTS
        (SELECT 1 FROM replay WHERE replay.ns = revision.ns AND replay.rev = revision.rev)""",
    "notifications": "SELECT count(*) FROM notification WHERE at < ?",
    "writers": "SELECT count(*) FROM writer WHERE heartbeat < ? OR fenced",
    "deleted accounts": "SELECT count(*) FROM account WHERE name IS NULL AND ?",
    "orphans": "SELECT count(*) FROM orphan WHERE ?",
    "doomed blobs": "SELECT count(*) FROM doomed WHERE ?",
    "pieces that nothing refers to": """SELECT count(*) FROM extent WHERE ? AND
        content NOT IN (SELECT content FROM session UNION SELECT content FROM revision)""",
    "blobs that nothing refers to": "SELECT count(*) FROM blob WHERE ? AND id NOT IN (SELECT blob FROM extent)",
}


@dataclass(frozen=True)
class Case:
    """Where which fault happens, and the how-manieth time that the point is reached."""

    place: str
    point: str
    fault: str
    nth: int

    @property
    def plan(self):
        return f"{self.point}={self.fault}@{self.nth}"

    @property
    def stops_writing(self):
        """Whether nobody can know after it what is on the disk (docs/operations.md)."""
        if self.fault == "error":
            return self.point in ("group.commit", "group.committed")
        return self.fault == "panic" and self.point.startswith("group.")

    @property
    def exit_code(self):
        """Of a process that the fault ends. A panic of the thread that writes is an error to others."""
        panic = 1 if self.point.startswith("group.") else 101
        return {"error": 1, "panic": panic, "kill": -signal.SIGKILL}[self.fault]

    def __str__(self):
        return f"{self.place} {self.plan}"


class Broken(Exception):
    """What should not be."""


class Trial:
    """One case, in a directory of its own."""

    def __init__(self, case, binary, prepared, work):
        self.case = case
        self.binary = binary
        self.prepared = prepared
        self.token = prepared.token
        self.data = Path(work) / "data"
        self.log = Path(work) / "server.log"
        self.label = f"{prepared.seed}.{case.place}.{case.plan}"
        self.history = prepared.history()
        self.server = None

    def run(self):
        """What is wrong, as text."""
        try:
            strays = getattr(self, self.case.place)()
            return [*self.look_at_files(strays), *self.look()]
        except (Broken, DoesNotStart, RuntimeError, sqlite3.Error, subprocess.TimeoutExpired) as error:
            return [f"{error}; the server's log: {self.logged()[-800:]}"]
        finally:
            if self.server:
                self.server.kill()

    # The places where faults happen. Each ends without a server, and says how many files the
    # fault may have left that no row knows.

    def begin(self):
        """A server makes its directory and begins."""
        self.history = History()
        self.serve_in_vain()
        self.serve()
        self.token = account(self.binary, self.data)
        self.go_on(self.load())
        return 0

    def begin_again(self):
        """A server begins on a directory that holds everything."""
        self.copy(due=True)
        self.serve_in_vain()
        return 0

    def answer(self):
        """A server answers clients, and a collection runs beside it."""
        self.copy(due=True)
        self.serve(self.case.plan)
        with self.collecting() as beside:
            strays = self.suffer()
            self.end(beside, 0)
        return strays

    def keep_up(self):
        """A server does its upkeep while it answers clients."""
        self.copy(due=True)
        self.serve(self.case.plan)
        return self.suffer()

    def collect(self):
        """A process collects beside a server that answers clients, who notice nothing."""
        self.serve_before_it_is_due()
        load = self.load()
        with self.collecting(self.case.plan) as beside:
            told = self.end(beside, self.case.exit_code)
        if not self.happened(told):
            raise Broken(f"the fault never happened: {told}")
        self.go_on(load)
        return 0

    def back_up(self):
        """A process backs up beside a server that answers clients, who notice nothing. What is
        looked at is restored from a later backup."""
        self.serve_before_it_is_due()
        load = self.load()
        half = self.data.with_name("half")
        self.fail_to_copy(self.data, "backup", half)
        self.go_on(load)
        self.expect(8, self.data.with_name("never"), "restore", half)
        whole = self.data.with_name("whole")
        self.expect(0, self.data, "backup", whole)
        self.data = self.data.with_name("restored")
        self.expect(0, self.data, "restore", whole)
        return 0

    def restore(self):
        """A backup is restored, and again elsewhere."""
        self.copy(due=True)
        backup, half = self.data.with_name("backup"), self.data.with_name("half")
        self.expect(0, self.data, "backup", backup)
        self.fail_to_copy(half, "restore", backup)
        self.expect(1, half, "check")
        self.data = self.data.with_name("restored")
        self.expect(0, self.data, "restore", backup)
        return 0

    def sleep(self):
        """A server sleeps so long that another process takes it for dead; then it wakes up."""
        self.serve_before_it_is_due(self.case.plan)
        load = self.load(clients=1, crashing=True)
        self.wait(lambda: self.happened(self.logged()) and is_stopped(self.server.process.pid))
        age_writers(self.data)
        with self.collecting() as beside:
            told = self.end(beside, 0)
        os.kill(self.server.process.pid, signal.SIGCONT)
        if int(re.search(r"(\d+) strays", told)[1]) <= len(self.prepared.strays):
            raise Broken(f"what the sleeping server had written was not collected: {told}")
        self.go_on(load)
        return 0

    # What they are made of.

    def copy(self, due):
        self.prepared.copy(self.data)
        if due:
            self.prepared.age(self.data)

    def serve(self, plan=""):
        self.server = Server(self.binary, self.data, self.log, plan=plan, options=KEEP_REVISIONS)

    def serve_in_vain(self):
        """The fault comes before the server serves."""
        try:
            self.serve(self.case.plan)
        except DoesNotStart as error:
            if error.code != self.case.exit_code or not self.happened(self.logged()):
                raise
        else:
            raise Broken("the fault never happened")

    def serve_before_it_is_due(self, plan=""):
        """A server that has its first round behind it when everything becomes due. The next one
        is minutes away, so all that is due is left to others."""
        self.copy(due=False)
        self.serve(plan)
        self.wait(lambda: "upkeep collected=" in self.logged())
        self.prepared.age(self.data)

    def load(self, clients=CLIENTS, crashing=False):
        """Clients; `crashing` if an answer may be missing."""
        load = Load(self.history, self.server.port, self.token, self.label, clients, True, BYTES)
        if crashing:
            load.crashing.set()
        load.start()
        return load

    def collecting(self, plan=""):
        return begin_admin(self.binary, self.data, "collect", "--now", *KEEP_REVISIONS, plan=plan)

    def end(self, beside, code):
        """A process beside the server ends like this; what it said."""
        told = "".join(beside.communicate(timeout=PATIENCE))
        if beside.returncode != code:
            raise Broken(f"the process ended with {beside.returncode}: {told}")
        return told

    def fail_to_copy(self, data, command, other):
        """The fault ends a backup or a restore."""
        with begin_admin(self.binary, data, command, str(other), plan=self.case.plan) as process:
            told = self.end(process, self.case.exit_code)
        if not self.happened(told):
            raise Broken(f"the fault never happened: {told}")

    def expect(self, code, data, *command):
        """A command of the operator ends like this."""
        ended = admin(self.binary, data, *map(str, command))
        if ended.returncode != code:
            raise Broken(f"{command} ended with {ended.returncode}: {ended.stdout}{ended.stderr}")

    def suffer(self):
        """The server answers clients when the fault happens."""
        load = self.load(crashing=True)
        try:
            self.wait(lambda: self.happened(self.logged()))
            if self.case.fault == "kill":
                code = self.server.process.wait(PATIENCE)
                if code != self.case.exit_code:
                    raise Broken(f"the server ended with {code}")
                # At the most, each client had a body on its way.
                return CLIENTS
            if self.case.stops_writing:
                self.wait(lambda: not any(client.is_alive() for client in load.clients))
                self.go_on_reading()
                return CLIENTS
            self.go_on(load)
        finally:
            load.join()
        if self.history.maybes > CLIENTS:
            raise Broken(f"one fault, and {self.history.maybes} requests failed")
        # A request that breaks off there leaves its body.
        return 1 if self.case.point.endswith(".received") else 0

    def go_on(self, load):
        """Clients are answered, and the server ends in good order."""
        enough = self.history.acks + ENOUGH
        try:
            self.wait(lambda: self.history.acks >= enough)
        finally:
            load.join()
        self.stop()

    def go_on_reading(self):
        """Nothing is written any more, and everything can be read."""
        api = Api(self.server.port, self.token)
        api.listing()
        answer = api.upload("files/upload", {"path": "/stopped.bin"}, b"nothing")
        api.close()
        if answer.status != 500:
            raise Broken(f"the server goes on writing: {answer}")
        self.stop()

    def stop(self):
        code = self.server.stop()
        if code:
            raise Broken(f"the server ended with {code}")

    def happened(self, log):
        """Whether the fault was seen to happen."""
        return f"planned fault at {self.case.point}: " in log

    def logged(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def wait(self, event):
        until = time.monotonic() + PATIENCE
        while not event():
            if time.monotonic() > until:
                raise Broken("what was waited for never happened")
            time.sleep(0.002)

    # The verdict.

    def look(self):
        """What is wrong after a restart and a collection."""
        age_writers(self.data)
        self.serve()
        with self.collecting() as beside:
            self.end(beside, 0)
        api = Api(self.server.port, self.token)
        seen = observe(api, self.history, self.data / "metadata.sqlite", random.Random(self.label), self.label)
        api.close()
        self.stop()
        yield from check(self.history, seen)
        yield from self.look_at_files(0)
        yesterday = int(time.time() * 1_000_000) - DAY
        with connected(self.data) as database:
            for what, question in GARBAGE.items():
                left = database.execute(question, (yesterday,)).fetchone()[0]
                if left:
                    yield f"{left} {what} are left"

    def look_at_files(self, most):
        """Rows without bytes, and bytes without rows: `most` at the most, but for those that were
        there before."""
        with connected(self.data) as database:
            known = {name for name, in database.execute("SELECT id FROM blob UNION SELECT blob FROM doomed")}
        files = {f"{file.parent.name}/{file.name}" for file in (self.data / "blobs").glob("*/*")}
        strays = files - known
        checked = admin(self.binary, self.data, "check")
        if not checked.stdout.endswith(f" {len(strays)} strays, 0 problems\n"):
            yield f"{len(strays)} strays; check says: {checked.stdout[:500]}{checked.stderr[:500]}"
        if len(strays - self.prepared.strays) > most:
            yield f"strays that nothing explains: {sorted(strays - self.prepared.strays)}"


def is_stopped(pid):
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"
