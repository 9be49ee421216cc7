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

import kill
import power_loss
import strict_disk
from cycle import run
from disk import enter_namespace

VARIABLE = "LANDFALL_WEAKENED"

# Each safeguard, and the harness whose part it is to miss it.
SAFEGUARDS = {
    "file-sync": (power_loss, power_loss.PoweredWorld),
    "dir-sync": (strict_disk, strict_disk.StrictWorld),
    "commit-sync": (power_loss, power_loss.PoweredWorld),
    "replay": (kill, kill.KilledWorld),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--landfall", required=True, help="a binary with the feature `weakened`")
    parser.add_argument("--cycles", type=int, default=10, help="within which a weakness must be found")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    enter_namespace()

    missed = []
    for harness, world in dict.fromkeys(SAFEGUARDS.values()):
        os.environ.pop(VARIABLE, None)
        if attempt(options, harness, world, cycles=2).failed:
            missed.append(f"{harness.__name__} fails though nothing was taken away")
    for safeguard, (harness, world) in SAFEGUARDS.items():
        os.environ[VARIABLE] = safeguard
        begun = time.monotonic()
        result = attempt(options, harness, world, options.cycles)
        if result.failed:
            took = time.monotonic() - begun
            print(f"without {safeguard}: {harness.__name__} finds it in cycle {result.first} ({took:.0f} s)")
        else:
            missed.append(f"without {safeguard}: {harness.__name__} finds nothing in {result.cycles} cycles")
    for line in missed:
        print(line)
    sys.exit(1 if missed else 0)


def attempt(options, harness, world, cycles):
    given = ["--landfall", options.landfall, "--cycles", str(cycles), "--seed", str(options.seed)]
    told = harness.parser().parse_args([*given, "--until-failure"])
    return run(world, told, tell=lambda text: print(f"  {text[:300]}"))


if __name__ == "__main__":
    main()
