#!/usr/bin/env python3
"""A fault between every two steps: what was acknowledged is kept, and no garbage stays.

The points are those of `sys/failpoints.rs`; the binary names them itself, so none is left out. At
each, a step fails, a task panics, or the process is killed: while a server begins, while it
answers clients, while it does its upkeep, while `landfall admin collect` or `backup` runs beside
a server, and while a backup is restored. And a server sleeps, is taken for dead, and wakes up. What is looked at then is told in
`trial.py`. Needs nothing but Python.

    python3 harness/failpoints.py --landfall target/debug/landfall
"""

import argparse
import concurrent.futures
import multiprocessing
import random
import re
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

from cycle import Result
from prepared import Prepared
from server import DIES_WITH_PARENT, LIBC, begin_admin
from trial import Case, Trial

FAULTS = ("error", "panic", "kill")
# Bytes that all cases together need.
ROOM = 1 << 30

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
    "expire.forget": 2,
    "expire.forgotten": 2,
    "delete.remove_slice": 15,
    "delete.slice_removed": 15,
    "collect.remove_pieces": 12,
    "collect.pieces_removed": 12,
    "collect.remove_file": 10,
    "collect.files_removed": 1,
    "collect.forgotten": 1,
    "collect.fence": 2,
    "collect.fenced": 2,
    "collect.remove_stray": 6,
    "collect.strays_removed": 2,
    "collect.writer_removed": 2,
}
COPY = {
    "copy.begun": 1,
    "copy.metadata_copied": 1,
    "copy.blob_copied": 100,
    "copy.unmark": 1,
}
# Where there is a file that a collection takes for a stray.
SLEEP = {"blob.write": 6, "blob.sync": 3, "blob.sync_dir": 3, "blob.synced": 3}

PLACES = {
    "begin": (BEGIN, FAULTS),
    "begin_again": (BEGIN, FAULTS),
    "answer": (ANSWER | GROUP, FAULTS),
    "keep_up": (KEEP_UP, FAULTS),
    "collect": (KEEP_UP | dict.fromkeys(GROUP, 40), FAULTS),
    "back_up": (COPY, FAULTS),
    "restore": (COPY, FAULTS),
    "sleep": (SLEEP, ("stop",)),
}


def main():
    options = parser().parse_args()
    # A plain end on SIGTERM skips the clean-up.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    unknown = points_of(options.landfall) ^ {point for points, _ in PLACES.values() for point in points}
    if unknown:
        raise SystemExit(f"points that only the binary knows, or only this harness: {sorted(unknown)}")
    faults = options.faults.split(",")
    chosen = [case for case in cases(options.seed) if case.fault in faults and options.only in str(case)]
    begun = time.monotonic()
    result = run(options, chosen)
    points = len({case.point for case in chosen})
    counts = f"{result.cycles} cases at {points} points, {result.acks} acks, {result.maybes} maybes"
    verdict = "all kept" if not result.failed else f"{result.failed} cases broke promises"
    print(f"{counts}: {verdict} ({time.monotonic() - begun:.0f} s, seed {options.seed})")
    sys.exit(1 if result.failed else 0)


def parser():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--landfall", required=True, help="the binary to test")
    parser.add_argument("--seed", type=int, default=1, help="chooses the time at which each point fails")
    parser.add_argument("--faults", default="error,panic,kill,stop", help="which kinds")
    parser.add_argument("--only", default="", help="cases whose name has this in it")
    parser.add_argument("--jobs", type=int, default=2, help="cases at the same time")
    parser.add_argument("--until-failure", action="store_true", help="stop at the first broken promise")
    parser.add_argument("--keep", action="store_true", help="keep the directories of failed cases")
    parser.add_argument("--work", help="directory for temporary files")
    return parser


def cases(seed):
    """All of them, each at some time that its point is reached."""
    rng = random.Random(seed)
    for place, (points, faults) in PLACES.items():
        for point, most in points.items():
            # The first transaction of a server is before it serves.
            first = 2 if place == "answer" and point in GROUP else 1
            for fault in faults:
                yield Case(place, point, fault, rng.randint(first, most))


def points_of(binary):
    """The names that the binary itself gives, when it refuses one that isn't there."""
    with begin_admin(binary, "/nowhere", "check", plan="?=error") as asked:
        told = asked.communicate()[1]
    return set(re.search(r"there are: (.*)", told)[1].split())


def run(options, chosen, tell=print):
    result = Result()
    work = Path(tempfile.mkdtemp(prefix="landfall-harness-", dir=options.work or in_memory()))
    try:
        prepared = Prepared(options.landfall, work, options.seed)
        context = multiprocessing.get_context("fork")
        # A worker that dies is an error here; a plain pool would wait for its case for ever.
        with concurrent.futures.ProcessPoolExecutor(
            options.jobs, context, initializer=share, initargs=(options, prepared, work)
        ) as pool:
            pending = [pool.submit(one, case) for case in chosen]
            try:
                for ended in concurrent.futures.as_completed(pending):
                    case, found, acks, maybes = ended.result()
                    result.cycles += 1
                    result.acks += acks
                    result.maybes += maybes
                    if found:
                        result.failed += 1
                        result.first = result.first or result.cycles
                        tell(f"{case}: {len(found)} broken promises: {'; '.join(found[:3])[:1500]}")
                        if options.until_failure:
                            break
            finally:
                # What was not begun is not wanted any more.
                pool.shutdown(cancel_futures=True)
    finally:
        if options.keep and result.failed:
            print(f"kept in {work}")
        else:
            shutil.rmtree(work, ignore_errors=True)
    return result


def in_memory():
    """A disk in memory: none of these faults takes the system's memory away, so it shows as much
    as another disk, and its syncs cost nothing."""
    shm = Path("/dev/shm")
    return shm if shm.is_dir() and shutil.disk_usage(shm).free > ROOM else None


def share(*shared):
    """What each process of the pool knows. None outlives this one, and a signal simply ends it: an
    exception in the middle of the pool's own work would leave a lock behind."""
    global SHARED
    SHARED = shared
    LIBC.prctl(DIES_WITH_PARENT, signal.SIGKILL)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def one(case):
    options, prepared, work = SHARED
    place = Path(tempfile.mkdtemp(dir=work, prefix=f"{case.place}-{case.point}-{case.fault}-"))
    trial = Trial(case, options.landfall, prepared, place)
    found = trial.run()
    if not (found and options.keep):
        shutil.rmtree(place)
    return case, found, trial.history.acks, trial.history.maybes


if __name__ == "__main__":
    main()
