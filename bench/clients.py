"""Who uploads in transfer.py, and with which flags.

Each finds the server at port 443, as `localhost` or under Dropbox's names.
"""

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from ingest import ROOT

PYTHON = ROOT / ".tools/python/bin/python"

# The fastest of some that were tried with 80 ms, 25 MB/s and 250 MB/s in all (`--rclone` tries
# others). With HTTP/2 all transfers share a connection or few. Single commits are fastest because
# this server takes them as they come; Dropbox lets few at once into one account, for which rclone
# has its batches.
LARGE_FILE = "--dropbox-batch-mode off --dropbox-chunk-size 149M --disable-http2"
RCLONE_TUNED = {
    "big": LARGE_FILE,
    "small": "--transfers 32 --checkers 32 --dropbox-batch-mode off --dropbox-chunk-size 1M --disable-http2",
    "photos": "--transfers 32 --checkers 32 --dropbox-batch-mode off --order-by size,descending --disable-http2",
    "again": "--checkers 64 --disable-http2",
    "unlimited": LARGE_FILE,
}
BATCHES = "--transfers 64 --checkers 64 --dropbox-batch-mode async --dropbox-batch-size 1000 --disable-http2"
RCLONE_BATCHES = {
    "small": f"{BATCHES} --dropbox-chunk-size 1M",
    "photos": f"{BATCHES} --dropbox-chunk-size 16M --order-by size,descending",
}
# Files at once, and pieces of a large file at once; the best of 16 and 8, 32 and 16, 64 and 32.
SDK_THREADS, SDK_PARALLEL = 64, 32


@dataclass(frozen=True)
class Place:
    """What a client is told of the server, and where it may keep things."""

    token: str
    authority: Path
    home: Path

    def environment(self):
        return {"PATH": os.environ["PATH"], "HOME": str(self.home), "LANDFALL_TOKEN": self.token}


class Client:
    """A program that uploads a file or a folder into the root of the account."""

    name: str
    version: str
    # Whoever comes `again` compares with what one of the same family put there.
    family: str
    # The part of `small` that it is given: the whole takes too long.
    share = 1

    def absent(self, workload):
        """Why it can't take part in a workload."""
        return None

    def command(self, workload, source, place):
        """What to run."""
        raise NotImplementedError

    def environment(self, place):
        """All that it has of the environment."""
        raise NotImplementedError


class Landfall(Client):
    name = family = "landfall"

    def __init__(self, binary):
        self.binary = binary
        self.version = said([binary, "--version"]).split()[1]
        self.folders = "--recursive" in said([binary, "put", "--help"])

    def absent(self, workload):
        if workload in ("small", "photos", "again") and not self.folders:
            return "its `put` takes no folders yet"
        return None

    def command(self, workload, source, place):
        put = ["--remote", "https://localhost", "--ca-cert", place.authority, "put"]
        return [self.binary, *put, *["--recursive"] * source.path.is_dir(), source.path, "/"]

    def environment(self, place):
        return {**place.environment(), "XDG_STATE_HOME": str(place.home / "state")}


class Rclone(Client):
    family = "rclone"

    def __init__(self, name, flags, share=1):
        self.name, self.flags, self.share = name, flags, share
        self.version = re.search(r"v([0-9][^\s]*)", said(["rclone", "version"])).group(1)

    def absent(self, workload):
        return None if workload in self.flags else "nothing to batch"

    def command(self, workload, source, place):
        copy = ["copy" if source.path.is_dir() else "copyto", source.path, f"dbx:{source.path.name}"]
        return ["rclone", *copy, *self.flags[workload].split()]

    def environment(self, place):
        return {
            **place.environment(),
            "RCLONE_CONFIG": "/dev/null",
            "RCLONE_CA_CERT": str(place.authority),
            "RCLONE_CONFIG_DBX_TYPE": "dropbox",
            "RCLONE_CONFIG_DBX_TOKEN": f'{{"access_token":"{place.token}","expiry":"2099-01-01T00:00:00Z"}}',
        }


class Sdk(Client):
    name = family = "python-sdk"

    def __init__(self):
        self.version = said([PYTHON, "-c", "import dropbox; print(dropbox.__version__)"]).strip()

    def absent(self, workload):
        return "its Uploader compares nothing" if workload == "again" else None

    def command(self, workload, source, place):
        script = ROOT / "bench/sdk_upload.py"
        return [PYTHON, script, source.path, f"/{source.path.name}", str(SDK_THREADS), str(SDK_PARALLEL)]

    def environment(self, place):
        hosts = {f"DROPBOX_API{host}_HOST": "localhost" for host in ("", "_CONTENT", "_NOTIFY")}
        return {**place.environment(), **hosts, "REQUESTS_CA_BUNDLE": str(place.authority)}


def everybody(landfall, share, more_flags):
    """All clients: `share` is the part of `small` for rclone's defaults, `more_flags` make one
    more rclone each."""
    plain = {workload: "" for workload in RCLONE_TUNED}
    others = [Rclone(f"rclone {flags}", dict.fromkeys(RCLONE_TUNED, flags)) for flags in more_flags]
    return [
        Landfall(landfall),
        Rclone("rclone-defaults", plain, share),
        Rclone("rclone-tuned", RCLONE_TUNED),
        Rclone("rclone-batches", RCLONE_BATCHES),
        Sdk(),
        *others,
    ]


def said(command):
    """What a command prints."""
    try:
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout
    except FileNotFoundError as error:
        raise SystemExit(f"{error}; ./test.sh installs what is needed") from None
