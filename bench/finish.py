#!/usr/bin/env python3
"""How long a finish takes for 16 MiB and for 8 GiB, sequential and concurrent.

    cargo build --release -p landfall-cli && python3 bench/finish.py [--rounds N] [--landfall PATH]

Each session gets one block of 4 MiB over HTTP. The rest of its pieces are rows that refer to that
block again, written into the metadata from outside: a finish reads no bytes, so it doesn't matter
what they are. In each round, one after the other: all four kinds, in an order that turns.
"""

import argparse
import os
import shutil
import sqlite3
import statistics
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "harness"))

from api import Api  # noqa: E402
from server import Server, account  # noqa: E402

BLOCK = 4 * 1024 * 1024
SIZES = {"16 MiB": 16 * 1024 * 1024, "8 GiB": 8 * 1024**3}
KINDS = [(kind, size) for kind in ("sequential", "concurrent") for size in SIZES]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--landfall", default=str(ROOT / "target/release/landfall"))
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    work = Path(tempfile.mkdtemp(prefix="landfall-finish-"))
    server = None
    try:
        server = Server(options.landfall, work / "data", work / "log")
        api = Api(server.port, account(options.landfall, work / "data"))
        block = os.urandom(BLOCK)
        took = {kind: [] for kind in KINDS}
        # The first round warms up.
        for nth in range(1 + options.rounds):
            turned = KINDS[nth % len(KINDS):] + KINDS[:nth % len(KINDS)]
            sessions = [(kind, session(api, work / "data", block, *kind)) for kind in turned]
            for kind, (name, size) in sessions:
                seconds = finish(api, name, size)
                if nth:
                    took[kind].append(seconds * 1000)
        tell(took)
    finally:
        if server:
            server.kill()
        shutil.rmtree(work, ignore_errors=True)


def session(api, data, block, kind, size):
    """A closed session of this size; its name and size."""
    size = SIZES[size]
    started = must(api.upload("files/upload_session/start", {"session_type": kind}, b""))
    name = started["session_id"]
    cursor = {"session_id": name, "offset": 0}
    must(api.upload("files/upload_session/append_v2", {"cursor": cursor, "close": True}, block))
    with sqlite3.connect(data / "metadata.sqlite", timeout=30) as metadata:
        reach = size if kind == "concurrent" else None
        changed = metadata.execute(
            "UPDATE session SET length = ?, reach = ? WHERE id = ? RETURNING content", (size, reach, name)
        )
        (content,) = changed.fetchone()
        # As many rows as the appends of 4 MiB would have left.
        metadata.executemany(
            "INSERT INTO extent (content, start, length, blob, blob_start, digests)"
            " SELECT content, ?, length, blob, blob_start, digests FROM extent WHERE content = ? AND start = 0",
            ((start, content) for start in range(BLOCK, size, BLOCK)),
        )
    metadata.close()
    return name, size


def finish(api, name, size):
    """The seconds that a finish takes."""
    arg = {"cursor": {"session_id": name, "offset": size}, "commit": {"path": f"/{name}"}}
    begun = time.monotonic()
    saved = must(api.upload("files/upload_session/finish", arg, b""))
    took = time.monotonic() - begun
    if saved["size"] != size:
        raise SystemExit(f"a file of {saved['size']} bytes instead of {size}")
    return took


def must(answer):
    if not answer.ok:
        raise SystemExit(f"the server said {answer.status} {answer.why}")
    return answer.value


def tell(took):
    for (kind, size), times in took.items():
        times = sorted(times)
        median = statistics.median(times)
        print(f"{kind:10} {size:>6}: {median:6.2f} ms ({times[0]:.2f} to {times[-1]:.2f})")
    for kind in ("sequential", "concurrent"):
        pairs = zip(took[kind, "16 MiB"], took[kind, "8 GiB"], strict=True)
        ratios = sorted(large / small for small, large in pairs)
        median = statistics.median(ratios)
        print(f"{kind:10} 8 GiB / 16 MiB: {median:.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})")


if __name__ == "__main__":
    main()
