"""A data directory with everything in it: what each case of `failpoints.py` begins with.

It holds what a mixed load left, and garbage of every kind, more than one slice of it. The garbage
isn't due yet: `age` makes it so, as if months had passed, by writing older times into the
metadata. That may be done beside a running server, so a case can choose who meets it.
"""

import copy
import os
import random
import shutil
import sqlite3
import threading
import time
from pathlib import Path

from api import Api
from check import check
from content import Piece
from history import History
from load import INLINE, Load
from observe import observe
from server import Server, account, admin

HOUR = 3600 * 1_000_000
DAY = 24 * HOUR
# Longer than a session lives, a reader may read, a revision is kept, a writer is silent.
LONG_AGO = {
    "session": 8 * DAY,
    "doomed": 7 * HOUR,
    "revision": 100 * DAY,
    "notification": 100 * DAY,
    "writer": HOUR,
}
KEEP_REVISIONS = ("--keep-revisions", "30d")
# More than the upkeep takes in one step (`SLICE` in upkeep.rs).
MANY = 210
SOON = 12
STRAYS = 3
GOES = "goes"
THREADS = 8
# Seconds for the load to be done.
PATIENCE = 120
# Of the load: every case looks at all of it.
ACKS = 200
BYTES = 8 * 1024 * 1024


class Prepared:
    """The directory, its token, its history, and how its garbage is made due."""

    def __init__(self, binary, work, seed):
        self.data = work / "prepared" / "data"
        self.data.parent.mkdir()
        self.log = work / "prepared" / "server.log"
        self.binary = binary
        self.seed = seed
        self._aging = []
        # Two servers one after the other, so that there are two writers, both dead.
        self._served(self._fill)
        self._served(self._litter)
        self._outlive()

    def copy(self, to):
        """The same directory elsewhere. Blobs never change, so links do."""
        shutil.copytree(self.data, to, copy_function=shutil.copy2, ignore=lambda *_: {"blobs"})
        shutil.copytree(self.data / "blobs", to / "blobs", copy_function=os.link)

    def history(self):
        """A copy for one case to go on with."""
        known = self._history
        return History(
            base=dict(known.base),
            old_files=dict(known.old_files),
            old_finishes=list(known.old_finishes),
            sessions=copy.deepcopy(known.sessions),
        )

    def age(self, data):
        """Months pass."""
        with connected(data) as database:
            for statement, parameters in self._aging:
                database.execute(statement, parameters)
        age_writers(data)

    def _served(self, work):
        server = Server(self.binary, self.data, self.log, weakened=False, options=KEEP_REVISIONS)
        try:
            work(server)
        finally:
            server.kill()

    def _fill(self, server):
        self.token = account(self.binary, self.data)
        history = History()
        load = Load(history, server.port, self.token, f"{self.seed}.prepared", 4, True, BYTES)
        load.start()
        until = time.monotonic() + PATIENCE
        while history.acks < ACKS and not history.surprises and time.monotonic() < until:
            load.stopping.wait(0.01)
        load.join()
        if history.acks < ACKS:
            raise RuntimeError(f"{history.acks} answers in {PATIENCE} s, {history.surprises[:3]}: {server.complaint()}")
        api = Api(server.port, self.token)
        seen = observe(api, history, self.data / "metadata.sqlite", random.Random(self.seed), "prepared")
        api.close()
        found = check(history, seen)
        if found:
            raise RuntimeError(f"the server fails before any fault: {found[:3]}")
        self._history = history.after(seen, seen.finishes)

    def _litter(self, server):
        """Sessions that nobody will finish, and a file that is overwritten again and again."""
        def session(api, number, large):
            return ok(api.upload("files/upload_session/start", {}, body(number, large)))["session_id"]

        def revision(api, number, large):
            argument = {"path": "/old.bin", "mode": "overwrite"}
            return ok(api.upload("files/upload", argument, body(number, large)))["rev"]

        def body(number, large):
            length = INLINE + 1 + number if large else 1 + number
            return Piece(f"{self.seed}.litter.{number}", length).bytes()

        soon = self._each(server, range(SOON), lambda api, number: session(api, number, True))
        many = self._each(server, range(SOON, SOON + MANY), lambda api, number: session(api, number, number % 4 > 0))
        revisions = range(1000, 1000 + MANY)
        old = self._each(server, revisions, lambda api, number: revision(api, number, number % 4 > 0))
        api = Api(server.port, self.token)
        ok(api.rpc("files/delete_v2", {"path": "/old.bin"}))
        api.close()
        self._add_account_to_delete(server)

        # The first go now, as far as rows go: what is left of them are files that are doomed.
        with connected(self.data) as database:
            for statement, parameters in aged("session", "created", "id", soon):
                database.execute(statement, parameters)
        admin(self.binary, self.data, "collect", weakened=False).check_returncode()
        self._aging.append(("UPDATE doomed SET since = since - ?", (LONG_AGO["doomed"],)))
        self._aging.append(("UPDATE notification SET at = at - ?", (LONG_AGO["notification"],)))
        # One is due at once, so that the first round of a server has something to tell.
        told, *many = many
        with connected(self.data) as database:
            for statement, parameters in aged("session", "created", "id", [told]):
                database.execute(statement, parameters)
        self._aging += aged("session", "created", "id", many)
        self._aging += aged("revision", "ended", "rev", old)

    def _add_account_to_delete(self, server):
        """An account with much in it, which is deleted later."""
        token = account(self.binary, self.data, GOES)

        def file(api, number):
            ok(api.upload("files/upload", {"path": f"/{number}"}, body(number)))

        def body(number):
            return Piece(f"{self.seed}.goes.{number}", INLINE + 1 if number % 10 == 0 else 1).bytes()

        self._each(server, range(MANY), file, token)
        self._each(server, range(SOON), lambda api, _: ok(api.upload("files/upload_session/start", {}, b"begun")), token)
        self._aging.append(("UPDATE account SET name = NULL WHERE name = ?", (GOES,)))

    def _outlive(self):
        """What a load left grows old too: answers that are no longer kept, whose files are, and
        half of what was replaced. And what a crash leaves: files that no row knows."""
        history = self._history
        half = len(history.old_finishes) // 2
        finished = [commit.session for commit in history.old_finishes[:half]]
        history.old_finishes = history.old_finishes[half:]
        self._aging += aged("session", "created", "id", finished)
        self._aging += aged("replay", "committed", "session", finished, LONG_AGO["session"])
        with connected(self.data) as database:
            # Whoever comes next does the upkeep at once.
            database.execute("DELETE FROM lease")
            ended = [rev for rev, in database.execute("SELECT rev FROM revision WHERE ended IS NOT NULL ORDER BY rev")]
        mine = [rev for rev in ended if rev in history.old_files][::2]
        for rev in mine:
            del history.old_files[rev]
        self._aging += aged("revision", "ended", "rev", mine)
        self.strays = set()
        for writer in (self.data / "blobs").iterdir():
            for number in range(STRAYS):
                stray = writer / f"stray-{number}"
                stray.write_bytes(b"half a body")
                self.strays.add(f"{writer.name}/{stray.name}")

    def _each(self, server, numbers, work, token=None):
        """Does the work for each number, several at once; what it returned."""
        numbers, done, failed = list(numbers), [], []

        def some(mine):
            api = Api(server.port, token or self.token)
            try:
                for number in mine:
                    done.append(work(api, number))
            except Exception as error:
                failed.append(error)
            finally:
                api.close()

        threads = [threading.Thread(target=some, args=(numbers[first::THREADS],)) for first in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if failed:
            raise failed[0]
        return done


def age_writers(data):
    """Every process that ever wrote here has been silent for long."""
    with connected(data) as database:
        database.execute("UPDATE writer SET heartbeat = heartbeat - ?", (LONG_AGO["writer"],))


def aged(table, column, key, values, by=None):
    statement = f"UPDATE {table} SET {column} = {column} - ? WHERE {key} = ?"
    return [(statement, (by or LONG_AGO[table], value)) for value in values]


class connected:
    """The metadata, in one transaction."""

    def __init__(self, data):
        self.database = sqlite3.connect(Path(data) / "metadata.sqlite", timeout=30)

    def __enter__(self):
        return self.database

    def __exit__(self, failed, *_):
        self.database.rollback() if failed else self.database.commit()
        self.database.close()


def ok(answer):
    if not answer.ok:
        raise RuntimeError(f"{answer.status} {answer.why}")
    return answer.value
