"""How a server fares: its memory, files and threads, and what its directory takes."""

import os
import statistics
import time
from dataclasses import asdict, dataclass, fields
from pathlib import Path

MIB = 1024 * 1024
TICKS = os.sysconf("SC_CLK_TCK")
# The log goes back to its beginning when all of it was carried over; a large group of commits, a
# long reader or a check may hold that up for a while, but not for ever.
LARGEST_WAL = 128 * MIB


@dataclass
class Sample:
    seconds: float
    rss: int
    fds: int
    threads: int
    cpu_seconds: float
    metadata: int
    wal: int
    blobs: int
    # Of the harness, which must not grow either.
    own_rss: int


@dataclass(frozen=True)
class Rule:
    """What may not grow: the median of the last quarter is at most that of the second one times
    `times` plus `more`. The first quarter is the warm-up."""

    what: str
    times: float
    more: int


FLAT = (
    Rule("rss", 1.10, 8 * MIB),
    Rule("fds", 1.10, 8),
    Rule("threads", 1.10, 8),
    Rule("wal", 1.10, 8 * MIB),
    # These go up and down with the rounds of the collection.
    Rule("metadata", 1.25, 8 * MIB),
    Rule("blobs", 1.50, 64 * MIB),
    Rule("own_rss", 1.10, 8 * MIB),
)


class Vitals:
    """Samples of one server, `pid`, on one data directory."""

    def __init__(self, pid, data):
        self.pid = pid
        self.data = Path(data)
        self.begun = time.monotonic()
        self.samples = []

    @property
    def seconds(self):
        return time.monotonic() - self.begun

    def take(self):
        status = process_status(self.pid)
        times = Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        self.samples.append(
            Sample(
                seconds=round(self.seconds, 1),
                rss=int(status["VmRSS"].split()[0]) * 1024,
                fds=len(os.listdir(f"/proc/{self.pid}/fd")),
                threads=int(status["Threads"]),
                cpu_seconds=(int(times[11]) + int(times[12])) / TICKS,
                metadata=size(self.data / "metadata.sqlite"),
                wal=size(self.data / "metadata.sqlite-wal"),
                blobs=tree_size(self.data / "blobs"),
                own_rss=int(process_status("self")["VmRSS"].split()[0]) * 1024,
            )
        )


def process_status(pid):
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return dict(line.split(":", 1) for line in lines if ":" in line)


def size(path):
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def tree_size(path):
    total = 0
    for folder, _, names in os.walk(path):
        # Files go while they are counted.
        total += sum(size(Path(folder) / name) for name in names)
    return total


def quarters(samples, what):
    """The medians of the four quarters of the time."""
    values = [getattr(sample, what) for sample in samples]
    edges = [len(values) * quarter // 4 for quarter in range(5)]
    return [statistics.median(values[first:end]) for first, end in zip(edges, edges[1:])]


def growth(samples):
    """What grew that should not, as sentences."""
    found = []
    for rule in FLAT:
        _, second, _, last = quarters(samples, rule.what)
        if last > second * rule.times + rule.more:
            found.append(
                f"{rule.what} grew: median {second:.0f} in the second quarter, {last:.0f} in the last"
            )
    largest = max(sample.wal for sample in samples)
    if largest > LARGEST_WAL:
        found.append(f"the log of the metadata grew to {largest} bytes")
    return found


def summary(samples):
    """The quarters of everything that is watched."""
    watched = [field.name for field in fields(Sample) if field.name not in ("seconds", "cpu_seconds")]
    return {what: quarters(samples, what) for what in watched}


def thinned(samples, most):
    """About so many of the samples, evenly spread."""
    step = max(1, len(samples) // most)
    return [asdict(sample) for sample in samples[::step]]
