"""A client of the soak: it alone works below one folder, so it knows what every answer must be.

It remembers what is there now and a handful of things of the past, never the whole past: its
memory doesn't grow with the time it runs.
"""

import json
import random
import socket
import threading
import time
from collections import deque
from dataclasses import dataclass, field

from api import Api
from content import ContentHash, Piece, hash_of
from history import File

INLINE = 64 * 1024
LARGE = 4 * 1024 * 1024
EDGES = (0, 1, 4096, INLINE - 1, INLINE, INLINE + 1, 1024 * 1024)
# Places of one client, and files that autorename may add to them.
PLACES = 60
MOST = 90
# Open sessions, and things of the past that are looked at again, per client.
SESSIONS = 6
PAST = 30
# A connection that was idle for longer may be closed by the server at any moment.
IDLE = 15
REQUESTS_PER_CONNECTION = 200


class Wrong(Exception):
    """An answer that the client's own state doesn't explain."""


class Metered(Api):
    """Calls at a limited rate, each counted and timed."""

    def __init__(self, port, token, tally, pace):
        super().__init__(port, token)
        self._tally = tally
        self._pace = pace
        self._last = 0.0
        self._left = REQUESTS_PER_CONNECTION

    def _call(self, route, headers, body, download=False):
        self._pace()
        begun = time.monotonic()
        self._left -= 1
        if begun - self._last > IDLE or self._left < 0:
            self.close()
            self._left = REQUESTS_PER_CONNECTION
        answer = super()._call(route, headers, body, download)
        self._last = time.monotonic()
        self._tally.count(route, answer, self._last - begun)
        return answer


@dataclass
class Open:
    """An upload session that takes bytes."""

    id: str
    begun: float
    hash: ContentHash = field(default_factory=ContentHash)
    closed: bool = False


class SoakClient(threading.Thread):
    OPERATIONS = {
        "begin": 8, "append": 16, "wrong_offset": 3, "finish": 9, "finish_again": 3, "abandon": 0.5, "expired": 1,
        "upload": 16, "break_off": 1, "delete": 5, "delete_folder": 0.3, "metadata": 8,
        "download": 12, "download_old": 3, "list": 2, "changes": 8,
    }  # fmt: skip

    def __init__(self, soak, number):
        super().__init__(name=f"client-{number}", daemon=True)
        self.soak = soak
        self.rng = random.Random(f"{soak.seed}.{number}")
        self.api = Metered(soak.port, soak.token, soak.tally, self.pace)
        self.folder = f"/c{number}"
        self.serial = 0
        self.due = time.monotonic()
        # What must be there, by path_lower.
        self.files = {}
        # What the pages of list_folder and continue amount to: path_lower to rev.
        self.mirror = {}
        self.cursor = None
        self.open = []
        # (argument, body, answer, time) of finishes; (id, time) of sessions left alone;
        # (file, time) of what was replaced or deleted.
        self.finished = deque(maxlen=PAST)
        self.left = deque(maxlen=PAST)
        self.replaced = deque(maxlen=PAST)

    def run(self):
        names, weights = zip(*self.OPERATIONS.items())
        try:
            self.ok(self.api.rpc("files/create_folder_v2", {"path": self.folder}), "create_folder")
            while not self.soak.stopping.is_set():
                self.retire()
                getattr(self, self.rng.choices(names, weights)[0])()
            self.look_at_everything()
        except Wrong as wrong:
            self.soak.tally.fail(f"{self.name}: {wrong}")
        except Exception as error:  # A client that dies quietly would make the load smaller.
            self.soak.tally.fail(f"{self.name} broke: {error!r}")
        finally:
            self.api.close()
            # One wrong answer and the client's state is worth nothing; the run has failed.
            self.soak.stopping.set()

    def pace(self):
        """Waits for the next request's time: random, so that clients meet and miss each other."""
        now = time.monotonic()
        # What a slow server held up is not made up for in a burst.
        self.due = max(self.due + self.rng.expovariate(self.soak.rate_of_one), now - 1)
        if self.due > now:
            self.soak.stopping.wait(self.due - now)

    # Sessions.

    def begin(self):
        if len(self.open) >= SESSIONS:
            return
        piece = self.piece()
        answer = self.ok(self.send("upload_session/start", {}, piece), "start")
        session = Open(answer["session_id"], time.monotonic())
        session.hash.update(piece.bytes())
        self.open.append(session)

    def append(self):
        session = self.any(self.open)
        if session is None:
            return
        offset, piece = session.hash.length, self.piece()
        close = self.chance(0.1)
        arg = {"cursor": {"session_id": session.id, "offset": offset}, "close": close}
        answer = self.send("upload_session/append_v2", arg, piece)
        if session.closed and piece.length:
            return self.refused(answer, "closed", "append to a closed session")
        self.ok(answer, f"append at {offset}")
        session.hash.update(piece.bytes())
        session.closed |= close
        if piece.length and self.chance(0.15):
            # As after a lost answer.
            answer = self.send("upload_session/append_v2", arg, piece)
            self.offset_refused(answer, "incorrect_offset", session)

    def wrong_offset(self):
        session = self.any(self.open)
        if session is None:
            return
        offset = session.hash.length + self.rng.choice((-1, 1, 4096, 1 << 40))
        cursor = {"session_id": session.id, "offset": max(0, offset)}
        if cursor["offset"] == session.hash.length:
            return
        if self.chance(0.5):
            answer = self.send("upload_session/append_v2", {"cursor": cursor}, self.piece())
            return self.offset_refused(answer, "incorrect_offset", session)
        arg = {"cursor": cursor, "commit": {"path": self.place()}}
        answer = self.send("upload_session/finish", arg, self.piece())
        self.offset_refused(answer, "lookup_failed/incorrect_offset", session)

    def finish(self):
        session = self.any(self.open)
        if session is None:
            return
        body = self.piece() if not session.closed and self.chance(0.5) else Piece("", 0)
        cursor = {"session_id": session.id, "offset": session.hash.length}
        total = session.hash.copy().update(body.bytes())
        path, commit, allowed = self.commit(total)
        arg = {"cursor": cursor, "commit": commit}
        answer = self.send("upload_session/finish", arg, body)
        if not allowed:
            # The session has the body now; the next try sends none of it.
            self.refused(answer, "path/conflict", f"finish to {path}")
            session.hash = total
            return
        told = self.ok(answer, f"finish to {path}")
        self.open.remove(session)
        self.saved(path, commit, told, total)
        self.finished.append((arg, body, told, time.monotonic()))

    def finish_again(self):
        """As after a lost answer: it must tell the same."""
        if not self.finished:
            return
        arg, body, told, at = self.rng.choice(self.finished)
        if time.monotonic() - at > self.soak.life / 2:
            return
        again = self.ok(self.send("upload_session/finish", arg, body), "a repeated finish")
        self.expect(again == told, f"finish told {told}, then {again}")

    def abandon(self):
        """As clients do that never come back."""
        session = self.any(self.open)
        if session is not None:
            self.leave(session)

    def retire(self):
        """Sessions are left alone long before the soak makes them expire."""
        now = time.monotonic()
        for session in [one for one in self.open if now - one.begun > self.soak.life / 2]:
            self.leave(session)

    def leave(self, session):
        self.open.remove(session)
        self.left.append((session.id, session.begun))

    def expired(self):
        """A session past its life is gone, whether its row is or not."""
        old = [id for id, begun in self.left if begun < self.soak.gone_before]
        if old:
            arg = {"cursor": {"session_id": self.rng.choice(old), "offset": 0}}
            answer = self.send("upload_session/append_v2", arg, Piece("", 0))
            self.refused(answer, "not_found", "append to an expired session")

    # Files.

    def upload(self):
        piece = self.piece()
        total = ContentHash().update(piece.bytes())
        path, commit, allowed = self.commit(total)
        if self.chance(0.3):
            commit["content_hash"] = total.hexdigest()
        answer = self.send("upload", commit, piece)
        if allowed:
            return self.saved(path, commit, self.ok(answer, f"upload to {path}"), total)
        self.refused(answer, "path/conflict", f"upload to {path}")
        # The body isn't lost: a session has it.
        if len(self.open) < SESSIONS:
            kept = Open(answer.value["upload_session_id"], time.monotonic(), total)
            self.open.append(kept)

    def break_off(self):
        """A connection that dies in the middle of a body: nothing may come of it."""
        self.pace()
        arg = json.dumps({"path": self.place(), "mode": "overwrite"})
        length = self.rng.randrange(2, 512 * 1024)
        head = (
            "POST /2/files/upload HTTP/1.1\r\nHost: soak\r\n"
            f"Authorization: Bearer {self.soak.token}\r\nDropbox-API-Arg: {arg}\r\n"
            f"Content-Type: application/octet-stream\r\nContent-Length: {length}\r\n\r\n"
        )
        with socket.create_connection(("127.0.0.1", self.soak.port), timeout=60) as connection:
            connection.sendall(head.encode() + self.piece().bytes()[: length - 1])

    def delete(self):
        path = self.place()
        answer = self.api.rpc("files/delete_v2", {"path": path})
        file = self.files.pop(path.lower(), None)
        if file is None:
            return self.refused(answer, "path_lookup/not_found", f"delete of {path}")
        told = self.ok(answer, f"delete of {path}")["metadata"]
        self.expect(told["rev"] == file.rev, f"deleted {told}, not {file}")
        self.replaced.append((file, time.monotonic()))

    def delete_folder(self):
        folder = f"{self.folder}/d{self.rng.randrange(3)}"
        answer = self.api.rpc("files/delete_v2", {"path": folder})
        inside = [path for path in self.files if path.startswith(f"{folder}/")]
        if answer.ok:
            for path in inside:
                self.replaced.append((self.files.pop(path), time.monotonic()))
        elif inside:
            raise Wrong(f"delete of {folder}: {answer.status} {answer.why}")
        else:
            self.refused(answer, "path_lookup/not_found", f"delete of {folder}")

    def metadata(self):
        path = self.place()
        answer = self.api.rpc("files/get_metadata", {"path": path})
        file = self.files.get(path.lower())
        if file is None:
            return self.refused(answer, "path/not_found", f"metadata of {path}")
        told = File.told(self.ok(answer, f"metadata of {path}"))
        self.expect(told == file, f"metadata {told}, not {file}")

    def download(self):
        path = self.place()
        file = self.files.get(path.lower())
        if file is None:
            return self.refused(self.api.download(path), "path/not_found", f"download of {path}")
        self.verify(f"rev:{file.rev}" if self.chance(0.3) else path, file)

    def download_old(self):
        """What was replaced or deleted a moment ago is still in the history."""
        young = [file for file, at in self.replaced if time.monotonic() - at < self.soak.keep / 2]
        if young:
            file = self.rng.choice(young)
            self.verify(f"rev:{file.rev}", file)

    def verify(self, path, file):
        answer = self.api.download(path)
        told = File.told(self.ok(answer, f"download of {path}"))
        total = ContentHash().update(answer.body)
        same = total.length == file.size and total.hexdigest() == file.hash
        self.expect(told == file, f"downloaded {told}, not {file}")
        self.expect(same, f"the bytes of {file} came as {total.length} bytes {total.hexdigest()}")

    # Listings.

    def list(self):
        """Every page, from the beginning."""
        arg = {"path": self.folder, "recursive": True, "limit": self.rng.randrange(5, 60)}
        self.mirror, self.cursor = {}, None
        self.pages(self.ok(self.api.rpc("files/list_folder", arg), "list_folder"))

    def changes(self):
        """What changed since the last page."""
        if self.cursor is None:
            return self.list()
        self.pages(self.next_page())

    def next_page(self):
        answer = self.api.rpc("files/list_folder/continue", {"cursor": self.cursor})
        return self.ok(answer, "list_folder/continue")

    def pages(self, page):
        while True:
            for entry in page["entries"]:
                self.apply(entry)
            self.cursor = page["cursor"]
            if not page["has_more"]:
                break
            page = self.next_page()
        there = {path: file.rev for path, file in self.files.items()}
        self.expect(self.mirror == there, f"listed {differing(self.mirror, there)}")

    def apply(self, entry):
        path = entry["path_lower"]
        if entry[".tag"] == "file":
            self.mirror[path] = entry["rev"]
        elif entry[".tag"] == "deleted":
            self.mirror.pop(path, None)

    def look_at_everything(self):
        """At the end: all that was acknowledged is there, byte for byte."""
        self.soak.stopping.wait()
        self.list()
        for path, file in sorted(self.files.items()):
            self.verify(path, file)

    # What they are made of.

    def commit(self, total):
        """A path, the commit to it, and whether it may take place."""
        path = self.place()
        file = self.files.get(path.lower())
        same = file is not None and (file.size, file.hash) == (total.length, total.hexdigest())
        draw = self.rng.random()
        if file is None:
            return path, {"path": path, "mode": "add"}, True
        if draw < 0.7:
            return path, {"path": path, "mode": "overwrite"}, True
        if draw < 0.8:
            return path, {"path": path, "mode": {".tag": "update", "update": file.rev}}, True
        if draw < 0.9 and len(self.files) < MOST:
            return path, {"path": path, "mode": "add", "autorename": True}, True
        return path, {"path": path, "mode": "add"}, same

    def saved(self, path, commit, told, total):
        """Takes over what a commit told, after a look whether it can be true."""
        file = File.told(told)
        before = self.files.get(file.path)
        renamed = file.path != path.lower()
        right = (file.size, file.hash) == (total.length, total.hexdigest())
        self.expect(right, f"{total.length} bytes {total.hexdigest()} became {file}")
        self.expect(commit.get("autorename") or not renamed, f"{path} was saved as {file}")
        self.expect(not (renamed and before), f"{path} was saved over {before}")
        if before and before.rev != file.rev:
            self.replaced.append((before, time.monotonic()))
        self.files[file.path] = file

    def piece(self):
        self.serial += 1
        draw = self.rng.random()
        if draw < 0.1:
            length = self.rng.choice(EDGES)
        elif draw < 0.93:
            length = self.rng.randrange(1, INLINE // 4)
        else:
            # More of the smaller ones: the disk has other things to do.
            length = int(INLINE * (LARGE / INLINE) ** self.rng.random())
        return Piece(f"{self.soak.seed}/{self.name}/{self.serial}", length)

    def place(self):
        """A path of this client, in letters of either case; sometimes one that autorename made."""
        number = self.rng.randrange(PLACES)
        inner = f"/d{number % 3}" if number % 2 else ""
        path = f"{self.folder}{inner}/f{number}.bin"
        if self.files and self.chance(0.3):
            path = self.rng.choice(sorted(self.files))
        return path.upper() if self.chance(0.1) else path

    def send(self, route, arg, piece):
        return self.api.upload(f"files/{route}", arg, piece.bytes())

    def any(self, what):
        return self.rng.choice(what) if what else None

    def chance(self, probability):
        return self.rng.random() < probability

    # Judging an answer.

    def ok(self, answer, doing):
        if not answer.ok:
            raise Wrong(f"{doing}: {answer.status} {answer.why}")
        return answer.value

    def refused(self, answer, beginning, doing):
        if not (answer.status == 409 and answer.refused(beginning)):
            raise Wrong(f"{doing}: {answer.status} {answer.why or answer.value}, not {beginning}")

    def offset_refused(self, answer, beginning, session):
        self.refused(answer, beginning, f"a wrong offset for {session.id}")
        told = answer.value.get("lookup_failed", answer.value)["correct_offset"]
        self.expect(told == session.hash.length, f"{session.id} has {session.hash.length}, not {told}")

    def expect(self, condition, otherwise):
        if not condition:
            raise Wrong(otherwise)


def differing(one, other):
    """A few of the paths that aren't in both alike."""
    paths = [path for path in {*one, *other} if one.get(path) != other.get(path)]
    return {path: (one.get(path), other.get(path)) for path in sorted(paths)[:5]}
