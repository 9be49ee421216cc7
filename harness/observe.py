"""What a client finds after the restart, without judging it: `check.py` judges."""

import sqlite3
from dataclasses import dataclass, field

from content import ContentHash
from history import ACKED, File

# An offset where no session of these loads ends.
BEYOND = 1 << 40
# Finishes and revisions of earlier cycles to look at again.
SAMPLE = 25


@dataclass
class Seen:
    """What was found."""

    # Each file of the listing.
    listed: dict[str, File] = field(default_factory=dict)
    # Paths that stand in the listing more than once.
    doubled: list[str] = field(default_factory=list)
    # By rev: (size, hash) of the bytes that came, or why none came.
    downloads: dict[str, object] = field(default_factory=dict)
    # By session: how many bytes it says it holds; it is not finished.
    lengths: dict[str, int] = field(default_factory=dict)
    # By session: why it can't be used any more.
    gone: dict[str, str] = field(default_factory=dict)
    # By session: what a finish that the check made told, or why it failed.
    finishes: dict[str, object] = field(default_factory=dict)
    # By session: what the repeated finish told, or why it failed.
    replays: dict[str, object] = field(default_factory=dict)
    # Answers of SQLite's own checks; "ok" is good.
    integrity: list[str] = field(default_factory=list)


def observe(api, history, database, rng, label):
    """Looks at everything. Half of the open sessions are finished, the other half goes on."""
    seen = Seen(integrity=integrity(database))
    for session in history.sessions:
        probe(api, session, seen)
    replay(api, history, seen, rng)
    for number, (session, length) in enumerate(sorted(seen.lengths.items())):
        if rng.random() < 0.5:
            arg = {
                "cursor": {"session_id": session, "offset": length},
                "commit": {"path": f"/check/{label}-{number}"},
            }
            seen.finishes[session] = told(api.upload("files/upload_session/finish", arg, b""))
    for entry in api.listing():
        if entry[".tag"] == "file":
            file = File.told(entry)
            if file.path in seen.listed:
                seen.doubled.append(file.path)
            seen.listed[file.path] = file
    download(api, history, seen, rng)
    return seen


def integrity(database):
    """Read beside the running server: opening the file alone would recover the log ourselves."""
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    try:
        rows = connection.execute("PRAGMA integrity_check").fetchall()
        broken = connection.execute("PRAGMA foreign_key_check").fetchall()
        return [row[0] for row in rows] + [f"a row without its parent: {row}" for row in broken]
    except sqlite3.Error as error:
        return [f"{type(error).__name__}: {error}"]
    finally:
        connection.close()


def probe(api, session, seen):
    arg = {"cursor": {"session_id": session.id, "offset": BEYOND}}
    answer = api.upload("files/upload_session/append_v2", arg, b"")
    if answer.refused("incorrect_offset"):
        seen.lengths[session.id] = answer.value["correct_offset"]
    else:
        seen.gone[session.id] = f"{answer.status} {answer.why}"


def replay(api, history, seen, rng):
    """Repeats the finishes that were acknowledged, and those that took place unacknowledged."""
    acked = [commit for commit in history.commits if commit.session and commit.state == ACKED]
    old = rng.sample(history.old_finishes, min(SAMPLE, len(history.old_finishes)))
    unsure = [
        session.commit
        for session in history.sessions
        if session.id in seen.gone and session.commit and not session.finished
    ]
    for commit in acked + old + unsure:
        answer = api.upload("files/upload_session/finish", commit.argument, commit.body.bytes())
        seen.replays[commit.session] = told(answer)


def download(api, history, seen, rng):
    """Every file there is, every revision that this cycle promised, some of older ones."""
    new = {commit.file.rev for commit in history.commits if commit.file}
    old = sorted(history.old_files)
    revs = new | {file.rev for file in seen.listed.values()}
    revs |= set(rng.sample(old, min(SAMPLE, len(old))))
    for rev in sorted(revs):
        answer = api.download(f"rev:{rev}")
        if answer.ok:
            total = ContentHash().update(answer.body)
            seen.downloads[rev] = (total.length, total.hexdigest())
        else:
            seen.downloads[rev] = f"{answer.status} {answer.why}"


def told(answer):
    """The answer if it is one, else why not, as text."""
    return answer.value if answer.ok else f"{answer.status} {answer.why}"
