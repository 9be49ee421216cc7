"""What was asked and what was promised, kept outside the disk that loses power.

Everything is written down *before* the request is sent, as a `maybe`; the answer turns it into
`acked` or `refused`. Whatever a crash interrupts is thus a `maybe` without anybody's doing.
"""

import threading
from dataclasses import dataclass, field

from content import Piece, hash_of

MAYBE, ACKED, REFUSED = "maybe", "acked", "refused"


@dataclass(frozen=True)
class File:
    """A revision at a path, as the server told it."""

    path: str
    rev: str
    size: int
    hash: str

    @staticmethod
    def told(metadata):
        return File(metadata["path_lower"], metadata["rev"], metadata["size"], metadata["content_hash"])

    @property
    def age(self):
        """Revs ascend within a namespace: a larger one is a later commit."""
        return int(self.rev, 16)


@dataclass
class Session:
    """An upload session that the server acknowledged."""

    id: str
    pieces: list[Piece]
    # A body that was sent and not answered.
    pending: Piece | None = None
    closed: bool = False
    # What was answered about it, as evidence for whoever looks for the cause.
    told: list[str] = field(default_factory=list)
    # The finish that was sent last, whatever came of it.
    commit: "Commit | None" = None

    @property
    def length(self):
        return sum(piece.length for piece in self.pieces)

    def possible(self):
        """The pieces that it may hold: what was acknowledged, and perhaps what was in flight."""
        yield self.pieces
        if self.pending and self.pending.length:
            yield [*self.pieces, self.pending]

    @property
    def finished(self):
        return self.commit is not None and self.commit.state == ACKED


@dataclass
class Commit:
    """A finish or a single upload."""

    path: str
    mode: str
    rev: str | None
    autorename: bool
    size: int
    hash: str
    # What is needed to repeat it; None: a single upload.
    session: str | None = None
    argument: dict | None = None
    body: Piece | None = None
    state: str = MAYBE
    answer: dict | None = None
    file: File | None = None

    def acked(self, metadata):
        self.answer = metadata
        self.file = File.told(metadata)
        self.state = ACKED


@dataclass
class Deletion:
    path: str
    state: str = MAYBE
    # The rev of the file that was deleted.
    rev: str | None = None


@dataclass
class History:
    """One cycle, on top of what the cycles before it left."""

    # What was seen and found right at the end of the last cycle.
    base: dict[str, File] = field(default_factory=dict)
    # Revisions and finishes of earlier cycles: promised for longer than one crash.
    old_files: dict[str, File] = field(default_factory=dict)
    old_finishes: list[Commit] = field(default_factory=list)
    sessions: list[Session] = field(default_factory=list)
    commits: list[Commit] = field(default_factory=list)
    deletions: list[Deletion] = field(default_factory=list)
    # Answers that no crash explains.
    surprises: list[str] = field(default_factory=list)
    acks: int = 0
    maybes: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, kept, record):
        with self.lock:
            kept.append(record)
        return record

    def count(self, acked):
        with self.lock:
            if acked:
                self.acks += 1
            else:
                self.maybes += 1

    def surprise(self, text):
        with self.lock:
            self.surprises.append(text)

    def files(self):
        """Every acknowledged revision, by rev."""
        files = dict(self.old_files)
        files.update((commit.file.rev, commit.file) for commit in self.commits if commit.file)
        return files

    def after(self, seen, finished):
        """The next cycle's history, on top of what was seen and found right. `finished` are the
        sessions that the check used up."""
        for session in self.sessions:
            told = seen.replays.get(session.id)
            if not session.finished and session.commit and isinstance(told, dict):
                session.commit.acked(told)
        finishes = [commit for commit in self.commits if commit.state == ACKED and commit.session]
        sessions = [
            session
            for session in self.sessions
            if not session.finished and session.id not in finished and session.id in seen.lengths
        ]
        for session in sessions:
            length = seen.lengths[session.id]
            session.pieces = list(next(held for held in session.possible() if length_of(held) == length))
            session.pending = session.commit = None
        return History(
            base=dict(seen.listed),
            old_files={**self.files(), **{file.rev: file for file in seen.listed.values()}},
            old_finishes=self.old_finishes + finishes,
            sessions=sessions,
        )


def length_of(pieces):
    return sum(piece.length for piece in pieces)


def expected(pieces):
    """Length and content hash of these pieces."""
    return length_of(pieces), hash_of(pieces)
