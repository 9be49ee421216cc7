"""What all harnesses do: serve, load, crash, restart, look, judge; again and again."""

import argparse
import random
import shutil
import signal
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from api import Api
from check import check
from history import History
from load import Load
from observe import observe
from server import DoesNotStart, Server, account

# Cycles on one data directory: later ones find what earlier ones left.
TOGETHER = 4
# How often the server crashes once more right after its restart.
TWICE = 0.2


class World:
    """Where the data lives, what befalls it, and how it crashes."""

    # The data directory.
    data: Path
    # A program to run the server under.
    prefix = ()
    # Whether an answer that comes after the crash began is a promise.
    late_answers_count = True

    def meanwhile(self, server, load, rng, longest):
        """What goes on between the beginning of the load and the crash: time passes."""
        load.stopping.wait(rng.uniform(0.02, longest))

    def crash(self, server):
        """Ends the server and whatever else goes with it."""
        server.kill()

    def recover(self):
        """Makes the data readable again."""

    def inspect(self):
        """Violations that are found by other means, while the server runs on what was found."""
        return []

    def close(self):
        """Leaves nothing behind."""


@dataclass
class Result:
    cycles: int = 0
    acks: int = 0
    maybes: int = 0
    # The first cycle that broke a promise, and how many did.
    first: int = 0
    failed: int = 0


def arguments(about, clients, longest):
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--landfall", required=True, help="the binary to test")
    parser.add_argument("--cycles", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1, help="the same seed makes the same choices")
    parser.add_argument("--clients", type=int, default=clients)
    parser.add_argument("--longest", type=float, default=longest, help="seconds until the crash, at most")
    parser.add_argument("--until-failure", action="store_true", help="stop at the first broken promise")
    parser.add_argument("--keep", action="store_true", help="keep directory and log of a failed cycle")
    parser.add_argument("--work", help="directory for temporary files")
    return parser


def main(new_world, options):
    """Runs the cycles, tells the outcome, ends the process."""
    # A plain end on SIGTERM skips the clean-up.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    begun = time.monotonic()
    result = run(new_world, options)
    counts = f"{result.cycles} cycles, {result.acks} acks, {result.maybes} maybes"
    verdict = "all kept" if not result.failed else f"{result.failed} cycles broke promises, the first is {result.first}"
    print(f"{counts}: {verdict} ({time.monotonic() - begun:.0f} s, seed {options.seed})")
    sys.exit(1 if result.failed else 0)


def run(new_world, options, tell=print):
    result = Result()
    chain = None
    try:
        for number in range(1, options.cycles + 1):
            if chain is None:
                chain = Chain(new_world, options)
            rng = random.Random(f"{options.seed}.{number}")
            found, history = chain.cycle(rng, f"{options.seed}.{number}")
            result.cycles += 1
            result.acks += history.acks
            result.maybes += history.maybes
            if found:
                result.failed += 1
                result.first = result.first or number
                tell(f"cycle {number} of seed {options.seed}: {len(found)} broken promises: {'; '.join(found[:3])[:900]}")
            if found or chain.length == TOGETHER:
                chain.close(keep=found and options.keep)
                chain = None
            if found and options.until_failure:
                break
    finally:
        if chain:
            chain.close()
    return result


class Chain:
    """Cycles one after the other on the same data."""

    def __init__(self, new_world, options):
        self.options = options
        self.work = Path(tempfile.mkdtemp(prefix="landfall-harness-", dir=options.work))
        self.log = self.work / "server.log"
        self.server = self.world = None
        self.length = 0
        self.history = History()
        self.token = None
        try:
            self.world = new_world(self.work)
        except BaseException:
            self.close()
            raise

    def cycle(self, rng, label):
        """One crash; the violations, and what was asked and answered."""
        self.length += 1
        history = self.history
        try:
            if self.token is None:
                self.set_up()
            self.serve()
        except DoesNotStart as error:
            return [str(error)], history
        load = Load(history, self.server.port, self.token, label, self.options.clients, self.world.late_answers_count)
        load.start()
        try:
            self.world.meanwhile(self.server, load, rng, self.options.longest)
            load.crashing.set()
            self.world.crash(self.server)
        finally:
            load.join()
        try:
            self.world.recover()
            if rng.random() < TWICE:
                self.serve()
                self.world.crash(self.server)
                self.world.recover()
            self.serve()
        except DoesNotStart as error:
            return [str(error)], history
        api = Api(self.server.port, self.token)
        try:
            seen = observe(api, history, self.world.data / "metadata.sqlite", rng, label)
            found = self.world.inspect()
        except RuntimeError as error:
            return [f"{error}; {self.server.complaint()}"], history
        finally:
            api.close()
            self.server.kill()
        found += check(history, seen)
        if not found:
            self.history = history.after(seen, seen.finishes)
        return found, history

    def set_up(self):
        """Data directory, account and token, and a first crash after them. All safeguards are in
        place here: a weakness must be found by the load, not because the token is gone."""
        self.serve(weakened=False)
        self.token = account(self.options.landfall, self.world.data)
        self.world.crash(self.server)
        self.world.recover()

    def serve(self, weakened=True):
        world = self.world
        self.server = Server(self.options.landfall, world.data, self.log, world.prefix, weakened)

    def close(self, keep=False):
        if self.server:
            self.server.kill()
        if self.world:
            self.world.close()
        if keep:
            print(f"kept in {self.work}")
        else:
            shutil.rmtree(self.work, ignore_errors=True)
