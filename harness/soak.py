#!/usr/bin/env python3
"""Mixed load for hours on one server and one data directory, with the upkeep at work.

Fails if an answer is not the one that the client's own state explains, if downloaded bytes
differ, if memory, files, threads or the log of the metadata grow, or if the upkeep had nothing
to do. Needs nothing but Python; ends early on SIGTERM or SIGINT, with its summary.

    python3 harness/soak.py --duration 7200 --landfall target/release/landfall --summary soak.json
"""

import argparse
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from server import Server, account, environment
from soak_client import SoakClient
from tally import Tally
from vitals import MIB, Vitals, growth, summary, thinned

EVERY = 5
# Growth says nothing about a run that is shorter than a few rounds of everything.
SHORTEST = 30 * 60
SAMPLES = 240
DAY_MICROS = 24 * 60 * 60 * 1_000_000


def parser():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    add = parser.add_argument
    add("--landfall", required=True, help="the binary to test")
    add("--duration", type=float, default=3600, help="seconds")
    add("--rate", type=float, default=100, help="requests per second, of all clients together")
    add("--clients", type=int, default=4)
    add("--seed", type=int, default=1, help="the same seed makes the same choices")
    add("--summary", help="file for the summary as JSON")
    add("--serve-option", action="append", default=[], metavar="OPTION", help="one more for `serve`; repeatable")
    add("--life", type=float, default=300, help="seconds after which sessions are made to be 8 days old")
    add("--keep", type=int, default=120, help="seconds that old revisions are kept")
    add("--collect-every", type=float, default=240, help="seconds between runs of `admin collect --now`")
    add("--check-every", type=float, default=900, help="seconds between runs of `admin check`")
    add("--work", help="directory for temporary files")
    return parser


class Soak:
    """One run, and what its threads share."""

    def __init__(self, options, work):
        self.options = options
        self.seed = options.seed
        self.life = options.life
        self.keep = options.keep
        # Sessions that began before this moment are made to be too old.
        self.gone_before = float("-inf")
        self.rate_of_one = options.rate / options.clients
        self.data = work / "data"
        self.stopping = threading.Event()
        self.tally = Tally()
        self.upkeep = Upkeep(self)
        keep = [f"--keep-revisions={options.keep}s", *options.serve_option]
        self.server = Server(options.landfall, self.data, work / "server.log", options=keep)
        self.port = self.server.port
        self.vitals = Vitals(self.server.process.pid, self.data)

    def run(self):
        self.token = account(self.options.landfall, self.data)
        clients = [SoakClient(self, number) for number in range(self.options.clients)]
        for thread in (*clients, self.upkeep):
            thread.start()
        while (left := self.options.duration - self.vitals.seconds) > 0:
            if self.stopping.wait(min(EVERY, left)):
                break
            if self.server.process.poll() is not None:
                self.tally.fail(f"the server ended: {self.server.complaint()}")
                break
            self.vitals.take()
        self.seconds = self.vitals.seconds
        self.stopping.set()
        for thread in (*clients, self.upkeep):
            thread.join()
        self.end()

    def end(self):
        """Everything was seen to be there; now as an operator leaves it."""
        if self.server.process.poll() is None:
            code = self.server.stop()
            if code != 0:
                self.tally.fail(f"the server ended with {code} on SIGTERM: {self.server.complaint()}")
        self.upkeep.check()
        said = self.server.log.read_text(errors="replace").splitlines()
        for line in [line for line in said if " WARN " in line or " ERROR " in line]:
            self.tally.fail(f"the server complained: {line}")
        if self.seconds >= SHORTEST:
            for sentence in growth(self.vitals.samples):
                self.tally.fail(sentence)
        if self.seconds >= 4 * max(self.life, self.options.collect_every):
            for what in self.upkeep.idle():
                self.tally.fail(f"the upkeep had nothing to do: no {what} went")

    def close(self):
        self.server.kill()

    def result(self):
        samples = self.vitals.samples
        cpu = samples[-1].cpu_seconds - samples[0].cpu_seconds if samples else 0
        own = time.process_time()
        return {
            "landfall": version(self.options.landfall),
            "options": vars(self.options),
            "seconds": round(self.seconds),
            "requests": self.tally.requests,
            "server_share_of_a_core": round(cpu / self.seconds, 3),
            "harness_share_of_a_core": round(own / self.seconds, 3),
            "growth_judged": self.seconds >= SHORTEST,
            "quarters": summary(samples) if len(samples) >= 4 else {},
            "largest_wal": max((sample.wal for sample in samples), default=0),
            "upkeep": self.upkeep.removed,
            "upkeep_runs": self.upkeep.runs,
            "routes": {
                route: {
                    "requests": latencies.count,
                    "answers": dict(sorted(self.tally.answers[route].items())),
                    "ms": {
                        "median": round(latencies.percentile(0.5) * 1000, 2),
                        "p99": round(latencies.percentile(0.99) * 1000, 2),
                        "longest": round(latencies.longest * 1000, 2),
                    },
                }
                for route, latencies in sorted(self.tally.latencies.items())
            },
            "failed": self.tally.failed,
            "failures": self.tally.failures,
            "samples": thinned(samples, SAMPLES),
        }


class Upkeep(threading.Thread):
    """Makes sessions old, and collects and checks in processes of its own, beside the server."""

    REMOVED = re.compile(r"(\d+) ([^,]+)")

    def __init__(self, soak):
        super().__init__(name="upkeep", daemon=True)
        self.soak = soak
        self.options = soak.options
        self.removed = {}
        self.runs = {"aged": 0, "collect": 0, "check": 0}

    def run(self):
        begun = time.monotonic()
        every = {
            self.age: self.options.life / 8,
            self.collect: self.options.collect_every,
            self.check: self.options.check_every,
        }
        due = {job: begun + seconds for job, seconds in every.items()}
        try:
            while True:
                job = min(due, key=due.get)
                if self.soak.stopping.wait(max(0, due[job] - time.monotonic())):
                    return
                job()
                due[job] = time.monotonic() + every[job]
        except Exception as error:
            self.soak.tally.fail(f"the upkeep broke: {error!r}")
            self.soak.stopping.set()

    def age(self):
        """As if 8 days had gone by for sessions and kept answers that are old enough."""
        until = time.monotonic() - self.options.life
        now = int(time.time() * 1_000_000)
        old = now - int(self.options.life * 1_000_000)
        week = now - 7 * DAY_MICROS
        connection = sqlite3.connect(self.soak.data / "metadata.sqlite", timeout=30)
        try:
            with connection:
                for table, column in (("session", "created"), ("replay", "committed")):
                    aged = connection.execute(
                        f"UPDATE {table} SET {column} = {column} - ? WHERE {column} BETWEEN ? AND ?",
                        (8 * DAY_MICROS, week, old),
                    )
                    self.runs["aged"] += aged.rowcount
            # What began before is gone now, however late this came on a busy machine.
            self.soak.gone_before = until
        finally:
            connection.close()

    def collect(self):
        told = self.admin("collect", "--now", f"--keep-revisions={self.options.keep}s")
        begin, _, list_of_removed = told.partition("removed ")
        removed = self.REMOVED.findall(list_of_removed)
        if begin or not removed:
            return self.soak.tally.fail(f"admin collect: {told}")
        self.runs["collect"] += 1
        for count, what in removed:
            self.removed[what.strip()] = self.removed.get(what, 0) + int(count)

    def check(self):
        told = self.admin("check")
        self.runs["check"] += 1
        if not told.endswith(" 0 problems"):
            self.soak.tally.fail(f"admin check: {told}")

    def admin(self, *command):
        command = [self.options.landfall, "admin", "--data", str(self.soak.data), *command]
        done = subprocess.run(command, env=environment(weakened=False), capture_output=True, text=True)
        return (done.stdout + done.stderr).strip()

    def idle(self):
        """What never went. Only dead writers leave strays, and here nobody dies."""
        due = ("expired sessions", "old revisions", "blobs")
        return [what for what in due if not self.removed.get(what)]


def version(binary):
    return subprocess.run([binary, "--version"], capture_output=True, text=True).stdout.strip()


def table(result):
    """The summary for people."""
    yield f"{'route':32} {'requests':>9} {'median':>8} {'p99':>8} {'longest':>8}  answers"
    for route, told in result["routes"].items():
        times = " ".join(f"{told['ms'][what]:8.1f}" for what in ("median", "p99", "longest"))
        answers = ", ".join(f"{answer}: {count}" for answer, count in told["answers"].items())
        yield f"{route:32} {told['requests']:9} {times}  {answers}"
    for what, medians in result["quarters"].items():
        unit, shown = (1, "") if what in ("fds", "threads") else (MIB, " MiB")
        yield f"{what:9} {' '.join(f'{median / unit:9.1f}' for median in medians)}{shown}, by quarter"
    shares = f"server {result['server_share_of_a_core']:.0%}, harness {result['harness_share_of_a_core']:.0%} of a core"
    yield f"{result['requests']} requests in {result['seconds']} s; {shares}"
    yield f"upkeep: {result['upkeep_runs']}, removed {result['upkeep']}"
    for failure in result["failures"]:
        yield f"FAILED: {failure}"
    yield f"{result['failed']} failures" if result["failed"] else "all as expected"


def main(options):
    work = Path(tempfile.mkdtemp(prefix="landfall-soak-", dir=options.work))
    soak = None
    try:
        soak = Soak(options, work)
        for ending in (signal.SIGTERM, signal.SIGINT):
            signal.signal(ending, lambda *_: soak.stopping.set())
        soak.run()
        result = soak.result()
        for line in table(result):
            print(line)
        if options.summary:
            Path(options.summary).write_text(json.dumps(result, indent=1) + os.linesep)
        return 1 if result["failed"] else 0
    finally:
        if soak:
            soak.close()
        shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main(parser().parse_args()))
