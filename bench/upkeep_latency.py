#!/usr/bin/env python3
"""Median and 99th percentile of append and finish: alone, while garbage is collected by the server
or by `landfall admin`, while everything is checked, and while the server scrubs.

Each round makes a backlog of old revisions (20,000 small ones and 4,000 of 100 KiB), measures
alone, and then each kind of upkeep on a backlog of its own. Prints the medians of the rounds.

    cargo build --release -p landfall-cli
    cargo build --release -p landfall-testkit --example latency
    python3 bench/upkeep_latency.py --rounds 5
"""

import argparse
import os
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "harness"))

from api import Api  # noqa: E402
from content import Piece  # noqa: E402
from server import Server, account, environment  # noqa: E402

SMALL, LARGE = 20_000, 4_000
CLIENTS = 24
LANDFALL = ROOT / "target/release/landfall"
LATENCY = ROOT / "target/release/examples/latency"
QUIET = ["--scrub-rate", "none"]


class Bench:
    def __init__(self, options, work):
        self.options = options
        self.data = work / "data"
        self.log = work / "log"
        self.server = None
        self.serve()
        self.token = account(LANDFALL, self.data)

    def serve(self, *options):
        """The server anew, with these options; by default it does nothing by itself."""
        if self.server:
            self.server.stop()
            # A process that is gone still holds what it had leased.
            with sqlite3.connect(self.data / "metadata.sqlite") as connection:
                connection.execute("DELETE FROM lease")
                connection.execute("DELETE FROM setting WHERE name = 'scrub'")
            connection.close()
        self.server = Server(LANDFALL, self.data, self.log, options=options or QUIET)

    def backlog(self):
        """Old revisions: each client overwrites a file of its own again and again."""
        filling = Piece("filling", 100 * 1024).bytes()

        def overwrite(client):
            api = Api(self.server.port, self.token)
            for nth in range((SMALL + LARGE) // CLIENTS):
                large = nth % ((SMALL + LARGE) // LARGE) == 0
                body = f"{client} {nth} {time.time()}".encode() + filling[: None if large else 2000]
                arg = {"path": f"/backlog/{client}", "mode": "overwrite"}
                answer = api.upload("files/upload", arg, body)
                assert answer.ok, answer
            api.close()

        clients = [threading.Thread(target=overwrite, args=[client]) for client in range(CLIENTS)]
        for client in clients:
            client.start()
        for client in clients:
            client.join()

    def measure(self):
        """Median, 99th percentile and longest of append, then of finish."""
        url = f"http://127.0.0.1:{self.server.port}"
        command = [LATENCY, url, str(self.options.seconds), str(self.options.per_second)]
        token = {**os.environ, "LANDFALL_TOKEN": self.token}
        done = subprocess.run(command, env=token, capture_output=True, text=True, check=True)
        told = done.stdout.split()
        return [float(word) for word in told[1:4] + told[5:8]]

    def beside(self, *command):
        """Measured while this command of `admin` runs, again and again if it ends early."""
        stop = threading.Event()
        runs = []

        def work():
            while not stop.is_set():
                admin = [LANDFALL, "admin", "--data", str(self.data), *command]
                done = subprocess.run(admin, env=environment(False), capture_output=True, text=True)
                runs.append(done.stdout.strip())

        thread = threading.Thread(target=work)
        thread.start()
        figures = self.measure()
        stop.set()
        thread.join()
        return figures, f"{len(runs)} runs, the first: {runs[0]}"

    def left(self):
        connection = sqlite3.connect(f"file:{self.data}/metadata.sqlite?mode=ro", uri=True)
        count = "SELECT (SELECT count(*) FROM revision WHERE ended IS NOT NULL), (SELECT count(*) FROM orphan)"
        left = connection.execute(count).fetchone()
        connection.close()
        return "{} old revisions and {} orphans left in the end".format(*left)

    def phases(self):
        """Each kind of upkeep with its figures and what it did."""
        keep = ["--keep-revisions", "1s"]
        self.serve()
        self.backlog()
        yield "alone", self.measure(), ""
        yield "admin collect", *self.beside("collect", "--now", *keep)
        self.backlog()
        self.serve(*QUIET, *keep)
        yield "collection in the server", self.measure(), self.left()
        self.serve()
        self.backlog()
        yield "alone", self.measure(), ""
        yield "admin check", *self.beside("check")
        self.serve("--scrub-rate", self.options.scrub_rate)
        yield "scrub in the server", self.measure(), f"at {self.options.scrub_rate} per second"
        self.serve()
        self.tidy()

    def tidy(self):
        """What the round left goes, so that the next one begins as this one did."""
        admin = [LANDFALL, "admin", "--data", str(self.data), "collect", "--now", "--keep-revisions", "1s"]
        subprocess.run(admin, env=environment(False), check=True, capture_output=True)

    def close(self):
        self.server.kill()


def main(options):
    work = Path(tempfile.mkdtemp(prefix="landfall-upkeep-", dir=options.work))
    bench = None
    figures = {}
    try:
        bench = Bench(options, work)
        for number in range(options.rounds):
            for phase, measured, told in bench.phases():
                figures.setdefault(phase, []).append(measured)
                print(f"{number} {phase:26} {' '.join(f'{ms:8.2f}' for ms in measured)}  {told}", flush=True)
    finally:
        if bench:
            bench.close()
        shutil.rmtree(work, ignore_errors=True)
    print(f"{'medians of all rounds, ms':28} {'append: median, p99, longest':>26} {'then finish':>26}")
    medians = {what: [statistics.median(column) for column in zip(*rows)] for what, rows in figures.items()}
    alone = medians["alone"]
    for phase, row in medians.items():
        times = f"p99 times {row[1] / alone[1]:.2f} and {row[4] / alone[4]:.2f}"
        print(f"{phase:28} {' '.join(f'{ms:8.2f}' for ms in row)}  {times}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=10, help="of each measurement")
    parser.add_argument("--per-second", type=int, default=60, help="sessions that begin per second")
    parser.add_argument("--scrub-rate", default="4MiB", help="bytes per second")
    parser.add_argument("--work", help="directory for temporary files")
    main(parser.parse_args())
