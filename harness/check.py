"""Whether what was found keeps what was promised. Pure: a history and a sight in, violations out.

The rules, each a function of its own:
* an acknowledged session holds its bytes in order, and at most what was in flight besides;
* an acknowledged commit can be read for good, whole, by its rev;
* each path shows its last acknowledged change, or an unanswered one that can have come after;
* a repeated finish tells what it told before;
* nothing that was not acknowledged is there by half, and nothing twice.
"""

from history import ACKED, MAYBE, REFUSED, File, expected, length_of

# Bytes from which no two pieces are alike.
UNIQUE = 16


def check(history, seen):
    """All violations, as text."""
    found = list(history.surprises)
    found += [f"SQLite: {text}" for text in seen.integrity if text != "ok"]
    found += [f"{path} is listed twice" for path in seen.doubled]
    for rule in (answers, sessions, revisions, replays, paths, copies):
        found += rule(history, seen)
    return found


def answers(history, _):
    """What a 200 told is what was sent."""
    for commit in history.commits:
        if commit.state != ACKED:
            continue
        file = commit.file
        if (file.size, file.hash) != (commit.size, commit.hash):
            yield f"{commit.path}: sent {commit.size} bytes {commit.hash}, told {file}"
        if not may_land(commit, file.path):
            yield f"{commit.path}: saved at {file.path}"


def sessions(history, seen):
    for session in history.sessions:
        if session.finished:
            if session.id in seen.lengths:
                yield f"session {session.id} was finished and is open again"
            continue
        if session.id not in seen.lengths:
            why = seen.gone.get(session.id, "not looked for")
            # A finish without an answer may have taken place; `replays` goes after it.
            if session.commit is None or session.commit.state != MAYBE:
                yield f"session {session.id} of {session.length} acknowledged bytes is gone: {why}"
            continue
        length = seen.lengths[session.id]
        held = [pieces for pieces in session.possible() if length_of(pieces) == length]
        if not held:
            may = [length_of(pieces) for pieces in session.possible()]
            yield f"session {session.id} holds {length} bytes, not {' or '.join(map(str, may))}; told: {session.told}"
        elif session.id in seen.finishes:
            told = seen.finishes[session.id]
            size, content_hash = expected(held[0])
            if isinstance(told, str):
                yield f"session {session.id} of {size} bytes can't be finished: {told}"
            elif (told["size"], told["content_hash"]) != (size, content_hash):
                yield f"session {session.id}: finished as {told}, not {size} bytes {content_hash}"
            elif seen.downloads.get(told["rev"]) != (size, content_hash):
                yield f"session {session.id}: downloads as {seen.downloads.get(told['rev'])}"


def revisions(history, seen):
    """Every revision that was looked at comes whole; the one promised, not another."""
    promised = history.files()
    for rev, got in seen.downloads.items():
        file = promised.get(rev)
        if file and got != (file.size, file.hash):
            yield f"revision {rev} of {file.path}: promised {file.size} bytes {file.hash}, got {got}"
    for commit in history.commits:
        if commit.state == ACKED and commit.file.rev not in seen.downloads:
            yield f"revision {commit.file.rev} was not looked at"
    for file in seen.listed.values():
        got = seen.downloads.get(file.rev)
        if got != (file.size, file.hash):
            yield f"{file.path} is listed with {file.size} bytes {file.hash}, got {got}"


def replays(history, seen):
    before = [commit for commit in history.commits if commit.session and commit.state == ACKED]
    for commit in before:
        if commit.session not in seen.replays:
            yield f"the finish of {commit.session} was not repeated"
    for commit in before + history.old_finishes:
        told = seen.replays.get(commit.session, commit.answer)
        if told != commit.answer:
            yield f"the finish of {commit.session} told {commit.answer}, now {told}"
    for session in history.sessions:
        commit = session.commit
        if session.finished or commit is None or session.id not in seen.gone:
            continue
        told = seen.replays.get(session.id, "was not repeated")
        if isinstance(told, str):
            yield f"session {session.id} is gone ({seen.gone[session.id]}), its finish says {told}"
        elif (told["size"], told["content_hash"]) != (commit.size, commit.hash):
            yield f"session {session.id}: its finish of {commit.size} bytes {commit.hash} told {told}"
        elif not may_land(commit, told["path_lower"]):
            yield f"session {session.id}: its finish at {commit.path} told {told['path_lower']}"


def paths(history, seen):
    """Each path shows its last acknowledged change or an unanswered one after it."""
    last = last_changes(history)
    for told in seen.finishes.values():
        if isinstance(told, dict):
            last[told["path_lower"]] = (File.told(told), False)
    for path in sorted(set(last) | set(seen.listed)):
        file = seen.listed.get(path)
        newest, deleted = last.get(path, (None, False))
        live = None if deleted else newest
        if file == live:
            continue
        if file is None:
            if not may_be_deleted(history, path):
                yield f"{path}: {live} is gone"
        elif newest and file.age <= newest.age:
            yield f"{path}: shows {file} after {'deletion of ' if deleted else ''}{newest}"
        elif not any(explains(history, commit, file, live) for commit in history.commits):
            yield f"{path}: nobody wrote {file}; the last known is {live}"


def copies(history, seen):
    """No two pieces of a load are alike, so the same bytes twice are one commit done twice."""
    places = {}
    known = list(history.files().values())
    for file in known + list(seen.listed.values()):
        if file.size >= UNIQUE:
            places.setdefault(file.hash, set()).add((file.path, file.rev))
    for content_hash, where in places.items():
        if len(where) > 1:
            yield f"{content_hash} was saved more than once: {sorted(where)}"
    # A refusal promises that nothing was written; its body may come back in another commit.
    others = {commit.hash for commit in history.commits if commit.state != REFUSED}
    others |= {file.hash for file in history.old_files.values()}
    others |= {told["content_hash"] for told in seen.finishes.values() if isinstance(told, dict)}
    for commit in history.commits:
        if commit.state == REFUSED and commit.size >= UNIQUE and commit.hash not in others:
            for path, _ in places.get(commit.hash, ()):
                yield f"{path}: was written by a commit that was refused"


def last_changes(history):
    """By path: the newest revision that an answer told of, and whether it was deleted."""
    newest = dict(history.base)
    for commit in history.commits:
        if commit.state == ACKED:
            old = newest.get(commit.file.path)
            if old is None or old.age < commit.file.age:
                newest[commit.file.path] = commit.file
    gone = {}
    for deletion in history.deletions:
        if deletion.state == ACKED:
            path = deletion.path.lower()
            age = int(deletion.rev, 16)
            gone[path] = max(gone.get(path, 0), age)
            # It may have deleted what an unanswered commit wrote.
            if path not in newest or newest[path].age < age:
                newest[path] = File(path, deletion.rev, -1, "unknown")
    return {path: (file, gone.get(path, 0) >= file.age) for path, file in newest.items()}


def may_be_deleted(history, path):
    return any(one.state == MAYBE and one.path.lower() == path for one in history.deletions)


def explains(history, commit, file, live):
    """Whether an unanswered commit can have put this file over what was live."""
    if commit.state != MAYBE or (commit.size, commit.hash) != (file.size, file.hash):
        return False
    if not may_land(commit, file.path):
        return False
    free = live is None or may_be_deleted(history, file.path)
    if commit.path.lower() != file.path or commit.mode == "add":
        return free
    return free or commit.mode == "overwrite" or commit.rev == live.rev


def may_land(commit, path):
    """Whether a commit may have been saved at this path: its own, or a name like it."""
    wanted = commit.path.lower()
    if path == wanted:
        return True
    stem, dot, extension = wanted.rpartition(".")
    return commit.autorename and path.startswith(stem + " (") and path.endswith(")" + dot + extension)
