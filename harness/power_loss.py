#!/usr/bin/env python3
"""Power loss on a real file system: what was acknowledged must be there after it.

The data directory is on ext4 in a file. At a random moment under load the file system is shut
down without writing its journal out: whatever was not synced is gone, as after a power cut.
Needs root. What it can't show: writes that the disk itself reorders or loses below the journal,
and a directory that was not synced, because ext4 makes a new file's name durable with the file
(`strict_disk.py` is for that).

    python3 harness/power_loss.py --cycles 20 --landfall target/debug/landfall
"""

from cycle import World, arguments, main
from disk import Disk, enter_namespace


class PoweredWorld(World):
    # When the power goes, the server goes: no answer comes later. Here it lives on for some
    # milliseconds, and a sync that the shutdown interrupts may return success in vain (measured:
    # Linux, `fsync` begun before the call, ended after it with 0, bytes not there). Answers from
    # then on prove nothing.
    late_answers_count = False

    def __init__(self, work):
        self.disk = Disk(work)
        self.data = self.disk.path / "srv" / "data"

    def crash(self, server):
        self.disk.lose_power()
        server.kill()

    def recover(self):
        self.disk.unmount()
        self.disk.mount()

    def close(self):
        self.disk.unmount()


def new_world(_):
    return PoweredWorld


def parser():
    return arguments(__doc__.split("\n")[0], clients=6, longest=1.2)


if __name__ == "__main__":
    options = parser().parse_args()
    enter_namespace()
    main(PoweredWorld, options)
