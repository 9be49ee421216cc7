"""System calls that fail on demand: strace, attached to the running server for a while."""

import os
import re
import signal
import subprocess
import time

# A fault that hasn't been met by then is not met at all.
PATIENCE = 30
FIRED = ("(INJECTED)", "(DELAYED)")
OF_FD = re.compile(r"^\d+ +\w+\(\d+<([^>]+)>")
WRITTEN = re.compile(r", (\d+), (\d+)(?:\) += \d+$| <unfinished)")


class NotFired(Exception):
    """The planned fault was never met: a test that would prove nothing."""


class Injection:
    """While it is open, these calls of the process fail, or are slow: only those that are about
    one of the paths, if any are given. `also` are calls to record as well."""

    def __init__(self, pid, trace, calls, how, when="1", paths=(), also=()):
        self.trace = trace
        self._tail = 0
        command = ["strace", "-f", "-qq", "-y", "-s", "0", "-o", str(trace)]
        command += ["-e", "trace=" + ",".join((*calls, *also))]
        command += ["-e", f"inject={','.join(calls)}:{how}:when={when}"]
        for path in paths:
            command += ["-P", str(path)]
        self._strace = subprocess.Popen([*command, "-p", str(pid)], stderr=subprocess.PIPE, text=True)
        self._until(lambda: self._traces(pid), "strace didn't attach")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        """Detaches; the process goes on."""
        if self._strace.poll() is None:
            self._strace.send_signal(signal.SIGINT)
        self._strace.wait()
        self._strace.stderr.close()

    def fired(self):
        """The lines of the calls that failed."""
        return fired(self.trace)

    def wait(self):
        """Until the fault was met."""
        self._until(self.fired, "the fault was not met")

    def _traces(self, pid):
        """Whether every thread of the process is traced."""
        for thread in os.listdir(f"/proc/{pid}/task"):
            try:
                with open(f"/proc/{pid}/task/{thread}/status") as status:
                    traced = f"TracerPid:\t{self._strace.pid}\n" in status
            except OSError:  # It has ended meanwhile.
                continue
            if not traced:
                return False
        return True

    def _until(self, condition, failure):
        deadline = time.monotonic() + PATIENCE
        while not condition():
            if self._strace.poll() is not None:
                raise NotFired(f"{failure}: strace says {self._strace.stderr.read().strip()}")
            if time.monotonic() > deadline:
                self.__exit__()
                raise NotFired(failure)
            time.sleep(0.01)


def fired(trace):
    """The lines of a trace that tell of a call that failed on demand, or was slow."""
    if not trace.exists():
        return []
    with open(trace, errors="replace") as lines:
        return [line for line in lines if any(mark in line for mark in FIRED)]


def path_of(line):
    """The file that a traced call is about, by its descriptor."""
    match = OF_FD.match(line)
    return match.group(1) if match else None


class LostLog:
    """What a failed sync of a file took with it: the pieces that were written since the sync
    before. The kernel keeps showing them, but need never write them again (fsync(2)); only a
    power loss makes that plain."""

    def __init__(self, trace):
        """From a trace of the writes and syncs of one file, of which a sync failed."""
        self.path, self._pieces = None, []
        written = []
        with open(trace, errors="replace") as lines:
            for line in lines:
                if "sync" in line and "(INJECTED)" in line:
                    self.path = path_of(line)
                    break
                if "sync" in line:
                    written = []
                elif match := WRITTEN.search(line.rstrip()):
                    written.append((int(match.group(2)), int(match.group(1))))
        if self.path:
            with open(self.path, "rb") as file:
                for offset, length in written:
                    file.seek(offset)
                    self._pieces.append((offset, file.read(length)))

    def lose(self):
        """As if the power went: each piece that nobody has written anew is gone."""
        if not os.path.exists(self.path):
            return
        with open(self.path, "r+b") as file:
            for offset, was in self._pieces:
                file.seek(offset)
                if file.read(len(was)) == was:
                    file.seek(offset)
                    file.write(bytes(len(was)))
