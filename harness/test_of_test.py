#!/usr/bin/env python3
"""The test of the tests: with a safeguard taken away, a harness must find a broken promise.

Needs a binary that was built with the feature `weakened`, and root. First the same binary with
nothing taken away must pass, or a finding would prove nothing.

    cargo build -p landfall-cli --features weakened --target-dir target/weakened
    python3 harness/test_of_test.py --landfall target/weakened/debug/landfall
"""

import argparse
import os
import sys
import time
from dataclasses import dataclass

import failpoints
import full_disk
import kill
import power_loss
import strict_disk
import syscalls
from cycle import run
from disk import enter_namespace
from trial import Case

VARIABLE = "LANDFALL_WEAKENED"


def tell(text):
    print(f"  {text[:300]}")


@dataclass(frozen=True)
class Crashes:
    """A harness that crashes at random moments."""

    harness: object

    @property
    def name(self):
        return self.harness.__name__

    def attempt(self, options, cycles):
        """The first cycle that broke a promise; 0: none did."""
        given = ["--landfall", options.landfall, "--cycles", str(cycles), "--seed", str(options.seed)]
        told = self.harness.parser().parse_args([*given, "--until-failure"])
        return run(self.harness.new_world(told), told, tell=tell).first


@dataclass(frozen=True)
class Faults:
    """Planned faults: at one point, one time after the other."""

    place: str
    point: str
    fault: str
    times: range
    name = "failpoints"

    def attempt(self, options, cycles):
        """The first case, as they end, that broke a promise; 0: none did."""
        cases = [Case(self.place, self.point, self.fault, nth) for nth in self.times[:cycles]]
        given = ["--landfall", options.landfall, "--seed", str(options.seed)]
        told = failpoints.parser().parse_args([*given, "--until-failure"])
        return failpoints.run(told, cases, tell=tell).first


@dataclass(frozen=True)
class Full:
    """A full disk."""

    name = "full_disk"

    def attempt(self, options, cycles):
        """The first scenario that broke a promise; 0: none did."""
        given = ["--landfall", options.landfall, "--seed", str(options.seed)]
        return full_disk.run(full_disk.parser().parse_args(given), tell).first


# Each safeguard, and whose part it is to miss it.
SAFEGUARDS = {
    "file-sync": Crashes(power_loss),
    "dir-sync": Crashes(strict_disk),
    "commit-sync": Crashes(power_loss),
    "replay": Crashes(kill),
    # Of those that go, three of four have a file.
    "rows-first": Faults("collect", "collect.remove_pieces", "kill", range(1, 12)),
    "fence": Faults("sleep", "blob.synced", "stop", range(1, 5)),
    "stop": Crashes(syscalls),
    "settle": Crashes(syscalls),
    "sync-error": Crashes(syscalls),
    "reserve": Full(),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--landfall", required=True, help="a binary with the feature `weakened`")
    parser.add_argument("--cycles", type=int, default=10, help="within which a weakness must be found")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    enter_namespace()

    missed = []
    for harness in dict.fromkeys(SAFEGUARDS.values()):
        os.environ.pop(VARIABLE, None)
        if harness.attempt(options, cycles=2):
            missed.append(f"{harness.name} fails though nothing was taken away")
    for safeguard, harness in SAFEGUARDS.items():
        os.environ[VARIABLE] = safeguard
        begun = time.monotonic()
        first = harness.attempt(options, options.cycles)
        if first:
            took = time.monotonic() - begun
            print(f"without {safeguard}: {harness.name} finds it in cycle {first} ({took:.0f} s)")
        else:
            missed.append(f"without {safeguard}: {harness.name} finds nothing in {options.cycles} cycles")
    for line in missed:
        print(line)
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
