"""Concurrent clients that do what clients do, until the server is gone.

Each client draws its operations from a generator of its own, seeded by (seed, client), so a
seed gives the same choices again; only how the server's answers interleave differs.
"""

import random
import threading

from api import Answer, Api
from content import ContentHash, Piece, hash_of
from history import ACKED, REFUSED, Commit, Deletion, Session

INLINE = 64 * 1024
LARGE = 3 * 1024 * 1024
# Bytes of one cycle; the image is small.
BUDGET = 60 * 1024 * 1024
# Answers without a result after which a client takes the server for gone.
PATIENCE = 5
# A reason of fewer letters tells nobody what to do.
MUTE = 20
EDGES = (0, 1, 100, 4096, INLINE - 1, INLINE, INLINE + 1)


class Load:
    """All clients of one cycle, and what they share."""

    def __init__(self, history, port, token, seed, clients, late_answers_count, budget=BUDGET):
        self.history = history
        self.port = port
        self.token = token
        self.stopping = threading.Event()
        # From here on an answer may be missing. Before, each must come.
        self.crashing = threading.Event()
        # Statuses by which the server may say meanwhile that its disk fails.
        self.tolerated = frozenset()
        # What it said, and to what.
        self.told = []
        self.late_answers_count = late_answers_count
        self.left = budget
        # The rev last seen at each path: what an update names, often out of date.
        self.known = {path: file.rev for path, file in history.base.items()}
        # Those of which it is known what they hold.
        open_sessions = [session for session in history.sessions if not session.pending and not session.commit]
        self.clients = [
            Client(self, f"{seed}.{number}", number, open_sessions[number::clients])
            for number in range(clients)
        ]

    def start(self):
        for client in self.clients:
            client.start()

    def join(self):
        self.stopping.set()
        for client in self.clients:
            client.join()


class Client(threading.Thread):
    OPERATIONS = {"begin": 22, "append": 30, "finish": 22, "upload": 20, "delete": 6}

    def __init__(self, load, seed, number, sessions):
        super().__init__(name=f"client-{number}", daemon=True)
        self.load = load
        self.history = load.history
        self.api = Api(load.port, load.token)
        self.rng = random.Random(seed)
        self.seed = seed
        self.number = number
        self.serial = 0
        self.mine = list(sessions)
        self.hashes = {}
        self.failures = 0

    def run(self):
        names, weights = zip(*self.OPERATIONS.items())
        try:
            while not self.load.stopping.is_set() and self.failures < PATIENCE:
                getattr(self, self.rng.choices(names, weights)[0])()
        except Exception as error:  # A client that dies quietly would make the load smaller.
            self.history.surprise(f"{self.name} broke: {error!r}")
        finally:
            self.api.close()

    # The operations.

    def begin(self):
        piece = self.piece()
        answer = self.upload_to("upload_session/start", {}, piece)
        if self.settled(answer, "start"):
            session = Session(answer.value["session_id"], [piece])
            self.note(session, "start")
            self.own(self.history.add(self.history.sessions, session))

    def append(self):
        session = self.pick()
        if session is None or session.closed:
            return
        piece = self.piece()
        offset = session.length
        arg = {"cursor": {"session_id": session.id, "offset": offset}, "close": self.chance(0.1)}
        session.pending = piece
        # If no answer comes it may be closed or not; a finish without data fits both.
        session.closed = arg["close"]
        answer = self.upload_to("upload_session/append_v2", arg, piece)
        if not self.settled(answer, f"append at {offset} to {session.id}"):
            if not answer.full:
                return self.disown(session)
            session.pending, session.closed = None, False
            return
        self.note(session, f"append of {piece.length}")
        session.pieces.append(piece)
        session.pending = None
        if piece.length and self.chance(0.15):
            self.append_again(session, arg, piece)

    def append_again(self, session, arg, piece):
        """As after a lost answer. It must change nothing and tell the right offset."""
        answer = self.upload_to("upload_session/append_v2", arg, piece)
        if answer.refused("incorrect_offset"):
            if answer.value["correct_offset"] != session.length:
                self.history.surprise(f"{session.id}: {answer.value} at length {session.length}")
        else:
            self.settled(answer, "a repeated append", refused=True)

    def finish(self):
        session = self.pick()
        if session is None:
            return
        body = self.piece() if not session.closed and self.chance(0.5) else Piece("", 0)
        total = self.hash_of(session)
        total.update(body.bytes())
        commit = self.commit(total.length, total.hexdigest())
        commit.session = session.id
        commit.body = body
        commit.argument = {
            "cursor": {"session_id": session.id, "offset": session.length},
            "commit": self.info(commit),
        }
        session.pending, session.commit = body, commit
        self.history.add(self.history.commits, commit)
        answer = self.upload_to("upload_session/finish", commit.argument, body)
        if answer.refused("path/conflict"):
            # The session has the body now; the next try sends none of it.
            commit.state = REFUSED
            self.note(session, f"finish with {body.length} refused: {answer.why}")
            session.pieces.append(body)
            session.pending = session.commit = None
            return
        done = self.settled(answer, f"finish of {session.id} with {body.length} bytes")
        if answer.full:
            commit.state = REFUSED
            session.pending = session.commit = None
            return
        self.disown(session)
        if done:
            commit.acked(answer.value)
            session.pieces.append(body)
            session.pending = None
            self.learn(commit)
            if self.chance(0.2):
                self.finish_again(commit)

    def finish_again(self, commit):
        """As after a lost answer. It must tell the same."""
        answer = self.upload_to("upload_session/finish", commit.argument, commit.body)
        if self.settled(answer, "a repeated finish") and answer.value != commit.answer:
            self.history.surprise(f"finish told {commit.answer}, then {answer.value}")

    def upload(self):
        piece = self.piece()
        commit = self.commit(piece.length, hash_of([piece]))
        self.history.add(self.history.commits, commit)
        answer = self.upload_to("upload", self.info(commit), piece)
        if answer.refused("path/conflict"):
            # The body isn't lost: a session has it.
            commit.state = REFUSED
            session = Session(answer.value["upload_session_id"], [piece])
            self.note(session, f"upload refused: {answer.why}")
            self.own(self.history.add(self.history.sessions, session))
        elif self.settled(answer, "upload"):
            commit.acked(answer.value)
            self.learn(commit)
        elif answer.full:
            commit.state = REFUSED

    def delete(self):
        deletion = self.history.add(self.history.deletions, Deletion(self.reused()))
        answer = self.in_time(self.api.rpc("files/delete_v2", {"path": deletion.path}))
        if answer.refused("path_lookup/not_found"):
            deletion.state = REFUSED
        elif self.settled(answer, "delete"):
            deletion.rev = answer.value["metadata"]["rev"]
            deletion.state = ACKED
        elif answer.full:
            deletion.state = REFUSED

    def put(self, path, piece, body=None):
        """A single upload by hand: what harnesses do beside the load."""
        commit = Commit(path, "add", None, False, piece.length, hash_of([piece]))
        self.history.add(self.history.commits, commit)
        answer = self.api.upload("files/upload", self.info(commit), body or piece.bytes())
        if self.settled(answer, f"upload of {path}"):
            commit.acked(answer.value)
        elif answer.full:
            commit.state = REFUSED
        return answer

    # What they are made of.

    def upload_to(self, route, arg, piece):
        return self.in_time(self.api.upload(f"files/{route}", arg, piece.bytes()))

    def in_time(self, answer):
        """The answer, if it still counts."""
        if self.load.crashing.is_set() and not self.load.late_answers_count:
            return Answer("unknown", why="it came after the crash began")
        return answer

    def settled(self, answer, doing, refused=False):
        """Counts an answer; true if it is a promise. A refusal comes here only if it is wrong."""
        self.history.count(answer.ok)
        if answer.ok and not refused:
            self.failures = 0
            return True
        # Who says that the disk is full is not gone.
        self.failures += not answer.full
        gone = answer.unknown and self.load.crashing.is_set()
        # A failure of the disk must be told in words.
        told = answer.status in self.load.tolerated and len(answer.why) > MUTE
        if told:
            self.load.told.append((doing, answer))
        elif not gone:
            self.history.surprise(f"{doing}: {answer.status} {answer.why}")
        return False

    def piece(self):
        self.serial += 1
        draw = self.rng.random()
        if draw < 0.12:
            length = self.rng.choice(EDGES)
        elif draw < 0.7 or self.load.left < 0:
            length = self.rng.randrange(1, INLINE // 4)
        else:
            # More of the smaller ones: a commit soon after the crash began is what counts.
            length = int(INLINE * (LARGE / INLINE) ** self.rng.random())
        self.load.left -= length
        return Piece(f"{self.seed}/{self.serial}", length)

    def commit(self, size, content_hash):
        draw = self.rng.random()
        fresh = f"/c{self.number}/New-{self.seed}-{self.serial}.bin"
        mode, rev, autorename = "add", None, False
        if draw < 0.4:
            path = fresh
        elif draw < 0.45:
            path = self.reused()
        elif draw < 0.6:
            path, autorename = self.reused(), True
        elif draw < 0.8:
            path, mode = self.reused(), "overwrite"
        else:
            path = self.reused()
            rev = self.load.known.get(path.lower())
            mode, autorename = ("update" if rev else "add"), self.chance(0.5)
        if self.chance(0.2):
            path = path.upper()
        return Commit(path, mode, rev, autorename, size, content_hash)

    def reused(self):
        """A path that was used before: of this client alone, or fought over."""
        if self.chance(0.6):
            return f"/c{self.number}/f{self.rng.randrange(4)}.bin"
        return f"/shared/s{self.rng.randrange(4)}.bin"

    def info(self, commit):
        mode = {".tag": "update", "update": commit.rev} if commit.rev else commit.mode
        return {"path": commit.path, "mode": mode, "autorename": commit.autorename}

    def learn(self, commit):
        self.load.known[commit.file.path] = commit.file.rev

    def chance(self, probability):
        return self.rng.random() < probability

    def note(self, session, text):
        session.told.append(text)

    def own(self, session):
        self.mine.append(session)

    def disown(self, session):
        self.mine.remove(session)
        self.hashes.pop(session.id, None)

    def pick(self):
        return self.rng.choice(self.mine) if self.mine else None

    def hash_of(self, session):
        """The hash of what the session holds; kept, because sessions only grow."""
        known, total = self.hashes.get(session.id, (0, ContentHash()))
        for piece in session.pieces[known:]:
            total.update(piece.bytes())
        self.hashes[session.id] = (len(session.pieces), total)
        return total.copy()
