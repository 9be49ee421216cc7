#!/usr/bin/env python3
"""The least that POSIX promises: a name is durable when its directory was synced, not before.

ext4, XFS and btrfs make a new file's name durable together with the file, so power loss on them
can't show a forgotten sync of a directory. Here `strace` records what the server made and
synced; after SIGKILL every name whose directory was not synced since is removed, and every blob
that was not synced is emptied. What SQLite writes inside its files is left to power_loss.py.

    python3 harness/strict_disk.py --cycles 20 --landfall target/debug/landfall
"""

import re
import shutil
from pathlib import Path

from cycle import World, arguments, main

CALLS = "trace=openat,mkdir,mkdirat,fsync,fdatasync"
# pid call(arguments) = result, whole or in two halves.
WHOLE = re.compile(r"^(\d+) +(\w+)\((.*)\) += (-?\d+)")
BEGUN = re.compile(r"^(\d+) +(\w+)\((.*) <unfinished \.\.\.>$")
ENDED = re.compile(r"^(\d+) +<\.\.\. (\w+) resumed>(.*)\) += (-?\d+)")
NAME = re.compile(r'"([^"]+)"')
OF_FD = re.compile(r"^\d+<([^>]+)>")


class Perishable:
    """What a trace leaves unsynced."""

    def __init__(self, existing):
        self.known = set(existing)
        # New names that no sync of their directory has covered yet.
        self.names = set()
        # New files whose bytes no sync has covered yet.
        self.bytes = set()
        self._begun = {}

    def line(self, line):
        if match := BEGUN.match(line):
            pid, call, args = match.groups()
            self._begun[pid] = (args, self._covered(call, args))
        elif match := ENDED.match(line):
            pid, call, rest, result = match.groups()
            args, covered = self._begun.pop(pid, ("", (None, set())))
            self._ended(call, args + rest, covered, int(result))
        elif match := WHOLE.match(line):
            _, call, args, result = match.groups()
            self._ended(call, args, self._covered(call, args), int(result))

    def _covered(self, call, args):
        """Whose bytes and which names a sync that begins now will have made durable. A name that
        is made meanwhile is not among them."""
        if call not in ("fsync", "fdatasync") or not (match := OF_FD.match(args)):
            return None, set()
        synced = match.group(1)
        return synced, {name for name in self.names if str(Path(name).parent) == synced}

    def _ended(self, call, args, covered, result):
        if result < 0:
            return
        if call in ("fsync", "fdatasync"):
            synced, names = covered
            self.names -= names
            self.bytes.discard(synced)
        elif (call.startswith("mkdir") or "O_CREAT" in args) and (match := NAME.search(args)):
            name = match.group(1)
            if name not in self.known:
                self.known.add(name)
                self.names.add(name)
                if call == "openat":
                    self.bytes.add(name)


class StrictWorld(World):
    def __init__(self, work):
        self.root = work / "disk"
        self.root.mkdir()
        self.data = self.root / "srv" / "data"
        self.trace = work / "trace"
        self.existing = set()
        self.prefix = ("strace", "-f", "-q", "--seccomp-bpf", "-y", "-e", CALLS, "-o", str(self.trace))

    def recover(self):
        # Killing the server waited for strace, so the trace is whole.
        perishable = Perishable(self.existing)
        crashed = self.trace.with_suffix(".crashed")
        self.trace.rename(crashed)
        with open(crashed, errors="replace") as trace:
            for line in trace:
                perishable.line(line.rstrip("\n"))
        inside = str(self.root) + "/"
        for name in sorted(perishable.names):
            if name.startswith(inside) and not name.endswith("-shm"):
                remove(Path(name))
        for name in perishable.bytes - perishable.names:
            path = Path(name)
            if str(self.data / "blobs") in name and path.is_file():
                path.write_bytes(b"")
        self.existing = {str(path) for path in self.root.rglob("*")}


def remove(path):
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def new_world(_):
    return StrictWorld


def parser():
    return arguments(__doc__.split("\n")[0], clients=4, longest=1.0)


if __name__ == "__main__":
    options = parser().parse_args()
    if shutil.which("strace") is None:
        raise SystemExit("strict_disk.py needs strace: install the package of this name")
    main(StrictWorld, options)
