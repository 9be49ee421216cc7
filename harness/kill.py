#!/usr/bin/env python3
"""SIGKILL at random moments: the system's memory survives, the server's is gone.

Finds what depends on an orderly end, and commits that are atomic only while the process lives.
Needs nothing but Python.

    python3 harness/kill.py --cycles 100 --landfall target/debug/landfall
"""

from cycle import World, arguments, main


class KilledWorld(World):
    def __init__(self, work):
        self.data = work / "data"


def new_world(_):
    return KilledWorld


def parser():
    return arguments(__doc__.split("\n")[0], clients=8, longest=0.6)


if __name__ == "__main__":
    main(KilledWorld, parser().parse_args())
