#!/usr/bin/env python3
"""How long whole uploads take over a network, beside rclone and the official Python SDK.

    cargo build --release -p landfall-cli && cargo build --release -p landfall-testkit --example link
    python3 bench/transfer.py [--workloads big,small] [--clients landfall,rclone] [--rounds N] [--json FILE]

The network is the testkit's link: 80 ms there and back, 25 MB/s for a connection and 250 MB/s in
all. Behind it is the same server for everybody, over TLS, on a directory that is new for each run.
In each round every client uploads the same files, and each round begins with another client. What
came is compared with the source, by path, size and hash. The figures are medians, the ratios those
of pairs in one round. rclone's defaults get a part of `small` only, and its rate is compared.

Workloads: big (a file of 2 GiB), small (10,000 files of 10 KiB), photos (5,000 files, 4 GiB),
again (the photos a second time), unlimited (2 GiB over a link without limits).

Needs rclone, unshare, ip, and the SDK that ./test.sh installs; 15 GB of disk.
"""

import argparse
import contextlib
import json
import mmap
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import workloads
from clients import Place, everybody
from ingest import ROOT, cpu, peak, spread

from api import Api
from link import Link
from server import DIES_WITH_PARENT, LIBC, Server, account, answered

LIMITS = ("--round-trip", "80ms", "--per-connection", "25MB", "--total", "250MB")
# What each uploads, over which network.
WORKLOADS = {
    "big": (workloads.big, LIMITS),
    "small": (workloads.small, LIMITS),
    "photos": (workloads.photos, LIMITS),
    "again": (workloads.photos, LIMITS),
    "unlimited": (workloads.big, ()),
}
LINK = ROOT / "target/release/examples/link"
NAMES = ROOT / "crates/landfall-cli/tests/clients/dropbox-names.sh"
# Where Dropbox is.
PORT = 443
APPEND = "files/upload_session/append_v2"


@dataclass(frozen=True)
class Measured:
    """One client's run."""

    client: str
    files: int
    bytes: int
    seconds: float
    # Processor seconds.
    cpu: float
    # MiB.
    peak: float
    up: int
    connections: int
    server_cpu: float
    link_cpu: float
    # Requests by route, and those that were not answered by 200.
    routes: dict
    refused: int


def main():
    options = arguments()
    if not options.inside:
        where_dropbox_is_here(options)
    work = Path(options.inside)
    clients = everybody(options.landfall, options.share, options.rclone)
    clients = [client for client in clients if client.name.startswith(tuple(options.clients.split(",")))]
    versions = {client.family: client.version for client in clients}
    print(", ".join(f"{family} {version}" for family, version in versions.items()), end="\n\n")
    runs = {}
    for name in options.workloads.split(","):
        begun = time.monotonic()
        for client in clients:
            if client.absent(name):
                print(f"{name} without {client.name}: {client.absent(name)}")
        present = [client for client in clients if not client.absent(name)]
        if not present:
            continue
        (work / name).mkdir()
        bench = Bench(options, work / name, name, present)
        runs[name] = bench.run()
        tell(bench, runs[name])
        print(f"{name} took {(time.monotonic() - begun) / 60:.1f} min", end="\n\n", flush=True)
        shutil.rmtree(work / name)
        if options.json:
            rows = {workload: [asdict(row) for row in of_it] for workload, of_it in runs.items()}
            told = {"versions": versions, "limits": LIMITS, "scale": options.scale, "runs": rows}
            Path(options.json).write_text(json.dumps(told, indent=1) + "\n")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--landfall", type=os.path.abspath, default=str(ROOT / "target/release/landfall"))
    parser.add_argument("--workloads", default=",".join(WORKLOADS), help="those to run, by comma")
    parser.add_argument("--clients", default="", help="beginnings of the names of those to run, by comma")
    parser.add_argument("--rclone", action="append", default=[], metavar="FLAGS", help="one more, as --rclone='FLAGS'")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--scale", type=float, default=1, help="a part of each workload, for trying")
    parser.add_argument("--share", type=float, default=0.1, help="the part of `small` for rclone's defaults")
    parser.add_argument("--json", type=os.path.abspath, metavar="FILE", help="where to write the figures of each run")
    parser.add_argument("--work", type=os.path.abspath, help="directory on the disk to use")
    parser.add_argument("--inside", help=argparse.SUPPRESS)
    return parser.parse_args()


def where_dropbox_is_here(options):
    """Runs this program in namespaces of its own, where Dropbox's names lead to this machine, and
    ends with it."""
    work = tempfile.mkdtemp(prefix="landfall-transfer-", dir=options.work)
    script = 'cd "$0"; . "$1"; cd "$OLDPWD"; shift; exec "$@"'
    unshare = ["unshare", "--map-root-user", "--mount", "--net", "bash", "-euc", script, work, str(NAMES)]
    try:
        again = [sys.executable, __file__, *sys.argv[1:], "--inside", work]
        sys.exit(subprocess.run([*unshare, *again]).returncode)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def touch_memory(wanted):
    """Writes to so many bytes of the memory that is free. A virtual machine may get it from its
    host only when it is used, at some 180 MB/s where it was measured, and give it back soon after:
    that is not what is to be timed."""
    with open("/proc/meminfo") as lines:
        free = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    with mmap.mmap(-1, min(wanted, free // 10 * 8)) as memory:
        for page in range(0, len(memory), mmap.PAGESIZE):
            memory[page] = 1


class Failed(Exception):
    """A client that didn't do what it was to."""


class Bench:
    """One workload for all clients."""

    def __init__(self, options, work, name, present):
        self.options, self.work, self.name, self.present = options, work, name, present
        make, self.network = WORKLOADS[name]
        self.source = make(work, options.scale)
        # What those get that would take too long.
        self.parts = {1: self.source}
        for share in {client.share for client in present} - {1} if name == "small" else ():
            self.parts[share] = make(work / "part", options.scale * share)
        # The directories where a family's photos are already.
        self.there = {}

    def run(self):
        """The runs of all rounds. Who fails once is out, with all rounds."""
        rows = []
        for nth in range(self.options.rounds):
            turn = nth % max(1, len(self.present))
            for client in self.present[turn:] + self.present[:turn]:
                try:
                    rows.append(self.measure(client))
                except Failed as error:
                    print(f"{self.name} without {client.name}: {error}", flush=True)
                    self.present.remove(client)
        names = {client.name for client in self.present}
        return [row for row in rows if row.client in names]

    def measure(self, client):
        """One client's run, on a server of its own."""
        source = self.parts.get(client.share, self.source)
        if self.name != "again":
            data = Path(tempfile.mkdtemp(dir=self.work))
            try:
                return self.upload(client, source, data, self.network)
            finally:
                shutil.rmtree(data)
        if client.family not in self.there:
            there = Path(tempfile.mkdtemp(dir=self.work))
            self.upload(client, source, there, ())
            self.there[client.family] = there
        return self.upload(client, source, self.there[client.family], self.network)

    def upload(self, client, source, world, network):
        """Lets a client upload to a server that keeps its data in `world`."""
        (world / "log").unlink(missing_ok=True)
        # What is stored, and as much again for what stores it.
        touch_memory(2 * source.bytes + 2 * workloads.GIB)
        server = Server(self.options.landfall, world / "data", world / "log", options=["--tls-dev"], requests=True)
        link = None
        try:
            token = world / "token"
            if not token.exists():
                token.write_text(account(self.options.landfall, world / "data"))
            place = Place(token.read_text(), world / "data/tls/authority.pem", world)
            link = Link(LINK, server.port, network, listen=f"127.0.0.1:{PORT}")
            before = cpu(server)
            command = [str(word) for word in client.command(self.name, source, place)]
            seconds, used, memory = run(command, client.environment(place), world / "said")
            server_cpu, link_cpu, carried = cpu(server) - before, cpu(link), link.stop()
            routes, refused = requests(world / "log")
            is_whole(server, place, source)
        finally:
            server.stop()
            if link:
                link.kill()
        return Measured(
            client=client.name,
            files=source.files,
            bytes=source.bytes,
            seconds=seconds,
            cpu=used,
            peak=memory,
            up=carried.up,
            connections=carried.connections,
            server_cpu=server_cpu,
            link_cpu=link_cpu,
            routes=routes,
            refused=refused,
        )


def run(command, environment, log):
    """Runs a client to its end: its seconds, its processor seconds, its peak memory in MiB."""
    with open(log, "wb") as said:
        begun = time.monotonic()
        process = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            preexec_fn=lambda: LIBC.prctl(DIES_WITH_PARENT, signal.SIGKILL),
        )
        watch = Watch(process)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - begun
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise Failed(f"{' '.join(command)}: {log.read_text(errors='replace')[-2000:]}")
    return seconds, usage.ru_utime + usage.ru_stime, watch.ended()


class Watch(threading.Thread):
    """Looks at a process's memory for as long as it is there. What wait4 tells of it is no
    less than Python's own, which the process had before it became another program."""

    def __init__(self, process):
        super().__init__(daemon=True)
        self.process, self.most = process, 0
        self.over = threading.Event()
        self.start()

    def run(self):
        # When the process has just ended, there is nothing to look at.
        with contextlib.suppress(OSError):
            while not self.over.wait(0.05):
                self.most = max(self.most, peak(self))

    def ended(self):
        self.over.set()
        self.join()
        return self.most


def requests(log):
    """How many there were by route, and how many of all were not answered by 200."""
    routes, refused = Counter(), 0
    with open(log, errors="replace") as lines:
        for route, status in filter(None, map(answered, lines)):
            routes[route] += 1
            refused += status != 200
    return dict(routes.most_common()), refused


def is_whole(server, place, source):
    """Compares what is in the account with what was to come."""
    api = Api(server.port, place.token, place.authority)
    files = [entry for entry in api.listing() if entry[".tag"] == "file"]
    api.close()
    found = {file["path_display"]: (file["size"], file["content_hash"]) for file in files}
    if found != source.wanted:
        wrong = [path for path in {**found, **source.wanted} if found.get(path) != source.wanted.get(path)]
        raise Failed(f"{len(wrong)} files are not what was sent: {sorted(wrong)[:5]}")


def of_newer_rclone(row):
    """Computed: an rclone from August 2026 on closes a session with the append of the last bytes,
    and so saves one append of each small file. Nothing else is taken to change, and each request to
    take its part of the time."""
    appends = row.routes.get(APPEND, 0)
    saved = min(row.files, appends)
    requests = sum(row.routes.values())
    less = (requests - saved) / requests
    return replace(row, seconds=row.seconds * less, routes={**row.routes, APPEND: appends - saved})


COLUMNS = {
    "seconds": lambda rows, _: spread([row.seconds for row in rows], 1),
    "times landfall's": lambda rows, ours: times(rows, ours),
    "requests": lambda rows, _: middle(rows, lambda row: sum(row.routes.values()), 0),
    "CPU s": lambda rows, _: middle(rows, lambda row: row.cpu, 2),
    "per GiB": lambda rows, _: middle(rows, lambda row: row.cpu / row.bytes * 2**30, 2),
    "peak MiB": lambda rows, _: middle(rows, lambda row: row.peak, 0),
    "MB up": lambda rows, _: middle(rows, lambda row: row.up / 1e6, 1),
    "connections": lambda rows, _: middle(rows, lambda row: row.connections, 0),
    "server CPU s": lambda rows, _: middle(rows, lambda row: row.server_cpu, 2),
    "link CPU s": lambda rows, _: middle(rows, lambda row: row.link_cpu, 2),
}


def middle(rows, value, digits):
    return f"{statistics.median(map(value, rows)):,.{digits}f}"


def times(rows, others):
    """How many times as long it took as in the other run of the same round."""
    return spread([pace(row) / pace(other) for row, other in zip(rows, others)]) if others else ""


def pace(row):
    """Seconds for each file, or for each byte of one."""
    return row.seconds / row.files if row.files > 1 else row.seconds / row.bytes


def tell(bench, rows):
    """The table of a workload, and the requests of each client's last round."""
    source = bench.source
    network = " ".join(["link", *bench.network]) if bench.network else "a link without limits"
    what = f"{source.files:,} files, {source.bytes / 2**20:,.0f} MiB"
    print(f"{bench.name}: {what}; {network}; medians of {bench.options.rounds} rounds (least to most)")
    by_client = {client.name: [row for row in rows if row.client == client.name] for client in bench.present}
    for name in ("rclone-defaults", "rclone-batches"):
        if source.files > 1 and name in by_client and bench.name != "again":
            by_client[f"{name}, newer, computed"] = [of_newer_rclone(row) for row in by_client[name]]
    ours = by_client.get("landfall")
    table = [["", *COLUMNS]]
    for name, own in by_client.items():
        part = f", {own[0].files:,} files" * (own[0].files < source.files)
        table.append([name + part, *(column(own, ours) for column in COLUMNS.values())])
    widths = [max(map(len, column)) for column in zip(*table)]
    for line in table:
        print("  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]))
    for client in bench.present:
        last = by_client[client.name][-1]
        routes = ", ".join(f"{count:,} {route.removeprefix('files/')}" for route, count in last.routes.items())
        print(f"{client.name}: {routes}" + f"; {last.refused} not answered by 200" * (last.refused > 0))


if __name__ == "__main__":
    main()
