"""A disk that can lose its power, and be full: ext4 in a file, mounted through a loop device.

All mounts are made in a mount namespace of this process. Nobody else sees them, and they go away
with the process however it ends; the loop devices go with their mounts.
"""

import ctypes
import fcntl
import os
import struct
import subprocess

NAMESPACE = 0x00020000  # CLONE_NEWNS
SHUTDOWN = 0x8004587D  # EXT4_IOC_SHUTDOWN
NO_LOG_FLUSH = 2  # The journal is not written out: as if the power went.
SIZE = 400 * 1024 * 1024


def enter_namespace():
    """Once per process, before the first mount."""
    if os.geteuid() != 0:
        raise SystemExit("this needs a loop mount, and that needs root: run it as root")
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(NAMESPACE) != 0:
        why = os.strerror(ctypes.get_errno())
        raise SystemExit(f"this needs a mount namespace, and the system refuses it: {why}")
    run("mount", "--make-rprivate", "/")


class Disk:
    """One image, mounted at `path`."""

    def __init__(self, work, size=SIZE):
        self.image = work / "image"
        self.path = work / "mount"
        self.path.mkdir()
        with open(self.image, "wb") as image:
            image.truncate(size)
        # Nothing is kept for root, who runs this: full is full.
        run("mkfs.ext4", "-q", "-m", "0", "-E", "nodiscard", str(self.image))
        self.mounted = False
        self.mount()

    def mount(self):
        run("mount", "-o", "loop", str(self.image), str(self.path))
        self.mounted = True

    def unmount(self):
        if self.mounted:
            run("umount", str(self.path))
            self.mounted = False

    def lose_power(self):
        """What was not synced is gone, and nothing more can be written until it is mounted anew."""
        directory = os.open(self.path, os.O_RDONLY)
        try:
            fcntl.ioctl(directory, SHUTDOWN, struct.pack("I", NO_LOG_FLUSH))
        finally:
            os.close(directory)


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        said = done.stderr.strip()
        raise SystemExit(f"this needs loop mounts of ext4 (root, e2fsprogs, mount): {' '.join(command)}: {said}")
