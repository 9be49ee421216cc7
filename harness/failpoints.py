#!/usr/bin/env python3
"""A fault between every two steps: what was acknowledged is kept, and no garbage stays.

The points are those of `sys/failpoints.rs`; the binary names them itself, so none is left out. At
each, a step fails, a task panics, or the process is killed: while a server begins, while it
answers clients, while it does its upkeep, and while `landfall admin collect` runs beside a
server. And a server sleeps, is taken for dead, and wakes up. What is looked at then is told in
`trial.py`. Needs nothing but Python.

    python3 harness/failpoints.py --landfall target/debug/landfall
"""

import argparse
import multiprocessing
import random
import re
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

from prepared import Prepared
from server import admin, begin_admin
from trial import Case, Trial

FAULTS = ("error", "panic", "kill")

# Which points are met where, and up to which time there is sure to be.
BEGIN = {
    "open.dir_made": 1,
    "open.blobs_made": 1,
    "open.file_made": 1,
    "open.make_schema": 1,
    "open.schema_made": 1,
    "open.committed": 1,
    "open.synced": 1,
    "serve.listen": 1,
    "serve.listening": 1,
}
ANSWER = {
    "blob.make_dir": 1,
    "blob.create": 8,
    "blob.write": 20,
    "blob.sync": 8,
    "blob.sync_dir": 8,
    "blob.synced": 8,
    "start.received": 8,
    "start.committed": 8,
    "append.received": 8,
    "append.committed": 8,
    "finish.received": 8,
    "finish.committed": 8,
    "upload.received": 8,
    "upload.committed": 8,
}
GROUP = {
    "group.begun": 200,
    "group.joined": 200,
    "group.commit": 200,
    "group.committed": 200,
}
KEEP_UP = {
    "expire.remove_sessions": 2,
    "expire.sessions_removed": 2,
    "expire.remove_revisions": 2,
    "expire.revisions_removed": 2,
    "collect.remove_pieces": 200,
    "collect.pieces_removed": 200,
    "collect.remove_file": 10,
    "collect.files_removed": 1,
    "collect.forgotten": 1,
    "collect.fence": 2,
    "collect.fenced": 2,
    "collect.remove_stray": 6,
    "collect.strays_removed": 2,
    "collect.writer_removed": 2,
}
# Where there is a file that a collection takes for a stray.
SLEEP = {"blob.write": 6, "blob.sync": 3, "blob.sync_dir": 3, "blob.synced": 3}

PLACES = {
    "begin": (BEGIN, FAULTS),
    "begin_again": (BEGIN, FAULTS),
    "answer": (ANSWER | GROUP, FAULTS),
    "keep_up": (KEEP_UP, FAULTS),
    "collect": (KEEP_UP | GROUP, FAULTS),
    "sleep": (SLEEP, ("stop",)),
}


def cases(rng, faults):
    """All of them, each at some time that its point is reached."""
    for place, (points, possible) in PLACES.items():
        for point, most in points.items():
            # The first transaction of a server is before it serves.
            first = 2 if place == "answer" and point in GROUP else 1
            for fault in possible:
                case = Case(place, point, fault, rng.randint(first, most))
                if fault in faults:
                    yield case


def points_of(binary):
    """The names that the binary itself gives, when it refuses one that isn't there."""
    with begin_admin(binary, "/nowhere", "check", plan="?=error") as asked:
        told = asked.communicate()[1]
    return set(re.search(r"there are: (.*)", told)[1].split())


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--landfall", required=True, help="the binary to test")
    parser.add_argument("--seed", type=int, default=1, help="chooses the time at which each point fails")
    parser.add_argument("--faults", default="error,panic,kill,stop", help="which kinds")
    parser.add_argument("--only", default="", help="cases whose name has this in it")
    parser.add_argument("--jobs", type=int, default=2, help="cases at the same time")
    parser.add_argument("--keep", action="store_true", help="keep the directories of failed cases")
    parser.add_argument("--work", help="directory for temporary files")
    options = parser.parse_args()
    # A plain end on SIGTERM skips the clean-up.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.exit(run(options))


def run(options, tell=print):
    """The exit code."""
    begun = time.monotonic()
    rng = random.Random(options.seed)
    chosen = [case for case in cases(rng, options.faults.split(",")) if options.only in str(case)]
    known = {point for points, _ in PLACES.values() for point in points}
    if known != points_of(options.landfall):
        tell(f"points that the binary or this harness doesn't know: {known ^ points_of(options.landfall)}")
        return 1
    work = Path(tempfile.mkdtemp(prefix="landfall-harness-", dir=options.work))
    failed = acks = maybes = 0
    try:
        prepared = Prepared(options.landfall, work, options.seed)
        with multiprocessing.get_context("fork").Pool(options.jobs, start, (options, prepared, work)) as pool:
            for case, found, counts in pool.imap_unordered(one, chosen):
                acks, maybes = acks + counts[0], maybes + counts[1]
                if found:
                    failed += 1
                    tell(f"{case}: {len(found)} broken promises: {'; '.join(found[:3])[:1500]}")
    finally:
        if not (failed and options.keep):
            shutil.rmtree(work, ignore_errors=True)
        else:
            print(f"kept in {work}")
    points = len({case.point for case in chosen})
    verdict = "all kept" if not failed else f"{failed} cases broke promises"
    took = time.monotonic() - begun
    tell(f"{len(chosen)} cases at {points} points, {acks} acks, {maybes} maybes: {verdict} ({took:.0f} s, seed {options.seed})")
    return 1 if failed else 0


def start(*shared):
    """In each process of the pool."""
    global SHARED
    SHARED = shared


def one(case):
    options, prepared, work = SHARED
    place = work / f"{case.place}-{case.point}-{case.fault}"
    place.mkdir()
    trial = Trial(case, options.landfall, prepared, place)
    found = trial.run()
    if not (found and options.keep):
        shutil.rmtree(place)
    return case, found, (trial.history.acks, trial.history.maybes)


if __name__ == "__main__":
    main()
