"""System calls that fail on demand: strace, attached to the running server for a while."""

import os
import re
import signal
import subprocess
import time

# A fault that hasn't been met by then is not met at all.
PATIENCE = 30
FIRED = ("(INJECTED)", "(DELAYED)")
# A call during which another thread's came is told in two lines.
UNFINISHED, RESUMED = "<unfinished ...>", " resumed>"
OF_FD = re.compile(r"^\d+ +\w+\(\d+<([^>]+)>")
WRITTEN = re.compile(r", (\d+), (\d+) ?\) += \d+$")


class NotFired(Exception):
    """The planned fault was never met: a test that would prove nothing."""


class Injection:
    """While it is open, these calls of the process fail, or are slow: only those that are about
    one of the paths, if any are given. Only what is about files `within` counts as met: a thread
    also opens what its libraries want. `also` are calls to record as well."""

    def __init__(self, pid, trace, within, calls, how, when="1", paths=(), also=()):
        self.trace = trace
        self.within = str(within)
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
        """The calls that failed."""
        return [call for call in fired(self.trace) if self.within in call]

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


def calls(trace):
    """The calls in a trace, each in one line, in the order in which they ended."""
    begun = {}
    with open(trace, errors="replace") as lines:
        for line in map(str.rstrip, lines):
            thread = line.partition(" ")[0]
            if line.endswith(UNFINISHED):
                begun[thread] = line.removesuffix(UNFINISHED)
            elif RESUMED in line:
                yield begun.pop(thread, "") + line.split(RESUMED, 1)[1]
            else:
                yield line


def fired(trace):
    """The calls in a trace that failed on demand, or were slow."""
    if not trace.exists():
        return []
    return [call for call in calls(trace) if call.endswith(FIRED)]


def path_of(call):
    """The file that a traced call is about, by its descriptor."""
    match = OF_FD.match(call)
    return match.group(1) if match else None


class LostLog:
    """What a failed sync of a file took with it: the pieces that were written since the sync
    before. The kernel keeps showing them, but need never write them again (fsync(2)); only a
    power loss makes that plain."""

    def __init__(self, trace):
        """From a trace of the writes and syncs of one file, of which a sync failed."""
        self.path, self._pieces = None, []
        written = []
        for call in calls(trace):
            if match := WRITTEN.search(call):
                written.append((int(match.group(2)), int(match.group(1))))
            elif call.endswith(FIRED):
                self.path = path_of(call)
                break
            elif call.endswith("= 0"):
                written = []
        if self.path:
            with open(self.path, "rb") as file:
                for offset, length in written:
                    file.seek(offset)
                    self._pieces.append((offset, file.read(length)))

    def lose(self):
        """As if the power went: each piece that nobody has written anew is gone."""
        if self.path is None or not os.path.exists(self.path):
            return
        with open(self.path, "r+b") as file:
            for offset, was in self._pieces:
                file.seek(offset)
                if file.read(len(was)) == was:
                    file.seek(offset)
                    file.write(bytes(len(was)))
